"""Where directions of different sensors cross, a track begins. Axes: m detections, k pairs of bearings, e births.

A bearing that no track explains is kept for a few seconds. When another sensor's unexplained bearing crosses it, the
point is found by Gauss-Newton on both measurements and the height prior, iterated to their common optimum; the
covariance is the inverse information there, with the way that the target may have gone between the two looks added to
the older bearing. Flat crossings (`angle_rad_min`), whose Gaussian would lie, begin nothing.

With several emitters most crossings are ghosts. None of them is believed at once: each gets the existence that its
alternatives leave it (false bearings, and other emitters' bearings, as many as there are), and lives on by the same
association as every track, where a ghost loses its bearings to true targets and is missed by the third sensor. What
the other sensors' last looks say of a crossing multiplies its odds; where three bearings meet, a track may begin even
if tracks explain each of them: two ghosts may have taken the bearings of two targets before the third sensor looked.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.gaussian import GATE, condition
from lapwing.kernel.hypotheses import Forest
from lapwing.records import ANONYMOUS, Array, Detections, Directions, Innovations, Tracks, TrackStatus
from lapwing.records.arrays import freeze_columns
from lapwing.track.sensors import BearingSensor, height_m
from lapwing.track.settings import CrossingSettings, TargetPrior, TrackSettings
from lapwing.track.state import Hypotheses, ModeBeliefs, TrackerState

NS = 1e-9
STEPS = 6  # of Gauss-Newton


@dataclass(frozen=True, slots=True)
class Look:
    """The bearings of one scan, and which of them no track explains."""

    sensor: BearingSensor
    scan: Detections
    free: Int64[Array, " m"]  # 1: unexplained

    def __post_init__(self) -> None:
        freeze_columns(self)


class Crossed(NamedTuple):
    """k crossings."""

    mean: Float64[Array, "k 6"]
    cov: Float64[Array, "k 6 6"]
    nis: Float64[Array, " k"]  # what is left of the measurements, and of the height prior
    density: Float64[Array, " k"]  # of azimuth pairs of one target that may be anywhere in the coverage, per rad^2
    good: Array


def look(scan: Detections, sensor: BearingSensor, told: Innovations, settings: CrossingSettings) -> Look:
    """The scan, and which of its rows no track explains."""
    weight = np.bincount(told.detection, told.weight, len(scan))
    return Look(sensor, scan, (weight < settings.explained).astype(np.int64))


def remember(looks: tuple[Look, ...], new: Look, settings: CrossingSettings) -> tuple[Look, ...]:
    """One look per sensor, the newest, none older than what is shown."""
    oldest_ns = new.scan.scan_ns - round(settings.wedge_s * 1e9)
    kept = [k for k in looks if k.sensor.sensor != new.sensor.sensor and k.scan.scan_ns >= oldest_ns]
    return tuple(sorted([*kept, new], key=lambda k: k.sensor.sensor))


def begin(
    state: TrackerState, looks: tuple[Look, ...], new: Look, expected: float, settings: TrackSettings
) -> TrackerState:
    """The tracker with one more tentative track per crossing of the new look with the others that may be a target.
    `expected`: undetected targets in the coverage."""
    rules = settings.crossings
    window_ns = round(rules.window_s * 1e9)
    near = tuple(k for k in looks if abs(k.scan.scan_ns - new.scan.scan_ns) <= window_ns)
    found = [
        _births(state.tracks, new, other, near, expected, settings)
        for other in near
        if np.linalg.norm(other.sensor.position_m - new.sensor.position_m) >= rules.apart_m_min
    ]
    if not found:
        return state
    row, existence = (np.concatenate([f[i] for f in found]) for i in (0, 1))
    mean, cov = (np.concatenate([f[i] for f in found]) for i in (2, 3))
    best = np.argsort(-existence, kind="stable")[: rules.births_max]
    begun = (row[best], existence[best], mean[best], cov[best])
    return _added(state, new.scan, begun, settings.kinematics.start)


def _births(
    tracks: Tracks, new: Look, other: Look, looks: tuple[Look, ...], expected: float, settings: TrackSettings
) -> tuple[Int64[Array, " e"], Float64[Array, " e"], Float64[Array, "e 6"], Float64[Array, "e 6 6"]]:
    """Rows of the new look, existences, means and covariances of what may be targets."""
    rules, m, n = settings.crossings, len(new.scan), len(other.scan)
    i, j = np.repeat(np.arange(m), n), np.tile(np.arange(n), m)
    c = cross(new, i, other, j, settings.prior, rules)
    true = expected * new.sensor.p_detect(c.mean) * other.sensor.p_detect(c.mean) * c.density
    met = np.zeros(len(i), dtype=bool)
    for third in looks:
        if third.sensor.sensor not in (new.sensor.sensor, other.sensor.sensor):
            ratio, seen = _support(third, c)
            true, met = true * ratio, met | seen
    false = _crowd(new) * _crowd(other)
    free = (new.free[i] == 1) & (other.free[j] == 1)
    most = np.where(free, rules.existence_max, rules.existence_met)
    existence = np.minimum(true / np.maximum(true + false, 1e-300), most)
    good = c.good & (free | met) & (existence >= rules.existence_min)
    good[good] = ~_near(tracks, c.mean[good], c.cov[good], rules.near_d2)
    return i[good], existence[good], c.mean[good], c.cov[good]


def _support(third: Look, c: Crossed) -> tuple[Float64[Array, " k"], Array]:
    """Likelihood ratio of a third sensor's look for each crossing, target to none; and whether a bearing meets it."""
    z_hat, H = third.sensor.expect(c.mean)
    p_detect, k, m = third.sensor.p_detect(c.mean), len(c.mean), len(third.scan)
    e, row = np.repeat(np.arange(k), m), np.tile(np.arange(m), k)
    found = condition(c.cov[e], H[e], third.scan.R[row], third.sensor.innovation(third.scan.z[row], z_hat[e]))
    like = np.exp(np.where(found.nis < GATE[third.scan.z.shape[1]], found.log_likelihood, -np.inf))
    total = np.bincount(e, like, k)
    return 1.0 - p_detect + p_detect * total / max(_crowd(third), 1e-6), total > 0.0


