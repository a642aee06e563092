"""The journal: what was committed is there whatever happens next; damage, a full disk and a second writer are told."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from lapwing.engine.journal import Journal, JournalError, is_plain


def fill(journal, ticks, chunks_each=3, size=10, first=1):
    for tick in range(first, first + ticks):
        journal.begin()
        journal.append(
            tick,
            tick * 1000,
            [("a" if i % 2 else "b", tick * 1000 + i, bytes([tick % 256]) * size) for i in range(chunks_each)],
        )
        journal.commit()


def test_ticks_and_frames_come_back_in_order(tmp_path):
    with Journal(tmp_path, write=True) as j:
        fill(j, 4)
        j.begin()
        j.append(5, 5000, [])
        j.commit()
        j.witness(2, b"digest")
    with Journal(tmp_path, write=False) as j:
        rows = list(j.ticks(0))
        assert [t.tick for t, _ in rows] == [1, 2, 3, 4, 5]
        assert [f.seq for _, frames in rows for f in frames] == list(range(1, 13))
        assert rows[1][0].digest == b"digest"
        assert rows[1][1][1].data == b"\x02" * 10
        assert rows[4][1] == []
        assert [t.tick for t, _ in j.ticks(3)] == [4, 5]
        assert j.frame(3).feed == "b"
        assert j.frame(99) is None


def test_numbers_go_on_after_reopening(tmp_path):
    with Journal(tmp_path, write=True) as j:
        fill(j, 2)
    with Journal(tmp_path, write=True) as j:
        fill(j, 1, first=3)
        assert j.last_seq == 9


def test_a_transaction_that_never_ended_never_counted(tmp_path):
    with Journal(tmp_path, write=True) as j:
        fill(j, 2)
        j.begin()
        j.append(3, 3000, [("a", 1, b"x")])
    with Journal(tmp_path, write=True) as j:
        assert [t.tick for t, _ in j.ticks(0)] == [1, 2]
        assert j.last_seq == 6


def test_second_writer_is_refused(tmp_path):
    with Journal(tmp_path, write=True), pytest.raises(JournalError, match="another Lapwing"):
        Journal(tmp_path, write=True)


def test_damage_is_named(tmp_path):
    with Journal(tmp_path, write=True) as j:
        fill(j, 2)
    db = sqlite3.connect(tmp_path / "journal.sqlite")
    db.execute("UPDATE frames SET data=x'00' WHERE seq=5")
    db.commit()
    db.close()
    with Journal(tmp_path, write=False) as j, pytest.raises(JournalError, match="entry 5 is damaged"):
        list(j.ticks(0))


def test_not_a_journal(tmp_path):
    with pytest.raises(JournalError, match="holds no journal"):
        Journal(tmp_path, write=False)
    (tmp_path / "journal.sqlite").write_bytes(b"this is not a database, it is a letter to my aunt " * 40)
    with pytest.raises(JournalError, match="cannot use the journal"):
        Journal(tmp_path, write=True)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalError, match="cannot use the journal"):
        Journal(tmp_path / "file" / "journal", write=True)


def test_full_disk_is_one_sentence(tmp_path):
    with Journal(tmp_path, write=True) as j:
        pages = j._db.execute("PRAGMA page_count").fetchone()[0]
        j._db.execute(f"PRAGMA max_page_count={pages + 4}")
        with pytest.raises(JournalError, match="is full: nothing more can be recorded"):
            fill(j, 50, size=4000)


def test_trim_keeps_what_the_oldest_checkpoint_needs(tmp_path):
    with Journal(tmp_path, write=True) as j:
        for n in range(4):
            fill(j, 10, size=20_000, first=1 + 10 * n)
            j.checkpoint(10 * (n + 1), j.last_seq, b"state%d" % n, keep=10)
        assert j.trim(100 << 20) == 0
        assert j.trim(1 << 20) > 0
        base = j.first_checkpoint()
        first = j.first_tick()
        assert base[0] == first - 1
        assert base[1] == b"state1"
        kept = list(j.ticks(base[0]))
        assert [len(frames) for _, frames in kept] == [3] * 20
        assert j.latest_checkpoint() == (40, b"state3")


def test_kill_minus_nine_loses_nothing_acknowledged(tmp_path):
    script = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from lapwing.engine.journal import Journal
        j = Journal(Path({str(tmp_path)!r}), write=True)
        for tick in range(1, 100000):
            j.begin()
            j.append(tick, tick, [("f", tick, bytes(100))] * 5)
            j.commit()
            print(tick, flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=dict(os.environ))
    acknowledged = 0
    for line in process.stdout:
        acknowledged = int(line)
        if acknowledged >= 40:
            process.send_signal(signal.SIGKILL)
            break
    acknowledged = max([acknowledged, *(int(line) for line in process.stdout.read().split(b"\n")[:-1])])
    process.wait()
    process.stdout.close()
    with Journal(tmp_path, write=True) as j:
        ticks = [(t.tick, len(frames)) for t, frames in j.ticks(0)]
    assert [t for t, _ in ticks][:acknowledged] == list(range(1, acknowledged + 1))
    assert all(n == 5 for _, n in ticks)


def test_a_part_is_a_journal_of_its_own(tmp_path):
    part = tmp_path / "part"
    part.mkdir()
    with Journal(tmp_path / "all", write=True) as j:
        fill(j, 4)
        j.checkpoint(2, 6, b"state")
        assert j.span(2000, 4000) == (2, 3)
        assert j.span(5000, 9000) is None
        assert (j.checkpoints_before(3), j.checkpoints_before(2)) == ([2], [])
        assert (j.state_at(2), j.state_at(3)) == (b"state", None)
        j.cut(part, 2, 3)
        with pytest.raises(JournalError, match="cannot be copied"):
            j.cut(tmp_path / "nowhere", 2, 3)
        with pytest.raises(JournalError, match="cannot be copied"):
            j.cut(part, 2, 3)  # there is one already: nothing is added to it
        fill(j, 1, first=5)  # and the writer goes on
    assert is_plain(part / "journal.sqlite")
    with Journal(part, write=False) as j:
        ((tick, frames),) = j.ticks(2)
        assert (tick.tick, [f.seq for f in frames], frames[0].feed) == (3, [7, 8, 9], "b")
        assert j.first_checkpoint() == (2, b"state")


def test_a_letter_is_no_journal(tmp_path):
    (tmp_path / "a").write_bytes(b"this is not a database, it is a letter to my aunt " * 40)
    assert not is_plain(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"")
    assert not is_plain(tmp_path / "b")


def test_parts_are_read_at_once_and_hold_nothing_open(tmp_path):
    with Journal(tmp_path, write=True) as writer, Journal(tmp_path, write=False) as reader:
        assert reader.extent_ns() is None
        assert reader.tick_at(5) is None
        assert reader.part(0, 0, 10) == []
        fill(writer, 40)
        writer.begin()
        writer.append(41, 41_000, [])
        writer.commit()
        assert reader.extent_ns() == (1_000, 41_000)
        assert [reader.tick_at(t) for t in (0, 1_000, 1_999, 20_500, 41_000, 10**9)] == [1, 1, 1, 20, 41, 41]
        part = reader.part(10, 30, 5)
        assert [t.tick for t, _ in part] == [11, 12, 13, 14, 15]
        assert [f.seq for _, frames in part for f in frames] == list(range(31, 46))
        assert [(t.tick, len(frames)) for t, frames in reader.part(39, 117, 50)] == [(40, 3), (41, 0)]
        assert reader.part(41, 120, 5) == []
        log = sqlite3.connect(tmp_path / "journal.sqlite").execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert log == (0, 0, 0)  # no reader is in the way
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._db.execute("DELETE FROM ticks")


def test_what_was_deleted_meanwhile_is_told(tmp_path):
    with Journal(tmp_path, write=True) as writer, Journal(tmp_path, write=False) as reader:
        fill(writer, 20)
        for sql in ("DELETE FROM ticks WHERE tick <= 10", "DELETE FROM frames WHERE seq <= 30"):
            writer._db.execute(sql)
        with pytest.raises(JournalError, match="no longer holds that moment"):
            reader.part(5, 15, 5)
        assert reader.tick_at(0) == 11
        assert [t.tick for t, _ in reader.part(10, 30, 2)] == [11, 12]
        writer._db.execute("UPDATE frames SET data=x'00' WHERE seq=31")
        with pytest.raises(JournalError, match="entry 31 is damaged"):
            reader.part(10, 30, 2)
        writer._db.execute("DROP TABLE frames")
        with pytest.raises(JournalError, match="cannot be read"):
            reader.part(10, 30, 2)
