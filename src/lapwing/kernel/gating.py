"""Which detections can belong to which tracks: candidates in the horizontal plane, without a dense n x m table.

Axes: n tracks, m detections, k pairs. Detections are sorted by east once; each track looks only at those within its
own reach, and keeps those inside the ellipse of the summed covariances. Each detection is met at its own time: the
track is moved back by the detection's age. Conservative by construction (a projection of the full gate); the exact
gate in measurement space comes after.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True)
def _walk(mean: F64, cov: F64, east: F64, order: I64, z: F64, R: F64, age_s: F64, gate: float, room: int) -> I64:
    """The pairs (k, 2) in the order track, then east; as soon as there are `room`, no more."""
    n, m = mean.shape[0], east.shape[0]
    found, out = 0, np.empty((min(room, 4 * n + 64), 2), np.int64)
    young, old, R_max = np.inf, -np.inf, 0.0
    for j in range(m):
        young, old, R_max = min(young, age_s[j]), max(old, age_s[j]), max(R_max, R[j, 0, 0])
    for i in range(n):
        e, n_, ve, vn = mean[i, 0], mean[i, 1], mean[i, 3], mean[i, 4]
        V_young = cov[i, 0, 0] - 2.0 * young * cov[i, 0, 3] + young * young * cov[i, 3, 3]
        V_old = cov[i, 0, 0] - 2.0 * old * cov[i, 0, 3] + old * old * cov[i, 3, 3]
        reach = np.sqrt(gate * (max(V_young, V_old, 0.0) + R_max))
        first = min(e - young * ve, e - old * ve) - reach
        last = max(e - young * ve, e - old * ve) + reach
        for s in range(np.searchsorted(east, first), m):
            if east[s] > last:
                break
            j = order[s]
            a = age_s[j]
            d0 = z[j, 0] - (e - a * ve)
            d1 = z[j, 1] - (n_ - a * vn)
            S00 = cov[i, 0, 0] - 2.0 * a * cov[i, 0, 3] + a * a * cov[i, 3, 3] + R[j, 0, 0]
            S11 = cov[i, 1, 1] - 2.0 * a * cov[i, 1, 4] + a * a * cov[i, 4, 4] + R[j, 1, 1]
            S01 = cov[i, 0, 1] - a * (cov[i, 0, 4] + cov[i, 1, 3]) + a * a * cov[i, 3, 4] + R[j, 0, 1]
            det = S00 * S11 - S01 * S01
            if S11 * d0 * d0 - 2.0 * S01 * d0 * d1 + S00 * d1 * d1 <= gate * det:
                if found == len(out):
                    if found == room:
                        return out
                    grown = np.empty((min(room, 2 * found), 2), np.int64)
                    grown[:found] = out
                    out = grown
                out[found, 0] = i
                out[found, 1] = j
                found += 1
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
    order = np.argsort(z[:, 0], kind="stable")
    z, R = np.ascontiguousarray(z), np.ascontiguousarray(R)
    pairs = _walk(mean, cov, z[order, 0], order, z, R, age_s, gate, pairs_max)
    rank = np.argsort(pairs[:, 0] * len(z) + pairs[:, 1])
    pairs = pairs[rank]
    return pairs[:, 0].copy(), pairs[:, 1].copy()
