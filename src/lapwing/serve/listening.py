"""Listening on an address: uvicorn inside somebody else's event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI


class WebAddressError(RuntimeError):
    """The address cannot be listened on; the message says which and why."""


class _Server(uvicorn.Server):
    """Uvicorn inside somebody else's event loop: signals stay with whoever owns the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_web(
    app: FastAPI, host: str = "127.0.0.1", port: int = 8765, on_bound: Callable[[int], None] | None = None
) -> None:
    """Serves until cancelled. `on_bound` is told the port once it listens (port 0 = any free one).
    Raises WebAddressError when the address is taken or not ours."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=64)
    except OSError as error:
        raise WebAddressError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="off", ws="websockets-sansio",
        ws_per_message_deflate=False, ws_max_size=1024, h11_max_incomplete_event_size=16_384,
        limit_concurrency=256, timeout_keep_alive=15, timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = _Server(config)
    with listener:
        if on_bound is not None:
            on_bound(listener.getsockname()[1])
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            server.should_exit = True
            await running
            await _cut(server)
            raise


async def _cut(server: uvicorn.Server) -> None:
    """What is still connected after the grace has nobody to talk to any more."""
    for connection in list(server.server_state.connections):
        transport = getattr(connection, "transport", None)
        if transport is not None:
            transport.abort()
    for _ in range(3):  # until the loop has closed them
        await asyncio.sleep(0)
