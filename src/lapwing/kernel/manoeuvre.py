"""Several ways to move at once: interacting multiple models (Blom and Bar-Shalom's IMM) on every local hypothesis.

A local hypothesis is one Gaussian per mode and a probability of each. Before a prediction the modes' Gaussians are
mixed by who may have changed into what; afterwards each moves in its own way. Modes change as a Markov chain in
continuous time, so scans may come at any interval. Axes: l local hypotheses, M modes, n rows, d measured columns. With
one mode all of it is the plain Kalman filter. Refuses nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.beliefs import beginnings
from lapwing.kernel.gaussian import settle
from lapwing.kernel.geodesy import height_m
from lapwing.kernel.turning import carry_cov, carry_state, flows, move_cov, move_state, noises, straight, straight_cov

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
TOGETHER = 64  # local hypotheses mixed and moved while they lie in the cache
NEVER = (0.0, np.inf, np.inf)  # `vague` of a prior that says nothing


@njit(cache=True, nogil=True)
def changes(rates: F64, dt_s: float) -> F64:
    """Probability (M, M) of being in mode j dt_s after i: the exponential of the rates (1/s, rows sum to zero), by
    uniformisation-safe squaring of a short power series."""
    M = len(rates)
    largest = 0.0
    for i in range(M):
        largest = max(largest, abs(rates[i, i]) * dt_s)
    halvings = 0
    while largest > 0.1 and halvings < 60:
        largest *= 0.5
        halvings += 1
    step = rates * (dt_s / 2.0**halvings)
    total, term = np.eye(M), np.eye(M)
    for k in range(1, 10):
        fresh = np.zeros((M, M))
        for i in range(M):
            for j in range(M):
                for c in range(M):
                    fresh[i, j] += term[i, c] * step[c, j] / k
        term = fresh
        total += term
    for _ in range(halvings):
        fresh = np.zeros((M, M))
        for i in range(M):
            for j in range(M):
                for c in range(M):
                    fresh[i, j] += total[i, c] * total[c, j]
        total = fresh
    for i in range(M):
        total[i] = np.maximum(total[i], 0.0)
        total[i] /= total[i].sum()
    return total


@njit(cache=True, nogil=True)
def _mixed(w: F64, mean: F64, cov: F64, T: F64, out: tuple[F64, F64, F64]) -> None:
    """One local hypothesis mixed: into out (w (M,), mean (M, 6), cov (M, 6, 6))."""
    M = len(w)
    to_w, to_mean, to_cov = out
    off = np.empty(6)
    for j in range(M):
        total = 0.0
        for i in range(M):
            total += w[i] * T[i, j]
        to_w[j] = total
        to_mean[j] = 0.0
        to_cov[j] = 0.0
        for i in range(M):
            share = w[i] * T[i, j] / total if total > 0.0 else 1.0 / M
            for a in range(6):
                to_mean[j, a] += share * mean[i, a]
        for i in range(M):
            share = w[i] * T[i, j] / total if total > 0.0 else 1.0 / M
            for a in range(6):
                off[a] = mean[i, a] - to_mean[j, a]
            for a in range(6):
                for b in range(a + 1):
                    to_cov[j, a, b] += share * (cov[i, a, b] + off[a] * off[b])
        for a in range(6):
            for b in range(a):
                to_cov[j, b, a] = to_cov[j, a, b]


@njit(cache=True, nogil=True)
def predict_modes(
    belief: tuple[F64, F64, F64], T: F64, dt_s: float, modes: F64, vague: tuple[float, float, float]
) -> tuple[F64, F64, F64]:
    """Probabilities (l, M), means (l, M, 6) and covariances (l, M, 6, 6) dt_s after `belief`: mixed by T (M, M), moved,
    and kept no vaguer than a prior whose height has the mean vague[0] and the standard deviation vague[1] (metres), its
    rate the standard deviation vague[2]: what no sensor measures so keeps a finite covariance."""
    w, mean, cov = belief
    M = len(modes)
    to_w, to_mean, to_cov, column = w.copy(), mean.copy(), np.empty_like(cov), np.empty(6)
    only, one = np.full(1, dt_s), np.zeros(1, np.int64)
    f, n = flows(only, modes, one)[0], noises(only, modes, one)[0]
    for some in range(0, len(w), TOGETHER):
        end = min(some + TOGETHER, len(w))
        for e in range(some, end if M > 1 else some):
            _mixed(w[e], mean[e], cov[e], T, (to_w[e], to_mean[e], to_cov[e]))
        for j in range(M):
            mode, flow_j, noise_j = modes[j], f[j], n[j]
            direct = straight(mode)
            for e in range(some, end):
                x, P = to_mean[e, j], to_cov[e, j]
                carry_state(x, dt_s, mode, flow_j)
                if M > 1:
                    carry_cov(P, dt_s, mode, flow_j, noise_j)
                elif direct:
                    straight_cov(cov[e, j], dt_s, mode[0], mode[1], P)
                else:
                    P[:] = cov[e, j]
                    carry_cov(P, dt_s, mode, flow_j, noise_j)
                settle(x, P, 2, x[2] + vague[0] - height_m(x), vague[1], column)
                settle(x, P, 5, 0.0, vague[2], column)
    return to_w, to_mean, to_cov


@njit(cache=True, nogil=True)
def spread_modes(start: F64, mean: F64, cov: F64, dt_s: F64, modes: F64) -> tuple[F64, F64, F64]:
    """Gaussians (n, 6), (n, 6, 6) of which nothing is known about the mode but `start` (M,), each moved dt_s (n,)."""
    n, M = len(mean), len(modes)
    w, to_mean, to_cov = np.empty((n, M)), np.empty((n, M, 6)), np.empty((n, M, 6, 6))
    for e in range(n):
        w[e] = start
        for j in range(M):
            to_mean[e, j], to_cov[e, j] = mean[e], cov[e]
            if dt_s[e] > 0.0:
                move_state(to_mean[e, j], dt_s[e], modes[j])
                move_cov(to_cov[e, j], dt_s[e], modes[j])
    return w, to_mean, to_cov


@njit(cache=True, nogil=True)
def matched(w: F64, mean: F64, cov: F64, covering: bool) -> tuple[F64, F64]:
    """Mean (l, 6) and covariance (l, 6, 6) over the modes. `covering`: instead of the mixture's covariance one whose
    gate holds every mode's gate (its value is at most one more), however improbable the mode."""
    n, M = w.shape
    mu, out, off = np.zeros((n, 6)), np.zeros((n, 6, 6)), np.empty(6)
    for e in range(n):
        total, widest = 0.0, 0
        for j in range(M):
            total += w[e, j]
            if cov[e, j, 0, 0] + cov[e, j, 1, 1] > cov[e, widest, 0, 0] + cov[e, widest, 1, 1]:
                widest = j
        for j in range(M):
            for a in range(6):
                mu[e, a] += w[e, j] / total * mean[e, j, a]
        if covering:
            out[e] = cov[e, widest]
        for j in range(M):
            share = w[e, j] / total
            for a in range(6):
                off[a] = mean[e, j, a] - mu[e, a]
            for a in range(6):
                for b in range(6):
                    if covering:
                        out[e, a, b] += off[a] * off[b]
                    else:
                        out[e, a, b] += share * (cov[e, j, a, b] + off[a] * off[b])
    return mu, out


