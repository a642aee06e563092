"""GET /v1/coverage: predicted and measured outlines, by period and height band; the horizon by hand."""

import math
import warnings
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from lapwing.engine.coverage import FARTHEST, SECTORS
from lapwing.kernel.geoid import geoid_height_m
from lapwing.serve.web import WebOptions, create_app
from lapwing.serve.web_coverage import horizon_m
from tests.serve.fake_shelf import START_NS, FakeShelf, World, make_site

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient

HOUR_NS = 3_600_000_000_000
SITE = make_site()


@pytest.fixture
def shelf():
    made = FakeShelf(World(), 400)
    rows = [("hill", 0, 0, 12_000.0), ("hill", 2, 0, 30_000.0), ("hill", 4, 36, 5_000.0), ("gone", 0, 3, 9_000.0)]
    made.presence().farthest.add(START_NS, pl.DataFrame(rows, schema=FARTHEST, orient="row"))
    return made


@pytest.fixture
def client(shelf):
    return TestClient(create_app(shelf, SITE, WebOptions()), base_url="http://127.0.0.1")


def test_the_horizon_is_the_fields_rule_of_thumb():
    assert horizon_m(100.0, 0.0) == pytest.approx(4_120.0 * math.sqrt(100.0), rel=0.001)  # 4.12 sqrt(h)
    assert horizon_m(25.0, 400.0) == pytest.approx(4_120.0 * (5.0 + 20.0), rel=0.001)
    assert horizon_m(-30.0, 100.0) == horizon_m(0.0, 100.0)


def rows_of(client, **words):
    told = client.get("/v1/coverage", params=words)
    assert told.status_code == 200, told.text
    return told.json(), {r["name"]: r for r in told.json()["sensors"]}


def test_every_place_that_can_see_is_told_with_its_reach(client):
    told, rows = rows_of(client)
    assert (told["band"], told["band_m"], told["sector_deg"]) == ("all", [None, None], 5)
    assert list(rows) == ["roof", "hill"]
    assert [rows[n]["kind"] for n in rows] == ["receiver", "radar"]
    assert rows["hill"]["predicted_m"] == 40_000  # its stated range is nearer than any horizon
    roof = SITE.feeds[3].receiver
    above_sea = 70.0 - float(geoid_height_m(roof.latitude_rad, roof.longitude_rad))
    assert rows["roof"]["predicted_m"] == round(horizon_m(above_sea, above_sea + 12_000.0))
    assert rows["roof"]["measured"] is None
    far = rows["hill"]["farthest_m"]
    assert (far[0], far[36], sum(v is not None for v in far)) == (30_000, 5_000, 2)
    assert rows["hill"]["heights_unknown"] is True


def test_ships_are_low_whatever_the_band(shelf):
    feeds = tuple(replace(f, receiver=SITE.feeds[3].receiver) if f.decoder == "nmea" else f for f in SITE.feeds)
    client = TestClient(create_app(shelf, replace(SITE, feeds=feeds), WebOptions()), base_url="http://127.0.0.1")
    roof = SITE.feeds[3].receiver
    above_sea = 70.0 - float(geoid_height_m(roof.latitude_rad, roof.longitude_rad))
    for band in ("all", "top"):
        assert rows_of(client, band=band)[1]["harbour-ais"]["predicted_m"] == round(horizon_m(above_sea, 40.0))


def test_outlines_are_rings_of_the_right_size(client):
    _, rows = rows_of(client)
    hill = rows["hill"]
    for name in ("predicted", "measured"):
        ring = hill[name]
        assert ring[0] == ring[-1]
        assert len(ring) == 3 * SECTORS + 1
    lat, lon = math.radians(hill["latitude_deg"]), math.radians(hill["longitude_deg"])

    def metres(point):  # haversine on a sphere: another way than the product's
        a, o = math.radians(point[1]), math.radians(point[0])
        h = math.sin((a - lat) / 2) ** 2 + math.cos(a) * math.cos(lat) * math.sin((o - lon) / 2) ** 2
        return 2 * 6_371_000.0 * math.asin(math.sqrt(h))

    assert [metres(p) for p in hill["predicted"]] == pytest.approx([40_000.0] * (3 * SECTORS + 1), rel=0.005)
    reach = np.array([metres(p) for p in hill["measured"]])
    assert reach[:3] == pytest.approx([30_000.0] * 3, rel=0.005)
    assert (reach > 10.0).sum() == 7  # two sectors of three points, and the first again
    assert hill["measured"][0][1] > hill["latitude_deg"]  # north


def test_bands_and_periods(client):
    _, rows = rows_of(client, band="low")
    assert [v for v in rows["hill"]["farthest_m"] if v] == [12_000]
    sea = 120.0 - float(geoid_height_m(SITE.sensors[0].position.latitude_rad, SITE.sensors[0].position.longitude_rad))
    assert rows["hill"]["predicted_m"] == min(40_000, round(horizon_m(sea, sea + 150.0)))
    _, rows = rows_of(client, band="high")
    assert rows["hill"]["farthest_m"][0] == 30_000
    _, rows = rows_of(client, since_ns=START_NS + 2 * HOUR_NS, until_ns=START_NS + 3 * HOUR_NS)
    assert rows["hill"]["measured"] is None


@pytest.mark.parametrize(
    "words", [{"band": "lowest"}, {"since_ns": -1}, {"since_ns": 5, "until_ns": 4}, {"since_ns": 0}, {"hours": 3}]
)
def test_bad_questions_are_refused(client, words):
    assert client.get("/v1/coverage", params=words).status_code == 400


def test_a_disk_that_fails_is_told(client, shelf, monkeypatch):
    def broken(*_args, **_more):
        raise OSError("the disk is gone")

    monkeypatch.setattr(shelf.presence().farthest, "between", broken)
    told = client.get("/v1/coverage")
    assert (told.status_code, told.json()) == (503, {"error": "the disk is gone"})
