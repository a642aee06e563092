"""SAPIENT: scans out of every coordinate system, and the fusion node's side of the conversation."""

from dataclasses import replace

import numpy as np
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from tests.checks import feed
from tests.decode import sapient_samples as s
from tests.decode.helpers import T0, faults

from lapwing.decode.sapient import SapientDecoder
from lapwing.decode.sapient_peer import ENDED_MAX, NODES_MAX, Heard, Peer, hear, hush
from lapwing.decode.sapient_session import ERRORS_MAX, RATE_MAX, WATCH_ONLY, Session, answer, overdue
from lapwing.decode.sapient_wire import MESSAGE_BYTES_MAX, cut, framed, parse
from lapwing.decode.utm import geodetic_to_utm, utm_to_geodetic
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Decoded, Frame, Position, SensorConfig, Space
from lapwing.records.reports import merged

S = s.S
ORIGIN = Position(np.radians(47.0), np.radians(8.0), 400.0)
SENSORS = tuple(SensorConfig(name, ORIGIN, "radar") for name in ("radar", "camera"))
DECODER = SapientDecoder("f", SENSORS, "radar", ORIGIN)
OUR_ID = "0e9c7f6c-5ad5-4a4b-8f5c-111111111111"
EFFECTORS = ["KINETIC", "JAMMER", "CYBER", "LDEW", "RFDEW"]


def scans(*messages: SapientMessage) -> Decoded:
    """What becomes of a registration and these messages, ended by a later status report."""
    talk = [s.registration(), *messages, s.status(T0 + 100 * S)]
    return merged(feed(DECODER, [Frame(i + 1, "f", T0, s.frame(m)) for i, m in enumerate(talk)])[1])


@pytest.mark.parametrize(
    ("system", "factor_x", "factor_y"), [(1, 1.0, 1.0), (2, np.pi / 180, np.pi / 180), (5, None, None)]
)
def test_every_coordinate_system_is_the_same_place(system: int, factor_x: float | None, factor_y: float | None) -> None:
    longitude, latitude = 8.01, 47.005
    if factor_x is None or factor_y is None:
        x, y = Transformer.from_crs(4326, 32632, always_xy=True).transform(longitude, latitude)
        m = s.location(x, y, system=system, z=450.0, utm_zone="32T", x_error=5.0, y_error=5.0)
    else:
        m = s.location(longitude * factor_x, latitude * factor_y, system=system, z=450.0)
    (scan,) = scans(m).scans
    assert (scan.sensor, scan.space, scan.scan_ns) == ("radar", Space.POSITION_3D, T0)
    place = (ORIGIN.latitude_rad, ORIGIN.longitude_rad, ORIGIN.height_ellipsoid_m)
    back = np.array(enu_to_geodetic(place, scan.z))[:, 0]
    assert back == pytest.approx([np.radians(latitude), np.radians(longitude), 450.0], abs=1e-6)
    if system == 5:
        assert np.sqrt(np.diagonal(scan.R[0]))[:2] == pytest.approx([5.0, 5.0])


@pytest.mark.parametrize(
    ("system", "angle", "metre"), [(1, 1, 1), (2, np.pi / 180, 1), (3, 1, 1e-3), (4, np.pi / 180, 1e-3)]
)
def test_every_range_and_bearing_is_the_same(system: int, angle: float, metre: float) -> None:
    m = s.bearing(90.0 * angle, system=system, range=2000.0 * metre, elevation=10.0 * angle, range_error=7.0 * metre)
    (scan,) = scans(m).scans
    assert scan.space is Space.RANGE_AZIMUTH_ELEVATION
    assert scan.z[0] == pytest.approx([2000.0, np.pi / 2, np.radians(10)])
    assert scan.R[0, 0, 0] == pytest.approx(49.0)


