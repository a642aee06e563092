"""A stand-in for a SAPIENT message handling application, for tests: written from notes on Apex 4.2.0, it is not
Apex. Children register first; what they say goes to all peers; what peers say goes to the child it names.

It refuses what Apex refuses by default: fields that the standard demands and that are missing (judged by
sapient-pydantic, which shares no code with us), ids that are no lower-case UUID v4 or upper-case ULID, timestamps not
within -0.9 s to +0.1 s of arrival, and two detections of one connection less than 80 ms apart or going backwards.
"""

import asyncio
import contextlib
import re
import ssl
import time

from google.protobuf.message import DecodeError, Message
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg_pydantic.bsi_flex_335_v2_0.sapient_message import SapientMessage as Judge

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
ULIDS = {"report_id", "object_id", "task_id", "alert_id", "region_id"}
OWN_ID = "5913c0f4-9f89-4c01-ab90-939099797c4f"


def ids(message: Message):
    """(name, value) of every id in a message."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        for one in values:
            if isinstance(one, Message):
                yield from ids(one)
            else:
                yield field.name, one


def problems(message: SapientMessage, received_s: float, last_s: float | None) -> list[str]:
    """What Apex would refuse; `last_s` is the time of the connection's detection before."""
    out = []
    try:
        Judge.from_pb2(message)
    except ValueError as error:
        out.append(str(error))
    for name, value in ids(message):
        if name in ULIDS and not ULID.fullmatch(value):
            out.append(f"{name} {value!r} is no ULID")
        if name in ("node_id", "destination_id") and not UUID4.fullmatch(value):
            out.append(f"{name} {value!r} is no UUID v4")
    at = message.timestamp.ToNanoseconds() * 1e-9
    if not -0.9 <= at - received_s <= 0.1:
        out.append(f"timestamp {at - received_s:+.3f} s from arrival")
    if message.HasField("detection_report") and last_s is not None and (at < last_s or 0 < at - last_s < 0.08):
        out.append(f"detection {at - last_s:+.4f} s after the one before")
    return out


class Wire:
    """Framed messages on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.node, self.last_s = "", None

    def say(self, message: SapientMessage) -> None:
        raw = message.SerializeToString()
        self.writer.write(len(raw).to_bytes(4, "little") + raw)

    async def hear(self) -> SapientMessage | None:
        try:
            length = int.from_bytes(await self.reader.readexactly(4), "little")
            return SapientMessage.FromString(await self.reader.readexactly(length))
        except (asyncio.IncompleteReadError, DecodeError, OSError):
            return None


class Middleware:
    """Two ports: children (nodes) and peers (fusion nodes)."""

    def __init__(self, *, acknowledges: bool = False, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls  # of the child port
        self.acknowledges = acknowledges  # sends the RegistrationAck itself
        self.children: dict[str, Wire] = {}
        self.kept: dict[str, list[SapientMessage]] = {}  # registration and last status of every child
        self.peers: list[Wire] = []
        self.heard: list[SapientMessage] = []  # from children, good ones
        self.from_peers: list[SapientMessage] = []
        self.refused: list[list[str]] = []
        self._servers: list[asyncio.Server] = []
        self._open: dict[asyncio.Task, asyncio.StreamWriter] = {}

    async def start(self, child_port: int, peer_port: int) -> None:
        for run, port in ((self._child, child_port), (self._peer, peer_port)):
            tls = self.tls if run == self._child else None
            self._servers.append(await asyncio.start_server(self._kept(run), "127.0.0.1", port, ssl=tls))

    def _kept(self, run):
        async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._open[asyncio.current_task()] = writer
            await run(reader, writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            del self._open[asyncio.current_task()]

        return served

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for writer in self._open.values():
            writer.close()
        await asyncio.gather(*self._open, return_exceptions=True)
        self._servers.clear()

    async def _child(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        while (message := await wire.hear()) is not None:
            if self._wrong(wire, message) or not self._known(wire, message):
                continue
            if message.HasField("registration") and self.acknowledges:
                wire.say(self.ack(message.node_id))
            self.heard.append(message)
            for peer in self.peers:
                peer.say(message)
        if self.children.get(wire.node) is wire:
            del self.children[wire.node], self.kept[wire.node]

    def _known(self, wire: Wire, message: SapientMessage) -> bool:
        if message.HasField("registration"):
            wire.node = message.node_id
            self.children[wire.node] = wire  # a second connection with the same node_id takes over
            self.kept[wire.node] = [message]
        elif message.HasField("status_report") and wire.node:
            self.kept[wire.node] = [self.kept[wire.node][0], message]
        return bool(wire.node)

    async def _peer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        self.peers.append(wire)
        for messages in list(self.kept.values()):
            for message in messages:
                wire.say(message)
        while (message := await wire.hear()) is not None:
            if self._wrong(wire, message):
                continue
            self.from_peers.append(message)
            if message.destination_id in self.children:
                self.children[message.destination_id].say(message)
            elif message.destination_id:
                wire.say(self.error(message, [f"Unknown node ID {message.destination_id}"]))
        self.peers.remove(wire)

    def _wrong(self, wire: Wire, message: SapientMessage) -> bool:
        found = problems(message, time.time(), wire.last_s)
        if message.HasField("detection_report"):
            wire.last_s = message.timestamp.ToNanoseconds() * 1e-9
        if found:
            self.refused.append(found)
            wire.say(self.error(message, found))
        return bool(found)

    def complaints(self) -> list[str]:
        """What it refused, without what only came late: a loaded test machine, unless nearly everything did."""
        late = [w for found in self.refused for w in found if w.startswith("timestamp -")]
        assert len(late) <= len(self.heard)
        return [w for found in self.refused for w in found if w not in late]

    def ack(self, node: str, acceptance: bool = True) -> SapientMessage:
        out = SapientMessage(node_id=OWN_ID, destination_id=node)
        out.timestamp.GetCurrentTime()
        out.registration_ack.acceptance = acceptance
        return out

    def error(self, message: SapientMessage, found: list[str]) -> SapientMessage:
        out = SapientMessage(node_id=OWN_ID)
        out.timestamp.GetCurrentTime()
        out.error.packet = message.SerializeToString()
        out.error.error_message.extend(found)
        return out


@contextlib.asynccontextmanager
async def middleware(child_port: int, peer_port: int, **how):
    it = Middleware(**how)
    await it.start(child_port, peer_port)
    try:
        yield it
    finally:
        await it.stop()
