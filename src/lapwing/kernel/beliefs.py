"""From local hypotheses to tracks and back: marginal weights, pairs per track, mixtures matched by one Gaussian.

Axes: n tracks, l local hypotheses (contiguous by track), m detections, k pairs, e edges (track, detection), p parts of
mixtures, M modes. Refuses nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.assignment import falling
from lapwing.kernel.hypotheses import Forest, distinct, emit, joined, joined_floats, no_floats, no_ints

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True, nogil=True)
def beginnings(rising: I64, n: int) -> I64:
    """Where each of the values 0..n - 1 begins in `rising`, and the end (n + 1,)."""
    first = np.zeros(n + 1, np.int64)
    for value in rising:
        first[value + 1] += 1
    for i in range(n):
        first[i + 1] += first[i]
    return first


@njit(cache=True, nogil=True)
def local_weights(forest: Forest, locals_: int) -> F64:
    """Marginal weight of each local hypothesis (l,): of a track they sum to one less the weight of its absence."""
    weight = np.zeros(locals_)
    for a in range(len(forest.member_first) - 1):
        t = forest.member_first[a + 1] - forest.member_first[a]
        at = forest.choice_first[a]
        for g in range(forest.weight_first[a], forest.weight_first[a + 1]):
            w = np.exp(forest.log_weight[g]) if forest.log_weight[g] != 0.0 else 1.0
            for s in range(at, at + t):
                if forest.choice[s] >= 0:
                    weight[forest.choice[s]] += w
            at += t
    return weight


@njit(cache=True, nogil=True)
def best_choice(forest: Forest, n: int) -> I64:
    """The local hypothesis of each track (n,) in its cluster's most probable global hypothesis, or -1."""
    best = np.full(n, -1, np.int64)
    for a in range(len(forest.member_first) - 1):
        t = forest.member_first[a + 1] - forest.member_first[a]
        first = top = forest.weight_first[a]
        for g in range(first + 1, forest.weight_first[a + 1]):
            if forest.log_weight[g] > forest.log_weight[top]:
                top = g
        for s in range(t):
            best[forest.member[forest.member_first[a] + s]] = forest.choice[
                forest.choice_first[a] + (top - first) * t + s
            ]
    return best


@njit(cache=True, nogil=True)
def edges(
    local_first: I64, pair_first: I64, detection: I64, psi: F64, missed: F64, weight_of: F64, m: int
) -> tuple[I64, I64, F64, I64, F64]:
    """Track, detection and weight of each edge, the edge of each pair, and of each track (n,) the probability that it
    is not detected, being there or not, before the scan is known. missed (l,) is the marginal weight of each local
    hypothesis, weight_of (l,), times its probability of a miss."""
    n, k = len(local_first) - 1, len(detection)
    track, det, weight = np.empty(k, np.int64), np.empty(k, np.int64), np.zeros(k)
    edge_of, stamp, found, none = np.empty(k, np.int64), np.full(m, -1, np.int64), 0, np.empty(n)
    for i in range(n):
        start, held, lost = found, 0.0, 0.0
        for a in range(local_first[i], local_first[i + 1]):
            held += weight_of[a]
            lost += missed[a]
            for e in range(pair_first[a], pair_first[a + 1]):
                j = detection[e]
                if stamp[j] < start:
                    stamp[j] = found
                    track[found], det[found] = i, j
                    found += 1
                edge_of[e] = stamp[j]
                weight[stamp[j]] += missed[a] * psi[e]
        none[i] = max(1.0 - held, 0.0) + lost
        for f in range(start, found):
            weight[f] /= max(none[i], 1e-300)
    return track[:found], det[:found], weight[:found], edge_of, none


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _near(x: F64, P: F64, y: F64, d2_max: float, work: tuple[F64, F64]) -> bool:
    """Whether the squared distance of x and y by the covariance P is at most d2_max. No component alone is farther than
    all together: most are told apart by one. work is scratch (6, 6) and (6,)."""
    L, off = work
    for i in range(6):
        off[i] = y[i] - x[i]
        if off[i] * off[i] > d2_max * P[i, i]:
            return False
    _cholesky(P, L)
    total = 0.0
    for i in range(6):
        for j in range(i):
            off[i] -= L[i, j] * off[j]
        off[i] /= L[i, i]
        total += off[i] * off[i]
    return total <= d2_max


@njit(cache=True, nogil=True)
def _cholesky(P: F64, L: F64) -> None:
    for i in range(len(P)):
        for j in range(i + 1):
            total = P[i, j]
            for c in range(j):
                total -= L[i, c] * L[j, c]
            L[i, j] = np.sqrt(max(total, 1e-300)) if i == j else total / L[j, j]


