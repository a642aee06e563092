"""Targets that nobody has seen, as a mixture of Gaussians: it grows by births, is thinned by looks, and stays small.
Axes: b components, k points.

What comes is poured into the component that births of late went into, for as long as that says nearly the same: many
short looks then do as few long ones. Components lie in the order of their age, the latest last, so that only neighbours
are merged; mean and covariance of what is merged are kept. Refuses nothing.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri

from lapwing.kernel.gaussian import positive
from lapwing.records import Array
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TargetBirths

HIDDEN_MIN = 1e-9  # components that a look left fewer targets than this are dropped
UNSEEN_MIN = 1e-3  # share of undetected targets that stays so, even where a sensor is said to miss nothing
NEAR = 0.1  # nats, symmetric divergence: components nearer than this are one
PAIRS = 64  # of points that a Gaussian is averaged over


class Hidden(NamedTuple):
    """A Poisson intensity: Gaussians, and how many targets each stands for."""

    mean: Float64[Array, "b 6"]
    cov: Float64[Array, "b 6 6"]
    number: Float64[Array, " b"]


def poured(known: Hidden, number: float, births: TargetBirths) -> Hidden:
    """The mixture with so many more from the Gaussian of births."""
    if number <= 0.0:
        return known
    fresh = Hidden(births.mean[None], births.cov[None], np.array([number]))
    if len(known.number) and divergence(_row(known, -1), fresh)[0] <= NEAR:
        fresh = _one(joined(_row(known, -1), fresh))
        known = Hidden(known.mean[:-1], known.cov[:-1], known.number[:-1])
    return merged(joined(known, fresh), births.components_max)


def joined(a: Hidden, b: Hidden) -> Hidden:
    """The components of both."""
    return Hidden(*(np.concatenate(both) for both in zip(a, b, strict=True)))


def merged(of: Hidden, most: int) -> Hidden:
    """At most so many components, none nearly as the one before it. Beyond that those are merged that lose least by it:
    the fewer targets and the nearer."""
    b = len(of.number)
    apart = divergence(_part(of, slice(0, b - 1)), _part(of, slice(1, b)))
    parts = [_row(of, i) for i in range(b)] if b > most or (apart <= NEAR).any() else []
    while len(parts) > 1:
        near = np.flatnonzero(apart <= NEAR)
        if not len(near) and len(parts) <= most:
            break
        number = np.concatenate([part.number for part in parts])
        lost = apart * number[:-1] * number[1:] / np.maximum(number[:-1] + number[1:], 1e-300)
        i = int(near[0]) if len(near) else int(np.argmin(lost))
        parts[i : i + 2] = [_one(joined(parts[i], parts[i + 1]))]
        apart = np.delete(apart, i)
        for k in (i - 1, i):
            if 0 <= k < len(apart):
                apart[k] = divergence(parts[k], parts[k + 1])[0]
    return Hidden(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else of


def divergence(a: Hidden, b: Hidden) -> Float64[Array, " b"]:
    """Of each Gaussian from its partner, nats, and the other way round, summed (Jeffreys)."""
    off = (a.mean - b.mean)[:, :, None]
    A, B = positive(a.cov), positive(b.cov)
    iA, iB = np.linalg.inv(A), np.linalg.inv(B)
    d2 = (np.swapaxes(off, 1, 2) @ (iA + iB) @ off)[:, 0, 0]
    spread = np.einsum("bij,bji->b", iA, B) + np.einsum("bij,bji->b", iB, A) - 2.0 * a.mean.shape[1]
    return np.asarray(0.5 * (spread + d2))


def thinned(of: Hidden, sensor: SensorModel) -> Hidden:
    """What one look leaves unseen: fewer, and rather where it sees less. Each Gaussian keeps the number, mean and
    covariance of its places weighed by what is missed there."""
    off, missed = _missed(of, sensor)
    share = missed.mean(axis=1)
    mean, cov = of.mean.copy(), of.cov.copy()
    uneven = np.flatnonzero(np.ptp(missed, axis=1) > 0.0)
    if len(uneven):
        off, weight = off[uneven], missed[uneven] / missed[uneven].sum(axis=1, keepdims=True)
        moved = np.einsum("bk,bki->bi", weight, off)
        off = off - moved[:, None]
        places = np.einsum("bk,bki,bkj->bij", weight, off, off)
        P = of.cov[uneven]
        along = P[:, :, :3] @ np.linalg.inv(positive(P[:, :3, :3]))  # the rest of the state follows the place
        mean[uneven] += (along @ moved[:, :, None])[:, :, 0]
        cov[uneven] = positive(P + along @ (places - P[:, :3, :3]) @ np.swapaxes(along, 1, 2))
    number = of.number * share
    stays = (number >= HIDDEN_MIN) | (share >= 1.0)
    return Hidden(mean[stays], cov[stays], number[stays])


def missed_by(of: Hidden, sensor: SensorModel) -> Float64[Array, " b"]:
    """The share of each Gaussian's targets that one look misses."""
    return np.asarray(_missed(of, sensor)[1].mean(axis=1))


def _missed(of: Hidden, sensor: SensorModel) -> tuple[Float64[Array, "b k 3"], Float64[Array, "b k"]]:
    """Equally likely places of each Gaussian, from its mean, and the chance that a target there is missed."""
    b, points = len(of.number), _points()
    off = points @ np.swapaxes(np.linalg.cholesky(positive(of.cov[:, :3, :3])), 1, 2)
    x = np.repeat(of.mean[:, None], len(points), axis=1)
    x[:, :, :3] += off
    p = sensor.p_detect(x.reshape(-1, 6)).reshape(b, len(points))
    return off, np.maximum(1.0 - p, UNSEEN_MIN)


@lru_cache(maxsize=1)
def _points() -> Float64[Array, "k 3"]:
    """Equally likely points of the normal distribution, in pairs around its mean: a spiral in the first two axes, even
    in the third; mean and covariance exact."""
    i = np.arange(PAIRS)
    golden, plastic = 0.5 * (np.sqrt(5.0) - 1.0), 0.7548776662466927
    radius, turn = (
        np.sqrt(-2.0 * np.log1p(-(i + 0.5) / PAIRS)),
        np.pi * golden * i,
    )  # half a turn: the rest are opposite
    half = np.stack([radius * np.sin(turn), radius * np.cos(turn), ndtri((i * plastic + 0.5) % 1.0)], axis=1)
    both = np.concatenate([half, -half])
    return np.asarray(both @ np.linalg.inv(np.linalg.cholesky(both.T @ both / len(both))).T)


def _row(of: Hidden, i: int) -> Hidden:
    at = i % len(of.number)
    return _part(of, slice(at, at + 1))


def _part(of: Hidden, rows: slice) -> Hidden:
    return Hidden(of.mean[rows], of.cov[rows], of.number[rows])


def _one(of: Hidden) -> Hidden:
    """All components as one: number, mean and covariance kept."""
    total = of.number.sum()
    share = of.number / total
    mean = share @ of.mean
    off = of.mean - mean
    cov = np.einsum("b,bij->ij", share, of.cov) + (share[:, None] * off).T @ off
    return Hidden(mean[None], 0.5 * (cov + cov.T)[None], np.array([total]))
