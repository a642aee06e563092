"""What a scan says of predicted Gaussians: pairs weighed, and how each would correct its hypothesis. Axes: l local
hypotheses, M modes, m detections, k pairs, d measured columns.

Letters of the textbook: nu innovation, H Jacobian, S innovation covariance with Cholesky factor L, g = H F(-age) the
gradient by the state at the end of the scan. Each pair is done in one pass while it lies in the cache; zeros of g are
skipped, which changes no sum. What is found is kept for the correction: with A = L^-1 g P and white = L^-1 nu it is
x + A' white and P - A' A, the textbook's x + K nu and P - K S K'. Refuses nothing; a mode of which rounding has spoilt
what a measurement says is left alone.

`columns` is a tuple of d numbers that nobody reads: its length is part of its type, so that loops over measured columns
have a length the compiler knows, which makes them half as long.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.gaussian import LOG_2PI
from lapwing.kernel.turning import add_row, carry_gradient, flows, noises

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Columns = tuple[float, ...]
IMPOSSIBLE = 1e300  # stands for infinity, which would make NaN of differences
LIKELY_MIN = 1e-9  # a mode's probability never falls lower: it must be able to come back


class Sight(NamedTuple):
    """k pairs as measured: each detection with one local hypothesis, met at the detection's own time."""

    detection: I64  # (k,)
    H: F64  # (k, M, d, 6) at that time
    nu: F64  # (k, M, d)
    R: F64  # (m, d, d) of the detections
    age_s: F64  # (m,) how long before the end of the scan
    free_s: float  # how much of the state's covariance is new noise: a plot of that age or older had none of it


class Gains(NamedTuple):
    """k pairs: what each does to each mode of its hypothesis, and how likely that mode makes it."""

    A: F64  # (k, M, d, 6), zero where the mode is left alone
    white: F64  # (k, M, d)
    log_likelihood: F64  # (k, M), the mode's own probability included


class Weighed(NamedTuple):
    """The k pairs inside the gate."""

    inside: I64  # their places among all
    nis: F64  # expected over the modes, given the plot
    log_likelihood: F64
    gains: Gains


@njit(cache=True, nogil=True)
def _innovation_cov(P: F64, g: F64, gP: F64, S: F64, columns: Columns) -> None:
    """g P (d, 6), and g P g' added to S (d, d), in place; P is symmetric."""
    d = len(columns)
    for a in range(d):
        for i in range(6):
            gP[a, i] = 0.0
        for c in range(6):
            if g[a, c] != 0.0:
                for i in range(6):
                    gP[a, i] += P[c, i] * g[a, c]
    for a in range(d):
        for b in range(a + 1):
            for i in range(6):
                if g[a, i] != 0.0:
                    S[a, b] += g[a, i] * gP[b, i]
            S[b, a] = S[a, b]


@njit(cache=True, nogil=True)
def _factor(S: F64, L: F64, inv: F64, columns: Columns) -> float:
    """Cholesky factor L of S and its inverse, in place; the log determinant of S."""
    log_det = 0.0
    for i in range(len(columns)):
        for j in range(i + 1):
            total = S[i, j]
            for c in range(j):
                total -= L[i, c] * L[j, c]
            if i != j:
                L[i, j] = total * inv[j, j]
        L[i, i] = np.sqrt(max(total, 1e-300))
        inv[i, i] = 1.0 / L[i, i]
        log_det += 2.0 * np.log(L[i, i])
        for j in range(i):
            total = 0.0
            for c in range(j, i):
                total -= L[i, c] * inv[c, j]
            inv[i, j] = total * inv[i, i]
    return log_det


@njit(cache=True, nogil=True)
def _rounded_away(S_factor: F64, R_factor: F64) -> bool:
    """Whether S = H P H' + R has a pivot below that of R, which a covariance P cannot give: rounding has eaten what an
    old measurement says of such a mode, and a gain made of it would be noise. Both given as Cholesky factors."""
    short = False
    for a in range(len(R_factor)):
        short |= not S_factor[a, a] >= 0.999 * R_factor[a, a]
    return short


