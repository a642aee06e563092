"""Published scenarios and the project's own scale set, measured by GOSPA with p = 2, alpha = 2. The numbers to hold
come from the reference notes: the authors' filters on the same measurements."""

import time

import numpy as np
import pytest

from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import Exactness, PositionSensor, TargetBirths, TargetPrior, TrackSettings, estimates, start, step

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


EXACT = Exactness(hypotheses_max=200, weight_min=1e-4, cluster_tracks_max=40, edge_min=0.0, merge_d2=-1.0)


def published(exactness):
    """The scenario as published (reference notes 3.1): births from one Gaussian, pruning as there."""
    births = TargetBirths(
        np.array([100.0, 100.0, 0.0, 0.0, 0.0, 0.0]), np.diag([150.0**2] * 2 + [1e6, 1.0, 1.0, 1.0]), 3.0, 0.005
    )
    return TrackSettings(
        prior=TargetPrior(1.0, 1.0, 0.0, 1e3),
        noise_horizontal_m2ps3=0.02,
        noise_vertical_m2ps3=0.0,
        lifetime_s=-1.0 / np.log(0.99),
        births=births,
        exactness=exactness,
        gate_d2=20.0,
        ghost_sigma_m=1e9,
        lost_sigma_m=1e9,
        prune_existence=1e-5,
        delete_existence=1e-5,
    )


def williams(file, runs, settings, cutoff_m=10.0):
    """Squared GOSPA parts (runs * 81, 3) of the four-target scenario; a target is reported from existence 0.4 in the
    most probable hypothesis, as published, and where all hypotheses are served best (None: where that one has it)."""
    sensor = PositionSensor("s", Space.POSITION_2D, 0.9, 10.0, 300.0**2)
    truth = file["X_truth"].reshape(4, 4, 81)[:, [0, 2]]
    first = np.concatenate([[0], np.cumsum(file["counts"].ravel())])
    z, parts = file["z"], []
    for run in runs:
        state = start(settings)
        for k in range(81):
            at = run * 81 + k
            state, _ = step(state, scan_of(z[first[at] : first[at + 1]], k, 1.0, 1.0), sensor, settings)
            alive = (file["t_birth"] <= k + 1) & (k + 1 < file["t_death"])
            parts.append(gospa2(truth[alive, :, k], estimates(state, 0.4, cutoff_m)[1][:, :2], 10.0))
    assert state.cut == 0
    return np.array(parts)


def test_williams_four_targets(shared_recording):
    """Ten runs of the hundred (bench/test_track.py does all), with the published estimate and with the set that loses
    least. Over all hundred the authors' PMBM has 2.901 and their track-oriented PMB 3.208."""
    with np.load(shared_recording("tracking/williams15_seed9.npz")) as file:
        data = {key: file[key] for key in file}
    cases = [(e, cutoff_m) for e in (EXACT, Exactness()) for cutoff_m in (None, 10.0)]
    scores = [np.sqrt(williams(data, range(10), published(e), c).sum(axis=1).mean()) for e, c in cases]
    assert all(score < bound for score, bound in zip(scores, (2.86, 2.84, 2.88, 2.86), strict=True)), scores


def drawn_anew(seed):
    """The four-target scenario by the same recipe with truth and detections of one's own, as `williams` reads it."""
    rng = np.random.default_rng(seed)
    F = np.kron(np.eye(2), np.array([[1.0, 1.0], [0.0, 1.0]]))
    root = np.linalg.cholesky(0.02 * np.kron(np.eye(2), np.array([[1.0 / 3.0, 0.5], [0.5, 1.0]])))
    X = np.zeros((81, 4, 4))
    X[40] = np.sqrt(0.1) * rng.normal(size=(4, 4)) + np.array([150.0, 0.0, 150.0, 0.0])[:, None]
    for t in range(40):
        X[41 + t] = F @ X[40 + t] + root @ rng.normal(size=(4, 4))
        X[39 - t] = np.linalg.solve(F, X[40 - t] + root @ rng.normal(size=(4, 4)))
    scans = []
    for k in range(81):
        seen = X[k][[0, 2]].T[np.flatnonzero((rng.random(4) < 0.9) & ((np.arange(4) > 0) | (k < 40)))]
        false = rng.uniform(0.0, 300.0, (rng.poisson(10.0), 2))
        scans.append(np.concatenate([seen + rng.normal(size=seen.shape), false]))
    births = {"t_birth": np.ones(4), "t_death": np.array([41, 82, 82, 82])}
    counts = np.array([[len(z) for z in scans]])
    return {"X_truth": X.transpose(2, 1, 0).reshape(16, 81), "counts": counts, "z": np.concatenate(scans), **births}


def test_the_set_that_loses_least_is_nearer():
    """Sixteen runs with seeds of our own: the mean square falls, and not by chance (a paired test, three sigmas)."""
    files = [drawn_anew(seed) for seed in range(2000, 2016)]
    told = [[williams(f, [0], published(Exactness()), c).sum(axis=1).mean() for c in (None, 10.0)] for f in files]
    gain = np.diff(told, axis=1)[:, 0]
    assert gain.mean() < -3.0 * gain.std(ddof=1) / np.sqrt(len(gain)), gain


def scale_set(data, scans, spent=None):
    """GOSPA^2 per target, mean over scans from the tenth on, of the project's scale set. CPU seconds of each scan go
    into `spent`."""
    n = int(data["N"])
    sensor = PositionSensor("s", Space.POSITION_2D, 0.9, float(data["lam"]), float(data["side"]) ** 2)
    settings = TrackSettings(
        prior=TargetPrior(speed_mps_sigma=9.0),
        noise_horizontal_m2ps3=float(data["q"]),
        birth_rate_hz=0.001 * n,
        undetected_start=float(n),  # all are there from the first scan to the last
        lifetime_s=1e4,
        ghost_sigma_m=55.0,
        lost_sigma_m=200.0,
    )
    state, parts = start(settings), []
    for k in range(scans):
        scan, begin = scan_of(data["z"][data["scan"] == k], k, 1.0, 5.0), time.process_time()
        state, _ = step(state, scan, sensor, settings)
        if spent is not None:
            spent.append(time.process_time() - begin)
        if k >= 10:
            parts.append(gospa2(data["truth"][k][:, [0, 2]], estimates(state, 0.5)[1][:, :2], 50.0).sum() / n)
    return np.mean(parts)


@pytest.mark.parametrize(
    ("kind", "n", "scans", "best"),
    [("sparse", 50, 60, 26.2), ("sparse", 200, 60, 26.3), ("sparse", 1000, 20, 26.3), ("dense", 200, 60, 45.0)],
)
def test_scale_set(shared_recording, kind, n, scans, best):
    """Within 12 % of the oracle's floor (23.5) in the sparse set, below 45 in the dense."""
    with np.load(shared_recording(f"tracking/cv_{kind}_N{n}_s0.npz")) as file:
        data = {key: file[key] for key in file}
    assert scale_set(data, scans) < best
