"""The running site: recover, listen, tick, publish. The only place where time passes.

Every tick: drain the inbox, journal and commit, then step, then publish. What was not committed never counted; what
was published is in the journal. A recorded site goes the same way with the recording's own clock.
"""

import asyncio
import gc
import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lapwing.engine import codec
from lapwing.engine.alarm_history import AlarmHistory
from lapwing.engine.cell_history import CellHistory
from lapwing.engine.coverage import Coverage
from lapwing.engine.history import History
from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.plan import TICK_NS, Plan
from lapwing.engine.presence import Presence
from lapwing.engine.replay import NEVER, base, freeze, replay
from lapwing.engine.retention import expire
from lapwing.engine.state import State
from lapwing.engine.states import packed
from lapwing.engine.tick import step
from lapwing.engine.track_history import TrackHistory
from lapwing.records import Frame, Picture
from lapwing.serve import recordings
from lapwing.serve.clock import Clock, SystemClock
from lapwing.serve.feeds import listen_to, reason
from lapwing.serve.holds import HoldError
from lapwing.serve.holds import read as holds_of
from lapwing.serve.inbox import Chunk, Inbox
from lapwing.serve.pace import Pace
from lapwing.serve.sapient_nodes import NodeBook, nodes_file
from lapwing.serve.shelf import (
    PictureShelf,
    Stores,
    alarms_folder,
    cells_folder,
    history_folder,
    presence_folder,
    tracks_folder,
)
from lapwing.serve.site import essence
from lapwing.serve.timing import Lag, Lap, Timing

log = logging.getLogger("lapwing")
CHECKPOINT_TICKS = 150
HISTORY_TICKS = 5
IDLE_NS = 1_000_000_000  # a recording's empty time passes in steps of at most this
EXPIRE_NS = 3_600_000_000_000  # how often it is looked for what is too old
DAY_NS = 86_400_000_000_000
SKIP_NS = 600 * 10**9  # and gaps longer than this are jumped over


@dataclass
class Counts:
    """What the runtime did; for the summary and the health page."""

    ticks: int = 0
    late: int = 0  # ticks that began after the next one was due
    step_s_max: float = 0.0
    step_s_total: float = 0.0
    cpu_s: float = 0.0  # of the whole process since the first tick
    wall_s: float = 0.0


