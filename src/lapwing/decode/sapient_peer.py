"""The fusion node's side of a connection to a message handling application (a middleware's peer port): many nodes on
one connection, told apart by node_id. Pure: the caller owns the socket and the clock.

Each node has the conversation of `sapient_session`. What ends a node there ends it here too, but not the connection: it
is not heard until it registers again. Bytes that are no message count against the middleware. What a middleware keeps
for those who come late (old registrations, old status reports) is taken as knowledge, not as news. Messages of other
fusion nodes are passed over. Refuses more than NODES_MAX nodes. Nothing here makes a Task.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

from lapwing.decode.sapient_session import CLOCK_S_MAX, ERRORS_MAX, Answer, House, Session, counted, heard, overdue
from lapwing.decode.sapient_wire import parse, time_ns

NODES_MAX = 64
ENDED_MAX = 256
NODE_ID_MAX = 64  # characters; a UUID has 36
OURS = frozenset(("registration", "status_report", "detection_report", "alert", "task_ack"))  # what nodes say to us
UNREGISTERED = "did not register first"
TOO_MANY = f"more than {NODES_MAX} nodes"
Notice = tuple[str, str, str]  # connected or lost, the node_id, and in words


def _empty() -> Mapping[str, str]:
    return MappingProxyType({})


def _nobody() -> Mapping[str, Session]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Peer:
    """What is known of the nodes behind one connection. The mappings are never changed in place."""

    sessions: Mapping[str, Session] = field(default_factory=_nobody)  # by node_id
    ended: Mapping[str, str] = field(default_factory=_empty)  # nodes that are not heard, and why
    silent: frozenset[str] = frozenset()  # nodes whose status is overdue
    errors: int = 0  # bytes in a row that were no message
    house: House = House()


@dataclass(frozen=True, slots=True)
class Heard:
    """What follows from one message: as `Answer`, and what changed about nodes. `end` ends the whole connection."""

    replies: tuple[SapientMessage, ...] = ()
    passed: bool = False
    end: str = ""
    notices: tuple[Notice, ...] = ()
    news: SapientMessage | None = None


def hear(peer: Peer, raw: bytes, now_ns: int, our_id: str) -> tuple[Peer, Heard]:
    """The nodes after one message, and what to do."""
    message, reason = parse(raw)
    if message is not None and len(message.node_id) > NODE_ID_MAX:
        message, reason = None, "node_id too long"
    if message is None:
        peer = replace(peer, errors=peer.errors + 1)
        return peer, Heard(end=f"one error after another: {reason}" if peer.errors > ERRORS_MAX else "")
    peer = replace(peer, errors=0) if peer.errors else peer
    node, kind = message.node_id, message.WhichOneof("content")
    if node == our_id or kind not in OURS or (kind in ("alert", "task_ack") and not _for_us(message, our_id)):
        return peer, Heard()
    known = peer.sessions.get(node)
    if kind == "registration":
        if known is None and len(peer.sessions) >= NODES_MAX:
            return _without(peer, node, TOO_MANY), Heard(notices=(("lost", node, f"node {node}: {TOO_MANY}"),))
        return _settled(peer, message, *heard(known or Session(now_ns, peer.house), message, raw, now_ns, our_id))
    if node in peer.ended:
        return peer, Heard()
    if known is None:
        _, told = heard(Session(now_ns, peer.house), message, raw, now_ns, our_id)
        return _without(peer, node, UNREGISTERED), Heard(told.replies)
    if node in peer.silent and kind != "status_report":
        return peer, Heard()
    known, flood = counted(known, now_ns)
    if flood:
        return _settled(peer, message, known, Answer(end=flood))
    if kind == "status_report" and now_ns - time_ns(message) > CLOCK_S_MAX * 1e9:
        return replace(peer, sessions={**peer.sessions, node: replace(known, status_ns=now_ns)}), Heard()
    return _settled(peer, message, *heard(known, message, raw, now_ns, our_id))


def hush(peer: Peer, now_ns: int) -> tuple[Peer, tuple[Notice, ...]]:
    """The nodes whose status became overdue: they stay registered, because their own connection is the middleware's,
    but are heard again only after their next status report."""
    late = {node: why for node, s in peer.sessions.items() if node not in peer.silent and (why := overdue(s, now_ns))}
    notices = tuple(("lost", node, f"{_named(peer.sessions[node])}: {why}") for node, why in late.items())
    return replace(peer, silent=peer.silent | set(late)) if late else peer, notices


def _for_us(message: SapientMessage, our_id: str) -> bool:
    return message.destination_id in ("", our_id)


def _named(session: Session) -> str:
    return f"node {session.name or session.node_id}"


def _without(peer: Peer, node: str, why: str) -> Peer:
    """Without a node, whose further words are passed over. The oldest of too many such nodes is forgotten."""
    ended = {k: v for k, v in peer.ended.items() if k != node} | {node: why}
    while len(ended) > ENDED_MAX:
        del ended[next(iter(ended))]
    sessions = {k: v for k, v in peer.sessions.items() if k != node}
    return replace(peer, sessions=sessions, ended=ended, silent=peer.silent - {node})


def _settled(peer: Peer, message: SapientMessage, session: Session, told: Answer) -> tuple[Peer, Heard]:
    """The peer with what became of one node's session."""
    node = message.node_id
    if told.end:
        why = f"{_named(session)}: {told.end}" if session.node_id else f"node {node}: {told.end}"
        return _without(peer, node, told.end), Heard(
            told.replies, told.passed, notices=(("lost", node, why),), news=told.news
        )
    if not session.node_id:  # a registration that was wrong
        return _without(peer, node, UNREGISTERED), Heard(told.replies)
    new = node not in peer.sessions
    back = node in peer.silent and told.passed
    words = _named(session) + (" is back" if back and not new else "")
    notices = (("connected", node, words),) if new or back else ()
    ended = {k: v for k, v in peer.ended.items() if k != node} if node in peer.ended else peer.ended
    silent = peer.silent - {node} if back else peer.silent
    peer = replace(peer, sessions={**peer.sessions, node: session}, ended=ended, silent=silent)
    return peer, Heard(told.replies, told.passed, notices=notices, news=told.news)
