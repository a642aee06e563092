"""Registration: sensor biases from targets whose place is known. Axes: k pairs, b biases, d columns, t references.

A reference is a claim that integrity trusts; `track.looks` collects what a sensor measured of it. One sliding window of
pairs per sensor is solved by least squares, robust against wrong pairs: each look is a mixture of "this plot", "that
plot" and "none, all are clutter", and each reference is one that the sensor sees at all or does not (expectation
maximisation, from many starts because a radar may be turned by ten degrees, sharpened in three stages).

References err too, and not anew in each look: part of the error of a place, and nearly all of that of a height, lasts
(`lasting_m`), and part of the latter is alike in all of them (air pressure, which surface heights count from). These
errors are unknowns of the least squares beside the biases, and are then marginalised.

What is off is never known better than the geometry allows: the prior (`RegistrationSettings.sigma`) stands for what is
not observable, and a bias counts as observable only when its posterior sigma is a small part of that, several
targets and looks stand behind it, and no single target decides it alone. Only then is it taken out of the sensor's
scans. References are claims alone; what two sensors see of targets that claim nothing is for `track.shared`.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel import motion
from lapwing.records import BIASES, Array, Detections, Registration
from lapwing.track.looks import B, Pairs, RegistrationSettings, jacobian, nothing_known
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TargetPrior

STAGES = ((25.0, 6), (4.0, 6), (1.0, 12))  # covariance inflation, iterations
SEEN = 0.5  # prior probability that the sensor sees a reference at all
LEFT_MIN = 1e-9  # of a covariance's trace: least eigenvalue of what does not last
ALONE = 3.0  # sigmas by which a bias may change when one reference is left out


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
        b, Y, share = _fit(pairs, sensor, starts[i], settings)
        value = score(pairs, residuals(pairs, sensor, b), b, 1.0)[0] - 0.5 * float(((b / prior) ** 2).sum())
        if value > best_score:
            best, best_score, best_Y, weight = b, value, Y, share
    behind = np.unique(pairs.address[weight > 0.5])
    enough = best_score > settings.gain_min and weight.sum() >= settings.looks_min
    if not (enough and len(behind) >= settings.targets_min):
        return replace(pairs, found=replace(known, pairs=round(float(weight.sum()))), solved_ns=now_ns)
    variance = np.diagonal(np.linalg.inv(best_Y))
    if not (np.isfinite(best).all() and np.isfinite(variance).all() and (variance > 0.0).all()):
        return replace(pairs, found=known, solved_ns=now_ns)
    sigma = np.sqrt(variance)
    sure = (sigma < settings.observable_ratio * prior) & agreed(residuals(pairs, sensor, best), weight, settings)
    observable = sure.astype(np.int64)
    found = Registration(pairs.sensor, now_ns, round(float(weight.sum())), best, sigma, observable, noise)
    return replace(pairs, found=found, solved_ns=now_ns)


class Line(NamedTuple):
    """Residuals, linear in the biases about a point: nu - J (b - about)."""

    about: Float64[Array, " b"]
    nu: Float64[Array, "k d"]
    J: Float64[Array, "k d b"]
    E: Float64[Array, "k d 3"]  # slope in the errors of the reference that last, each in its own sigmas
    look: Int64[Array, " k"]  # numbered from zero
    whose: Int64[Array, " k"]  # the reference, numbered from zero
    weighed: "Weighed"


class Weighed(NamedTuple):
    """What inverting the covariances of pairs gives."""

    inverse: Float64[Array, "k d d"]  # of all errors
    log_det: Float64[Array, " k"]
    own: Float64[Array, "k d d"]  # inverse, of what does not last


def residuals(pairs: Pairs, sensor: SensorModel, b: Float64[Array, " b"]) -> Line:
    """The residuals with these biases, exactly, and their slope there."""
    at = motion.shift(pairs.at, np.full(len(pairs.at), -b[3]))
    at[:, :2] -= b[4:]
    z_hat, H = sensor.expect(at)
    J = jacobian(H, at, sensor.space)
    own = np.einsum("kdb,b->kd", J[:, :, :3], b[:3])
    nu = sensor.innovation(pairs.z, z_hat + own)
    look, whose = (np.unique(a, return_inverse=True)[1] for a in (pairs.look, pairs.address))
    E = H[:, :, :3] * pairs.lasting_m[:, None, :]
    own = pairs.S - E @ np.swapaxes(E, 1, 2)
    torn = np.linalg.eigvalsh(own)[:, 0] < LEFT_MIN * np.trace(own, axis1=1, axis2=2)  # errors of place and height hang
    own[torn], E[torn] = pairs.S[torn], 0.0  # together: nothing of them is taken for lasting
    own = np.linalg.inv(own)
    return Line(b, nu, J, E, look, whose, Weighed(np.linalg.inv(pairs.S), np.linalg.slogdet(pairs.S)[1], own))


def _fit(
    pairs: Pairs, sensor: SensorModel, b: Float64[Array, " b"], settings: RegistrationSettings
) -> tuple[Float64[Array, " b"], Float64[Array, "b b"], Float64[Array, " k"]]:
    """Expectation maximisation from one start: the biases, their information, each pair's share in its look."""
    prior = np.array(settings.sigma)
    Y, weight = np.diag(prior**-2.0), np.zeros(len(pairs.look))
    for inflation, times in STAGES:
        line = residuals(pairs, sensor, b)
        for _ in range(times):
            weight = score(pairs, line, b, inflation)[1]
            b, Y = least_squares(line, weight / inflation, prior, settings.alike)
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
    each, share = scores(pairs, line, b, inflation)
    return float(each.sum()), share


