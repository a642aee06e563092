"""Builds the offline base map: Natural Earth coast, land, borders, countries and the world's airfields as one PMTiles.

    cd builders/basemap && npm ci
    uv run --no-project --with antimeridian --with 'airportsdata==20260905' --with pmtiles python build.py OUT.pmtiles

Data: Natural Earth (public domain) from the npm package world-atlas (ISC); airportsdata (MIT). world-atlas keeps
spherical topology, so what crosses +-180 degrees is cut with `antimeridian`; and each land polygon is a feature of its
own, because one world-wide MultiPolygon loses its fill in low-zoom tiles.
"""

import gzip
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
Geometry = dict[str, Any]
ATTRIBUTION = "Made with Natural Earth; airfields: airportsdata (MIT)"


def collection(features: list[tuple[Geometry, dict[str, Any]]]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection of (geometry, properties)."""
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": g, "properties": p} for g, p in features],
    }


def crosses(ring: list[list[float]]) -> bool:
    """Whether a ring or line jumps over +-180 degrees."""
    return any(abs(a[0] - b[0]) > 180.0 for a, b in pairwise(ring))


def polygons(geometry: Geometry) -> Iterator[Geometry]:
    """The polygons of a geometry, cut at +-180 degrees. Input rings wind as d3 wants them, the cutter the other way."""
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    fix = import_module("antimeridian").fix_polygon
    shape = import_module("shapely.geometry")
    for part in parts:
        rings = [ring[::-1] for ring in part]
        if not any(crosses(ring) for ring in rings):
            yield {"type": "Polygon", "coordinates": rings}
            continue
        cut = shape.mapping(fix(shape.Polygon(rings[0], rings[1:])))
        for piece in cut["coordinates"] if cut["type"] == "MultiPolygon" else [cut["coordinates"]]:
            yield {"type": "Polygon", "coordinates": piece}


def lines(geometry: Geometry) -> Iterator[Geometry]:
    """The lines of a MultiLineString, split where they jump over +-180 degrees."""
    for line in geometry["coordinates"]:
        start = 0
        for i in range(1, len(line)):
            if abs(line[i][0] - line[i - 1][0]) > 180.0:
                if i - start > 1:
                    yield {"type": "LineString", "coordinates": line[start:i]}
                start = i
        if len(line) - start > 1:
            yield {"type": "LineString", "coordinates": line[start:]}


def country_labels(countries: list[dict[str, Any]]) -> list[tuple[Geometry, dict[str, Any]]]:
    """A point inside the largest part of each country, with the zoom from which its name is shown."""
    shape = import_module("shapely.geometry").shape
    found = []
    for country in countries:
        if not country["geometry"]:
            continue
        largest = max((shape(p).buffer(0) for p in polygons(country["geometry"])), key=lambda p: p.area)
        if largest.is_empty:  # an islet smaller than the grid that world-atlas is quantised to
            continue
        point = largest.representative_point()
        zoom = next((z for z, area in ((1, 250.0), (2, 60.0), (3, 8.0), (4, 1.0)) if largest.area > area), 5)
        geometry = {"type": "Point", "coordinates": [round(point.x, 4), round(point.y, 4)]}
        found.append((geometry, {"name": country["name"], "zoom": zoom}))
    return found


def airfields() -> list[tuple[Geometry, dict[str, Any]]]:
    """Airfields with an ICAO code; those with an IATA code show earlier."""
    found = []
    for icao, row in sorted(import_module("airportsdata").load("ICAO").items()):
        geometry = {"type": "Point", "coordinates": [round(row["lon"], 5), round(row["lat"], 5)]}
        properties = {"icao": icao, "zoom": 5 if row["iata"] else 7}
        found.append((geometry, properties))
    return found


def tiles(layers: dict[str, Any]) -> Iterator[tuple[int, int, int, bytes]]:
    """The vector tiles of the layers, gzipped."""
    run = subprocess.run(["node", HERE / "tiles.mjs"], input=json.dumps(layers).encode(), stdout=-1, check=True)
    at = 0
    while at < len(run.stdout):
        z, x, y, length = struct.unpack_from("<4I", run.stdout, at)
        yield z, x, y, run.stdout[at + 16 : at + 16 + length]
        at += 16 + length


def main(out: Path) -> None:
    """Write `out`."""
    raw = json.loads(subprocess.run(["node", HERE / "topology.mjs"], stdout=-1, check=True).stdout)
    layers = {
        "land": collection([(p, {}) for geometry in raw["land"] for p in polygons(geometry)]),
        "coast": collection([(line, {}) for line in lines(raw["coast"])]),
        "border": collection([(line, {}) for line in lines(raw["border"])]),
        "country": collection(country_labels(raw["countries"])),
        "airfield": collection(airfields()),
    }
    tile, writer = import_module("pmtiles.tile"), import_module("pmtiles.writer")
    header = {
        "tile_type": tile.TileType.MVT, "tile_compression": tile.Compression.GZIP, "min_zoom": 0, "max_zoom": 7,
        "min_lon_e7": -1800000000, "min_lat_e7": -850000000, "max_lon_e7": 1800000000, "max_lat_e7": 850000000,
        "center_zoom": 2, "center_lon_e7": 0, "center_lat_e7": 0,
    }  # fmt: skip
    metadata = {
        "attribution": ATTRIBUTION,
        "vector_layers": [{"id": name, "fields": {}, "minzoom": 0, "maxzoom": 7} for name in layers],
    }
    with writer.write(str(out)) as archive:
        ordered = sorted((tile.zxy_to_tileid(z, x, y), data) for z, x, y, data in tiles(layers))
        for tile_id, data in ordered:
            assert gzip.decompress(data)
            archive.write_tile(tile_id, data)
        archive.finalize(header, metadata)
    print(f"{out}: {len(ordered)} tiles, {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
