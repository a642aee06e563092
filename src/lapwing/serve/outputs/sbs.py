"""BaseStation lines to whoever connects: a small TCP server. What readers send is dropped.

Nobody waits for a reader: one that does not take its lines is cut off, and so is the seventeenth. Memory is bounded by
READERS_MAX readers with BACKLOG_BYTES_MAX and one picture each.
"""

import asyncio
import contextlib
import logging
from pathlib import Path

from lapwing.decode import encode_sbs
from lapwing.records import Site
from lapwing.serve.outputs.entries import SbsOutput
from lapwing.serve.outputs.health import Box, OutputHealth

log = logging.getLogger("lapwing.outputs")
READERS_MAX = 16
BACKLOG_BYTES_MAX = 1024 * 1024
READ_BYTES = 4_096


class SbsServer:
    """One output's run: listens until the address is refused."""

    def __init__(self, entry: SbsOutput, site: Site, _folder: Path) -> None:
        self._entry, self._site = entry, site
        self._readers: set[asyncio.StreamWriter] = set()

    async def run(self, box: Box, health: OutputHealth) -> None:
        """Until it fails. Raises OSError (the address is taken, or not ours)."""
        _, host, port, _ = self._entry.parts()

        async def reader_came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(reader, writer, health)

        server = await asyncio.start_server(reader_came, host, port, limit=READ_BYTES)
        try:
            while True:
                health.connected(f"{host}:{port}, {len(self._readers)} readers")
                picture = await box.take()
                if self._readers:
                    told = await asyncio.to_thread(encode_sbs.lines, picture, self._site.origin)
                    self._tell(told, health, picture.time_ns)
                await asyncio.sleep(self._entry.period_s)
        finally:
            server.close()
            for writer in list(self._readers):
                writer.transport.abort()

    def _tell(self, told: list[bytes], health: OutputHealth, now_ns: int) -> None:
        data, sent = b"".join(told), 0
        for writer in list(self._readers):
            if writer.transport.get_write_buffer_size() > BACKLOG_BYTES_MAX:
                log.warning("output %s: a reader that does not read is cut off", health.output)
                health.dropped += 1
                self._readers.discard(writer)
                writer.transport.abort()
            else:
                writer.write(data)
                sent += 1
        health.handed_over(sent * len(told), sent * len(data), now_ns)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, health: OutputHealth) -> None:
        """One reader, until it goes or is cut off."""
        if len(self._readers) >= READERS_MAX:
            log.warning("output %s: over %d readers, one is turned away", health.output, READERS_MAX)
            health.dropped += 1
            writer.transport.abort()
            return
        self._readers.add(writer)
        try:
            with contextlib.suppress(OSError):
                while await reader.read(READ_BYTES):
                    pass
        finally:
            self._readers.discard(writer)
            writer.transport.abort()
