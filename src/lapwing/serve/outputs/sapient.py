"""SAPIENT upwards: a fusion node of a parent (BSI Flex 335 v2.0), over a connection that we open.

It registers, waits for the acknowledgement, then reports its health at the registered interval, the tracks once a
period and every alarm when it is raised, becomes more urgent or is cleared; it ends with GOODBYE. All reports of one
period have one timestamp, and no more of them leave than the site file allows: what is left out is counted and told.
A parent that refuses, keeps silent, sends what is no message or closes is left and tried again after 10 s. Takes no
tasks but requests.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path

from sapient_msg.bsi_flex_335_v2_0.alert_ack_pb2 import AlertAck
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

from lapwing import __version__
from lapwing.decode.encode_sapient import Source, alert, cleared, detections, emitters, importance, source_in
from lapwing.decode.encode_sapient_node import Us, condition, goodbye, registration, status, task_answer
from lapwing.decode.sapient_wire import cut, framed, parse
from lapwing.records import AlarmState, Frame, Picture, Site
from lapwing.serve.clock import SystemClock
from lapwing.serve.outputs.contributors import Contributors
from lapwing.serve.outputs.entries import SapientOutput
from lapwing.serve.outputs.health import Box, OutputHealth
from lapwing.serve.outputs.sockets import CLOSE_S, CONNECT_S, READ_BYTES, WRITE_S
from lapwing.serve.sapient import stable_uuid

ACK_S = 30.0
ALERTS_MAX = 4_096  # remembered
BURST_S = 1.0  # at most this long's worth of reports leaves at once
Frames = Callable[[int], Frame | None]


def _no_frames(_seq: int) -> None:
    """A journal that holds nothing."""


class SapientSender:
    """One output's run: registered with its parent until something fails."""

    pause_s = 10.0  # before the next try; the standard's

    def __init__(self, entry: SapientOutput, site: Site, folder: Path) -> None:
        self._entry, self._site, self._folder = entry, site, folder
        self.frames: Frames = _no_frames
        self.nodes: Callable[[], list[str]] = list  # node_ids of the SAPIENT nodes that are connected to us
        o = site.origin
        name = f"lapwing:{site.name}:{o.latitude_rad}:{o.longitude_rad}:{entry.name}"
        self.us = Us(entry.node_id or stable_uuid(name), site, __version__, entry.status_s)
        self._sapient = frozenset(f.feed for f in site.feeds if f.decoder == "sapient")
        self._nodes_told: list[str] = []
        self._told_ns: dict[int, int] = {}  # by track_id
        self._last_ns = 0
        self._alerts: dict[tuple[int, int], tuple[int, bool]] = {}  # what the parent was told: priority, cleared
        self._contributors = Contributors()
        self._left_out = 0  # since the last status report
        self._picture: Picture | None = None

    async def run(self, box: Box, health: OutputHealth) -> None:
        """Until it fails. Raises OSError, TimeoutError."""
        scheme, host, port, _ = self._entry.parts()
        tls = self._entry.context(self._folder) if scheme == "tls" else None
        parent = await _Parent.open(host, port, tls, self._entry.server_name)
        listening = asyncio.create_task(parent.listen(self, health))
        ended = True
        try:
            await parent.say(self.registration(parent.now_ns()))
            await _first(listening, asyncio.create_task(parent.accepted()))
            health.connected(f"{host}:{port}")
            ended = False
            tell = asyncio.create_task(self._tell(parent, box, health))
            await _first(listening, asyncio.create_task(self._report(parent)), tell)
        except (OSError, TimeoutError):
            ended = True
            raise
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await parent.close(None if ended else goodbye(self.us, parent.now_ns()))

    def registration(self, now_ns: int) -> SapientMessage:
        """Ours, as things are now."""
        self._nodes_told = self.nodes()
        return registration(self.us, now_ns, self._nodes_told)

    async def _report(self, parent: "_Parent") -> None:
        """Health at the registered interval, and when the parent asks."""
        before = None
        while True:
            if self.nodes() != self._nodes_told:
                await parent.say(self.registration(parent.now_ns()))
            more = [f"{self._left_out} reports of tracks were left out"] if self._left_out else []
            now = condition(self._picture.feeds if self._picture else (), more)
            self._left_out = 0
            await parent.say(status(self.us, parent.now_ns(), now, before))
            before = now
            parent.asked.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._entry.status_s):
                    await parent.asked.wait()

    async def _tell(self, parent: "_Parent", box: Box, health: OutputHealth) -> None:
        """Alarms as they change and tracks once a period."""
        self._alerts = {key: (-1, False) for key, told in self._alerts.items() if not told[1]}  # told again
        due_ns = 0
        while True:
            picture = self._picture = await box.take()
            self._contributors.look(picture)
            messages = self._news(picture)
            if picture.time_ns >= due_ns and picture.time_ns > self._last_ns:
                due_ns = self._last_ns = picture.time_ns
                due_ns += int(self._entry.period_s * 1e9)
                chosen = self._chosen(picture, health)
                messages += await asyncio.to_thread(self._reports, picture, chosen)
                self._contributors.reported(picture.tracks.track_id[chosen].tolist())
            if messages:
                size = await parent.say(*messages)
                health.handed_over(len(messages), size, picture.time_ns)

    def _news(self, picture: Picture) -> list[SapientMessage]:
        alarms, out = picture.alarms, []
        for i in range(len(alarms)):
            key = (int(alarms.raised_ns[i]), int(alarms.alarm_id[i]))
            now = (int(alarms.priority[i]), bool(alarms.state[i] == AlarmState.CLEARED))
            before = self._alerts.get(key)
            if before != now:
                out.append(alert(picture, self._site.origin, self.us.node_id, i))
                self._alerts[key] = now
        here = set(zip(alarms.raised_ns.tolist(), alarms.alarm_id.tolist(), strict=True))
        for key, told in self._alerts.items():
            if not told[1] and key not in here:  # it went while the parent was away
                out.append(cleared(self.us.node_id, *key, picture.time_ns))
                self._alerts[key] = (told[0], True)
        while len(self._alerts) > ALERTS_MAX:
            del self._alerts[next(iter(self._alerts))]
        return out

    def _chosen(self, picture: Picture, health: OutputHealth) -> list[int]:
        """The rows to report: the most important, as many as may leave. The others are counted."""
        rows = importance(picture, self._told_ns)
        most = max(int(self._entry.reports_per_s * min(self._entry.period_s, BURST_S)), 1)
        left = max(len(rows) - most, 0)
        self._left_out += left
        health.dropped += left
        ids = picture.tracks.track_id
        alive, told = set(ids[rows].tolist()), {int(ids[i]): picture.time_ns for i in rows[:most]}
        self._told_ns = {k: v for k, v in self._told_ns.items() if k in alive} | told
        return rows[:most]

    def _reports(self, picture: Picture, rows: list[int]) -> list[SapientMessage]:
        """Their reports; reads the journal."""
        ids = picture.tracks.track_id
        sources = {int(ids[i]): self._sources(int(ids[i])) for i in rows} if self._sapient else {}
        told = (picture, self._site.origin, self.us.node_id)
        return [*emitters(*told), *detections(*told, rows, sources)]

    def _sources(self, ident: int) -> list[Source]:
        """The nodes' own reports behind a track since its last report, newest first, one of each object of a node:
        those that came over SAPIENT and that the journal still holds."""
        found: dict[tuple[str, str], Source] = {}
        for seq in self._contributors.of(ident):
            frame = self.frames(seq)
            source = source_in(frame.data) if frame is not None and frame.feed in self._sapient else None
            if source is not None:
                found.setdefault((source.node_id, source.object_id), source)
        return list(found.values())


