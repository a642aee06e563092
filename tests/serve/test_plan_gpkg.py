"""GeoPackages as plans: what is taken, equal to what another tool made of it; what is refused, and how."""

import json
import shutil
import sqlite3
import struct
import subprocess
import time

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from lapwing.serve import plan_gpkg, plan_wkb
from lapwing.serve.cli import app as command
from lapwing.serve.plan_files import PlanFileError, geojson
from lapwing.serve.plan_gpkg import converted
from lapwing.serve.plan_wkb import Budget, geometries
from lapwing.serve.site import load
from lapwing.serve.site_plans import read
from tests.serve.geopackages import POINT, blob, geopackage, parts, points, wkb
from tests.serve.plans import APRON
from tests.serve.test_site import GOOD

OGR = shutil.which("ogr2ogr")
RING = [(126.5, 37.5), (126.7, 37.5), (126.7, 37.6), (126.5, 37.5)]
NAN = float("nan")


def features(path):
    return json.loads(converted(path))["features"]


def of(geometry, budget=None, **more):
    return geometries(blob(geometry, **more), 4326, budget or Budget())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "text",
    [
        "POINT (126.6 37.9)",
        "POINT Z (126.6 37.9 4)",
        "LINESTRING (126.5 37.95, 126.7 37.85)",
        "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 1, 2 2, 1 1))",
        "POLYGON Z ((0 0 5, 9 0 5, 9 9 6, 0 0 5))",
        "MULTIPOINT ((1 2), (3 4))",
        "MULTILINESTRING ((1 2, 3 4), (5 6, 7 8))",
        "MULTIPOLYGON (((0 0, 9 0, 9 9, 0 0)), ((20 0, 29 0, 29 9, 20 0)))",
    ],
)
def test_geometries_are_what_an_independent_writer_wrote(text, order):
    wanted = shapely.from_wkt(text)
    raw = shapely.to_wkb(wanted, byte_order=int(order == "<"), flavor="iso", output_dimension=3)
    (found,) = of(raw)
    made = shapely.geometry.shape(found)
    assert made.geom_type == wanted.geom_type
    assert made.has_z == wanted.has_z
    assert made.normalize().equals_exact(wanted.normalize(), 1e-8)
    if wanted.has_z:
        heights = [shapely.get_coordinates(g, include_z=True)[:, 2].tolist() for g in (made, wanted)]
        assert heights[0] == heights[1]


def test_m_is_left_out_z_is_kept_and_no_height_is_no_height():
    assert of(wkb(2001, struct.pack("<3d", 1, 2, 77)))[0]["coordinates"] == [1, 2]
    assert of(wkb(3001, struct.pack("<4d", 1, 2, 3, 77)))[0]["coordinates"] == [1, 2, 3]
    assert of(wkb(1001, struct.pack("<3d", 1, 2, NAN)))[0]["coordinates"] == [1, 2]


def test_a_collection_is_taken_apart_and_what_is_empty_left_out():
    inner = wkb(7, parts(wkb(2, points([(1, 2), (3, 4)])), wkb(1, struct.pack("<2d", NAN, NAN))))
    told = of(wkb(7, parts(wkb(1, struct.pack("<2d", 1, 2)), inner, wkb(3, parts()), wkb(3, parts(points([]))))))
    assert [g["type"] for g in told] == ["Point", "LineString"]


@pytest.mark.parametrize(("flags", "bytes_of_it"), [(1, 0), (3, 32), (5, 48), (7, 48), (9, 64), (0, 0)])
def test_envelopes_are_passed_over(flags, bytes_of_it):
    assert of(wkb(1, struct.pack("<2d", 1, 2)), flags=flags, envelope=b"\xff" * bytes_of_it)[0]["coordinates"] == [1, 2]


