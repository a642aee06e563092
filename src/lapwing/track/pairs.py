"""Sensors of two places: bistatic (passive) radar, time difference of arrival. Axes: n tracks, m detections, k pairs.

A bistatic radar measures how much longer the way from the transmitter over the target to the receiver is than the
direct one, and how fast that grows; a time difference, times the speed of light, how much farther the target is from
this receiver than from the other. Both are surfaces (an ellipsoid, a hyperboloid), no places: they correct tracks.
Refuses height: a surface linearised about a moving mean would seem to measure it, so it is only considered.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float64

from lapwing.records import Array, Space
from lapwing.track.sensors import RANGE_RATE_MPS_MAX, still, within
from lapwing.track.settings import TargetPrior

PAIRED = (Space.BISTATIC, Space.BISTATIC_RANGE, Space.RANGE_DIFFERENCE)


@final
@dataclass(frozen=True, slots=True)
class PairSensor:
    """Sum (bistatic) or difference of the ranges to `position_m`, the receiver, and `second_m`, the transmitter or
    other receiver, both in the site's ENU frame. `range_m_max` bounds the bistatic range, or the range of a target."""

    sensor: str
    space: Space
    position_m: Float64[Array, "3"]
    second_m: Float64[Array, "3"]
    detection_probability: float
    clutter_per_scan: float
    range_m_max: float

    @property
    def bistatic(self) -> bool:
        """True: a sum of ranges."""
        return self.space is not Space.RANGE_DIFFERENCE

    @property
    def baseline_m(self) -> float:
        """Between the two places."""
        return float(np.linalg.norm(self.position_m - self.second_m))

    @property
    def volume(self) -> float:
        """Extent of the range axis, times the range-rate axis."""
        extent = self.range_m_max if self.bistatic else 2.0 * max(self.baseline_m, 1.0)
        return extent * (4.0 * RANGE_RATE_MPS_MAX if self.space is Space.BISTATIC else 1.0)

    @property
    def measures_height(self) -> bool:
        """No."""
        return False

    @property
    def locates(self) -> bool:
        """A surface is not a place."""
        return False

    def expect(self, mean: Float64[Array, "k 6"]) -> tuple[Float64[Array, "k d"], Float64[Array, "k d 6"]]:
        """|x - a| +- |x - b|, less the direct way for bistatic radar; rate v.(u_a + u_b)."""
        near, near_m = self._ray(mean, self.position_m)
        far, far_m = self._ray(mean, self.second_m)
        sign = 1.0 if self.bistatic else -1.0
        z_hat = [near_m + sign * far_m - (self.baseline_m if self.bistatic else 0.0)]
        rows = [np.concatenate([near + sign * far, np.zeros_like(near)], axis=1)]
        if self.space is Space.BISTATIC:
            v = mean[:, 3:]
            rates = [np.einsum("ki,ki->k", u, v) for u in (near, far)]
            z_hat.append(rates[0] + rates[1])
            bend = [
                (v - q[:, None] * u) / r[:, None] for q, u, r in zip(rates, (near, far), (near_m, far_m), strict=True)
            ]
            rows.append(np.concatenate([bend[0] + bend[1], near + far], axis=1))
        return np.stack(z_hat, axis=1), np.stack(rows, axis=1)

    @staticmethod
    def _ray(mean: Float64[Array, "k 6"], place_m: Float64[Array, "3"]) -> tuple[Array, Array]:
        """Unit vectors from the place and ranges, no shorter than a metre."""
        x = mean[:, :3] - place_m
        r = np.maximum(np.sqrt(np.einsum("ki,ki->k", x, x)), 1.0)
        return x / r[:, None], r

    def p_detect(self, mean: Float64[Array, "n 6"]) -> Float64[Array, " n"]:
        """Constant within the range."""
        distance = self.expect(mean)[0][:, 0] if self.bistatic else self._ray(mean, self.position_m)[1]
        return within(distance, self.range_m_max, self.detection_probability)

    def innovation(self, z: Float64[Array, "k d"], z_hat: Float64[Array, "k d"]) -> Float64[Array, "k d"]:
        """The plain difference."""
        return np.asarray(z - z_hat)

    def invert(
        self,
        z: Float64[Array, "m d"],
        R: Float64[Array, "m d d"],  # noqa: ARG002 the surface is wider than its noise
        prior: TargetPrior,
    ) -> tuple[Float64[Array, "m 6"], Float64[Array, "m 6 6"]]:
        """A Gaussian over the whole coverage, at the prior's height. Nothing begins there."""
        mean, cov = still(len(z), prior)
        mean[:, :3] = 0.5 * (self.position_m + self.second_m)
        mean[:, 2] = prior.height_m_mean
        cov[:, 0, 0] = cov[:, 1, 1] = self.range_m_max**2
        cov[:, 2, 2] = prior.height_m_sigma**2
        return mean, cov

    def clutter_intensity(self, z: Float64[Array, "m d"]) -> Float64[Array, " m"]:
        """Uniform over the axes."""
        return np.full(len(z), self.clutter_per_scan / self.volume)
