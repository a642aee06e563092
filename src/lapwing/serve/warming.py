"""Compilation of kernels ahead of use: the first start only, for Numba keeps what it has compiled. On more than one
core a helper, another process, compiles half of it."""

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from lapwing.engine.plan import Plan, make_plan
from lapwing.engine.state import start
from lapwing.engine.tick import step
from lapwing.integrity.search import explain
from lapwing.integrity.source import SourceSettings, make_looks
from lapwing.kernel.bits import finite
from lapwing.kernel.gating import few_candidates
from lapwing.records import Detections, Frame, Space
from lapwing.serve.site import parse
from lapwing.track import Watch

log = logging.getLogger("lapwing")
PATIENCE_S = 4.0
HELP_AFTER_S, HELPER_S = 4.0, 600.0  # what takes so long is helped with; no helper is waited for longer
HELPER = (sys.executable, "-P", "-m", "lapwing.serve.warming")  # -P: nothing from the folder it is started in
WARM_SITE = """
name = "warm"
origin = {latitude_deg = 52.25, longitude_deg = 3.9}
feed = [
  {name = "beast", decoder = "beast", from = "stdin:"},
  {name = "avr", decoder = "avr", from = "stdin:"},
]
sensor = [{name = "radar", at = {latitude_deg = 52.25, longitude_deg = 3.9}}]
"""
WARM_SPACES = (  # one to four columns: some kernels are compiled for each number of them
    Space.RANGE_AZIMUTH,
    Space.POSITION_2D,
    Space.RANGE_AZIMUTH_ELEVATION,
    Space.RANGE_AZIMUTH_ELEVATION_RANGE_RATE,
    Space.AZIMUTH,
)
WARM_COLUMNS = {"azimuth_rad": (1.0, 1e-5), "elevation_rad": (0.05, 1e-5), "range_rate_mps": (10.0, 4.0)}
WARM_FRAMES = (  # published examples: identification, even and odd position, velocity, all-call
    ("avr", b"*8D4840D6202CC371C32CE0576098;\n".hex()),
    ("avr", b"*8D40621D58C382D690C8AC2863A7;*8D40621D58C386435CC412692AD6;\n".hex()),
    ("avr", b"*8D485020994409940838175B284F;*5D484FDEA248F5;\n".hex()),
    ("beast", "1a33000000000001408d40621d58c382d690c8ac2863a7"),
    ("beast", "1a33000000000002408d40621d58c386435cc412692ad6"),
)


def warm_up() -> float:
    """Run every kernel once, so that compiling happens before anything is received; seconds. Says so when it takes
    long: who waits in silence takes it for broken."""
    began = time.monotonic()
    soon = threading.Timer(
        PATIENCE_S, log.info, ["compiling for this machine: once, some minutes; nothing is heard yet"]
    )
    soon.daemon = True
    soon.start()
    try:
        with _helped():
            plan = make_plan(parse(WARM_SITE).site(Path()))
            _scanned(start(plan).window.base, 1_700_000_000_000_000_000, plan)
        for _ in range(2):
            _one_flow(True)
        _others()
        _one_crowd()
    finally:
        soon.cancel()
    return time.monotonic() - began


@contextlib.contextmanager
def _helped() -> Iterator[None]:
    """Meanwhile, if it takes long, another process compiles what `_others` needs; it ends with this one. What it could
    not do is compiled here."""
    helpers: list[subprocess.Popen[bytes]] = []

    def help_() -> None:
        if not finite.stats.cache_misses:  # the first kernel of all was kept: so are the others, and it is only slow
            return
        quiet = subprocess.DEVNULL
        with contextlib.suppress(OSError):
            helpers.append(subprocess.Popen(HELPER, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet))

    soon = threading.Timer(HELP_AFTER_S, help_)
    soon.daemon = True
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores > 1:
        soon.start()
    try:
        yield
        soon.cancel()
        for helper in helpers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                helper.wait(HELPER_S)
    finally:
        soon.cancel()
        for helper in helpers:
            helper.kill()
            helper.communicate()


def _others() -> None:
    """What is not tracking."""
    _one_flow(False)
    _one_source()


def _one_crowd() -> None:
    """More plots in one place than pairs are worked out of: what only a flood calls must not stop it to compile."""
    one = np.zeros((1, 6)), np.eye(6)[None]
    few_candidates(*one, np.zeros((2, 2)), np.tile(np.eye(2), (2, 1, 1)), np.zeros(2), 1.0, 1)


def _one_source() -> None:
    """A source located among a few looks, with all that might explain them."""
    place = np.zeros((12, 3))
    place[:, 0] = 20_000.0 * np.arange(12)
    hit = np.arange(12) % 3 == 0  # two sources, or one with a beam: nothing is left out
    settings = SourceSettings(more_min=-np.inf, told_min=-np.inf, plainer_max=(-np.inf, np.inf))
    explain(make_looks(np.arange(12), np.zeros(12, np.int64), place, hit, 4), settings)


def _one_flow(scans: bool) -> None:
    """A few squitters and ships through a whole tick; with scans also plots of every kind."""
    plan = make_plan(parse(WARM_SITE).site(Path()))
    state, now, seq = start(plan), 1_700_000_000_000_000_000, 0
    for tick in range(1, 9):
        frames = []
        for feed, data in WARM_FRAMES:
            seq += 1
            frames.append(Frame(seq, feed, now, bytes.fromhex(data)))
        state, _ = step(state, frames, tick, now, plan)
        if scans:
            state = replace(state, window=replace(state.window, base=_scanned(state.window.base, now, plan)))
        now += 1_000_000_000


def _scanned(watch: Watch, now: int, plan: Plan) -> Watch:
    """The watch after a scan in each space."""
    for sensor in plan.sensors:
        for space in WARM_SPACES:
            m, along = 3, 5_000.0 + 800.0 * np.arange(3)
            known = [WARM_COLUMNS.get(column, (along, 900.0)) for column in space.value]
            z = np.stack([np.broadcast_to(value, m) for value, _ in known], axis=1)
            R = np.tile(np.diag([variance for _, variance in known]), (m, 1, 1))
            i = np.zeros(m, np.int64)
            watch = plan.take(watch, Detections(sensor, space, now, i + now, z, R, i - 1, i))
    return watch


def help_out() -> None:
    """What the helper does, as long as somebody holds the other end of its standard input."""
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    _others()


if __name__ == "__main__":
    help_out()
