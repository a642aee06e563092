"""Directions: two that cross begin a track with an honest covariance, one alone is a wedge, ghosts are refused."""

from dataclasses import replace

import numpy as np
import pytest

from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Space, TrackStatus
from lapwing.track import CrossingSettings, TargetPrior, TrackSettings, directions, make_sensor, watch_start, watch_step
from lapwing.track.crossings import Look, cross

SECOND = 1_000_000_000
HOME = (0.9, 0.4, 0.0)
LOW = TargetPrior(height_m_mean=150.0, height_m_sigma=150.0, speed_mps_sigma=20.0, climb_mps_sigma=3.0)
SETTINGS = TrackSettings(prior=LOW)
SIGMA = np.radians(2.0)
TRIANGLE = [(-2_000.0, -1_500.0), (2_000.0, -1_500.0), (0.0, 2_500.0)]


def place(east, north, up=10.0):
    return Position(*(float(v[0]) for v in enu_to_geodetic(HOME, np.array([[east, north, up]]))))


def finder(k, at, space=Space.AZIMUTH, **kwargs):
    config = SensorConfig(f"df{k}", place(*at), "radar", range_m_max=6_000.0, **kwargs)
    return make_sensor(config, Position(*HOME), space)


def finders(places, **kwargs):
    return [finder(k, at, p_detect=0.85, clutter_per_scan=0.2, **kwargs) for k, at in enumerate(places)]


def look(rng, sensor, x, time_ns, p_detect=0.85, clutter=0.2, sigma=SIGMA):
    d = len(sensor.space.value)
    z = sensor.expect(x)[0] + sigma * rng.normal(0, 1, (len(x), d))
    z = z[rng.random(len(x)) < p_detect]
    z = np.concatenate([z, rng.uniform(-np.pi, np.pi, (rng.poisson(clutter), d)) * ([1.0, 0.1][:d])])
    return scan_of(sensor, z, time_ns, sigma)


def scan_of(sensor, z, time_ns, sigma=SIGMA):
    m, d = z.shape
    R = np.broadcast_to(np.eye(d) * sigma**2, (m, d, d)).copy()
    nobody = np.full(m, ANONYMOUS, dtype=np.int64)
    return Detections(sensor.sensor, sensor.space, time_ns, np.full(m, time_ns), z, R, nobody, np.arange(m))


def emitters(rng, n):
    x = np.zeros((n, 6))
    x[:, :2], x[:, 2], x[:, 3:5] = (
        rng.uniform(-2_500, 2_500, (n, 2)),
        rng.uniform(50, 250, n),
        rng.normal(0, 10, (n, 2)),
    )
    return x


def run(seed, places, n, seconds=60, after_s=20):
    """Confirmed ghosts per scan, share of emitters held, and normalised errors in the plane, after `after_s`."""
    rng = np.random.default_rng(seed)
    sensors, x, watch = finders(places), emitters(rng, n), watch_start(SETTINGS)
    ghosts, held, errors = [], [], []
    for k in range(1, seconds):
        x[:, :3] += x[:, 3:]
        for sensor in sensors:
            watch = watch_step(watch, look(rng, sensor, x, k * SECOND), sensor, SETTINGS)
        if k <= after_s:
            continue
        tracks = watch.tracker.tracks
        sure = tracks.status == TrackStatus.CONFIRMED
        mean, P = tracks.mean[sure, :2], tracks.cov[sure][:, :2, :2]
        e = x[None, :, :2] - mean[:, None]
        d2 = np.einsum("nti,nij,ntj->nt", e, np.linalg.inv(P), e)
        near = np.linalg.norm(e, axis=2)
        ghost = (near.min(axis=1) > 200.0) & (d2.min(axis=1) > 16.0) if len(mean) else np.zeros(0, dtype=bool)
        ghosts.append(ghost.sum())
        held.append((near.min(axis=0) < 400.0).mean() if len(mean) else 0.0)
        errors += d2[~ghost].min(axis=1).tolist() if len(mean) else []
    return float(np.mean(ghosts)), float(np.mean(held)), errors


