"""The clutter map: what uneven false detections do to a tracker that believes them even, and what learning mends."""

from dataclasses import replace

import numpy as np
import pytest

from lapwing.engine.codec import decode, encode
from lapwing.records import ANONYMOUS, Detections, Space, TrackStatus
from lapwing.track import AIR, ClutterSettings, PositionSensor, RadarSensor, TargetPrior, TrackSettings, start, step
from lapwing.track import clutter as maps
from lapwing.track.clutter import ClutterMap, cells, expected, like, per_scan, shares

RANGE_M, PERIOD_S, NEAR_M = 30_000.0, 5.0, 3_000.0
LEARNING = ClutterSettings()
BASE = TrackSettings(prior=TargetPrior(height_m_mean=300.0, height_m_sigma=1_500.0), modes=AIR)


def radar(declared: float) -> RadarSensor:
    return RadarSensor("Radar", Space.RANGE_AZIMUTH, np.zeros(3), np.eye(3), 0.7, declared, RANGE_M)


def scan_of(z: np.ndarray, k: int) -> Detections:
    ns = np.int64((k + 1) * PERIOD_S * 1e9)
    m = len(z)
    R = np.tile(np.diag([30.0**2, 0.01**2]), (m, 1, 1))
    columns = (np.full(m, ns), z, R, np.full(m, ANONYMOUS), np.zeros(m, dtype=np.int64))
    return Detections("Radar", Space.RANGE_AZIMUTH, int(ns), *columns)


def false_plots(rng: np.random.Generator, even: float, ground: float) -> np.ndarray:
    """Even ones, and those of the ground: ranges exponential, as around any radar near the surface."""
    a, b = rng.poisson(even), rng.poisson(ground)
    r = np.concatenate([rng.uniform(0.0, RANGE_M, a), np.minimum(rng.exponential(NEAR_M, b), RANGE_M - 1.0)])
    return np.column_stack([r, rng.uniform(-np.pi, np.pi, a + b)])


def run(
    settings: TrackSettings, seed: int, scans: int, target: tuple[float, float] | None = None
) -> list[dict[str, float]]:
    """Per scan how many tracks are confirmed away from the target, and whether one is upon it."""
    rng = np.random.default_rng(seed)
    sensor, state, told = radar(10.0), start(settings), []
    for k in range(scans):
        z = false_plots(rng, 5.0, 5.0)
        place = None
        if target is not None and k >= target[0]:
            place = np.array([target[1] - 15.0 * PERIOD_S * (k - target[0]), 2_000.0])
            if rng.random() < 0.7:
                plot = [np.hypot(*place) + rng.normal(0, 30.0), np.arctan2(*place) + rng.normal(0, 0.01)]
                z = np.vstack([z, plot])
        state, _ = step(state, scan_of(z, k), sensor, settings)
        sure = state.tracks.status != TrackStatus.TENTATIVE
        at = state.tracks.mean[sure, :2]
        upon = np.hypot(*(at - place).T) < 500.0 if place is not None else np.zeros(len(at), dtype=bool)
        told.append({"ghosts": float((~upon).sum()), "held": float(upon.any())})
    assert settings.clutter is None or state.clutter[0].scans > 0
    return told


def test_ghosts_of_the_ground_become_few():
    even = [t["ghosts"] for seed in range(3) for t in run(BASE, seed, 600)[200:]]
    learned = [t["ghosts"] for seed in range(3) for t in run(replace(BASE, clutter=LEARNING), seed, 600)[200:]]
    print(f"confirmed ghosts per scan: {np.mean(even):.3f} as declared, {np.mean(learned):.3f} learned")
    assert np.mean(even) > 0.05, "nothing to mend"
    assert np.mean(learned) < 0.4 * np.mean(even)


def test_a_target_beyond_the_ground_clutter_is_found_no_later_and_one_within_it_still():
    def first(settings: TrackSettings, start_m: float) -> float:
        waits = []
        for seed in range(8):
            told = run(settings, 100 + seed, 180, (120, start_m))[120:]
            waits.append(next((k for k, t in enumerate(told) if t["held"]), 60))
        return float(np.mean(waits))

    learning = replace(BASE, clutter=LEARNING)
    far, near, plain = first(learning, 12_000.0), first(learning, 5_000.0), first(BASE, 12_000.0)
    print(f"scans to confirm: {far:.1f} far ({plain:.1f} as declared), {near:.1f} near")
    assert far <= plain + 0.5
    assert near < 15.0


