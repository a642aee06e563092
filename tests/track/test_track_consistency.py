"""Is the filter as good as it says? NEES and NIS on data made as it assumes (seeded), and the life of tracks."""

import numpy as np
import pytest

from lapwing.kernel import motion
from lapwing.records import ANONYMOUS, Detections, Position, SensorConfig, Space, TrackStatus
from lapwing.track import TargetPrior, TrackSettings, make_sensor, predict_tracks, start, step

chi2 = pytest.importorskip("scipy.stats").chi2
ORIGIN = Position(0.9, 0.4, 100.0)
SECOND = 1_000_000_000
SETTINGS = TrackSettings()
SIGMA = {
    "range_m": 30.0,
    "azimuth_rad": 0.0035,
    "elevation_rad": 0.005,
    "range_rate_mps": 1.0,
    "east_m": 30.0,
    "north_m": 30.0,
    "up_m": 30.0,
}


def fly(rng, n, seconds):
    """True states (seconds + 1, n, 6), one per second, by the motion model itself."""
    angle = rng.uniform(0, 2 * np.pi, n)
    r = rng.uniform(1e4, 3e4, n)
    x = np.zeros((n, 6))
    x[:, 0], x[:, 1], x[:, 2] = r * np.sin(angle), r * np.cos(angle), rng.uniform(2e3, 5e3, n)
    x[:, 3:] = rng.normal(0, 1, (n, 3)) * [100, 100, 8]
    L = np.linalg.cholesky(motion.process_noise(np.array(1.0), 4.0, 1.0))
    path = [x]
    for _ in range(seconds):
        path.append(motion.shift(path[-1], np.full(n, 1.0)) + rng.normal(0, 1, (n, 6)) @ L.T)
    return np.array(path)


def look(rng, sensor, path, end_s, period_s, p_detect=1.0, clutter=0):
    """A rotating scan: target i is met at a whole second within the period before end_s; its plots in that order."""
    n = path.shape[1]
    at = end_s - rng.integers(0, period_s, n)
    truth = path[at, np.arange(n)]
    sigma = np.array([SIGMA[c] for c in sensor.space.value])
    z = sensor.expect(truth)[0] + rng.normal(0, 1, (n, len(sigma))) * sigma
    hit = rng.random(n) < p_detect
    z, at = z[hit], at[hit]
    if clutter:
        false = np.column_stack([rng.uniform(500, 5e4, clutter), rng.uniform(-np.pi, np.pi, clutter)])
        z, at = np.concatenate([z, false]), np.concatenate([at, np.full(clutter, end_s)])
    R = np.broadcast_to(np.diag(sigma**2), (len(z), len(sigma), len(sigma))).copy()
    nobody = np.full(len(z), ANONYMOUS, dtype=np.int64)
    return Detections(sensor.sensor, sensor.space, end_s * SECOND, at * SECOND, z, R, nobody, np.arange(len(z)))


def model(space, **kwargs):
    kind = "radar" if "range_m" in space.value else "position"
    return make_sensor(SensorConfig("r", Position(0.901, 0.401, 150.0), kind, **kwargs), ORIGIN, space)


def inside(statistic, dof, count):
    low, high = chi2.ppf([0.025, 0.975], dof * count)
    return low <= statistic <= high


@pytest.mark.parametrize(
    "space", [Space.RANGE_AZIMUTH_ELEVATION, Space.RANGE_AZIMUTH_ELEVATION_RANGE_RATE, Space.POSITION_3D]
)
def test_nees_and_nis_in_their_bands(space):
    """One target per run, 60 runs, 12 rotations: NEES at the end, NIS from the sixth rotation on, in 95 % bands."""
    rng = np.random.default_rng(100)
    sensor = model(space, p_detect=0.9999, clutter_per_scan=1e-3)
    nees, nis, ends, looks = 0.0, 0.0, 0, 0
    for _ in range(60):
        path, state = fly(rng, 1, 48), start(SETTINGS)
        for end_s in range(4, 49, 4):
            state, told = step(state, look(rng, sensor, path, end_s, 4), sensor, SETTINGS)
            if end_s >= 24 and len(told.weight):
                nis += told.nis[np.argmax(told.weight)]
                looks += 1
        best = int(np.argmax(state.tracks.existence))
        if state.tracks.existence[best] > 0.9:
            error = state.tracks.mean[best] - path[48, 0]
            nees += error @ np.linalg.solve(state.tracks.cov[best], error)
            ends += 1
    assert ends >= 58
    assert looks >= 6 * 58
    assert inside(nees, 6, ends)
    assert inside(nis, len(space.value), looks)


