"""The tracker's step by its definition: dense, one hypothesis at a time, each plot met at its own time by predicting
there, updating, and predicting on. Marginals by enumeration."""

import itertools

import numpy as np
import pytest

from lapwing.kernel import motion
from lapwing.kernel.gaussian import GATE
from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Space
from lapwing.track import TrackSettings, make_sensor, start, step

ORIGIN = Position(0.9, 0.4, 100.0)
# No vertical noise: then nothing becomes vaguer than the prior, and the step that prevents it has nothing to do.
SETTINGS = TrackSettings(undetected_start=2.0, noise_vertical_m2ps3=0.0)
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


def naive_step(tracks, scan, sensor, undetected):
    """Existence, mean, cov of the old tracks after the scan, and existence of the new ones."""
    dt = (scan.scan_ns - tracks.time_ns) * 1e-9
    n, m = len(tracks), len(scan)
    r = tracks.existence * np.exp(-dt / SETTINGS.lifetime_s)
    prior = [predicted(tracks.mean[i], tracks.cov[i], dt) for i in range(n)]
    p_detect = sensor.p_detect(np.array([x for x, _ in prior]))
    birth = sensor.p_detect(sensor.invert(scan.z, scan.R, SETTINGS.prior)[0]) * undetected / sensor.volume
    other = birth + sensor.clutter_intensity(scan.z)
    given, psi = {}, np.zeros((n, m))
    for i, j in itertools.product(range(n), range(m)):
        age = (scan.scan_ns - scan.time_ns[j]) * 1e-9
        *state, likelihood, nis = hypothesis(tracks.mean[i], tracks.cov[i], dt, age, scan.z[j], scan.R[j], sensor)
        if nis <= GATE[scan.z.shape[1]]:
            given[i, j] = state
            psi[i, j] = r[i] * p_detect[i] * likelihood / (1 - r[i] * p_detect[i]) / other[j]
    p, total = np.zeros((n, m + 1)), 0.0
    for event in itertools.product(range(m + 1), repeat=n):
        taken = [j for j in event if j < m]
        if len(set(taken)) == len(taken):
            weight = np.prod([psi[i, j] for i, j in enumerate(event) if j < m])
            total += weight
            for i, j in enumerate(event):
                p[i, j] += weight
    p /= total
    existence, means, covs = [], [], []
    for i in range(n):
        missed = r[i] * (1 - p_detect[i]) / (1 - r[i] * p_detect[i])
        parts = [(p[i, m] * missed, *prior[i])]
        parts += [(p[i, j], *given[i, j]) for j in range(m) if (i, j) in given]
        existence.append(sum(w for w, _, _ in parts))
        mean = sum(w * x for w, x, _ in parts) / existence[-1]
        means.append(mean)
        covs.append(sum(w * (P + np.outer(x - mean, x - mean)) for w, x, P in parts) / existence[-1])
    new = (1 - p[:, :m].sum(axis=0)) * birth / other
    return np.array(existence), np.array(means), np.array(covs), new


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
def test_step_is_the_definition(space, noise):
    rng = np.random.default_rng(5)
    kind = "position" if space is Space.POSITION_3D else "radar"
    config = SensorConfig("r", Position(0.901, 0.401, 150.0), kind, range_m_max=60_000.0)
    sensor = make_sensor(config, ORIGIN, space)
    x = np.array([[12e3, 9e3, 2e3, 150.0, -40.0, 2.0], [-20e3, 15e3, 5e3, -90.0, 120.0, 0.0]])
    state = start(SETTINGS)
    for time_s in (4.0, 8.0, 12.0):
        scan = scan_of("r", space, time_s, np.zeros((3, len(noise))), noise)
        at = motion.shift(x[[0, 1, 0]], scan.time_ns * 1e-9)
        z = sensor.expect(at)[0] + rng.normal(0, noise, (3, len(noise)))
        z[2] += 10 * np.array(noise)  # a near false alarm
        scan = Detections("r", space, scan.scan_ns, scan.time_ns, z, scan.R, scan.address, scan.frame_seq)
        if len(state.tracks):
            age = (scan.scan_ns - state.looked_ns[0]) * 1e-9
            undetected = state.undetected[0] * np.exp(-age / SETTINGS.lifetime_s) + SETTINGS.birth_rate_hz * age
            existence, mean, cov, new = naive_step(state.tracks, scan, sensor, min(undetected, 2.0))
            old = state.tracks.track_id
            state, _ = step(state, scan, sensor, SETTINGS)
            kept = np.isin(old, state.tracks.track_id)
            rows = np.searchsorted(state.tracks.track_id, old[kept])
            assert kept.sum() >= 2
            # Existence depends on belief propagation against enumeration; shapes do on few weights.
            assert np.allclose(state.tracks.existence[rows], existence[kept], atol=1e-4)
            assert np.allclose(state.tracks.mean[rows], mean[kept], rtol=1e-6, atol=0.05)
            scale = np.sqrt(np.einsum("nii,njj->nij", cov, cov))[kept]
            assert (np.abs(state.tracks.cov[rows] - cov[kept]) <= 1e-3 * scale).all()
            assert np.count_nonzero(~np.isin(state.tracks.track_id, old)) <= np.count_nonzero(new >= 1e-4)
        else:
            state, _ = step(state, scan, sensor, SETTINGS)


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
