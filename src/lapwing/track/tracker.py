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

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel import motion
from lapwing.kernel.gaussian import positive
from lapwing.records import Array, Detections, Innovations, Tracks, TrackStatus
from lapwing.track.association import NS, PROBABILITY_MAX, Pairs, Weights, ages_s, gate, noise_of, weigh
from lapwing.track.life import births, judge, select, survivors
from lapwing.track.sensors import SensorModel, height_m
from lapwing.track.settings import TargetPrior, TrackSettings
from lapwing.track.state import TrackerState
from lapwing.track.undetected import expected_undetected, remember_undetected

VERTICAL = np.array([2, 5])
UNSEEN_MIN = 1e-3  # share of undetected targets that stays so, even where a sensor is said to miss nothing
CLUTTER_MIN = 1e-3  # false detections per scan: no single plot proves a target


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
    posterior = update(prior, pairs, weights, p_detect, sensor.measures_height)
    posterior = _within_bounds(posterior, settings.prior)
    judged, hits = judge(posterior, state.hits, scan, pairs, weights, settings)

    existence = weights.new * birth_intensity / (birth_intensity + clutter_intensity)
    moved = motion.predict(*newborn, np.maximum(ages_s(scan, to_ns), 0.0), *noise_of(settings))
    everyone, hits = births(judged, hits, scan, existence, *moved, settings)
    tracks, hits, recycled = survivors(everyone, hits, settings)
    undetected = undetected * max(1.0 - sensor.detection_probability, UNSEEN_MIN) + recycled
    return remember_undetected(state, scan, undetected, tracks, hits), _innovations(
        prior, scan, pairs, weights, settings
    )


def predict(tracks: Tracks, settings: TrackSettings, to_ns: int) -> Tracks:
    """Tracks at `to_ns`: moved, vaguer, a little less certain to be there; never vaguer in height than the prior."""
    dt_s = (to_ns - tracks.time_ns) * NS
    mean, cov = motion.predict(tracks.mean, tracks.cov, dt_s, *noise_of(settings))
    _settle(mean, cov, 2, mean[:, 2] + settings.prior.height_m_mean - height_m(mean), settings.prior.height_m_sigma)
    _settle(mean, cov, 5, np.zeros(len(mean)), settings.prior.climb_mps_sigma)
    existence = tracks.existence * np.exp(-dt_s / settings.lifetime_s)
    return replace(tracks, time_ns=to_ns, mean=mean, cov=cov, existence=existence)


def predict_tracks(state: TrackerState, to_ns: int, settings: TrackSettings) -> Tracks:
    """What to show at `to_ns`: every track that was ever confirmed, and tentative ones that are not mere clutter."""
    tracks = predict(state.tracks, settings, max(to_ns, state.tracks.time_ns))
    known = tracks.status != TrackStatus.TENTATIVE
    return select(tracks, known | (tracks.existence >= settings.show_existence))


def update(
    prior: Tracks, pairs: Pairs, weights: Weights, p_detect: Float64[Array, " n"], measures_height: bool
) -> Tracks:
    """Tracks given the scan: existence, and the mixture of missed and updated Gaussians matched by one.

    A sensor that does not measure height leaves it alone (Schmidt-Kalman): the height's mean and variance stay, its
    correlations with what is measured are kept up, so that what it does to the ground position stays visible."""
    n = len(prior)
    missed = prior.existence * (1.0 - p_detect) / (1.0 - prior.existence * p_detect)
    existence = np.clip(weights.miss * missed + (1.0 - weights.miss), 1e-300, PROBABILITY_MAX)
    beta = weights.pair / existence[pairs.track]
    correction = np.matmul(pairs.gain, pairs.nu[:, :, None])[:, :, 0]
    known = np.matmul(np.matmul(pairs.gain, pairs.S), np.swapaxes(pairs.gain, 1, 2))
    if not measures_height:
        correction[:, VERTICAL] = 0.0
        known[:, VERTICAL[:, None], VERTICAL] = 0.0
    moved = sum_by(pairs.track, beta[:, None] * correction, n)
    change = beta[:, None, None] * (correction[:, :, None] * correction[:, None, :] - known)
    cov = prior.cov + sum_by(pairs.track, change, n) - moved[:, :, None] * moved[:, None, :]
    return replace(prior, mean=prior.mean + moved, cov=positive(cov), existence=existence)


def sum_by(group: Int64[Array, " k"], values: Float64[Array, "k *rest"], n: int) -> Float64[Array, "n *rest"]:
    """Sums of `values` per group 0..n-1; `group` is sorted."""
    out = np.zeros((n, *values.shape[1:]))
    if len(group):
        first = np.flatnonzero(np.diff(group, prepend=-1))
        out[group[first]] = np.add.reduceat(values, first, axis=0)
    return out


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


def _within_bounds(tracks: Tracks, target: TargetPrior) -> Tracks:
    """Tracks whose height, where poorly known, lies between the prior's bounds."""
    height = height_m(tracks.mean)
    excess = height - np.clip(height, target.height_m_min, target.height_m_max)
    mean = tracks.mean.copy()
    mean[:, 2] -= np.where(tracks.cov[:, 2, 2] > (0.05 * target.height_m_sigma) ** 2, excess, 0.0)
    return replace(tracks, mean=mean)


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
