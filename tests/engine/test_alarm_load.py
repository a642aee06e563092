"""Alarm load: averages, peaks and floods, against the definition written out."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lapwing.engine.alarm_load import WINDOW_NS, alarm_load

MIN = 60 * 10**9


def test_an_average_over_the_time_that_was_watched():
    raised = np.array([5 * MIN, 15 * MIN, 25 * MIN, 61 * MIN], np.int64)
    load = alarm_load(raised, 0, 60 * MIN)
    assert (load.alarms, load.average_10_min, load.peak_10_min) == (3, 0.5, 1)
    assert alarm_load(raised, 0, 60 * MIN, 1800.0).average_10_min == 1.0
    none = alarm_load(np.zeros(0, np.int64), 0, 60 * MIN, 0.0)
    assert (none.alarms, none.average_10_min, none.peak_10_min, none.floods) == (0, 0.0, 0, ())


def test_a_flood_begins_above_ten_and_ends_below_five():
    counts = [0, 11, 5, 10, 4, 10, 12, 0]
    raised = np.concatenate([np.full(c, w * WINDOW_NS + MIN) for w, c in enumerate(counts)]).astype(np.int64)
    load = alarm_load(raised, 0, len(counts) * WINDOW_NS)
    assert [(f.since_ns // WINDOW_NS, f.until_ns // WINDOW_NS, f.alarms) for f in load.floods] == [
        (1, 4, 26),
        (6, 7, 12),
    ]
    assert load.longest.alarms == 26
    assert load.windows_over == 2
    cut = alarm_load(raised, 0, 6 * WINDOW_NS + 2 * MIN)
    assert cut.floods[-1].until_ns == 6 * WINDOW_NS + 2 * MIN  # it goes on when the period ends


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(0, 100))
def test_the_peak_is_the_busiest_ten_minutes_wherever_they_begin(minutes, since):
    raised = np.array([m * MIN for m in minutes], np.int64)
    load = alarm_load(raised, since * MIN, 250 * MIN)
    mine = [m for m in minutes if since <= m < 250]
    assert load.alarms == len(mine)
    assert load.peak_10_min == max((sum(a <= m < a + 10 for m in mine) for a in range(301)), default=0)
    assert (load.windows_over == 0) == (load.floods == ())
    assert sum(f.alarms for f in load.floods) <= load.alarms
