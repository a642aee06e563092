"""From local hypotheses to tracks and back: marginal weights, pairs per track, mixtures matched by one Gaussian.

Axes: n tracks, l local hypotheses (contiguous by track), m detections, k pairs, e edges (track, detection), p parts of
mixtures. Refuses nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.hypotheses import Forest, distinct, emit, no_floats, no_ints

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True)
def local_weights(forest: Forest, locals_: int) -> F64:
    """Marginal weight of each local hypothesis (l,): of a track they sum to one less the weight of its absence."""
    weight = np.zeros(locals_)
    for a in range(len(forest.member_first) - 1):
        t = forest.member_first[a + 1] - forest.member_first[a]
        at = forest.choice_first[a]
        for g in range(forest.weight_first[a], forest.weight_first[a + 1]):
            w = np.exp(forest.log_weight[g])
            for s in range(at, at + t):
                if forest.choice[s] >= 0:
                    weight[forest.choice[s]] += w
            at += t
    return weight


@njit(cache=True)
def best_choice(forest: Forest, n: int) -> I64:
    """The local hypothesis of each track (n,) in its cluster's most probable global hypothesis, or -1."""
    best = np.full(n, -1, np.int64)
    for a in range(len(forest.member_first) - 1):
        t = forest.member_first[a + 1] - forest.member_first[a]
        g = np.argmax(forest.log_weight[forest.weight_first[a] : forest.weight_first[a + 1]])
        for s in range(t):
            best[forest.member[forest.member_first[a] + s]] = forest.choice[forest.choice_first[a] + g * t + s]
    return best


@njit(cache=True)
def edges(
    local_first: I64, pair_first: I64, detection: I64, psi: F64, missed: F64, absent: F64, m: int
) -> tuple[I64, I64, F64, I64]:
    """Track, detection and weight of each edge, and the edge of each pair. missed (l,) is the marginal weight of each
    local hypothesis times its probability of a miss, absent (n,) the weight of the track not being there."""
    k = len(detection)
    track, det, weight = np.empty(k, np.int64), np.empty(k, np.int64), np.zeros(k)
    edge_of, stamp, found = np.empty(k, np.int64), np.full(m, -1, np.int64), 0
    for i in range(len(local_first) - 1):
        start, none = found, absent[i]
        for a in range(local_first[i], local_first[i + 1]):
            none += missed[a]
            for e in range(pair_first[a], pair_first[a + 1]):
                j = detection[e]
                if stamp[j] < start:
                    stamp[j] = found
                    track[found], det[found] = i, j
                    found += 1
                edge_of[e] = stamp[j]
                weight[stamp[j]] += missed[a] * psi[e]
        for f in range(start, found):
            weight[f] /= max(none, 1e-300)
    return track[:found], det[:found], weight[:found], edge_of


@njit(cache=True)
def match(group: I64, weight: F64, mean: F64, cov: F64, n: int) -> tuple[F64, F64, F64]:
    """Total weight (n,), mean (n, 6) and covariance (n, 6, 6) of each group's mixture. A group of one is copied."""
    d = mean.shape[1]
    total, mu, out = np.zeros(n), np.zeros((n, d)), np.zeros((n, d, d))
    for p in range(len(group)):
        total[group[p]] += weight[p]
    for p in range(len(group)):
        w = weight[p] / total[group[p]] if total[group[p]] > 0.0 else 0.0
        for a in range(d):
            mu[group[p], a] += w * mean[p, a]
    for p in range(len(group)):
        i = group[p]
        w = weight[p] / total[i] if total[i] > 0.0 else 0.0
        for a in range(d):
            for b in range(d):
                out[i, a, b] += w * (cov[p, a, b] + (mean[p, a] - mu[i, a]) * (mean[p, b] - mu[i, b]))
    return total, mu, out


@njit(cache=True)
def correct(
    mean: F64, cov: F64, part_local: I64, part_pair: I64, gain: F64, S: F64, nu: F64, only_ground: bool
) -> tuple[F64, F64]:
    """Mean and covariance of each part (p,): its local hypothesis, corrected by its pair unless it is -1. Parts of no
    local hypothesis stay zero. only_ground leaves height and climb as they are (Schmidt-Kalman)."""
    count, d = len(part_local), S.shape[1]
    mu, out = np.zeros((count, 6)), np.zeros((count, 6, 6))
    KS = np.zeros((6, d))
    for p in range(count):
        a, e = part_local[p], part_pair[p]
        if a < 0:
            continue
        mu[p], out[p] = mean[a], cov[a]
        if e < 0:
            continue
        for i in range(6):
            for c in range(d):
                total = 0.0
                for b in range(d):
                    total += gain[e, i, b] * S[e, b, c]
                KS[i, c] = total
                if not (only_ground and i % 3 == 2):
                    mu[p, i] += gain[e, i, c] * nu[e, c]
        for i in range(6):
            for j in range(i + 1):
                total = 0.0
                for c in range(d):
                    total += KS[i, c] * gain[e, j, c]
                if not (only_ground and i % 3 == 2 and j % 3 == 2):
                    out[p, i, j] -= total
                    out[p, j, i] = out[p, i, j]
    return mu, out