def test_reports_of_one_time_are_one_scan() -> None:
    a, b = (s.bearing(az, T0 + S, range=100.0) for az in (1.0, 2.0))
    d = scans(a, b, s.bearing(3.0, T0 + 2 * S, range=100.0), s.bearing(3.0, T0 + 3 * S))
    assert [(len(x), x.scan_ns - T0, x.sensor) for x in d.scans] == [
        (2, S, "radar"), (1, 2 * S, "radar"), (1, 3 * S, "radar"),
    ]  # fmt: skip


def test_heights_above_the_geoid_become_heights_above_the_ellipsoid() -> None:
    (scan,) = scans(s.location(8.01, 47.0, z=400.0, datum=2)).scans
    (other,) = scans(s.location(8.01, 47.0, z=400.0, datum=1)).scans
    assert scan.space is other.space is Space.POSITION_3D
    assert scan.z[0, 2] - other.z[0, 2] == pytest.approx(48.5, abs=1.0)  # the geoid's height at Zug, 47 N 8 E


def test_heights_of_no_datum_are_not_believed() -> None:
    (scan,) = scans(s.location(8.01, 47.0, z=100.0, datum=0)).scans
    assert scan.space is Space.POSITION_2D


def test_nodes_are_told_apart_by_name() -> None:
    other = "b8654cdf-4328-47de-81fa-c495589e30c9"
    camera = s.registration("CAMERA", "camera", node=other)
    look = s.bearing(5.0)
    look.node_id = other
    late = s.status(T0 + S)
    late.node_id = other
    third = s.registration(name="nobody", node="c8654cdf-4328-47de-81fa-c495589e30c9")
    d = scans(camera, look, late, third)
    assert [x.sensor for x in d.scans] == ["camera"]
    assert faults([d]) == {"node bears the name of no free sensor of the site": 1}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (s.bearing(5.0, datum=4), "bearing from a north that is not known here"),
        (s.bearing(5.0, datum=0), "bearing from a north that is not known here"),
        (s.bearing(5.0, system=0), "coordinate_system is mandatory"),
        (s.bearing(999.0), "range_bearing out of range"),
        (s.bearing(5.0, range=float("nan")), "range_bearing out of range"),
        (s.location(8.0, 99.0), "location out of range"),
        (s.location(float("inf"), 9.0), "location without x and y"),
        (s.location(500_000.0, 5e6, system=5, utm_zone="99Z"), "no such UTM zone or point"),
        (s.bearing(5.0, T0 - S), None),
    ],
)
def test_what_is_refused(message: SapientMessage, reason: str | None) -> None:
    if reason is None:
        d = scans(s.bearing(4.0), message)
        assert faults([d]) == {"report older than the one before": 1}
        return
    d = scans(message)
    assert faults([d]) == {reason: 1}
    assert d.scans == ()


def test_a_platform_whose_heading_the_site_tells_counts_from_it() -> None:
    ship = tuple(replace(sensor, heading_rad=np.radians(350.0)) for sensor in SENSORS)
    talk = [s.registration(), s.bearing(25.0, T0 + S, datum=4), s.status(T0 + 2 * S)]
    d = merged(feed(SapientDecoder("f", ship, "radar", ORIGIN), [Frame(1, "f", T0, s.frame(*talk))])[1])
    (scan,) = d.scans
    assert scan.z[0] == pytest.approx([np.radians(15.0)])


@pytest.mark.parametrize("kind", EFFECTORS)
def test_nodes_that_act_are_refused_on_both_sides(kind: str) -> None:
    """acceptance = false with the reason, the connection ends, nothing is passed on; the decoder refuses it too."""
    told = s.registration(kind)
    session, reply = answer(Session(T0), told.SerializeToString(), T0, OUR_ID)
    (ack,) = reply.replies
    assert ack.WhichOneof("content") == "registration_ack"
    assert ack.registration_ack.acceptance is False
    assert list(ack.registration_ack.ack_response_reason) == [WATCH_ONLY]
    assert (reply.passed, reply.end, session.node_id) == (False, WATCH_ONLY, "")
    mixed = s.registration("CAMERA")
    mixed.registration.node_definition.add().node_type = getattr(mixed.registration, f"NODE_TYPE_{kind}")
    assert answer(Session(T0), mixed.SerializeToString(), T0, OUR_ID)[1].end == WATCH_ONLY
    d = merged(feed(DECODER, [Frame(1, "f", T0, s.frame(told, s.bearing(5.0), s.status(T0 + S)))])[1])
    assert d.scans == ()
    assert faults([d])["watch-only system: nodes that act are refused"] == 1


