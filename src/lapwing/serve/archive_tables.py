"""Tables of others as samples: which columns mean what, in which unit. Axis: k rows.

A kind of table is told by its column names. Times may be ISO 8601 or counts since 1970 in s, ms, us or ns, told row by
row by their size. A table of no known kind, or whose numbers cannot be in its kind's unit, raises TableError.
"""

from dataclasses import dataclass

import polars as pl

from lapwing.engine.survey import GROUND, SAMPLES, SHIP

HEARD_NS = 10_000_000_000
FOOT_M, KNOT_MPS = 0.3048, 1852.0 / 3600.0


class TableError(Exception):
    """Why a table gives no samples."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of table: sample column -> (names it may have, factor to SI)."""

    name: str
    address: tuple[str, ...]
    time: tuple[str, ...]
    ship: bool
    columns: dict[str, tuple[tuple[str, ...], float]]
    position_time: tuple[str, ...] = ()
    on_ground: tuple[str, ...] = ()


PLACE = {"latitude_deg": (("latitude", "lat"), 1.0), "longitude_deg": (("longitude", "lon"), 1.0)}
QUALITY = {"nic": (("nic",), 1.0), "nac_p": (("nac_p", "nacp", "positionnac"), 1.0), "version": (("version",), 1.0)}
KINDS = (
    Kind(
        "Danish Maritime Authority AIS", ("mmsi",), ("# timestamp", "timestamp"), True,
        PLACE | {"speed_mps": (("sog",), KNOT_MPS), "track_deg": (("cog",), 1.0), "heading_deg": (("heading",), 1.0)},
    ),
    Kind(
        "MarineCadastre AIS", ("mmsi",), ("basedatetime", "base_date_time"), True,
        PLACE | {"speed_mps": (("sog",), KNOT_MPS), "track_deg": (("cog",), 1.0), "heading_deg": (("heading",), 1.0)},
    ),
    Kind(
        "OpenSky state vectors", ("icao24",), ("time", "last_contact", "lastcontact", "mintime"), False,
        PLACE | QUALITY | {
            "altitude_m": (("baroaltitude", "baro_altitude", "alt"), 1.0), "speed_mps": (("velocity",), 1.0),
            "track_deg": (("heading", "true_track"), 1.0), "geo_m": (("geoaltitude", "geo_altitude"), 1.0),
        },
        ("lastposupdate", "time_position"), ("onground", "on_ground"),
    ),
    Kind(
        "traffic (feet and knots)", ("icao24",), ("timestamp",), False,
        PLACE | QUALITY | {
            "altitude_m": (("altitude",), FOOT_M), "speed_mps": (("groundspeed",), KNOT_MPS),
            "track_deg": (("track",), 1.0), "geo_m": (("geoaltitude",), FOOT_M), "airspeed_mps": (("tas",), KNOT_MPS),
            "heading_deg": (("heading",), 1.0),
        },
        ("last_position",), ("onground",),
    ),
)  # fmt: skip


def samples_of(table: pl.DataFrame) -> pl.DataFrame:
    """Samples of a table. Raises TableError."""
    names = {name.strip().lower(): name for name in table.columns}
    kind = next((k for k in KINDS if _has(names, k.address) and _has(names, k.time) and _known(names, k)), None)
    if kind is None:
        known = "; ".join(f"{k.name}: {k.address[0]}, {k.time[0]}, latitude, longitude" for k in KINDS)
        raise TableError(
            f"no table with known columns (expected one of {known}); it has {', '.join(table.columns[:12])}"
        )
    columns = {"time_ns": times(table, _has(names, kind.time)), "key": _keys(table, _has(names, kind.address), kind)}
    for sample, (called, scale) in kind.columns.items():
        name = _has(names, called)
        columns[sample] = _numbers(table, name) * scale if name else pl.repeat(None, len(table), eager=True)
    out = pl.DataFrame(columns)
    if out["time_ns"].null_count() == len(out) or out["key"].null_count() == len(out):
        raise TableError(f"{kind.name}: no row has a time and an address that can be read")
    out = out.with_columns(_position_times(table, names, kind, out), _flags(table, names, kind, out))
    if "geo_m" in out.columns:
        out = out.with_columns((pl.col("geo_m") - pl.col("altitude_m")).cast(pl.Float64).alias("geometric_m"))
    _check_units(out, kind)
    out = _heard(table, names, kind, out)
    absent = [pl.lit(None).cast(t).alias(n) for n, t in SAMPLES.items() if n not in out.columns]
    out = out.with_columns(absent).filter(pl.col("time_ns").is_not_null() & pl.col("key").is_not_null())
    nowhere = ~pl.col("latitude_deg").is_between(-90, 90) | ~pl.col("longitude_deg").is_between(-180, 180)
    out = out.with_columns(
        pl.when(nowhere).then(None).otherwise(pl.col(n)).alias(n) for n in ("latitude_deg", "longitude_deg")
    )
    return out.select(pl.col(n).cast(t, strict=False) for n, t in SAMPLES.items())


