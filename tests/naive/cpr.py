"""CPR by its definition: the number of zones from the angle a zone spans, and the encoder."""

import math


def number_of_zones(latitude_deg: float) -> int:
    """NL(lat) from the closed formula."""
    a = abs(latitude_deg)
    if a < 1e-12:
        return 59
    if a > 87.0:
        return 1
    if a == 87.0:
        return 2
    inner = 1.0 - (1.0 - math.cos(math.pi / 30.0)) / math.cos(math.radians(a)) ** 2
    return math.floor(2.0 * math.pi / math.acos(inner))


def encode(latitude_deg: float, longitude_deg: float, odd: bool, surface: bool) -> tuple[int, int]:
    """The 17-bit latitude and longitude of one message."""
    cells = 2**19 if surface else 2**17
    d_lat = 360.0 / (59 if odd else 60)
    y = math.floor(cells * (latitude_deg % d_lat) / d_lat + 0.5)
    coded = d_lat * (y / cells + math.floor(latitude_deg / d_lat))
    d_lon = 360.0 / max(number_of_zones(coded) - (1 if odd else 0), 1)
    x = math.floor(cells * (longitude_deg % d_lon) / d_lon + 0.5)
    return y % 2**17, x % 2**17
