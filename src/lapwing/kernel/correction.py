"""What a scan says of predicted Gaussians: pairs weighed, and hypotheses corrected. Axes: l local hypotheses, M modes,
m detections, k pairs, p parts (hypotheses after the scan), d measured columns.

Letters of the textbook: nu innovation, H Jacobian, S innovation covariance, g = H F(-age) the gradient by the state at
the end of the scan. Each pair and each part is done in one pass while it lies in the cache; zeros of g are skipped,
which changes no sum. Refuses nothing; a mode of which rounding has spoilt what a measurement says is left alone.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.gaussian import LOG_2PI, _factor
from lapwing.kernel.geodesy import height_m
from lapwing.kernel.turning import add_row, carry_gradient, flows, noises

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
IMPOSSIBLE = 1e300  # stands for infinity, which would make NaN of differences
LIKELY_MIN = 1e-9  # a mode's probability never falls lower: it must be able to come back
PIVOT_MIN = 1e-10  # of a covariance, relative to its diagonal: below it rounding has spoilt it


class Sight(NamedTuple):
    """k pairs as measured: each detection with one local hypothesis, met at the detection's own time."""

    detection: I64  # (k,)
    H: F64  # (k, M, d, 6) at that time
    nu: F64  # (k, M, d)
    R: F64  # (m, d, d) of the detections
    age_s: F64  # (m,) how long before the end of the scan
    free_s: F64  # (m,) how much of the state's covariance is noise that came after


@njit(cache=True, nogil=True)
def _innovation_cov(P: F64, g: F64, PHt: F64, S: F64) -> None:
    """PHt = P g' (6, d), and g P g' added to S (d, d), in place."""
    d = len(S)
    for a in range(d):
        for i in range(6):
            PHt[i, a] = 0.0
        for c in range(6):
            if g[a, c] != 0.0:
                for i in range(6):
                    PHt[i, a] += P[i, c] * g[a, c]
    for a in range(d):
        for b in range(a + 1):
            for i in range(6):
                if g[a, i] != 0.0:
                    S[a, b] += g[a, i] * PHt[i, b]
            S[b, a] = S[a, b]


@njit(cache=True, nogil=True)
def _rounded_away(S_factor: F64, R_factor: F64) -> bool:
    """Whether S = H P H' + R has a pivot below that of R, which a covariance P cannot give: rounding has eaten what an
    old measurement says of such a mode, and a gain made of it would be noise. Both given as Cholesky factors."""
    short = False
    for a in range(len(R_factor)):
        short |= not S_factor[a, a] >= 0.999 * R_factor[a, a]
    return short


@njit(cache=True, nogil=True)
def weigh_pairs(belief: tuple[F64, F64], local: I64, sight: Sight, modes: F64) -> tuple[F64, F64, F64]:
    """Of each pair (k,): the least NIS of any mode, the modes' expected NIS given the plot, and the log-likelihood.
    belief = (w (l, M), cov (l, M, 6, 6))."""
    (w, cov), (detection, H, innovation, R, age_s, free_s) = belief, sight
    k, M, d = innovation.shape
    nearest, nis, like = np.empty(k), np.empty(k), np.empty(k)
    P, PHt, S, g = np.empty((6, 6)), np.empty((6, d)), np.empty((d, d)), np.empty((d, 6))
    L, inv, q, log_l = np.zeros((d, d)), np.zeros((d, d)), np.empty(M), np.empty(M)
    own, spare = np.zeros((d, d)), np.zeros((d, d))
    back, later = flows(-age_s, modes, detection), noises(free_s, modes, detection)
    for e in range(k):
        i, s = local[e], detection[e]
        aged = age_s[s] != 0.0
        if aged:
            _factor(R[s], own, spare)
        for j in range(M):  # as in `parts`, written out in both: one function for both costs a quarter of this loop
            for a in range(6):
                for b in range(6):
                    P[a, b] = cov[i, j, a, b]
            for a in range(d):
                for b in range(6):
                    g[a, b] = H[e, j, a, b]
                for b in range(d):
                    S[a, b] = 0.5 * (R[s, a, b] + R[s, b, a])
            if aged:
                carry_gradient(g, age_s[s], modes[j], back[s, j])
            if free_s[s] > 0.0:
                add_row(P, modes[j], later[s, j], -1.0)
            _innovation_cov(P, g, PHt, S)
            log_det = _factor(S, L, inv)
            q[j] = _squared(inv, innovation[e, j])
            log_l[j] = -0.5 * (q[j] + log_det + d * LOG_2PI)
            if M > 1:
                log_l[j] += np.log(max(w[i, j], LIKELY_MIN))
            if not np.isfinite(log_l[j]) or (aged and _rounded_away(L, own)):
                q[j], log_l[j] = IMPOSSIBLE, -IMPOSSIBLE
        nearest[e], nis[e], like[e] = q[0], q[0], log_l[0]
        if M > 1:
            nearest[e], nis[e], like[e] = _over_modes(q, log_l)
    return nearest, nis, like


