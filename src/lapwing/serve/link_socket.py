"""The WebSocket to another site: follows no redirection, logs no header, and is cut where a peer floods it.

Refuses what the library takes without a limit: frames that are no messages (pings, empty fragments), and answers to
pings that the peer does not read.
"""

import logging
import time

from websockets.asyncio.client import ClientConnection, connect
from websockets.protocol import Event

FRAMES_PER_S_MAX = 1_000  # of any kind; a Lapwing sends one for each message, and a ping in 20 s
UNREAD_BYTES_MAX = 1 << 20  # of our answers to pings
SILENT = logging.Logger("silent", logging.CRITICAL + 1)  # the library tells every header at DEBUG, tokens too


class PeerConnection(ClientConnection):
    """A connection that is cut at once where a limit is passed; `flood` then says which."""

    flood: str = ""
    _second: tuple[float, int] = (-1.0, 0)  # that is counted: begin (monotonic), frames

    def data_received(self, data: bytes) -> None:
        """Bytes of the peer."""
        super().data_received(data)
        if self.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self._cut("it sends pings and does not read the answers")

    def process_event(self, event: Event) -> None:
        """One frame; the first event is the answer to the opening."""
        began_s, count = self._second
        now_s = time.monotonic()
        began_s, count = (now_s, 1) if now_s - began_s >= 1.0 else (began_s, count + 1)
        self._second = began_s, count
        if count > FRAMES_PER_S_MAX:
            self._cut("it sends too many frames")
        if not self.flood:
            super().process_event(event)

    def _cut(self, why: str) -> None:
        self.flood = self.flood or why
        self.transport.abort()


class Connect(connect):
    """Opens one. A redirection is an error: it would take the token elsewhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The error itself."""
        return exc
