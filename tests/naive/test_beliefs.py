"""Local hypotheses and tracks by their definition: lists, sorted; moments by dense sums."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lapwing.kernel.beliefs import merge, moments, seats, staying

seeds = st.integers(0, 2**32 - 1)


def covariances(rng, n):
    B = rng.normal(0.0, 3.0, (n, 6, 6))
    return B @ np.swapaxes(B, 1, 2) + np.eye(6)


@given(st.lists(st.integers(0, 7), max_size=40), st.lists(st.booleans(), min_size=8, max_size=8))
def test_who_stays_comes_by_track(tracks, sure):
    track, sure = np.array(tracks, dtype=np.int64), np.array(sure)
    child, place, first = staying(track, sure)
    want = sorted((p for p in range(len(tracks)) if sure[tracks[p]]), key=lambda p: tracks[p])
    assert child.tolist() == want
    assert place.tolist() == [want.index(p) if p in want else -1 for p in range(len(tracks))]
    chosen = np.flatnonzero(sure)
    assert first.tolist() == [sum(tracks[p] < i for p in want) for i in chosen] + [len(want)]


@given(seeds)
def test_a_track_stands_at_its_best_and_its_spread_holds_all(seed):
    rng = np.random.default_rng(seed)
    track = np.sort(np.concatenate([np.arange(5), rng.integers(0, 5, 7)]))
    there, mean, cov = rng.uniform(0.0, 0.3, 12), rng.normal(0.0, 9.0, (12, 6)), covariances(rng, 12)
    there[rng.random(12) < 0.2] = 0.0
    of = [np.flatnonzero(track == i) for i in range(5)]
    best = np.array([rng.choice([-1, *rows]) for rows in of])
    at, total = seats(best, track, there)
    x, P = np.empty((5, 6)), np.empty((5, 6, 6))
    moments(at, np.searchsorted(track, np.arange(6)), there, (mean, cov), (x, P))
    for i, rows in enumerate(of):
        assert at[i] == best[i] if best[i] >= 0 else there[at[i]] == there[rows].max()
        assert np.isclose(total[i], there[rows].sum())
        assert np.array_equal(x[i], mean[at[i]])
        off, share = mean[rows] - x[i], there[rows] / max(there[rows].sum(), 1e-300)
        want = np.einsum("p,pij->ij", share, cov[rows] + off[:, :, None] * off[:, None, :])
        assert np.allclose(P[i], want if there[rows].sum() > 0.0 else cov[at[i]], rtol=1e-9)


@given(seeds, st.integers(1, 2))
def test_what_says_nearly_the_same_becomes_one(seed, M):
    """Weight, existence and moments of a track are what they were; near ones are gone, far ones are still there."""
    rng = np.random.default_rng(seed)
    track = np.repeat(np.arange(4), 3)
    w = rng.uniform(0.1, 1.0, (12, M))
    w /= w.sum(axis=1, keepdims=True)
    mean, cov = rng.normal(0.0, 2.0, (12, M, 6)), covariances(rng, 12 * M).reshape(12, M, 6, 6)
    mean[2::3] = mean[::3] + rng.normal(0.0, 1e-3, (4, M, 6))
    cov[2::3], w[2::3] = cov[::3], w[::3]
    mean[1::3, :, 0] += 1e4
    r, weight = rng.uniform(0.1, 1.0, 12), rng.uniform(0.1, 0.3, 12)

    def sums(rows):
        share = (weight * r)[rows, None] * w[rows]
        first = np.einsum("pj,pja->a", share, mean[rows])
        both = cov[rows] + mean[rows][..., :, None] * mean[rows][..., None, :]
        return weight[rows].sum(), share.sum(), first, np.einsum("pj,pjab->ab", share, both)

    before = [sums(np.flatnonzero(track == i)) for i in range(4)]
    into = merge(track, np.arange(12), r, weight, (w, mean, cov), 0.5)
    assert (into[1::3] == np.arange(1, 12, 3)).all()
    assert (into[::3] == into[2::3]).all()
    for i in range(4):
        left = np.flatnonzero((track == i) & (into == np.arange(12)))
        assert len(left) == 2
        assert all(np.allclose(a, b, rtol=1e-9) for a, b in zip(sums(left), before[i], strict=True))
