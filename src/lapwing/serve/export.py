"""History to files that other tools read: GeoJSON (RFC 7946), KML 2.2 with time, CSV. By the file's ending.

One path per track and per claim, in order of time; a claim is called what it is: somebody's own word. Refuses periods
without a row, and endings it does not know.
"""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from lapwing.engine.history import COLUMNS, TRACK, History
from lapwing.records import Array

FORMATS = (".geojson", ".kml", ".csv")
KINDS = ("track", "claim")


class ExportError(Exception):
    """Nothing can be written; the message says why, for a person."""


def moment(time_ns: int) -> str:
    """UTC in ISO 8601, to the millisecond."""
    at = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9 // 10**6:03d}Z"


def instant(text: str) -> int:
    """Nanoseconds of an ISO 8601 date or time; UTC when it names no offset. Raises ExportError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ExportError(f"{text!r} is no time; write it like 2026-11-22 or 2026-11-22T14:30:00Z") from None
    return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1e6) * 1000


def export(history: History, target: Path, since_ns: int, until_ns: int) -> int:
    """Write the period to `target`; the number of rows. Raises ExportError, OSError."""
    if target.suffix not in FORMATS:
        raise ExportError(f"{target}: the file's ending must be one of {', '.join(FORMATS)}")
    rows = history.query(since_ns, until_ns)
    n = len(rows["time_ns"])
    if n == 0:
        raise ExportError("nothing was tracked in that period")
    write = {".geojson": _geojson, ".kml": _kml, ".csv": _csv}[target.suffix]
    with target.open("w", encoding="utf-8", newline="") as file:
        for piece in write(rows):
            file.write(piece)
    return n


def _paths(rows: dict[str, Array]) -> Iterator[tuple[str, dict[str, Array]]]:
    """(name, its rows in order of time) of each track and each claim."""
    order = np.lexsort((rows["time_ns"], rows["id"], rows["kind"]))
    sorted_rows = {name: column[order] for name, column in rows.items()}
    key = np.stack([sorted_rows["kind"].astype(np.int64), sorted_rows["id"]])
    edges = np.flatnonzero((np.diff(key, axis=1) != 0).any(axis=0)) + 1
    for part in np.split(np.arange(key.shape[1]), edges):
        kind, ident = (int(v) for v in key[:, part[0]])
        name = f"track {ident}" if kind == TRACK else f"claim {ident:06X}"
        yield name, {column: values[part] for column, values in sorted_rows.items()}


def _point(path: dict[str, Array], i: int) -> list[float]:
    return [
        round(float(path["longitude_deg"][i]), 7),
        round(float(path["latitude_deg"][i]), 7),
        round(float(path["height_m"][i]), 1),
    ]


def _geojson(rows: dict[str, Array]) -> Iterator[str]:
    yield '{"type": "FeatureCollection", "features": [\n'
    comma = ""
    for name, path in _paths(rows):
        points = [_point(path, i) for i in range(len(path["id"]))]
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
    for name, path in _paths(rows):
        yield f"<Placemark><name>{escape(name)}</name><gx:Track><altitudeMode>absolute</altitudeMode>\n"
        yield "".join(f"<when>{moment(int(t))}</when>\n" for t in path["time_ns"])
        for i in range(len(path["id"])):
            yield "<gx:coord>{:.7f} {:.7f} {:.1f}</gx:coord>\n".format(*_point(path, i))
        yield "</gx:Track></Placemark>\n"
    yield "</Document></kml>\n"


class _Line:
    """What csv.writer writes to: keeps the last line."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """One line."""
        self.text = text
        return len(text)


def _csv(rows: dict[str, Array]) -> Iterator[str]:
    line = _Line()
    writer = csv.writer(line)
    writer.writerow(["time", *COLUMNS])
    yield line.text
    columns = [rows[name].tolist() for name in COLUMNS]
    kind = list(COLUMNS).index("kind")
    for row in zip(*columns, strict=True):
        told = [KINDS[v] if k == kind else v for k, v in enumerate(row)]
        writer.writerow([moment(row[0]), *told])
        yield line.text
