"""The geoid: published points, PROJ on the same grid, and what must hold anywhere."""

from pathlib import Path

import numpy as np
import pyproj
import pytest
from builders import geoid_egm96
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.kernel import geoid
from lapwing.kernel.geoid import geoid_height_m

GRID = Path("/usr/share/proj/egm96_15.gtx")
# The test points that NIMA published with EGM96 and its interpolation programs (OUTPUT.DAT): degrees, degrees, metres.
PUBLISHED = [
    (38.6281550, 269.7791550, -31.628),
    (-14.6212170, 305.0211140, -2.969),
    (46.8743190, 102.4487290, -43.575),
    (-23.6174460, 133.8747120, 15.871),
    (38.6254730, 359.9995000, 50.066),
    (-0.4667440, 0.0023000, 17.329),
]
lat, lon = st.floats(-np.pi / 2, np.pi / 2), st.floats(-20.0, 20.0)


@pytest.mark.parametrize(("latitude_deg", "longitude_deg", "height_m"), PUBLISHED)
def test_published_points(latitude_deg, longitude_deg, height_m):
    """By splines there, bilinear here: 5 cm apart at most."""
    assert geoid_height_m(np.radians(latitude_deg), np.radians(longitude_deg)) == pytest.approx(height_m, abs=0.05)


@pytest.mark.skipif(not GRID.exists(), reason="PROJ's EGM96 grid is not here (Debian package proj-data)")
def test_against_proj_on_the_same_grid():
    """Within the rounding of 2.5 cm, at random places, on grid lines, across the date line and beside the poles."""
    rng = np.random.default_rng(1)
    la = np.concatenate([rng.uniform(-90, 90, 20_000), [0.25, -12.5, 89.99, -89.99, 90.0, -90.0]])
    lo = np.concatenate([rng.uniform(-180, 180, 20_000), [0.0, 179.99, -179.99, 12.0, 77.0, 33.0]])
    shift = pyproj.Transformer.from_pipeline(f"+proj=vgridshift +grids={GRID} +multiplier=1")
    want = np.array(shift.transform(np.radians(lo), np.radians(la), np.zeros_like(la), radians=True)[2])
    assert np.isfinite(want).all()
    assert np.abs(want).max() > 50.0
    assert np.abs(geoid_height_m(np.radians(la), np.radians(lo)) - want).max() <= geoid.STEP_M / 2 + 1e-5


@pytest.mark.skipif(not GRID.exists(), reason="PROJ's EGM96 grid is not here (Debian package proj-data)")
def test_the_packed_grid_is_what_the_builder_makes():
    assert geoid_egm96.packed(geoid_egm96.grid_m(GRID.read_bytes())) == geoid_egm96.TARGET.read_bytes()


@given(lat, lon)
@settings(deadline=None)
def test_longitude_wraps_and_nothing_is_out_of_range(la, lo):
    here = geoid_height_m(la, lo)
    assert -107.0 <= here <= 86.0
    assert geoid_height_m(la, lo + 2.0 * np.pi) == pytest.approx(float(here), abs=1e-6)


@given(lon)
@settings(deadline=None)
def test_at_a_pole_every_longitude_is_the_same(lo):
    """13.6 m over the north pole, 29.5 m under the south pole."""
    assert geoid_height_m(np.pi / 2, lo) == pytest.approx(13.61, abs=0.03)
    assert geoid_height_m(-np.pi / 2, lo) == pytest.approx(-29.53, abs=0.03)


def test_it_goes_on_across_the_date_line_and_keeps_shapes():
    edge = geoid_height_m(np.zeros((2, 3)), np.array([[-np.pi, np.pi, 3.1], [-3.1, np.nextafter(np.pi, 4), -1e-17]]))
    assert edge.shape == (2, 3)
    assert edge[0, 0] == edge[0, 1] == pytest.approx(edge[1, 1])
    assert geoid_height_m(0.3, np.pi - 1e-9) == pytest.approx(float(geoid_height_m(0.3, -np.pi + 1e-9)), abs=1e-4)