@njit(cache=True)
def _apart2(L: F64, a: F64, b: F64) -> float:
    """Squared distance of a and b by the covariance L L'."""
    total, y = 0.0, np.empty(len(a))
    for i in range(len(a)):
        y[i] = a[i] - b[i]
        for j in range(i):
            y[i] -= L[i, j] * y[j]
        y[i] /= L[i, i]
        total += y[i] * y[i]
    return total


@njit(cache=True)
def _cholesky(P: F64, L: F64) -> None:
    for i in range(len(P)):
        for j in range(i + 1):
            total = P[i, j]
            for c in range(j):
                total -= L[i, c] * L[j, c]
            L[i, j] = np.sqrt(max(total, 1e-300)) if i == j else total / L[j, j]


@njit(cache=True)
def merge(track: I64, r: F64, weight: F64, mean: F64, cov: F64, merge_d2: float) -> I64:
    """Makes one of local hypotheses of a track that say nearly the same: the more probable one (its row, for each row)
    takes over weight, existence and spread, in place. Rows (l,) sorted by track."""
    into = np.arange(len(track))
    start = 0
    L = np.zeros((6, 6))
    while start < len(track):
        stop = start + 1
        while stop < len(track) and track[stop] == track[start]:
            stop += 1
        if stop - start > 1:
            order = start + np.argsort(-(weight[start:stop] * r[start:stop]), kind="mergesort")
            for x in range(len(order)):
                a = order[x]
                if into[a] != a:
                    continue
                _cholesky(cov[a], L)
                centre = mean[a].copy()
                for y in range(x + 1, len(order)):
                    b = order[y]
                    if into[b] == b and _apart2(L, mean[b], centre) <= merge_d2:
                        into[b] = a
                        _pour(a, b, r, weight, mean, cov)
        start = stop
    return into


@njit(cache=True)
def _pour(a: int, b: int, r: F64, weight: F64, mean: F64, cov: F64) -> None:
    """Local hypothesis b into a: moments kept."""
    there_a, there_b = weight[a] * r[a], weight[b] * r[b]
    total = there_a + there_b
    if total > 0.0:
        p = there_b / total
        for i in range(6):
            for j in range(6):
                cov[a, i, j] += p * (cov[b, i, j] - cov[a, i, j])
                cov[a, i, j] += p * (1.0 - p) * (mean[b, i] - mean[a, i]) * (mean[b, j] - mean[a, j])
        for i in range(6):
            mean[a, i] += p * (mean[b, i] - mean[a, i])
    weight[a] += weight[b]
    if weight[a] > 0.0:
        r[a] = total / weight[a]


@njit(cache=True)
def keep(forest: Forest, alive: NDArray[np.bool_], row: I64, local: I64) -> Forest:
    """The forest of the tracks that are `alive`, renamed by `row`, their local hypotheses by `local`; what has become
    the same is one, what no longer depends on each other is apart."""
    out = (no_ints(), [0], no_floats(), [0], no_ints(), [0])
    for a in range(len(forest.member_first) - 1):
        lo, hi = forest.member_first[a], forest.member_first[a + 1]
        stay = np.empty(hi - lo, np.int64)
        t = 0
        for s in range(hi - lo):
            if alive[forest.member[lo + s]]:
                stay[t] = s
                t += 1
        if t == 0:
            continue
        h, at = forest.weight_first[a + 1] - forest.weight_first[a], forest.choice_first[a]
        table, names = np.empty((h, t), np.int64), np.empty(t, np.int64)
        for s in range(t):
            names[s] = row[forest.member[lo + stay[s]]]
            for g in range(h):
                c = forest.choice[at + g * (hi - lo) + stay[s]]
                table[g, s] = local[c] if c >= 0 else -1
        weight = np.exp(forest.log_weight[forest.weight_first[a] : forest.weight_first[a + 1]])
        table, weight = distinct(table, weight)
        emit(names, table, weight, out)
    return Forest(
        np.array(out[0], np.int64),
        np.array(out[1], np.int64),
        np.array(out[2], np.float64),
        np.array(out[3], np.int64),
        np.array(out[4], np.int64),
        np.array(out[5], np.int64),
    )
