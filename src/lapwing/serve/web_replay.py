"""Replay in the web: what can be replayed, and a WebSocket that shows it. Every replay is a process of its own
(serve/replayer.py), few at a time, at low priority; the live picture never waits for one.
"""

import asyncio
import json as jsonlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import polars as pl
from fastapi import Depends, FastAPI, HTTPException, Query, Response, WebSocket
from pydantic import ValidationError

from lapwing.serve.answers import json, only_known, send
from lapwing.serve.replayer import INT64_MAX, Wish
from lapwing.serve.replaying import ONE_THREAD
from lapwing.serve.wire_text import kept_alarm

REPLAYS_MAX = 2
IDLE_S = 600.0
MARKS_MAX = 2_000
MESSAGE_BYTES_MAX = 1 << 28  # of our own process: more is our own bug
ENDED = {"type": "replay", "seek": 0, "state": "failed", "why": "The replay ended by a fault; the log says which."}
IDLE = {"type": "replay", "seek": 0, "state": "idle", "why": "The replay was left alone for ten minutes and has ended."}
Moment = Annotated[int | None, Query(ge=0, le=INT64_MAX)]


class Past(Protocol):
    """What replay needs of the shelf."""

    def extent_ns(self) -> tuple[int, int] | None:
        """Times of the first and the last picture that can be replayed, or None."""

    def alarms(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Alarms raised in an interval, as they were last seen."""


@dataclass(slots=True)
class ReplayDesk:
    """The journal's folder, and how many replays of it run."""

    folder: Path
    replays_max: int = REPLAYS_MAX
    idle_s: float = IDLE_S
    running: int = 0


def add_replay_routes(app: FastAPI, past: Past, desk: ReplayDesk) -> None:
    """GET /v1/replay/range and the WebSocket /v1/replay."""

    @app.get("/v1/replay/range", dependencies=[Depends(only_known)])
    def extent(since_ns: Moment = None, until_ns: Moment = None) -> Response:
        """Times of the first and the last picture that can be shown, and the alarms between them."""
        found = past.extent_ns()
        if found is None:
            raise HTTPException(404, "The journal holds no picture yet.")
        since = found[0] if since_ns is None else max(found[0], since_ns)
        until = found[1] if until_ns is None else min(found[1], until_ns)
        rows = past.alarms(since, until + 1) if since <= until else past.alarms(0, 0)
        times = {"since_ns": str(found[0]), "until_ns": str(found[1])}
        left = {"alarms_left_out": max(len(rows) - MARKS_MAX, 0), "replays_free": desk.replays_max - desk.running}
        return json(times | {"alarms": marks(rows.tail(MARKS_MAX))} | left)

    @app.websocket("/v1/replay")
    async def replay(socket: WebSocket) -> None:
        """Recorded pictures from a moment on, in the messages of /v1/live; see docs/wire.md."""
        await _replay(socket, desk)


def marks(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Alarms for a time bar, oldest first."""
    return [
        {"id": r["alarm_id"], "cleared_ns": str(r["cleared_ns"]), **kept_alarm(r)} for r in rows.iter_rows(named=True)
    ]


def first_wish(query: Mapping[str, str]) -> Wish:
    """What the address asks for. Raises ValueError with a sentence."""
    if "at_ns" not in query:
        raise ValueError("at_ns is missing: UTC nanoseconds of the moment to show")
    try:
        return Wish.model_validate(dict(query))
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the message'}: {first['msg']}"[:120]


async def _replay(socket: WebSocket, desk: ReplayDesk) -> None:
    try:
        wish = first_wish(socket.query_params)
    except ValueError as error:
        await socket.close(1008, str(error))
        return
    if desk.running >= desk.replays_max:
        await socket.accept()  # so that the page can read why
        await socket.close(1013, f"{desk.running} replays are being shown already; that is the limit")
        return
    desk.running += 1
    try:
        await socket.accept()
        await _with_process(socket, desk, wish)
    finally:
        desk.running -= 1


async def _with_process(socket: WebSocket, desk: ReplayDesk, wish: Wish) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "lapwing.serve.replayer", str(desk.folder)),  # -P: not from this folder
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={**os.environ, **ONE_THREAD},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(wish.model_dump_json().encode() + b"\n")
    stirred = asyncio.Event()
    tasks = [
        asyncio.create_task(_relay(process.stdout, socket, stirred)),
        asyncio.create_task(_control(socket, process.stdin, stirred)),
        asyncio.create_task(_alone(socket, stirred, desk.idle_s)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        if process.returncode is None:
            process.kill()  # it only reads: nothing can be left half done. First, for we may be cancelled once more
        await asyncio.wait(tasks)  # unlike gather, it hands on who cancelled us
        await process.wait()


async def _relay(stream: asyncio.StreamReader, socket: WebSocket, stirred: asyncio.Event) -> None:
    """The process's messages to the listener, no faster than he takes them."""
    try:
        while True:
            head = await stream.readexactly(5)
            length = int.from_bytes(head[1:], "little")
            assert length <= MESSAGE_BYTES_MAX
            data = await stream.readexactly(length)
            await send(socket, data if head[:1] == b"B" else data.decode())
            stirred.set()
    except asyncio.IncompleteReadError:
        await _end(socket, ENDED)


async def _control(socket: WebSocket, stdin: asyncio.StreamWriter, stirred: asyncio.Event) -> None:
    """The listener's wishes to the process; returns when he has left or said something else than a wish."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        try:
            wish = Wish.model_validate_json(message.get("text") or "")
        except ValidationError as error:
            await socket.close(1008, _sentence(error))
            return
        try:
            stdin.write(wish.model_dump_json(exclude_none=True).encode() + b"\n")
            await stdin.drain()
        except ConnectionError:
            return  # the process has ended: what it said last is being told
        stirred.set()


async def _alone(socket: WebSocket, stirred: asyncio.Event, idle_s: float) -> None:
    """Returns when nothing was said in either direction for so long."""
    try:
        while True:
            async with asyncio.timeout(idle_s):
                await stirred.wait()
            stirred.clear()
    except TimeoutError:
        await _end(socket, IDLE)


async def _end(socket: WebSocket, why: dict[str, Any]) -> None:
    await socket.send_text(jsonlib.dumps(why))
    await socket.close(1000)
