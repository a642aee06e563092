"""Speed of the track room: a scan at three sizes, a small radar scan, a tick of claims. Peer in the same run: the
dense numpy Kalman update of as many tracks with one known detection each, the least any tracker does."""

import numpy as np
import pytest

from lapwing.kernel import motion
from lapwing.kernel.gaussian import condition
from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import PositionSensor, TargetPrior, TrackSettings, start, step

SECOND = 1_000_000_000


def scene(n, scans=12):
    """n targets 250 m apart, a false alarm each per scan, as in the scale set."""
    rng, side = np.random.default_rng(n), 250.0 * np.sqrt(n)
    x, v = rng.uniform(0, side, (n, 2)), rng.normal(0, 8, (n, 2))
    sensor = PositionSensor("s", Space.POSITION_2D, 0.9, float(n), side**2)
    settings = TrackSettings(
        prior=TargetPrior(speed_mps_sigma=9.0),
        noise_horizontal_m2ps3=0.5,
        birth_rate_hz=0.003 * n,
        undetected_start=0.5 * n,
        ghost_sigma_m=55.0,
        lost_sigma_m=200.0,
    )
    out = []
    for k in range(1, scans + 1):
        seen = (x + k * v)[rng.random(n) < 0.9]
        z = np.concatenate([seen + rng.normal(0, 5, seen.shape), rng.uniform(0, side, (rng.poisson(n), 2))])
        m, R = len(z), np.broadcast_to(np.eye(2) * 25.0, (len(z), 2, 2)).copy()
        nobody = np.full(m, ANONYMOUS, dtype=np.int64)
        out.append(Detections("s", Space.POSITION_2D, k * SECOND, np.full(m, k * SECOND), z, R, nobody, np.arange(m)))
    return sensor, settings, out


@pytest.mark.parametrize("n", [20, 200, 1000])
def test_scan(benchmark, n):
    sensor, settings, scans = scene(n)
    state = start(settings)
    for scan in scans[:-1]:
        state, _ = step(state, scan, sensor, settings)
    after, _ = benchmark(step, state, scans[-1], sensor, settings)
    assert np.count_nonzero(after.tracks.existence > 0.5) > 0.95 * n


@pytest.mark.parametrize("n", [20, 200, 1000])
def test_peer_kalman_with_known_association(benchmark, n):
    rng = np.random.default_rng(n)
    mean, cov = rng.normal(0, 1e3, (n, 6)), np.broadcast_to(np.eye(6) * 100.0, (n, 6, 6)).copy()
    H, R = np.zeros((n, 2, 6)), np.broadcast_to(np.eye(2) * 25.0, (n, 2, 2)).copy()
    H[:, [0, 1], [0, 1]] = 1.0

    def update():
        x, P = motion.predict(mean, cov, 1.0, 0.5, 1.0)
        found = condition(P, H, R, rng.normal(0, 5, (n, 2)))
        return x + np.matmul(found.gain, np.ones((n, 2, 1)))[:, :, 0], P - found.gain @ H @ P

    x, _ = benchmark(update)
    assert np.isfinite(x).all()
