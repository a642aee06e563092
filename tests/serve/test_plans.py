"""Plans of the site: what is taken, what is refused and how, and that nothing but the plan's own file is served."""

import gzip
import hashlib
import json
import os
import threading
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from lapwing.serve import plan_files
from lapwing.serve.accounts import Accounts
from lapwing.serve.cli import app as command
from lapwing.serve.operate import Wish, operate
from lapwing.serve.plan_files import PlanFileError, geojson
from lapwing.serve.site import SiteError, essence, examined, load
from lapwing.serve.site_plans import PlanEntry, plans_of, read
from lapwing.serve.web import STATIC, WebOptions, create_app
from tests.serve.fake_shelf import FakeShelf, World, make_site
from tests.serve.plans import APRON, pmtiles
from tests.serve.test_feeds import free_port
from tests.serve.test_site import GOOD

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1"


def collection(geometry, properties=None):
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


def point(*coordinates):
    return collection({"type": "Point", "coordinates": list(coordinates)})


def test_a_geojson_is_read_with_its_bounds():
    found = geojson(json.dumps(APRON).encode())
    assert (found.kind, found.features, found.bounds_deg) == ("geojson", 3, (126.5, 37.85, 126.7, 37.95))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not GeoJSON"),
        (b"\xff\xfe{}", "not GeoJSON"),
        (b"[" * 100_000, "not GeoJSON"),
        (b'{"type": "FeatureCollection", "x": [' + b"[[]]," * 1_600_000 + b"0]}", "more than 1000000 arrays"),
        (b'{"type": "FeatureCollection", "x": [' + b"{}," * 500_000 + b"0]}", "more than 400000 objects"),
        (b'{"type": "FeatureCollection", "features": [NaN]}', "NaN is no number"),
        (b'{"type": "Point", "coordinates": [1, 2]}', "must be one FeatureCollection"),
        (b'{"type": "FeatureCollection", "features": []}', "no features"),
        (b'{"type": "FeatureCollection", "features": [7]}', "feature 1: is no Feature"),
        (b'{"type": "FeatureCollection", "crs": {"name": "EPSG:25832"}, "features": [1]}', "'crs' is stated"),
        (collection(None), "no feature in it has a place"),
        (collection({"type": "Circle", "coordinates": [1, 2]}), "its geometry is none of Point"),
        (collection({"type": ["Point"], "coordinates": [1, 2]}), "its geometry is none of Point"),
        (collection("Point"), "its geometry is none of Point"),
        (collection({"type": "Point", "coordinates": 7}), "not as deep as those of a Point"),
        (collection({"type": "Polygon", "coordinates": [1, 2]}), "not as deep as those of a Polygon"),
        (collection({"type": "LineString", "coordinates": [[1, "2"]]}), "longitude, latitude and perhaps a height"),
        (point(1), "longitude, latitude and perhaps a height"),
        (point(True, 2), "longitude, latitude and perhaps a height"),
        (point(600_000.0, 5_300_000.0), "600000.0, 5300000.0 are no degrees"),
        (point(1).replace(b"[1]", b"[1e400, 2]"), "inf, 2 are no degrees"),
        (point(1).replace(b"[1]", b"[1" + b"0" * 400 + b", 2]"), "are no degrees"),
        (collection({"type": "Point", "coordinates": [1, 2]}, [1]), "its properties are no object"),
    ],
)
def test_a_geojson_that_is_none_is_refused_with_a_reason(data, says):
    with pytest.raises(PlanFileError, match=says):
        geojson(data)


def test_too_many_features_or_points_are_refused(monkeypatch):
    monkeypatch.setattr(plan_files, "FEATURES_MAX", 2)
    with pytest.raises(PlanFileError, match="3 features; there may be 2"):
        geojson(json.dumps(APRON).encode())
    monkeypatch.setattr(plan_files, "FEATURES_MAX", 3)
    monkeypatch.setattr(plan_files, "POINTS_MAX", 7)
    with pytest.raises(PlanFileError, match="more than 7 points"):
        geojson(json.dumps(APRON).encode())
    monkeypatch.setattr(plan_files, "POINTS_MAX", 8)
    assert geojson(json.dumps(APRON).encode()).features == 3


