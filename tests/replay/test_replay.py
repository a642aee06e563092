"""Same journal, same picture, bit for bit: run, killed, recovered, replayed, verified."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from lapwing.engine import codec
from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.plan import TICK_NS, make_plan
from lapwing.engine.replay import base, base_before, replay
from lapwing.engine.state import start
from lapwing.engine.tape import Tape, same
from lapwing.engine.tick import step
from lapwing.serve.replaying import replay_folder
from lapwing.serve.runtime import Runtime
from lapwing.serve.site import parse
from tests.replay.world import T0, border


class Clock:
    def now_ns(self):
        return 0


@pytest.fixture(scope="module")
def world():
    return border(35.0)


@pytest.fixture(scope="module")
def journaled(world, tmp_path_factory):
    """A journal of the world, its site and all digests, written by the runtime's own tick."""
    folder = tmp_path_factory.mktemp("journal")
    digests = drive(folder, world)
    return folder, digests


def drive(folder, world, ticks=175):
    text, chunks = world
    plan = make_plan(parse(text).site(folder))
    runtime = Runtime(plan, text, folder, 64.0, Clock())
    first, digests = runtime.state.tick, []
    try:
        for tick in range(first + 1, ticks + 1):
            now = T0 + tick * TICK_NS
            mine = [c for c in chunks if now - TICK_NS < c[1] <= now]
            digests.append(codec.digest(runtime.tick(mine, now)))
        runtime._close()
    finally:
        runtime.journal.close()
    return digests


def test_the_world_is_seen(journaled):
    folder, _ = journaled
    with Journal(folder, write=False) as j:
        plan = make_plan(parse(j.meta("site")).site(folder))
        *_, last = replay(j, plan, base(j, plan, newest=False))
    picture = last.picture
    assert len(picture.claims) > 40
    assert (picture.tracks.status == 1).sum() > 10
    assert (picture.integrity.track_id > 0).sum() > 3
    assert [f.feed for f in picture.feeds] == ["ADS-B", "AIS", "Radar"]
    assert all(f.faults == 0 for f in picture.feeds)
    beast, ais, radar = picture.feeds
    assert (beast.delay_s, ais.delay_s) == (None, None)  # a counter, and no times at all
    assert abs(radar.delay_s) < 2.0  # it states times, by the world's own clock


def test_verified_replay_is_identical(journaled):
    good, text = replay_folder(journaled[0], compare=True)
    assert good
    assert "identical: 175 pictures of 175 ticks" in text


def test_one_changed_byte_in_the_evidence_is_found(journaled, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(journaled[0], folder)
    db = sqlite3.connect(folder / "journal.sqlite")
    db.execute("UPDATE frames SET data = zeroblob(length(data)) WHERE seq = 40")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="entry 40 is damaged"):
        replay_folder(folder, compare=True)


