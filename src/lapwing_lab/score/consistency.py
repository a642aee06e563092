"""Honesty of what a tracker says of itself: NEES, calibration of existence and class. Axes: k samples, d columns,
b bins, c classes. Refuses probabilities outside 0..1."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.stats import chi2

Array = np.ndarray


def nees(error: Float64[Array, "k d"], cov: Float64[Array, "k d d"]) -> Float64[Array, " k"]:
    """Normalised estimation error squared of each sample: e' P^-1 e. Its mean is d when the covariance is honest."""
    return np.asarray(np.einsum("kd,kd->k", error, np.linalg.solve(cov, error[:, :, None])[:, :, 0]))


@dataclass(frozen=True, slots=True)
class Consistency:
    """Mean NEES or NIS of k independent samples of d degrees of freedom, the interval in which an honest filter's
    mean lies with 95 %, and the share of samples beyond the chi-square quantile 0.95 (honest: 0.05)."""

    mean: float
    low: float
    high: float
    beyond: float
    samples: int
    dof: int

    @property
    def honest(self) -> bool:
        """Whether the mean lies in its interval."""
        return self.low <= self.mean <= self.high


def nis(
    values: Float64[Array, " k"], dof: Int64[Array, " k"], weight: Float64[Array, " k"], sure: float = 0.9
) -> list[Consistency]:
    """Consistency of the normalised innovations squared per degrees of freedom, of associations that are `sure`: of
    others the innovation may be another target's. A gate cuts the largest off, so honest is a little below."""
    return [consistency(values[(dof == d) & (weight >= sure)], int(d)) for d in np.unique(dof)]


def consistency(values: Float64[Array, " k"], dof: int) -> Consistency:
    """Chi-square test of normalised squares. Samples of one run are correlated: the interval is then too narrow."""
    k = len(values)
    if k == 0:
        return Consistency(0.0, 0.0, 0.0, 0.0, 0, dof)
    low, high = (float(chi2.ppf(q, k * dof)) / k for q in (0.025, 0.975))
    beyond = float((values > chi2.ppf(0.95, dof)).mean())
    return Consistency(float(values.mean()), low, high, beyond, k, dof)


@dataclass(frozen=True, slots=True)
class Reliability:
    """How often what was said with probability p was true, per bin of p; and Brier's score = mean (p - truth)^2, with
    its reliability (0 = calibrated), resolution and uncertainty: brier = reliability - resolution + uncertainty
    exactly when every p of a bin is the same (Murphy)."""

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    said: Float64[Array, " b"]  # mean p in the bin
    true: Float64[Array, " b"]  # share that was true
    count: Int64[Array, " b"]


def reliability(p: Float64[Array, " k"], true: Bool[Array, " k"], bins: int = 10) -> Reliability:
    """Calibration of probabilities against what was true; empty bins are left out."""
    if len(p) and not (p.min() >= 0.0 and p.max() <= 1.0):
        raise ValueError("probabilities lie between 0 and 1")
    if len(p) == 0:
        none = np.zeros(0)
        return Reliability(0.0, 0.0, 0.0, 0.0, none, none, np.zeros(0, dtype=np.int64))
    y = true.astype(np.float64)
    bin_of = np.minimum((p * bins).astype(np.int64), bins - 1)
    count = np.bincount(bin_of, minlength=bins)
    full = count > 0
    said = np.bincount(bin_of, p, minlength=bins)[full] / count[full]
    hit = np.bincount(bin_of, y, minlength=bins)[full] / count[full]
    share = count[full] / len(p)
    base = float(y.mean())
    return Reliability(
        float(((p - y) ** 2).mean()),
        float((share * (said - hit) ** 2).sum()),
        float((share * (hit - base) ** 2).sum()),
        base * (1.0 - base),
        said,
        hit,
        count[full].astype(np.int64),
    )


def brier_of_classes(p: Float64[Array, "k c"], true: Int64[Array, " k"]) -> float:
    """Brier's score of class probabilities: mean over samples of sum over classes (p - is it)^2; 0..2."""
    if len(p) == 0:
        return 0.0
    return float(((p - np.eye(p.shape[1])[true]) ** 2).sum(axis=1).mean())


def roc(p: Float64[Array, " k"], true: Bool[Array, " k"]) -> tuple[Float64[Array, " r"], Float64[Array, " r"]]:
    """False and true positive rates at every threshold on p, from (0, 0) to (1, 1); ties move together."""
    order = np.argsort(-p, kind="stable")
    last = np.flatnonzero(np.diff(p[order], append=-np.inf))
    hits, falls = np.cumsum(true[order])[last], np.cumsum(~true[order])[last]
    start = np.zeros(1)
    return (
        np.concatenate([start, falls / max(int((~true).sum()), 1)]),
        np.concatenate([start, hits / max(int(true.sum()), 1)]),
    )
