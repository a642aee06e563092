"""One scan branches the global hypotheses of every cluster: joined by shared detections, branched by the best
assignments, pruned, taken apart. Axes as in `kernel.hypotheses`.

Assignments are enumerated in the manner of the Poisson multi-Bernoulli mixture filter of Garcia-Fernandez, Williams,
Granstrom and Svensson, but per cluster and with the best over all parents at once. Clusters of more than `tracks_max`
tracks keep one Gaussian per track, mixed by marginal probabilities (TOMB/P).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.assignment import FAR, falling, k_best
from lapwing.kernel.easy import easy_groups
from lapwing.kernel.hypotheses import (
    Branches,
    Evidence,
    Forest,
    Limits,
    distinct,
    emit,
    joined,
    joined_floats,
    no_floats,
    no_ints,
)

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@njit(cache=True, nogil=True)
def _root(parent: I64, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def _groups(forest: Forest, ev: Evidence) -> tuple[I64, I64]:
    """Clusters (0..c-1) and detections (c + j) group by group: the nodes, and where each group begins."""
    c, m = len(forest.member_first) - 1, len(ev.r_new)
    parent, label = np.arange(c + m), np.empty(c + m, np.int64)
    for a in range(c):
        for s in range(forest.member_first[a], forest.member_first[a + 1]):
            i = forest.member[s]
            for e in range(ev.pair_first[ev.local_first[i]], ev.pair_first[ev.local_first[i + 1]]):
                x, y = _root(parent, a), _root(parent, c + ev.detection[e])
                parent[max(x, y)] = min(x, y)
    first, groups = np.zeros(c + m + 1, np.int64), 0
    for a in range(c + m):  # a root is the least of its group: groups are numbered as their roots come
        root = _root(parent, a)
        if root == a:
            label[a], groups = groups, groups + 1
        label[a] = label[root]
        first[label[a] + 1] += 1
    for g in range(groups):
        first[g + 1] += first[g]
    order, place = np.empty(c + m, np.int64), first[:groups].copy()
    for a in range(c + m):
        order[place[label[a]]] = a
        place[label[a]] += 1
    return order, first[: groups + 1]


@njit(cache=True, nogil=True)
def _cluster(forest: Forest, a: int) -> tuple[I64, F64, I64]:
    """Members, log weights and choices (g, t) of one cluster."""
    members = forest.member[forest.member_first[a] : forest.member_first[a + 1]].copy()
    weight = forest.log_weight[forest.weight_first[a] : forest.weight_first[a + 1]].copy()
    choice = forest.choice[forest.choice_first[a] : forest.choice_first[a + 1]].copy()
    return members, weight, choice.reshape((len(weight), len(members)))


@njit(cache=True, nogil=True)
def _product(forest: Forest, clusters: I64, limit: int) -> tuple[I64, F64, I64, float]:
    """Members, log weights and choices (g, t) of several clusters as one, its best `limit` hypotheses; and how probable
    the best one is that this left out."""
    if len(clusters) == 1:
        members, weight, table = _cluster(forest, clusters[0])
        return members, weight, table, 0.0
    total, gone = 0, 0.0
    for a in clusters:
        total += forest.member_first[a + 1] - forest.member_first[a]
    members, table, weight = np.empty(total, np.int64), np.empty((1, total), np.int64), np.zeros(1)
    at = 0
    for a in clusters:
        t = forest.member_first[a + 1] - forest.member_first[a]
        members[at : at + t] = forest.member[forest.member_first[a] : forest.member_first[a + 1]]
        own = forest.log_weight[forest.weight_first[a] : forest.weight_first[a + 1]]
        choice = forest.choice[forest.choice_first[a] : forest.choice_first[a + 1]].reshape((len(own), t))
        both = np.empty(len(weight) * len(own))
        for g in range(len(both)):
            both[g] = weight[g // len(own)] + own[g % len(own)]
        order = falling(both)
        if len(order) > limit:
            gone = max(gone, np.exp(both[order[limit]]))
            order = order[:limit]
        grown = np.empty((len(order), total), np.int64)
        for row in range(len(order)):
            grown[row, :at] = table[order[row] // len(own), :at]
            grown[row, at : at + t] = choice[order[row] % len(own)]
        table, weight = grown, both[order]
        at += t
    return members, weight, table, gone


@njit(cache=True, nogil=True)
def costs(table: I64, weight: F64, ev: Evidence, column: I64, d: int) -> tuple[F64, F64]:
    """Assignment costs (g, t, d + t) and log weights before assignment (g,); column[j] is j's place in the group."""
    g, t = table.shape
    cost, before = np.full((g, t, d + t), FAR), weight.copy()
    for h in range(g):
        for s in range(t):
            cost[h, s, d + s] = 0.0
            local = table[h, s]
            if local < 0:
                continue
            before[h] += ev.log_miss[local]
            for e in range(ev.pair_first[local], ev.pair_first[local + 1]):
                cost[h, s, column[ev.detection[e]]] = -ev.log_psi[e]
    return cost, before


