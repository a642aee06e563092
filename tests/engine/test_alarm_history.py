"""Every alarm that ever was, once, with the most urgent priority that it had; on the disk by day, whatever happens."""

import math
from dataclasses import replace

import pytest

from lapwing.engine.alarm_history import DAY_NS, AlarmHistory
from lapwing.records import Alarms, Picture, Position
from tests.alarm.world import world
from tests.serve.fake_shelf import World

ORIGIN = Position(math.radians(50.0), math.radians(20.0), 100.0)
S = 10**9


def picture(tick, ids, raised_ns, **columns):
    """Alarms with these numbers, raised at these times."""
    w = world(tick * S, [])
    a = World().picture(600).alarms  # three alarms of every kind
    rows = range(len(ids))
    take = {
        name: (getattr(a, name)[: len(ids)] if name != "next_id" else 9) for name in Alarms.__dataclass_fields__
    } | {"alarm_id": a.alarm_id[: len(ids)] * 0 + ids, "raised_ns": a.raised_ns[: len(ids)] * 0 + raised_ns}
    for name, values in columns.items():
        take[name] = take[name] * 0 + values
    assert len(rows) == len(ids)
    return Picture(tick, w.time_ns, 0, w.tracks, w.claims, w.integrity, Alarms(**take), ())


@pytest.mark.parametrize("flushed", [False, True])
def test_one_row_per_alarm_as_it_last_was(tmp_path, flushed):
    h = AlarmHistory(tmp_path, ORIGIN)
    h.add(picture(1, [1, 2], [5 * S, 6 * S], priority=[2, 1], state=[0, 0]))
    if flushed:
        h.flush()
    h.add(picture(2, [1, 2], [5 * S, 6 * S], priority=[0, 1], state=[1, 1]))
    h.add(picture(3, [1, 2], [5 * S, 6 * S], priority=[3, 1], state=[2, 1], cleared_ns=[9 * S, 0]))
    if flushed:
        h.flush()
        h = AlarmHistory(tmp_path, ORIGIN)  # after a restart
    rows = h.query(0, 100 * S)
    assert rows["alarm_id"].to_list() == [1, 2]
    assert rows["priority"].to_list() == [0, 1]
    assert rows["cleared_ns"].to_list() == [9 * S, 0]
    assert rows["subject_id"][0] == World().picture(600).alarms.subject_id[0]
    assert math.isclose(rows["latitude_deg"][0], 50.0, abs_tol=1.0)
    assert h.query(0, 6 * S)["alarm_id"].to_list() == [1]
    assert h.query(6 * S, 6 * S).is_empty()


def test_the_same_again_changes_nothing_and_days_are_apart(tmp_path):
    h = AlarmHistory(tmp_path, ORIGIN)
    for _ in range(2):
        h.add(picture(1, [1, 2], [5 * S, DAY_NS + S], state=[0, 0]))
        h.add(picture(2, [1], [5 * S], state=[1]))
        h.flush()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["0.parquet", "1.parquet"]
    assert h.query(0, 2 * DAY_NS)["alarm_id"].to_list() == [1, 2]
    assert h.query(DAY_NS, 2 * DAY_NS)["alarm_id"].to_list() == [2]


def test_nothing_changed_costs_nothing(tmp_path, monkeypatch):
    h = AlarmHistory(tmp_path, ORIGIN)
    h.add(picture(1, [1], [5 * S], state=[0]))
    monkeypatch.setattr(h, "_rows", lambda a: pytest.fail("made again"))
    later = picture(2, [1], [5 * S], state=[0])
    h.add(replace(later, alarms=replace(later.alarms, reason=("other words",))))
    assert h.query(0, 10 * S)["alarm_id"].to_list() == [1]


def test_a_full_disk_loses_nothing_at_once(tmp_path):
    blocked = tmp_path / "alarms"
    blocked.write_text("a file where the folder should be")
    h = AlarmHistory(blocked, ORIGIN)
    h.add(picture(1, [1], [5 * S], state=[0]))
    with pytest.raises(OSError, match="cannot be written"):
        h.flush()
    blocked.unlink()
    h.flush()
    assert AlarmHistory(blocked, ORIGIN).query(0, 10 * S)["alarm_id"].to_list() == [1]
