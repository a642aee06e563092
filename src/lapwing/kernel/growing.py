"""What becomes of tracks: local hypotheses worked out after a scan, and what they say of each track. Axes: l local
hypotheses, M modes, p parts of mixtures, h tracks together with those that may begin, t of them worked out, a of them
that live on. Refuses covariances that are not finite."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.assignment import falling
from lapwing.kernel.beliefs import keep, match, merge, moment, staying
from lapwing.kernel.correction import copy_row, parts, sound_rows
from lapwing.kernel.gaussian import make_positive
from lapwing.kernel.hypotheses import Branches, Forest
from lapwing.kernel.lives import Chances
from lapwing.kernel.manoeuvre import matched
from lapwing.kernel.weighing import Gains

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Belief = tuple[F64, F64, F64]


@njit(cache=True, nogil=True)
def _parts_of(branches: Branches, child: I64, place: I64, seen: I64) -> tuple[I64, I64, I64, I64]:
    """The parts of the chosen children: which, local hypothesis, pair as it was gated, and row (`parts`)."""
    if len(branches.part_child) == len(place):  # each has one, for each has some
        chosen = child
    else:
        chosen, k = np.empty(len(branches.part_child), np.int64), 0
        for p in range(len(branches.part_child)):
            if place[branches.part_child[p]] >= 0:
                chosen[k] = p
                k += 1
        chosen = chosen[:k]
    local, pair = np.empty(len(chosen), np.int64), np.full(len(chosen), -1, np.int64)
    row = np.empty(len(chosen), np.int64)
    for n in range(len(chosen)):
        local[n], row[n] = branches.part_local[chosen[n]], branches.part_pair[chosen[n]]
        if local[n] >= 0 and row[n] >= 0:
            pair[n] = seen[row[n]]
    return chosen, local, pair, row


@njit(cache=True, nogil=True)
def _mixed(branches: Branches, chosen: I64, place: I64, belief: Belief, count: int) -> Belief:
    """Parts made one Gaussian per child and mode."""
    w, mean, cov = belief
    M = w.shape[1]
    group, share = np.empty(len(chosen) * M, np.int64), np.empty(len(chosen) * M)
    for n in range(len(chosen)):
        for j in range(M):
            group[n * M + j] = place[branches.part_child[chosen[n]]] * M + j
            share[n * M + j] = branches.part_weight[chosen[n]] * w[n, j]
    flat = mean.reshape((-1, 6)), cov.reshape((-1, 6, 6))
    total, x, P = match(group, share, *flat, count * M)
    w = total.reshape((count, M))
    for e in range(count):
        every = 0.0
        for j in range(M):
            every += w[e, j]
        for j in range(M):
            w[e, j] = w[e, j] / every if every > 0.0 else 1.0 / M
    return w, x.reshape((count, M, 6)), P.reshape((count, M, 6, 6))


@njit(cache=True, nogil=True)
def grown(
    branches: Branches,
    sure: NDArray[np.bool_],
    beliefs: tuple[Belief, Belief],
    pairs: tuple[I64, Gains],
    only_ground: bool,
    bounds: tuple[float, float, float],
) -> tuple[Belief, tuple[I64, I64, I64]]:
    """The Gaussians that the branches chose for the tracks that are `sure` (h,): each missed, corrected by a detection,
    begun by one, or a mixture of such parts, made sound (`sound_rows`) and positive definite; and which they are
    (`staying`). beliefs = (of local hypotheses, of what each detection begins), pairs = (their rows of the gains, the
    gains); the rest as of `parts`. Raises ValueError where a covariance is not finite."""
    (seen, gains), (child, place, first) = pairs, staying(branches.child_track, sure)
    chosen, local, pair, row = _parts_of(branches, child, place, seen)
    w, mean, cov = parts(beliefs[0], beliefs[1], (local, pair, row), gains, only_ground)
    if len(branches.part_child) > len(place):
        w, mean, cov = _mixed(branches, chosen, place, (w, mean, cov), len(child))
    flat, full = mean.reshape((-1, 6)), cov.reshape((-1, 6, 6))
    good = sound_rows(flat, full, bounds)
    for e in range(len(good)):
        if not good[e]:
            make_positive(full[e : e + 1])
            sound_rows(flat[e : e + 1], full[e : e + 1], bounds)
            if not np.isfinite(full[e]).all():
                raise ValueError("a covariance in the tracker's state is not finite")
    return (w, mean, cov), (child, place, first)


class Left(NamedTuple):
    """Local hypotheses after a scan, and their forest."""

    forest: Forest
    track: I64
    existence: F64
    weight: F64
    plain: tuple[F64, F64]  # mean and covariance over the modes; of one mode, in the memory of that one's
    modes: Belief


class Keeping(NamedTuple):
    """Which of the sure tracks live on: no vague ghost, and the surest where there are too many."""

    coast_existence: float  # below it a track that is vague is a ghost
    ghost_sigma_m: float
    lost_sigma_m: float  # any track vaguer than this is lost
    tracks_max: int
    merge_d2: float  # of a track, local hypotheses nearer than this become one (`merge`)


@njit(cache=True, nogil=True)
def _alive(sure: NDArray[np.bool_], existence: F64, own_m: F64, keeping: Keeping) -> NDArray[np.bool_]:
    """Which tracks (h,) live on; own_m (t,) is how vaguely the sure ones are known."""
    alive, k, kept = np.zeros(len(sure), np.bool_), 0, 0
    for i in range(len(sure)):
        if sure[i]:
            ghost = existence[i] < keeping.coast_existence and own_m[k] > keeping.ghost_sigma_m
            alive[i] = not ghost and own_m[k] <= keeping.lost_sigma_m
            kept += 1 if alive[i] else 0
            k += 1
    if kept > keeping.tracks_max:
        for i in falling(np.where(alive, existence, -1.0))[keeping.tracks_max :]:
            alive[i] = False
    return alive


@njit(cache=True, nogil=True)
def survivors(
    forest: Forest,
    child_track: I64,
    alive: NDArray[np.bool_],
    of: tuple[I64, F64, F64],
    belief: tuple[F64, F64, F64],
    merge_d2: float,
) -> tuple[Forest, I64, I64, F64, F64]:
    """The forest of the tracks that are `alive` (h,), with local hypotheses that say nearly the same made one (`merge`,
    in place), and of each that is left: its row, the row of its track, existence and weight. of = (child, existence,
    weight) of each local hypothesis (l,), belief as of `merge`."""
    child, existence, weight = of
    row, k = np.empty(len(alive), np.int64), 0
    for i in range(len(alive)):
        k += 1 if alive[i] else 0
        row[i] = k - 1
    track, stays, k = np.empty(len(child), np.int64), np.empty(len(child), np.int64), 0
    for s in range(len(child)):
        track[s] = child_track[child[s]]
        if alive[track[s]]:
            stays[k] = s
            k += 1
    stays = stays[:k]
    r, w = existence.copy(), weight.copy()
    into = merge(track, stays, r, w, belief, merge_d2)
    local, place, rows, k = np.full(len(child_track), -1, np.int64), np.empty(k, np.int64), np.empty(k, np.int64), 0
    for s in range(len(stays)):
        if into[s] == s:
            rows[k] = stays[s]
            k += 1
        place[s] = k - 1
    for s in range(len(stays)):
        local[child[stays[s]]] = place[into[s]]
    rows = rows[:k].copy()
    return keep(forest, alive, row, local), rows, row[track[rows]], r[rows], w[rows]


@njit(cache=True, nogil=True)
def _compact(belief: Belief, chosen: I64) -> Belief:
    """The chosen rows, which rise, moved to the front."""
    w, mean, cov = belief
    for k in range(len(chosen)):
        if chosen[k] != k:
            copy_row(belief, chosen[k], w[k], mean[k], cov[k])
    return w[: len(chosen)], mean[: len(chosen)], cov[: len(chosen)]


@njit(cache=True, nogil=True)
def settled(
    branches: Branches,
    odds: Chances,
    lived: tuple[F64, NDArray[np.bool_]],
    which: tuple[I64, I64, I64],
    belief: Belief,
    keeping: Keeping,
) -> tuple[NDArray[np.bool_], F64, tuple[F64, F64], Left]:
    """Which tracks (h,) live on; the existence of those that do not though something is left of them; of those that do
    means (a, 6) and covariances (a, 6, 6), from all of their local hypotheses (`moment`) about the one where each
    stands; and the local hypotheses that are left (belief is worked on in place). lived = (existence of each
    track, which are sure), which = (child, place, first) and belief as of `grown`."""
    (child, place, first), (w, mean, cov), (existence, sure) = which, belief, lived
    weight, r, there = np.empty(len(child)), np.empty(len(child)), np.empty(len(child))
    for s in range(len(child)):
        weight[s], r[s] = odds.weight[child[s]], branches.child_r[child[s]]
        there[s] = weight[s] * r[s]
    if w.shape[1] == 1:
        middle, spread = mean.reshape((-1, 6)), cov.reshape((-1, 6, 6))
    else:
        middle, spread = matched(w, mean, cov, False)
    seat, own_m, k = np.empty(len(first) - 1, np.int64), np.empty(len(first) - 1), 0
    for i in range(len(sure)):
        if sure[i]:
            seat[k] = place[odds.at[i]]
            own_m[k] = np.sqrt(spread[seat[k], 0, 0] + spread[seat[k], 1, 1])
            k += 1
    alive, gone, lost = _alive(sure, existence, own_m, keeping), np.empty(len(sure)), 0
    x, P, work, k, t = np.empty((len(seat), 6)), np.empty((len(seat), 6, 6)), np.empty(6), 0, 0
    for i in range(len(sure)):
        if alive[i]:
            moment(seat[t], first[t], first[t + 1], there, (middle, spread), (x[k], P[k]), work)
            k += 1
        elif odds.at[i] >= 0:
            gone[lost] = existence[i]
            lost += 1
        t += 1 if sure[i] else 0
    of = child, r, weight
    forest, chosen, track, r, weight = survivors(
        branches.forest, branches.child_track, alive, of, belief, keeping.merge_d2
    )
    w, mean, cov = _compact(belief, chosen)
    plain = (mean.reshape((-1, 6)), cov.reshape((-1, 6, 6))) if w.shape[1] == 1 else matched(w, mean, cov, False)
    left = Left(forest, track, r, weight, plain, (w, mean, cov))
    return alive, gone[:lost].copy(), (x[:k].copy(), P[:k].copy()), left
