"""Who was there in which hour, which cells were visited, and which feeds were heard: an index of the history by
identity, and the ground for statistics.

Minutes are bits of one number, so that the same picture twice changes nothing (engine/hours.py). A look is taken every
five seconds: what was shown for less may be missing, and a minute counts when somebody was there at a look. Claims are
what they say of themselves; a spoofed one is in here like any other.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lapwing.engine.coverage import FARTHEST, HEIGHT_SIGMA_M_MAX
from lapwing.engine.coverage import merged as merged_farthest
from lapwing.engine.hours import Hours
from lapwing.engine.parts import HOUR_NS
from lapwing.integrity.cells import library_cells
from lapwing.integrity.navigation import family
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Array, Picture, Position, TrackStatus

EVERY_NS = 5_000_000_000
MINUTE_NS = 60_000_000_000
WHO = ("track", "aircraft", "ship", "remote_id")  # the codes of `who`: a track, or whose address a claim has
RINGS = ((10_000.0, 9), (50_000.0, 7), (np.inf, 5))  # H3 resolution up to that distance from the site
LIKELY = 8  # kinds (records.Kind) in `likely`
NUMBERS = {pl.Int8: np.int8, pl.Int32: np.int32, pl.Int64: np.int64, pl.Float32: np.float32, pl.Float64: np.float64}
PERSONS = {
    "who": pl.Int8,  # WHO
    "id": pl.Int64,  # track_id or address
    "name": pl.String,  # callsign, ship's name, serial number; "" = not said
    "minutes": pl.Int64,  # bit m: there in minute m of the hour
    "first_ns": pl.Int64,
    "last_ns": pl.Int64,
    "south_deg": pl.Float64,
    "north_deg": pl.Float64,
    "west_deg": pl.Float64,
    "east_deg": pl.Float64,
    "low_m": pl.Float32,  # heights above the ellipsoid; null: not measured, as by a radar without elevation
    "high_m": pl.Float32,
    "speed_mps": pl.Float32,  # the greatest
    "likely": pl.Int32,  # of a track: the kind that was surest, as probability in 1e-4 times LIKELY, plus the kind
}
CELLS = {"cell": pl.Int64, "who": pl.Int8, "minutes": pl.Int64}
FEEDS = {
    "feed": pl.String,
    "heard": pl.Int64,  # minutes with a look at which it delivered
    "silent": pl.Int64,  # minutes with a look at which it did not; a minute may be both
    "messages_low": pl.Int64,  # counts since the journal began, at the first and at the last look
    "messages_high": pl.Int64,
    "faults_low": pl.Int64,
    "faults_high": pl.Int64,
}


class Presence:
    """The store of one site. One writer; readers may come from other threads."""

    def __init__(self, folder: Path, origin: Position) -> None:
        self.persons = Hours(folder / "persons", PERSONS, _merged_persons)
        self.cells = Hours(folder / "cells", CELLS, _merged_cells)
        self.feeds = Hours(folder / "feeds", FEEDS, _merged_feeds)
        self.farthest = Hours(folder / "farthest", FARTHEST, merged_farthest)  # engine/coverage.py fills it
        self._origin = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
        self._added_ns = 0

    def add(self, picture: Picture) -> None:
        """Remember one picture (call about once a second; one in five is used)."""
        now = picture.time_ns
        if 0 <= now - self._added_ns < EVERY_NS:
            return
        self._added_ns = now
        there, metres = persons(picture, self._origin)
        self.persons.add(now, there)
        self.cells.add(now, cells(there, metres))
        self.feeds.add(now, feeds(picture))

    def flush(self) -> None:
        """Write what is remembered. Raises OSError."""
        for store in (self.persons, self.cells, self.feeds, self.farthest):
            store.flush()


def bit(time_ns: int) -> int:
    """The minute of the hour as a bit."""
    return 1 << (time_ns % HOUR_NS // MINUTE_NS)


def persons(picture: Picture, origin: tuple[float, float, float]) -> tuple[pl.DataFrame, Array]:
    """Everybody who is shown with a place now, and how far each is from the site, in metres."""
    t, c = picture.tracks, picture.claims
    shown, placed = t.status != TrackStatus.TENTATIVE, c.has_position > 0
    mean = np.concatenate([t.mean[shown], c.mean[placed]])
    n, now, n_tracks = len(mean), picture.time_ns, int(shown.sum())
    latitude, longitude, height = enu_to_geodetic(origin, mean[:, :3])
    degrees = (np.degrees(latitude), np.degrees(longitude))
    likely = np.zeros(n, np.int64)
    if len(picture.classes.track_id) == len(t):
        p = picture.classes.probability[shown]
        likely[:n_tracks] = np.rint(p.max(axis=1, initial=0.0) * 1e4) * LIKELY + picture.classes.kind[shown]
    names = [name for name, there in zip(c.names, placed.tolist(), strict=True) if there]
    columns = (
        np.concatenate([np.zeros(n_tracks, np.int64), 1 + family(c.source[placed])]),
        np.concatenate([t.track_id[shown], c.address[placed]]),
        [""] * n_tracks + names,
        *(np.full(n, value) for value in (bit(now), now, now)),
        *(degrees[0], degrees[0], degrees[1], degrees[1], height, height),
        np.hypot(mean[:, 3], mean[:, 4]),
        likely,
    )
    variance = np.concatenate([t.cov[shown, 2, 2], c.cov[placed, 2, 2]])
    known = pl.Series(variance <= HEIGHT_SIGMA_M_MAX**2)
    there = _table(PERSONS, columns).with_columns(pl.when(known).then(pl.col("low_m", "high_m")))
    return there, np.hypot(mean[:, 0], mean[:, 1])


def _table(schema: Mapping[str, Any], columns: Sequence[Any]) -> pl.DataFrame:
    """Columns as a table; numbers become what the schema says before polars sees them, which is much sooner than a
    cast of the table."""
    told = zip(schema.items(), columns, strict=True)
    return pl.DataFrame(
        {n: v.astype(NUMBERS[t], copy=False) if t in NUMBERS else v for (n, t), v in told}, schema=dict(schema)
    )


def cells(there: pl.DataFrame, metres: Array) -> pl.DataFrame:
    """The cells in which these are; finer near the site, so that there are never many."""
    latitude, longitude = there["south_deg"].to_numpy(), there["west_deg"].to_numpy()
    cell, done = np.zeros(len(there), np.int64), np.zeros(len(there), bool)
    for reach_m, resolution in RINGS:
        mine = ~done & (metres < reach_m)
        if mine.any():
            cell[mine] = library_cells(latitude[mine], longitude[mine], resolution)
        done |= mine
    return pl.DataFrame({"cell": cell, "who": there["who"], "minutes": there["minutes"]}, schema=CELLS)


def feeds(picture: Picture) -> pl.DataFrame:
    """How every feed fares now."""
    now = bit(picture.time_ns)
    rows = [
        (f.feed, now * heard, now * (not heard), f.messages, f.messages, f.faults, f.faults)
        for f in picture.feeds
        for heard in (f.received_ns > 0 and not f.quiet,)
    ]
    return pl.DataFrame(rows, schema=FEEDS, orient="row")


def _merged_persons(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.group_by("who", "id", "name")
        .agg(
            pl.col("minutes").bitwise_or(),
            pl.col("first_ns", "south_deg", "west_deg", "low_m").min(),
            pl.col("last_ns", "north_deg", "east_deg", "high_m", "speed_mps", "likely").max(),
        )
        .sort("who", "id", "name")
    )


def _merged_cells(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("cell", "who").agg(pl.col("minutes").bitwise_or()).sort("cell", "who")


def _merged_feeds(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.group_by("feed")
        .agg(
            pl.col("heard", "silent").bitwise_or(),
            pl.col("messages_low", "faults_low").min(),
            pl.col("messages_high", "faults_high").max(),
        )
        .sort("feed")
    )
