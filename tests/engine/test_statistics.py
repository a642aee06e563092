"""Statistics against the definition: a plain walk over the same looks."""

import numpy as np
import polars as pl

from lapwing.engine import statistics as module
from lapwing.engine.alarm_history import COLUMNS
from lapwing.engine.parts import HOUR_NS
from lapwing.engine.presence import CELLS, FEEDS, PERSONS, Presence
from lapwing.engine.statistics import alarm_statistics, statistics, watched_s
from tests.serve.fake_shelf import ORIGIN

DAY_NS = 24 * HOUR_NS
MIN = 60 * 10**9


def slot(time_ns):
    """UTC, 1970-01-01 was a Thursday."""
    return (time_ns // DAY_NS + 3) % 7, time_ns % DAY_NS // HOUR_NS, time_ns // DAY_NS


def store(tmp_path, seed=3, hours=60):
    """Random presence: what was put in, and the store."""
    rng, made, put = np.random.default_rng(seed), Presence(tmp_path, ORIGIN), []
    for hour in range(hours):
        begin = hour * HOUR_NS
        for _ in range(int(rng.integers(0, 6))):
            who, ident, bits = int(rng.integers(0, 4)), int(rng.integers(0, 5)), int(rng.integers(1, 2**60))
            row = (who, ident, f"n{ident}", bits, begin + MIN, begin + 2 * MIN, *[1.0] * 4, 0.0, 0.0, 0.0, 0)
            made.persons.add(begin, pl.DataFrame([row], schema=PERSONS, orient="row"))
            cell = int(rng.integers(0, 3))
            made.cells.add(begin, pl.DataFrame([(cell, who, bits)], schema=CELLS, orient="row"))
            put.append((hour, who, ident, cell, bits))
        if hour % 7:
            heard, silent = int(rng.integers(0, 2**60)), int(rng.integers(0, 2**20))
            made.feeds.add(begin, pl.DataFrame([("radar", heard, silent, 5, 25, 0, 1)], schema=FEEDS, orient="row"))
            put.append((hour, "radar", heard, silent))
    return put, made


def test_every_sum_by_the_definition(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HEAP_HOURS", 5)
    put, made = store(tmp_path)
    made.flush()
    s = statistics(made, 0, 60 * HOUR_NS, slot)
    present, cells, days, minutes, watched = np.zeros((7, 24, 4)), {}, {}, {}, np.zeros((7, 24))
    for hour in range(60):
        weekday, of_day, day = slot(hour * HOUR_NS)
        persons, places = {}, {}
        for row in (r for r in put if r[0] == hour):
            if row[1] == "radar":
                watched[weekday, of_day] += 1
                continue
            _, who, ident, cell, bits = row
            persons[who, ident] = persons.get((who, ident), 0) | bits
            places[cell, who] = places.get((cell, who), 0) | bits
        for (who, ident), bits in persons.items():
            present[weekday, of_day, who] += 1
            days.setdefault((who, ident), set()).add(day)
            minutes[who, ident] = minutes.get((who, ident), 0) + bits.bit_count()
        for key, bits in places.items():
            cells[key] = cells.get(key, 0) + bits.bit_count()
    assert np.array_equal(s.present, present)
    assert np.array_equal(s.slots, watched)
    assert {(c, w): m for c, w, m in s.cells.iter_rows()} == cells
    again = {(who, ident) for (who, ident), d in days.items() if who and len(d) > 1}
    assert {(r["who"], r["id"]): (r["days"], r["minutes"]) for r in s.visitors.iter_rows(named=True)} == {
        k: (len(days[k]), minutes[k]) for k in again
    }
    assert s.visitors["days"].to_list() == sorted(s.visitors["days"].to_list(), reverse=True)
    assert s.identities.tolist() == [sum(k[0] == who for k in days) for who in range(4)]
    (feed,) = s.feeds.iter_rows(named=True)
    looked = [r for r in put if r[1] == "radar"]
    assert feed["watched"] == s.watched_min == sum((r[2] | r[3]).bit_count() for r in looked)
    assert feed["silent"] == sum(r[3].bit_count() for r in looked)
    assert (feed["messages"], feed["faults"]) == (20 * len(looked), len(looked))
    part = statistics(made, 10 * HOUR_NS, 12 * HOUR_NS, slot)
    assert part.present.sum() == len({r[:3] for r in put if 10 <= r[0] < 12 and r[1] != "radar"})


def test_too_many_identities_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "IDENTITIES_MAX", 4)
    _, made = store(tmp_path)
    assert statistics(made, 0, 60 * HOUR_NS, slot).identities_left_out


def test_nothing_there(tmp_path):
    s = statistics(Presence(tmp_path, ORIGIN), 0, HOUR_NS, slot)
    assert (s.watched_min, len(s.cells), len(s.visitors), len(s.feeds), s.identities.sum()) == (0, 0, 0, 0, 0)


def test_how_long_the_site_ran_in_a_part_of_the_time(tmp_path):
    made = Presence(tmp_path, ORIGIN)
    for hour, bits in ((0, 2**60 - 1), (1, 0b1011)):
        made.feeds.add(hour * HOUR_NS, pl.DataFrame([("f", bits, 0, 0, 0, 0, 0)], schema=FEEDS, orient="row"))
    assert watched_s(made, 0, 2 * HOUR_NS) == 63 * 60
    assert watched_s(made, 50 * MIN, HOUR_NS + 2 * MIN) == 12 * 60
    assert watched_s(made, 50 * MIN + 1, HOUR_NS) == 600 - 1e-9  # never longer than the period
    assert watched_s(made, HOUR_NS + 2 * MIN, HOUR_NS + 3 * MIN) is None
    assert watched_s(made, 5 * HOUR_NS, 6 * HOUR_NS) is None


def test_alarms_and_what_was_probably_a_nuisance():
    rows = [  # raised, cleared (minutes), rule, subject
        (1, 1.5, "a", 7), (8, 9, "a", 7), (30, 0, "a", 7), (31, 31.5, "b", 1), (70, 71, "b", 2), (200, 201, "a", 7),
    ]  # fmt: skip
    table = [
        (i, round(r * MIN), round(c * MIN), 1, rule, "", 0, ident, 0.0, 0.0, "")
        for i, (r, c, rule, ident) in enumerate(rows, 1)
    ]
    a = alarm_statistics(pl.DataFrame(table, schema=COLUMNS, orient="row"), {2, 4}, 0, 120 * MIN, 3600.0)
    assert a.per_hour.tolist() == [4, 1]
    assert (a.load.alarms, a.acknowledged, a.cleared_unseen, a.fleeting, a.again) == (5, 2, 2, 1, 1)
    assert a.load.average_10_min == 5 / 6
    none = alarm_statistics(pl.DataFrame(schema=COLUMNS), set(), 0, 60 * MIN, None)
    assert (none.load.alarms, none.per_hour.tolist(), none.again) == (0, [0], 0)
