"""Motion and interacting multiple models by their definitions: matrix exponentials (Van Loan) for F and Q, and the
textbook's IMM recursion (Bar-Shalom, Li, Kirubarajan) one dense matrix at a time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.kernel.manoeuvre import NEVER, changes, matched, predict_modes
from lapwing.kernel.turning import add_noise, carry_gradient, flow, flows, move_cov, move_state
from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Space
from lapwing.track import AIR, AIRCRAFT, Mode, TrackSettings, make_sensor, mode_probabilities, start, step
from lapwing.track.motions import kinematics

expm = pytest.importorskip("scipy.linalg").expm
SECOND = 1_000_000_000
seeds = st.integers(0, 2**32 - 1)
rates = st.one_of(st.just(0.0), st.floats(-0.6, 0.6))
dampings = st.one_of(st.just(0.0), st.floats(1e-12, 1.5))


def definition(t, mode):
    """F and Q of one mode by Van Loan's block matrix, of a short time doubled: it holds e^(+damping t)."""
    if t > 0.5:
        F, Q = definition(t / 2.0, mode)
        return F @ F, Q + F @ Q @ F.T
    q_h, q_v, turn, damping = mode
    A, G = np.zeros((6, 6)), np.zeros((6, 6))
    A[:3, 3:] = np.eye(3)
    A[3:, 3:] = [[-damping, -turn, 0.0], [turn, -damping, 0.0], [0.0, 0.0, -damping]]
    G[[3, 4, 5], [3, 4, 5]] = [q_h, q_h, q_v]
    block = expm(np.block([[-A, G], [np.zeros((6, 6)), A.T]]) * t)
    F = block[6:, 6:].T
    return F, F @ block[:6, 6:]


def random_mixture(rng, M):
    w = rng.uniform(0.05, 1.0, M)
    B = rng.normal(0.0, 1.0, (M, 6, 6)) * np.array([30.0, 30.0, 30.0, 5.0, 5.0, 5.0])[:, None]
    return w / w.sum(), rng.normal(0.0, 100.0, (M, 6)), B @ np.swapaxes(B, 1, 2) + np.eye(6)


@given(st.floats(1e-3, 20.0), rates, dampings, seeds)
@settings(max_examples=200)
def test_motion_is_the_matrix_exponential(t, turn, damping, seed):
    mode = np.array([3.0, 0.7, turn, damping])
    F, Q = definition(t, mode)
    rng = np.random.default_rng(seed)
    _, (x,), (P,) = random_mixture(rng, 1)
    moved, cov = x.copy(), P.copy()
    move_state(moved, t, mode)
    move_cov(cov, t, mode)
    assert np.allclose(moved, F @ x, rtol=1e-9, atol=1e-9 * np.abs(x).max())
    assert np.allclose(cov, F @ P @ F.T + Q, rtol=1e-8, atol=1e-9 * np.abs(Q).max() + 1e-9 * np.abs(P).max())
    noise = np.zeros((6, 6))
    add_noise(noise, t, mode, 1.0)
    assert np.allclose(noise, Q, rtol=1e-7, atol=1e-10 * np.abs(Q).max())
    assert np.linalg.eigvalsh(noise)[0] > -1e-9 * np.abs(noise).max()
    back = moved.copy()
    move_state(back, -t, mode)
    if damping * t < 5.0:
        assert np.allclose(back, x, atol=1e-6 * np.abs(x).max())
        H = rng.normal(0.0, 1.0, (2, 6))
        g = H.copy()
        carry_gradient(g, t, mode, flows(np.array([-t]), mode[None], np.zeros(1, np.int64))[0, 0])
        assert np.allclose(g, np.linalg.solve(F.T, H.T).T, rtol=1e-6, atol=1e-6 * np.abs(g).max())


@given(st.floats(0.0, 5.0), st.floats(0.0, 5.0), rates, dampings)
def test_two_motions_are_one(a, b, turn, damping):
    mode = np.array([3.0, 0.7, turn, damping])
    once, twice = np.eye(6) * 9.0, np.eye(6) * 9.0
    move_cov(once, a + b, mode)
    move_cov(twice, a, mode)
    move_cov(twice, b, mode)
    assert np.allclose(once, twice, rtol=1e-9, atol=1e-9 * np.abs(once).max())


