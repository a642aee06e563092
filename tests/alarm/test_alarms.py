"""Zones, rules and the life of alarms: held before raised, hysteresis before cleared, reasons and evidence kept."""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from world import tracks, world

from lapwing.alarm import AlarmMemory, LifeSettings, LocalZone, columns, rules_for, step
from lapwing.alarm.sensor_rules import SensorBiased, SensorDrifting, SensorsDisagree
from lapwing.records import (
    Against,
    AlarmState,
    Circle,
    Drift,
    FeedHealth,
    Interference,
    Polygon,
    Position,
    Priority,
    Registration,
    Sources,
    Subject,
    Zone,
)

ORIGIN = Position(math.radians(50.0), math.radians(20.0), 100.0)
ZONE = Zone("Z", Circle(ORIGIN, 1000.0), -500.0, 1500.0, priority="critical", hold_s=2.0, margin_m=100.0, warn_s=60.0)
S = 10**9
DEG = math.radians(1.0)
DEFAULT = LifeSettings()


def degrees_away(east_m, north_m):
    return Position(
        ORIGIN.latitude_rad + north_m / 6_376_000.0,
        ORIGIN.longitude_rad + east_m / (6_387_000.0 * math.cos(ORIGIN.latitude_rad)),
        0.0,
    )


def run(sequence, zones=(ZONE,), settings=DEFAULT):
    memory, out = AlarmMemory(), []
    rules = rules_for(zones, ORIGIN)
    for w in sequence:
        memory = step(memory, w, rules, settings)
        out.append(columns(memory))
    return out


def states(alarms):
    return [(alarms.rule[i], AlarmState(int(alarms.state[i])).name) for i in range(len(alarms))]


def test_in_zone_is_held_then_raised_then_updated_then_cleared():
    inside = [world(t * S, [(5, 500 + t, 0, 100, 0, 0)]) for t in range(1, 6)]
    gone = [world(t * S, []) for t in range(6, 40)]
    out = run([*inside, *gone])
    assert [len(a) for a in out[:2]] == [0, 0]
    assert states(out[2]) == [("uncooperative in zone", "RAISED")]
    assert "track 5 is" in out[2].reason[0]
    assert "inside Z" in out[2].reason[0]
    assert out[2].frame_seq[0] == (7,)
    assert out[2].priority[0] == Priority.CRITICAL
    assert states(out[3]) == [("uncooperative in zone", "UPDATED")]
    assert states(out[28]) == [("uncooperative in zone", "UPDATED")]  # it may linger 20 s, and 5 s of grace
    assert states(out[29]) == [("uncooperative in zone", "CLEARED")]
    assert out[29].cleared_ns[0] == 30 * S


def test_margin_keeps_a_standing_alarm_but_raises_none():
    edge = [world(t * S, [(5, 1050, 0, 100, 0, 0)]) for t in range(1, 8)]
    assert all(len(a) == 0 for a in run(edge))
    inside = [world(t * S, [(5, 900, 0, 100, 0, 0)]) for t in range(1, 5)]
    after = [world(t * S, [(5, 1050, 0, 100, 0, 0)]) for t in range(5, 40)]
    assert states(run([*inside, *after])[-1]) == [("uncooperative in zone", "UPDATED")]


def test_a_claim_that_explains_the_track_excuses_it_unless_the_zone_says_no():
    seen = [world(t * S, [(5, 500, 0, 100, 0, 0)], agrees=(5,)) for t in range(1, 8)]
    assert all(len(a) == 0 for a in run(seen))
    strict = replace(ZONE, cooperative_allowed=False)
    assert len(run(seen, zones=(strict,))[-1]) == 1


def test_height_band_and_schedule():
    high = [world(t * S, [(5, 500, 0, 3000, 0, 0)]) for t in range(1, 8)]
    assert all(len(a) == 0 for a in run(high))
    thursday = 3 * 3600 * S  # 1970-01-01 03:00
    low = [world(thursday + t * S, [(5, 500, 0, 100, 0, 0)]) for t in range(1, 8)]
    assert len(run(low, zones=(replace(ZONE, schedule=((3, 0.0, 4 * 3600.0),)),))[-1]) == 1
    assert len(run(low, zones=(replace(ZONE, schedule=((3, 4 * 3600.0, 5 * 3600.0), (4, 0.0, 86400.0))),))[-1]) == 0


