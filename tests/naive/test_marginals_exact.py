"""Association marginals by their definition: the sum over every way to pair tracks with detections."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.kernel.marginals import marginals
from lapwing.track.association import LOG_WEIGHT_MAX


def enumerate_marginals(psi):
    """p (n, m), p_miss (n,), p_new (m,): every event is a choice of one detection or none (m) per track, no detection
    chosen twice; its weight is the product of the chosen psi."""
    n, m = psi.shape
    p, p_miss, total = np.zeros((n, m)), np.zeros(n), 0.0
    for event in itertools.product(range(m + 1), repeat=n):
        taken = [j for j in event if j < m]
        if len(set(taken)) < len(taken):
            continue
        weight = np.prod([psi[i, j] for i, j in enumerate(event) if j < m])
        total += weight
        for i, j in enumerate(event):
            if j < m:
                p[i, j] += weight
            else:
                p_miss[i] += weight
    return p / total, p_miss / total, 1.0 - p.sum(axis=0) / total


def sparse(psi, **kwargs):
    track, detection = np.nonzero(psi)
    p, p_miss, p_new = marginals(psi[track, detection], track, detection, *psi.shape, **kwargs)
    full = np.zeros_like(psi)
    full[track, detection] = p
    return full, p_miss, p_new


def tables(n, m):
    value = st.one_of(st.just(0.0), st.floats(-6.0, 9.0).map(lambda e: 10.0**e))
    return st.lists(st.lists(value, min_size=m, max_size=m), min_size=n, max_size=n).map(np.array)


@given(st.integers(1, 6).flatmap(lambda m: tables(1, m)))
@settings(deadline=None)
def test_one_track_is_exact(psi):
    for got, want in zip(sparse(psi), enumerate_marginals(psi), strict=True):
        assert np.allclose(got, want, rtol=1e-9, atol=1e-12)


@given(st.integers(1, 4).flatmap(lambda n: tables(n, 1)))
@settings(deadline=None)
def test_one_detection_is_exact(psi):
    for got, want in zip(sparse(psi), enumerate_marginals(psi), strict=True):
        assert np.allclose(got, want, rtol=1e-6, atol=1e-9)


def test_a_chain_without_cycle_is_exact():
    psi = np.zeros((4, 4))
    psi[0, 0], psi[1, 0], psi[1, 1], psi[2, 1], psi[2, 2], psi[3, 2], psi[3, 3] = 8.0, 3.0, 5.0, 40.0, 0.2, 1.0, 900.0
    for got, want in zip(sparse(psi), enumerate_marginals(psi), strict=True):
        assert np.allclose(got, want, atol=1e-6)


def dense_messages(psi, sweeps=2000):
    """The message passing as written down: full tables, sums that leave one out made anew."""
    n, m = psi.shape
    nu = np.ones((n, m))
    for _ in range(sweeps):
        heard = psi * nu
        mu = np.array([[psi[i, j] / (1 + sum(np.delete(heard[i], j))) for j in range(m)] for i in range(n)])
        nu = np.array([[1 / (1 + sum(mu[k, j] for k in range(n) if k != i)) for j in range(m)] for i in range(n)])
    p = psi * nu
    return p / (1 + p.sum(axis=1, keepdims=True)), 1 / (1 + p.sum(axis=1)), 1 / (1 + mu.sum(axis=0))


@pytest.mark.parametrize("seed", range(3))
def test_the_sparse_messages_are_the_dense_ones(seed):
    psi = 10.0 ** np.random.default_rng(seed).uniform(-2.0, 2.0, (3, 4))
    for got, want in zip(sparse(psi), dense_messages(psi, 200), strict=True):
        assert np.allclose(got, want, atol=1e-5)


def test_cycles_cost_little():
    """Full tables of random weights are the worst for belief propagation. The error is stated, not hidden: over 300
    such tables it is 0.008 per probability in the mean, 0.085 at one in a hundred, 0.19 at worst."""
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(300):
        psi = 10.0 ** rng.uniform(-2.0, 2.0, (4, 4))
        errors.append(np.abs(sparse(psi)[0] - enumerate_marginals(psi)[0]).ravel())
    errors = np.concatenate(errors)

    assert errors.mean() < 0.01
    assert np.quantile(errors, 0.99) < 0.1
    assert errors.max() < 0.2


@given(st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(lambda s: tables(*s)))
@settings(deadline=None)
def test_rows_are_distributions(psi):
    p, p_miss, p_new = sparse(psi, tolerance=1e-9, sweeps_max=10**6)
    assert np.allclose(p.sum(axis=1) + p_miss, 1.0)
    assert ((p >= 0.0) & (p <= 1.0)).all()
    assert ((p_new >= 0.0) & (p_new <= 1.0)).all()
    # The two sides agree at rest: what tracks take from a detection is what it gives away. Where two pairings weigh the
    # same and missing weighs nothing, rest comes as slowly as one over the sweeps, so it is given the sweeps.
    assert np.allclose(p.sum(axis=0) + p_new, 1.0, atol=1e-6)


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 8), st.sampled_from([27.0, 300.0]))
@settings(deadline=None)
def test_weights_of_any_size_leave_probabilities(seed, n, m, most):
    """Up to the largest weight that the tracker gives, e^300: finite, within 0 and 1, each track's sum one."""
    assert most <= LOG_WEIGHT_MAX
    rng = np.random.default_rng(seed)
    log_psi = np.where(rng.random((n, m)) < 0.5, most - rng.exponential(20.0, (n, m)), rng.uniform(-most, most, (n, m)))
    log_psi[rng.random((n, m)) < 0.2] = most
    psi = np.where(rng.random((n, m)) < 0.2, 0.0, np.exp(np.minimum(log_psi, most)))
    p, p_miss, p_new = sparse(psi)
    for some in (p, p_miss, p_new):
        assert np.isfinite(some).all()
        assert ((some >= 0.0) & (some <= 1.0 + 1e-12)).all()
    assert np.allclose(p.sum(axis=1) + p_miss, 1.0)


@pytest.mark.parametrize("log_weight", [10.0, 26.0, 60.0, 290.0])
def test_what_is_less_probable_stays_so_however_large_the_weights(log_weight):
    """Two tracks and two detections: the pairing that is e^8 more probable has the same probability at any level."""
    psi = np.exp(log_weight + np.array([[0.0, -5.0], [-3.0, 0.0]]))
    p, *_ = sparse(psi, tolerance=1e-4, sweeps_max=100)
    assert np.allclose(np.diag(p), 1.0 / (1.0 + np.exp(-8.0)), atol=2e-3)


def test_nothing():
    none = np.zeros(0, dtype=np.int64)
    p, p_miss, p_new = marginals(np.zeros(0), none, none, 2, 3)
    assert len(p) == 0
    assert (p_miss == 1.0).all()
    assert (p_new == 1.0).all()
