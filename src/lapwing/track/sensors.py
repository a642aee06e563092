"""Sensor models: the one thing the tracker knows about a sensor. Axes: n tracks, m detections, k pairs, d columns.

A model expects (z_hat and its Jacobian H), says how probably it detects, subtracts angles the right way round,
turns a detection back into a prior for a new track, and knows its clutter. It keeps nothing and measures nothing.
What is no place (directions, differences and sums of ranges) corrects tracks; where two directions cross, `crossings`
begins one.
"""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float64

from lapwing.kernel.geodesy import SEMI_MAJOR_M
from lapwing.kernel.placing import at_rest, positions
from lapwing.records import Array, Space
from lapwing.track.settings import TargetPrior

EDGE = 0.05  # p_detect falls to zero over this share of the largest range: targets cross the edge, they do not vanish
ELEVATION_SIN_MAX = 0.7  # a two-dimensional radar does not see overhead
RANGE_RATE_MPS_MAX = 500.0  # extent of the clutter's range-rate axis, either way
HEIGHT_EXTENT_M = 15_000.0  # extent of the clutter's up axis
Fading = tuple[tuple[float, float], ...]  # (range_m, p_detect), ranges rising, straight lines between; (): constant


@runtime_checkable
class SensorModel(Protocol):
    """The one thing the tracker knows about a sensor."""

    @property
    def sensor(self) -> str: ...
    @property
    def space(self) -> Space: ...
    @property
    def volume(self) -> float:
        """Extent of the measurement space it covers, product of the units of z."""
        ...

    @property
    def detection_probability(self) -> float:
        """p_detect where it looks; where that changes with range, its mean."""
        ...

    @property
    def measures_height(self) -> bool:
        """False: up and its velocity are only considered (Schmidt-Kalman), never corrected by this sensor."""
        ...

    @property
    def locates(self) -> bool:
        """True: one detection says where its target is, well enough to look for tracks there and to begin one."""
        ...

    def expect(self, mean: Float64[Array, "k 6"]) -> tuple[Float64[Array, "k d"], Float64[Array, "k d 6"]]:
        """z_hat and H of targets at `mean`, linearised there."""
        ...

    def p_detect(self, mean: Float64[Array, "n 6"]) -> Float64[Array, " n"]:
        """Probability that a target at `mean` is detected in one scan; 0 where the sensor does not look."""
        ...

    def innovation(self, z: Float64[Array, "k d"], z_hat: Float64[Array, "k d"]) -> Float64[Array, "k d"]:
        """z - z_hat, angles wrapped to (-pi, pi]."""
        ...

    def invert(
        self, z: Float64[Array, "m d"], R: Float64[Array, "m d d"], prior: TargetPrior
    ) -> tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]]:
        """Mean and covariance of a target of which only z is known."""
        ...

    def clutter_intensity(self, z: Float64[Array, "m d"]) -> Float64[Array, " m"]:
        """False detections per scan and unit of measurement volume."""
        ...


def height_m(mean: Float64[Array, "n 6"]) -> Float64[Array, " n"]:
    """Height over the ellipsoid's curve through the site's origin: up + d^2 / 2R."""
    return np.asarray(mean[:, 2] + (mean[:, 0] ** 2 + mean[:, 1] ** 2) / (2.0 * SEMI_MAJOR_M))


def within(
    distance_m: Float64[Array, " n"], range_m_max: float, p_detect: float, at: Fading = ()
) -> Float64[Array, " n"]:
    """p_detect, or what it is `at` this distance, inside the range; falling to zero across its edge."""
    inside = faded(distance_m, at) if at else p_detect
    return np.asarray(inside * np.clip((1.0 + EDGE - distance_m / range_m_max) / EDGE, 0.0, 1.0))


def faded(distance_m: Float64[Array, " n"], at: Fading) -> Float64[Array, " n"]:
    """p_detect at these distances; beyond the ends of the curve as there."""
    range_m, p = np.array(at, dtype=np.float64).T
    return np.asarray(np.interp(distance_m, range_m, p), dtype=np.float64)


