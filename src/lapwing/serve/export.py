"""History to files that other tools read: GeoJSON (RFC 7946), KML 2.2 with time, CSV, and those of export_formats.
By the file's ending.

One path per track and per claim, in order of time; a claim is called what it is: somebody's own word. Refuses periods
without a row, and endings it does not know.
"""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from lapwing.engine.history import COLUMNS, History
from lapwing.records import Array
from lapwing.serve import export_formats
from lapwing.serve.export_paths import KINDS, moment, paths, point, sea_level_m


class ExportError(Exception):
    """Nothing can be written; the message says why, for a person."""


def instant(text: str) -> int:
    """Nanoseconds of an ISO 8601 date or time; UTC when it names no offset. Raises ExportError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ExportError(f"{text!r} is no time; write it like 2026-11-22 or 2026-11-22T14:30:00Z") from None
    return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1e6) * 1000


Change = Callable[[dict[str, Array]], dict[str, Array]]


def export(history: History, target: Path, since_ns: int, until_ns: int, change: Change | None = None) -> int:
    """Write the period to `target`, its rows changed by `change`; the number of rows. Raises ExportError, OSError."""
    if target.suffix not in FORMATS:
        raise ExportError(
            f"{target}: the file's ending must be one of {', '.join(FORMATS)}, .courageous.json, .ocsf.jsonl"
        )
    rows = history.query(since_ns, until_ns)
    n = len(rows["time_ns"])
    if n == 0:
        raise ExportError("nothing was tracked in that period")
    rows = change(rows) if change else rows
    if target.suffix == ".parquet":
        export_formats.geoparquet(rows, target)
        return n
    write = WRITERS[target.suffix]
    with target.open("w", encoding="utf-8", newline="") as file:
        for piece in write(rows):
            file.write(piece)
    return n


def _geojson(rows: dict[str, Array]) -> Iterator[str]:
    yield '{"type": "FeatureCollection", "features": [\n'
    comma = ""
    for name, path in paths(rows):
        points = [point(path, i) for i in range(len(path["id"]))]
        one = len(points) == 1
        geometry = {"type": "Point" if one else "LineString", "coordinates": points[0] if one else points}
        properties: dict[str, Any] = {
            "name": name,
            "kind": KINDS[int(path["kind"][0])],
            "times": [moment(int(t)) for t in path["time_ns"]],
            "speed_mps": [round(float(v), 2) for v in path["speed_mps"]],
        }
        yield comma + json.dumps({"type": "Feature", "geometry": geometry, "properties": properties})
        comma = ",\n"
    yield "\n]}\n"


def _kml(rows: dict[str, Array]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<kml xmlns="http://www.opengis.net/kml/2.2" xmlns:gx="http://www.google.com/kml/ext/2.2"><Document>\n'
    for name, path in paths(rows):
        yield f"<Placemark><name>{escape(name)}</name><gx:Track><altitudeMode>absolute</altitudeMode>\n"
        yield "".join(f"<when>{moment(int(t))}</when>\n" for t in path["time_ns"])
        for i in range(len(path["id"])):
            longitude, latitude, _ = point(path, i)
            yield f"<gx:coord>{longitude:.7f} {latitude:.7f} {sea_level_m(path, i):.1f}</gx:coord>\n"
        yield "</gx:Track></Placemark>\n"
    yield "</Document></kml>\n"


class Line:
    """What csv.writer writes to: keeps the last line."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """One line."""
        self.text = text
        return len(text)


def _csv(rows: dict[str, Array]) -> Iterator[str]:
    line = Line()
    writer = csv.writer(line)
    writer.writerow(["time", *COLUMNS])
    yield line.text
    columns = [rows[name].tolist() for name in COLUMNS]
    kind = list(COLUMNS).index("kind")
    for row in zip(*columns, strict=True):
        told = [KINDS[v] if k == kind else v for k, v in enumerate(row)]
        writer.writerow([moment(row[0]), *told])
        yield line.text


WRITERS: dict[str, Callable[[dict[str, Array]], Iterator[str]]] = {
    ".geojson": _geojson,
    ".kml": _kml,
    ".csv": _csv,
    ".gpx": export_formats.gpx,
    ".czml": export_formats.czml,
    ".mfjson": export_formats.mfjson,
}
FORMATS = (*WRITERS, ".parquet")
