"""The authors' Poisson multi-Bernoulli mixture filter as a slow twin: plain NumPy, to be read and compared with, never
used in a product. Axes: b Poisson components, t tracks, g global hypotheses, m detections, d columns.

Garcia-Fernandez, Williams, Granstrom, Svensson, "Poisson multi-Bernoulli mixture filter: direct derivation and
implementation", IEEE T-AES 54(4), 2018, with the settings of the reference notes (3.1). Every track keeps all its local
hypotheses, a global hypothesis is a row that names one of each track, and each parent gets its best children by
Murty's ranking. Nothing is merged but global hypotheses that have become equal. States are x, vx, y, vy.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple, Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

Array = np.ndarray
NONE = -1  # the track is not in this global hypothesis


class Local(NamedTuple):
    """One local hypothesis of a track: a Bernoulli with a Gaussian."""

    existence: float
    mean: Array
    cov: Array


class Seen(NamedTuple):
    """What one Gaussian would be, had it given detection `row`. `weight`: p_detect times the likelihood."""

    row: int
    weight: float
    mean: Array
    cov: Array


class Sensor(Protocol):
    """A measurement model; all of it for one Gaussian."""

    def p_detect(self, mean: Array, cov: Array) -> float:
        """Expected over the Gaussian."""
        ...

    def seen(self, mean: Array, cov: Array, z: Array, fresh: bool) -> list[Seen]:
        """The detections inside the gate. `fresh`: the Gaussian is of targets that nobody has seen."""
        ...

    def clutter(self, z: Array) -> Array:
        """Its intensity at each detection."""
        ...


class Targets(Protocol):
    """How targets move, come and go."""

    def motion(self, dt_s: float) -> tuple[Array, Array]:
        """F and Q."""
        ...

    def p_survive(self, dt_s: float) -> float:
        """Probability to stay so long."""
        ...

    def births(self, dt_s: float | None) -> tuple[float, Array, Array]:
        """Expected number, mean and covariance of those that came in so long; None: of those there at the start."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What is pruned, and when a target is told."""

    hypotheses_max: int = 200
    weight_min: float = 1e-4  # of a global hypothesis
    poisson_min: float = 1e-5
    existence_min: float = 1e-5
    told_min: float = 0.4  # existence in the most probable global hypothesis


@dataclass(frozen=True, slots=True)
class State:
    """The whole mixture."""

    number: Array  # (b,)
    mean: Array  # (b, 4)
    cov: Array  # (b, 4, 4)
    tracks: tuple[tuple[Local, ...], ...] = ()
    names: tuple[int, ...] = ()  # of the tracks
    rows: Array = field(default_factory=lambda: np.zeros((1, 0), dtype=np.int64))  # (g, t) local hypothesis, or NONE
    weight: Array = field(default_factory=lambda: np.ones(1))  # (g,)
    next_name: int = 1


def run(
    scans: Iterator[tuple[float, Array]], targets: Targets, sensor: Sensor, limits: Limits
) -> Iterator[list[tuple[int, Local]]]:
    """The targets told after each scan (time in seconds, detections (m, d)), in order of time; told before pruning."""
    state, before = None, 0.0
    for time_s, z in scans:
        state = begun(targets) if state is None else predicted(state, targets, time_s - before)
        state, before = updated(state, z, sensor, limits), time_s
        yield told(state, limits)
        state = pruned(state, limits)


def begun(targets: Targets) -> State:
    """Nothing seen yet."""
    number, mean, cov = targets.births(None)
    return State(np.array([number]), mean[None], cov[None])


def predicted(state: State, targets: Targets, dt_s: float) -> State:
    """The mixture later."""
    (F, Q), stay = targets.motion(dt_s), targets.p_survive(dt_s)
    number, mean, cov = targets.births(dt_s)
    tracks = tuple(
        tuple(Local(stay * h.existence, F @ h.mean, F @ h.cov @ F.T + Q) for h in track) for track in state.tracks
    )
    return State(
        np.append(stay * state.number, number),
        np.concatenate([state.mean @ F.T, mean[None]]),
        np.concatenate([F @ state.cov @ F.T + Q, cov[None]]),
        tracks, state.names, state.rows, state.weight, state.next_name,
    )  # fmt: skip


