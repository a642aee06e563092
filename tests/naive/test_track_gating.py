"""Gating by its definition: every track against every detection."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.kernel.gating import _few, candidates, few_candidates
from lapwing.serve.warming import _one_crowd


def dense(mean, cov, z, R, age_s, gate):
    pairs = []
    for i in range(len(mean)):
        for j in range(len(z)):
            F = np.eye(6)
            F[:3, 3:] = -age_s[j] * np.eye(3)
            x, P = F @ mean[i], F @ cov[i] @ F.T
            nu = z[j] - x[:2]
            if nu @ np.linalg.solve(P[:2, :2] + R[j], nu) <= gate:
                pairs.append((i, j))
    return pairs


def scene(seed, n, m, crowd):
    rng = np.random.default_rng(seed)
    m += crowd
    mean = np.concatenate([rng.uniform(0, 500, (n, 3)), rng.normal(0, 60, (n, 3))], axis=1)
    A = rng.normal(0, 10, (n, 6, 6))
    cov = A @ np.swapaxes(A, 1, 2) + np.eye(6)
    z, B = rng.uniform(0, 500, (m, 2)), rng.normal(0, 10, (m, 2, 2))
    z[:crowd] = 250.0 + rng.normal(0, 1e-3, (crowd, 2))
    return mean, cov, z, B @ np.swapaxes(B, 1, 2) + np.eye(2), rng.uniform(-1, 4, m)


@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(0, 40), st.sampled_from([0, 60]))
@settings(deadline=None)
def test_finds_what_the_dense_table_finds(seed, n, m, crowd):
    """`crowd` detections lie nearly in one place."""
    mean, cov, z, R, age_s = scene(seed, n, m, crowd)
    track, detection = candidates(mean, cov, z, R, age_s, 9.0)
    assert list(zip(track.tolist(), detection.tolist(), strict=True)) == dense(mean, cov, z, R, age_s, 9.0)


@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(1, 40), st.sampled_from([0, 60]), st.integers(1, 30))
def test_a_few_of_each_are_of_the_dense_table(seed, n, m, crowd, each):
    """As many of each track as there are, up to `each`; in order."""
    mean, cov, z, R, age_s = scene(seed, n, m, crowd)
    track, detection = few_candidates(mean, cov, z, R, age_s, 9.0, each)
    got, want = list(zip(track.tolist(), detection.tolist(), strict=True)), dense(mean, cov, z, R, age_s, 9.0)
    assert got == sorted(set(got) & set(want))
    for i in range(n):
        assert np.count_nonzero(track == i) == min(each, sum(a == i for a, _ in want))


def test_in_one_place_a_few_of_each_meet_all():
    """50 tracks and 100 detections in one place, four each: no detection is met by more than twice its share."""
    mean, cov = np.zeros((50, 6)), np.tile(np.eye(6), (50, 1, 1))
    z, R = np.zeros((100, 2)), np.tile(np.eye(2), (100, 1, 1))
    _, detection = few_candidates(mean, cov, z, R, np.zeros(100), 1e-9, 4)
    assert np.bincount(detection, minlength=100).tolist() == [2] * 100


def test_what_only_a_flood_calls_is_compiled_ahead():
    """Whether arrays are read-only, or every second column, makes no kernel anew."""
    _one_crowd()
    mean, cov, z, R, age_s = scene(1, 3, 5, 0)
    mean.flags.writeable = cov.flags.writeable = False
    wide = np.zeros((5, 6))
    wide[:, :2] = z
    few_candidates(mean, cov, wide[:, :2], R, age_s, 9.0, 2)
    if hasattr(_few, "signatures"):  # not where nothing is compiled
        assert len(_few.signatures) == 1
