"""Hills: the ground over which targets fly low and behind which radars are blind. Axes: n places, s samples of a ray.

Each hill is a Gaussian bump above the ground of the scenario's origin. Refuses nothing: no hills is flat ground.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

Array = np.ndarray
EARTH_43_M = 4.0 / 3.0 * 6_371_000.0
SAMPLES = 48  # of a ray; hills narrower than a fiftieth of it may be missed


@dataclass(frozen=True, slots=True)
class Terrain:
    """Rows of (east, north, height, radius) in metres; the radius is the bump's standard deviation."""

    hills: Float64[Array, "h 4"]

    def ground_m(self, east_m: Array, north_m: Array) -> Array:
        """Height of the ground above that of the origin; any shape."""
        out = np.zeros(np.broadcast(east_m, north_m).shape)
        for east, north, height, radius in self.hills:
            out += height * np.exp(-0.5 * ((east_m - east) ** 2 + (north_m - north) ** 2) / radius**2)
        return out

    def slope(self, east_m: Array, north_m: Array) -> tuple[Array, Array]:
        """How fast the ground rises to the east and to the north."""
        de, dn = np.zeros(np.shape(east_m)), np.zeros(np.shape(east_m))
        for east, north, height, radius in self.hills:
            bump = height / radius**2 * np.exp(-0.5 * ((east_m - east) ** 2 + (north_m - north) ** 2) / radius**2)
            de -= bump * (east_m - east)
            dn -= bump * (north_m - north)
        return de, dn

    def clear(
        self, eye: Float64[Array, "2"], eye_m: float, target: Float64[Array, "n 2"], target_m: Float64[Array, " n"]
    ) -> Bool[Array, " n"]:
        """Whether the ray from an eye to each target passes above every hill. Places east and north, heights above the
        smooth ground; radio waves bend as over an Earth of 4/3 its radius."""
        if len(self.hills) == 0 or len(target) == 0:
            return np.ones(len(target), dtype=bool)
        share = (np.arange(SAMPLES) + 0.5) / SAMPLES
        at = eye + share[None, :, None] * (target - eye)[:, None, :]
        length = np.hypot(target[:, 0] - eye[0], target[:, 1] - eye[1])
        sag = (share * (1.0 - share))[None] * length[:, None] ** 2 / (2.0 * EARTH_43_M)
        ray = eye_m + share[None] * (target_m - eye_m)[:, None] - sag
        return np.asarray((ray > self.ground_m(at[:, :, 0], at[:, :, 1])).all(axis=1))


def terrain(rows: Sequence[dict[str, Any]]) -> Terrain:
    """The hills of a scenario's `[[hill]]` tables. Raises KeyError, ValueError."""
    hills = np.array([[float(r[k]) for k in ("east_m", "north_m", "height_m", "radius_m")] for r in rows])
    if len(hills) and not (hills[:, 3] > 0.0).all():
        raise ValueError("a hill's radius_m must be above 0")
    return Terrain(hills.reshape(-1, 4))
