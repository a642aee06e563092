"""What we say as a SAPIENT node: names, places, velocities, types. Judged by others' code where there is some."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg_pydantic.bsi_flex_335_v2_0.sapient_message import SapientMessage as Judge
from tests.checks import feed
from tests.decode import sapient_samples as s
from tests.decode.helpers import T0
from tests.serve.fake_shelf import DRONE_ID, World, make_site
from ulid import ULID

from lapwing.decode import encode_sapient as out
from lapwing.decode.encode_sapient_node import Us, condition, registration, status, task_answer
from lapwing.decode.sapient import SapientDecoder
from lapwing.decode.ulid import ulid
from lapwing.kernel.geodesy import ecef_to_geodetic, enu_axes, enu_to_geodetic, geodetic_to_ecef
from lapwing.records import NO_TRACK, Classes, Frame, Kind, SensorConfig, Sources, Space, no_interference

SITE, US = make_site(), "0e9c7f6c-5ad5-4a4b-8f5c-111111111111"
PICTURE = World().picture(600)
PLACE = (SITE.origin.latitude_rad, SITE.origin.longitude_rad, SITE.origin.height_ellipsoid_m)


@given(st.integers(0, 4 * 10**18), st.text(max_size=50))
def test_a_name_is_a_ulid_with_its_time_and_stays(time_ns: int, text: str) -> None:
    name = ulid(time_ns, text)
    assert ULID.from_str(name).milliseconds == time_ns // 10**6
    assert name == ulid(time_ns, text)
    assert name != ulid(time_ns, text + "x")


def test_a_track_keeps_its_name_and_two_never_share_one() -> None:
    later = World().picture(700).tracks
    names = [out.object_id(US, PICTURE.tracks, i) for i in range(len(PICTURE.tracks))]
    assert len(set(names)) == len(names)
    assert names == [out.object_id(US, later, i) for i in range(len(later))]
    assert not set(names) & {out.object_id(s.NODE, later, i) for i in range(len(later))}


def test_our_report_read_back_is_the_track() -> None:
    """Our decoder, at the same site, gets position and error back that the track had."""
    rows = out.importance(PICTURE, {})
    told = out.detections(PICTURE, SITE.origin, s.NODE, rows, {})
    first = s.registration(time_ns=PICTURE.time_ns - s.S)
    last = s.status(PICTURE.time_ns + s.S)
    decoder = SapientDecoder("f", (SensorConfig("radar", SITE.origin, "radar"),), "radar", SITE.origin)
    _, decoded = feed(decoder, [Frame(1, "f", T0, s.frame(first, *told, last))])
    (scan,) = [d for one in decoded for d in one.scans]
    assert scan.space is Space.POSITION_3D
    assert scan.z == pytest.approx(PICTURE.tracks.mean[rows, :3], abs=0.01)
    told_m, was_m = (np.sqrt(np.diagonal(c, axis1=1, axis2=2)[:, :3]) for c in (scan.R, PICTURE.tracks.cov[rows]))
    assert told_m == pytest.approx(was_m, rel=0.01)


def test_velocity_is_in_the_target_s_own_frame_and_vague_heights_are_not_told() -> None:
    """The same ECEF step, taken at the target: half a second there is half a second here."""
    mean, cov = PICTURE.tracks.mean.copy(), PICTURE.tracks.cov.copy()
    mean[0] = (80_000.0, 60_000.0, 3_000.0, 120.0, -90.0, 8.0)
    cov[0, 2, 2] = 600.0**2
    picture = replace(PICTURE, tracks=replace(PICTURE.tracks, mean=mean, cov=cov))
    (told,) = out.detections(picture, SITE.origin, US, [0], {})
    d = told.detection_report
    assert not d.location.HasField("z")
    latitude, longitude, height = enu_to_geodetic(PLACE, mean[:1, :3])
    here = geodetic_to_ecef(latitude, longitude, height)[0]
    after = geodetic_to_ecef(*enu_to_geodetic(PLACE, mean[:1, :3] + 0.5 * mean[:1, 3:]))[0]
    v = np.array([d.enu_velocity.east_rate, d.enu_velocity.north_rate, d.enu_velocity.up_rate])
    moved = here + 0.5 * v @ enu_axes(float(latitude[0]), float(longitude[0]))
    assert moved == pytest.approx(after, abs=1e-6)
    assert np.degrees(ecef_to_geodetic(here[None])[0][0]) == pytest.approx(d.location.y, abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        (Kind.MULTIROTOR, ["Air vehicle", "UAV rotary wing"]),
        (Kind.FIXED_WING_DRONE, ["Air vehicle", "UAV fixed wing"]),
        (Kind.AIRCRAFT, ["Air vehicle", "Manned fixed wing"]),
        (Kind.HELICOPTER, ["Air vehicle", "Manned rotary wing"]),
        (Kind.BIRD, ["Animal", "Bird"]),
        (Kind.SHIP, ["Sea vessel"]),
        (Kind.GROUND, ["Land vehicle"]),
        (Kind.UNKNOWN, ["Other"]),
    ],
)
def test_every_kind_has_its_type(kind: Kind, types: list[str]) -> None:
    shares = np.zeros((1, len(Kind)))
    shares[0, kind] = 1.0
    picture = replace(PICTURE, classes=Classes(PICTURE.tracks.track_id[:1], shares))
    (told,) = out.detections(picture, SITE.origin, US, [0], {})
    (top,) = told.detection_report.classification
    assert [top.type, *(x.type for x in top.sub_class)] == types
    assert top.confidence == 1.0
    assert not told.detection_report.behaviour


def test_what_an_alarm_is_about_is_foremost_then_who_waited_longest() -> None:
    ids = PICTURE.tracks.track_id
    ranked = [int(ids[i]) for i in out.importance(PICTURE, {int(t): 5 for t in ids if t % 2})]
    assert ranked[0] == DRONE_ID
    rest = ranked[1:]
    assert [t % 2 for t in rest] == sorted(t % 2 for t in rest)


def test_every_alarm_is_a_valid_alert() -> None:
    for i in range(len(PICTURE.alarms)):
        told = out.alert(PICTURE, SITE.origin, US, i)
        Judge.from_pb2(told)
        assert told.alert.description.startswith(PICTURE.alarms.rule[i])
        assert not told.alert.location.HasField("z")
        over = out.cleared(US, int(PICTURE.alarms.raised_ns[i]), int(PICTURE.alarms.alarm_id[i]), T0)
        assert over.alert.alert_id == told.alert.alert_id


def test_the_evidence_of_a_track_is_found_in_the_frame() -> None:
    told = s.bearing(5.0)
    assert out.source_in(s.frame(told)) is None
    told.detection_report.object_id = "01GGYFBAXGDG7AGAHRZ6XSNY12"
    assert out.source_in(s.frame(s.status(), told)) == out.Source(T0, s.NODE, "01GGYFBAXGDG7AGAHRZ6XSNY12")
    assert out.source_in(b"\xff\xff\xff\xff garbage") is None
    assert out.source_in(b"\x05\0\0\0\xff\xff\xff\xff\xff") is None


def test_a_node_without_sensors_and_with_bad_feeds_says_so() -> None:
    us = Us(US, replace(SITE, sensors=()), "1", 5.0)
    told = registration(us, T0)
    Judge.from_pb2(told)
    assert not told.registration.reporting_region
    fine, quiet, other = PICTURE.feeds[0], PICTURE.feeds[1], PICTURE.feeds[2]
    assert condition((fine, other)) == (1, ())
    assert condition((fine, replace(other, link="lost: no route"))) == (2, ("feed hill-radar: lost: no route",))
    assert condition((quiet,), ["3 left out"]) == (3, ("feed harbour-ais: quiet", "3 left out"))
    first, again = (status(us, T0, condition((quiet,)), before) for before in (None, condition((quiet,))))
    assert (first.status_report.info, again.status_report.info) == (1, 2)
    Judge.from_pb2(again)


@pytest.mark.parametrize("wish", ["move_to", "patrol", "follow", "look_at", "mode_change", "region", "none"])
def test_no_task_but_a_request_is_taken(wish: str) -> None:
    task = SapientMessage(node_id=s.NODE)
    task.task.task_id = "01GGYFBAXGDG7AGAHRZ6XSNY12"
    if wish == "mode_change":
        task.task.command.mode_change = "Attack"
    elif wish == "region":
        task.task.command.request = "Status"
        task.task.region.add()
    elif wish != "none":
        getattr(task.task.command, wish).SetInParent()
    reply, wanted = task_answer(Us(US, SITE, "1", 5.0), task, T0)
    assert (reply.task_ack.task_status, wanted, reply.destination_id) == (2, "", s.NODE)
    Judge.from_pb2(reply)


def test_an_agreeing_claim_is_told_as_what_it_is() -> None:
    rows = out.importance(PICTURE, {})
    told = {m.detection_report.object_id: m for m in out.detections(PICTURE, SITE.origin, US, rows, {})}
    for i, track in enumerate(PICTURE.integrity.track_id.tolist()):
        if track == NO_TRACK:
            continue
        row = PICTURE.tracks.track_id.tolist().index(track)
        if row not in rows:  # tentative
            continue
        (info,) = told[out.object_id(US, PICTURE.tracks, row)].detection_report.object_info
        assert info.type == "claimed identity"
        assert info.value == (PICTURE.claims.names[i] or f"{PICTURE.claims.address[i]:X}")
    assert 0 < sum(len(m.detection_report.object_info) for m in told.values()) < len(told)


def test_an_emitter_is_told_where_one_place_explains_a_region() -> None:
    regions = PICTURE.integrity.interference
    causes = np.array([[0.0, 0.7, 0.1, 0.15, 0.05, 0.0]])
    i, f = (lambda *v: np.array(v, np.int64)), (lambda *v: np.array(v, np.float64))
    two = Sources(
        i(1, 1), i(5, 5), i(1, 0), f(2_000.0, 0.0), f(3_000.0, 0.0), f(400.0, 1.0), f(40.0, 0.0), f(3.0, 1.0),
        f(0.0, 0.0), f(0.0, 0.0), f(0.5, 0.5), i(), f(), i(), f(), f(),
    )  # fmt: skip
    verdict = replace(PICTURE.integrity, interference=replace(regions, causes=causes), sources=two)
    (told,) = out.emitters(replace(PICTURE, integrity=verdict), SITE.origin, US)
    Judge.from_pb2(told)
    d = told.detection_report
    assert [(c.type, c.sub_class[0].type) for c in d.classification] == [("EM transmitter", "RF jammer")]
    assert (d.detection_confidence, d.classification[0].sub_class[0].confidence) == pytest.approx((0.95, 0.85))
    latitude, longitude, _ = np.degrees(enu_to_geodetic(PLACE, np.array([[2_000.0, 3_000.0, 0.0]])))
    assert (d.location.y, d.location.x) == pytest.approx((latitude[0], longitude[0]), abs=1e-9)
    assert d.location.y_error * 111_195 == pytest.approx(400.0, rel=1e-3)
    assert not d.location.HasField("z")
    assert not d.signal
    gone = replace(verdict, interference=no_interference())
    assert out.emitters(replace(PICTURE, integrity=gone), SITE.origin, US) == []
