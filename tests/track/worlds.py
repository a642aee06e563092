"""Random worlds, and what the tracker says in each: to see whether two versions of it differ anywhere.

    python -m tests.track.worlds 0 500 > one.txt

writes a line per world: seed, tracks at the end, clusters cut, and a digest over state, innovations, estimates and
predicted tracks after every scan. Two versions that say the same to the bit on one machine write the same file (this
module can be copied into an older checkout). Sensors, targets, scans and settings are drawn as unlike as can be."""

import dataclasses
import hashlib
import sys
from dataclasses import replace

import numpy as np

from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import (
    AIR,
    BearingSensor,
    ClutterSettings,
    PairSensor,
    PositionSensor,
    RadarSensor,
    TargetBirths,
    TargetPrior,
    TrackSettings,
    VisibilitySettings,
    estimates,
    predict_tracks,
    start,
    step,
)

SECOND = 1_000_000_000
SCANS = 24
SIGMA = {
    "range_m": 30.0,
    "azimuth_rad": 0.01,
    "elevation_rad": 0.01,
    "range_rate_mps": 0.7,
    "east_m": 40.0,
    "north_m": 40.0,
    "up_m": 60.0,
    "bistatic_range_m": 40.0,
    "bistatic_range_rate_mps": 1.0,
    "range_difference_m": 40.0,
}
FALSE = {"range_m": (50.0, 12e3), "azimuth_rad": (-3.1, 3.1), "elevation_rad": (0.0, 0.5), "up_m": (0.0, 1e3)}


def a_sensor(rng, name):
    """Of any kind, somewhere near the middle."""
    place, seen, false = rng.uniform(-2e3, 2e3, 3) * (1, 1, 0.01), rng.uniform(0.3, 0.97), rng.choice([0.5, 3.3, 20.7])
    radars = (Space.RANGE_AZIMUTH, Space.RANGE_AZIMUTH_ELEVATION, Space.RANGE_AZIMUTH_ELEVATION_RANGE_RATE)
    pairs = (Space.BISTATIC, Space.BISTATIC_RANGE, Space.RANGE_DIFFERENCE)
    known, kind = (float(seen), float(false)), rng.integers(9)
    if kind < 3:
        return RadarSensor(name, radars[kind], place, np.eye(3), *known, 15e3)
    if kind < 6:
        return PairSensor(name, pairs[kind - 3], place, rng.uniform(-9e3, 9e3, 3) * (1, 1, 0.01), *known, 2e4)
    if kind == 6:
        return BearingSensor(name, Space.AZIMUTH, place, np.eye(3), *known, 9e3)
    if kind == 7:
        return PositionSensor(name, Space.POSITION_2D, *known, 1e8, (0.0, 0.0), 9e3)
    return PositionSensor(name, Space.POSITION_3D, *known, 1e12)


def some_settings(rng):
    """Of the product or the library, with limits at their ends as often as not."""
    product = TrackSettings(
        prior=TargetPrior(height_m_mean=300.0, height_m_sigma=1_500.0),
        clutter=ClutterSettings(),
        visibility=VisibilitySettings(),
        prune_existence=2e-4,
        modes=AIR,
    )
    settings = product if rng.random() < 0.7 else TrackSettings()
    exactness = replace(
        settings.exactness,
        merge_d2=float(rng.choice([-1.0, 0.5, 3.0])),
        cluster_tracks_max=int(rng.choice([0, 1, 3, 8])),
        hypotheses_max=int(rng.choice([1, 5, 50])),
        pairs_max=int(rng.choice([20, 300_000])),
        edge_min=float(rng.choice([1e-3, 0.0, 0.3])),
    )
    settings = replace(
        settings,
        exactness=exactness,
        tracks_max=int(rng.choice([0, 1, 5, 20_000], p=[0.1, 0.15, 0.25, 0.5])),
        prune_existence=float(rng.choice([2e-4, 1e-2, 0.0, 1e-6], p=[0.5, 0.2, 0.15, 0.15])),
        undetected_start=float(rng.uniform(0.5, 9.0)),
        gate_d2=float(rng.choice([1.0, 200.0])) if rng.random() < 0.2 else None,
    )
    if rng.random() < 0.3:
        settings = replace(settings, modes=())
    if rng.random() < 0.3:
        settings = replace(settings, clutter=None)
    if rng.random() < 0.5:
        seldom = VisibilitySettings(start=float(rng.choice([0.0, 0.5, 1.0])), seen_s=30.0, hidden_s=10.0)
        settings = replace(settings, visibility=seldom if rng.random() < 0.5 else None)
    if rng.random() < 0.2:
        spread = np.diag(np.square([8e3, 8e3, 500.0, 30.0, 30.0, 3.0]))
        settings = replace(settings, births=TargetBirths(np.array([0, 0, 300.0, 0, 0, 0]), spread, 10.0, 0.1))
    return settings


