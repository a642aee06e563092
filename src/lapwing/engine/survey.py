"""Survey: the sciences of integrity/ over archives, as pure functions of tables. Axes: k rows of one partition.

A partition holds all rows of some speakers for a day. `judged` runs the live rule book over it; what follows are counts
that add up over partitions in any order (cells, steps) and rows that are only listed (intervals, looks). No engine is
assumed: a loop, a pool or a cluster may call the same functions.
"""

import numpy as np
import polars as pl

from lapwing.integrity.ashore import Ring, ashore
from lapwing.integrity.cells import cells_of
from lapwing.integrity.evidence import DECLINATION_RAD, NavigationSettings, judge_rows, least_wind
from lapwing.kernel import condition as kernel
from lapwing.kernel.condition import NO_HEIGHT, NOT_SAID, Rows
from lapwing.records import Array

SAMPLES = {
    "time_ns": pl.Int64,
    "key": pl.Int64,  # (0 aircraft, 1 ship) << 40 | address
    "position_ns": pl.Int64,  # when the position was said; 0 = never
    "latitude_deg": pl.Float64,
    "longitude_deg": pl.Float64,
    "altitude_m": pl.Float32,
    "speed_mps": pl.Float32,
    "track_deg": pl.Float32,
    "heading_deg": pl.Float32,  # true where known, else within the declination
    "airspeed_mps": pl.Float32,
    "geometric_m": pl.Float32,  # geometric minus barometric altitude
    "nic": pl.Int8,
    "nac_p": pl.Int8,
    "version": pl.Int8,
    "flags": pl.Int8,  # of kernel/condition.py; JUDGED, HEARD and AIRCRAFT are added here; GROUND here
}
GROUND = 64
SHIP = 1 << 40
BIN_NS = 600_000_000_000
STEP_NS = 30_000_000_000
LOOK_NS = 30_000_000_000
STEP_M = 50_000.0
DEGREE_M = 111_195.0


def empty() -> pl.DataFrame:
    """No samples."""
    return pl.DataFrame(schema=SAMPLES)


def tidy(table: pl.DataFrame) -> pl.DataFrame:
    """Samples in order of speaker and time, each once; what is no place or no time is left out."""
    place = pl.col("latitude_deg").is_between(-90.0, 90.0) & pl.col("longitude_deg").is_between(-180.0, 180.0)
    good = table.filter((place | pl.col("latitude_deg").is_null()) & (pl.col("time_ns") > 0) & (pl.col("key") >= 0))
    return good.sort("key", "time_ns", "position_ns", nulls_last=False).unique(
        ["key", "time_ns"], keep="last", maintain_order=True
    )


def with_ashore(table: pl.DataFrame, shape: Array, no_ships: tuple[Ring, ...]) -> Array:
    """`shape` with its own reason where a ship says that it is in a ring (longitude, latitude in degrees) of
    `no_ships`."""
    if not no_ships:
        return shape
    key = table["key"].to_numpy()
    place = np.stack([_column(table, "longitude_deg", np.inf), _column(table, "latitude_deg", np.inf)], axis=1)
    there = ashore(place, (key >= SHIP).astype(np.int64), key & (SHIP - 1), no_ships)
    return np.where(there, kernel.ASHORE, shape)


def judged(table: pl.DataFrame, settings: NavigationSettings, shape: Array | None = None) -> dict[str, Array]:
    """Columns of a tidy table with what the rule book says: condition, reason, since_ns, and the speaker's last good
    place (latitude_deg, longitude_deg; `placed` False where there was none yet). `shape`: per row the reason code of a
    shape that only false positions make (survey_shapes.py), 0 = none."""
    key = table["key"].to_numpy()
    time_ns = table["time_ns"].to_numpy()
    first = np.diff(key, prepend=key[:1] - 1) != 0
    speaker = np.cumsum(first) - 1
    begin = np.flatnonzero(first)
    position_ns = table["position_ns"].fill_null(0).to_numpy(writable=True)
    latitude, longitude = _column(table, "latitude_deg", 0.0), _column(table, "longitude_deg", 0.0)
    position_ns[table["latitude_deg"].is_null().to_numpy()] = 0
    at = _last(position_ns > 0, begin[speaker])  # the row that holds the newest position
    placed = at >= 0
    position_ns = np.where(placed, position_ns[at], 0)
    latitude, longitude = latitude[at], longitude[at]
    rows = _rows(table, speaker, time_ns, position_ns, np.radians(latitude), np.radians(longitude))
    rows = rows if shape is None else rows._replace(contradiction=shape)
    count = int(speaker[-1]) + 1 if len(key) else 0
    memory = kernel.memory(count, settings.prior_nic, settings.prior_nac_p)
    learn = np.ones(len(key), np.int64)
    _, condition, reason, since_ns = judge_rows(rows, memory, learn, settings)
    ok = _last((condition == kernel.OK) & placed, begin[speaker])
    return {
        "key": key,
        "time_ns": time_ns,
        "condition": condition,
        "reason": reason,
        "since_ns": since_ns,
        "placed": ok >= 0,
        "good_row": ok,
        "latitude_deg": latitude[ok],
        "longitude_deg": longitude[ok],
        "altitude_m": rows.altitude_m,
        "first": first,
    }