def written(tmp_path, data, name="plan.pmtiles"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_pmtiles_of_images_and_of_vectors_are_told_apart(tmp_path):
    said = {"attribution": 'by <a href="https://x.example">A &amp; B</a>  maps'}
    images, digest, _ = read(written(tmp_path, pmtiles(metadata=said, bounds=(126.0, 37.5, 127.0, 38.5))))
    assert (images.kind, images.layers, images.bounds_deg) == ("raster", (), (126.0, 37.5, 127.0, 38.5))
    assert images.credit == "by A & B maps"
    assert digest == hashlib.sha256((tmp_path / "plan.pmtiles").read_bytes()).hexdigest()
    vectors, _, _ = read(STATIC / "basemap.pmtiles")
    assert (vectors.kind, vectors.zoom_max) == ("vector", 7)
    assert "coast" in vectors.layers


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a PMTiles file"),
        (b"PMTiles\x03", "not a PMTiles file"),
        (b"X" * 500, "not a PMTiles file"),
        (pmtiles(version=2), "of version 2; 3 is shown"),
        (pmtiles(cut=1), "cut short"),
        (pmtiles(tile_type=0), "neither vector tiles"),
        (pmtiles(tile_type=5), "neither vector tiles"),
        (pmtiles(outer=3), "compression"),
        (pmtiles(inner=4), "compression"),
        (pmtiles(bounds=(10, 50, 10, 51)), "bounds make no sense"),
        (pmtiles(metadata=b"[1]"), "no JSON object"),
        (pmtiles(metadata=b"{"), "no JSON"),
        (pmtiles(metadata=b"[" * 100_000), "no JSON"),
        (pmtiles(inner=1, metadata=b"x" * (1 << 21)), "more than 1 MiB"),
        (pmtiles(metadata=b" " * (1 << 24)), "more than 1 MiB"),  # 16 KiB in the file
        (pmtiles(tile_type=1), "names no vector_layers"),
        (
            pmtiles(tile_type=1, metadata={"vector_layers": [{"id": 7}, "x", {"id": "y" * 65}]}),
            "names no vector_layers",
        ),
        (pmtiles(tile_type=1, metadata={"vector_layers": [{"id": "a"}, {"id": "\ud800"}]}), "no Unicode text"),
        (pmtiles(metadata={"attribution": "by \udc80 nobody"}), "no Unicode text"),
        (pmtiles(tile_type=1, metadata={"vector_layers": [{"id": str(k)} for k in range(33)]}), "33 layers"),
    ],
)
def test_pmtiles_that_cannot_be_shown_are_refused_with_a_reason(tmp_path, data, says):
    with pytest.raises(PlanFileError, match=says):
        read(written(tmp_path, data))


def test_metadata_that_cannot_be_unpacked_is_refused(tmp_path):
    whole = pmtiles(metadata={"name": "x"})
    broken = whole.replace(gzip.compress(b'{"name": "x"}')[10:20], b"\xff" * 10)
    assert broken != whole
    with pytest.raises(PlanFileError, match=r"cannot be unpacked|no JSON"):
        read(written(tmp_path, broken))


@given(st.binary(max_size=300), st.integers(0, 126))
def test_any_bytes_are_a_plan_or_a_sentence(tmp_path_factory, data, at):
    whole = pmtiles()
    path = tmp_path_factory.getbasetemp() / "any.pmtiles"
    path.write_bytes(whole[:at] + data + whole[at + len(data) :])
    for reading in (lambda: read(path), lambda: geojson(data)):
        try:
            content = reading()
        except PlanFileError as error:
            assert len(str(error)) > 5
        else:
            assert content is not None


def test_files_that_are_none_are_refused(tmp_path, monkeypatch):
    for name, says in (("gone.geojson", "there is no file"), ("a.kml", "is a .geojson or a .pmtiles")):
        with pytest.raises(PlanFileError, match=says):
            read(tmp_path / name)
    os.mkfifo(tmp_path / "pipe.geojson")  # nobody ever writes to it
    with pytest.raises(PlanFileError, match="there is no file"):
        read(tmp_path / "pipe.geojson")
    monkeypatch.setattr("lapwing.serve.site_plans.GEOJSON_BYTES_MAX", 1 << 20)
    with pytest.raises(PlanFileError, match="has 2 MiB; at most 1 are read"):
        read(written(tmp_path, b" " * (2 << 20), "large.geojson"))


