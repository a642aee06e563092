"""OCSF events: each is what the schema wants, says what the picture says, and nothing that nobody knows."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from lapwing import __version__
from lapwing.decode import encode_ocsf as ocsf
from lapwing.decode.remoteid_messages import interned
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import FIELDS, AlarmState, Field, Kind, Priority, Source, Subject, TrackStatus
from lapwing.serve.cli import app
from lapwing.serve.export_ocsf import Events
from lapwing.serve.export_paths import moment
from tests.replay.remote_world import PILOTS, SERIALS, WORDS, skies
from tests.replay.test_replay import drive
from tests.replay.world import T0
from tests.serve.fake_shelf import World, make_site
from tests.serve.ocsf_schema import mistakes

SITE = make_site()
ORIGIN = (SITE.origin.latitude_rad, SITE.origin.longitude_rad, SITE.origin.height_ellipsoid_m)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    folder = tmp_path_factory.mktemp("journal")
    drive(folder, skies(12.0))
    return folder


@pytest.fixture(scope="module")
def night(journal, tmp_path_factory):
    """All of the journal, exported, and what the command said."""
    out = tmp_path_factory.mktemp("out") / "night.ocsf.jsonl"
    done = run(journal, out)
    assert done.exit_code == 0, done.output
    return out, done.output


def run(journal, out, *more):
    return CliRunner().invoke(app, ["export", str(journal), str(out), *more])


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def drones(kinds, picture=None, **alarms):
    """The World's picture with all tracks of these kinds."""
    picture = picture or World().picture(200)
    p = np.zeros((len(picture.tracks), len(Kind)))
    for kind, value in kinds.items():
        p[:, kind] = value
    classes = replace(picture.classes, track_id=picture.tracks.track_id, probability=p)
    return replace(picture, classes=classes, alarms=replace(picture.alarms, **alarms))


def remote(**said):
    """The World's picture with all claims by Remote ID, who have said these values."""
    picture = World().picture(200)
    claims = picture.claims
    values, values_ns = np.array(claims.values), np.zeros_like(claims.values_ns)
    for name, value in said.items():
        at = FIELDS.index(Field[name])
        values[:, at], values_ns[:, at] = value, picture.time_ns
    source = np.full(len(claims), Source.REMOTE_ID)
    return replace(picture, claims=replace(claims, source=source, values=values, values_ns=values_ns))


