"""Which detection belongs to which track, summed over hypotheses, without sorting by comparison; and which names are
among others. Axes: n tracks, l local hypotheses, p parts, k associations or names. Refuses nothing."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.beliefs import chances
from lapwing.kernel.hypotheses import Branches
from lapwing.kernel.lives import Chances, Told

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def among(names: I64, many: I64) -> NDArray[np.bool_]:
    """Which of the names (k,) are among many (n,): numpy's isin for few names, without their union."""
    if not len(names) or not len(many):
        return np.zeros(len(names), np.bool_)
    ranked = np.sort(many)
    at = np.minimum(np.searchsorted(ranked, names), len(ranked) - 1)
    return np.asarray(ranked[at] == names)


@njit(cache=True, nogil=True)
def by_value(values: I64, n: int) -> tuple[I64, I64]:
    """The places of 0 <= values < n in rising order, equal ones as they come, and where each value begins (n + 1,)."""
    first = np.zeros(n + 1, np.int64)
    for value in values:
        first[value + 1] += 1
    for i in range(n):
        first[i + 1] += first[i]
    order, place = np.empty(len(values), np.int64), first[:-1].copy()
    for s in range(len(values)):
        order[place[values[s]]] = s
        place[values[s]] += 1
    return order, first


@njit(cache=True, nogil=True)
def associations(
    parts: tuple[I64, I64, I64, F64], child_track: I64, there: F64, pairs: tuple[I64, F64], n: int
) -> tuple[I64, I64, F64, F64, F64]:
    """Track, detection, probability and mean NIS of each association (k,), by track and there by detection; and of each
    track (n,) the sum of its probabilities. parts = (child, local, pair, weight) and `there` (l,), the probability that
    the child's target is there, divided among its parts; pairs = (detection, nis). Parts without a pair, and those of
    new tracks (local -1), are none's."""
    child, local, pair, weight = parts
    detection, nis = pairs
    total, used = np.zeros(len(child_track)), 0
    rows = np.empty(len(child), np.int64)
    for p in range(len(child)):
        total[child[p]] += weight[p]
        if local[p] >= 0 and pair[p] >= 0:
            rows[used] = p
            used += 1
    rows = rows[:used]
    order, first = by_value(child_track[child[rows]], n)
    track, plot, share = np.empty(used, np.int64), np.empty(used, np.int64), np.empty(used)
    mean, assigned, k = np.empty(used), np.zeros(n), 0
    for i in range(n):
        begin = k
        for s in range(first[i], first[i + 1]):
            p = rows[order[s]]
            j, c = detection[pair[p]], child[p]
            w = there[c] * weight[p] / max(total[c], 1e-300)
            at = k
            while at > begin and plot[at - 1] > j:
                at -= 1
            if at > begin and plot[at - 1] == j:
                share[at - 1] += w
                mean[at - 1] += w * nis[pair[p]]
                continue
            for t in range(k, at, -1):
                plot[t], share[t], mean[t] = plot[t - 1], share[t - 1], mean[t - 1]
            track[k], plot[at], share[at], mean[at] = i, j, w, w * nis[pair[p]]
            k += 1
        for s in range(begin, k):
            assigned[i] += share[s]
    for s in range(k):
        mean[s] /= share[s]
    return track[:k].copy(), plot[:k].copy(), share[:k].copy(), mean[:k].copy(), assigned


@njit(cache=True, nogil=True)
def told(branches: Branches, pairs: tuple[I64, F64], n: int, m: int, probability_max: float) -> tuple[Chances, Told]:
    """What the branches of a scan say of n old tracks and m that may begin, before anybody works out
    Gaussians: `chances` (existence between 1e-300 and probability_max), and `associations` of the old tracks,
    probabilities no larger than one. pairs = (detection, nis)."""
    h = n + m
    weight, at, existence = chances(branches.forest, branches.child_track, branches.child_r, h)
    parts = branches.part_child, branches.part_local, branches.part_pair, branches.part_weight
    track, plot, share, nis, assigned = associations(parts, branches.child_track, weight * branches.child_r, pairs, n)
    for s in range(len(share)):
        share[s] = min(share[s], 1.0)
    for i in range(n):
        assigned[i] = min(assigned[i], 1.0)
    for i in range(h):
        existence[i] = min(max(existence[i], 1e-300), probability_max)
    return Chances(weight, at, existence), Told(track, plot, share, nis, assigned)