async def _first(listening: "asyncio.Task[None]", *tasks: "asyncio.Task[None]") -> None:
    """Returns when one of `tasks` has ended, with its failure if it failed; the others are ended then.
    Raises OSError when the parent has closed the connection before."""
    try:
        done, _ = await asyncio.wait((listening, *tasks), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if listening in done:
            raise ConnectionResetError("the parent closed the connection")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Parent:
    """The connection to the parent. What it says is bounded, and answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._answered = asyncio.Event()
        self._refusal = ""
        self.asked = asyncio.Event()  # for a status report
        self.refused: dict[str, int] = {}
        self._clock = SystemClock()

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None, server_name: str) -> "_Parent":
        """Connected. Raises OSError, TimeoutError."""
        name = (server_name or host) if tls else None
        async with asyncio.timeout(CONNECT_S):
            return cls(*await asyncio.open_connection(host, port, ssl=tls, server_hostname=name))

    def now_ns(self) -> int:
        """UTC."""
        return self._clock.now_ns()

    async def say(self, *messages: SapientMessage) -> int:
        """Handed over; how many bytes. Raises OSError, TimeoutError."""
        data = b"".join(framed(m) for m in messages)
        self._writer.write(data)
        async with asyncio.timeout(WRITE_S):
            await self._writer.drain()
        return len(data)

    async def accepted(self) -> None:
        """Returns when the parent has acknowledged the registration. Raises OSError when it refuses or says nothing."""
        try:
            async with asyncio.timeout(ACK_S):
                await self._answered.wait()
        except TimeoutError:
            raise ConnectionRefusedError(f"no RegistrationAck within {ACK_S:.0f} s") from None
        if self._refusal:
            raise ConnectionRefusedError(self._refusal)

    async def listen(self, sender: SapientSender, health: OutputHealth) -> None:
        """To the end of what the parent says. Raises OSError when that is no message."""
        rest = b""
        while data := await self._reader.read(READ_BYTES):
            found, rest, impossible = cut(rest + data)
            for raw in found:
                message, reason = parse(raw)
                if message is None:
                    raise ConnectionAbortedError(f"the parent sent what is {reason}")
                await self._heard(message, sender, health)
            if impossible:
                raise ConnectionAbortedError(f"the parent sent a {impossible}")

    async def _heard(self, message: SapientMessage, sender: SapientSender, health: OutputHealth) -> None:
        kind = message.WhichOneof("content")
        if kind == "registration_ack":
            ack = message.registration_ack
            reasons = "; ".join(ack.ack_response_reason)[:200]
            self._refusal = "" if ack.acceptance else f"the parent refuses the registration: {reasons or 'no reason'}"
            self._answered.set()
        elif kind == "error":
            health.refused("; ".join(message.error.error_message)[:200] or "no reason")
        elif kind == "alert_ack" and message.alert_ack.alert_ack_status == AlertAck.ALERT_ACK_STATUS_REJECTED:
            health.refused(f"alert {message.alert_ack.alert_id[:26]}: {'; '.join(message.alert_ack.reason)[:150]}")
        elif kind == "alert_ack":
            health.accepted += 1
        elif kind == "task":
            reply, wanted = task_answer(sender.us, message, self.now_ns())
            await self.say(reply)
            if wanted == "Registration":
                await self.say(sender.registration(self.now_ns()))
            elif wanted == "Status":
                self.asked.set()

    async def close(self, last: SapientMessage | None) -> None:
        """With a last word, if there is one; what was not sent within a second is lost."""
        with contextlib.suppress(OSError, TimeoutError):
            if last is not None:
                async with asyncio.timeout(CLOSE_S):
                    await self.say(last)
                    self._writer.close()
                    await self._writer.wait_closed()
        self._writer.transport.abort()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
