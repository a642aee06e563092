"""A sensor that delivers tracks: what it says twenty times it has not measured twenty times."""

import numpy as np

from lapwing.engine.plan import make_plan
from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Site, Space
from lapwing.track import TargetPrior, TrackSettings, decorrelated, make_sensor, start, step, watch_start

SECOND = 1_000_000_000
ORIGIN = Position(0.9, 0.4, 0.0)
SETTINGS = TrackSettings(prior=TargetPrior(speed_mps_sigma=20.0), noise_horizontal_m2ps3=0.05)
SIGMA, TAU = 30.0, 12.0


def report(z, time_ns):
    m = len(z)
    R = np.tile(np.eye(2) * SIGMA**2, (m, 1, 1))
    nobody = np.full(m, ANONYMOUS, dtype=np.int64)
    return Detections("up", Space.POSITION_2D, time_ns, np.full(m, time_ns), z, R, nobody, np.arange(m))


def followed(seed, tau, seconds=120):
    """Normalised squared position errors of our tracks of 25 targets far apart, fed by an upstream filter whose errors
    last TAU; `tau` is what we are told."""
    rng = np.random.default_rng(seed)
    config = SensorConfig("up", ORIGIN, "position", range_m_max=80_000.0, p_detect=0.95, clutter_per_scan=0.1)
    sensor = make_sensor(config, ORIGIN, Space.POSITION_2D)
    x = np.zeros((25, 4))
    x[:, 0], x[:, 1] = np.repeat(np.arange(5) * 8e3, 5) - 16e3, np.tile(np.arange(5) * 8e3, 5) - 16e3
    x[:, 2:] = rng.normal(0, 10, (25, 2))
    error, state, out, rho = rng.normal(0, SIGMA, (25, 2)), start(SETTINGS), [], np.exp(-1.0 / TAU)
    for k in range(1, seconds):
        x[:, :2] += x[:, 2:]
        x[:, 2:] += np.sqrt(0.05) * rng.normal(0, 1, (25, 2))  # the noise that the filter assumes
        error = rho * error + np.sqrt(1 - rho**2) * rng.normal(0, SIGMA, (25, 2))
        scan = decorrelated(report(x[:, :2] + error, k * SECOND), state, tau)
        state, _ = step(state, scan, sensor, SETTINGS)
        if k > 60 and k % 15 == 0:
            t = state.tracks
            e = t.mean[:, None, :2] - x[None, :, :2]
            near = np.linalg.norm(e, axis=2).argmin(axis=1)
            e = e[np.arange(len(t)), near]
            d2 = np.einsum("ni,nij,nj->n", e, np.linalg.inv(t.cov[:, :2, :2]), e)
            out += d2[(np.linalg.norm(e, axis=1) < 500.0) & (t.existence > 0.9)].tolist()
    return out


def test_covariances_stay_honest_where_reports_repeat_an_error():
    naive = np.concatenate([followed(seed, 0.0) for seed in range(4)])
    ours = np.concatenate([followed(seed, TAU) for seed in range(4)])
    print(f"NEES of 2: naive {np.mean(naive):.2f}, decorrelated {np.mean(ours):.2f}")
    assert len(ours) == 300  # every target, three times, four seeds
    assert np.mean(naive) > 5.0  # of 2: certain and wrong
    assert 1.2 < np.mean(ours) < 2.6
    assert np.mean(ours < 5.991) > 0.93


def test_the_same_report_twenty_times_says_nothing_new():
    config = SensorConfig("up", ORIGIN, "position", p_detect=0.9, clutter_per_scan=0.1, correlation_s=5.0)
    plan = make_plan(Site("s", ORIGIN, (), (config,), ()))
    once = plan.take(watch_start(plan.tracking), report(np.array([[100.0, 50.0]]), SECOND))
    again = once
    for _ in range(20):
        again = plan.take(again, report(np.array([[100.0, 50.0]]), SECOND))
    assert again is once
    later = plan.take(once, report(np.array([[100.0, 50.0]]), 2 * SECOND))
    assert later.tracker.looked_ns[0] == 2 * SECOND
