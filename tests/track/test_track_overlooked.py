"""Whoever holds many targets has overlooked some: those that the first looks missed can still begin."""

from dataclasses import replace

import numpy as np
from tests.track.ordeals import SECOND, scan_of

from lapwing.records import Space
from lapwing.track import PositionSensor, TargetPrior, TrackSettings, start, step
from lapwing.track.undetected import expected_undetected

SIDE_M, COUNT = 1_000.0, 100
SENSOR = PositionSensor("s", Space.POSITION_2D, 0.9, 100.0, SIDE_M**2)
SETTINGS = TrackSettings(prior=TargetPrior(speed_mps_sigma=8.0), noise_horizontal_m2ps3=0.5, lifetime_s=1e5)


def look(rng, x, k):
    """Plots of nine in ten of the targets, and a hundred false ones."""
    seen = x[rng.random(len(x)) < 0.9]
    z = seen + rng.normal(0.0, 5.0, seen.shape)
    return scan_of(SENSOR, np.concatenate([z, rng.uniform(0.0, SIDE_M, (100, 2))]), np.eye(2) * 25.0, k * SECOND)


def held(settings, looks=40, seed=3):
    """Share of the targets with a sure track near them after so many looks, and the sure tracks per target."""
    rng, state = np.random.default_rng(seed), start(settings)
    x, v = rng.uniform(0.0, SIDE_M, (COUNT, 2)), rng.normal(0.0, 8.0, (COUNT, 2))
    for k in range(1, looks + 1):
        x = x + v
        state, _ = step(state, look(rng, x, k), SENSOR, settings)
    sure = state.tracks.mean[state.tracks.existence > 0.5, :2]
    near = np.linalg.norm(x[:, None] - sure[None], axis=2).min(axis=1)
    return (near < 15.0).mean(), len(sure) / COUNT


def test_targets_that_the_first_looks_missed_begin_later():
    """Of a hundred, with five expected at the start and one in fifty seconds to come, some would never be believed: the
    expectation sinks so fast that their plots begin tracks too doubtful to live."""
    share, tracks = held(SETTINGS)
    without, _ = held(replace(SETTINGS, overlooked_share=0.0))
    assert share > 0.95
    assert without < 0.92
    assert tracks < 1.05  # and no false ones for it


def test_what_is_held_in_the_coverage_says_how_many_are_overlooked():
    rng, state = np.random.default_rng(1), start(SETTINGS)
    x = rng.uniform(0.0, SIDE_M, (COUNT, 2))
    for k in range(1, 20):
        state, _ = step(state, look(rng, x, k), SENSOR, SETTINGS)
    scan = look(rng, x, 20)
    number = float(state.tracks.existence.sum())
    assert number > 0.8 * COUNT
    assert expected_undetected(state, scan, SENSOR, SETTINGS) >= SETTINGS.overlooked_share * number
    many = replace(SETTINGS, overlooked_share=0.5)
    assert np.isclose(expected_undetected(state, scan, SENSOR, many), 0.5 * number)

    class Elsewhere(PositionSensor):
        def p_detect(self, mean):
            return np.zeros(len(mean))

    blind = Elsewhere("s", Space.POSITION_2D, 0.9, 100.0, SIDE_M**2)
    assert expected_undetected(state, scan, blind, many) < 1.0  # what stands outside says nothing of the inside
    assert expected_undetected(state, replace(scan, sensor="t"), SENSOR, many) == SETTINGS.undetected_start


def test_a_late_scan_does_not_turn_the_time_of_the_last_look_back():
    """Looks a second apart, and each again as it would come fifty seconds late: arrivals in between were expected anew
    with every pair (0.94 in place of 0.05), for the late scan was taken for the last look."""
    blind, settings, states = replace(SENSOR, detection_probability=0.3), TrackSettings(), []
    nothing = np.zeros((0, 2))
    for late in (False, True):
        state = start(settings)
        for k in range(51, 110):
            state, _ = step(state, scan_of(blind, nothing, np.eye(2), k * SECOND), blind, settings)
            if late:
                state, _ = step(state, scan_of(blind, nothing, np.eye(2), (k - 50) * SECOND), blind, settings)
            assert state.looked_ns.tolist() == [k * SECOND]
        states.append(float(state.undetected[0]))
    assert states[1] <= states[0] < 0.06
