"""What a tracker must survive: extreme noise, none, coincident targets, floods, clocks that jump. Each ordeal is an
endless, seeded stream of (scan, sensor, settings); `endure` drives a tracker through it and checks it after every scan.

    python -m tests.track.ordeals 10e6

drives all of them until so many single-track Gaussian steps are done: one for each local hypothesis, mode and scan."""

import itertools
import sys
import time
from dataclasses import replace

import numpy as np

from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Space
from lapwing.track import AIR, Mode, PositionSensor, TargetPrior, TrackSettings, make_sensor, start, step

SECOND = 1_000_000_000
CENTURY_NS = 3_155_760_000 * SECOND
ORIGIN = Position(0.9, 0.4, 100.0)
FLAT = PositionSensor("s", Space.POSITION_2D, 0.9, 50.0, 1e8)
DEEP = PositionSensor("s", Space.POSITION_3D, 0.9, 50.0, 1e11)
SCAN_S_MAX = 5.0  # of one core, generously: the largest ordeal takes a tenth of it on a quiet machine


def scan_of(sensor, z, R, end_ns, age_s=None):
    m, d = z.shape
    R = np.broadcast_to(R, (m, d, d)).copy()
    time_ns = np.full(m, end_ns) - (np.zeros(m) if age_s is None else age_s * SECOND).astype(np.int64)
    nobody = np.full(m, ANONYMOUS, dtype=np.int64)
    return Detections(sensor.sensor, sensor.space, end_ns, time_ns, z, R, nobody, np.arange(m))


def crowd(rng, n, d, side=1e4):
    return rng.uniform(0.0, side, (n, d)), rng.normal(0.0, 20.0, (n, d))


def any_noise(rng, n):
    """Noise of plots and of motion over sixteen and eight decades, anew for every scan; modes come and go."""
    x, v = crowd(rng, n, 3)
    for k in itertools.count(1):
        R = np.diag(10.0 ** rng.uniform(-8, 8, 3))
        q = 10.0 ** rng.uniform(-4, 4, 2)
        modes = AIR if rng.random() < 0.3 else ()
        settings = TrackSettings(noise_horizontal_m2ps3=q[0], noise_vertical_m2ps3=q[1], modes=modes)
        z = x + k * v + rng.normal(0.0, 1.0, (n, 3)) * np.sqrt(np.minimum(np.diag(R), 1e6))
        yield scan_of(DEEP, z[rng.random(n) < 0.9], R, k * SECOND), DEEP, settings


