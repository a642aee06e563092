"""What a track is: kinematic envelopes, agreeing claims, and a socket for more. Axes: n tracks, c kinds.

What is judged is the mean speed, the mean height and, where a radar says it, the mean radar cross section over a
track's life, once, against each kind's envelope, log-normal in all, widened by what the track does not know. Successive
states of a filter share their errors: ALIKE looks count as one, and no height as more than HEIGHTS. A filter's speed is
too small by what it does not know (E|v|^2 = |mean|^2 + trace of its covariance), so that is added back. A track with an
unmeasured height or a vague velocity stays near the prior. Declared kinds multiply as likelihoods with their own
confusion.

The envelopes are round numbers of common knowledge (legal and data-sheet limits of small drones, cruise speeds; a small
drone has some 0.01 m2 at X band, Di Vincenzo et al. 2025, a bird less, a flock in one cell as much, a car or an
aircraft a thousand times that), not fitted to any simulator. One number, the sharpness of speeds and heights, was
chosen on simulated traffic of two sorts, as different as the envelopes say (1 would be right) and more alike (2 would),
so that probabilities are within 5 % of the truth in both. Refuses to say what a track intends.
"""

from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing.kernel.geodesy import SEMI_MAJOR_M
from lapwing.records import FIELD_COLUMN, Array, Claims, Field, Integrity, Kind, Source, Tracks
from lapwing.records.arrays import freeze_columns, same_length
from lapwing.records.classes import HEIGHT_M, HEIGHT_SPREAD

SPEED_MPS_MIN, HEIGHT_M_MIN, SPREAD_MPS_MIN = 0.5, 2.0, 0.1
VAGUE_M = 1e6  # sigma of a height that nobody measured: beside any envelope, it tells no kind from another
FLICKER_DB, FLICKER_BIAS_DB = 5.57, 2.51  # Swerling 1: sigma of an exponential's decibels, and what their mean lacks
ALIKE = 5.0  # successive looks whose errors are taken for one: about the memory of the filter
HEIGHTS = 6.0  # independent looks at a height, at most: what a sensor's elevation is off by lasts


@dataclass(frozen=True, slots=True)
class Features:
    """Means over each track's life, every look weighted by how well the track knew then, sorted by track_id. A sigma is
    that of a typical look, not of the mean: looks at one track are not independent."""

    track_id: Int64[Array, " n"]
    looks: Float64[Array, " n"]
    speed_mps: Float64[Array, " n"]
    speed_sigma_mps: Float64[Array, " n"]
    height_m: Float64[Array, " n"]
    height_sigma_m: Float64[Array, " n"]
    rcs_dbsm: Float64[Array, " n"]  # mean over the looks that said it
    rcs_looks: Float64[Array, " n"]
    blades: Float64[Array, " n"]  # share of the looks that saw blades, of those that said
    blade_looks: Float64[Array, " n"]
    spread_log: Float64[Array, " n"]  # mean of the logarithm of the micro-Doppler spread, m/s
    spread_looks: Float64[Array, " n"]

    def __post_init__(self) -> None:
        same_length(self, *(f.name for f in fields(self)))
        freeze_columns(self)

    @classmethod
    def empty(cls) -> "Features":
        """No tracks."""
        f = np.zeros(0)
        return cls(np.zeros(0, dtype=np.int64), *(f.copy() for _ in range(11)))


class Told(NamedTuple):
    """One number of each of some detections that surely belong to tracks."""

    track_id: Int64[Array, " e"]
    value: Float64[Array, " e"]


class Echoes(NamedTuple):
    """What one scan's echoes say beside where they are."""

    rcs_dbsm: Told
    blades: Told
    spread_log: Told


NOTHING = Told(np.zeros(0, dtype=np.int64), np.zeros(0))
NO_ECHOES = Echoes(NOTHING, NOTHING, NOTHING)


