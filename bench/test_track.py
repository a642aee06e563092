"""Speed of the track room: a scan at three sizes, and the published four-target scenario in full. Peer in the same run:
the Kalman update of as many tracks with one known detection each, the least any tracker does."""

import numpy as np
import pytest
from tests.conftest import recording
from tests.papers.test_track_benchmarks import EXACT, published, williams

from lapwing.kernel import motion
from lapwing.kernel.gaussian import condition
from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import Exactness, PositionSensor, TargetPrior, TrackSettings, start, step

SECOND = 1_000_000_000


@pytest.fixture
def shared_recording():
    return recording


def scene(n, scans=12):
    """n targets 250 m apart, a false alarm each per scan, as in the scale set."""
    rng, side = np.random.default_rng(n), 250.0 * np.sqrt(n)
    x, v = rng.uniform(0, side, (n, 2)), rng.normal(0, 8, (n, 2))
    sensor = PositionSensor("s", Space.POSITION_2D, 0.9, float(n), side**2)
    settings = TrackSettings(
        prior=TargetPrior(speed_mps_sigma=9.0),
        noise_horizontal_m2ps3=0.5,
        birth_rate_hz=0.001 * n,
        undetected_start=float(n),
        lifetime_s=1e4,
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


@pytest.mark.parametrize(("exactness", "rms_max"), [(EXACT, 2.91), (Exactness(), 2.95)])
def test_williams_hundred_runs(benchmark, shared_recording, exactness, rms_max):
    """RMS GOSPA over all hundred runs: the authors' PMBM 2.901, their track-oriented PMB 3.208. Time of one run."""
    with np.load(shared_recording("tracking/williams15_seed9.npz")) as file:
        data = {key: file[key] for key in file}
    benchmark.pedantic(williams, (data, [0], published(exactness)), rounds=3, warmup_rounds=1)
    total = np.sqrt(williams(data, range(100), published(exactness)).sum(axis=1).mean())
    benchmark.extra_info["rms_gospa"] = float(total)
    assert total < rms_max
