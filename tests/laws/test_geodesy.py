"""Geodesy: there and back again, for any point; and against PROJ."""

import numpy as np
import pyproj
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.kernel import geodesy

lat = st.floats(-1.57, 1.57)
lon = st.floats(-3.14159, 3.14159)
height = st.floats(-10_000.0, 1_000_000.0)


@given(lat, lon, height)
@settings(deadline=None)
def test_ecef_and_back(la, lo, h):
    got = geodesy.ecef_to_geodetic(geodesy.geodetic_to_ecef(np.array([la]), np.array([lo]), np.array([h])))
    assert np.allclose(np.concatenate(got), [la, lo, h], rtol=0, atol=[1e-12, 1e-12, 1e-6])


@given(lat, lon, height, lat, lon, height)
@settings(deadline=None)
def test_enu_and_back(la0, lo0, h0, la, lo, h):
    origin = (la0, lo0, h0)
    enu = geodesy.geodetic_to_enu(origin, np.array([la]), np.array([lo]), np.array([h]))
    back = np.concatenate(geodesy.enu_to_geodetic(origin, enu))
    assert np.allclose(back, [la, lo, h], rtol=0, atol=[1e-11, 1e-10 / max(np.cos(la), 1e-3), 1e-5])


def test_against_proj():
    rng = np.random.default_rng(1)
    la, lo = rng.uniform(-1.55, 1.55, 500), rng.uniform(-3.1, 3.1, 500)
    h = rng.uniform(-500, 20_000, 500)
    proj = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    want = np.stack(proj.transform(np.degrees(lo), np.degrees(la), h), axis=-1)
    assert np.abs(geodesy.geodetic_to_ecef(la, lo, h) - want).max() < 1e-6
    enu = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +proj=cart +ellps=WGS84 +step +proj=topocentric +ellps=WGS84 +lon_0=20 +lat_0=50 +h_0=100"
    )
    want = np.stack(enu.transform(np.degrees(lo), np.degrees(la), h), axis=-1)
    got = geodesy.geodetic_to_enu((np.radians(50.0), np.radians(20.0), 100.0), la, lo, h)
    assert np.abs(got - want).max() < 1e-6


def test_frame_between_is_a_rigid_motion():
    origin, place = (0.9, 0.4, 30.0), (0.91, 0.42, 200.0)
    position, rotation = geodesy.frame_between(origin, place)
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-15)
    point = (np.array([0.905]), np.array([0.41]), np.array([5000.0]))
    via = (geodesy.geodetic_to_enu(origin, *point) - position) @ rotation.T
    assert np.allclose(via, geodesy.geodetic_to_enu(place, *point), atol=1e-6)
