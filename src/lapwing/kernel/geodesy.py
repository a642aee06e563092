"""WGS 84: geodetic, Earth-centred (ECEF) and local east-north-up (ENU) coordinates. Axes: n points.

Refuses nothing: inputs are radians and metres, finite. Constants: NGA.STND.0036 (WGS 84), defining parameters.
Accuracy is proven against PROJ in tests/golden.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = NDArray[np.float64]

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1.0 / 298.257223563
ECCENTRICITY_2 = FLATTENING * (2.0 - FLATTENING)
SEMI_MINOR_M = SEMI_MAJOR_M * (1.0 - FLATTENING)


def geodetic_to_ecef(latitude_rad: F, longitude_rad: F, height_ellipsoid_m: F) -> F:
    """ECEF positions in metres, shape (n, 3)."""
    sin_lat, cos_lat = np.sin(latitude_rad), np.cos(latitude_rad)
    n = SEMI_MAJOR_M / np.sqrt(1.0 - ECCENTRICITY_2 * sin_lat**2)
    rho = (n + height_ellipsoid_m) * cos_lat
    return np.stack(
        [
            rho * np.cos(longitude_rad),
            rho * np.sin(longitude_rad),
            (n * (1.0 - ECCENTRICITY_2) + height_ellipsoid_m) * sin_lat,
        ],
        axis=-1,
    )


def ecef_to_geodetic(ecef_m: F) -> tuple[F, F, F]:
    """Latitude_rad, longitude_rad, height_ellipsoid_m of ECEF points (n, 3). Bowring's formula, iterated: below
    1e-9 m in height from 10 km under to 10,000 km over the ellipsoid."""
    x, y, z = ecef_m[..., 0], ecef_m[..., 1], ecef_m[..., 2]
    p = np.hypot(x, y)
    second = ECCENTRICITY_2 / (1.0 - ECCENTRICITY_2)
    beta = np.arctan2(z * SEMI_MAJOR_M, p * SEMI_MINOR_M)
    for _ in range(3):
        latitude = np.arctan2(
            z + second * SEMI_MINOR_M * np.sin(beta) ** 3,
            p - ECCENTRICITY_2 * SEMI_MAJOR_M * np.cos(beta) ** 3,
        )
        beta = np.arctan2((1.0 - FLATTENING) * np.sin(latitude), np.cos(latitude))
    sin_lat = np.sin(latitude)
    # Stable everywhere: the distance to the ellipsoid's foot point along the normal.
    height = p * np.cos(latitude) + z * sin_lat - SEMI_MAJOR_M * np.sqrt(1.0 - ECCENTRICITY_2 * sin_lat**2)
    return latitude, np.arctan2(y, x), height


def enu_axes(latitude_rad: float, longitude_rad: float) -> F:
    """Rows are the unit vectors east, north, up at a place, in ECEF; shape (3, 3)."""
    sl, cl = np.sin(latitude_rad), np.cos(latitude_rad)
    so, co = np.sin(longitude_rad), np.cos(longitude_rad)
    return np.array([[-so, co, 0.0], [-sl * co, -sl * so, cl], [cl * co, cl * so, sl]])


def geodetic_to_enu(origin: tuple[float, float, float], latitude_rad: F, longitude_rad: F, height_ellipsoid_m: F) -> F:
    """Positions (n, 3) in metres east, north, up of `origin` = (latitude_rad, longitude_rad, height_ellipsoid_m)."""
    base = geodetic_to_ecef(*(np.asarray(v, dtype=np.float64) for v in origin))
    return (geodetic_to_ecef(latitude_rad, longitude_rad, height_ellipsoid_m) - base) @ enu_axes(*origin[:2]).T


def enu_to_geodetic(origin: tuple[float, float, float], enu_m: F) -> tuple[F, F, F]:
    """Latitude_rad, longitude_rad, height_ellipsoid_m of points (n, 3) in the ENU frame of `origin`."""
    base = geodetic_to_ecef(*(np.asarray(v, dtype=np.float64) for v in origin))
    return ecef_to_geodetic(enu_m @ enu_axes(*origin[:2]) + base)


def frame_between(origin: tuple[float, float, float], place: tuple[float, float, float]) -> tuple[F, F]:
    """Where the frame of `place` stands in that of `origin`: its position (3,) and the rotation (3, 3) that takes
    vectors of the origin's ENU frame into the place's."""
    position = geodetic_to_enu(origin, *(np.asarray(v, dtype=np.float64) for v in place))
    return position, enu_axes(*place[:2]) @ enu_axes(*origin[:2]).T


@njit(cache=True, nogil=True)
def height_m(x: F) -> float:
    """Height of one state or position x (in an ENU frame, metres) over the ellipsoid's curve through the frame's
    origin: up + d^2 / 2R."""
    return float(x[2] + (x[0] * x[0] + x[1] * x[1]) / (2.0 * SEMI_MAJOR_M))
