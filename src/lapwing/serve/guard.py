"""The door of the web server: which requests get in, and which headers every answer carries.

Defends a page on an operator's machine: DNS rebinding (Host allow-list), cross-site WebSockets and writes (Origin, and
JSON only, which another site's page cannot send unasked), injected scripts (Content-Security-Policy), and requests that
are too long. Only WRITABLE takes anything. Refuses to know what is behind the door.
"""

import ipaddress
import json
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
TARGET_BYTES_MAX = 2_048
WRITABLE = frozenset(
    f"/v1/{name}"
    for name in (
        "acts",
        "alarm-test",
        "config/restart",
        "config/zone",
        "handover",
        "login",
        "logout",
        "mine",
        "taken",
        "tasks",
    )
)
LONG = frozenset(("/v1/config", "/v1/config/check"))  # a whole site file
BODY_BYTES_MAX, LONG_BYTES_MAX = 8_192, 1 << 20
HEADERS = {
    # MapLibre draws sprites and rasters from blobs it made itself; nothing may come from elsewhere.
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "geolocation=(), camera=(), microphone=()",
}
_ENCODED = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def is_loopback(host: str) -> bool:
    """Whether an address that is listened on reaches nobody but this very machine."""
    return host.strip("[]").lower() in ("127.0.0.1", "localhost", "::1")


class Guard:
    """ASGI middleware. `bound` is the address the server listens on; `allowed` are further host names."""

    def __init__(self, app: ASGIApp, bound: str, allowed: tuple[str, ...] = ()) -> None:
        self._app = app
        self._names = {*LOOPBACK, *(name.lower() for name in allowed)}
        self._any_address = bound in ("0.0.0.0", "::", "")
        if not self._any_address:
            self._names.add(f"[{bound}]".lower() if ":" in bound else bound.lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with one sentence."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, _with_headers(send))
        else:
            await refuse(scope, _with_headers(send), *refusal)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if not self._knows(host):
            return 421, "This server does not answer to that host name."
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > TARGET_BYTES_MAX:
            return 414, f"The address is longer than {TARGET_BYTES_MAX} bytes."
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        ours = not origin or origin in (f"http://{host}", f"https://{host}")
        if scope["type"] == "websocket":
            return None if ours else (403, "A page from another origin may not listen here.")
        if scope["method"] == "POST" and scope["path"] in WRITABLE | LONG:
            return _write_refusal(headers, ours, LONG_BYTES_MAX if scope["path"] in LONG else BODY_BYTES_MAX)
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "This server only shows; it takes GET and HEAD."
        if headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers:
            return 413, "A request to this server has no body."
        return None

    def _knows(self, host: str) -> bool:
        name = _without_port(host)
        if name in self._names:
            return True
        # DNS rebinding needs a name; an address literal in Host was typed by someone who meant this machine.
        return self._any_address and _is_address(name)


def _write_refusal(headers: dict[bytes, bytes], ours: bool, bytes_max: int) -> tuple[int, str] | None:
    if not ours:
        return 403, "A page from another origin may not write here."
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/json":
        return 415, "What is written here is JSON (content-type application/json)."
    length = headers.get(b"content-length", b"")
    if not length.isdigit():
        return 411, "A request that writes must say how long it is."
    if len(length) > 9 or int(length) > bytes_max:
        return 413, f"The body is longer than {bytes_max} bytes."
    return None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[: host.find("]") + 1]
    return host.rsplit(":", 1)[0] if host.count(":") == 1 else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            message["headers"] = [*message.get("headers", []), *_ENCODED]
        await send(message)

    return sending


async def refuse(scope: Scope, send: Send, status: int, sentence: str) -> None:
    """Answer with one sentence instead of passing the request on."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": sentence[:100]})
        return
    body = json.dumps({"error": sentence}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
