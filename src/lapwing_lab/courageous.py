"""COURAGEOUS documents (CWA 18150:2024, schema 0.4) to tracks that can be scored. Axes: n rows.

Takes what a trial's system tracked: positions of two or three dimensions, or bearing, elevation and distance from its
place. Leaves out, and counts: detection sets, records of ground control stations, records without a position. Refuses,
with the place in the document, whatever is of a wrong type or out of range: FileError.
"""

import tomllib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lapwing_lab.files import FileError
from lapwing_lab.geo import Place, Vector, axes, ecef

BYTES_MAX = 256 * 1024 * 1024
ROWS_MAX = 2_000_000
TIME_MS_MAX = 9_000_000_000_000  # the year 2255
MS_NS = 1_000_000
HOLD_MS = 15_000  # a track that is told less often is not there in between
APART_MS = 200  # sets of tracks that are closer together are one

Number = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Angle = Annotated[Number, Field(ge=-360, le=360)]
Whole = Annotated[int, Field(strict=True, ge=0, lt=2**64)]
Text = Annotated[str, Field(strict=True, max_length=10_000)]


class Part(BaseModel):
    """Members that we do not know are passed over: the format may grow."""

    model_config = ConfigDict(frozen=True)


class Position2d(Part):
    """`lat` and `lon` in degrees."""

    kind: Literal["Position2d"] = Field(alias="$type")
    lat: Annotated[Number, Field(ge=-90, le=90)]
    lon: Annotated[Number, Field(ge=-180, le=180)]


class Stand(Part):
    """Where the system stands; height above mean sea level."""

    lat: Annotated[Number, Field(ge=-90, le=90)]
    lon: Annotated[Number, Field(ge=-180, le=180)]
    height_amsl: Annotated[Number, Field(ge=-1_000, le=100_000)]


class Position3d(Stand):
    """The same for a target."""

    kind: Literal["Position3d"] = Field(alias="$type")


class Polar(Part):
    """Degrees from true north and above the horizon, metres."""

    kind: Literal["BearingElevationDistance"] = Field(alias="$type")
    bearing: Angle
    elevation: Annotated[Number, Field(ge=-90, le=90)]
    distance: Annotated[Number, Field(ge=0, le=1e6)]


class Vague(Part):
    """A direction, no position."""

    kind: Literal["Arc", "Quad", "Bearing", "BearingElevation"] = Field(alias="$type")


class Velocity(Part):
    """Metres per second in the east, north, up of the target."""

    east: Annotated[Number, Field(ge=-1e4, le=1e4)]
    north: Annotated[Number, Field(ge=-1e4, le=1e4)]
    up: Annotated[Number, Field(ge=-1e4, le=1e4)]


class Alarm(Part):
    """Whether the system warned, and how sure it was."""

    active: Annotated[bool, Field(strict=True)]
    certainty: Annotated[Number, Field(ge=0, le=1)]


class Record(Part):
    """One position of a track; `time` in milliseconds UTC."""

    time: Annotated[Whole, Field(le=TIME_MS_MAX)]
    record_number: Whole
    classification: Literal["Unknown", "UAV", "GCS", "Other"]
    alarm: Alarm
    location: Annotated[Position2d | Position3d | Polar | Vague, Field(discriminator="kind")]
    velocity: Velocity | None = None
    cuas_location: Stand | None = None


class Track(Part):
    """Records of one target without a break; a track that was lost and found is two with one `uas_id`."""

    uas_id: Annotated[Whole, Field(lt=2**63)]
    name: Text | None = None
    records: list[Record]


class Document(Part):
    """One system's account of a trial."""

    version: Annotated[str, Field(pattern=r"^0\.4(\.\d+)?$")]
    vendor_name: Text
    system_name: Text
    static_cuas_location: Stand
    detection: list[Any]
    tracks: list[Track]


@dataclass(frozen=True, slots=True)
class Read:
    """Tracks as docs/files.md describes them, and what was left out."""

    tracks: pl.DataFrame
    system: str
    detection_sets: int
    ground_stations: int  # records
    without_position: int  # records


@dataclass(frozen=True, slots=True)
class Point:
    """A track's state at one time, in the frame of the truth."""

    time_ms: int
    enu: Vector | None  # None: no position
    velocity: Vector


def read(path: Path, origin: Place | None = None) -> Read:
    """The tracks of a document in the east, north, up of `origin`, or of the system's own place. Raises FileError.

    The document's heights are above the sea. Seen from the system's own place that does not matter, and `up_m` is
    told; from another origin it is left out.
    """
    document = parse(path)
    base = document.static_cuas_location
    own = Place(base.lat, base.lon, base.height_amsl)
    at, ground, vague = origin or own, 0, 0
    pieces: list[tuple[int, list[Point]]] = []
    for track in document.tracks:
        flying = [r for r in track.records if r.classification != "GCS"]
        points = sorted((_point(r, at, own) for r in flying), key=lambda p: p.time_ms)
        ground += len(track.records) - len(flying)
        vague += sum(p.enu is None for p in points)
        placed = [p for p in points if p.enu is not None]
        if placed:
            pieces.append((track.uas_id, placed))
    frame = table(pieces, with_height=origin is None)
    return Read(frame, document.system_name, len(document.detection), ground, vague)