@njit(cache=True, nogil=True)
def _over_modes(q: F64, log_l: F64) -> tuple[float, float, float]:
    """Least and expected NIS, and log-likelihood, over the modes."""
    top, total, average = log_l.max(), 0.0, 0.0
    for j in range(len(q)):
        share = np.exp(log_l[j] - top)
        total += share
        average += share * q[j]
    return q.min(), average / total, top + np.log(total)


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
def _correct(x: F64, P: F64, PHt: F64, nu: F64, factor: tuple[F64, F64], only_ground: bool) -> None:
    """x (6,) and P (6, 6) corrected by nu (d,), in place: factor = (inverse of the Cholesky factor of S, scratch)."""
    inv, A = factor
    for i in range(6):
        step = 0.0
        for a in range(len(inv)):
            white, A[i, a] = 0.0, 0.0
            for b in range(a + 1):
                A[i, a] += inv[a, b] * PHt[i, b]
                white += inv[a, b] * nu[b]
            step += A[i, a] * white
        if not (only_ground and i % 3 == 2):
            x[i] += step
    _less(P, A, only_ground)


@njit(cache=True, nogil=True)
def sound(x: F64, P: F64, bounds: tuple[float, float, float]) -> bool:
    """One Gaussian x (6,), P (6, 6) made symmetric, and its height, where poorly known, moved between bounds[0] and
    bounds[1] (metres; poorly: a standard deviation above bounds[2]), in place. False, and the height as it was, where
    P is not positive definite: a pivot of its L D L' factors falls below PIVOT_MIN times its diagonal entry."""
    for i in range(6):
        for j in range(i):
            P[i, j] = P[j, i] = 0.5 * (P[i, j] + P[j, i])
    if not _definite(P):
        return False
    height = height_m(x)
    if P[2, 2] > bounds[2] ** 2:
        x[2] -= height - min(max(height, bounds[0]), bounds[1])
    return True


@njit(cache=True, nogil=True)
def _definite(P: F64) -> bool:
    """Whether every pivot of symmetric P (6, 6) is above PIVOT_MIN times its diagonal entry: eliminated in scalars."""
    p0, p1, p2, p3, p4, p5 = P[0, 0], P[1, 1], P[2, 2], P[3, 3], P[4, 4], P[5, 5]
    a1, a2, a3, a4, a5 = P[1, 0], P[2, 0], P[3, 0], P[4, 0], P[5, 0]
    b2, b3, b4, b5 = P[2, 1], P[3, 1], P[4, 1], P[5, 1]
    c3, c4, c5, d4, d5, e5 = P[3, 2], P[4, 2], P[5, 2], P[4, 3], P[5, 3], P[5, 4]
    if not p0 > PIVOT_MIN * P[0, 0]:
        return False
    u = 1.0 / p0
    l1, l2, l3, l4, l5 = a1 * u, a2 * u, a3 * u, a4 * u, a5 * u
    p1, b2, b3, b4, b5 = p1 - l1 * a1, b2 - l2 * a1, b3 - l3 * a1, b4 - l4 * a1, b5 - l5 * a1
    p2, c3, c4, c5 = p2 - l2 * a2, c3 - l3 * a2, c4 - l4 * a2, c5 - l5 * a2
    p3, d4, d5 = p3 - l3 * a3, d4 - l4 * a3, d5 - l5 * a3
    p4, e5, p5 = p4 - l4 * a4, e5 - l5 * a4, p5 - l5 * a5
    if not p1 > PIVOT_MIN * P[1, 1]:
        return False
    u = 1.0 / p1
    l2, l3, l4, l5 = b2 * u, b3 * u, b4 * u, b5 * u
    p2, c3, c4, c5 = p2 - l2 * b2, c3 - l3 * b2, c4 - l4 * b2, c5 - l5 * b2
    p3, d4, d5 = p3 - l3 * b3, d4 - l4 * b3, d5 - l5 * b3
    p4, e5, p5 = p4 - l4 * b4, e5 - l5 * b4, p5 - l5 * b5
    if not p2 > PIVOT_MIN * P[2, 2]:
        return False
    u = 1.0 / p2
    l3, l4, l5 = c3 * u, c4 * u, c5 * u
    p3, d4, d5 = p3 - l3 * c3, d4 - l4 * c3, d5 - l5 * c3
    p4, e5, p5 = p4 - l4 * c4, e5 - l5 * c4, p5 - l5 * c5
    if not p3 > PIVOT_MIN * P[3, 3]:
        return False
    u = 1.0 / p3
    l4, l5 = d4 * u, d5 * u
    p4, e5, p5 = p4 - l4 * d4, e5 - l5 * d4, p5 - l5 * d5
    if not p4 > PIVOT_MIN * P[4, 4]:
        return False
    p5 -= e5 / p4 * e5
    return bool(p5 > PIVOT_MIN * P[5, 5])