def _last(where: Array, begin: Array) -> Array:
    """Per row the newest row up to it, of the same speaker, where `where` holds; -1 where there is none."""
    at = np.maximum.accumulate(np.where(where, np.arange(len(where)), -1))
    return np.asarray(np.where(at >= begin, at, -1))


def _column(table: pl.DataFrame, name: str, otherwise: float) -> Array:
    """A column as float64 that may be written to, `otherwise` where nothing was said."""
    return table[name].cast(pl.Float64).fill_null(otherwise).to_numpy(writable=True)


def _rows(
    table: pl.DataFrame, speaker: Array, time_ns: Array, position_ns: Array, latitude: Array, longitude: Array
) -> Rows:
    """The table as the rule book takes it."""
    flags = table["flags"].cast(pl.Int64).fill_null(0).to_numpy()
    aircraft = table["key"].to_numpy() < SHIP
    bits = flags & (kernel.NO_POSITION | kernel.SATURATED | kernel.MANOEUVRE)
    bits |= kernel.HEARD | np.where(aircraft, kernel.AIRCRAFT, 0)
    bits |= np.where((flags & GROUND == 0) | ~aircraft, kernel.JUDGED, 0)
    version = _column(table, "version", NOT_SAID)
    nac_p = _column(table, "nac_p", NOT_SAID)
    speed = _column(table, "speed_mps", NOT_SAID)
    return Rows(
        speaker,
        np.array(time_ns),
        bits,
        position_ns,
        _column(table, "nic", NOT_SAID),
        np.where(version == 0.0, NOT_SAID, nac_p),
        version,
        _column(table, "altitude_m", NO_HEIGHT),
        speed,
        _wind(table, speed),
        _column(table, "geometric_m", NO_HEIGHT),
        np.zeros(len(speaker), np.int64),
        latitude,
        longitude,
    )


def _wind(table: pl.DataFrame, speed: Array) -> Array:
    """The least wind that explains speed and airspeed; not worked out where no airspeed was said."""
    if table["airspeed_mps"].null_count() == len(table):
        return np.full(len(table), NOT_SAID)
    airspeed = _column(table, "airspeed_mps", NOT_SAID)
    track, heading = table["track_deg"], table["heading_deg"]
    spread = np.where((track.is_null() | heading.is_null()).to_numpy(), np.pi, DECLINATION_RAD)
    turned = np.radians(_column(table, "track_deg", 0.0))
    return least_wind(speed, turned, airspeed, np.radians(_column(table, "heading_deg", 0.0)), spread)


def bad(j: dict[str, Array]) -> Array:
    """Rows of speakers that had a good place and are affected now."""
    c = j["condition"]
    return np.asarray(((c == kernel.DEGRADED) | (c == kernel.LOST) | (c == kernel.INCONSISTENT)) & j["placed"])


def cell_counts(j: dict[str, Array], low_m: float, bin_ns: int = BIN_NS) -> pl.DataFrame:
    """Per H3 cell and ten minutes (or another bin): speakers that were good all the time, and that were affected, where
    they last truly were. Low aircraft and those never good do not count."""
    hit = bad(j)
    counts = (
        j["placed"] & ((j["condition"] == kernel.OK) | hit) & ~((j["altitude_m"] < low_m) & (j["altitude_m"] > -1e8))
    )
    at = np.flatnonzero(counts)
    if not len(at):
        return pl.DataFrame(schema={"cell": pl.Int64, "bin": pl.Int64, "good": pl.Int64, "bad": pl.Int64})
    cell = cells_of(j["latitude_deg"][at], j["longitude_deg"][at])
    when, key, told = j["time_ns"][at] // bin_ns, j["key"][at], hit[at]
    # rows are in order of speaker and time: a visit is a run of one speaker, cell and bin
    new = np.ones(len(at), bool)
    new[1:] = (cell[1:] != cell[:-1]) | (when[1:] != when[:-1]) | (key[1:] != key[:-1])
    start = np.flatnonzero(new)
    worst = np.maximum.reduceat(told, start)
    visits = pl.DataFrame({"cell": cell[start], "bin": when[start], "key": key[start], "bad": worst})
    speakers = visits.group_by("cell", "bin", "key").agg(pl.col("bad").max())
    return speakers.group_by("cell", "bin").agg(
        (~pl.col("bad")).sum().cast(pl.Int64).alias("good"), pl.col("bad").sum().cast(pl.Int64)
    )