def test_what_a_registration_lacks_is_told_and_the_node_is_heard_nevertheless() -> None:
    def reasons(one: SapientMessage) -> list[str]:
        session, reply = answer(Session(T0), one.SerializeToString(), T0, OUR_ID)
        (ack,) = reply.replies
        assert ack.registration_ack.acceptance is True
        assert (session.node_id, reply.passed) == (s.NODE, True)
        return [r.split(" is mandatory")[0] for r in ack.registration_ack.ack_response_reason]

    one = s.registration()
    assert reasons(one) == [
        "accepted, but capabilities",
        "accepted, but config_data with manufacturer and model",
        "accepted, but mode_definition",
    ]
    one.registration.capabilities.add(category="any", type="any")
    one.registration.config_data.add(manufacturer="m")
    mode = one.registration.mode_definition.add(mode_name="Default")
    assert reasons(one) == [
        "accepted, but config_data with manufacturer and model",
        "accepted, but no mode has a detection_definition: nothing says what is detected",
    ]
    one.registration.config_data.add(manufacturer="m", model="1")
    mode.detection_definition.add()
    assert reasons(one) == []
    old = s.registration()
    old.registration.icd_version = "BSI Flex 335 v1.0"
    assert reasons(old) == []


def test_no_answer_of_ours_is_ever_a_task() -> None:
    """Whatever a node says, the answers are acknowledgements and errors."""
    kinds = set()
    over = s.message()
    over.alert.alert_id, over.alert.status = "01GGYFBAXGDG7AGAHRZ6XSNY12", 5
    talk = [s.registration(), s.status(), s.bearing(4.0), s.message(), over]
    for field in ("task", "alert", "error", "task_ack", "alert_ack", "registration_ack"):
        one = s.message()
        getattr(one, field).SetInParent()
        talk.append(one)
    session = Session(T0)
    for one in talk:
        session, reply = answer(session, one.SerializeToString(), T0, OUR_ID)
        kinds |= {r.WhichOneof("content") for r in reply.replies}
        assert all(r.node_id == OUR_ID for r in reply.replies)
    assert kinds == {"registration_ack", "error", "alert_ack"}


def registered(interval_s: float = 5.0) -> Session:
    session, reply = answer(Session(T0), s.registration(interval_s=interval_s).SerializeToString(), T0, OUR_ID)
    assert reply.passed
    assert reply.replies[0].registration_ack.acceptance is True
    assert reply.replies[0].destination_id == s.NODE
    return session


def test_three_missed_status_reports_end_a_node() -> None:
    session = registered()
    assert overdue(session, T0 + 15 * S) == ""
    assert overdue(session, T0 + 16 * S) == "no status report for 16 s"
    session, reply = answer(session, s.status(T0 + 14 * S).SerializeToString(), T0 + 14 * S, OUR_ID)
    assert (reply.end, overdue(session, T0 + 29 * S)) == ("", "")
    goodbye = s.status(T0 + 15 * S, system=5)
    assert answer(session, goodbye.SerializeToString(), T0 + 15 * S, OUR_ID)[1].end == "goodbye"
    assert overdue(Session(T0), T0 + 31 * S) == "did not register in time"


