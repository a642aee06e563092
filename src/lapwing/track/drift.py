"""Drift: has a sensor's bias left its own past, or the tolerance that the site states for it? Axis: b biases.

Every solution of `track.registration` is compared with the mean of those before it. Two windows that overlap share
their looks, so an estimate joins the mean only when a whole window has passed since; then both are independent, and
their difference has the sum of their variances, grown by `grown` because the errors of claims last longer than one
look. It counts as moved beyond `sigmas` standard deviations and a least change that matters; it is back when it has
come half of the way (hysteresis). While moved it teaches the mean nothing; after `accept_s` what was a change is taken
for the new state. Outside its tolerance is a bias that exceeds it by `sigmas_outside`, until its estimate is within.

Refuses to judge what is not observable: such a bias keeps the verdict it had. Biases are tested one by one, by their
marginal sigmas. A drift slower than the mean forgets (a tenth of what is detected, per `memory` windows) is followed
by the mean and shows only against a tolerance.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from lapwing.records import Array, Drift, Registration


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """`sigmas`: five, tested every four seconds, is less than one false alarm per sensor and hundred days."""

    sigmas: float = 5.0
    sigmas_outside: float = 3.0
    back_ratio: float = 0.5  # of the threshold: below it, it is back
    noises: float = 0.5  # least change of range, azimuth and elevation, in units of the sensor's own noise
    clock_s: float = 0.2  # least change of the clock
    place_m: float = 30.0  # and of the place
    memory: float = 40.0  # windows: two hours
    accept_s: float = 7_200.0
    grown: float = 1.25  # of variances, for errors of claims that last


def judged(
    before: Drift, found: Registration, tolerance: Float64[Array, " b"], window_s: float, settings: DriftSettings
) -> Registration:
    """The solution with its verdict, given the verdict and the past of the solution before."""
    now, seen = found.time_ns, found.observable == 1
    variance = settings.grown * found.sigma**2
    norm, information = _with_sample(before, now, window_s, settings)
    past = information > 0.0
    least = np.where(found.noise > 0.0, settings.noises * found.noise, np.inf)
    least[3:] = settings.clock_s, settings.place_m, settings.place_m
    spread = np.sqrt(variance + np.where(past, 1.0 / np.maximum(information, 1e-300), 0.0))
    share = np.where(past, np.abs(found.bias - norm) / np.maximum(settings.sigmas * spread, least), 0.0)
    moved = _stands(before.moved_ns, seen, share > 1.0, share < settings.back_ratio, now)
    over = np.abs(found.bias) - tolerance
    beyond = (tolerance > 0.0) & (over > settings.sigmas_outside * np.sqrt(variance))
    outside = _stands(before.outside_ns, seen, beyond, over < 0.0, now)
    outside = np.where(tolerance > 0.0, outside, 0)

    settled = (moved > 0) & (now - moved > settings.accept_s * 1e9) & seen
    norm, information = np.where(settled, found.bias, norm), np.where(settled, 1.0 / variance, information)
    moved = np.where(settled, 0, moved)
    due = now - before.sample_ns >= window_s * 1e9  # the sample before has joined the norm, or was not to
    take = due & seen & (share < settings.back_ratio) & (moved == 0)
    drift = Drift(
        norm,
        information,
        np.where(take, found.bias, before.sample),
        np.where(take, np.sqrt(variance), np.where(due, 0.0, before.sample_sigma)),
        np.where(take, np.int64(now), before.sample_ns),
        moved,
        outside,
        tolerance,
    )
    return replace(found, drift=drift)


def _with_sample(
    before: Drift, now: int, window_s: float, settings: DriftSettings
) -> tuple[Float64[Array, " b"], Float64[Array, " b"]]:
    """Norm and information with the last sample, where it and the estimate of now share no looks."""
    joins = (before.sample_sigma > 0.0) & (now - before.sample_ns >= window_s * 1e9) & (before.moved_ns == 0)
    gain = np.where(joins, 1.0 / np.maximum(before.sample_sigma, 1e-150) ** 2, 0.0)
    kept = before.information * np.where(joins, 1.0 - 1.0 / settings.memory, 1.0)
    total = kept + gain
    norm = (kept * before.norm + gain * before.sample) / np.where(total > 0.0, total, 1.0)
    return np.where(joins, norm, before.norm), total


def _stands(since_ns: Array, seen: Array, begins: Array, ends: Array, now: int) -> Array:
    """Since when it stands: it begins, it ends, or what is not seen stays as it was."""
    stands = np.where(since_ns > 0, ~ends, begins)
    return np.where(seen, np.where(stands, np.where(since_ns > 0, since_ns, np.int64(now)), 0), since_ns)