def step_counts(j: dict[str, Array], low_m: float) -> pl.DataFrame:
    """Per grid cell and step: good speakers exposed, and how many of them lose their navigation in it."""
    hit = bad(j)
    low = (j["altitude_m"] < low_m) & (j["altitude_m"] > -1e8)
    onset = hit.copy()
    onset[1:] &= ~(hit[:-1] & (j["key"][1:] == j["key"][:-1]))
    good = (j["condition"] == kernel.OK) & j["placed"] & ~low
    at = np.flatnonzero(good | (onset & ~low))
    step = j["time_ns"][at] // STEP_NS
    row, column = grid(j["latitude_deg"][at], j["longitude_deg"][at])
    frame = pl.DataFrame({"row": row, "column": column, "step": step, "key": j["key"][at], "lost": onset[at]})
    last = frame.group_by("key", "step").agg(pl.col("row", "column").last(), pl.col("lost").max())
    return last.group_by("row", "column", "step").agg(
        pl.len().cast(pl.Int64).alias("exposed"), pl.col("lost").sum().cast(pl.Int64)
    )


def grid(latitude_deg: Array, longitude_deg: Array) -> tuple[Array, Array]:
    """Row and column of the detection's grid: squares of STEP_M in bands of latitude."""
    row = np.floor(latitude_deg * DEGREE_M / STEP_M).astype(np.int64)
    middle = np.radians((row + 0.5) * STEP_M / DEGREE_M)
    return row, np.floor(longitude_deg * np.cos(middle) * DEGREE_M / STEP_M).astype(np.int64)


def intervals(j: dict[str, Array]) -> pl.DataFrame:
    """Every spell in which a speaker's navigation was not OK, though it had been, with its worst reason and where it
    last truly was."""
    c = np.where(bad(j), j["condition"], -1)
    new = np.ones(len(c), bool)
    new[1:] = (c[1:] != c[:-1]) | (j["key"][1:] != j["key"][:-1])
    start = np.flatnonzero(new)
    end = np.append(start[1:], len(c)) - 1
    keep = c[start] >= 0
    start, end = start[keep], end[keep]
    after = np.minimum(end + 1, max(len(c) - 1, 0))
    same = (j["key"][after] == j["key"][end]) & (after > end)
    return pl.DataFrame(
        {
            "key": j["key"][start],
            "condition": c[start],
            "reason": j["reason"][start],
            "since_ns": j["since_ns"][start],
            "until_ns": np.where(same, j["since_ns"][after], j["time_ns"][end]),
            "latitude_deg": j["latitude_deg"][start],
            "longitude_deg": j["longitude_deg"][start],
        }
    )


def _next_good(j: dict[str, Array]) -> Array:
    """Per row the next row of the same speaker with a good place; -1 where there is none within an hour."""
    n = len(j["key"])
    good = (j["condition"] == kernel.OK) & j["placed"]
    at = np.minimum.accumulate(np.where(good, np.arange(n), n)[::-1])[::-1]
    there = np.minimum(at, max(n - 1, 0))
    near = (at < n) & (j["key"][there] == j["key"]) & (j["time_ns"][there] - j["time_ns"] < 3_600_000_000_000)
    return np.asarray(np.where(near, there, -1))


def looks(j: dict[str, Array]) -> pl.DataFrame:
    """One row per speaker and half minute for locating sources: affected or not, and where it truly was; an affected
    one on the straight line between its last good place and its next, if it has one."""
    hit = bad(j)
    at = np.flatnonzero(j["placed"] & ((j["condition"] == kernel.OK) | hit))
    slot = j["time_ns"][at] // LOOK_NS
    new = np.ones(len(at), bool)
    new[1:] = (slot[1:] != slot[:-1]) | (j["key"][at][1:] != j["key"][at][:-1])
    at = at[new]
    before, after = j["good_row"], _next_good(j)
    ahead = (after[at] >= 0) & hit[at]
    b, a = before[at], np.where(ahead, after[at], before[at])
    dt = np.maximum(j["time_ns"][a] - j["time_ns"][b], 1)
    way = np.where(ahead, (j["time_ns"][at] - j["time_ns"][b]) / dt, 0.0)
    latitude, longitude = (j[name][b] + way * (j[name][a] - j[name][b]) for name in ("latitude_deg", "longitude_deg"))
    return pl.DataFrame(
        {
            "key": j["key"][at],
            "time_ns": j["time_ns"][at],
            "latitude_deg": latitude,
            "longitude_deg": longitude,
            "altitude_m": np.where(j["altitude_m"][at] > -1e8, j["altitude_m"][at], 20.0),
            "affected": hit[at].astype(np.int8),
        }
    )
