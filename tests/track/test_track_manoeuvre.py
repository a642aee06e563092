"""Targets that hover, start, circle and stop: held under one id, better than by one motion model; and the filter is as
good as it says where targets change modes as assumed."""

import numpy as np
import pytest

from lapwing.kernel.manoeuvre import changes
from lapwing.kernel.turning import add_noise, move_state
from lapwing.records import ANONYMOUS, Detections, Space, TrackStatus
from lapwing.track import AIR, Mode, PositionSensor, TargetPrior, TrackSettings, mode_probabilities, start, step
from lapwing.track.motions import kinematics

chi2 = pytest.importorskip("scipy.stats").chi2
SECOND = 1_000_000_000
PERIOD_S, SIGMA_M, SIDE_M, FALSE = 2.0, 15.0, 8_000.0, 5.0
SENSOR = PositionSensor("s", Space.POSITION_2D, 0.9, FALSE, SIDE_M**2)
PRIOR = TargetPrior(speed_mps_sigma=30.0, height_m_mean=300.0, height_m_sigma=1_500.0)


def drone(seconds):
    """Positions and velocities (seconds * 20, 2) of a multirotor: 30 s on the spot, 30 s straight at 17 m/s, a minute
    of circles of 90 m radius, 40 s on the spot, 40 s of circles of 45 m the other way, straight on."""
    dt, head, speed, p = 0.05, 0.3, 0.0, np.array([1_500.0, 800.0])
    places, velocities = [], []
    for k in range(round(seconds / dt)):
        t = k * dt
        still = t < 30.0 or 120.0 <= t < 160.0
        turn = 17.0 / 90.0 if 60.0 <= t < 120.0 else -17.0 / 45.0 if 160.0 <= t < 200.0 else 0.0
        speed += np.clip((0.0 if still else 17.0) - speed, -4.0 * dt, 4.0 * dt)
        head += turn * dt
        velocity = speed * np.array([np.cos(head), np.sin(head)])
        p = p + velocity * dt
        places.append(p)
        velocities.append(velocity)
    return np.array(places), np.array(velocities)


def scan_of(z, end_s, sigma=SIGMA_M):
    m, end = len(z), round(end_s * SECOND)
    nobody = np.full(m, ANONYMOUS, dtype=np.int64)
    R = np.broadcast_to(np.eye(2) * sigma**2, (m, 2, 2)).copy()
    return Detections("s", Space.POSITION_2D, end, np.full(m, end), z, R, nobody, np.arange(m))


def follow(settings, seed, seconds=240.0):
    """Share of scans from the tenth on with a known track within 120 m, its ids, RMS of position and of velocity."""
    rng, (places, velocities) = np.random.default_rng(seed), drone(seconds)
    state, scans, ids, off = start(settings), int(seconds / PERIOD_S), [], []
    for k in range(1, scans):
        at = round(k * PERIOD_S / 0.05)
        z = rng.uniform(-SIDE_M / 2, SIDE_M / 2, (rng.poisson(FALSE), 2))
        if rng.random() < 0.9:
            z = np.concatenate([places[at][None] + rng.normal(0.0, SIGMA_M, (1, 2)), z])
        state, _ = step(state, scan_of(z, k * PERIOD_S), SENSOR, settings)
        known = np.flatnonzero(state.tracks.status != TrackStatus.TENTATIVE)
        away = np.hypot(*(state.tracks.mean[known, :2] - places[at]).T)
        if k >= 10 and len(away) and away.min() < 120.0:
            row = known[away.argmin()]
            ids.append(int(state.tracks.track_id[row]))
            off.append((away.min(), np.hypot(*(state.tracks.mean[row, 3:5] - velocities[at]))))
    return len(off) / (scans - 10), set(ids), np.sqrt(np.square(off).mean(axis=0)), state


def test_a_drone_that_hovers_and_circles_keeps_one_id():
    """Ten runs of four minutes, plots every two seconds. The steady mode alone loses it and takes several ids; the best
    single noise found by trial (16 m2/s3) holds it, farther off than the modes do."""
    several, steady, noisy = (
        [follow(TrackSettings(prior=PRIOR, **kind), seed)[:3] for seed in range(10)]
        for kind in ({"modes": AIR}, {"noise_horizontal_m2ps3": 1.0}, {"noise_horizontal_m2ps3": 16.0})
    )
    assert all(len(ids) == 1 and held == 1.0 for held, ids, _ in several)
    assert np.mean([len(ids) for _, ids, _ in steady]) > 2.0
    assert np.mean([held for held, _, _ in steady]) < 0.95
    mine, theirs, lost = (np.mean([off for _, _, off in runs], axis=0) for runs in (several, noisy, steady))
    assert (mine < [0.92 * theirs[0], 0.85 * theirs[1]]).all()
    assert (mine < 0.8 * lost).all()


