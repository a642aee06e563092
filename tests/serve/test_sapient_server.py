"""The SAPIENT server over real sockets: register, report, be cut off; one node's end harms no other."""

import asyncio
import contextlib

import pytest
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

from lapwing.decode import sapient_session
from lapwing.engine.notices import NOTICE_FEED
from lapwing.records import FeedConfig
from lapwing.serve.clock import SystemClock
from lapwing.serve.inbox import Inbox
from lapwing.serve.sapient import our_id, serve_nodes
from tests.decode import sapient_samples as s

LIAR = "c8654cdf-4328-47de-81fa-c495589e30c9"
FLOOD = b"flood"


class Server:
    def __init__(self, port: int) -> None:
        self.inbox = Inbox(SystemClock())
        self.config = FeedConfig("sapient", "sapient", "sapient", host="127.0.0.1", port=port, sensor="radar")
        self.got: list[tuple[str, bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []

    def drained(self) -> list[bytes]:
        self.got += [(feed, data) for feed, _, data in self.inbox.drain()]
        return [data for feed, data in self.got if feed == "sapient"]

    def notices(self) -> str:
        self.drained()
        return " ".join(data.decode() for feed, data in self.got if feed == NOTICE_FEED)


@pytest.fixture
async def server(unused_tcp_port: int):
    it = Server(unused_tcp_port)
    task = asyncio.create_task(serve_nodes(it.config, it.inbox))
    for _ in range(100):
        await asyncio.sleep(0.01)
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", it.config.port)
            it.writers.append(writer)
            writer.close()
            break
    yield it
    for writer in it.writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _liar(message: SapientMessage) -> SapientMessage:
    message.node_id = LIAR
    return message


class Node:
    """An edge node of the tests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, server: Server) -> "Node":
        node = cls(*await asyncio.open_connection("127.0.0.1", server.config.port))
        server.writers.append(node.writer)
        return node

    def say(self, *messages: SapientMessage) -> None:
        self.writer.write(s.frame(*messages))

    async def hear(self) -> SapientMessage:
        async with asyncio.timeout(60.0):
            length = int.from_bytes(await self.reader.readexactly(4), "little")
            return SapientMessage.FromString(await self.reader.readexactly(length))

    async def ended(self) -> bool:
        async with asyncio.timeout(60.0):
            return await self.reader.read() == b""


def now() -> int:
    return SystemClock().now_ns()


async def test_a_node_registers_and_reports(server: Server) -> None:
    node = await Node.connect(server)
    talk = [s.registration(time_ns=now()), s.status(now()), s.bearing(12.0, now(), range=800.0)]
    node.say(*talk)
    ack = await node.hear()
    assert ack.registration_ack.acceptance is True
    assert (ack.node_id, ack.destination_id) == (our_id(server.config), s.NODE)
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if len(server.drained()) == 3:
            break
    assert server.drained() == [s.frame(m) for m in talk]
    node.say(s.status(now(), system=5))
    assert await node.ended()
    node.writer.close()


@pytest.mark.parametrize("kind", ["KINETIC", "JAMMER", "CYBER", "LDEW", "RFDEW"])
async def test_a_node_that_acts_is_refused(server: Server, kind: str) -> None:
    node = await Node.connect(server)
    node.say(s.registration(kind, time_ns=now()), s.bearing(12.0, now()))
    ack = await node.hear()
    assert ack.registration_ack.acceptance is False
    assert await node.ended()
    assert server.drained() == []
    node.writer.close()


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (b"\0\0\0\x40", "a message of 1073741824 bytes"),
        (s.frame(s.status()), "did not register first"),
        (s.frame(s.registration()) + b"\x01\0\0\0\xff" * 30, "one error after another"),
        (
            s.frame(s.registration(node=LIAR), *[_liar(s.bearing(1.0, s.T0))] * 30),
            "one error after another",
        ),  # years ago
        (FLOOD, "messages within a second"),
    ],
)
async def test_a_node_that_misbehaves_is_cut_off_and_harms_nobody(
    server: Server, attack: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sapient_session, "RATE_MAX", 200)  # which a slow machine can exceed, too
    good = await Node.connect(server)
    good.say(s.registration(time_ns=now()))
    assert (await good.hear()).registration_ack.acceptance is True
    bad = await Node.connect(server)
    flood = s.frame(s.registration(time_ns=now(), node=LIAR), *[_liar(s.status(now()))] * 20_000)
    bad.writer.write(flood if attack is FLOOD else attack)
    with contextlib.suppress(ConnectionResetError):  # what it sent too much was never read
        async with asyncio.timeout(60.0):
            await bad.reader.read()
    report = s.bearing(12.0, now())
    good.say(report)
    for _ in range(1000):
        await asyncio.sleep(0.01)
        if len(server.drained()) >= 2 and why in server.notices():
            break
    assert why in server.notices()
    assert server.drained()[-1] == s.frame(report)
    bad.writer.close()
    good.writer.close()


async def test_a_silent_node_is_closed(server: Server) -> None:
    node = await Node.connect(server)
    node.say(s.registration(interval_s=0.2, time_ns=now()))
    await node.hear()
    assert await node.ended()
    assert "no status report" in server.notices()
    node.writer.close()
