"""What people did about alarms: who saw one and when, who put one aside until when, what they noted.

One append-only SQLite file beside the journal, because an alarm's number belongs to that journal and both are evidence.
Nothing is ever changed or deleted: the newest act about an alarm is what stands. The picture does not depend on any of
it: a machine's alarm stays the machine's, so replay gives the same pictures whatever people did. There are no accounts
yet: a name is what the person typed, kept with the address that it came from.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ACTS_MAX = 1_000_000
SHELVE_S_MAX = 24 * 3600
SCHEMA = """
CREATE TABLE IF NOT EXISTS acts (act INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, picture_ns INTEGER NOT NULL,
    alarm INTEGER NOT NULL, verb TEXT NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL, until_ns INTEGER NOT NULL,
    peer TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS acts_alarm ON acts (alarm, act);
CREATE TRIGGER IF NOT EXISTS acts_kept BEFORE UPDATE ON acts BEGIN SELECT RAISE(ABORT, 'acts are kept'); END;
CREATE TRIGGER IF NOT EXISTS acts_stay BEFORE DELETE ON acts BEGIN SELECT RAISE(ABORT, 'acts are kept'); END;
"""
Verb = Literal["acknowledge", "shelve", "unshelve", "note"]


class ActError(Exception):
    """An act that cannot be taken; the message is one sentence for a person."""


class Wanted(BaseModel):
    """What a person asks for, as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    alarm: Annotated[int, Field(ge=1, le=2**53)]
    verb: Verb
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""
    for_s: Annotated[int, Field(ge=0, le=SHELVE_S_MAX)] = 0


@dataclass(frozen=True, slots=True)
class Act:
    """One act. `until_ns` of a shelving is in the picture's time, as the alarm's own times are."""

    act: int
    at_ns: int  # by this machine's clock
    picture_ns: int  # the picture that the person saw
    alarm: int
    verb: str
    name: str
    note: str
    until_ns: int
    peer: str


class Acts:
    """The file. Any thread. Raises ActError where it cannot be opened, read or written."""

    def __init__(self, path: Path) -> None:
        self._path, self._mutex = path, threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;" + SCHEMA
            )
            self.count = int(self._db.execute("SELECT coalesce(max(act), 0) FROM acts").fetchone()[0])
        except (sqlite3.Error, OSError) as error:
            raise ActError(f"cannot keep what people do about alarms in {path}: {error}") from error

    def add(self, wanted: Wanted, picture_ns: int, peer: str) -> Act:
        """Write one act down; it is on the disk when this returns."""
        if wanted.verb == "shelve" and wanted.for_s == 0:
            raise ActError("To shelve an alarm needs for_s, the seconds until it comes back.")
        if wanted.verb == "note" and not wanted.note:
            raise ActError("A note needs words.")
        if self.count >= ACTS_MAX:
            raise ActError(f"There are {ACTS_MAX} acts already; begin a new journal.")
        until = picture_ns + wanted.for_s * 10**9 if wanted.verb == "shelve" else 0
        row = (time.time_ns(), picture_ns, wanted.alarm, wanted.verb, wanted.name, wanted.note, until, peer)
        with self._mutex:
            try:
                number = self._db.execute(
                    "INSERT INTO acts (at_ns, picture_ns, alarm, verb, name, note, until_ns, peer) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                ).lastrowid
            except sqlite3.Error as error:
                raise ActError(f"cannot write to {self._path.name}: {error}") from error
            self.count = int(number or 0)
        return Act(self.count, *row)

    def about(self, alarm: int) -> list[Act]:
        """All acts about one alarm, oldest first."""
        with self._mutex:
            try:
                rows = self._db.execute(f"SELECT {COLUMNS} FROM acts WHERE alarm=? ORDER BY act", (alarm,)).fetchall()
            except sqlite3.Error as error:
                raise ActError(f"cannot read {self._path.name}: {error}") from error
        return [Act(*row) for row in rows]

    def standing(self, alarms: Iterable[int]) -> dict[int, dict[str, Act]]:
        """Per alarm the acts that stand: the newest acknowledgement, shelving and note. What is shelved until a time
        that has passed is for the reader to see."""
        out: dict[int, dict[str, Act]] = {}
        for alarm in alarms:
            stands: dict[str, Act] = {}
            for act in self.about(alarm):
                stands[act.verb] = act
                if act.verb == "unshelve":
                    stands.pop("shelve", None)
            stands.pop("unshelve", None)
            if stands:
                out[alarm] = stands
        return out

    def close(self) -> None:
        """No more acts."""
        with self._mutex:
            self._db.close()


COLUMNS = "act, at_ns, picture_ns, alarm, verb, name, note, until_ns, peer"


def acts_file(journal_folder: Path) -> Path:
    """Where the acts of a journal lie."""
    return journal_folder / "acts.sqlite"