def test_approach_warns_before_the_edge():
    coming = [world(t * S, [(9, 3000 - 20 * t, 0, 100, -20, 0)]) for t in range(1, 110)]
    out = run(coming)
    first = next(i for i, a in enumerate(out) if "approaching zone" in a.rule)
    inside = next(i for i, a in enumerate(out) if "uncooperative in zone" in a.rule)
    assert [len(a) for a in (out[first], out[inside])] == [1, 1]  # one incident that escalates
    assert out[inside].alarm_id[0] == out[first].alarm_id[0]
    assert (out[first].priority[0], out[inside].priority[0]) == (Priority.MEDIUM, Priority.CRITICAL)
    assert 38 <= first <= 46  # 60 s of warning: 100 s to the edge, minus the hold
    assert inside - first > 50
    alarms = out[first]
    assert "will enter Z in" in alarms.reason[0]


def test_interference_and_quiet_feeds_alarm():
    i, f = (lambda *v: np.array(v, np.int64)), (lambda *v: np.array(v, float))
    region = Interference(i(1), i(0), i(0), f(1000), f(2000), f(9000), i(4), i(6), f(1e-9))
    quiet = FeedHealth("adsb", 1, 1, 1, 0, S, 0.0, True, "", -1, b"")
    alarms = run([world(40 * S, interference=region, feeds=(quiet,))])[-1]
    assert states(alarms) == [("GNSS interference", "RAISED"), ("feed quiet", "RAISED")]
    assert (
        "GNSS interference since 1970-01-01T00:00:00Z: 4 aircraft and 0 ships affected of 6 within 9 km"
        in (alarms.reason[0])
    )
    assert "cause not known; source not located" in alarms.reason[0]
    assert alarms.reason[1] == "feed adsb: nothing since 1970-01-01T00:00:01Z"


def test_interference_says_why_and_where_from():
    i, f = (lambda *v: np.array(v, np.int64)), (lambda *v: np.array(v, float))
    causes = np.array([[0.0, 0.91, 0.02, 0.06, 0.01, 0.0]])
    region = Interference(i(1), i(0), i(0), f(1000), f(2000), f(9000), i(5), i(6), f(1e-9), i(2), causes)
    square = (i(0, 0, 0, 0, 0), f(0.9, 0.9, 0.9, 0.9, 0.9), i(0, 0, 0, 0, 0))
    ring = (f(0, 1e4, 1e4, 0, 0), f(0, 0, 1e4, 1e4, 0))
    numbers = (f(30e3), f(40e3), f(5e3), f(41), f(3), f(0), f(0), f(0.4))
    for unique, words in ((1, "likely source 50 km at 37 degrees, 90 % within about 6 km"), (0, "no unique source")):
        now = world(40 * S, interference=region)
        sources = Sources(i(1), i(0), i(unique), *numbers, *square, *ring)
        now = replace(now, integrity=replace(now.integrity, sources=sources))
        reason = run([now])[-1].reason[0]
        assert "3 aircraft and 2 ships affected of 6" in reason
        assert "jamming 91 %, both 6 %" in reason
        assert words in reason


def test_ids_are_never_reused_and_old_ones_forgotten():
    inside = [world(t * S, [(5, 500, 0, 100, 0, 0)]) for t in range(1, 5)]
    gone = [world(t * S) for t in range(5, 35)]
    again = [world(t * S, [(6, 500, 0, 100, 0, 0)]) for t in range(35, 40)]
    out = run([*inside, *gone, *again])
    assert sorted(out[-1].alarm_id.tolist()) == [1, 2]
    later = run([*inside, *gone, *again, world(2000 * S), world(4000 * S)])[-1]
    assert len(later) == 0
    assert later.next_id == 3


@given(st.floats(-3000, 3000), st.floats(-3000, 3000))
def test_distance_of_a_square_is_its_definition(east, north):
    corners = [(-1000, -1000), (1000, -1000), (1000, 1000), (-1000, 1000)]
    square = LocalZone.make(replace(ZONE, shape=Polygon(tuple(degrees_away(*c) for c in corners))), ORIGIN)
    got = float(square.distance_m(np.array([east]), np.array([north]))[0])
    dx, dy = max(abs(east) - 1000, 0.0), max(abs(north) - 1000, 0.0)
    want = math.hypot(dx, dy) if dx or dy else -(1000 - max(abs(east), abs(north)))
    assert got == pytest.approx(want, abs=10.0)  # the corners are placed by small-distance formulas


