"""SAPIENT bytes from a liar: whatever comes, both conversations and all that reads nodes end without an exception."""

import random

import pytest
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from tests.decode import sapient_samples as s
from tests.decode.helpers import T0
from tests.serve.fake_shelf import make_site
from tests.serve.test_sapient_peer import full

from lapwing.decode import encode_sapient
from lapwing.decode.encode_sapient_node import Us, task_answer
from lapwing.decode.sapient_abilities import abilities
from lapwing.decode.sapient_peer import ENDED_MAX, NODES_MAX, Peer, hear, hush
from lapwing.decode.sapient_session import Session, answer, overdue
from lapwing.decode.sapient_tasks import KINDS, NotMade, Order, make
from lapwing.decode.sapient_v1 import task_reasons
from lapwing.decode.sapient_wire import framed, parse
from lapwing.serve.sapient_nodes import NodeBook

US = "0e9c7f6c-5ad5-4a4b-8f5c-111111111111"
ROUNDS = 20_000


def samples() -> list[bytes]:
    alert, ack, task, error = (s.message() for _ in range(4))
    alert.alert.alert_id, alert.alert.status = "01GGYFBAXGDG7AGAHRZ6XSNY12", 5
    ack.task_ack.task_id, ack.task_ack.task_status = "01GGYFBAXGDG7AGAHRZ6XSNY12", 2
    task.task.command.request, task.task.task_id = "Status", "01GGYFBAXGDG7AGAHRZ6XSNY12"
    error.error.error_message.append("no")
    told = s.status()
    told.status_report.status.add(status_type=4, status_value="rain")
    many = [s.registration(), full(), told, s.bearing(4.0, range=9.0), s.location(8.0, 47.0, z=1.0)]
    return [m.SerializeToString() for m in (*many, alert, ack, task, error)]


def mutated(raw: bytes, rng: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.randrange(1, 6)):
        kind, at = rng.choice((0, 0, 0, 0, 0, 1, 2, 3)), rng.randrange(len(data) or 1)
        if kind == 0 and data:
            data[at] = rng.randrange(256)
        elif kind == 1 and data:
            del data[at : at + rng.randrange(1, 9)]
        elif kind == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        else:
            data[at:at] = data[at : at + rng.randrange(1, 40)]
    return bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_no_bytes_break_a_conversation(seed: int) -> None:
    rng, known = random.Random(seed), samples()
    session, peer, book, now = Session(T0), Peer(), NodeBook(), T0
    seen, sent = set(), []
    for _ in range(ROUNDS):
        raw = rng.choice(known) if rng.random() < 0.2 else mutated(rng.choice(known), rng)
        now += rng.randrange(200_000_000)
        session, told = answer(session, raw, now, US)
        peer, heard = hear(peer, raw, now, US)
        for news in (told.news, heard.news):
            if news is not None:
                book.take("f", news, sent.append)
        for reply in (*told.replies, *heard.replies):
            framed(reply)
            seen.add(reply.WhichOneof("content"))
        overdue(session, now)
        peer, _ = hush(peer, now)
        session = Session(now) if told.end else session
        peer = Peer() if heard.end else peer
        assert len(peer.sessions) <= NODES_MAX
        assert len(peer.ended) <= ENDED_MAX
    assert seen == {"registration_ack", "error", "alert_ack"}
    assert sent == []
    assert len(str(book.rows())) < 2_000_000


def test_no_parent_and_no_node_breaks_who_reads_it() -> None:
    rng, known, us = random.Random(5), samples(), Us(US, make_site(), "1", 5.0)
    readable, made, tried = 0, 0, 0
    for _ in range(ROUNDS):
        raw = mutated(rng.choice(known), rng)
        encode_sapient.source_in(len(raw).to_bytes(4, "little") + raw)
        message, _ = parse(raw)
        if message is None:
            continue
        readable += 1
        task_answer(us, message, T0)
        task_reasons(message.task_ack)
        able = abilities(message.registration)
        for kind in KINDS:
            order, tried = Order(kind, "Status", azimuth_rad=1.0), tried + 1
            try:
                out = make(order, able, s.NODE, US, T0)
            except NotMade:
                continue
            made += 1
            assert isinstance(out, SapientMessage)
            assert out.task.command.WhichOneof("command") not in ("move_to", "patrol", "follow")
    assert readable > ROUNDS / 50
    assert 0 < made < tried
