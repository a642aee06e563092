"""Scores of warnings: how early, how many missed, how many for nothing; detection per range with its uncertainty; where
interference is. Axes: k samples, b bins. Times in seconds of one clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.stats import norm

Array = np.ndarray


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion; (0, 1) when nothing was tried."""
    if trials == 0:
        return 0.0, 1.0
    z = float(norm.ppf(0.5 + 0.5 * confidence))
    p = successes / trials
    middle = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * np.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    low, high = float(middle - half), float(middle + half)
    return (low if successes > 0 else 0.0), (high if successes < trials else 1.0)


@dataclass(frozen=True, slots=True)
class RangeBin:
    """How often targets between two ranges were detected, tracked or identified."""

    from_m: float
    to_m: float
    trials: int
    successes: int
    share: float
    low: float
    high: float


def per_range(range_m: Float64[Array, " k"], success: Bool[Array, " k"], edges_m: Sequence[float]) -> list[RangeBin]:
    """Shares per bin of range with Wilson's 95 % intervals."""
    out = []
    for low_m, high_m in pairwise(edges_m):
        inside = (range_m >= low_m) & (range_m < high_m)
        n, k = int(inside.sum()), int(success[inside].sum())
        out.append(RangeBin(low_m, high_m, n, k, k / n if n else 0.0, *wilson(k, n)))
    return out


@dataclass(frozen=True, slots=True)
class Entry:
    """A target that truly entered a zone, when, and where it was at the time of every alarm, east and north."""

    zone: str
    time_s: float
    place_m: Float64[Array, "k 2"]


@dataclass(frozen=True, slots=True)
class Warned:
    """An alarm about a zone: when it was raised, and where its subject was shown."""

    zone: str
    time_s: float
    place_m: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Warnings:
    """`lead_s` per entry that was warned of: positive = before it entered. `missed`: entries without a warning within
    the tolerance. `nuisance`: alarms about nobody who is to be warned of, also per hour of operation."""

    entries: int
    warned: int
    missed: int
    nuisance: int
    nuisance_per_h: float
    lead_s: tuple[float, ...]
    first_warning_s: float | None


def warnings(
    entries: Sequence[Entry],
    alarms: Sequence[Warned],
    justified: Bool[Array, " k"],
    hours: float,
    window: tuple[float, float, float] = (180.0, 60.0, 500.0),
) -> Warnings:
    """Alarms against true entries. An alarm is about an entry when it names its zone, comes from 180 s before it to
    60 s after it and stood within 500 m of the very target that entered: one about a bird in the same zone at the same
    time is not credited. `justified`: alarms about somebody of whom one wants to be warned, entering or not; the rest
    is nuisance. An entry is warned of by the first alarm about it."""
    early_s, late_s, reach_m = window
    lead: list[float] = []
    for e in entries:
        mine = [
            a.time_s
            for a, at in zip(alarms, e.place_m, strict=True)
            if a.zone == e.zone and -early_s <= a.time_s - e.time_s <= late_s
            and np.hypot(a.place_m[0] - at[0], a.place_m[1] - at[1]) <= reach_m
        ]  # fmt: skip
        if mine:
            lead.append(e.time_s - min(mine))
    nuisance = int((~justified).sum())
    first = min((a.time_s for a in alarms), default=None)
    missed = len(entries) - len(lead)
    return Warnings(
        len(entries), len(lead), missed, nuisance, nuisance / hours if hours > 0 else 0.0, tuple(lead), first
    )


@dataclass(frozen=True, slots=True)
class Localisation:
    """Of estimated regions of an emitter: errors, and how often the region said to hold it did."""

    median_m: float
    p95_m: float
    coverage: float
    coverage_low: float
    coverage_high: float
    samples: int


def localisation(error_m: Float64[Array, " k"], covered: Bool[Array, " k"]) -> Localisation:
    """Error quantiles and coverage with Wilson's interval."""
    k = len(error_m)
    if k == 0:
        return Localisation(0.0, 0.0, 0.0, 0.0, 1.0, 0)
    hits = int(covered.sum())
    return Localisation(
        float(np.median(error_m)), float(np.quantile(error_m, 0.95)), hits / k, *wilson(hits, k), samples=k
    )


def overlap(found: Bool[Array, " k"], true: Bool[Array, " k"], area_m2: Float64[Array, " k"]) -> float:
    """Intersection over union of two regions drawn on the same cells; 1 when both are empty."""
    union = float(area_m2[found | true].sum())
    return float(area_m2[found & true].sum()) / union if union > 0.0 else 1.0


def quantiles(values: Int64[Array, " k"] | Float64[Array, " k"]) -> tuple[float, float, float]:
    """Median, 90th percentile and maximum of delays; zeros when there are none."""
    if len(values) == 0:
        return 0.0, 0.0, 0.0
    return float(np.median(values)), float(np.quantile(values, 0.9)), float(np.max(values))
