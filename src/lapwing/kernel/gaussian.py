"""Gaussian conditioning on many small linear measurements at once. Axes: k pairs, d measured columns, n states.

Letters of the textbook: nu innovation, S its covariance, K gain. d is at most 4, so S is factored by scalar loops.
Refuses nothing; S must be positive definite, which a positive definite R guarantees.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
SWEEPS_MAX = 30  # of rotations; six dimensions need less than ten
LOG_2PI = float(np.log(2.0 * np.pi))

# Chi-square quantiles at 0.9999 for 1..4 degrees of freedom: the share of true pairs outside the gate is 1e-4.
GATE = (0.0, 15.1367, 18.4207, 21.1075, 23.5127)


class Conditioned(NamedTuple):
    """What one linear measurement would do to one Gaussian, for k pairs."""

    gain: F64  # K, (k, 6, d)
    S: F64  # (k, d, d)
    nis: F64  # nu' S^-1 nu, (k,)
    log_likelihood: F64  # of nu, (k,)


@njit(cache=True, nogil=True)
def _factor(S: F64, L: F64, M: F64) -> float:
    """Cholesky factor L of S and its inverse M, in place; the log determinant of S."""
    log_det = 0.0
    for i in range(len(S)):
        for j in range(i + 1):
            total = S[i, j]
            for c in range(j):
                total -= L[i, c] * L[j, c]
            if i == j:
                L[i, i] = np.sqrt(max(total, 1e-300))
                log_det += 2.0 * np.log(L[i, i])
            else:
                L[i, j] = total / L[j, j]
        M[i, i] = 1.0 / L[i, i]
        for j in range(i):
            total = 0.0
            for c in range(j, i):
                total -= L[i, c] * M[c, j]
            M[i, j] = total / L[i, i]
    return log_det


@njit(cache=True, nogil=True)
def invert_small(S: F64) -> tuple[F64, F64]:
    """Inverse (k, d, d) and log determinant (k,) of symmetric positive definite S, by Cholesky per pair."""
    k, d = S.shape[0], S.shape[1]
    inverse, log_det = np.zeros_like(S), np.zeros(k)
    L, M = np.zeros((d, d)), np.zeros((d, d))
    for e in range(k):
        log_det[e] = _factor(S[e], L, M)
        for i in range(d):
            for j in range(i + 1):
                total = 0.0
                for m in range(i, d):
                    total += M[m, i] * M[m, j]
                inverse[e, i, j] = inverse[e, j, i] = total
    return inverse, log_det


def condition(cov: F64, H: F64, R: F64, nu: F64) -> Conditioned:
    """Gain, S, NIS and log-likelihood of each pair: state covariance (k, 6, 6), H (k, d, 6), R (k, d, d), nu (k, d)."""
    PHt = np.matmul(cov, np.swapaxes(H, 1, 2))
    S = np.matmul(H, PHt) + R
    S = 0.5 * (S + np.swapaxes(S, 1, 2))
    inverse, log_det = invert_small(S)
    nis = np.einsum("ki,kij,kj->k", nu, inverse, nu)
    gain = np.matmul(PHt, inverse)
    return Conditioned(gain, S, nis, -0.5 * (nis + log_det + H.shape[1] * LOG_2PI))


@njit(cache=True, nogil=True)
def settle(x: F64, P: F64, axis: int, toward: float, sigma: float, column: F64) -> None:
    """Where height (axis 2) or climb (5) of a Gaussian x (6,), P (6, 6) has become vaguer than `sigma`, a Kalman update
    with a prior at `toward` brings it back to sigma: in place. `column` (6,) is scratch."""
    V = P[axis, axis]
    if sigma**2 * (1.0 + 1e-9) < V:
        share = (V - sigma**2) / (V * V)
        off = (toward - x[axis]) * share
        up, climb = P[axis, 2], P[axis, 5]
        if P[axis, 0] == 0.0 and P[axis, 1] == 0.0 and P[axis, 3] == 0.0 and P[axis, 4] == 0.0:
            x[2] += up * off  # nothing measured height: the vertical is on its own
            x[5] += climb * off
            P[2, 2] -= up * up * share
            P[2, 5] -= up * climb * share
            P[5, 2] = P[2, 5]
            P[5, 5] -= climb * climb * share
            return
        for i in range(6):
            column[i] = P[axis, i]
        for i in range(6):
            x[i] += column[i] * off
            for j in range(6):
                P[i, j] -= column[i] * column[j] * share


@njit(cache=True, nogil=True)
def not_positive(cov: F64, relative: float) -> NDArray[np.bool_]:
    """True where a Cholesky pivot of cov (n, d, d) falls below `relative` times its diagonal entry."""
    n, d = cov.shape[0], cov.shape[1]
    bad = np.zeros(n, dtype=np.bool_)
    L = np.zeros((d, d))
    for e in range(n):
        for i in range(d):
            for j in range(i + 1):
                total = cov[e, i, j]
                for m in range(j):
                    total -= L[i, m] * L[j, m]
                if i != j:
                    L[i, j] = total / L[j, j]
                elif total > relative * cov[e, i, i]:
                    L[i, i] = np.sqrt(total)
                else:
                    bad[e] = True
                    break
            if bad[e]:
                break
    return bad


@njit(cache=True, nogil=True)
def symmetric(cov: F64) -> None:
    """Each of cov (n, d, d) made symmetric, in place."""
    for e in range(len(cov)):
        for i in range(cov.shape[1]):
            for j in range(i):
                cov[e, i, j] = cov[e, j, i] = 0.5 * (cov[e, i, j] + cov[e, j, i])


@njit(cache=True, nogil=True)
def eigen(A: F64) -> tuple[F64, F64]:
    """Eigenvalues (d,) and eigenvectors (columns) of a symmetric A (d, d), by Jacobi's rotations (Golub and Van Loan,
    Matrix Computations, 8.5), until what is off the diagonal is below rounding."""
    d, D, V = len(A), A.copy(), np.eye(len(A))
    for _ in range(SWEEPS_MAX):
        off = on = 0.0
        for p in range(d):
            on += D[p, p] * D[p, p]
            for q in range(p):
                off += D[p, q] * D[p, q]
        if off <= 1e-34 * on:
            break
        for p in range(d):
            for q in range(p + 1, d):
                if D[p, q] == 0.0:
                    continue
                theta = (D[q, q] - D[p, p]) / (2.0 * D[p, q])
                t = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                t = t if theta >= 0.0 else -t
                c = 1.0 / np.sqrt(t * t + 1.0)
                s = t * c
                for i in range(d):
                    a, b = D[i, p], D[i, q]
                    D[i, p], D[i, q] = c * a - s * b, s * a + c * b
                for i in range(d):
                    a, b = D[p, i], D[q, i]
                    D[p, i], D[q, i] = c * a - s * b, s * a + c * b
                for i in range(d):
                    a, b = V[i, p], V[i, q]
                    V[i, p], V[i, q] = c * a - s * b, s * a + c * b
    return np.diag(D).copy(), V


@njit(cache=True, nogil=True)
def make_positive(cov: F64) -> None:
    """Each of cov (n, d, d) made symmetric, and positive definite where rounding had spoilt it: there the correlation
    matrix's eigenvalues are lifted to 1e-9 of the largest, which changes no well-conditioned direction. In place."""
    symmetric(cov)
    bad, d = not_positive(cov, 1e-10), cov.shape[1]
    scale = np.empty(d)
    for e in np.flatnonzero(bad):
        P, largest = cov[e], 0.0
        for i in range(d):
            largest = max(largest, abs(P[i, i]))
        for i in range(d):
            scale[i] = np.sqrt(max(P[i, i], 1e-12 * largest + 1e-12))
        values, V = eigen(P / np.outer(scale, scale))
        floor = 1e-9 * values.max()
        for i in range(d):
            for j in range(i + 1):
                total = 0.0
                for c in range(d):
                    total += V[i, c] * max(values[c], floor) * V[j, c]
                P[i, j] = P[j, i] = total * scale[i] * scale[j]


def positive(cov: F64) -> F64:
    """A copy of `cov` (n, d, d), made positive definite (`make_positive`)."""
    out = np.array(cov)
    make_positive(out)
    return out