def test_the_crossing_is_where_the_target_is_as_far_as_it_says():
    """4,000 crossings of targets drawn from the height prior: position errors fit the covariance."""
    rng = np.random.default_rng(5)
    a, b = finders(TRIANGLE[:2])
    x = np.zeros((4_000, 6))
    x[:, :2] = rng.uniform([-2_000, 0], [2_000, 3_000], (4_000, 2))
    x[:, 2] = rng.normal(150.0, 150.0, 4_000)
    looks = [Look(s, look(rng, s, x, SECOND, 1.0, 0.0), np.ones(4_000, dtype=np.int64)) for s in (a, b)]
    every = np.arange(4_000)
    c = cross(looks[0], every, looks[1], every, LOW, CrossingSettings())
    e = (c.mean - x)[c.good, :2]
    nees = np.einsum("ki,kij,kj->k", e, np.linalg.inv(c.cov[c.good][:, :2, :2]), e)
    assert c.good.mean() > 0.9
    assert 1.85 < nees.mean() < 2.2  # two degrees of freedom; the standard error is 0.033
    assert 0.93 < (nees < 5.991).mean() < 0.965


def test_two_bearings_begin_a_tentative_track_and_one_alone_is_a_wedge():
    rng = np.random.default_rng(1)
    a, b = finders(TRIANGLE[:2])
    x = np.array([[300.0, 1_000.0, 150.0, 0.0, 0.0, 0.0]])
    watch = watch_step(watch_start(SETTINGS), look(rng, a, x, SECOND, 1.0, 0.0), a, SETTINGS)
    assert len(watch.tracker.tracks) == 0
    wedge = directions(watch, 2 * SECOND, SETTINGS)
    assert wedge.sensor == ("df0",)
    assert abs(wedge.azimuth_rad[0] - np.arctan2(2_300.0, 2_500.0)) < 3 * SIGMA
    assert np.allclose(wedge.place_m[0, :2], TRIANGLE[0], atol=1.0)
    watch = watch_step(watch, look(rng, b, x, SECOND + 1, 1.0, 0.0), b, SETTINGS)
    tracks = watch.tracker.tracks
    assert tracks.status.tolist() == [TrackStatus.TENTATIVE]
    assert np.linalg.norm(tracks.mean[0, :2] - x[0, :2]) < 3 * np.sqrt(tracks.cov[0, 0, 0] + tracks.cov[0, 1, 1])
    assert 0.0 < tracks.existence[0] <= 0.5
    assert len(directions(watch, 30 * SECOND, SETTINGS)) == 0


def test_flat_crossings_and_sensors_that_stand_together_begin_nothing():
    for places, x in (
        ([(0.0, 0.0), (10.0, 0.0)], [500.0, 500.0]),
        ([(0.0, 0.0), (0.0, 2_000.0)], [50.0, 4_000.0]),
    ):
        rng, watch = np.random.default_rng(2), watch_start(SETTINGS)
        target = np.array([[*x, 150.0, 0.0, 0.0, 0.0]])
        for k in range(10):
            for sensor in finders(places):
                watch = watch_step(watch, look(rng, sensor, target, k * SECOND, 1.0, 0.0), sensor, SETTINGS)
        assert len(watch.tracker.tracks) == 0


def test_three_sensors_and_three_emitters_without_ghosts():
    """Eight runs whose seeds were not looked at before: ghosts confirmed in less than one scan of ten."""
    runs = [run(seed, TRIANGLE, 3) for seed in range(100, 108)]
    errors = np.concatenate([r[2] for r in runs])
    assert np.mean([r[0] for r in runs]) < 0.1
    assert np.mean([r[1] for r in runs]) > 0.9
    assert np.mean(errors) < 3.0  # of two degrees of freedom
    assert np.mean(errors) > 1.0


def test_with_elevation_heights_are_found():
    rng = np.random.default_rng(8)
    sensors = [
        finder(k, at, Space.AZIMUTH_ELEVATION, p_detect=0.9, clutter_per_scan=0.1) for k, at in enumerate(TRIANGLE)
    ]
    x, watch = np.array([[400.0, 300.0, 380.0, 8.0, -4.0, 0.0]]), watch_start(SETTINGS)
    for k in range(1, 30):
        x[:, :3] += x[:, 3:]
        for sensor in sensors:
            watch = watch_step(watch, look(rng, sensor, x, k * SECOND, 0.9, 0.1, 0.01), sensor, SETTINGS)
    tracks = watch.tracker.tracks
    sure = np.flatnonzero(tracks.status == TrackStatus.CONFIRMED)
    assert len(sure) == 1
    assert abs(tracks.mean[sure[0], 2] - x[0, 2]) < 3.5 * np.sqrt(tracks.cov[sure[0], 2, 2])
    assert np.sqrt(tracks.cov[sure[0], 2, 2]) < 30.0


