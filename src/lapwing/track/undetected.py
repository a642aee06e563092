"""Targets that nobody has seen yet. Axes: m detections, s sensors, b components,
M modes.

Two ways to say where they are. By default one Poisson number per sensor, spread evenly over its measurement space: it
grows by arrivals, shrinks by every look, takes back what pruned tracks stood for, and never reaches zero, for a target
that was lost must be able to be found again. Or, with `TrackSettings.births`, a Poisson intensity made of Gaussians,
predicted and thinned by every look as in the Poisson multi-Bernoulli filter. What does not locate (directions, say)
begins no track either way, and does not thin the Gaussians.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from lapwing.kernel import beliefs, motion
from lapwing.kernel.gaussian import GATE, condition
from lapwing.kernel.manoeuvre import spread_modes
from lapwing.records import Array, Detections
from lapwing.track.association import NS, ages_s, noise_of
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TrackSettings
from lapwing.track.state import TrackerState

HIDDEN_MIN = 1e-5  # components expected to hold fewer targets are dropped
UNSEEN_MIN = 1e-3  # share of undetected targets that stays so, even where a sensor is said to miss nothing


class Newborn(NamedTuple):
    """What each detection would be, were it a target of which nothing else is known, at the end of the scan."""

    mode: Float64[Array, "m M"]
    mean: Float64[Array, "m M 6"]
    cov: Float64[Array, "m M 6 6"]
    intensity: Float64[Array, " m"]  # of such detections, per scan and unit of measurement volume


def newborn(
    state: TrackerState,
    scan: Detections,
    place: tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]],
    sensor: SensorModel,
    settings: TrackSettings,
    to_ns: int,
) -> Newborn:
    """The tracks that may begin, from the undetected targets as expected before the scan. `place` is what each
    detection says alone."""
    k, since_s = settings.kinematics, np.maximum(ages_s(scan, to_ns), 0.0)
    if settings.births is not None and sensor.locates:
        mean, cov, intensity = _from_gaussians(hidden(state, settings, to_ns), scan, place, sensor, settings, to_ns)
        return Newborn(*spread_modes(k.start, mean, cov, np.zeros(len(scan)), k.modes), intensity)
    mean, cov = place
    intensity = np.zeros(len(scan))
    if sensor.locates:
        intensity = sensor.p_detect(mean) * expected_undetected(state, scan, sensor, settings) / sensor.volume
    if len(k.modes) == 1 and not since_s.any():  # nothing to spread, nothing to move
        return Newborn(np.ones((len(scan), 1)), mean[:, None], cov[:, None], intensity)
    return Newborn(*spread_modes(k.start, mean, cov, since_s, k.modes), intensity)


def hidden(
    state: TrackerState, settings: TrackSettings, to_ns: int
) -> tuple[Float64[Array, "b 6"], Float64[Array, "b 6 6"], Float64[Array, " b"]]:
    """The Gaussians of undetected targets at `to_ns`, newly arrived ones included."""
    births = settings.births
    assert births is not None
    if not state.sensors:
        return births.mean[None], births.cov[None], np.array([births.at_start])
    dt_s = (to_ns - state.tracks.time_ns) * NS
    mean, cov = motion.predict(state.hidden_mean, state.hidden_cov, dt_s, *noise_of(settings))
    number = state.hidden * np.exp(-dt_s / settings.lifetime_s)
    return (
        np.concatenate([mean, births.mean[None]]),
        np.concatenate([cov, births.cov[None]]),
        np.append(number, births.per_s * dt_s),
    )


def _from_gaussians(
    of: tuple[Float64[Array, "b 6"], Float64[Array, "b 6 6"], Float64[Array, " b"]],
    scan: Detections,
    place: tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]],
    sensor: SensorModel,
    settings: TrackSettings,
    to_ns: int,
) -> tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"], Float64[Array, " m"]]:
    """Each detection's share of every component, matched by one Gaussian, and its intensity."""
    mean, cov, number = of
    b, m = len(number), len(scan)
    who, row = np.repeat(np.arange(b), m), np.tile(np.arange(m), b)
    age_s = ages_s(scan, to_ns)[row]
    then = motion.shift(mean[who], -age_s)
    # a component is wide, a detection is not: linearised where the detection is
    about = np.concatenate([place[0][row, :3], then[:, 3:]], axis=1)
    z_hat, H = sensor.expect(about)
    nu = sensor.innovation(scan.z[row], z_hat) - np.einsum("kdi,ki->kd", H, then - about)
    H_now = motion.aged_jacobian(H, age_s)
    found = condition(cov[who], H_now, scan.R[row], nu)
    gate_d2 = GATE[scan.z.shape[1]] if settings.gate_d2 is None else settings.gate_d2
    weight = (number * sensor.p_detect(mean))[who] * np.exp(np.maximum(found.log_likelihood, -500.0))
    weight = np.where(found.nis <= gate_d2, weight, 0.0)
    x = mean[who] + np.matmul(found.gain, nu[:, :, None])[:, :, 0]
    I_KH = np.eye(6) - np.matmul(found.gain, H_now)
    P = I_KH @ cov[who] @ np.swapaxes(I_KH, 1, 2)
    P += found.gain @ scan.R[row] @ np.swapaxes(found.gain, 1, 2)
    total, mu, out = beliefs.match(row, weight, x, P, m)
    nowhere = total <= 0.0
    return np.where(nowhere[:, None], place[0], mu), np.where(nowhere[:, None, None], place[1], out), total


