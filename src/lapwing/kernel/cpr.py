"""Compact position reporting: even/odd pairs and single messages to latitude and longitude in degrees.

Refuses a pair whose two halves lie in different longitude zone counts or outside the poles. Speaks degrees, because
the encoding is defined in them. Facts: DO-260B's CPR as described in the reference notes; every function has a twin.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

EARTH_M = 6_371_009.0
CELLS = 131072.0


def _transitions() -> NDArray[np.float64]:
    """Latitudes (deg, falling) where the number of longitude zones changes from k to k - 1, for k = 2..59."""
    zones = np.arange(2, 60)
    inner = (1.0 - np.cos(np.pi / 30.0)) / (1.0 - np.cos(2.0 * np.pi / zones))
    found: NDArray[np.float64] = np.degrees(np.arccos(np.sqrt(inner)))
    return found


TRANSITIONS = _transitions()


@njit(cache=True)
def zones(latitude_deg: float) -> int:
    """NL: the number of longitude zones at a latitude, 1..59."""
    a = abs(latitude_deg)
    low, high = 0, 58  # TRANSITIONS falls; zones = number of transitions above the latitude, plus 1
    while low < high:
        middle = (low + high) // 2
        if a < TRANSITIONS[middle]:
            low = middle + 1
        else:
            high = middle
    if a == 87.0:
        return 2
    return low + 1


@njit(cache=True)
def wrap(longitude_deg: float) -> float:
    """The same longitude in [-180, 180)."""
    return float(longitude_deg - 360.0 * np.floor((longitude_deg + 180.0) / 360.0))


@njit(cache=True)
def distance(lat1_deg: float, lon1_deg: float, lat2_deg: float, lon2_deg: float) -> float:
    """Great-circle metres on the mean sphere: good to 0.5 %, which is what plausibility needs."""
    a, b = np.radians(lat1_deg), np.radians(lat2_deg)
    s = np.sin(0.5 * (b - a)) ** 2 + np.cos(a) * np.cos(b) * np.sin(0.5 * np.radians(lon2_deg - lon1_deg)) ** 2
    return float(2.0 * EARTH_M * np.arcsin(np.sqrt(min(1.0, s))))


@njit(cache=True)
def _mod(a: float, b: float) -> float:
    return float(a - b * np.floor(a / b))


@njit(cache=True)
def _latitudes(y0: float, y1: float, surface: bool, ref_lat: float) -> tuple[float, float]:
    """Latitudes of the even and the odd message of a pair; of a surface pair's two, the one nearer `ref_lat`."""
    span = 90.0 if surface else 360.0
    j = np.floor(59.0 * y0 - 60.0 * y1 + 0.5)
    lat0 = span / 60.0 * (_mod(j, 60.0) + y0)
    lat1 = span / 59.0 * (_mod(j, 59.0) + y1)
    if surface:
        if abs(lat0 - 90.0 - ref_lat) < abs(lat0 - ref_lat):
            lat0, lat1 = lat0 - 90.0, lat1 - 90.0
        return lat0, lat1
    if lat0 >= 270.0:
        lat0 -= 360.0
    if lat1 >= 270.0:
        lat1 -= 360.0
    return lat0, lat1


@njit(cache=True)
def pair(
    even: tuple[int, int], odd: tuple[int, int], odd_is_last: bool, surface: bool, reference: tuple[float, float]
) -> tuple[bool, float, float, float]:
    """(ok, latitude, longitude of the newer message, metres between the two messages' own positions).

    The last number tells a true pair (the way flown between the two) from a mixed one, whose halves were coded
    around different places: those miss each other by up to 6 km. A surface pair is resolved towards `reference`.
    """
    y0, x0, y1, x1 = even[0] / CELLS, even[1] / CELLS, odd[0] / CELLS, odd[1] / CELLS
    lat0, lat1 = _latitudes(y0, y1, surface, reference[0])
    if abs(lat0) > 90.0 or abs(lat1) > 90.0:
        return False, 0.0, 0.0, 0.0
    nl = zones(lat0)
    if nl != zones(lat1):
        return False, 0.0, 0.0, 0.0
    span = 90.0 if surface else 360.0
    n0, n1 = float(max(nl, 1)), float(max(nl - 1, 1))
    m = np.floor(x0 * (nl - 1) - x1 * nl + 0.5)
    lon0 = span / n0 * (_mod(m, n0) + x0)
    lon1 = span / n1 * (_mod(m, n1) + x1)
    if surface:
        lon0 += 90.0 * np.floor((reference[1] - lon0) / 90.0 + 0.5)
        lon1 += 90.0 * np.floor((lon0 - lon1) / 90.0 + 0.5)
    gap = distance(lat0, lon0, lat1, lon1)
    if odd_is_last:
        return True, lat1, wrap(lon1), gap
    return True, lat0, wrap(lon0), gap


@njit(cache=True)
def single(
    message: tuple[int, int], odd: bool, surface: bool, reference: tuple[float, float]
) -> tuple[bool, float, float]:
    """(ok, latitude, longitude) of one message in the zones nearest to the reference: right only when the reference
    is within half a zone (airborne about 3 deg of latitude, surface a quarter of that)."""
    span = 90.0 if surface else 360.0
    y, x = message[0] / CELLS, message[1] / CELLS
    d = span / (59.0 if odd else 60.0)
    lat = d * (np.floor(0.5 + reference[0] / d - y) + y)
    if abs(lat) > 90.0:
        return False, 0.0, 0.0
    d = span / max(zones(lat) - (1 if odd else 0), 1)
    lon = d * (np.floor(0.5 + reference[1] / d - x) + x)
    return True, lat, wrap(lon)
