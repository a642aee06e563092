"""Branching in closed form where nothing is contested: one track with one local hypothesis and one detection at most.
Most groups of most scans are such. Axes as in `kernel.hypotheses`. The same as `kernel.branching` does at length."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.hypotheses import Evidence, Forest, Limits

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True)
def _simple(forest: Forest, nodes: I64, lo: int, hi: int) -> tuple[int, int, int]:
    """For a group of one track with one local hypothesis at most and one detection at most: its track, its local
    hypothesis, its detection, -1 for none. For any other group three times -2."""
    c = len(forest.member_first) - 1
    a, at = nodes[lo], 0
    if a >= c:
        return -1, -1, a - c
    at = forest.choice_first[a]
    if hi > lo + 2 or forest.choice_first[a + 1] != at + 1 or forest.choice[at] < 0:
        return -2, -2, -2
    j = nodes[lo + 1] - c if hi == lo + 2 else -1
    if hi == lo + 2 and j < 0:
        return -2, -2, -2
    return forest.member[forest.member_first[a]], forest.choice[at], j


@njit(cache=True)
def _odds(log_psi: float, weight_min: float) -> tuple[float, float]:
    """Probabilities of the pair and of the miss, one of them nought where it is not worth keeping."""
    miss = 1.0 / (1.0 + np.exp(min(log_psi, 700.0)))
    if miss < weight_min:
        return 1.0, 0.0
    if 1.0 - miss < weight_min:
        return 0.0, 1.0
    return 1.0 - miss, miss


@njit(cache=True)
def easy_groups(
    forest: Forest, ev: Evidence, limits: Limits, nodes: I64, first: I64
) -> tuple[Forest, tuple[I64, F64, I64, I64], float, I64]:
    """`_branch` in closed form for all groups of one track with one local hypothesis and one detection at most: their
    forest, their children (track, existence, local hypothesis, pair), expected targets lost, and the other groups."""
    n, groups = len(ev.local_first) - 1, len(first) - 1
    track, r = np.empty(3 * groups, np.int64), np.empty(3 * groups)
    part_local, part_pair = np.empty(3 * groups, np.int64), np.empty(3 * groups, np.int64)
    member, weight, choice = np.empty(2 * groups, np.int64), np.empty(2 * groups), np.empty(4 * groups, np.int64)
    of, hard, lost = np.empty((3, 2 * groups + 1), np.int64), np.empty(groups, np.int64), 0.0
    member_first, weight_first, choice_first = of
    kids = members = weights = choices = clusters = left = 0
    of[:, 0] = 0
    for g in range(groups):
        i, local, j = _simple(forest, nodes, first[g], first[g + 1])
        if i == -2 or (limits.tracks_max < 1 and local >= 0):
            hard[left] = g
            left += 1
            continue
        hit, miss, r_miss, r_new = 0.0, 1.0, 0.0, 0.0
        if local >= 0:
            r_miss = ev.r_miss[local]
        if local >= 0 and j >= 0:
            hit, miss = _odds(ev.log_psi[ev.pair_first[local]], limits.weight_min)
        if j >= 0:
            r_new = ev.r_new[j]
        hit_child = missed = new = -1
        if hit > 0.0:
            track[kids], r[kids], part_local[kids], part_pair[kids] = i, 1.0, local, ev.pair_first[local]
            hit_child, kids = kids, kids + 1
        if local >= 0 and miss > 0.0 and r_miss >= limits.existence_min:
            track[kids], r[kids], part_local[kids], part_pair[kids] = i, r_miss, local, -1
            missed, kids = kids, kids + 1
        elif local >= 0:
            lost += miss * r_miss
        if j >= 0 and miss > 0.0 and miss * r_new >= limits.existence_min:
            track[kids], r[kids], part_local[kids], part_pair[kids] = n + j, r_new, -1, j
            new, kids = kids, kids + 1
        else:
            lost += miss * r_new
        open_ = hit > 0.0 and miss > 0.0
        for who, one in ((i, hit_child if hit > 0.0 else missed), (n + j, new)):
            if not open_ and one >= 0:
                member[members], weight[weights], choice[choices] = who, 0.0, one
                members, weights, choices, clusters = members + 1, weights + 1, choices + 1, clusters + 1
                member_first[clusters], weight_first[clusters], choice_first[clusters] = members, weights, choices
        if open_:
            t = 2 if new >= 0 else 1
            member[members], member[members + t - 1] = i, i if t == 1 else n + j
            weight[weights], weight[weights + 1] = np.log(hit), np.log(miss)
            choice[choices], choice[choices + t] = hit_child, missed
            if t == 2:
                choice[choices + 1], choice[choices + 3] = -1, new
            members, weights, choices, clusters = members + t, weights + 2, choices + 2 * t, clusters + 1
            member_first[clusters], weight_first[clusters], choice_first[clusters] = members, weights, choices
    end = clusters + 1
    easy = Forest(
        member[:members], member_first[:end], weight[:weights], weight_first[:end], choice[:choices], choice_first[:end]
    )
    return easy, (track[:kids], r[:kids], part_local[:kids], part_pair[:kids]), lost, hard[:left]
