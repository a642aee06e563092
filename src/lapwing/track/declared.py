"""What sensors declare their targets to be: one opinion per sensor and track, and never worth more than the sensor is.
Axes: r rows (one per track and sensor that said something), n tracks, c kinds.

A classifier repeats its mistakes: a hundred reports of one camera on one target are one opinion, their mean. It counts
as the likelihood of a sensor with a uniform confusion matrix: with probability `reliability` it says what its mean
says, else anything alike. So whatever it declares, and however often, it moves the odds of two kinds by a factor of
1 + c * reliability / (1 - reliability) at most. Sensors multiply, as if their mistakes were independent.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.telling import among
from lapwing.records import Array, Detections, Innovations, Kind
from lapwing.records.arrays import freeze_columns, same_length
from lapwing.track.life import PROBABLY

C = len(Kind)


@dataclass(frozen=True, slots=True)
class Declared:
    """Sums over the detections that surely belonged to each track, sorted by (track_id, sensor)."""

    sensors: tuple[str, ...]  # that ever declared something
    track_id: Int64[Array, " r"]
    sensor: Int64[Array, " r"]  # position in `sensors`
    looks: Float64[Array, " r"]
    total: Float64[Array, "r c"]  # of the declared probabilities

    def __post_init__(self) -> None:
        same_length(self, "track_id", "sensor", "looks", "total")
        freeze_columns(self)

    @classmethod
    def empty(cls) -> "Declared":
        """Nothing said."""
        none = np.zeros(0, dtype=np.int64)
        return cls((), none, none.copy(), np.zeros(0), np.zeros((0, C)))


def heard(before: Declared, alive: Int64[Array, " n"], scan: Detections, told: Innovations) -> Declared:
    """What is declared of the tracks in `alive` after a scan, of which `told` says what belongs to whom."""
    stays = among(before.track_id, alive)
    said = np.zeros((0, C)) if scan.declared is None else scan.declared[told.detection]
    sure = np.flatnonzero((told.weight >= PROBABLY) & (said.sum(axis=1) > 0.0)) if len(said) else np.zeros(0, np.int64)
    if not len(sure):
        return before if stays.all() else _those(before, stays)
    names = before.sensors if scan.sensor in before.sensors else (*before.sensors, scan.sensor)
    here = np.full(len(sure), names.index(scan.sensor), dtype=np.int64)
    track = np.concatenate([before.track_id[stays], told.track_id[sure]])
    sensor = np.concatenate([before.sensor[stays], here])
    looks = np.concatenate([before.looks[stays], np.ones(len(sure))])
    total = np.concatenate([before.total[stays], said[sure]])
    order = np.lexsort((sensor, track))
    track, sensor = track[order], sensor[order]
    first = np.flatnonzero((np.diff(track, prepend=-1) != 0) | (np.diff(sensor, prepend=-1) != 0))
    sums = np.add.reduceat(total[order], first, axis=0)
    return Declared(names, track[first], sensor[first], np.add.reduceat(looks[order], first), sums)


def _those(before: Declared, stays: Array) -> Declared:
    return Declared(
        before.sensors, before.track_id[stays], before.sensor[stays], before.looks[stays], before.total[stays]
    )


def log_likelihoods(
    declared: Declared, names: Int64[Array, " n"], reliability: Mapping[str, float]
) -> Float64[Array, "n c"]:
    """Of the kinds, for the tracks in `names`; `reliability` by sensor, from 0 (says nothing) to below 1."""
    out = np.zeros((len(names), C))
    if not len(declared.track_id) or not len(names):
        return out
    mean = declared.total / declared.looks[:, None]
    mean = mean + (1.0 - mean.sum(axis=1, keepdims=True)) / C  # what was left open may be anything
    rho = np.array([reliability.get(s, 0.0) for s in declared.sensors])[declared.sensor][:, None]
    log = np.log(rho * mean + (1.0 - rho) / C)
    order = np.argsort(names, kind="stable")
    at = np.searchsorted(names, declared.track_id, sorter=order)
    row = order[np.minimum(at, len(names) - 1)]
    there = names[row] == declared.track_id
    np.add.at(out, row[there], log[there])
    return out
