"""Universal Transverse Mercator to latitude and longitude and back, and where its north points. WGS 84; Krüger's series
to the third order in the flattening: below a millimetre within a zone (compared with PROJ in tests)."""

import math
import re

from lapwing.kernel.geodesy import FLATTENING, SEMI_MAJOR_M

SCALE, FALSE_EAST_M, FALSE_NORTH_M = 0.9996, 500_000.0, 10_000_000.0
BANDS = "CDEFGHJKLMNPQRSTUVWX"  # of eight degrees from 80 S; the last has twelve
_ZONE = re.compile(r"([1-9]|[0-5]\d|60)([C-HJ-NP-X])", re.ASCII)
_N = FLATTENING / (2.0 - FLATTENING)
_RECTIFYING_M = SEMI_MAJOR_M / (1.0 + _N) * (1.0 + _N**2 / 4.0 + _N**4 / 64.0)
_BETA = (_N / 2 - 2 * _N**2 / 3 + 37 * _N**3 / 96, _N**2 / 48 + _N**3 / 15, 17 * _N**3 / 480)
_ALPHA = (_N / 2 - 2 * _N**2 / 3 + 5 * _N**3 / 16, 13 * _N**2 / 48 - 3 * _N**3 / 5, 61 * _N**3 / 240)
_DELTA = (2 * _N - 2 * _N**2 / 3 - 2 * _N**3, 7 * _N**2 / 3 - 8 * _N**3 / 5, 56 * _N**3 / 15)


def utm_to_geodetic(zone: str, easting_m: float, northing_m: float) -> tuple[float, float] | None:
    """(latitude_rad, longitude_rad) of a point in a zone such as 30U; None when zone or point do not exist."""
    match = _ZONE.fullmatch(zone.strip().upper())
    if match is None or int(match[1]) == 0 or not (0.0 < easting_m < 1e6 and 0.0 <= northing_m <= FALSE_NORTH_M):
        return None
    north = northing_m if match[2] >= "N" else northing_m - FALSE_NORTH_M
    xi, eta = north / (SCALE * _RECTIFYING_M), (easting_m - FALSE_EAST_M) / (SCALE * _RECTIFYING_M)
    flat_xi = xi - sum(b * math.sin(2 * j * xi) * math.cosh(2 * j * eta) for j, b in enumerate(_BETA, 1))
    flat_eta = eta - sum(b * math.cos(2 * j * xi) * math.sinh(2 * j * eta) for j, b in enumerate(_BETA, 1))
    chi = math.asin(math.sin(flat_xi) / math.cosh(flat_eta))
    latitude = chi + sum(d * math.sin(2 * j * chi) for j, d in enumerate(_DELTA, 1))
    centre = math.radians(6 * int(match[1]) - 183)
    longitude = centre + math.atan2(math.sinh(flat_eta), math.cos(flat_xi))
    return latitude, math.remainder(longitude, 2.0 * math.pi)


def geodetic_to_utm(zone: int, latitude_rad: float, longitude_rad: float) -> tuple[str, float, float] | None:
    """(zone such as 30U, easting_m, northing_m) of a place in the grid of a zone; None beyond 84 N and 80 S, and
    where the easting leaves the grid (500 km from the zone's middle)."""
    off = math.remainder(longitude_rad - math.radians(6 * zone - 183), 2.0 * math.pi)
    latitude = math.degrees(latitude_rad)
    if not (-80.0 <= latitude <= 84.0 and abs(off) <= math.radians(9.0)):
        return None
    sine, root = math.sin(latitude_rad), 2.0 * math.sqrt(_N) / (1.0 + _N)
    t = math.sinh(math.atanh(sine) - root * math.atanh(root * sine))
    xi, eta = math.atan2(t, math.cos(off)), math.atanh(math.sin(off) / math.hypot(1.0, t))
    grid_xi = xi + sum(a * math.sin(2 * j * xi) * math.cosh(2 * j * eta) for j, a in enumerate(_ALPHA, 1))
    grid_eta = eta + sum(a * math.cos(2 * j * xi) * math.sinh(2 * j * eta) for j, a in enumerate(_ALPHA, 1))
    row = min(int((latitude + 80.0) // 8.0), len(BANDS) - 1)
    south = latitude_rad < 0.0
    band = BANDS[min(row, BANDS.index("M")) if south else row]
    north = SCALE * _RECTIFYING_M * grid_xi + (FALSE_NORTH_M if south else 0.0)
    east = FALSE_EAST_M + SCALE * _RECTIFYING_M * grid_eta
    return (f"{zone}{band}", east, north) if 0.0 < east < 2.0 * FALSE_EAST_M else None


def zone_of(latitude_rad: float, longitude_rad: float) -> int | None:
    """The zone in which a place lies, with the wide zones of Norway and Svalbard; None beyond 84 N and 80 S."""
    latitude, longitude = math.degrees(latitude_rad), math.degrees(longitude_rad)
    if not -80.0 <= latitude <= 84.0:
        return None
    if 56.0 <= latitude < 64.0 and 3.0 <= longitude < 12.0:
        return 32
    if latitude >= 72.0 and 0.0 <= longitude < 42.0:
        return 31 if longitude < 9.0 else 33 if longitude < 21.0 else 35 if longitude < 33.0 else 37
    return int((longitude + 180.0) // 6.0) % 60 + 1


def convergence_rad(zone: int, latitude_rad: float, longitude_rad: float) -> float:
    """Where the grid north of a zone points at a place, clockwise from true north. Krüger's series (Karney, Journal of
    Geodesy 85, 2011, has the formula); compared with PROJ in tests."""
    off = math.remainder(longitude_rad - math.radians(6 * zone - 183), 2.0 * math.pi)
    sine, root = math.sin(latitude_rad), 2.0 * math.sqrt(_N) / (1.0 + _N)
    t = math.sinh(math.atanh(sine) - root * math.atanh(root * sine))
    secant = math.hypot(1.0, t)
    xi, eta = math.atan2(t, math.cos(off)), math.atanh(math.sin(off) / secant)
    p = 1.0 + sum(2 * j * a * math.cos(2 * j * xi) * math.cosh(2 * j * eta) for j, a in enumerate(_ALPHA, 1))
    q = sum(2 * j * a * math.sin(2 * j * xi) * math.sinh(2 * j * eta) for j, a in enumerate(_ALPHA, 1))
    tangent = math.tan(off)
    return math.atan2(q * secant + p * t * tangent, p * secant - q * t * tangent)
