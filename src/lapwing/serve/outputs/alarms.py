"""Alarm outputs at work: news into the outbox as they happen, messages out of it as they are due."""

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lapwing.records import AlarmState, Picture, Site, TrackStatus
from lapwing.serve.acts import Act, Acts
from lapwing.serve.feeds import reason
from lapwing.serve.outputs import choosing
from lapwing.serve.outputs.entries_alarms import AlarmOutput
from lapwing.serve.outputs.health import OutputHealth
from lapwing.serve.outputs.messengers import EmailMessenger, HttpMessenger, Messenger, MqttMessenger
from lapwing.serve.outputs.news import Listener
from lapwing.serve.outputs.outbox import News, Outbox, Waiting
from lapwing.serve.outputs.overdue import Overdue
from lapwing.serve.outputs.quiet import held

log = logging.getLogger("lapwing.outputs")
OPEN_S = 5.0
FAILED_S = 5.0  # pause after our own bug or a disk that refuses
COUNT_S = 2.0  # how often its health is counted when nothing happens
LOOK_S = 0.25  # how often the outbox is looked into
HELD_MAX = 10_000  # news that wait for a disk
MESSENGERS: dict[str, Callable[[Any, Path], Messenger]] = {
    "webhook": HttpMessenger, "ntfy": HttpMessenger, "cap": HttpMessenger, "email": EmailMessenger,
    "mqtt": MqttMessenger,
}  # fmt: skip
FAILURES = (OSError, TimeoutError, ValueError)


