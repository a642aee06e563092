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
class Warnings:
    """`lead_s` per entry that was warned of: positive = before it entered. `missed`: entries without a warning within
    the tolerance. `nuisance`: alarms that no entry explains, also per hour of operation."""

    entries: int
    warned: int
    missed: int
    nuisance: int
    nuisance_per_h: float
    lead_s: tuple[float, ...]
    first_warning_s: float | None


def warnings(
    entries: Sequence[tuple[str, float]],
    alarms: Sequence[tuple[str, float]],
    hours: float,
    early_s: float = 180.0,
    late_s: float = 60.0,
) -> Warnings:
    """Alarms (zone, time) against true entries (zone, time). An alarm explains every entry of its zone from `early_s`
    before it to `late_s` after it; an entry is warned of by the first alarm that explains it."""
    explained: set[int] = set()
    lead: list[float] = []
    for zone, at in entries:
        mine = [k for k, (z, t) in enumerate(alarms) if z == zone and at - early_s <= t <= at + late_s]
        explained.update(mine)
        if mine:
            lead.append(at - min(alarms[k][1] for k in mine))
    nuisance = len(alarms) - len(explained)
    first = min((t for _, t in alarms), default=None)
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
