"""Recordings of Beast, AVR and NMEA as samples: through the live decoders, then one row per speaker and second."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from lapwing import decode
from lapwing.engine.survey import SAMPLES, SHIP
from lapwing.kernel import condition as kernel
from lapwing.records import Decoded, FeedConfig, Field, Frame, Source, merged
from lapwing.serve.recordings import read

SECOND_NS = 1_000_000_000
TIME_NS_MAX = 4_000_000_000 * SECOND_NS
FRAMES_PER_PIECE = 200_000
OWN_WORD = (Source.ADSB, Source.ADSB_OTHER, Source.AIS, Source.MODE_S)
FIELDS = {
    Field.ALTITUDE_BARO_M: "altitude_m",
    Field.GROUND_SPEED_MPS: "speed_mps",
    Field.TRACK_RAD: "track_rad",
    Field.HEADING_RAD: "heading_rad",
    Field.TRUE_AIRSPEED_MPS: "airspeed_mps",
    Field.GEOMETRIC_MINUS_BARO_M: "geometric_m",
    Field.NIC: "nic",
    Field.NAC_P: "nac_p",
    Field.ADSB_VERSION: "version",
    Field.NO_POSITION: "no_position",
    Field.GEOMETRIC_MINUS_BARO_SATURATED: "saturated",
    Field.ON_GROUND: "ground",
    Field.DOWNLINK_FORMAT: "heard",
}
KEEP_FIELDS = ("nic", "nac_p", "version", "altitude_m", "ground")  # what is said now and then holds meanwhile


def recording(path: Path) -> Iterator[pl.DataFrame]:
    """Samples of a recording, its kind told by content. Raises RecordingError."""
    decoder, state, frames = _decoder(path), None, []
    feed = FeedConfig("archive", decoder, "file", path=str(path), speed_ratio=0.0)
    made = decode.make(feed, {})
    state = made.start()
    for seq, (_, time_ns, data) in enumerate(read(feed)):
        if 0 < time_ns < TIME_NS_MAX:  # a line may claim any time
            frames.append(Frame(seq, "archive", time_ns, data))
        if len(frames) >= FRAMES_PER_PIECE:
            state, decoded = made.decode(state, frames)
            yield samples(decoded)
            frames = []
    _, decoded = made.decode(state, frames)
    yield samples(decoded)


def _decoder(path: Path) -> str:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        with gzip.open(path, "rb") as unpacked:
            start = unpacked.read(4096)
    else:
        with path.open("rb") as file:
            start = file.read(4096)
    if start[:1] == b"\x1a":
        return "beast"
    return "nmea" if b"VDM," in start or b"VDO," in start else "avr"


def samples(decoded: Decoded) -> pl.DataFrame:
    """One row per speaker and second in which it said anything: the last of each number in it."""
    decoded = merged([decoded])
    p, v = decoded.positions, decoded.values
    own, told = np.isin(p.source, OWN_WORD), np.isin(v.source, OWN_WORD) & np.isin(v.field, [int(f) for f in FIELDS])
    places = pl.DataFrame(
        {
            "key": _key(p.source, p.address)[own],
            "second": p.time_ns[own] // SECOND_NS,
            "position_ns": p.time_ns[own],
            "latitude_deg": np.degrees(p.latitude_rad[own]),
            "longitude_deg": np.degrees(p.longitude_rad[own]),
        }
    )
    places = places.group_by("key", "second").agg(pl.all().last())
    names = pl.DataFrame({"field": [int(f) for f in FIELDS], "name": list(FIELDS.values())})
    values = pl.DataFrame(
        {
            "key": _key(v.source, v.address)[told],
            "second": v.time_ns[told] // SECOND_NS,
            "time_ns": v.time_ns[told],
            "field": v.field[told],
            "value": v.value[told],
        }
    ).join(names, on="field")
    last = values.group_by("key", "second", "name").agg(pl.col("value", "time_ns").last())
    wide = last.select("key", "second", "name", "value").pivot("name", index=["key", "second"], values="value")
    rows = wide.join(places, on=["key", "second"], how="full", coalesce=True)
    return _shaped(rows.sort("key", "second"))


def _key(source: np.ndarray, address: np.ndarray) -> np.ndarray:
    return np.asarray(np.where(source >= Source.AIS, address + SHIP, address))


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    for name in FIELDS.values():
        if name not in rows.columns:
            rows = rows.with_columns(pl.lit(None).cast(pl.Float64).alias(name))
    rows = rows.with_columns(pl.col(n).forward_fill(limit=30).over("key") for n in KEEP_FIELDS)
    flag = pl.lit(0)
    for name, bit in (("no_position", kernel.NO_POSITION), ("saturated", kernel.SATURATED), ("ground", 64)):
        flag = flag + pl.when(pl.col(name).fill_null(0.0) > 0).then(bit).otherwise(0)
    rows = rows.with_columns(
        ((pl.col("second") + 1) * SECOND_NS).alias("time_ns"),
        pl.col("position_ns").fill_null(0),
        pl.col("track_rad").degrees().alias("track_deg"),
        pl.col("heading_rad").degrees().alias("heading_deg"),
        flag.alias("flags"),
    )
    return rows.select(pl.col(n).cast(t, strict=False) for n, t in SAMPLES.items())