def test_wrong_input_gets_an_error_and_too_much_of_it_ends_the_node() -> None:
    bad = s.registration(interval_s=0.0)
    bad.registration.icd_version = "ICD 7"
    _, reply = answer(Session(T0), bad.SerializeToString(), T0, OUR_ID)
    (error,) = reply.replies
    assert list(error.error.error_message) == [
        "icd_version is not of BSI Flex 335",
        "status_interval is not from 0.1 to 3600 s",
    ]
    assert answer(Session(T0), s.status().SerializeToString(), T0, OUR_ID)[1].end == "did not register first"
    session, ends = registered(), []
    for _ in range(ERRORS_MAX + 1):
        session, reply = answer(session, b"\xff\xff", T0, OUR_ID)
        assert not reply.passed
        ends.append(reply.end)
    assert ends == [""] * ERRORS_MAX + ["one error after another"]


def test_a_clock_that_lies_is_not_passed_on() -> None:
    session, reply = answer(registered(), s.bearing(4.0, T0 - 60 * S).SerializeToString(), T0, OUR_ID)
    assert not reply.passed
    assert list(reply.replies[0].error.error_message) == ["timestamp is more than 30 s from ours"]
    assert answer(session, s.bearing(4.0).SerializeToString(), T0, OUR_ID)[1].passed


def test_a_flood_ends_a_node() -> None:
    session, raw, ends = registered(), s.bearing(4.0).SerializeToString(), set()
    for _ in range(RATE_MAX):
        session, reply = answer(session, raw, T0, OUR_ID)
        ends.add(reply.end)
    assert ends == {"", f"more than {RATE_MAX} messages within a second"}


def test_lengths_are_judged_before_they_are_received() -> None:
    good = s.frame(s.status())
    assert cut(good + good[:-1])[0] == [good[4:]]
    assert cut(good + b"\0\0\0\x40")[2] == "message with an impossible length"
    assert cut((MESSAGE_BYTES_MAX + 1).to_bytes(4, "little"))[2] == "message with an impossible length"
    message, _ = parse(good[4:])
    assert message is not None
    assert framed(message) == good


def test_the_public_examples_are_read(shared_recording) -> None:
    """The test harness's own messages; its detection swaps x and y of a UTM point, which is no point of that zone."""
    import json

    folder = shared_recording("sapient/examples")
    told = {}
    for name in ("Registration", "StatusReport", "DetectionReport", "Alert"):
        content = json.loads((folder / f"Default.{name}.json").read_text())
        told[name] = ParseDict(content, SapientMessage(), ignore_unknown_fields=True)
    now = told["Registration"].timestamp.ToNanoseconds()
    session, reply = answer(Session(now), told["Registration"].SerializeToString(), now, OUR_ID)
    assert reply.replies[0].registration_ack.acceptance is True, reply.replies
    assert session.interval_s > 0
    _, out = feed(DECODER, [Frame(1, "f", now, s.frame(*told.values()))])
    assert faults(out).keys() == {"no such UTM zone or point"}


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 60), st.floats(-79.9, 83.9, allow_subnormal=False), st.floats(-2.99, 2.99))
def test_utm_agrees_with_proj(zone: int, latitude: float, off: float) -> None:
    longitude = 6 * zone - 183 + off
    epsg = (32600 if latitude >= 0 else 32700) + zone
    east, north = Transformer.from_crs(4326, epsg, always_xy=True).transform(longitude, latitude)
    point = utm_to_geodetic(f"{zone}{'N' if latitude >= 0 else 'M'}", east, north)
    assert point is not None
    assert np.degrees(point[0]) == pytest.approx(latitude, abs=1e-8)
    assert (np.degrees(point[1]) - longitude + 180) % 360 - 180 == pytest.approx(0.0, abs=1e-8)
    there = geodetic_to_utm(zone, np.radians(latitude), np.radians(longitude))
    assert there is not None
    assert there[1:] == pytest.approx((east, north), abs=1e-3)
    assert (there[0][-1] >= "N") is (latitude >= 0)


