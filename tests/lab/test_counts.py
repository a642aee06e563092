"""Counts, consistency and warnings: small worlds whose scores can be counted by hand, and their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapwing_lab.score.alarms import Entry, Warned, localisation, overlap, per_range, quantiles, warnings, wilson
from lapwing_lab.score.consistency import brier_of_classes, consistency, nees, reliability, roc
from lapwing_lab.score.counts import clear, siap
from lapwing_lab.score.looks import Look


def look(second, truths, tracks, counts=None):
    """A look from {id: east} of truth and of tracks, all on a line."""

    def line(rows, width):
        out = np.zeros((len(rows), width))
        out[:, 0] = list(rows.values())
        return out

    ids = [np.array(list(rows), dtype=np.int64) for rows in (truths, tracks)]
    m = len(tracks)
    wanted = np.ones(len(truths), dtype=bool) if counts is None else np.array([i in counts for i in truths])
    return Look(second * 10**9, ids[0], line(truths, 3), np.zeros((len(truths), 3)), wanted, ids[1], line(tracks, 6),
                np.tile(np.eye(6), (m, 1, 1)), np.full(m, 0.9), np.zeros((m, 0)))  # fmt: skip


def test_a_switch_a_gap_and_a_false_track_are_counted():
    looks = [
        look(0, {1: 0.0, 2: 100.0}, {7: 1.0, 8: 100.0}),
        look(1, {1: 0.0, 2: 100.0}, {7: 1.0}),  # 2 missed
        look(2, {1: 0.0, 2: 100.0}, {7: 1.0, 9: 100.0}),  # 2 found again as 9: a switch and a fragmentation
        look(3, {1: 0.0, 2: 100.0}, {7: 1.0, 9: 100.0, 10: 500.0}),  # 10 is false
    ]
    found = clear(looks, gate_m=50.0)
    assert (found.truths, found.misses, found.false, found.id_switches, found.fragmentations) == (8, 1, 1, 1, 1)
    assert found.mota == pytest.approx(1 - 3 / 8)
    assert (found.mostly_tracked, found.mostly_lost, found.targets) == (1, 0, 2)
    assert found.track_life == pytest.approx((1.0 + 0.5) / 2)
    s = siap(looks, gate_m=50.0)
    assert s.completeness == pytest.approx(7 / 8)
    assert s.ambiguity == 1.0
    assert s.spuriousness == pytest.approx(1 / 8)
    assert s.longest_segment == pytest.approx((1.0 + 0.5) / 2)
    assert s.id_change_rate_hz > 0.0


def test_a_pair_that_holds_is_kept_although_another_is_nearer():
    looks = [look(0, {1: 0.0}, {7: 10.0}), look(1, {1: 0.0}, {7: 10.0, 8: 1.0})]
    assert clear(looks, 50.0).id_switches == 0
    assert siap(looks, 50.0).ambiguity == pytest.approx(3 / 2)


def test_truth_that_need_not_be_tracked_is_neither_missed_nor_false():
    birds = look(0, {1: 0.0, 2: 3000.0}, {7: 0.0, 8: 3001.0, 9: 9000.0}, counts={1})
    found = clear([birds], 50.0)
    assert (found.truths, found.misses, found.false) == (1, 0, 1)  # only the track far from everything is false


@given(st.integers(0, 1000))
def test_nees_of_an_honest_filter_has_the_mean_of_its_degrees(seed):
    rng = np.random.default_rng(seed)
    A = rng.normal(0, 1, (3, 3))
    P = A @ A.T + np.eye(3)
    e = rng.multivariate_normal(np.zeros(3), P, 4000)
    values = nees(e, np.tile(P, (4000, 1, 1)))
    assert values[0] == pytest.approx(e[0] @ np.linalg.inv(P) @ e[0])
    assert values.mean() == pytest.approx(3.0, abs=0.3)
    assert not consistency(4.0 * values, 3).honest


def test_brier_and_its_parts():
    p = np.array([0.05, 0.05, 0.05, 0.05, 0.95, 0.95])
    true = np.array([False, False, False, True, True, True])
    r = reliability(p, true)
    assert r.brier == pytest.approx(np.mean((p - true) ** 2))
    assert r.brier == pytest.approx(r.reliability - r.resolution + r.uncertainty)
    assert r.count.tolist() == [4, 2]
    assert r.true.tolist() == [0.25, 1.0]
    with pytest.raises(ValueError, match="between"):
        reliability(np.array([1.5]), np.array([True]))
    assert reliability(np.zeros(0), np.zeros(0, dtype=bool)).brier == 0.0
    assert brier_of_classes(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0, 0])) == pytest.approx(0.25)
    false_rate, true_rate = roc(p, true)
    assert false_rate.tolist() == [0.0, 0.0, 1.0]
    assert true_rate == pytest.approx([0.0, 2 / 3, 1.0])


@given(st.integers(1, 200), st.data())
def test_wilson_solves_its_own_equation(n, data):
    k = data.draw(st.integers(0, n))
    low, high = wilson(k, n)
    assert 0.0 <= low <= k / n <= high <= 1.0
    for bound in (low, high):  # the normal test of a true share `bound` is just passed there
        if 1e-9 < bound < 1 - 1e-9:
            assert abs(k / n - bound) == pytest.approx(1.959964 * np.sqrt(bound * (1 - bound) / n), rel=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_detection_per_range():
    bins = per_range(np.array([100.0, 900.0, 1500.0]), np.array([True, False, True]), [0, 1000, 2000, 3000])
    assert [(b.trials, b.successes) for b in bins] == [(2, 1), (1, 1), (0, 0)]
    assert bins[2].low == 0.0
    assert bins[2].high == 1.0


def test_warnings_before_late_missed_and_for_nothing():
    alarms = [Warned("a", 60.0, (0.0, 0.0)), Warned("a", 80.0, (0.0, 0.0)), Warned("b", 230.0, (0.0, 0.0)),
              Warned("c", 10.0, (0.0, 0.0))]  # fmt: skip
    here, far = np.zeros((4, 2)), np.full((4, 2), 9e3)
    entries = [Entry("a", 100.0, here), Entry("b", 200.0, here), Entry("b", 500.0, here), Entry("a", 90.0, far)]
    w = warnings(entries, alarms, np.array([True, True, True, False]), hours=2.0)
    assert (w.entries, w.warned, w.missed, w.nuisance) == (4, 2, 2, 1)  # one too late, one about somebody else
    assert w.lead_s == (40.0, -30.0)
    assert w.nuisance_per_h == 0.5
    assert w.first_warning_s == 10.0


def test_localisation_and_overlap():
    found = localisation(np.array([1.0, 2.0, 9.0]), np.array([True, True, False]))
    assert (found.median_m, found.samples) == (2.0, 3)
    assert found.coverage == pytest.approx(2 / 3)
    assert found.coverage_low < 2 / 3 < found.coverage_high
    cells = np.ones(4)
    assert overlap(np.array([1, 1, 0, 0]) > 0, np.array([0, 1, 1, 0]) > 0, cells) == pytest.approx(1 / 3)
    assert overlap(cells > 1, cells > 1, cells) == 1.0
    assert quantiles(np.array([1.0, 2.0, 3.0]))[0] == 2.0
