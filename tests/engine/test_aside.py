"""What nobody has foreseen costs the frames it came with, not the watch: set aside, counted, the same if run again."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lapwing.engine import codec
from lapwing.engine.aside import FAILED, PASSING, STUCK, sparing
from lapwing.engine.journal import Journal
from lapwing.engine.plan import TICK_NS, make_plan
from lapwing.engine.replay import base, replay
from lapwing.engine.state import start
from lapwing.engine.tick import step
from lapwing.records import Frame
from lapwing.serve.runtime import Runtime
from lapwing.serve.site import parse
from tests.replay.test_replay import Clock
from tests.replay.world import T0, border

BAD = b"\xde\xad"
pytestmark = pytest.mark.spared


@dataclass(frozen=True)
class Frail:
    """A decoder with a fault: it fails on one message."""

    sound: Any

    def start(self):
        return self.sound.start()

    def decode(self, state, frames):
        if any(BAD in f.data for f in frames):
            raise IndexError("index 7 is out of bounds")
        return self.sound.decode(state, frames)


@pytest.fixture(scope="module")
def world():
    return border(12.0)


def frail(text, folder, feeds=("AIS",)):
    plan = make_plan(parse(text).site(folder))
    return replace(plan, decoders={n: Frail(d) if n in feeds else d for n, d in plan.decoders.items()})


def run(folder, world, plan, bad_ticks=(), feed="AIS", last=60):
    """Pictures of a runtime on a journal, to which some bad messages come besides."""
    text, chunks = world
    runtime, out = Runtime(plan, text, folder, 64.0, Clock()), []
    try:
        for tick in range(runtime.state.tick + 1, last + 1):
            now = T0 + tick * TICK_NS
            mine = [c for c in chunks if now - TICK_NS < c[1] <= now]
            out.append(runtime.tick(mine + [(feed, now, BAD)] * (tick in bad_ticks), now))
    finally:
        runtime.journal.close()
    return out


def test_a_message_that_a_tick_fails_on_is_set_aside_and_the_rest_goes_on(world, tmp_path, caplog):
    plan = frail(world[0], tmp_path)
    sound = run(tmp_path / "a", world, plan)
    pictures = run(tmp_path / "b", world, plan, (30, 31))
    assert [codec.digest(p) for p in pictures[:29]] == [codec.digest(p) for p in sound[:29]]
    beast, ais, radar = pictures[-1].feeds
    assert ais.last_fault == f"{FAILED}IndexError"
    assert (beast.faults, radar.faults) == (0, 0)
    assert ais.frames == sound[-1].feeds[1].frames + 2
    assert 2 <= ais.faults <= 4
    assert ais.last_fault_example
    assert beast == sound[-1].feeds[0]
    assert len(pictures[-1].tracks) == len(sound[-1].tracks)
    told = [r for r in caplog.records if "set aside" in r.message]
    assert [r.levelno for r in told if r.levelno >= logging.WARNING] == [logging.ERROR], "once, not with every tick"
    assert told[0].exc_info is not None


def test_recovery_and_replay_come_to_the_same(world, tmp_path):
    plan = frail(world[0], tmp_path)
    whole = [codec.digest(p) for p in run(tmp_path / "whole", world, plan, (20, 30))]
    cut = run(tmp_path / "cut", world, plan, (20, 30), last=30)  # ends with the bad tick: the next start runs it again
    cut += run(tmp_path / "cut", world, plan, (20, 30))
    assert [codec.digest(p) for p in cut] == whole
    with Journal(tmp_path / "whole", write=False) as journal:
        again = [codec.digest(r.picture) for r in replay(journal, plan, base(journal, plan, newest=False))]
    assert again == whole


def test_two_bad_feeds_leave_the_tick_without_any(world, tmp_path):
    plan = frail(world[0], tmp_path, ("AIS", "ADS-B"))
    frames = [Frame(k + 1, feed, T0, BAD) for k, feed in enumerate(("AIS", "Radar", "ADS-B"))]
    after, picture = step(start(plan), frames, 1, T0, plan)
    assert [f.faults for f in picture.feeds] == [1, 1, 1]
    assert (after.through_seq, picture.through_seq) == (3, 3)
    assert all(f.received_ns == 0 for f in picture.feeds), "what was set aside does not keep a feed from falling quiet"


def test_a_feed_that_is_set_aside_with_every_tick_falls_quiet_and_is_tried_first(world, tmp_path):
    plan = frail(world[0], tmp_path)
    state, calls = start(plan), []
    state, _ = step(state, [Frame(1, "AIS", T0, b"!")], 1, T0, plan)
    limit_s = plan.site.feeds[1].quiet_s_max
    for k in range(2, 4 + int(limit_s / 10)):
        now = T0 + k * 10_000_000_000
        state, picture = step(state, [Frame(2 * k, "ADS-B", now, b""), Frame(2 * k + 1, "AIS", now, BAD)], k, now, plan)
    assert picture.feeds[1].quiet
    assert not picture.feeds[0].quiet
    frames = [Frame(1, "ADS-B", T0, b""), Frame(2, "AIS", T0, BAD)]

    def whole(aside):
        calls.append(set(aside))
        if "AIS" not in aside:
            raise ValueError("no")
        return 5

    assert sparing(state, frames, 9, whole) == 5
    assert calls == [set(), {"AIS"}]


def test_what_fails_without_any_frames_is_raised_as_it_was(world, tmp_path):
    state = start(frail(world[0], tmp_path))

    def whole(aside):
        raise KeyError(len(aside))

    with pytest.raises(KeyError, match="0") as raised:
        sparing(state, [Frame(1, "AIS", T0, b"")], 1, whole)
    assert raised.value.__notes__ == [STUCK]


@pytest.mark.parametrize("error", PASSING)
def test_what_depends_on_more_than_frames_is_raised(error, world, tmp_path):
    state = start(frail(world[0], tmp_path))

    def whole(aside):
        raise error

    with pytest.raises(error):
        sparing(state, [Frame(1, "AIS", T0, b"")], 1, whole)


def test_what_an_error_says_is_for_the_log_only(world, tmp_path, caplog):
    """It may name an operator, or say other things in another process. Another error is news, the same is not."""
    state = start(frail(world[0], tmp_path))
    for name, levels in (("FIN87astrdge12k8", ["ERROR"]), ("\n\x1b[2J", ["ERROR"])):

        def whole(aside, name=name):
            if aside:
                return aside
            raise LookupError(name)

        caplog.clear()
        made = sparing(state, [Frame(1, "AIS", T0, b"")], 1, whole)
        assert made == {"AIS": FAILED + "LookupError"}
        assert [r.levelname for r in caplog.records] == levels
    feeds = [replace(f, health=replace(f.health, last_fault=FAILED + "LookupError")) for f in state.feeds]
    caplog.clear()
    sparing(replace(state, feeds=tuple(feeds)), [Frame(1, "AIS", T0, b"")], 1, whole)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
