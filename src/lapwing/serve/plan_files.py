"""What a plan's file holds: GeoJSON (RFC 7946) or PMTiles version 3, examined before a browser gets it.

The file may come from anywhere: what is not as the format says is refused with a sentence. Tiles are not decoded here;
only the header, the directory's place and the metadata of a PMTiles file are looked at.
"""

import html
import json
import math
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn

POINTS_MAX = 400_000
FEATURES_MAX = 100_000
ARRAYS_MAX, OBJECTS_MAX = 1_000_000, 400_000  # a file that a plan can be needs no more; each takes memory when read
LAYERS_MAX = 32
METADATA_BYTES_MAX = 1 << 20
DEPTHS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
HEADER = struct.Struct("<7sB11Q6B4iB2i")  # specification of PMTiles version 3, "Header"
TILE_TYPES = {1: "vector", 2: "raster", 3: "raster", 4: "raster"}  # MVT, PNG, JPEG, WebP
NONE, GZIP = 1, 2  # compressions that browsers of today undo


class PlanFileError(ValueError):
    """The file cannot be a plan; the message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a plan's file. `bounds_deg` is west, south, east, north; `layers` are those of vector tiles."""

    kind: str  # "geojson", "vector" or "raster"
    bounds_deg: tuple[float, float, float, float]
    features: int = 0
    layers: tuple[str, ...] = ()
    zoom_max: int = 0
    credit: str = ""  # what the file itself says, as plain text


def geojson(data: bytes) -> Content:
    """A feature collection in WGS 84 degrees. Raises PlanFileError."""
    for sign, most, what in ((b"[", ARRAYS_MAX, "arrays"), (b"{", OBJECTS_MAX, "objects")):
        if data.count(sign) > most:  # before anything is made of it; those in texts count, too
            raise PlanFileError(f"more than {most} {what} in it; simplify it, or make PMTiles of it")
    try:
        found = json.loads(data.decode("utf-8"), parse_constant=_no_number)
    except PlanFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise PlanFileError(f"not GeoJSON: {str(error)[:120]}") from None
    if not isinstance(found, dict) or found.get("type") != "FeatureCollection":
        raise PlanFileError("not GeoJSON: the whole file must be one FeatureCollection")
    if found.get("crs") is not None and "CRS84" not in str(found["crs"]):
        raise PlanFileError("'crs' is stated; GeoJSON is in WGS 84 degrees, longitude first (export it so)")
    features = found.get("features")
    if not isinstance(features, list) or not features:
        raise PlanFileError("there are no features in it")
    if len(features) > FEATURES_MAX:
        raise PlanFileError(f"{len(features)} features; there may be {FEATURES_MAX}")
    box = _Box()
    for number, feature in enumerate(features, start=1):
        try:
            _examine(feature, box)
        except PlanFileError as error:
            raise PlanFileError(f"feature {number}: {error}") from None
    if not box.points:
        raise PlanFileError("no feature in it has a place")
    return Content("geojson", (box.west, box.south, box.east, box.north), len(features))


def _no_number(word: str) -> NoReturn:
    raise PlanFileError(f"not GeoJSON: {word} is no number")


class _Box:
    """Where all points lie, and how many there are."""

    def __init__(self) -> None:
        self.west, self.south, self.east, self.north, self.points = math.inf, math.inf, -math.inf, -math.inf, 0

    def add(self, point: list[Any]) -> None:
        """One position. Raises PlanFileError."""
        numbers = 2 <= len(point) <= 4 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in point)
        if not numbers:
            raise PlanFileError("a position must be longitude, latitude and perhaps a height")
        longitude, latitude = point[0], point[1]
        if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
            raise PlanFileError(f"{longitude!s:.20}, {latitude!s:.20} are no degrees of longitude and latitude")
        self.points += 1
        if self.points > POINTS_MAX:
            raise PlanFileError(f"more than {POINTS_MAX} points; simplify it, or make PMTiles of it")
        self.west, self.east = min(self.west, longitude), max(self.east, longitude)
        self.south, self.north = min(self.south, latitude), max(self.north, latitude)


