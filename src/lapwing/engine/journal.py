"""The journal: every frame that counts, in order, durable before it counts. One SQLite file in WAL mode.

Why SQLite (docs/decisions/0003): atomic group commit, crash recovery that others have proven, readable by any tool.
One transaction per tick holds the tick's frames and its row in `ticks`; after the commit the tick is a fact.
Retention: when the file outgrows its limit the oldest frames are deleted up to a kept checkpoint, so that what
remains can always be replayed from its first frame on.
"""

import fcntl
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from lapwing.engine.retention import Span, held
from lapwing.engine.states import ASIDE_BYTES, StateError, StateFiles, packed, unpacked
from lapwing.records import Frame

FORMAT = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS feeds (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS frames (seq INTEGER PRIMARY KEY, feed INTEGER NOT NULL, received_ns INTEGER NOT NULL,
    crc INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS ticks (tick INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, through_seq INTEGER NOT NULL,
    digest BLOB);
CREATE TABLE IF NOT EXISTS checkpoints (tick INTEGER PRIMARY KEY, through_seq INTEGER NOT NULL, state BLOB NOT NULL);
"""
CUT = (
    "INSERT INTO main.meta SELECT * FROM whole.meta",
    "INSERT INTO main.feeds SELECT * FROM whole.feeds",
    "INSERT INTO main.checkpoints SELECT * FROM whole.checkpoints WHERE tick=:after",
    "INSERT INTO main.ticks SELECT * FROM whole.ticks WHERE tick>:after AND tick<=:through",
    """INSERT INTO main.frames SELECT * FROM whole.frames
    WHERE seq > coalesce((SELECT through_seq FROM whole.checkpoints WHERE tick=:after), 0)
    AND seq <= (SELECT through_seq FROM whole.ticks WHERE tick=:through)""",
)


class JournalError(Exception):
    """The journal cannot be used; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One committed tick: frames up to `through_seq` belong to pictures up to it."""

    tick: int
    time_ns: int
    through_seq: int
    digest: bytes | None  # of the picture; None when the process died before it was known


class Journal:
    """An open journal folder. One writer at a time (a lock file says so); any number of readers."""

    def __init__(self, folder: Path, *, write: bool) -> None:
        self.folder = folder
        self._lock: IO[bytes] | None = None
        self._db: sqlite3.Connection = None  # type: ignore[assignment]  # set below, or the constructor raises
        self._mutex = threading.Lock()  # the web reads evidence while the engine's thread writes
        self._feeds: dict[str, int] = {}
        self._states = StateFiles(folder / "states")
        try:
            if write:
                folder.mkdir(parents=True, exist_ok=True)
                self._lock = _locked(folder / "lock")
            elif not (folder / "journal.sqlite").exists():
                raise JournalError(f"{folder} holds no journal")
            path = (folder / "journal.sqlite").absolute().as_uri() + ("" if write else "?mode=ro")
            self._db = sqlite3.connect(path, uri=True, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA busy_timeout=5000")
            if write:
                self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)
            self._check_format(write)
            self._feeds = {name: i for i, name in self._db.execute("SELECT id, name FROM feeds")}
            row = self._db.execute("SELECT max(seq) FROM frames").fetchone()
            self.last_seq = max(row[0] or 0, self._tail_seq())
        except (sqlite3.Error, OSError, JournalError) as error:
            self.close()
            if isinstance(error, JournalError):
                raise
            text = error.strerror if isinstance(error, OSError) else str(error)
            raise JournalError(f"cannot use the journal in {folder}: {text}") from error

    def _check_format(self, write: bool) -> None:
        row = self._db.execute("SELECT value FROM meta WHERE key='format'").fetchone()
        if row is None and write:
            self._db.execute("INSERT INTO meta VALUES ('format', ?)", (str(FORMAT),))
        elif row is None or row[0] != str(FORMAT):
            raise JournalError(
                f"{self.folder} holds a journal of format {row and row[0]}, this software reads {FORMAT}"
            )

    def _tail_seq(self) -> int:
        row = self._db.execute("SELECT through_seq FROM ticks ORDER BY tick DESC LIMIT 1").fetchone()
        return int(row[0]) if row else 0

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the files."""
        if self._db is not None:
            self._db.close()
        if self._lock is not None:
            self._lock.close()

    def meta(self, key: str) -> str | None:
        """A remembered word, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE key=?", (key,)).fetchone()
        return str(row[0]) if row else None

    def remember(self, key: str, value: str) -> None:
        """Keep a word with the journal (the site file it belongs to, say)."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def begin(self) -> None:
        """Start a transaction: nothing until `commit` counts."""
        self._write("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Everything since `begin` is durable when this returns. Raises JournalError (disk full) otherwise."""
        self._write("COMMIT")

    def settle(self) -> None:
        """Make it one file again, as one that is handed on should be."""
        self._write("PRAGMA journal_mode=DELETE")

    def append(self, tick: int, time_ns: int, chunks: Sequence[tuple[str, int, bytes]]) -> list[Frame]:
        """The frames of one tick with their numbers, from (feed, received_ns, bytes) in order of arrival."""
        frames = [Frame(self.last_seq + 1 + i, *chunk) for i, chunk in enumerate(chunks)]
        try:
            with self._mutex:
                self._db.executemany(
                    "INSERT INTO frames VALUES (?,?,?,?,?)",
                    ((f.seq, self._feed_id(f.feed), f.received_ns, zlib.crc32(f.data), f.data) for f in frames),
                )
                through = self.last_seq + len(frames)
                self._db.execute("INSERT INTO ticks VALUES (?,?,?,NULL)", (tick, time_ns, through))
        except sqlite3.Error as error:
            raise JournalError(_sentence(self.folder, error)) from error
        self.last_seq = through
        return frames

    def _feed_id(self, name: str) -> int:
        if name not in self._feeds:
            cursor = self._db.execute("INSERT INTO feeds (name) VALUES (?)", (name,))
            self._feeds[name] = int(cursor.lastrowid or 0)
        return self._feeds[name]

    def witness(self, tick: int, digest: bytes) -> None:
        """Record the digest of the picture that this tick gave."""
        self._write("UPDATE ticks SET digest=? WHERE tick=?", (digest, tick))

    def checkpoint(self, tick: int, through_seq: int, state: bytes, keep: int = 21) -> None:
        """Store a state, as `keep_packed` does."""
        self.keep_packed(tick, through_seq, packed(state), keep)

    def lay_aside(self, tick: int, state: bytes) -> bytes:
        """What `keep_packed` is to be given of a packed state: nothing, where it is large and has its own file now.
        May take long; for any thread, one at a time. Raises OSError."""
        self._states.only(self._kept() | {tick})
        if len(state) < ASIDE_BYTES:
            return state
        self._states.put(tick, state)
        return b""

    def _kept(self) -> set[int]:
        with self._mutex:
            return {int(tick) for (tick,) in self._db.execute("SELECT tick FROM checkpoints")}

    def keep_packed(self, tick: int, through_seq: int, state: bytes, keep: int = 21) -> None:
        """Store a state that is packed already; of older ones keep the first (the base of what is retained), the last
        few (ten minutes at one every 30 s, so that a replay of what just happened begins near) and one in ten."""
        self._write("INSERT OR REPLACE INTO checkpoints VALUES (?,?,?)", (tick, through_seq, state))
        self._write(
            "DELETE FROM checkpoints WHERE tick NOT IN (SELECT tick FROM checkpoints ORDER BY tick DESC LIMIT ?)"
            " AND tick != (SELECT min(tick) FROM checkpoints) AND tick % 1500 != 0",
            (keep,),
        )

    def trim(self, bytes_max: int, holds: Sequence[Span] = ()) -> int:
        """Forget the oldest frames until the live data fits; the number of frames forgotten, -1 where a hold keeps
        them. Never cuts what the oldest remaining checkpoint needs."""
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size + self._states.size(self._kept()) <= bytes_max:
            return 0
        row = self._db.execute("SELECT tick, through_seq FROM checkpoints ORDER BY tick LIMIT 1 OFFSET 1").fetchone()
        if row is None:
            return 0
        times = "SELECT min(time_ns), max(time_ns) FROM ticks WHERE tick <= ?"
        first_ns, last_ns = self._db.execute(times, (row[0],)).fetchone()
        if first_ns is not None and held(first_ns, last_ns + 1, holds):
            return -1
        with self._mutex:
            cursor = self._db.execute("DELETE FROM frames WHERE seq <= ?", (row[1],))
            self._db.execute("DELETE FROM ticks WHERE tick <= ?", (row[0],))
            self._db.execute("DELETE FROM checkpoints WHERE tick < ?", (row[0],))
        return cursor.rowcount

    def latest_checkpoint(self) -> tuple[int, bytes] | None:
        """Tick and state of the newest checkpoint."""
        return self._checkpoint("DESC")

    def first_checkpoint(self) -> tuple[int, bytes] | None:
        """The same of the oldest checkpoint kept."""
        return self._checkpoint("ASC")

    def _checkpoint(self, order: str) -> tuple[int, bytes] | None:
        row = self._db.execute(f"SELECT tick, state FROM checkpoints ORDER BY tick {order} LIMIT 1").fetchone()
        return (int(row[0]), self._whole(*row)) if row else None

    def _whole(self, tick: int, state: bytes) -> bytes:
        """A state, from the journal or from its own file."""
        try:
            return unpacked(state or self._states.get(tick))
        except StateError as error:
            raise JournalError(str(error)) from error

    def state_at(self, tick: int) -> bytes | None:
        """The checkpoint of one tick."""
        row = self._db.execute("SELECT tick, state FROM checkpoints WHERE tick=?", (tick,)).fetchone()
        return self._whole(*row) if row else None

    def checkpoints_before(self, tick: int) -> list[int]:
        """Ticks with a checkpoint before one, newest first."""
        rows = self._db.execute("SELECT tick FROM checkpoints WHERE tick<? ORDER BY tick DESC", (tick,))
        return [int(row[0]) for row in rows]

    def span(self, since_ns: int, until_ns: int) -> tuple[int, int] | None:
        """First and last committed tick with since_ns <= time_ns < until_ns, or None."""
        row = self._db.execute(
            "SELECT min(tick), max(tick) FROM ticks WHERE time_ns>=? AND time_ns<?", (since_ns, until_ns)
        ).fetchone()
        return None if row[0] is None else (int(row[0]), int(row[1]))

    def cut(self, folder: Path, after_tick: int, through_tick: int) -> None:
        """Write a journal of its own into an empty folder: the ticks after one (0, or one with a checkpoint, which
        goes along) through another, with their frames and digests. A live writer is not disturbed."""
        try:
            with closing(sqlite3.connect(folder / "journal.sqlite", uri=True, isolation_level=None)) as part:
                part.executescript(SCHEMA)
                whole = (self.folder / "journal.sqlite").absolute().as_uri()
                part.execute("ATTACH ? AS whole", (f"{whole}?mode=ro",))
                part.execute("BEGIN")
                for sql in CUT:
                    part.execute(sql, {"after": after_tick, "through": through_tick})
                if part.execute("SELECT 1 FROM main.checkpoints WHERE state=x''").fetchone():
                    part.execute("UPDATE main.checkpoints SET state=?", (self._states.get(after_tick),))
                part.execute("COMMIT")
        except (sqlite3.Error, StateError) as error:
            raise JournalError(f"a part of the journal {self.folder} cannot be copied: {error}") from error

    def first_tick(self) -> int | None:
        """The oldest tick whose frames are kept."""
        row = self._db.execute("SELECT min(tick) FROM ticks").fetchone()
        return None if row[0] is None else int(row[0])

    def ticks(self, after_tick: int) -> Iterator[tuple[Tick, list[Frame]]]:
        """Committed ticks after one, each with its frames. Raises JournalError at a frame whose checksum is wrong."""
        names: dict[int, str] = dict(self._db.execute("SELECT id, name FROM feeds").fetchall())
        row = self._db.execute("SELECT through_seq FROM ticks WHERE tick<=? ORDER BY tick DESC LIMIT 1", (after_tick,))
        done = (row.fetchone() or (None,))[0]
        if done is None:
            done = (self._db.execute("SELECT min(seq) FROM frames").fetchone()[0] or 1) - 1
        for tick, time_ns, through, digest in self._db.execute(
            "SELECT tick, time_ns, through_seq, digest FROM ticks WHERE tick>? ORDER BY tick", (after_tick,)
        ):
            rows = self._db.execute(
                "SELECT seq, feed, received_ns, crc, data FROM frames WHERE seq>? AND seq<=? ORDER BY seq",
                (done, through),
            ).fetchall()
            yield Tick(tick, time_ns, through, digest), [_frame(names, r) for r in rows]
            done = through

    def part(self, after_tick: int, after_seq: int, ticks_max: int) -> list[tuple[Tick, list[Frame]]]:
        """Committed ticks after one (with what follows its last frame), at most so many; fewer at the end. Read at
        once: between two calls nothing is held open, so a reader who takes his time keeps no writer from tidying up.
        Only of a journal opened for reading. Raises JournalError when the oldest part was deleted meanwhile, or a
        frame is damaged."""
        sql = "SELECT tick, time_ns, through_seq, digest FROM ticks WHERE tick>? ORDER BY tick LIMIT ?"
        try:
            self._db.execute("BEGIN")
            ticks = [Tick(*row) for row in self._db.execute(sql, (after_tick, ticks_max))]
            names: dict[int, str] = dict(self._db.execute("SELECT id, name FROM feeds").fetchall())
            rows = self._db.execute(
                "SELECT seq, feed, received_ns, crc, data FROM frames WHERE seq>? AND seq<=? ORDER BY seq",
                (after_seq, ticks[-1].through_seq if ticks else after_seq),
            ).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"the journal {self.folder} cannot be read: {error}") from error
        finally:
            self._db.rollback()
        if ticks and ticks[0].tick != after_tick + 1:
            raise JournalError("the journal no longer holds that moment: its oldest part was deleted to save space")
        frames = [_frame(names, row) for row in rows]
        ends = np.searchsorted([f.seq for f in frames], [t.through_seq for t in ticks], side="right").tolist()
        return [(t, frames[a:b]) for t, a, b in zip(ticks, [0, *ends], ends, strict=False)]

    def extent_ns(self) -> tuple[int, int] | None:
        """Times of the first and the last tick that are kept, or None."""
        with self._mutex:
            row = self._db.execute(
                "SELECT (SELECT time_ns FROM ticks ORDER BY tick LIMIT 1),"
                " (SELECT time_ns FROM ticks ORDER BY tick DESC LIMIT 1)"
            ).fetchone()
        return None if row[0] is None else (int(row[0]), int(row[1]))

    def tick_at(self, time_ns: int) -> int | None:
        """The newest tick that is not after a time; the first one kept when all are; None in an empty journal."""
        first, last = self._db.execute("SELECT min(tick), max(tick) FROM ticks").fetchone()
        while first is not None and first < last:
            middle = (first + last + 1) // 2
            row = self._db.execute("SELECT time_ns FROM ticks WHERE tick=?", (middle,)).fetchone()
            if row is None or row[0] <= time_ns:  # None: deleted meanwhile, so it was old
                first = middle
            else:
                last = middle - 1
        return None if first is None else int(first)

    def settled(self) -> int:
        """The newest tick whose picture is known by its digest: the newest of all, or the one before it while that is
        still being made. 0 = none."""
        rows = self._db.execute("SELECT tick, digest FROM ticks ORDER BY tick DESC LIMIT 2").fetchall()
        return 0 if not rows else int(rows[0][0] if rows[0][1] is not None else rows[1][0] if rows[1:] else 0)

    def frame(self, seq: int) -> Frame | None:
        """One frame: the bytes behind a piece of evidence, or None when it is not (or no longer) there."""
        with self._mutex:
            row = self._db.execute(
                "SELECT seq, feed, received_ns, crc, data FROM frames WHERE seq=?", (seq,)
            ).fetchone()
        names = {i: name for name, i in self._feeds.items()}
        return _frame(names, row) if row else None

    def feeds_of(self, seqs: Sequence[int]) -> dict[int, str]:
        """Which feed delivered each of these entries, of those that are there."""
        names = {i: name for name, i in self._feeds.items()}
        sql = f"SELECT seq, feed FROM frames WHERE seq IN ({','.join('?' * len(seqs))})"
        with self._mutex:
            rows = self._db.execute(sql, tuple(seqs)).fetchall()
        return {int(seq): names.get(feed, "?") for seq, feed in rows}

    def _write(self, sql: str, values: tuple[object, ...] = ()) -> None:
        try:
            with self._mutex:
                self._db.execute(sql, values)
        except sqlite3.Error as error:
            raise JournalError(_sentence(self.folder, error)) from error


def _sentence(folder: Path, error: sqlite3.Error) -> str:
    if "full" in str(error):
        return f"the disk that holds the journal {folder} is full: nothing more can be recorded"
    return f"the journal {folder} cannot be written: {error}"


def _frame(names: dict[int, str], row: tuple[int, int, int, int, bytes]) -> Frame:
    seq, feed, received_ns, crc, data = row
    if zlib.crc32(data) != crc:
        raise JournalError(f"journal entry {seq} is damaged: its checksum does not match")
    return Frame(seq, names.get(feed, "?"), received_ns, data)


def is_plain(path: Path) -> bool:
    """Whether a database file from a stranger has the tables of a journal and nothing else (no view, no trigger)."""
    listing = "SELECT type, name, tbl_name, sql FROM sqlite_master"
    with closing(sqlite3.connect(":memory:")) as model, closing(sqlite3.connect(path)) as db:
        model.executescript(SCHEMA)
        wanted = set(model.execute(listing))
        try:
            db.execute("PRAGMA trusted_schema=OFF")
            return set(db.execute(listing).fetchmany(2 * len(wanted))) == wanted
        except sqlite3.Error:
            return False


def _locked(path: Path) -> IO[bytes]:
    handle = path.open("wb")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise JournalError(f"another Lapwing is already writing the journal in {path.parent}") from None
    handle.write(str(os.getpid()).encode())
    handle.flush()
    return handle
