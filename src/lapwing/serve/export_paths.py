"""History as paths: what every export format starts from."""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from lapwing.engine.history import TRACK
from lapwing.kernel.geoid import geoid_height_m
from lapwing.records import Array

KINDS = ("track", "claim")
Rows = dict[str, Array]


def moment(time_ns: int) -> str:
    """UTC in ISO 8601, to the millisecond."""
    at = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9 // 10**6:03d}Z"


def paths(rows: Rows) -> Iterator[tuple[str, Rows]]:
    """(name, its rows in order of time) of each track and each claim."""
    if not len(rows["id"]):
        return
    order = np.lexsort((rows["time_ns"], rows["id"], rows["kind"]))
    sorted_rows = {name: column[order] for name, column in rows.items()}
    key = np.stack([sorted_rows["kind"].astype(np.int64), sorted_rows["id"]])
    edges = np.flatnonzero((np.diff(key, axis=1) != 0).any(axis=0)) + 1
    for part in np.split(np.arange(key.shape[1]), edges):
        kind, ident = (int(v) for v in key[:, part[0]])
        name = f"track {ident}" if kind == TRACK else f"claim {ident:06X}"
        yield name, {column: values[part] for column, values in sorted_rows.items()}


def sea_level_m(path: Rows, i: int) -> float:
    """The height of one row above mean sea level (EGM96)."""
    latitude, longitude = np.radians(path["latitude_deg"][i]), np.radians(path["longitude_deg"][i])
    return float(path["height_m"][i]) - float(geoid_height_m(latitude, longitude))


def point(path: Rows, i: int) -> list[float]:
    """Longitude and latitude in degrees, height above the ellipsoid in metres of one row."""
    return [
        round(float(path["longitude_deg"][i]), 7),
        round(float(path["latitude_deg"][i]), 7),
        round(float(path["height_m"][i]), 1),
    ]
