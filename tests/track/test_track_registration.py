"""Registration: biases come back with honest sigmas, what cannot be known is said so and never applied."""

import numpy as np
import pytest

from lapwing.engine.registering import noise_of
from lapwing.records import ANONYMOUS, BIASES, Detections, Position, SensorConfig, Space
from lapwing.track import RegistrationSettings, TargetPrior, looks, make_sensor
from lapwing.track import registration as reg

SECOND = 1_000_000_000
ORIGIN = Position(0.9, 0.4, 0.0)
SETTINGS = RegistrationSettings()
PRIOR = np.array(SETTINGS.sigma)
CONFIG = SensorConfig("r", Position(0.9004, 0.4007, 60.0), "radar", range_m_max=40_000.0, clutter_per_scan=10.0)
NOISE = {"range_m": 30.0, "azimuth_rad": 0.0035, "elevation_rad": 0.01}


def traffic(rng, n):
    x = np.zeros((n, 6))
    x[:, :2], x[:, 2] = rng.uniform(-25e3, 25e3, (n, 2)), rng.uniform(500, 9_000, n)
    course, speed = rng.uniform(0, 2 * np.pi, n), rng.uniform(60, 220, n)
    x[:, 3], x[:, 4] = speed * np.sin(course), speed * np.cos(course)
    return x


def observed(rng, sensor, x, b, clutter=10.0):
    """Measurements of targets by a sensor with biases b, clutter among them."""
    d = len(sensor.space.value)
    true = x.copy()
    true[:, :3] -= x[:, 3:] * b[3]
    true[:, :2] -= b[4:]
    own = [b[BIASES.index(c)] for c in sensor.space.value]
    z = sensor.expect(true)[0] + own + rng.normal(0, 1, (len(x), d)) * [NOISE[c] for c in sensor.space.value]
    z = z[rng.random(len(x)) < 0.8]
    extent = np.array(
        [{"range_m": 40e3, "azimuth_rad": 2 * np.pi, "elevation_rad": 0.5}[c] for c in sensor.space.value]
    )
    return np.concatenate([z, rng.random((rng.poisson(clutter), d)) * extent])


def lasting(rng, n, share):
    """Errors of n claims that never change: a share of the variance across, all of it in height, half of that alike."""
    across = rng.normal(0, 25.0 * np.sqrt(share), (n, 2))
    up = rng.normal(0, 25.0 * np.sqrt(0.5), n) + rng.normal(0, 25.0 * np.sqrt(0.5))
    return np.concatenate([across, up[:, None] * (share > 0)], axis=1)


def watched(seed, space, b, n=10, seconds=180, x=None, share=0.5):
    """Pairs solved after a radar with biases b has looked at n aircraft whose claims err by 25 m: a share of the
    variance for ever, the rest slowly changing."""
    rng = np.random.default_rng(seed)
    sensor = make_sensor(CONFIG, ORIGIN, space)
    x = traffic(rng, n) if x is None else x
    slow = 25.0 * np.sqrt(1.0 - np.array([share, share, share > 0.0]))
    off, pairs = rng.normal(0, 1.0, (len(x), 3)) * slow, looks.begin("r", space.value, SETTINGS)
    ever = lasting(rng, len(x), share)
    P = np.zeros((len(x), 6, 6))
    P[:, [0, 1, 2], [0, 1, 2]], P[:, [3, 4, 5], [3, 4, 5]] = 25.0**2, 1.0
    for t in range(4, seconds + 1, 4):
        now = x.copy()
        now[:, :3] += t * x[:, 3:]
        off = off * np.exp(-0.5) + rng.normal(0, 1.0, off.shape) * slow * np.sqrt(1 - np.exp(-1.0))
        said = now + np.concatenate([off + ever, rng.normal(0, 1.0, off.shape)], axis=1)
        z = observed(rng, sensor, now, b)
        m = len(z)
        R = np.tile(np.diag([NOISE[c] ** 2 for c in space.value]), (m, 1, 1))
        nobody = np.full(m, ANONYMOUS, dtype=np.int64)
        scan = Detections("r", space, t * SECOND, np.full(m, t * SECOND), z, R, nobody, np.arange(m))
        claims = looks.Reference(t * SECOND, np.arange(len(x)), said, P)
        pairs = looks.collect(pairs, scan, sensor, claims, SETTINGS)
    return reg.solve(pairs, sensor, seconds * SECOND, noise_of(CONFIG, space.value), SETTINGS)


