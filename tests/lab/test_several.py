"""Several runs together: intervals that hold what they should as often as they say, and counts pooled over runs."""

import numpy as np
import pytest

from lapwing_lab.cli_files import intervals
from lapwing_lab.geo import local
from lapwing_lab.located import Place, source_places
from lapwing_lab.run import Result, expected, together
from lapwing_lab.scenario import build
from lapwing_lab.several import mean, means, median, pooled, share
from tests.lab.test_world import SMALL


def held(interval_of, draw, truth, trials=2_000, seed=0):
    """How often the interval holds the truth."""
    rng = np.random.default_rng(seed)
    found = [interval_of(draw(rng)) for _ in range(trials)]
    return np.mean([f.low <= truth <= f.high for f in found])


def test_the_interval_of_a_mean_holds_it_in_95_of_100():
    assert held(mean, lambda rng: rng.normal(3.0, 2.0, 7), 3.0) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("k", [6, 9, 20, 41])
def test_the_interval_of_a_median_holds_it_at_least_so_often_whatever_the_distribution(k):
    assert held(median, lambda rng: rng.exponential(1.0, k), np.log(2.0)) > 0.935
    assert median([5.0, 1.0, 3.0])[:3] == (3.0, 1.0, 5.0)


def test_one_value_has_no_width():
    assert mean([2.5]) == (2.5, 2.5, 2.5, 1)
    assert mean([2.5]).text() == "2.5"
    assert mean([2.0, 4.0]).text().startswith("3 [-9.7")
    assert share(0, 0) == (0.0, 0.0, 1.0, 0)
    assert share(19, 20)[0] == 0.95


def test_scores_that_only_some_runs_have_are_meant_over_those():
    found = means([{"a": 1.0, "b": 4.0}, {"a": 3.0}])
    assert (found["a"].value, found["a"].samples) == (2.0, 2)
    assert (found["b"].value, found["b"].samples) == (4.0, 1)


def test_entries_and_places_are_counted_over_all_runs():
    quick = {"entries": 1.0, "entries_missed": 0.0, "lead_s_min": 30.0}
    late = {"entries": 1.0, "entries_missed": 0.0, "lead_s_min": -20.0}
    lost = {"entries": 1.0, "entries_missed": 1.0, "lead_s_min": 0.0}
    two = {"entries": 2.0, "entries_missed": 1.0, "lead_s_min": 5.0}  # which of the two it was cannot be told
    found = pooled([quick, late, lost, two], [])
    assert (found["entries_warned"].value, found["entries_warned"].samples) == (0.6, 5)
    assert (found["entries_warned_before"].value, found["entries_warned_before"].samples) == (pytest.approx(1 / 3), 3)
    assert "source_error_m_median" not in found
    found = pooled([{"sources": 2.0}, {"sources": 0.0}], [Place(100.0, False, True), Place(900.0, False, False)])
    assert found["runs_with_source"].value == 0.5
    assert (found["source_error_m_median"].value, found["source_in_90_share"].value) == (500.0, 0.5)
    assert (found["source_in_50_share"].value, found["source_in_50_share"].samples) == (0.0, 2)
    assert pooled([{"alarms": 3.0}], []) == {}
    assert set(pooled([{"sources": 0.0}], [])) == {"runs_with_source"}  # an error of nothing would read as none


def test_kept_numbers_of_several_runs_say_their_intervals_and_of_one_run_stay_as_they_were():
    seen = {"sources": 1.0, "step_ms_max": 9.0}
    runs = [Result("x", k, {"lapwing": {"gospa": 2.0 + k}}, seen, [Place(10.0 * k, k > 0, True)]) for k in range(3)]
    lines = expected(runs).splitlines()
    assert lines[0] == "tracker,score,runs,mean,low,high"
    assert lines[1].startswith("lapwing,gospa,3,3,0.51")
    assert "all runs,source_error_m_median,3,10,0,20" in lines
    assert any(line.startswith("all runs,source_in_50_share,3,0.6667,") for line in lines)
    assert not any("step_ms_max" in line for line in lines)
    assert expected(runs[:1]).splitlines() == ["tracker,score,runs,mean", "lapwing,gospa,1,2", "picture,sources,1,1"]
    assert "source_in_90_share" in intervals(together(runs))


def test_each_named_source_has_its_error_and_whether_its_region_holds_the_jammer():
    s = build(SMALL, None)
    jammer = s.air.jammers[0]
    east, north = local(s.origin, jammer.place)[:2]
    ring = [[east - 50.0, north - 50.0], [east + 50.0, north - 50.0], [east + 50.0, north + 50.0], [east - 50.0, north]]
    off = [[[p[0] + 3e4, p[1]] for p in ring]]
    right = {"unique": True, "east_m": east + 30.0, "north_m": north + 40.0, "rings_50": off, "rings_90": [ring]}
    wrong = right | {"east_m": east + 3e4, "rings_90": off}
    unsure = right | {"unique": False}
    found = source_places([{"sources": [right]}, {"sources": [unsure, wrong]}, {"sources": [unsure]}, {}], s)
    assert found == [(pytest.approx(50.0), False, True), (pytest.approx(np.hypot(3e4, 40.0)), False, False)]