@final
@dataclass(frozen=True, slots=True)
class PositionSensor:
    """Positions in the site's ENU frame, with or without up."""

    sensor: str
    space: Space
    detection_probability: float
    clutter_per_scan: float
    volume: float  # m^2 or m^3 in which clutter falls
    centre_m: tuple[float, float] = (0.0, 0.0)
    range_m_max: float = np.inf
    p_detect_at: Fading = ()

    @property
    def measures_height(self) -> bool:
        """With three columns."""
        return self.space is Space.POSITION_3D

    @property
    def locates(self) -> bool:
        """Yes."""
        return True

    def expect(self, mean: Float64[Array, "k 6"]) -> tuple[Float64[Array, "k d"], Float64[Array, "k d 6"]]:
        """The position itself."""
        return positions(np.ascontiguousarray(mean), len(self.space.value))

    def p_detect(self, mean: Float64[Array, "n 6"]) -> Float64[Array, " n"]:
        """Within the range, constant or as `p_detect_at` says."""
        if self.range_m_max == np.inf and not self.p_detect_at:
            return np.full(len(mean), self.detection_probability)
        distance = np.hypot(mean[:, 0] - self.centre_m[0], mean[:, 1] - self.centre_m[1])
        return within(distance, self.range_m_max, self.detection_probability, self.p_detect_at)

    def innovation(self, z: Float64[Array, "k d"], z_hat: Float64[Array, "k d"]) -> Float64[Array, "k d"]:
        """The plain difference."""
        return np.asarray(z - z_hat)

    def invert(
        self, z: Float64[Array, "m d"], R: Float64[Array, "m d d"], prior: TargetPrior
    ) -> tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]]:
        """The measured position, at rest, with the prior's spread of velocity (and of height, if unmeasured)."""
        variance = prior.speed_mps_sigma**2, prior.climb_mps_sigma**2, prior.height_m_sigma**2
        return at_rest(z, R, prior.height_m_mean, variance)

    def clutter_intensity(self, z: Float64[Array, "m d"]) -> Float64[Array, " m"]:
        """Uniform over the volume."""
        return np.full(len(z), self.clutter_per_scan / self.volume)


