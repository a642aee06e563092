"""When interference begins: a sequential test on new losses per exposed good speaker. Axes: b blocks, n speakers.

Per block (a cell and its eight neighbours, so that every place is near the middle of one) and step, k of n exposed good
speakers lose their navigation. CUSUM on the log-likelihood ratio of beta-binomials: the null is overdispersed, because
losses without interference come in bursts too; two alternatives, a source that hits many at once and one that hits
them one after another. The threshold is empirical: bench/integrity_detection.py measures the false alarms.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import betaln

from lapwing.records import Array
from lapwing.records.arrays import freeze_columns

ROW = 1 << 20  # block code = (row of the grid) * ROW + column, both offset to be positive
HALF = ROW // 2


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """Per step of `step_s`: the null's mean loss and its overdispersion, the alternatives' means, the threshold."""

    step_s: float = 10.0
    cell_m: float = 50_000.0
    null_mean: float = 3e-4
    null_rho: float = 0.003
    many: tuple[float, float] = (1.0, 6.0)  # beta of the share lost at once
    few: tuple[float, float] = (1.0, 40.0)  # of losses one after another
    threshold: float = 8.0
    statistic_max: float = 30.0  # so that a long event does not take long to forget


@dataclass(frozen=True, slots=True)
class Watch:
    """What the test remembers per block."""

    block: Int64[Array, " b"]
    many: Float64[Array, " b"]  # CUSUM statistics
    few: Float64[Array, " b"]
    alarm_ns: Int64[Array, " b"]  # last step above the threshold, 0 = never
    exposed: Int64[Array, " n"]  # keys of the speakers that were good at the last step, sorted
    stepped_ns: int

    def __post_init__(self) -> None:
        freeze_columns(self)


def start() -> Watch:
    """Nothing seen."""
    i, f = np.zeros(0, np.int64), np.zeros(0)
    return Watch(i, f, f, i, i, 0)


def cells(east_m: Float64[Array, " n"], north_m: Float64[Array, " n"], cell_m: float) -> Int64[Array, " n"]:
    """The grid cell of each place."""
    column = np.floor(np.clip(east_m / cell_m, -HALF + 2, HALF - 2)).astype(np.int64)
    row = np.floor(np.clip(north_m / cell_m, -HALF + 2, HALF - 2)).astype(np.int64)
    return np.asarray((row + HALF) * ROW + column + HALF)


def around(cell: Int64[Array, " n"]) -> Int64[Array, "n 9"]:
    """The blocks that a cell belongs to: those around itself and its neighbours."""
    steps = np.array([r * ROW + c for r in (-1, 0, 1) for c in (-1, 0, 1)], np.int64)
    return np.asarray(cell[:, None] + steps)


def ratio(
    lost: Int64[Array, " b"], exposed: Int64[Array, " b"], alternative: tuple[float, float], settings: DetectionSettings
) -> Float64[Array, " b"]:
    """Log-likelihood ratio of `lost` among `exposed` under one alternative against the null."""
    width = (1.0 - settings.null_rho) / settings.null_rho
    a0, b0 = settings.null_mean * width, (1.0 - settings.null_mean) * width
    a1, b1 = alternative
    k, n = lost.astype(np.float64), exposed.astype(np.float64)
    one = betaln(k + a1, n - k + b1) - betaln(a1, b1)
    null = betaln(k + a0, n - k + b0) - betaln(a0, b0)
    return np.asarray(one - null)


def cusum(
    statistic: Float64[Array, " b"],
    lost: Int64[Array, " b"],
    exposed: Int64[Array, " b"],
    alternative: tuple[float, float],
    settings: DetectionSettings,
) -> Float64[Array, " b"]:
    """The statistic one step on."""
    grown = statistic + ratio(lost, exposed, alternative, settings)
    return np.asarray(np.clip(grown, 0.0, settings.statistic_max))


def watch_step(
    before: Watch,
    key: Int64[Array, " n"],
    cell: Int64[Array, " n"],
    good: Bool[Array, " n"],
    bad: Bool[Array, " n"],
    now_ns: int,
    settings: DetectionSettings,
) -> Watch:
    """The watch one step on. `good`: may lose something; `bad`: has lost it; neither: not heard, not judged.
    Only who was good at the last step can be a new loss."""
    was = np.isin(key, before.exposed)
    counted = was & (good | bad)
    block = around(cell[counted])
    lost = np.repeat(bad[counted], 9)
    codes, inverse = np.unique(block.ravel(), return_inverse=True)
    exposed_n = np.bincount(inverse, minlength=len(codes)).astype(np.int64)
    lost_n = np.bincount(inverse, weights=lost, minlength=len(codes)).astype(np.int64)
    every = np.union1d(codes, before.block)
    at, old = np.searchsorted(every, codes), np.searchsorted(every, before.block)

    def spread(values: Array, where: Array, dtype: type) -> Array:
        out: Array = np.zeros(len(every), dtype)
        out[where] = values
        return out

    k, n = spread(lost_n, at, np.int64), spread(exposed_n, at, np.int64)
    many = cusum(spread(before.many, old, np.float64), k, n, settings.many, settings)
    few = cusum(spread(before.few, old, np.float64), k, n, settings.few, settings)
    over = np.maximum(many, few) >= settings.threshold
    alarm_ns = np.where(over, now_ns, spread(before.alarm_ns, old, np.int64))
    live = (many > 0.0) | (few > 0.0) | ((alarm_ns > 0) & (now_ns - alarm_ns < 3_600_000_000_000))
    return Watch(every[live], many[live], few[live], alarm_ns[live], np.sort(key[good]), now_ns)


def due(before: Watch, now_ns: int, settings: DetectionSettings) -> bool:
    """Whether the next step is due. A clock that went back does not stop the watch."""
    return now_ns - before.stepped_ns >= settings.step_s * 1e9 or now_ns < before.stepped_ns


def alarmed(watch: Watch, cell: Int64[Array, " n"], now_ns: int, hold_s: float) -> Bool[Array, " n"]:
    """Whether any block around each cell alarmed within `hold_s`."""
    loud = watch.block[(watch.alarm_ns > 0) & (now_ns - watch.alarm_ns <= hold_s * 1e9)]
    return np.asarray(np.isin(around(cell), loud).any(axis=1))
