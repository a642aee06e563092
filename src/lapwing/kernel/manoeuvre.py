"""Several ways to move at once: interacting multiple models (Blom and Bar-Shalom's IMM) on every local hypothesis.

A local hypothesis is one Gaussian per mode and a probability of each. Before a prediction the modes' Gaussians are
mixed by who may have changed into what; afterwards each moves in its own way. Modes change as a Markov chain in
continuous time, so scans may come at any interval. Axes: l local hypotheses, M modes, n rows, d measured columns. With
one mode all of it is the plain Kalman filter. Refuses nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.gaussian import LOG_2PI, _factor
from lapwing.kernel.turning import add_row, carry_cov, carry_row, carry_state, flows, move_cov, move_state, noises

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
IMPOSSIBLE = 1e300  # stands for infinity, which would make NaN of differences
LIKELY_MIN = 1e-9  # a mode's probability never falls lower: it must be able to come back


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
def predict_modes(w: F64, mean: F64, cov: F64, T: F64, dt_s: float, modes: F64) -> tuple[F64, F64, F64]:
    """Probabilities (l, M), means (l, M, 6) and covariances (l, M, 6, 6) dt_s later: mixed by T (M, M), then moved."""
    M = len(modes)
    to_w, to_mean, to_cov = w.copy(), mean.copy(), cov.copy()
    only, one = np.full(1, dt_s), np.zeros(1, np.int64)
    f, n = flows(only, modes, one)[0], noises(only, modes, one)[0]
    for e in range(len(w)):
        if M > 1:
            _mixed(w[e], mean[e], cov[e], T, (to_w[e], to_mean[e], to_cov[e]))
        for j in range(M):
            carry_state(to_mean[e, j], dt_s, modes[j], f[j])
            carry_cov(to_cov[e, j], dt_s, modes[j], f[j], n[j])
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
def gathered(old: tuple[F64, F64, F64], new: tuple[F64, F64, F64], local: I64, row: I64) -> tuple[F64, F64, F64]:
    """The local hypotheses `local` of old (w, mean, cov), or where that is -1 those `row` of new."""
    p, M = len(local), new[0].shape[1]
    w, mean, cov = np.empty((p, M)), np.empty((p, M, 6)), np.empty((p, M, 6, 6))
    for e in range(p):
        if local[e] >= 0:
            w[e], mean[e], cov[e] = old[0][local[e]], old[1][local[e]], old[2][local[e]]
        else:
            w[e], mean[e], cov[e] = new[0][row[e]], new[1][row[e]], new[2][row[e]]
    return w, mean, cov


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
def _innovation_cov(
    P: F64, H: F64, R: F64, times: tuple[float, float], mode: tuple[F64, F64, F64], work: tuple[F64, F64, F64, F64]
) -> None:
    """PHt (6, d) and S (d, d) of one measurement age_s old of whose noise the last free_s seconds came later: times =
    (age_s, free_s), mode = (its row, its flow over -age_s, its noise over free_s); into work (scratch (6, 6), PHt, S,
    scratch (d, 6))."""
    early, PHt, S, g = work
    d = len(S)
    if times[1] > 0.0:
        early[:] = P
        add_row(early, mode[0], mode[2], -1.0)
    else:
        early = P
    for a in range(d):
        carry_row(H[a], times[0], mode[0], mode[1], g[a])
        for i in range(6):
            total = 0.0
            for c in range(6):
                total += early[i, c] * g[a, c]
            PHt[i, a] = total
    for a in range(d):
        for b in range(a + 1):
            total = 0.5 * (R[a, b] + R[b, a])
            for i in range(6):
                total += g[a, i] * PHt[i, b]
            S[a, b] = total
            S[b, a] = total


@njit(cache=True, nogil=True)
def _rounded_away(S_factor: F64, R_factor: F64) -> bool:
    """Whether S = H P H' + R has a pivot below that of R, which a covariance P cannot give: rounding has eaten what an
    old measurement says of such a mode, and a gain made of it would be noise. Both given as Cholesky factors."""
    short = False
    for a in range(len(R_factor)):
        short |= not S_factor[a, a] >= 0.999 * R_factor[a, a]
    return short


@njit(cache=True, nogil=True)
def weigh_pairs(
    belief: tuple[F64, F64], local: I64, detection: I64, R: F64, H: F64, nu: F64, age_s: F64, free_s: F64, modes: F64
) -> tuple[F64, F64, F64]:
    """Of each pair (k,): the least NIS of any mode, the modes' expected NIS given the plot, and the log-likelihood.
    belief = (w (l, M), cov (l, M, 6, 6)); H (k, M, d, 6), nu (k, M, d); of the detections R (m, d, d), age_s and
    free_s (m,)."""
    w, cov = belief
    k, M, d = nu.shape
    nearest, nis, like = np.empty(k), np.empty(k), np.empty(k)
    P, PHt, S, g = np.empty((6, 6)), np.empty((6, d)), np.empty((d, d)), np.empty((d, 6))
    L, inv, q, log_l = np.zeros((d, d)), np.zeros((d, d)), np.empty(M), np.empty(M)
    own, spare = np.zeros((d, d)), np.zeros((d, d))
    back, later = flows(-age_s, modes, detection), noises(free_s, modes, detection)
    for e in range(k):
        top, s = -np.inf, detection[e]
        aged, times = age_s[s] != 0.0, (age_s[s], free_s[s])
        if aged:
            _factor(R[s], own, spare)
        for j in range(M):
            i, mode = local[e], (modes[j], back[s, j], later[s, j])
            _innovation_cov(cov[i, j], H[e, j], R[s], times, mode, (P, PHt, S, g))
            log_det, q[j] = _factor(S, L, inv), 0.0
            for a in range(d):
                white = 0.0
                for b in range(a + 1):
                    white += inv[a, b] * nu[e, j, b]
                q[j] += white * white
            log_l[j] = -0.5 * (q[j] + log_det + d * LOG_2PI) + np.log(max(w[i, j], LIKELY_MIN))
            if not np.isfinite(log_l[j]) or (aged and _rounded_away(L, own)):
                q[j], log_l[j] = IMPOSSIBLE, -IMPOSSIBLE
            top = max(top, log_l[j])
        total, average, least = 0.0, 0.0, np.inf
        for j in range(M):
            share = np.exp(log_l[j] - top)
            total += share
            average += share * q[j]
            least = min(least, q[j])
        nearest[e], nis[e], like[e] = least, average / total, top + np.log(total)
    return nearest, nis, like


@njit(cache=True, nogil=True)
def _less(P: F64, A: F64, only_ground: bool) -> None:
    """P - A A' in place, A (6, d); only_ground leaves the variances of height and climb as they are."""
    for i in range(6):
        for c in range(i + 1):
            if only_ground and i % 3 == 2 and c % 3 == 2:
                continue
            total = 0.0
            for a in range(A.shape[1]):
                total += A[i, a] * A[c, a]
            P[i, c] -= total
            P[c, i] = P[i, c]