def updated(state: State, z: Array, sensor: Sensor, limits: Limits) -> State:
    """The mixture after a scan: every detection may begin a track, every local hypothesis branches."""
    m = len(z)
    new, log_new = newborn(state, z, sensor)
    tracks, log_miss, log_seen, child = [], [], [], []
    for track in state.tracks:
        grown, misses, seen, index = branched(track, m, z, sensor)
        tracks.append(grown)
        log_miss.append(misses)
        log_seen.append(seen)
        child.append(index)
    rows, log_weight = [np.zeros((0, len(tracks) + m), dtype=np.int64)], [np.zeros(0)]
    for parent, weight in zip(state.rows, state.weight, strict=True):
        held = np.flatnonzero(parent >= 0)
        gain = np.array([log_seen[i][parent[i]] - log_miss[i][parent[i]] for i in held]).reshape(len(held), m)
        k = int(np.ceil(limits.hypotheses_max * weight))
        chosen, value = ranked(gain, log_new, k)
        of = np.full((len(chosen), len(tracks) + m), NONE, dtype=np.int64)
        for row, pick in enumerate(chosen):  # pick: for each detection the place in `held`, or NONE: it begins a track
            given = dict(zip(held[pick[pick >= 0]].tolist(), np.flatnonzero(pick >= 0).tolist(), strict=True))
            for i in held.tolist():
                of[row, i] = child[i][parent[i], given.get(i, m)]
            of[row, len(tracks) + np.flatnonzero(pick < 0)] = 0
        rows.append(of)
        log_weight.append(value + sum(log_miss[i][parent[i]] for i in held) + np.log(weight))
    total = np.concatenate(log_weight)
    weights = np.exp(total - total.max())
    names = (*state.names, *range(state.next_name, state.next_name + m))
    unseen = [sensor.p_detect(x, P) for x, P in zip(state.mean, state.cov, strict=True)]
    return State(
        state.number * (1.0 - np.array(unseen)), state.mean, state.cov, (*tracks, *((h,) for h in new)), names,
        np.concatenate(rows), weights / weights.sum(), state.next_name + m,
    )  # fmt: skip


def newborn(state: State, z: Array, sensor: Sensor) -> tuple[list[Local], Array]:
    """What each detection begins, one Gaussian of all Poisson components' moments, and its log weight."""
    m, d = len(z), state.mean.shape[1]
    number, first, second = np.zeros(m), np.zeros((m, d)), np.zeros((m, d, d))
    for w, mean, cov in zip(state.number, state.mean, state.cov, strict=True):
        for s in sensor.seen(mean, cov, z, True):
            number[s.row] += w * s.weight
            first[s.row] += w * s.weight * s.mean
            second[s.row] += w * s.weight * (s.cov + np.outer(s.mean, s.mean))
    total = number + sensor.clutter(z)
    out = []
    for n, whole, a, b in zip(number, total, first, second, strict=True):
        mean = a / n if n > 0.0 else np.zeros(d)
        out.append(Local(n / whole, mean, b / n - np.outer(mean, mean) if n > 0.0 else np.eye(d)))
    return out, np.log(total)


def branched(
    track: tuple[Local, ...], m: int, z: Array, sensor: Sensor
) -> tuple[tuple[Local, ...], Array, Array, Array]:
    """A track's new local hypotheses; log weight of a miss (j,) and of every detection (j, m) per old one; and which
    new one each becomes, (j, m + 1), the last column for a miss."""
    grown: list[Local] = []
    misses, seen = np.zeros(len(track)), np.full((len(track), m), -np.inf)
    index = np.full((len(track), m + 1), NONE, dtype=np.int64)
    for j, h in enumerate(track):
        left = h.existence * (1.0 - sensor.p_detect(h.mean, h.cov))
        misses[j] = np.log(1.0 - h.existence + left)
        index[j, m] = len(grown)
        grown.append(Local(left / (1.0 - h.existence + left), h.mean, h.cov))
        for s in sensor.seen(h.mean, h.cov, z, False):
            seen[j, s.row] = np.log(h.existence * s.weight) if h.existence * s.weight > 0.0 else -np.inf
            index[j, s.row] = len(grown)
            grown.append(Local(1.0, s.mean, s.cov))
    return tuple(grown), misses, seen, index


