"""Where speakers were and whether they were affected, over the last half hour: what a source is located from.
Axes: r rows, n claims.

The place of an affected speaker is not what it says: it is carried on from its last good position and velocity.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing.integrity.navigation import Navigation
from lapwing.integrity.source import SourceSettings, affected_speakers, make_looks
from lapwing.kernel.condition import OK
from lapwing.kernel.source import Looks
from lapwing.records import Array, Claims, Field
from lapwing.records.arrays import freeze_columns

SHIP_HEIGHT_M = 20.0  # of its antenna
ROOM_M = 100_000.0  # looks of somebody near a region count this much farther out too


@dataclass(frozen=True, slots=True)
class TrailSettings:
    """How often, how long, and how far around a region it is remembered."""

    step_s: float = 30.0
    hurry_s: float = 5.0  # after the last look at least, where a region is new
    keep_s: float = 1_800.0
    carry_s: float = 900.0  # an affected speaker's place is not carried on for longer
    reach_m: float = 150_000.0
    speakers_max: int = 200


@dataclass(frozen=True, slots=True)
class Trail:
    """Looks so far, oldest first."""

    key: Int64[Array, " r"]
    time_ns: Int64[Array, " r"]
    place_m: Float64[Array, "r 3"]
    affected: Int64[Array, " r"]
    stepped_ns: int

    def __post_init__(self) -> None:
        freeze_columns(self)


def start() -> Trail:
    """Nothing seen."""
    i = np.zeros(0, np.int64)
    return Trail(i, i, np.zeros((0, 3)), i, 0)


def remember(
    before: Trail,
    navigation: Navigation,
    claims: Claims,
    affected: Bool[Array, " n"],
    settings: TrailSettings,
    at_once: bool = False,
) -> Trail:
    """The trail with everybody's look at the claims' time, when one is due; what is too old is forgotten. `at_once`:
    something new is known, so that nobody waits for the next look."""
    now = claims.time_ns
    if 0 <= now - before.stepped_ns < (settings.hurry_s if at_once else settings.step_s) * 1e9:
        return before
    age_s = (now - navigation.good_ns) / 1e9
    fine = (navigation.condition == OK) & (claims.has_position > 0) & (age_s < settings.step_s)
    known = (navigation.good_ns > 0) & (fine | (affected & (age_s < settings.carry_s)))
    at = np.flatnonzero(known)
    carried = navigation.good_m[at] + age_s[at, None] * navigation.good_mps[at]
    place = np.where(fine[at, None], claims.mean[at, :2], carried)
    altitude, said_ns = claims.said(Field.ALTITUDE_BARO_M)
    height = np.where(said_ns > 0, altitude, claims.mean[:, 2])
    height = np.where(navigation.family == 1, SHIP_HEIGHT_M, np.maximum(height, 0.0))[at]
    stay = (now - before.time_ns <= settings.keep_s * 1e9) & (before.time_ns <= now)
    return Trail(
        np.concatenate([before.key[stay], navigation.key[at]]),
        np.concatenate([before.time_ns[stay], np.full(len(at), now)]),
        np.concatenate([before.place_m[stay], np.concatenate([place, height[:, None]], axis=1)]),
        np.concatenate([before.affected[stay], affected[at].astype(np.int64)]),
        now,
    )


def looks_at(
    trail: Trail, centre_m: tuple[float, float], radius_m: float, settings: tuple[TrailSettings, SourceSettings]
) -> Looks | None:
    """The looks of those near a region, the affected first; None when too few are affected, also of the looks
    that count."""
    of_trail, of_source = settings
    away = np.hypot(trail.place_m[:, 0] - centre_m[0], trail.place_m[:, 1] - centre_m[1])
    there = np.flatnonzero(away <= radius_m + of_trail.reach_m + ROOM_M)
    keys, row = np.unique(trail.key[there], return_inverse=True)
    nearest = np.full(len(keys), np.inf)
    np.minimum.at(nearest, row, away[there])
    hit = np.bincount(row, weights=trail.affected[there], minlength=len(keys)) > 0
    near = np.flatnonzero(nearest <= radius_m + of_trail.reach_m)
    order = near[np.lexsort((nearest[near], ~hit[near]))][: of_trail.speakers_max]
    if np.count_nonzero(hit[order]) < of_source.affected_min:
        return None
    chosen = np.zeros(len(keys), bool)
    chosen[order] = True
    rows, row = there[chosen[row]], row[chosen[row]]
    place, told = trail.place_m[rows], trail.affected[rows] > 0
    looks = make_looks(row, trail.time_ns[rows], place, told, of_source.looks_per_speaker)
    return looks if affected_speakers(looks) >= of_source.affected_min else None
