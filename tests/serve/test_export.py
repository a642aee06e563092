"""Exports: what is written is what the history holds, readable by other tools."""

import csv
import json
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
import shapely
from typer.testing import CliRunner

from lapwing.engine.history import History
from lapwing.kernel.geoid import geoid_height_m
from lapwing.serve.cli import app
from lapwing.serve.export import ExportError, export, instant, moment
from lapwing.serve.shelf import history_folder
from tests.serve.fake_shelf import make_site, written_history

FOREVER = (0, 2**62)
KML = {"k": "http://www.opengis.net/kml/2.2", "gx": "http://www.google.com/kml/ext/2.2"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return written_history(tmp_path_factory.mktemp("journal"))


@pytest.fixture(scope="module")
def rows(folder):
    return History(history_folder(folder), make_site().origin).query(*FOREVER)


def run(folder, out, *more):
    return CliRunner().invoke(app, ["export", str(folder), str(out), *more])


def test_geojson_has_one_path_per_track_and_claim(folder, rows, tmp_path):
    out = tmp_path / "a.geojson"
    result = run(folder, out)
    assert result.exit_code == 0, result.output
    assert f"{len(rows['id'])} positions" in result.output
    features = json.loads(out.read_text())["features"]
    assert len(features) == len({*zip(rows["kind"].tolist(), rows["id"].tolist(), strict=True)})
    mine = (rows["kind"] == rows["kind"][0]) & (rows["id"] == rows["id"][0])
    (path,) = [f for f in features if f["properties"]["name"] == f"track {rows['id'][0]}"]
    assert path["geometry"]["type"] == "LineString"
    lon_lat = np.array(path["geometry"]["coordinates"])[:, :2]
    assert lon_lat == pytest.approx(np.stack([rows["longitude_deg"][mine], rows["latitude_deg"][mine]], 1), abs=1e-6)
    assert path["properties"]["times"] == [moment(int(t)) for t in rows["time_ns"][mine]]


def test_kml_says_when_and_where(folder, rows, tmp_path):
    out = tmp_path / "a.kml"
    assert run(folder, out).exit_code == 0
    root = ElementTree.parse(out).getroot()
    tracks = root.findall(".//gx:Track", KML)
    counts = [(len(t.findall("k:when", KML)), len(t.findall("gx:coord", KML))) for t in tracks]
    assert all(a == b > 0 for a, b in counts)
    assert sum(a for a, _ in counts) == len(rows["id"])
    name, places, _ = of_first(rows)
    (mine,) = [m for m in root.findall(".//k:Placemark", KML) if m.findtext("k:name", namespaces=KML) == name]
    told = [[float(x) for x in c.text.split()] for c in mine.findall(".//gx:coord", KML)]
    sea = geoid_height_m(np.radians(places[:, 1]), np.radians(places[:, 0]))
    assert np.array(told)[:, 2] == pytest.approx(places[:, 2] - sea, abs=0.06)


def test_csv_has_every_row(folder, rows, tmp_path):
    out = tmp_path / "a.csv"
    assert run(folder, out).exit_code == 0
    with out.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [int(line["id"]) for line in lines] == rows["id"].tolist()
    assert [float(line["latitude_deg"]) for line in lines] == rows["latitude_deg"].tolist()
    assert {line["kind"] for line in lines} == {"track", "claim"}


def test_a_period(folder, rows, tmp_path):
    last = int(rows["time_ns"].max())
    history = History(history_folder(folder), make_site().origin)
    n = export(history, tmp_path / "a.csv", last, last + 1)
    assert n == int((rows["time_ns"] == last).sum())
    assert instant(moment(last)) == last // 10**6 * 10**6


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("a.doc", (), "must be one of .geojson, .kml, .csv"),
        ("a.csv", ("--since", "2190-01-01"), "nothing was tracked in that period"),
        ("a.csv", ("--since", "noon"), "is no time"),
    ],
)
def test_mistakes_are_told(folder, tmp_path, name, more, says):
    result = run(folder, tmp_path / name, *more)
    assert result.exit_code == 2
    assert says in result.output
    assert not (tmp_path / name).exists()


