"""Laws of the tracker and its kernels, for any input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.kernel import motion
from lapwing.kernel.gaussian import GATE, condition, positive
from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Space, TrackStatus
from lapwing.track import TrackSettings, make_sensor, start, step

SECOND = 1_000_000_000
ORIGIN = Position(0.9, 0.4, 0.0)
SETTINGS = TrackSettings()
seeds = st.integers(0, 2**32 - 1)


def random_states(rng, n):
    A = rng.normal(0, 1, (n, 6, 6)) * 10.0 ** rng.uniform(-1, 2, (n, 6, 1))
    return rng.normal(0, 1e4, (n, 6)), A @ np.swapaxes(A, 1, 2)


def scan_at(time_s, z, R, sensor="s", space=Space.POSITION_3D, spread_s=0.0):
    m = len(z)
    time_ns = np.round((time_s - np.linspace(spread_s, 0.0, m)) * SECOND).astype(np.int64)
    anonymous = np.full(m, ANONYMOUS, dtype=np.int64)
    return Detections(sensor, space, round(time_s * SECOND), time_ns, z, R, anonymous, np.arange(m))


def position_sensor(**kwargs):
    return make_sensor(SensorConfig("s", ORIGIN, "position", **kwargs), ORIGIN, Space.POSITION_3D)


def random_scan(rng, time_s, m, noise=30.0, extent=5e3):
    R = np.broadcast_to(np.eye(3) * noise**2, (m, 3, 3)).copy()
    return scan_at(time_s, rng.uniform(-extent, extent, (m, 3)), R)


@given(seeds, st.floats(0.0, 50.0), st.floats(0.0, 50.0))
@settings(deadline=None)
def test_two_predictions_are_one(seed, a, b):
    mean, cov = random_states(np.random.default_rng(seed), 4)
    once = motion.predict(mean, cov, a + b, 4.0, 1.0)
    twice = motion.predict(*motion.predict(mean, cov, a, 4.0, 1.0), b, 4.0, 1.0)
    for x, y in zip(once, twice, strict=True):
        assert np.allclose(x, y, rtol=1e-9, atol=1e-9 * np.abs(x).max())


@given(seeds, st.floats(0.0, 60.0))
@settings(deadline=None)
def test_prediction_is_the_textbook(seed, dt):
    mean, cov = random_states(np.random.default_rng(seed), 3)
    F = np.eye(6)
    F[:3, 3:] = dt * np.eye(3)
    q = np.diag([4.0, 4.0, 1.0])
    Q = np.block([[q * dt**3 / 3, q * dt**2 / 2], [q * dt**2 / 2, q * dt]])
    got_mean, got_cov = motion.predict(mean, cov, dt, 4.0, 1.0)
    want = F @ cov @ F.T + Q
    assert np.allclose(got_mean, mean @ F.T, rtol=1e-12, atol=1e-9)
    assert np.allclose(got_cov, want, rtol=1e-9, atol=1e-9 * np.abs(want).max())
    dts = np.full(3, dt)
    assert np.allclose(motion.without_noise(got_cov, dts, 4.0, 1.0), want - Q, atol=1e-9 * np.abs(want).max())


@given(seeds, st.integers(1, 4), st.floats(-6.0, 6.0), st.floats(-6.0, 6.0))
@settings(deadline=None)
def test_conditioning_keeps_covariances_positive(seed, d, log_R, log_P):
    """Twenty measurements in a row, noise and prior up to twelve decades apart."""
    rng = np.random.default_rng(seed)
    _, cov = random_states(rng, 5)
    cov = positive(cov * 10.0**log_P)
    R = np.broadcast_to(np.eye(d) * 10.0**log_R, (5, d, d)).copy()
    for _ in range(20):
        H = rng.normal(0, 1, (5, d, 6))
        found = condition(cov, H, R, rng.normal(0, 1, (5, d)))
        cov = positive(cov - found.gain @ found.S @ np.swapaxes(found.gain, 1, 2))
        assert np.array_equal(cov, np.swapaxes(cov, 1, 2))
        np.linalg.cholesky(cov)


@given(seeds, st.integers(1, 4))
@settings(deadline=None)
def test_condition_is_the_textbook(seed, d):
    rng = np.random.default_rng(seed)
    _, cov = random_states(rng, 3)
    H, nu, B = rng.normal(0, 1, (3, d, 6)), rng.normal(0, 1, (3, d)), rng.normal(0, 1, (3, d, d))
    R = B @ np.swapaxes(B, 1, 2) + np.eye(d)
    found = condition(cov, H, R, nu)
    for e in range(3):
        S = H[e] @ cov[e] @ H[e].T + R[e]
        nis = nu[e] @ np.linalg.solve(S, nu[e])
        assert np.allclose(found.S[e], S)
        assert np.allclose(found.gain[e], cov[e] @ H[e].T @ np.linalg.inv(S), rtol=1e-5, atol=1e-8)
        assert np.isclose(found.nis[e], nis, rtol=1e-6)
        log_det = np.linalg.slogdet(2 * np.pi * S)[1]
        assert np.isclose(found.log_likelihood[e], -0.5 * (nis + log_det), rtol=1e-6)


def test_gate_quantiles():
    stats = pytest.importorskip("scipy.stats")
    assert np.allclose(GATE[1:], stats.chi2.ppf(0.9999, [1, 2, 3, 4]), atol=1e-4)


@given(seeds, st.floats(-2.0, 4.0), st.floats(0.0, 1.0), st.sampled_from([0.0, 1.0, 100.0]))
@settings(deadline=None, max_examples=40)
def test_tracks_stay_sound(seed, log_noise, p_detect, clutter):
    """Existence in [0, 1], covariances positive, ids never reused, whatever noise, clutter and emptiness come."""
    rng = np.random.default_rng(seed)
    sensor = position_sensor(p_detect=p_detect, clutter_per_scan=clutter)
    state, seen, top = start(SETTINGS), set(), 1
    for k in range(8):
        m = int(rng.integers(0, 15)) * int(rng.integers(0, 2))
        state, told = step(state, random_scan(rng, 4.0 * (k + 1), m, 10.0**log_noise), sensor, SETTINGS)
        tracks = state.tracks
        assert ((tracks.existence >= 0.0) & (tracks.existence <= 1.0)).all()
        np.linalg.cholesky(tracks.cov)
        assert np.array_equal(tracks.cov, np.swapaxes(tracks.cov, 1, 2))
        new = set(tracks.track_id.tolist()) - seen
        assert all(i >= top for i in new)
        assert (np.diff(tracks.track_id) > 0).all()
        seen |= new
        top = tracks.next_id
        assert ((told.weight >= 0.0) & (told.weight <= 1.0)).all()
        assert (state.undetected > 0.0).all()


@given(seeds)
@settings(deadline=None, max_examples=25)
def test_the_order_of_detections_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    sensor = position_sensor()
    a = b = start(SETTINGS)
    targets, velocity = rng.uniform(-5e3, 5e3, (5, 3)), rng.normal(0, 80, (5, 3))
    for k in range(4):
        z = np.concatenate([targets + 4.0 * k * velocity + rng.normal(0, 30, (5, 3)), rng.uniform(-5e3, 5e3, (4, 3))])
        scan = scan_at(4.0 * (k + 1), z, np.broadcast_to(np.eye(3) * 900.0, (9, 3, 3)).copy(), spread_s=3.0)
        order = rng.permutation(9)
        shuffled = Detections(
            "s", scan.space, scan.scan_ns, scan.time_ns[order], z[order], scan.R, scan.address, scan.frame_seq[order]
        )
        (a, told_a), (b, told_b) = step(a, scan, sensor, SETTINGS), step(b, shuffled, sensor, SETTINGS)
        key_a, key_b = np.lexsort(a.tracks.mean.round(3).T), np.lexsort(b.tracks.mean.round(3).T)
        assert np.allclose(a.tracks.mean[key_a], b.tracks.mean[key_b], rtol=1e-6, atol=1e-4)
        assert np.allclose(a.tracks.cov[key_a], b.tracks.cov[key_b], rtol=1e-5, atol=1e-2)
        assert np.allclose(a.tracks.existence[key_a], b.tracks.existence[key_b], rtol=1e-5, atol=1e-9)
        assert np.array_equal(a.tracks.frame_seq[key_a], b.tracks.frame_seq[key_b])
        assert np.allclose(np.sort(told_a.weight), np.sort(told_b.weight), atol=1e-6)


@given(seeds, st.floats(-2e4, 2e4), st.floats(-2e4, 2e4))
@settings(deadline=None, max_examples=25)
def test_shifting_the_origin_shifts_the_tracks(seed, east, north):
    """In the plane: sensor, detections and therefore tracks move together."""
    shift, states = np.array([east, north]), []
    for by in (np.zeros(2), shift):
        rng = np.random.default_rng(seed)
        sensor = make_sensor(SensorConfig("s", ORIGIN, "position", range_m_max=1e6), ORIGIN, Space.POSITION_2D)
        state = start(SETTINGS)
        for k in range(4):
            z = np.array([[100.0, 200.0], [900.0, -700.0], [4e3, 1e3]]) + 90.0 * k + rng.normal(0, 20, (3, 2)) + by
            R = np.broadcast_to(np.eye(2) * 400.0, (3, 2, 2)).copy()
            state, _ = step(state, scan_at(2.0 * k, z, R, space=Space.POSITION_2D), sensor, SETTINGS)
        states.append(state.tracks)
    a, b = states
    assert np.array_equal(a.track_id, b.track_id)
    assert np.allclose(a.mean[:, [0, 1, 3, 4]] + [*shift, 0, 0], b.mean[:, [0, 1, 3, 4]], rtol=1e-6, atol=1e-3)
    assert np.allclose(a.cov[:, :2, :2], b.cov[:, :2, :2], rtol=1e-5, atol=1e-3)
    assert np.allclose(a.existence, b.existence, rtol=1e-6)


def test_same_scans_same_bits():
    def run():
        rng, state = np.random.default_rng(3), start(SETTINGS)
        for k in range(6):
            state, _ = step(state, random_scan(rng, 4.0 * k, 20), position_sensor(), SETTINGS)
        return state

    a, b = run(), run()
    assert a.tracks.mean.tobytes() == b.tracks.mean.tobytes()
    assert a.tracks.cov.tobytes() == b.tracks.cov.tobytes()


def test_an_empty_scan_is_information():
    """It lowers existence where the sensor looks, and not where it does not."""
    rng, state = np.random.default_rng(4), start(SETTINGS)
    far = position_sensor(range_m_max=1e6)
    near = make_sensor(SensorConfig("other", ORIGIN, "position", range_m_max=2e4), ORIGIN, Space.POSITION_3D)
    for k in range(6):
        z = np.array([[1e3, 1e3, 2e3], [9e4, 0.0, 2e3]]) + rng.normal(0, 30, (2, 3))
        state, _ = step(state, scan_at(4.0 * k, z, np.broadcast_to(np.eye(3) * 900.0, (2, 3, 3)).copy()), far, SETTINGS)
    before = state.tracks.existence[state.tracks.status == TrackStatus.CONFIRMED]
    empty = Detections.empty("other", Space.POSITION_3D, 24 * SECOND)
    state, told = step(state, empty, near, SETTINGS)
    after = state.tracks.existence[state.tracks.status == TrackStatus.CONFIRMED]
    assert len(told.track_id) == 0
    assert len(before) == len(after) == 2
    assert np.isclose(after[1], before[1] * np.exp(-4.0 / SETTINGS.lifetime_s), rtol=1e-9)
    assert after[0] < after[1]