class Runtime:
    """One site, from journal to shelf."""

    def __init__(
        self,
        plan: Plan,
        site_text: str,
        folder: Path,
        size_mib_max: float,
        clock: Clock | None = None,
        keep_days: float = 0.0,
    ) -> None:
        self.plan, self.clock = plan, clock or SystemClock()
        self.journal = open_journal(folder, site_text)
        self.history = History(history_folder(folder), plan.site.origin)
        self.cells = CellHistory(cells_folder(folder), plan.site.origin)
        self.alarms = AlarmHistory(alarms_folder(folder), plan.site.origin)
        self.tracks = TrackHistory(tracks_folder(folder))
        self.presence = Presence(presence_folder(folder), plan.site.origin)
        self.coverage = Coverage(plan.site, self.presence.farthest)
        stores = Stores(self.history, self.cells, self.alarms, self.tracks, self.presence)
        self.shelf = PictureShelf(self.journal, stores)
        self.inbox = Inbox(self.clock, pressing={f.feed for f in plan.site.feeds if f.sensor})
        self.nodes = NodeBook(nodes_file(folder))
        self.counts, self.timing = Counts(), Timing()
        self.watchers: list[Callable[[Picture], None]] = []  # see what is published, on the event loop
        self.witness: Callable[[Picture], None] = lambda _: None  # sees every tick, in the stepping thread
        self.recorded_ended = asyncio.Event()
        self._bytes_max = int(size_mib_max * (1 << 20))
        self._digest: tuple[int, bytes] | None = None
        self._first = (0.0, 0.0)
        self._history_fails = False
        self._packer = ThreadPoolExecutor(1, "checkpoint", _humble)
        self._packing: tuple[int, int, Future[bytes]] | None = None  # tick, through_seq, and the state of then
        self._keep_ns, self._expired_ns, self._warned = round(keep_days * DAY_NS), 0, ""
        try:
            self.state, self._picture = self._recover()
        except JournalError:
            self.journal.close()
            raise

    def _recover(self) -> tuple[State, Picture | None]:
        """Last checkpoint + journal tail: the same path as any replay."""
        state, picture = base(self.journal, self.plan, newest=True), None
        lost = [tick for tick in self.journal.checkpoints_before(NEVER) if tick > state.tick]
        if lost:
            log.warning(
                "checkpoints that cannot be used are passed over, from tick %d on: what follows is run again", lost[-1]
            )
        self.history.forget_after(state.tick)
        self.tracks.forget_after(state.tick)
        replayed = 0
        for row in replay(self.journal, self.plan, state):
            state, picture = row.state, row.picture
            self._note(picture, row.frames)
            replayed += 1
        if replayed:
            log.info("recovered: %d ticks of the journal run again, now at tick %d", replayed, state.tick)
        return state, picture

    def _note(self, picture: Picture, frames: Sequence[Frame]) -> None:
        self.coverage.add(picture, frames)
        self.alarms.add(picture)
        self.tracks.add(picture)
        if picture.tick % HISTORY_TICKS == 0:
            self.history.add(picture)
            self.cells.add(picture)
            self.presence.add(picture)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises JournalError (disk full), OSError (own port taken), RecordingError."""
        if self._picture is not None:
            self.shelf.put(self._picture)
        recorded = [f for f in self.plan.site.feeds if f.transport == "file"]
        try:
            if recorded:
                await self._run_recorded(stop, min(f.speed_ratio for f in recorded))
                self.recorded_ended.set()
                await stop.wait()
            else:
                await self._run_live(stop)
        finally:
            self._close()

    def _close(self) -> None:
        try:
            self.journal.begin()
            self._take_packed(wait=True)
            self._save_checkpoint()
            self.journal.commit()
        except JournalError as error:
            log.error("no last checkpoint: %s", error)
        finally:
            self._packer.shutdown()

    async def _run_live(self, stop: asyncio.Event) -> None:
        gc.collect()
        gc.freeze()  # what was loaded stays: to look through it for garbage would hold up a tick by a tenth of a second
        feeds = [asyncio.create_task(self._guarded(f)) for f in self.plan.site.feeds]
        ticker = asyncio.create_task(self._tick_live(stop))
        keeper, lag = asyncio.create_task(self.nodes.keep()), asyncio.create_task(Lag(self.timing).watch())
        try:
            await asyncio.wait([*feeds, ticker], return_when=asyncio.FIRST_COMPLETED)
            for task in (*feeds, ticker):
                if task.done():
                    task.result()
            await ticker
        finally:
            for task in (*feeds, ticker, lag):
                task.cancel()
            await asyncio.gather(*feeds, ticker, lag, return_exceptions=True)
            keeper.cancel()  # last: the nodes' leaving is written down too
            await asyncio.gather(keeper, return_exceptions=True)

    async def _guarded(self, feed) -> None:  # type: ignore[no-untyped-def]
        try:
            await listen_to(feed, self.inbox, self.nodes)
        except OSError as error:
            raise OSError(f"feed {feed.feed!r} cannot listen on {feed.host}:{feed.port}: {reason(error)}") from error
        await asyncio.Event().wait()  # standard input ended: the rest goes on

    async def _tick_live(self, stop: asyncio.Event) -> None:
        pace = Pace(self.inbox.pressed)
        while not stop.is_set():
            late_s = await pace.next()
            if late_s > 0.0:
                self.counts.late += 1
                log.debug("tick %d begins %.0f ms late", self.state.tick + 1, 1000.0 * late_s)
            picture, frames = await asyncio.to_thread(self._advance, self.inbox.drain(), self.clock.now_ns())
            self._publish(picture)
            await asyncio.to_thread(self._remember, picture, frames)

    def _publish(self, picture: Picture) -> None:
        self.counts.wall_s = time.monotonic() - self._first[0]
        self.counts.cpu_s = time.process_time() - self._first[1]
        self.shelf.put(picture)
        for watcher in self.watchers:
            watcher(picture)

    def tick(self, chunks: list[Chunk], now_ns: int) -> Picture:
        """One live tick, whole."""
        picture, frames = self._advance(chunks, now_ns)
        self._remember(picture, frames)
        return picture

    def _advance(self, chunks: list[Chunk], now_ns: int) -> tuple[Picture, list[Frame]]:
        """Journal, commit, step: the part of a live tick for which somebody waits."""
        if chunks:
            oldest_ns = chunks[0][1]
            self.timing.came(self.state.tick + 1, oldest_ns)
            self.timing.add("queue", (now_ns - oldest_ns) * 1e-9)
        self.journal.begin()
        return self._step(chunks, now_ns, commit=True)

    def _step(self, chunks: list[Chunk], now_ns: int, *, commit: bool) -> tuple[Picture, list[Frame]]:
        tick, lap = self.state.tick + 1, Lap(self.timing)
        if self._digest is not None:
            self.journal.witness(*self._digest)
        self._take_packed(wait=False)
        if self.state.tick and self.state.tick % CHECKPOINT_TICKS == 0:
            self._save_checkpoint(beside=commit)
        frames = self.journal.append(tick, max(now_ns, self.state.time_ns), chunks)
        if commit:
            self.journal.commit()
        if self.counts.ticks == 0:
            self._first = (time.monotonic(), time.process_time())
        lap("journal")
        began = time.perf_counter()
        self.state, picture = step(self.state, frames, tick, max(now_ns, self.state.time_ns), self.plan, lap)
        lap("picture")
        lap.end()
        took = time.perf_counter() - began
        self.counts.ticks += 1
        self.counts.step_s_total += took
        self.counts.step_s_max = max(self.counts.step_s_max, took)
        return picture, frames

    def _remember(self, picture: Picture, frames: Sequence[Frame]) -> None:
        """What is kept of a picture: its digest, for the journal with the next tick, and what histories take from it.
        Nobody waits for that; live it is done when the picture is out."""
        with self.timing.of("keep"):
            self._digest = (picture.tick, codec.digest(picture))
            self._note(picture, frames)
            self.witness(picture)

    def _take_packed(self, *, wait: bool) -> None:
        """Into the journal what was packed beside the ticks, once it is. Until then, and where packing failed, the
        checkpoint before it counts."""
        if self._packing is not None and (wait or self._packing[2].done()):
            tick, through_seq, state = self._packing
            self._packing = None
            try:
                data = state.result()
            except Exception as error:  # ticks go on: the checkpoint before counts, the journal has the rest
                self._warn(f"the checkpoint of tick {tick} is left out, it could not be packed: {error!r}", error)
                return
            self.journal.keep_packed(tick, through_seq, data)

    def _save_checkpoint(self, *, beside: bool = False) -> None:
        """The state of the last tick, and everything that must be as new as it. `beside`: packed in a thread of its own
        while ticks go on, because with ten thousand tracks it takes longer than a tick."""
        if self._digest is not None:
            self.journal.witness(*self._digest)
        self.coverage.flush()
        errors: list[OSError] = []
        for store in (self.history, self.cells, self.alarms, self.tracks, self.presence):  # one fails, the rest goes on
            try:
                store.flush()
            except OSError as error:
                errors.append(error)
        if errors and not self._history_fails:
            log.error("%s", "; ".join(map(str, errors)))
        self._history_fails = bool(errors)
        if not beside:
            self.journal.checkpoint(self.state.tick, self.state.through_seq, freeze(self.state))
        elif self._packing is None:  # else the machine is too slow for one every 30 s: this one is left out
            packing = self._packer.submit(self._packed, self.state)
            self._packing = (self.state.tick, self.state.through_seq, packing)
        self._retain()

    def _packed(self, state: State) -> bytes:
        """In a thread of its own: what the journal is given of a state."""
        return self.journal.lay_aside(state.tick, packed(freeze(state)))

    def _retain(self) -> None:
        """Remove what is too old or too much, but nothing that is held."""
        try:
            holds = holds_of(self.journal.folder).standing()
            if self.journal.trim(self._bytes_max, holds) < 0:
                self._warn("the journal is larger than [journal] size_mib_max allows: a hold keeps its oldest part")
            if self._keep_ns and self.state.time_ns - self._expired_ns >= EXPIRE_NS:
                self._expired_ns = self.state.time_ns
                expire(self.journal.folder, self.state.time_ns - self._keep_ns, holds)
        except (HoldError, OSError) as error:
            self._warn(f"nothing old is removed: {error}")

    def _warn(self, text: str, error: Exception | None = None) -> None:
        """Once, until it is another."""
        if text != self._warned:
            self._warned = text
            log.error("%s", text, exc_info=error)

    async def _run_recorded(self, stop: asyncio.Event, speed: float) -> None:
        """Ticks on the recording's own clock; `speed` 0 = as fast as this machine can."""
        batches = _Batches(recordings.chunks(self.plan.site.feeds), self.state.time_ns)
        began, first_ns = time.monotonic(), None
        while not stop.is_set():
            picture = await asyncio.to_thread(self._advance_recorded, batches, 0.2 if speed == 0 else 0.0)
            if picture is None:
                break
            self._publish(picture)
            first_ns = picture.time_ns if first_ns is None else first_ns
            if speed > 0:
                await asyncio.sleep(max(0.0, began + (picture.time_ns - first_ns) * 1e-9 / speed - time.monotonic()))

    def _advance_recorded(self, batches: "_Batches", for_s: float) -> Picture | None:
        """Ticks for `for_s` wall seconds (at least one) in one commit; the last picture, None at the end."""
        until, picture = time.monotonic() + for_s, None
        self.journal.begin()
        while True:
            batch = next(batches, None)
            if batch is None:
                break
            picture, frames = self._step(batch[1], batch[0], commit=False)
            self._remember(picture, frames)
            if time.monotonic() >= until:
                break
        self.journal.commit()
        return picture


