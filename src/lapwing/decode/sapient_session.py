"""The fusion node's side of one SAPIENT connection: what is answered, what is passed on, when it ends. Pure: the
caller owns the socket and the clock.

A node must register first. A registration that is wrong gets an Error and no acknowledgement; one of a node that acts
instead of watching is refused with acceptance = false. Three missed status reports, a flood, a clock that lies or
one error after another end the connection with a reason. Nothing here makes a Task: nodes are listened to.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sapient_msg.bsi_flex_335_v2_0.alert_ack_pb2 import AlertAck
from sapient_msg.bsi_flex_335_v2_0.registration_pb2 import Registration
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg.bsi_flex_335_v2_0.status_report_pb2 import StatusReport

from lapwing.decode.sapient_alerts import TOO_MANY, Taken, refusal, stands, taken
from lapwing.decode.sapient_demands import lacking
from lapwing.decode.sapient_v1 import is_v1, to_v1
from lapwing.decode.sapient_wire import acts, parse, time_ns

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
UNIT_S = {
    Registration.TIME_UNITS_NANOSECONDS: 1e-9,
    Registration.TIME_UNITS_MICROSECONDS: 1e-6,
    Registration.TIME_UNITS_MILLISECONDS: 1e-3,
    Registration.TIME_UNITS_SECONDS: 1.0,
    Registration.TIME_UNITS_MINUTES: 60.0,
    Registration.TIME_UNITS_HOURS: 3600.0,
    Registration.TIME_UNITS_DAYS: 86_400.0,
}
INTERVAL_S_MIN, INTERVAL_S_MAX = 0.1, 3_600.0
MISSED_MAX = 3
CLOCK_S_MAX = 30.0
ERRORS_MAX = 20
RATE_MAX = 4_000  # messages of one node within one second
REGISTER_S = 30.0  # how long a connection may wait before it registers
NOT_ITS_OWN = "the certificate does not name this node_id"
NOT_SHOWN = "alerts of nodes are recorded here, not shown"
WATCH_ONLY = "watch-only system: nodes that act are refused"


@dataclass(frozen=True, slots=True)
class House:
    """What the site wants of its nodes. `alerts`: they are shown to people, who acknowledge them. `strict`: who does
    not tell all that version 2.0 demands is not taken in."""

    alerts: bool = True
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of one connection. `node_id` "" = not registered."""

    opened_ns: int
    house: House = House()
    node_id: str = ""
    name: str = ""
    interval_s: float = 0.0
    status_ns: int = 0  # when the last status report came, by our clock
    system: int = 0  # what it said of the node's health
    errors: int = 0
    second: int = 0
    in_second: int = 0
    old: bool = False  # it speaks v1.0
    alerts: Taken = ()
    names: frozenset[str] | None = None  # whom its certificate names, in lower case; None: that does not matter


@dataclass(frozen=True, slots=True)
class Answer:
    """What follows from one message: replies, whether it is passed on, why the connection ends ("" = it stays), and the
    message itself where it says something of the node that is worth knowing for long."""

    replies: tuple[SapientMessage, ...] = ()
    passed: bool = False
    end: str = ""
    news: SapientMessage | None = None


def answer(session: Session, raw: bytes, now_ns: int, our_id: str) -> tuple[Session, Answer]:
    """The session after one message, and what to do."""
    session, flood = counted(session, now_ns)
    if flood:
        return session, Answer(end=flood)
    message, reason = parse(raw)
    if message is None:
        return _wrong(session, raw, [reason], now_ns, our_id)
    return heard(session, message, raw, now_ns, our_id)


def heard(session: Session, message: SapientMessage, raw: bytes, now_ns: int, our_id: str) -> tuple[Session, Answer]:
    """The session after one message that was read already (`raw` are its bytes), and what to do."""
    if message.HasField("registration"):
        session = replace(session, old=is_v1(message.registration.icd_version))
    session, told = _heard(session, message, raw, now_ns, our_id)
    return session, replace(told, replies=tuple(map(to_v1, told.replies))) if session.old else told