@pytest.mark.parametrize("lam_t", [0.4999999, 0.5000001])
def test_series_and_closed_form_meet(lam_t):
    low, high = (flow(1.0, lam_t * f, 0.0) for f in (1.0 - 1e-9, 1.0 + 1e-9))
    assert np.allclose(low, high, rtol=1e-8)


@given(st.floats(0.0, 1e5), seeds)
def test_changes_are_the_matrix_exponential(dt, seed):
    rng = np.random.default_rng(seed)
    modes = tuple(Mode(str(i), 1.0, 1.0, stay_s=s) for i, s in enumerate(10.0 ** rng.uniform(-1, 3, 4)))
    k = kinematics(modes)
    got = changes(k.rates, dt)
    assert np.allclose(got, expm(k.rates * dt), atol=1e-9)
    assert np.allclose(k.start @ got, k.start, atol=1e-5)  # the long-run share is one


@given(seeds, st.floats(0.1, 10.0))
@settings(max_examples=50)
def test_prediction_is_the_textbook_imm(seed, dt):
    k = kinematics(AIR)
    rng = np.random.default_rng(seed)
    w, mean, cov = random_mixture(rng, len(AIR))
    T = expm(k.rates * dt)
    want_w = w @ T
    got_w, got_mean, got_cov = predict_modes((w[None], mean[None], cov[None]), changes(k.rates, dt), dt, k.modes, NEVER)
    assert np.allclose(got_w[0], want_w)
    for j, mode in enumerate(k.modes):
        share = w * T[:, j] / want_w[j]
        x = share @ mean
        P = sum(s * (C + np.outer(m - x, m - x)) for s, m, C in zip(share, mean, cov, strict=True))
        F, Q = definition(dt, mode)
        assert np.allclose(got_mean[0, j], F @ x, rtol=1e-8, atol=1e-7)
        assert np.allclose(got_cov[0, j], F @ P @ F.T + Q, rtol=1e-7, atol=1e-7 * np.abs(P).max())


@given(seeds, st.integers(2, 5))
def test_the_covering_gate_holds_every_modes_gate(seed, M):
    """Where covariances differ by noise that one has more of, as modes' do: whatever is inside a mode's gate is inside
    the covering one, larger by one."""
    rng = np.random.default_rng(seed)
    w, mean, cov = random_mixture(rng, M)
    w[0], w[1:] = 1e-9, w[1:] / w[1:].sum()
    cov = cov[:1] + np.sort(10.0 ** rng.uniform(-2, 4, M))[:, None, None] * np.eye(6)
    (x,), (P,) = matched(w[None], mean[None], cov[None], True)
    for j in range(M):
        z = mean[j] + np.linalg.cholesky(cov[j]) @ rng.normal(0.0, 1.0, 6)
        own = (z - mean[j]) @ np.linalg.solve(cov[j], z - mean[j])
        assert (z - x) @ np.linalg.solve(P, z - x) <= own + 1.0 + 1e-6


def textbook(belief, plots, sensor, k):
    """One target with certain association: IMM with each plot met at its own time, by predicting there, updating,
    mixing nothing there, and predicting on in each mode."""
    w, mean, cov, at = belief
    for time, end, z, R in plots:
        T = expm(k.rates * (end - at))
        new_w, like = w @ T, np.zeros(len(w))
        to_mean, to_cov = np.zeros_like(mean), np.zeros_like(cov)
        for j, mode in enumerate(k.modes):
            share = w * T[:, j] / new_w[j]
            x = share @ mean
            P = sum(s * (C + np.outer(m - x, m - x)) for s, m, C in zip(share, mean, cov, strict=True))
            F, Q = definition(time - at, mode)
            x, P = F @ x, F @ P @ F.T + Q
            z_hat, H = sensor.expect(x[None])
            nu, H = sensor.innovation(z[None], z_hat)[0], H[0]
            S = H @ P @ H.T + R
            K = P @ H.T @ np.linalg.inv(S)
            like[j] = np.exp(-0.5 * nu @ np.linalg.solve(S, nu)) / np.sqrt(np.linalg.det(S))
            x, P = x + K @ nu, (np.eye(6) - K @ H) @ P
            F, Q = definition(end - time, mode) if end > time else (np.eye(6), np.zeros((6, 6)))
            to_mean[j], to_cov[j] = F @ x, F @ P @ F.T + Q
        w = new_w * like / (new_w @ like)
        mean, cov, at = to_mean, to_cov, end
    return w, mean, cov, at


