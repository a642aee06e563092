"""Biases from shared tracks: two sensors, the same targets, nobody who says where those are. Axes: k pairs, b biases of
one sensor, p = 2 b of both, d columns.

The anchor's tracklets (`track.tracklets`) are references, the other sensor's raw plots are paired with them as plots
are paired with claims (`looks.collect`: wide gates, mixture per look, many starts). A tracklet is as far off as
its sensor, so the biases of both are solved for at once, each with its own prior. What one says that the other does not
is the difference, known well; who is right is said by geometry (two places), by what cooperative traffic has told of
one of them, or by the tolerance stated for one of them, and by nothing else. What that leaves open is not observable
and never applied.

Pairs are of plots as measured and of targets that no claim explains: neither corrections nor the traffic that
`registration` uses come in a second time.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records import BIASES, Array, Registration
from lapwing.track.looks import B, Pairs, RegistrationSettings
from lapwing.track.registration import STAGES, Line, least_squares, residuals, score, scores
from lapwing.track.sensors import SensorModel
from lapwing.track.tracklets import slopes, turned

APART_S = 20.0  # between looks at one track: longer than a tracklet, so that no plot counts twice
NEWTON = 4
GROWN = 1.2  # of the covariance: which plot belongs to which tracklet is itself only probable


class Before(NamedTuple):
    """What is known of one sensor's biases before they are compared."""

    mean: Float64[Array, " b"]
    sigma: Float64[Array, " b"]


class Joint(NamedTuple):
    """The biases of the sensor (first half) and of its anchor. `observable`: the pairs say much more than was known."""

    looks: int
    bias: Float64[Array, " p"]
    cov: Float64[Array, "p p"]
    observable: Int64[Array, " p"]

    @property
    def difference(self) -> tuple[Float64[Array, " b"], Float64[Array, " b"]]:
        """Sensor less anchor, and its sigma."""
        D = np.concatenate([np.eye(B), -np.eye(B)], axis=1)
        return D @ self.bias, np.sqrt(np.diagonal(D @ self.cov @ D.T))


@dataclass(frozen=True, slots=True)
class Shared:
    """What one sensor and its anchor see alike, and what that said of both when last solved."""

    anchor: str
    pairs: Pairs
    joint: Joint


def unsaid(settings: RegistrationSettings) -> Joint:
    """Before any pair."""
    both = np.array(settings.sigma * 2)
    return Joint(0, np.zeros(2 * B), np.diag(both**2), np.zeros(2 * B, dtype=np.int64))


def difference_known(joint: Joint, settings: RegistrationSettings) -> Int64[Array, " b"]:
    """1 where the data say much more of the difference than what two sensors may differ by."""
    least = settings.observable_ratio * np.sqrt(2.0) * np.array(settings.sigma)
    return np.asarray((joint.looks > 0) & (joint.difference[1] < least), dtype=np.int64)


def merged(found: Registration, bias: Array, sigma: Array, observable: Array, looks: int) -> Registration:
    """What trusted traffic says of a sensor, and where that says nothing, what shared tracks say."""
    mine = (found.observable == 0) & (observable == 1)
    return replace(
        found,
        bias=np.where(mine, bias, found.bias),
        sigma=np.where(mine, sigma, found.sigma),
        observable=np.where(mine, 1, found.observable),
        shared=looks,
    )


def pairing(settings: RegistrationSettings) -> RegistrationSettings:
    """The settings by which plots are paired with tracklets: a tracklet has said all of its own noise."""
    return replace(settings, apart_s=APART_S, claim_m=1.0, lasting=(0.0, 0.0))


def solve_both(
    pairs: Pairs,
    models: tuple[SensorModel, SensorModel],
    known: tuple[Before, Before],
    settings: RegistrationSettings,
) -> Joint:
    """The biases of a sensor and its anchor that explain the pairs best. `models` and `known` in that order."""
    mean, sigma = (np.concatenate([getattr(k, name) for k in known]) for name in ("mean", "sigma"))
    nothing = Joint(0, mean, np.diag(sigma**2), np.zeros(2 * B, dtype=np.int64))
    if not len(pairs.look):
        return nothing
    starts = _starts(pairs, sigma)
    line = _both(pairs, models, mean, np.zeros(2 * B))
    first = np.array([score(pairs, line, b, STAGES[0][0])[0] for b in starts])
    best, best_score = nothing, -np.inf
    for i in np.argsort(-first, kind="stable")[:3]:
        b, Y, weight = _fit(pairs, models, mean, starts[i], sigma)
        value = score(pairs, _both(pairs, models, mean, b), b, 1.0)[0] - 0.5 * float(((b / sigma) ** 2).sum())
        behind = np.unique(pairs.address[weight > 0.5])
        enough = weight.sum() >= settings.looks_min and len(behind) >= settings.targets_min
        if value > best_score:
            best_score = value
            cov = GROWN * np.linalg.inv(Y)
            seen = np.sqrt(np.diagonal(cov)) < settings.observable_ratio * sigma
            told = Joint(round(float(weight.sum())), mean + b, 0.5 * (cov + cov.T), seen.astype(np.int64))
            best = told if enough and value > settings.gain_min else nothing
    return best


