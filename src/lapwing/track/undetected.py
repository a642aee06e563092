"""Targets that nobody has seen yet. Axes: m detections, s sensors, b components,
r rows of a block, k pairs, M modes.

Two ways to say where they are. By default one Poisson number per sensor, spread evenly over its measurement space: it
grows by arrivals, shrinks by every look, takes back what pruned tracks stood for, and never reaches zero, for a target
that was lost must be able to be found again. Or, with `TrackSettings.births`, a Poisson intensity made of Gaussians,
predicted and thinned by every look as in the Poisson multi-Bernoulli filter. What does not locate (directions, say)
begins no track either way, and does not thin the Gaussians.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel import beliefs, motion
from lapwing.kernel.gaussian import GATE, condition
from lapwing.kernel.manoeuvre import spread_modes
from lapwing.records import Array, Detections
from lapwing.track.association import NS, ages_s, noise_of
from lapwing.track.births import UNSEEN_MIN, Hidden, joined, missed_by, poured, thinned
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TrackSettings
from lapwing.track.state import TrackerState

BLOCK = 8_192  # pairs of component and detection worked on at once
LOOSE = 4.0  # the gate in place is this much wider than the one in measurement space, which decides


class Newborn(NamedTuple):
    """What each detection would be, were it a target of which nothing else is known, at the end of the scan."""

    mode: Float64[Array, "m M"]
    mean: Float64[Array, "m M 6"]
    cov: Float64[Array, "m M 6 6"]
    intensity: Float64[Array, " m"]  # of such detections, per scan and unit of measurement volume
    expected: float  # number of undetected targets in the sensor's coverage, before it looks


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
    k = settings.kinematics
    expected = expected_undetected(state, scan, sensor, settings)
    if settings.births is not None and sensor.locates:
        mean, cov, intensity = _from_gaussians(state, scan, place, sensor, settings, to_ns)
        return Newborn(*spread_modes(k.start, mean, cov, np.zeros(len(scan)), k.modes), intensity, expected)
    mean, cov = place
    intensity = sensor.p_detect(mean) * expected / sensor.volume if sensor.locates else np.zeros(len(scan))
    if len(k.modes) == 1 and not np.count_nonzero(scan.time_ns - to_ns):  # nothing to spread, nothing to move
        return Newborn(np.ones((len(scan), 1)), mean[:, None], cov[:, None], intensity, expected)
    return Newborn(
        *spread_modes(k.start, mean, cov, np.maximum(ages_s(scan, to_ns), 0.0), k.modes), intensity, expected
    )


def hidden(state: TrackerState, settings: TrackSettings, to_ns: int) -> tuple[Hidden, float]:
    """The Gaussians of undetected targets at `to_ns`, and how many have come meanwhile."""
    births = settings.births
    assert births is not None
    if not state.sensors:
        return Hidden(np.zeros((0, 6)), np.zeros((0, 6, 6)), np.zeros(0)), births.at_start
    dt_s = (to_ns - state.tracks.time_ns) * NS
    mean, cov = motion.predict(state.hidden_mean, state.hidden_cov, dt_s, *noise_of(settings))
    return Hidden(mean, cov, state.hidden * np.exp(-dt_s / settings.lifetime_s)), births.per_s * dt_s


def _last_look(
    known: Hidden, state: TrackerState, scan: Detections, sensor: SensorModel, settings: TrackSettings
) -> tuple[float, Float64[Array, " b"]]:
    """Share of the undetected who were there when this sensor last looked, and the share of each Gaussian that it
    misses."""
    if scan.sensor not in state.sensors or settings.births is None or not len(known.number):
        return 0.0, np.ones(len(known.number))
    since_s = max(state.tracks.time_ns - int(state.looked_ns[state.sensors.index(scan.sensor)]), 0) * NS
    there = 1.0 - min(settings.births.per_s * since_s / max(float(known.number.sum()), 1e-300), 1.0)
    return there, missed_by(known, sensor)


def _left(
    p: Float64[Array, " r"], look: tuple[float, Float64[Array, " b"]], number: Float64[Array, " n"]
) -> Float64[Array, "n r"]:
    """How many are left of each Gaussian, those who come now last, as seen from where p_detect is p: the last look has
    found most of those whom it sees well, which the Gaussians' widths alone do not say. As if nobody had moved since,
    and never more than the Gaussian says."""
    there, missed = look
    out = np.repeat(number[:, None], len(p), axis=1)
    share = np.minimum(np.maximum(1.0 - p, UNSEEN_MIN) / missed[:, None], 1.0)
    out[:-1] *= 1.0 - there * (1.0 - share)
    return out


def _from_gaussians(
    state: TrackerState,
    scan: Detections,
    place: tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]],
    sensor: SensorModel,
    settings: TrackSettings,
    to_ns: int,
) -> tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"], Float64[Array, " m"]]:
    """Each detection's share of every component, matched by one Gaussian, and its intensity. A block of detections at a
    time: memory stays bounded."""
    births = settings.births
    assert births is not None
    known, number = hidden(state, settings, to_ns)
    of = joined(known, Hidden(births.mean[None], births.cov[None], np.array([number])))
    look = _last_look(known, state, scan, sensor, settings)
    m, each = len(scan), max(BLOCK // len(of.number), 1)
    mean, cov, intensity = place[0].copy(), place[1].copy(), np.zeros(m)
    gate_d2 = GATE[scan.z.shape[1]] if settings.gate_d2 is None else settings.gate_d2
    p, age_s = sensor.p_detect(place[0]), ages_s(scan, to_ns)
    for begin in range(0, m, each):
        rows = np.arange(begin, min(begin + each, m))
        left = _left(p[rows], look, of.number)
        who, row = _near(of, place, rows, age_s, LOOSE * gate_d2)
        then = motion.shift(of.mean[who], -age_s[row])
        # a component is wide, a detection is not: linearised where the detection is
        about = np.concatenate([place[0][row, :3], then[:, 3:]], axis=1)
        z_hat, H = sensor.expect(about)
        nu = sensor.innovation(scan.z[row], z_hat) - np.einsum("kdi,ki->kd", H, then - about)
        H_now = motion.aged_jacobian(H, age_s[row])
        found = condition(of.cov[who], H_now, scan.R[row], nu)
        inside = np.flatnonzero(found.nis <= gate_d2)
        who, row, K, H_now = who[inside], row[inside], found.gain[inside], H_now[inside]
        weight = left[who, row - begin] * p[row] * np.exp(np.maximum(found.log_likelihood[inside], -500.0))
        x = of.mean[who] + np.matmul(K, nu[inside, :, None])[:, :, 0]
        I_KH = np.eye(6) - np.matmul(K, H_now)
        P = I_KH @ of.cov[who] @ np.swapaxes(I_KH, 1, 2) + K @ scan.R[row] @ np.swapaxes(K, 1, 2)
        total, mu, out = beliefs.match(row - begin, weight, x, P, len(rows))
        some = total > 0.0
        intensity[rows], mean[rows[some]], cov[rows[some]] = total, mu[some], out[some]
    return mean, cov, intensity


def _near(
    of: Hidden,
    place: tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]],
    rows: Int64[Array, " r"],
    age_s: Float64[Array, " m"],
    d2_max: float,
) -> tuple[Int64[Array, " k"], Int64[Array, " k"]]:
    """Pairs of component and detection whose places agree, east and north, no worse than this: before anything dear is
    worked out."""
    age = age_s[rows]
    off = of.mean[:, None, :2] - age[:, None] * of.mean[:, None, 3:5] - place[0][rows, :2]

    def spread(i: int, j: int) -> Float64[Array, "b r"]:
        C = of.cov[:, :, :, None]
        then = C[:, i, j] - age * (C[:, i, j + 3] + C[:, i + 3, j]) + age**2 * C[:, i + 3, j + 3]
        return np.asarray(then + place[1][rows, i, j])

    ee, en, nn = spread(0, 0), spread(0, 1), spread(1, 1)
    det = np.maximum(ee * nn - en * en, 1e-300)
    d2 = (nn * off[:, :, 0] ** 2 - 2.0 * en * off[:, :, 0] * off[:, :, 1] + ee * off[:, :, 1] ** 2) / det
    row, who = np.nonzero((d2 <= d2_max).T)
    return who, rows[row]


def expected_undetected(state: TrackerState, scan: Detections, sensor: SensorModel, settings: TrackSettings) -> float:
    """Expected number of targets that no track stands for, in the coverage of the scan's sensor, before it looks. Never
    less than a small share of those that tracks stand for there: whoever sees many has overlooked some."""
    if scan.sensor not in state.sensors:
        return settings.undetected_start
    s = state.sensors.index(scan.sensor)
    dt_s = max(scan.scan_ns - int(state.looked_ns[s]), 0) * NS
    expected = float(state.undetected[s]) * np.exp(-dt_s / settings.lifetime_s) + settings.birth_rate_hz * dt_s
    expected = float(min(expected, settings.undetected_start))
    if expected >= settings.overlooked_share * len(state.tracks):  # more than all of them would say
        return expected
    held = float(np.add.reduce(state.tracks.existence[sensor.p_detect(state.tracks.mean) > 0.0]))
    return max(expected, settings.overlooked_share * held)


def looked(
    state: TrackerState,
    scan: Detections,
    sensor: SensorModel,
    settings: TrackSettings,
    counts: tuple[float, float],
    to_ns: int,
) -> dict[str, Any]:
    """What the scan's sensor has left unseen, as fields of the state after the scan, given the `state` before it:
    so many targets were undetected, and so many of those that tracks stood for are so again. Raises ValueError where
    that is no number: nothing would ever be found again."""
    expected, recycled = counts
    left = expected * max(1.0 - sensor.detection_probability, UNSEEN_MIN) + recycled
    if not math.isfinite(left):
        raise ValueError("an existence or weight in the tracker's state is not finite")
    sensors, undetected, looked_ns, placing = state.sensors, state.undetected, state.looked_ns, state.placing
    if scan.sensor not in sensors:
        sensors = tuple(sorted((*sensors, scan.sensor)))
        at = sensors.index(scan.sensor)
        undetected, placing = np.insert(undetected, at, 0.0), np.insert(placing, at, 0)
        looked_ns = np.insert(looked_ns, at, scan.scan_ns)
    undetected, looked_ns, placing, at = undetected.copy(), looked_ns.copy(), placing.copy(), sensors.index(scan.sensor)
    undetected[at], looked_ns[at], placing[at] = left, max(scan.scan_ns, int(looked_ns[at])), sensor.locates
    fields: dict[str, Any] = {"sensors": sensors, "undetected": undetected, "looked_ns": looked_ns, "placing": placing}
    if settings.births is None:
        return fields
    hidden_ = poured(*hidden(state, settings, to_ns), settings.births)
    if sensor.locates:  # what only directions have seen has begun no track: it still is undetected
        hidden_ = thinned(hidden_, sensor)
    return fields | {"hidden_mean": hidden_.mean, "hidden_cov": hidden_.cov, "hidden": hidden_.number}
