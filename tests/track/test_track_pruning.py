"""When a tentative track is given up: later costs time and wins nothing where targets come and go."""

from dataclasses import replace

import numpy as np
import pytest
from tests.papers.test_track_benchmarks import gospa2

from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import PositionSensor, TargetPrior, TrackSettings, estimates, start, step

S, N, SCANS = 1_000_000_000, 60, 30


def world(seed, p_detect, clutter):
    """Targets 250 m apart, half of them there at first, that stay 40 s, both in the mean; false plots per target."""
    rng, side = np.random.default_rng(seed), 250.0 * np.sqrt(N)
    x, v = rng.uniform(0, side, (N, 2)), rng.normal(0, 8, (N, 2))
    born = np.where(rng.random(N) < 0.5, 0, rng.integers(1, 25, N))
    dies, scans = born + rng.geometric(1 / 40, N), []
    for k in range(1, SCANS + 1):
        here = (born < k) & (k <= dies)
        seen = (x + k * v)[here & (rng.random(N) < p_detect)]
        false = rng.uniform(0, side, (rng.poisson(clutter * N), 2))
        z = np.concatenate([seen + rng.normal(0, 5, seen.shape), false])
        m, R = len(z), np.broadcast_to(np.eye(2) * 25.0, (len(z), 2, 2)).copy()
        scan = Detections(
            "s", Space.POSITION_2D, k * S, np.full(m, k * S), z, R, np.full(m, ANONYMOUS, np.int64), np.arange(m)
        )
        scans.append((scan, (x + k * v)[here]))
    settings = TrackSettings(
        prior=TargetPrior(speed_mps_sigma=9.0),
        noise_horizontal_m2ps3=0.5,
        birth_rate_hz=N / 60,
        undetected_start=N / 2,
        lifetime_s=40.0,
        ghost_sigma_m=55.0,
        lost_sigma_m=200.0,
    )
    return PositionSensor("s", Space.POSITION_2D, p_detect, clutter * N, side**2), settings, scans


def lost(sensor, settings, scans):
    """GOSPA squared per target and scan, cut off at 50 m; hypotheses held at the end."""
    state, total = start(settings), 0.0
    for scan, truth in scans:
        state, _ = step(state, scan, sensor, settings)
        total += gospa2(truth, estimates(state, 0.5)[1][:, :2], 50.0).sum()
    return total / (SCANS * N), len(state.hypotheses.track)


@pytest.mark.parametrize(("p_detect", "clutter", "worse_max"), [(0.9, 1.0, 0.01), (0.5, 0.5, 0.01), (0.7, 10.0, 0.0)])
def test_giving_up_at_the_default_costs_nothing(p_detect, clutter, worse_max):
    """Beside a tenth of the default: at most a hundredth more, with much clutter less, with fewer hypotheses."""
    told = []
    for seed in range(4):
        sensor, settings, scans = world(300 + seed, p_detect, clutter)
        later = replace(settings, prune_existence=0.1 * settings.prune_existence)
        told.append([lost(sensor, s, scans) for s in (settings, later)])
    (now, few), (then, many) = np.array(told).mean(axis=0)
    assert now <= (1.0 + worse_max) * then
    assert few < many
