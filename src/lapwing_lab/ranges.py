"""Detection, tracking and identification per range, as counter-drone trials report them (the stages of CWA 18150): of
every look at every target that counts, was there a detection, was there a track, did the track say what it is. And how
honest the classes are. Axes: k samples, n truths, m detections."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from lapwing_lab import baseline, files
from lapwing_lab.score.consistency import Reliability, brier_of_classes, reliability
from lapwing_lab.score.distances import distances, pairs_within
from lapwing_lab.score.looks import Look

Array = np.ndarray
SIGMAS = 4.0  # a detection is of a target when it is this near, by its own noise
# the class of each kind of target, by the product's column p_class_NAME
CLASS_OF = {
    "multirotor": "multirotor",
    "drone": "multirotor",
    "fixed_wing_drone": "fixed_wing_drone",
    "bird": "bird",
    "flock": "bird",
    "airliner": "aircraft",
    "arrival": "aircraft",
    "aircraft": "aircraft",
    "light_aircraft": "aircraft",
    "helicopter": "helicopter",
    "ship": "ship",
    "vehicle": "ground",
}


@dataclass(frozen=True, slots=True)
class Classes:
    """Class probabilities of tracks paired with any truth: Brier's score (0..2), share whose most probable class was
    right, calibration of every probability said."""

    samples: int
    brier: float
    right: float
    calibration: Reliability


def classes(every: Sequence[Look], cutoff_m: float, existence_min: float) -> tuple[Classes, Array, Array]:
    """Of all looks; and for truths that count, their distance from the origin and whether a track called them right."""
    p, true = [], []
    r, right = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for look in every:
        shown = np.flatnonzero(look.existence >= existence_min)
        i, j = pairs_within(distances(look.truth[:, :2], look.mean[shown, :2]), cutoff_m, 2.0)
        said, is_it = look.p_class[shown[j]], look.truth_class[i]
        mine = np.zeros(len(look.truth), dtype=bool)
        if said.shape[1]:
            mine[i] = said.argmax(axis=1) == is_it
            told = (is_it >= 0) & (said.sum(axis=1) > 0.0)
            p.append(said[told])
            true.append(is_it[told])
        r.append(np.hypot(*look.truth[look.counts, :2].T))
        right.append(mine[look.counts])
    far, called = np.concatenate(r), np.concatenate(right)
    if not sum(map(len, p)):
        return Classes(0, 0.0, 0.0, reliability(np.zeros(0), np.zeros(0, dtype=bool))), far, called
    said, is_it = np.concatenate(p), np.concatenate(true)
    told = reliability(np.clip(said.ravel(), 0.0, 1.0), np.eye(said.shape[1], dtype=bool)[is_it].ravel())
    found = Classes(len(said), brier_of_classes(said, is_it), float((said.argmax(axis=1) == is_it).mean()), told)
    return found, far, called


def class_rows(kinds: Sequence[str], names: Sequence[str]) -> Int64[Array, " n"]:
    """The column of each kind's class among those named; -1 where there is none."""
    at = {name: k for k, name in enumerate(names)}
    return np.array([at.get(CLASS_OF.get(kind, ""), -1) for kind in kinds], dtype=np.int64)


def detected(
    detections: pl.DataFrame, truth: pl.DataFrame, site: Path
) -> tuple[Float64[Array, " k"], Bool[Array, " k"]]:
    """Distance from the origin of each truth that counts at each time of the truth, and whether since the time before
    any sensor that measures places had a detection near it: within four sigmas of its own noise and 30 m."""
    known = baseline.sensors(site)
    time, place, sigma = [], [], []
    for scan in files.scans(detections):
        if ("range_m" in scan.space or "east_m" in scan.space) and len(scan.z):
            z, R = baseline.positions(scan, known[scan.sensor])
            time.append(scan.time_ns)
            place.append(z)
            sigma.append(np.sqrt(R[:, 0, 0] + R[:, 1, 1]))
    if not time:
        return np.zeros(0), np.zeros(0, dtype=bool)
    t, z, s = np.concatenate(time), np.concatenate(place), np.concatenate(sigma)
    order = np.argsort(t, kind="stable")
    t, z, s = t[order], z[order], s[order]
    r, seen, before = [np.zeros(0)], [np.zeros(0, dtype=bool)], 0
    told = truth.filter(pl.col("counts")) if "counts" in truth.columns else truth
    for (at,), rows in told.sort("time_ns").group_by("time_ns", maintain_order=True):
        a, b = np.searchsorted(t, [before, int(str(at))], side="right")
        x = rows.select("east_m", "north_m").to_numpy()
        v = rows.select("east_mps", "north_mps").to_numpy() if "east_mps" in rows.columns else np.zeros_like(x)
        back = (t[a:b] - int(str(at))) * 1e-9
        there = x[:, None] + back[None, :, None] * v[:, None]
        apart = np.hypot(*(there - z[None, a:b]).transpose(2, 0, 1))
        r.append(np.hypot(x[:, 0], x[:, 1]))
        seen.append(np.asarray((apart < SIGMAS * s[a:b] + 30.0).any(axis=1)))
        before = int(str(at))
    return np.concatenate(r), np.concatenate(seen)
