"""Cursor on Target to a TAK server (TCP, TLS) or to a multicast group: what moves each period, what stands each minute.

What is gone is deleted at the other side, also what went while the connection was lost. Events go stale by themselves.
"""

import asyncio
import time
from pathlib import Path

from lapwing.decode import encode_cot
from lapwing.records import Picture, Site
from lapwing.serve.outputs.entries import CotOutput
from lapwing.serve.outputs.health import Box, OutputHealth
from lapwing.serve.outputs.sockets import Datagrams, Stream

STANDING_S = 60.0
STANDING = frozenset({"sensors", "zones"})


class CotSender:
    """One output's run: connected until something fails."""

    def __init__(self, entry: CotOutput, site: Site, folder: Path) -> None:
        self._entry, self._site, self._folder = entry, site, folder
        self._before: Picture | None = None  # what the other side was last told
        self._stood_s = 0.0

    async def run(self, box: Box, health: OutputHealth) -> None:
        """Until it fails. Raises OSError, TimeoutError."""
        scheme, host, port, _ = self._entry.parts()
        self._stood_s = -STANDING_S
        link = await self._open(scheme, host, port)
        try:
            health.connected(f"{host}:{port}")
            while True:
                picture = await box.take()
                events = await asyncio.to_thread(self._due, picture)
                if isinstance(link, Datagrams):
                    health.dropped += len(events) - await link.send(events)
                else:
                    await link.write(b"\n".join([*events, b""]))
                health.handed_over(len(events), sum(map(len, events)), picture.time_ns)
                self._before = picture
                await asyncio.sleep(self._entry.period_s)
        finally:
            await link.close()

    async def _open(self, scheme: str, host: str, port: int) -> Datagrams | Stream:
        if scheme == "udp":
            return await Datagrams.open(host, port, self._entry.hops, self._entry.interface)
        tls = await asyncio.to_thread(self._entry.context, self._folder) if scheme == "tls" else None
        return await Stream.open(host, port, tls, self._entry.server_name)

    def _due(self, picture: Picture) -> list[bytes]:
        """The events of one period."""
        what, now_s = frozenset(self._entry.what), time.monotonic()
        if now_s - self._stood_s < STANDING_S:
            what -= STANDING
        else:
            self._stood_s = now_s
        told = encode_cot.events(picture, self._site, what)
        gone = encode_cot.deletes(self._before, picture, self._site, what) if self._before else []
        return [*told, *gone]
