"""One HTTP POST within a time limit. Takes no redirect and reads no more of the answer than its first line."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field

ANSWER_S = 15.0
LINE_BYTES_MAX = 1_024


@dataclass(frozen=True, slots=True)
class Target:
    """Where to, as split from a URL."""

    host: str
    port: int
    path: str
    tls: ssl.SSLContext | None = None
    server_name: str = ""
    headers: dict[str, str] = field(default_factory=dict)


async def post(target: Target, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> None:
    """Returns when the other side said 2xx. Raises OSError with its answer, TimeoutError."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    head = {
        "Host": f"{host}:{target.port}", "Content-Type": content_type, "Content-Length": str(len(body)),
        "User-Agent": "lapwing", "Connection": "close", **target.headers, **(headers or {}),
    }  # fmt: skip
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items())]
    if any(set("\r\n") & set(line) for line in lines):
        raise OSError("a header would hold a line break")
    request = "\r\n".join([*lines, "", ""]).encode("utf-8") + body
    async with asyncio.timeout(ANSWER_S):
        name = (target.server_name or target.host) if target.tls else None
        reader, writer = await asyncio.open_connection(
            target.host, target.port, ssl=target.tls, server_hostname=name, limit=LINE_BYTES_MAX
        )
        try:
            writer.write(request)
            await writer.drain()
            try:
                line = await reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                raise OSError("the answer is not HTTP") from None
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    words = line.decode("latin-1").split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise OSError("the answer is not HTTP")
    if not words[1].startswith("2"):
        raise OSError(f"answered {' '.join(words[1:])[:80].strip()}")
