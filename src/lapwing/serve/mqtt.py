"""An MQTT client over asyncio: one connection until it fails; publications are acknowledged, subscriptions bounded.

Packets over PACKET_BYTES_MAX are read past and counted, so a broker that relays a giant costs no memory.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lapwing.serve import mqtt_wire as wire
from lapwing.serve.mqtt_wire import Message

PACKET_BYTES_MAX = 1 << 20
ANSWER_S = 10.0
KEEP_ALIVE_S = 30
CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Broker:
    """Who to talk to, and as whom."""

    host: str
    port: int = 1883
    client_id: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None
    will: Message | None = None
    server_name: str = ""  # that its certificate must bear, when it is not the host's


class MqttLink:
    """A connection. Raises OSError or TimeoutError from whatever finds out that it is over."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._answers: dict[tuple[int, int], asyncio.Future[bytes]] = {}
        self._ident = 0
        self.skipped: Callable[[], None] = lambda: None  # a packet was too long
        self.heard: Callable[[Message], None] = lambda _: None
        self.over: asyncio.Task[None] = asyncio.create_task(self._read())
        self._beat = asyncio.create_task(self._ping())

    @classmethod
    async def open(cls, broker: Broker) -> "MqttLink":
        """Connected and accepted."""
        async with asyncio.timeout(ANSWER_S):
            name = (broker.server_name or broker.host) if broker.tls else None
            reader, writer = await asyncio.open_connection(
                broker.host, broker.port, ssl=broker.tls, server_hostname=name
            )
        link = cls(reader, writer)
        try:
            hello = wire.connect(broker.client_id, broker.user, broker.password, broker.will, KEEP_ALIVE_S)
            answer = await link._ask(hello, (wire.CONNACK, 0))
            if len(answer) != 2 or answer[1]:
                raise OSError(wire.REFUSALS.get(answer[1] if len(answer) == 2 else -1, "the broker refuses us"))
        except BaseException:
            await link.close()
            raise
        return link

    async def publish(self, message: Message) -> None:
        """Returns when the broker has it."""
        ident = self._next()
        await self._ask(wire.publish(message, ident), (wire.PUBACK, ident))

    async def subscribe(self, filters: list[str]) -> None:
        """Returns when the broker has agreed; messages go to `heard`."""
        ident = self._next()
        answer = await self._ask(wire.subscribe(filters, ident), (wire.SUBACK, ident))
        if 0x80 in answer[2:]:
            raise OSError("the broker refuses the subscription")

    async def close(self) -> None:
        """Says goodbye where it still can (so that the will is not told) and ends."""
        with contextlib.suppress(OSError, TimeoutError):
            if not self.over.done():
                async with asyncio.timeout(1.0):
                    self._writer.write(wire.GOODBYE)
                    await self._writer.drain()
        for task in (self._beat, self.over):
            task.cancel()
        await asyncio.gather(self._beat, self.over, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()

    def _next(self) -> int:
        self._ident = self._ident % 65_535 + 1
        return self._ident

    async def _ask(self, request: bytes, answer: tuple[int, int]) -> bytes:
        if self.over.done():
            self._ended()
        waits: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[answer] = waits
        try:
            async with asyncio.timeout(ANSWER_S):
                self._writer.write(request)
                await self._writer.drain()
                both: set[asyncio.Future[Any]] = {waits, self.over}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._answers.pop(answer, None)
        if not waits.done():
            self._ended()
        return waits.result()

    def _ended(self) -> None:
        error = None if self.over.cancelled() else self.over.exception()
        raise error or ConnectionResetError("the broker closed the connection")

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE_S / 2)
            await self._ask(wire.PING, (wire.PINGRESP, 0))

    async def _read(self) -> None:
        """Packets to whom they belong, until something fails."""
        while True:
            try:
                async with asyncio.timeout(2.0 * KEEP_ALIVE_S):
                    first, body = await self._packet()
            except asyncio.IncompleteReadError:
                raise ConnectionResetError("the broker closed the connection") from None
            if body is None:
                self.skipped()
                continue
            kind = first >> 4
            if kind == wire.PUBLISH:
                try:
                    self.heard(wire.published(first, body))
                except ValueError as error:
                    raise OSError(f"the broker sent {error}") from None
                continue
            ident = int.from_bytes(body[:2], "big") if kind in (wire.PUBACK, wire.SUBACK) else 0
            waits = self._answers.get((kind, ident))
            if waits and not waits.done():
                waits.set_result(body)

    async def _packet(self) -> tuple[int, bytes | None]:
        """The first byte and the rest, or None for a rest that is too long to keep."""
        first, length = (await self._reader.readexactly(1))[0], 0
        for shift in (0, 7, 14, 21):
            digit = (await self._reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            if not digit & 0x80:
                break
        else:
            raise OSError("the broker sent a length that is none")
        if length <= PACKET_BYTES_MAX:
            return first, await self._reader.readexactly(length)
        while length:
            length -= len(await self._reader.readexactly(min(length, CHUNK_BYTES)))
        return first, None
