"""Gating by its definition: every track against every detection."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.kernel.gating import candidates


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


@given(st.integers(0, 10_000), st.integers(0, 12), st.integers(0, 40), st.sampled_from([0, 60]))
@settings(deadline=None)
def test_finds_what_the_dense_table_finds(seed, n, m, crowd):
    """`crowd` detections lie nearly in one place."""
    rng = np.random.default_rng(seed)
    m += crowd
    mean = np.concatenate([rng.uniform(0, 500, (n, 3)), rng.normal(0, 60, (n, 3))], axis=1)
    A = rng.normal(0, 10, (n, 6, 6))
    cov = A @ np.swapaxes(A, 1, 2) + np.eye(6)
    z, B = rng.uniform(0, 500, (m, 2)), rng.normal(0, 10, (m, 2, 2))
    z[:crowd] = 250.0 + rng.normal(0, 1e-3, (crowd, 2))
    R, age_s = B @ np.swapaxes(B, 1, 2) + np.eye(2), rng.uniform(-1, 4, m)
    track, detection = candidates(mean, cov, z, R, age_s, 9.0)
    assert list(zip(track.tolist(), detection.tolist(), strict=True)) == dense(mean, cov, z, R, age_s, 9.0)
