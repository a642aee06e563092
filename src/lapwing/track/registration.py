"""Registration: sensor biases from targets whose place is known. Axes: k pairs, b biases, d columns, n references.

A reference is a claim that integrity trusts. Every plot in a wide gate about it is a pair: what was measured less what
was expected, and the covariance of both. One sliding window of pairs per sensor is solved by least squares, robust
against wrong pairs: each look is a mixture of "this plot", "that plot" and "none, all are clutter" (expectation
maximisation, from many starts because a radar may be turned by ten degrees, sharpened in three stages).

What is off is never known better than the geometry allows: the prior (`RegistrationSettings.sigma`) stands for what is
not observable, and a bias counts as observable only when its posterior sigma is a small part of that and several
targets and looks stand behind it. Only then is it taken out of the sensor's scans. References are claims alone;
what two sensors see of targets that claim nothing is for `track.shared`.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel import motion
from lapwing.records import BIASES, Array, Claims, Condition, Detections, Integrity, Registration, Space
from lapwing.records.arrays import freeze_columns, same_length
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TargetPrior

NS = 1e-9
B = len(BIASES)
STAGES = ((25.0, 6), (4.0, 6), (1.0, 12))  # covariance inflation, iterations


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """`sigma`: what may be off before anything is known, in the order of BIASES."""

    sigma: tuple[float, ...] = (150.0, 0.12, 0.07, 1.5, 60.0, 60.0)
    window_s: float = 180.0
    apart_s: float = 10.0  # least time between two looks at one reference: its own error does not change in less
    every_s: float = 4.0  # between solutions
    pairs_max: int = 600  # per sensor
    fresh_s: float = 6.0  # a claim not renewed for longer is no reference
    claim_m: float = 15.0  # added to every claim's own sigma: antenna, time stamp
    noise_m2ps3: float = 9.0  # of a claim that is moved to the plot's time
    gate_sigmas: float = 3.5
    steep_rad_max: float = 0.05  # an angle that the prior of place turns by more is left out
    observable_ratio: float = 0.35  # posterior sigma over prior sigma
    looks_min: float = 8.0
    targets_min: int = 2
    gain_min: float = 20.0  # nats over "all are clutter"


class Reference(NamedTuple):
    """Trusted targets at one time."""

    time_ns: int
    address: Int64[Array, " n"]
    mean: Float64[Array, "n 6"]
    cov: Float64[Array, "n 6 6"]


@dataclass(frozen=True, slots=True)
class Pairs:
    """k pairs of one sensor, by look, oldest first; and its biases when last solved."""

    sensor: str
    columns: tuple[str, ...]  # of the sensor's space
    look: Int64[Array, " k"]  # pairs of one look exclude each other
    time_ns: Int64[Array, " k"]
    address: Int64[Array, " k"]
    z: Float64[Array, "k d"]
    at: Float64[Array, "k 6"]  # the reference at the plot's own time
    S: Float64[Array, "k d d"]
    spread: Float64[Array, " k"]  # clutter and other targets per unit of measurement volume
    p_detect: Float64[Array, " k"]
    found: Registration
    next_look: int = 0
    solved_ns: int = 0

    def __post_init__(self) -> None:
        same_length(self, "look", "time_ns", "address", "z", "at", "S", "spread", "p_detect")
        freeze_columns(self)


def trusted(claims: Claims, integrity: Integrity, settings: RegistrationSettings) -> Reference:
    """Claims that are fresh, undoubted and whose navigation integrity calls good."""
    now = claims.time_ns
    good = (claims.has_position > 0) & (now - claims.position_ns < settings.fresh_s * 1e9)
    good &= (claims.doubt == 0) & (claims.rejected == 0) & (integrity.condition == Condition.OK)
    rows = np.flatnonzero(good)
    return Reference(now, claims.address[rows], claims.mean[rows], claims.cov[rows])


def nothing_known(sensor: str, settings: RegistrationSettings) -> Registration:
    """The prior."""
    zero = np.zeros(B)
    return Registration(sensor, 0, 0, zero, np.array(settings.sigma), np.zeros(B, dtype=np.int64), zero.copy())


def begin(sensor: str, columns: tuple[str, ...], settings: RegistrationSettings) -> Pairs:
    """No pairs."""
    i, f, d = np.zeros(0, dtype=np.int64), np.zeros(0), len(columns)
    rows = (i, i.copy(), i.copy(), np.zeros((0, d)), np.zeros((0, 6)), np.zeros((0, d, d)), f, f.copy())
    return Pairs(sensor, columns, *rows, nothing_known(sensor, settings))


def collect(
    pairs: Pairs, scan: Detections, sensor: SensorModel, reference: Reference, settings: RegistrationSettings
) -> Pairs:
    """The window with the looks of one raw scan (not corrected) at the references, and without what is too old."""
    if scan.space.value != pairs.columns:
        pairs = begin(scan.sensor, scan.space.value, settings)
    old = scan.scan_ns - round(settings.window_s * 1e9)
    kept = _chosen(pairs, (pairs.time_ns >= old) & (pairs.time_ns <= scan.scan_ns))
    due = scan.scan_ns - round(settings.apart_s * 1e9)
    fresh = ~np.isin(reference.address, kept.address[kept.time_ns > due])
    if not len(scan) or not fresh.any():
        return kept
    mean, cov = reference.mean[fresh], reference.cov[fresh]
    row, who = (a.ravel() for a in np.meshgrid(np.arange(len(scan)), np.arange(len(mean)), indexing="ij"))
    dt_s = (scan.time_ns[row] - reference.time_ns) * NS
    at = motion.shift(mean[who], dt_s)
    P = motion.predict(mean[who], cov[who], np.abs(dt_s), settings.noise_m2ps3, 1.0)[1]
    P[:, [0, 1, 2], [0, 1, 2]] += settings.claim_m**2
    z_hat, H = sensor.expect(at)
    nu = sensor.innovation(scan.z[row], z_hat)
    J = jacobian(H, at, scan.space)
    S = H @ P @ np.swapaxes(H, 1, 2) + scan.R[row]
    prior = J @ (np.square(settings.sigma)[:, None] * np.swapaxes(J, 1, 2)) + S
    reach = settings.gate_sigmas * np.sqrt(np.diagonal(prior, axis1=1, axis2=2))
    p_detect = sensor.p_detect(at)
    near = (np.abs(nu) < reach).all(axis=1) & (p_detect > 0.05) & _linear(H, scan.space, settings)
    if not near.any():
        return kept
    volume = np.prod(2.0 * reach, axis=1)
    count = np.bincount(who[near], minlength=len(mean))
    spread = np.maximum(sensor.clutter_intensity(scan.z)[row], (count[who] - 1) / volume)
    new = replace(
        kept,
        look=kept.next_look + who[near],
        time_ns=scan.time_ns[row][near],
        address=reference.address[fresh][who[near]],
        z=scan.z[row][near],
        at=at[near],
        S=S[near],
        spread=spread[near],
        p_detect=p_detect[near],
        next_look=kept.next_look + len(mean),
    )
    return _newest(_joined(kept, new), settings.pairs_max)


def _linear(H: Float64[Array, "k d 6"], space: Space, settings: RegistrationSettings) -> Array:
    """False where a target is so near that an angle is not linear in where the sensor stands."""
    steep = np.linalg.norm(H[:, :, :3], axis=2) * max(settings.sigma[4:])
    angles = [c for c, name in enumerate(space.value) if name.endswith("_rad")]
    return np.asarray((steep[:, angles] < settings.steep_rad_max).all(axis=1))


def jacobian(H: Float64[Array, "k d 6"], at: Float64[Array, "k 6"], space: Space) -> Float64[Array, "k d b"]:
    """How each column changes with each bias: one for its own; a late clock sees the target where it was earlier; a
    sensor that stands east of its place sees the target farther west."""
    J = np.zeros((*H.shape[:2], B))
    for c, name in enumerate(space.value):
        if name in BIASES[:3]:
            J[:, c, BIASES.index(name)] = 1.0
    J[:, :, 3] = -np.einsum("kdi,ki->kd", H[:, :, :3], at[:, 3:])
    J[:, :, 4:] = -H[:, :, :2]
    return J


ROWS = ("look", "time_ns", "address", "z", "at", "S", "spread", "p_detect")


def _with(pairs: Pairs, rows: dict[str, Array]) -> Pairs:
    return replace(pairs, **cast(dict[str, Any], rows))


def _chosen(pairs: Pairs, rows: Array) -> Pairs:
    return _with(pairs, {name: getattr(pairs, name)[rows] for name in ROWS})


def _joined(a: Pairs, b: Pairs) -> Pairs:
    return _with(b, {name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in ROWS})


def _newest(pairs: Pairs, pairs_max: int) -> Pairs:
    """Whole looks only."""
    if len(pairs.look) <= pairs_max:
        return pairs
    return _chosen(pairs, pairs.look > pairs.look[len(pairs.look) - pairs_max - 1])


def solve(
    pairs: Pairs, sensor: SensorModel, now_ns: int, noise: Float64[Array, " b"], settings: RegistrationSettings
) -> Pairs:
    """The biases that explain the window best, their sigmas, and which of them are observable."""
    prior = np.array(settings.sigma)
    known = replace(nothing_known(pairs.sensor, settings), time_ns=now_ns, noise=noise)
    if not len(pairs.look):
        return replace(pairs, found=known, solved_ns=now_ns)
    starts, line = _starts(pairs, prior), residuals(pairs, sensor, np.zeros(B))
    first = np.array([score(pairs, line, b, STAGES[0][0])[0] for b in starts])
    best, best_score, best_Y, weight = starts[0], -np.inf, np.diag(prior**-2.0), np.zeros(0)
    for i in np.argsort(-first, kind="stable")[:3]:
        b, Y, share = _fit(pairs, sensor, starts[i], prior)
        value = score(pairs, residuals(pairs, sensor, b), b, 1.0)[0] - 0.5 * float(((b / prior) ** 2).sum())
        if value > best_score:
            best, best_score, best_Y, weight = b, value, Y, share
    behind = np.unique(pairs.address[weight > 0.5])
    enough = best_score > settings.gain_min and weight.sum() >= settings.looks_min
    if not (enough and len(behind) >= settings.targets_min):
        return replace(pairs, found=replace(known, pairs=round(float(weight.sum()))), solved_ns=now_ns)
    sigma = np.sqrt(np.diagonal(np.linalg.inv(best_Y)))
    observable = (sigma < settings.observable_ratio * prior).astype(np.int64)
    found = Registration(pairs.sensor, now_ns, round(float(weight.sum())), best, sigma, observable, noise)
    return replace(pairs, found=found, solved_ns=now_ns)


class Line(NamedTuple):
    """Residuals, linear in the biases about a point: nu - J (b - about)."""

    about: Float64[Array, " b"]
    nu: Float64[Array, "k d"]
    J: Float64[Array, "k d b"]
    look: Int64[Array, " k"]  # numbered from zero


def residuals(pairs: Pairs, sensor: SensorModel, b: Float64[Array, " b"]) -> Line:
    """The residuals with these biases, exactly, and their slope there."""
    at = motion.shift(pairs.at, np.full(len(pairs.at), -b[3]))
    at[:, :2] -= b[4:]
    z_hat, H = sensor.expect(at)
    J = jacobian(H, at, sensor.space)
    own = np.einsum("kdb,b->kd", J[:, :, :3], b[:3])
    nu = sensor.innovation(pairs.z, z_hat + own)
    return Line(b, nu, J, np.unique(pairs.look, return_inverse=True)[1])


def _fit(
    pairs: Pairs, sensor: SensorModel, b: Float64[Array, " b"], prior: Float64[Array, " b"]
) -> tuple[Float64[Array, " b"], Float64[Array, "b b"], Float64[Array, " k"]]:
    """Expectation maximisation from one start: the biases, their information, each pair's share in its look."""
    Y, weight = np.diag(prior**-2.0), np.zeros(len(pairs.look))
    for inflation, times in STAGES:
        line = residuals(pairs, sensor, b)
        for _ in range(times):
            weight = score(pairs, line, b, inflation)[1]
            b, Y = least_squares(pairs, line, weight / inflation, prior)
    return b, Y, weight


