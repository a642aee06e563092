"""Smoothed tracks against the definition: all states and plots of one target in one linear system, solved at once."""

import numpy as np
import pytest

from lapwing.kernel import motion
from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import PositionSensor, TrackSettings, start, step
from lapwing.track.smoothing import smoothed

SECOND = 1_000_000_000
SENSOR = PositionSensor("s", Space.POSITION_3D, 0.9999, 1e-3, 1e12)
SETTINGS = TrackSettings(noise_vertical_m2ps3=0.0, lifetime_s=1e12, gate_d2=1e6)  # nothing vaguer than the prior
NOISE = motion.predict(np.zeros((1, 6)), np.zeros((1, 6, 6)), 2.0, 4.0, 0.0)[1][0]  # Q of two seconds


def flown(scans, seed=0):
    """Plots, pictures after each scan, and the true states of one target."""
    rng = np.random.default_rng(seed)
    L = np.linalg.cholesky(NOISE + 1e-12 * np.eye(6))
    x, plots, pictures, path, state = np.array([1e3, 2e3, 3e3, 40.0, -20.0, 2.0]), [], [], [], start(SETTINGS)
    for k in range(1, scans + 1):
        x = motion.shift(x, np.array(2.0)) + L @ rng.normal(0.0, 1.0, 6)
        z, end, nobody = x[None, :3] + rng.normal(0.0, 30.0, (1, 3)), 2 * k * SECOND, np.array([ANONYMOUS])
        R = np.eye(3)[None] * 900.0
        scan = Detections("s", Space.POSITION_3D, end, np.array([end]), z, R, nobody, np.array([k]))
        state, _ = step(state, scan, SENSOR, SETTINGS)
        plots.append(z[0])
        pictures.append(state.tracks)
        path.append(x)
    return np.array(plots), pictures, np.array(path)


def test_smoothing_is_the_whole_system_solved():
    plots, pictures, _ = flown(8)
    s, prior = len(plots), SETTINGS.prior
    F, Q = np.eye(6), NOISE
    F[:3, 3:] = 2.0 * np.eye(3)
    V = np.diag([prior.speed_mps_sigma**2, prior.speed_mps_sigma**2, prior.climb_mps_sigma**2])
    information, vector = np.zeros((6 * s, 6 * s)), np.zeros(6 * s)
    information[3:6, 3:6] += np.linalg.inv(V)
    Q_inv = np.linalg.inv(Q + np.diag([0, 0, 1e-5, 0, 0, 1e-6]))
    for k in range(s):
        a = 6 * k
        information[a : a + 3, a : a + 3] += np.eye(3) / 900.0
        vector[a : a + 3] += plots[k] / 900.0
        if k + 1 < s:
            J = np.concatenate([-F, np.eye(6)], axis=1)
            information[a : a + 12, a : a + 12] += J.T @ Q_inv @ J
    P, x = np.linalg.inv(information), np.linalg.solve(information, vector).reshape(s, 6)
    for k, picture in enumerate(smoothed(pictures, SETTINGS)):
        assert np.allclose(picture.mean[0], x[k], atol=0.05)
        scale = np.sqrt(np.diag(P[6 * k : 6 * k + 6, 6 * k : 6 * k + 6]))
        assert np.allclose(np.sqrt(np.diag(picture.cov[0])), scale, rtol=0.01)


def test_what_came_later_sharpens_what_was():
    off, ahead = [], []
    for seed in range(10):
        _, pictures, path = flown(20, seed)
        known = [p.mean[np.argmax(p.existence), :3] for p in pictures]
        later = [p.mean[np.argmax(p.existence), :3] for p in smoothed(pictures, SETTINGS)]
        off.append(np.square(known - path[:, :3])[5:15].mean())
        ahead.append(np.square(later - path[:, :3])[5:15].mean())
    assert np.mean(ahead) < 0.6 * np.mean(off)


def test_pictures_stay_as_they_were_and_time_runs_on():
    _, pictures, _ = flown(4)
    before = [p.mean.copy() for p in pictures]
    again = smoothed(pictures, SETTINGS)
    assert all(np.array_equal(a, p.mean) for a, p in zip(before, pictures, strict=True))
    assert again[-1] is pictures[-1]
    with pytest.raises(ValueError, match="time_ns runs backwards"):
        smoothed(pictures[::-1], SETTINGS)