def test_modes_say_what_it_does():
    """Hovering, circling left: the probable mode is that one."""
    settings = TrackSettings(prior=PRIOR, modes=AIR)
    named = [mode.name for mode in AIR]
    for seconds, name in ((29.0, "hover"), (118.0, "left")):
        *_, state = follow(settings, 3, seconds)
        p = mode_probabilities(state, settings)[int(np.argmax(state.tracks.existence))]
        assert np.isclose(p.sum(), 1.0)
        assert p[named.index(name)] > 0.5


MATCHED = (
    Mode("steady", 0.5, 0.0, stay_s=25.0),
    Mode("agile", 20.0, 0.0, stay_s=12.0),
    Mode("left", 1.0, 0.0, turn_rate_radps=0.25, stay_s=20.0),
    Mode("right", 1.0, 0.0, turn_rate_radps=-0.25, stay_s=20.0),
)


def switching(rng, n, scans, dt):
    """Paths (scans, n, 6) of targets that change modes and move as MATCHED says, in tenths of the interval."""
    k, fine = kinematics(MATCHED), 10
    T = changes(k.rates, dt / fine)
    chol = []
    for mode in k.modes:
        Q = np.zeros((6, 6))
        add_noise(Q, dt / fine, mode, 1.0)
        chol.append(np.linalg.cholesky(Q + 1e-12 * np.eye(6)))
    x, out = np.zeros((n, 6)), np.zeros((scans, n, 6))
    x[:, :2], x[:, 3:5] = 3_000.0 * np.arange(n)[:, None], rng.normal(0.0, 15.0, (n, 2))
    mode = rng.choice(len(k.modes), n, p=k.start)
    for s in range(scans):
        for _ in range(fine):
            for i in range(n):
                move_state(x[i], dt / fine, k.modes[mode[i]])
                x[i] += chol[mode[i]] @ rng.normal(0.0, 1.0, 6)
            mode = np.array([rng.choice(len(k.modes), p=T[m]) for m in mode])
        out[s] = x
    return out


def test_nees_and_nis_of_manoeuvring_targets():
    """150 targets, 40 scans a second apart, modes as assumed. The errors of a mixture are not Gaussian, so the
    band of NEES around 4 is that of its own spread over targets, four standard errors (measured: 3.79 +- 0.11, NIS
    1.95). The steady mode alone is far outside."""
    rng, n, scans, dt = np.random.default_rng(21), 150, 40, 1.0
    path = switching(rng, n, scans, dt)
    plots = path[:, :, :2] + rng.normal(0.0, 10.0, (scans, n, 2))
    sensor = PositionSensor("s", Space.POSITION_2D, 0.9999, 1e-3, 1e12)
    found = []
    for kind in ({"modes": MATCHED}, {"noise_horizontal_m2ps3": 0.5, "noise_vertical_m2ps3": 0.0}):
        settings = TrackSettings(prior=PRIOR, undetected_start=300.0, gate_d2=60.0, **kind)
        state, nees, nis = start(settings), [], []
        for s in range(scans):
            state, told = step(state, scan_of(plots[s], (s + 1) * dt, 10.0), sensor, settings)
            if s < 10:
                continue
            sure = state.tracks.existence > 0.9
            off = np.linalg.norm(path[s, :, None, :2] - state.tracks.mean[None, sure, :2], axis=2)
            row = np.flatnonzero(sure)[off.argmin(axis=1)]
            error = (state.tracks.mean[row] - path[s])[:, [0, 1, 3, 4]]
            P = state.tracks.cov[row][:, [0, 1, 3, 4]][:, :, [0, 1, 3, 4]]
            nees.append(np.einsum("ni,nij,nj->n", error, np.linalg.inv(P), error))
            nis.append(told.nis[told.weight > 0.5].mean())
        per_target = np.mean(nees, axis=0)
        found.append((per_target.mean(), 4.0 * per_target.std() / np.sqrt(n), np.mean(nis)))
    (mean, spread, nis), (alone, _, nis_alone) = found
    assert abs(mean - 4.0) < spread
    assert abs(nis - 2.0) < 0.1
    assert alone > 8.0
    assert nis_alone > 3.0