def _crowd(look: Look) -> float:
    """Other bearings per radian that an accidental crossing could be made of."""
    return max((look.sensor.clutter_per_scan + look.sensor.false_ratio), float(len(look.scan) - 1)) / (2.0 * np.pi)


def _near(tracks: Tracks, mean: Float64[Array, "e 6"], cov: Float64[Array, "e 6 6"], d2_max: float) -> Array:
    """True for crossings where a track already stands."""
    delta = mean[:, None, :2] - tracks.mean[None, :, :2]
    S = cov[:, None, :2, :2] + tracks.cov[None, :, :2, :2]
    d2 = np.einsum("eni,eni->en", delta, np.linalg.solve(S, delta[..., None])[..., 0])
    return np.asarray((d2 < d2_max).any(axis=1))


def cross(
    new: Look,
    i: Int64[Array, " k"],
    other: Look,
    j: Int64[Array, " k"],
    prior: TargetPrior,
    rules: CrossingSettings,
) -> Crossed:
    """Targets that both bearings of each pair would be of, at the time of the new one."""
    rays = [_rays(look, rows) for look, rows in ((new, i), (other, j))]
    a, b = new.sensor.position_m[:2], other.sensor.position_m[:2]
    u, v = rays[0][:, :2], rays[1][:, :2]
    sine = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    flat = np.abs(sine) < np.sin(rules.angle_rad_min)
    base = (b - a) / np.where(flat, 1.0, sine)[:, None]
    along = base[:, 0] * v[:, 1] - base[:, 1] * v[:, 0]
    along_other = base[:, 0] * u[:, 1] - base[:, 1] * u[:, 0]
    within = (along > 1.0) & (along < new.sensor.range_m_max) & (along_other > 1.0)
    good = ~flat & within & (along_other < other.sensor.range_m_max)
    mean = np.zeros((len(i), 6))
    mean[:, :2] = a + np.where(good, along, 1.0)[:, None] * u
    mean[:, 2] += prior.height_m_mean - height_m(mean)
    dt_s = (new.scan.time_ns[i] - other.scan.time_ns[j]) * NS
    gone = (rules.speed_mps * np.abs(dt_s) / np.maximum(along_other, 1.0)) ** 2
    R_other = other.scan.R[j] + gone[:, None, None] * np.eye(other.scan.z.shape[1])
    measured = ((new.sensor, new.scan.z[i], new.scan.R[i]), (other.sensor, other.scan.z[j], R_other))
    mean, cov3, nis = _optimum(mean, measured, prior)
    cov = np.zeros((len(i), 6, 6))
    cov[:, :3, :3] = cov3
    cov[:, [3, 4, 5], [3, 4, 5]] = [prior.speed_mps_sigma**2] * 2 + [prior.climb_mps_sigma**2]
    dof = new.scan.z.shape[1] + other.scan.z.shape[1] - 2.0
    good &= (nis < dof + 4.0 * np.sqrt(2.0 * dof + 2.0)) & (cov3[:, 0, 0] + cov3[:, 1, 1] < (0.5 * along) ** 2)
    area = np.pi * min(new.sensor.range_m_max, other.sensor.range_m_max) ** 2
    density = np.where(good, along * along_other / np.maximum(np.abs(sine), 1e-9), 0.0) / area
    return Crossed(mean, cov, nis, density, good)


