"""Zones: what probably is a bird shares an alarm, what probably is not has its own; one incident is one alarm."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from world import probably, world

from lapwing.alarm import AlarmMemory, LifeSettings, columns, rules_for, step
from lapwing.alarm.zones import LocalZone
from lapwing.records import AlarmState, Circle, Kind, Position, Priority, Subject, TrackStatus, Zone
from lapwing.records.classes import HEIGHT_M, HEIGHT_SPREAD

ORIGIN = Position(math.radians(50.0), math.radians(20.0), 100.0)
ZONE = Zone("Z", Circle(ORIGIN, 1000.0), -500.0, 1500.0, priority="critical", hold_s=2.0, margin_m=100.0, warn_s=60.0)
S = 10**9
BIRD, DRONE, PLANE = {Kind.BIRD: 0.7}, {Kind.MULTIROTOR: 0.7}, {Kind.AIRCRAFT: 0.9}


def run(sequence, zone=ZONE):
    memory, out, rules = AlarmMemory(), [], rules_for((zone,), ORIGIN)
    for w in sequence:
        memory = step(memory, w, rules, LifeSettings())
        out.append(columns(memory))
    return out


def inside(seconds, *kinds, ids=None, places=None):
    """Tracks that stand in the zone, a kilometre or nearer to each other."""
    ids = ids or range(5, 5 + len(kinds))
    places = places or [(700.0 - 400.0 * i, 0.0) for i in range(len(kinds))]
    rows = [(k, *at, 100, 0, 0) for k, at in zip(ids, places, strict=True)]
    return [probably(world(t * S, rows), *kinds) for t in seconds]


def test_birds_share_one_low_alarm_and_a_drone_among_them_has_its_own():
    alarms = run(inside(range(1, 6), BIRD, BIRD, DRONE))[-1]
    told = {(alarms.rule[i], Priority(int(alarms.priority[i]))) for i in range(len(alarms))}
    assert told == {("unsure in zone", Priority.LOW), ("uncooperative in zone", Priority.CRITICAL)}
    shared = alarms.rule.index("unsure in zone")
    assert alarms.subject[shared] == Subject.ZONE
    assert (
        "2 tracks in Z and 0 on their way are probably birds, ground traffic or at other heights"
        in alarms.reason[shared]
    )
    assert "multirotor 70 %" in alarms.reason[1 - shared]


def at_unknown_height(w, sigma_m=1500.0):
    cov = w.tracks.cov.copy()
    cov[:, 2, 2] = sigma_m**2
    return replace(w, tracks=replace(w.tracks, cov=cov))


@pytest.mark.parametrize(
    ("kind", "sigma_m", "rule"),
    [
        (PLANE, 1500.0, "unsure in zone"),  # a radar without height: airliners pass far above
        (PLANE, 50.0, "uncooperative in zone"),  # measured: it is at 100 m
        ({Kind.MULTIROTOR: 0.9}, 1500.0, "uncooperative in zone"),  # which fly low, measured or not
        ({Kind.AIRCRAFT: 0.5, Kind.FIXED_WING_DRONE: 0.5}, 1500.0, "uncooperative in zone"),
    ],
)
def test_where_nobody_measured_the_height_it_is_as_likely_in_the_band_as_its_kind_is(kind, sigma_m, rule):
    out = run([at_unknown_height(w, sigma_m) for w in inside(range(1, 6), kind)], replace(ZONE, height_m_max=600.0))[-1]
    assert out.rule == (rule,)


def test_a_zone_without_limits_of_height_holds_all_kinds():
    zone = replace(ZONE, height_m_min=-math.inf, height_m_max=math.inf)
    out = run([at_unknown_height(w) for w in inside(range(1, 6), PLANE)], zone)[-1]
    assert out.rule == ("uncooperative in zone",)


def test_shares_of_kinds_in_a_band_are_those_of_drawn_heights():
    rng, local = np.random.default_rng(5), LocalZone.make(replace(ZONE, height_m_min=160.0, height_m_max=900.0), ORIGIN)
    for kind, share in enumerate(local.share_in_band()):
        drawn = 100.0 + HEIGHT_M[kind] * np.exp(HEIGHT_SPREAD[kind] * rng.standard_normal(100_000))
        assert share == pytest.approx(np.mean((drawn > 160.0) & (drawn < 900.0)), abs=0.006)


def test_what_is_a_drone_by_less_than_two_to_one_is_one_less_urgent():
    assert run(inside(range(1, 6), {Kind.MULTIROTOR: 0.6}))[-1].priority.tolist() == [Priority.HIGH]


def test_a_zone_may_want_an_alarm_for_each():
    alarms = run(inside(range(1, 6), BIRD, BIRD), replace(ZONE, each=True))[-1]
    assert alarms.rule == ("uncooperative in zone",) * 2
    assert all(alarms.priority == Priority.CRITICAL)  # whatever they probably are


def test_what_is_no_drone_is_one_less_urgent():
    alarms = run(inside(range(1, 6), PLANE))[-1]
    assert (alarms.rule[0], alarms.priority[0]) == ("uncooperative in zone", Priority.HIGH)


def test_the_shared_alarm_outlasts_a_lull():
    birds, lull = inside(range(1, 6), BIRD), [world(t * S) for t in range(6, 700)]
    out = run([*birds, *lull, *inside(range(700, 720), BIRD)])
    assert AlarmState(int(out[500].state[0])) != AlarmState.CLEARED
    assert AlarmState(int(out[650].state[0])) == AlarmState.CLEARED
    assert sorted(out[-1].alarm_id.tolist()) == [1, 2]


def test_an_alarm_is_kept_while_doubt_grows_a_little_and_none_is_raised_in_it():
    doubt = {Kind.BIRD: 0.7, Kind.MULTIROTOR: 0.3}
    before, after = inside(range(1, 5), DRONE), inside(range(5, 60), doubt)
    assert "uncooperative in zone" in [r for r, s in zip(*named(run([*before, *after])[-1]), strict=True) if s < 2]
    assert "uncooperative in zone" not in named(run(after)[-1])[0]


PORT = replace(ZONE, kind_min=(("bird", 0.9), ("multirotor", 0.4), ("ship", 0.8)))


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        (DRONE, "uncooperative in zone"),
        ({Kind.MULTIROTOR: 0.4, Kind.BIRD: 0.6}, "uncooperative in zone"),  # just as probable as it must be
        ({Kind.MULTIROTOR: 0.39, Kind.BIRD: 0.61}, "unsure in zone"),
        (BIRD, "unsure in zone"),
        ({Kind.BIRD: 0.95}, "uncooperative in zone"),  # a zone that must know of birds
        ({Kind.SHIP: 0.79, Kind.BIRD: 0.21}, "unsure in zone"),
        ({Kind.SHIP: 0.81, Kind.BIRD: 0.19}, "uncooperative in zone"),
        (PLANE, "unsure in zone"),  # a kind that the zone does not name is none of its own
    ],
)
def test_a_zone_says_itself_how_sure_of_which_kind_it_must_be(kind, rule):
    alarms = run(inside(range(1, 6), kind), PORT)[-1]
    assert alarms.rule == (rule,)
    if rule == "unsure in zone":
        assert "1 tracks in Z and 0 on their way are surely enough of no kind that it warns of" in alarms.reason[0]


def test_an_alarm_by_kind_is_kept_while_doubt_grows_a_little():
    for share, stands in ((0.32, True), (0.28, False)):
        doubt = {Kind.MULTIROTOR: share, Kind.AIRCRAFT: 1.0 - share}
        alarms = run([*inside(range(1, 5), DRONE), *inside(range(5, 120), doubt)], PORT)[-1]
        assert (alarms.state[alarms.rule.index("uncooperative in zone")] != AlarmState.CLEARED) == stands


def test_a_kind_less_sure_is_less_urgent_all_the_same():
    assert run(inside(range(1, 6), {Kind.MULTIROTOR: 0.5}), PORT)[-1].priority.tolist() == [Priority.HIGH]
    assert run(inside(range(1, 6), DRONE), PORT)[-1].priority.tolist() == [Priority.CRITICAL]


def named(alarms):
    return alarms.rule, alarms.state


def test_a_moment_of_certainty_does_not_escalate():
    calm, flash = inside(range(1, 60), PLANE), inside(range(1, 60), DRONE)
    flicker = [flash[t] if t % 2 else calm[t] for t in range(59)]
    alarms = run(flicker)[-1]
    assert alarms.priority.tolist() == [Priority.HIGH]  # raised all the same, at what it was all the time
    assert run([*calm[:20], *flash[20:30]])[-1].priority.tolist() == [Priority.CRITICAL]


def test_tracks_at_one_place_are_one_alarm():
    places = [(500.0, 0.0), (600.0, 50.0), (550.0, -80.0)]
    first, more = (
        inside(range(1, 6), DRONE, places=places[:1]),
        inside(range(6, 12), DRONE, DRONE, DRONE, places=places),
    )
    alarms = run([*first, *more])[-1]
    assert len(alarms) == 1
    assert "2 more tracks within 300 m" in alarms.reason[0]
    at_once = run(inside(range(1, 12), DRONE, DRONE, DRONE, places=places))[-1]
    assert len(at_once) == 1
    assert "2 more tracks within 300 m" in at_once.reason[0]
    far = inside(range(6, 12), DRONE, DRONE, places=[(500.0, 0.0), (-500.0, 0.0)])
    assert len(run([*first, *far])[-1]) == 2


def test_a_track_that_takes_over_where_another_ended_keeps_the_alarm():
    first = inside(range(1, 6), DRONE, ids=[5], places=[(500.0, 0.0)])
    second = inside(range(6, 20), DRONE, ids=[8], places=[(520.0, 10.0)])
    alarms = run([*first, *second])[-1]
    assert alarms.alarm_id.tolist() == [1]
    assert alarms.subject_id.tolist() == [8]
    assert "track 8 is" in alarms.reason[0]


def test_something_more_urgent_nearby_escalates_the_alarm_and_is_named_by_it():
    plane = inside(range(1, 6), PLANE, ids=[5], places=[(500.0, 0.0)])
    both = inside(range(6, 12), PLANE, DRONE, places=[(500.0, 0.0), (520.0, 10.0)])
    out = run([*plane, *both])
    assert out[4].priority.tolist() == [Priority.HIGH]
    assert out[-1].alarm_id.tolist() == out[4].alarm_id.tolist()
    assert out[-1].priority.tolist() == [Priority.CRITICAL]
    assert out[-1].subject_id.tolist() == [6]
    assert "track 6 is" in out[-1].reason[0]
    assert "1 more tracks within 300 m" in out[-1].reason[0]
    parted = inside(range(12, 18), PLANE, DRONE, places=[(500.0, 0.0), (-520.0, 10.0)])
    assert run([*plane, *both, *parted])[-1].priority.tolist() == [Priority.CRITICAL, Priority.HIGH]


def test_who_turns_away_before_the_predicted_entry_does_not_alarm_twice():
    def circling(t):  # comes for 20 s, goes for 20 s; from 600 m outside the edge at 20 m/s the entry is 30 s away
        back = t % 40 >= 20
        return probably(world(t * S, [(9, 1600 - 10 * (t % 20), 0, 100, 20 if back else -20, 0)]), DRONE)

    assert run([circling(t) for t in range(1, 200)])[-1].alarm_id.tolist() == [1]


@pytest.mark.parametrize(("sigma_mps", "warned"), [(1.0, True), (30.0, False)])
def test_a_vague_course_does_not_warn(sigma_mps, warned):
    def coming(t):
        w = world(t * S, [(9, 2000 - 20 * t, 0, 100, -20, 0)])
        cov = w.tracks.cov.copy()
        cov[:, 3, 3] = cov[:, 4, 4] = sigma_mps**2
        return probably(replace(w, tracks=replace(w.tracks, cov=cov)), DRONE)

    out = run([coming(t) for t in range(1, 20)])
    assert ("approaching zone" in out[-1].rule) == warned


def test_kinds_that_are_not_known_excuse_nothing():
    w = [world(t * S, [(5, 500, 0, 100, 0, 0)]) for t in range(1, 6)]
    assert np.all(run(w)[-1].priority == Priority.CRITICAL)


def test_what_is_lost_is_expected_to_fly_on_though_its_estimate_slows_down():
    def coming(t, speed_mps, sigma_mps, status):
        w = world(t * S, [(9, 3200, 0, 100, -speed_mps, 0)])
        cov = w.tracks.cov.copy()
        cov[:, 3, 3] = sigma_mps**2
        seen = replace(w.tracks, status=np.array([status]), existence=np.array([0.9]), cov=cov)
        return probably(replace(w, tracks=seen), DRONE)

    def told(status, sigma_mps):
        # nothing renews the estimate: a filter that allows for hovering slows it from 20 to 15 m/s, ever less sure
        return run([coming(t, 15, sigma_mps, status) for t in range(1, 7)])[-1].rule

    assert told(TrackStatus.COASTING, 10.0) == ("lost on its way to zone",)  # in 110 s at 20 m/s, 147 at 15; 120 count
    assert told(TrackStatus.COASTING, 1.0) == ()
    assert told(TrackStatus.CONFIRMED, 10.0) == ()


def test_a_drone_that_is_lost_behind_a_hill_on_its_way_is_told():
    def coming(t, status=TrackStatus.CONFIRMED, existence=0.99):
        w = world(t * S, [(9, 3000 - 20 * t, 0, 100, -20, 0)])
        seen = replace(w.tracks, status=np.array([status]), existence=np.array([existence]))
        return probably(replace(w, tracks=seen), DRONE)

    seen = [coming(t) for t in range(1, 6)]  # 95 s from the edge: more than the warning time of 60 s
    lost = [coming(t, TrackStatus.COASTING, 0.4) for t in range(6, 10)]
    gone = [world(t * S) for t in range(10, 300)]
    out = run([*seen, *lost, *gone])
    assert len(out[4]) == 0
    assert out[8].rule == ("lost on its way to zone",)
    assert out[8].priority[0] == Priority.MEDIUM
    assert "is lost on its way to Z, which it would reach in 90 s" in out[8].reason[0]
    assert AlarmState(int(out[9 + 92 + 55].state[0])) != AlarmState.CLEARED  # until a minute after it would be there
    assert AlarmState(int(out[9 + 92 + 75].state[0])) == AlarmState.CLEARED
    assert len(run([*seen, *gone])[-1]) == 0