def scores(
    pairs: Pairs, line: Line, b: Float64[Array, " b"], inflation: float
) -> tuple[Float64[Array, " t"], Float64[Array, " k"]]:
    """The same of each reference alone, in the order of `line.whose`; and each pair's share in its look."""
    r = line.nu - np.einsum("kdb,b->kd", line.J, b - line.about)
    d2 = np.einsum("ki,kij,kj->k", r, line.weighed.inverse, r) / inflation
    log_det = line.weighed.log_det + r.shape[1] * np.log(2.0 * np.pi * inflation)
    like = pairs.p_detect * np.exp(-0.5 * (d2 + log_det)) / np.maximum(pairs.spread, 1e-300)
    total = np.bincount(line.look, like)
    missed, whose = np.ones(len(total)), np.zeros(len(total), dtype=np.int64)
    missed[line.look], whose[line.look] = 1.0 - pairs.p_detect, line.whose
    gain = np.bincount(whose, np.log(np.maximum(total + missed, 1e-300)))  # of each reference, if it is seen at all
    either = np.logaddexp(np.log(SEEN) + gain, np.log1p(-SEEN))
    seen = np.exp(np.log(SEEN) + gain - either)
    return either, seen[line.whose] * like / np.maximum(total + missed, 1e-300)[line.look]


class Told(NamedTuple):
    """What each reference says of biases and of what is alike in all, its lasting errors marginalised. q unknowns."""

    Y: Float64[Array, "t q q"]
    y: Float64[Array, "t q"]


def told(line: Line, weight: Float64[Array, " k"], alike: float) -> Told:
    """Normal equations, one set for each reference; the last unknown is the error of height that all share."""
    W = line.weighed.own * weight[:, None, None]
    mine = line.E * np.sqrt([1.0, 1.0, 1.0 - alike])
    J = np.concatenate([line.J, np.sqrt(alike) * line.E[:, :, 2:]], axis=2)
    nu = line.nu + np.einsum("kdb,b->kd", line.J, line.about)
    JW, EW = np.swapaxes(J, 1, 2) @ W, np.swapaxes(mine, 1, 2) @ W
    whose = (line.whose == np.arange(int(line.whose.max()) + 1)[:, None]).astype(np.float64)

    def summed(each: Float64[Array, "k ..."]) -> Float64[Array, "t ..."]:
        return np.asarray((whose @ each.reshape(len(each), -1)).reshape(-1, *each.shape[1:]))

    across = summed(JW @ mine)
    lasts = np.linalg.inv(np.eye(3) + summed(EW @ mine))
    Y = summed(JW @ J) - across @ lasts @ np.swapaxes(across, 1, 2)
    y = summed(np.einsum("kqd,kd->kq", JW, nu)) - np.einsum(
        "tqe,tef,tf->tq", across, lasts, summed(np.einsum("ked,kd->ke", EW, nu))
    )
    return Told(Y, y)