@njit(cache=True, nogil=True)
def _middle(w: F64, mean: F64, cov: F64, mu: F64, out: F64) -> None:
    """Moments over the modes of one local hypothesis, into mu (6,) and out (6, 6)."""
    mu[:] = 0.0
    out[:] = 0.0
    for j in range(len(w)):
        for a in range(6):
            mu[a] += w[j] * mean[j, a]
    for j in range(len(w)):
        for a in range(6):
            for b in range(6):
                out[a, b] += w[j] * (cov[j, a, b] + (mean[j, a] - mu[a]) * (mean[j, b] - mu[b]))


@njit(cache=True, nogil=True)
def merge(track_of: I64, rows: I64, r: F64, weight: F64, belief: tuple[F64, F64, F64], merge_d2: float) -> I64:
    """Makes one of local hypotheses of a track that say nearly the same: the more probable one (its place in `rows`,
    for each place) takes over weight, existence and spread, in place. `rows` are sorted by track; belief = (mode
    probabilities (l, M), mean (l, M, 6), cov (l, M, 6, 6))."""
    into = np.arange(len(rows))
    if merge_d2 < 0.0:
        return into
    (w, mean, cov), start = belief, 0
    P, x, y, work = np.zeros((6, 6)), np.zeros(6), np.zeros(6), (np.zeros((6, 6)), np.zeros(6))
    while start < len(rows):
        stop = start + 1
        while stop < len(rows) and track_of[rows[stop]] == track_of[rows[start]]:
            stop += 1
        if stop - start > 1:
            own = rows[start:stop]
            order = start + falling(weight[own] * r[own])
            for s in range(len(order)):
                a = order[s]
                if into[a] != a:
                    continue
                _middle(w[rows[a]], mean[rows[a]], cov[rows[a]], x, P)
                for t in range(s + 1, len(order)):
                    b = order[t]
                    if into[b] != b:
                        continue
                    y[:] = 0.0
                    for j in range(w.shape[1]):
                        for c in range(6):
                            y[c] += w[rows[b], j] * mean[rows[b], j, c]
                    if _near(x, P, y, merge_d2, work):
                        into[b] = a
                        _pour(rows[a], rows[b], r, weight, belief)
        start = stop
    return into


@njit(cache=True, nogil=True)
def _pour(a: int, b: int, r: F64, weight: F64, belief: tuple[F64, F64, F64]) -> None:
    """Local hypothesis b into a, mode by mode: moments kept."""
    w, mean, cov = belief
    there_a, there_b = weight[a] * r[a], weight[b] * r[b]
    total = there_a + there_b
    if total > 0.0:
        for k in range(w.shape[1]):
            both = there_a * w[a, k] + there_b * w[b, k]
            if both <= 0.0:
                continue
            p = there_b * w[b, k] / both
            for i in range(6):
                for j in range(6):
                    cov[a, k, i, j] += p * (cov[b, k, i, j] - cov[a, k, i, j])
                    apart2 = (mean[b, k, i] - mean[a, k, i]) * (mean[b, k, j] - mean[a, k, j])
                    cov[a, k, i, j] += p * (1.0 - p) * apart2
            for i in range(6):
                mean[a, k, i] += p * (mean[b, k, i] - mean[a, k, i])
            w[a, k] = both / total
    weight[a] += weight[b]
    if weight[a] > 0.0:
        r[a] = total / weight[a]


@njit(cache=True, nogil=True)
def _renamed(forest: Forest, at: int, local: I64) -> int:
    """The new name of a choice, or -1."""
    return local[forest.choice[at]] if forest.choice[at] >= 0 else -1


@njit(cache=True, nogil=True)
def _two(name: int, choices: tuple[int, int], log_weight: F64, at: int, out: tuple) -> None:
    """Writes down a cluster of one track with two hypotheses, as `emit` does."""
    member, member_first, weights, weight_first, choice, choice_first = out
    member.append(name)
    for h in range(2):
        weights.append(log_weight[at + h])
        choice.append(choices[h])
    member_first.append(len(member))
    weight_first.append(len(weights))
    choice_first.append(len(choice))