@njit(cache=True, nogil=True)
def one_pair(table: I64, before: F64, ev: Evidence, column: I64, limits: Limits) -> tuple[F64, I64, I64]:
    """What `k_best` gives where at most one pair can be true, for there is one track or one detection at most: every
    parent with no pair, and with each, best first; of several tracks none that is less probable than the best by
    more than weight_min."""
    (g, t), room = table.shape, len(table)
    for h in range(g):
        for s in range(t):
            if table[h, s] >= 0:
                room += ev.pair_first[table[h, s] + 1] - ev.pair_first[table[h, s]]
    score, parent, pick = np.empty(room), np.empty(room, np.int64), np.full((room, t), -1, np.int64)
    count = 0
    for h in range(g):
        missed = before[h]
        for s in range(t):
            if table[h, s] >= 0:
                missed += ev.log_miss[table[h, s]]
        score[count], parent[count] = missed, h
        count += 1
        for s in range(t):
            local = table[h, s]
            if local < 0:
                continue
            for e in range(ev.pair_first[local], ev.pair_first[local + 1]):
                score[count], parent[count], pick[count, s] = missed + ev.log_psi[e], h, column[ev.detection[e]]
                count += 1
    order = falling(score)[: limits.hypotheses_max]
    end = len(order)
    while t > 1 and score[order[end - 1]] < score[order[0]] + np.log(limits.weight_min) - 1e-9:
        end -= 1
    return score[order[:end]], parent[order[:end]], pick[order[:end]]


@njit(cache=True, nogil=True)
def _normalised(score: F64, weight_min: float) -> F64:
    """Weights of the hypotheses worth keeping; `score` falls. The best is always kept, so there must be one: a cluster
    never vanishes."""
    assert len(score) > 0
    weight, total, keep, kept = np.empty(len(score)), 0.0, 1, 0.0
    for h in range(len(score)):
        weight[h] = np.exp(score[h] - score[0])
        total += weight[h]
    for h in range(len(score)):
        weight[h] /= total
        if h == keep and weight[h] >= weight_min:
            keep += 1
    for h in range(keep):
        kept += weight[h]
    for h in range(keep):
        weight[h] /= kept
    return weight[:keep]


@njit(cache=True, nogil=True)
def _add_child(track: int, r: float, local: int, pair: int, kids: tuple) -> int:
    child_track, child_r, part_child, part_local, part_pair, part_weight = kids
    child = len(child_track)
    child_track.append(track)
    child_r.append(r)
    part_child.append(child)
    part_local.append(local)
    part_pair.append(pair)
    part_weight.append(1.0)
    return child


@njit(cache=True, nogil=True)
def _branch(
    members: I64, before: F64, table: I64, dets: I64, ev: Evidence, limits: Limits, column: I64, kids: tuple, out: tuple
) -> tuple[float, bool]:
    """Exact: every global hypothesis branched by its assignments, the best kept. Expected targets lost; whether cut."""
    n, t, d = len(ev.local_first) - 1, len(members), len(dets)
    for j in range(d):
        column[dets[j]] = j
    if t == 1 or d <= 1:
        score, parent, pick = one_pair(table, before, ev, column, limits)
        cut = False
    else:
        cost, score = costs(table, before, ev, column, d)
        log_range = -np.log(limits.weight_min)
        score, parent, pick, cut = k_best(cost, score, limits.hypotheses_max, log_range, limits.nodes_max)
    weight = _normalised(score, limits.weight_min)
    grown, lost = np.full((len(weight), t + d), -1, np.int64), 0.0
    names, offset = np.empty(t + d, np.int64), np.zeros(t + 1, np.int64)
    for s in range(t):
        names[s] = members[s]
        offset[s + 1] = offset[s] + ev.local_first[members[s] + 1] - ev.local_first[members[s]]
    slot = np.full((offset[t], d + 1), -1, np.int64)
    for h in range(len(weight)):
        for s in range(t):
            local = table[parent[h], s]
            if local < 0:
                continue
            row, j = offset[s] + local - ev.local_first[members[s]], pick[h, s]
            if slot[row, j + 1] < 0:
                if j < 0 and ev.r_miss[local] < limits.existence_min:
                    lost += weight[h] * ev.r_miss[local]
                    continue
                pair = -1
                for e in range(ev.pair_first[local], ev.pair_first[local + 1]):
                    if j >= 0 and ev.detection[e] == dets[j]:
                        pair = e
                r = 1.0 if j >= 0 else ev.r_miss[local]
                slot[row, j + 1] = _add_child(members[s], r, local, pair, kids)
            grown[h, s] = slot[row, j + 1]
    for j in range(d):
        names[t + j] = n + dets[j]
        free = weight.sum()
        for h in range(len(weight)):
            for s in range(t):
                free -= weight[h] if pick[h, s] == j else 0.0
        r = ev.r_new[dets[j]]
        if r * free < limits.existence_min or free < 1e-12:
            lost += max(r * free, 0.0)
            continue
        child = _add_child(n + dets[j], r, -1, dets[j], kids)
        for h in range(len(weight)):
            taken = False
            for s in range(t):
                taken |= pick[h, s] == j
            grown[h, t + j] = -1 if taken else child
    grown, weight = distinct(grown, weight)
    emit(names, grown, weight, out)
    return lost, cut


