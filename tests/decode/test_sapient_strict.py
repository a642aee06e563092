"""Strict feeds: a registration that lacks what version 2.0 demands is refused with what it lacks, and no other."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg_pydantic._options import IcdValidationError
from sapient_msg_pydantic.bsi_flex_335_v2_0.registration import Registration as Judge
from tests.decode import sapient_samples as s
from tests.decode.helpers import T0

from lapwing.decode.sapient_demands import LACKS_MAX, lacking
from lapwing.decode.sapient_peer import Peer, hear
from lapwing.decode.sapient_session import ERRORS_MAX, House, Session, answer

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sapient_v2.json").read_text())
STRICT = House(strict=True)
US = "0e9c7f6c-5ad5-4a4b-8f5c-111111111111"


def whole() -> SapientMessage:
    """A registration of a radar that others made and that others take."""
    return SapientMessage.FromString(bytes.fromhex(GOLDEN["cases"][0]["frames"][0])[4:])


def said(one: SapientMessage, session: Session | None = None):
    session = session or Session(T0, STRICT)
    return answer(session, one.SerializeToString(), T0, US)


def test_who_tells_all_is_taken_in() -> None:
    Judge.from_pb2(whole().registration)
    session, told = said(whole())
    assert (session.node_id, told.passed, told.end) == (s.NODE, True, "")
    assert told.replies[0].registration_ack.acceptance is True
    assert list(told.replies[0].registration_ack.ack_response_reason) == []


def test_who_does_not_is_refused_with_what_is_missing_and_may_try_again() -> None:
    poor = s.registration()
    session, told = said(poor)
    assert (session.node_id, told.passed, told.end, told.news) == ("", False, "", None)
    ack = told.replies[0].registration_ack
    assert ack.acceptance is False
    assert list(ack.ack_response_reason) == [
        "capabilities is mandatory", "mode_definition is mandatory", "config_data is mandatory",
    ]  # fmt: skip
    session, told = said(s.status(), session)
    assert told.end == "did not register first"
    session, told = said(whole(), replace(session, errors=0))
    assert told.replies[0].registration_ack.acceptance is True
    session, told = said(poor, session)  # what was registered before stands
    assert (session.node_id, told.passed) == (s.NODE, False)


def test_one_who_tries_for_ever_is_cut_off() -> None:
    session, ends = Session(T0, STRICT), []
    for _ in range(ERRORS_MAX + 1):
        session, told = said(s.registration(), session)
        ends.append(told.end)
    assert ends == [""] * ERRORS_MAX + ["one error after another"]


def test_deep_gaps_are_named_and_bounded() -> None:
    one = whole()
    told = one.registration
    told.mode_definition[0].task.ClearField("region_definition")
    told.mode_definition[0].ClearField("settle_time")
    told.mode_definition[0].detection_definition[0].location_type.ClearField("location_datum")
    told.config_data[0].model = ""
    told.capabilities.add(category="x")
    assert set(lacking(told)) == {
        "mode_definition[0].settle_time", "mode_definition[0].task.region_definition", "config_data[0].model",
        "mode_definition[0].detection_definition[0].location_type.location_datum or range_bearing_datum",
        "capabilities[1].type",
    }  # fmt: skip
    told.mode_definition[0].mode_type = 0  # "unspecified" is nothing said
    assert "mode_definition[0].mode_type" in lacking(told)
    for _ in range(500):
        told.capabilities.add()
    assert len(lacking(told)) == LACKS_MAX


@pytest.mark.parametrize("seed", range(60))
def test_an_independent_judge_finds_the_same_registrations_wanting(seed: int) -> None:
    """Random parts are left out of a whole one: we miss something exactly when sapient-pydantic does."""
    rng, one = random.Random(seed), whole().registration
    for _ in range(rng.randrange(1, 4)):
        at = one
        while True:
            field, value = rng.choice(at.ListFields())
            deeper = field.message_type is not None and rng.random() < 0.7
            if not deeper:
                break
            at = value[0] if field.is_repeated else value
            if not at.ListFields():
                break
        if at.ListFields():
            at.ClearField(
                field.name if field.name in {f.name for f, _ in at.ListFields()} else at.ListFields()[0][0].name
            )
        if not one.ListFields():
            break
    try:
        Judge.from_pb2(one)
        taken = True
    except (IcdValidationError, ValueError):
        taken = False
    assert (lacking(one) == []) is taken, lacking(one)


def test_a_node_of_the_older_version_is_not_held_to_the_newer() -> None:
    old = s.registration()
    old.registration.icd_version = "BSI Flex 335 v1.0"
    assert said(old)[1].passed


def test_behind_a_middleware_the_same_holds() -> None:
    peer, told = hear(Peer(house=STRICT), s.registration().SerializeToString(), T0, US)
    assert (told.passed, told.replies[0].registration_ack.acceptance) == (False, False)
    assert not peer.sessions
    peer, told = hear(peer, whole().SerializeToString(), T0, US)
    assert told.passed
    assert list(peer.sessions) == [s.NODE]