def test_instants_without_an_offset_are_utc():
    assert instant("1970-01-02") == 86_400 * 10**9
    with pytest.raises(ExportError, match="is no time"):
        instant("1970-13-02")


def of_first(rows):
    mine = (rows["kind"] == rows["kind"][0]) & (rows["id"] == rows["id"][0])
    columns = ("longitude_deg", "latitude_deg", "height_m")
    return f"track {rows['id'][0]}", np.stack([rows[c][mine] for c in columns], 1), rows["time_ns"][mine]


def test_gpx_reads_back(folder, rows, tmp_path):
    out = tmp_path / "a.gpx"
    assert run(folder, out).exit_code == 0
    g = "{http://www.topografix.com/GPX/1/1}"
    name, places, times = of_first(rows)
    (track,) = [t for t in ElementTree.parse(out).getroot().findall(f"{g}trk") if t.findtext(f"{g}name") == name]
    points = track.findall(f"{g}trkseg/{g}trkpt")
    told = [[float(p.get("lon")), float(p.get("lat")), float(p.findtext(f"{g}ele"))] for p in points]
    assert np.array(told)[:, :2] == pytest.approx(places[:, :2], abs=1e-7)
    sea = geoid_height_m(np.radians(places[:, 1]), np.radians(places[:, 0]))
    assert (sea > 10.0).all()  # or the next line would prove nothing
    assert np.array(told)[:, 2] == pytest.approx(places[:, 2] - sea, abs=0.06)
    assert [p.findtext(f"{g}time") for p in points] == [moment(int(t)) for t in times]


def test_czml_reads_back(folder, rows, tmp_path):
    out = tmp_path / "a.czml"
    assert run(folder, out).exit_code == 0
    head, *packets = json.loads(out.read_text())
    assert head == {"id": "document", "name": "Lapwing", "version": "1.0"}
    name, places, times = of_first(rows)
    (mine,) = [p for p in packets if p["id"] == name]
    told = np.array(mine["position"]["cartographicDegrees"]).reshape(-1, 4)
    assert told[:, 0] == pytest.approx((times - times[0]) / 1e9)
    assert told[:, 1:3] == pytest.approx(places[:, :2], abs=1e-7)
    assert mine["availability"] == f"{moment(int(times[0]))}/{moment(int(times[-1]))}"


def test_moving_features_read_back(folder, rows, tmp_path):
    out = tmp_path / "a.mfjson"
    assert run(folder, out).exit_code == 0
    name, places, times = of_first(rows)
    (mine,) = [f for f in json.loads(out.read_text())["features"] if f["id"] == name]
    motion = mine["temporalGeometry"]
    assert (motion["type"], motion["interpolation"]) == ("MovingPoint", "Linear")
    assert motion["datetimes"] == [moment(int(t)) for t in times]
    assert np.array(motion["coordinates"])[:, :2] == pytest.approx(places[:, :2], abs=1e-7)


def test_geoparquet_reads_back(folder, rows, tmp_path):
    """By shapely, which did not write it."""
    out = tmp_path / "a.parquet"
    assert run(folder, out).exit_code == 0
    geo = json.loads(pl.read_parquet_metadata(out)["geo"])
    assert geo["columns"][geo["primary_column"]] == {"encoding": "WKB", "geometry_types": ["Point Z"]}
    table = pl.read_parquet(out)
    points = [shapely.from_wkb(raw) for raw in table["geometry"].to_list()]
    told = np.array([[p.x, p.y, p.z] for p in points])
    assert told == pytest.approx(np.stack([rows[c] for c in ("longitude_deg", "latitude_deg", "height_m")], 1))
    assert set(table["kind"].to_list()) == {"track", "claim"}
    assert table["time"].dt.epoch("ns").to_list() == rows["time_ns"].tolist()