def _heard(session: Session, message: SapientMessage, raw: bytes, now_ns: int, our_id: str) -> tuple[Session, Answer]:
    kind = message.WhichOneof("content")
    if kind == "registration":
        return _registration(session, message, raw, now_ns, our_id)
    if not session.node_id:
        session, told = _wrong(session, raw, ["a node registers first"], now_ns, our_id, message.node_id)
        return session, replace(told, end="did not register first")
    if message.node_id != session.node_id:
        return _wrong(session, raw, ["node_id differs from the registered one"], now_ns, our_id)
    if abs(time_ns(message) - now_ns) > CLOCK_S_MAX * 1e9:
        return _wrong(session, raw, [f"timestamp is more than {CLOCK_S_MAX:.0f} s from ours"], now_ns, our_id)
    if kind == "status_report":
        session = replace(session, status_ns=now_ns, system=message.status_report.system)
        goodbye = message.status_report.system == StatusReport.SYSTEM_GOODBYE
        return session, Answer(passed=True, end="goodbye" if goodbye else "", news=message)
    if kind == "detection_report":
        return session, Answer(passed=True)
    if kind == "alert":
        return _alert(session, message, raw, now_ns, our_id)
    if kind == "task_ack":
        return session, Answer(passed=True, news=message)
    if kind in ("error", "alert_ack"):
        return session, Answer(passed=True)
    return _wrong(session, raw, [f"{kind} is not for a fusion node"], now_ns, our_id)


def counted(session: Session, now_ns: int) -> tuple[Session, str]:
    """The session with one message more in this second, and why that is too many ("" = it is not)."""
    second = now_ns // 10**9
    count = session.in_second + 1 if second == session.second else 1
    session = replace(session, second=second, in_second=count)
    return session, f"more than {RATE_MAX} messages within a second" if count > RATE_MAX else ""


def overdue(session: Session, now_ns: int) -> str:
    """Why a silent connection ends, "" while it may stay."""
    if not session.node_id:
        waited = (now_ns - session.opened_ns) * 1e-9
        return "did not register in time" if waited > REGISTER_S else ""
    silent_ns = now_ns - session.status_ns
    late = silent_ns > MISSED_MAX * session.interval_s * 1e9
    return f"no status report for {silent_ns * 1e-9:.0f} s" if late else ""


def _registration(
    session: Session, message: SapientMessage, raw: bytes, now_ns: int, our_id: str
) -> tuple[Session, Answer]:
    told = message.registration
    problems = _problems(message)
    if session.node_id and message.node_id != session.node_id:
        problems.append("node_id differs from the registered one")
    if problems:
        return _wrong(session, raw, problems, now_ns, our_id, message.node_id)
    reply = _reply(message.node_id, now_ns, our_id)
    reply.registration_ack.acceptance = not acts(told)
    if acts(told):
        reply.registration_ack.ack_response_reason.append(WATCH_ONLY)
        return session, Answer((reply,), end=WATCH_ONLY, news=message)
    if session.names is not None and message.node_id.lower() not in session.names:
        reply.registration_ack.acceptance = False
        reply.registration_ack.ack_response_reason.append(NOT_ITS_OWN)
        return session, Answer((reply,), end=NOT_ITS_OWN)
    lacks = lacking(told) if session.house.strict and not is_v1(told.icd_version) else []
    if lacks:
        reply.registration_ack.acceptance = False
        reply.registration_ack.ack_response_reason.extend(f"{what} is mandatory" for what in lacks)
        return replace(session, errors=session.errors + 1), Answer((reply,), end=_enough(session.errors + 1))
    reply.registration_ack.ack_response_reason.extend(_missing(told))
    interval_s = _interval_s(told)
    named = told.name or told.short_name
    session = replace(session, node_id=message.node_id, name=named[:64], interval_s=interval_s, status_ns=now_ns)
    return session, Answer((reply,), passed=True, news=message)