def test_a_journal_becomes_events_that_the_schema_takes(night):
    out, said = night
    events = lines(out)
    assert said.strip().endswith(f"{len(events)} events")
    assert [m for e in events for m in mistakes(e)] == []
    heard = [e for e in events if e["activity_name"] == "Capture"]
    assert {e["unmanned_aerial_system"]["uid"] for e in heard} == {s.decode() for s in SERIALS}
    assert {e["metadata"]["product"]["version"] for e in events} == {__version__}
    times = [e["time"] for e in heard if e["unmanned_aerial_system"]["uid"] == SERIALS[0].decode()]
    assert times == sorted(set(times))  # each place once
    assert len(times) > 5
    assert all(T0 // 10**6 <= t <= T0 // 10**6 + 12_000 for t in times)
    assert not any(p.suffix == ".draft" for p in out.parent.iterdir())


def test_no_event_tells_who_flies_and_withheld_none_tells_which_drone_it_was(journal, night, tmp_path):
    out, all_told = tmp_path / "a.ocsf.jsonl", night[0]
    assert run(journal, out, "--withhold").exit_code == 0
    for path in (out, all_told):
        assert not any(word in path.read_bytes() for word in (*PILOTS, WORDS))
        assert {json.dumps(e["unmanned_system_operator"]) for e in lines(path)} == {
            '{"name": "Unknown", "type_id": 0, "type": "Unknown"}'
        }
    assert all(serial in all_told.read_bytes() for serial in SERIALS)
    digests = [f"{interned('rid 1', serial):X}".encode() for serial in SERIALS]
    assert not any(word in out.read_bytes().upper() for word in (*SERIALS, *digests))
    names = [e["unmanned_aerial_system"]["uid"] for e in lines(out) if e["activity_name"] == "Capture"]
    assert set(names) == {"withheld 1", "withheld 2", "withheld 3"}
    assert [m for e in lines(out) for m in mistakes(e)] == []
    places = [[e["unmanned_aerial_system"]["location"] for e in lines(path)] for path in (out, all_told)]
    assert places[0] == places[1]  # where drones were stays


def test_only_the_period_that_was_asked_for(journal, tmp_path):
    out = tmp_path / "a.ocsf.jsonl"
    since, until = moment(T0 + 9 * 10**9), moment(T0 + 10 * 10**9)
    assert run(journal, out, "--since", since, "--until", until).exit_code == 0
    assert {e["unmanned_aerial_system"]["uid"] for e in lines(out) if "status" in e} == {s.decode() for s in SERIALS}
    assert len([e for e in lines(out) if "status" in e]) == 3
    nothing = run(journal, tmp_path / "b.ocsf.jsonl", "--since", "2190-01-01")
    assert nothing.exit_code == 2
    assert "no drone was tracked or heard in that period" in nothing.output
    assert not list(tmp_path.glob("b*"))


@pytest.mark.parametrize(
    ("kinds", "type_id"),
    [
        ({Kind.MULTIROTOR: 0.9}, 2),
        ({Kind.FIXED_WING_DRONE: 0.6, Kind.MULTIROTOR: 0.3}, 1),
        ({Kind.MULTIROTOR: 0.4, Kind.FIXED_WING_DRONE: 0.4}, 0),  # a drone, but which is not known
    ],
)
def test_tracks_that_are_most_probably_drones_are_events(kinds, type_id):
    picture = drones(kinds)
    told = list(ocsf.drones(picture, SITE, "1"))
    assert [m for e in told for m in mistakes(e)] == []
    tracks = picture.tracks
    shown = np.flatnonzero(tracks.status != TrackStatus.TENTATIVE)
    assert [e["unmanned_aerial_system"]["uid"] for e in told] == [f"track {i}" for i in tracks.track_id[shown]]
    assert {e["unmanned_aerial_system"]["type_id"] for e in told} == {type_id}
    assert {(e["type_uid"], e["time"]) for e in told} == {(800102, picture.time_ns // 10**6)}


def test_other_tracks_are_none():
    for kinds in ({Kind.BIRD: 1.0}, {Kind.UNKNOWN: 1.0}, {Kind.AIRCRAFT: 0.6, Kind.MULTIROTOR: 0.4}):
        assert list(ocsf.drones(drones(kinds), SITE, "1")) == []


def test_places_speeds_and_directions_are_the_tracks_own():
    picture = drones({Kind.MULTIROTOR: 1.0})
    shown = np.flatnonzero(picture.tracks.status != TrackStatus.TENTATIVE)
    events = list(ocsf.drones(picture, SITE, "1"))
    for i, event in zip(shown, events, strict=True):
        system, mean = event["unmanned_aerial_system"], picture.tracks.mean[i]
        latitude, longitude, height = (float(x[0]) for x in enu_to_geodetic(ORIGIN, mean[None, :3]))
        where = system["location"]
        assert [where["lat"], where["long"]] == pytest.approx([np.degrees(latitude), np.degrees(longitude)], abs=1e-6)
        if "geodetic_altitude" in where:
            assert float(where["geodetic_altitude"]) == pytest.approx(height, abs=0.06)
        after = enu_to_geodetic(ORIGIN, (mean[:3] + mean[3:])[None])
        east = (float(after[1][0]) - longitude) * 6_378_137.0 * np.cos(latitude)
        north = (float(after[0][0]) - latitude) * 6_371_000.0
        assert float(system["speed"]) == pytest.approx(np.hypot(east, north), rel=0.01, abs=0.1)
        if "track_direction" in system:
            off = (float(system["track_direction"]) - np.degrees(np.arctan2(east, north)) + 180) % 360 - 180
            assert abs(off) < 1.0
    assert any("track_direction" in e["unmanned_aerial_system"] for e in events)


def test_what_is_not_known_is_absent():
    picture = drones({Kind.MULTIROTOR: 1.0})
    cov, mean = np.array(picture.tracks.cov), np.array(picture.tracks.mean)
    cov[:, 2, 2], mean[:, 3:] = 501.0**2, 0.0
    told = list(ocsf.drones(replace(picture, tracks=replace(picture.tracks, cov=cov, mean=mean)), SITE, "1"))
    assert told
    for event in told:
        system = event["unmanned_aerial_system"]
        assert not {"track_direction", "vertical_speed", "serial_number", "model"} & set(system)
        assert set(system["location"]) == {"lat", "long", "country"}
        assert system["location"]["country"] == "ZZ"


@pytest.mark.parametrize("priority", list(Priority))
def test_the_severity_is_that_of_the_standing_alarm_about_it(priority):
    picture = World().picture(200)
    n, first = len(picture.alarms), int(picture.tracks.track_id[np.flatnonzero(picture.tracks.status)[0]])
    assert n
    alarms = {
        "subject": np.full(n, Subject.TRACK), "subject_id": np.full(n, first),
        "state": np.full(n, AlarmState.RAISED), "priority": np.full(n, priority),
    }  # fmt: skip

    def severities(**changes):
        told = ocsf.drones(drones({Kind.MULTIROTOR: 1.0}, picture, **{**alarms, **changes}), SITE, "1")
        return {e["unmanned_aerial_system"]["uid"]: e for e in told}

    said = severities()
    mine = said.pop(f"track {first}")
    assert mine["severity"].upper() == priority.name
    assert mine["message"].endswith(
        f"; alarm: {picture.alarms.rule[0]}" + (f" in {picture.alarms.zone[0]}" if picture.alarms.zone[0] else "")
    )
    assert said
    assert {e["severity"] for e in said.values()} == {"Informational"}
    for other in ({"state": np.full(n, AlarmState.CLEARED)}, {"subject": np.full(n, Subject.CLAIM)}):
        assert severities(**other)[f"track {first}"]["severity"] == "Informational"
    if n > 1:
        two = np.full(n, Priority.LOW)
        two[-1] = priority
        assert severities(priority=two)[f"track {first}"]["severity"].upper() == priority.name


@pytest.mark.parametrize(
    ("said", "status", "type_id"),
    [
        ({}, "Undeclared", 0),
        ({"UA_TYPE": 2, "ON_GROUND": 0}, "Airborne", 2),
        ({"UA_TYPE": 15, "ON_GROUND": 1}, "Ground", 99),
        ({"UA_TYPE": 14, "EMERGENCY": 1}, "Emergency", 14),
        ({"UA_TYPE": 200, "ON_GROUND": 0, "EMERGENCY": 0}, "Airborne", 0),
    ],
)
def test_claims_say_of_themselves_what_they_said(said, status, type_id):
    picture = remote(**said)
    told = list(ocsf.remote_ids(picture, SITE, "1"))
    assert len(told) == int((picture.claims.has_position > 0).sum()) > 0
    assert [m for _, e in told for m in mistakes(e)] == []
    assert {(e["status"], e["unmanned_aerial_system"]["type_id"]) for _, e in told} == {(status, type_id)}
    agreed = {e["metadata"].get("correlation_uid") for _, e in told}
    tracks = picture.integrity.track_id[picture.claims.has_position > 0]
    assert agreed - {None} == {f"track {i}" for i in tracks[tracks >= 0]}


def test_a_claim_is_told_once_until_it_says_something_new():
    picture = remote()
    events = Events(SITE)
    assert len(list(events.of(picture))) > 0
    assert [e for e in events.of(picture) if e["activity_name"] == "Capture"] == []


def test_nobody_is_ever_given_an_intent(night):
    assert not any(word in night[0].read_text().lower() for word in ("hostile", "threat", "enemy", "target"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda e: e.pop("time"), "time is missing"),
        (lambda e: e.update(severity_id=7), "severity_id 7 is not called"),
        (lambda e: e.update(type_uid=1), "type_uid is not"),
        (lambda e: e["metadata"].update(operator="x"), "operator is not in the schema"),
        (lambda e: e["unmanned_aerial_system"]["location"].pop("country"), "has none of"),
        (lambda e: e["unmanned_aerial_system"].update(speed=3.0), "speed is 3.0"),
    ],
)
def test_the_check_finds_what_is_wrong(change, says):
    event = json.loads(json.dumps(next(ocsf.drones(drones({Kind.MULTIROTOR: 1.0}), SITE, "1"))))
    assert mistakes(event) == []
    change(event)
    assert any(says in m for m in mistakes(event))
