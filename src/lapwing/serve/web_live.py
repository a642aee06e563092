"""The live WebSocket (docs/wire.md): hello, then pictures and changes to one listener; and where the time goes.

Refuses what listeners say, but for one thing that changes no picture: which picture they have drawn (serve/timing.py).
"""

import asyncio
import time
from typing import Protocol

from fastapi import Depends, FastAPI, Response, WebSocket

from lapwing.records import Picture
from lapwing.serve.answers import json, only_known, send
from lapwing.serve.telling import Parcel, Teller
from lapwing.serve.timing import WINDOW_S, Drawn, Timing


class Pictures(Protocol):
    """Where pictures are waited for."""

    async def wait(self, after_tick: int) -> Picture:
        """The newest picture as soon as its tick is greater than `after_tick`."""


class LiveDesk(Protocol):
    """What listeners share."""

    clients: int
    clients_max: int
    hello: str
    timing: Timing

    @property
    def shelf(self) -> Pictures:
        """Where the pictures come from."""

    async def prepare(self, picture: Picture) -> None:
        """Whatever the parcel needs that takes long."""

    def parcel(self, picture: Picture, tables: bool) -> Parcel:
        """The picture's messages, made once for all; its tables only where they are wanted."""


def add_live_routes(app: FastAPI, desk: LiveDesk) -> None:
    """`/v1/live` and `/v1/timing`."""

    @app.websocket("/v1/live")
    async def live(socket: WebSocket) -> None:
        """Hello, then pictures and changes; see docs/wire.md."""
        await _live(socket, desk)

    @app.get("/v1/timing", dependencies=[Depends(only_known)])
    def timing() -> Response:
        """Where the time goes from a sensor's message to the screen, stage by stage, beside its budget."""
        return json({"window_s": WINDOW_S, "stages": desk.timing.rows()})


def _stride(socket: WebSocket) -> int | None:
    text = socket.query_params.get("stride", "5")
    return int(text) if len(text) <= 3 and text.isascii() and text.isdigit() and 1 <= int(text) <= 300 else None


async def _live(socket: WebSocket, desk: LiveDesk) -> None:
    stride = _stride(socket)
    if stride is None:
        await socket.close(1008, "stride must be a whole number of ticks from 1 to 300")
        return
    if desk.clients >= desk.clients_max:
        await socket.close(1013, "too many listeners")
        return
    await socket.accept()
    desk.clients += 1
    drawn = Drawn(desk.timing)
    tasks = [asyncio.create_task(_tell(socket, desk, stride, drawn)), asyncio.create_task(_until_gone(socket, drawn))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a bug in telling must be seen, not swallowed
    finally:
        desk.clients -= 1
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)  # unlike gather, it hands on who cancelled us


async def _until_gone(socket: WebSocket, drawn: Drawn) -> None:
    """Returns when the client has left. Of what it says only `drawn N` is heard, once for every picture sent."""
    while (said := await socket.receive())["type"] != "websocket.disconnect":
        drawn.said(said.get("text") or "", time.time_ns())


async def _tell(socket: WebSocket, desk: LiveDesk, stride: int, drawn: Drawn) -> None:
    """Sends the newest picture whenever one is due. Nothing is queued: while a slow client still takes the last
    message, pictures pass it by, so it costs no memory and delays nobody."""
    await socket.send_text(desk.hello)
    teller, tick = Teller(stride), 0
    while True:
        picture = await desk.shelf.wait(tick)
        tick = picture.tick
        if not teller.due(picture):
            continue
        await desk.prepare(picture)
        tables = teller.tables_due(picture)
        parcel = desk.parcel(picture, tables)
        if tables:
            drawn.sent(tick)
        with desk.timing.of("send"):
            for message in teller.messages(parcel, whole=False):
                await send(socket, message)
