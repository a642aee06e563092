"""Marginal association probabilities by loopy belief propagation over sparse pairs. Axes: n tracks, m detections,
k pairs.

The two-sided message passing of Williams and Lau (IEEE T-AES 50(4), 2014), as used by the TOMB/P filter: every track
takes at most one detection, every detection belongs to at most one track. Exact where the pairs form no cycle, an
approximation otherwise (its size is measured against enumeration in tests/naive). Sums that leave one term out are
made from the left and from the right, never by subtraction, so huge weights cost no digits.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True)
def _others(values: F64, order: I64, group: I64, out: F64) -> None:
    """out[e] = sum of `values` over the other members of e's group. `order` lists pairs group by group."""
    k = order.shape[0]
    start = 0
    while start < k:
        stop = start
        while stop < k and group[order[stop]] == group[order[start]]:
            stop += 1
        left = 0.0
        for s in range(start, stop):
            out[order[s]] = left
            left += values[order[s]]
        right = 0.0
        for s in range(stop - 1, start - 1, -1):
            out[order[s]] += right
            right += values[order[s]]
        start = stop


@njit(cache=True)
def _messages(
    psi: F64, track: I64, detection: I64, by_track: I64, by_detection: I64, tolerance: float, sweeps_max: int
) -> tuple[F64, F64, int]:
    """Messages mu (track to detection) and nu (detection to track) at rest, and the sweeps it took."""
    k = psi.shape[0]
    nu, mu = np.ones(k), np.zeros(k)
    rest, weighted = np.zeros(k), np.zeros(k)
    sweeps = 0
    for sweep in range(sweeps_max):
        sweeps = sweep + 1
        for e in range(k):
            weighted[e] = psi[e] * nu[e]
        _others(weighted, by_track, track, rest)
        for e in range(k):
            mu[e] = psi[e] / (1.0 + rest[e])
        _others(mu, by_detection, detection, rest)
        change = 0.0
        for e in range(k):
            value = 1.0 / (1.0 + rest[e])
            change = max(change, abs(value - nu[e]) / value)
            nu[e] = value
        if change < tolerance:
            break
    return mu, nu, sweeps


def marginals(
    psi: F64, track: I64, detection: I64, n: int, m: int, tolerance: float = 1e-6, sweeps_max: int = 200
) -> tuple[F64, F64, F64]:
    """p (k,) that the pair is true, p_miss (n,) that the track has none, p_new (m,) that the detection has none.

    psi (k,) is the pair's weight relative to both alternatives: (track detected here) / (track missed) / (detection
    is clutter or new). Pairs come sorted by track.
    """
    by_track = np.arange(len(psi), dtype=np.int64)
    by_detection = np.argsort(detection, kind="stable")
    mu, nu, _ = _messages(psi, track, detection, by_track, by_detection, tolerance, sweeps_max)
    belief = psi * nu
    total = 1.0 + np.bincount(track, belief, n).astype(np.float64)
    p_new = 1.0 / (1.0 + np.bincount(detection, mu, m).astype(np.float64))
    return belief / total[track], 1.0 / total, p_new
