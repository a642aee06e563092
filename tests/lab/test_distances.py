"""GOSPA, OSPA, T-GOSPA and OSPA(2) against their definitions: every assignment enumerated; and known values."""

import json
from itertools import combinations, permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing_lab.score.distances import gospa, ospa
from lapwing_lab.score.trajectories import ospa2, t_gospa
from tests.conftest import recording


def assignments(n, m):
    """Every partial one-to-one assignment of n to m."""
    for k in range(min(n, m) + 1):
        for rows in combinations(range(n), k):
            for columns in permutations(range(m), k):
                yield tuple(zip(rows, columns, strict=True))


def gospa_by_definition(x, y, c, p):
    def cost(pairs):
        alone = len(x) + len(y) - 2 * len(pairs)
        return sum(min(np.linalg.norm(x[i] - y[j]), c) ** p for i, j in pairs) + c**p / 2 * alone

    return min(cost(pairs) for pairs in assignments(len(x), len(y))) ** (1 / p)


def ospa_by_definition(x, y, c, p):
    if len(x) > len(y):
        x, y = y, x
    if len(y) == 0:
        return 0.0
    best = min(
        sum(min(np.linalg.norm(x[i] - y[j]), c) ** p for i, j in enumerate(chosen))
        for chosen in permutations(range(len(y)), len(x))
    )
    return ((best + c**p * (len(y) - len(x))) / len(y)) ** (1 / p)


def t_gospa_by_definition(x, y, c, gamma, p):
    """Dynamic programming over every assignment of every time: the multi-dimensional assignment itself."""
    n, m, times = len(x), len(y), x.shape[1]
    every = [dict(pairs) for pairs in assignments(n, m)]

    def here(z, i, k):
        return bool(np.isfinite(z[i, k, 0]))

    def local(of, k):
        total = 0.0
        for i in range(n):
            j = of.get(i)
            if j is not None and here(x, i, k) and here(y, j, k):
                total += min(np.linalg.norm(x[i, k] - y[j, k]), c) ** p
            else:
                total += c**p / 2 * (here(x, i, k) + (j is not None and here(y, j, k)))
        return total + sum(c**p / 2 for j in range(m) if j not in of.values() and here(y, j, k))

    def change(a, b):
        return gamma**p / 2 * sum((a.get(i) == j) != (b.get(i) == j) for i, j in product(range(n), range(m)))

    best = [local(of, 0) for of in every]
    for k in range(1, times):
        best = [min(v + change(a, b) for v, a in zip(best, every, strict=True)) + local(b, k) for b in every]
    return min(best)


@given(st.integers(0, 10_000), st.integers(0, 4), st.integers(0, 4), st.sampled_from([1.0, 2.0]))
@settings(max_examples=60)
def test_gospa_and_ospa_are_their_definitions(seed, n, m, p):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 20, (n, 2)), rng.uniform(0, 20, (m, 2))
    found = gospa(x, y, 8.0, p)
    assert found.gospa == pytest.approx(gospa_by_definition(x, y, 8.0, p), abs=1e-9)
    assert found.missed == n - len(found.truth)
    assert found.false == m - len(found.track)
    assert ospa(x, y, 8.0, p) == pytest.approx(ospa_by_definition(x, y, 8.0, p), abs=1e-9)


def test_gospa_knows_the_values_that_follow_from_its_text():
    four = np.array([[0.0, 0], [100, 0], [0, 100], [100, 100]])
    nothing = np.zeros((0, 2))
    # four targets missed at c = 10, p = 2: sqrt(4 * 100 / 2), the first scan of the four-target scenario
    assert gospa(four, nothing, 10.0).gospa == pytest.approx(14.1421356, abs=1e-6)
    assert gospa(nothing, four, 10.0).false_p == pytest.approx(200.0)
    # one metre off each: no more than localisation
    assert gospa(four, four + np.array([1.0, 0.0]), 10.0).gospa == pytest.approx(2.0)
    # one at the cut-off costs a miss and a false track, whether it is paired or not
    assert gospa(four[:1], four[:1] + np.array([10.0, 0.0]), 10.0).gospa == pytest.approx(10.0)
    with pytest.raises(ValueError, match="cut-off"):
        gospa(four, four, 0.0)


