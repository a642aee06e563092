"""Geometries of a GeoPackage as GeoJSON geometries: the GeoPackage binary header and ISO WKB (OGC 12-128r17, 2.1.3).

Takes points, lines, areas, their collections, each also with Z or M; Z is kept as the height, M is left out. Refuses
curves, extended geometries, and counts that the bytes cannot hold: a count is compared with what is left of the bytes
before anything is made of it.
"""

import math
import struct
from typing import Any

from lapwing.serve.plan_files import POINTS_MAX, PlanFileError

ENVELOPE_BYTES = (0, 32, 48, 48, 64)  # by the indicator in the flags; 5 to 7 are invalid
NAMES = ("", "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection")
POINT, LINE, POLYGON, COLLECTION = 1, 2, 3, 7
PARTS = {4: POINT, 5: LINE, 6: POLYGON}  # what the parts of a Multi... must be
DEPTH_MAX = 8  # of collections in collections
DECIMALS = 8  # of degrees: a millimetre
Geometry = dict[str, Any]


class Budget:
    """How many points may still come, over all geometries of a file."""

    def __init__(self, points: int = POINTS_MAX) -> None:
        self.points = points

    def spend(self, n: int) -> None:
        """Raises PlanFileError when there are too many."""
        self.points -= n
        if self.points < 0:
            raise PlanFileError(f"more than {POINTS_MAX} points; simplify it, or make PMTiles of it")


def geometries(blob: bytes, srs_id: int, budget: Budget) -> list[Geometry]:
    """The GeoJSON geometries in a GeoPackage blob; a collection is taken apart, an empty one is none. Raises
    PlanFileError, also where the blob is of another reference system than `srs_id`."""
    if len(blob) < 8 or blob[:2] != b"GP":
        raise PlanFileError("its geometry has no GeoPackage header")
    version, flags = blob[2], blob[3]
    envelope = flags >> 1 & 7
    if version != 0 or envelope >= len(ENVELOPE_BYTES):
        raise PlanFileError("its geometry has a header of another version than 1")
    if flags & 0x20:
        raise PlanFileError("its geometry is an extended one; only those of the standard itself are taken")
    (own,) = struct.unpack_from("<i" if flags & 1 else ">i", blob, 4)
    if own != srs_id:
        raise PlanFileError(f"its geometry is of srs_id {own}, its table of {srs_id}")
    reader = _Reader(blob, 8 + ENVELOPE_BYTES[envelope], budget)
    found = reader.geometry(None, 0)
    if reader.at != len(blob):
        raise PlanFileError("its geometry has bytes after its end")
    return found


class _Reader:
    """Reads one WKB geometry after the other from `blob`, from `at` on."""

    def __init__(self, blob: bytes, at: int, budget: Budget) -> None:
        self.at = at
        self._blob, self._budget = blob, budget

    def geometry(self, part_of: tuple[int, int] | None, depth: int) -> list[Geometry]:
        """One geometry, as none or more of GeoJSON. `part_of`: the kind and the dimensions that a part must have."""
        order, kind, dims = self._head()
        if part_of is not None and (kind, dims) != part_of:
            raise PlanFileError("its geometry has a part of another kind")
        if kind == POINT:
            point = self._points(1, dims, order)
            return [{"type": "Point", "coordinates": point[0]}] if point else []
        if kind == LINE:
            return _told(kind, self._points(self._count(order, 16), dims, order))
        if kind == POLYGON:
            return _told(kind, self._rings(dims, order))
        if depth >= DEPTH_MAX:
            raise PlanFileError(f"its geometry has collections in collections, more than {DEPTH_MAX} deep")
        wanted = (PARTS[kind], dims) if kind in PARTS else None
        parts = [g for _ in range(self._count(order, 9)) for g in self._part(wanted, depth + 1)]
        return parts if kind == COLLECTION else _told(kind, [g["coordinates"] for g in parts])

    def _part(self, part_of: tuple[int, int] | None, depth: int) -> list[Geometry]:
        found = self.geometry(part_of, depth)
        if not found:
            self._budget.spend(1)  # an empty part takes time, too
        return found

    def _head(self) -> tuple[str, int, int]:
        """Byte order, kind 1 to 7, dimensions 0 (XY), 1 (Z), 2 (M), 3 (ZM)."""
        if self._left() < 5:
            raise PlanFileError("its geometry is cut short")
        order = {0: ">", 1: "<"}.get(self._blob[self.at], "")
        if not order:
            raise PlanFileError("its geometry has a byte order that is none")
        (code,) = struct.unpack_from(order + "I", self._blob, self.at + 1)
        dims, kind = divmod(code, 1000)
        if dims > 3 or not POINT <= kind <= COLLECTION:
            raise PlanFileError(f"its geometry is of type {code}, none of {', '.join(NAMES[1:])}")
        self.at += 5
        return order, kind, dims

    def _left(self) -> int:
        return len(self._blob) - self.at

    def _count(self, order: str, bytes_each: int) -> int:
        """A count that the bytes left can hold, with at least so many bytes for each."""
        if self._left() < 4:
            raise PlanFileError("its geometry is cut short")
        (n,) = struct.unpack_from(order + "I", self._blob, self.at)
        self.at += 4
        if n * bytes_each > self._left():
            raise PlanFileError("its geometry is cut short: it promises more than there is")
        return int(n)

    def _points(self, n: int, dims: int, order: str) -> list[list[float]]:
        """n positions. One whose longitude and latitude are both NaN is the standard's empty point, and left out."""
        width = (2, 3, 3, 4)[dims]
        if n * width * 8 > self._left():
            raise PlanFileError("its geometry is cut short: it promises more than there is")
        self._budget.spend(n)
        values = struct.unpack_from(f"{order}{n * width}d", self._blob, self.at)
        self.at += n * width * 8
        rows = (values[i : i + width] for i in range(0, len(values), width))
        return [_position(row, has_height=dims in (1, 3)) for row in rows if not all(map(math.isnan, row[:2]))]

    def _rings(self, dims: int, order: str) -> list[list[list[float]]]:
        rings = []
        for _ in range(self._count(order, 4)):
            ring = self._points(self._count(order, 16), dims, order)
            if ring:
                rings.append(ring)
            else:
                self._budget.spend(1)
        return rings


def _position(row: tuple[float, ...], *, has_height: bool) -> list[float]:
    if not all(map(math.isfinite, row[:2])):
        raise PlanFileError("its geometry has a position that is no number")
    height = [round(row[2], 3)] if has_height and math.isfinite(row[2]) else []
    return [round(row[0], DECIMALS), round(row[1], DECIMALS), *height]


def _told(kind: int, coordinates: list[Any]) -> list[Geometry]:
    return [{"type": NAMES[kind], "coordinates": coordinates}] if coordinates else []
