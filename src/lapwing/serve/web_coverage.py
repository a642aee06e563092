"""How far each sensor can see and did see, as outlines for the map.

Predicted is the sensor's stated range cut at the horizon of a smooth earth; terrain and buildings are not known here.
Measured is engine/coverage.py's farthest target per sector.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from fastapi import Depends, FastAPI, HTTPException, Query, Response

from lapwing.engine.coverage import BAND_TOPS_M, SECTORS, UNKNOWN, farthest, places_of
from lapwing.engine.presence import Presence
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.kernel.geoid import geoid_height_m
from lapwing.records import Array, Picture, Position, Site
from lapwing.serve.answers import json, only_known

INT64_MAX = 2**63 - 1
DAY_NS = 86_400_000_000_000
SPAN_NS_MAX = 31 * DAY_NS
BAND_WORDS = ("low", "middle", "high", "top")
MAST_M = 40.0  # an antenna of a large ship, above the sea
TOP_M = 12_000.0  # the highest that is reckoned with above the last band's foot
EARTH_RADIUS_M, REFRACTION = 6_371_000.0, 4.0 / 3.0  # effective earth radius factor: ITU-R P.834 (standard atmosphere)
POINTS_PER_SECTOR = 3
Moment = Annotated[int | None, Query(ge=0, le=INT64_MAX)]
Band = Literal["all", "low", "middle", "high", "top"]


class Past(Protocol):
    """Where it is looked."""

    def presence(self) -> Presence:
        """The index by hour, with the table of the farthest."""


def add_coverage_routes(app: FastAPI, past: Past, site: Site, latest: Callable[[], Picture]) -> None:
    """GET /v1/coverage. `latest()` is the picture, or raises HTTPException."""
    known = [Depends(only_known)]

    @app.get("/v1/coverage", dependencies=known)
    def coverage(since_ns: Moment = None, until_ns: Moment = None, band: Band = "all") -> Response:
        """Predicted and measured reach per sensor; without times, of the last 24 hours of the picture's time."""
        until = latest().time_ns + 1 if until_ns is None else until_ns
        since = max(until - DAY_NS, 0) if since_ns is None else since_ns
        if not 0 <= until - since <= SPAN_NS_MAX:
            raise HTTPException(400, "since_ns must lie at most 31 days before until_ns.")
        try:
            seen = farthest(past.presence().farthest, since, until)
        except OSError as error:
            raise HTTPException(503, str(error)) from None
        rows = [_told(site, name, at, seen.get(name), band) for name, at in places_of(site).items()]
        told = {"since_ns": str(since), "until_ns": str(until), "band": band, "band_m": list(band_m(band))}
        return json({**told, "sector_deg": 360 // SECTORS, "sensors": rows})


def band_m(band: Band) -> tuple[float | None, float | None]:
    """From where to where it goes above the sensor, in metres; None = no limit."""
    if band == "all":
        return None, None
    k = BAND_WORDS.index(band)
    return (BAND_TOPS_M[k - 1] if k else None), (BAND_TOPS_M[k] if k < len(BAND_TOPS_M) else None)


def horizon_m(sensor_m: float, target_m: float) -> float:
    """Ground range at which a target at one height above the sea comes over the horizon of a sensor at another."""
    return sum(math.sqrt(2.0 * REFRACTION * EARTH_RADIUS_M * max(h, 0.0)) for h in (sensor_m, target_m))


def _told(site: Site, name: str, at: Position, seen: Array | None, band: Band) -> dict[str, Any]:
    place = (at.latitude_rad, at.longitude_rad, at.height_ellipsoid_m)
    sensor = next((s for s in site.sensors if s.sensor == name), None)
    above_sea_m = at.height_ellipsoid_m - float(geoid_height_m(at.latitude_rad, at.longitude_rad))
    top = band_m(band)[1] or TOP_M
    ships = any(f.feed == name and f.decoder == "nmea" for f in site.feeds)
    horizon = horizon_m(above_sea_m, MAST_M if ships else above_sea_m + top)
    predicted = horizon if sensor is None else min(horizon, sensor.range_m_max)
    measured = np.zeros(SECTORS)
    if seen is not None:
        measured = seen.max(axis=0) if band == "all" else seen[BAND_WORDS.index(band)]
    return {
        "name": name,
        "kind": "receiver" if sensor is None else sensor.kind,
        "latitude_deg": math.degrees(at.latitude_rad),
        "longitude_deg": math.degrees(at.longitude_rad),
        "predicted_m": round(predicted),
        "predicted": _ring(place, np.full(SECTORS, predicted)),
        "farthest_m": [round(r) if r > 0 else None for r in measured.tolist()],
        "measured": _ring(place, measured) if measured.any() else None,
        "heights_unknown": seen is not None and bool(seen[UNKNOWN].any()),
    }


def _ring(place: tuple[float, float, float], range_m: Array) -> list[list[float]]:
    """A closed ring of longitudes and latitudes in degrees: an arc per sector; where nothing was seen, the sensor."""
    step = 2.0 * np.pi / SECTORS
    azimuth = (np.arange(SECTORS)[:, None] + np.linspace(0.0, 1.0, POINTS_PER_SECTOR)).ravel() * step
    ranges = np.repeat(range_m, POINTS_PER_SECTOR)
    flat = np.stack([ranges * np.sin(azimuth), ranges * np.cos(azimuth), np.zeros(len(ranges))], axis=1)
    latitude, longitude, _ = enu_to_geodetic(place, flat)
    ring = np.round(np.degrees(np.stack([longitude, latitude], axis=1)), 5).tolist()
    return [*ring, ring[0]]