def _examine(feature: Any, box: _Box) -> None:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise PlanFileError("is no Feature")
    properties, geometry = feature.get("properties"), feature.get("geometry")
    if not isinstance(properties, dict | None):
        raise PlanFileError("its properties are no object")
    if geometry is None:
        return
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(kind, str) or kind not in DEPTHS:
        raise PlanFileError(f"its geometry is none of {', '.join(DEPTHS)}")
    level = [geometry.get("coordinates")]
    for _ in range(DEPTHS[kind]):
        if not all(isinstance(part, list) for part in level):
            raise PlanFileError(f"its coordinates are not as deep as those of a {kind}")
        level = [inner for part in level for inner in part]
    for point in level:
        if not isinstance(point, list):
            raise PlanFileError(f"its coordinates are not as deep as those of a {kind}")
        box.add(point)


def pmtiles(file: BinaryIO, size: int) -> Content:
    """A PMTiles archive of version 3 with vector tiles (MVT) or images. Raises PlanFileError, OSError."""
    head = file.read(HEADER.size)
    if len(head) < HEADER.size or head[:7] != b"PMTiles":
        raise PlanFileError("not a PMTiles file")
    values = HEADER.unpack(head)
    version, places = values[1], values[2:10]
    if version != 3:
        raise PlanFileError(f"PMTiles of version {version}; 3 is shown")
    inner, outer, tile_type, zoom_min, zoom_max = values[14:19]
    west, south, east, north = (v * 1e-7 for v in values[19:23])
    if any(start + length > size for start, length in zip(places[::2], places[1::2], strict=True)):
        raise PlanFileError("the file is cut short: its parts lie beyond its end")
    if tile_type not in TILE_TYPES:
        raise PlanFileError("its tiles are neither vector tiles (MVT) nor PNG, JPEG or WebP")
    if inner not in (NONE, GZIP) or outer not in (0, NONE, GZIP):
        raise PlanFileError("its compression is neither none nor gzip")
    if not (zoom_min <= zoom_max <= 24 and -180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise PlanFileError("its zooms or bounds make no sense")
    file.seek(places[2])
    metadata = _metadata(file.read(min(places[3], METADATA_BYTES_MAX + 1)), inner == GZIP)
    kind = TILE_TYPES[tile_type]
    layers = _layers(metadata) if kind == "vector" else ()
    said = metadata.get("attribution")
    credit = _plain(said) if isinstance(said, str) else ""
    _sayable(credit, "its attribution")
    return Content(kind, (west, south, east, north), layers=layers, zoom_max=zoom_max, credit=credit)


def _metadata(data: bytes, packed: bool) -> dict[str, Any]:
    if packed:
        undo = zlib.decompressobj(wbits=31)
        try:
            data = undo.decompress(data, METADATA_BYTES_MAX + 1)
        except zlib.error:
            raise PlanFileError("its metadata cannot be unpacked") from None
    if len(data) > METADATA_BYTES_MAX:
        raise PlanFileError(f"its metadata has more than {METADATA_BYTES_MAX >> 20} MiB")
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise PlanFileError("its metadata is no JSON") from None
    if not isinstance(found, dict):
        raise PlanFileError("its metadata is no JSON object")
    return found


def _layers(metadata: dict[str, Any]) -> tuple[str, ...]:
    said = metadata.get("vector_layers")
    rows = said if isinstance(said, list) else []
    names = [row.get("id") for row in rows if isinstance(row, dict)]
    for name in names:
        _sayable(name, "a name of a layer")
    good = [name for name in names if isinstance(name, str) and 0 < len(name) <= 64]
    if not good:
        raise PlanFileError("its metadata names no vector_layers, so nothing of it could be shown")
    if len(good) > LAYERS_MAX:
        raise PlanFileError(f"{len(good)} layers; there may be {LAYERS_MAX}")
    return tuple(dict.fromkeys(good))


def _sayable(text: Any, what: str) -> None:
    """JSON can hold half of a surrogate pair, which UTF-8 cannot: every message with it would fail."""
    if isinstance(text, str) and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise PlanFileError(f"{what} in its metadata is no Unicode text (half of a surrogate pair)")


def _plain(markup: str) -> str:
    """An attribution as text: many are written as links."""
    text = html.unescape(re.sub(r"<[^>]*>", "", markup[:2000]))
    return re.sub(r"\s+", " ", text).strip()[:200]