@pytest.mark.parametrize("space", [Space.RANGE_AZIMUTH, Space.RANGE_AZIMUTH_ELEVATION, Space.AZIMUTH])
@pytest.mark.parametrize(("share", "least"), [(0.5, 0.9), (0.0, 0.5)])
def test_biases_come_back_as_well_as_they_say(space, share, least):
    """Twenty-four new seeds; azimuth off by 1 to 11 degrees, the rest drawn from the prior. The claims' errors last as
    assumed; or none of them lasts, then sigmas are larger than need be, never smaller."""
    errors = []
    for seed in range(500, 524):
        rng = np.random.default_rng(seed + 10_000)
        b = rng.normal(0, 1, 6) * PRIOR
        b[1] = np.radians(rng.uniform(1.0, 11.0)) * rng.choice([-1.0, 1.0])
        b[[k for k in range(3) if BIASES[k] not in space.value]] = 0.0
        found = watched(seed, space, b, share=share).found
        assert found.observable[1] == 1
        assert abs(found.bias[1] - b[1]) < np.radians(0.5)
        errors.append(np.where(found.observable == 1, (found.bias - b) / found.sigma, np.nan))
    e2 = np.array(errors)[:, ~np.isnan(errors).all(axis=0)] ** 2
    n = np.count_nonzero(~np.isnan(e2))
    # Mean normalised squared error, with four standard errors of chi-square.
    assert least - 4.0 * np.sqrt(2.0 / n) * least < np.nanmean(e2) < 1.0 + 4.0 * np.sqrt(2.0 / n)
    assert np.nanmean(e2 < 9.0) > 0.98


def test_what_cannot_be_known_is_the_prior_and_is_never_applied():
    nobody = watched(1, Space.RANGE_AZIMUTH, np.zeros(6), x=np.zeros((0, 6)))
    assert not nobody.found.observable.any()
    assert np.array_equal(nobody.found.sigma, PRIOR)
    # One aircraft alone, whatever is off: too little to tell a sensor's error from the aircraft's.
    alone = watched(2, Space.RANGE_AZIMUTH, np.array([80.0, 0.05, 0, 0, 0, 0]), n=1).found
    assert not alone.observable.any()
    # Two on one radial, straight away: azimuth is seen; along the way range, clock and place are one.
    x = np.zeros((2, 6))
    x[:, 1], x[:, 2], x[:, 4] = [9e3, 14e3], 3_000.0, 120.0
    radial = watched(3, Space.RANGE_AZIMUTH, np.array([60.0, 0.03, 0, 0.8, 0, 0]), x=x).found
    assert radial.observable[[0, 2, 5]].tolist() == [0, 0, 0]
    scan = Detections("r", Space.RANGE_AZIMUTH, SECOND, np.array([SECOND]), np.array([[5e3, 1.0]]),
                      np.diag([900.0, 1e-5])[None], np.array([ANONYMOUS]), np.array([1]))  # fmt: skip
    sensor = make_sensor(CONFIG, ORIGIN, Space.RANGE_AZIMUTH)
    assert reg.corrected(scan, sensor, alone, TargetPrior()) is scan


def test_a_corrected_scan_measures_as_an_unbiased_sensor_would():
    rng = np.random.default_rng(9)
    b = np.array([90.0, 0.08, 0.0, 1.2, 40.0, -30.0])
    found = watched(9, Space.RANGE_AZIMUTH, b).found
    sensor, x = make_sensor(CONFIG, ORIGIN, Space.RANGE_AZIMUTH), traffic(rng, 30)
    x = x[np.hypot(*(x[:, :2] - sensor.position_m[:2]).T) > 8e3]  # nearer, unknown height turns the correction
    true = x.copy()
    true[:, :2] -= b[4:]
    z = sensor.expect(true)[0] + b[:2]
    m, ns = len(z), 100 * SECOND
    scan = Detections("r", sensor.space, ns, np.full(m, ns), z, np.tile(np.diag([900.0, 1e-5]), (m, 1, 1)),
                      np.full(m, ANONYMOUS), np.arange(m))  # fmt: skip
    out = reg.corrected(scan, sensor, found, TargetPrior())
    assert abs((ns - out.scan_ns) * 1e-9 - 1.2) < 0.2
    nu = sensor.innovation(out.z, sensor.expect(x)[0])
    assert np.abs(nu[:, 0]).max() < 40.0
    assert np.abs(nu[:, 1]).max() < 0.004
    assert (out.R[:, 0, 0] > 900.0).all()


