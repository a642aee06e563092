"""The picture on the wire: one binary message of quantised columns per picture. Axes: n rows.

Layout (docs/wire.md): b"LWP1", uint32 LE header length, a JSON header padded with spaces so that the body starts
8-aligned, then one block per column, each 8-aligned. Every column is an integer; `value = integer * scale`. What is out
of a column's range saturates; nothing is ever NaN. Refuses to know sockets: these are pure functions of a picture.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from lapwing.kernel.geodesy import enu_axes, enu_to_geodetic
from lapwing.records import Array, Claims, Classes, Condition, Directions, Field, Integrity, Picture, Position, Tracks

MAGIC = b"LWP1"
NOT_SAID = 255  # nic, nac_p
NO_TRACK_WIRE = 0xFFFFFFFF
DEGREE = np.pi / 180.0
FIELD_COLUMN = {field: i for i, field in enumerate(Field)}  # Claims.values has one column per Field, in this order

ENU_M_MAX = 1e8  # beyond this a position is nonsense; it is clipped so that the arithmetic stays finite
VARIANCE_MAX = 1e14


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name, little-endian integer type, what one count is worth, and what it means."""

    name: str
    dtype: str  # u1 i2 u2 i4 u4
    scale: float
    unit: str
    meaning: str


HEIGHT_UNKNOWN = -32_768
HEIGHT_SIGMA_M_MAX = 500.0  # vaguer than this is not worth showing: a radar without elevation knows no height