def _rays(look: Look, rows: Int64[Array, " k"]) -> Float64[Array, "k 3"]:
    """Unit vectors in the site's frame along the azimuths, level at the sensor."""
    azimuth = look.scan.z[rows, 0]
    level = np.stack([np.sin(azimuth), np.cos(azimuth), np.zeros(len(rows))], axis=1)
    return np.asarray(level @ look.sensor.rotation)


def _optimum(
    mean: Float64[Array, "k 6"],
    measured: tuple[tuple[BearingSensor, Array, Array], ...],
    prior: TargetPrior,
) -> tuple[Float64[Array, "k 6"], Float64[Array, "k 3 3"], Float64[Array, " k"]]:
    """Gauss-Newton: the positions that fit both measurements and the height prior best, the inverse information there,
    and what is left, squared and normalised."""
    mean, k = mean.copy(), len(mean)
    weight = [np.linalg.inv(R) for _, _, R in measured]
    level = mean[:, 2].copy()
    for step in range(STEPS + 1):
        Y, y, nis = np.zeros((k, 3, 3)), np.zeros((k, 3)), np.zeros(k)
        Y[:, 2, 2] = prior.height_m_sigma**-2
        y[:, 2] = (level - mean[:, 2]) * Y[:, 2, 2]
        nis += (level - mean[:, 2]) ** 2 * Y[:, 2, 2]
        for (sensor, z, _), W in zip(measured, weight, strict=True):
            z_hat, H = sensor.expect(mean)
            nu, J = sensor.innovation(z, z_hat), H[:, :, :3]
            JW = np.swapaxes(J, 1, 2) @ W
            Y += JW @ J
            y += (JW @ nu[:, :, None])[:, :, 0]
            nis += np.einsum("ki,kij,kj->k", nu, W, nu)
        Y += 1e-12 * np.eye(3)
        if step < STEPS:
            mean[:, :3] += np.clip(np.linalg.solve(Y, y[:, :, None])[:, :, 0], -1e5, 1e5)
    return mean, np.linalg.inv(Y), nis


