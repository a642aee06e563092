"""PostgreSQL besides: the past of a site copied there, and asked for where it is older than what is kept here.

What is here counts: the journal, its projections (Parquet) and what people did (SQLite) are written first and whole,
whether the database answers or not. A thread of its own copies what is new, each piece with its mark in one
transaction; when the database was away it goes on where it stopped. What retention has removed here before it was
copied is not there either: retention does not wait, and the log says so once. Nothing waits for the database but
questions about times that this machine has forgotten. Secrets are not copied: of accounts only names and roles.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lapwing.engine.alarm_history import COLUMNS as ALARM_COLUMNS
from lapwing.engine.alarm_history import AlarmHistory
from lapwing.engine.history import COLUMNS as PATH_COLUMNS
from lapwing.engine.history import History
from lapwing.engine.parts import HOUR_NS
from lapwing.serve import postgres_tables as tables
from lapwing.serve.accounts import AccountError, Accounts
from lapwing.serve.acts import ActError, journal_of, read_acts
from lapwing.serve.outputs.health import OutputHealth
from lapwing.serve.postgres_link import Away, linked
from lapwing.serve.site_history import HistoryEntry
from lapwing.serve.versions import VersionError, read_versions

log = logging.getLogger("lapwing")
SLICE_NS, SLICE_NS_MAX = 60 * 10**9, 3_600 * 10**9
SLICES_MAX = 30  # in one go
PAUSE_S_MAX = 60.0
BEHIND_S = 30.0  # less than this is the usual pace
QUESTIONS_MAX = 2  # about the past, at one time: each holds a thread while the database thinks
UNREADABLE = (Away, ActError, VersionError, AccountError, OSError, pl.exceptions.PolarsError)


@dataclass(frozen=True)
class Past:
    """What there is to copy."""

    site: str  # its name: one name, one past
    history: History
    alarms: AlarmHistory
    acts: Path
    site_file: Path | None  # whose versions are kept beside it
    accounts: Accounts | None
    now_ns: Callable[[], int]  # time of the newest picture: everything before it is known


class Keeper:
    """One database. `run` belongs to the event loop; `older_paths` and `older_alarms` may be called from any thread."""

    def __init__(self, entry: HistoryEntry, password: str, past: Past) -> None:
        self._entry, self._password, self._past = entry, password, past
        self.health = OutputHealth("history", "postgres", entry.shown())
        self._prepared = False
        self._copied_ns = 0
        self._gap_ns = 0  # until when paths were found missing
        self._told_alarms = pl.DataFrame(schema=ALARM_COLUMNS)
        self._questions = threading.Semaphore(QUESTIONS_MAX)

    async def run(self) -> None:
        """Until cancelled: copy, and after a failure try again, ever more patiently."""
        pause_s = self._entry.every_s
        while True:
            try:
                copied = await asyncio.to_thread(self.copy)
                self.health.connected(f"{self._entry.shown()}, copied up to {_clock(self._copied_ns)}")
                self.health.handed_over(copied, 0, time.time_ns() if copied else self.health.sent_ns)
                pause_s = self._entry.every_s
            except UNREADABLE as error:
                self._prepared = False
                upto = f"copied up to {_clock(self._copied_ns)}; what is still kept here follows when it is back"
                self.health.lost(f"{error} ({upto})")
                pause_s = min(2.0 * pause_s, PAUSE_S_MAX)
            behind_s = (self._past.now_ns() - self._copied_ns) * 1e-9 if self._copied_ns else 0.0
            self.health.waiting = round(behind_s) if behind_s > max(BEHIND_S, 3.0 * self._entry.every_s) else 0
            await asyncio.sleep(pause_s)

    def copy(self) -> int:
        """What is new; how many rows. Raises Away, and the errors of what is read here."""
        with self._linked() as db:
            if not self._prepared:
                tables.prepare(db)
            copied = self._people(db) + self._versions(db) + self._acts(db)
        with self._linked() as db:  # each piece has its own time
            copied += self._alarms(db)
        self._prepared = True
        return copied + self._paths()

    def _linked(self) -> Any:
        return linked(self._entry.postgres, self._password)

    def _paths(self) -> int:
        """Minute by minute, at most SLICES_MAX of them; where there is nothing, in longer steps."""
        until_ns, copied, step_ns = self._past.now_ns(), 0, SLICE_NS
        for _ in range(SLICES_MAX):
            with self._linked() as db:
                since_ns = tables.mark(db, self._past.site, "paths")
                if not copied and since_ns is not None and until_ns - since_ns > HOUR_NS:
                    self._look_for_gap(since_ns)
                since_ns = self._past.history.oldest_ns() if since_ns is None else since_ns
                if since_ns is None or since_ns >= until_ns:
                    break
                end_ns = min(since_ns + step_ns, until_ns)
                count = tables.put_paths(db, self._past.site, self._past.history.rows(since_ns, end_ns).collect())
                tables.set_mark(db, self._past.site, "paths", end_ns)
            copied, self._copied_ns = copied + count, end_ns
            step_ns = SLICE_NS if count else min(2 * step_ns, SLICE_NS_MAX)
        return copied

    def _look_for_gap(self, mark_ns: int) -> None:
        """Say once per gap that what is kept here begins after what is copied: paths may be missing between."""
        oldest_ns = None if mark_ns < self._gap_ns else self._past.history.oldest_ns()
        if oldest_ns is not None and oldest_ns > mark_ns:
            self._gap_ns = oldest_ns
            upto = f"copied up to {_clock(mark_ns)}, and the oldest kept here is of {_clock(oldest_ns)}"
            log.warning("history: %s: what was removed here between them was not copied", upto)

    def _alarms(self, db: Any) -> int:
        """Those raised since the oldest that stood when last looked; of these what has changed."""
        since_ns = tables.mark(db, self._past.site, "alarms") or 0
        rows = self._past.alarms.here(since_ns, self._past.now_ns() + 1)
        changed = rows.join(self._told_alarms, on=list(ALARM_COLUMNS), how="anti") if self._prepared else rows
        tables.put_alarms(db, self._past.site, changed)
        if not rows.is_empty():
            standing = rows.filter(pl.col("cleared_ns") == 0)
            first = standing["raised_ns"].min() if len(standing) else rows["raised_ns"].max()
            tables.set_mark(db, self._past.site, "alarms", int(first))  # type: ignore[arg-type]
        self._told_alarms = rows
        return len(changed)

    def _acts(self, db: Any) -> int:
        journal = journal_of(self._past.acts)
        if not journal:
            return 0
        what = f"acts of {journal}"
        acts = read_acts(self._past.acts, after=tables.mark(db, self._past.site, what) or 0)
        tables.put_acts(db, self._past.site, journal, acts)
        if acts:
            tables.set_mark(db, self._past.site, what, acts[-1].act)
        return len(acts)

    def _versions(self, db: Any) -> int:
        if self._past.site_file is None:
            return 0
        new = read_versions(self._past.site_file, tables.mark(db, self._past.site, "versions") or 0)
        tables.put_versions(db, self._past.site, new)
        if new:
            tables.set_mark(db, self._past.site, "versions", new[-1].number)
        return len(new)

    def _people(self, db: Any) -> int:
        return 0 if self._past.accounts is None else tables.put_people(db, self._past.site, self._past.accounts.rows())

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        """A link for a question. Raises Away at once while the database is known to be away or has enough to do."""
        if self.health.up is False:
            raise Away("the copying has found it away")
        if not self._questions.acquire(blocking=False):
            raise Away(f"{QUESTIONS_MAX} questions are open")
        try:
            with self._linked() as db:
                yield db
        finally:
            self._questions.release()

    def older_paths(self, since_ns: int, until_ns: int, kind: int, ident: int) -> pl.DataFrame:
        """Of one subject, what the database holds; nothing while it is away, which its health says, or is busy."""
        with suppress(Away), self._asked() as db:
            return tables.paths(db, self._past.site, (since_ns, until_ns), kind, ident)
        return pl.DataFrame(schema=PATH_COLUMNS)

    def older_alarms(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Alarms that the database holds; nothing while it is away or busy."""
        with suppress(Away), self._asked() as db:
            return tables.alarms(db, self._past.site, (since_ns, until_ns))
        return pl.DataFrame(schema=ALARM_COLUMNS)


def _clock(time_ns: int) -> str:
    return f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC" if time_ns else "nowhere yet"