def _without_alike(
    Y: Float64[Array, "*t q q"], y: Float64[Array, "*t q"], prior: Float64[Array, " b"]
) -> tuple[Float64[Array, "*t b"], Float64[Array, "*t b b"]]:
    """Biases and their information from sums over references, the shared error of height marginalised."""
    whole = Y + np.diag(np.append(prior**-2.0, 1.0))
    cross = whole[..., :-1, -1]
    information = whole[..., :-1, :-1] - cross[..., :, None] * cross[..., None, :] / whole[..., -1:, -1:]
    return np.linalg.solve(whole, y[..., None])[..., :-1, 0], 0.5 * (information + np.swapaxes(information, -1, -2))


def least_squares(
    line: Line, weight: Float64[Array, " k"], prior: Float64[Array, " b"], alike: float
) -> tuple[Float64[Array, " b"], Float64[Array, "b b"]]:
    """Biases and their information."""
    each = told(line, weight, alike)
    return _without_alike(each.Y.sum(axis=0), each.y.sum(axis=0), prior)


def agreed(line: Line, weight: Float64[Array, " k"], settings: RegistrationSettings) -> Array:
    """True for a bias that does not hang on one reference: left out, it changes by what chance allows."""
    prior, each = np.array(settings.sigma), told(line, weight, settings.alike)
    Y, y = each.Y.sum(axis=0), each.y.sum(axis=0)
    b, whole = _without_alike(Y, y, prior)
    without, less = _without_alike(Y - each.Y, y - each.y, prior)
    chance = np.diagonal(np.linalg.inv(less), axis1=1, axis2=2) - np.diagonal(np.linalg.inv(whole))
    return np.asarray((np.abs(without - b) <= ALONE * np.sqrt(np.maximum(chance, 0.0)) + 1e-12).all(axis=0))


def corrected(scan: Detections, sensor: SensorModel, found: Registration, target: TargetPrior) -> Detections:
    """The scan with the observable biases taken out, and its noise grown by what is left of them."""
    use = found.observable == 1
    if not use.any():
        return scan
    left = np.diag(np.where(use, found.sigma**2, 0.0))
    return taken_out(scan, sensor, np.where(use, found.bias, 0.0), left, target)


def taken_out(
    scan: Detections, sensor: SensorModel, b: Float64[Array, " b"], cov: Float64[Array, "b b"], target: TargetPrior
) -> Detections:
    """The scan without the biases `b`, its noise grown by `cov`, which says how well they are known; of the clock's
    only the value is used."""
    late_ns = round(b[3] * 1e9)
    z, R = scan.z, scan.R
    if len(scan):
        own = np.array([b[BIASES.index(c)] if c in BIASES[:3] else 0.0 for c in scan.space.value])
        at = sensor.invert(scan.z - own, scan.R, target)[0]
        J = jacobian(sensor.expect(at)[1], at, scan.space)
        J[:, :, 3] = 0.0
        z = scan.z - J @ b
        R = scan.R + J @ cov @ np.swapaxes(J, 1, 2)
        for c, name in enumerate(scan.space.value):
            if name == "azimuth_rad":
                z[:, c] %= 2.0 * np.pi
            if name == "range_m":
                z[:, c] = np.maximum(z[:, c], 1.0)
    return replace(
        scan, scan_ns=scan.scan_ns - late_ns, time_ns=scan.time_ns - late_ns, z=z, R=R, measured=scan.z, late_ns=late_ns
    )
