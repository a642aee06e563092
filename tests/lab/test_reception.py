"""Receivers and their bytes: Remote ID, replies with content, JSON lines, hills, failing receivers, the fleet's mix."""

import json
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapwing.decode import make
from lapwing.records import FeedConfig, Field, Frame
from lapwing_lab import wire_adsb, wire_modes
from lapwing_lab import world as worlds
from lapwing_lab.failings import Failings
from lapwing_lab.files import Scan
from lapwing_lab.geo import local, offset
from lapwing_lab.literature import draw
from lapwing_lab.located import located
from lapwing_lab.reception import BEST_NIC, Delivery, equipment
from lapwing_lab.scenario import build, read_table
from lapwing_lab.simulate import record
from lapwing_lab.terrain import terrain
from lapwing_lab.warned import warned
from lapwing_lab.wire_json import line
from tests.lab.test_world import HOME, SMALL, still

HILL = {"east_m": 0.0, "north_m": 3000.0, "height_m": 200.0, "radius_m": 400.0}


def decoded(folder):
    """Everything the product's decoders make of a recording."""
    from lapwing.serve.recordings import chunks
    from lapwing.serve.site import load as load_site

    _, site = load_site(folder / "site.toml")
    decoders = {f.feed: make(f, {s.sensor: s for s in site.sensors}) for f in site.feeds}
    states, out = {n: d.start() for n, d in decoders.items()}, []
    for seq, (feed, time_ns, data) in enumerate(chunks(site.feeds)):
        states[feed], found = decoders[feed].decode(states[feed], [Frame(seq, feed, time_ns, data)])
        out.append((feed, time_ns, found))
    return out


def test_a_hill_hides_what_is_behind_it_and_drones_follow_the_ground():
    ground = terrain([HILL])
    assert ground.ground_m(np.array(0.0), np.array(3000.0)) == pytest.approx(200.0)
    e, n = np.array([100.0]), np.array([2700.0])
    rise = (ground.ground_m(e + 0.5, n) - ground.ground_m(e - 0.5, n), ground.ground_m(e, n + 0.5) -
            ground.ground_m(e, n - 0.5))  # fmt: skip
    assert np.array(ground.slope(e, n)) == pytest.approx(np.array(rise), abs=1e-5)
    eye = worlds.stand(offset(HOME, 0.0, 0.0, 120.0), HOME, ground)
    world = worlds.make([still(0.0, 6000.0, 150.0), still(0.0, 6000.0, 600.0), still(3000.0, 6000.0, 150.0)], HOME, 9.0)
    position, velocity, _ = world.at(1.0)
    assert eye.look(position, velocity).clear.tolist() == [False, True, True]
    table = {**SMALL, "hill": [HILL], "group": [{"kind": "multirotor", "points": [[0.0, 2000.0, 50.0], [0.0, 4000.0,
             50.0]], "speed_mps": 15.0, "above_ground": True, "name": "low"}], "duration_s": 120.0}  # fmt: skip
    path = build(table, None).targets[0].path
    for t in (10.0, 40.0, 66.0, 90.0):
        state = path.at(t)
        east, north, _ = local(HOME, state.place)
        ground_m = 100.0 + float(terrain([HILL]).ground_m(np.array(east), np.array(north)))
        assert state.place.height_m - ground_m == pytest.approx(50.0, abs=3.0)
        later = path.at(t + 0.01)
        assert (later.place.height_m - state.place.height_m) / 0.01 == pytest.approx(state.vu, abs=0.3)


def test_a_drone_s_remote_id_reaches_the_product_and_a_liar_is_two_places(tmp_path):
    drones = [
        {"kind": "multirotor", "name": "honest", "says": "remote_id", "points": [[500.0, 500.0, 180.0]] * 2},
        {"kind": "multirotor", "name": "liar", "says": "remote_id", "serial": "LPW0honest", "lies_m": [9000.0, 0.0],
         "points": [[-400.0, 300.0, 160.0]] * 2},
    ]  # fmt: skip
    table = {**SMALL, "group": drones, "remote_id": {"east_m": 0.0, "north_m": 0.0, "height_m": 120.0}}
    record(build(table, None), tmp_path)
    heard = [d for feed, _, d in decoded(tmp_path) if feed == "Remote ID"]
    assert sum(f.count for d in heard for f in d.faults) == 0
    east = {round(np.degrees(p), 2) for d in heard for p in d.positions.longitude_rad.tolist()}
    assert len({a for d in heard for a in d.positions.address.tolist()}) == 1  # one serial
    assert max(east) - min(east) == pytest.approx(8100.0 / 71_700.0, abs=0.02)  # 8.1 km apart, the lie included
    heights = [h for d in heard for h in d.positions.address.tolist()]
    assert 25 <= len(heights) <= 42  # two drones, once a second, nine of ten


