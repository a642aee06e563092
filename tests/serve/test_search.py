"""Search in the history: complete against a plain walk through the pictures, bounded, paged, clear about mistakes."""

import json
import warnings
from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from lapwing.alarm.zones import LocalZone
from lapwing.engine import search as engine
from lapwing.engine.hours import Hours
from lapwing.engine.parts import HOUR_NS
from lapwing.engine.presence import PERSONS, WHO, _merged_persons
from lapwing.engine.search import Area, Box, Wanted, identity, visits
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.serve.cli import app as command
from lapwing.serve.searching import line
from lapwing.serve.web import create_app
from tests.replay.test_replay import drive
from tests.replay.world import border
from tests.serve import fake_shelf
from tests.serve.recorded import recorded

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient

HOST = "http://127.0.0.1:8765"
MIN = 60 * 10**9
SITE = fake_shelf.make_site()
TICKS = range(5, 2000, 5)


@pytest.fixture(scope="module")
def shelf():
    made = fake_shelf.FakeShelf(fake_shelf.World(), tick=2000)
    made.remember(TICKS)
    return made


@pytest.fixture(scope="module")
def client(shelf):
    return TestClient(create_app(shelf, SITE), base_url=HOST)


def everywhere(shelf):
    """(who, id) -> [(time, east, north)] of every look, from the pictures themselves."""
    out = {}
    for tick in TICKS:
        p = shelf.world.picture(tick)
        for i, mean, status in zip(p.tracks.track_id.tolist(), p.tracks.mean, p.tracks.status.tolist(), strict=True):
            if status:
                out.setdefault(("track", i), []).append((p.time_ns, *mean[:3]))
        for address, mean, source, placed in zip(p.claims.address.tolist(), p.claims.mean, p.claims.source.tolist(),
                                                 p.claims.has_position.tolist(), strict=True):  # fmt: skip
            if placed:
                out.setdefault((WHO[1 + (source >= 6) + (source >= 8)], address), []).append((p.time_ns, *mean[:3]))
    return out


@pytest.mark.parametrize("zone", SITE.zones, ids=lambda z: z.name)
def test_who_was_in_a_zone_from_when_until_when(client, shelf, zone):
    local = LocalZone.make(zone, SITE.origin)
    want = {}
    for key, path in everywhere(shelf).items():
        times, east, north, _ = np.array(path).T
        inside = local.distance_m(east, north) <= 0
        if inside.any():
            want[key] = (int(times[inside][0]), int(times[inside][-1]), int(inside.sum()))
    told, after = [], 0
    while after is not None:
        page = client.get(f"/v1/history/tracks?zone={zone.name.lower()}&limit=7&after={after}").json()
        told += page["visits"]
        after = page["next"]
    got = {(v["who"], v["id"]): v for v in told}
    assert len(got) == len(told)
    assert set(got) == set(want)
    assert len(want) > 2
    for key, (entered, left, seconds) in want.items():
        area = got[key]["area"]
        assert area["exact"]
        assert (int(area["entered_ns"]), int(area["left_ns"])) == (
            pytest.approx(entered, abs=1e4),
            pytest.approx(left, abs=1e4),
        )
        assert area["inside_s"] == seconds


def test_a_box_holds_who_was_in_it(client, shelf):
    want = set()
    origin = (SITE.origin.latitude_rad, SITE.origin.longitude_rad, SITE.origin.height_ellipsoid_m)
    for key, path in everywhere(shelf).items():
        at = np.array(path)[:, 1:]
        lat, lon, _ = enu_to_geodetic(origin, at)
        lat, lon = np.degrees(lat), np.degrees(lon)
        if ((lat >= 37.85) & (lat <= 37.95) & (lon >= 126.5) & (lon <= 126.7)).any():
            want.add(key)
    told = client.get("/v1/history/tracks?box=37.85,126.5,37.95,126.7&limit=100").json()
    got = {(v["who"], v["id"]) for v in told["visits"]}
    assert got == want
    assert told["found"] >= len(got)