@njit(cache=True, nogil=True)
def _copy(of: tuple[F64, F64, F64], i: int, w: F64, mean: F64, cov: F64, n: int) -> None:
    """Row n of w, mean and cov becomes row i of the others."""
    from_w, from_mean, from_cov = of
    for j in range(w.shape[1]):
        w[n, j] = from_w[i, j]
        for a in range(6):
            mean[n, j, a] = from_mean[i, j, a]
            for b in range(6):
                cov[n, j, a, b] = from_cov[i, j, a, b]


@njit(cache=True, nogil=True)
def parts(
    old: tuple[F64, F64, F64],
    new: tuple[F64, F64, F64],
    chosen: tuple[I64, I64, I64],
    sight: Sight,
    modes: F64,
    only_ground: bool,
) -> tuple[F64, F64, F64]:
    """Probabilities (p, M), means (p, M, 6) and covariances (p, M, 6, 6) of the parts chosen = (local, pair, row): the
    hypothesis `local` of old = (w, mean, cov), corrected by the pair where that is not -1; or, where local is -1, the
    row of new. only_ground leaves height and climb as they are (Schmidt-Kalman)."""
    (local, pair, row), (detection, H, innovation, R, age_s, free_s) = chosen, sight
    p, (M, d) = len(local), innovation.shape[1:]
    w, mean, cov = np.empty((p, M)), np.empty((p, M, 6)), np.empty((p, M, 6, 6))
    early, PHt, S, g = np.empty((6, 6)), np.empty((6, d)), np.empty((d, d)), np.empty((d, 6))
    L, inv, A, log_l = np.zeros((d, d)), np.zeros((d, d)), np.empty((6, d)), np.empty(M)
    own, spare = np.zeros((d, d)), np.zeros((d, d))
    back, later = flows(-age_s, modes, detection), noises(free_s, modes, detection)
    for n in range(p):
        if local[n] < 0:
            _copy(new, row[n], w, mean, cov, n)
            continue
        _copy(old, local[n], w, mean, cov, n)
        if pair[n] < 0:
            continue
        e = pair[n]
        s = detection[e]
        aged = age_s[s] != 0.0
        if aged:
            _factor(R[s], own, spare)
        for j in range(M):
            P, nu = cov[n, j], innovation[e, j]
            for a in range(6):
                for b in range(6):
                    early[a, b] = P[a, b]
            for a in range(d):
                for b in range(6):
                    g[a, b] = H[e, j, a, b]
                for b in range(d):
                    S[a, b] = 0.5 * (R[s, a, b] + R[s, b, a])
            if aged:
                carry_gradient(g, age_s[s], modes[j], back[s, j])
            if free_s[s] > 0.0:
                add_row(early, modes[j], later[s, j], -1.0)
            _innovation_cov(early, g, PHt, S)
            log_det = _factor(S, L, inv)
            log_l[j] = -0.5 * (_squared(inv, nu) + log_det)
            if M > 1:
                log_l[j] += np.log(max(w[n, j], LIKELY_MIN))
            if not np.isfinite(log_l[j]) or (aged and _rounded_away(L, own)):
                log_l[j] = -IMPOSSIBLE
            else:
                _correct(mean[n, j], P, PHt, nu, (inv, A), only_ground)
        if M > 1:
            _reweigh(w[n], log_l)
    return w, mean, cov


@njit(cache=True, nogil=True)
def _squared(inv: F64, nu: F64) -> float:
    """NIS of nu (d,), inv being the inverse of the Cholesky factor of its covariance."""
    nis = 0.0
    for a in range(len(inv)):
        white = 0.0
        for b in range(a + 1):
            white += inv[a, b] * nu[b]
        nis += white * white
    return nis


@njit(cache=True, nogil=True)
def _reweigh(w: F64, log_l: F64) -> None:
    """Probabilities of the modes, in place."""
    top, total = log_l.max(), 0.0
    for j in range(len(w)):
        w[j] = max(np.exp(log_l[j] - top), LIKELY_MIN)
        total += w[j]
    for j in range(len(w)):
        w[j] /= total


@njit(cache=True, nogil=True)
def sound_rows(mean: F64, cov: F64, bounds: tuple[float, float, float]) -> NDArray[np.bool_]:
    """`sound` of all rows (n, 6), (n, 6, 6): which are (n,)."""
    good = np.empty(len(mean), np.bool_)
    for e in range(len(mean)):
        good[e] = sound(mean[e], cov[e], bounds)
    return good
