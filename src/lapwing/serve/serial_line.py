"""A serial line: an AIS receiver or a Remote ID bridge on a cable. Opened for reading only: nothing is ever said to it.

Eight data bits, no parity, one stop bit, no flow control. Lost and found again like any other feed: a USB adapter that
is pulled out and put back goes on under the same path. Refuses what is no serial line.
"""

import asyncio
import os
import termios
import tty

from lapwing.records import FeedConfig
from lapwing.serve.inbox import Inbox

READ_BYTES = 4_096


def opened(path: str, rate_baud: int) -> int:
    """The line as a file descriptor, raw, at this rate. Raises OSError."""
    line = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not os.isatty(line):
            raise OSError(f"{path} is no serial line")
        tty.setraw(line)
        modes = termios.tcgetattr(line)
        modes[2] |= termios.CLOCAL | termios.CREAD
        modes[4] = modes[5] = getattr(termios, f"B{rate_baud}")
        termios.tcsetattr(line, termios.TCSANOW, modes)
    except termios.error as error:
        os.close(line)
        raise OSError(*error.args) from error
    except OSError:
        os.close(line)
        raise
    return line


async def hear(line: int, config: FeedConfig, inbox: Inbox) -> bool:
    """Read until the line is gone, and close it; whether anything came. Raises OSError (it broke), TimeoutError
    (silence of ten times the feed's limit)."""
    reader = asyncio.StreamReader(limit=READ_BYTES)
    pipe = os.fdopen(line, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    got = False
    try:
        while True:
            async with asyncio.timeout(10.0 * config.quiet_s_max):
                data = await reader.read(READ_BYTES)
            if not data:
                return got
            got = True
            inbox.put(config.feed, data)
    finally:
        transport.close()