def site_with(tmp_path, *plans):
    (tmp_path / "apron.geojson").write_text(json.dumps(APRON))
    path = tmp_path / "site.toml"
    path.write_text(GOOD + "".join(f"[[plan]]\n{plan}\n" for plan in plans))
    return path


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_site_file_must_say_which_file_it_is(tmp_path):
    site = site_with(tmp_path, 'name = "Apron"\nfile = "apron.geojson"')
    right = sha256_of(tmp_path / "apron.geojson")
    with pytest.raises(SiteError) as missing:
        load(site)
    assert missing.value.problems == [
        "plan 'Apron': 'sha256' is missing: evidence must say which plan was shown; " + f'write sha256 = "{right}"'
    ]
    good = site_with(tmp_path, f'name = "Apron"\nfile = "apron.geojson"\nsha256 = "{right}"')
    entry, _ = load(good)
    assert [p.sha256 for p in entry.plan] == [right]
    (tmp_path / "apron.geojson").write_text(json.dumps({**APRON, "more": 1}))
    with pytest.raises(SiteError) as other:
        load(good)
    assert "another file than stated" in other.value.problems[0]


@pytest.mark.parametrize(
    ("plans", "says"),
    [
        (['name = "A"\nfile = "x.geojson"', 'name = "A"\nfile = "y.geojson"'], "two plans are named 'A'"),
        (['name = "Apron 2"\nfile = "x.geojson"', 'name = "apron-2"\nfile = "y.geojson"'], "same word in addresses"),
        ([f'name = "P{k}"\nfile = "x.geojson"' for k in range(17)], "17 plans; there may be 16"),
        (['name = "A"\nfile = "x.geojson"\nurl = "https://tiles.example"'], "unknown key"),
        (['name = "A"\nfile = "x.geojson"\nsha256 = "12"'], "sha256"),
    ],
)
def test_plans_that_cannot_be_are_refused_with_a_reason(tmp_path, plans, says):
    with pytest.raises(SiteError) as refused:
        load(site_with(tmp_path, *plans))
    assert says in refused.value.problems[0]


def test_a_plan_changes_no_picture():
    assert essence(GOOD + '[[plan]]\nname = "A"\nfile = "x.geojson"\n') == essence(GOOD)


def test_the_largest_geojson_has_eight_mebibytes(tmp_path):
    whole = point(1, 2)
    assert read(written(tmp_path, whole.ljust(8 << 20), "a.geojson"))[0].features == 1
    with pytest.raises(PlanFileError, match="at most 8 are read"):
        read(written(tmp_path, whole.ljust((8 << 20) + 1), "b.geojson"))


def test_plans_are_read_beside_the_event_loop(tmp_path, monkeypatch):
    (tmp_path / "apron.geojson").write_text(json.dumps(APRON))
    right = sha256_of(tmp_path / "apron.geojson")
    text = f"""
name = "Fence"
origin = {{latitude_deg = 47.0, longitude_deg = 8.0}}
feed = [{{name = "f", decoder = "nmea", from = "udp://127.0.0.1:{free_port()}"}}]
web = {{port = 0}}
plan = [{{name = "Apron", file = "apron.geojson", sha256 = "{right}"}}]
"""
    entry, site = examined(text, tmp_path / "site.toml")
    where = []

    def watched(*words):
        where.append(threading.current_thread())
        return plans_of(*words)

    monkeypatch.setattr("lapwing.serve.operate.plans_of", watched)
    operate(entry, text, site, Wish(tmp_path / "journal", for_s=0.5, site_folder=tmp_path))
    assert len(where) == 1
    assert where[0] is not threading.main_thread()


def plans_in(tmp_path):
    entries = []
    for name, file, data in (
        ("Apron 2", "apron.geojson", json.dumps(APRON).encode()),
        ("Photo", "photo.pmtiles", pmtiles()),
    ):
        path = written(tmp_path, data, file)
        entries.append(PlanEntry(name=name, file=file, sha256=sha256_of(path), credit="A & B"))
    return plans_of(entries, tmp_path)