def origin_of(site: Path) -> Place:
    """The origin in a site file. Raises FileError."""
    try:
        table = tomllib.loads(site.read_text(encoding="utf-8"))["origin"]
        return Place(*(float(table.get(k, 0.0)) for k in ("latitude_deg", "longitude_deg", "height_m")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{site}: no site file with an origin ({error})") from None


def parse(path: Path) -> Document:
    """The document. Raises FileError with the place of the first mistake."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise FileError(f"{path}: larger than {BYTES_MAX >> 20} MiB; cut it into shorter periods")
        return Document.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in first["loc"]).lstrip(".")
        raise FileError(f"{path}: no COURAGEOUS document: {where or 'the file'}: {first['msg']}") from None


def _point(record: Record, origin: Place, own: Place) -> Point:
    base = record.cuas_location
    stand = own if base is None else Place(base.lat, base.lon, base.height_amsl)
    where = record.location
    if isinstance(where, Vague):
        return Point(record.time, None, (0.0, 0.0, 0.0))
    if isinstance(where, Polar):
        place = _beside(stand, where)
    else:
        height = where.height_amsl if isinstance(where, Position3d) else origin.height_m
        place = ecef(Place(where.lat, where.lon, height))
    enu = _local(origin, place)
    v = record.velocity
    if v is None:
        return Point(record.time, enu, (0.0, 0.0, 0.0))
    here = stand if isinstance(where, Polar) else Place(where.lat, where.lon)
    turned = axes(origin) @ (axes(here).T @ (v.east, v.north, v.up))
    return Point(record.time, enu, (float(turned[0]), float(turned[1]), float(turned[2])))


def _beside(stand: Place, where: Polar) -> Vector:
    """Earth-centred place of a point at a bearing, elevation and distance."""
    b, e = radians(where.bearing), radians(where.elevation)
    seen = (where.distance * cos(e) * sin(b), where.distance * cos(e) * cos(b), where.distance * sin(e))
    x, y, z = (float(v) for v in axes(stand).T @ seen)
    o = ecef(stand)
    return o[0] + x, o[1] + y, o[2] + z


def _local(origin: Place, v: Vector) -> Vector:
    o = ecef(origin)
    e, n, u = (float(x) for x in axes(origin) @ (v[0] - o[0], v[1] - o[1], v[2] - o[2]))
    return e, n, u


def table(pieces: list[tuple[int, list[Point]]], with_height: bool) -> pl.DataFrame:
    """Sets of tracks: at the times of all records, every track that is there, moved to that time by its velocity. Of
    two tracks of one target the one told last is taken. Raises FileError when that is too much."""
    times = _instants(sorted({p.time_ms for _, points in pieces for p in points}))
    rows: list[tuple[int, int, int, float, float, float, float, float, float]] = []
    for ident, points in pieces:
        until = [*(p.time_ms for p in points[1:]), points[-1].time_ms + APART_MS]  # then the next word counts, or none
        for p, end in zip(points, until, strict=True):
            assert p.enu is not None
            for time in times[bisect_left(times, p.time_ms) : bisect_left(times, min(end, p.time_ms + HOLD_MS + 1))]:
                after_ms = time - p.time_ms
                e, n, u = (x + v * after_ms * 1e-3 for x, v in zip(p.enu, p.velocity, strict=True))
                rows.append((time, ident, after_ms, e, n, u, *p.velocity))
                if len(rows) > ROWS_MAX:
                    raise FileError(f"over {ROWS_MAX} positions of tracks; cut the document into shorter periods")
    names = ["time_ms", "track_id", "after_ms", "east_m", "north_m", "up_m", "east_mps", "north_mps", "up_mps"]
    kinds = [*[pl.Int64] * 3, *[pl.Float64] * 6]
    frame = pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")
    frame = frame.sort("time_ms", "track_id", "after_ms").unique(["time_ms", "track_id"], keep="first")
    frame = frame.with_columns(existence=pl.lit(1.0))
    nobody = pl.DataFrame({"time_ms": _nobody(pieces)}, schema={"time_ms": pl.Int64})
    frame = pl.concat([frame, nobody], how="diagonal").sort("time_ms", "track_id")
    frame = frame.select((pl.col("time_ms") * MS_NS).alias("time_ns"), pl.exclude("time_ms", "after_ms"))
    return frame if with_height else frame.drop("up_m", "up_mps")


def _nobody(pieces: list[tuple[int, list[Point]]]) -> list[int]:
    """When the last track of all went: from then on nobody is there."""
    begins = sorted(points[0].time_ms for _, points in pieces)
    ends = sorted(points[-1].time_ms + APART_MS for _, points in pieces)
    return sorted({t for t in ends if bisect_right(begins, t) == bisect_right(ends, t)})


def _instants(times: list[int]) -> list[int]:
    """The last of each group of times that lie within APART_MS."""
    out: list[int] = []
    first = 0
    for t in times:
        if out and t - first < APART_MS:
            out[-1] = t
        else:
            out.append(t)
            first = t
    return out
