"""Tracklets: what one sensor alone says of a target over a few seconds. Axes: k plots, n tracklets, d columns.

Plots that surely belong to confirmed tracks are kept for a while as they were measured, before any correction of biases
(`Detections.measured`). A tracklet is a straight line through the last plots of one track by one sensor, by generalised
least squares with the noise of the plots and of the motion, no prior on place or horizontal velocity. So it contains
nothing of another sensor, nothing of the filter, and no correction: what is learned from it cannot feed itself. The
tracker only says which plots belong together.

A height that the sensor does not measure is the prior's, with its spread; the square of that, which a slope cannot
tell, is added along the line of sight. Both are the same in every look at a target, so they count `ALIKE` times.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.telling import among
from lapwing.records import Array, Detections, Innovations, Space, Tracks, TrackStatus
from lapwing.records.arrays import freeze_columns, same_length
from lapwing.track.looks import Reference, jacobian
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TargetPrior

NS = 1e-9
SPACES = tuple(Space)
PLACE = 3  # columns that can say where: range rate is not among them
KEPT_S, KEPT_MAX = 30.0, 4_000
SURE = 0.9  # association weight of a plot that is kept
ALIKE = 9.0  # looks at one target in a window: the error of a height that nobody measures is in all of them
TRACKLETS_MAX = 60
PLOTS_MIN, SPAN_S_MIN, SPAN_S_MAX = 3, 3.0, 16.0


@dataclass(frozen=True, slots=True)
class Plots:
    """Plots of confirmed tracks, as measured. `z` and `R` hold zeros beyond their space's columns."""

    sensors: tuple[str, ...]
    sensor: Int64[Array, " k"]
    space: Int64[Array, " k"]
    track_id: Int64[Array, " k"]
    time_ns: Int64[Array, " k"]
    z: Float64[Array, "k 3"]
    R: Float64[Array, "k 3 3"]

    def __post_init__(self) -> None:
        same_length(self, "sensor", "space", "track_id", "time_ns", "z", "R")
        freeze_columns(self)

    @classmethod
    def empty(cls) -> "Plots":
        """None."""
        i = np.zeros(0, dtype=np.int64)
        return cls((), i, i.copy(), i.copy(), i.copy(), np.zeros((0, 3)), np.zeros((0, 3, 3)))


def gathered(before: Plots, scan: Detections, told: Innovations, tracks: Tracks, locates: bool) -> Plots:
    """The plots after one more scan, without those that are too old."""
    young = before.time_ns >= scan.scan_ns - round(KEPT_S * 1e9)
    sure = np.zeros(0, dtype=np.int64)
    if locates:
        known = tracks.track_id[tracks.status == TrackStatus.CONFIRMED]
        sure = np.flatnonzero((told.weight >= SURE) & among(told.track_id, known))
    if young.all() and not len(sure):
        return before
    names = before.sensors if scan.sensor in before.sensors else (*before.sensors, scan.sensor)
    row, d = told.detection[sure], min(scan.z.shape[1], PLACE)
    z, R = np.zeros((len(row), PLACE)), np.zeros((len(row), PLACE, PLACE))
    measured = scan.z if scan.measured is None else scan.measured
    z[:, :d], R[:, :d, :d] = measured[row, :d], scan.R[row][:, :d, :d]
    here = (np.full(len(row), names.index(scan.sensor)), np.full(len(row), SPACES.index(scan.space)))
    new = (*here, told.track_id[sure], scan.time_ns[row] + scan.late_ns, z, R)
    old = (before.sensor, before.space, before.track_id, before.time_ns, before.z, before.R)
    columns = [np.concatenate([a[young], b])[-KEPT_MAX:] for a, b in zip(old, new, strict=True)]
    return Plots(names, *columns)


def tracklets(plots: Plots, model: SensorModel, prior: TargetPrior, noise_m2ps3: float, but: Array) -> Reference:
    """What the model's sensor alone says of its targets at the time of its last plot; tracks in `but` left out."""
    nothing = Reference(0, np.zeros(0, dtype=np.int64), np.zeros((0, 6)), np.zeros((0, 6, 6)))
    if model.sensor not in plots.sensors or not model.locates:
        return nothing
    own = (plots.sensor == plots.sensors.index(model.sensor)) & (plots.space == SPACES.index(model.space))
    own &= ~np.isin(plots.track_id, but)
    if not own.any():
        return nothing
    now = int(plots.time_ns[own].max())
    row = np.flatnonzero(own & (plots.time_ns >= now - round(SPAN_S_MAX * 1e9)))
    row = row[np.lexsort((plots.time_ns[row], plots.track_id[row]))]
    d = min(len(model.space.value), PLACE)
    z, R, t = plots.z[row][:, :d], plots.R[row][:, :d, :d], (plots.time_ns[row] - now) * NS
    place, noise, rising = _placed(z, R, model, prior)
    name, first = np.unique(plots.track_id[row], return_index=True)
    ids: list[int] = []
    mean, cov = [], []
    for k, (a, b) in enumerate(zip(first, [*first[1:], len(row)], strict=True)):
        if len(ids) < TRACKLETS_MAX and b - a >= PLOTS_MIN and t[b - 1] - t[a] >= SPAN_S_MIN:
            x, P = _line(t[a:b], place[a:b], noise[a:b], noise_m2ps3)
            if not model.measures_height:
                P[:3, :3] += rising[b - 1]
                P[5, 5] += prior.climb_mps_sigma**2
            ids.append(int(name[k]))
            mean.append(x)
            cov.append(P)
    if not ids:
        return nothing
    return Reference(now, np.array(ids, dtype=np.int64), np.array(mean), np.array(cov))


