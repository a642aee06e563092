"""Further export formats: GPX 1.1, CZML, OGC Moving Features JSON (19-045r3), GeoParquet 1.1."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import polars as pl

from lapwing.engine.history import COLUMNS
from lapwing.serve.export_paths import KINDS, Rows, moment, paths, point, sea_level_m

WKB_POINT_Z = np.dtype([("order", "u1"), ("kind", "<u4"), ("xyz", "<f8", 3)])
GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point Z"]}},  # no crs: longitude, latitude WGS 84
}


def gpx(rows: Rows) -> Iterator[str]:
    """A track segment per path; elevations are above mean sea level, as GPX wants."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<gpx version="1.1" creator="Lapwing" xmlns="http://www.topografix.com/GPX/1/1">\n'
    yield "<metadata><desc>Elevations are metres above mean sea level (EGM96).</desc></metadata>\n"
    for name, path in paths(rows):
        yield f"<trk><name>{escape(name)}</name><trkseg>\n"
        for i, time_ns in enumerate(path["time_ns"].tolist()):
            longitude, latitude, _ = point(path, i)
            yield f'<trkpt lat="{latitude:.7f}" lon="{longitude:.7f}"><ele>{sea_level_m(path, i):.1f}</ele>'
            yield f"<time>{moment(time_ns)}</time></trkpt>\n"
        yield "</trkseg></trk>\n"
    yield "</gpx>\n"


def czml(rows: Rows) -> Iterator[str]:
    """A packet per path, for Cesium."""
    yield "[" + json.dumps({"id": "document", "name": "Lapwing", "version": "1.0"})
    for name, path in paths(rows):
        times = path["time_ns"].tolist()
        places: list[float] = []
        for i, time_ns in enumerate(times):
            places += [round((time_ns - times[0]) * 1e-9, 3), *point(path, i)]
        told: dict[str, Any] = {
            "id": name,
            "name": name,
            "availability": f"{moment(times[0])}/{moment(times[-1])}",
            "position": {"epoch": moment(times[0]), "cartographicDegrees": places},
            "point": {"pixelSize": 6},
            "path": {"width": 1},
        }
        yield ",\n" + json.dumps(told)
    yield "]\n"


def mfjson(rows: Rows) -> Iterator[str]:
    """A moving point per path."""
    yield '{"type": "FeatureCollection", "features": [\n'
    comma = ""
    for name, path in paths(rows):
        times = [moment(t) for t in path["time_ns"].tolist()]
        motion = {
            "type": "MovingPoint",
            "datetimes": times,
            "coordinates": [point(path, i) for i in range(len(times))],
            "interpolation": "Linear",
        }
        feature = {
            "type": "Feature",
            "id": name,
            "properties": {"name": name, "kind": KINDS[int(path["kind"][0])]},
            "temporalGeometry": motion,
        }
        yield comma + json.dumps(feature)
        comma = ",\n"
    yield "\n]}\n"


def geoparquet(rows: Rows, target: Path) -> None:
    """A row per position, with its geometry. Raises OSError."""
    table = pl.DataFrame({name: rows[name] for name in COLUMNS})
    wkb = np.zeros(len(table), WKB_POINT_Z)
    wkb["order"], wkb["kind"] = 1, 1001
    for k, name in enumerate(("longitude_deg", "latitude_deg", "height_m")):
        wkb["xyz"][:, k] = rows[name]
    raw, size = wkb.tobytes(), WKB_POINT_Z.itemsize
    geometry = pl.Series("geometry", [raw[i : i + size] for i in range(0, len(raw), size)], pl.Binary)
    kind = pl.Series("kind", [KINDS[k] for k in rows["kind"].tolist()], pl.String)
    time = pl.from_epoch(table["time_ns"], time_unit="ns").dt.replace_time_zone("UTC").alias("time")
    table = table.with_columns(kind, time, geometry)
    try:
        table.write_parquet(target, metadata={"geo": json.dumps(GEO)})
    except pl.exceptions.PolarsError as error:
        raise OSError(f"{target} cannot be written: {error}") from error
