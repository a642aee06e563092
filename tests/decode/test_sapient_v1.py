"""SAPIENT v1.0 nodes: their messages are made, and our answers read, by v1.0's own classes in their own process."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from tests.checks import feed
from tests.decode import sapient_samples as s
from tests.decode.helpers import T0, faults
from tests.peers import peer

from lapwing.decode.sapient import SapientDecoder
from lapwing.decode.sapient_abilities import abilities
from lapwing.decode.sapient_session import House, Session, answer
from lapwing.decode.sapient_tasks import Order, make
from lapwing.decode.sapient_v1 import is_v1, task_reasons, to_v1
from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.records import Frame, Position, SensorConfig, Space

ORIGIN = Position(float(np.radians(47.0)), float(np.radians(8.0)), 400.0)
US = "0e9c7f6c-5ad5-4a4b-8f5c-111111111111"


def in_v1(what: list[str], given: str = "") -> list[str]:
    python, script = peer("sapient-py==0.1.0") / "python", Path(__file__).with_name("sapient_v1_node.py")
    ran = subprocess.run([str(python), str(script), *what], input=given, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.fixture(scope="module")
def said() -> list[bytes]:
    return [bytes.fromhex(line) for line in in_v1(["say", str(T0 // s.S)])]


def understood(*messages: SapientMessage) -> list[dict]:
    """What a v1.0 node understands of ours."""
    return [json.loads(line) for line in in_v1(["hear"], "".join(m.SerializeToString().hex() + "\n" for m in messages))]


def test_a_v1_node_s_reports_become_scans(said) -> None:
    decoder = SapientDecoder("f", (SensorConfig("camera", ORIGIN, "radar"),), "camera", ORIGIN)
    framed = b"".join(len(raw).to_bytes(4, "little") + raw for raw in said[:8])
    _, out = feed(decoder, [Frame(1, "f", T0, framed)])
    place, utm, bearing = [d for one in out for d in one.scans]
    assert faults(out) == {}
    here = (ORIGIN.latitude_rad, ORIGIN.longitude_rad, ORIGIN.height_ellipsoid_m)
    there = geodetic_to_enu(here, *(np.array([v]) for v in (np.radians(47.005), np.radians(8.01), 450.0)))
    assert (place.space, place.z[0]) == (Space.POSITION_3D, pytest.approx(there[0], abs=1e-6))
    assert np.sqrt(place.R[0, 0, 0]) == pytest.approx(1e-4 * 111_195 * np.cos(np.radians(47.005)), rel=1e-3)
    assert utm.space is Space.POSITION_3D
    assert bearing.z[0] == pytest.approx([2000.0, np.pi / 2])


def test_a_v1_node_understands_our_answers(said) -> None:
    session, replies, passed = Session(T0), [], []
    for raw in said[:8]:
        session, told = answer(session, raw, T0, US)
        replies += told.replies
        passed.append(told.passed)
    assert passed == [True] * 8
    silent = replace(session, house=House(alerts=False))
    session, told = answer(session, said[8], T0, US)
    replies += told.replies
    _, told = answer(Session(T0), said[9], T0, US)
    replies += told.replies
    _, told = answer(silent, said[5], T0, US)
    registered, error, refusal, alert = understood(*replies, *told.replies)
    assert registered["registration_ack"] == {"acceptance": True}
    assert alert["alert_ack"]["alert_status"] == "ALERT_STATUS_REJECTED"
    assert alert["alert_ack"]["reason"] == "alerts of nodes are recorded here, not shown"
    assert error["error"]["error_message"] == "status_interval is not from 0.1 to 3600 s"
    assert refusal["registration_ack"]["acceptance"] is False
    assert refusal["registration_ack"]["ack_response_reason"] == "watch-only system: nodes that act are refused"


def test_a_v1_node_can_be_ordered_and_its_answer_is_read(said) -> None:
    able = abilities(SapientMessage.FromString(said[0]).registration)
    assert able.commands == (("REQUEST", "Start, Stop, Status"), ("LOOK_AT", "RangeBearing"))
    assert able.regions == ("AREA_OF_INTEREST",)
    told = understood(
        make(Order("request", "Stop"), able, s.NODE, US, T0),
        make(Order("look_at", azimuth_rad=0.5), able, s.NODE, US, T0),
    )
    assert told[0]["task"]["command"] == {"request": "Stop"}
    assert told[1]["task"]["command"]["look_at"]["range_bearing"]["azimuth"] == pytest.approx(np.degrees(0.5))
    assert task_reasons(SapientMessage.FromString(said[6]).task_ack) == ["it rains"]


def test_long_and_missing_reasons() -> None:
    out = s.message()
    out.error.error_message.extend(["x" * 900, "y" * 900])
    out.error.packet = b"\0\xff"
    long, none = understood(to_v1(out), to_v1(s.status()))
    assert long["error"]["error_message"] == "x" * 900 + "; " + "y" * 98
    assert none["status_report"]["system"] == "SYSTEM_OK"


@pytest.mark.parametrize(
    ("icd", "old"),
    [
        ("BSI Flex 335 v1.0", True),
        ("BSI_Flex_335_v1.0", True),
        ("BSI Flex 335 v2.0", False),
        ("1.0", False),
        ("", False),
    ],
)
def test_versions(icd: str, old: bool) -> None:
    assert is_v1(icd) is old
