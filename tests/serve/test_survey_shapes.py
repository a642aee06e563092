"""Magnets and shared circles in archives: the survey flags who the live picture flags, wherever on the globe."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from lapwing.engine import survey as science
from lapwing.engine import survey_shapes
from lapwing.integrity.evidence import REASON_NAMES
from lapwing.integrity.shapes import ShapeSettings, shaped, standing, start
from lapwing.kernel import condition as kernel
from lapwing.records import Claims, Field, Source
from lapwing.records.claims import FIELD_COLUMN
from lapwing.serve.survey import survey

S = 10**9
BEGIN = 1_726_560_000
SETTINGS = ShapeSettings()
SECONDS = 700


def world(t_s):
    """Place, velocity and altitude of all at one second. Aircraft 0 to 5 are held at one place; 6 to 13 fly on alone;
    14 to 19 are a formation at one level; ships 20 to 23 circle round one centre, 24 to 29 sail straight, 30 turns
    alone."""
    rng = np.random.default_rng(7)
    place, velocity = rng.uniform(-9e4, 9e4, (31, 2)), np.zeros((31, 2))
    course = rng.uniform(0.0, 2 * np.pi, 31)
    velocity[:20] = 220.0 * np.stack([np.sin(course), np.cos(course)], axis=1)[:20]
    velocity[24:30] = 7.0 * np.stack([np.sin(course), np.cos(course)], axis=1)[24:30]
    velocity[14:20], place[14:20] = velocity[14], place[14] + 100.0 * np.arange(6)[:, None]
    place = place + t_s * velocity
    velocity[:6] = [80.0, 10.0]  # not slow enough to be told by that
    place[:6] = [2e4, -3e4] + 40.0 * np.arange(6)[:, None] + t_s * velocity[:6]
    for row, phase in ((20, 0.0), (21, 1.0), (22, 2.5), (23, 4.0), (30, 0.0)):
        angle, centre = phase + t_s / 60.0, np.array([5e4, 5e4]) if row < 30 else np.array([-7e4, 0.0])
        place[row] = centre + 800.0 * np.array([np.sin(angle), np.cos(angle)])
        velocity[row] = 800.0 / 60.0 * np.array([np.cos(angle), -np.sin(angle)])
    altitude = np.where(np.arange(31) < 20, 7_000.0 + 600.0 * np.arange(31), 0.0)
    altitude[14:20] = 9_000.0
    return place, velocity, altitude


SHIPS = np.arange(31) >= 20
ADDRESS = np.where(SHIPS, 219_000_000, 0x400000) + np.arange(31)


def live():
    """Shape codes per step of ten seconds and key, as the live test gives them."""
    state, out = start(), {}
    one = np.ones(31, np.int64)
    for t in range(SECONDS):
        place, velocity, altitude = world(t)
        now = (BEGIN + t) * S
        empty = Claims.empty(now)
        mean = np.zeros((31, 6))
        mean[:, :2], mean[:, 3:5] = place, velocity
        values, said = np.zeros((31, empty.values.shape[1])), np.zeros((31, empty.values.shape[1]), np.int64)
        column = FIELD_COLUMN[Field.ALTITUDE_BARO_M]
        values[~SHIPS, column], said[~SHIPS, column] = altitude[~SHIPS], now
        claims = replace(
            empty, address=ADDRESS, source=np.where(SHIPS, Source.AIS, Source.ADSB).astype(np.int64), has_position=one,
            mean=mean, cov=np.tile(np.eye(6), (31, 1, 1)), position_ns=one * now, heard_ns=one * now, frame_seq=one,
            doubt=0 * one, rejected=0 * one, values=values, values_ns=said, names=("",) * 31,
            suspect_m=np.zeros((31, 2)), position_m=np.zeros((31, 2)), suspect_ns=0 * one, suspects=0 * one,
        )  # fmt: skip
        state = shaped(state, claims, SHIPS.astype(np.int64), SETTINGS)
        magnet, circle = standing(state, SETTINGS)
        for i in np.flatnonzero(magnet | circle):
            out[int(SHIPS[i] << 40 | ADDRESS[i]), (BEGIN + t) // 10] = kernel.CIRCLE if circle[i] else kernel.MAGNET
    return out


def archive(latitude_deg, longitude_deg):
    """The same as an archive around a place, as samples."""
    rows = []
    for t in range(SECONDS):
        place, velocity, altitude = world(t)
        latitude = latitude_deg + np.degrees(place[:, 1] / survey_shapes.EARTH_M)
        east = np.degrees(place[:, 0] / survey_shapes.EARTH_M / np.cos(np.radians(latitude)))
        longitude = (longitude_deg + east + 180.0) % 360.0 - 180.0
        now = np.full(31, (BEGIN + t) * S)
        speed, track = np.hypot(*velocity.T), np.degrees(np.arctan2(*velocity.T)) % 360.0
        rows.append(pl.DataFrame({
            "time_ns": now, "key": SHIPS.astype(np.int64) << 40 | ADDRESS, "position_ns": now, "latitude_deg": latitude,
            "longitude_deg": longitude, "altitude_m": altitude, "speed_mps": speed, "track_deg": track,
        }))  # fmt: skip
    table = pl.concat(rows)
    others = [pl.lit(None, kind).alias(name) for name, kind in science.SAMPLES.items() if name not in table.columns]
    return science.tidy(table.with_columns(others).select(list(science.SAMPLES)).cast(science.SAMPLES))


def walked(table, slice_ns):
    """Flags of a whole archive, walked in slices of this length."""
    rows = survey_shapes.thinned(table).with_columns((pl.col("step") * 10 * S // slice_ns).alias("slice"))
    walk, out = survey_shapes.start(), []
    for _, piece in sorted(rows.partition_by("slice", as_dict=True).items()):
        walk, flagged = survey_shapes.walked(walk, piece.drop("slice"), SETTINGS)
        out.append(flagged)
    return pl.concat(out)


@pytest.mark.parametrize(("latitude", "longitude"), [(54.0, 12.0), (0.0, 180.0)])
def test_the_survey_flags_who_the_live_picture_flags(latitude, longitude):
    want = live()
    assert {key & 0xFFFFFF for key, _ in want if key < science.SHIP} == {0x400000 + i for i in range(6)}
    assert {key - science.SHIP for key, _ in want if key >= science.SHIP} == {219_000_000 + i for i in range(20, 24)}
    table = archive(latitude, longitude)
    got = {(key, step): shape for key, step, shape in walked(table, survey_shapes.SLICE_NS).rows()}
    assert {(k, shape) for (k, _), shape in got.items()} == {(k, shape) for (k, _), shape in want.items()}
    for key in {k for k, _ in want}:
        first = [min(step for k, step in flags if k == key) for flags in (got, want)]
        assert abs(first[0] - first[1]) <= 2  # twenty seconds: the survey looks at every tenth


def test_where_slices_are_cut_does_not_matter():
    table = archive(54.0, 12.0)
    whole, cut = walked(table, 10**15), walked(table, 120 * S)
    assert len(whole) > 100
    assert whole.sort("key", "step").equals(cut.sort("key", "step"))


def test_a_survey_tells_magnets_and_circles_and_does_them_once(tmp_path):
    table = archive(54.0, 12.0)
    rename = {
        "time": pl.col("time_ns") // S, "lat": "latitude_deg", "lon": "longitude_deg", "velocity": "speed_mps",
        "heading": "track_deg", "baroaltitude": "altitude_m", "lastposupdate": pl.col("time_ns") // S,
        "lastcontact": pl.col("time_ns") // S, "onground": pl.lit(False),
    }  # fmt: skip
    flying = table.filter(pl.col("key") < science.SHIP)
    air = flying.select(**{name: pl.col(of) if isinstance(of, str) else of for name, of in rename.items()})
    air = air.with_columns(pl.Series("icao24", [f"{key:06x}" for key in flying["key"].to_list()]))
    air.write_parquet(tmp_path / "air.parquet")
    out = tmp_path / "out"
    survey([tmp_path / "air.parquet"], out)
    spells = pl.read_parquet(out / "intervals.parquet")
    held = spells.filter(pl.col("reason") == REASON_NAMES[kernel.MAGNET])
    assert set(held["address"].to_list()) == set(range(0x400000, 0x400006))
    assert (held["condition"] == "inconsistent").all()
    marks = {p: p.stat().st_mtime_ns for p in (out / "work").rglob("*") if p.is_file()}
    survey([tmp_path / "air.parquet"], out)
    assert marks == {p: p.stat().st_mtime_ns for p in (out / "work").rglob("*") if p.is_file()}
    assert not list((out / "work" / "shapes").glob("*.slices"))