@pytest.fixture
def client(tmp_path):
    return TestClient(
        create_app(FakeShelf(World(), 400), make_site(), WebOptions(plans=plans_in(tmp_path))), base_url=HOST
    )


def test_the_page_is_told_of_plans_and_gets_their_bytes(client, tmp_path):
    told = client.get("/v1/plans").json()["plans"]
    assert [(p["slug"], p["kind"], p["credit"]) for p in told] == [
        ("apron-2", "geojson", "A & B"),
        ("photo", "raster", "A & B"),
    ]
    assert not any(str(tmp_path) in str(p) for p in told)
    with client.websocket_connect("ws://127.0.0.1/v1/live") as socket:
        assert socket.receive_json()["plans"] == told
    whole = client.get("/plans/apron-2")
    assert whole.json() == APRON
    assert whole.headers["etag"] == f'"{told[0]["sha256"]}"'
    data = (tmp_path / "photo.pmtiles").read_bytes()
    part = client.get("/plans/photo", headers={"range": "bytes=7-126"})
    assert (part.status_code, part.content) == (206, data[7:127])


def test_nothing_else_can_be_reached(client, tmp_path):
    (tmp_path / "secret.geojson").write_text("{}")
    for path in (
        "secret.geojson",
        "secret",
        "..%2Fsecret.geojson",
        "%2e%2e",
        "..%5c",
        "apron-2%2F..%2Fx",
        "apron-2%00",
    ):
        assert client.get(f"/plans/{path}").status_code in (404, 400), path
    assert client.get("/plans/apron-2?file=/etc/passwd").status_code == 400
    assert client.post("/plans/apron-2", json={}).status_code == 405


def test_a_file_that_has_changed_since_the_start_is_not_served(client, tmp_path):
    (tmp_path / "apron.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    assert client.get("/plans/apron-2").status_code == 409
    (tmp_path / "apron.geojson").unlink()
    assert client.get("/plans/apron-2").status_code == 409


def test_who_must_log_in_gets_no_plan_before(tmp_path):
    accounts = Accounts(tmp_path / "accounts.sqlite")
    token = accounts.add_token("screen", "watch")
    options = WebOptions(plans=plans_in(tmp_path), accounts=accounts)
    closed = TestClient(create_app(FakeShelf(World(), 400), make_site(), options), base_url=HOST)
    for path in ("/v1/plans", "/plans/apron-2", "/plans/photo"):
        assert closed.get(path).status_code == 401
        assert closed.get(path, headers={"authorization": f"Bearer {token}"}).status_code == 200
    accounts.close()


def test_the_command_adds_a_plan_to_a_site_file(tmp_path):
    site = site_with(tmp_path)
    run = CliRunner()
    done = run.invoke(command, ["basemap", "add", str(site), str(tmp_path / "apron.geojson"), "--credit", 'A "B"'])
    assert done.exit_code == 0, done.output
    assert "3 features" in done.output
    assert site.read_text().startswith(GOOD)
    entry, _ = load(site)
    assert [(p.name, p.file, p.credit, p.label) for p in entry.plan] == [("apron", "apron.geojson", 'A "B"', "name")]
    checked = run.invoke(command, ["check", str(site)])
    assert "plan 'apron': apron.geojson" in checked.output
    before = site.read_text()
    for args, says in (
        ([str(tmp_path / "apron.geojson")], "two plans are named 'apron'"),
        ([str(tmp_path / "none.pmtiles")], "there is no file"),
        ([str(tmp_path / "apron.geojson"), "--name", "<x>"], "name"),
    ):
        failed = run.invoke(command, ["basemap", "add", str(site), *args])
        assert failed.exit_code == 2
        assert says in failed.output
    assert site.read_text() == before


def test_a_file_with_plans_written_inline_is_for_a_person(tmp_path):
    site = site_with(tmp_path)
    right = sha256_of(tmp_path / "apron.geojson")
    site.write_text(f'plan = [{{name = "A", file = "apron.geojson", sha256 = "{right}"}}]\n' + GOOD)
    done = CliRunner().invoke(command, ["basemap", "add", str(site), str(tmp_path / "apron.geojson")])
    assert done.exit_code == 2
    assert "only a person can change" in done.output