def _placed(
    z: Float64[Array, "k d"], R: Float64[Array, "k d d"], model: SensorModel, prior: TargetPrior
) -> tuple[Float64[Array, "k 3"], Float64[Array, "k 3 3"], Float64[Array, "k 3 3"]]:
    """Where each plot says its target is, the covariance of its own noise alone, and what an unmeasured height adds."""
    full, wide = z, R
    extra = len(model.space.value) - z.shape[1]
    if extra:  # a range rate: of no matter for the place
        full = np.concatenate([z, np.zeros((len(z), extra))], axis=1)
        wide = np.tile(np.eye(full.shape[1]) * 1e6, (len(z), 1, 1))
        wide[:, : z.shape[1], : z.shape[1]] = R
    x = model.invert(full, wide, prior)[0]
    N = slopes(x, model)
    d = z.shape[1]
    noise = N[:, :, :d] @ R @ np.swapaxes(N[:, :, :d], 1, 2)
    if model.measures_height:
        return x[:, :3], noise, np.zeros_like(noise)
    noise[:, 2, 2] += 1.0
    range_m = np.maximum(np.linalg.norm(x[:, :3], axis=1), 1.0)
    sigma_m = np.minimum(prior.height_m_sigma, 0.35 * range_m)
    sigma_m = sigma_m * np.sqrt(ALIKE)
    up = N[:, :, 2] * sigma_m[:, None]
    bent = N[:, :, 0] * (np.sqrt(3.0) * sigma_m**2 / np.sqrt(ALIKE) / (2.0 * range_m))[:, None]
    if "range_m" not in model.space.value:
        bent = np.zeros_like(bent)
    return x[:, :3], noise, up[:, :, None] * up[:, None, :] + bent[:, :, None] * bent[:, None, :]


def slopes(mean: Float64[Array, "k 6"], model: SensorModel) -> Float64[Array, "k 3 3"]:
    """How a place depends on what is measured, the inverse of H: the last column is of the height where that is not
    measured."""
    H = model.expect(mean)[1][:, :PLACE, :3]
    if not model.measures_height:
        up = np.tile(np.array([0.0, 0.0, 1.0]), (len(mean), 1, 1))
        H = np.concatenate([H[:, :2], up], axis=1)
    return np.linalg.inv(H)


def turned(mean: Float64[Array, "k 6"], model: SensorModel) -> Float64[Array, "k 3 b"]:
    """How the places that a sensor says depend on its biases."""
    d = 3 if model.measures_height else 2
    H = model.expect(mean)[1]
    return np.asarray(slopes(mean, model)[:, :, :d] @ jacobian(H, mean, model.space)[:, :d])


def _line(
    t: Float64[Array, " k"], place: Float64[Array, "k 3"], noise: Float64[Array, "k 3 3"], noise_m2ps3: float
) -> tuple[Float64[Array, "6"], Float64[Array, "6 6"]]:
    """State at time 0 and its covariance from places at times before it, with white-noise acceleration between."""
    k = len(t)
    A = np.zeros((k, 3, 6))
    A[:, [0, 1, 2], [0, 1, 2]] = 1.0
    A[:, [0, 1, 2], [3, 4, 5]] = t[:, None]
    a, b = np.minimum(-t[:, None], -t[None, :]), np.maximum(-t[:, None], -t[None, :])
    wander = noise_m2ps3 * a**2 * (3.0 * b - a) / 6.0  # integral of (a - s)(b - s) ds from 0 to a
    C = np.kron(wander, np.eye(3))
    for i in range(k):
        C[3 * i : 3 * i + 3, 3 * i : 3 * i + 3] += noise[i]
    flat = A.reshape(3 * k, 6)
    solved = np.linalg.solve(C, np.concatenate([flat, place.reshape(-1, 1)], axis=1))
    P = np.linalg.inv(flat.T @ solved[:, :6])
    P = 0.5 * (P + P.T)
    return P @ (flat.T @ solved[:, 6]), P
