"""The SAPIENT server: edge nodes connect, register, report; what they may say next is `decode/sapient_session`.

Each whole message that is passed on goes to the inbox as it came. Why a node was cut off stands in the log and in
the journal. Refuses more connections than NODES, those that wait at the door among them, and lengths that no message
has, before reading on.
"""

import asyncio
import contextlib
import hashlib
import logging
import ssl
import uuid
from dataclasses import dataclass

from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

from lapwing.decode.sapient_session import House, Session, answer, overdue
from lapwing.decode.sapient_wire import HEAD_BYTES, MESSAGE_BYTES_MAX, framed
from lapwing.records import FeedConfig
from lapwing.serve.clock import SystemClock
from lapwing.serve.door import Door, Knock
from lapwing.serve.feed_tls import Certificates, names_in
from lapwing.serve.inbox import Inbox
from lapwing.serve.sapient_nodes import NodeBook

log = logging.getLogger("lapwing.feeds")
NODES = 64
LOOK_S = 1.0


def our_id(config: FeedConfig) -> str:
    """This fusion node's identity: the same at every start for the same feed and port. It has the form of a version 4
    UUID, which the standard wants and strict middleware demands."""
    return stable_uuid(f"lapwing:{config.feed}:{config.port}")


def house(config: FeedConfig) -> House:
    """What the site wants of the nodes of a feed."""
    return House(config.alerts != "none", config.strict)


def stable_uuid(text: str) -> str:
    """A UUID of version 4's form out of a text: the same for the same text."""
    return str(uuid.UUID(bytes=hashlib.blake2b(text.encode(), digest_size=16).digest(), version=4))


async def serve_nodes(config: FeedConfig, inbox: Inbox, book: NodeBook | None = None) -> None:
    """Accept nodes until cancelled. Raises OSError when the port cannot be opened or a certificate not be read."""
    connected: set[asyncio.Transport] = set()
    hall = _Hall(config, inbox, book or NodeBook())
    door = Door(config.feed, await asyncio.to_thread(Certificates, config.feed, config.tls) if config.tls else None)

    async def node(outside: asyncio.Transport) -> None:
        peer = outside.get_extra_info("peername")
        if len(connected) >= NODES:
            log.warning("feed %s: more than %d nodes, %s was refused", config.feed, NODES, peer)
            outside.close()
            return
        connected.add(outside)
        streams = await door.opened(outside)
        if streams is None:
            connected.discard(outside)
            return
        reader, writer = streams
        why = "failed"
        try:
            why = await _converse(hall, reader, writer)
        except OSError as error:
            why = error.strerror or "connection failed"
        finally:
            connected.discard(outside)
            log.info("feed %s: node %s left: %s", config.feed, peer, why)
            inbox.notice(config.feed, "connected" if connected else "lost", f"{len(connected)} nodes; one left: {why}")
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def came(outside: asyncio.Transport) -> None:
        task = asyncio.create_task(node(outside))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    tasks: set[asyncio.Task[None]] = set()
    server = await asyncio.get_running_loop().create_server(lambda: Knock(came), config.host, config.port)
    try:
        async with server:
            await server.serve_forever()
    finally:
        for transport in connected:
            transport.close()


@dataclass(frozen=True)
class _Hall:
    """Where conversations take place."""

    config: FeedConfig
    inbox: Inbox
    book: NodeBook


def _names(config: FeedConfig, writer: asyncio.StreamWriter) -> frozenset[str] | None:
    """Whom the certificate of who connected names, where that matters."""
    if config.tls is None or not config.tls.certified:
        return None
    link = writer.get_extra_info("ssl_object")
    return names_in((link.getpeercert() if isinstance(link, ssl.SSLObject) else None) or {})


async def _converse(hall: _Hall, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """One connection to its end; why it ended."""
    clock, us, feed = SystemClock(), our_id(hall.config), hall.config.feed
    hall.book.we[feed] = us
    session, buffer, why = Session(clock.now_ns(), house(hall.config), names=_names(hall.config, writer)), b"", "failed"

    def send(message: SapientMessage) -> None:
        writer.write(framed(message))

    try:
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    data = await reader.read(65_536)
                if not data:
                    why = "closed by the node"
                    return why
                buffer += data
            except TimeoutError:
                pass
            while len(buffer) >= HEAD_BYTES:
                length = int.from_bytes(buffer[:HEAD_BYTES], "little")
                if not 0 < length <= MESSAGE_BYTES_MAX:
                    why = f"a message of {length} bytes"
                    return why
                if len(buffer) < HEAD_BYTES + length:
                    break
                raw, buffer = buffer[: HEAD_BYTES + length], buffer[HEAD_BYTES + length :]
                registered = session.node_id
                session, told = answer(session, raw[HEAD_BYTES:], clock.now_ns(), us)
                if session.node_id != registered:
                    hall.inbox.notice(feed, "connected", f"node {session.name or session.node_id}")
                if told.news is not None:
                    hall.book.take(feed, told.news, send)
                if told.passed:
                    hall.inbox.put(feed, raw)
                for reply in told.replies:
                    send(reply)
                async with asyncio.timeout(10.0):
                    await writer.drain()
                if told.end:
                    why = told.end
                    return why
            why = overdue(session, clock.now_ns())
            if why:
                return why
    finally:
        hall.book.left(feed, session.node_id, why or "failed", send)
