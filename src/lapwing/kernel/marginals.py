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


@njit(cache=True, nogil=True)
def _others(values: F64, order: I64, group: I64, first: int, last: int, out: F64) -> None:
    """out[e] = sum of `values` over the other members of e's group, for order[first:last], which lists pairs group by
    group."""
    start = first
    while start < last:
        stop = start
        while stop < last and group[order[stop]] == group[order[start]]:
            stop += 1
        if stop == start + 1:
            out[order[start]] = 0.0
        else:
            left = 0.0
            for s in range(start, stop):
                out[order[s]] = left
                left += values[order[s]]
            right = 0.0
            for s in range(stop - 1, start - 1, -1):
                out[order[s]] += right
                right += values[order[s]]
        start = stop


@njit(cache=True, nogil=True)
def _components(track: I64, detection: I64, n: int, m: int) -> I64:
    """A label per pair, the same for pairs that are connected."""
    parent = np.arange(n + m)
    for e in range(len(track)):
        a, b = track[e], n + detection[e]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        parent[max(a, b)] = min(a, b)
    label = np.empty(len(track), np.int64)
    for e in range(len(track)):
        a = track[e]
        while parent[a] != a:
            a = parent[a]
        label[e] = a
    return label


@njit(cache=True, nogil=True)
def _messages(
    psi: F64, track: I64, detection: I64, label: I64, orders: tuple[I64, I64], tolerance: float, sweeps_max: int
) -> tuple[F64, F64, int]:
    """Messages mu (track to detection) and nu (detection to track) at rest, and the most sweeps that any connected
    component took. Orders list the pairs by component, then by track and by detection."""
    by_track, by_detection = orders
    k = psi.shape[0]
    nu, mu = np.ones(k), np.zeros(k)
    rest, weighted = np.zeros(k), np.zeros(k)
    most, first = 0, 0
    while first < k:
        last = first + 1
        while last < k and label[by_track[last]] == label[by_track[first]]:
            last += 1
        for sweep in range(sweeps_max):
            most = max(most, sweep + 1)
            for s in range(first, last):
                e = by_track[s]
                weighted[e] = psi[e] * nu[e]
            _others(weighted, by_track, track, first, last, rest)
            for s in range(first, last):
                e = by_track[s]
                mu[e] = psi[e] / (1.0 + rest[e])
            _others(mu, by_detection, detection, first, last, rest)
            change = 0.0
            for s in range(first, last):
                e = by_track[s]
                value = 1.0 / (1.0 + rest[e])
                change = max(change, abs(value - nu[e]) / value)
                nu[e] = value
            if change < tolerance:
                break
        first = last
    return mu, nu, most


def marginals(
    psi: F64, track: I64, detection: I64, n: int, m: int, tolerance: float = 1e-6, sweeps_max: int = 200
) -> tuple[F64, F64, F64]:
    """p (k,) that the pair is true, p_miss (n,) that the track has none, p_new (m,) that the detection has none.

    psi (k,) is the pair's weight relative to both alternatives: (track detected here) / (track missed) / (detection
    is clutter or new). Pairs come sorted by track.
    """
    label = _components(track, detection, n, m)
    by_track = np.argsort(label, kind="stable")
    by_detection = np.argsort(label * (m + 1) + detection, kind="stable")
    mu, nu, _ = _messages(psi, track, detection, label, (by_track, by_detection), tolerance, sweeps_max)
    belief = psi * nu
    total = 1.0 + np.bincount(track, belief, n).astype(np.float64)
    p_new = 1.0 / (1.0 + np.bincount(detection, mu, m).astype(np.float64))
    return belief / total[track], 1.0 / total, p_new