def evidence(
    pairs: Pairs,
    models: tuple[SensorModel, SensorModel],
    known: tuple[Before, Before],
    joint: Joint,
    target_gain_max: float,
) -> float:
    """By how many nats the pairs speak for biases of which `joint` is the solution, against none of either sensor: the
    ratio of the marginal likelihoods (Laplace), in which no target says more than so many nats for or against. Targets
    err for themselves, and not anew in each look (a height that nobody measures, a wrong plot that goes along)."""
    if not len(pairs.look):
        return 0.0
    mean, sigma = (np.concatenate([getattr(k, name) for k in known]) for name in ("mean", "sigma"))
    gain = np.clip(gains(pairs, models, joint.bias), -target_gain_max, target_gain_max)
    occam = 0.5 * np.linalg.slogdet(joint.cov)[1] - float(np.log(sigma).sum())
    return float(gain.sum() + occam - 0.5 * (((joint.bias - mean) / sigma) ** 2).sum())


def gains(pairs: Pairs, models: tuple[SensorModel, SensorModel], bias: Float64[Array, " p"]) -> Float64[Array, " t"]:
    """Of each target, the log likelihood of its looks with these biases over that without any."""
    zero = np.zeros(2 * B)
    with_them, without = (
        scores(pairs, _both(pairs, models, zero, b), b, 1.0)[0] for b in (np.asarray(bias, dtype=np.float64), zero)
    )
    return np.asarray(with_them - without)


def _starts(pairs: Pairs, sigma: Float64[Array, " p"]) -> list[Float64[Array, " p"]]:
    """Zero, and turns of whichever may be turned more, by every degree and a half."""
    starts = [np.zeros(2 * B)]
    if "azimuth_rad" in pairs.columns:
        who = 1 if sigma[1] >= sigma[B + 1] else B + 1
        starts += [turn * np.eye(2 * B)[who] for turn in np.arange(-3.4 * sigma[who], 3.4 * sigma[who], 0.025)]
    return starts


def _fit(
    pairs: Pairs,
    models: tuple[SensorModel, SensorModel],
    mean: Float64[Array, " p"],
    b: Float64[Array, " p"],
    sigma: Float64[Array, " p"],
) -> tuple[Float64[Array, " p"], Float64[Array, "p p"], Float64[Array, " k"]]:
    """Expectation maximisation from one start, as in `registration`; `b` is counted from `mean`."""
    Y, weight = np.diag(sigma**-2.0), np.zeros(len(pairs.look))
    for inflation, times in STAGES:
        line = _both(pairs, models, mean, b)
        for _ in range(times):
            weight = score(pairs, line, b, inflation)[1]
            b, Y = least_squares(line, weight / inflation, sigma, 0.0)
    return b, Y, weight


def _both(
    pairs: Pairs, models: tuple[SensorModel, SensorModel], mean: Float64[Array, " p"], b: Float64[Array, " p"]
) -> Line:
    """The residuals with these biases of both, and their slope there."""
    sensor, anchor = models
    at = unbiased(pairs.at, anchor, mean[B:] + b[B:])
    own = residuals(replace(pairs, at=at), sensor, mean[:B] + b[:B])
    H = sensor.expect(at)[1]
    J = np.concatenate([own.J, -(H[:, :, :3] @ turned(at, anchor))], axis=2)
    return Line(b, own.nu, J, own.E, own.look, own.whose, own.weighed)


def unbiased(at: Float64[Array, "k 6"], model: SensorModel, bias: Float64[Array, " b"]) -> Float64[Array, "k 6"]:
    """Where targets are that a sensor with these biases says to be at `at`; heights it does not measure stay."""
    x = at.copy()
    x[:, :3] += at[:, 3:] * bias[3]  # a late clock saw it where it was
    x[:, :2] += bias[4:]
    if not bias[:3].any():
        return x
    own = turned(x, model)[:, :, :3]
    d = 3 if model.measures_height else 2
    columns = model.space.value[:d]
    z = model.expect(x)[0]
    add = np.array([bias[BIASES.index(c)] if c in BIASES[:3] else 0.0 for c in columns])
    y = x.copy()
    y[:, :3] -= own @ bias[:3]
    for _ in range(NEWTON):
        miss = model.innovation(z, model.expect(y)[0])[:, :d] - add
        y[:, :3] += (slopes(y, model)[:, :, :d] @ miss[:, :, None])[:, :, 0]
    return y
