"""`lapwing survey --no-ships FILE`: polygons of a GeoJSON file in which no ship can be (RFC 7946). Refuses, with a
reason, what is no GeoJSON or has no polygon; holes in polygons are not ships' places either way and are left out.
"""

import json
import math
from pathlib import Path
from typing import Any

from lapwing.integrity.ashore import Ring

BYTES_MAX = 64 << 20
DEPTH_MAX = 4  # collections within collections


class NoShipsError(OSError):
    """The file is not what was expected; the text names it and says why."""


def read_no_ships(path: Path) -> tuple[Ring, ...]:
    """Outer rings as (longitude, latitude) in degrees. Raises NoShipsError."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise NoShipsError(f"{path}: larger than {BYTES_MAX >> 20} MB")
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, NoShipsError):
            raise
        raise NoShipsError(f"{path}: not a GeoJSON file: {error}") from error
    try:
        rings = tuple(_rings(tree, DEPTH_MAX))
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise NoShipsError(f"{path}: not GeoJSON with polygons in longitude and latitude: {error}") from error
    if not rings:
        raise NoShipsError(f"{path}: no polygon in it")
    return rings


def _rings(tree: Any, depth: int) -> list[Ring]:
    if not isinstance(tree, dict) or depth < 0:
        raise ValueError("an object with a type was expected")
    kind = tree.get("type")
    if kind == "FeatureCollection":
        return [ring for feature in tree["features"] for ring in _rings(feature, depth - 1)]
    if kind == "Feature":
        return _rings(tree["geometry"], depth - 1) if tree.get("geometry") is not None else []
    if kind == "GeometryCollection":
        return [ring for geometry in tree["geometries"] for ring in _rings(geometry, depth - 1)]
    if kind == "Polygon":
        return [_ring(tree["coordinates"])]
    if kind == "MultiPolygon":
        return [_ring(polygon) for polygon in tree["coordinates"]]
    return []


def _ring(polygon: Any) -> Ring:
    """The outer ring of one polygon."""
    ring = tuple((float(point[0]), float(point[1])) for point in polygon[0])
    if len(ring) < 4 or not all(math.isfinite(x) and abs(x) <= 180.0 and abs(y) <= 90.0 for x, y in ring):
        raise ValueError("a ring needs four points or more, of degrees")
    return ring