def _has(names: dict[str, str], called: tuple[str, ...]) -> str:
    """The table's own name of the first of these columns that it has, or ""."""
    return next((names[c] for c in called if c in names), "")


def _known(names: dict[str, str], kind: Kind) -> bool:
    speeds = kind.columns.get("speed_mps", ((), 1.0))[0]
    place = all(_has(names, kind.columns[c][0]) for c in ("latitude_deg", "longitude_deg"))
    return place and bool(_has(names, speeds) or _has(names, QUALITY["nic"][0]))


def times(table: pl.DataFrame, name: str) -> pl.Series:
    """UTC nanoseconds of a column of times, null where one cannot be read."""
    column = table[name]
    if column.dtype.is_temporal():
        return column.cast(pl.Datetime("ns")).cast(pl.Int64)
    number = column.cast(pl.Float64, strict=False)
    if number.null_count() < len(number) or column.dtype.is_numeric():
        size = number.abs()
        scale = pl.select(
            pl.when(size < 1e11).then(1e9).when(size < 1e14).then(1e6).when(size < 1e17).then(1e3).otherwise(1.0)
        ).to_series()
        exact = column.cast(pl.Int64, strict=False)
        whole = pl.select(pl.when(exact.is_not_null() & (scale == 1.0)).then(exact)).to_series()
        scaled = (number * scale).round().cast(pl.Int64, strict=False)
        return whole.fill_null(scaled)
    text = column.cast(pl.String).str.strip_chars().str.strip_suffix("Z").str.replace("T", " ")
    out = pl.Series(name, [None] * len(text), dtype=pl.Int64)
    for form in ("%Y-%m-%d %H:%M:%S%.f", "%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M"):
        out = out.fill_null(text.str.to_datetime(form, time_unit="ns", strict=False).cast(pl.Int64))
    return out


def _keys(table: pl.DataFrame, name: str, kind: Kind) -> pl.Series:
    column = table[name].cast(pl.String).str.strip_chars()
    if kind.ship:
        mmsi = column.cast(pl.Int64, strict=False)
        return pl.select(pl.when(mmsi.is_between(1, 999_999_999)).then(mmsi + SHIP)).to_series()
    return column.str.strip_prefix("~").str.to_integer(base=16, strict=False).cast(pl.Int64)


def _numbers(table: pl.DataFrame, name: str) -> pl.Series:
    number = table[name].cast(pl.Float64, strict=False)
    return pl.select(pl.when(number.is_finite()).then(number)).to_series()


def _position_times(table: pl.DataFrame, names: dict[str, str], kind: Kind, out: pl.DataFrame) -> pl.Series:
    """When each position was said: as the table says, else when it is there."""
    name = _has(names, kind.position_time)
    said = times(table, name) if name else out["time_ns"]
    placed = out["latitude_deg"].is_not_null() & out["longitude_deg"].is_not_null()
    return pl.select(pl.when(placed).then(said).otherwise(0)).to_series().fill_null(0).alias("position_ns")


def _flags(table: pl.DataFrame, names: dict[str, str], kind: Kind, out: pl.DataFrame) -> pl.Series:
    name = _has(names, kind.on_ground)
    if not name:
        return pl.repeat(0, len(out), dtype=pl.Int8, eager=True).alias("flags")
    ground = table[name].cast(pl.String).str.to_lowercase().is_in(["true", "t", "1"]).fill_null(False)
    return pl.select(pl.when(ground).then(GROUND).otherwise(0)).to_series().cast(pl.Int8).alias("flags")


def _heard(table: pl.DataFrame, names: dict[str, str], kind: Kind, out: pl.DataFrame) -> pl.DataFrame:
    """Rows of speakers that were heard of late: state vectors are repeated for a while after the last message."""
    name = _has(names, ("lastcontact", "last_contact"))
    if kind.ship or not name or name == _has(names, kind.time):
        return out
    age = out["time_ns"] - times(table, name)
    return out.filter((age < HEARD_NS).fill_null(True))


def _check_units(out: pl.DataFrame, kind: Kind) -> None:
    """Refuses numbers that their kind's units make impossible for most rows."""
    speed = out["speed_mps"].cast(pl.Float64).drop_nulls()
    limit = 60.0 if kind.ship else 420.0
    fast = float((speed > limit).mean() or 0.0) if len(speed) else 0.0  # type: ignore[arg-type]
    if fast > 0.2:
        raise TableError(f"{kind.name}: {100 * fast:.0f} % of the speeds exceed {limit:.0f} m/s; another unit is used")
    altitude = out["altitude_m"].cast(pl.Float64).drop_nulls() if "altitude_m" in out.columns else speed[:0]
    high = float((altitude > 20_000.0).mean() or 0.0) if len(altitude) else 0.0  # type: ignore[arg-type]
    if high > 0.2:
        raise TableError(f"{kind.name}: {100 * high:.0f} % of the altitudes exceed 20 km; another unit is used")
