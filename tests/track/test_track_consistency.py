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
}  # of every column's noise


def fly(rng, n, seconds):
    """True states (seconds + 1, n, 6), one per second, by the motion model itself."""
    angle = rng.uniform(0, 2 * np.pi, n)
    r = rng.uniform(1e4, 3e4, n)
    x = np.zeros((n, 6))
    x[:, 0], x[:, 1], x[:, 2] = r * np.sin(angle), r * np.cos(angle), rng.uniform(2e3, 5e3, n)
    x[:, 3:] = rng.normal(0, 1, (n, 3)) * [100, 100, 8]
    L = np.linalg.cholesky(motion.predict(np.zeros((1, 6)), np.zeros((1, 6, 6)), 1.0, 4.0, 1.0)[1][0])
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


CHECKS = 3 * 6 * 2  # spaces, seeds, statistics: the family that may fail by chance once in twenty runs of all
SPACES = [Space.RANGE_AZIMUTH_ELEVATION, Space.RANGE_AZIMUTH_ELEVATION_RANGE_RATE, Space.POSITION_3D]


def inside(statistic, dof, count):
    low, high = chi2.ppf([0.025 / CHECKS, 1.0 - 0.025 / CHECKS], dof * count)
    return low <= statistic <= high


def named(scan):
    """The same plots, each saying whose it is: association is certain, what is left is the filter."""
    who = scan.frame_seq.copy()
    return Detections(scan.sensor, scan.space, scan.scan_ns, scan.time_ns, scan.z, scan.R, who, scan.frame_seq)


@pytest.mark.parametrize("seed", [11, 12, 13, 14, 15, 100])
@pytest.mark.parametrize("space", SPACES)
def test_nees_and_nis_in_their_bands(space, seed):
    """60 targets, 12 rotations: NEES at the end, NIS from the sixth rotation on, in 95 % bands for the whole family."""
    n, rng = 60, np.random.default_rng(seed)
    sensor = model(space, p_detect=0.9999, clutter_per_scan=1e-3)
    nis, (path, state) = [], (fly(rng, n, 48), start(SETTINGS))
    for end_s in range(4, 49, 4):
        state, told = step(state, named(look(rng, sensor, path, end_s, 4)), sensor, SETTINGS)
        if end_s >= 24:
            nis.extend(told.nis[told.weight > 0.5].tolist())
    tracks = state.tracks
    sure = np.flatnonzero(tracks.existence > 0.9)
    error = tracks.mean[sure] - path[48, tracks.address[sure]]
    nees = np.einsum("ni,nij,nj->n", error, np.linalg.inv(tracks.cov[sure]), error)
    assert sorted(tracks.address[sure].tolist()) == list(range(n))
    assert len(nis) >= 7 * 0.99 * n
    assert inside(nees.sum(), 6, n)
    assert inside(sum(nis), len(space.value), len(nis))


HEIGHTS_M = (50.0, 500.0, 2_000.0, 5_000.0, 9_000.0, 12_000.0)
RANGES_M = (3_000.0, 6_000.0, 12_000.0, 25_000.0, 60_000.0)


def test_a_flat_radar_is_honest_about_the_ground():
    """Two-dimensional plots of targets from 50 m to 12 km height, 3 to 60 km away, 16 of each: the shown 95 % regions
    on the ground hold them, each combination at least as often as 15 of 16 true 95 % regions would with 99.9 %."""
    rng, per = np.random.default_rng(3), 16
    height, ground = (a.ravel().repeat(per) for a in np.meshgrid(HEIGHTS_M, RANGES_M))
    n = len(height)
    sensor = model(Space.RANGE_AZIMUTH, p_detect=0.9999, clutter_per_scan=1e-3, range_m_max=100_000.0)
    angle = rng.uniform(-np.pi, np.pi, n)
    x = np.zeros((n, 6))
    x[:, 0], x[:, 1] = (
        ground * f(angle) + o for f, o in ((np.sin, sensor.position_m[0]), (np.cos, sensor.position_m[1]))
    )
    x[:, 2] = height - (x[:, 0] ** 2 + x[:, 1] ** 2) / (2 * 6_378_137.0)
    x[:, 3:5] = rng.normal(0, 20, (n, 2))
    path = np.array([motion.shift(x, np.full(n, t - 40.0)) for t in range(41)])
    state = start(SETTINGS)
    for end_s in range(4, 41, 4):
        state, _ = step(state, named(look(rng, sensor, path, end_s, 4)), sensor, SETTINGS)
    shown = predict_tracks(state, 40 * SECOND, SETTINGS)
    best = {a: k for k, a in sorted(enumerate(shown.address.tolist()), key=lambda one: shown.existence[one[0]])}
    rows = np.array([best[i] for i in range(n)])
    off = shown.mean[rows, :2] - path[40, :, :2]
    inside_region = np.einsum("ni,nij,nj->n", off, np.linalg.inv(shown.cov[rows, :2, :2]), off) <= chi2.ppf(0.95, 2)
    by_place = inside_region.reshape(len(RANGES_M), len(HEIGHTS_M), per).sum(axis=2)
    binom = pytest.importorskip("scipy.stats").binom
    assert inside_region.mean() >= 0.95
    assert (by_place >= binom.ppf(0.001, per, 0.95)).all()
    # Height itself stays as unknown as it is: the prior, within its bounds.
    away = rows[ground >= 25_000.0]
    assert np.allclose(shown.cov[away, 2, 2], SETTINGS.prior.height_m_sigma**2, rtol=0.1)
    curve = (shown.mean[:, 0] ** 2 + shown.mean[:, 1] ** 2) / (2 * 6_378_137.0)
    over = shown.mean[:, 2] + curve
    assert ((over >= SETTINGS.prior.height_m_min - 1e-6) & (over <= SETTINGS.prior.height_m_max + 1e-6)).all()


