"""Which sensor sees which track, after one of them has looked. Axes: n tracks, h = n + m tracks together with those
that may begin, l local hypotheses, s sensors. Refuses nothing."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.lives import Chances, Told

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


class Seeing(NamedTuple):
    """Before the look."""

    asked: bool  # if not, every sensor sees whatever is in its coverage
    before: F64  # (n, s) probability that each sensor sees each track; its own column is this sensor's last
    mine: int  # this sensor's column
    seen: F64  # (n,) probability that this sensor sees each track
    p_seen: F64  # (l,) with which it detects each local hypothesis that it sees
    listens: bool  # it only listens: what it does not hear may be silent
    places: NDArray[np.bool_]  # (s,) which sensors place targets
    start: float  # probability that a sensor sees a track that another one began


@njit(cache=True, nogil=True)
def seen_after(of: Seeing, first: I64, told: Told, odds: Chances) -> F64:
    """Probability that each sensor sees each track (h, s), by Bayes' rule for this one: a plot says that it does, a
    miss that perhaps it does not. Empty (0, s) where that is not asked. first (n + 1,): where the local hypotheses of
    each track begin."""
    (n, s), h = of.before.shape, len(odds.at) if of.asked else 0
    out = np.empty((h, s))
    for i in range(h):
        for c in range(s):
            out[i, c] = of.before[i, c] if i < n else of.start
        if of.listens or i >= n:
            out[i, of.mine] = 0.0 if of.listens else 1.0
            continue
        p = of.p_seen[first[i]]
        for a in range(first[i] + 1, first[i + 1]):
            p = max(p, of.p_seen[a])
        given = min(told.assigned[i] / max(odds.existence[i], 1e-300), 1.0)
        missed = of.seen[i] * (1.0 - p) / max(1.0 - of.seen[i] * p, 1e-300)
        out[i, of.mine] = given + (1.0 - given) * missed
    return out


@njit(cache=True, nogil=True)
def placed(sees: F64, places: NDArray[np.bool_]) -> F64:
    """Probability that some sensor that places targets sees each track (h,), if it exists; 1 where there is no such
    sensor. sees (h, s)."""
    out = np.ones(len(sees))
    if places.any():
        for i in range(len(sees)):
            hidden = 1.0
            for c in range(len(places)):
                if places[c]:
                    hidden *= 1.0 - sees[i, c]
            out[i] = 1.0 - hidden
    return out