@final
@dataclass(frozen=True, slots=True)
class RadarSensor:
    """Slant range, azimuth, and perhaps elevation and range rate, seen from `position_m` in the site's ENU frame;
    `rotation` takes site vectors into the radar's own east, north, up. Straight rays: no refraction."""

    sensor: str
    space: Space
    position_m: Float64[Array, "3"]
    rotation: Float64[Array, "3 3"]
    detection_probability: float
    clutter_per_scan: float
    range_m_max: float
    p_detect_at: Fading = ()

    @property
    def volume(self) -> float:
        """Range times full circle, times a quarter circle of elevation, times the range-rate axis."""
        volume = self.range_m_max * 2.0 * np.pi
        volume *= 0.5 * np.pi if "elevation_rad" in self.space.value else 1.0
        return float(volume * (2.0 * RANGE_RATE_MPS_MAX if "range_rate_mps" in self.space.value else 1.0))

    @property
    def measures_height(self) -> bool:
        """With elevation. Slant range alone would seem to: linearised about a moving mean, it invents height."""
        return "elevation_rad" in self.space.value

    @property
    def locates(self) -> bool:
        """Yes."""
        return True

    def expect(self, mean: Float64[Array, "k 6"]) -> tuple[Float64[Array, "k d"], Float64[Array, "k d 6"]]:
        """range = |x|, azimuth = atan2(east, north), elevation = asin(up / range), range rate = x.v / range."""
        x = (mean[:, :3] - self.position_m) @ self.rotation.T
        v = mean[:, 3:] @ self.rotation.T
        ground = np.maximum(np.hypot(x[:, 0], x[:, 1]), 1.0)
        r = np.hypot(ground, x[:, 2])
        unit = x / r[:, None]
        z_hat, rows = [r, np.arctan2(x[:, 0], x[:, 1])], [unit]
        zero = np.zeros(len(mean))
        rows.append(np.stack([x[:, 1], -x[:, 0], zero], axis=1) / ground[:, None] ** 2)
        if "elevation_rad" in self.space.value:
            z_hat.append(np.arctan2(x[:, 2], ground))
            slope = (x[:, 2] / ground)[:, None]
            rows.append(
                np.stack([-x[:, 0], -x[:, 1], ground], axis=1) * np.where([1, 1, 0], slope, 1.0) / r[:, None] ** 2
            )
        if "range_rate_mps" in self.space.value:
            rate = np.einsum("ki,ki->k", unit, v)
            z_hat.append(rate)
            rows.append((v - rate[:, None] * unit) / r[:, None])
        H = np.zeros((len(mean), len(rows), 6))
        H[:, :, :3] = np.stack(rows, axis=1) @ self.rotation
        if "range_rate_mps" in self.space.value:
            H[:, -1, 3:] = unit @ self.rotation
        return np.stack(z_hat, axis=1), H

    def p_detect(self, mean: Float64[Array, "n 6"]) -> Float64[Array, " n"]:
        """Within the range, constant or as `p_detect_at` says."""
        x = mean[:, :3] - self.position_m
        distance = np.sqrt(np.einsum("ni,ni->n", x, x))
        return within(distance, self.range_m_max, self.detection_probability, self.p_detect_at)

    def innovation(self, z: Float64[Array, "k d"], z_hat: Float64[Array, "k d"]) -> Float64[Array, "k d"]:
        """The difference, azimuth the short way round."""
        nu = np.asarray(z - z_hat)
        nu[:, 1] -= 2.0 * np.pi * np.round(nu[:, 1] / (2.0 * np.pi))
        return nu

    def invert(
        self, z: Float64[Array, "m d"], R: Float64[Array, "m d d"], prior: TargetPrior
    ) -> tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]]:
        """The point that measures as z (so that the next innovation starts unbiased), its spread by linearisation.

        Without elevation the height is the prior's, cut to what the beam reaches. Converted-measurement bias is left
        out: range * azimuth_sigma^2 / range_sigma is 0.03 at 50 km for the default radar, where 0.4 would matter."""
        m, columns = len(z), self.space.value
        sin_el, W = self._elevation(z, R, prior)
        cos_el = np.sqrt(1.0 - sin_el**2)
        r, sin_az, cos_az = np.maximum(z[:, 0], 1.0), np.sin(z[:, 1]), np.cos(z[:, 1])
        unit = np.stack([cos_el * sin_az, cos_el * cos_az, sin_el], axis=1)
        across = np.stack([r * cos_el * cos_az, -r * cos_el * sin_az, np.zeros(m)], axis=1)
        rising = np.stack([-r * sin_el * sin_az, -r * sin_el * cos_az, r * cos_el], axis=1)
        J = np.stack([unit, across, rising], axis=2)
        J = self.rotation.T @ J
        mean, cov = still(m, prior)
        mean[:, :3] = (r[:, None] * unit) @ self.rotation + self.position_m
        cov[:, :3, :3] = J @ W @ np.swapaxes(J, 1, 2)
        if "range_rate_mps" in columns:
            _add_range_rate(mean, cov, z[:, -1], R[:, -1, -1], unit @ self.rotation)
        return mean, cov

    def _elevation(
        self, z: Float64[Array, "m d"], R: Float64[Array, "m d d"], prior: TargetPrior
    ) -> tuple[Float64[Array, " m"], Float64[Array, "m 3 3"]]:
        """Sine of the elevation, and the covariance of (range, azimuth, elevation)."""
        if "elevation_rad" in self.space.value:
            return np.sin(z[:, 2]), R[:, :3, :3].copy()
        r = np.maximum(z[:, 0], 1.0)
        height = prior.height_m_mean - self.position_m[2] - r**2 / (2.0 * SEMI_MAJOR_M)
        sin_el = np.clip(height / r, -0.5 * ELEVATION_SIN_MAX, 0.5 * ELEVATION_SIN_MAX)
        sigma = np.minimum(prior.height_m_sigma, 0.5 * ELEVATION_SIN_MAX * r) / (r * np.sqrt(1.0 - sin_el**2))
        W = np.zeros((len(z), 3, 3))
        W[:, :2, :2] = R[:, :2, :2]
        W[:, 2, 2] = sigma**2
        return sin_el, W

    def clutter_intensity(self, z: Float64[Array, "m d"]) -> Float64[Array, " m"]:
        """Uniform over the columns of z, as plot extractors with a constant false alarm rate make it."""
        return np.full(len(z), self.clutter_per_scan / self.volume)


