"""Gaussians after a scan: hypotheses corrected by their pairs (`kernel.weighing`), missed, or begun; kept sound. Axes:
l local hypotheses, M modes, k pairs, p parts (hypotheses after the scan), d measured columns. Refuses nothing."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.geodesy import height_m
from lapwing.kernel.weighing import LIKELY_MIN, Columns, Gains

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
PIVOT_MIN = 1e-10  # of a covariance, relative to its diagonal: below it rounding has spoilt it
LANES = 32  # covariances factored side by side; fewer, and the compiler would not use wide registers
LEAST, INVERSE, GOOD = 21 * LANES, 27 * LANES, 28 * LANES  # rows of their table, after the lower triangle's


@njit(cache=True, nogil=True)
def _correct(x: F64, P: F64, A: F64, white: F64, only_ground: bool, columns: Columns) -> None:
    """x + A' white (6,) and P - A' A (6, 6), in place, A (d, 6); only_ground leaves height and climb as they are."""
    up, climb, cross, rise = x[2], x[5], P[2, 5], (P[2, 2], P[5, 5])
    for a in range(len(columns)):
        for i in range(6):
            x[i] += A[a, i] * white[a]
    for i in range(6):
        for a in range(len(columns)):
            for c in range(6):
                P[i, c] -= A[a, i] * A[a, c]
    if only_ground:
        x[2], x[5] = up, climb
        P[2, 2], P[5, 5] = rise
        P[2, 5] = P[5, 2] = cross


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
def copy_row(of: tuple[F64, F64, F64], i: int, w: F64, mean: F64, cov: F64) -> None:
    """w (M,), mean (M, 6) and cov (M, 6, 6) become row i of the others."""
    from_w, from_mean, from_cov = of
    for j in range(len(w)):
        w[j] = from_w[i, j]
        for a in range(6):
            mean[j, a] = from_mean[i, j, a]
            for b in range(6):
                cov[j, a, b] = from_cov[i, j, a, b]


@njit(cache=True, nogil=True)
def parts(
    old: tuple[F64, F64, F64],
    new: tuple[F64, F64, F64],
    chosen: tuple[I64, I64, I64],
    gains: Gains,
    only_ground: bool,
) -> tuple[F64, F64, F64]:
    """Probabilities (p, M), means (p, M, 6) and covariances (p, M, 6, 6) of the parts chosen = (local, pair, row): the
    hypothesis `local` of old = (w, mean, cov), corrected by the pair where that is not -1; or, where local is -1, the
    row of new. only_ground leaves height and climb as they are (Schmidt-Kalman)."""
    local, pair, row = chosen
    p, M, d = len(local), old[0].shape[1], gains.white.shape[2]
    w, mean, cov = np.empty((p, M)), np.empty((p, M, 6)), np.empty((p, M, 6, 6))
    for n in range(p):
        x, P, only = mean[n], cov[n], only_ground
        if local[n] < 0:
            copy_row(new, row[n], w[n], x, P)
            continue
        copy_row(old, local[n], w[n], x, P)
        e = pair[n]
        if e < 0:
            continue
        for j in range(M):  # the length of a tuple is known to the compiler
            A, white = gains.A[e, j], gains.white[e, j]
            if d == 1:
                _correct(x[j], P[j], A, white, only, (0.0,))
            elif d == 2:
                _correct(x[j], P[j], A, white, only, (0.0, 0.0))
            elif d == 3:
                _correct(x[j], P[j], A, white, only, (0.0, 0.0, 0.0))
            else:
                _correct(x[j], P[j], A, white, only, (0.0, 0.0, 0.0, 0.0))
        if M > 1:
            _reweigh(w[n], gains.log_likelihood[e])
    return w, mean, cov


@njit(cache=True, nogil=True)
def _row(i: int, j: int) -> int:
    """Where entry (i, j), i >= j, of a lower triangle begins in a table of LANES columns."""
    return (i * (i + 1) // 2 + j) * LANES


@njit(cache=True, nogil=True)
def _symmetric(P: F64, table: F64, lane: int) -> None:
    """P (6, 6) made symmetric, in place; its lower triangle into one lane of the table."""
    for i in range(6):
        for j in range(i):
            if P[i, j] != P[j, i]:
                P[i, j] = P[j, i] = 0.5 * (P[i, j] + P[j, i])
            table[_row(i, j) + lane] = P[i, j]
        table[_row(i, i) + lane] = P[i, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _definite(table: F64) -> None:
    """Into the table's row GOOD 1 for each covariance, one per lane, of which every pivot of the L D L' factors is
    above PIVOT_MIN times its diagonal entry, else 0. What comes after a bad pivot says nothing."""
    for s in range(LANES):
        table[GOOD + s] = 1.0
    for i in range(6):
        for s in range(LANES):
            table[LEAST + i * LANES + s] = PIVOT_MIN * table[_row(i, i) + s]
    for c in range(6):
        for s in range(LANES):
            if not table[_row(c, c) + s] > table[LEAST + c * LANES + s]:
                table[GOOD + s] = 0.0
            table[INVERSE + s] = 1.0 / table[_row(c, c) + s]
        for i in range(c + 1, 6):
            for j in range(c + 1, i + 1):
                for s in range(LANES):
                    table[_row(i, j) + s] -= table[_row(i, c) + s] * table[INVERSE + s] * table[_row(j, c) + s]


@njit(cache=True, nogil=True)
def sound_rows(mean: F64, cov: F64, bounds: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Gaussians (n, 6), (n, 6, 6) made symmetric, and their heights, where poorly known, moved between bounds[0] and
    bounds[1] (metres; poorly: a standard deviation above bounds[2]), in place. False (n,), and the height as it was,
    where the covariance is not positive definite: a pivot of its L D L' factors falls below PIVOT_MIN times its
    diagonal entry."""
    n, table = len(mean), np.ones(GOOD + LANES)
    good = np.empty(n, np.bool_)
    for begin in range(0, n, LANES):
        end = min(begin + LANES, n)
        for e in range(begin, end):
            _symmetric(cov[e], table, e - begin)
        _definite(table)
        for e in range(begin, end):
            good[e] = table[GOOD + e - begin] > 0.0
            if good[e] and cov[e, 2, 2] > bounds[2] ** 2:
                height = height_m(mean[e])
                mean[e, 2] -= height - min(max(height, bounds[0]), bounds[1])
    return good
