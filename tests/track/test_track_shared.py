"""Biases from shared tracks: honest by themselves, blind where they should be, and fed by nothing of their own."""

from dataclasses import replace

import numpy as np
import pytest
from tests.track.test_track_registration import ORIGIN, PRIOR, SETTINGS

from lapwing.engine.plan import Plan
from lapwing.engine.registering import choose_anchor, register
from lapwing.engine.state import start
from lapwing.records import (
    ANONYMOUS,
    BIASES,
    Detections,
    Innovations,
    Position,
    SensorConfig,
    Site,
    Space,
    Tracks,
    TrackStatus,
)
from lapwing.track import TargetPrior, looks, make_sensor, shared, tracklets, watch_step

SECOND = 1_000_000_000
NOISE = {"range_m": 30.0, "azimuth_rad": 0.0035, "elevation_rad": 0.006}
LOW = TargetPrior(height_m_mean=300.0, height_m_sigma=1_500.0)
DEEP, FLAT = Space.RANGE_AZIMUTH_ELEVATION, Space.RANGE_AZIMUTH
NOBODY = np.zeros(0, dtype=np.int64)


def config(name, north_rad, east_rad):
    return SensorConfig(
        name, Position(0.9 + north_rad, 0.4 + east_rad, 60.0), "radar", elevation_sigma_rad=0.006, range_m_max=40_000.0,
        align=True,
    )  # fmt: skip


A, OTHER = config("A", 0.0004, 0.0007), config("B", -0.0011, 0.0012)  # eleven kilometres apart


def drones(rng, n):
    x = np.zeros((n, 6))
    x[:, :2], x[:, 2] = rng.uniform(-12e3, 12e3, (n, 2)), rng.uniform(80, 1_500, n)
    course, speed = rng.uniform(0, 2 * np.pi, n), rng.uniform(10, 50, n)
    x[:, 3], x[:, 4] = speed * np.sin(course), speed * np.cos(course)
    return x


def scan_of(rng, sensor, x, b, now, clutter=10.0):
    """A scan with biases b, and which of its rows are which targets."""
    columns = sensor.space.value
    sigma = np.array([NOISE[c] for c in columns])
    true = x.copy()
    true[:, :3] -= x[:, 3:] * b[3]
    true[:, :2] -= b[4:]
    z = sensor.expect(true)[0] + [b[BIASES.index(c)] for c in columns] + rng.normal(0, 1, (len(x), len(sigma))) * sigma
    who = np.flatnonzero(rng.random(len(x)) < 0.9)
    extent = np.array([{"range_m": 40e3, "azimuth_rad": 2 * np.pi, "elevation_rad": 0.5}[c] for c in columns])
    z = np.concatenate([z[who], rng.random((rng.poisson(clutter), len(sigma))) * extent])
    m = len(z)
    R = np.tile(np.diag(sigma**2), (m, 1, 1))
    nobody = np.full(m, ANONYMOUS, dtype=np.int64)
    return Detections(sensor.sensor, sensor.space, now, np.full(m, now), z, R, nobody, np.arange(m)), who


def surely(scan, who, x):
    """What a tracker would tell that knows which plot is whose."""
    n = len(x)
    i = np.zeros(n, dtype=np.int64)
    life = (np.ones(n), np.full(n, TrackStatus.CONFIRMED), i, i.copy(), i.copy(), i.copy(), n + 1)
    tracks = Tracks(scan.scan_ns, np.arange(1, n + 1), x.copy(), np.tile(np.eye(6), (n, 1, 1)), *life)
    one = np.ones(len(who))
    return Innovations(scan.sensor, scan.scan_ns, who + 1, np.arange(len(who)), one, one, 3), tracks


def moved(rng, x, q=1.0):
    """Two seconds on."""
    x = x.copy()
    x[:, :3] += 2.0 * x[:, 3:]
    x[:, 3:5] += rng.normal(0, np.sqrt(2.0 * q), (len(x), 2))
    return x


