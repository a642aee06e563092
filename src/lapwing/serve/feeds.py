"""Feeds: sockets and polled documents into the inbox. Logged once when lost and once when back; never give up.

Refuses to let one feed harm another: reads are bounded, a listening feed takes one sender at a time, and every
failure ends in a notice and a retry with growing pauses.
"""

import asyncio
import logging
import os
import socket
import ssl
import struct
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

from lapwing.records import FeedConfig
from lapwing.serve.feed_tls import connecting
from lapwing.serve.inbox import Inbox
from lapwing.serve.mqtt import Broker, MqttLink
from lapwing.serve.mqtt_wire import Message
from lapwing.serve.outputs.entries import secret
from lapwing.serve.sapient_nodes import NodeBook
from lapwing.serve.sources import is_multicast

log = logging.getLogger("lapwing.feeds")
READ_BYTES = 65_536
DOCUMENT_BYTES_MAX = 16 << 20
PAUSE_S_MIN, PAUSE_S_MAX = 0.5, 30.0
POLL_S = 1.0
Talk = Callable[[FeedConfig, asyncio.StreamReader, asyncio.StreamWriter, Inbox], Awaitable[bool]]


class Link:
    """What is known of a feed's connection; says it once per change, in the log and in the journal."""

    def __init__(self, feed: str, inbox: Inbox) -> None:
        self.feed, self.inbox = feed, inbox
        self.up: bool | None = None  # None: nothing said yet

    def connected(self, where: str) -> None:
        """It works."""
        if self.up is not True:
            self.up = True
            log.info("feed %s: connected to %s", self.feed, where)
            self.inbox.notice(self.feed, "connected", where)

    def lost(self, why: str) -> None:
        """It does not."""
        if self.up is not False:
            self.up = False
            log.warning("feed %s: lost: %s", self.feed, why)
            self.inbox.notice(self.feed, "lost", why)


