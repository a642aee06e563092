"""Sensor models against numeric derivatives, against themselves, and against plain geometry."""

import numpy as np
import pytest

from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.records import Position, SensorConfig, Space
from lapwing.track import SensorModel, TargetPrior, make_sensor

ORIGIN = Position(np.radians(50.0), np.radians(22.0), 200.0)
PLACE = Position(np.radians(50.4), np.radians(22.9), 350.0)
SECOND = Position(np.radians(50.1), np.radians(22.4), 400.0)
RADAR_SPACES = [s for s in Space if "range_m" in s.value]
LOCATING = [Space.POSITION_2D, Space.POSITION_3D, *RADAR_SPACES]
SPACES = list(Space)


def model(space, **kwargs):
    kind = "radar" if "range_m" in space.value else "position"
    return make_sensor(SensorConfig("x", PLACE, kind, range_m_max=100_000.0, second=SECOND, **kwargs), ORIGIN, space)


def targets(n=50):
    rng = np.random.default_rng(1)
    centre = geodetic_to_enu(
        (ORIGIN.latitude_rad, ORIGIN.longitude_rad, ORIGIN.height_ellipsoid_m),
        *(np.array([v]) for v in (PLACE.latitude_rad, PLACE.longitude_rad, PLACE.height_ellipsoid_m)),
    )
    position = centre + rng.normal(0, 1, (n, 3)) * [3e4, 3e4, 1e3] + [0, 0, 5e3]
    return np.concatenate([position, rng.normal(0, 100, (n, 3))], axis=1)


