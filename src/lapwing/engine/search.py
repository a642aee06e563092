"""Search in the history: who was there, by time, identity, kind and area. First the index (engine/presence.py), then,
for what is shown, the paths themselves.

A visit is one presence of somebody without a gap of more than GAP_NS. Refuses to read more than is bounded here; says
where it did not look.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from lapwing.alarm.zones import LocalZone
from lapwing.engine.history import CLAIM, TRACK
from lapwing.engine.hours import Hours
from lapwing.engine.presence import EVERY_NS, LIKELY
from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.records import Array, Circle, Position, Zone

GAP_NS = 900_000_000_000
ROWS_MAX = 200_000  # of the index that one search may find
SPAN_NS_MAX = 12 * 3_600_000_000_000  # of the paths that are read for one page
ROWS_READ_MAX = 1_000_000  # of them
Paths = Callable[[int, int], pl.LazyFrame]


@dataclass(frozen=True, slots=True)
class Box:
    """Between parallels and meridians, degrees; west greater than east: over the meridian of 180."""

    south_deg: float
    west_deg: float
    north_deg: float
    east_deg: float

    def holds(self, latitude: pl.Expr, longitude: pl.Expr) -> pl.Expr:
        """Whether places are in it."""
        east, west = longitude <= self.east_deg, longitude >= self.west_deg
        across = (east | west) if self.west_deg > self.east_deg else (east & west)
        return latitude.is_between(self.south_deg, self.north_deg) & across

    def touches(self) -> pl.Expr:
        """Whether boxes of the index may hold a place in it."""
        east, west = pl.col("west_deg") <= self.east_deg, pl.col("east_deg") >= self.west_deg
        across = (east | west) if self.west_deg > self.east_deg else (east & west)
        return (pl.col("south_deg") <= self.north_deg) & (pl.col("north_deg") >= self.south_deg) & across


@dataclass(frozen=True, slots=True)
class Area:
    """Where it is looked: a box, or a zone (its ground plan, at every height) with the box that holds it."""

    box: Box
    zone: LocalZone | None = None
    origin: Position | None = None

    @classmethod
    def of(cls, zone: Zone, origin: Position) -> "Area":
        """The ground plan of a zone."""
        if isinstance(zone.shape, Circle):
            c, r = zone.shape.centre, zone.shape.radius_m * 1.01 + 100.0
            up = np.degrees(r / 6_335_000.0)
            wide = up / max(np.cos(c.latitude_rad), 0.01)
            lat, lon = np.degrees(c.latitude_rad), np.degrees(c.longitude_rad)
            box = Box(lat - up, lon - wide, lat + up, lon + wide)
        else:
            corners = np.degrees([(p.latitude_rad, p.longitude_rad) for p in zone.shape.vertices])
            low, high = corners.min(axis=0), corners.max(axis=0)
            slack = 0.001 + 0.01 * (high - low)
            box = Box(*(low - slack).tolist(), *(high + slack).tolist())
        return cls(box, LocalZone.make(zone, origin), origin)

    def holds(self, latitude_deg: Array, longitude_deg: Array, height_m: Array) -> Array:
        """Whether places (which are in the box) are in the area."""
        if self.zone is None or self.origin is None:
            return np.ones(len(latitude_deg), bool)
        o = self.origin
        base = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
        latitude, longitude = np.radians(latitude_deg), np.radians(longitude_deg)
        enu = geodetic_to_enu(base, latitude, longitude, height_m.astype(np.float64))
        return np.asarray(self.zone.distance_m(enu[:, 0], enu[:, 1]) <= 0.0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for. `who` as presence.WHO, `kind` as records.Kind (of tracks only), None = any."""

    since_ns: int
    until_ns: int
    who: int | None = None
    identity: str = ""
    kind: int | None = None
    area: Area | None = None


def identity(text: str) -> pl.Expr:
    """Rows that are meant by what a person typed: a track's number (7, T7), an ICAO address or a Remote ID's interned
    one (hexadecimal), an MMSI, or a part of a callsign, ship's name or serial number."""
    word = text.strip().lower()
    meant = [pl.col("name").str.to_lowercase().str.contains(word, literal=True)]
    if match := re.fullmatch(r"t?(?:rack )?([0-9]{1,18})", word):
        meant.append((pl.col("who") == 0) & (pl.col("id") == int(match[1])))
    if re.fullmatch(r"[0-9a-f]{6}", word):
        meant.append((pl.col("who") == 1) & (pl.col("id") == int(word, 16)))
    if re.fullmatch(r"[0-9]{9}", word):
        meant.append((pl.col("who") == 2) & (pl.col("id") == int(word)))
    if re.fullmatch(r"[0-9a-f]{10}", word):
        meant.append((pl.col("who") == 3) & (pl.col("id") == int(word, 16)))
    return pl.any_horizontal(meant)