def test_a_result_leads_to_replay_and_to_why(client, shelf, monkeypatch):
    monkeypatch.setattr(shelf, "extent_ns", lambda: None)
    (visit,) = client.get("/v1/history/tracks?identity=T7&zone=Terminal").json()["visits"]
    assert (visit["who"], visit["name"], visit["number"]) == ("track", "T7", "T7")
    assert visit["replay"] is None  # nothing can be replayed here
    assert visit["why"] == f"/v1/why?track=7&since_ns={visit['first_ns']}&until_ns={int(visit['last_ns']) + 1}"
    assert client.get(visit["why"]).status_code == 200
    monkeypatch.setattr(shelf, "extent_ns", lambda: (0, 2**62))
    (visit,) = client.get("/v1/history/tracks?identity=t7&zone=Terminal").json()["visits"]
    head, at = visit["replay"].split("&at=")
    assert head.startswith("/#map=12/37.8")
    assert head.endswith("&sel=t7")
    assert datetime.fromisoformat(at).timestamp() == pytest.approx(int(visit["area"]["entered_ns"]) * 1e-9, abs=0.01)
    claim = client.get("/v1/history/tracks?who=ship&limit=1").json()["visits"][0]
    assert f"&sel=c1:{claim['id']}" in claim["replay"]
    assert claim["why"] is None


