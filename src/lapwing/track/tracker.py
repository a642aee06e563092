"""Who is there: one scan in, better tracks out. Axes: n tracks, m detections, k pairs, d columns.

A track-oriented marginal multi-Bernoulli / Poisson filter in the manner of TOMB/P (Williams, IEEE T-AES 51(3), 2015):
every track is a Gaussian with an existence probability; targets nobody has seen yet are a Poisson number per sensor,
spread evenly over what it measures; association is marginal, by belief propagation over gated pairs.

A rotating radar meets each target at its own time. Tracks stand at the end of the scan; a plot taken `age` earlier is
a measurement of F(-age) x. The gain uses the covariance without the noise that came after the plot, which makes the
result the same as predicting to the plot, updating there, and predicting on (proved in tests/naive). A plot older
than the state itself (sensors that overlap) is used the same way, without taking out noise that is older.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel import motion
from lapwing.kernel.gating import candidates
from lapwing.kernel.gaussian import GATE, condition, positive
from lapwing.kernel.marginals import marginals
from lapwing.records import ANONYMOUS, Array, Detections, Innovations, Tracks
from lapwing.track.life import births, judge, survivors
from lapwing.track.sensors import SensorModel, height_m
from lapwing.track.settings import TargetPrior, TrackSettings
from lapwing.track.state import TrackerState
from lapwing.track.undetected import expected_undetected, remember_undetected

NS = 1e-9
HORIZONTAL_SLACK = 1.5  # of the coarse gate: some sensors measure along curves
WEIGHT_MAX = 1e12
PROBABILITY_MAX = 1.0 - 1e-9
CLUTTER_MIN = 1e-3  # false detections per scan: no single plot proves a target


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


def step(
    state: TrackerState, scan: Detections, sensor: SensorModel, settings: TrackSettings
) -> tuple[TrackerState, Innovations]:
    """The tracker after one scan, and which detection was given to which track. A scan that ended before the state's
    time leaves the clock where it is."""
    to_ns = max(scan.scan_ns, state.tracks.time_ns)
    prior = predict(state.tracks, settings, to_ns)
    undetected = expected_undetected(state, scan, settings)
    newborn = sensor.invert(scan.z, scan.R, settings.prior)
    birth_intensity = sensor.p_detect(newborn[0]) * undetected / sensor.volume
    clutter_intensity = np.maximum(sensor.clutter_intensity(scan.z), CLUTTER_MIN / sensor.volume)
    p_detect = np.minimum(sensor.p_detect(prior.mean), PROBABILITY_MAX)

    pairs = gate(prior, scan, newborn, sensor, settings, (to_ns - state.tracks.time_ns) * NS)
    weights = weigh(prior, pairs, p_detect, birth_intensity + clutter_intensity)
    posterior = update(prior, pairs, weights, p_detect, settings.prior)
    judged, hits = judge(posterior, state.hits, scan, pairs, weights, settings)

    existence = weights.new * birth_intensity / (birth_intensity + clutter_intensity)
    moved = motion.predict(*newborn, np.maximum(_age_s(scan, to_ns), 0.0), *_noise(settings))
    everyone, hits = births(judged, hits, scan, existence, *moved, settings)
    tracks, hits, recycled = survivors(everyone, hits, settings)
    undetected = undetected * (1.0 - sensor.detection_probability) + recycled
    return remember_undetected(state, scan, undetected, tracks, hits), _innovations(
        prior, scan, pairs, weights, settings
    )


def predict(tracks: Tracks, settings: TrackSettings, to_ns: int) -> Tracks:
    """Tracks at `to_ns`: moved, vaguer, a little less certain to be there; never vaguer in height than the prior."""
    dt_s = (to_ns - tracks.time_ns) * NS
    mean, cov = motion.predict(tracks.mean, tracks.cov, dt_s, *_noise(settings))
    _settle(mean, cov, 2, mean[:, 2] + settings.prior.height_m_mean - height_m(mean), settings.prior.height_m_sigma)
    _settle(mean, cov, 5, np.zeros(len(mean)), settings.prior.climb_mps_sigma)
    existence = tracks.existence * np.exp(-dt_s / settings.lifetime_s)
    return replace(tracks, time_ns=to_ns, mean=mean, cov=cov, existence=existence)


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
    age_s = _age_s(scan, prior.time_ns)
    track, detection = candidates(
        prior.mean, prior.cov, place[:, :2], spread[:, :2, :2], age_s, HORIZONTAL_SLACK * gate_d2
    )
    theirs, its = prior.address[track], scan.address[detection]
    same = (theirs == its) | (theirs == ANONYMOUS) | (its == ANONYMOUS)
    track, detection = track[same], detection[same]
    age_s = age_s[detection]
    z_hat, H = sensor.expect(motion.shift(prior.mean[track], -age_s))
    nu = sensor.innovation(scan.z[detection], z_hat)
    cov = motion.without_noise(prior.cov[track], np.clip(age_s, 0.0, dt_s), *_noise(settings))
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


def update(
    prior: Tracks, pairs: Pairs, weights: Weights, p_detect: Float64[Array, " n"], target: TargetPrior
) -> Tracks:
    """Tracks given the scan: existence, and the mixture of missed and updated Gaussians matched by one."""
    n = len(prior)
    missed = prior.existence * (1.0 - p_detect) / (1.0 - prior.existence * p_detect)
    existence = np.clip(weights.miss * missed + (1.0 - weights.miss), 1e-300, PROBABILITY_MAX)
    beta = weights.pair / existence[pairs.track]
    correction = np.matmul(pairs.gain, pairs.nu[:, :, None])[:, :, 0]
    moved = sum_by(pairs.track, beta[:, None] * correction, n)
    inner = beta[:, None, None] * (pairs.nu[:, :, None] * pairs.nu[:, None, :] - pairs.S)
    change = np.matmul(np.matmul(pairs.gain, inner), np.swapaxes(pairs.gain, 1, 2))
    cov = prior.cov + sum_by(pairs.track, change, n) - moved[:, :, None] * moved[:, None, :]
    mean = prior.mean + moved
    _keep_height(mean, cov, target)
    return replace(prior, mean=mean, cov=positive(cov), existence=existence)


def sum_by(group: Int64[Array, " k"], values: Float64[Array, "k *rest"], n: int) -> Float64[Array, "n *rest"]:
    """Sums of `values` per group 0..n-1; `group` is sorted."""
    out = np.zeros((n, *values.shape[1:]))
    if len(group):
        first = np.flatnonzero(np.diff(group, prepend=-1))
        out[group[first]] = np.add.reduceat(values, first, axis=0)
    return out


def _age_s(scan: Detections, to_ns: int) -> Float64[Array, " m"]:
    return (to_ns - scan.time_ns) * NS


def _noise(settings: TrackSettings) -> tuple[float, float]:
    return settings.noise_horizontal_m2ps3, settings.noise_vertical_m2ps3


def _settle(
    mean: Float64[Array, "n 6"], cov: Float64[Array, "n 6 6"], axis: int, toward: Float64[Array, " n"], sigma: float
) -> None:
    """Where component `axis` has become vaguer than `sigma`, a Kalman update with the prior brings it back to sigma:
    in place, the caller made the arrays. What no sensor measures so keeps a finite covariance."""
    vague = np.flatnonzero(cov[:, axis, axis] > sigma**2 * (1.0 + 1e-9))
    if len(vague):
        V = cov[vague, axis, axis]
        S = V**2 / (V - sigma**2)
        column = cov[vague, :, axis]
        mean[vague] += column * ((toward[vague] - mean[vague, axis]) / S)[:, None]
        cov[vague] -= column[:, :, None] * column[:, None, :] / S[:, None, None]


def _keep_height(mean: Float64[Array, "n 6"], cov: Float64[Array, "n 6 6"], target: TargetPrior) -> None:
    """A height that is poorly known (in place) stays between the prior's bounds."""
    height = height_m(mean)
    excess = height - np.clip(height, target.height_m_min, target.height_m_max)
    mean[:, 2] -= np.where(cov[:, 2, 2] > (0.05 * target.height_m_sigma) ** 2, excess, 0.0)


def _innovations(
    prior: Tracks, scan: Detections, pairs: Pairs, weights: Weights, settings: TrackSettings
) -> Innovations:
    told = weights.pair >= settings.report_weight_min
    return Innovations(
        scan.sensor,
        scan.scan_ns,
        prior.track_id[pairs.track[told]],
        pairs.detection[told],
        weights.pair[told],
        pairs.nis[told],
        scan.z.shape[1],
    )