def test_a_flat_radar_is_honest_about_height():
    """Two-dimensional plots for five minutes: one track each, height left at the prior because nothing measured it, and
    on the ground off by no more than its covariance says where the true height is within the prior's 1.5 sigma."""
    rng = np.random.default_rng(3)
    sensor = model(Space.RANGE_AZIMUTH, p_detect=0.9, clutter_per_scan=5.0)
    path, state = fly(rng, 6, 300), start(SETTINGS)
    for end_s in range(4, 301, 4):
        state, _ = step(state, look(rng, sensor, path, end_s, 4, 0.9, 5), sensor, SETTINGS)
    tracks, truth, prior = state.tracks, path[300], SETTINGS.prior
    sure = np.flatnonzero(tracks.status == TrackStatus.CONFIRMED)
    likely = np.abs(truth[:, 2] - prior.height_m_mean) < 1.5 * prior.height_m_sigma
    ground = np.hypot(truth[:, 0], truth[:, 1])
    reach = np.flatnonzero((ground < 45_000.0) & (ground > 8_000.0) & likely)
    assert len(reach) >= 3
    assert len(sure) <= 7
    for target in reach:
        off = tracks.mean[sure, :2] - truth[target, :2]
        distance = np.einsum("ni,nij,nj->n", off, np.linalg.inv(tracks.cov[sure, :2, :2]), off)
        assert distance.min() < chi2.ppf(0.9999, 2)
        assert np.hypot(off[:, 0], off[:, 1])[np.argmin(distance)] < 1_500.0
    assert np.allclose(tracks.cov[sure, 2, 2], prior.height_m_sigma**2, rtol=0.1)
    curve = (tracks.mean[:, 0] ** 2 + tracks.mean[:, 1] ** 2) / (2 * 6_378_137.0)
    height = tracks.mean[:, 2] + curve
    assert ((height >= prior.height_m_min - 1e-6) & (height <= prior.height_m_max + 1e-6)).all()


def test_what_nobody_measures_never_gets_vaguer_than_the_prior():
    prior = TargetPrior(height_m_sigma=1_000.0, climb_mps_sigma=5.0)
    settings = TrackSettings(prior=prior, lost_sigma_m=1e9, ghost_sigma_m=1e9, lifetime_s=1e9)
    sensor = model(Space.POSITION_2D)
    z, R = np.zeros((1, 2)), np.eye(2)[None] * 900.0
    nobody = np.full(1, ANONYMOUS, dtype=np.int64)
    scan = Detections("r", Space.POSITION_2D, SECOND, np.array([SECOND]), z, R, nobody, np.array([0]))
    state, _ = step(start(settings), scan, sensor, settings)
    late = predict_tracks(state, 3_600 * SECOND, settings)
    assert len(late) == 1
    assert 0.99 * 1_000.0**2 <= late.cov[0, 2, 2] <= 1_000.0**2 * (1 + 1e-6)
    assert np.isclose(late.cov[0, 5, 5], 25.0, rtol=1e-6)
    np.linalg.cholesky(late.cov)


def watch(sensor, plots, period_s=4):
    """States after each scan; `plots` gives the east coordinate of the one plot of a scan, or None."""
    state, states = start(SETTINGS), []
    for k, east in enumerate(plots, start=1):
        z = np.zeros((0, 3)) if east is None else np.array([[east, 0.0, 3_000.0]])
        m, end = len(z), k * period_s * SECOND
        R, nobody = np.broadcast_to(np.eye(3) * 900.0, (m, 3, 3)).copy(), np.full(m, ANONYMOUS, dtype=np.int64)
        scan = Detections("r", Space.POSITION_3D, end, np.full(m, end), z, R, nobody, np.full(m, k))
        state, _ = step(state, scan, sensor, SETTINGS)
        states.append(state)
    return states