@njit(cache=True, nogil=True)
def keep(forest: Forest, alive: NDArray[np.bool_], row: I64, local: I64) -> Forest:
    """The forest of the tracks that are `alive`, renamed by `row`, their local hypotheses by `local`; what has become
    the same is one, what no longer depends on each other is apart."""
    out = (no_ints(), [0], no_floats(), [0], no_ints(), [0])
    c, sure = len(forest.member_first) - 1, 0
    member, choice = np.empty(c, np.int64), np.empty(c, np.int64)
    for a in range(c):
        lo, hi = forest.member_first[a], forest.member_first[a + 1]
        if forest.choice_first[a + 1] == forest.choice_first[a] + 1:  # one track, one local hypothesis
            s = forest.choice[forest.choice_first[a]]
            if alive[forest.member[lo]] and s >= 0:
                member[sure], choice[sure] = row[forest.member[lo]], local[s]
                sure += 1
            continue
        if hi == lo + 1 and forest.choice_first[a + 1] == forest.choice_first[a] + 2:
            if alive[forest.member[lo]]:
                one, two = (
                    _renamed(forest, forest.choice_first[a], local),
                    _renamed(forest, forest.choice_first[a] + 1, local),
                )
                if one == two and one >= 0:
                    member[sure], choice[sure] = row[forest.member[lo]], one
                    sure += 1
                elif one != two:
                    _two(row[forest.member[lo]], (one, two), forest.log_weight, forest.weight_first[a], out)
            continue
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
    ones = np.arange(sure + 1)
    out[1].pop(0)
    out[3].pop(0)
    out[5].pop(0)
    return Forest(
        joined(member[:sure], out[0], 0),
        joined(ones, out[1], sure),
        joined_floats(np.zeros(sure), out[2]),
        joined(ones, out[3], sure),
        joined(choice[:sure], out[4], 0),
        joined(ones, out[5], sure),
    )


@njit(cache=True, nogil=True)
def seats(best: I64, track: I64, there: F64) -> tuple[I64, F64]:
    """Of each track (h,): the local hypothesis it stands at (the best choice, or where that has none the weightiest; -1
    for no local hypothesis), and total existence. there (l,) is weight times existence of each local hypothesis."""
    at, total = best.copy(), np.zeros(len(best))
    for p in range(len(track)):
        i = track[p]
        total[i] += there[p]
        if best[i] < 0 and (at[i] < 0 or there[p] >= there[at[i]]):
            at[i] = p
    return at, total


@njit(cache=True, nogil=True)
def chances(forest: Forest, track: I64, r: F64, h: int) -> tuple[F64, I64, F64]:
    """`local_weights`, and `seats` of the h tracks, of local hypotheses with existence r."""
    weight = local_weights(forest, len(track))
    at, total = seats(best_choice(forest, h), track, weight * r)
    return weight, at, total


@njit(cache=True, nogil=True)
def staying(track: I64, sure: NDArray[np.bool_]) -> tuple[I64, I64, I64]:
    """The local hypotheses (s,) of the tracks (t,) that are `sure` (h,), by track and there as they come; of each local
    hypothesis (l,) its place among them, or -1; and where those of each such track begin (t + 1,)."""
    row, tracks = np.empty(len(sure), np.int64), 0
    for i in range(len(sure)):
        row[i] = tracks
        tracks += 1 if sure[i] else 0
    first = np.zeros(tracks + 1, np.int64)
    for i in track:
        if sure[i]:
            first[row[i] + 1] += 1
    for i in range(tracks):
        first[i + 1] += first[i]
    next_ = first[:tracks].copy()
    child, place = np.empty(first[tracks], np.int64), np.full(len(track), -1, np.int64)
    for s in range(len(track)):
        if sure[track[s]]:
            i = row[track[s]]
            place[s] = next_[i]
            child[next_[i]] = s
            next_[i] += 1
    return child, place, first


@njit(cache=True, nogil=True)
def moment(a: int, begin: int, end: int, there: F64, belief: tuple[F64, F64], out: tuple[F64, F64], work: F64) -> None:
    """Into out = (x (6,), P (6, 6)): the mean of local hypothesis a, and the second moment of those from begin to
    end - 1 about that place. there (l,) is weight times existence of each, belief = (mean (l, 6), cov (l, 6, 6)), work
    (6,) scratch."""
    (mean, cov), (x, P), total = belief, out, 0.0
    for p in range(begin, end):
        total += there[p]
    for c in range(6):
        x[c] = mean[a, c]
    if there[a] >= total:
        for c in range(6):
            for b in range(6):
                P[c, b] = cov[a, c, b]
        return
    P[:] = 0.0
    for p in range(begin, end):
        share = there[p] / total
        for c in range(6):
            work[c] = mean[p, c] - x[c]
        for c in range(6):
            for b in range(6):
                P[c, b] += share * (cov[p, c, b] + work[c] * work[b])


@njit(cache=True, nogil=True)
def moments(at: I64, first: I64, there: F64, belief: tuple[F64, F64], out: tuple[F64, F64]) -> None:
    """`moment` of each track (t,), of its local hypotheses first[i]..first[i + 1] - 1 about the one at[i], into out =
    (x (t, 6), P (t, 6, 6))."""
    work = np.empty(6)
    for i in range(len(at)):
        moment(at[i], first[i], first[i + 1], there, belief, (out[0][i], out[1][i]), work)
