"""Survey: real flights, a simulated event end to end, and every bad input named while the rest goes on."""

import gzip
import io
import json
import signal
import subprocess
import sys
import tarfile
import time

import numpy as np
import polars as pl
import pytest

from lapwing.engine import survey as science
from lapwing.integrity.evidence import REASON_NAMES, REASONS, NavigationSettings
from lapwing.kernel import condition as kernel
from lapwing.serve.archives import ArchiveError, pieces
from lapwing.serve.survey import NothingRead, survey
from tests.conftest import recording

S = 10**9
BEGIN = 1_726_560_000


def spells(path):
    table = science.tidy(pl.concat(list(pieces(path))))
    judged = science.judged(table, NavigationSettings())
    return judged, science.intervals(judged).sort("since_ns")


def at(clock):
    return int(np.datetime64(f"2024-09-17T{clock}", "ns").astype(np.int64))


def test_the_spoofed_airliner_is_lost_then_false_then_back():
    judged, found = spells(recording("adsb/traffic_samples/noisy_spoofing.json.gz"))
    lost = found.filter((pl.col("since_ns") // S == at("09:06:18") // S) & (pl.col("condition") == kernel.LOST))
    assert len(lost) == 1
    false = found.filter(pl.col("condition") == kernel.INCONSISTENT)
    assert false["since_ns"].min() <= at("09:26:00")
    assert false["since_ns"].min() >= at("09:24:00")
    assert false["until_ns"].max() < at("09:58:00")
    # from the loss on it was never fine until about 09:58, and what it is placed by is where it last truly was
    during = (judged["time_ns"] > at("09:06:40")) & (judged["time_ns"] < at("09:58:00"))
    assert (judged["condition"][during] != kernel.OK).all()
    assert abs(found["until_ns"].max() - at("09:58:00")) < 30 * S
    assert np.allclose(judged["latitude_deg"][during], 47.436859)


@pytest.mark.parametrize(
    "name", ["full_flight_short.csv.gz", "full_flight_short.jsonl.gz", "trace_full_ac671b.json.gz"]
)
def test_clean_flights_give_no_spell(name):
    judged, found = spells(recording(f"adsb/traffic_samples/{name}"))
    assert (judged["condition"] == kernel.OK).sum() > 1_000
    assert not len(found)


def flights(n=80, seconds=2_400, seed=3):
    """An OpenSky table: n airliners, a jammer of 80 km reach in the middle from 600 to 1,800 s."""
    rng = np.random.default_rng(seed)
    e, no = rng.uniform(-2e5, 2e5, n), rng.uniform(-2e5, 2e5, n)
    course = rng.uniform(0, 2 * np.pi, n)
    rows = []
    last = np.zeros((n, 3))
    for t in range(0, seconds, 5):
        x, y = e + 230 * t * np.sin(course), no + 230 * t * np.cos(course)
        hit = (np.hypot(x, y) < rng.normal(8e4, 2e3, n)) & (600 <= t < 1_800)
        place = np.stack([50 + y / 111_195, 15 + x / 111_195 / np.cos(np.radians(50)), np.full(n, BEGIN + t)], axis=1)
        last = np.where(hit[:, None], last, place)
        for i in range(n):
            rows.append((BEGIN + t, f"{0x400000 + i:06x}", *last[i, :2], 230.0, False, 10_668.0, last[i, 2], BEGIN + t))
    names = ["time", "icao24", "lat", "lon", "velocity", "onground", "baroaltitude", "lastposupdate", "lastcontact"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_an_event_is_found_explained_and_located_and_a_second_run_does_nothing(tmp_path):
    table = flights()
    halves = (table.filter(pl.col("time") < BEGIN + 1_200), table.filter(pl.col("time") >= BEGIN + 1_200))
    halves[0].sample(fraction=1.0, shuffle=True, seed=1).write_parquet(tmp_path / "one.parquet")
    pl.concat([halves[1], halves[1][:500]]).write_csv(tmp_path / "two.csv")  # unordered, and with rows twice
    out = tmp_path / "out"
    text = survey([tmp_path / "one.parquet", tmp_path / "two.csv"], out)
    assert "2 of 2 inputs read, 1 events" in text
    events = pl.read_parquet(out / "events.parquet")
    assert abs(events["since_ns"][0] / S - (BEGIN + 600)) < 60
    hit = table.filter(pl.col("lastposupdate") < pl.col("time"))["time"]
    assert abs(events["until_ns"][0] / S - hit.max()) < 60
    assert events["jamming"][0] > 0.9
    struck = table.filter(pl.col("lastposupdate") < pl.col("time") - 20)["icao24"].n_unique()
    assert struck >= 8
    assert 0.8 * struck <= events["aircraft"][0] <= 1.1 * struck
    source = pl.read_parquet(out / "sources.parquet")
    error_m = 1e3 * np.hypot((source["latitude_deg"][0] - 50) * 111, (source["longitude_deg"][0] - 15) * 71)
    assert error_m < min(2.5 * source["sigma_m"][0], 40_000.0)  # its disc has a sharp edge, which no model here has
    cells = pl.read_parquet(out / "cells.parquet")
    assert cells["bad"].sum() > 0
    assert cells.filter(~pl.col("enough"))["share"].null_count() == len(cells.filter(~pl.col("enough")))
    told = cells.filter("enough")
    assert ((told["share_low"] < told["share"]) & (told["share"] < told["share_high"])).all()
    csv = pl.read_csv(next((out / "gpsjam").glob("*.csv")))
    assert csv.columns == ["hex", "count_good_aircraft", "count_bad_aircraft"]
    page = (out / "map.html").read_text()
    assert "http" not in page.replace("<!doctype html>", "")
    assert json.loads((out / "events.geojson").read_text())["features"]
    marks = {p: p.stat().st_mtime_ns for p in (out / "work").rglob("*") if p.is_file()}
    assert survey([tmp_path / "one.parquet", tmp_path / "two.csv"], out) == text
    assert marks == {p: p.stat().st_mtime_ns for p in (out / "work").rglob("*") if p.is_file()}


def test_a_killed_survey_goes_on_where_it_was_and_finds_the_same(tmp_path):
    """SIGKILL at a moment in which some parts are done: what was done is not done again, the results are the same."""
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    table = flights(40, 1_500)
    for part in range(6):
        low, high = BEGIN + 250 * part, BEGIN + 250 * (part + 1)
        table.filter(pl.col("time").is_between(low, high - 1)).write_parquet(inputs / f"{part}.parquet")
    code = "import sys; from pathlib import Path; from lapwing.serve.survey import survey; "
    code += "survey([Path(sys.argv[1])], Path(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", code, str(inputs), str(out)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list((out / "work" / "judged").glob("*/done"))) < 5 and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (out / "summary.txt").exists()
    finished = [*(out / "work" / "inputs").glob("*.json"), *(out / "work" / "judged").glob("*/*")]
    done = {d.parent for d in (out / "work" / "judged").glob("*/done")}
    marks = {p: p.stat().st_mtime_ns for p in finished if p.parent in done or p.suffix == ".json"}
    assert len(marks) > 10
    survey([inputs], out)
    assert marks == {p: p.stat().st_mtime_ns for p in marks}
    whole = tmp_path / "whole"
    survey([inputs], whole)
    for name in ("cells", "cells_day", "intervals", "events", "sources"):
        assert pl.read_parquet(out / f"{name}.parquet").equals(pl.read_parquet(whole / f"{name}.parquet")), name
    assert (out / "map.html").read_text() == (whole / "map.html").read_text()


def test_the_map_holds_the_spells_of_who_was_hit_alone(tmp_path):
    survey([recording("adsb/traffic_samples/noisy_spoofing.json.gz")], tmp_path)
    text = (tmp_path / "map.html").read_text()
    spells = json.loads(text[text.index("const D=") + 8 : text.index(";\n", text.index("const D="))])["spells"]
    assert any(row[0] == "aircraft" and row[1] == 0x4BAAC6 and row[2] == "lost" for row in spells["rows"])
    assert spells["left_out"] == 0


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_times_in_any_unit_are_told(tmp_path, unit):
    table = flights(2, 20)
    times = [pl.col(c).cast(pl.Int64) * unit for c in ("time", "lastposupdate", "lastcontact")]
    table.with_columns(times).write_csv(tmp_path / "t.csv")
    got = next(pieces(tmp_path / "t.csv"))
    assert got["time_ns"].min() == BEGIN * S
    assert got["position_ns"].min() == BEGIN * S


def bad_inputs(folder):
    good = flights(3, 60)
    text = good.write_csv()
    packed = gzip.compress(text.encode() * 50)
    files = {
        "cut.csv.gz": packed[: len(packed) // 2],
        "columns.csv": b"a,b,c\n1,2,3\n",
        "empty.csv": b"",
        "knots.csv": good.with_columns(pl.col("velocity") * 3).write_csv().encode(),
        "image.parquet": b"\x89PNG\r\n\x1a\n" + bytes(200),
        "not.parquet": b"PAR1" + bytes(100),
        "words.json": b'{"hello": "world"}',
        "broken.json": b'{"icao": "abc123", "timestamp": 1, "trace": [',
        "none.tar": tar({"readme.txt": b"hello"}),
        "times.csv": text.replace("172656", "soon").encode(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return list(files)


def tar(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_bad_inputs_are_named_and_the_rest_goes_on(tmp_path):
    inputs = tmp_path / "in"
    inputs.mkdir()
    names = bad_inputs(inputs)
    flights(3, 60).write_csv(inputs / "good.csv")
    text = survey([inputs, tmp_path / "absent.csv"], tmp_path / "out")
    assert f"1 of {len(names) + 2} inputs read" in text
    skipped = text.split("skipped")[1]
    for name in [*names, "absent.csv"]:
        assert name in skipped, name
    assert "damaged or cut off" in skipped
    assert "another unit is used" in skipped
    assert "expected one of Danish Maritime Authority" in skipped


def test_a_survey_that_read_nothing_fails(tmp_path):
    with pytest.raises(NothingRead, match="0 of 1 inputs read"):
        survey([tmp_path / "absent.csv"], tmp_path / "out")


def test_every_reason_has_a_name_for_tables():
    assert len(REASON_NAMES) == len(REASONS) == len(set(REASON_NAMES))


def test_traces_in_a_tar_are_read_and_a_damaged_one_does_not_cost_the_others(tmp_path):
    rows = [[t, 50.0 + 0.002 * t, 15.0, 35_000, 450.0, 0.0, 0, 0, {"nic": 8, "nac_p": 9, "version": 2}, "adsb_icao"]
            for t in range(0, 100, 5)]  # fmt: skip
    good = gzip.compress(json.dumps({"icao": "4b1617", "timestamp": BEGIN, "trace": rows}).encode())
    (tmp_path / "day.tar").write_bytes(
        tar({"traces/17/trace_full_4b1617.json": good, "traces/18/trace_full_x.json": b"{"})
    )
    got = pl.concat(list(pieces(tmp_path / "day.tar")))
    assert len(got) == 20
    assert got["key"].unique().to_list() == [0x4B1617]
    assert got["nic"].unique().to_list() == [8]


def test_ais_tables_of_both_authorities_are_read(tmp_path):
    danish = "# Timestamp,Type of mobile,MMSI,Latitude,Longitude,Navigational status,ROT,SOG,COG,Heading\n"
    danish += "01/03/2024 00:00:05,Class A,219000001,55.1,12.2,Under way,0,10.0,90.0,91\n"
    american = "MMSI,BaseDateTime,LAT,LON,SOG,COG,Heading\n366000001,2024-03-01T00:00:05,29.1,-90.2,10.0,90.0,91\n"
    for name, text, mmsi in (("dk.csv", danish, 219_000_001), ("us.csv", american, 366_000_001)):
        (tmp_path / name).write_text(text)
        got = next(pieces(tmp_path / name))
        assert got["key"].to_list() == [mmsi + science.SHIP]
        assert got["time_ns"].to_list() == [1_709_251_205 * S]
        assert got["speed_mps"][0] == pytest.approx(5.144, abs=1e-3)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ArchiveError, match="No such file"):
        list(pieces(tmp_path / "no.csv"))


def test_ships_in_polygons_where_none_can_be_are_told_and_another_file_is_judged_anew(tmp_path):
    text = "# Timestamp,Type of mobile,MMSI,Latitude,Longitude,Navigational status,ROT,SOG,COG,Heading\n"
    for k in range(60):
        clock = f"01/03/2024 00:{k // 6:02d}:{10 * (k % 6):02d}"
        latitude = 55.205 if k < 20 else 55.195  # then within
        text += f"{clock},Class A,219000001,{latitude},12.2,Under way,0,0.0,90.0,91\n"
        text += f"{clock},Class A,219000002,55.3,12.2,Under way,0,0.0,90.0,91\n"
    (tmp_path / "dk.csv").write_text(text)
    corners = [[12.1, 55.0], [12.3, 55.0], [12.3, 55.2], [12.1, 55.2], [12.1, 55.0]]
    polygon, away = ({"type": "Polygon", "coordinates": [[[x + d, y] for x, y in corners]]} for d in (0.0, 5.0))
    (tmp_path / "land.geojson").write_text(json.dumps(polygon))
    (tmp_path / "away.geojson").write_text(json.dumps(away))

    def told(no_ships):
        survey([tmp_path / "dk.csv"], tmp_path / "out", no_ships)
        rows = pl.read_parquet(tmp_path / "out" / "intervals.parquet")
        return {str(v) for row in rows.rows() for v in row}

    assert "ship on land" not in told(None)
    with_polygon = told(tmp_path / "land.geojson")
    assert "ship on land" in with_polygon
    assert not any("219000002" in v for v in with_polygon)
    assert "ship on land" not in told(tmp_path / "away.geojson")