def reason(error: BaseException) -> str:
    """A short reason for a person."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLError):  # its errno is not the system's
        return f"TLS: {getattr(error, 'verify_message', '') or error.reason or error}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


async def listen_to(config: FeedConfig, inbox: Inbox, book: NodeBook | None = None) -> None:
    """Run one live feed until cancelled; SAPIENT nodes are known to `book`. Raises OSError only when its own port
    cannot be opened."""
    if config.transport in ("sapient", "sapient-peer"):
        await _sapient(config, inbox, book or NodeBook())
    else:
        await RUNNERS[config.transport](config, inbox)


async def _tcp(config: FeedConfig, inbox: Inbox) -> None:
    """Whatever a server sends."""

    async def read(
        config: FeedConfig, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, inbox: Inbox
    ) -> bool:
        return await _read_all(config.feed, reader, inbox, config.quiet_s_max)

    await _kept_connected(config, inbox, read)


async def _gpsd(config: FeedConfig, inbox: Inbox) -> None:
    from lapwing.serve.gpsd import watch

    await _kept_connected(config, inbox, watch)


async def _serial(config: FeedConfig, inbox: Inbox) -> None:
    from lapwing.serve.serial_line import hear, opened

    async def once(up: Callable[[], None]) -> bool:
        line = await asyncio.to_thread(opened, config.path, config.port)
        up()
        return await hear(line, config, inbox)

    await _kept_up(config.feed, inbox, (config.path, "the line is gone"), once)


async def _kept_connected(config: FeedConfig, inbox: Inbox, talk: Talk) -> None:
    """Connect, read, and connect again with growing pauses."""

    async def once(up: Callable[[], None]) -> bool:
        async with asyncio.timeout(10.0):
            reader, writer = await asyncio.open_connection(config.host, config.port)
        up()
        try:
            return await talk(config, reader, writer, inbox)
        finally:
            writer.close()

    where = f"{config.host}:{config.port}"
    await _kept_up(config.feed, inbox, (where, "the other side closed the connection"), once)


async def _kept_up(
    feed: str, inbox: Inbox, says: tuple[str, str], once: Callable[[Callable[[], None]], Awaitable[bool]]
) -> None:
    """`once` again and again with growing pauses, which are short again after anything came. It says when it is up;
    `says`: where that is, and what it means when it ends by itself."""
    link, pause_s = Link(feed, inbox), PAUSE_S_MIN
    while True:
        try:
            got = await once(lambda: link.connected(says[0]))
            pause_s = PAUSE_S_MIN if got else pause_s
            link.lost(says[1])
        except (OSError, TimeoutError) as error:
            link.lost(reason(error))
        await asyncio.sleep(pause_s)
        pause_s = min(2.0 * pause_s, PAUSE_S_MAX)


async def _read_all(feed: str, reader: asyncio.StreamReader, inbox: Inbox, quiet_s_max: float) -> bool:
    """Read to the end; whether anything came. A connection silent for ten times its limit is given up."""
    got = False
    while True:
        async with asyncio.timeout(10.0 * quiet_s_max):
            data = await reader.read(READ_BYTES)
        if not data:
            return got
        got = True
        inbox.put(feed, data)


async def _listen(config: FeedConfig, inbox: Inbox) -> None:
    """Accept one sender at a time."""
    link = Link(config.feed, inbox)
    busy = asyncio.Lock()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        if busy.locked():
            log.warning("feed %s: a second sender (%s) was refused", config.feed, peer)
            writer.close()
            return
        async with busy:
            link.connected(f"{peer[0]}:{peer[1]}" if peer else "a sender")
            try:
                await _read_all(config.feed, reader, inbox, config.quiet_s_max)
                link.lost("the sender closed the connection")
            except (OSError, TimeoutError) as error:
                link.lost(reason(error))
            finally:
                writer.close()

    server = await asyncio.start_server(serve, config.host, config.port)
    async with server:
        await server.serve_forever()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, config: FeedConfig, inbox: Inbox) -> None:
        self._feed, self._inbox, self._link = config.feed, inbox, Link(config.feed, inbox)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._link.connected(addr[0])
        self._inbox.put(self._feed, data)


async def _udp(config: FeedConfig, inbox: Inbox) -> None:
    """Datagrams on a port; joins the group when the address is multicast."""
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if is_multicast(config.host):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((config.host, config.port))
            request = struct.pack(
                "4s4s", socket.inet_aton(config.host), socket.inet_aton(config.interface or "0.0.0.0")
            )
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            sock.bind((config.host, config.port))
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(config, inbox), sock=sock)
    try:
        await asyncio.Event().wait()
    finally:
        transport.close()


async def _polled(config: FeedConfig, inbox: Inbox, fetch: Callable[[], bytes], where: str) -> None:
    """A document again and again, journaled when it changed."""
    link, last = Link(config.feed, inbox), b""
    while True:
        try:
            document = await asyncio.to_thread(fetch)
            link.connected(where)
            if document != last:
                inbox.put(config.feed, document)
            last = document
        except (OSError, ValueError) as error:
            link.lost(reason(error))
        await asyncio.sleep(POLL_S)


async def _http(config: FeedConfig, inbox: Inbox) -> None:
    url = f"http://{config.host}:{config.port}{config.path}"

    def fetch() -> bytes:
        with urllib.request.urlopen(url, timeout=5.0) as answer:
            return _bounded(answer.read(DOCUMENT_BYTES_MAX + 1))

    await _polled(config, inbox, fetch, url)


async def _poll(config: FeedConfig, inbox: Inbox) -> None:
    def fetch() -> bytes:
        with Path(config.path).open("rb") as file:
            return _bounded(file.read(DOCUMENT_BYTES_MAX + 1))

    await _polled(config, inbox, fetch, config.path)


def _bounded(document: bytes) -> bytes:
    if len(document) > DOCUMENT_BYTES_MAX:
        raise ValueError(f"the document is larger than {DOCUMENT_BYTES_MAX >> 20} MiB")
    return document


async def _stdin(config: FeedConfig, inbox: Inbox) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    link = Link(config.feed, inbox)
    link.connected("standard input")
    while data := await reader.read(READ_BYTES):
        inbox.put(config.feed, data)
    link.lost("standard input ended")


async def _sapient(config: FeedConfig, inbox: Inbox, book: NodeBook) -> None:
    from lapwing.serve.sapient import serve_nodes
    from lapwing.serve.sapient_peer import join_middleware

    run = serve_nodes if config.transport == "sapient" else join_middleware
    await run(config, inbox, book)


async def _mqtt(config: FeedConfig, inbox: Inbox) -> None:
    """Messages of a topic, one line each. Beside a topic that ends with /detections, /availability is heeded."""
    link, pause_s, root = Link(config.feed, inbox), PAUSE_S_MIN, config.path.removesuffix("/detections")
    told = f"{root}/availability" if root != config.path else ""

    def heard(message: Message) -> None:
        if told and message.topic == told:
            if message.payload == b"offline":
                link.lost("the sensor says that it is offline")
            else:
                link.connected("the sensor says that it is online")
        elif not message.retain:  # what was kept is old: nobody knows how old
            inbox.put(config.feed, message.payload.rstrip(b"\n") + b"\n")

    while True:
        try:
            tls = None
            if config.tls is not None:  # reads files: not on the loop that everybody waits for
                tls = await asyncio.to_thread(connecting, config.tls)
            password, name = secret(config.secret, Path()), config.tls.server_name if config.tls else ""
            broker = await MqttLink.open(Broker(config.host, config.port, "", config.user, password, tls, None, name))
            try:
                broker.heard = heard
                broker.skipped = lambda: inbox.notice(config.feed, "dropped", "a message over 1 MiB", 1)
                link.connected(f"{config.host}:{config.port}, topic {config.path}")
                await broker.subscribe([config.path, *([told] if told else [])])
                pause_s = PAUSE_S_MIN
                await broker.over
            finally:
                await broker.close()
        except (OSError, TimeoutError, ValueError) as error:
            link.lost(reason(error))
        await asyncio.sleep(pause_s)
        pause_s = min(2.0 * pause_s, PAUSE_S_MAX)


async def _post(config: FeedConfig, inbox: Inbox) -> None:
    from lapwing.serve.intake import serve_intake

    await serve_intake(config, inbox)


async def _bluetooth(config: FeedConfig, inbox: Inbox) -> None:
    from lapwing.serve.bluetooth import hear

    await hear(config, inbox)


RUNNERS: dict[str, Callable[[FeedConfig, Inbox], Awaitable[None]]] = {
    "tcp": _tcp,
    "gpsd": _gpsd,
    "serial": _serial,
    "bluetooth": _bluetooth,
    "listen": _listen,
    "udp": _udp,
    "http": _http,
    "poll": _poll,
    "stdin": _stdin,
    "mqtt": _mqtt,
    "mqtts": _mqtt,
    "post": _post,
}