@dataclass
class _Batches(Iterator[tuple[int, list[Chunk]]]):
    """The chunks of a recording cut into ticks: (time at the end, chunks)."""

    source: Iterator[Chunk]
    done_ns: int  # a recovered run has these already
    _next: Chunk | None = field(default=None, init=False)
    _now_ns: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._next = next((c for c in self.source if c[1] >= self.done_ns), None)

    def __next__(self) -> tuple[int, list[Chunk]]:
        if self._next is None:
            raise StopIteration
        if self._now_ns == 0 or self._next[1] - self._now_ns > SKIP_NS:
            self._now_ns = self._next[1] - self._next[1] % TICK_NS
        empty_ns = self._next[1] - self._now_ns
        self._now_ns += min(max(empty_ns - empty_ns % TICK_NS, TICK_NS), IDLE_NS)
        out: list[Chunk] = []
        while self._next is not None and self._next[1] < self._now_ns:
            out.append(self._next)
            self._next = next(self.source, None)
        return self._now_ns, out


def _humble() -> None:
    """This thread leaves the cores to the others, where the system knows threads by their number."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def open_journal(folder: Path, site_text: str) -> Journal:
    """The journal of a site for writing. One that belongs to another site is moved aside, never mixed, never deleted.
    Where the picture is shown and sent may change: the picture is the same."""
    journal = Journal(folder, write=True)
    kept = journal.meta("site")
    if kept is not None and essence(kept) != essence(site_text):
        journal.close()
        epoch = hashlib.blake2b(kept.encode(), digest_size=4).hexdigest()
        aside = folder / f"before-{journal.last_seq}-{epoch}"
        aside.mkdir()
        files = [f"{name}.sqlite{tail}" for name in ("journal", "acts") for tail in ("", "-wal", "-shm")]
        for name in (*files, "history", "cells", "alarms", "tracks", "presence", "states"):
            if (folder / name).exists():
                (folder / name).rename(aside / name)
        log.warning("the site file has changed: the journal so far was moved to %s", aside)
        journal = Journal(folder, write=True)
    journal.remember("site", site_text)
    return journal
