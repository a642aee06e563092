"""The best ways to pair tracks with detections, in order. Axes: t tracks, d detections, g parents, h results.

Each parent is a table of costs: cost[t, j] of giving detection j to track t, inf = impossible; giving it none costs 0.
Hungarian prices (shortest augmenting paths) turn costs into reduced costs, which are never negative and vanish along
the best pairing. What a partial pairing has lost already bounds all its completions from below, so a depth-first walk
that leaves a branch as soon as it has lost too much finds exactly the pairings above the floor. Refuses nothing; the
walk ends after `nodes_max` steps, and says so. What it has not reached by then is lost, but never the best pairing of a
parent above the floor: that one is known from the prices. So there is always at least one result.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
FAR = 1e15  # stands for infinity in sums
SORT_FEW = 40  # up to so many values are sorted by insertion


@njit(cache=True, nogil=True)
def falling(values: F64) -> I64:
    """The places of the values from the largest down, equal ones as they come."""
    n = len(values)
    if n > SORT_FEW:
        return np.argsort(-values, kind="mergesort")
    order = np.empty(n, np.int64)
    for s in range(n):
        t = s
        while t > 0 and values[order[t - 1]] < values[s]:
            order[t] = order[t - 1]
            t -= 1
        order[t] = s
    return order


@njit(cache=True, nogil=True)
def prices(cost: F64) -> tuple[F64, F64, float]:
    """Potentials u (t,), v (c,) with u + v <= cost, equal along the cheapest full assignment of rows, and its cost.
    cost (t, c), c >= t, finite."""
    n, m = cost.shape
    u, v = np.zeros(n + 1), np.zeros(m + 1)
    work = np.zeros((3, m + 1), np.int64), np.empty(m + 1)
    total = _priced(cost, u, v, work)
    return u[1:], v[1:], total


@njit(cache=True, nogil=True)
def _priced(cost: F64, u: F64, v: F64, work: tuple[I64, F64]) -> float:
    """`prices` into u (t + 1,), v (c + 1,), which are zero, from their second place on; work is scratch (3, c + 1) and
    (c + 1,)."""
    (row_of, way, used), least = work[0], work[1]
    n, m = cost.shape
    row_of[:] = 0
    for i in range(1, n + 1):
        least_j, free = 1, np.inf
        for j in range(1, m + 1):
            if cost[i - 1, j - 1] - v[j] < free:
                least_j, free = j, cost[i - 1, j - 1] - v[j]
        if row_of[least_j] == 0:  # nobody else has it: what the walk below would find at once
            u[i], row_of[least_j] = free, i
            continue
        row_of[0] = i
        j0 = 0
        for j in range(m + 1):
            least[j], used[j] = np.inf, 0
        while True:
            used[j0] = 1
            i0, delta, j1 = row_of[j0], np.inf, 0
            for j in range(1, m + 1):
                if used[j] == 0:
                    now = cost[i0 - 1, j - 1] - u[i0] - v[j]
                    if now < least[j]:
                        least[j], way[j] = now, j0
                    if least[j] < delta:
                        delta, j1 = least[j], j
            for j in range(m + 1):
                if used[j] == 1:
                    u[row_of[j]] += delta
                    v[j] -= delta
                else:
                    least[j] -= delta
            j0 = j1
            if row_of[j0] == 0:
                break
        while j0 != 0:
            j1 = way[j0]
            row_of[j0] = row_of[j1]
            j0 = j1
    total = 0.0
    for j in range(1, m + 1):
        if row_of[j] > 0:
            total += cost[row_of[j] - 1, j - 1]
    return total


@njit(cache=True, nogil=True)
def _keep_best(score: F64, parent: I64, choice: I64, count: int, k: int) -> int:
    """Moves the k best of the first `count` results to the front, best first; how many there are."""
    order = falling(score[:count])[:k]
    score[: len(order)] = score[:count][order]
    parent[: len(order)] = parent[:count][order]
    choice[: len(order)] = choice[:count][order]
    return len(order)


@njit(cache=True, nogil=True)
def _walk(
    cost: F64,
    u: F64,
    v: F64,
    parent_score: tuple[int, float, float],
    k: int,
    store: tuple[F64, I64, I64],
    work: tuple[I64, I64, I64, F64],
    count: int,
    nodes_max: int,
) -> tuple[int, float, int]:
    """All pairings of one parent that score at least the floor, into the store: results so far, floor, nodes left. work
    is scratch (d,), (t,), (t,) and (t + 1,)."""
    g, top, floor = parent_score
    (score, parent, choice), (taken, held, at, lost) = store, work
    n, d = cost.shape[0], cost.shape[1] - cost.shape[0]
    taken[:], held[:], lost[0] = 0, 0, 0.0
    at[:] = -2  # option of each track: -1 none, else a detection; -2 not begun
    t = 0
    while t >= 0 and nodes_max > 0:
        if t == n:
            rest = top - lost[n]
            for j in range(d):
                if taken[j] == 0:
                    rest += v[j]
            if rest >= floor:
                score[count], parent[count] = rest, g
                for a in range(n):
                    choice[count, a] = at[a]
                count += 1
                if count == len(score):
                    count = _keep_best(score, parent, choice, count, k)
                    floor = max(floor, score[count - 1])
            t -= 1
            continue
        if held[t] == 1:
            taken[at[t]] = held[t] = 0
        at[t] += 1
        j = at[t]
        if j >= d:
            at[t] = -2
            t -= 1
            continue
        if j >= 0 and (taken[j] == 1 or cost[t, j] >= FAR):
            continue
        nodes_max -= 1
        column = d + t if j < 0 else j
        loss = lost[t] + cost[t, column] - u[t] - v[column]
        if top - loss < floor:
            continue
        if j >= 0:
            taken[j] = held[t] = 1
        lost[t + 1] = loss
        t += 1
    return count, floor, nodes_max


@njit(cache=True, nogil=True)
def _with_cheapest(cost: F64, top: F64, floor: float, k: int, store: tuple[F64, I64, I64], count: int) -> int:
    """The store with the best pairing of every parent whose best score `top` is not below the floor, of the best parent
    in any case; what is there already is not added again. How many results."""
    (score, parent, choice), (_, n, c) = store, cost.shape
    scratch = np.empty((3, c + 1), np.int64), np.empty(c + 1)
    for g in falling(top):
        if count > 0 and top[g] < floor:
            break
        _priced(cost[g], np.zeros(n + 1), np.zeros(c + 1), scratch)
        own = np.full(n, -1, np.int64)
        for j in range(c - n):
            if scratch[0][0, j + 1] > 0:
                own[scratch[0][0, j + 1] - 1] = j
        known = False
        for s in range(count):
            known |= parent[s] == g and bool(np.all(choice[s] == own))
        if known:
            continue
        score[count], parent[count], choice[count] = top[g], g, own
        count += 1
        if count == len(score):
            count = _keep_best(score, parent, choice, count, k)
            floor = max(floor, score[count - 1])
    return count


@njit(cache=True, nogil=True)
def k_best(cost: F64, before: F64, k: int, log_range: float, nodes_max: int) -> tuple[F64, I64, I64, bool]:
    """The k best pairings over all parents, no worse than log_range below the best: log weight (h,), parent (h,),
    detection of each track or -1 (h, t), best first; and whether nodes_max cut the search short. The best of all is
    always among them: k >= 1 and g >= 1 give h >= 1.

    cost (g, t, d + t): the last t columns are each track's own "none"; before (g,) the parents' log weights."""
    parents, n, c = cost.shape
    u, v, top = np.zeros((parents, n + 1)), np.zeros((parents, c + 1)), before.copy()
    scratch = np.empty((3, c + 1), np.int64), np.empty(c + 1)
    for g in range(parents):
        top[g] -= _priced(cost[g], u[g], v[g], scratch)
    room = 2 * k + 2
    store = (np.empty(room), np.empty(room, np.int64), np.empty((room, n), np.int64))
    count, floor = 0, float(np.max(top)) - log_range - 1e-9
    work = np.empty(c - n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n + 1)
    for g in falling(top):
        if top[g] < floor or nodes_max <= 0:
            break
        own = (g, top[g], floor)
        count, floor, nodes_max = _walk(cost[g], u[g, 1:], v[g, 1:], own, k, store, work, count, nodes_max)
    if nodes_max <= 0 or count == 0:
        count = _with_cheapest(cost, top, floor, k, store, count)
    count = _keep_best(store[0], store[1], store[2], count, k)
    return store[0][:count], store[1][:count], store[2][:count], nodes_max <= 0