@njit(cache=True, nogil=True)
def foreseen(
    belief: tuple[F64, F64, F64], ways: tuple[F64, F64], dt_s: float, vague: tuple[float, float, float]
) -> tuple[tuple[F64, F64, F64], tuple[F64, F64]]:
    """`predict_modes`, modes changing as ways = (rates (M, M), modes (M, 4)) say; and one Gaussian over the modes, wide
    enough that its gate holds the gates of all (`matched`)."""
    rates, modes = ways
    w, mean, cov = predict_modes(belief, changes(rates, dt_s), dt_s, modes, vague)
    plain = (mean.reshape((-1, 6)), cov.reshape((-1, 6, 6))) if len(modes) == 1 else matched(w, mean, cov, True)
    return (w, mean, cov), plain


@njit(cache=True, nogil=True)
def faded(existence: F64, share: float, existence_max: float, track: I64, named: I64, n: int) -> tuple[F64, I64, I64]:
    """Of local hypotheses, by track: existence (l,) of which this share is left; where those of each of the n tracks
    begin, and the end (n + 1,); and the names (n,) of their tracks."""
    left, name = np.empty(len(track)), np.empty(len(track), np.int64)
    for a in range(len(track)):
        left[a], name[a] = min(existence[a] * share, existence_max), named[track[a]]
    return left, beginnings(track, n), name