@runtime_checkable
class Classifier(Protocol):
    """Anything that can tell kinds apart from features: the socket for a learned one."""

    def log_likelihood(self, features: Features) -> Float64[Array, "n c"]:
        """Log likelihood of each track's features under each kind, up to a constant per row."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Envelopes:
    """Medians and spreads (of the logarithm) of speed and height, in the order of Kind."""

    speed_mps: tuple[float, ...] = (25.0, 9.0, 20.0, 13.0, 110.0, 50.0, 6.0, 13.0)
    speed_spread: tuple[float, ...] = (1.5, 0.6, 0.35, 0.4, 0.55, 0.5, 0.6, 0.6)
    height_m: tuple[float, ...] = HEIGHT_M
    height_spread: tuple[float, ...] = HEIGHT_SPREAD
    rcs_dbsm: tuple[float, ...] = (-5.0, -18.0, -15.0, -25.0, 10.0, 8.0, 30.0, 10.0)
    rcs_spread_db: tuple[float, ...] = (20.0, 6.0, 7.0, 7.0, 8.0, 7.0, 12.0, 7.0)
    flocks: float = 0.3  # share of the bird tracks that are several birds in one cell, or one large one
    flock_rcs_dbsm: float = -15.0
    sharpness: float = 1.55  # of speed and height: those of one place are more alike than the envelopes are wide

    def log_likelihood(self, features: Features) -> Float64[Array, "n c"]:
        """Log-normal densities, widened by the features' own sigmas."""
        f = features
        out = np.zeros((len(f.track_id), len(Kind)))
        speed, height = np.maximum(f.speed_mps, SPEED_MPS_MIN), np.maximum(f.height_m, HEIGHT_M_MIN)
        samples = np.sqrt(np.maximum(f.looks / ALIKE, 1.0))
        for value, sigma, median, spread in (
            (speed, f.speed_sigma_mps / samples, self.speed_mps, self.speed_spread),
            (height, f.height_sigma_m / np.minimum(samples, np.sqrt(HEIGHTS)), self.height_m, self.height_spread),
        ):
            s2 = np.square(spread)[None, :] + (sigma / value)[:, None] ** 2
            out += -0.5 * (np.log(value)[:, None] - np.log(median)[None, :]) ** 2 / s2 - 0.5 * np.log(s2)
        out *= self.sharpness
        s2 = np.square(self.rcs_spread_db)[None, :] + (FLICKER_DB**2 / np.maximum(f.rcs_looks, 1.0))[:, None]
        echo = (f.rcs_dbsm + FLICKER_BIAS_DB)[:, None]
        seen = -0.5 * (echo - np.array(self.rcs_dbsm)) ** 2 / s2 - 0.5 * np.log(s2)
        flock = -0.5 * (echo - self.flock_rcs_dbsm) ** 2 / s2 - 0.5 * np.log(s2)
        one, many = np.log1p(-self.flocks) + seen[:, Kind.BIRD], np.log(self.flocks) + flock[:, Kind.BIRD]
        seen[:, Kind.BIRD] = np.logaddexp(one, many)
        return out + np.where(f.rcs_looks[:, None] > 0.0, seen, 0.0)


@dataclass(frozen=True, slots=True)
class ClassSettings:
    """How common each kind is before anything is known, in the order of Kind; how often a claim of a kind is true."""

    prior: tuple[float, ...] = (0.02, 0.12, 0.06, 0.30, 0.20, 0.02, 0.08, 0.20)
    claim_true: float = 0.97
    classifiers: tuple[Classifier, ...] = (Envelopes(),)