def behind(*messages: SapientMessage, peer: Peer | None = None, now_ns: int = T0) -> tuple[Peer, list[Heard]]:
    """A middleware's connection after these messages of nodes."""
    peer, out = peer or Peer(), []
    for one in messages:
        peer, told = hear(peer, one.SerializeToString(), now_ns, OUR_ID)
        out.append(told)
    return peer, out


def of(node: str, message: SapientMessage) -> SapientMessage:
    message.node_id = node
    return message


def test_behind_a_middleware_one_node_s_end_is_not_another_s() -> None:
    other = "b8654cdf-4328-47de-81fa-c495589e30c9"
    peer, _ = behind(s.registration(), of(other, s.registration(name="camera")))
    flooding = s.bearing(4.0)
    peer, told = behind(*[flooding] * (RATE_MAX + 1), peer=peer)
    assert (told[0].passed, told[-1].passed, told[-1].end) == (True, False, "")
    assert told[-1].notices == (("lost", s.NODE, f"node radar: more than {RATE_MAX} messages within a second"),)
    peer, (more, good) = behind(flooding, of(other, s.bearing(4.0)), peer=peer)
    assert (more.passed, more.replies, good.passed) == (False, (), True)
    peer, (again, back) = behind(s.registration(), flooding, peer=peer, now_ns=T0 + S)
    assert (again.replies[0].registration_ack.acceptance, back.passed) == (True, True)


def test_behind_a_middleware_strangers_are_told_once_and_bounded() -> None:
    peer, told = behind(s.bearing(4.0), s.bearing(5.0), s.status())
    assert [len(t.replies) for t in told] == [1, 0, 0]
    assert (
        told[0].replies[0].destination_id == s.NODE
    )  # without it a middleware would give the Error to everybody above
    strangers = [of(f"{k:08x}-4328-47de-81fa-c495589e30c9", s.registration()) for k in range(NODES_MAX + 300)]
    peer, told = behind(*strangers)
    assert len(peer.sessions) == NODES_MAX
    assert len(peer.ended) == ENDED_MAX
    assert told[-1].notices[0][2].endswith("more than 64 nodes")
    peer, told = behind(*[of("x" * 10_000, s.status())] * (ERRORS_MAX + 1))
    assert peer.ended == {}
    assert told[-1].end == "one error after another: node_id too long"


def test_behind_a_middleware_what_is_not_for_us_is_passed_over() -> None:
    peer, _ = behind(s.registration())
    alert = s.message()
    alert.alert.alert_id, alert.destination_id = "01GGYFBAXGDG7AGAHRZ6XSNY12", "someone else"
    fused = of(OUR_ID, s.bearing(4.0))
    task = s.message()
    task.task.SetInParent()
    stale = s.status(T0 - 60 * S)
    peer, told = behind(alert, fused, task, stale, peer=peer)
    assert [(t.replies, t.passed) for t in told] == [((), False)] * 4
    alert.destination_id = OUR_ID
    peer, (ours,) = behind(alert, peer=peer)
    assert (ours.passed, ours.replies, ours.news.alert.alert_id) == (True, (), "01GGYFBAXGDG7AGAHRZ6XSNY12")


def test_behind_a_middleware_a_silent_node_may_come_back() -> None:
    peer, _ = behind(s.registration())
    assert hush(peer, T0 + 15 * S) == (peer, ())
    peer, notices = hush(peer, T0 + 16 * S)
    assert notices == (("lost", s.NODE, "node radar: no status report for 16 s"),)
    assert hush(peer, T0 + 17 * S) == (peer, ())
    peer, (dumb,) = behind(s.bearing(4.0, T0 + 18 * S), peer=peer, now_ns=T0 + 18 * S)
    assert (dumb.passed, dumb.notices) == (False, ())
    peer, (told,) = behind(s.status(T0 + 20 * S), peer=peer, now_ns=T0 + 20 * S)
    assert (told.passed, told.notices) == (True, (("connected", s.NODE, "node radar is back"),))
    assert peer.silent == frozenset()
