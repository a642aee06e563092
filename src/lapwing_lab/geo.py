"""The examiner's own geometry (WGS 84), scalar and plain, so that an error in the product's cannot cancel itself.

Angles in degrees here: this is the world outside. Inverse geodetic by fixed-point iteration on the latitude.
"""

from dataclasses import dataclass
from math import asin, atan2, cos, degrees, hypot, radians, sin, sqrt

import numpy as np

A_M = 6_378_137.0
B_M = 6_356_752.314245
E2 = 1.0 - (B_M / A_M) ** 2

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """A point: degrees and metres above the ellipsoid."""

    lat_deg: float
    lon_deg: float
    height_m: float = 0.0


def ecef(p: Place) -> Vector:
    """Earth-centred coordinates in metres."""
    la, lo = radians(p.lat_deg), radians(p.lon_deg)
    n = A_M * A_M / hypot(A_M * cos(la), B_M * sin(la))
    return (
        (n + p.height_m) * cos(la) * cos(lo),
        (n + p.height_m) * cos(la) * sin(lo),
        (n * (B_M / A_M) ** 2 + p.height_m) * sin(la),
    )


def geodetic(v: Vector) -> Place:
    """The place of an Earth-centred point, to better than a millimetre near the surface."""
    p = hypot(v[0], v[1])
    la = atan2(v[2], p * (1.0 - E2))
    for _ in range(8):
        n = A_M / sqrt(1.0 - E2 * sin(la) ** 2)
        la = atan2(v[2] + E2 * n * sin(la), p)
    n = A_M / sqrt(1.0 - E2 * sin(la) ** 2)
    height = p / cos(la) - n if abs(la) < 1.5 else v[2] / sin(la) - n * (1.0 - E2)
    return Place(degrees(la), degrees(atan2(v[1], v[0])), height)


def local(origin: Place, p: Place) -> Vector:
    """East, north, up of `p` seen from `origin`, metres."""
    o, q = ecef(origin), ecef(p)
    dx, dy, dz = q[0] - o[0], q[1] - o[1], q[2] - o[2]
    la, lo = radians(origin.lat_deg), radians(origin.lon_deg)
    east = -sin(lo) * dx + cos(lo) * dy
    toward = cos(lo) * dx + sin(lo) * dy
    return east, -sin(la) * toward + cos(la) * dz, cos(la) * toward + sin(la) * dz


def offset(origin: Place, east_m: float, north_m: float, height_m: float) -> Place:
    """The place east and north of `origin` along the ellipsoid (small-distance formulas), at a height."""
    la = radians(origin.lat_deg)
    w = sqrt(1.0 - E2 * sin(la) ** 2)
    meridian = A_M * (1.0 - E2) / w**3
    mid = la + 0.5 * north_m / meridian
    normal = A_M / sqrt(1.0 - E2 * sin(mid) ** 2)
    return Place(
        origin.lat_deg + degrees(north_m / meridian),
        origin.lon_deg + degrees(east_m / (normal * cos(mid))),
        height_m,
    )


def surface(origin: Place, p: Place) -> Vector:
    """East, north along the ellipsoid and height: the inverse of `offset`."""
    la = radians(origin.lat_deg)
    meridian = A_M * (1.0 - E2) / sqrt(1.0 - E2 * sin(la) ** 2) ** 3
    north = radians(p.lat_deg - origin.lat_deg) * meridian
    mid = la + 0.5 * north / meridian
    normal = A_M / sqrt(1.0 - E2 * sin(mid) ** 2)
    return radians(p.lon_deg - origin.lon_deg) * normal * cos(mid), north, p.height_m


def sight(origin: Place, p: Place) -> tuple[float, float, float]:
    """Slant range in metres, azimuth clockwise from north and elevation, both in degrees."""
    e, n, u = local(origin, p)
    r = sqrt(e * e + n * n + u * u)
    return r, degrees(atan2(e, n)) % 360.0, degrees(asin(u / r)) if r > 0 else 90.0


def horizon_m(h1_m: float, h2_m: float) -> float:
    """Radio horizon between two heights with the usual 4/3 Earth."""
    return 4120.0 * (sqrt(max(h1_m, 0.0)) + sqrt(max(h2_m, 0.0)))


def enu_of_surface(origin: Place, places: np.ndarray) -> np.ndarray:
    """East, north, up of `origin` for rows (east, north along the ellipsoid, height above it), shape (n, 3)."""
    east, north, height = places[:, 0], places[:, 1], places[:, 2]
    la0, lo0 = radians(origin.lat_deg), radians(origin.lon_deg)
    meridian = A_M * (1.0 - E2) / sqrt(1.0 - E2 * sin(la0) ** 2) ** 3
    mid = la0 + 0.5 * north / meridian
    la = la0 + north / meridian
    lo = lo0 + east / (A_M / np.sqrt(1.0 - E2 * np.sin(mid) ** 2) * np.cos(mid))
    n = A_M / np.sqrt(1.0 - E2 * np.sin(la) ** 2)
    rho = (n + height) * np.cos(la)
    xyz = np.stack([rho * np.cos(lo), rho * np.sin(lo), (n * (1.0 - E2) + height) * np.sin(la)], axis=1)
    d = xyz - np.array(ecef(origin))
    return np.asarray(d @ axes(origin).T)


def axes(p: Place) -> np.ndarray:
    """Rows: the unit vectors east, north, up at a place, Earth-centred."""
    la, lo = radians(p.lat_deg), radians(p.lon_deg)
    return np.array(
        [
            [-sin(lo), cos(lo), 0.0],
            [-sin(la) * cos(lo), -sin(la) * sin(lo), cos(la)],
            [cos(la) * cos(lo), cos(la) * sin(lo), sin(la)],
        ]
    )