def observe(
    before: Features, tracks: Tracks, seen_since_ns: int, unmeasured: Bool[Array, " n"], echoes: Echoes = NO_ECHOES
) -> Features:
    """The features after a scan, of the tracks still there; those that were seen since then count once more, and what
    their `echoes` say, too. A height that is `unmeasured` says nothing."""
    order = np.argsort(tracks.track_id, kind="stable")
    ids = tracks.track_id[order]
    at = np.searchsorted(before.track_id, ids)
    at[at == len(before.track_id)] = 0
    known = before.track_id[at] == ids if len(before.track_id) else np.zeros(len(ids), dtype=bool)
    at = at[known]

    def old(column: Array) -> Array:
        out = np.zeros(len(ids))
        out[known] = column[at]
        return out

    mean, cov = tracks.mean[order], tracks.cov[order]
    spread = cov[:, 3, 3] + cov[:, 4, 4]
    height2 = np.where(unmeasured[order], VAGUE_M**2, cov[:, 2, 2])
    seen = tracks.updated_ns[order] > seen_since_ns
    looks = old(before.looks) + (seen | ~known)
    now = (
        (np.sqrt((mean[:, 3:5] ** 2).sum(axis=1) + spread), 0.5 * spread),
        (mean[:, 2] + (mean[:, 0] ** 2 + mean[:, 1] ** 2) / (2.0 * SEMI_MAJOR_M), height2),
    )
    past = ((before.speed_mps, before.speed_sigma_mps), (before.height_m, before.height_sigma_m))
    columns: list[Array] = []
    for (value, variance), (mean_before, sigma_before) in zip(now, past, strict=True):
        sigma = old(sigma_before)
        weight = np.where(known, old(before.looks) / np.maximum(sigma, 1e-3) ** 2, 0.0)  # of all looks before
        own = np.where(seen | ~known, 1.0 / np.maximum(variance, 1e-6), 0.0)
        total = weight + own
        columns += [(weight * old(mean_before) + own * value) / total, np.sqrt(looks / total)]
    means = (
        (before.rcs_looks, before.rcs_dbsm, echoes.rcs_dbsm),
        (before.blade_looks, before.blades, echoes.blades),
        (before.spread_looks, before.spread_log, echoes.spread_log),
    )
    for count, mean_said, told in means:
        columns += _mean(ids, old(count), old(count * mean_said), told)
    return Features(ids, looks, *columns)


def _mean(ids: Array, count: Array, total: Array, told: Told) -> tuple[Array, Array]:
    """The mean with what was told now, and of how many looks it is."""
    at = np.searchsorted(ids, told.track_id)
    there = ids[np.minimum(at, len(ids) - 1)] == told.track_id if len(ids) else np.zeros(len(at), dtype=bool)
    np.add.at(count, at[there], 1.0)
    np.add.at(total, at[there], told.value[there])
    return total / np.maximum(count, 1.0), count


def probabilities(
    features: Features, names: Int64[Array, " n"], declared: Float64[Array, "n c"], settings: ClassSettings
) -> Float64[Array, "n c"]:
    """Posterior of kinds for the tracks in `names` (as in `features`); `declared` are log likelihoods besides."""
    at = np.searchsorted(features.track_id, names)
    at = np.minimum(at, max(len(features.track_id) - 1, 0))
    log_p = np.log(np.array(settings.prior))[None, :] + declared
    if len(features.track_id):
        found = features.track_id[at] == names
        theirs = replace(features, **{f.name: getattr(features, f.name)[at] for f in fields(features)})
        for classifier in settings.classifiers:
            log_p = log_p + np.where(found[:, None], classifier.log_likelihood(theirs), 0.0)
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True)) if len(names) else np.zeros((0, len(Kind)))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def claimed(
    labels: Int64[Array, " n"], claims: Claims, integrity: Integrity, settings: ClassSettings
) -> Float64[Array, "n c"]:
    """Log likelihoods from the claims that agree with each track (labels as in `integrity.track_id`)."""
    out = np.zeros((len(labels), len(Kind)))
    if len(integrity) != len(claims):
        return out
    other = np.log((1.0 - settings.claim_true) / (len(Kind) - 1))
    for i in np.flatnonzero(np.isin(integrity.track_id, labels)):
        kind = _said(claims, int(i))
        if kind is not None:
            row = int(np.flatnonzero(labels == integrity.track_id[i])[0])
            out[row] += other
            out[row, kind] += np.log(settings.claim_true) - other
    return out


def _said(claims: Claims, i: int) -> Kind | None:
    """The kind that a claim says to be; None where it does not say."""

    def value(field: Field) -> int:
        c = FIELD_COLUMN[field]
        return int(claims.values[i, c]) if claims.values_ns[i, c] > 0 else -1

    source, category = int(claims.source[i]), value(Field.EMITTER_CATEGORY)
    if source >= Source.REMOTE_ID:
        return {1: Kind.FIXED_WING_DRONE, 2: Kind.MULTIROTOR}.get(value(Field.UA_TYPE))
    if source >= Source.AIS:
        return Kind.SHIP
    if category == 0xA7:
        return Kind.HELICOPTER
    if 0xC1 <= category <= 0xC3:
        return Kind.GROUND
    return Kind.AIRCRAFT if 0xA1 <= category <= 0xA6 else None
