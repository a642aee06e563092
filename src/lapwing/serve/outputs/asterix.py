"""ASTERIX CAT062 and CAT065 of the fused picture in UDP datagrams, one data block each."""

import asyncio
from pathlib import Path

from lapwing.decode import encode_asterix
from lapwing.records import Site
from lapwing.serve.outputs.entries import AsterixOutput
from lapwing.serve.outputs.health import Box, OutputHealth
from lapwing.serve.outputs.sockets import Datagrams


class AsterixSender:
    """One output's run: sends until the network refuses."""

    def __init__(self, entry: AsterixOutput, site: Site, _folder: Path) -> None:
        self._entry, self._site = entry, site

    async def run(self, box: Box, health: OutputHealth) -> None:
        """Until it fails. Raises OSError."""
        _, host, port, _ = self._entry.parts()
        link = await Datagrams.open(host, port, self._entry.hops, self._entry.interface)
        try:
            health.connected(f"{host}:{port}")
            while True:
                picture = await box.take()
                source = (self._entry.sac, self._entry.sic)
                blocks = await asyncio.to_thread(encode_asterix.blocks, picture, self._site.origin, *source)
                left = await link.send(blocks)
                health.dropped += len(blocks) - left
                health.handed_over(left, sum(map(len, blocks)), picture.time_ns)
                await asyncio.sleep(self._entry.period_s)
        finally:
            await link.close()
