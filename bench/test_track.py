"""Speed of the track room: a scan at three sizes, and the published four-target scenario in full. Peer in the same run:
the Kalman update of as many tracks with one known detection each, the least any tracker does."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.papers.test_track_benchmarks import EXACT, published, scale_set, williams

from lapwing.kernel import motion
from lapwing.kernel.gaussian import condition
from lapwing.kernel.turning import move_state
from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import Exactness, Mode, PositionSensor, TargetPrior, TrackSettings, start, step

SECOND = 1_000_000_000


SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def shared_recording():
    """Not that of the tests: they check types at run time, which is not what is measured here."""

    def recording(relative):
        if not (SHARED / relative).exists():
            pytest.skip(f"real recording not here: shared/data/{relative}")
        return SHARED / relative

    return recording


def scene(n, scans=14):
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


def cpu_s(scans, sensor, settings, last):
    """CPU seconds per scan, the least of the last ones (others share the cores), and the state after all."""
    state, spent = start(settings), []
    for scan in scans:
        begin = time.process_time()
        state, _ = step(state, scan, sensor, settings)
        spent.append(time.process_time() - begin)
    return min(spent[-last:]), state


def test_cost_per_target_is_flat():
    """From 100 to 10,000 targets, as many false alarms, one mode: cost per target is within twice the least."""
    per_target: dict[int, float] = {}
    for n in (*(100, 300, 1000) * 3, 3000, 10_000):  # the least of three of what is soon done
        sensor, settings, scans = scene(n)
        spent, state = cpu_s(scans, sensor, replace(settings, tracks_max=40_000), 8)
        per_target[n] = min(per_target.get(n, np.inf), 1e6 * spent / n)
        assert np.count_nonzero(state.tracks.existence > 0.5) > 0.95 * n
    print("\nmicroseconds of CPU per target and scan:", {n: round(v, 1) for n, v in per_target.items()})
    assert max(per_target.values()) < 2.0 * min(per_target.values())


THREE = (
    Mode("steady", 0.5, 0.1, stay_s=30.0, share=2.0),
    Mode("agile", 10.0, 1.0, stay_s=10.0),
    Mode("left", 1.0, 0.1, turn_rate_radps=0.15, stay_s=15.0),
)


def test_ten_thousand_targets_with_three_modes_in_real_time():
    """10,000 targets in three dimensions, a third of them turning, 10,000 false alarms, a scan a second, three modes of
    motion: much less than a second of one core per scan."""
    n, rng = 10_000, np.random.default_rng(7)
    side, x = 250.0 * np.sqrt(n), np.zeros((n, 6))
    x[:, :2], x[:, 2] = rng.uniform(0, side, (n, 2)), rng.uniform(100, 1_000, n)
    x[:, 3:5] = rng.normal(0, 12, (n, 2))
    turning = rng.random(n) < 1 / 3
    sensor = PositionSensor("s", Space.POSITION_3D, 0.9, float(n), side**2 * 1_500.0)
    prior = TargetPrior(speed_mps_sigma=15.0, climb_mps_sigma=3.0)
    known = {"birth_rate_hz": 0.001 * n, "undetected_start": float(n), "lifetime_s": 1e4, "tracks_max": 40_000}
    settings = TrackSettings(prior=prior, modes=THREE, ghost_sigma_m=100.0, lost_sigma_m=300.0, **known)
    straight, left = np.array([0.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.15, 0.0])
    scans = []
    for k in range(1, 13):
        for i in range(n):
            move_state(x[i], 1.0, left if turning[i] else straight)
        seen = x[rng.random(n) < 0.9, :3]
        false = rng.uniform(0, [side, side, 1_500.0], (rng.poisson(n), 3))
        z = np.concatenate([seen + rng.normal(0, 5, seen.shape), false])
        m, end = len(z), k * SECOND
        R, nobody = np.broadcast_to(np.eye(3) * 25.0, (m, 3, 3)).copy(), np.full(m, ANONYMOUS, dtype=np.int64)
        scans.append(Detections("s", Space.POSITION_3D, end, np.full(m, end), z, R, nobody, np.arange(m)))
    spent, state = cpu_s(scans, sensor, settings, 6)
    print(
        f"\n{1e3 * spent:.0f} ms of CPU per scan, {len(state.tracks)} tracks, {len(state.hypotheses.track)} hypotheses"
    )
    assert abs(np.count_nonzero(state.tracks.existence > 0.5) - n) < 0.02 * n
    assert spent < 1.0


@pytest.mark.parametrize(("kind", "n"), [("sparse", 50), ("sparse", 200), ("sparse", 1000), ("dense", 1000)])
def test_scale_file(shared_recording, kind, n):
    """CPU per scan on the scale set's files, whole run; beside it Stone Soup's fastest associator on the same file,
    where it was measured (builders/stonesoup_compare.py --scale)."""
    with np.load(shared_recording(f"tracking/cv_{kind}_N{n}_s0.npz")) as file:
        data = {key: file[key] for key in file}
    spent = []
    gospa2 = scale_set(data, 60, spent)
    mine = float(np.mean(spent[10:]))
    rows = (Path(__file__).parent / "expected" / "stonesoup_scale.csv").read_text(encoding="utf-8").split()[1:]
    theirs = [float(row.split(",")[3]) for row in rows if row.startswith(f"cv_{kind}_N{n}_s0,")]
    beside = f", Stone Soup {min(theirs):.3g} s: {min(theirs) / mine:.0f} times" if theirs else ""
    print(f"\n{kind} {n}: {1e3 * mine:.2f} ms per scan (least {1e3 * min(spent[10:]):.2f}), {gospa2:.1f}{beside}")
    assert not theirs or min(theirs) > min(n, 500) * mine


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


@pytest.mark.parametrize(("exactness", "rms_max"), [(EXACT, 2.90), (Exactness(), 2.90)])
def test_williams_hundred_runs(benchmark, shared_recording, exactness, rms_max):
    """RMS GOSPA over all hundred runs, as the set that loses least: the authors' PMBM 2.901, their track-oriented PMB
    3.208. Time of one run."""
    with np.load(shared_recording("tracking/williams15_seed9.npz")) as file:
        data = {key: file[key] for key in file}
    benchmark.pedantic(williams, (data, [0], published(exactness)), rounds=3, warmup_rounds=1)
    total = np.sqrt(williams(data, range(100), published(exactness)).sum(axis=1).mean())
    benchmark.extra_info["rms_gospa"] = float(total)
    assert total < rms_max