@final
@dataclass(frozen=True, slots=True)
class BearingSensor:
    """Azimuth, and perhaps elevation, seen from `position_m` in the site's ENU frame; `rotation` takes site vectors
    into the sensor's own east, north, up. False bearings come from everywhere alike: those of clutter, and the share
    `false_ratio` of the bearings that true targets give."""

    sensor: str
    space: Space
    position_m: Float64[Array, "3"]
    rotation: Float64[Array, "3 3"]
    detection_probability: float
    clutter_per_scan: float
    range_m_max: float
    false_ratio: float = 0.0
    p_detect_at: Fading = ()

    @property
    def volume(self) -> float:
        """Full circle, times a quarter circle of elevation."""
        return float(2.0 * np.pi * (0.5 * np.pi if self.space is Space.AZIMUTH_ELEVATION else 1.0))

    @property
    def measures_height(self) -> bool:
        """Elevation does; azimuth alone says nothing of height, and cannot be fooled by it either."""
        return True

    @property
    def locates(self) -> bool:
        """A wedge is not a place."""
        return False

    def expect(self, mean: Float64[Array, "k 6"]) -> tuple[Float64[Array, "k d"], Float64[Array, "k d 6"]]:
        """azimuth = atan2(east, north), elevation = atan2(up, ground)."""
        x = (mean[:, :3] - self.position_m) @ self.rotation.T
        d = len(self.space.value)
        ground = np.maximum(np.hypot(x[:, 0], x[:, 1]), 1.0)
        range2 = ground**2 + x[:, 2] ** 2
        z_hat, H = np.zeros((len(mean), d)), np.zeros((len(mean), d, 6))
        z_hat[:, 0] = np.arctan2(x[:, 0], x[:, 1])
        H[:, 0, 0], H[:, 0, 1] = x[:, 1] / ground**2, -x[:, 0] / ground**2
        if d == 2:
            z_hat[:, 1] = np.arctan2(x[:, 2], ground)
            H[:, 1, :2] = -x[:, :2] * (x[:, 2] / (ground * range2))[:, None]
            H[:, 1, 2] = ground / range2
        H[:, :, :3] = H[:, :, :3] @ self.rotation
        return z_hat, H

    def p_detect(self, mean: Float64[Array, "n 6"]) -> Float64[Array, " n"]:
        """Within the range, constant or as `p_detect_at` says; bearings that point anywhere detect nobody."""
        x = mean[:, :3] - self.position_m
        distance = np.sqrt(np.einsum("ni,ni->n", x, x))
        p = within(distance, self.range_m_max, self.detection_probability, self.p_detect_at)
        return p * (1.0 - self.false_ratio)

    def innovation(self, z: Float64[Array, "k d"], z_hat: Float64[Array, "k d"]) -> Float64[Array, "k d"]:
        """The difference, azimuth the short way round."""
        nu = np.asarray(z - z_hat)
        nu[:, 0] -= 2.0 * np.pi * np.round(nu[:, 0] / (2.0 * np.pi))
        return nu

    def invert(
        self,
        z: Float64[Array, "m d"],
        R: Float64[Array, "m d d"],  # noqa: ARG002 the wedge is wider than its noise
        prior: TargetPrior,
    ) -> tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]]:
        """A Gaussian around the middle of the wedge, at the prior's height. Nothing begins there."""
        mean, cov = still(len(z), prior)
        half = 0.5 * self.range_m_max
        line = np.stack([np.sin(z[:, 0]), np.cos(z[:, 0]), np.zeros(len(z))], axis=1)
        mean[:, :3] = (half * line) @ self.rotation + self.position_m
        mean[:, 2] += prior.height_m_mean - height_m(mean)
        cov[:, [0, 1, 2], [0, 1, 2]] = [half**2, half**2, prior.height_m_sigma**2]
        return mean, cov

    def clutter_intensity(self, z: Float64[Array, "m d"]) -> Float64[Array, " m"]:
        """Uniform over the directions: clutter, and the stray bearings of one target."""
        return np.full(len(z), (self.clutter_per_scan + self.false_ratio) / self.volume)


def still(m: int, prior: TargetPrior) -> tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]]:
    """m targets at the origin, velocity unknown."""
    cov = np.zeros((m, 6, 6))
    cov[:, 3, 3] = cov[:, 4, 4] = prior.speed_mps_sigma**2
    cov[:, 5, 5] = prior.climb_mps_sigma**2
    return np.zeros((m, 6)), cov


def _add_range_rate(
    mean: Float64[Array, "m 6"],
    cov: Float64[Array, "m 6 6"],
    rate_mps: Float64[Array, " m"],
    variance: Float64[Array, " m"],
    unit: Float64[Array, "m 3"],
) -> None:
    """Kalman update of fresh births' velocity (in place, the caller made them) by rate = unit . velocity."""
    C = cov[:, 3:, 3:]
    Cu = np.einsum("mij,mj->mi", C, unit)
    S = np.einsum("mi,mi->m", unit, Cu) + variance
    mean[:, 3:] += Cu * (rate_mps / S)[:, None]
    cov[:, 3:, 3:] -= Cu[:, :, None] * Cu[:, None, :] / S[:, None, None]
