"""Retention: whole hours and bins go when they are old enough, and never what is held."""

from datetime import UTC, datetime

import pytest

from lapwing.engine.alarm_history import DAY_NS
from lapwing.engine.cell_history import BIN_NS
from lapwing.engine.journal import Journal
from lapwing.engine.retention import expire, held

HOUR = 3_600_000_000_000
BEGIN = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 10**9


def stocked(folder):
    """Twelve hours of every projection."""
    for kind in ("history", "tracks"):
        for h in range(12):
            hour = folder / kind / "2026-03-01" / f"{h:02d}"
            hour.mkdir(parents=True)
            (hour / "000000000001-000000000150.parquet").write_bytes(b"rows")
    (folder / "alarms").mkdir()
    for day in (BEGIN // DAY_NS, BEGIN // DAY_NS + 1):
        (folder / "alarms" / f"{day}.parquet").write_bytes(b"rows")
    (folder / "presence" / "persons").mkdir(parents=True)
    for h in range(12):
        (folder / "presence" / "persons" / f"{BEGIN // HOUR + h}.parquet").write_bytes(b"rows")
    (folder / "cells").mkdir()
    for b in range(12 * 6):
        (folder / "cells" / f"{BEGIN // BIN_NS + b}.parquet").write_bytes(b"rows")
    (folder / "journal.sqlite").write_bytes(b"not mine")
    (folder / "history" / "notes").mkdir()
    (folder / "cells" / "x.parquet").write_bytes(b"not mine")


def hours(folder, kind):
    return sorted(int(p.name) for p in (folder / kind).glob("2026-03-01/*"))


def test_what_ended_before_goes_and_the_rest_stays(tmp_path):
    stocked(tmp_path)
    assert expire(tmp_path, BEGIN + 6 * HOUR, []) == 2 * 4 + 6 * 6 + 6
    for kind in ("history", "tracks"):
        assert hours(tmp_path, kind) == list(range(4, 12))  # a part of 03 may last until 06
    assert len(list((tmp_path / "cells").glob("*.parquet"))) == 6 * 6 + 1
    assert len(list((tmp_path / "alarms").iterdir())) == 2  # a day that is not over at the time
    assert (tmp_path / "journal.sqlite").exists()
    assert (tmp_path / "history" / "notes").exists()
    assert expire(tmp_path, BEGIN + 48 * HOUR, []) == 2 * 8 + 6 * 6 + 2 + 6
    assert not (tmp_path / "history" / "2026-03-01").exists()
    assert expire(tmp_path / "nowhere", BEGIN, []) == 0


def test_a_hold_keeps_all_that_touches_it(tmp_path):
    stocked(tmp_path)
    hold = (BEGIN + 5 * HOUR, BEGIN + 5 * HOUR + BIN_NS)
    expire(tmp_path, BEGIN + 48 * HOUR, [hold])
    assert hours(tmp_path, "tracks") == [3, 4, 5]  # parts of 03 and 04 may reach into it
    assert [int(p.stem) for p in (tmp_path / "alarms").iterdir()] == [BEGIN // DAY_NS]
    assert [int(p.stem) for p in (tmp_path / "cells").glob("2*.parquet")] == [(BEGIN + 5 * HOUR) // BIN_NS]
    assert held(BEGIN, BEGIN + 5 * HOUR, [hold]) is False
    assert held(BEGIN, BEGIN + 5 * HOUR + 1, [hold]) is True


@pytest.mark.parametrize("holding", [False, True])
def test_the_journal_is_not_cut_where_it_is_held(tmp_path, holding):
    with Journal(tmp_path, write=True) as journal:
        for tick in range(1, 41):
            journal.begin()
            journal.append(tick, tick * 10**9, [("f", tick * 10**9, bytes([tick]) * 50_000)])
            if tick % 10 == 0:
                journal.checkpoint(tick, tick, b"state")
            journal.commit()
        first = journal.frame(1)
        assert first is not None
        holds = [(15 * 10**9, 16 * 10**9)] if holding else []
        gone = journal.trim(1_000_000, holds)
        assert (gone, journal.frame(1) is None) == ((-1, False) if holding else (20, True))
