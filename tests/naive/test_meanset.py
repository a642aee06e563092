"""The set that loses least, by its definition: every pairing enumerated, means taken, repeated."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lapwing.kernel.hypotheses import Forest
from lapwing.kernel.meanset import SWEEPS_MAX, WEIGHT_MIN, loss, mean_sets


def cluster(seed, h, t):
    """One cluster of t tracks near each other, three local hypotheses each, h global hypotheses."""
    rng = np.random.default_rng(seed)
    member, n = np.arange(t), 3 * t
    choice = np.stack([rng.integers(-1, 3, h) for _ in range(t)], axis=1)
    choice = np.where(choice >= 0, choice + 3 * np.arange(t), -1)
    log_weight = rng.normal(0.0, 2.0, h)
    log_weight -= np.log(np.exp(log_weight).sum())
    zero = np.array([0])
    ends = [np.append(zero, size) for size in (t, h, h * t)]
    forest = Forest(member, ends[0], log_weight, ends[1], choice.ravel(), ends[2])
    beliefs = rng.uniform(0.05, 1.0, n), rng.normal(0.0, 4.0, (n, 6)), rng.uniform(0.1, 9.0, n)
    return forest, choice, np.exp(log_weight), beliefs


def pairing(places, row, beliefs, cutoff):
    """The best pairing of places with the Bernoullis of one hypothesis, by enumeration: its loss, and who with whom."""
    r, mean, spread = beliefs
    there, best = [k for k in row if k >= 0], (0.0, ())
    for count in range(1, min(len(places), len(there)) + 1):
        for some in itertools.combinations(range(len(places)), count):
            for order in itertools.permutations(there, count):
                pairs = tuple(zip(some, order, strict=True))
                losses = [loss(places[i], spread[k], r[k], mean[k], cutoff) for i, k in pairs]
                if max(losses) < 0.0:  # who is beyond the cut-off is not paired
                    best = min(best, (sum(losses), pairs))
    return best


def expected(places, choice, weight, beliefs, cutoff):
    some = [(w, row) for w, row in zip(weight, choice, strict=True) if w >= WEIGHT_MIN]
    return sum(w * pairing(places, row, beliefs, cutoff)[0] for w, row in some)


def definition(choice, weight, beliefs, existence_min, cutoff):
    r, mean, _ = beliefs
    start = [k for k in choice[np.argmax(weight)] if k >= 0 and r[k] >= existence_min]
    x = mean[start].copy()
    for _ in range(SWEEPS_MAX if len(weight) > 1 else 0):  # one hypothesis is told as it is
        total, sums = np.zeros(len(x)), np.zeros_like(x)
        for w, row in zip(weight, choice, strict=True):
            for i, k in pairing(x, row, beliefs, cutoff)[1] if w >= WEIGHT_MIN else ():
                total[i] += w * r[k]
                sums[i] += w * r[k] * mean[k]
        x = np.where(total[:, None] > 0.0, sums / np.maximum(total, 1e-300)[:, None], x)
    return mean[start], x


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 3), st.sampled_from([3.0, 10.0, 1e4]))
def test_it_is_what_is_defined_and_never_loses_more(seed, h, t, cutoff):
    forest, choice, weight, beliefs = cluster(seed, h, t)
    got = mean_sets(forest, t, beliefs, 0.4, cutoff)
    got = got[~np.isnan(got[:, 0])]
    start, want = definition(choice, weight, beliefs, 0.4, cutoff)
    assert got.shape == want.shape
    before, after = (expected(x, choice, weight, beliefs, cutoff) for x in (start, got))
    assert after <= before + 1e-6 * cutoff**2
    assert abs(after - expected(want, choice, weight, beliefs, cutoff)) <= 1e-3 * abs(before) + 1e-9


def test_two_targets_the_other_way_round_are_the_same_set():
    """Averaged by track they would both be told in the middle."""
    a, b = np.array([0.0, 0.0, 1.0, 2.0, 0.0, 0.0]), np.array([8.0, 0.0, 1.0, -2.0, 0.0, 0.0])
    beliefs = np.ones(4), np.stack([a, b + 0.2, a + 0.4, b]), np.ones(4)
    table, weight = np.array([[0, 1], [3, 2]]), np.array([0.75, 0.25])
    forest = Forest(np.arange(2), np.array([0, 2]), np.log(weight), np.array([0, 2]), table.ravel(), np.array([0, 4]))
    got = mean_sets(forest, 2, beliefs, 0.5, 10.0)
    assert np.allclose(got, [a + 0.1, b + 0.15])


def test_what_is_certain_is_told_as_it_is_and_the_rest_not_at_all():
    forest, _, _, beliefs = cluster(3, 1, 3)
    one = forest._replace(choice=np.array([0, 3, -1]))
    beliefs[0][[0, 3]] = 0.9, 0.3
    got = mean_sets(one, 4, beliefs, 0.4, 10.0)
    assert np.array_equal(got[0], beliefs[1][0])
    assert np.isnan(got[1:]).all()