@njit(cache=True, nogil=True)
def _collapse(members: I64, dets: I64, ev: Evidence, limits: Limits, kids: tuple, out: tuple) -> float:
    """Marginal: one Gaussian per track, mixed from its local hypotheses and their pairs. Expected targets lost."""
    child_track, child_r, part_child, part_local, part_pair, part_weight = kids
    n, lost = len(ev.local_first) - 1, 0.0
    one, row, sure = np.empty(1, np.int64), np.empty((1, 1), np.int64), np.ones(1)
    for i in members:
        there = 0.0
        for local in range(ev.local_first[i], ev.local_first[i + 1]):
            there += ev.p_miss[local] * ev.r_miss[local]
            for e in range(ev.pair_first[local], ev.pair_first[local + 1]):
                there += ev.p_pair[e]
        if not (limits.existence_min <= there < np.inf and there > 0.0):
            lost += there
            continue  # of nothing nothing is left: every child has a part
        child = len(child_track)
        child_track.append(i)
        child_r.append(min(there, 1.0))
        for local in range(ev.local_first[i], ev.local_first[i + 1]):
            for e in range(ev.pair_first[local] - 1, ev.pair_first[local + 1]):
                missed = e < ev.pair_first[local]
                p = ev.p_miss[local] * ev.r_miss[local] if missed else ev.p_pair[e]
                if p > 1e-6 * there:
                    part_child.append(child)
                    part_local.append(local)
                    part_pair.append(-1 if missed else e)
                    part_weight.append(p)
        one[0], row[0, 0] = i, child
        emit(one, row, sure, out)
    for j in dets:
        r = ev.p_new[j] * ev.r_new[j]
        if r < limits.existence_min:
            lost += r
            continue
        one[0], row[0, 0] = n + j, _add_child(n + j, r, -1, j, kids)
        emit(one, row, sure, out)
    return lost


@njit(cache=True, nogil=True)
def _members(forest: Forest, clusters: I64, total: int) -> I64:
    """The tracks of some clusters, `total` of them."""
    members = np.empty(total, np.int64)
    k = 0
    for a in clusters:
        for s in range(forest.member_first[a], forest.member_first[a + 1]):
            members[k] = forest.member[s]
            k += 1
    return members


@njit(cache=True, nogil=True)
def branch(forest: Forest, ev: Evidence, limits: Limits) -> Branches:
    """The posterior of every cluster given one scan."""
    c = len(forest.member_first) - 1
    out = (no_ints(), [0], no_floats(), [0], no_ints(), [0])
    kids = (no_ints(), no_floats(), no_ints(), no_ints(), no_ints(), no_floats())  # fmt: skip
    nodes, first = _groups(forest, ev)
    easy, children, lost, hard = easy_groups(forest, ev, limits, nodes, first)
    column, cuts = np.zeros(len(ev.r_new), np.int64), 0
    for group in hard:
        of = nodes[first[group] : first[group + 1]]
        old = 0
        while old < len(of) and of[old] < c:
            old += 1
        clusters, dets = of[:old], of[old:] - c
        total = 0
        for a in clusters:
            total += forest.member_first[a + 1] - forest.member_first[a]
        if total == 0 or total > limits.tracks_max:
            lost += _collapse(_members(forest, clusters, total), dets, ev, limits, kids, out)
        else:
            members, weight, table, missing = _product(forest, clusters, limits.hypotheses_max)
            gone, cut = _branch(members, weight, table, dets, ev, limits, column, kids, out)
            lost += gone
            cuts += 1 if cut or missing >= limits.weight_min else 0
    base = len(children[0])
    out[1].pop(0)
    out[3].pop(0)
    out[5].pop(0)
    return Branches(
        Forest(
            joined(easy.member, out[0], 0),
            joined(easy.member_first, out[1], len(easy.member)),
            joined_floats(easy.log_weight, out[2]),
            joined(easy.weight_first, out[3], len(easy.log_weight)),
            joined(easy.choice, out[4], base),
            joined(easy.choice_first, out[5], len(easy.choice)),
        ),
        joined(children[0], kids[0], 0),
        joined_floats(children[1], kids[1]),
        joined(np.arange(base), kids[2], base),
        joined(children[2], kids[3], 0),
        joined(children[3], kids[4], 0),
        joined_floats(np.ones(base), kids[5]),
        lost,
        cuts,
    )
