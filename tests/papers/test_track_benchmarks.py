"""Published scenarios and the project's own scale set, measured by GOSPA with p = 2, alpha = 2. The numbers to hold
come from the reference notes: the authors' filters on the same measurements."""

import numpy as np
import pytest

from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import PositionSensor, TargetPrior, TrackSettings, start, step

linear_sum_assignment = pytest.importorskip("scipy.optimize").linear_sum_assignment


def gospa2(truth, estimate, cutoff):
    """Squared GOSPA and its parts: (localisation, missed, false)."""
    n, m = len(truth), len(estimate)
    if not n or not m:
        return np.array([0.0, n, m]) * [1.0, cutoff**2 / 2, cutoff**2 / 2]
    distance = np.minimum(((truth[:, None] - estimate[None]) ** 2).sum(axis=2), cutoff**2)
    i, j = linear_sum_assignment(distance)
    near = distance[i, j] < cutoff**2
    k = np.count_nonzero(near)
    return np.array([distance[i, j][near].sum(), (n - k) * cutoff**2 / 2, (m - k) * cutoff**2 / 2])


def test_gospa_by_hand():
    a = np.array([[0.0, 0.0], [100.0, 0.0]])
    assert np.allclose(gospa2(a, a + np.array([3.0, 4.0]), 10.0), [50.0, 0.0, 0.0])
    assert np.allclose(gospa2(a, a[:1] + np.array([0.0, 60.0]), 10.0), [0.0, 100.0, 50.0])
    assert np.allclose(gospa2(a, a[:0], 10.0), [0.0, 100.0, 0.0])


def scan_of(z, k, period_s, sigma):
    m, end = len(z), round((k + 1) * period_s * 1e9)
    nobody = np.full(m, ANONYMOUS, dtype=np.int64)
    R = np.broadcast_to(np.eye(2) * sigma**2, (m, 2, 2)).copy()
    z = np.ascontiguousarray(z, dtype=np.float64)
    return Detections("s", Space.POSITION_2D, end, np.full(m, end), z, R, nobody, np.arange(m))


def williams(file, runs):
    """RMS GOSPA over runs and scans of the four-target scenario."""
    sensor = PositionSensor("s", Space.POSITION_2D, 0.9, 10.0, 300.0**2)
    settings = TrackSettings(
        prior=TargetPrior(speed_mps_sigma=1.0),
        noise_horizontal_m2ps3=0.02,
        lifetime_s=-1.0 / np.log(0.99),
        birth_rate_hz=0.005,
        undetected_start=3.0,
        gate_d2=20.0,
        ghost_sigma_m=20.0,
        lost_sigma_m=60.0,
        prune_existence=1e-5,
    )
    truth = file["X_truth"].reshape(4, 4, 81)[:, [0, 2]]
    first = np.concatenate([[0], np.cumsum(file["counts"].ravel())])
    parts = []
    for run in runs:
        state = start(settings)
        for k in range(81):
            at = run * 81 + k
            state, _ = step(state, scan_of(file["z"][first[at] : first[at + 1]], k, 1.0, 1.0), sensor, settings)
            alive = (file["t_birth"] <= k + 1) & (k + 1 < file["t_death"])
            estimate = state.tracks.mean[state.tracks.existence > 0.4, :2]
            parts.append(gospa2(truth[alive, :, k], estimate, 10.0))
    return np.array(parts)


def test_williams_four_targets(shared_recording):
    """Ten runs. RMS GOSPA of the authors' track-oriented PMB with Murty's 200 best is 3.208 over 100 runs, of their
    PMBM 2.901; theirs know that births come from the middle, this filter spreads them over the square."""
    with np.load(shared_recording("tracking/williams15_seed9.npz")) as file:
        parts = williams(file, range(10))
    total = np.sqrt(parts.sum(axis=1).mean())
    print("williams", total, np.sqrt(parts.mean(axis=0)))
    assert total < 3.5


@pytest.mark.parametrize(("n", "best"), [(50, 26.2), (200, 28.0), (1000, 26.9)])
def test_scale_set(shared_recording, n, best):
    """GOSPA^2 per target, scans from the tenth on, no worse than the prototype's; the oracle's floor is about 23."""
    with np.load(shared_recording(f"tracking/cv_sparse_N{n}_s0.npz")) as file:
        data = {key: file[key] for key in file}
    sensor = PositionSensor("s", Space.POSITION_2D, 0.9, float(data["lam"]), float(data["side"]) ** 2)
    settings = TrackSettings(
        prior=TargetPrior(speed_mps_sigma=9.0),
        noise_horizontal_m2ps3=float(data["q"]),
        birth_rate_hz=0.003 * n,
        undetected_start=0.5 * n,
        ghost_sigma_m=55.0,
        lost_sigma_m=200.0,
    )
    state, parts = start(settings), []
    scans = range(60) if n < 1000 else range(25)
    for k in scans:
        state, _ = step(state, scan_of(data["z"][data["scan"] == k], k, 1.0, 5.0), sensor, settings)
        if k >= 10:
            estimate = state.tracks.mean[state.tracks.existence > 0.5, :2]
            parts.append(gospa2(data["truth"][k][:, [0, 2]], estimate, 50.0).sum() / n)
    assert np.mean(parts) < 1.01 * best
