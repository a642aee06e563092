"""What was believed of a track and on which evidence: every detection once, and a row a second besides."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lapwing.engine.track_history import KINDS, TrackHistory
from lapwing.records import Alarms, Classes, Directions, Picture
from tests.alarm.world import world

S = 10**9
TICK_NS = S // 5


def picture(tick, frames, status=1, judged=True):
    """One track per frame number, seen by that frame."""
    w = world(tick * TICK_NS, [(5 + k, 0, 0, 100, 10, 0) for k in range(len(frames))])
    n = len(frames)
    now = np.array([tick * TICK_NS] * n, dtype=np.int64)
    tracks = replace(
        w.tracks,
        frame_seq=np.array(frames, dtype=np.int64),
        status=np.full(n, status, dtype=np.int64),
        updated_ns=now - 1,
        existence=np.full(n, 0.25),
    )
    p = np.zeros((n, len(KINDS)))
    p[:, 3] = 1.0
    classes = Classes(tracks.track_id, p) if judged else Classes.empty()
    return Picture(
        tick, w.time_ns, 0, tracks, w.claims, w.integrity, Alarms.empty(), (), Directions.empty(), (), classes
    )


@pytest.mark.parametrize("flushed", [False, True])
def test_each_detection_once_and_a_row_a_second(tmp_path, flushed):
    h = TrackHistory(tmp_path)
    for tick, frame in enumerate([7, 7, 7, 9, 9, 9, 9, 9, 12, 12], start=1):
        h.add(picture(tick, [frame]))
    if flushed:
        h.flush()
        h = TrackHistory(tmp_path)
    rows = h.query(0, 100 * S, 5)
    assert rows["time_ns"].to_list() == [t * TICK_NS for t in (1, 4, 5, 9, 10)]
    assert rows["seen"].to_list() == [True, True, False, True, False]
    assert rows.filter("seen")["frame_seq"].to_list() == [7, 9, 12]
    assert rows["seen_ns"].to_list()[0] == TICK_NS - 1
    assert math.isclose(rows["existence"][0], 0.25)
    assert rows["bird"].to_list() == [1.0] * 5
    assert rows["ship"].to_list() == [0.0] * 5
    assert h.query(0, 100 * S, 6).is_empty()
    assert h.query(4 * TICK_NS, 9 * TICK_NS, 5)["frame_seq"].to_list() == [9, 9]


def test_tentative_tracks_are_not_kept_and_unjudged_ones_have_no_kind(tmp_path):
    h = TrackHistory(tmp_path)
    h.add(picture(5, [7], status=0))
    assert h.query(0, 100 * S, 5).is_empty()
    h.add(picture(10, [8, 9], judged=False))
    assert h.query(0, 100 * S, 6)["bird"].to_list() == [0.0]
    h.add(picture(11, []))
    assert len(h.query(0, 100 * S, 5)) == 1


def test_parts_are_found_by_the_hour_and_forgotten_by_the_tick(tmp_path):
    h = TrackHistory(tmp_path)
    for hour in range(5):
        h.add(picture(hour * 18_000 + 5, [7 + hour]))
        h.flush()
    for hour in range(5):
        rows = h.query(hour * 3600 * S, (hour + 1) * 3600 * S, 5)
        assert rows["frame_seq"].to_list() == [7 + hour]
    assert len(h.query(0, 2**63 - 1, 5)) == 5
    h.forget_after(36_005)
    assert h.query(0, 2**63 - 1, 5)["frame_seq"].to_list() == [7, 8, 9]


def test_what_is_written_while_it_is_read_is_read_once(tmp_path):
    h = TrackHistory(tmp_path)
    h.add(picture(5, [7]))
    h.flush()
    h.add(picture(10, [8]))
    h._parts._write(h._parts._table(h._parts._rows))  # on the disk, and not yet off the list
    assert h.query(0, 100 * S, 5)["frame_seq"].to_list() == [7, 8]