@given(st.integers(0, 10_000), st.integers(0, 3), st.integers(0, 3), st.integers(1, 4))
@settings(max_examples=40)
def test_t_gospa_is_a_tight_lower_bound_of_the_enumerated_assignment(seed, n, m, times):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 12, (n, times, 2)), rng.uniform(0, 12, (m, times, 2))
    x[rng.random((n, times)) < 0.2] = np.nan
    y[rng.random((m, times)) < 0.2] = np.nan
    exact = t_gospa_by_definition(x, y, 6.0, 2.0, 2.0)
    found = t_gospa(x, y, 6.0, 2.0).total_p
    assert found <= exact + 1e-6
    assert found >= 0.9 * exact - 1e-6  # a relaxation: below only where weights between 0 and 1 pay


def test_t_gospa_counts_a_switch_once_and_a_loss_half():
    t = np.arange(6.0)
    a, b = np.stack([t, 0 * t], axis=1), np.stack([t, 0 * t + 50], axis=1)
    crossed = np.stack([np.where(t[:, None] < 3, a, b), np.where(t[:, None] < 3, b, a)])
    found = t_gospa(np.stack([a, b]), crossed, 10.0, 1.0)
    assert found.switch_p == pytest.approx(2.0)
    assert (found.localisation_p, found.missed_p, found.false_p) == pytest.approx((0.0, 0.0, 0.0))
    late = a.copy()
    late[:2] = np.nan
    found = t_gospa(a[None], late[None], 10.0, 1.0)
    assert found.missed_p == pytest.approx(100.0)  # two scans at c^p / 2, and no switch: it may be assigned before
    assert found.switch_p == pytest.approx(0.0)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_t_gospa_without_switch_cost_is_the_sum_of_gospa(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 12, (4, 5, 2)), rng.uniform(0, 12, (5, 5, 2))
    parts = [gospa(x[:, k], y[:, k], 6.0).total_p for k in range(5)]
    assert t_gospa(x, y, 6.0, 0.0).total_p == pytest.approx(sum(parts), abs=1e-6)


def test_ospa2_of_copies_shifted_and_halves():
    t = np.arange(10.0)
    one = np.stack([t, 0 * t], axis=1)[None]
    assert ospa2(one, one, 10.0) == 0.0
    assert ospa2(one, one + np.array([0.0, 3.0]), 10.0) == pytest.approx(3.0)
    half = one.copy()
    half[:, 5:] = np.nan
    assert ospa2(one, half, 10.0) == pytest.approx(5.0)  # absent half of the time
    assert ospa2(one, np.concatenate([one, one + 40.0]), 10.0) == pytest.approx(5.0)  # one track too many of two


def test_the_floor_of_the_notes_on_the_benchmark_arrays():
    """A Kalman filter that is told which detection is whose: the reference notes measured 23.3 m^2 per target."""
    with np.load(recording("tracking/cv_sparse_N10_s0.npz")) as f:
        truth, z, scan, origin = f["truth"], f["z"], f["scan"], f["origin"]
    F, q = np.kron(np.eye(2), [[1.0, 1.0], [0.0, 1.0]]), 0.5
    Q = q * np.kron(np.eye(2), [[1 / 3, 1 / 2], [1 / 2, 1.0]])
    H = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0]])
    n = truth.shape[1]
    mean, cov = np.full((n, 4), np.nan), np.zeros((n, 4, 4))
    total, looks = 0.0, 0
    for k in range(60):
        for i in range(n):
            if np.isfinite(mean[i, 0]):
                mean[i], cov[i] = F @ mean[i], F @ cov[i] @ F.T + Q
            for row in z[(scan == k) & (origin == i)]:
                if np.isnan(mean[i, 0]):
                    mean[i], cov[i] = [row[0], 0, row[1], 0], np.diag([25.0, 64.0, 25.0, 64.0])
                    continue
                gain = cov[i] @ H.T @ np.linalg.inv(H @ cov[i] @ H.T + 25.0 * np.eye(2))
                mean[i], cov[i] = mean[i] + gain @ (row - H @ mean[i]), (np.eye(4) - gain @ H) @ cov[i]
        if k >= 10:
            found = gospa(truth[k][:, [0, 2]], mean[:, [0, 2]], 50.0)
            assert found.missed == 0
            total, looks = total + found.localisation_p / n, looks + 1
    assert total / looks == pytest.approx(23.3, abs=0.6)


