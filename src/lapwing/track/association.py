"""Which detection belongs to which track: gate, likelihood, marginal probability. Axes: n tracks, m detections,
k pairs, d columns. Decides nothing: every gated pair keeps its weight."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel import motion
from lapwing.kernel.gating import candidates
from lapwing.kernel.gaussian import GATE, condition
from lapwing.kernel.marginals import marginals
from lapwing.records import ANONYMOUS, Array, Detections, Tracks
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TrackSettings

NS = 1e-9
HORIZONTAL_SLACK = 1.5  # of the coarse gate: some sensors measure along curves
WEIGHT_MAX = 1e12
PROBABILITY_MAX = 1.0 - 1e-9


class Pairs(NamedTuple):
    """k gated pairs, sorted by track: how far the detection is from the track, and what it would do to it."""

    track: Int64[Array, " k"]
    detection: Int64[Array, " k"]
    nu: Float64[Array, "k d"]
    gain: Float64[Array, "k 6 d"]
    S: Float64[Array, "k d d"]
    nis: Float64[Array, " k"]
    log_likelihood: Float64[Array, " k"]


class Weights(NamedTuple):
    """Marginal association probabilities."""

    pair: Float64[Array, " k"]
    miss: Float64[Array, " n"]
    new: Float64[Array, " m"]  # the detection belongs to no track


def gate(
    prior: Tracks,
    scan: Detections,
    newborn: tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]],
    sensor: SensorModel,
    settings: TrackSettings,
    dt_s: float,
) -> Pairs:
    """Pairs whose normalised innovation squared is inside the gate, each evaluated at the plot's own time."""
    gate_d2 = GATE[scan.z.shape[1]] if settings.gate_d2 is None else settings.gate_d2
    place, spread = newborn
    age_s = ages_s(scan, prior.time_ns)
    track, detection = candidates(
        prior.mean, prior.cov, place[:, :2], spread[:, :2, :2], age_s, HORIZONTAL_SLACK * gate_d2
    )
    theirs, its = prior.address[track], scan.address[detection]
    same = (theirs == its) | (theirs == ANONYMOUS) | (its == ANONYMOUS)
    track, detection = track[same], detection[same]
    age_s = age_s[detection]
    z_hat, H = sensor.expect(motion.shift(prior.mean[track], -age_s))
    nu = sensor.innovation(scan.z[detection], z_hat)
    cov = motion.without_noise(prior.cov[track], np.clip(age_s, 0.0, dt_s), *noise_of(settings))
    found = condition(cov, motion.aged_jacobian(H, age_s), scan.R[detection], nu)
    near = found.nis <= gate_d2
    return Pairs(
        track[near],
        detection[near],
        nu[near],
        found.gain[near],
        found.S[near],
        found.nis[near],
        found.log_likelihood[near],
    )


def weigh(
    prior: Tracks, pairs: Pairs, p_detect: Float64[Array, " n"], other_intensity: Float64[Array, " m"]
) -> Weights:
    """Marginal probabilities of every gated pair, of every miss, and of every detection being nobody's yet."""
    seen = prior.existence * p_detect
    odds = seen / (1.0 - np.minimum(seen, PROBABILITY_MAX))
    log_other = np.log(other_intensity)
    psi = odds[pairs.track] * np.exp(np.minimum(pairs.log_likelihood - log_other[pairs.detection], 300.0))
    p, p_miss, p_new = marginals(
        np.minimum(psi, WEIGHT_MAX), pairs.track, pairs.detection, len(prior), len(other_intensity)
    )
    return Weights(p, p_miss, p_new)


def ages_s(scan: Detections, to_ns: int) -> Float64[Array, " m"]:
    """How long before `to_ns` each detection was true."""
    return (to_ns - scan.time_ns) * NS


def noise_of(settings: TrackSettings) -> tuple[float, float]:
    """Spectral densities of the acceleration, horizontal and vertical."""
    return settings.noise_horizontal_m2ps3, settings.noise_vertical_m2ps3
