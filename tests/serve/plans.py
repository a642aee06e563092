"""Files of plans for tests: a GeoJSON of an airfield, and PMTiles made byte by byte from the specification."""

import gzip
import json
import struct
import zlib

APRON = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"name": "Apron 2", "ref": 2},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[126.58, 37.88], [126.62, 37.88], [126.62, 37.91], [126.58, 37.91], [126.58, 37.88]]],
            },
        },
        {
            "type": "Feature",
            "properties": {"name": "Runway 14"},
            "geometry": {"type": "LineString", "coordinates": [[126.5, 37.95], [126.7, 37.85]]},
        },
        {
            "type": "Feature",
            "properties": {"name": "Gate"},
            "geometry": {"type": "Point", "coordinates": [126.6, 37.9, 4]},
        },
    ],
}


def png(rgb=(200, 40, 200), side=256):
    """One colour, as a PNG."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes(rgb) * side) * side
    head = struct.pack(">2I5B", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def pmtiles(tile=None, metadata=None, *, tile_type=2, version=3, inner=2, outer=1, bounds=(-180, -85, 180, 85), cut=0):
    """An archive with one tile, 0/0/0. Specification: PMTiles version 3."""
    tile = png() if tile is None else tile
    pack = gzip.compress if inner == 2 else bytes
    root = pack(bytes([1, 0, 1]) + _varint(len(tile)) + bytes([1]))  # entries, tile id, run length, length, offset + 1
    told = pack(metadata if isinstance(metadata, bytes) else json.dumps(metadata or {}).encode())
    at = 127
    places = []
    for part in (root, told, b"", tile):
        places += [at, len(part)]
        at += len(part)
    numbers = (*places, 1, 1, 1, 1, inner, outer, tile_type, 0, 0)
    corners = [round(v * 1e7) for v in bounds]
    head = struct.pack("<7sB11Q6B4iB2i", b"PMTiles", version, *numbers, *corners, 0, 0, 0)
    whole = head + root + told + tile
    return whole[: len(whole) - cut]


def _varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