def test_a_measured_height_narrows_the_ground():
    """One plot with elevation, and the region along the line of sight is as narrow as the plots."""
    rng = np.random.default_rng(4)
    flat, full = (model(s, p_detect=0.99) for s in (Space.RANGE_AZIMUTH, Space.RANGE_AZIMUTH_ELEVATION))
    path, state = fly(rng, 1, 40), start(SETTINGS)
    for end_s in range(4, 37, 4):
        state, _ = step(state, named(look(rng, flat, path, end_s, 4)), flat, SETTINGS)
    before = predict_tracks(state, 36 * SECOND, SETTINGS)
    state, _ = step(state, named(look(rng, full, path, 40, 4)), full, SETTINGS)
    after = predict_tracks(state, 40 * SECOND, SETTINGS)
    assert np.linalg.eigvalsh(before.cov[0, :2, :2])[-1] > 500.0**2
    assert np.linalg.eigvalsh(after.cov[0, :2, :2])[-1] < 200.0**2


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


@pytest.mark.parametrize("space", [Space.AZIMUTH, Space.AZIMUTH_ELEVATION])
def test_bearings_sharpen_a_track(space):
    """A radar with poor azimuth begins tracks; a direction finder 10 km away corrects them, false bearings and all."""
    errors = []
    for helped in (False, True):
        rng = np.random.default_rng(6)
        radar = model(Space.RANGE_AZIMUTH_ELEVATION, p_detect=0.9, clutter_per_scan=2.0)
        finder = make_sensor(
            SensorConfig("df", Position(0.9015, 0.4015, 150.0), "bearing", p_detect=0.8, clutter_per_scan=2.0),
            ORIGIN,
            space,
        )
        path, state = fly(rng, 6, 60), start(SETTINGS)
        for end_s in range(4, 61, 4):
            plots = look(rng, radar, path, end_s, 4, 0.9)
            wide = plots.R.copy()
            wide[:, 1, 1] = 0.02**2
            z = plots.z + np.outer(rng.normal(0, 0.02, len(plots)), [0.0, 1.0, 0.0])
            plots = Detections("r", radar.space, plots.scan_ns, plots.time_ns, z, wide, plots.address, plots.frame_seq)
            state, _ = step(state, plots, radar, SETTINGS)
            bearings = look(rng, finder, path, end_s, 1, 0.8)
            false = rng.uniform(-np.pi, np.pi, 2)
            z = np.concatenate([bearings.z, np.full((2, bearings.z.shape[1]), 0.1)])
            z[-2:, 0] = false
            m = len(z)
            R = np.broadcast_to(bearings.R[0], (m, *bearings.R.shape[1:])).copy()
            time_ns, nobody = np.full(m, end_s * SECOND), np.full(m, ANONYMOUS, dtype=np.int64)
            heard = Detections("df", space, end_s * SECOND, time_ns, z, R, nobody, np.arange(m))
            if helped:
                before = state.tracks.next_id
                state, _ = step(state, heard, finder, SETTINGS)
                assert state.tracks.next_id == before  # nothing begins from a bearing
        sure = state.tracks.mean[state.tracks.status == TrackStatus.CONFIRMED, :2]
        away = np.linalg.norm(sure[:, None] - path[60][None, :, :2], axis=2)
        assert (away.min(axis=0) < 2_000.0).all()
        errors.append(np.sqrt((away.min(axis=0) ** 2).mean()))
    assert errors[1] < 0.6 * errors[0]


def test_a_flood_is_bounded_and_declared():
    """10,000 false plots around one track, four scans: no flood of tracks, and the state says that work was cut."""
    rng, settings = np.random.default_rng(0), TrackSettings()
    sensor, state = model(Space.POSITION_2D), start(TrackSettings())
    for k in range(1, 9):
        m = 10 if k < 5 else 10_000
        z = rng.uniform(-15e3, 15e3, (m + 1, 2)) if m == 10 else rng.uniform(-150, 150, (m + 1, 2))
        z[0] = 10.0 * k, 0.0
        R = np.broadcast_to(np.eye(2) * 900.0, (m + 1, 2, 2)).copy()
        nobody, end = np.full(m + 1, ANONYMOUS, dtype=np.int64), k * SECOND
        scan = Detections("r", sensor.space, end, np.full(m + 1, end), z, R, nobody, np.arange(m + 1))
        state, _ = step(state, scan, sensor, settings)
        if k == 4:
            assert state.cut == 0
    assert state.cut >= 4
    assert len(state.tracks) < 200
    best = np.argmax(state.tracks.existence)
    assert state.tracks.existence[best] > 0.5
    assert np.hypot(*state.tracks.mean[best, :2]) < 300.0