_KINEMATICS = (
    Column("latitude", "i4", 1e-7, "deg", "WGS 84 geodetic"),
    Column("longitude", "i4", 1e-7, "deg", "WGS 84 geodetic"),
    Column("height", "i2", 1.0, "m", "above the ellipsoid; -32768 = not measured (1-sigma over 500 m)"),
    Column("speed", "u2", 0.1, "m/s", "over ground"),
    Column("course", "u2", 360 / 65536, "deg", "clockwise from true north, wraps"),
    Column("climb", "i2", 0.01, "m/s", "vertical rate, up positive"),
    Column("major", "u2", 1.0, "m", "1-sigma ellipse, major half axis"),
    Column("minor", "u2", 1.0, "m", "1-sigma ellipse, minor half axis"),
    Column("orientation", "u1", 180 / 256, "deg", "of the major axis, clockwise from true north, wraps"),
)
TRACK_COLUMNS = (
    Column("id", "u4", 1, "", "track_id, never reused"),
    *_KINEMATICS,
    Column("existence", "u1", 1 / 255, "", "probability that the target exists"),
    Column("status", "u1", 1, "", "0 tentative, 1 confirmed, 2 coasting"),
    Column("age", "u2", 0.1, "s", "since the last detection"),
    Column(
        "kind",
        "u1",
        1,
        "",
        "most probable kind times 32 (0 unknown, 1 multirotor, 2 fixed-wing drone, 3 bird, 4 aircraft, 5 helicopter, "
        "6 ship, 7 ground), plus its probability times 31; 0 = not judged",
    ),
)
CLAIM_COLUMNS = (
    Column(
        "address",
        "u4",
        1,
        "",
        "low 32 bits; names the claim together with its address book: 0 aircraft, 1 ships, 2 Remote ID",
    ),
    *_KINEMATICS,
    Column("source", "u1", 1, "", "0 ADS-B .. 5 Mode S, 6 AIS, 7 AIS other, 8 Remote ID"),
    Column("condition", "u1", 1, "", "0 ok, 1 degraded, 2 lost, 3 inconsistent, 4 unknown"),
    Column("placed", "u1", 1, "", "1 = has said where it is; 0 = latitude and longitude mean nothing"),
    Column("nic", "u1", 1, "", "navigation integrity category, 255 = not said"),
    Column("nac_p", "u1", 1, "", "navigation accuracy category, 255 = not said"),
    Column("doubt", "u1", 1, "", "bits: 1 jump, 2 beyond horizon, 4 single, 8 stale, 16 dead reckoned"),
    Column("track", "u4", 1, "", "track_id that agrees, 4294967295 = none"),
    Column("age", "u2", 0.1, "s", "since the last believed position"),
    Column("heard", "u2", 0.1, "s", "since the last message of any kind"),
)
GOOD_COLUMNS = (
    Column("row", "u4", 1, "", "row of the claims table"),
    Column("latitude", "i4", 1e-7, "deg", "last good position of a claim that is not ok"),
    Column("longitude", "i4", 1e-7, "deg", "last good position of a claim that is not ok"),
    Column("age", "u2", 0.1, "s", "since it was good"),
)
DIRECTION_COLUMNS = (
    Column("latitude", "i4", 1e-7, "deg", "of the sensor"),
    Column("longitude", "i4", 1e-7, "deg", "of the sensor"),
    Column("azimuth", "u2", 360 / 65536, "deg", "of a bearing that nothing explains, clockwise from true north, wraps"),
    Column("sigma", "u2", 0.01, "deg", "of the azimuth, 1-sigma"),
    Column("reach", "u4", 1.0, "m", "how far the sensor sees"),
    Column("age", "u2", 0.1, "s", "since the bearing was true"),
)
TABLES: dict[str, tuple[Column, ...]] = {
    "tracks": TRACK_COLUMNS,
    "claims": CLAIM_COLUMNS,
    "good": GOOD_COLUMNS,
    "directions": DIRECTION_COLUMNS,
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where n states are and how they move, in each one's own local east-north-up frame."""

    latitude_rad: Float64[Array, " n"]
    longitude_rad: Float64[Array, " n"]
    height_ellipsoid_m: Float64[Array, " n"]
    height_sigma_m: Float64[Array, " n"]
    velocity_mps: Float64[Array, "n 3"]  # east, north, up where the target is (not where the site is)
    major_m: Float64[Array, " n"]
    minor_m: Float64[Array, " n"]
    orientation_rad: Float64[Array, " n"]  # of the major axis, clockwise from true north, 0..pi

    @property
    def speed_mps(self) -> Float64[Array, " n"]:
        """Over ground."""
        return np.asarray(np.hypot(self.velocity_mps[:, 0], self.velocity_mps[:, 1]))

    @property
    def course_rad(self) -> Float64[Array, " n"]:
        """Clockwise from true north, 0..2 pi."""
        return np.asarray(np.arctan2(self.velocity_mps[:, 0], self.velocity_mps[:, 1]) % (2.0 * np.pi))


def ellipse(
    var_east: Float64[Array, " n"], var_north: Float64[Array, " n"], covariance: Float64[Array, " n"]
) -> tuple[Float64[Array, " n"], Float64[Array, " n"], Float64[Array, " n"]]:
    """Half axes (major, minor) and the major axis' direction clockwise from north, of n 2x2 covariances: the
    closed-form eigenvalues. A covariance that rounding made indefinite gives a minor axis of 0."""
    middle = 0.5 * (var_east + var_north)
    spread = np.hypot(0.5 * (var_east - var_north), covariance)
    turn = 0.5 * np.arctan2(2.0 * covariance, var_north - var_east)
    return np.sqrt(np.maximum(middle + spread, 0.0)), np.sqrt(np.maximum(middle - spread, 0.0)), turn % np.pi


def place(origin: Position, mean: Float64[Array, "n 6"], cov: Float64[Array, "n 6 6"]) -> Place:
    """Geodetic positions, local velocities and ellipses of states in the ENU frame of `origin`."""
    home = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    state = np.clip(mean, -ENU_M_MAX, ENU_M_MAX)
    latitude, longitude, height = enu_to_geodetic(home, state[:, :3])
    turn = _axes(latitude, longitude) @ enu_axes(*home[:2]).T  # site ENU -> local ENU, (n, 3, 3)
    velocity = (turn @ state[:, 3:, None])[..., 0]
    spread = turn @ np.clip(cov[:, :3, :3], -VARIANCE_MAX, VARIANCE_MAX) @ turn.transpose(0, 2, 1)
    major, minor, orientation = ellipse(spread[:, 0, 0], spread[:, 1, 1], spread[:, 0, 1])
    vertical = np.sqrt(np.maximum(spread[:, 2, 2], 0.0))
    return Place(latitude, longitude, height, vertical, velocity, major, minor, orientation)


def _axes(latitude: Float64[Array, " n"], longitude: Float64[Array, " n"]) -> Float64[Array, "n 3 3"]:
    sl, cl, so, co = np.sin(latitude), np.cos(latitude), np.sin(longitude), np.cos(longitude)
    rows = np.empty((len(latitude), 3, 3))
    rows[:, 0, 0], rows[:, 0, 1], rows[:, 0, 2] = -so, co, 0.0
    rows[:, 1, 0], rows[:, 1, 1], rows[:, 1, 2] = -sl * co, -sl * so, cl
    rows[:, 2, 0], rows[:, 2, 1], rows[:, 2, 2] = cl * co, cl * so, sl
    return rows


def latitude_longitude_deg(origin: Position, east_m: Array, north_m: Array) -> tuple[Array, Array]:
    """Degrees of points in the horizontal plane of the site."""
    flat = np.clip(np.stack([east_m, north_m, np.zeros(len(east_m))], axis=-1), -ENU_M_MAX, ENU_M_MAX)
    home = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    latitude, longitude, _ = enu_to_geodetic(home, flat)
    return latitude / DEGREE, longitude / DEGREE


def encode_picture(picture: Picture, origin: Position) -> bytes:
    """The binary message of one picture."""
    tables = {
        "tracks": _track_values(picture.tracks, picture.classes, picture.time_ns, origin),
        "claims": _claim_values(picture.claims, picture.integrity, picture.time_ns, origin),
        "good": _good_values(picture.integrity, picture.time_ns, origin),
        "directions": _direction_values(picture.directions, picture.time_ns, origin),
    }
    counts = {
        table: {column.name: _quantise(values[column.name], column) for column in TABLES[table]}
        for table, values in tables.items()
    }
    return pack(picture.tick, picture.time_ns, counts)


def pack(tick: int, time_ns: int, tables: Mapping[str, Mapping[str, Array]]) -> bytes:
    """The binary message of tables whose columns are counts already, each of its type in TABLES."""
    blocks: list[bytes] = []
    offset = 0
    described: dict[str, Any] = {}
    for table, values in tables.items():
        entries = []
        for column in TABLES[table]:
            block = values[column.name].tobytes()
            entries.append([column.name, column.dtype, offset, column.scale])
            padding = -len(block) % 8
            blocks.append(block + b"\0" * padding)
            offset += len(block) + padding
        described[table] = {"n": len(values[TABLES[table][0].name]), "columns": entries}
    header = json.dumps({"tick": tick, "time_ns": str(time_ns), "tables": described}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return b"".join([MAGIC, len(header).to_bytes(4, "little"), header, *blocks])


def decode_picture(message: bytes) -> tuple[dict[str, Any], dict[str, dict[str, Array]]]:
    """The header and the tables of raw integer columns: what a client does, for tests and Python clients.
    Raises ValueError on a message that is not a picture."""
    if message[:4] != MAGIC or len(message) < 8:
        raise ValueError("not a Lapwing picture")
    start = 8 + int.from_bytes(message[4:8], "little")
    header = json.loads(message[8:start])
    tables = {
        name: {
            column: np.frombuffer(message, np.dtype("<" + dtype), table["n"], start + offset)
            for column, dtype, offset, _scale in table["columns"]
        }
        for name, table in header["tables"].items()
    }
    return header, tables


def field_table() -> dict[str, list[dict[str, Any]]]:
    """What every column of every table means: part of the hello message."""
    return {
        name: [
            {"name": c.name, "dtype": c.dtype, "scale": c.scale, "unit": c.unit, "meaning": c.meaning} for c in columns
        ]
        for name, columns in TABLES.items()
    }


def _quantise(values: Array, column: Column) -> Array:
    dtype = np.dtype("<" + column.dtype)
    if column.meaning.endswith("wraps"):
        counts = 1 << (8 * dtype.itemsize)
        return np.asarray((np.rint(values / column.scale).astype(np.int64) % counts).astype(dtype))
    limits = np.iinfo(dtype)
    if column.scale != 1:
        values = np.rint(values / column.scale)
    elif values.dtype.kind == "f":
        values = np.rint(values)
    return np.asarray(np.clip(values, limits.min, limits.max).astype(dtype))


def _kinematics(where: Place) -> dict[str, Array]:
    return {
        "latitude": where.latitude_rad / DEGREE,
        "longitude": where.longitude_rad / DEGREE,
        "height": np.where(where.height_sigma_m > HEIGHT_SIGMA_M_MAX, HEIGHT_UNKNOWN, where.height_ellipsoid_m),
        "speed": where.speed_mps,
        "course": where.course_rad / DEGREE,
        "climb": where.velocity_mps[:, 2],
        "major": where.major_m,
        "minor": where.minor_m,
        "orientation": where.orientation_rad / DEGREE,
    }


def _age_s(now_ns: int, then_ns: Array) -> Array:
    """Seconds since, never negative; a 0 (= never) gives an age that saturates every column."""
    return np.asarray(np.maximum(now_ns - then_ns, 0) * 1e-9)


def _track_values(tracks: Tracks, classes: Classes, now_ns: int, origin: Position) -> dict[str, Array]:
    judged = len(tracks) > 0 and len(classes.track_id) == len(tracks)
    return {
        "id": tracks.track_id,
        **_kinematics(place(origin, tracks.mean, tracks.cov)),
        "existence": tracks.existence,
        "status": tracks.status,
        "age": _age_s(now_ns, tracks.updated_ns),
        "kind": 32 * classes.kind + np.rint(31.0 * classes.probability.max(axis=1))
        if judged
        else np.zeros(len(tracks)),
    }


def said(claims: Claims, field: Field) -> Array:
    """The latest number of one field per claim as uint8, NOT_SAID where it never said it."""
    i = FIELD_COLUMN[field]
    return np.where(claims.values_ns[:, i] > 0, np.clip(claims.values[:, i], 0, NOT_SAID - 1), NOT_SAID)


def _claim_values(claims: Claims, integrity: Integrity, now_ns: int, origin: Position) -> dict[str, Array]:
    return {
        "address": claims.address & 0xFFFFFFFF,
        **_kinematics(place(origin, claims.mean, claims.cov)),
        "source": claims.source,
        "condition": integrity.condition,
        "placed": claims.has_position,
        "nic": said(claims, Field.NIC),
        "nac_p": said(claims, Field.NAC_P),
        "doubt": claims.doubt,
        "track": np.where(integrity.track_id < 0, NO_TRACK_WIRE, integrity.track_id),
        "age": _age_s(now_ns, claims.position_ns),
        "heard": _age_s(now_ns, claims.heard_ns),
    }


def _good_values(integrity: Integrity, now_ns: int, origin: Position) -> dict[str, Array]:
    bad = np.isin(integrity.condition, (Condition.DEGRADED, Condition.LOST, Condition.INCONSISTENT))
    rows = np.flatnonzero(bad & (integrity.good_ns > 0))
    latitude, longitude = latitude_longitude_deg(origin, integrity.good_east_m[rows], integrity.good_north_m[rows])
    return {
        "row": rows,
        "latitude": latitude,
        "longitude": longitude,
        "age": _age_s(now_ns, integrity.good_ns[rows]),
    }


def _direction_values(directions: Directions, now_ns: int, origin: Position) -> dict[str, Array]:
    latitude, longitude = latitude_longitude_deg(origin, directions.place_m[:, 0], directions.place_m[:, 1])
    return {
        "latitude": latitude,
        "longitude": longitude,
        "azimuth": directions.azimuth_rad / DEGREE,
        "sigma": directions.azimuth_sigma_rad / DEGREE,
        "reach": directions.range_m_max,
        "age": _age_s(now_ns, directions.time_ns),
    }