def test_a_picture_that_differs_is_named(journaled, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(journaled[0], folder)
    db = sqlite3.connect(folder / "journal.sqlite")
    db.execute("UPDATE ticks SET digest = x'00' WHERE tick = 77")
    db.commit()
    db.close()
    good, text = replay_folder(folder, compare=True)
    assert not good
    assert "tick 77" in text


def test_recovery_from_a_checkpoint_gives_the_same_pictures(world, journaled, tmp_path):
    digests = drive(tmp_path, world, ticks=90)
    digests += drive(tmp_path, world)  # a second process: checkpoint + tail, then on
    assert digests == journaled[1]


def test_a_damaged_checkpoint_costs_time_and_no_picture(world, journaled, tmp_path, caplog):
    digests = drive(tmp_path, world, ticks=60)
    digests += drive(tmp_path, world, ticks=90)
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as db:
        db.execute("UPDATE checkpoints SET state = x'00' WHERE tick = 90")
        db.commit()
    digests += drive(tmp_path, world)
    assert digests == journaled[1]
    assert "passed over, from tick 90 on" in caplog.text
    with Journal(tmp_path, write=False) as j:
        plan = make_plan(parse(j.meta("site")).site(tmp_path))
        assert base_before(j, plan, 100).tick == 60


def test_where_no_checkpoint_of_a_trimmed_journal_can_be_read_it_says_why(journaled, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(journaled[0], folder)
    with closing(sqlite3.connect(folder / "journal.sqlite")) as db:
        db.execute("UPDATE checkpoints SET state = x'00'")
        db.execute("DELETE FROM ticks WHERE tick <= 100")
        db.commit()
    with Journal(folder, write=False) as j:
        plan = make_plan(parse(j.meta("site")).site(folder))
        with pytest.raises(JournalError, match="cut short"):
            base(j, plan, newest=True)


def test_a_checkpoint_is_the_whole_state(journaled):
    folder, _ = journaled
    with Journal(folder, write=False) as j:
        plan = make_plan(parse(j.meta("site")).site(folder))
        state = base(j, plan, newest=True)
        assert state.tick == 175
        again = codec.decode(codec.encode(state))
        frames = []
        _, a = step(state, frames, 176, state.time_ns + TICK_NS, plan)
        _, b = step(again, frames, 176, state.time_ns + TICK_NS, plan)
        assert codec.digest(a) == codec.digest(b)


def test_a_checkpoint_of_another_version_is_passed_over_not_misread(journaled, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(journaled[0], folder)
    monkeypatch.setattr("lapwing.engine.replay.MAKE", "0.0.0 99 fields")
    with Journal(folder, write=True) as j:
        plan = make_plan(parse(j.meta("site")).site(folder))
        assert base(j, plan, newest=True).tick == 0  # from the very beginning instead
        assert j.trim(1) > 0
        with pytest.raises(JournalError, match="another version of this software"):
            base(j, plan, newest=True)


def test_grouping_of_ticks_into_commits_does_not_matter(world, journaled, tmp_path):
    text, chunks = world
    plan = make_plan(parse(text).site(tmp_path))
    state, seq, digests = start(plan), 0, []
    from lapwing.records import Frame

    for tick in range(1, 176):
        now = T0 + tick * TICK_NS
        mine = [c for c in chunks if now - TICK_NS < c[1] <= now]
        frames = [Frame(seq + 1 + i, *c) for i, c in enumerate(mine)]
        seq += len(frames)
        state, picture = step(state, frames, tick, now, plan)
        digests.append(codec.digest(picture))
    assert digests == journaled[1]


def test_a_clock_set_back_does_not_take_the_world_back(world, tmp_path):
    text, _ = world
    plan = make_plan(parse(text).site(tmp_path))
    state, _ = step(start(plan), [], 1, T0, plan)
    state, picture = step(state, [], 2, T0 - 3600 * 10**9, plan)
    assert picture.time_ns == T0


def test_killed_while_running_loses_nothing_and_verifies(world, tmp_path):
    script = textwrap.dedent(f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})
        from pathlib import Path
        from tests.replay.test_replay import Clock
        from tests.replay.world import T0, border
        from lapwing.engine.plan import TICK_NS, make_plan
        from lapwing.serve.runtime import Runtime
        from lapwing.serve.site import parse
        text, chunks = border(40.0)
        folder = Path({str(tmp_path)!r})
        runtime = Runtime(make_plan(parse(text).site(folder)), text, folder, 64.0, Clock())
        for tick in range(runtime.state.tick + 1, 100000):
            now = T0 + tick * TICK_NS
            runtime.tick([c for c in chunks if now - TICK_NS < c[1] <= now], now)
            print(tick, runtime.journal.last_seq, flush=True)
    """)
    reached = []
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=dict(os.environ))
        lines = []
        began = time.monotonic()
        for line in process.stdout:
            lines.append(line)
            if len(lines) > 130 or time.monotonic() - began > 400:
                process.send_signal(signal.SIGKILL)
                break
        lines += process.stdout.read().split(b"\n")[:-1]
        process.wait()
        process.stdout.close()
        reached.append(tuple(map(int, lines[-1].split())))
    assert reached[1][0] > reached[0][0] + 100
    with Journal(tmp_path, write=False) as j:
        rows = list(j.ticks(0))
    assert rows[-1][0].tick >= reached[1][0]
    assert [t.tick for t, _ in rows] == list(range(1, len(rows) + 1))
    good, text = replay_folder(tmp_path, compare=True)
    assert good, text


def test_a_tape_shows_any_moment_as_it_was(journaled):
    folder, digests = journaled
    with Journal(folder, write=False) as j:
        tape = Tape(j, make_plan(parse(j.meta("site")).site(folder)))
        assert tape.next() is None  # it stands nowhere yet
        for tick in (160, 155, 20, 175, 1, 151):
            steps = list(tape.go(T0 + tick * TICK_NS + 5))
            assert tape.row.tick.tick == tick
            assert codec.digest(tape.row.picture) == digests[tick - 1]
            assert steps == sorted(steps)
            assert all(0.0 < s < 1.0 for s in steps)
        list(tape.go(T0 + 149 * TICK_NS))
        assert len(list(tape.go(T0 + 140 * TICK_NS))) < 25  # states on the way were kept
        while tape.next() is not None:
            assert codec.digest(tape.row.picture) == digests[tape.row.tick.tick - 1]
        assert tape.row.tick.tick == 175
        assert same(tape.row) is True
        assert tape.peek() is None
        list(tape.go(0))
        assert tape.row.tick.tick == 1  # before the beginning is the beginning


def test_a_picture_that_is_just_being_made_is_not_shown_yet(journaled, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(journaled[0], folder)
    db = sqlite3.connect(folder / "journal.sqlite")
    db.execute("UPDATE ticks SET digest=NULL WHERE tick IN (160, 175)")  # 160: the process died before it was known
    db.commit()
    with Journal(folder, write=False) as j:
        assert j.settled() == 174
        tape = Tape(j, make_plan(parse(j.meta("site")).site(folder)))
        list(tape.go(T0 + 160 * TICK_NS))
        assert (tape.row.tick.tick, same(tape.row)) == (160, None)
        list(tape.go(T0 + 175 * TICK_NS))
        assert (tape.row.tick.tick, same(tape.row)) == (174, True)
        assert tape.next() is None
        db.execute("UPDATE ticks SET digest=? WHERE tick=175", (journaled[1][174],))
        db.commit()
        assert tape.next().tick.tick == 175
        assert same(tape.row) is True
        db.execute("UPDATE ticks SET digest=NULL")
        db.execute("DELETE FROM ticks WHERE tick > 1")
        db.commit()
        with pytest.raises(JournalError, match="no picture yet"):
            list(tape.go(T0))
    db.close()


def test_what_a_tape_keeps_is_bounded(journaled, monkeypatch):
    with Journal(journaled[0], write=False) as j:
        tape = Tape(j, make_plan(parse(j.meta("site")).site(journaled[0])))
        monkeypatch.setattr("lapwing.engine.tape.KEPT_MAX", 2)
        list(tape.go(T0 + 145 * TICK_NS))
        assert list(tape._kept) == [100, 125]
        monkeypatch.setattr("lapwing.engine.tape.KEPT_ROWS_MAX", 1)
        list(tape.go(T0 + 175 * TICK_NS))
        assert list(tape._kept) == []


def test_a_tape_without_a_usable_beginning_says_so(journaled, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(journaled[0], folder)
    db = sqlite3.connect(folder / "journal.sqlite")
    db.execute("DELETE FROM ticks WHERE tick <= 150")
    db.execute("UPDATE checkpoints SET state=?", (zlib.compress(codec.encode(("another version", None))),))
    db.commit()
    db.close()
    with Journal(folder, write=False) as j:
        tape = Tape(j, make_plan(parse(j.meta("site")).site(folder)))
        with pytest.raises(JournalError, match="no checkpoint of this version"):
            list(tape.go(T0 + 170 * TICK_NS))
    with Journal(tmp_path / "empty", write=True) as j, pytest.raises(JournalError, match="no picture yet"):
        list(Tape(j, tape._plan).go(5))
