"""Zones in the site's frame: how far a point is from one, whether it is in its height band, when it will enter.

Axes: n points, k times. Distances are horizontal, negative inside. Polygons through shapely; a circle is exact.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Bool, Float64
from scipy.special import ndtr

from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.records import Array, Circle, Polygon, Position, Zone
from lapwing.records.classes import HEIGHT_M, HEIGHT_SPREAD

DAY_S = 86_400.0


@dataclass(frozen=True)
class LocalZone:
    """A zone with its shape in the site's ENU frame."""

    zone: Zone
    centre_m: tuple[float, float]
    radius_m: float  # of a circle; of a polygon: of the circle around its centre that holds it
    ring: shapely.Polygon | None
    origin_height_m: float

    @classmethod
    def make(cls, zone: Zone, origin: Position) -> "LocalZone":
        """The zone seen from the site's origin."""
        if isinstance(zone.shape, Circle):
            e, n, _ = _enu(origin, (zone.shape.centre,))[0]
            return cls(zone, (float(e), float(n)), zone.shape.radius_m, None, origin.height_ellipsoid_m)
        assert isinstance(zone.shape, Polygon)
        ring = shapely.Polygon(_enu(origin, zone.shape.vertices)[:, :2])
        shapely.prepare(ring)
        centre = ring.centroid
        radius = float(shapely.hausdorff_distance(centre, ring.exterior))
        return cls(zone, (centre.x, centre.y), radius, ring, origin.height_ellipsoid_m)

    def distance_m(self, east_m: Float64[Array, "..."], north_m: Float64[Array, "..."]) -> Float64[Array, "..."]:
        """Signed horizontal distance to the zone's edge: negative inside."""
        from_centre = np.hypot(east_m - self.centre_m[0], north_m - self.centre_m[1])
        if self.ring is None:
            return np.asarray(from_centre - self.radius_m)
        points = shapely.points(east_m, north_m)
        edge = shapely.distance(self.ring.exterior, points)
        return np.asarray(np.where(shapely.contains_xy(self.ring, east_m, north_m), -edge, edge))

    def seconds_to_entry(
        self, mean: Float64[Array, "n 6"], horizon_s: float, step_s: float = 2.0
    ) -> Float64[Array, " n"]:
        """Time until each straight-line prediction is inside; infinity if not within `horizon_s`."""
        times = np.arange(0.0, horizon_s + step_s, step_s)
        out = np.full(len(mean), np.inf)
        speed = np.hypot(mean[:, 3], mean[:, 4])
        reach = np.hypot(mean[:, 0] - self.centre_m[0], mean[:, 1] - self.centre_m[1]) - self.radius_m
        near = np.flatnonzero(reach <= speed * horizon_s)
        if len(near):
            east = mean[near, 0, None] + mean[near, 3, None] * times
            north = mean[near, 1, None] + mean[near, 4, None] * times
            inside = self.distance_m(east, north) <= 0.0
            out[near] = np.where(inside.any(axis=1), times[inside.argmax(axis=1)], np.inf)
        return out

    def in_band(self, mean: Float64[Array, "n 6"], cov: Float64[Array, "n 6 6"]) -> Bool[Array, " n"]:
        """Whether the height (within two sigma) may be in the zone's band. Height above the ellipsoid is taken at
        the point itself: the curvature of the Earth under a flat frame is added back."""
        drop = (mean[:, 0] ** 2 + mean[:, 1] ** 2) / (2.0 * 6_371_000.0)
        height = mean[:, 2] + drop + self.origin_height_m
        spread = 2.0 * np.sqrt(np.maximum(cov[:, 2, 2], 0.0))
        inside: Bool[Array, " n"] = (height + spread >= self.zone.height_m_min) & (
            height - spread <= self.zone.height_m_max
        )
        return inside

    def share_in_band(self) -> Float64[Array, " c"]:
        """Probability per kind that one whose height nobody measured is in the zone's band: log-normal heights above
        the site's origin."""
        edges = np.array([self.zone.height_m_min, self.zone.height_m_max]) - self.origin_height_m
        with np.errstate(divide="ignore"):
            log = np.log(np.maximum(edges, 0.0))[:, None]
        below = ndtr((log - np.log(HEIGHT_M)) / np.array(HEIGHT_SPREAD))
        return np.asarray(below[1] - below[0])

    def active(self, time_ns: int) -> bool:
        """Whether the schedule (UTC) holds at this time."""
        if not self.zone.schedule:
            return True
        days, of_day = divmod(time_ns * 1e-9, DAY_S)
        weekday = (int(days) + 3) % 7  # 1970-01-01 was a Thursday
        return any(day == weekday and start <= of_day < end for day, start, end in self.zone.schedule)


def _enu(origin: Position, points: tuple[Position, ...]) -> Float64[Array, "n 3"]:
    table = np.array([(p.latitude_rad, p.longitude_rad, p.height_ellipsoid_m) for p in points])
    base = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    return geodetic_to_enu(base, table[:, 0], table[:, 1], table[:, 2])
