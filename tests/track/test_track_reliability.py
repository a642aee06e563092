"""Is an existence of 0.8 right eight times in ten? Targets come, fly and go as the settings say; a track is right when
a target of its own is near it (one to one, by the best assignment)."""

import numpy as np
import pytest

from lapwing.kernel.turning import add_noise
from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import PositionSensor, TargetPrior, TrackSettings, start, step

linear_sum_assignment = pytest.importorskip("scipy.optimize").linear_sum_assignment
SECOND = 1_000_000_000
SIDE_M, P_DETECT, FALSE, BIRTH_HZ, LIFE_S, SIGMA_M, Q, SPEED = 6_000.0, 0.7, 30.0, 0.5, 60.0, 10.0, 1.0, 15.0


def newcomers(rng, count):
    return np.column_stack([rng.uniform(0.0, SIDE_M, (count, 2)), rng.normal(0.0, SPEED, (count, 2))])


def said_and_true(seed, scans=120):
    """Rows (existence, whether a target was there) of all tracks well inside the area, from the twentieth scan on."""
    rng = np.random.default_rng(seed)
    sensor = PositionSensor("s", Space.POSITION_2D, P_DETECT, FALSE, SIDE_M**2)
    settings = TrackSettings(
        prior=TargetPrior(speed_mps_sigma=SPEED),
        noise_horizontal_m2ps3=Q,
        lifetime_s=LIFE_S,
        birth_rate_hz=BIRTH_HZ,
        undetected_start=BIRTH_HZ * LIFE_S,
        lost_sigma_m=400.0,
        ghost_sigma_m=400.0,
    )
    noise = np.zeros((6, 6))
    add_noise(noise, 1.0, np.array([Q, 0.0, 0.0, 0.0]), 1.0)
    L = np.linalg.cholesky(noise[np.ix_([0, 1, 3, 4], [0, 1, 3, 4])])
    x, state, rows = newcomers(rng, rng.poisson(BIRTH_HZ * LIFE_S)), start(settings), []
    for k in range(1, scans + 1):
        x = x[rng.random(len(x)) < np.exp(-1.0 / LIFE_S)]
        x[:, :2] += x[:, 2:]
        x = np.concatenate([x + rng.normal(0.0, 1.0, x.shape) @ L.T, newcomers(rng, rng.poisson(BIRTH_HZ))])
        x = x[((x[:, :2] > 0.0) & (x[:, :2] < SIDE_M)).all(axis=1)]
        z = x[rng.random(len(x)) < P_DETECT, :2]
        z = np.concatenate([z + rng.normal(0.0, SIGMA_M, z.shape), rng.uniform(0.0, SIDE_M, (rng.poisson(FALSE), 2))])
        m, end = len(z), k * SECOND
        R, nobody = np.broadcast_to(np.eye(2) * SIGMA_M**2, (m, 2, 2)).copy(), np.full(m, ANONYMOUS, dtype=np.int64)
        scan = Detections("s", Space.POSITION_2D, end, np.full(m, end), z, R, nobody, np.arange(m))
        state, _ = step(state, scan, sensor, settings)
        if k > 20:
            rows.append(judged(state.tracks, x))
    return np.concatenate(rows)


def judged(tracks, x):
    """(existence, whether a target is its own) of the tracks inside the area."""
    off = x[None, :, :2] - tracks.mean[:, None, :2]
    d2 = np.einsum("nmi,nij,nmj->nm", off, np.linalg.inv(tracks.cov[:, :2, :2]), off)
    cost = np.where(d2 < 25.0, d2 - 50.0 * tracks.existence[:, None], 1e3)
    i, j = linear_sum_assignment(cost)
    right = np.zeros(len(tracks))
    right[i[cost[i, j] < 1e3]] = 1.0
    inside = ((tracks.mean[:, :2] > 100.0) & (tracks.mean[:, :2] < SIDE_M - 100.0)).all(axis=1)
    return np.column_stack([tracks.existence, right])[inside]


def test_existence_is_reliable():
    """Four runs, 47,589 tracks and scans. Of ten classes of existence each is within 0.05 of the diagonal, or within
    three standard errors of that (tracks of neighbouring scans are the same: a fifth of them counts)."""
    rows = np.concatenate([said_and_true(seed) for seed in range(4)])
    which = np.minimum((rows[:, 0] * 10).astype(int), 9)
    gap, weight = 0.0, 0
    for c in range(10):
        said, true = rows[which == c].T
        error = np.sqrt(true.mean() * (1.0 - true.mean()) / (len(true) / 5.0))
        assert abs(said.mean() - true.mean()) < 0.05 + 3.0 * error
        gap, weight = gap + len(true) * abs(said.mean() - true.mean()), weight + len(true)
    assert gap / weight < 0.01
    assert weight > 45_000