@given(st.floats(-0.5, 0.5), st.floats(0, 359), st.floats(80, 250), st.floats(-0.05, 0.05), st.floats(-30, 30))
def test_replies_say_to_the_product_what_they_were_given(roll, track, ground, turn, wind):
    air, a = ground + wind, np.radians(track)
    moving = wire_adsb.squitter(0x710123, wire_adsb.velocity(ground * np.sin(a), ground * np.cos(a), 5.0, 2, 0.0))
    contents = {
        Field.TRUE_AIRSPEED_MPS: wire_modes.track_and_turn(roll, track, ground, turn, air),
        Field.HEADING_RAD: wire_modes.heading_and_speed(track, 0.8 * air, air / 300.0, 5.0),
    }
    for said, content in contents.items():
        frames = [wire_adsb.all_call(0x710123), moving, *[wire_modes.reply(0x710123, 9000.0, content)] * 2]
        data = b"".join(wire_adsb.beast(f, 12_000_000 * (i + 1)) for i, f in enumerate(frames))
        decoder = make_beast()
        _, out = decoder.decode(decoder.start(), [Frame(1, "A", 10**18, data)])
        found = dict(zip(out.values.field.tolist(), out.values.value.tolist(), strict=True))
        assert found[Field.ALTITUDE_BARO_M] == pytest.approx(9000.0, abs=4.0)
        if said not in found:  # content that fits two registers is taken for neither
            continue
        if said == Field.HEADING_RAD:
            off = (np.degrees(found[said]) - track + 180.0) % 360.0 - 180.0
            assert abs(off) < 0.1
            assert found[Field.INDICATED_AIRSPEED_MPS] == pytest.approx(0.8 * air, abs=0.3)
        else:
            assert found[said] == pytest.approx(air, abs=0.6)
            assert found[Field.ROLL_RAD] == pytest.approx(roll, abs=0.002)


def make_beast():

    return make(FeedConfig("A", "beast", "stdin"), {})


def test_comm_b_of_a_deceived_airliner_tells_the_truth():
    table = {**SMALL, "adsb": {**SMALL["adsb"], "comm_b": True}, "wind": {"east_mps": 20.0, "north_mps": -10.0},
             "group": SMALL["group"][:1], "duration_s": 60.0}  # fmt: skip
    s = build(table, None)
    decoder = make_beast()
    _, out = decoder.decode(decoder.start(), [Frame(1, "ADS-B", 10**18, s.adsb.between(60.0))])
    fields = dict.fromkeys(out.values.field.tolist())
    assert {Field.TRUE_AIRSPEED_MPS, Field.HEADING_RAD, Field.ROLL_RAD, Field.MACH} <= set(fields)
    state, address = s.targets[0].path.at(30.0), s.targets[0].ident
    air = out.values.value[(out.values.field == Field.TRUE_AIRSPEED_MPS) & (out.values.address == address)]
    assert np.median(air) == pytest.approx(np.hypot(state.ve - 20.0, state.vn + 10.0), abs=2.0)


def test_receivers_fail_like_other_sensors():
    there = Delivery(Failings(outages_s=((5.0, 6.0),), p_duplicate=1.0, p_late=1.0, late_s=3.0), random.Random(1))
    for at in (4.5, 5.5, 6.5):
        there.send(at, b"%.1f" % at)
    assert there.arrived(7.0) == []
    assert [d for _, d in there.arrived(100.0)] == [b"4.5", b"4.5", b"6.5", b"6.5"]
    table = {**SMALL, "adsb": {**SMALL["adsb"], "outages_s": [[5.0, 15.0]], "clock_bias_s": 2.0}}
    whole, broken = build(SMALL, None).adsb.between(20.0), build(table, None).adsb.between(20.0)
    assert 0.3 < len(broken) / len(whole) < 0.7
    assert int.from_bytes(broken[2:8], "big") - int.from_bytes(whole[2:8], "big") == pytest.approx(24e6, abs=2)


def test_the_fleet_is_mixed_as_the_snapshot_was():
    rng = random.Random(3)
    fleet = [equipment(rng, 1000.0) for _ in range(6000)]
    for nic, share in BEST_NIC:
        assert sum(e.nic == nic for e in fleet) / 6000 == pytest.approx(share, abs=0.02)
    assert 30 < sum(e.sick_s < 1000.0 for e in fleet) < 95
    dither = next(e for e in fleet if e.dithers)
    seen = {dither.nic_at(float(t), rng) for t in range(5000)}
    assert seen == {7, 8}
    assert next(e for e in fleet if e.sick_s < 999.0).nic_at(1000.0, rng) == 0


def test_a_look_as_a_json_line():
    scan = Scan("cam", ("azimuth_rad", "elevation_rad"), 5 * 10**9, np.array([4 * 10**9]), np.array([[np.pi, 0.1]]))
    told = json.loads(line(scan))
    assert told["time"] == 5.0
    assert told["detections"] == [{"time": 4.0, "azimuth_deg": 180.0, "elevation_deg": pytest.approx(5.729578)}]