def plots(rng, sensor, targets, address, end_ns, begin_ns):
    """A scan: targets met at their own times, some of them of another age than can be, and false plots."""
    rows, times, who, columns = [], [], [], sensor.space.value
    sigma, empty = np.array([SIGMA[c] for c in columns]), rng.random() < 0.12
    for target, its in zip(targets, address, strict=True):
        if empty or rng.random() > sensor.detection_probability:
            continue
        age_ns = int(rng.choice([0.0, 3e8, -5e8, 7e9, 1e11], p=[0.85, 0.075, 0.04, 0.025, 0.01]))
        x = target.copy()
        x[:3] += x[3:] * ((end_ns - age_ns - begin_ns) / SECOND % 60.0)
        rows.append(sensor.expect(x[None])[0][0] + rng.normal(0.0, 1.0, len(columns)) * sigma)
        times.append(end_ns - age_ns)
        who.append(its)
    crowded = 30.0 if rng.random() < 0.05 else 1.0
    for _ in range(0 if empty else rng.poisson(min(sensor.clutter_per_scan * crowded, 80.0))):
        rows.append(np.array([rng.uniform(*FALSE.get(c, (-5e3, 5e3))) for c in columns]))
        times.append(end_ns)
        who.append(ANONYMOUS)
    m, wrong = len(rows), float(rng.choice([1.0, 1e-4, 1e3], p=[0.9, 0.05, 0.05]))
    z, R = np.array(rows).reshape(m, len(columns)), np.tile(np.diag((sigma * wrong) ** 2), (m, 1, 1))
    known = np.array(times, np.int64), z, R, np.array(who, np.int64), np.arange(m)
    return Detections(sensor.sensor, sensor.space, end_ns, *known)


def world(seed):
    """Settings, and scans with their sensors: some late, some long after the one before, some sensors heard late."""
    rng = np.random.default_rng(seed)
    n, wide = int(rng.integers(1, 18)), rng.choice([300.0, 3e3, 8e3])
    sensors = [a_sensor(rng, f"{'zyx'[rng.integers(3)]}{i}") for i in range(rng.integers(2, 6))]
    x = np.zeros((n, 6))
    x[:, :2], x[:, 2], x[:, 3:5] = rng.uniform(-wide, wide, (n, 2)), rng.uniform(50, 1500, n), rng.normal(0, 35, (n, 2))
    address = np.where(rng.random(n) < 0.3, 1000 + np.arange(n), ANONYMOUS)
    settings, begin, scans = some_settings(rng), SECOND * int(rng.choice([10, 1_700_000_000])), []
    end = begin
    for k in range(SCANS):
        heard = sensors if k > 8 else sensors[: max(1, len(sensors) // 2)]
        sensor = heard[rng.integers(len(heard))]
        end += int(rng.choice([0.0, 2e8, 2e9, 5e9])) + (4_000 * SECOND if rng.random() < 0.02 else 0)
        late = 3 * SECOND if rng.random() < 0.1 else 0
        scans.append((plots(rng, sensor, x, address, end - late, begin), sensor))
    return settings, scans


def feed(digest, told):
    """All numbers of a record, of any depth, into the digest."""
    if dataclasses.is_dataclass(told):
        for f in dataclasses.fields(told):
            feed(digest, getattr(told, f.name))
    elif isinstance(told, tuple):
        for part in told:
            feed(digest, part)
    elif isinstance(told, np.ndarray):
        digest.update(f"{told.shape} {told.dtype}".encode() + np.ascontiguousarray(told).tobytes())
    else:
        digest.update(repr(told).encode())


def said(seed):
    """The line of one world."""
    settings, scans = world(seed)
    digest, state = hashlib.sha256(), start(settings)
    for scan, sensor in scans:
        state, innovations = step(state, scan, sensor, settings)
        ahead = predict_tracks(state, state.tracks.time_ns + 7 * SECOND // 10, settings)
        feed(digest, (state, innovations, estimates(state), ahead))
    return f"{seed} {len(state.tracks)} {state.cut} {digest.hexdigest()[:16]}"


if __name__ == "__main__":
    for which in range(int(sys.argv[1]), int(sys.argv[2])):
        try:
            print(said(which), flush=True)
        except Exception as error:  # of an older version: the rest is compared all the same
            print(which, repr(error), flush=True)