def _added(
    state: TrackerState,
    scan: Detections,
    begun: tuple[Int64[Array, " e"], Float64[Array, " e"], Float64[Array, "e 6"], Float64[Array, "e 6 6"]],
    start: Float64[Array, " M"],
) -> TrackerState:
    """The tracker with e more tracks, each one Gaussian and a cluster of its own. They count one detection: with the
    hits that confirmation asks for they need more bearings than the two they began with."""
    row, existence, mean, cov = begun
    tracks, of, f, n, e = state.tracks, state.hypotheses, state.hypotheses.forest, len(state.tracks), len(row)
    ids = np.arange(tracks.next_id, tracks.next_id + e)
    both = Tracks(
        tracks.time_ns,
        np.concatenate([tracks.track_id, ids]),
        np.concatenate([tracks.mean, mean]),
        np.concatenate([tracks.cov, cov]),
        np.concatenate([tracks.existence, existence]),
        np.concatenate([tracks.status, np.full(e, TrackStatus.TENTATIVE, dtype=np.int64)]),
        np.concatenate([tracks.born_ns, scan.time_ns[row]]),
        np.concatenate([tracks.updated_ns, scan.time_ns[row]]),
        np.concatenate([tracks.address, np.full(e, ANONYMOUS, dtype=np.int64)]),
        np.concatenate([tracks.frame_seq, scan.frame_seq[row]]),
        tracks.next_id + e,
    )
    local, one = len(of.track) + np.arange(e), 1 + np.arange(e)
    forest = Forest(
        np.concatenate([f.member, n + np.arange(e)]),
        np.concatenate([f.member_first, f.member_first[-1] + one]),
        np.concatenate([f.log_weight, np.zeros(e)]),
        np.concatenate([f.weight_first, f.weight_first[-1] + one]),
        np.concatenate([f.choice, local]),
        np.concatenate([f.choice_first, f.choice_first[-1] + one]),
    )
    hypotheses = Hypotheses(
        np.concatenate([of.track, n + np.arange(e)]),
        np.concatenate([of.mean, mean]),
        np.concatenate([of.cov, cov]),
        np.concatenate([of.existence, existence]),
        np.concatenate([of.weight, np.ones(e)]),
        forest,
        of.modes and _with_modes(of.modes, mean, cov, start),
    )
    return replace(
        state,
        tracks=both,
        hits=np.concatenate([state.hits, np.ones(e)]),
        flat=np.concatenate([state.flat, np.zeros(e, dtype=np.int64)]),
        radar_m=np.concatenate([state.radar_m, np.zeros((e, 3))]),
        unplaced=np.concatenate([state.unplaced, np.ones(e, dtype=np.int64)]),
        visible=np.concatenate([state.visible, np.ones((e, len(state.sensors)))]),
        hypotheses=hypotheses,
    )


def _with_modes(
    old: ModeBeliefs, mean: Float64[Array, "e 6"], cov: Float64[Array, "e 6 6"], start: Float64[Array, " M"]
) -> ModeBeliefs:
    """The modes of the old hypotheses and of new ones that may move in any of them."""
    M = len(start)
    return ModeBeliefs(
        np.concatenate([old.weight, np.tile(start, (len(mean), 1))]),
        np.concatenate([old.mean, np.repeat(mean[:, None], M, axis=1)]),
        np.concatenate([old.cov, np.repeat(cov[:, None], M, axis=1)]),
    )


def wedges(looks: tuple[Look, ...], to_ns: int, settings: CrossingSettings) -> Directions:
    """The unexplained bearings of each sensor's last look, as wedges."""
    shown = [k for k in looks if k.free.any() and to_ns - k.scan.scan_ns <= settings.wedge_s * 1e9]
    if not shown:
        return Directions.empty()
    rows = [np.flatnonzero(k.free) for k in shown]
    count = [len(r) for r in rows]
    rays = np.concatenate([_rays(k, r) for k, r in zip(shown, rows, strict=True)])
    return Directions(
        tuple(k.sensor.sensor for k, n in zip(shown, count, strict=True) for _ in range(n)),
        np.concatenate([k.scan.time_ns[r] for k, r in zip(shown, rows, strict=True)]),
        np.repeat([k.sensor.position_m for k in shown], count, axis=0),
        np.arctan2(rays[:, 0], rays[:, 1]) % (2.0 * np.pi),
        np.concatenate([np.sqrt(k.scan.R[r, 0, 0]) for k, r in zip(shown, rows, strict=True)]),
        np.repeat([k.sensor.range_m_max for k in shown], count),
        np.concatenate([k.scan.frame_seq[r] for k, r in zip(shown, rows, strict=True)]),
    )
