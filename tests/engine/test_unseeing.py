"""The map of what could be here unseen: sensors thin it, silence fills it, what tracks give up comes back to it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lapwing.engine import codec, unseeing
from lapwing.engine.plan import TICK_NS, make_plan
from lapwing.engine.state import start
from lapwing.engine.tick import step
from lapwing.records import (
    Circle,
    Classes,
    Detections,
    FeedConfig,
    Kind,
    Polygon,
    Position,
    SensorConfig,
    Site,
    Space,
    Tracks,
    TrackStatus,
    Unseen,
    Zone,
)
from lapwing.track import make_sensor

SECOND = 1_000_000_000
ORIGIN = Position(0.9, 0.4, 100.0)
RADAR = SensorConfig("R", ORIGIN, "radar", range_m_max=6_000.0, p_detect=0.8, period_s=4.0, range_small_m=6_000.0)
ROUND = Zone("round", Circle(ORIGIN, 3_000.0), -500.0, 1_500.0)
CORNERS = tuple(Position(0.9 + n / 6.378e6, 0.4 + e / (6.378e6 * math.cos(0.9)), 0.0)
                for e, n in ((4e3, 4e3), (6e3, 4e3), (6e3, 6e3), (4e3, 6e3)))  # fmt: skip
SQUARE = Zone("square", Polygon(CORNERS), -500.0, 1_500.0)


def site(sensor=RADAR, zones=(ROUND, SQUARE)):
    return Site("s", ORIGIN, (), (sensor,), zones, drones_per_km2=0.01)


def empty_scan(t, sensor="R"):
    return Detections.empty(sensor, Space.RANGE_AZIMUTH_ELEVATION, round(t * SECOND))


def after(plan, scans, until_s, model, state=None):
    """The state after these scans, second by second."""
    waiting = sorted(scans, key=lambda s: s.scan_ns)
    first = 0 if state is None else state.time_ns // SECOND
    for t in range(first, until_s + 1):
        now = [s for s in waiting if t * SECOND <= s.scan_ns < (t + 1) * SECOND]
        state = unseeing.watched(state, tuple(now), [model] * len(now), (t + 1) * SECOND, plan)
    return state


def test_zones_hold_what_their_area_holds_where_nobody_looks():
    plan = unseeing.make_unseen(site())
    map_ = unseeing.told(after(plan, (), 2, None), Unseen.empty(), plan)
    assert map_.zones == ("round", "square")
    assert np.allclose(map_.zone_expected, [0.01 * np.pi * 9.0, 0.01 * 4.0], rtol=0.02)
    assert np.allclose(map_.expected, map_.unwatched)
    assert map_.expected.shape == (plan.grid.rows, plan.grid.columns)


def test_a_radar_thins_its_coverage_and_its_silence_fills_it_again():
    plan = unseeing.make_unseen(site())
    model = make_sensor(RADAR, ORIGIN, Space.RANGE_AZIMUTH_ELEVATION)
    watched = after(plan, [empty_scan(t) for t in range(4, 200, 4)], 200, model)
    seen = unseeing.told(watched, Unseen.empty(), plan)
    assert seen.zone_expected[0] < 0.05 * 0.01 * np.pi * 9.0
    assert seen.zone_expected[0] > 0.02 * 0.01 * np.pi * 9.0  # what no sensor can see
    assert seen.zone_expected[1] > 3.0 * seen.zone_expected[0] / np.pi / 9.0 * 4.0  # mostly beyond its reach
    silent = unseeing.told(after(plan, (), 1_400, model, watched), seen, plan)
    assert silent.zone_expected[0] > 0.6 * 0.01 * np.pi * 9.0
    assert silent.time_ns > seen.time_ns
    half = replace(RADAR, p_detect_small=0.05)
    weak = unseeing.make_unseen(site(half))
    state = after(weak, [empty_scan(t) for t in range(4, 200, 4)], 200, model)
    assert unseeing.told(state, Unseen.empty(), weak).zone_expected[0] > 3.0 * seen.zone_expected[0]


def test_a_radar_made_for_aircraft_sees_a_small_drone_a_third_as_far():
    plan = unseeing.make_unseen(site(replace(RADAR, range_small_m=None, range_m_max=12_000.0)))
    model = make_sensor(replace(RADAR, range_m_max=12_000.0), ORIGIN, Space.RANGE_AZIMUTH_ELEVATION)
    state = after(plan, [empty_scan(t) for t in range(4, 60, 4)], 60, model)
    seen = state.expected.sum(axis=0).ravel()
    away = np.hypot(*plan.grid.centres(0.0)[:, :2].T)
    assert seen[away < 3_000.0].max() < 0.1 * seen.max()
    assert seen[away > 5_500.0].min() > 0.7 * seen.max()
    lookout = unseeing.make_unseen(site(replace(RADAR, range_small_m=None, kind="position")))
    assert lookout.small["R"][away < 5_900.0].min() == 1.0


def test_a_scan_in_pieces_is_one_look():
    plan = unseeing.make_unseen(site())
    model = make_sensor(RADAR, ORIGIN, Space.RANGE_AZIMUTH_ELEVATION)
    whole = after(plan, [empty_scan(t) for t in range(4, 60, 4)], 60, model)
    pieces = after(plan, [empty_scan(t + k / 10) for t in range(4, 60, 4) for k in range(-9, 1)], 60, model)
    assert pieces.expected.sum() == pytest.approx(whole.expected.sum(), rel=0.02)


def lost_track(existence, kind, status):
    one = np.ones(1, dtype=np.int64)
    mean = np.array([[500.0, -300.0, 100.0, 5.0, 0.0, 0.0]])
    cov = np.diag([200.0**2] * 2 + [50.0**2] + [25.0] * 3)[None]
    life = (np.array([existence]), one * status, one, one, -one, one, 8)
    p = np.zeros((1, len(Kind)))
    p[0, kind] = 1.0
    return Tracks(SECOND, one * 7, mean, cov, *life), Classes(one * 7, p)


def test_what_a_track_gave_up_could_still_be_there():
    plan = unseeing.make_unseen(site())
    state = after(plan, (), 2, None)
    before = state.expected.sum()
    nobody = Tracks.empty(2 * SECOND)
    tracks, classes = lost_track(0.4, Kind.MULTIROTOR, TrackStatus.COASTING)
    more = unseeing.given_up(state, tracks, classes, nobody, plan)
    assert more.expected.sum() - before == pytest.approx(0.4, rel=1e-2)  # the rest lies outside the grid
    added = (more.expected - state.expected).sum(axis=0)
    y, x = np.unravel_index(np.argmax(added), added.shape)
    at = plan.grid.centres(0.0)[y * plan.grid.columns + x, :2]
    assert np.hypot(*(at - [500.0, -300.0])) < plan.grid.cell_m
    for tracks, classes in (
        lost_track(0.4, Kind.BIRD, TrackStatus.COASTING),
        lost_track(0.4, Kind.MULTIROTOR, TrackStatus.TENTATIVE),
    ):
        assert unseeing.given_up(state, tracks, classes, nobody, plan).expected.sum() == pytest.approx(before)
    assert unseeing.given_up(state, tracks, classes, tracks, plan) is state


def test_the_tick_carries_the_map_and_a_checkpoint_keeps_it():
    feed = FeedConfig("f", "json", "listen", "127.0.0.1", 1, sensor="R")
    plan = make_plan(replace(site(), feeds=(feed,)))
    state = start(plan)
    pictures = []
    for tick in range(1, 16):
        state, picture = step(state, (), tick, tick * TICK_NS, plan)
        pictures.append(picture)
    assert len({p.unseen.time_ns for p in pictures}) == 3  # once a second
    again = codec.decode(codec.encode(state))
    a, b = (step(s, (), 16, 16 * TICK_NS, plan)[1] for s in (state, again))
    assert codec.digest(a) == codec.digest(b)


def test_without_sensors_there_is_no_map():
    assert unseeing.make_unseen(Site("s", ORIGIN, (), (), (ROUND,))) is None
    sensors_alone = unseeing.make_unseen(site(zones=()))
    assert sensors_alone.grid.columns == 64
    assert sensors_alone.shares.shape == (0, 64 * 64)
