"""The door of a server: who connects waits outside, read by nobody, until its TLS handshake has ended, if there is TLS.

Counts who waits, so that handshakes that never end are bounded: one address may have SHAKING_MAX of them.
"""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Callable
from typing import cast

from lapwing.serve.feed_tls import HANDSHAKE_S, Certificates

log = logging.getLogger("lapwing.feeds")
SHAKING_MAX = 8
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Knock(asyncio.Protocol):
    """One connection that has come: told at once, before anything of it is read."""

    def __init__(self, came: Callable[[asyncio.Transport], None]) -> None:
        self._came = came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is here."""
        outside = cast(asyncio.Transport, transport)
        outside.pause_reading()
        self._came(outside)


class Door:
    """Who comes in: whoever ends the TLS handshake in time, where there is TLS."""

    def __init__(self, feed: str, certificates: Certificates | None) -> None:
        self._feed, self._certificates = feed, certificates
        self._shaking: Counter[str] = Counter()

    async def opened(self, outside: asyncio.Transport) -> Streams | None:
        """The streams of a connection; None: it does not come in, and is closed."""
        if self._certificates is None:
            return _streams(outside)
        peer = outside.get_extra_info("peername")
        host = str(peer[0]) if peer else ""
        if self._shaking[host] >= SHAKING_MAX:
            log.warning("feed %s: more than %d handshakes of %s at once", self._feed, SHAKING_MAX, host)
            outside.abort()
            return None
        self._shaking[host] += 1
        try:
            return await _shaken(outside, await asyncio.to_thread(self._certificates.context))
        except OSError as error:
            log.info("feed %s: %s did not end its TLS handshake: %s", self._feed, host, error)
            outside.abort()
            return None
        finally:
            self._shaking[host] -= 1
            if not self._shaking[host]:
                del self._shaking[host]


def _streams(transport: asyncio.Transport) -> Streams:
    """Of a connection in clear."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    transport.resume_reading()
    return reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())


async def _shaken(transport: asyncio.Transport, context: ssl.SSLContext) -> Streams:
    """After the handshake. Raises OSError."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    inside = await loop.start_tls(transport, protocol, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_S)
    if inside is None:
        raise ConnectionResetError("it left at once")
    protocol.connection_made(inside)
    return reader, asyncio.StreamWriter(inside, protocol, reader, loop)