def expected_undetected(state: TrackerState, scan: Detections, sensor: SensorModel, settings: TrackSettings) -> float:
    """Expected number of targets that no track stands for, in the coverage of the scan's sensor, before it looks. Never
    less than a small share of those that tracks stand for there: whoever sees many has overlooked some."""
    if scan.sensor not in state.sensors:
        return settings.undetected_start
    held = float(state.tracks.existence[sensor.p_detect(state.tracks.mean) > 0.0].sum())
    s = state.sensors.index(scan.sensor)
    dt_s = max(scan.scan_ns - int(state.looked_ns[s]), 0) * NS
    expected = float(state.undetected[s]) * np.exp(-dt_s / settings.lifetime_s) + settings.birth_rate_hz * dt_s
    return float(max(min(expected, settings.undetected_start), settings.overlooked_share * held))


def looked(
    before: TrackerState,
    after: TrackerState,
    scan: Detections,
    sensor: SensorModel,
    settings: TrackSettings,
    recycled: float,
) -> TrackerState:
    """`after` with what the scan's sensor has left unseen, given the state `before`."""
    sensors = tuple(sorted({*before.sensors, scan.sensor}))
    old = zip(before.sensors, before.undetected, before.looked_ns, before.placing, strict=True)
    known = {name: (u, ns, places) for name, u, ns, places in old}
    undetected = expected_undetected(before, scan, sensor, settings)
    undetected = undetected * max(1.0 - sensor.detection_probability, UNSEEN_MIN) + recycled
    known[scan.sensor] = (np.float64(undetected), np.int64(scan.scan_ns), np.int64(sensor.locates))
    after = replace(
        after,
        sensors=sensors,
        undetected=np.array([known[name][0] for name in sensors], dtype=np.float64),
        looked_ns=np.array([known[name][1] for name in sensors], dtype=np.int64),
        placing=np.array([known[name][2] for name in sensors], dtype=np.int64),
    )
    if settings.births is None:
        return after
    mean, cov, number = hidden(before, settings, after.tracks.time_ns)
    if sensor.locates:  # what only directions have seen has begun no track: it still is undetected
        number = number * np.maximum(1.0 - sensor.p_detect(mean), UNSEEN_MIN)
    stays = number >= HIDDEN_MIN
    return replace(after, hidden_mean=mean[stays], hidden_cov=cov[stays], hidden=number[stays])
