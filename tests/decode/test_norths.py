"""Magnetic and grid north: against published numbers, PROJ, and what a SAPIENT bearing becomes."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Proj
from tests.checks import feed
from tests.decode import sapient_samples as s
from tests.decode.helpers import T0, faults

from lapwing.decode.norths import declination_rad, grid_rad
from lapwing.decode.sapient import SapientDecoder
from lapwing.decode.utm import convergence_rad, zone_of
from lapwing.records import Frame, Position, SensorConfig


def at(latitude: float, longitude: float) -> Position:
    return Position(float(np.radians(latitude)), float(np.radians(longitude)), 0.0)


def ns(*date: int) -> int:
    return int(datetime(*date, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("latitude", "longitude", "declination"), [(80.0, 0.0, -1.28), (0.0, 120.0, 0.16), (-80.0, -120.0, 69.36)]
)
def test_declination_is_that_of_the_published_test_values(latitude, longitude, declination) -> None:
    """WMM2020 test values for 2020.0 at height 0 (Chulliat et al., NOAA/BGS technical report, 2020)."""
    assert np.degrees(declination_rad(at(latitude, longitude), ns(2020, 1, 1))) == pytest.approx(declination, abs=0.006)


def test_a_day_has_one_declination_and_the_models_join() -> None:
    place = at(47.0, 8.0)
    assert declination_rad(place, ns(2026, 11, 27)) == declination_rad(place, ns(2026, 11, 27) + 86_399 * 10**9)
    for year in (2020, 2025):
        before, after = (declination_rad(place, ns(year, 1, 1) + d) for d in (-1, 0))
        assert np.degrees(after - before) == pytest.approx(0.0, abs=0.15)
        assert after != before


@pytest.mark.parametrize("time_ns", [1, ns(2014, 12, 31), ns(2030, 1, 1), 4 * 10**18])
def test_no_model_no_declination(time_ns: int) -> None:
    assert declination_rad(at(47.0, 8.0), time_ns) is None


def test_near_a_magnetic_pole_a_compass_says_nothing() -> None:
    assert declination_rad(at(86.0, 140.0), ns(2026, 1, 1)) is None


@given(st.floats(-79.9, 83.9), st.floats(-180.0, 179.99))
def test_convergence_is_proj_s(latitude: float, longitude: float) -> None:
    zone = zone_of(np.radians(latitude), np.radians(longitude))
    assert zone is not None
    proj = Proj(proj="utm", zone=zone, ellps="WGS84", south=latitude < 0)
    expected = proj.get_factors(longitude, latitude).meridian_convergence
    ours = np.degrees(convergence_rad(zone, float(np.radians(latitude)), float(np.radians(longitude))))
    assert (ours - expected + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        *[(60.4, 5.3, 32), (60.4, 2.9, 31), (78.2, 15.6, 33), (78.2, 8.9, 31), (78.0, 22.0, 35), (78.0, 41.9, 37)],
        *[
            (-33.9, 151.2, 56),
            (51.5, -0.1, 30),
            (0.0, -180.0, 1),
            (0.0, 180.0, 1),
            (85.0, 0.0, None),
            (-81.0, 0.0, None),
        ],
    ],
)
def test_zones_are_the_known_ones(latitude: float, longitude: float, zone: int | None) -> None:
    assert zone_of(np.radians(latitude), np.radians(longitude)) == zone


@pytest.mark.parametrize(("datum", "north"), [(1, lambda p: 0.0), (2, lambda p: declination_rad(p, T0)), (3, grid_rad)])
def test_a_bearing_from_any_north_is_turned_to_true_north(datum: int, north) -> None:
    """At a place where all three differ: 3 degrees east magnetic, 1.7 degrees west grid."""
    place = at(47.0, 6.7)
    decoder = SapientDecoder("f", (SensorConfig("radar", place, "radar"),), "radar", place)
    talk = [s.registration(), s.bearing(359.9, datum=datum), s.status(T0 + s.S)]
    _, out = feed(decoder, [Frame(1, "f", T0, s.frame(*talk))])
    (scan,) = [d for one in out for d in one.scans]
    assert scan.z[0, 0] == pytest.approx((np.radians(359.9) + north(place)) % (2 * np.pi), abs=1e-12)
    assert {1: -0.1, 2: 2.9, 3: -1.8}[datum] == pytest.approx((np.degrees(scan.z[0, 0]) + 180) % 360 - 180, abs=0.3)


@pytest.mark.parametrize(
    ("place", "time_ns", "datum", "why"),
    [
        (at(47.0, 8.0), ns(2031, 1, 1), 2, "bearing from magnetic north where or when no model says where that is"),
        (at(88.0, 8.0), T0, 3, "bearing from grid north where there is no UTM grid"),
    ],
)
def test_what_nobody_can_say_is_a_fault(place: Position, time_ns: int, datum: int, why: str) -> None:
    decoder = SapientDecoder("f", (SensorConfig("radar", place, "radar"),), "radar", place)
    talk = [s.registration(time_ns=time_ns), s.bearing(5.0, time_ns, datum=datum)]
    _, out = feed(decoder, [Frame(1, "f", T0, s.frame(*talk))])
    assert faults(out) == {why: 1}