def test_gospa_and_ospa_are_those_of_stone_soup():
    """Sixty random pairs of sets, by an implementation that is not ours (builders/golden_gospa.py)."""
    rows = json.loads((Path(__file__).parents[1] / "golden" / "gospa.json").read_text())
    assert sum("ospa" in r for r in rows) > 15
    for r in rows:
        x, y = (np.array(r[k]).reshape(-1, 2) for k in ("x", "y"))
        if "gospa" in r:
            found = gospa(x, y, r["c"], r["p"])
            assert found.gospa == pytest.approx(r["gospa"], abs=1e-9)
            parts = (found.localisation_p, found.missed_p, found.false_p)
            assert parts == pytest.approx((r["localisation"], r["missed"], r["false"]), abs=1e-9)
        if "ospa" in r:
            assert ospa(x, y, r["c"], r["p"]) == pytest.approx(r["ospa"], abs=1e-9)


def test_t_gospa_of_the_published_example():
    """Garcia-Fernandez, Rahmathullah, Svensson, FUSION 2021, section IV as in the authors' example script: two targets,
    800 steps, estimates 3 m off, c = 5, p = 1, gamma = 10; normalised by the steps. Their estimates 1, 2, 3 and 4."""
    far, close, steps = 100.0, 10.0, 800
    ramp = np.arange(100) / 100
    down, up = close + (far - close) * (1 - ramp), close + (far - close) * ramp
    one = np.concatenate([np.full(100, far), down, np.full(100, close), up])
    x = np.stack([np.zeros(steps), np.tile(one, 2)])[:, :, None]
    good = x + np.array([-3.0, 3.0])[:, None, None]

    def normalised(y):
        return t_gospa(x, y, 5.0, 10.0, 1.0).total_p / steps

    def switched(at):
        y = good.copy()
        y[:, at:] = good[::-1, at:]
        return y

    assert normalised(good) == pytest.approx(6.0)
    for at in (249, 649):  # two targets exchange their tracks once: four assignments change, gamma / 2 each
        assert normalised(switched(at)) == pytest.approx(6.0 + 20.0 / steps)
    lost = good.copy()
    lost[1, 549:, 0] = far + 3.0 + 2 * far * np.arange(1, 252) / 151
    # beyond the cut-off a pair costs as much as a miss and a false track: nothing changes hands, no switch is paid
    assert normalised(lost) == pytest.approx((549 * 6.0 + 251 * (3.0 + 5.0)) / steps)


def lives(rows, times, dims):
    """Trajectories of a golden file as (objects, times, dims)."""
    gone = [np.nan] * dims
    return np.array([[gone if place is None else place for place in row] for row in rows]).reshape(-1, times, dims)


def test_t_gospa_is_that_of_its_authors():
    """The paper's six examples, one with holes, and random sets, by the authors' own code in Octave
    (builders/golden_t_gospa.py): the metric and each of its four parts."""
    rows = json.loads((Path(__file__).parents[1] / "golden" / "t_gospa.json").read_text())
    assert len(rows) >= 80
    assert sum(r["switch"] > 0.0 for r in rows) >= 20
    # the examples 1 to 6 by the paper's letters: Delta = 1 for errors, delta = .1, c = 5, gamma = 1
    assert [r["metric"] for r in rows[:6]] == pytest.approx([5.0, 6.5, 1.5, 3.0, 3.6, 2.6])
    for r in rows:
        places = [place for z in (r["x"], r["y"]) for row in z for place in row if place is not None]
        times = max((len(row) for z in (r["x"], r["y"]) for row in z), default=1)
        dims = len(places[0]) if places else 1
        x, y = lives(r["x"], times, dims), lives(r["y"], times, dims)
        found = t_gospa(x, y, r["c"], r["gamma"], r["p"])
        assert found.total_p ** (1.0 / r["p"]) == pytest.approx(r["metric"], abs=1e-9)
        parts = (found.localisation_p, found.missed_p, found.false_p, found.switch_p)
        assert parts == pytest.approx(tuple(r[k] for k in ("localisation", "missed", "false", "switch")), abs=1e-8)