def deep(levels):
    geometry = wkb(1, struct.pack("<2d", 1, 2))
    for _ in range(levels):
        geometry = wkb(7, parts(geometry))
    return geometry


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "no GeoPackage header"),
        (b"GX" + POINT[2:], "no GeoPackage header"),
        (blob(b"", version=1), "another version"),
        (blob(b"", flags=0x0B), "another version"),
        (blob(b"", flags=0x21), "extended one"),
        (blob(b"", srs=25832), "srs_id 25832, its table of 4326"),
        (blob(b""), "cut short"),
        (blob(b"\2" + bytes(8)), "byte order"),
        (blob(wkb(8, points(RING))), "of type 8, none of"),
        (blob(wkb(0x20000001, bytes(20))), "none of"),
        (blob(wkb(4001, bytes(40))), "none of"),
        (blob(wkb(1, bytes(15))), "cut short"),
        (blob(wkb(2, b"\1")), "cut short"),
        (blob(wkb(2, struct.pack("<I", 0xFFFFFFFF))), "promises more than there is"),
        (blob(wkb(1002, points([(1, 2), (3, 4)]))), "promises more than there is"),
        (blob(wkb(3, struct.pack("<I", 0xFFFFFFFF))), "promises more than there is"),
        (blob(wkb(6, struct.pack("<I", 0xFFFFFFFF))), "promises more than there is"),
        (blob(wkb(4, parts(wkb(2, points(RING))))), "part of another kind"),
        (blob(wkb(4, parts(wkb(1001, bytes(24))))), "part of another kind"),
        (blob(wkb(1, struct.pack("<2d", 1, NAN))), "position that is no number"),
        (blob(wkb(1, struct.pack("<2d", 1, 2)) + b"x"), "bytes after its end"),
        (blob(deep(9)), "more than 8 deep"),
    ],
)
def test_geometries_that_are_none_are_refused_with_a_reason(raw, says):
    with pytest.raises(PlanFileError, match=says):
        geometries(raw, 4326, Budget())
    assert of(deep(8))


def test_points_are_counted_over_all_geometries_and_empty_parts_count(monkeypatch):
    budget = Budget(5)
    assert of(wkb(2, points(RING)), budget)
    with pytest.raises(PlanFileError, match="points; simplify"):
        of(wkb(2, points(RING)), budget)
    with pytest.raises(PlanFileError, match="points; simplify"):
        of(wkb(7, parts(*[wkb(2, points([]))] * 6)), Budget(5))
    with pytest.raises(PlanFileError, match="points; simplify"):
        of(wkb(3, parts(*[points([])] * 6)), Budget(5))


@given(st.binary(max_size=200), st.sampled_from([1, 2, 3, 4, 5, 6, 7, 1003, 2005, 3006]))
def test_any_bytes_are_geometries_or_a_sentence(data, kind):
    for raw in (data, blob(data), blob(wkb(kind, data))):
        try:
            found = geometries(raw, 4326, Budget())
        except PlanFileError as error:
            assert str(error)
        else:
            assert all(g["type"] in plan_wkb.NAMES and g["coordinates"] for g in found)


def test_a_geopackage_is_its_features_with_their_properties(tmp_path):
    rows = [(POINT, "Gate"), (None, "nowhere"), (blob(wkb(3, parts(points(RING)))), None)]
    more = "ALTER TABLE plan ADD COLUMN size REAL; ALTER TABLE plan ADD COLUMN photo BLOB;"
    more += "UPDATE plan SET size = 2.5, photo = x'00ff' WHERE fid = 1; UPDATE plan SET size = 9e999 WHERE fid = 3;"
    told = features(geopackage(tmp_path / "a.gpkg", rows, more=more))
    assert [f["properties"] for f in told] == [{"fid": 1, "name": "Gate", "size": 2.5}, {"fid": 3}]
    assert [f["geometry"]["type"] for f in told] == ["Point", "Polygon"]


def test_two_tables_are_one_plan_that_says_which(tmp_path):
    more = (
        'CREATE TABLE "b ""x" (fid INTEGER PRIMARY KEY, shape BLOB);'
        "INSERT INTO gpkg_contents (table_name, data_type, srs_id) VALUES ('b \"x', 'features', 4326);"
        "INSERT INTO gpkg_geometry_columns VALUES ('b \"x', 'shape', 'POINT', 4326, 0, 0);"
        f'INSERT INTO "b ""x" VALUES (7, x\'{POINT.hex()}\');'
    )
    told = features(geopackage(tmp_path / "a.gpkg", more=more))
    assert [f["properties"] for f in told] == [
        {"fid": 7, "layer": 'b "x'},
        {"fid": 1, "name": "Gate", "layer": "plan"},
    ]


def test_a_file_that_was_left_in_wal_mode_is_read_unless_changes_wait(tmp_path):
    path = geopackage(tmp_path / "a b#1?.gpkg", more="PRAGMA journal_mode = WAL;", mark=b"GP10")
    before = path.read_bytes()
    assert len(features(path)) == 1
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing was made beside it
    writer = sqlite3.connect(path)
    writer.execute("UPDATE plan SET name = 'x'")
    writer.commit()
    with pytest.raises(PlanFileError, match=r"unsaved changes in .*-wal; close it"):
        converted(path)
    writer.close()