def _starts(pairs: Pairs, prior: Float64[Array, " b"]) -> list[Float64[Array, " b"]]:
    """Zero, the last solution, and turns by every degree and a half."""
    starts = [np.zeros(B), pairs.found.bias]
    if "azimuth_rad" in pairs.columns:
        for turn in np.arange(-3.4 * prior[1], 3.4 * prior[1], 0.025):
            starts.append(np.array([0.0, turn, 0.0, 0.0, 0.0, 0.0]))
    return starts


def score(pairs: Pairs, line: Line, b: Float64[Array, " b"], inflation: float) -> tuple[float, Float64[Array, " k"]]:
    """Log likelihood ratio of the biases to "all are clutter", and each pair's share in its look."""
    r = line.nu - line.J @ (b - line.about)
    S = pairs.S * inflation
    d2 = np.einsum("ki,ki->k", r, np.linalg.solve(S, r[:, :, None])[:, :, 0])
    log_det = np.linalg.slogdet(S)[1] + r.shape[1] * np.log(2.0 * np.pi)
    like = pairs.p_detect * np.exp(-0.5 * (d2 + log_det)) / np.maximum(pairs.spread, 1e-300)
    total = np.bincount(line.look, like)
    missed = np.ones(len(total))
    missed[line.look] = 1.0 - pairs.p_detect
    return float(np.log(total + missed).sum()), like / (total + missed)[line.look]