def compared(seed, spaces, biases, known, n=8, seconds=180, x=None):
    """The joint solution after both have looked at n drones in turn, every four seconds."""
    rng = np.random.default_rng(seed)
    anchor, sensor = make_sensor(A, ORIGIN, spaces[0]), make_sensor(OTHER, ORIGIN, spaces[1])
    x, settings = drones(rng, n) if x is None else x, shared.pairing(SETTINGS)
    pairs, plots = looks.begin("B", sensor.space.value, settings), tracklets.Plots.empty()
    for k in range(1, seconds // 2 + 1):
        x = moved(rng, x)
        if k % 2 == 0:
            scan, who = scan_of(rng, anchor, x, biases[0], 2 * k * SECOND)
            plots = tracklets.gathered(plots, scan, *surely(scan, who, x), locates=True)
            continue
        scan, _ = scan_of(rng, sensor, x, biases[1], 2 * k * SECOND)
        reference = tracklets.tracklets(plots, anchor, LOW, 1.0, NOBODY)
        if len(reference.address):
            pairs = looks.collect(pairs, scan, sensor, reference, settings)
    return shared.solve_both(pairs, (sensor, anchor), known, SETTINGS)


def drawn(seed, spaces, anchor_sigma):
    """Biases of the anchor and of the other from their priors, and those priors."""
    rng = np.random.default_rng(10_000 + seed)
    out = [rng.normal(0, 1, 6) * anchor_sigma, rng.normal(0, 1, 6) * 0.5 * PRIOR]
    for space, b in zip(spaces, out, strict=True):
        b[2] = b[2] if space is DEEP else 0.0
    return out, (shared.Before(np.zeros(6), 0.5 * PRIOR), shared.Before(np.zeros(6), anchor_sigma))


@pytest.mark.slow
@pytest.mark.parametrize("spaces", [(DEEP, DEEP), (DEEP, FLAT), (FLAT, FLAT)], ids=["3d-3d", "3d-2d", "2d-2d"])
@pytest.mark.parametrize("share", [0.05, 0.5], ids=["anchored", "loose"])
def test_joint_biases_are_as_sure_as_they_say(spaces, share):
    """Twenty-four seeds of biases drawn from the priors: mean normalised error squared of all that either sensor has,
    and every observable azimuth within half a degree."""
    kept = [i for i in range(12) if i % 6 != 2 or spaces[1 if i < 6 else 0] is DEEP]
    nees, seen = [], []
    for seed in range(24):
        (a, b), known = drawn(seed, spaces, share * PRIOR)
        j = compared(seed, spaces, (a, b), known)
        e = j.bias - np.concatenate([b, a])
        nees.append(e[kept] @ np.linalg.solve(j.cov[np.ix_(kept, kept)], e[kept]))
        seen.append(j.observable)
        assert j.observable[1] == 1
        assert abs(e[1]) < min(4.0 * np.sqrt(j.cov[1, 1]), np.radians(1.5))
        difference, sigma = j.difference
        assert abs(difference[1] - (b - a)[1]) < 4.0 * sigma[1]
    n = 24 * len(kept)
    print(f"NEES per bias {np.sum(nees) / n:.2f}, observable {np.mean(seen, axis=0).round(2)}")
    # 95 % band of chi-square with n degrees of freedom, and a tenth for a mixture and a linearisation.
    assert abs(np.sum(nees) / n - 1.0) < 0.1 + 1.96 * np.sqrt(2.0 / n)


def test_nothing_says_who_is_right_where_both_stand_in_one_place():
    """Two radars side by side, the one turned by two degrees: the difference is known, neither is blamed or mended."""
    beside = replace(OTHER, position=A.position)
    rng = np.random.default_rng(1)
    anchor, sensor = make_sensor(A, ORIGIN, DEEP), make_sensor(beside, ORIGIN, DEEP)
    settings, x = shared.pairing(SETTINGS), drones(rng, 8)
    pairs, plots = looks.begin("B", sensor.space.value, settings), tracklets.Plots.empty()
    turn = np.radians(2.0) * np.eye(6)[1]
    for k in range(1, 91):
        x = moved(rng, x)
        scan, who = scan_of(
            rng, anchor if k % 2 == 0 else sensor, x, 0.0 * turn if k % 2 == 0 else turn, 2 * k * SECOND
        )
        if k % 2 == 0:
            plots = tracklets.gathered(plots, scan, *surely(scan, who, x), locates=True)
        elif len((reference := tracklets.tracklets(plots, anchor, LOW, 1.0, NOBODY)).address):
            pairs = looks.collect(pairs, scan, sensor, reference, settings)
    loose = shared.Before(np.zeros(6), PRIOR)
    j = shared.solve_both(pairs, (sensor, anchor), (loose, loose), SETTINGS)
    difference, sigma = j.difference
    assert not j.observable[[1, 7]].any()
    assert shared.difference_known(j, SETTINGS)[1] == 1
    assert abs(difference[1] - turn[1]) < 4.0 * sigma[1] < np.radians(0.4)
    sure = shared.Before(np.zeros(6), np.array([5.0, 0.001, 0.001, 0.02, 3.0, 3.0]))
    j = shared.solve_both(pairs, (sensor, anchor), (loose, sure), SETTINGS)
    assert j.observable[1] == 1
    assert abs(j.bias[1] - turn[1]) < np.radians(0.3)  # whoever is sure is right
    assert abs(j.bias[7]) < np.radians(0.1)


def test_too_little_is_nothing():
    (a, b), known = drawn(1, (DEEP, DEEP), 0.5 * PRIOR)
    one = np.array([[9e3, 5e3, 400.0, 20.0, 5.0, 0.0]])
    for x in (one, np.zeros((0, 6))):
        j = compared(1, (DEEP, DEEP), (a, b), known, x=x)
        assert j.looks == 0
        assert not j.observable.any()
        assert np.array_equal(np.sqrt(np.diagonal(j.cov)), np.concatenate([known[0].sigma, known[1].sigma]))


def test_places_without_bias_measure_as_the_sensor_would_have():
    rng = np.random.default_rng(3)
    x = drones(rng, 40)
    x = x[np.hypot(x[:, 0], x[:, 1]) > 3e3]
    for space in (DEEP, FLAT):
        sensor = make_sensor(A, ORIGIN, space)
        d = len(space.value)
        b = np.array([90.0, 0.1, 0.05 if space is DEEP else 0.0, 0.0, 0.0, 0.0])
        back = shared.unbiased(x, sensor, b)
        assert np.allclose(sensor.innovation(sensor.expect(x)[0], sensor.expect(back)[0]), b[:d], atol=1e-6)
        slope = tracklets.turned(x, sensor)
        for k in range(6):
            step = 1e-4 * PRIOR[k] * np.eye(6)[k]
            if k == 2 and space is FLAT:
                continue
            numeric = (shared.unbiased(x, sensor, -step) - shared.unbiased(x, sensor, step))[:, :3] / (2 * step[k])
            assert np.allclose(numeric, slope[:, :, k], rtol=1e-3, atol=1e-3 * np.abs(slope[:, :, k]).max() + 1e-9)


def test_a_tracklet_is_the_best_line_through_its_plots():
    """Normalised errors of tracklets of targets that move as assumed: six for six, over four hundred."""
    rng = np.random.default_rng(4)
    sensor, out = make_sensor(A, ORIGIN, DEEP), []
    for _ in range(50):
        x, plots = drones(rng, 8), tracklets.Plots.empty()
        x[:, :2] += np.sign(x[:, :2]) * 3e3
        for k in range(1, 9):
            step = rng.normal(0, np.sqrt(0.5), (100, len(x), 2))
            for w in step * 0.2:  # two seconds in fine steps of white acceleration of density one
                x[:, :3] += 0.02 * x[:, 3:]
                x[:, 3:5] += w
            scan, who = scan_of(rng, sensor, x, np.zeros(6), 2 * k * SECOND, clutter=0.0)
            plots = tracklets.gathered(plots, scan, *surely(scan, who, x), locates=True)
        reference = tracklets.tracklets(plots, sensor, LOW, 1.0, NOBODY)
        seen = reference.time_ns == 16 * SECOND
        e = reference.mean - x[reference.address - 1]
        out += (np.einsum("ni,nij,nj->n", e, np.linalg.inv(reference.cov), e)[seen:]).tolist() if seen else []
    assert len(out) > 300
    assert abs(np.mean(out) - 6.0) < 0.6


def drive(rng, plan, biases, seconds, raw_seen=None):
    """Both radars through registration and tracker, as the engine does it; the states."""
    state, x, out = start(plan), drones(rng, 8), []
    for k in range(1, seconds // 2 + 1):
        x = moved(rng, x, 0.2)
        name = "A" if k % 2 == 0 else "B"
        now = 2 * k * SECOND
        scan, _ = scan_of(rng, plan.model(name, DEEP), x, biases[name], now, clutter=3.0)
        known, (corrected,) = register(state, (scan,), now, plan)
        watch = watch_step(state.watch, corrected, plan.model(name, DEEP), plan.tracking)
        if raw_seen is not None:
            raw_seen.append((scan, corrected))
        state = replace(state, window=replace(state.window, base=watch), **known._asdict())
        out.append(state)
    return out


@pytest.mark.slow
def test_in_the_engine_a_turned_radar_is_found_without_any_cooperative_traffic():
    sure = replace(A, tolerance=(10.0, 0.002, 0.002, 0.05))  # surveyed with care: the site's file says so
    plan = Plan(Site("s", ORIGIN, (), (sure, OTHER), ()), {}, {"A": sure, "B": OTHER}, ())
    biases = {"A": np.zeros(6), "B": np.array([60.0, np.radians(1.2), 0.0, 0.0, 0.0, 0.0])}
    seen = []
    states = drive(np.random.default_rng(5), plan, biases, 360, seen)
    a, b = states[-1].sensors
    assert b.observable[1] == 1
    assert b.pairs == 0
    assert b.shared > 20
    assert abs(b.bias[1] - biases["B"][1]) < min(4.0 * b.sigma[1], np.radians(0.3))
    assert b.against.other == "A"
    assert a.observable[1] == 0
    late = [c for s, c in seen[-20:] if c.sensor == "B"]
    assert all(c.measured is not None and not np.array_equal(c.measured, c.z) for c in late)
    # Nothing feeds itself: what is estimated stays where it is although the tracker now sees corrected scans.
    history = [s.sensors[1].bias[1] for s in states[-60:]]
    assert np.ptp(history) < np.radians(0.5)
    raw = {tuple(np.round(z, 9)) for s, _ in seen if s.sensor == "B" for z in s.z}
    assert all(tuple(np.round(z, 9)) in raw for z in states[-1].shared[0].pairs.z)


def test_the_anchor_changes_only_for_a_sensor_of_which_much_more_is_known():
    plan = Plan(Site("s", ORIGIN, (), (A, OTHER), ()), {}, {"A": A, "B": OTHER}, ())
    plots = drive(np.random.default_rng(6), plan, {"A": np.zeros(6), "B": np.zeros(6)}, 60)[-1].watch.plots

    def chosen(known_a, known_b, current=()):
        pairs = {}
        for name, n in (("A", known_a), ("B", known_b)):
            p = looks.begin(name, DEEP.value, SETTINGS)
            pairs[name] = replace(p, found=replace(p.found, observable=(np.arange(6) < n).astype(np.int64)))
        return choose_anchor(plots, pairs, frozenset(current), plan).sensor

    assert set(plots.sensors) == {"A", "B"}
    assert chosen(0, 0) == "A"
    assert chosen(0, 1) == "B"
    assert chosen(0, 1, ("A",)) == chosen(0, 2, ("A",)) == "A"
    assert chosen(0, 3, ("A",)) == "B"
    only = {"A": looks.begin("A", DEEP.value, SETTINGS)}
    assert choose_anchor(plots, only, frozenset(), plan) is None
    both = only | {"B": looks.begin("B", DEEP.value, SETTINGS)}
    unsaid = replace(plan, sensors={n: replace(c, align=False) for n, c in plan.sensors.items()})
    assert choose_anchor(plots, both, frozenset(), unsaid) is None  # only where the site's file says so
    assert choose_anchor(plots, both, frozenset(), plan) is not None