def ranked(gain: Array, log_new: Array, k: int) -> tuple[Array, Array]:
    """The k best ways to give m detections to t tracks (gain (t, m) in logs) or to new ones: for each detection its
    track or NONE (k, m), and the sum of logs (k,). What only a new track can have takes no part in the ranking."""
    m = len(log_new)
    asked = np.flatnonzero(np.isfinite(gain).any(axis=0))
    rest = float(log_new.sum() - log_new[asked].sum())
    if not len(asked):
        return np.full((1, m), NONE), np.array([rest])
    near = np.flatnonzero(np.isfinite(gain[:, asked]).any(axis=1))
    own = np.where(np.eye(len(asked), dtype=bool), -log_new[asked], np.inf)
    picks, costs = murty(np.concatenate([-gain[np.ix_(near, asked)].T, own], axis=1), k)
    out = np.full((len(picks), m), NONE)
    out[:, asked] = np.where(picks < len(near), np.append(near, NONE)[np.minimum(picks, len(near))], NONE)
    return out, rest - costs


def murty(cost: Array, k: int) -> tuple[Array, Array]:
    """The k cheapest assignments of all rows to different columns, cheapest first: columns (k, rows) and costs (k,).
    Fewer where there are fewer. Murty, Operations Research 16(3), 1968. Infinite cost: not allowed."""
    heap: list[tuple[float, int, Array, Array, int]] = []
    count = 0

    def offer(table: Array, fixed: int) -> None:
        nonlocal count
        try:
            pick = linear_sum_assignment(table)[1]
        except ValueError:  # not feasible
            return
        count += 1
        heappush(heap, (float(table[np.arange(len(table)), pick].sum()), count, pick, table, fixed))

    offer(cost, 0)
    picks: list[Array] = []
    costs: list[float] = []
    while heap and len(picks) < k:
        value, _, pick, table, fixed = heappop(heap)
        picks.append(pick)
        costs.append(value)
        if len(picks) == k:
            break
        narrowed = table
        for row in range(fixed, len(cost)):
            without = narrowed.copy()
            without[row, pick[row]] = np.inf
            offer(without, row)
            narrowed = narrowed.copy()
            kept = narrowed[row, pick[row]]
            narrowed[row], narrowed[:, pick[row]] = np.inf, np.inf
            narrowed[row, pick[row]] = kept
    return np.array(picks), np.array(costs)


def told(state: State, limits: Limits) -> list[tuple[int, Local]]:
    """Estimator 1: name and Gaussian of those that exist in the most probable global hypothesis."""
    best = state.rows[int(state.weight.argmax())]
    held = [(name, track[j]) for name, track, j in zip(state.names, state.tracks, best, strict=True) if j >= 0]
    return [(name, h) for name, h in held if h.existence > limits.told_min]


def pruned(state: State, limits: Limits) -> State:
    """Without what hardly counts: global hypotheses, Bernoullis, Poisson components; equal rows become one."""
    order = np.argsort(-state.weight, kind="stable")[: limits.hypotheses_max]
    order = order[state.weight[order] > limits.weight_min]
    rows, weight = state.rows[order].copy(), state.weight[order]
    for i, track in enumerate(state.tracks):
        weak = np.array([h.existence < limits.existence_min for h in track])
        rows[(rows[:, i] >= 0) & weak[rows[:, i]], i] = NONE
    live = np.flatnonzero((rows >= 0).any(axis=0))
    rows, back = np.unique(rows[:, live], axis=0, return_inverse=True)
    weight = np.bincount(back.ravel(), weights=weight, minlength=len(rows))
    tracks = []
    for column, i in enumerate(live.tolist()):
        used = np.unique(rows[rows[:, column] >= 0, column])
        tracks.append(tuple(state.tracks[i][j] for j in used))
        rows[:, column] = np.where(rows[:, column] >= 0, np.searchsorted(used, rows[:, column]), NONE)
    stays = state.number >= limits.poisson_min
    names = tuple(state.names[i] for i in live.tolist())
    poisson = (state.number[stays], state.mean[stays], state.cov[stays])
    return State(*poisson, tuple(tracks), names, rows, weight / weight.sum(), state.next_name)