def test_silence_of_a_direction_finder_says_nothing_of_what_radar_sees():
    """A drone that does not transmit, two direction finders that hear nothing for a minute, and a radar."""
    rng = np.random.default_rng(3)
    radar = make_sensor(
        SensorConfig("r", place(0, 0), "radar", range_m_max=8_000.0, p_detect=0.8), Position(*HOME), Space.RANGE_AZIMUTH
    )
    x, watch = np.array([[1_500.0, 800.0, 150.0, 5.0, 5.0, 0.0]]), watch_start(SETTINGS)
    for k in range(1, 60):
        x[:, :3] += x[:, 3:]
        for sensor in finders(TRIANGLE[:2]):
            nothing = Detections.empty(sensor.sensor, sensor.space, k * SECOND)
            watch = watch_step(watch, nothing, sensor, SETTINGS)
        if k % 4 == 0:
            z = radar.expect(x)[0] + rng.normal(0, 1, (1, 2)) * [20.0, 0.004]
            plot = Detections("r", radar.space, k * SECOND, np.array([k * SECOND]), z, np.diag([400.0, 1.6e-5])[None],
                              np.array([ANONYMOUS]), np.array([k]))  # fmt: skip
            watch = watch_step(watch, plot, radar, SETTINGS)
    tracks = watch.tracker.tracks
    assert (tracks.status == TrackStatus.CONFIRMED).sum() == 1
    assert tracks.existence.max() > 0.99


def test_of_what_only_directions_have_seen_silence_is_evidence():
    rng, sensors = np.random.default_rng(4), finders(TRIANGLE)
    x, watch = np.array([[300.0, 200.0, 150.0, 5.0, 0.0, 0.0]]), watch_start(SETTINGS)
    for k in range(1, 40):
        for sensor in sensors:
            scan = (
                look(rng, sensor, x, k * SECOND)
                if k < 20
                else Detections.empty(sensor.sensor, sensor.space, k * SECOND)
            )
            watch = watch_step(watch, scan, sensor, SETTINGS)
        if k == 19:
            assert watch.tracker.tracks.existence.max() > 0.95
    assert not (watch.tracker.tracks.existence > 0.05).any()


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_stray_bearings_are_expected_where_they_are_declared(ratio):
    sensor = finder(0, TRIANGLE[0], p_detect=0.8, clutter_per_scan=0.1, false_ratio=ratio)
    x = np.array([[0.0, 0.0, 100.0, 0.0, 0.0, 0.0]])
    assert sensor.p_detect(x)[0] == pytest.approx(0.8 * (1.0 - ratio))
    assert sensor.clutter_intensity(np.zeros((1, 1)))[0] == pytest.approx((0.1 + ratio) / (2 * np.pi))


def test_a_bearing_of_another_time_is_no_direction_and_crosses_nothing():
    here, there = finders(TRIANGLE[:2])
    x = np.array([[0.0, 1_000.0, 100.0, 0.0, 0.0, 0.0]])
    watch = watch_step(watch_start(SETTINGS), scan_of(here, here.expect(x)[0], 100 * SECOND), here, SETTINGS)
    scan = scan_of(there, there.expect(x)[0], 101 * SECOND)
    mad = replace(scan, time_ns=scan.time_ns - 3_600 * SECOND)
    after = watch_step(watch, mad, there, SETTINGS)
    assert [k.sensor.sensor for k in after.looks if len(k.scan)] == ["df0"]
    assert len(after.tracker.tracks) == 0
    assert after.tracker.untimely == 1
    late = watch_step(watch, scan_of(there, there.expect(x)[0], 10 * SECOND), there, SETTINGS)
    assert late.looks is watch.looks
    assert len(watch_step(watch, scan, there, SETTINGS).tracker.tracks) == 1  # of its time it does cross
