"""What a scan says of every local hypothesis. Axes: n tracks, l local hypotheses (contiguous by track), m detections,
k gated pairs by local hypothesis. Refuses nothing."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.beliefs import beginnings, edges
from lapwing.kernel.hypotheses import Evidence
from lapwing.kernel.marginals import marginals

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class Before(NamedTuple):
    """Local hypotheses before the scan."""

    first: I64  # (n + 1,) of each track, and the end
    track: I64  # (l,)
    weight: F64
    existence: F64
    p_detect: F64
    seen: F64  # probability that it exists and is detected
    log_miss: F64  # log(1 - seen)


class Gated(NamedTuple):
    """Pairs inside the gate."""

    local: I64  # (k,)
    detection: I64
    log_psi: F64  # weight relative to a miss and to the detection being nobody's
    psi: F64  # its exponential, bounded
    nis: F64


class Worth(NamedTuple):
    """What is worth keeping, and how closely messages are to agree."""

    edge_min: float  # marginal probability of a track and a detection
    log_psi_min: float
    tolerance: float
    sweeps_max: int
    probability_max: float


@njit(cache=True, nogil=True)
def weighed_up(before: Before, pairs: Gated, r_new: F64, worth: Worth) -> tuple[Evidence, I64]:
    """The evidence, marginal probabilities by belief propagation included, of the pairs probable enough to matter; and
    which pairs these are. r_new (m,) is the existence of a target that a detection would begin."""
    n, ls, k, m = len(before.first) - 1, len(before.track), len(pairs.local), len(r_new)
    missed, r_miss, p_miss = np.empty(ls), np.empty(ls), np.empty(ls)
    for a in range(ls):
        missed[a] = before.weight[a] * (1.0 - before.seen[a])
        gone = before.existence[a] * (1.0 - before.p_detect[a]) / (1.0 - before.seen[a])
        r_miss[a] = min(gone, worth.probability_max)
    first = beginnings(pairs.local, ls)
    track, detection, weight, edge, none = edges(
        before.first, first, pairs.detection, pairs.psi, missed, before.weight, m
    )
    p, p_none, p_new = marginals(weight, track, detection, n, m, worth.tolerance, worth.sweeps_max)
    for a in range(ls):
        i = before.track[a]
        p_miss[a] = missed[a] * (p_none[i] / max(none[i], 1e-300))
    rows, plot, log_psi, p_pair = np.empty(k, np.int64), np.empty(k, np.int64), np.empty(k), np.empty(k)
    kept, pair_first = 0, np.zeros(ls + 1, np.int64)
    for a in range(ls):
        for e in range(first[a], first[a + 1]):
            if p[edge[e]] >= worth.edge_min and pairs.log_psi[e] > worth.log_psi_min:
                share = missed[a] * pairs.psi[e] / max(weight[edge[e]] * none[before.track[a]], 1e-300)
                rows[kept], plot[kept], log_psi[kept] = e, pairs.detection[e], pairs.log_psi[e]
                p_pair[kept] = p[edge[e]] * share
                kept += 1
        pair_first[a + 1] = kept
    said = Evidence(
        before.first,
        before.log_miss,
        r_miss,
        p_miss,
        pair_first,
        plot[:kept],
        log_psi[:kept],
        p_pair[:kept],
        r_new,
        p_new,
    )
    return said, rows[:kept]