def least_squares(
    pairs: Pairs, line: Line, weight: Float64[Array, " k"], prior: Float64[Array, " b"]
) -> tuple[Float64[Array, " b"], Float64[Array, "b b"]]:
    """Biases and their information."""
    JW = np.swapaxes(line.J, 1, 2) @ np.linalg.inv(pairs.S) * weight[:, None, None]
    Y = np.diag(prior**-2.0) + (JW @ line.J).sum(axis=0)
    nu = line.nu + line.J @ line.about
    return np.linalg.solve(Y, (JW @ nu[:, :, None])[:, :, 0].sum(axis=0)), Y


def corrected(scan: Detections, sensor: SensorModel, found: Registration, target: TargetPrior) -> Detections:
    """The scan with the observable biases taken out, and its noise grown by what is left of them."""
    use = found.observable == 1
    if not use.any():
        return scan
    b = np.where(use, found.bias, 0.0)
    late_ns = round(b[3] * 1e9)
    z, R = scan.z, scan.R
    if len(scan):
        own = np.array([b[BIASES.index(c)] if c in BIASES[:3] else 0.0 for c in scan.space.value])
        at = sensor.invert(scan.z - own, scan.R, target)[0]
        J = jacobian(sensor.expect(at)[1], at, scan.space)
        J[:, :, 3] = 0.0
        z = scan.z - J @ b
        R = scan.R + (J * np.where(use, found.sigma**2, 0.0)) @ np.swapaxes(J, 1, 2)
        for c, name in enumerate(scan.space.value):
            if name == "azimuth_rad":
                z[:, c] %= 2.0 * np.pi
            if name == "range_m":
                z[:, c] = np.maximum(z[:, c], 1.0)
    return replace(
        scan, scan_ns=scan.scan_ns - late_ns, time_ns=scan.time_ns - late_ns, z=z, R=R, measured=scan.z, late_ns=late_ns
    )
