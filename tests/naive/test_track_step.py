"""The tracker's step by its definition: dense, one hypothesis at a time, each plot met at its own time by predicting
there, updating, and predicting on; every global hypothesis enumerated."""

import itertools

import numpy as np
import pytest

from lapwing.kernel import motion
from lapwing.kernel.gaussian import GATE
from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Space
from lapwing.track import Exactness, TrackSettings, make_sensor, start, step

ORIGIN = Position(0.9, 0.4, 100.0)
# No vertical noise: then nothing becomes vaguer than the prior, and the step that prevents it has nothing to do.
# Nothing pruned, nothing merged: exact.
ALL = Exactness(hypotheses_max=100_000, weight_min=1e-30, cluster_tracks_max=99, edge_min=0.0, merge_d2=-1.0)
SETTINGS = TrackSettings(
    undetected_start=2.0,
    noise_vertical_m2ps3=0.0,
    exactness=ALL,
    prune_existence=0.0,
    delete_existence=0.0,
    ghost_sigma_m=1e9,
    lost_sigma_m=1e9,
)
NOISE = (SETTINGS.noise_horizontal_m2ps3, SETTINGS.noise_vertical_m2ps3)
SECOND = 1_000_000_000


def transition(dt):
    F = np.eye(6)
    F[:3, 3:] = dt * np.eye(3)
    q = np.diag([SETTINGS.noise_horizontal_m2ps3] * 2 + [SETTINGS.noise_vertical_m2ps3])
    Q = np.block([[q * dt**3 / 3, q * dt**2 / 2], [q * dt**2 / 2, q * dt]])
    return F, Q


def predicted(x, P, dt):
    F, Q = transition(dt)
    return F @ x, F @ P @ F.T + Q


def hypothesis(x, P, dt, age, z, R, sensor):
    """Track given one detection, at the end of the scan, and the detection's likelihood and NIS."""
    x, P = predicted(x, P, dt - age)
    z_hat, H = sensor.expect(x[None])
    nu, H = sensor.innovation(z[None], z_hat)[0], H[0]
    S = H @ P @ H.T + R
    K = P @ H.T @ np.linalg.inv(S)
    I_KH = np.eye(6) - K @ H
    nis = nu @ np.linalg.solve(S, nu)
    likelihood = np.exp(-0.5 * nis) / np.sqrt(np.linalg.det(2 * np.pi * S))
    return *predicted(x + K @ nu, I_KH @ P @ I_KH.T + K @ R @ K.T, age), likelihood, nis


def branches(hypothesis_, scan, sensor, dt, birth, clutter, first_id):
    """Every way in which one global hypothesis can go on: (weight, {track id: (existence, mean, cov)})."""
    m, ids = len(scan), list(hypothesis_)
    kept = {}
    for i, (r, x, P) in hypothesis_.items():
        ahead = predicted(x, P, dt)
        kept[i] = (r * np.exp(-dt / SETTINGS.lifetime_s), float(sensor.p_detect(ahead[0][None])[0]), ahead)
    for event in itertools.product(range(m + 1), repeat=len(ids)):
        taken = [j for j in event if j < m]
        if len(set(taken)) < len(taken):
            continue
        weight, after = 1.0, {}
        for i, j in zip(ids, event, strict=True):
            r, p_detect, ahead = kept[i]
            if j == m:
                weight *= 1 - r * p_detect
                after[i] = (r * (1 - p_detect) / (1 - r * p_detect), *ahead)
                continue
            age = (scan.scan_ns - scan.time_ns[j]) * 1e-9
            *state, likelihood, nis = hypothesis(*hypothesis_[i][1:], dt, age, scan.z[j], scan.R[j], sensor)
            weight *= r * p_detect * likelihood if nis <= GATE[scan.z.shape[1]] else 0.0
            after[i] = (1.0, *state)
        place = sensor.invert(scan.z, scan.R, SETTINGS.prior)
        for j in set(range(m)) - set(taken):
            weight *= birth[j] + clutter[j]
            age = (scan.scan_ns - scan.time_ns[j]) * 1e-9
            after[first_id + j] = (birth[j] / (birth[j] + clutter[j]), *predicted(place[0][j], place[1][j], age))
        if weight > 0.0:
            yield weight, after


def naive_step(belief, scan, sensor, dt, undetected, first_id):
    """All global hypotheses after the scan, from all before; nothing is pruned, merged or approximated."""
    birth = sensor.p_detect(sensor.invert(scan.z, scan.R, SETTINGS.prior)[0]) * undetected / sensor.volume
    clutter = sensor.clutter_intensity(scan.z)
    new = [
        (before * weight, after)
        for before, one in belief
        for weight, after in branches(one, scan, sensor, dt, birth, clutter, first_id)
    ]
    total = sum(w for w, _ in new)
    return [(w / total, after) for w, after in new]


def report(belief, i):
    """Existence of one track over all hypotheses; where the most probable hypothesis has it (or, where it is not in
    that one, its own weightiest), and the second moment of all about that place."""
    parts = [(w * after[i][0], *after[i][1:]) for w, after in belief if i in after]
    existence = sum(w for w, _, _ in parts)
    top = max(belief, key=lambda one: one[0])[1]
    there = {}
    for w, x, _ in parts:
        key = tuple(x.round(3))
        there[key] = (there.get(key, (0.0,))[0] + w, x)
    at = top[i][1] if i in top else max(there.values(), key=lambda one: one[0])[1]
    return existence, at, sum(w * (P + np.outer(x - at, x - at)) for w, x, P in parts) / existence


