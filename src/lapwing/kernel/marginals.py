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
def _sorted(order: I64, key: I64, keys: int) -> I64:
    """`order` sorted anew by key[order], equal ones as they came."""
    place, out = np.zeros(keys + 1, np.int64), np.empty(len(order), np.int64)
    for e in order:
        place[key[e] + 1] += 1
    for k in range(keys):
        place[k + 1] += place[k]
    for e in order:
        out[place[key[e]]] = e
        place[key[e]] += 1
    return out


@njit(cache=True, nogil=True)
def _to_detections(psi: F64, nu: F64, mu: F64, track: I64, first: int, last: int) -> None:
    """mu of the pairs first..last - 1, which come track by track: psi / (1 + what the track's other pairs say)."""
    start = first
    while start < last:
        stop, left = start, 0.0
        while stop < last and track[stop] == track[start]:
            mu[stop] = left
            left += psi[stop] * nu[stop]
            stop += 1
        right = 0.0
        for s in range(stop - 1, start - 1, -1):
            mu[s] = psi[s] / (1.0 + (mu[s] + right))
            right += psi[s] * nu[s]
        start = stop


@njit(cache=True, nogil=True)
def _to_tracks(mu: F64, nu: F64, at: I64, detection: I64, rest: F64, span: tuple[int, int]) -> float:
    """nu of the pairs at[first:last], which come detection by detection: 1 / (1 + what the detection's other pairs
    say); the largest relative change."""
    (start, last), change = span, 0.0
    while start < last:
        stop, left = start, 0.0
        while stop < last and detection[at[stop]] == detection[at[start]]:
            rest[stop] = left
            left += mu[at[stop]]
            stop += 1
        right = 0.0
        for s in range(stop - 1, start - 1, -1):
            value = 1.0 / (1.0 + (rest[s] + right))
            right += mu[at[s]]
            change = max(change, abs(value - nu[at[s]]) / value)
            nu[at[s]] = value
        start = stop
    return change


@njit(cache=True, nogil=True)
def _messages(
    psi: F64, track: I64, detection: I64, label: I64, at: I64, tolerance: float, sweeps_max: int
) -> tuple[F64, F64, int]:
    """Messages mu (track to detection) and nu (detection to track) at rest, and the most sweeps that any connected
    component took. Pairs come by component and there by track; `at` lists them by component and there by detection."""
    k = len(psi)
    nu, mu, rest = np.ones(k), psi.copy(), np.empty(k)
    most, first = 0, 0
    while first < k:
        last = first + 1
        while last < k and label[last] == label[first]:
            last += 1
        for sweep in range(sweeps_max if last > first + 1 else 0):  # a pair alone is at rest
            most = max(most, sweep + 1)
            _to_detections(psi, nu, mu, track, first, last)
            if _to_tracks(mu, nu, at, detection, rest, (first, last)) < tolerance:
                break
        first = last
    return mu, nu, most


@njit(cache=True, nogil=True)
def _alone(track: I64, detection: I64, n: int, m: int) -> NDArray[np.bool_]:
    """Of each pair (k,) whether neither its track nor its detection has another."""
    of, to = np.zeros(n, np.int64), np.zeros(m, np.int64)
    for e in range(len(track)):
        of[track[e]] += 1
        to[detection[e]] += 1
    alone = np.empty(len(track), np.bool_)
    for e in range(len(track)):
        alone[e] = of[track[e]] == 1 and to[detection[e]] == 1
    return alone


@njit(cache=True, nogil=True)
def marginals(
    psi: F64, track: I64, detection: I64, n: int, m: int, tolerance: float = 1e-6, sweeps_max: int = 200
) -> tuple[F64, F64, F64]:
    """p (k,) that the pair is true, p_miss (n,) that the track has none, p_new (m,) that the detection has none.

    psi (k,) is the pair's weight relative to both alternatives: (track detected here) / (track missed) / (detection
    is clutter or new). Pairs come sorted by track. Most are alone, and need no messages.
    """
    p, taken, wanted = np.empty(len(psi)), np.zeros(n), np.zeros(m)
    alone = _alone(track, detection, n, m)
    for e in range(len(psi)):
        if alone[e]:
            p[e] = psi[e] / (1.0 + psi[e])
            taken[track[e]] = wanted[detection[e]] = psi[e]
    rest = np.flatnonzero(~alone)
    if len(rest):
        label = _components(track[rest], detection[rest], n, m)
        order, place = _sorted(np.arange(len(rest)), label, n), np.empty(len(rest), np.int64)
        for s in range(len(rest)):
            place[order[s]] = s
        at = place[_sorted(_sorted(np.arange(len(rest)), detection[rest], m), label, n)]
        rows = rest[order]
        of, to, theirs = track[rows], detection[rows], psi[rows]
        mu, nu, _ = _messages(theirs, of, to, label[order], at, tolerance, sweeps_max)
        for s in range(len(rows)):
            taken[of[s]] += theirs[s] * nu[s]
        for s in at:
            wanted[to[s]] += mu[s]
        for s in range(len(rows)):
            p[rows[s]] = theirs[s] * nu[s] / (1.0 + taken[of[s]])
    return p, 1.0 / (1.0 + taken), 1.0 / (1.0 + wanted)