def test_a_life():
    """Tentative, confirmed after a few plots, coasting when unseen, back when seen, gone when lost for good."""
    sensor = model(Space.POSITION_3D)
    seen = [100.0 * k for k in range(8)]
    states = watch(sensor, [*seen, None, None, None, 1_100.0, 1_200.0, *[None] * 15])
    status = [s.tracks.status.max() if len(s.tracks) else None for s in states]
    assert status[0] == TrackStatus.TENTATIVE
    assert status[1] == TrackStatus.TENTATIVE
    assert TrackStatus.CONFIRMED in status[2:5]
    assert status[7] == TrackStatus.CONFIRMED
    assert status[10] == TrackStatus.COASTING
    assert status[12] == TrackStatus.CONFIRMED
    ids = {int(s.tracks.track_id[0]) for s in states[:13] if len(s.tracks)}
    assert ids == {1}
    assert 1 not in states[-1].tracks.track_id
    assert states[-1].tracks.next_id > 1
    sure = states[7].tracks
    assert sure.updated_ns[0] == 32 * SECOND
    assert sure.frame_seq[0] == 8
    assert np.isclose(sure.mean[0, 3], 25.0, atol=8.0)


def test_clutter_alone_confirms_nothing():
    rng, state = np.random.default_rng(8), start(SETTINGS)
    sensor = model(Space.RANGE_AZIMUTH, clutter_per_scan=20.0)
    confirmed = 0
    for k in range(1, 76):
        z = np.column_stack([rng.uniform(500, 5e4, 20), rng.uniform(-np.pi, np.pi, 20)])
        R = np.broadcast_to(np.diag([900.0, 0.0035**2]), (20, 2, 2)).copy()
        nobody, end = np.full(20, ANONYMOUS, dtype=np.int64), 4 * k * SECOND
        scan = Detections("r", sensor.space, end, np.full(20, end), z, R, nobody, np.arange(20))
        state, _ = step(state, scan, sensor, SETTINGS)
        confirmed = max(confirmed, int(np.count_nonzero(state.tracks.status != TrackStatus.TENTATIVE)))
    assert confirmed <= 1


def test_two_radars_that_turn_out_of_step():
    """Plots of one are older than the other's scan end: one track per target all the same."""
    rng = np.random.default_rng(5)
    a = model(Space.RANGE_AZIMUTH_ELEVATION, p_detect=0.9, clutter_per_scan=0.1)
    b = make_sensor(
        SensorConfig("b", Position(0.8985, 0.402, 90.0), "radar", p_detect=0.9, clutter_per_scan=0.1), ORIGIN, a.space
    )
    path, state = fly(rng, 8, 120), start(SETTINGS)
    for end_s in range(6, 121):
        if end_s % 4 == 0:
            state, _ = step(state, look(rng, a, path, end_s, 4, 0.9), a, SETTINGS)
        if end_s % 5 == 1:
            state, _ = step(state, look(rng, b, path, end_s, 5, 0.9), b, SETTINGS)
    sure = state.tracks.status == TrackStatus.CONFIRMED
    late = state.tracks.mean[sure]
    now = path[state.tracks.time_ns // SECOND]
    here = np.hypot(now[:, 0], now[:, 1]) < 45_000.0
    away = np.linalg.norm(late[:, None, :3] - now[None, :, :3], axis=2)
    assert here.sum() >= 5
    assert (away.min(axis=0)[here] < 500.0).all()
    assert sure.sum() <= 9


def test_addresses_keep_plots_apart():
    """Two plots swap places but say who they are; tracks follow the address."""
    sensor, state = model(Space.POSITION_3D), start(SETTINGS)
    for k in range(1, 9):
        east = -400.0 + 100.0 * k
        z = np.array([[east, 0.0, 3e3], [-east, 20.0, 3e3]])
        R, end = np.broadcast_to(np.eye(3) * 900.0, (2, 3, 3)).copy(), k * SECOND
        scan = Detections("r", sensor.space, end, np.full(2, end), z, R, np.array([7, 8]), np.arange(2))
        state, _ = step(state, scan, sensor, SETTINGS)
    sure = state.tracks.status == TrackStatus.CONFIRMED
    assert sorted(state.tracks.address[sure].tolist()) == [7, 8]
    east = dict(zip(state.tracks.address[sure].tolist(), state.tracks.mean[sure, 0].tolist(), strict=True))
    assert np.isclose(east[7], 400.0, atol=60.0)
    assert np.isclose(east[8], -400.0, atol=60.0)
