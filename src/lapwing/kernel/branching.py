"""One scan branches the global hypotheses of every cluster: joined by shared detections, branched by the best
assignments, pruned, taken apart. Axes as in `kernel.hypotheses`.

Assignments are enumerated in the manner of the Poisson multi-Bernoulli mixture filter of Garcia-Fernandez, Williams,
Granstrom and Svensson, but per cluster and with the best over all parents at once. Clusters of more than `tracks_max`
tracks keep one Gaussian per track, mixed by marginal probabilities (TOMB/P).
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.assignment import FAR, k_best
from lapwing.kernel.hypotheses import Forest, distinct, emit, no_floats, no_ints

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class Evidence(NamedTuple):
    """What one scan says of every local hypothesis. Locals are contiguous by track, pairs by local."""

    local_first: I64  # (n + 1,)
    log_miss: F64  # (l,) log(1 - r p_detect)
    r_miss: F64  # (l,) existence after a miss
    p_miss: F64  # (l,) marginal probability of this local hypothesis and no detection
    pair_first: I64  # (l + 1,)
    detection: I64  # (k,)
    log_psi: F64  # (k,) weight relative to a miss and to the detection being nobody's
    p_pair: F64  # (k,) marginal probability
    r_new: F64  # (m,) existence of a new track if the detection is nobody's
    p_new: F64  # (m,) marginal probability that it is


class Limits(NamedTuple):
    """Where exactness ends."""

    hypotheses_max: int  # per cluster
    weight_min: float  # of a global hypothesis
    existence_min: float  # of a local hypothesis
    tracks_max: int  # a larger cluster is collapsed
    nodes_max: int  # steps of one cluster's search


class Branches(NamedTuple):
    """The posterior: `forest` chooses among children; each child is a mixture of components."""

    forest: Forest  # members: old tracks 0..n-1, and n + j for the new track of detection j
    child_track: I64
    child_r: F64
    part_child: I64  # components, child by child
    part_local: I64  # prior local hypothesis, or -1: a new track
    part_pair: I64  # pair, or -1: missed; of a new track its detection
    part_weight: F64
    lost: float  # expected targets among what was pruned
    cut: int  # clusters whose search was cut short


@njit(cache=True)
def _root(parent: I64, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True)
def _groups(forest: Forest, ev: Evidence) -> tuple[I64, I64]:
    """Clusters (0..c-1) and detections (c + j) group by group: the nodes, and where each group begins."""
    c, m = len(forest.member_first) - 1, len(ev.r_new)
    parent = np.arange(c + m)
    for a in range(c):
        for s in range(forest.member_first[a], forest.member_first[a + 1]):
            i = forest.member[s]
            for e in range(ev.pair_first[ev.local_first[i]], ev.pair_first[ev.local_first[i + 1]]):
                x, y = _root(parent, a), _root(parent, c + ev.detection[e])
                parent[max(x, y)] = min(x, y)
    for a in range(c + m):
        parent[a] = _root(parent, a)
    order = np.argsort(parent, kind="mergesort")
    first = no_ints()
    for s in range(c + m):
        if s == 0 or parent[order[s]] != parent[order[s - 1]]:
            first.append(s)
    first.append(c + m)
    return order, np.array(first)


@njit(cache=True)
def _product(forest: Forest, clusters: I64, limit: int) -> tuple[I64, F64, I64]:
    """Members, log weights and choices (g, t) of several clusters as one, its best `limit` hypotheses."""
    total = 0
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
        order = np.argsort(-both, kind="mergesort")[:limit]
        grown = np.empty((len(order), total), np.int64)
        for row in range(len(order)):
            grown[row, :at] = table[order[row] // len(own), :at]
            grown[row, at : at + t] = choice[order[row] % len(own)]
        table, weight = grown, both[order]
        at += t
    return members, weight, table


@njit(cache=True)
def _costs(table: I64, weight: F64, ev: Evidence, column: I64, d: int) -> tuple[F64, F64]:
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


@njit(cache=True)
def _normalised(score: F64, weight_min: float) -> F64:
    """Weights of the hypotheses worth keeping; `score` falls."""
    weight = np.exp(score - score[0])
    weight /= weight.sum()
    keep = 1
    while keep < len(weight) and weight[keep] >= weight_min:
        keep += 1
    kept: F64 = weight[:keep] / weight[:keep].sum()
    return kept


@njit(cache=True)
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


@njit(cache=True)
def _branch(
    members: I64, before: F64, table: I64, dets: I64, ev: Evidence, limits: Limits, column: I64, kids: tuple, out: tuple
) -> tuple[float, int]:
    """Exact: every global hypothesis branched by its assignments, the best kept. Expected targets lost; 1 if cut."""
    n, t, d = len(ev.local_first) - 1, len(members), len(dets)
    for j in range(d):
        column[dets[j]] = j
    cost, score = _costs(table, before, ev, column, d)
    score, parent, pick, cut = k_best(cost, score, limits.hypotheses_max, -np.log(limits.weight_min), limits.nodes_max)
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
    return lost, 1 if cut else 0


@njit(cache=True)
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
        if there < limits.existence_min:
            lost += there
            continue
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


@njit(cache=True)
def _close(track: int, child: int, out: tuple) -> None:
    """A track that depends on nobody: a cluster of its own."""
    member, member_first, log_weight, weight_first, choice, choice_first = out
    member.append(track)
    choice.append(child)
    log_weight.append(0.0)
    member_first.append(len(member))
    weight_first.append(len(log_weight))
    choice_first.append(len(choice))


@njit(cache=True)
def _alone(i: int, local: int, j: int, ev: Evidence, limits: Limits, kids: tuple, out: tuple) -> float:
    """`_branch` in closed form for one track with one local hypothesis and one detection j, or none (-1)."""
    lost, n, e = 0.0, len(ev.local_first) - 1, ev.pair_first[local]
    # Weights of a miss and of the pair. A sum of two exponentials, the larger taken out.
    miss = 1.0 if j < 0 else 1.0 / (1.0 + np.exp(min(ev.log_psi[e], 700.0)))
    hit = 1.0 - miss
    if hit < limits.weight_min:
        hit, miss = 0.0, 1.0
    if miss < limits.weight_min:
        hit, miss = 1.0, 0.0
    missed = hit_child = new = -1
    if miss > 0.0:
        if ev.r_miss[local] < limits.existence_min:
            lost += miss * ev.r_miss[local]
        else:
            missed = _add_child(i, ev.r_miss[local], local, -1, kids)
    if hit > 0.0:
        hit_child = _add_child(i, 1.0, local, e, kids)
    if j >= 0 and miss > 0.0:
        if miss * ev.r_new[j] < limits.existence_min:
            lost += miss * ev.r_new[j]
        else:
            new = _add_child(n + j, ev.r_new[j], -1, j, kids)
    if hit == 0.0 or miss == 0.0:
        if hit > 0.0 or missed >= 0:
            _close(i, hit_child if hit > 0.0 else missed, out)
        if new >= 0:
            _close(n + j, new, out)
        return lost
    member, member_first, log_weight, weight_first, choice, choice_first = out
    member.append(i)
    log_weight.append(np.log(hit))
    log_weight.append(np.log(miss))
    choice.append(hit_child)
    if new >= 0:
        member.append(n + j)
        choice.append(-1)
        choice.append(missed)
        choice.append(new)
    else:
        choice.append(missed)
    member_first.append(len(member))
    weight_first.append(len(log_weight))
    choice_first.append(len(choice))
    return lost


@njit(cache=True)
def _simple(forest: Forest, a: int) -> int:
    """The local hypothesis of a cluster that has no other, or -1."""
    at = forest.choice_first[a]
    return forest.choice[at] if forest.choice_first[a + 1] == at + 1 else -1


@njit(cache=True)
def _members(forest: Forest, clusters: I64, total: int) -> I64:
    """The tracks of some clusters, `total` of them."""
    members = np.empty(total, np.int64)
    k = 0
    for a in clusters:
        for s in range(forest.member_first[a], forest.member_first[a + 1]):
            members[k] = forest.member[s]
            k += 1
    return members


@njit(cache=True)
def branch(forest: Forest, ev: Evidence, limits: Limits) -> Branches:
    """The posterior of every cluster given one scan."""
    c = len(forest.member_first) - 1
    out = (no_ints(), [0], no_floats(), [0], no_ints(), [0])
    kids = (no_ints(), no_floats(), no_ints(), no_ints(), no_ints(), no_floats())  # fmt: skip
    nodes, first = _groups(forest, ev)
    column, lost, cuts = np.zeros(len(ev.r_new), np.int64), 0.0, 0
    for group in range(len(first) - 1):
        size, a = first[group + 1] - first[group], nodes[first[group]]
        if size == 1 and a >= c:
            if ev.r_new[a - c] < limits.existence_min:
                lost += ev.r_new[a - c]
            else:
                track = len(ev.local_first) - 1 + a - c
                _close(track, _add_child(track, ev.r_new[a - c], -1, a - c, kids), out)
            continue
        local = _simple(forest, a)
        if local >= 0 and size <= 2 and limits.tracks_max > 0:
            j = -1
            if size == 2 and nodes[first[group] + 1] >= c:
                j = nodes[first[group] + 1] - c
            if size == 1 or j >= 0:
                lost += _alone(forest.member[forest.member_first[a]], local, j, ev, limits, kids, out)
                continue
        of = nodes[first[group] : first[group + 1]]
        clusters, dets = of[of < c], of[of >= c] - c
        total = 0
        for a in clusters:
            total += forest.member_first[a + 1] - forest.member_first[a]
        if total == 0 or total > limits.tracks_max:
            lost += _collapse(_members(forest, clusters, total), dets, ev, limits, kids, out)
        else:
            members, weight, table = _product(forest, clusters, limits.hypotheses_max)
            gone, cut = _branch(members, weight, table, dets, ev, limits, column, kids, out)
            lost += gone
            cuts += cut
    new = Forest(
        np.array(out[0], np.int64),
        np.array(out[1], np.int64),
        np.array(out[2], np.float64),
        np.array(out[3], np.int64),
        np.array(out[4], np.int64),
        np.array(out[5], np.int64),
    )
    return Branches(
        new,
        np.array(kids[0], np.int64),
        np.array(kids[1], np.float64),
        np.array(kids[2], np.int64),
        np.array(kids[3], np.int64),
        np.array(kids[4], np.int64),
        np.array(kids[5], np.float64),
        lost,
        cuts,
    )