def test_false_claims_do_not_turn_a_radar():
    """Two of ten claims say they are five degrees elsewhere: the other eight outvote them."""
    rng = np.random.default_rng(4)
    x = traffic(rng, 10)
    sensor = make_sensor(CONFIG, ORIGIN, Space.RANGE_AZIMUTH)
    pairs = looks.begin("r", sensor.space.value, SETTINGS)
    P = np.tile(np.eye(6) * 400.0, (10, 1, 1))
    for t in range(4, 181, 4):
        now = x.copy()
        now[:, :3] += t * x[:, 3:]
        z = observed(rng, sensor, now, np.zeros(6))
        said = now.copy()
        turn = np.radians(5.0)
        said[:2, :2] = said[:2, :2] @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        R = np.tile(np.diag([900.0, 0.0035**2]), (len(z), 1, 1))
        scan = Detections("r", sensor.space, t * SECOND, np.full(len(z), t * SECOND), z, R,
                          np.full(len(z), ANONYMOUS), np.arange(len(z)))  # fmt: skip
        pairs = looks.collect(pairs, scan, sensor, looks.Reference(t * SECOND, np.arange(10), said, P), SETTINGS)
    found = reg.solve(pairs, sensor, 180 * SECOND, np.zeros(6), SETTINGS).found
    assert abs(found.bias[1]) < np.radians(0.2)


def scan_of_angles(rng, space, z, sigma_rad, now_ns):
    z = z + rng.normal(0, sigma_rad, z.shape)
    m = len(z)
    nobody = np.full(m, ANONYMOUS, dtype=np.int64)
    R = np.tile(np.eye(z.shape[1]) * sigma_rad**2, (m, 1, 1))
    return Detections("r", space, now_ns, np.full(m, now_ns), z, R, nobody, np.arange(m))


@pytest.mark.parametrize("seed", range(6))
def test_a_direction_finder_that_does_not_hear_the_traffic_learns_nothing_from_it(seed):
    """Five aircraft on one path past a drone that stands still, transmits, and says nothing. The finder hears the drone
    alone; a radar's track of it is known."""
    rng = np.random.default_rng(seed)
    config = SensorConfig("r", Position(0.9, 0.4, 10.0), "radar", range_m_max=9_000.0, azimuth_sigma_rad=0.07,
                          clutter_per_scan=0.1)  # fmt: skip
    finder = make_sensor(config, ORIGIN, Space.AZIMUTH)
    drone = np.array([[-600.0, 2_500.0, 100.0, 0.0, 0.0, 0.0]])
    x = np.zeros((5, 6))
    x[:, 0], x[:, 1], x[:, 2] = rng.uniform(-900, 1_500, 5), -9_000.0 + 900.0 * np.arange(5), 600.0
    x[:, 4] = 80.0
    pairs = looks.begin("r", Space.AZIMUTH.value, SETTINGS)
    P = np.tile(np.diag([15.0, 15.0, 40.0, 2.0, 2.0, 2.0]) ** 2, (5, 1, 1))
    for t in range(1, 181):
        now = x.copy()
        now[:, 1] += 80.0 * t
        track = looks.Reference(t * SECOND, np.array([-2]), drone, P[:1])
        scan = scan_of_angles(rng, Space.AZIMUTH, finder.expect(drone)[0], 0.07, t * SECOND)
        pairs = looks.collect(pairs, scan, finder, looks.Reference(t * SECOND, np.arange(5), now, P), SETTINGS, track)
        if t % 20 == 0:
            found = reg.solve(pairs, finder, t * SECOND, np.zeros(6), SETTINGS).found
            assert not found.observable.any(), (t, found)


def camera_of(seed, common_m, height_sigma_m):
    """What is found of a camera without bias from arrivals whose heights are all off by as much."""
    rng = np.random.default_rng(seed)
    config = SensorConfig("r", Position(0.9, 0.4, 10.0), "radar", range_m_max=4_000.0, azimuth_sigma_rad=0.002,
                          clutter_per_scan=0.02)  # fmt: skip
    camera = make_sensor(config, ORIGIN, Space.AZIMUTH_ELEVATION)
    x = np.zeros((5, 6))
    x[:, 0], x[:, 1], x[:, 4] = rng.uniform(-900, 1_500, 5), -6_000.0 - 900.0 * np.arange(5), 80.0
    pairs = looks.begin("r", Space.AZIMUTH_ELEVATION.value, SETTINGS)
    P = np.tile(np.diag([15.0, 15.0, height_sigma_m, 2.0, 2.0, 2.0]) ** 2, (5, 1, 1))
    for t in range(1, 181):
        now = x.copy()
        now[:, 1] += 80.0 * t
        now[:, 2] = 300.0 + 0.05 * np.abs(now[:, 1])
        near = np.linalg.norm(now[:, :3], axis=1) < 4_000.0
        if near.any():
            scan = scan_of_angles(rng, camera.space, camera.expect(now[near])[0], 0.002, t * SECOND)
            said = now.copy()
            said[:, 2] += common_m + rng.normal(0, 2.0, 5)
            pairs = looks.collect(pairs, scan, camera, looks.Reference(t * SECOND, np.arange(5), said, P), SETTINGS)
    return reg.solve(pairs, camera, 180 * SECOND, np.zeros(6), SETTINGS).found


