"""Replay of a journal folder from the command line, with progress; and the compilation of kernels ahead of use."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.plan import Plan, make_plan
from lapwing.engine.replay import base, replay, verify
from lapwing.engine.state import start
from lapwing.engine.tick import step
from lapwing.engine.told import told_feeds
from lapwing.integrity.search import explain
from lapwing.integrity.source import SourceSettings, make_looks
from lapwing.kernel.gating import few_candidates
from lapwing.records import Detections, Frame, Picture, Space
from lapwing.serve.site import parse

log = logging.getLogger("lapwing")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}  # of a process: as live, the same bits
PATIENCE_S = 4.0
SECOND_NS = 1_000_000_000
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


def planned(journal: Journal) -> tuple[Plan, str]:
    """The plan that a journal runs with, and its site file. Raises JournalError, SiteError."""
    text = journal.meta("site")
    if text is None:
        raise JournalError(f"the journal in {journal.folder} does not say which site it belongs to")
    site = parse(text, f"the site file kept in {journal.folder}").site(journal.folder)
    return make_plan(site, told_feeds(journal)), text


def replay_folder(folder: Path, *, compare: bool) -> tuple[bool, str]:
    """Whether all is well, and one line that says what was run."""
    with Journal(folder, write=False) as journal:
        plan, _ = planned(journal)
        began = time.monotonic()
        if not compare:
            ticks = 0
            for ticks, row in enumerate(replay(journal, plan, base(journal, plan, newest=False)), start=1):
                progress(ticks, row.tick.tick)
            progress(0, 0)
            return True, f"{ticks} ticks run again in {time.monotonic() - began:.1f} s"
        result = None
        for result in verify(journal, plan):
            progress(result.ticks, result.ticks)
        progress(0, 0)
        if result is None:
            return False, "nothing to verify: the journal holds no ticks"
        if result.first_difference is not None:
            return False, f"DIFFERENT: the picture of tick {result.first_difference} is not the one recorded"
        if result.compared == 0:
            return False, "nothing to verify: no picture's digest was recorded"
        return True, (
            f"identical: {result.compared} pictures of {result.ticks} ticks, bit for bit, "
            f"in {time.monotonic() - began:.1f} s"
        )


def each_second(journal: Journal, plan: Plan, since_ns: int, until_ns: int) -> Iterator[Picture]:
    """The journal run again: the first picture of each second of since <= time < until. Raises JournalError."""
    second = -1
    for row in replay(journal, plan, base(journal, plan, newest=False)):
        progress(row.tick.tick, row.tick.tick)
        now_ns = row.picture.time_ns
        if now_ns >= until_ns:
            break
        if now_ns >= since_ns and now_ns // SECOND_NS != second:
            second = now_ns // SECOND_NS
            yield row.picture
    progress(0, 0)


def progress(count: int, tick: int) -> None:
    """Show on a terminal how far a replay is; 0, 0 takes it away."""
    if not sys.stderr.isatty():
        return
    if count == 0:
        sys.stderr.write("\r\033[K")
    elif count % 50 == 0:
        sys.stderr.write(f"\rtick {tick}")
    sys.stderr.flush()


def warm_up() -> float:
    """Run every kernel once, so that compiling (first start only) happens before anything is received; seconds. Says so
    when it takes long: who waits in silence takes it for broken."""
    began = time.monotonic()
    soon = threading.Timer(
        PATIENCE_S, log.info, ["compiling for this machine: once, some minutes; nothing is heard yet"]
    )
    soon.daemon = True
    soon.start()
    try:
        for _ in range(2):
            _one_flow()
        _one_source()
        _one_crowd()
    finally:
        soon.cancel()
    return time.monotonic() - began


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


def _one_flow() -> None:
    """A few plots, squitters and ships through a whole tick."""
    site = parse(WARM_SITE).site(Path())
    plan = make_plan(site)
    state = start(plan)
    now, seq = 1_700_000_000_000_000_000, 0
    for tick in range(1, 9):
        frames = []
        for feed, data in WARM_FRAMES:
            seq += 1
            frames.append(Frame(seq, feed, now, bytes.fromhex(data)))
        state, _ = step(state, frames, tick, now, plan)
        for sensor in plan.sensors:
            for space in WARM_SPACES:
                m, along = 3, 5_000.0 + 800.0 * np.arange(3)
                known = [WARM_COLUMNS.get(column, (along, 900.0)) for column in space.value]
                z = np.stack([np.broadcast_to(value, m) for value, _ in known], axis=1)
                R = np.tile(np.diag([variance for _, variance in known]), (m, 1, 1))
                i = np.zeros(m, np.int64)
                scan = Detections(sensor, space, now, i + now, z, R, i - 1, i)
                state = replace(state, window=replace(state.window, base=plan.take(state.window.base, scan)))
        now += 1_000_000_000
