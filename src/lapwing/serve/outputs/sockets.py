"""Sockets of outputs: a stream that is written to within a time limit, and datagrams. What comes back is dropped."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from ipaddress import ip_address

CONNECT_S, WRITE_S, CLOSE_S = 10.0, 10.0, 1.0
READ_BYTES = 65_536
BURST = 16  # datagrams sent without a breath


class TlsOnce:
    """The TLS context of one output, None where it speaks no TLS. Files are read in a thread, and once, until `forget`
    (they may have been replaced)."""

    def __init__(self, build: Callable[[], ssl.SSLContext] | None) -> None:
        self._build = build
        self._made: ssl.SSLContext | None = None

    async def get(self) -> ssl.SSLContext | None:
        """Raises OSError (SSLError is one) when a file is missing or no certificate."""
        if self._made is None and self._build is not None:
            self._made = await asyncio.to_thread(self._build)
        return self._made

    def forget(self) -> None:
        """After a failure: the next `get` reads the files again."""
        self._made = None


class Stream:
    """A TCP or TLS connection for writing. Every call ends within its time limit or raises OSError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._ended = asyncio.create_task(_drain(reader))

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None, server_name: str = "") -> "Stream":
        """Connected. Raises OSError, TimeoutError."""
        name = (server_name or host) if tls else None
        async with asyncio.timeout(CONNECT_S):
            return cls(*await asyncio.open_connection(host, port, ssl=tls, server_hostname=name))

    async def write(self, data: bytes) -> None:
        """Handed to the other side's machine, all but the last buffer. Raises OSError, TimeoutError."""
        if self._ended.done():
            raise ConnectionResetError("the other side closed the connection")
        self._writer.write(data)
        async with asyncio.timeout(WRITE_S):
            await self._writer.drain()

    async def close(self) -> None:
        """At once; what was not sent is lost."""
        self._ended.cancel()
        self._writer.transport.abort()
        with contextlib.suppress(OSError, TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()


async def _drain(reader: asyncio.StreamReader) -> None:
    """Reads to the end and keeps nothing: a server that tells us what others sent must not stall for it."""
    with contextlib.suppress(OSError):
        while await reader.read(READ_BYTES):
            pass


class Datagrams:
    """A UDP socket towards one host or multicast group."""

    def __init__(self, sock: socket.socket, to: tuple[str, int]) -> None:
        self._sock, self._to = sock, to

    @classmethod
    async def open(cls, host: str, port: int, hops: int, interface: str) -> "Datagrams":
        """Ready. Raises OSError (no such host or interface), TimeoutError."""
        async with asyncio.timeout(CONNECT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        family, _, _, _, to = found[0]
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if ip_address(str(to[0])).is_multicast and family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, hops)
                if interface:
                    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
            elif family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
        except OSError:
            sock.close()
            raise
        return cls(sock, to)  # type: ignore[arg-type]

    async def send(self, datagrams: list[bytes]) -> int:
        """How many left; those that the machine has no room for are lost. Raises OSError."""
        left = 0
        for i, datagram in enumerate(datagrams):
            if i % BURST == BURST - 1:
                await asyncio.sleep(0.001)
            with contextlib.suppress(BlockingIOError):
                self._sock.sendto(datagram, self._to)
                left += 1
        return left

    async def close(self) -> None:
        """Nothing waits in it."""
        self._sock.close()
