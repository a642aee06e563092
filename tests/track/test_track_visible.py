"""Which sensor sees which track: exact against the joint chain, and what it is worth where one of two is blind."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from lapwing.kernel.seeing import placed
from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import (
    AIR,
    ClutterSettings,
    PairSensor,
    RadarSensor,
    TargetPrior,
    TrackSettings,
    VisibilitySettings,
    start,
    step,
    visible,
)

SECOND = 1_000_000_000
SLOW = VisibilitySettings(start=0.8, seen_s=40.0, hidden_s=90.0)
BASE = TrackSettings(
    prior=TargetPrior(height_m_mean=300.0, height_m_sigma=1_500.0),
    modes=AIR,
    clutter=ClutterSettings(),
    lifetime_s=200.0,
)
PLACES = {"Near": np.array([4_000.0, 0.0, 0.0]), "Far": np.array([-6_000.0, 5_000.0, 0.0])}
P_DETECT = 0.6


def radar(name, clutter=10.0):
    return RadarSensor(name, Space.RANGE_AZIMUTH, PLACES[name], np.eye(3), P_DETECT, clutter, 40_000.0)


def scan_of(name, t_s, z):
    m, ns = len(z), round(t_s * SECOND)
    R = np.tile(np.diag([25.0**2, 0.003**2]), (m, 1, 1))
    columns = (np.full(m, ns), z, R, np.full(m, ANONYMOUS), np.zeros(m, dtype=np.int64))
    return Detections(name, Space.RANGE_AZIMUTH, ns, *columns)


def plot_of(name, place, rng):
    x = place - PLACES[name][:2]
    return np.array([[np.hypot(*x) + rng.normal(0, 25.0), np.arctan2(*x) + rng.normal(0, 0.003)]])


NOTHING = np.zeros((0, 2))


def test_misses_are_the_joint_chain_of_existence_and_visibility():
    """One track, one sensor, scans without a plot: absent, there and seen, there and hidden, as a chain of three."""
    settings, rng = replace(BASE, visibility=SLOW), np.random.default_rng(1)
    state, place = start(settings), np.array([9_000.0, 7_000.0])
    for k in range(1, 7):
        state, _ = step(state, scan_of("Near", 4.0 * k, plot_of("Near", place, rng)), radar("Near"), settings)
    assert len(state.tracks) == 1
    r, v = float(state.hypotheses.existence[0]), float(state.visible[0, 0])
    belief = np.array([1.0 - r, r * v, r * (1.0 - v)])
    rate_out, rate_in = 1.0 / SLOW.seen_s, 1.0 / SLOW.hidden_s
    for k in range(7, 20):
        stays, alive = np.exp(-4.0 * (rate_out + rate_in)), np.exp(-4.0 / settings.lifetime_s)
        rest = rate_in / (rate_out + rate_in)
        to_seen, from_hidden = rest + (1.0 - rest) * stays, rest - rest * stays
        gone, seen, hidden = belief
        belief = np.array(
            [
                gone + (1.0 - alive) * (seen + hidden),
                alive * (seen * to_seen + hidden * from_hidden),
                alive * (seen * (1.0 - to_seen) + hidden * (1.0 - from_hidden)),
            ]
        )
        belief[1] *= 1.0 - P_DETECT
        belief /= belief.sum()
        state, _ = step(state, scan_of("Near", 4.0 * k, NOTHING), radar("Near"), settings)
        if not len(state.tracks):
            break
        assert state.hypotheses.existence[0] == pytest.approx(belief[1] + belief[2], rel=1e-6)
        assert state.visible[0, 0] == pytest.approx(belief[1] / (belief[1] + belief[2]), rel=1e-6)
        assert state.tracks.existence[0] == pytest.approx(belief[1], rel=1e-6)  # told is what a sensor sees that places
    assert k > 10


def held(visibility, speed_mps, seed, blind=True):
    """Share of scans after the first minute in which a target stands to which one of two radars may be blind, and how
    many other tracks stand beside it."""
    rng, settings = np.random.default_rng(seed), replace(BASE, visibility=visibility)
    state, upon, beside = start(settings), [], []
    for k in range(1, 241):
        name = "Near" if k % 2 else "Far"
        place = np.array([6_000.0, 6_000.0]) + 2.0 * k * speed_mps * np.array([0.6, 0.8])
        z = np.column_stack([rng.uniform(100.0, 40_000.0, 10), rng.uniform(-np.pi, np.pi, 10)])
        if rng.random() < 0.55 and not (blind and name == "Far"):
            z = np.concatenate([z, plot_of(name, place, rng)])
        state, _ = step(state, scan_of(name, 2.0 * k, z), radar(name), settings)
        if k > 30:
            there = state.tracks.existence >= 0.5
            near = np.hypot(*(state.tracks.mean[:, :2] - place).T) < 300.0
            upon.append(bool((there & near).any()))
            beside.append(int((there & ~near).sum()))
    return np.mean(upon), np.mean(beside)


def test_a_radar_that_never_saw_a_drone_does_not_take_it_away():
    """Means of six runs. Seen by one radar 55 times in 100, never by the other, said to see 60 in 100."""
    seeds = range(6)
    without = np.array([held(None, 18.0, s) for s in seeds]).mean(axis=0)
    with_it = np.array([held(VisibilitySettings(), 18.0, s) for s in seeds]).mean(axis=0)
    assert without[0] < 0.75
    assert with_it[0] > without[0] + 0.15
    assert with_it[1] < without[1] + 0.1
    both = np.array([held(VisibilitySettings(), 18.0, s, blind=False) for s in seeds]).mean(axis=0)
    assert both[0] > 0.9


def test_placed_is_what_enumeration_says():
    """Over all combinations of four sensors that see a track or do not, two of which place targets."""
    rng = np.random.default_rng(5)
    sees, places = rng.random((7, 4)), np.array([True, False, False, True])
    slow = np.zeros(7)
    for combination in itertools.product((False, True), repeat=4):
        seen = np.array(combination)
        if (seen & places).any():
            slow += np.where(seen, sees, 1.0 - sees).prod(axis=1)
    assert placed(sees, places) == pytest.approx(slow, rel=1e-12)
    assert (placed(sees, ~places & places) == 1.0).all()


def led_away(visibility, seed):
    """A radar and a passive radar see a target for a minute; then the radar sees nothing any more, and the passive
    radar goes on. The existence of the track that began first, two minutes later, and how far it is off."""
    rng, settings = np.random.default_rng(seed), replace(BASE, visibility=visibility)
    passive = PairSensor(
        "Passive", Space.BISTATIC_RANGE, np.array([1_000.0, 2_000.0, 0.0]), np.array([-9e3, 6e3, 0.0]), 0.85, 3.0, 30e3
    )
    state = start(settings)
    for k in range(1, 91):
        place = np.array([6_000.0, 6_000.0]) + 2.0 * k * np.array([10.0, 10.0])
        z = plot_of("Near", place, rng) if k <= 30 and rng.random() < 0.9 else NOTHING
        state, _ = step(state, scan_of("Near", 2.0 * k, z), radar("Near"), settings)
        true = np.concatenate([place, [300.0], np.zeros(3)])[None]
        z = passive.expect(true)[0] + rng.normal(0, 20.0, (1, 1))
        ns = round((2.0 * k + 1.0) * SECOND)
        columns = (np.full(1, ns), z, np.full((1, 1, 1), 400.0), np.full(1, ANONYMOUS), np.zeros(1, dtype=np.int64))
        state, _ = step(state, Detections("Passive", Space.BISTATIC_RANGE, ns, *columns), passive, settings)
    assert state.sensors == ("Near", "Passive")
    assert state.placing.tolist() == [1, 0]
    return float(state.tracks.existence.max(initial=0.0))


def test_what_only_a_surface_tells_of_is_no_track():
    """Two minutes of misses by the one radar that places, while the passive radar gets a plot in every scan."""
    for seed in range(4):
        assert led_away(VisibilitySettings(), seed) < 0.05


def test_what_flies_fast_is_seen_by_all():
    settings, rng = VisibilitySettings(speed_mps_max=60.0), np.random.default_rng(3)
    state = start(BASE)
    for k in range(1, 9):
        place = np.array([9_000.0, 7_000.0]) + 4.0 * k * np.array([0.0, 120.0])
        state, _ = step(state, scan_of("Near", 4.0 * k, plot_of("Near", place, rng)), radar("Near"), BASE)
    fast = np.hypot(*state.tracks.mean[:, 3:5].T) > 60.0
    assert fast.any()
    told = visible.seen_by(state, scan_of("Far", 40.0, NOTHING), settings)
    assert np.array_equal(told, np.where(fast, 1.0, settings.start))


def test_off_means_that_every_sensor_sees():
    rng, state = np.random.default_rng(4), start(BASE)
    for k in range(1, 9):
        state, _ = step(
            state, scan_of("Near", 4.0 * k, plot_of("Near", np.array([9e3, 7e3]), rng)), radar("Near"), BASE
        )
    assert state.visible.shape == (len(state.tracks), 1)
    assert (state.visible == 1.0).all()


@pytest.mark.parametrize("wrong", [{"start": 1.5}, {"seen_s": 0.0}, {"hidden_s": -1.0}])
def test_settings_that_are_no_probabilities_or_times_are_refused(wrong):
    with pytest.raises(ValueError, match="VisibilitySettings"):
        VisibilitySettings(**wrong)
