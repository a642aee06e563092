"""Counts over a run: who was tracked by whom, and for how long. Axes: n truths, m tracks.

SIAP-like (completeness, ambiguity, spuriousness, position error, rate of identity changes, longest segment) lets
several tracks stand for one truth; CLEAR-MOT-like (misses, false tracks, identity switches, fragmentation, mostly
tracked / lost) pairs one to one and keeps a pair as long as it holds. Refuses nothing; a run without truth has NaN-free
zeros.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from lapwing_lab.score.distances import distances, pairs_within
from lapwing_lab.score.looks import Look


@dataclass(frozen=True, slots=True)
class Siap:
    """Means over the run. `position_error_m` is the root mean square of the nearest track of each tracked truth."""

    completeness: float
    ambiguity: float
    spuriousness: float
    position_error_m: float
    id_change_rate_hz: float
    longest_segment: float


@dataclass(frozen=True, slots=True)
class Clear:
    """Counts, one to one. `mota` = 1 - (misses + false + switches) / truths; `motp_m` is the mean distance of pairs;
    `track_life` the mean share of a truth's life that its longest-serving track held it."""

    truths: int
    misses: int
    false: int
    id_switches: int
    fragmentations: int
    mostly_tracked: int
    mostly_lost: int
    targets: int
    mota: float
    motp_m: float
    track_life: float


def siap(looks: Sequence[Look], gate_m: float, dims: int = 2) -> Siap:
    """SIAP measures with every track standing for its nearest truth within the gate."""
    truths = tracked = standing = spurious = tracks = 0
    errors: list[float] = []
    names: dict[int, list[int]] = defaultdict(list)
    lives: dict[int, int] = defaultdict(int)
    for look in looks:
        x, y = look.points(dims)
        ids = look.track_id[look.judged(dims)]
        truths, tracks = truths + len(x), tracks + len(y)
        for i in look.truth_id[look.counts]:
            lives[int(i)] += 1
        if len(x) == 0 or len(y) == 0:
            spurious += len(y)
            continue
        distance = distances(x, y)
        nearest = distance.argmin(axis=0)
        close = distance.min(axis=0) < gate_m
        spurious += int((~close).sum())
        standing += int(close.sum())
        held = np.unique(nearest[close])
        tracked += len(held)
        who = look.truth_id[look.counts]
        for i in held:
            mine = np.flatnonzero(close & (nearest == i))
            best = int(mine[distance[i, mine].argmin()])
            errors.append(float(distance[i, best]))
            names[int(who[i])].append(int(ids[best]))
    changes = sum(int(np.count_nonzero(np.diff(row))) for row in names.values())
    held_s = max(_duration_s(looks) * tracked / max(truths, 1) * max(len(lives), 1), 1e-9)
    longest = [max(np.unique(names[i], return_counts=True)[1], default=0) / n if i in names else 0.0
               for i, n in lives.items()]  # fmt: skip
    return Siap(
        tracked / max(truths, 1),
        standing / max(tracked, 1),
        spurious / max(tracks, 1),
        float(np.sqrt(np.mean(np.square(errors)))) if errors else 0.0,
        changes / held_s,
        float(np.mean(longest)) if longest else 0.0,
    )


def _duration_s(looks: Sequence[Look]) -> float:
    return (looks[-1].time_ns - looks[0].time_ns) * 1e-9 if len(looks) > 1 else 0.0


@dataclass
class _Memory:
    """Who held each truth last, and the history of each."""

    now: dict[int, int] = field(default_factory=dict)  # truth -> track, at the last look
    last: dict[int, int] = field(default_factory=dict)  # truth -> track, whenever
    history: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # -1 = missed


def clear(looks: Sequence[Look], gate_m: float, dims: int = 2) -> Clear:
    """CLEAR-MOT-like counts: a pair that still is within the gate stays; the rest is assigned optimally."""
    memory = _Memory()
    misses = false = switches = truths = 0
    apart: list[float] = []
    for look in looks:
        x, y = look.points(dims)
        who, ids = look.truth_id[look.counts], look.track_id[look.judged(dims)]
        distance = distances(x, y)
        pairs = _paired(who.tolist(), ids.tolist(), distance, memory.now, gate_m)
        truths, misses, false = truths + len(x), misses + len(x) - len(pairs), false + len(y) - len(pairs)
        for i, j in pairs:
            truth, track = int(who[i]), int(ids[j])
            switches += memory.last.get(truth, track) != track
            memory.last[truth] = track
            apart.append(float(distance[i, j]))
        memory.now = {int(who[i]): int(ids[j]) for i, j in pairs}
        for truth in who.tolist():
            memory.history[truth].append(memory.now.get(truth, -1))
    lives = [np.array(row) for row in memory.history.values()]
    shares = [float((row >= 0).mean()) for row in lives]
    return Clear(
        truths,
        misses,
        false,
        switches,
        sum(_gaps(row >= 0) for row in lives),
        sum(s >= 0.8 for s in shares),
        sum(s <= 0.2 for s in shares),
        len(lives),
        1.0 - (misses + false + switches) / max(truths, 1),
        float(np.mean(apart)) if apart else 0.0,
        float(np.mean([_longest(row) for row in lives])) if lives else 0.0,
    )


def _paired(
    who: list[int], ids: list[int], distance: np.ndarray, before: dict[int, int], gate_m: float
) -> list[tuple[int, int]]:
    at = {track: j for j, track in enumerate(ids)}
    kept = [(i, at[before[w]]) for i, w in enumerate(who) if before.get(w) in at]
    kept = [(i, j) for i, j in kept if distance[i, j] < gate_m]
    rest = distance.copy()
    rest[[i for i, _ in kept], :] = np.inf
    rest[:, [j for _, j in kept]] = np.inf
    i, j = pairs_within(rest, gate_m, 2.0)
    return kept + list(zip(i.tolist(), j.tolist(), strict=True))


def _gaps(held: np.ndarray) -> int:
    """Interruptions: how often a truth that was held is lost and found again."""
    runs = int(np.count_nonzero(np.diff(np.concatenate([[0], held.astype(int)])) == 1))
    return max(runs - 1, 0)


def _longest(row: np.ndarray) -> float:
    named = row[row >= 0]
    return float(np.unique(named, return_counts=True)[1].max() / len(row)) if len(named) else 0.0