HEAVY = """
DROP TABLE gpkg_spatial_ref_sys;
CREATE VIEW gpkg_spatial_ref_sys AS SELECT 4326 AS srs_id, 'EPSG' AS organization, 4326 AS organization_coordsys_id
  FROM gpkg_contents a, many b, many c, many d, many e WHERE b.n + c.n + d.n + e.n < 0;
CREATE TABLE many (n INTEGER);
INSERT INTO many WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 900) SELECT n FROM r;
"""
VIEW = """
ALTER TABLE plan RENAME TO hidden; CREATE VIEW plan AS SELECT * FROM hidden;
UPDATE gpkg_contents SET table_name = 'plan'; UPDATE gpkg_geometry_columns SET table_name = 'plan';
"""
CALLS = """
DROP TABLE gpkg_spatial_ref_sys; CREATE VIEW gpkg_spatial_ref_sys AS SELECT zeroblob(1000000000) AS srs_id,
  'EPSG' AS organization, 4326 AS organization_coordsys_id;
"""


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({"srs": 25832}, r"in EPSG:25832; a plan is in WGS 84 degrees .*ogr2ogr -t_srs EPSG:4326"),
        ({"srs": 0}, "in NONE:0"),
        ({"srs": 99}, "in None:None"),
        ({"kind": "tiles"}, "no table of features in it"),
        ({"mark": b"XXXX"}, "not a GeoPackage"),
        ({"more": "DROP TABLE gpkg_contents"}, "cannot be read as a GeoPackage: no such table"),
        ({"more": "ALTER TABLE plan RENAME COLUMN geom TO g2"}, "has no column 'geom'"),
        ({"more": VIEW}, "no ordinary table"),
        ({"more": "DROP TABLE plan; CREATE VIRTUAL TABLE plan USING rtree(fid, a, b)"}, "no ordinary table"),
        ({"more": "DROP TABLE plan"}, "no ordinary table"),
        ({"more": CALLS}, "cannot be read as a GeoPackage: not authorized"),
        ({"rows": [(blob(wkb(1, struct.pack("<2d", 500_000, 5e6))), "")]}, "are no degrees of longitude and latitude"),
        ({"rows": [("text", "")]}, "table 'plan', row 1: its geometry has no GeoPackage header"),
        ({"rows": [(POINT, ""), (POINT[:-1], "")]}, "table 'plan', row 2: its geometry is cut short"),
        ({"rows": []}, "no features in it"),
        ({"more": "UPDATE gpkg_contents SET table_name = x'00ff'"}, "no name|no table of features"),
    ],
)
def test_what_is_no_plan_is_refused_with_a_reason(tmp_path, made, says):
    with pytest.raises(PlanFileError, match=says):
        converted(geopackage(tmp_path / "a.gpkg", **made))


