"""The k best pairings against the list of all pairings, sorted."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.kernel.assignment import FAR, k_best, prices
from lapwing.kernel.branching import branch, costs, one_pair
from lapwing.kernel.hypotheses import Evidence, Forest, Limits


def tables(seed, g, t, d, share):
    """Costs (g, t, d + t) of a random problem; a share of the pairs is impossible."""
    rng = np.random.default_rng(seed)
    cost = np.full((g, t, d + t), FAR)
    cost[:, :, :d] = np.where(rng.random((g, t, d)) < share, FAR, rng.normal(-2.0, 4.0, (g, t, d)))
    cost[:, np.arange(t), d + np.arange(t)] = 0.0
    return cost, rng.normal(0.0, 2.0, g)


def every_pairing(cost, before):
    """(log weight, parent, choice) of all pairings, best first."""
    g, t, columns = cost.shape
    d, out = columns - t, []
    for p, event in itertools.product(range(g), itertools.product(range(-1, d), repeat=t)):
        taken = [j for j in event if j >= 0]
        total = sum(cost[p, i, j] for i, j in enumerate(event) if j >= 0)
        if len(set(taken)) == len(taken) and total < FAR / 2:
            out.append((before[p] - total, p, event))
    return sorted(out, reverse=True)


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 4), st.integers(0, 4), st.sampled_from([0.0, 0.4]))
@settings(deadline=None, max_examples=60)
def test_the_best_in_order(seed, g, t, d, share):
    cost, before = tables(seed, g, t, d, share)
    want = every_pairing(cost, before)
    for k in (1, 7, 10_000):
        score, parent, choice, cut = k_best(cost, before, k, 1e9, 10**7)
        assert not cut
        assert len(score) == min(k, len(want))
        assert np.allclose(score, [w for w, _, _ in want[:k]], atol=1e-9)
        for p, row, value in zip(parent, choice, score, strict=True):
            assert np.isclose(before[p] - sum(cost[p, i, j] for i, j in enumerate(row) if j >= 0), value)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_the_range_cuts_where_it_says(seed):
    cost, before = tables(seed, 2, 3, 3, 0.2)
    want = [w for w, _, _ in every_pairing(cost, before)]
    score, *_ = k_best(cost, before, 10_000, 3.0, 10**7)
    assert np.allclose(score, [w for w in want if w >= want[0] - 3.0])


@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([(1, 0), (1, 3), (2, 1), (4, 1), (3, 0)]))
@settings(deadline=None, max_examples=60)
def test_where_one_pair_at_most_is_true_no_walk_is_needed(seed, g, shape):
    """One track, or one detection at most: the same as the walk over all pairings finds."""
    (t, d), rng = shape, np.random.default_rng(seed)
    count = rng.integers(0, d + 1, 5 * t)
    detection = np.concatenate([rng.permutation(d)[:c] for c in count]).astype(np.int64)
    first, none, zero = np.concatenate([[0], np.cumsum(count)]), np.zeros(d), np.zeros(5 * t)
    rows, log_psi = np.arange(t + 1) * 5, rng.normal(1.0, 3.0, len(detection))
    ev = Evidence(rows, -rng.exponential(1.0, 5 * t), zero, zero, first, detection, log_psi, log_psi, none, none)
    table = rng.integers(0, 5, (g, t)) + rows[:t]
    table[rng.random((g, t)) < 0.2] = -1
    before, column, limits = rng.normal(0.0, 2.0, g), np.arange(d), Limits(50, 1e-2 if t > 1 else 1e-300, 0.0, 8, 10**6)
    score, parent, pick = one_pair(table, before, ev, column, limits)
    cost, start = costs(table, before, ev, column, d)
    want = k_best(cost, start, limits.hypotheses_max, -np.log(limits.weight_min), limits.nodes_max)
    assert np.allclose(score, want[0])
    assert [(h, *row) for h, row in zip(parent, pick, strict=True)] == [
        (h, *r) for h, r in zip(*want[1:3], strict=True)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_prices_prove_the_optimum(seed):
    linear_sum_assignment = pytest.importorskip("scipy.optimize").linear_sum_assignment
    cost, _ = tables(seed, 1, 5, 6, 0.2)
    u, v, total = prices(cost[0])
    assert (u[:, None] + v <= cost[0] + 1e-9).all()
    assert (v <= 1e-12).all()
    assert np.isclose(u.sum() + v.sum(), total)
    assert np.isclose(total, cost[0][linear_sum_assignment(cost[0])].sum())


def test_a_bounded_walk_says_that_it_was_cut():
    cost, before = tables(1, 1, 6, 6, 0.0)
    *_, cut = k_best(cost, before, 10, 1e9, 50)
    assert cut


def contested(seed, g):
    """Many tracks near many detections that explain them about as well: far more pairings than any walk can see. A few
    detections fit best everywhere, so that a walk that begins with the first tracks begins wrongly."""
    rng, t = np.random.default_rng(seed), 8
    d = int(rng.integers(10, 25))
    cost = np.full((g, t, d + t), FAR)
    lure = np.where(rng.random(d) < 0.15, 6.0, 0.0)
    cost[:, :, :d] = -(rng.normal(5.0, rng.choice([0.3, 1.0, 3.0]), (g, t, d)) + lure)
    cost[:, np.arange(t), d + np.arange(t)] = 0.0
    return cost, rng.normal(0.0, 1.0, g)


def test_a_walk_that_is_cut_keeps_the_best_pairing_of_every_parent():
    """Cut before it found a pairing above the floor, or after: the best of each parent is there, once, with its score;
    all are pairings, in order, and within the range of the best."""
    linear_sum_assignment = pytest.importorskip("scipy.optimize").linear_sum_assignment
    cuts = 0
    for seed in range(150):
        g, nodes_max = (1, 3)[seed % 2], (0, 50, 2_000)[seed % 3]
        cost, before = contested(seed, g)
        score, parent, choice, cut = k_best(cost, before, 50, -np.log(1e-2), nodes_max)
        best = [before[p] - c[linear_sum_assignment(c)].sum() for p, c in enumerate(cost)]
        cuts += cut
        assert np.isclose(score[0], max(best), atol=1e-9), seed
        assert (np.diff(score) <= 0.0).all()
        for p in range(g):
            beaten = len(score) == 50 and best[p] <= score[-1] + 1e-9  # by fifty better ones
            far = best[p] < score[0] - np.log(100.0) + 1e-6
            assert beaten or far or np.isclose(score[parent == p].max(), best[p], atol=1e-9)
        assert len({(p, *row) for p, row in zip(parent, choice, strict=True)}) == len(score)
        for p, row, value in zip(parent, choice, score, strict=True):
            taken = row[row >= 0]
            assert len(set(taken)) == len(taken)
            assert np.isclose(before[p] - sum(cost[p, i, j] for i, j in enumerate(row) if j >= 0), value)
            assert value > max(best) - np.log(100.0) - 1e-6
    assert cuts > 140


@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(1, 4), st.integers(0, 4), st.integers(0, 60))
@settings(max_examples=100)
def test_however_early_it_is_cut_the_best_is_the_best_of_all(seed, g, t, d, nodes_max):
    cost, before = tables(seed, g, t, d, 0.3)
    want = every_pairing(cost, before)
    score, *_, cut = k_best(cost, before, 5, 3.0, nodes_max)
    assert np.isclose(score[0], want[0][0], atol=1e-9)
    assert cut or np.allclose(score, [w for w, _, _ in want[:5] if w >= want[0][0] - 3.0])


def two_clusters(share):
    """Two clusters of one track each with the same weights of eight local hypotheses, and one detection near both."""
    k, rows = len(share), np.arange(3) * len(share)
    every, apart = np.arange(2 * k), np.log(share)
    forest = Forest(np.arange(2), np.arange(3), np.concatenate([apart, apart]), rows, every, rows)
    some, one = np.full(2 * k, 0.5), np.zeros(1)
    ev = Evidence(rows, np.log(some), some, some, np.arange(2 * k + 1), np.zeros(2 * k, np.int64), some, some, one, one)
    return forest, ev


def test_joint_hypotheses_too_many_are_counted():
    """Sixty-four of equal weight for fifty places: some left out are worth keeping. Not so where all that do fit."""
    limits = Limits(50, 1e-2, 1e-6, 8, 10**6)
    even, uneven = np.full(8, 0.125), np.array([0.93, *[0.01] * 7])
    assert branch(*two_clusters(even), limits).cut == 1
    assert branch(*two_clusters(uneven), limits).cut == 0
    assert branch(*two_clusters(even), limits._replace(hypotheses_max=64)).cut == 0


@pytest.mark.parametrize("k", [1, 2, 3])
def test_more_parents_than_places_without_any_walk(k):
    """The best of many parents, when there was no time to walk at all: of each its own best, of those the k best."""
    cost, before = tables(7, 12, 3, 4, 0.2)
    best = [max(w for w, p, _ in every_pairing(cost, before) if p == parent) for parent in range(12)]
    score, parent, _, cut = k_best(cost, before, k, 1e9, 0)
    assert cut
    assert np.allclose(score, sorted(best, reverse=True)[:k])
    assert np.allclose(score, np.array(best)[parent])