def test_the_learned_rate_is_the_true_one():
    settings, rng = replace(BASE, clutter=replace(LEARNING, memory_s=1e9)), np.random.default_rng(5)
    sensor, state = radar(10.0), start(BASE)
    truth, shape = np.zeros(LEARNING.rings), (LEARNING.rings, LEARNING.sectors)
    for k in range(800):
        z = false_plots(rng, 2.0, 12.0)
        truth += np.bincount(cells(z, sensor, LEARNING) // LEARNING.sectors, minlength=LEARNING.rings)
        state, _ = step(state, scan_of(z, k), sensor, settings)
    every = np.arange(LEARNING.rings * LEARNING.sectors)
    rate = per_scan(state.clutter[0], every, sensor, LEARNING).reshape(shape)
    assert rate.sum() == pytest.approx(truth.sum() / 800, rel=0.1)
    many = truth > 100
    assert many.sum() >= 10
    assert rate.sum(axis=1)[many] == pytest.approx(truth[many] / 800, rel=0.25)


def test_a_cell_that_is_no_different_stays_like_its_ring_and_a_hot_one_does_not():
    mean, scans = np.full(3, 0.01), 300.0
    rate = like(mean, np.array([3.0, 6.0, 60.0]), scans, LEARNING)
    assert rate[:2] == pytest.approx(0.01, rel=0.1)  # of three expected three, six: chance, or a target seen at times
    assert rate[2] == pytest.approx(61.0 / (1.0 / 0.01 + scans), rel=1e-3)  # sixty: a wind turbine, surely


def test_nothing_known_is_what_the_site_says():
    sensor = radar(12.0)
    z = false_plots(np.random.default_rng(1), 50.0, 50.0)
    total, density = expected(None, z, sensor, LEARNING)
    assert total == pytest.approx(12.0)
    assert density == pytest.approx(sensor.clutter_intensity(z))
    assert shares(LEARNING).sum() == pytest.approx(1.0)


def test_positions_are_mapped_around_their_sensor_and_endless_ones_are_not():
    sensor = PositionSensor("P", Space.POSITION_2D, 0.9, 3.0, np.pi * 1e8, (500.0, 0.0), 1e4)
    z = np.array([[500.0, 9_999.0], [600.0, 0.0], [500.0, -5_000.0], [90_000.0, 0.0]])
    ring, sector = np.divmod(cells(z, sensor, LEARNING), LEARNING.sectors)
    assert ring.tolist() == [39, 0, 20, 39]
    assert sector.tolist() == [0, 9, 18, 9]
    endless = replace(sensor, range_m_max=np.inf)
    assert not maps.mapped(endless)
    assert expected(None, z, endless, LEARNING)[0] == pytest.approx(3.0)


def test_a_clock_that_jumps_forgets_tracks_and_keeps_the_map():
    settings = replace(BASE, clutter=LEARNING)
    rng, sensor, state = np.random.default_rng(2), radar(10.0), start(BASE)
    for k in range(50):
        state, _ = step(state, scan_of(false_plots(rng, 5.0, 5.0), k), sensor, settings)
    scans = state.clutter[0].scans
    after, _ = step(state, scan_of(np.zeros((0, 2)), 10_000), sensor, settings)
    assert after.restarts == 1
    assert 0.0 < after.clutter[0].scans < scans  # faded by the gap, not thrown away
    assert decode(encode(after)).clutter[0].counts.tolist() == after.clutter[0].counts.tolist()


def test_one_flood_is_not_taken_for_clutter_that_stays():
    """A jammed radar shouts once: 5,000 plots. What is expected grows by what a scan may show, not by all of it."""
    settings, sensor, state = replace(BASE, clutter=LEARNING), radar(10.0), start(BASE)
    rng = np.random.default_rng(4)
    for k in range(60):
        state, _ = step(state, scan_of(false_plots(rng, 5.0, 5.0), k), sensor, settings)
    before = maps.whole(state.clutter[0], sensor, LEARNING)
    state, _ = step(state, scan_of(false_plots(rng, 5_000.0, 0.0), 60), sensor, settings)
    after = maps.whole(state.clutter[0], sensor, LEARNING)
    assert before == pytest.approx(10.0, rel=0.15)
    assert before < after < 1.5 * before + 10.0 * 16.0 / 80.0
    for k in range(61, 100):  # but one that shouts all the time is learned, in minutes
        state, _ = step(state, scan_of(false_plots(rng, 400.0, 0.0), k), sensor, settings)
    assert maps.whole(state.clutter[0], sensor, LEARNING) > 2.0 * after


def test_two_spaces_of_one_sensor_have_two_maps():
    one = ClutterMap("A", Space.RANGE_AZIMUTH, np.zeros(4), 1.0, 0)
    two = replace(one, space=Space.RANGE_AZIMUTH_RANGE_RATE)
    both = maps.kept(maps.kept((), two), one)
    assert len(both) == 2
    assert maps.kept(both, one) == both


@pytest.mark.parametrize("declared", [0.0, 1e-320, 1e-9])
def test_a_sensor_that_is_said_to_make_no_clutter_is_believed_only_so_far(declared):
    """No count can be judged by a rate of nought: an empty first scan made NaN of the map and of every later track."""
    settings, sensor = replace(BASE, clutter=LEARNING), radar(declared)
    state = start(settings)
    assert maps.whole(None, sensor, LEARNING) == maps.CLUTTER_MIN
    for k in range(12):
        z = np.array([[9_000.0, 0.4], [2_000.0 + 5.0 * k, 1.0]])[: 2 if k > 5 else min(k, 1)]
        state, _ = step(state, scan_of(z, k), sensor, settings)
        assert np.isfinite(state.clutter[0].counts).all()
        assert np.isfinite(state.tracks.existence).all()
        assert (per_scan(state.clutter[0], cells(z, sensor, LEARNING), sensor, LEARNING) > 0.0).all()
    assert state.tracks.existence.max() > 0.9