def test_heights_by_air_pressure_do_not_tilt_a_camera():
    """150 m off, all of them alike, said with 200 m: nothing is sure of an elevation that is not wrong by that much."""
    for seed in range(4):
        pressure = camera_of(seed, -150.0, 200.0)
        assert abs(pressure.bias[2]) < 3.0 * pressure.sigma[2] or not pressure.observable[2]
        geometric = camera_of(seed, -10.0, 35.0)
        assert geometric.observable[1:3].all()
        assert abs(geometric.bias[1]) < np.radians(0.3)
        assert abs(geometric.bias[2]) < 3.0 * geometric.sigma[2]
        assert geometric.sigma[2] < np.radians(1.2)


def crowded(references, plots, seed=0):
    """One scan of a radar with that many of both, all claims trusted."""
    rng = np.random.default_rng(seed)
    sensor, x = make_sensor(CONFIG, ORIGIN, Space.RANGE_AZIMUTH), traffic(rng, references)
    P = np.tile(np.diag([20.0, 20.0, 60.0, 3.0, 3.0, 3.0]) ** 2, (references, 1, 1))
    z = np.column_stack([rng.uniform(100, 40e3, plots), rng.uniform(-np.pi, np.pi, plots)])
    R = np.tile(np.diag([900.0, 0.0035**2]), (plots, 1, 1))
    nobody = np.full(plots, ANONYMOUS, dtype=np.int64)
    scan = Detections("r", sensor.space, SECOND, np.full(plots, SECOND), z, R, nobody, np.arange(plots))
    return scan, sensor, looks.Reference(SECOND, np.arange(references), x, P)


@pytest.mark.parametrize(("references", "plots"), [(200, 300), (500, 2_000), (3, 40)])
def test_a_crowd_costs_no_more_than_agreed(references, plots):
    scan, sensor, reference = crowded(references, plots)
    pairs = looks.collect(looks.begin("r", sensor.space.value, SETTINGS), scan, sensor, reference, SETTINGS)
    assert len(pairs.look) <= SETTINGS.pairs_max
    whole = [np.count_nonzero(pairs.look == k) for k in np.unique(pairs.look)]
    assert references > 3 or sum(whole) > 0
    # those left out come first the next time
    later = Detections(
        "r", sensor.space, 5 * SECOND, scan.time_ns + 4 * SECOND, scan.z, scan.R, scan.address, scan.frame_seq
    )
    again = looks.collect(pairs, later, sensor, reference._replace(time_ns=5 * SECOND), SETTINGS)
    assert len(again.look) <= SETTINGS.pairs_max
    assert not np.isin(again.address[again.time_ns == later.time_ns[0]], pairs.address).any()


def test_errors_of_place_and_height_that_hang_together_break_nothing():
    rng = np.random.default_rng(6)
    sensor, x = make_sensor(CONFIG, ORIGIN, Space.RANGE_AZIMUTH), traffic(rng, 12)
    P = np.tile(np.eye(6), (12, 1, 1))
    P[:, [0, 1], [0, 1]] = 1e4
    P[:, 0, 1] = P[:, 1, 0] = 0.9e4
    P[:, 2, 2] = 4_000.0**2
    P[:, 0, 2] = P[:, 2, 0] = 0.5 * 100.0 * 4_000.0
    pairs = looks.begin("r", sensor.space.value, SETTINGS)
    for t in range(12, 181, 12):
        now = x.copy()
        now[:, :3] += t * x[:, 3:]
        z = observed(rng, sensor, now, np.array([0.0, 0.05, 0.0, 0.0, 0.0, 0.0]))
        R = np.tile(np.diag([900.0, 0.0035**2]), (len(z), 1, 1))
        nobody = np.full(len(z), ANONYMOUS, dtype=np.int64)
        scan = Detections("r", sensor.space, t * SECOND, np.full(len(z), t * SECOND), z, R, nobody, np.arange(len(z)))
        pairs = looks.collect(pairs, scan, sensor, looks.Reference(t * SECOND, np.arange(12), now, P), SETTINGS)
        found = reg.solve(pairs, sensor, t * SECOND, np.zeros(6), SETTINGS).found
        assert np.isfinite(found.sigma).all()
    assert abs(found.bias[1] - 0.05) < np.radians(0.5)