def test_time_values_and_results_have_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(plan_gpkg, "SECONDS_MAX", 0.2)
    begun = time.monotonic()
    with pytest.raises(PlanFileError, match="takes more than 0 s"):
        converted(geopackage(tmp_path / "slow.gpkg", more=HEAVY))
    assert time.monotonic() - begun < 20  # 900**4 rows would take years
    path = geopackage(tmp_path / "a.gpkg", [(POINT, "x" * 300)] * 4)
    for name, limit, says in (
        ("READ_BYTES_MAX", 1000, "of values in it"),
        ("OUT_BYTES_MAX", 1000, "of GeoJSON"),
        ("FEATURES_MAX", 3, "more than 3 features"),
        ("LAYERS_MAX", 0, "more than 0 tables"),
        ("FILE_BYTES_MAX", 1000, "are read"),
        ("LIMITS", {sqlite3.SQLITE_LIMIT_LENGTH: 200}, "cannot be read"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(plan_gpkg, name, limit)
            with pytest.raises(PlanFileError, match=says):
                converted(path)
    assert len(features(path)) == 4
    with pytest.raises(PlanFileError, match="there is no file"):
        converted(tmp_path / "none.gpkg")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    rows = [(POINT, "Gate"), (blob(wkb(3, parts(points(RING)))), "Apron")] * 3
    return geopackage(tmp_path_factory.mktemp("whole") / "a.gpkg", rows).read_bytes()


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_file_is_a_plan_or_a_sentence(tmp_path_factory, whole, data):
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(100, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.gpkg"
    path.write_bytes(damaged[: data.draw(st.sampled_from([len(damaged), len(damaged) // 2, 100]))])
    try:
        told = converted(path)
    except PlanFileError as error:
        assert str(error)
    else:
        assert geojson(told).features >= 1


@pytest.mark.skipif(
    OGR is None, reason="NOT TESTED: no ogr2ogr here (Debian: gdal-bin), an independent GeoPackage writer"
)
@pytest.mark.parametrize("version", ["1.0", "1.2", "1.3"])
def test_a_geopackage_of_gdal_is_what_was_put_in(tmp_path, version):
    source, path = tmp_path / "apron.geojson", tmp_path / "apron.gpkg"
    source.write_text(json.dumps(APRON))
    options = ["-dsco", f"VERSION={version}", "-nlt", "GEOMETRY", "-dim", "XYZ"]
    made = subprocess.run([OGR, "-f", "GPKG", *options, path, source], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    told = features(path)
    assert [f["properties"]["name"] for f in told] == [f["properties"]["name"] for f in APRON["features"]]
    for found, put in zip(told, APRON["features"], strict=True):
        a, b = shapely.geometry.shape(found["geometry"]), shapely.geometry.shape(put["geometry"])
        assert shapely.force_2d(a).equals_exact(shapely.force_2d(b), 1e-8)
    assert told[2]["geometry"]["coordinates"][2] == 4


@pytest.mark.skipif(
    OGR is None, reason="NOT TESTED: no ogr2ogr here (Debian: gdal-bin), an independent GeoPackage writer"
)
def test_a_projected_geopackage_of_gdal_is_refused_until_it_is_exported_as_the_sentence_says(tmp_path):
    source = tmp_path / "apron.geojson"
    source.write_text(json.dumps(APRON))
    old, new = tmp_path / "old.gpkg", tmp_path / "new.gpkg"
    subprocess.run([OGR, "-f", "GPKG", "-t_srs", "EPSG:32652", old, source], capture_output=True, check=True)
    with pytest.raises(PlanFileError, match=r"EPSG:32652; .* ogr2ogr -t_srs EPSG:4326 new.gpkg old.gpkg"):
        converted(old)
    subprocess.run([OGR, "-t_srs", "EPSG:4326", new, old], capture_output=True, check=True)
    bounds = geojson(converted(new)).bounds_deg
    assert bounds == pytest.approx((126.5, 37.85, 126.7, 37.95), abs=1e-6)


def test_the_command_keeps_geojson_beside_the_site_file(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(GOOD)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = geopackage(elsewhere / "apron.gpkg")
    done = CliRunner().invoke(command, ["basemap", "add", str(site), str(path), "--credit", "City survey"])
    assert done.exit_code == 0, done.output
    assert "1 features" in done.output
    (plan,) = load(site)[0].plan
    assert (plan.name, plan.file, plan.credit) == ("apron", "apron.geojson", "City survey")
    assert read(tmp_path / "apron.geojson")[1] == plan.sha256
    with pytest.raises(PlanFileError, match=r"made a plan by: lapwing basemap add SITE apron.gpkg"):
        read(path)


def test_the_command_overwrites_nothing_and_leaves_nothing_behind(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(GOOD)
    path = geopackage(tmp_path / "apron.gpkg")
    refused = CliRunner().invoke(command, ["basemap", "add", str(site), str(path), "--name", "<x>"])
    assert refused.exit_code == 2
    assert not (tmp_path / "apron.geojson").exists()
    (tmp_path / "apron.geojson").write_text("mine")
    refused = CliRunner().invoke(command, ["basemap", "add", str(site), str(path)])
    assert refused.exit_code == 2
    assert "is there already; move it away" in refused.output
    assert (tmp_path / "apron.geojson").read_text() == "mine"
    assert site.read_text() == GOOD
    (tmp_path / "apron.geojson").write_bytes(converted(path))  # the same again is no trouble, and not deleted
    refused = CliRunner().invoke(command, ["basemap", "add", str(site), str(path), "--name", "<x>"])
    assert refused.exit_code == 2
    assert (tmp_path / "apron.geojson").exists()
    assert CliRunner().invoke(command, ["basemap", "add", str(site), str(path)]).exit_code == 0


def test_computed_columns_cannot_make_a_small_row_large(tmp_path):
    more = (
        "DROP TABLE plan; CREATE TABLE plan (geom, name TEXT, twice TEXT AS (name || name));"
        f"INSERT INTO plan VALUES (x'{POINT.hex()}', 'Gate');"
    )
    with pytest.raises(PlanFileError, match=r"^table 'plan' has computed columns, which are not taken"):
        converted(geopackage(tmp_path / "site.gpkg", more=more))