def no_noise(rng, n):
    """Targets that move exactly, plots that are exact to a micrometre, a sensor that sees all and errs never."""
    x, v = crowd(rng, n, 3)
    sensor = replace(DEEP, detection_probability=1.0, clutter_per_scan=0.0)
    still = (
        Mode("still", 0.0, 0.0),
        Mode("turn", 0.0, 0.0, turn_rate_radps=0.1),
        Mode("hover", 0.0, 0.0, damping_hz=1.0),
    )
    for k in itertools.count(1):
        modes = still if (k // 50) % 2 else ()
        settings = TrackSettings(noise_horizontal_m2ps3=0.0, noise_vertical_m2ps3=0.0, modes=modes)
        yield scan_of(sensor, x + k * v, np.eye(3) * 1e-12, k * SECOND), sensor, settings


def coincident(rng, n):
    """All in a few places, with the same velocities, plots on top of each other."""
    places = rng.uniform(0.0, 1e4, (max(n // 12, 1), 2))
    for k in itertools.count(1):
        z = np.repeat(places, 12, axis=0)[:n] + k * 5.0
        if k % 3:
            z = z + rng.normal(0.0, 10.0, z.shape)
        yield scan_of(FLAT, z, np.eye(2) * 100.0, k * SECOND), FLAT, TrackSettings()


def flood(rng, n):
    """Every tenth scan 10,000 false plots inside the gates of a few tracks."""
    x, v = crowd(rng, max(n // 20, 2), 2)
    for k in itertools.count(1):
        z = x + k * v + rng.normal(0.0, 30.0, x.shape)
        if k % 10 == 0:
            z = np.concatenate([z, z[0] + rng.uniform(-150.0, 150.0, (10_000, 2))])
        yield scan_of(FLAT, z, np.eye(2) * 900.0, k * SECOND), FLAT, TrackSettings(modes=AIR if k % 40 < 20 else ())


def clocks(rng, n):
    """Time stands, goes back, jumps by hours, months and a century; single scans come from another century; plots are
    older than they can be, or from the future."""
    x, _ = crowd(rng, n, 2)
    now = 0
    for k in itertools.count(1):
        jump = rng.choice([0.0, 1e-9, 1.0, 1.0, 1.0, -5.0, 60.0, 3_600.0, 1e7 if k % 50 == 0 else 1.0])
        now = min(max(now + round(jump * SECOND), 0), 8 * 10**18)
        now += CENTURY_NS if k % 500 == 499 and now < 2 * CENTURY_NS else 0
        age_s = rng.choice([0.0, 1.0, 10.0, 50.0, 1e4, -3.0], n)
        z = x + rng.normal(0.0, 30.0, (n, 2))
        seen_ns = now - CENTURY_NS if k % 20 == 0 else now
        yield scan_of(FLAT, z, np.eye(2) * 900.0, seen_ns, age_s), FLAT, TrackSettings(modes=AIR if k % 2 else ())


def radars(rng, n):
    """Range, azimuth, elevation, range rate from two places, close by and far away, overhead, and bearings."""
    config = SensorConfig("r", Position(0.9, 0.4, 100.0), "radar", p_detect=0.9, clutter_per_scan=20.0)
    kinds = [make_sensor(config, ORIGIN, space) for space in list(Space)[2:6]]
    kinds += [make_sensor(replace(config, kind="bearing"), ORIGIN, Space.AZIMUTH_ELEVATION)]
    sigma = {"range_m": 30.0, "azimuth_rad": 0.004, "elevation_rad": 0.006, "range_rate_mps": 1.0}
    x = np.zeros((n, 6))
    x[:, :3], x[:, 3:] = rng.normal(0.0, 1.0, (n, 3)) * 10.0 ** rng.uniform(0, 4.5, (n, 1)), rng.normal(0, 30, (n, 3))
    for k in itertools.count(1):
        sensor = kinds[k % len(kinds)]
        noise = np.array([sigma[c] for c in sensor.space.value])
        at = x.copy()
        at[:, :3] += np.sin(0.05 * k) * 20.0 * x[:, 3:]
        z = sensor.expect(at)[0] + rng.normal(0.0, 1.0, (n, len(noise))) * noise
        if "range_m" in sensor.space.value:
            z[:, 0] = np.maximum(z[:, 0], 0.0)
        settings = TrackSettings(modes=AIR if k % 60 < 30 else (), prior=TargetPrior(height_m_mean=300.0))
        age_s = rng.uniform(0.0, 3.9, n)
        yield scan_of(sensor, z, np.diag(noise**2), 4 * k * SECOND, age_s), sensor, settings


ORDEALS = (any_noise, no_noise, coincident, flood, clocks, radars)


def sound(state):
    """Covariances symmetric and positive definite, probabilities probabilities, all of it finite."""
    of = state.hypotheses
    every = [(of.mean, of.cov), (state.tracks.mean, state.tracks.cov)]
    if of.modes is not None:
        every.append((of.modes.mean.reshape(-1, 6), of.modes.cov.reshape(-1, 6, 6)))
        assert np.allclose(of.modes.weight.sum(axis=1), 1.0)
        assert (of.modes.weight >= 0.0).all()
    for mean, cov in every:
        assert np.isfinite(mean).all()
        assert np.array_equal(cov, np.swapaxes(cov, 1, 2))
        scale = np.sqrt(np.diagonal(cov, axis1=1, axis2=2))
        assert (scale > 0.0).all()
        np.linalg.cholesky(cov / (scale[:, :, None] * scale[:, None, :]))
    for p in (of.existence, of.weight, state.tracks.existence):
        assert ((p >= 0.0) & (p <= 1.0 + 1e-9)).all()
    assert (state.undetected > 0.0).all()


def endure(ordeal, steps, seed=0, n=200):
    """Drives a tracker until so many Gaussian steps are done: steps, scans, longest scan (CPU s), work cut."""
    stream, state, done, longest, scans = ordeal(np.random.default_rng(seed), n), start(TrackSettings()), 0, 0.0, 0
    while done < steps:
        scan, sensor, settings = next(stream)
        done += len(state.hypotheses.track) * max(len(settings.modes), 1) + 1
        begin = time.process_time()
        state, told = step(state, scan, sensor, settings)
        spent = time.process_time() - begin
        scans += 1
        if scans > 40:  # the first ones compile
            longest = max(longest, spent)
        sound(state)
        assert ((told.weight >= 0.0) & (told.weight <= 1.0)).all()
    return done, scans, longest, state.cut


def main(total):
    for ordeal in ORDEALS:
        done, scans, longest, cut = endure(ordeal, total / len(ORDEALS))
        print(f"{ordeal.__name__}: {done} steps, {scans} scans, longest {1e3 * longest:.0f} ms, cut {cut}", flush=True)
        assert longest < SCAN_S_MAX


if __name__ == "__main__":
    main(float(sys.argv[1]))