@pytest.mark.parametrize("space", SPACES)
def test_jacobian_is_the_derivative(space):
    sensor, x = model(space), targets()
    z, H = sensor.expect(x)
    assert isinstance(sensor, SensorModel)
    assert z.shape == (len(x), len(space.value))
    for axis in range(6):
        step = np.zeros(6)
        step[axis] = 0.05
        numeric = sensor.innovation(sensor.expect(x + step)[0], sensor.expect(x - step)[0]) / 0.1
        assert np.allclose(H[:, :, axis], numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("space", LOCATING)
def test_a_birth_measures_as_its_detection(space):
    sensor = model(space)
    z = sensor.expect(targets())[0]
    d = len(space.value)
    sigma = {"range_m": 30.0, "azimuth_rad": 0.003, "elevation_rad": 0.01, "range_rate_mps": 1.0}
    R = np.broadcast_to(np.diag([sigma.get(c, 20.0) ** 2 for c in space.value]), (len(z), d, d)).copy()
    mean, cov = sensor.invert(z, R, TargetPrior())
    nu = sensor.innovation(z, sensor.expect(mean)[0])
    tolerance = np.array([0.05 if c == "range_rate_mps" else 1e-6 for c in space.value])
    assert np.allclose(nu[:, : min(d, 3)], 0.0, atol=tolerance[:3])
    np.linalg.cholesky(cov)
    # Seen through the sensor, the birth is as vague as the detection.
    H = sensor.expect(mean)[1][:, :2]
    seen = H @ cov @ np.swapaxes(H, 1, 2)
    if "range_rate_mps" not in space.value:
        assert np.allclose(seen, R[:, :2, :2], rtol=1e-4, atol=1e-9)


def test_range_rate_gives_a_birth_its_radial_speed():
    sensor = model(Space.RANGE_AZIMUTH_ELEVATION_RANGE_RATE)
    x = targets()
    z, H = sensor.expect(x)
    R = np.broadcast_to(np.diag([900.0, 9e-6, 1e-4, 1.0]), (len(z), 4, 4)).copy()
    mean, cov = sensor.invert(z, R, TargetPrior())
    radial = H[:, 3, 3:]
    assert np.allclose(np.einsum("ni,ni->n", radial, mean[:, 3:]), z[:, 3], rtol=0.02, atol=0.5)
    left = np.einsum("ni,nij,nj->n", radial, cov[:, 3:, 3:], radial)
    assert (left < 1.01).all()


def test_radar_geometry_from_its_own_place():
    """A target 20 km due north of the radar, at its level, 3 km higher."""
    sensor = model(Space.RANGE_AZIMUTH_ELEVATION)
    at = geodetic_to_enu(
        (ORIGIN.latitude_rad, ORIGIN.longitude_rad, ORIGIN.height_ellipsoid_m),
        *(np.array([v]) for v in (PLACE.latitude_rad, PLACE.longitude_rad, PLACE.height_ellipsoid_m)),
    )[0]
    local = np.array([0.0, 20_000.0, 3_000.0])
    x = np.concatenate([at + local @ sensor.rotation, np.zeros(3)])[None]
    z = sensor.expect(x)[0][0]
    assert np.allclose(z, [np.hypot(20_000, 3_000), 0.0, np.arctan2(3_000, 20_000)], atol=1e-9)


def test_azimuth_goes_the_short_way_round():
    sensor = model(Space.RANGE_AZIMUTH)
    nu = sensor.innovation(np.array([[1.0, 0.01], [1.0, 6.27]]), np.array([[1.0, 6.28], [1.0, -0.01]]))
    assert np.allclose(nu[:, 1], [0.01 - 6.28 + 2 * np.pi, 6.28 - 2 * np.pi])


def test_detects_only_in_range():
    sensor = model(Space.POSITION_2D, p_detect=0.9)
    x = np.zeros((3, 6))
    x[:, :2] = np.array(sensor.centre_m) + np.array([[0.0, 0.0], [102_500.0, 0.0], [0.0, 106_000.0]])
    assert np.allclose(sensor.p_detect(x), [0.9, 0.45, 0.0])
    radar = model(Space.RANGE_AZIMUTH, p_detect=0.9)
    x[:, :3] = radar.position_m + np.array([[5e3, 0, 0], [0, 102_500.0, 0], [0, 0, 2e5]])
    assert np.allclose(radar.p_detect(x), [0.9, 0.45, 0.0])


def test_detects_as_its_curve_says():
    """Straight between the points, as at the last beyond it, nothing beyond the range; stray bearings see nobody."""
    at = ((10_000.0, 0.9), (30_000.0, 0.5), (60_000.0, 0.2))
    want = {0.0: 0.9, 20_000.0: 0.7, 45_000.0: 0.35, 80_000.0: 0.2, 106_000.0: 0.0}
    for space in (Space.POSITION_2D, Space.POSITION_3D, *RADAR_SPACES, Space.AZIMUTH):
        sensor = model(space, p_detect=0.99, p_detect_at=at, false_ratio=0.1)
        place = sensor.centre_m if "POSITION" in space.name else sensor.position_m
        x = np.zeros((len(want), 6))
        x[:, : len(place)] = place
        x[:, 1] += list(want)
        share = 0.9 if space is Space.AZIMUTH else 1.0
        assert np.allclose(sensor.p_detect(x), share * np.array(list(want.values())))
        mean = (10 * 0.9 + 20 * 0.7 + 30 * 0.35 + 40 * 0.2) / 100
        assert sensor.detection_probability == pytest.approx(mean, abs=1e-3)


def test_clutter_fills_the_volume_once():
    for space in SPACES:
        sensor = model(space, clutter_per_scan=7.0)
        z = np.ones((2, len(space.value)))
        assert np.allclose(sensor.clutter_intensity(z) * sensor.volume, 7.0)


def test_a_bearing_is_no_place():
    """It begins nothing, but its Gaussian lies along the bearing."""
    sensor = model(Space.AZIMUTH)
    mean, cov = sensor.invert(np.array([[0.5]]), np.full((1, 1, 1), 1e-4), TargetPrior())
    assert not sensor.locates
    assert np.allclose(sensor.innovation(np.array([[0.5]]), sensor.expect(mean)[0]), 0.0, atol=1e-3)
    np.linalg.cholesky(cov)


def test_default_radar_needs_no_debiasing():
    """Converted-measurement bias matters from range * sigma^2 / range_sigma = 0.4: the default radar is well below."""
    c = SensorConfig("x", PLACE, "radar")
    assert c.range_m_max * c.azimuth_sigma_rad**2 / c.range_sigma_m < 0.04