def visits(persons: Hours, wanted: Wanted) -> tuple[pl.DataFrame, bool]:
    """Visits, the newest first, and whether that is all: beyond ROWS_MAX rows the oldest are not looked at. An area is
    only looked at by the boxes of the index: see `exact`. Raises OSError."""
    parts, count = [], 0
    for rows in _matching(persons, wanted):
        parts.append(rows)
        count += len(rows)
        if count >= ROWS_MAX:
            break
    if not parts:
        return pl.DataFrame(), True
    gap = pl.col("first_ns") - pl.col("last_ns").cum_max().shift(1).over("who", "id") > GAP_NS
    rows = pl.concat(parts).sort("who", "id", "first_ns").with_columns(gap.fill_null(True).alias("new"))
    low = pl.col("first_ns", "south_deg", "west_deg", "low_m").min()
    high = pl.col("last_ns", "north_deg", "east_deg", "high_m", "speed_mps", "likely", "name").max()
    number = pl.col("new").cast(pl.Int64).cum_sum().over("who", "id").alias("visit")
    found = rows.with_columns(number).group_by("who", "id", "visit").agg(low, high, pl.col("minutes").sum())
    return found.sort("last_ns", "who", "id", descending=[True, False, False]), count < ROWS_MAX


def _matching(persons: Hours, wanted: Wanted) -> Iterator[pl.DataFrame]:
    """Rows of the index by hour, the newest hour first; one per identity, minutes counted."""
    meant = [(pl.col("last_ns") >= wanted.since_ns) & (pl.col("first_ns") < wanted.until_ns)]
    if wanted.who is not None:
        meant.append(pl.col("who") == wanted.who)
    if wanted.identity.strip():
        meant.append(identity(wanted.identity))
    if wanted.kind is not None:
        meant.append((pl.col("who") == 0) & (pl.col("likely") % LIKELY == wanted.kind) & (pl.col("likely") > 0))
    if wanted.area is not None:
        meant.append(wanted.area.box.touches())
    for _, rows in persons.between(wanted.since_ns, wanted.until_ns, newest_first=True):
        one = (
            rows.filter(*meant)
            .group_by("who", "id")
            .agg(
                pl.col("minutes").bitwise_or().bitwise_count_ones().cast(pl.Int64),
                pl.col("first_ns", "south_deg", "west_deg", "low_m").min(),
                pl.col("last_ns", "north_deg", "east_deg", "high_m", "speed_mps", "likely", "name").max(),
            )
        )
        if len(one):
            yield one


def exact(paths: Paths, page: pl.DataFrame, wanted: Wanted) -> list[tuple[int, int, int, float, float, bool]]:
    """Per visit of a page: when it was first and last in the area, for how many seconds, where it came in, and whether
    the paths were read; those that were not have 0 seconds. Read, and 0 seconds: it was not in the area."""
    assert wanted.area is not None
    spans = [
        (max(first - EVERY_NS, wanted.since_ns), min(last + EVERY_NS, wanted.until_ns))  # the index looks seldom
        for first, last in zip(page["first_ns"].to_list(), page["last_ns"].to_list(), strict=True)
    ]
    chosen, rows_n, reach = [], 0, [spans[0][0], spans[0][1]]
    for k, (begin, end) in enumerate(spans):
        wider = [min(reach[0], begin), max(reach[1], end)]
        rows_n += (end - begin) // 10**9
        if wider[1] - wider[0] > SPAN_NS_MAX or rows_n > ROWS_READ_MAX:
            break
        reach = wider
        chosen.append(k)
    inside = _inside(paths, page[chosen] if chosen else page.head(0), wanted.area, reach)
    out = []
    for k, (begin, end) in enumerate(spans):
        key = (TRACK if page["who"][k] == 0 else CLAIM, page["id"][k])
        if k not in chosen:
            where = (page["south_deg"][k] + page["north_deg"][k]) / 2, (page["west_deg"][k] + page["east_deg"][k]) / 2
            out.append((begin, end, 0, *where, False))
            continue
        times, lat, lon = inside.get(key, (np.zeros(0, np.int64), np.zeros(0), np.zeros(0)))
        mine = np.flatnonzero((times >= begin) & (times < end))
        if len(mine):
            out.append((int(times[mine[0]]), int(times[mine[-1]]), len(mine), lat[mine[0]], lon[mine[0]], True))
        else:
            out.append((begin, end, 0, 0.0, 0.0, True))
    return out


def _inside(
    paths: Paths, page: pl.DataFrame, area: Area, reach: list[int]
) -> dict[tuple[int, int], tuple[Array, Array, Array]]:
    """(times, latitudes, longitudes) in the area by kind and number, in order of time."""
    if page.is_empty():
        return {}
    tracks = page.filter(pl.col("who") == 0)["id"].to_list()
    claims = page.filter(pl.col("who") != 0)["id"].to_list()
    mine = (pl.col("kind") == TRACK) & pl.col("id").is_in(tracks)
    mine |= (pl.col("kind") == CLAIM) & pl.col("id").is_in(claims)
    where = area.box.holds(pl.col("latitude_deg"), pl.col("longitude_deg"))
    columns = ("kind", "id", "time_ns", "latitude_deg", "longitude_deg", "height_m")
    rows = paths(reach[0], reach[1]).filter(mine, where).select(columns).sort("kind", "id", "time_ns").collect()
    within = area.holds(*(rows[name].to_numpy() for name in columns[3:]))
    rows = rows.filter(pl.Series(within, dtype=pl.Boolean))
    return {
        (int(kind), int(ident)): (
            part["time_ns"].to_numpy(), part["latitude_deg"].to_numpy(), part["longitude_deg"].to_numpy()
        )
        for (kind, ident), part in rows.group_by("kind", "id", maintain_order=True)
    }  # fmt: skip