class AlarmOutputs:
    """All of them, around one outbox."""

    def __init__(
        self, entries: list[tuple[AlarmOutput, OutputHealth]], site: Site, folder: Path, store: Path, acts: Acts | None
    ) -> None:
        self._entries, self._folder, self._store = entries, folder, store
        self._listener = Listener(site)
        self._overdue = [
            (e.name, Overdue(e.unacknowledged_s, self._listener)) for e, _ in entries if e.unacknowledged_s
        ]
        self._acts = acts
        self._held: deque[tuple[str, News]] = deque(maxlen=HELD_MAX)  # for one output, or "" for all
        self._picture: Picture | None = None
        self._outbox: Outbox | None = None

    def put(self, picture: Picture) -> None:
        """A published picture: only its news are kept."""
        self._held.extend(("", n) for n in self._listener.hear(picture))
        standing = self._standing(picture) if self._overdue else {}
        for name, overdue in self._overdue:
            self._held.extend((name, n) for n in overdue.hear(picture, standing))
        self._picture = picture

    def _standing(self, picture: Picture) -> dict[int, dict[str, Act]]:
        """What people did about the alarms of a picture, as far as it stands."""
        if self._acts is None:
            return {}
        return self._acts.standing(
            dict(zip(picture.alarms.alarm_id.tolist(), picture.alarms.priority.tolist(), strict=True))
        )

    def test(self, news: News) -> None:
        """A test: for every alarm output, whatever it is told otherwise."""
        self._held.append(("", news))

    def became(self, key: str) -> dict[str, tuple[str, str]]:
        """What became of one message, per alarm output: its state, and why it failed. Waits for the disk."""
        try:
            known = self._outbox.states(key) if self._outbox is not None else {}
        except sqlite3.Error as error:
            known = {entry.name: ("waiting", f"the alarm outbox cannot be read: {error}") for entry, _ in self._entries}
        return {entry.name: known.get(entry.name, ("waiting", "")) for entry, _ in self._entries}

    async def run(self) -> None:
        """Until cancelled."""
        outbox = self._outbox = await self._opened()
        lock = asyncio.Lock()  # one thread at a time
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._store_news(outbox, lock))
                for entry, health in self._entries:
                    messenger = MESSENGERS[str(getattr(entry, "kind", ""))](entry, self._folder)
                    group.create_task(self._deliver(outbox, lock, entry, messenger, health))
        finally:
            outbox.close()

    async def _opened(self) -> Outbox:
        """The store, as soon as the disk gives it; news wait in memory until then."""
        while True:
            try:
                return await asyncio.to_thread(Outbox, self._store)
            except (sqlite3.Error, OSError) as error:
                for _, health in self._entries:
                    health.lost(f"the alarm outbox {self._store} cannot be opened: {error}")
            await asyncio.sleep(OPEN_S)

    async def _store_news(self, outbox: Outbox, lock: asyncio.Lock) -> None:
        """From memory to the disk; while the disk refuses, memory keeps them."""
        said = False
        while True:
            news = list(self._held)
            if news:
                try:
                    async with lock:
                        await asyncio.to_thread(self._write, outbox, news)
                    while self._held and any(self._held[0] is n for n in news):
                        self._held.popleft()
                    said = False
                except sqlite3.Error as error:
                    if not said:
                        log.error("the alarm outbox cannot be written: %s", error)
                    said = True
            await asyncio.sleep(LOOK_S)

    def _write(self, outbox: Outbox, news: list[tuple[str, News]]) -> None:
        for entry, _ in self._entries:
            mine = [n for name, n in news if name in ("", entry.name)]
            for run in choosing.runs(entry, mine, outbox):
                now_ns = time.time_ns()
                outbox.put([held(entry.quiet, n, now_ns) for n in run], [entry.name], now_ns)

    def _due(self, outbox: Outbox, entry: AlarmOutput, most: int) -> list[Waiting]:
        """What may be tried now, and is still true."""
        now_ns = time.time_ns()
        due = choosing.together(entry, outbox.due(entry.name, now_ns, most), outbox, now_ns)
        if not entry.unacknowledged_s or not due:
            return due
        picture = self._picture
        return [] if picture is None else choosing.still_true(entry, due, outbox, (picture, self._acts))

    async def _deliver(
        self, outbox: Outbox, lock: asyncio.Lock, entry: AlarmOutput, messenger: Messenger, health: OutputHealth
    ) -> None:
        """One output for ever. A failure waits in the outbox; a bug of ours is told and tried again."""
        shown_s, counted_s = 0.0, 0.0
        taken: list[Waiting] = []  # by the other side, which the disk is still to be told
        try:
            while True:
                try:
                    async with lock:
                        await asyncio.to_thread(outbox.sent, taken)
                        taken = []
                        due = await asyncio.to_thread(self._due, outbox, entry, messenger.at_once)
                    if due:
                        taken = await self._try(outbox, lock, messenger, health, due)
                    if due or time.monotonic() >= counted_s:
                        counted_s = time.monotonic() + COUNT_S
                        async with lock:
                            counts = await asyncio.to_thread(outbox.counts, entry.name)
                        waiting = counts.get("waiting", 0) - len(taken)
                        health.waiting, health.dropped = waiting, counts.get("given up", 0)
                    if isinstance(messenger, MqttMessenger) and time.monotonic() >= shown_s:
                        shown_s = time.monotonic() + getattr(entry, "period_s", 5.0)
                        await self._show(messenger, health)
                except Exception:
                    log.exception("output %s failed; this is a bug or the disk", entry.name)
                    health.lost("failed")
                    await asyncio.sleep(FAILED_S)
                await asyncio.sleep(LOOK_S)
        finally:
            if isinstance(messenger, MqttMessenger):
                with contextlib.suppress(asyncio.CancelledError):
                    await messenger.close()

    async def _try(
        self, outbox: Outbox, lock: asyncio.Lock, messenger: Messenger, health: OutputHealth, due: list[Waiting]
    ) -> list[Waiting]:
        """Those that were taken by the other side."""
        try:
            size = await messenger.send([m.news for m in due])
        except FAILURES as error:
            health.lost(reason(error))
            async with lock:
                await asyncio.to_thread(outbox.failed, due, reason(error), time.time_ns())
            return []
        health.connected(health.to)
        health.handed_over(len(due), size, time.time_ns())
        return due

    async def _show(self, messenger: MqttMessenger, health: OutputHealth) -> None:
        picture = self._picture
        if picture is None:
            return
        state = {
            "alarms": int((picture.alarms.state != AlarmState.CLEARED).sum()),
            "tracks": int((picture.tracks.status == TrackStatus.CONFIRMED).sum()),
            "tick": picture.tick,
        }
        try:
            await messenger.show(state)
            health.connected(health.to)
        except FAILURES as error:
            health.lost(reason(error))
