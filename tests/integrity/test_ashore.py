"""Ships where no ship can be: told live, inside only, ships only; and in archives with a file of polygons."""

from dataclasses import replace

import numpy as np
import pytest
from tests.integrity.test_integrity import Sky

from lapwing.engine.plan import _rings, make_plan
from lapwing.integrity import IntegritySettings, start, step
from lapwing.integrity.ashore import ashore
from lapwing.records import Circle, Condition, Polygon, Position, Site, Source, Tracks
from lapwing.serve.no_ships import NoShipsError, read_no_ships
from lapwing.serve.site import SiteError, load

SQUARE = ((-100.0, -100.0), (100.0, -100.0), (100.0, 100.0), (-100.0, 100.0))


def judged(place_m, address, rings, source=Source.AIS, seconds=20):
    """Conditions and reasons of speakers that stay where they are."""
    sky, settings = Sky(len(place_m), source), IntegritySettings(no_ships=rings)
    state = start(settings)
    for t in range(seconds):
        claims = sky.claims(t)
        mean = claims.mean.copy()
        mean[:, :2] = place_m
        claims = replace(claims, mean=mean, address=np.array(address), values_ns=np.zeros_like(claims.values_ns))
        state, verdict = step(state, claims, Tracks.empty(claims.time_ns), settings)
    return verdict.condition.tolist(), verdict.reason


def test_a_ship_inside_is_inconsistent_and_says_why():
    places, mmsi = [(0.0, 0.0), (150.0, 0.0), (0.0, 20.0)], [211_000_001, 211_000_002, 2_110_001]
    condition, reason = judged(places, mmsi, (SQUARE,))
    assert condition[0] == Condition.INCONSISTENT
    assert "on land" in reason[0]
    assert condition[1] == Condition.OK  # beside it
    assert condition[2] == Condition.OK  # a coast station is on land
    assert judged(places, mmsi, ())[0] == [Condition.OK] * 3
    assert judged(places[:1], mmsi[:1], (SQUARE,), Source.ADSB)[0] != [Condition.INCONSISTENT]


def test_shapes_of_the_site_are_rings_in_its_frame():
    origin = Position(np.radians(50.0), np.radians(8.0), 100.0)
    east = 1_000.0 / (6_378_137.0 * np.cos(np.radians(50.0)))
    away = Position(origin.latitude_rad, origin.longitude_rad + east, 0.0)
    corners = tuple(
        Position(origin.latitude_rad + a / 6.37e6, origin.longitude_rad + o / 6.37e6, 0.0)
        for a, o in ((-500.0, -500.0), (-500.0, 500.0), (500.0, 0.0))
    )
    rings = _rings(Site("s", origin, (), (), (), no_ships=(Circle(away, 200.0), Polygon(corners))))
    assert [len(ring) for ring in rings] == [64, 3]
    far = np.hypot(*(np.array(rings[0]) - [1_000.0, 0.0]).T)
    assert far == pytest.approx(200.0, abs=5.0)
    ship, mmsi = np.ones(3, np.int64), np.full(3, 211_000_001)
    there = ashore(np.array([[1_150.0, 0.0], [1_250.0, 0.0], [0.0, 0.0]]), ship, mmsi, rings)
    assert there.tolist() == [True, False, True]


def test_polygons_of_geojson_are_read(tmp_path):
    ring = "[[8,50],[9,50],[9,51],[8,50]]"
    path = tmp_path / "p.geojson"
    path.write_text(
        f'{{"type":"FeatureCollection","features":[{{"type":"Feature","geometry":{{"type":"Polygon","coordinates":[{ring}]}}}},'
        f'{{"type":"Feature","geometry":null}},{{"type":"MultiPolygon","coordinates":[[{ring}],[{ring}]]}}]}}'
    )
    rings = read_no_ships(path)
    assert rings == (((8.0, 50.0), (9.0, 50.0), (9.0, 51.0), (8.0, 50.0)),) * 3


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "3", "[" * 100_000, "7x",
        '{"type":"Point","coordinates":[8,50]}', '{"type":"FeatureCollection"}',
        '{"type":"Polygon","coordinates":[[[8,50],[9,50]]]}', '{"type":"Polygon","coordinates":[]}',
        '{"type":"Polygon","coordinates":[[[500000,1],[500001,1],[500002,2],[500000,1]]]}',
        '{"type":"Polygon","coordinates":[[["a",1],[1,1],[2,2],["a",1]]]}', '{"type":"MultiPolygon","coordinates":7}',
        '{"type":"Polygon","coordinates":[[[NaN,1],[1,1],[2,2],[1,1]]]}', '{"type":"Feature","geometry":[1]}',
        '{"type":"Polygon","coordinates":[[[1e999,1],[1,1],[2,2],[1,1]]]}', '{"type":"Feature","geometry":{}}',
    ],
)  # fmt: skip
def test_what_is_no_geojson_with_polygons_is_refused_by_name(tmp_path, text):
    path = tmp_path / "bad.geojson"
    path.write_text(text)
    with pytest.raises(NoShipsError, match=r"bad\.geojson"):
        read_no_ships(path)
    with pytest.raises(NoShipsError, match="absent"):
        read_no_ships(tmp_path / "absent.geojson")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NoShipsError, match="binary"):
        read_no_ships(tmp_path / "binary")


SITE = """name = "Field"
[origin]
latitude_deg = 52.0
longitude_deg = 4.0
[[feed]]
name = "In"
decoder = "nmea"
from = "listen://127.0.0.1:10110"
"""


def test_places_of_the_site_file_reach_the_plan_and_mistakes_are_named(tmp_path):
    path = tmp_path / "site.toml"
    circle = '[[no_ships]]\nname = "{}"\ncircle = {{ latitude_deg = 52.0, longitude_deg = 4.0, radius_m = 500.0 }}\n'
    path.write_text(SITE + circle.format("Runway"))
    plan = make_plan(load(path)[1])
    assert [len(ring) for ring in plan.integrity.no_ships] == [64]
    for wrong, why in (
        (circle.format("A") * 2, "two no_ships places are named 'A'"),
        ('[[no_ships]]\nname = "A"\n', "needs either 'circle' or 'polygon'"),
        ('[[no_ships]]\nname = "A"\npolygon = [[52.0, 4.0], [52.1, 4.0]]\n', "at least 3"),
    ):
        path.write_text(SITE + wrong)
        with pytest.raises(SiteError) as told:
            load(path)
        assert why in " ".join(told.value.problems)
