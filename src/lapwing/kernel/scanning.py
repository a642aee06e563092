"""One scan, from pairs weighed to tracks told, in one piece: what calls from Python and back cost a small scan is as
much as its work. The parts are elsewhere. Axes: n tracks, l local hypotheses, m detections, k pairs, a tracks that live
on. Refuses covariances that are not finite."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.branching import branch
from lapwing.kernel.evidence import Before, Gated, Worth, weighed_up
from lapwing.kernel.growing import Belief, Keeping, Left, grown, settled
from lapwing.kernel.hypotheses import Forest, Limits
from lapwing.kernel.lives import Look, Past, Rows, Rules, lives, rows
from lapwing.kernel.seeing import Seeing, placed, seen_after
from lapwing.kernel.telling import told
from lapwing.kernel.weighing import Gains

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class Known(NamedTuple):
    """Tracks before the scan, predicted to its end. The parts are given as plain tuples: to hand over a named one takes
    longer than some of the work."""

    forest: tuple[I64, I64, F64, I64, I64, I64]  # `Forest`
    before: tuple[I64, I64, F64, F64, F64, F64, F64]  # `Before`
    belief: Belief
    past: tuple[I64, I64, I64, I64, I64, I64, F64, I64, I64, F64]  # `Past`
    next_id: int


class Scanned(NamedTuple):
    """What the scan has brought, its parts as plain tuples."""

    look: tuple[int, I64, I64, I64, int, bool, bool, F64]  # `Look`
    seeing: tuple[bool, F64, int, F64, F64, bool, NDArray[np.bool_], float]  # `Seeing`
    pairs: tuple[I64, I64, F64, F64, F64]  # `Gated`
    gains: tuple[F64, F64, F64]  # `Gains` of these pairs
    new: Belief  # what each detection would begin
    r_new: F64  # (m,) probability that it is a target, if no track's
    quiet: NDArray[np.bool_]  # (l,) of which a miss says nothing, for the sensor only listens; empty: of none


class Ways(NamedTuple):
    """Settings and the sensor's way to measure, as plain numbers."""

    worth: tuple[float, float, float, int, float]  # `Worth`
    limits: tuple[int, float, float, int, int]  # `Limits`
    rules: tuple[float, float, float, float, float, float, float]  # `Rules`
    keeping: tuple[float, float, float, int, float]  # `Keeping`
    bounds_m: tuple[float, float, float]  # as of `sound_rows`
    only_ground: bool
    weight_min: float  # of associations that are told


class Outcome(NamedTuple):
    """The tracks after a scan: their rows, means (a, 6) and covariances (a, 6, 6), and local hypotheses; the existence
    of those given up, targets lost among what was pruned, and clusters cut; and of each detection (m,) the probability
    that it is no track's."""

    rows: Rows
    mean: F64
    cov: F64
    left: Left
    gone: F64
    lost: float
    cut: int
    p_new: F64


@njit(cache=True, nogil=True)
def scanned(known: Known, scan: Scanned, ways: Ways) -> Outcome:
    """The tracks after the scan."""
    forest, before, past = Forest(*known.forest), Before(*known.before), Past(*known.past)
    look, seeing, pairs = Look(*scan.look), Seeing(*scan.seeing), Gated(*scan.pairs)
    worth, rules = Worth(*ways.worth), Rules(*ways.rules)
    said, matter = weighed_up(before, pairs, scan.r_new, worth)
    for a in range(len(scan.quiet)):
        if scan.quiet[a]:
            said.log_miss[a], said.r_miss[a] = 0.0, before.existence[a]
    branches, nis = branch(forest, said, Limits(*ways.limits)), np.empty(len(matter))
    for e in range(len(matter)):
        nis[e] = pairs.nis[matter[e]]
    n, m = len(before.first) - 1, len(scan.r_new)
    odds, found = told(branches, (said.detection, nis), n, m, worth.probability_max)
    sees = seen_after(seeing, before.first, found, odds)
    life, sure = lives(past, look, found, odds, placed(sees, seeing.places), rules)
    beliefs, seen = (known.belief, scan.new), (matter, Gains(*scan.gains))
    belief, which = grown(branches, sure, beliefs, seen, ways.only_ground, ways.bounds_m)
    alive, gone, (x, P), left = settled(branches, odds, (life.existence, sure), which, belief, Keeping(*ways.keeping))
    every = rows(alive, past, life, sees, found, known.next_id, ways.weight_min)
    return Outcome(every, x, P, left, gone, branches.lost, branches.cut, said.p_new)