@njit(cache=True, nogil=True)
def _whitened(inv: F64, nu: F64, white: F64, columns: Columns) -> float:
    """NIS of nu (d,), inv being the inverse of the Cholesky factor of its covariance; and L^-1 nu into white (d,)."""
    nis = 0.0
    for a in range(len(columns)):
        white[a] = 0.0
        for b in range(a + 1):
            white[a] += inv[a, b] * nu[b]
        nis += white[a] * white[a]
    return nis


@njit(cache=True, nogil=True)
def _gain(inv: F64, gP: F64, A: F64, columns: Columns) -> None:
    """A = L^-1 g P (d, 6), in place."""
    for a in range(len(columns)):
        for i in range(6):
            A[a, i] = inv[a, a] * gP[a, i]
        for b in range(a):
            for i in range(6):
                A[a, i] += inv[a, b] * gP[b, i]


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
def _weigh(
    belief: tuple[F64, F64], local: I64, sight: Sight, modes: F64, gate_d2: float, columns: Columns
) -> tuple[I64, F64, F64, F64, F64, F64]:
    """`weigh_pairs`, its result as plain arrays."""
    (w, cov), (detection, H, innovation, R, age_s, free_most_s) = belief, sight
    free_s = np.minimum(np.maximum(age_s, 0.0), free_most_s)
    k, M, d = len(local), len(modes), len(columns)
    inside, nis, like = np.empty(k, np.int64), np.empty(k), np.empty(k)
    A, white, log_l, q = np.empty((k, M, d, 6)), np.empty((k, M, d)), np.empty((k, M)), np.empty(M)
    P, gP, S, g = np.empty((6, 6)), np.empty((d, 6)), np.empty((d, d)), np.empty((d, 6))
    L, inv, own, spare = np.zeros((d, d)), np.zeros((d, d)), np.zeros((d, d)), np.zeros((d, d))
    back, later, n = flows(-age_s, modes, detection), noises(free_s, modes, detection), 0
    for e in range(k):
        i, s = local[e], detection[e]
        aged = age_s[s] != 0.0
        if aged:
            _factor(R[s], own, spare, columns)
        for j in range(M):
            for a in range(d):
                for b in range(6):
                    g[a, b] = H[e, j, a, b]
                for b in range(d):
                    S[a, b] = 0.5 * (R[s, a, b] + R[s, b, a])
            if aged:
                carry_gradient(g, age_s[s], modes[j], back[s, j])
            if free_s[s] > 0.0:
                P[:] = cov[i, j]
                add_row(P, modes[j], later[s, j], -1.0)
                _innovation_cov(P, g, gP, S, columns)
            else:
                _innovation_cov(cov[i, j], g, gP, S, columns)
            log_det = _factor(S, L, inv, columns)
            q[j] = _whitened(inv, innovation[e, j], white[n, j], columns)
            log_l[n, j] = -0.5 * (q[j] + log_det + d * LOG_2PI)
            if M > 1:
                log_l[n, j] += np.log(max(w[i, j], LIKELY_MIN))
            if not np.isfinite(log_l[n, j]) or (aged and _rounded_away(L, own)):
                q[j], log_l[n, j], white[n, j], A[n, j] = IMPOSSIBLE, -IMPOSSIBLE, 0.0, 0.0
            elif M > 1 or q[j] <= gate_d2:
                _gain(inv, gP, A[n, j], columns)
        nearest, nis[n], like[n] = (q[0], q[0], log_l[n, 0]) if M == 1 else _over_modes(q, log_l[n])
        if nearest <= gate_d2:
            inside[n] = e
            n += 1
    return inside[:n], nis[:n], like[:n], A[:n], white[:n], log_l[:n]


def weigh_pairs(belief: tuple[F64, F64], local: I64, sight: Sight, modes: F64, gate_d2: float) -> Weighed:
    """The pairs with a mode whose NIS is at most gate_d2. belief = (w (l, M), cov (l, M, 6, 6))."""
    inside, nis, like, *gains = _weigh(belief, local, sight, modes, gate_d2, (0.0,) * sight.nu.shape[2])
    return Weighed(inside, nis, like, Gains(*gains))
