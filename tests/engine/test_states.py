"""Large states lie in files beside the journal: what counts is there, what is damaged is told, what is old goes."""

import os
import sqlite3

import pytest

from lapwing.engine import states
from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.states import StateError, StateFiles, packed, unpacked

LARGE = os.urandom(3 << 20)


def kept(journal: Journal, tick: int, state: bytes) -> None:
    journal.begin()
    journal.append(tick, tick * 10**9, [("f", tick * 10**9, b"x")])
    journal.keep_packed(tick, journal.last_seq, journal.lay_aside(tick, packed(state)), keep=2)
    journal.commit()


def files(folder) -> set[str]:
    return {p.name for p in (folder / "states").glob("*")}


def test_a_large_state_is_a_file_and_a_small_one_is_not(tmp_path):
    with Journal(tmp_path, write=True) as journal:
        kept(journal, 1, b"small")
        assert not (tmp_path / "states").exists()
        kept(journal, 2, LARGE)
        assert files(tmp_path) == {"2.state"}
        assert journal.latest_checkpoint() == (2, LARGE)
        assert journal.first_checkpoint() == (1, b"small")
        assert journal.state_at(2) == LARGE
    with Journal(tmp_path, write=False) as journal:
        assert journal.latest_checkpoint() == (2, LARGE)
    assert (tmp_path / "journal.sqlite").stat().st_size < 1 << 20


def test_files_of_states_that_are_not_kept_go_and_so_does_what_a_killed_process_left(tmp_path):
    with Journal(tmp_path, write=True) as journal:
        for tick in (1, 2, 3):
            kept(journal, tick, LARGE)
        (tmp_path / "states" / "7.part").write_bytes(b"half")
        (tmp_path / "states" / "9.state").write_bytes(b"no row says that it counts")
        (tmp_path / "states" / "notes.txt").write_text("somebody's own")
        for tick in (4, 5, 6, 7):
            kept(journal, tick, LARGE)
        # the first, which the rest is replayed from, the last two, and those that the next calls will take away
        assert files(tmp_path) == {"1.state", "4.state", "5.state", "6.state", "7.state", "notes.txt"}
        assert [tick for tick in range(1, 8) if journal.state_at(tick)] == [1, 6, 7]


def test_a_deletion_that_a_crash_takes_back_has_lost_no_file(tmp_path):
    with Journal(tmp_path, write=True) as journal:
        for tick in (1, 2, 3):
            kept(journal, tick, LARGE)
        journal.begin()
        journal.append(4, 4 * 10**9, [("f", 4 * 10**9, b"x")])
        journal.keep_packed(4, journal.last_seq, journal.lay_aside(4, packed(LARGE)), keep=2)  # takes away the second
        journal.lay_aside(5, packed(LARGE))  # another thread, before the commit
    with Journal(tmp_path, write=False) as journal:  # never committed
        assert [tick for tick in range(1, 6) if journal.state_at(tick)] == [1, 2, 3]


def test_files_go_too_where_states_have_become_small_since(tmp_path):
    with Journal(tmp_path, write=True) as journal:
        for tick in (1, 2, 3):
            kept(journal, tick, LARGE)
        for tick in (4, 5, 6, 7):
            kept(journal, tick, b"small")
        assert files(tmp_path) == {"1.state"}  # the first counts still


def test_retention_counts_the_files(tmp_path):
    with Journal(tmp_path, write=True) as journal:
        for tick in (1, 2, 3):
            kept(journal, tick, LARGE)
        assert journal.trim(20 << 20) == 0
        assert journal.trim(4 << 20) > 0
        assert journal.state_at(1) is None


def test_a_part_that_is_cut_out_has_its_state_inside(tmp_path):
    (tmp_path / "part").mkdir()
    with Journal(tmp_path / "whole", write=True) as journal:
        for tick in (1, 2, 3):
            kept(journal, tick, LARGE)
        journal.cut(tmp_path / "part", 2, 3)
    with Journal(tmp_path / "part", write=False) as part:
        assert part.latest_checkpoint() == (2, LARGE)
    assert not (tmp_path / "part" / "states").exists()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: path.unlink(), "the checkpoint of tick 1 cannot be read: No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "cut short"),
        (lambda path: path.write_bytes(b"\0" * 1000), "damaged"),
    ],
)
def test_a_damaged_file_is_told(tmp_path, damage, sentence):
    (tmp_path / "part").mkdir()
    with Journal(tmp_path, write=True) as journal:
        kept(journal, 1, LARGE)
        damage(tmp_path / "states" / "1.state")
        with pytest.raises(JournalError, match=sentence):
            journal.latest_checkpoint()
        if "read" in sentence:
            with pytest.raises(JournalError, match="cannot be copied: the checkpoint of tick 1"):
                journal.cut(tmp_path / "part", 1, 1)


def test_a_state_that_unpacks_to_more_than_there_can_be_is_refused(monkeypatch):
    monkeypatch.setattr(states, "BYTES_MAX", 1_000)
    with pytest.raises(StateError, match="absurdly large"):
        unpacked(packed(bytes(10_000)))


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    store = StateFiles(tmp_path / "states")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.put(5, b"state")
    with pytest.raises(StateError, match="tick 5"):
        store.get(5)
    assert store.size({5}) == 0


def test_an_old_journal_with_large_states_inside_is_read(tmp_path):
    with Journal(tmp_path, write=True) as journal:
        journal.begin()
        journal.append(1, 10**9, [("f", 10**9, b"x")])
        journal.keep_packed(1, journal.last_seq, packed(LARGE))
        journal.commit()
        assert journal.latest_checkpoint() == (1, LARGE)
    with sqlite3.connect(tmp_path / "journal.sqlite") as db:
        assert db.execute("SELECT length(state) > 1000000 FROM checkpoints").fetchone() == (1,)