@njit(cache=True, nogil=True)
def correct_rows(
    belief: tuple[F64, F64, F64],
    rows: I64,
    detection: I64,
    R: F64,
    H: F64,
    nu: F64,
    age_s: F64,
    free_s: F64,
    modes: F64,
    only_ground: bool,
) -> None:
    """Corrects the chosen rows of belief (w (p, M), mean (p, M, 6), cov (p, M, 6, 6)) in place, the caller made it, by
    one detection each: H (k, M, d, 6), nu (k, M, d); of the detections R (m, d, d), age_s and free_s (m,). only_ground
    leaves height and climb as they are (Schmidt-Kalman)."""
    w, mean, cov = belief
    k, M, d = nu.shape
    P, PHt, S, g = np.empty((6, 6)), np.empty((6, d)), np.empty((d, d)), np.empty((d, 6))
    L, inv, A, white, log_l = np.zeros((d, d)), np.zeros((d, d)), np.empty((6, d)), np.empty(d), np.empty(M)
    own, spare = np.zeros((d, d)), np.zeros((d, d))
    back, later = flows(-age_s, modes, detection), noises(free_s, modes, detection)
    for e in range(k):
        p, s = rows[e], detection[e]
        aged, times = age_s[s] != 0.0, (age_s[s], free_s[s])
        if aged:
            _factor(R[s], own, spare)
        for j in range(M):
            mode = (modes[j], back[s, j], later[s, j])
            _innovation_cov(cov[p, j], H[e, j], R[s], times, mode, (P, PHt, S, g))
            log_det, nis = _factor(S, L, inv), 0.0
            for a in range(d):
                white[a] = 0.0
                for b in range(a + 1):
                    white[a] += inv[a, b] * nu[e, j, b]
                nis += white[a] * white[a]
            log_l[j] = -0.5 * (nis + log_det) + np.log(max(w[p, j], LIKELY_MIN))
            if not np.isfinite(log_l[j]) or (aged and _rounded_away(L, own)):
                log_l[j] = -IMPOSSIBLE
                continue
            for i in range(6):
                step = 0.0
                for a in range(d):
                    A[i, a] = 0.0
                    for b in range(a + 1):
                        A[i, a] += inv[a, b] * PHt[i, b]
                    step += A[i, a] * white[a]
                if not (only_ground and i % 3 == 2):
                    mean[p, j, i] += step
            _less(cov[p, j], A, only_ground)
        if M > 1:
            top, total = log_l.max(), 0.0
            for j in range(M):
                w[p, j] = max(np.exp(log_l[j] - top), LIKELY_MIN)
                total += w[p, j]
            w[p] /= total
