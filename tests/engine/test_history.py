"""History: what was shown comes back, whole hours or one id, flushed or not; parts are atomic and forgettable."""

import math

import numpy as np
import pytest

from lapwing.engine.history import CLAIM, TRACK, History
from lapwing.records import Alarms, Picture, Position
from tests.alarm.world import world

ORIGIN = Position(math.radians(50.0), math.radians(20.0), 100.0)
S = 10**9


def picture(tick, rows):
    w = world(tick * S, rows, agrees=(1, 2))
    return Picture(tick, w.time_ns, 0, w.tracks, w.claims, w.integrity, Alarms.empty(), ())


def filled(folder, ticks):
    h = History(folder, ORIGIN)
    for t in ticks:
        h.add(picture(t, [(5, 1000.0 * t, 0, 100, 10, 0), (6, 0, 0, 0, 0, 5)]))
    return h


def test_rows_come_back_before_and_after_a_flush(tmp_path):
    h = filled(tmp_path, range(1, 11))
    before = h.query(0, 100 * S)
    h.flush()
    assert h.query(0, 100 * S).keys() == before.keys()
    for name, column in h.query(0, 100 * S).items():
        assert np.array_equal(column, before[name])
    assert len(before["time_ns"]) == 40
    one = h.query(3 * S, 6 * S, TRACK, 5)
    assert one["time_ns"].tolist() == [3 * S, 4 * S, 5 * S]
    assert np.allclose(np.diff(one["longitude_deg"]), one["longitude_deg"][1] - one["longitude_deg"][0], rtol=1e-3)
    assert np.allclose(one["course_deg"], 90.0)
    assert np.allclose(one["speed_mps"], 10.0)
    assert len(h.query(0, 100 * S, CLAIM, 1)["time_ns"]) == 10


def test_parts_past_a_checkpoint_are_forgotten_and_drafts_ignored(tmp_path):
    h = filled(tmp_path, range(1, 6))
    h.flush()
    for t in range(6, 11):
        h.add(picture(t, [(5, 0, 0, 0, 0, 0)]))
    h.flush()
    assert len(list(tmp_path.glob("*/*/*.parquet"))) == 2
    again = History(tmp_path, ORIGIN)
    again.forget_after(5)
    assert again.query(0, 100 * S)["time_ns"].max() == 5 * S
    (tmp_path / "1970-01-01" / "00" / "x.draft").write_bytes(b"half a file")
    assert len(again.query(0, 100 * S)["time_ns"]) == 20


def test_nothing_is_an_empty_answer(tmp_path):
    h = History(tmp_path, ORIGIN)
    h.flush()
    assert len(h.query(0, S)["id"]) == 0


def written_at_the_second_try(folder, ticks):
    """A history whose first flush fails."""
    folder.write_text("a file in the way")
    h = filled(folder, ticks)
    with pytest.raises(OSError, match="cannot be written"):
        h.flush()
    folder.unlink()
    h.flush()
    return h


def test_a_folder_that_cannot_be_written_keeps_the_rows_for_later(tmp_path):
    h = written_at_the_second_try(tmp_path / "history", range(1, 4))
    assert len(h.query(0, 100 * S)["id"]) == 12


def test_of_a_disk_that_stays_full_the_newest_rows_are_kept_in_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr("lapwing.engine.parts.ROWS_MAX", 9)  # four rows a tick
    h = written_at_the_second_try(tmp_path / "history", range(1, 8))
    assert sorted(set(h.query(0, 100 * S)["time_ns"].tolist())) == [6 * S, 7 * S]