@given(st.floats(1500, 20000), st.floats(0, 360), st.floats(5, 100))
def test_time_to_entry_of_a_radial_approach(distance, bearing, speed):
    a = math.radians(bearing)
    e, n = distance * math.sin(a), distance * math.cos(a)
    mean = tracks([(1, e, n, 0, -speed * math.sin(a), -speed * math.cos(a))]).mean
    got = float(LocalZone.make(ZONE, ORIGIN).seconds_to_entry(mean, 300.0)[0])
    want = (distance - 1000.0) / speed
    if want <= 298.0:
        assert want - 0.01 <= got <= want + 2.0
    elif want > 302.0:
        assert math.isinf(got)


def sensor(time_ns, bias=0.0, moved_ns=0, outside_ns=0, tolerance=0.0, observable=1):
    """A radar with an azimuth bias, in degrees."""
    one = np.eye(6)[1]
    past = (one * 0.02 * DEG, one / (0.05 * DEG) ** 2, one * 0.0, one * 0.0, np.zeros(6, np.int64))
    when = (one.astype(np.int64) * moved_ns, one.astype(np.int64) * outside_ns)
    noise = np.array([30.0, 0.2 * DEG, 0, 0, 0, 0])
    seen = np.array([0, observable, 0, 0, 0, 0])
    drift = Drift(*past, *when, one * tolerance * DEG)
    return Registration("Radar", time_ns, 400, one * bias * DEG, one * 0.05 * DEG + 1e-9, seen, noise, drift)


def test_a_sensor_that_drifts_raises_an_alarm_of_its_own_and_clears_it():
    def look(t, **of):
        return replace(world(t * S), sensors=(sensor(t * S, **of),))

    quiet = [look(t, bias=0.02) for t in range(1, 10)]
    moved = [look(t, bias=0.25, moved_ns=12 * S) for t in range(12, 40)]
    outside = [look(t, bias=0.4, moved_ns=12 * S, outside_ns=41 * S, tolerance=0.3) for t in range(41, 70)]
    back = [look(t, bias=0.03) for t in range(70, 80)]
    out = run([*quiet, *moved, *outside, *back], zones=())
    at = len(quiet)
    assert all(len(a) == 0 for a in out[: at + 10])  # not before it is held ten seconds
    assert states(out[at + 10]) == [("sensor drifting", "RAISED")]
    assert out[at + 10].priority[0] == Priority.LOW
    assert out[at + 10].subject[0] == Subject.SENSOR
    assert out[at + 10].reason[0] == (
        "sensor Radar drifts: azimuth +0.25 ± 0.10 degrees, was +0.02 ± 0.10 until about 1970-01-01T00:00:12Z"
    )
    worse = out[at + len(moved) + 20]
    assert states(worse) == [("sensor drifting", "UPDATED")]
    assert worse.priority[0] == Priority.MEDIUM
    assert worse.reason[0].endswith("outside its tolerance of 0.30 since 1970-01-01T00:00:41Z")
    assert states(out[-1]) == [("sensor drifting", "CLEARED")]


def test_what_drifts_and_is_not_observable_says_so():
    w = replace(world(S), sensors=(sensor(S, bias=0.25, moved_ns=S, observable=0),))
    (found,) = SensorDrifting().findings(w)
    assert "azimuth not observable now" in found.reason


def test_a_biased_sensor_stands_until_it_is_clearly_better_and_leaves_tolerances_to_the_drift_rule():
    def found(**of):
        return SensorBiased().findings(replace(world(S), sensors=(sensor(S, **of),)))

    assert [f.firm for f in found(bias=0.31)] == [True]  # 1.5 times its noise of 0.2 degrees
    assert [f.firm for f in found(bias=0.29)] == [False]
    assert found(bias=0.23) == []
    assert found(bias=0.31, tolerance=0.1) == []


def test_sensors_that_disagree_are_both_named_and_neither_is_blamed():
    def found(degrees, known=1, observable=0):
        one = np.eye(6)[1]
        against = Against("Other", 60, one * degrees * DEG, one * 0.04 * DEG + 1e-9, np.array([0, known, 0, 0, 0, 0]))
        s = replace(sensor(S, bias=0.1, observable=observable), against=against)
        return SensorsDisagree().findings(replace(world(S), sensors=(s,)))

    (f,) = found(1.5)
    assert f.reason.startswith("sensors Radar and Other disagree: azimuth +1.50 ± 0.08 degrees (from 60 looks")
    assert f.firm
    assert f.priority == Priority.LOW
    assert [g.firm for g in found(0.28)] == [False]  # it keeps what stands, and raises nothing
    assert found(0.2) == []
    assert found(1.5, known=0) == []
    assert found(1.5, observable=1) == []  # that is a sensor that is off