def test_alarms_are_about_somebody():
    s = build({**SMALL, "duration_s": 60.0}, None)
    place = {t.name: s.world.at(4.0)[0][i] for i, t in enumerate(s.world.targets)}
    bird = next(t.name for t in s.targets if t.kind == "flock")

    def alarm(east, north, subject_id=7, priority="high", alarm_id=1):
        about = {"alarm_id": alarm_id, "zone": "Z", "subject_id": subject_id, "priority": priority}
        return {**about, "raised_ns": s.begin_ns + 4 * 10**9, "east_m": east, "north_m": north}

    alarms = [
        alarm(*place["intruder"][:2], priority="critical"),
        alarm(*place[bird][:2], priority="critical", alarm_id=2),
        alarm(29_000.0, -29_000.0, alarm_id=3),
    ]
    entered = [{"target": "intruder", "zone": "Z", "time_ns": s.begin_ns + 9 * 10**9}]
    found = warned(alarms, entered, s)
    assert (found["entries"], found["entries_missed"], found["lead_s_min"]) == (1, 0, 5.0)
    assert found["nuisance"] == 2
    assert (found["nuisance_critical"], found["entries_without_own"]) == (1, 0)
    shared = warned([alarm(*place["intruder"][:2], subject_id=0)], entered, s)
    assert (shared["entries_missed"], shared["entries_without_own"]) == (0, 1)
    assert (found["nuisance_bird"], found["nuisance_nobody"]) == (1, 1)
    assert warned(alarms[1:2], entered, s)["entries_missed"] == 1  # an alarm about a bird is no warning of the drone
    at = {"at_ns": s.begin_ns + 4 * 10**9, "subject_id": 8, "priority": "critical"}
    flock = {**alarm(*place[bird][:2]), "escalations": [{**at, "east_m": place[bird][0], "north_m": place[bird][1]}]}
    assert warned([flock], entered, s)["nuisance_critical"] == 1  # raised about a bird, and more urgent about a bird
    drone = {"east_m": place["intruder"][0], "north_m": place["intruder"][1]}
    joined = warned([{**alarm(*place[bird][:2]), "escalations": [{**at, **drone}]}], entered, s)
    assert (joined["entries_missed"], joined["nuisance"], joined["nuisance_critical"]) == (0, 1, 0)


def test_scans_of_the_literature_come_late_and_fade_with_range():
    known, scans, told = draw(read_table("out-of-sequence")["arrays"], 5)
    late = [s for s in scans if s.received_ns > s.scan_ns]
    assert 10 <= len(late) <= 40
    assert np.diff([s.scan_ns for s in scans]).std() > 0.3e9
    assert told["target_id"].n_unique() > 3
    known, scans, _ = draw(read_table("range-bearing")["arrays"], 5)
    assert known.polar is not None
    z = np.concatenate([s.z for s in scans])
    assert (z[:, 0] > 0.0).all()
    assert ((z[:, 1] >= 0.0) & (z[:, 1] < 2 * np.pi)).all()


def test_every_sensor_of_a_scenario_speaks_and_is_understood(tmp_path):
    table = {**read_table("sensor-failures"), "duration_s": 20.0}
    record(build(table, None), tmp_path)
    found = decoded(tmp_path)
    reasons = {(feed, f.reason) for feed, _, d in found for f in d.faults}
    silent = "detections: an empty list before the first detection does not say what is measured"
    assert reasons <= {("Microphones", silent)}  # what docs/sensors.md says of a sensor that has heard nothing yet
    spaces = {s.sensor: s.space.name for _, _, d in found for s in d.scans}
    assert spaces == {"Good radar": "RANGE_AZIMUTH", "Bad radar": "RANGE_AZIMUTH", "Passive radar": "BISTATIC",
                      "Microphones": "AZIMUTH"}  # fmt: skip


def test_sources_are_judged_by_the_nearest_jammer_and_the_region_that_should_hold_it():
    s = build(SMALL, None)  # a jammer nine kilometres north
    east, north, _ = local(s.origin, s.air.jammers[0].place)
    square = [[east + a, north + b] for a, b in ((-900, -900), (900, -900), (900, 900), (-900, 900))]
    hole = [[east + a, north + b] for a, b in ((-9, -9), (9, -9), (9, 9), (-9, 9))]
    source = {
        "unique": True,
        "east_m": east + 400.0,
        "north_m": north + 300.0,
        "rings_50": [hole],
        "rings_90": [square],
    }
    region = {"causes": {"jamming": 0.9}, "sources": [source]}
    found = located([region], s)
    want = {"cause_jamming": 0.9, "sources": 1.0, "source_error_m": pytest.approx(500.0)}
    assert found == want | {"source_in_50": 1.0, "source_in_90": 1.0}
    assert located([{**region, "sources": [{**source, "rings_90": [square, hole]}]}], s)["source_in_90"] == 0.0
    assert located([{**region, "sources": [{**source, "unique": False}]}], s)["sources"] == 0.0
    assert located([], s)["cause_jamming"] == 0.0
    assert located([], build({**SMALL, "jammer": []}, None)) == {}
