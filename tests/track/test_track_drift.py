"""Drift: false alarms as rare as said, a change found, a verdict that does not flutter, and nothing judged unseen."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from tests.track.test_track_registration import CONFIG, NOISE, ORIGIN, SETTINGS, observed, traffic

from lapwing.engine.registering import noise_of
from lapwing.records import ANONYMOUS, Detections, Drift, Registration, Space
from lapwing.track import DriftSettings, looks, make_sensor
from lapwing.track import registration as reg
from lapwing.track.drift import judged

SECOND = 1_000_000_000
LOOKS = 9  # in a window of 180 s, one every 20 s
DAY = 4_320
WINDOW_S = 180.0
NONE = np.zeros(6)
B = np.array([100.0, 0.02, 0.02, 0.2, 40.0, 40.0])
SIGMA = np.array([6.0, 8e-4, 8e-4, 0.03, 9.0, 9.0])  # of one solution
OWN = np.array([30.0, 0.0035, 0.01, 0.0, 0.0, 0.0])


def solutions(rng, bias):
    """Solutions every twenty seconds, each the mean of the last nine looks at the biases of that time: (k, 6) rows."""
    looks = bias + rng.normal(0.0, 1.0, bias.shape) * SIGMA * np.sqrt(LOOKS)
    total = np.cumsum(np.concatenate([np.zeros((1, 6)), looks]), axis=0)
    return (total[LOOKS:] - total[:-LOOKS]) / LOOKS


def told(rows, settings=None, tolerance=NONE, seen=None):
    """Verdicts after each solution."""
    drift, out = Drift.empty(), []
    for k, row in enumerate(rows):
        observable = np.ones(6, dtype=np.int64) if seen is None else seen[k]
        found = Registration("r", (k + 1) * 20 * SECOND, 300, row, SIGMA.copy(), observable, OWN)
        found = judged(drift, found, tolerance, WINDOW_S, settings or DriftSettings())
        drift = found.drift
        out.append(drift)
    return out


@pytest.mark.slow
def test_the_difference_is_as_large_as_its_sigma_says():
    """What is compared is independent: over four sensor-days of six biases each, the normalised differences have
    variance one, and exceed three sigmas as often as a Gaussian does."""
    fair = DriftSettings(sigmas=1e9, grown=1.0)
    z = []
    for seed in range(4):
        rows = solutions(np.random.default_rng(seed), np.tile(B, (DAY, 1)))
        for k, d in enumerate(told(rows, fair)):
            if k > 400:
                z.append((rows[k] - d.norm) / np.sqrt(SIGMA**2 + 1.0 / d.information))
    z = np.array(z)
    assert abs(np.mean(z**2) - 1.0) < 0.08  # 4 days of 480 windows and six biases: standard error 0.013
    assert 0.0015 < np.mean(np.abs(z) > 3.0) < 0.0045  # 0.0027 of a Gaussian


@pytest.mark.slow
def test_no_false_alarm_in_thirty_bias_days():
    for seed in range(5):
        verdicts = told(solutions(np.random.default_rng(100 + seed), np.tile(B, (DAY, 1))))
        assert not any((d.moved_ns > 0).any() for d in verdicts)


def test_false_alarms_come_as_often_as_the_threshold_says():
    """With thresholds of three sigmas alarms do come, some per day: the test above is not blind."""
    often = DriftSettings(sigmas=3.0, grown=1.0, noises=0.0, clock_s=0.0, place_m=0.0)
    verdicts = told(solutions(np.random.default_rng(7), np.tile(B, (DAY, 1))), often)
    began = sum(int(((b.moved_ns > 0) & (a.moved_ns == 0)).sum()) for a, b in itertools.pairwise(verdicts))
    # 480 windows, six biases, 0.0027 each: 8; overlapping solutions give each window a few chances.
    assert 4 <= began <= 60


def test_a_step_is_found_within_a_window_and_cleared_when_it_is_back():
    for seed in range(3):
        bias = np.tile(B, (600, 1))
        bias[300:400, 1] += 10.0 * SIGMA[1]  # half a degree, for 33 minutes
        verdicts = told(solutions(np.random.default_rng(seed), bias))
        moved = np.array([d.moved_ns > 0 for d in verdicts])
        began = np.flatnonzero(moved[:, 1])
        assert 300 - LOOKS < began[0] < 300
        assert 400 - LOOKS < began[-1] < 400  # rows count from the end of the first window
        assert len(began) == began[-1] - began[0] + 1  # it came once and went once
        assert not np.delete(moved, 1, axis=1).any()
        assert abs(verdicts[-1].norm[1] - B[1]) < SIGMA[1]  # the step has taught it nothing


def test_a_slow_drift_is_found_against_its_tolerance_and_its_past():
    bias = np.tile(B, (1_080, 1))
    bias[360:, 0] += np.arange(720) / 180.0 * 30.0  # 30 m an hour
    verdicts = told(solutions(np.random.default_rng(5), bias), tolerance=np.array([150.0, 0, 0, 0, 0, 0]))
    moved = next(k for k, d in enumerate(verdicts) if d.moved_ns[0] > 0)
    outside = next(k for k, d in enumerate(verdicts) if d.outside_ns[0] > 0)
    assert 360 < moved < 720
    assert bias[outside + LOOKS, 0] > 150.0
    assert bias[outside, 0] < 150.0 + 5.0 * SIGMA[0]
    assert verdicts[outside].outside_ns[0] == (outside + 1) * 20 * SECOND


def test_at_the_edge_of_a_tolerance_the_verdict_does_not_flutter():
    bias = np.tile(B, (DAY, 1))
    bias[:, 0] = 150.0
    edge = np.array([150.0 - 2.0 * SIGMA[0], 0, 0, 0, 0, 0])
    verdicts = told(solutions(np.random.default_rng(6), bias), tolerance=edge)
    outside = np.array([d.outside_ns[0] > 0 for d in verdicts])
    bare = np.array([r[0] for r in solutions(np.random.default_rng(6), bias)]) > edge[0] + 3.0 * SIGMA[0] * 1.118
    changes, without = (np.count_nonzero(np.diff(x.astype(int))) for x in (outside, bare))
    assert without > 8
    assert changes < without / 2


def test_what_is_not_observable_keeps_its_verdict_and_a_lasting_change_is_accepted():
    bias = np.tile(B, (900, 1))
    bias[200:, 1] += 12.0 * SIGMA[1]
    seen = np.ones((900 - LOOKS + 1, 6), dtype=np.int64)
    seen[300:360] = 0
    verdicts = told(solutions(np.random.default_rng(8), bias), seen=seen)
    since = verdicts[280].moved_ns[1]
    assert since > 0
    assert all(d.moved_ns[1] == since for d in verdicts[280:380])
    assert verdicts[-1].moved_ns[1] == 0  # after two hours what was a change is the new state
    assert abs(verdicts[-1].norm[1] - bias[-1, 1]) < 4.0 * SIGMA[1]
    unseen = told(solutions(np.random.default_rng(9), bias), seen=np.zeros_like(seen))
    assert not unseen[-1].information.any()
    assert not unseen[-1].moved_ns.any()


def sequence(seed, seconds, step_s, turn_rad):
    """Verdicts from the real estimator on a radar that is turned after `step_s`; windows of 60 s, judged every 12 s."""
    rng = np.random.default_rng(seed)
    settings = replace(SETTINGS, window_s=60.0)
    sensor = make_sensor(CONFIG, ORIGIN, Space.RANGE_AZIMUTH)
    b = np.array([60.0, 0.03, 0.0, 0.2, 0.0, 0.0])
    x = traffic(rng, 12)
    x[:, :2] -= 0.5 * seconds * x[:, 3:5] * 0.2
    x[:, 3:5] *= 0.2  # slow, so that they stay
    off, pairs, out = rng.normal(0, 25.0, (len(x), 3)), looks.begin("r", sensor.space.value, settings), []
    P = np.tile(np.diag([625.0] * 3 + [1.0] * 3), (len(x), 1, 1))
    for t in range(4, seconds + 1, 4):
        now = x.copy()
        now[:, :3] += t * x[:, 3:]
        off = off * np.exp(-0.5) + rng.normal(0, 25.0, off.shape) * np.sqrt(1 - np.exp(-1.0))
        said = now + np.concatenate([off, rng.normal(0, 1.0, off.shape)], axis=1)
        z = observed(rng, sensor, now, b + np.eye(6)[1] * (turn_rad if t > step_s else 0.0))
        R = np.tile(np.diag([NOISE[c] ** 2 for c in sensor.space.value]), (len(z), 1, 1))
        nobody = np.full(len(z), ANONYMOUS, dtype=np.int64)
        scan = Detections("r", sensor.space, t * SECOND, np.full(len(z), t * SECOND), z, R, nobody, np.arange(len(z)))
        claims = looks.Reference(t * SECOND, np.arange(len(x)), said, P)
        pairs = looks.collect(pairs, scan, sensor, claims, settings)
        if t % 12 == 0:
            before = pairs.found.drift
            pairs = reg.solve(pairs, sensor, t * SECOND, noise_of(CONFIG, sensor.space.value), settings)
            pairs = replace(pairs, found=judged(before, pairs.found, NONE, settings.window_s, DriftSettings()))
            out.append(pairs.found)
    return out


@pytest.mark.slow
def test_the_real_estimator_steady_and_turned():
    steady = [f for seed in range(2) for f in sequence(seed, 900, 900, 0.0)]
    assert np.mean([f.observable[1] for f in steady]) > 0.9
    assert not any((f.drift.moved_ns > 0).any() for f in steady)
    for seed in range(2):
        turned = sequence(seed, 600, 300, np.radians(0.8))
        assert (turned[-1].drift.moved_ns > 0).tolist() == [False, True, False, False, False, False]
        assert 300 <= turned[-1].drift.moved_ns[1] / SECOND <= 372
