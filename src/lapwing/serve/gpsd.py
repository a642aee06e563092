"""AIS out of gpsd (TCP 2947): the sentences that its receivers hear, as they are.

gpsd greets with a VERSION object and is asked to WATCH in its NMEA mode; the decoder `nmea` reads what comes. Only AIS
sentences (`!`, tag blocks) are kept: where gpsd's own GNSS receivers stand is nobody's claim. Refuses whoever greets
otherwise, and lines without an end.
"""

import asyncio
import json

from lapwing.records import FeedConfig
from lapwing.serve.inbox import Inbox

WATCH = b'?WATCH={"enable":true,"nmea":true}\r\n'
GREETING_S = 10.0
LINE_BYTES_MAX = 16_384  # a DEVICES object names every receiver
READ_BYTES = 65_536
AIS = (b"!", b"\\")


async def watch(config: FeedConfig, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, inbox: Inbox) -> bool:
    """Read to the end; whether an AIS sentence came. Raises OSError (no gpsd), TimeoutError (silence)."""
    async with asyncio.timeout(GREETING_S):
        try:
            hello = await reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            hello = b""
    if not _is_gpsd(hello):
        raise OSError("the other side does not greet as gpsd does")
    writer.write(WATCH)
    got, tail = False, b""
    while True:
        async with asyncio.timeout(10.0 * config.quiet_s_max):
            data = await reader.read(READ_BYTES)
        if not data:
            return got
        *lines, tail = (tail + data).split(b"\n")
        if len(tail) > LINE_BYTES_MAX:
            raise OSError("a line of gpsd has no end")
        sentences = [line.rstrip(b"\r") + b"\n" for line in lines if line.startswith(AIS)]
        if sentences:
            got = True
            inbox.put(config.feed, b"".join(sentences))


def _is_gpsd(line: bytes) -> bool:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("class") == "VERSION"
