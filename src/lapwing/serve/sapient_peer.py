"""The SAPIENT client: connects to a message handling application as its fusion peer and hears all nodes behind it.

Who may say what is `decode/sapient_peer`. A lost connection is tried again every 10 s, as the standard wants. Each
whole message that is passed on goes to the inbox as it came. Refuses lengths that no message has, before reading on.
"""

import asyncio
import contextlib
import logging
import socket

from lapwing.decode.sapient_peer import Peer, hear, hush
from lapwing.decode.sapient_wire import cut, framed
from lapwing.records import FeedConfig
from lapwing.serve.clock import SystemClock
from lapwing.serve.feeds import Link, reason
from lapwing.serve.inbox import Inbox
from lapwing.serve.sapient import LOOK_S, our_id

log = logging.getLogger("lapwing.feeds")
RETRY_S = 10.0
ANSWER_S = 10.0


async def join_middleware(config: FeedConfig, inbox: Inbox) -> None:
    """Connected, or trying to be, until cancelled."""
    link = Link(config.feed, inbox)
    while True:
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_connection(config.host, config.port)
            try:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                link.connected(f"middleware {config.host}:{config.port}")
                link.lost(await _converse(config, inbox, reader, writer))
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        except (OSError, TimeoutError) as error:
            link.lost(reason(error))
        await asyncio.sleep(RETRY_S)


async def _converse(
    config: FeedConfig, inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> str:
    """One connection to its end; why it ended."""
    clock, us = SystemClock(), our_id(config)
    peer, rest, heard_ns = Peer(), b"", clock.now_ns()
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                data = await reader.read(65_536)
                if not data:
                    return "closed by the middleware"
                rest += data
                heard_ns = clock.now_ns()
        found, rest, impossible = cut(rest)
        for raw in found:
            peer, told = hear(peer, raw, clock.now_ns(), us)
            for event, what in told.notices:
                _say(config, inbox, event, what)
            if told.passed:
                inbox.put(config.feed, len(raw).to_bytes(4, "little") + raw)
            for reply in told.replies:
                writer.write(framed(reply))
            if told.end:
                return told.end
        async with asyncio.timeout(ANSWER_S):
            await writer.drain()
        if impossible:
            return impossible
        peer, notices = hush(peer, clock.now_ns())
        for event, what in notices:
            _say(config, inbox, event, what)
        if clock.now_ns() - heard_ns > 10e9 * config.quiet_s_max:
            return f"nothing came for {10 * config.quiet_s_max:.0f} s"


def _say(config: FeedConfig, inbox: Inbox, event: str, what: str) -> None:
    """A node came or went; the link itself still stands."""
    log.info("feed %s: %s: %s", config.feed, event, what)
    inbox.notice(config.feed, "connected", what if event == "connected" else f"middleware; lost: {what}")
