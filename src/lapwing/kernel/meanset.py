"""The set of places that loses least: where targets are, when hypotheses disagree. Axes: n tracks, l local hypotheses,
h global hypotheses of a cluster, t its tracks, e places.

The most probable hypothesis is a mode, and errs more than a mean. States cannot simply be averaged by track, because
two hypotheses may have two targets the other way round; a set has no names. So places and hypotheses are paired anew in
each hypothesis, every place becomes the mean of what it was paired with, and both are repeated until nothing moves.
Neither step can raise the expected squared distance. This is the minimum mean OSPA estimate (Baum, Willett, Hanebeck,
"Calculating some exact MMOSPA estimates for particle distributions", abstract and introduction) for GOSPA with p = 2,
alpha = 2, and only a local minimum. Refuses to choose how many targets there are: those of the most probable
hypothesis.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.assignment import _priced
from lapwing.kernel.hypotheses import Forest

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
SWEEPS_MAX = 6
WEIGHT_MIN = 1e-3  # hypotheses less probable than this cannot move a place
STILL = 1e-8  # squared, as a share of the cut-off's square


@njit(cache=True, nogil=True)
def loss(near: F64, spread: float, r: float, x: F64, cutoff: float) -> float:
    """What pairing a place with a Bernoulli of existence r, state x and variance `spread` (its trace in the plane) adds
    to the expected squared GOSPA over leaving both alone: r (min(d^2 + spread, c^2) - c^2), never positive."""
    d2 = (near[0] - x[0]) ** 2 + (near[1] - x[1]) ** 2 + spread
    return float(r * (min(d2, cutoff * cutoff) - cutoff * cutoff))


@njit(cache=True, nogil=True)
def _settled(
    choice: I64, weight: F64, beliefs: tuple[F64, F64, F64], own: I64, cutoff: float, x: F64, sums: tuple[F64, F64]
) -> None:
    """Moves the places x (e, 6) of one cluster, which begin at its local hypotheses `own`, to the means of what they
    are paired with; beliefs = (r, mean, spread) of all local hypotheses, sums is scratch (e,), (e, 6)."""
    (r, mean, spread), (total, sum_x), (h, t), e = beliefs, sums, choice.shape, len(own)
    cost, u, v = np.zeros((e, t + e)), np.zeros(e + 1), np.zeros(t + e + 1)
    work = np.zeros((3, t + e + 1), np.int64), np.empty(t + e + 1)
    for i in range(e):
        x[i] = mean[own[i]]
    for _ in range(SWEEPS_MAX):
        total[:], sum_x[:] = 0.0, 0.0
        for g in range(h):
            if weight[g] < WEIGHT_MIN:
                continue
            for i in range(e):
                for s in range(t):
                    k = choice[g, s]
                    cost[i, s] = loss(x[i], spread[k], r[k], mean[k], cutoff) if k >= 0 else 0.0
            u[:], v[:] = 0.0, 0.0
            _priced(cost, u, v, work)
            for s in range(t):
                i = work[0][0, s + 1] - 1
                if i >= 0 and cost[i, s] < 0.0:
                    there = weight[g] * r[choice[g, s]]
                    total[i] += there
                    for a in range(6):
                        sum_x[i, a] += there * mean[choice[g, s], a]
        moved = 0.0
        for i in range(e):
            if total[i] > 0.0:
                moved = max(moved, (sum_x[i, 0] / total[i] - x[i, 0]) ** 2 + (sum_x[i, 1] / total[i] - x[i, 1]) ** 2)
                for a in range(6):
                    x[i, a] = sum_x[i, a] / total[i]
        if moved < STILL * cutoff * cutoff:
            break


@njit(cache=True, nogil=True)
def mean_sets(forest: Forest, n: int, beliefs: tuple[F64, F64, F64], existence_min: float, cutoff: float) -> F64:
    """States (n, 6) of the tracks that are in their cluster's most probable hypothesis with an existence of at least
    existence_min, moved so that all hypotheses are served best; the rows of other tracks are NaN. beliefs = (r (l,),
    mean (l, 6), spread (l,)); cutoff > 0 in metres, that of GOSPA."""
    r, mean, _ = beliefs
    out = np.full((n, 6), np.nan)
    for a in range(len(forest.member_first) - 1):
        lo, t = forest.member_first[a], forest.member_first[a + 1] - forest.member_first[a]
        log_weight = forest.log_weight[forest.weight_first[a] : forest.weight_first[a + 1]]
        at, best = forest.choice_first[a], np.argmax(log_weight)
        own, who, e = np.empty(t, np.int64), np.empty(t, np.int64), 0
        for s in range(t):
            k = forest.choice[at + best * t + s]
            if k >= 0 and r[k] >= existence_min:
                own[e], who[e] = k, forest.member[lo + s]
                e += 1
        if e and len(log_weight) == 1:
            for i in range(e):
                out[who[i]] = mean[own[i]]
        elif e:
            choice, x = forest.choice[at : at + len(log_weight) * t].reshape((len(log_weight), t)), np.empty((e, 6))
            sums = np.empty(e), np.empty((e, 6))
            _settled(choice, np.exp(log_weight), beliefs, own[:e], cutoff, x, sums)
            for i in range(e):
                out[who[i]] = x[i]
    return out