@pytest.mark.parametrize("modes", [AIR, AIRCRAFT], ids=["air", "aircraft"])
def test_step_is_the_textbook_imm(modes):
    """One target that turns, ten scans of a rotating radar, no clutter: mode probabilities and moments of the tracker
    against the dense recursion. Without vertical noise: then nothing becomes vaguer than the prior."""
    modes = tuple(replace(mode, noise_vertical_m2ps3=0.0) for mode in modes)
    k = kinematics(modes)
    settings_ = TrackSettings(modes=modes, lifetime_s=1e12, gate_d2=1e6)
    origin = Position(0.9, 0.4, 100.0)
    config = SensorConfig("r", Position(0.901, 0.401, 150.0), "radar", p_detect=0.9999, clutter_per_scan=0.0)
    space = Space.RANGE_AZIMUTH_ELEVATION_RANGE_RATE
    sensor = make_sensor(config, origin, space)
    noise, rng = np.array([30.0, 0.003, 0.005, 1.0]), np.random.default_rng(3)
    x, plots, state = np.array([9e3, 7e3, 2e3, 60.0, -40.0, 1.0]), [], start(settings_)
    turn = np.array([0.0, 0.0, 0.15, 0.0])
    for scan in range(1, 11):
        end, age = 4.0 * scan, float(rng.uniform(0.0, 3.9))
        now = x.copy()
        move_state(now, end - age, turn)
        z = sensor.expect(now[None])[0][0] + rng.normal(0.0, noise)
        time_ns = round((end - age) * SECOND)
        R = np.diag(noise**2)
        one = np.full(1, ANONYMOUS, dtype=np.int64)
        seen = Detections("r", space, round(end * SECOND), np.array([time_ns]), z[None], R[None], one, one)
        state, _ = step(state, seen, sensor, settings_)
        plots.append((time_ns / SECOND, end, z, R))
    (first, end, z, R), *rest = plots
    mean, cov = sensor.invert(z[None], R[None], settings_.prior)
    born = [definition(end - first, mode) for mode in k.modes]
    means = np.array([F @ mean[0] for F, _ in born])
    covs = np.array([F @ cov[0] @ F.T + Q for F, Q in born])
    w, means, covs, _ = textbook((k.start, means, covs, end), rest, sensor, k)
    best = int(np.argmax(state.tracks.existence))
    assert state.tracks.existence[best] > 0.99
    assert np.allclose(mode_probabilities(state, settings_)[best], w, atol=1e-4)
    x = w @ means
    P = sum(s * (C + np.outer(m - x, m - x)) for s, m, C in zip(w, means, covs, strict=True))
    scale = np.sqrt(np.diag(P))
    assert (np.abs(state.tracks.mean[best] - x) < 1e-3 * scale).all()
    assert (np.abs(state.tracks.cov[best] - P) < 1e-3 * np.outer(scale, scale)).all()


def test_modes_that_make_no_sense_are_refused():
    senseless = {"noise_horizontal_m2ps3": -1.0, "damping_hz": np.nan, "turn_rate_radps": np.inf, "stay_s": 0.0}
    for wrong in ({name: value} for name, value in senseless.items()):
        with pytest.raises(ValueError, match="Mode 'm'"):
            Mode(**({"name": "m", "noise_horizontal_m2ps3": 1.0, "noise_vertical_m2ps3": 1.0} | wrong))
