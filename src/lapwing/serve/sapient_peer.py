"""The SAPIENT client: connects to a message handling application as its fusion peer and hears all nodes behind it.

Who may say what is `decode/sapient_peer`. A lost connection is tried again every 10 s, as the standard wants. Each
whole message that is passed on goes to the inbox as it came. Refuses lengths that no message has, before reading on.
"""

import asyncio
import contextlib
import logging
import socket
from dataclasses import dataclass

from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

from lapwing.decode.sapient_peer import Notice, Peer, hear, hush
from lapwing.decode.sapient_wire import cut, framed
from lapwing.records import FeedConfig
from lapwing.serve.clock import SystemClock
from lapwing.serve.feed_tls import connecting
from lapwing.serve.feeds import Link, reason
from lapwing.serve.inbox import Inbox
from lapwing.serve.sapient import LOOK_S, house, our_id
from lapwing.serve.sapient_nodes import NodeBook

log = logging.getLogger("lapwing.feeds")
RETRY_S = 10.0
ANSWER_S = 10.0


async def join_middleware(config: FeedConfig, inbox: Inbox, book: NodeBook) -> None:
    """Connected, or trying to be, until cancelled."""
    link = Link(config.feed, inbox)
    while True:
        try:
            tls, name = None, None
            if config.tls is not None:  # read anew each time: they may have been replaced
                tls = await asyncio.to_thread(connecting, config.tls)
                name = config.tls.server_name or config.host
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_connection(config.host, config.port, ssl=tls, server_hostname=name)
            try:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                link.connected(f"middleware {config.host}:{config.port}")
                link.lost(await _Talk(config, inbox, book, reader, writer).run())
            finally:
                book.feed_lost(config.feed, "the connection to the middleware was lost")
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
        except (OSError, TimeoutError) as error:
            link.lost(reason(error))
        await asyncio.sleep(RETRY_S)


@dataclass
class _Talk:
    """One connection."""

    config: FeedConfig
    inbox: Inbox
    book: NodeBook
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def run(self) -> str:
        """To its end; why it ended. Raises OSError, TimeoutError."""
        clock, us, feed = SystemClock(), our_id(self.config), self.config.feed
        self.book.we[feed] = us
        peer, rest, heard_ns = Peer(house=house(self.config)), b"", clock.now_ns()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    data = await self.reader.read(65_536)
                    if not data:
                        return "closed by the middleware"
                    rest += data
                    heard_ns = clock.now_ns()
            found, rest, impossible = cut(rest)
            for raw in found:
                peer, told = hear(peer, raw, clock.now_ns(), us)
                self._note(told.news, told.notices)
                if told.passed:
                    self.inbox.put(feed, len(raw).to_bytes(4, "little") + raw)
                for reply in told.replies:
                    self.send(reply)
                if told.end:
                    return told.end
            async with asyncio.timeout(ANSWER_S):
                await self.writer.drain()
            if impossible:
                return impossible
            peer, notices = hush(peer, clock.now_ns())
            self._note(None, notices)
            if clock.now_ns() - heard_ns > 10e9 * self.config.quiet_s_max:
                return f"nothing came for {10 * self.config.quiet_s_max:.0f} s"

    def send(self, message: SapientMessage) -> None:
        """Into the buffer."""
        self.writer.write(framed(message))

    def _note(self, news: SapientMessage | None, notices: tuple[Notice, ...]) -> None:
        """What nodes said of themselves; who came and went, while the link itself still stands."""
        feed = self.config.feed
        if news is not None:
            self.book.take(feed, news, self.send)
        for event, node, words in notices:
            log.info("feed %s: %s: %s", feed, event, words)
            self.inbox.notice(feed, "connected", words if event == "connected" else f"middleware; lost: {words}")
            if event == "lost":
                self.book.left(feed, node, words)
            else:
                self.book.back(feed, node, self.send)
