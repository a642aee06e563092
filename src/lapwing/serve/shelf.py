"""The shelf: the latest picture, and the ways to older ones. All that the web can reach of the engine."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lapwing.engine.alarm_history import AlarmHistory
from lapwing.engine.cell_history import CellHistory
from lapwing.engine.history import CLAIM, TRACK, History
from lapwing.engine.journal import Journal
from lapwing.engine.presence import Presence
from lapwing.engine.track_history import TrackHistory
from lapwing.records import Array, Frame, Picture


@dataclass(frozen=True, slots=True)
class Stores:
    """The projections of one site."""

    history: History
    cells: CellHistory
    alarms: AlarmHistory
    tracks: TrackHistory
    presence: Presence


class PictureShelf:
    """Pictures for many readers; belongs to one event loop."""

    def __init__(self, journal: Journal, stores: Stores) -> None:
        self._journal, self._stores = journal, stores
        self._latest: Picture | None = None
        self._changed = asyncio.Event()

    def put(self, picture: Picture) -> None:
        """A new picture; wakes everyone who waits."""
        self._latest = picture
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def latest(self) -> Picture | None:
        """The newest picture, or None before the first tick."""
        return self._latest

    async def wait(self, after_tick: int) -> Picture:
        """The newest picture once it is newer than `after_tick`."""
        while self._latest is None or self._latest.tick <= after_tick:
            await self._changed.wait()
        return self._latest

    def frame(self, seq: int) -> Frame | None:
        """One journal entry: the bytes behind a piece of evidence."""
        return self._journal.frame(seq)

    def history(self, since_ns: int, until_ns: int, kind: str, ident: int) -> dict[str, Array]:
        """Columns of one track's or claim's past; see engine/history.py."""
        return self._stores.history.query(since_ns, until_ns, {"track": TRACK, "claim": CLAIM}[kind], ident)

    def cells(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Who was in which cell, ten minutes by ten minutes; see engine/cell_history.py."""
        return self._stores.cells.query(since_ns, until_ns)

    def extent_ns(self) -> tuple[int, int] | None:
        """Times of the first and the last picture that can be replayed, or None."""
        return self._journal.extent_ns()

    def alarms(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Alarms raised in an interval, as they were last seen; see engine/alarm_history.py."""
        return self._stores.alarms.query(since_ns, until_ns)

    def beliefs(self, since_ns: int, until_ns: int, track_id: int) -> pl.DataFrame:
        """What was believed of one track; see engine/track_history.py."""
        return self._stores.tracks.query(since_ns, until_ns, track_id)

    def presence(self) -> Presence:
        """Who was there in which hour; see engine/presence.py."""
        return self._stores.presence

    def rows(self, since_ns: int, until_ns: int) -> pl.LazyFrame:
        """The paths of everybody in an interval; see engine/history.py."""
        return self._stores.history.rows(since_ns, until_ns)

    def feeds_of(self, seqs: Sequence[int]) -> dict[int, str]:
        """Which feed delivered each of these journal entries, of those that are there."""
        return self._journal.feeds_of(seqs)


def history_folder(journal_folder: Path) -> Path:
    """Where the history of a journal lies."""
    return journal_folder / "history"


def cells_folder(journal_folder: Path) -> Path:
    """Where its cells lie."""
    return journal_folder / "cells"


def alarms_folder(journal_folder: Path) -> Path:
    """Where its alarms lie."""
    return journal_folder / "alarms"


def tracks_folder(journal_folder: Path) -> Path:
    """Where what was believed of its tracks lies."""
    return journal_folder / "tracks"


def presence_folder(journal_folder: Path) -> Path:
    """Where it lies who was there in which hour."""
    return journal_folder / "presence"