@pytest.mark.parametrize(
    ("typed", "finds"),
    [
        ("T7", {("track", 7)}), ("track 7", {("track", 7)}), ("00ab12", {("aircraft", 0xAB12)}),
        ("211234567", {("ship", 211234567)}), ("hl0", {("aircraft", 0xAB12)}), ("1581F", {("remote_id", 99)}),
        ("0000000063", {("remote_id", 99)}), ("a.c", set()), ("nobody", set()),
    ],
)  # fmt: skip
def test_what_a_person_types(typed, finds):
    rows = pl.DataFrame(
        {"who": [0, 1, 2, 3], "id": [7, 0xAB12, 211234567, 99], "name": ["", "HL042", "HAERANG", "1581F4XYZ"]}
    )
    got = rows.filter(identity(typed))
    assert {(WHO[w], i) for w, i in zip(got["who"], got["id"], strict=True)} == finds


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("zone=Nowhere", "no zone 'Nowhere'; it has 'Terminal', 'North field'"), ("box=1,2,3", "SOUTH,WEST,NORTH,EAST"),
        ("box=5,0,4,1", "south below north"), ("box=nan,0,4,1", "south below north"), ("box=1,2,3,x", "SOUTH"),
        ("box=1,2,3,4&zone=Terminal", "not both"), ("who=drone", "none of track, aircraft, ship, remote_id"),
        ("kind=hostile", "none of unknown"), ("limit=0", "imit 1 to 100"), ("after=-1", "fter must be"),
        ("since_ns=5&until_ns=5", "must end after it begins"), ("since_ns=0", "at most 31 days"),
        ("limit=x", "limit"), ("name=x", "no parameter 'name'"), (f"identity={'x' * 101}", "identity"),
    ],
)  # fmt: skip
def test_a_wrong_question_is_refused_in_a_sentence(client, query, says):
    answer = client.get(f"/v1/history/tracks?{query}")
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def persons(*rows):
    """Rows of (who, id, first in minutes, last)."""
    out = {}
    for who, ident, first, last in rows:
        bits = sum(1 << (m % 60) for m in range(first, last + 1))
        row = (who, ident, "", bits, first * MIN, last * MIN, 1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 0)
        out.setdefault(first // 60, []).append(row)
    return {hour: pl.DataFrame(r, schema=PERSONS, orient="row") for hour, r in out.items()}


def index(tmp_path, *rows):
    made = Hours(tmp_path, PERSONS, _merged_persons)
    for hour, table in persons(*rows).items():
        made.add(hour * HOUR_NS, table)
    return made


def test_visits_go_on_over_the_hour_and_end_with_a_gap(tmp_path, monkeypatch):
    store = index(tmp_path, (0, 7, 50, 59), (0, 7, 60, 70), (0, 7, 90, 95), (0, 8, 61, 62))
    found, complete = visits(store, Wanted(0, 10 * HOUR_NS))
    assert complete
    told = [(r["id"], r["first_ns"] // MIN, r["last_ns"] // MIN, r["minutes"]) for r in found.iter_rows(named=True)]
    assert told == [(7, 50, 95, 27), (8, 61, 62, 2)] or told == [(7, 90, 95, 6), (7, 50, 70, 21), (8, 61, 62, 2)]
    monkeypatch.setattr(engine, "ROWS_MAX", 2)
    found, complete = visits(store, Wanted(0, 10 * HOUR_NS))
    assert not complete
    assert 59 * MIN not in found["last_ns"].to_list()  # the oldest hour was not looked at
    assert visits(store, Wanted(5 * HOUR_NS, 9 * HOUR_NS))[0].is_empty()


def test_over_the_meridian_of_180():
    box = Box(0.0, 170.0, 5.0, -170.0)
    rows = pl.DataFrame({"a": [1.0, 1.0, 1.0, 9.0], "o": [175.0, -175.0, 0.0, 175.0]})
    assert rows.select(box.holds(pl.col("a"), pl.col("o")))["a"].to_list() == [True, True, False, False]


def test_what_is_too_much_to_read_is_said(client, monkeypatch):
    monkeypatch.setattr(engine, "ROWS_READ_MAX", 10)
    told = client.get("/v1/history/tracks?zone=Terminal").json()["visits"]
    assert told
    assert {v["area"]["exact"] for v in told} == {False}
    assert {v["area"]["inside_s"] for v in told} == {None}


def test_a_damaged_index_is_said(client, shelf, monkeypatch):
    def broken(*_, **__):
        raise OSError("presence/1.parquet cannot be read")

    monkeypatch.setattr(shelf.presence().persons, "between", broken)
    answer = client.get("/v1/history/tracks")
    assert (answer.status_code, answer.json()["error"]) == (503, "presence/1.parquet cannot be read")


def test_the_command_searches_a_journal(tmp_path):
    folder = tmp_path / "journal"
    drive(folder, border(35.0))
    _, _, rows = recorded(folder)
    tracks = rows[140].picture.tracks
    run = lambda *args: CliRunner().invoke(command, ["search", str(folder), *args])  # noqa: E731
    told = json.loads(run("--json", "--who", "track").stdout)
    confirmed = {i for i, s in zip(tracks.track_id.tolist(), tracks.status.tolist(), strict=True) if s}
    assert confirmed <= {v["id"] for v in told["visits"]}
    assert told["visits"][0]["replay"].startswith("/#map=")
    one = run(f"T{min(confirmed)}", "--who", "track")
    assert f"track T{min(confirmed)}" in one.stdout
    assert "1 shown of 1" in one.stdout
    wrong = run("--zone", "Nowhere")
    assert (wrong.exit_code, "no zone 'Nowhere'" in wrong.stderr) == (2, True)
    wrong = run("--from", "yesterday")
    assert (wrong.exit_code, "is no time" in wrong.stderr) == (2, True)
    wrong = run("--from", "2030-01-01", "--to", "2029-01-01")
    assert "must end after it begins" in wrong.stderr


def test_areas_of_circles_and_polygons_hold_their_own_edges():
    for zone in SITE.zones:
        area = Area.of(zone, SITE.origin)
        assert area.box.south_deg < 38.1
        assert area.box.touches() is not None
        assert area.holds(np.zeros(1), np.zeros(1), np.zeros(1)).tolist() == [False]


def test_a_damaged_file_of_the_history_is_told_in_a_sentence(tmp_path, caplog):
    drive(tmp_path, border(12.0), 55)
    shelf, site, rows = recorded(tmp_path)
    shelf.put(rows[55].picture)
    web = TestClient(create_app(shelf, site), base_url=HOST)
    span = {"since_ns": shelf.latest().time_ns - 60 * 10**9, "until_ns": shelf.latest().time_ns + 1}
    asked = {**span, "track": 1}
    assert web.get("/v1/why", params=asked).status_code == 200
    parts = sorted((tmp_path / "tracks").rglob("*.parquet"))
    assert parts
    for path in parts:
        path.write_bytes(b"")  # as a power cut leaves a file that was just written
    answer = web.get("/v1/why", params=asked)
    assert answer.status_code == 503
    assert answer.json()["error"].startswith("A file of the history cannot be read: ")
    assert "cannot be read for /v1/why" in caplog.text


def test_a_height_that_nobody_measured_is_not_told():
    flat = fake_shelf.FakeShelf(fake_shelf.World(), tick=2000)
    picture = flat.world.picture(200)
    cov = picture.tracks.cov.copy()
    cov[:, 2, 2] = 3_000.0**2
    flat.presence().add(replace(picture, tracks=replace(picture.tracks, cov=cov)))
    span = {"since_ns": picture.time_ns - MIN, "until_ns": picture.time_ns + MIN, "who": "track"}
    told = TestClient(create_app(flat, SITE), base_url=HOST).get("/v1/history/tracks", params=span).json()["visits"]
    assert {(v["low_m"], v["high_m"]) for v in told} == {(None, None)}
    assert "height not measured, up to" in line(told[0])
