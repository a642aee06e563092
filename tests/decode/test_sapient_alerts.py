"""Alerts of SAPIENT nodes: what is shown of them, how urgent, where, and how little a flood of them does."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sapient_msg.bsi_flex_335_v2_0.alert_pb2 import Alert
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg_pydantic.bsi_flex_335_v2_0.sapient_message import SapientMessage as Judge
from tests.checks import feed
from tests.decode import sapient_samples as s
from tests.decode.helpers import T0, faults

from lapwing.decode.sapient import SapientDecoder
from lapwing.decode.sapient_alerts import (
    AGAIN_S,
    ALERTS_MAX,
    FEED_ALERTS_MAX,
    TOO_MANY,
    TOO_MANY_IN_ALL,
    alert_number,
)
from lapwing.decode.sapient_session import House, Session, answer
from lapwing.decode.ulid import ulid
from lapwing.engine import alerting, codec, tick
from lapwing.engine.plan import make_plan
from lapwing.engine.state import start
from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.records import (
    AlarmState,
    Decoded,
    FeedConfig,
    Frame,
    NodeAlert,
    Position,
    Priority,
    SensorConfig,
    Site,
    Subject,
)
from lapwing.records.alarms import ALERT_LAPSE_S
from lapwing.records.reports import merged

S = s.S
ORIGIN = Position(math.radians(47.0), math.radians(8.0), 400.0)
CAMERA = Position(math.radians(47.01), math.radians(8.0), 420.0)
SENSORS = (SensorConfig("camera", CAMERA, "radar"),)
DECODER = SapientDecoder("f", SENSORS, "camera", ORIGIN, Priority.LOW)
ID = "01GGYFBAXGDG7AGAHRZ6XSNY12"
US = "0e9c7f6c-5ad5-4a4b-8f5c-111111111111"


def alert(at_ns: int = T0 + S, name: str = ID, status: int = Alert.ALERT_STATUS_ACTIVE, **more) -> SapientMessage:
    out = s.message(at_ns)
    told = out.alert
    told.alert_id, told.status, told.alert_type = name, status, Alert.ALERT_TYPE_WARNING
    told.description = "someone is at the fence"
    for key, value in more.items():
        setattr(told, key, value)
    return out


def heard(*messages: SapientMessage, decoder: SapientDecoder = DECODER) -> Decoded:
    talk = [s.registration("CAMERA", "camera"), *messages]
    return merged(feed(decoder, [Frame(k + 1, "f", T0, s.frame(m)) for k, m in enumerate(talk)])[1])


def test_it_is_a_message_that_others_take() -> None:
    Judge.from_pb2(alert())


def test_a_node_s_words_and_the_sensor_s_place() -> None:
    (told,) = heard(alert()).alerts
    assert told.reason == "node camera says: warning: someone is at the fence (place of the sensor)"
    assert (told.sensor, told.node, told.active, told.priority) == ("camera", "camera", True, Priority.LOW)
    assert (told.number, told.frame_seq, told.time_ns) == (alert_number(s.NODE, ID), 2, T0 + S)
    own = geodetic_to_enu(
        (ORIGIN.latitude_rad, ORIGIN.longitude_rad, 400.0),
        *(np.array([v]) for v in (CAMERA.latitude_rad, CAMERA.longitude_rad, 420.0)),
    )[0]
    assert [told.east_m, told.north_m] == pytest.approx(own[:2])
    assert told.north_m == pytest.approx(1112.0, abs=2.0)


def test_a_place_that_the_node_tells() -> None:
    here, range_bearing, bearing, wrong = (alert() for _ in range(4))
    place = here.alert.location
    place.x, place.y, place.z, place.coordinate_system, place.datum = 8.01, 47.005, 450.0, 1, 1
    for one, distance in ((range_bearing, 1000.0), (bearing, None)):
        seen = one.alert.range_bearing
        seen.azimuth, seen.coordinate_system, seen.datum = 90.0, 1, 1
        if distance:
            seen.range, seen.elevation = distance, 60.0
    wrong.alert.location.x = 999.0
    told = [heard(one).alerts[0] for one in (here, range_bearing, bearing, wrong)]
    there = geodetic_to_enu(
        (ORIGIN.latitude_rad, ORIGIN.longitude_rad, 400.0),
        *(np.array([v]) for v in (math.radians(47.005), math.radians(8.01), 450.0)),
    )[0]
    assert [told[0].east_m, told[0].north_m] == pytest.approx(there[:2])
    assert told[0].reason.endswith("fence")
    assert [told[1].east_m - told[2].east_m, told[1].north_m - told[2].north_m] == pytest.approx([500.0, 0.0], abs=1e-6)
    assert told[2].reason.endswith("(place of the sensor; towards 90 degrees)")
    assert told[3].reason.endswith("(place of the sensor: its own was not understood)")


@pytest.mark.parametrize(
    ("says", "most", "is_shown"),
    [(3, Priority.LOW, Priority.LOW), (3, Priority.HIGH, Priority.HIGH), (2, Priority.HIGH, Priority.MEDIUM),
     (3, Priority.MEDIUM, Priority.MEDIUM), (0, Priority.HIGH, Priority.LOW), (77, Priority.HIGH, Priority.LOW)],
)  # fmt: skip
def test_never_more_urgent_than_the_site_allows(says: int, most: Priority, is_shown: Priority) -> None:
    (told,) = heard(alert(priority=says), decoder=replace(DECODER, alert_priority=most)).alerts
    assert told.priority == is_shown


def test_where_the_site_shows_none_there_is_none() -> None:
    assert heard(alert(), decoder=replace(DECODER, alert_priority=None)).alerts == ()
    session, _ = answer(Session(T0, House(alerts=False)), s.registration().SerializeToString(), T0, US)
    _, told = answer(session, alert(T0).SerializeToString(), T0, US)
    assert (told.passed, told.news) == (True, None)
    assert told.replies[0].alert_ack.alert_ack_status == 2
    assert list(told.replies[0].alert_ack.reason) == ["alerts of nodes are recorded here, not shown"]


def test_what_is_refused() -> None:
    stranger, nameless = alert(), alert(name="")
    stranger.node_id = "b8654cdf-4328-47de-81fa-c495589e30c9"
    d = heard(stranger, nameless, alert(name="x" * 65))
    assert d.alerts == ()
    assert faults([d]) == {"report of a node that is not registered": 1, "alert_id is mandatory": 2}
    session, _ = answer(Session(T0), s.registration().SerializeToString(), T0, US)
    _, told = answer(session, nameless.SerializeToString(), T0, US)
    assert list(told.replies[0].error.error_message) == ["alert_id is mandatory"]


def test_strange_words_are_made_printable_and_short() -> None:
    (told,) = heard(alert(description="a\nb\x00" + "c" * 500, alert_type=99)).alerts
    assert told.reason == "node camera says: a b " + "c" * 156 + " (place of the sensor)"
    assert heard(alert(description="", alert_type=0)).alerts[0].reason.startswith("node camera says: no description")


def test_a_flood_of_alerts_is_a_few() -> None:
    """The same one again is the same; of new ones there is a limit, in the engine and in the conversation alike."""
    names = [ulid(T0, str(k)) for k in range(40)]
    flood = [alert(T0 + S * (k + 1), name) for k, name in enumerate(names)]
    d = heard(*flood, alert(T0 + 50 * S), alert(T0 + 51 * S, names[0]), alert(T0 + 52 * S, names[0]))
    assert {a.number for a in d.alerts} == {alert_number(s.NODE, n) for n in names[:ALERTS_MAX]}
    assert faults([d]) == {TOO_MANY: 40 - ALERTS_MAX + 1}
    session, _ = answer(Session(T0), s.registration().SerializeToString(), T0, US)
    replies = []
    for k, name in enumerate(names):
        session, told = answer(session, alert(T0, name).SerializeToString(), T0 + k, US)
        replies += told.replies
    assert [list(r.alert_ack.reason) for r in replies] == [[TOO_MANY]] * (40 - ALERTS_MAX)
    # one that is taken back at once makes room only after a while
    over = [m for k, n in enumerate(names) for m in (alert(T0 + k, n), alert(T0 + k, n, status=5))]
    d = heard(*over)
    assert sum(a.active for a in d.alerts) == ALERTS_MAX
    late = alert(T0 + int((AGAIN_S + 1) * 1e9), names[-1])
    assert heard(*over, late).alerts[-1].number == alert_number(s.NODE, names[-1])


def test_of_all_nodes_of_a_feed_so_many_may_stand_and_the_others_are_faults() -> None:
    sensors = tuple(replace(SENSORS[0], sensor=f"c{k}") for k in range(6))
    decoder = replace(DECODER, sensors=sensors, fallback="c0")
    said = []
    for k in range(6):
        node = f"a8654cdf-4328-47de-81fa-c495589e30c{k}"
        said.append(s.registration("CAMERA", f"c{k}", node=node))
        for j in range(ALERTS_MAX):
            one = alert(T0 + S, ulid(T0, f"{k} {j}"))
            one.node_id = node
            said.append(one)
    first = alert(T0 + 2 * S, ulid(T0, "0 0"))
    first.node_id = "a8654cdf-4328-47de-81fa-c495589e30c0"  # told again: it is not new
    late = alert(T0 + round((ALERT_LAPSE_S + 3) * 1e9), ulid(T0, "late"))
    late.node_id = "a8654cdf-4328-47de-81fa-c495589e30c5"  # the others have lapsed
    d = merged(feed(decoder, [Frame(k + 1, "f", T0, s.frame(m)) for k, m in enumerate([*said, first, late])])[1])
    assert faults([d]) == {TOO_MANY_IN_ALL: 6 * ALERTS_MAX - FEED_ALERTS_MAX}
    assert len(d.alerts) == FEED_ALERTS_MAX + 2


def test_what_stands_in_all_is_bounded_and_lapses() -> None:
    def one(k: int, active: bool = True, at: int = T0) -> Decoded:
        return Decoded(alerts=(NodeAlert(k, "camera", "n", active, at, Priority.LOW, 0.0, 0.0, "r", 1),))

    many = alerting.standing((), [one(k) for k in range(alerting.ALERTS_MAX + 9)], T0)
    assert [a.number for a in many] == list(range(alerting.ALERTS_MAX))
    assert len(alerting.standing(many, [one(3, active=False)], T0)) == alerting.ALERTS_MAX - 1
    again = alerting.standing(many, [one(7, at=T0 + S)], T0)
    after = T0 + round(ALERT_LAPSE_S * 1e9)
    assert [a.number for a in alerting.standing(again, [], after)] == [7]
    assert alerting.standing(again, [], after + S) == ()


def test_an_alarm_of_its_own_kind_raised_updated_cleared_and_the_same_again() -> None:
    """Through the engine's tick; the state survives a checkpoint in between."""
    config = FeedConfig("gate", "sapient", "sapient", sensor="camera", origin=ORIGIN)
    plan = make_plan(Site("s", ORIGIN, (config,), SENSORS, ()))
    steps = [
        [s.registration("CAMERA", "camera"), alert(T0 + S)],
        [alert(T0 + 4 * S, description="two are at the fence")],
        [alert(T0 + 8 * S, status=Alert.ALERT_STATUS_CLEAR)],
    ]

    def run(checkpointed: bool) -> list[tuple]:
        state, out, seq = start(plan), [], 0
        for k in range(20):
            now = T0 + (k + 1) * S
            frames = []
            if k % 4 == 0 and k // 4 < len(steps):
                seq += 1
                frames = [Frame(seq, "gate", now, s.frame(*steps[k // 4]))]
            state, picture = tick.step(state, frames, k, now, plan)
            if checkpointed:
                state = codec.decode(codec.encode(state))
            a = picture.alarms
            out.append((len(a), *[(a.rule[i], int(a.state[i]), a.reason[i], a.frame_seq[i]) for i in range(len(a))]))
            assert all(a.subject == Subject.NODE)
            assert all(a.priority == Priority.LOW)
        return out

    once = run(False)
    assert once == run(True)
    rule, state, reason, seqs = once[2][1]
    assert (rule, state, seqs) == ("node alert", AlarmState.RAISED, (1,))
    assert "someone is at the fence" in reason
    assert [(row[0], row[1][1], "two are" in row[1][2]) for row in (once[8], once[19])] == [
        (1, AlarmState.UPDATED, True), (1, AlarmState.CLEARED, True),
    ]  # fmt: skip
