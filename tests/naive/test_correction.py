"""Corrections by their definition: dense matrices, one pair and one mode at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapwing.kernel.correction import LANES, parts, sound_rows
from lapwing.kernel.gaussian import eigen, not_positive, positive
from lapwing.kernel.geodesy import SEMI_MAJOR_M
from lapwing.kernel.manoeuvre import NEVER, predict_modes
from lapwing.kernel.turning import add_noise, move_state
from lapwing.kernel.weighing import Sight, weigh_pairs

seeds = st.integers(0, 2**32 - 1)
MODES = np.array([[1.0, 0.3, 0.0, 0.0], [4.0, 0.3, 0.2, 0.0], [2.0, 0.3, 0.0, 0.3]])


def covariances(rng, *shape):
    B = rng.normal(0.0, 1.0, (*shape, 6, 6)) * np.array([30.0, 30.0, 30.0, 5.0, 5.0, 5.0])[:, None]
    return B @ np.swapaxes(B, -1, -2) + 5.0 * np.eye(6)


def scene(seed, M, d, aged):
    """Six hypotheses, eight detections, twelve pairs, plots up to three seconds old."""
    rng = np.random.default_rng(seed)
    w = rng.uniform(0.05, 1.0, (6, M))
    belief = w / w.sum(axis=1, keepdims=True), rng.normal(0.0, 100.0, (6, M, 6)), covariances(rng, 6, M)
    H = np.zeros((12, M, d, 6))
    H[..., :3] = rng.normal(0.0, 1.0, (12, M, d, 3)) * (rng.random((12, M, d, 3)) < 0.7)
    B = rng.normal(0.0, 3.0, (8, d, d))
    age_s = rng.uniform(0.0, 3.0, 8) if aged else np.zeros(8)
    R, nu = B @ np.swapaxes(B, 1, 2) + 9.0 * np.eye(d), rng.normal(0.0, 20.0, (12, M, d))
    sight = Sight(rng.integers(0, 8, 12), H, nu, R, age_s, 0.02)
    return belief, rng.integers(0, 6, 12), sight, rng


def flow(t, mode):
    F = np.eye(6)
    for column in F.T:
        move_state(column, t, mode)
    return F


def told(belief, i, sight, e, j):
    """The definition: gain, S, NIS and log-likelihood of pair e with mode j of hypothesis i."""
    s, P = sight.detection[e], belief[2][i, j].copy()
    noise = np.zeros((6, 6))
    add_noise(noise, min(max(sight.age_s[s], 0.0), sight.free_s), MODES[j], 1.0)
    g = sight.H[e, j] @ flow(-sight.age_s[s], MODES[j])
    PHt = (P - noise) @ g.T
    S = g @ PHt + sight.R[s]
    nis = sight.nu[e, j] @ np.linalg.solve(S, sight.nu[e, j])
    return PHt @ np.linalg.inv(S), S, nis, -0.5 * (nis + np.linalg.slogdet(2.0 * np.pi * S)[1])


@given(seeds, st.integers(1, 3), st.integers(1, 3), st.booleans(), st.sampled_from([0.5, 3.0, np.inf]))
def test_pairs_are_weighed_as_defined(seed, M, d, aged, gate_d2):
    belief, local, sight, _ = scene(seed, M, d, aged)
    found = weigh_pairs((belief[0], belief[2]), local, sight, MODES[:M], gate_d2)
    least = np.array([min(told(belief, local[e], sight, e, j)[2] for j in range(M)) for e in range(12)])
    assert found.inside.tolist() == np.flatnonzero(least <= gate_d2).tolist()
    for n, e in enumerate(found.inside):
        each = [told(belief, local[e], sight, e, j) for j in range(M)]
        weight = belief[0][local[e]] * np.exp([one[3] for one in each])
        assert np.isclose(found.nis[n], weight @ [one[2] for one in each] / weight.sum(), rtol=1e-6)
        assert np.isclose(found.log_likelihood[n], np.log(weight.sum()), rtol=1e-7, atol=1e-7)


@given(seeds, st.integers(1, 3), st.integers(1, 3), st.booleans(), st.booleans())
def test_parts_are_missed_corrected_or_begun(seed, M, d, aged, only_ground):
    old, local, sight, rng = scene(seed, M, d, aged)
    new = np.full((3, M), 1.0 / M), rng.normal(0.0, 100.0, (3, M, 6)), covariances(rng, 3, M)
    which = np.concatenate([local, np.arange(6), np.full(3, -1)])
    pair = np.concatenate([np.arange(12), np.full(9, -1)])
    row = np.concatenate([np.full(18, -1), np.arange(3)])
    gains = weigh_pairs((old[0], old[2]), local, sight, MODES[:M], np.inf).gains
    w, mean, cov = parts(old, new, (which, pair, row), gains, only_ground)
    assert all(np.array_equal(got[12:18], want) for got, want in zip((w, mean, cov), old, strict=True))
    assert all(np.array_equal(got[18:], want) for got, want in zip((w, mean, cov), new, strict=True))
    free = np.array([only_ground and i % 3 == 2 for i in range(6)])
    for e in range(12):
        like = np.empty(M)
        for j in range(M):
            x, P = old[1][local[e], j], old[2][local[e], j]
            K, S, _, like[j] = told(old, local[e], sight, e, j)
            want_P = np.where(free[:, None] & free, P, P - K @ S @ K.T)
            assert np.allclose(mean[e, j], np.where(free, x, x + K @ sight.nu[e, j]), rtol=1e-7, atol=1e-7)
            assert np.allclose(cov[e, j], want_P, rtol=1e-7, atol=1e-7 * np.abs(P).max())
        want = np.maximum(np.exp(like - like.max()) * old[0][local[e]], 0.0)
        assert np.allclose(w[e], want / want.sum(), rtol=1e-6, atol=1e-7)


@given(seeds, st.integers(0, 5), st.sampled_from([1e-14, 1e-7, 1.0]), st.sampled_from([4, LANES, 2 * LANES + 3]))
def test_a_spoilt_covariance_is_told_and_heights_are_bounded(seed, axis, least, n):
    """An eigenvalue made small: told exactly where the Cholesky factorisation of `gaussian` says so."""
    rng = np.random.default_rng(seed)
    P = covariances(rng, n)
    P[1] = np.diag(np.where(np.arange(6) == axis, least, 1.0))
    P[2] -= np.diag(2.0 * np.diagonal(P[2]) * (np.arange(6) == axis))
    x = rng.normal(0.0, 2e5, (n, 6))
    want, low, high = x.copy(), -500.0, 20_000.0
    P[-1] = P[2]
    bad = not_positive(P, 1e-10)
    assert (bad[1], bad[2], bad[-1]) == (False, True, True)
    height = want[:, 2] + (want[:, 0] ** 2 + want[:, 1] ** 2) / (2.0 * SEMI_MAJOR_M)
    want[:, 2] -= np.where(~bad & (P[:, 2, 2] > 1.5**2), height - np.clip(height, low, high), 0.0)
    lopsided = P + np.triu(np.full((6, 6), 1e-9), 1) - np.tril(np.full((6, 6), 1e-9), -1)
    assert np.array_equal(sound_rows(x, lopsided, (low, high, 1.5)), ~bad)
    assert np.allclose(lopsided, P, rtol=1e-12, atol=1e-12)
    assert np.array_equal(lopsided, np.swapaxes(lopsided, 1, 2))
    assert np.allclose(x, want, rtol=1e-12)


@pytest.mark.parametrize("M", [1, 2])
def test_what_nobody_measures_stays_as_vague_as_the_prior(M):
    """The prior of height and climb is taken as a measurement that leaves its own variance; the rest is untouched."""
    rng = np.random.default_rng(M)
    w, mean, cov = np.full((5, M), 1.0 / M), rng.normal(0.0, 1e4, (5, M, 6)), covariances(rng, 5, M) * 100.0
    free = predict_modes((w, mean, cov), np.eye(M), 2.0, MODES[:M], NEVER)
    kept = predict_modes((w, mean, cov), np.eye(M), 2.0, MODES[:M], (1_000.0, 20.0, 3.0))
    for e in range(5):
        for j in range(M):
            x, P = free[1][e, j].copy(), free[2][e, j].copy()
            over = x[2] + (x[0] ** 2 + x[1] ** 2) / (2.0 * SEMI_MAJOR_M)
            for axis, toward, sigma in ((2, x[2] + 1_000.0 - over, 20.0), (5, 0.0, 3.0)):
                V = P[axis, axis]
                if sigma**2 < V:
                    gain = P[:, axis] * (V - sigma**2) / V**2
                    x, P = x + gain * (toward - x[axis]), P - np.outer(gain, P[axis])
                assert P[axis, axis] <= sigma**2 * (1.0 + 1e-6)
            assert np.allclose(kept[1][e, j], x, rtol=1e-9)
            assert np.allclose(kept[2][e, j], P, rtol=1e-9, atol=1e-9 * np.abs(P).max())


@given(seeds, st.integers(1, 6))
def test_eigenvalues_are_those_of_lapack(seed, d):
    rng = np.random.default_rng(seed)
    A = rng.normal(0.0, 1.0, (d, d)) * 10.0 ** rng.uniform(-6.0, 6.0, d)
    A = A + A.T
    A *= rng.choice([0.0, 1.0], d)[:, None] * np.ones(d) if rng.random() < 0.1 else 1.0
    A = 0.5 * (A + A.T)
    values, V = eigen(A)
    size = np.abs(A).max()
    assert np.allclose(np.sort(values), np.linalg.eigvalsh(A), rtol=0.0, atol=1e-13 * d * size)
    assert np.allclose(V @ V.T, np.eye(d), atol=1e-13)
    assert np.allclose((V * values) @ V.T, A, rtol=0.0, atol=1e-13 * d * size)


@given(seeds)
def test_what_rounding_spoilt_is_lifted_as_defined(seed):
    rng = np.random.default_rng(seed)
    P = covariances(rng, 5)
    v = rng.normal(0.0, 1.0, (5, 6))
    sick = np.arange(5) < 3
    for e in np.flatnonzero(sick):  # one direction without, or with negative, variance
        w, V = np.linalg.eigh(P[e])
        P[e] = (V * np.where(np.arange(6) == 0, -1e-3 * rng.random() * w[0], w)) @ V.T
    want = 0.5 * (P + np.swapaxes(P, 1, 2))
    for e in np.flatnonzero(sick):
        scale = np.sqrt(np.diagonal(want[e]))
        w, V = np.linalg.eigh(want[e] / np.outer(scale, scale))
        want[e] = ((V * np.maximum(w, 1e-9 * w[-1])) @ V.T) * np.outer(scale, scale)
    got = positive(P)
    assert np.allclose(got, want, rtol=1e-10, atol=1e-12 * np.abs(P).max())
    assert np.array_equal(got[~sick], 0.5 * (P + np.swapaxes(P, 1, 2))[~sick])
    assert not not_positive(got, 0.0).any()
    assert (np.einsum("ei,eij,ej->e", v, got, v) > 0.0).all()
