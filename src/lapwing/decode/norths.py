"""Other norths than the true one: what a bearing from magnetic or grid north needs to become one from true north.

Magnetic: declination by the World Magnetic Model (NOAA and BGS; WMM 2015v2, 2020, 2025, each for its five years)
through pygeomag, at the sensor's place, for the UTC day: it moves by less than 0.01 degrees a week nearly everywhere.
The model's own error is about 0.4 degrees (one sigma) at middle latitudes. Grid: convergence of the UTM zone in which
the sensor stands. Refuses dates without a model, and magnetic bearings where the field is too steep for a compass.
"""

import math
from datetime import UTC, datetime
from functools import lru_cache

from pygeomag import GeoMag
from pygeomag.wmm.wmm_2015v2 import WMM_2015v2
from pygeomag.wmm.wmm_2020 import WMM_2020
from pygeomag.wmm.wmm_2025 import WMM_2025

from lapwing.decode.utm import convergence_rad, zone_of
from lapwing.records import Position

DAY_NS = 86_400 * 10**9
MODELS = ((2015, WMM_2015v2), (2020, WMM_2020), (2025, WMM_2025))
MODEL_YEARS = 5
HORIZONTAL_NT_MIN = 2_000.0  # less: the model's blackout zones around the magnetic poles


def declination_rad(place: Position, time_ns: int) -> float | None:
    """Magnetic north, clockwise from true north, on the UTC day of `time_ns`; None where nobody can say."""
    return _declination_rad(place, time_ns // DAY_NS)


@lru_cache(maxsize=1024)
def _declination_rad(place: Position, day: int) -> float | None:
    date = datetime.fromtimestamp(day * 86_400, UTC)
    first = datetime(date.year, 1, 1, tzinfo=UTC)
    year = date.year + (date - first) / (datetime(date.year + 1, 1, 1, tzinfo=UTC) - first)
    model = next((m for begin, m in MODELS if begin <= year < begin + MODEL_YEARS), None)
    if model is None:
        return None
    latitude, longitude = math.degrees(place.latitude_rad), math.degrees(place.longitude_rad)
    found = GeoMag(coefficients_data=model).calculate(latitude, longitude, place.height_ellipsoid_m / 1000.0, year)
    return math.radians(found.d) if found.h >= HORIZONTAL_NT_MIN else None


def grid_rad(place: Position) -> float | None:
    """Grid north of the sensor's own UTM zone, clockwise from true north; None beyond 84 N and 80 S."""
    zone = zone_of(place.latitude_rad, place.longitude_rad)
    return None if zone is None else convergence_rad(zone, place.latitude_rad, place.longitude_rad)
