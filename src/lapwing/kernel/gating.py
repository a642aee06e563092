"""Which detections can belong to which tracks: candidates in the horizontal plane, without a dense n x m table.

Axes: n tracks, m detections, k pairs. Detections are sorted into strips once; each track looks only at those within
its own reach, and keeps those inside the ellipse of the summed covariances. Each detection is met at its own time: the
track is moved back by the detection's age. Conservative by construction (a projection of the full gate); the exact
gate in measurement space comes after.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True, nogil=True)
def _strips(z: F64) -> tuple[I64, I64, F64]:
    """Detections in strips from south to north, as many in each as there are strips, from west to east within: the
    order, where each strip begins, and the northern coordinate of its southernmost."""
    m = len(z)
    width = max(int(np.sqrt(m)), 1)
    strips = (m + width - 1) // width
    order, first = np.argsort(z[:, 1], kind="mergesort"), np.empty(strips + 1, np.int64)
    south = np.empty(strips)
    for b in range(strips):
        lo, hi = b * width, min((b + 1) * width, m)
        first[b], first[b + 1], south[b] = lo, hi, z[order[lo], 1]
        own = order[lo:hi].copy()
        order[lo:hi] = own[np.argsort(z[own, 0], kind="mergesort")]
    return order, first, south


@njit(cache=True, nogil=True)
def _at_least(values: F64, lo: int, hi: int, wanted: float) -> int:
    """The first place in the rising values[lo:hi] that is not below `wanted`."""
    while lo < hi:
        middle = (lo + hi) >> 1
        if values[middle] < wanted:
            lo = middle + 1
        else:
            hi = middle
    return lo


@njit(cache=True, nogil=True)
def _window(
    x: float, v: float, P: tuple[float, float, float], ages: tuple[float, float], wide: tuple[float, float]
) -> tuple[float, float]:
    """From where to where along one axis a detection of any age in (youngest, oldest) can lie inside the gate: position
    x, velocity v, their variances and covariance P, and (gate, largest noise variance)."""
    young, old = ages
    V_young = P[0] - 2.0 * young * P[1] + young * young * P[2]
    V_old = P[0] - 2.0 * old * P[1] + old * old * P[2]
    reach = np.sqrt(wide[0] * (max(V_young, V_old, 0.0) + wide[1]))
    a, b = x - young * v, x - old * v
    return min(a, b) - reach, max(a, b) + reach


@njit(cache=True, nogil=True)
def _walk(mean: F64, cov: F64, z: F64, R: F64, age_s: F64, gate: float, room: int) -> I64:
    """The pairs (k, 2), by track and there by detection; as soon as there are `room`, no more."""
    order, first, south = _strips(z)
    east, north, age = z[order, 0], z[order, 1], age_s[order]
    R00, R01, R11 = R[:, 0, 0][order], R[:, 0, 1][order], R[:, 1, 1][order]
    ages, R_east, R_north = (age.min(), age.max()), R00.max(), R11.max()
    found, out = 0, np.empty((min(room, 4 * len(mean) + 64), 2), np.int64)
    for i in range(len(mean)):
        e, n, ve, vn, begin = mean[i, 0], mean[i, 1], mean[i, 3], mean[i, 4], found
        P00, P03, P33 = cov[i, 0, 0], cov[i, 0, 3], cov[i, 3, 3]
        P11, P14, P44 = cov[i, 1, 1], cov[i, 1, 4], cov[i, 4, 4]
        P01, P04, P34 = cov[i, 0, 1], cov[i, 0, 4] + cov[i, 1, 3], cov[i, 3, 4]
        west, stop = _window(e, ve, (P00, P03, P33), ages, (gate, R_east))
        low, high = _window(n, vn, (P11, P14, P44), ages, (gate, R_north))
        b = max(_at_least(south, 0, len(south), low) - 1, 0)
        while b < len(south) and south[b] <= high:
            s = _at_least(east, first[b], first[b + 1], west)
            while s < first[b + 1] and east[s] <= stop:
                a = age[s]
                d0, d1 = east[s] - (e - a * ve), north[s] - (n - a * vn)
                S00 = P00 - 2.0 * a * P03 + a * a * P33 + R00[s]
                S11 = P11 - 2.0 * a * P14 + a * a * P44 + R11[s]
                S01 = P01 - a * P04 + a * a * P34 + R01[s]
                if S11 * d0 * d0 - 2.0 * S01 * d0 * d1 + S00 * d1 * d1 <= gate * (S00 * S11 - S01 * S01):
                    if found == len(out):
                        if found == room:
                            return out
                        grown = np.empty((min(room, 2 * found), 2), np.int64)
                        grown[:found] = out
                        out = grown
                    out[found, 0], out[found, 1] = i, order[s]
                    found += 1
                s += 1
            b += 1
        if found > begin + 1:
            out[begin:found, 1] = np.sort(out[begin:found, 1])
    return out[:found].copy()


def candidates(
    mean: F64, cov: F64, z: F64, R: F64, age_s: F64, gate: float, pairs_max: int = 1 << 40
) -> tuple[I64, I64]:
    """Track index and detection index (k,), (k,) of the pairs whose horizontal distance is inside the gate, sorted
    by track, then detection. mean (n, 6), cov (n, 6, 6); z (m, 2) and R (m, 2, 2) are the detections in the plane.
    pairs_max of them at most: who gets that many knows that some are missing."""
    if not len(mean) or not len(z):
        none = np.zeros(0, dtype=np.int64)
        return none, none
    pairs = _walk(mean, cov, np.ascontiguousarray(z), np.ascontiguousarray(R), age_s, gate, pairs_max)
    return pairs[:, 0].copy(), pairs[:, 1].copy()