def _interval_s(told: Registration) -> float:
    interval = told.status_definition.status_interval
    return float(interval.value) * UNIT_S.get(interval.units, 0.0)


def _problems(message: SapientMessage) -> list[str]:
    """What is wrong with a registration."""
    told, problems = message.registration, []
    if not UUID.fullmatch(message.node_id):
        problems.append("node_id is not a UUID")
    if not told.node_definition:
        problems.append("node_definition is mandatory")
    if any(node.node_type == Registration.NODE_TYPE_UNSPECIFIED for node in told.node_definition):
        problems.append("node_type is mandatory")
    if "335" not in told.icd_version:
        problems.append("icd_version is not of BSI Flex 335")
    if not INTERVAL_S_MIN <= _interval_s(told) <= INTERVAL_S_MAX:
        problems.append(f"status_interval is not from {INTERVAL_S_MIN:g} to {INTERVAL_S_MAX:g} s")
    return problems


def _missing(told: Registration) -> list[str]:
    """What the standard's version 2.0 demands, and this system can do without: told, not refused, because what the node
    sees is worth more than its papers."""
    if is_v1(told.icd_version):
        return []
    out = []
    if not told.capabilities:
        out.append("accepted, but capabilities is mandatory")
    if not any(c.manufacturer and c.model for c in told.config_data):
        out.append("accepted, but config_data with manufacturer and model is mandatory")
    if not told.mode_definition:
        out.append("accepted, but mode_definition is mandatory: without it nothing can be ordered")
    elif not any(mode.detection_definition for mode in told.mode_definition):
        out.append("accepted, but no mode has a detection_definition: nothing says what is detected")
    return out


def _reply(to: str, now_ns: int, our_id: str) -> SapientMessage:
    reply = SapientMessage(node_id=our_id, destination_id=to[:64])
    reply.timestamp.seconds, reply.timestamp.nanos = divmod(now_ns, 10**9)
    return reply


def _wrong(
    session: Session, raw: bytes, reasons: Iterable[str], now_ns: int, our_id: str, to: str = ""
) -> tuple[Session, Answer]:
    """An Error message to the session's node, else to whom the message named; and the end when there were too many."""
    reply = _reply(session.node_id or to, now_ns, our_id)
    reply.error.packet = raw[:4096]
    reply.error.error_message.extend(reasons)
    session = replace(session, errors=session.errors + 1)
    return session, Answer((reply,), end=_enough(session.errors))


def _enough(errors: int) -> str:
    return "one error after another" if errors > ERRORS_MAX else ""


def _alert(session: Session, message: SapientMessage, raw: bytes, now_ns: int, our_id: str) -> tuple[Session, Answer]:
    """An alert is answered when a person has acknowledged it (`alert_ack`), and at once where nobody will."""
    told, us = message.alert, (now_ns, our_id)
    if refusal(told):
        return _wrong(session, raw, [refusal(told)], *us)
    if not session.house.alerts:
        return session, Answer((alert_ack(message.node_id, told.alert_id, False, NOT_SHOWN, *us),), passed=True)
    alerts = taken(session.alerts, told, time_ns(message))
    if alerts is None:
        return session, Answer((alert_ack(message.node_id, told.alert_id, False, TOO_MANY, *us),), passed=True)
    session = replace(session, alerts=alerts)
    if stands(told):
        return session, Answer(passed=True, news=message)
    over = alert_ack(message.node_id, told.alert_id, True, "it no longer stands here either", *us)
    return session, Answer((over,), passed=True, news=message)


def alert_ack(node_id: str, alert_id: str, accepted: bool, reason: str, now_ns: int, our_id: str) -> SapientMessage:
    """The answer to an alert."""
    reply = _reply(node_id, now_ns, our_id)
    reply.alert_ack.alert_id = alert_id
    ack = AlertAck.ALERT_ACK_STATUS_ACCEPTED if accepted else AlertAck.ALERT_ACK_STATUS_REJECTED
    reply.alert_ack.alert_ack_status = ack
    reply.alert_ack.reason.append(reason)
    return reply
