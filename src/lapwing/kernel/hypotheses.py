"""Global hypotheses of clusters of tracks. Axes: n tracks, l local hypotheses (one Gaussian with an existence each),
m detections, k gated pairs, g global hypotheses of a cluster, t its tracks, d the detections it may claim.

A cluster's belief is a multi-Bernoulli mixture: each global hypothesis picks one local hypothesis per track, or -1 (the
track is not there). Clusters are independent of each other.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class Forest(NamedTuple):
    """All clusters. `x_first` arrays have one entry more than there are clusters."""

    member: I64  # tracks, cluster by cluster
    member_first: I64
    log_weight: F64  # of global hypotheses, cluster by cluster; each cluster's weights sum to one
    weight_first: I64
    choice: I64  # local hypothesis per (hypothesis, member), or -1
    choice_first: I64


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
    cut: int  # clusters whose search was cut short, or that came with a joint hypothesis above weight_min too many


@njit(cache=True, nogil=True)
def no_ints() -> list[int]:
    """An empty list of integers, typed."""
    out = [0]
    out.pop()
    return out


@njit(cache=True, nogil=True)
def no_floats() -> list[float]:
    """An empty list of floats, typed."""
    out = [0.0]
    out.pop()
    return out


@njit(cache=True, nogil=True)
def _same(table: I64, a: int, b: int) -> bool:
    """Whether two rows are equal."""
    same = True
    for s in range(table.shape[1]):
        same &= table[a, s] == table[b, s]
    return same


@njit(cache=True, nogil=True)
def distinct(table: I64, weight: F64) -> tuple[I64, F64]:
    """Rows that differ, with the sums of equal rows' weights."""
    (h, t), kept = table.shape, 0
    mark = np.empty(h, np.int64)
    for a in range(h):
        mark[a] = 0
        for s in range(t):
            mark[a] = mark[a] * 1_000_003 + table[a, s] + 7
        twin = -1
        for b in range(kept):
            if mark[b] == mark[a] and _same(table, a, b):
                twin = b
                break
        if twin >= 0:
            weight[twin] += weight[a]
        else:
            mark[kept], weight[kept] = mark[a], weight[a]
            for s in range(t if kept < a else 0):
                table[kept, s] = table[a, s]
            kept += 1
    return table[:kept], weight[:kept]


@njit(cache=True, nogil=True)
def emit(names: I64, table: I64, weight: F64, out: tuple) -> None:
    """Writes a cluster down; tracks that are the same in all its hypotheses become clusters of their own."""
    member, member_first, log_weight, weight_first, choice, choice_first = out
    (h, t), vary = table.shape, 0
    varies = np.empty(t, np.bool_)
    for s in range(t):
        varies[s] = False
        for a in range(1, h):
            varies[s] |= table[a, s] != table[0, s]
        vary += 1 if varies[s] else 0
        if not varies[s] and table[0, s] >= 0:
            member.append(names[s])
            choice.append(table[0, s])
            log_weight.append(0.0)
            member_first.append(len(member))
            weight_first.append(len(log_weight))
            choice_first.append(len(choice))
    if vary > 0:
        for s in range(t):
            if varies[s]:
                member.append(names[s])
        for a in range(h):
            log_weight.append(np.log(weight[a]))
            for s in range(t):
                if varies[s]:
                    choice.append(table[a, s])
        member_first.append(len(member))
        weight_first.append(len(log_weight))
        choice_first.append(len(choice))


@njit(cache=True, nogil=True)
def joined(one: I64, two: list[int], shift: int) -> I64:
    """Array and list end to end; what is not negative in the list is shifted."""
    out = np.empty(len(one) + len(two), np.int64)
    out[: len(one)] = one
    for i in range(len(two)):
        out[len(one) + i] = two[i] + shift if two[i] >= 0 else two[i]
    return out


@njit(cache=True, nogil=True)
def joined_floats(one: F64, two: list[float]) -> F64:
    """The same for floats."""
    out = np.empty(len(one) + len(two))
    out[: len(one)] = one
    for i in range(len(two)):
        out[len(one) + i] = two[i]
    return out
