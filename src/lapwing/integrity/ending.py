"""When interference ends: a sequential test per region, the mirror of detection.py. Axes: c regions.

Per step, k of the n good or affected speakers within the circle of a region's worst are affected. While the source is
on, their share is about what it was then; when it is off, a few stragglers remain (a receiver that does not come back,
an equipment at fault). CUSUM on the log-likelihood ratio of the two beta-binomials. A region in which nobody is left to
tell ends by itself (interference.py). What was said of a region's causes stays while it fades.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import betaln

from lapwing.integrity.navigation import Navigation
from lapwing.records import Array, Claims, Condition, Interference
from lapwing.records.arrays import freeze_columns


@dataclass(frozen=True, slots=True)
class EndingSettings:
    """Per step: what is expected on and off; how much a step counts (looks at one speaker are not many); threshold."""

    step_s: float = 10.0
    share_min: float = 0.15  # while on, at least
    of_peak: float = 0.7  # while on, this much of the worst
    on_weight: float = 4.0
    off: tuple[float, float] = (1.2, 38.8)  # beta of the stragglers' share
    temper: float = 0.5
    threshold: float = 7.0
    statistic_max: float = 30.0


@dataclass(frozen=True, slots=True)
class Endings:
    """What the test remembers per region, rows as in the regions of the same moment."""

    most: Int64[Array, " c"]  # affected at the worst, and the circle that they were in
    disc_m: Float64[Array, "c 3"]  # east, north, radius
    peak: Float64[Array, " c"]  # worst share so far
    calm: Float64[Array, " c"]  # CUSUM statistic
    stepped_ns: int

    def __post_init__(self) -> None:
        freeze_columns(self)


def start() -> Endings:
    """No region."""
    i, f = np.zeros(0, np.int64), np.zeros(0)
    return Endings(i, np.zeros((0, 3)), f, f, 0)


def calmer(
    calm: Float64[Array, " c"],
    peak: Float64[Array, " c"],
    affected: Int64[Array, " c"],
    present: Int64[Array, " c"],
    settings: EndingSettings,
) -> Float64[Array, " c"]:
    """The statistic one step on."""
    share = np.maximum(settings.of_peak * peak, settings.share_min)
    a, b = settings.on_weight * share, settings.on_weight * (1.0 - share)
    k, n = affected.astype(np.float64), present.astype(np.float64)
    on = betaln(k + a, n - k + b) - betaln(a, b)
    off = betaln(k + settings.off[0], n - k + settings.off[1]) - betaln(*settings.off)
    return np.asarray(np.clip(calm + settings.temper * (off - on), 0.0, settings.statistic_max))


def ended(
    past: tuple[Endings, Interference],
    regions: Interference,
    navigation: Navigation,
    claims: Claims,
    affected: Bool[Array, " n"],
    settings: EndingSettings,
) -> tuple[Endings, Interference]:
    """The test at the claims' time, and the regions without those that ended. `past`: the same of the step before.
    While a region fades (less than half of its most are affected) its causes stay as they were."""
    before, known = past
    now, c = claims.time_ns, len(regions)
    row = {int(r): i for i, r in enumerate(known.region_id)}
    disc = np.stack([regions.east_m, regions.north_m, regions.radius_m], axis=1)
    most, peak, calm, causes = np.array(regions.affected), np.zeros(c), np.zeros(c), np.array(regions.causes)
    for i, old in ((i, row[int(r)]) for i, r in enumerate(regions.region_id) if int(r) in row):
        peak[i], calm[i] = before.peak[old], before.calm[old]
        if before.most[old] > most[i]:
            most[i], disc[i] = before.most[old], before.disc_m[old]
        if 2 * regions.affected[i] < most[i]:
            causes[i] = known.causes[old]
    regions = replace(regions, causes=causes) if c else regions
    if 0 <= now - before.stepped_ns < settings.step_s * 1e9:
        return Endings(most, disc, peak, calm, before.stepped_ns), regions
    heard = now - claims.heard_ns < settings.step_s * 1e9
    told = heard & ((navigation.condition == Condition.OK) & (navigation.good_ns > 0) | affected)
    k, n = np.zeros(c, np.int64), np.zeros(c, np.int64)
    for i in range(c):
        away = np.hypot(navigation.good_east_m - disc[i, 0], navigation.good_north_m - disc[i, 1])
        inside = told & (away <= disc[i, 2] + 1.0)
        k[i], n[i] = np.count_nonzero(inside & affected), np.count_nonzero(inside)
    peak = np.maximum(peak, np.where(n >= 3, k / np.maximum(n, 1), 0.0))
    calm = np.where(n > 0, calmer(calm, peak, k, n, settings), calm)
    stay = calm < settings.threshold
    names = tuple(Interference.__dataclass_fields__)
    left = regions if stay.all() else replace(regions, **{name: getattr(regions, name)[stay] for name in names})
    return Endings(most[stay], disc[stay], peak[stay], calm[stay], now), left