def scan_of(sensor, space, time_s, rows, noise):
    z = np.array(rows, dtype=float)
    m = len(rows)
    time_ns = np.round(np.linspace(time_s - 3.9, time_s, m) * SECOND).astype(np.int64)
    R = np.broadcast_to(np.diag(noise) ** 2, (m, len(noise), len(noise))).copy()
    i = np.full(m, ANONYMOUS, dtype=np.int64)
    return Detections(sensor, space, round(time_s * SECOND), time_ns, z, R, i, np.arange(m))


@pytest.mark.parametrize(
    ("space", "noise"),
    [
        (Space.RANGE_AZIMUTH_ELEVATION, (30.0, 0.003, 0.005)),
        (Space.RANGE_AZIMUTH_ELEVATION_RANGE_RATE, (30.0, 0.003, 0.005, 1.0)),
        (Space.POSITION_3D, (30.0, 30.0, 30.0)),
    ],
)
@pytest.mark.parametrize("apart", [8e3, 120.0])
def test_step_is_the_definition(space, noise, apart):
    """Two targets and a near false alarm, three scans: every hypothesis enumerated against the clusters, where the
    targets are far from each other and where they contest each other's plots."""
    rng = np.random.default_rng(5)
    kind = "position" if space is Space.POSITION_3D else "radar"
    config = SensorConfig("r", Position(0.901, 0.401, 150.0), kind, range_m_max=60_000.0)
    sensor = make_sensor(config, ORIGIN, space)
    x = np.array([[12e3, 9e3, 2e3, 150.0, -40.0, 2.0], [12e3 + apart, 9e3, 2e3, 140.0, -30.0, 0.0]])
    state, belief, undetected, seen = start(SETTINGS), [(1.0, {})], SETTINGS.undetected_start, 1
    for time_s in (4.0, 8.0, 12.0):
        scan = scan_of("r", space, time_s, np.zeros((3, len(noise))), noise)
        at = motion.shift(x[[0, 1, 0]], scan.time_ns * 1e-9)
        z = sensor.expect(at)[0] + rng.normal(0, noise, (3, len(noise)))
        z[2] += 3 * np.array(noise)  # a near false alarm
        scan = Detections("r", space, scan.scan_ns, scan.time_ns, z, scan.R, scan.address, scan.frame_seq)
        dt = (scan.scan_ns - state.tracks.time_ns) * 1e-9
        if len(state.sensors):
            undetected = state.undetected[0] * np.exp(-dt / SETTINGS.lifetime_s) + SETTINGS.birth_rate_hz * dt
        belief = naive_step(belief, scan, sensor, dt, min(undetected, SETTINGS.undetected_start), seen)
        state, _ = step(state, scan, sensor, SETTINGS)
        seen += 3
        assert state.tracks.next_id == seen
        for row, i in enumerate(state.tracks.track_id.tolist()):
            existence, mean, cov = report(belief, i)
            assert np.isclose(state.tracks.existence[row], existence, rtol=1e-6, atol=1e-8)
            scale = np.sqrt(np.diag(cov))
            assert (np.abs(state.tracks.mean[row] - mean) <= 1e-5 * scale).all()
            assert (np.abs(state.tracks.cov[row] - cov) <= 1e-5 * np.outer(scale, scale)).all()
        assert set(range(1, seen)) == set(state.tracks.track_id.tolist())
    assert state.cut == 0
    assert len(belief) > 10


def test_a_plot_within_the_scan_is_used_at_its_own_time():
    """One certain track, one plot 2.5 s before the end of the scan: the same as the definition, to rounding."""
    sensor = make_sensor(SensorConfig("p", ORIGIN, "position", clutter_per_scan=0.0), ORIGIN, Space.POSITION_3D)
    rng = np.random.default_rng(2)
    A = rng.normal(0, 20, (6, 6))
    x, P = np.array([900.0, -400.0, 800.0, 200.0, 50.0, -3.0]), A @ A.T + np.diag([100.0] * 3 + [25.0] * 3)
    R = np.diag([400.0, 400.0, 900.0])
    z = x[:3] + 1.5 * x[3:] + 12.0
    want_x, want_P, *_ = hypothesis(x, P, 4.0, 2.5, z, R, sensor)
    age, Hs = np.array([2.5]), sensor.expect(x[None])[1]
    prior_x, prior_P = motion.predict(x[None], P[None], 4.0, *NOISE)
    nu = z - motion.shift(prior_x, -age)[:, :3]
    H = motion.aged_jacobian(Hs, age)
    early = motion.without_noise(prior_P, age, *NOISE)
    S = H[0] @ early[0] @ H[0].T + R
    K = early[0] @ H[0].T @ np.linalg.inv(S)
    assert np.allclose(prior_x[0] + K @ nu[0], want_x, rtol=1e-9)
    assert np.allclose(prior_P[0] - K @ S @ K.T, want_P, rtol=1e-7, atol=1e-6)
