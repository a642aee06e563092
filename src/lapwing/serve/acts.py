"""What people did about alarms: who saw one and when, who put one aside until when, what they noted.

One append-only SQLite file beside the journal, because an alarm's number belongs to that journal and both are evidence.
Nothing is ever changed or deleted: the newest act about an alarm is what stands, as long as the alarm is no more urgent
than it was then: who has seen a warning has not seen the alarm that it became. The picture does not depend on any of
it: a machine's alarm stays the machine's, so replay gives the same pictures whatever people did. A test of the alarm
outputs, and the note that an officer leaves for the next one, are acts about no alarm. The name is the
account's where people log in, else what the person typed; it is kept with the address that it came from.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lapwing.records import Priority

ACTS_MAX = 1_000_000
SHELVE_S_MAX = 24 * 3600
TEST_PAUSE_S = 10.0  # between two test alarms: they must not push real alarms out of the outbox
NO_ALARM = 0  # what a test or a note for the next officer is about; alarms count from 1
INT64_MAX = 2**63 - 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS acts (act INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, picture_ns INTEGER NOT NULL,
    alarm INTEGER NOT NULL, priority INTEGER NOT NULL, verb TEXT NOT NULL, name TEXT NOT NULL, note TEXT NOT NULL,
    until_ns INTEGER NOT NULL, peer TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS acts_alarm ON acts (alarm, act);
CREATE TRIGGER IF NOT EXISTS acts_kept BEFORE UPDATE ON acts BEGIN SELECT RAISE(ABORT, 'acts are kept'); END;
CREATE TRIGGER IF NOT EXISTS acts_stay BEFORE DELETE ON acts BEGIN SELECT RAISE(ABORT, 'acts are kept'); END;
"""
COLUMNS = "act, at_ns, picture_ns, alarm, priority, verb, name, note, until_ns, peer"
Verb = Literal["acknowledge", "shelve", "unshelve", "note"]
PersonName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class ActError(Exception):
    """An act that cannot be taken; the message is one sentence for a person."""


class ActsUnwritable(ActError):
    """The disk refuses; the act was not written down."""


class TooSoon(ActError):
    """The same was done a moment ago."""


class WantedTest(BaseModel):
    """A wanted test of the alarm outputs, as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: PersonName
    note: Note = ""


class WantedHandover(BaseModel):
    """A note for the next officer, as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: PersonName
    note: Words


class Wanted(BaseModel):
    """What a person asks for, as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    alarm: Annotated[int, Field(ge=1, le=2**53)]
    verb: Verb
    name: PersonName
    note: Note = ""
    for_s: Annotated[int, Field(ge=0, le=SHELVE_S_MAX)] = 0


@dataclass(frozen=True, slots=True)
class Act:
    """One act. `until_ns` of a shelving is in the picture's time, as the alarm's own times are."""

    act: int
    at_ns: int  # by this machine's clock
    picture_ns: int  # the picture that the person saw
    alarm: int
    priority: int  # of the alarm then, as records.Priority
    verb: str
    name: str
    note: str
    until_ns: int
    peer: str


class Acts:
    """The file. Any thread. Raises ActError where it cannot be opened, read or written."""

    def __init__(self, path: Path) -> None:
        self.path, self._mutex = path, threading.Lock()
        self._stands: dict[int, dict[str, Act]] = {}
        self.count = 0
        self.newest_test: Act | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;" + SCHEMA
            )
            for row in self._db.execute(f"SELECT {COLUMNS} FROM acts ORDER BY act"):
                self._take(Act(*row))
        except (sqlite3.Error, OSError) as error:
            raise ActError(f"cannot keep what people do about alarms in {path}: {error}") from error

    def _take(self, act: Act) -> None:
        # Never changed in place: another thread may be reading.
        if act.verb == "test":
            self.newest_test = act
        elif act.alarm != NO_ALARM:
            self._stands[act.alarm] = _with(self._stands.get(act.alarm, {}), act)
        self.count = act.act

    def add(self, wanted: Wanted, priority: int, picture_ns: int, peer: str) -> Act:
        """Write one act down; it is on the disk when this returns. `priority` is the alarm's."""
        if wanted.verb == "shelve" and wanted.for_s == 0:
            raise ActError("To shelve an alarm needs for_s, the seconds until it comes back.")
        if wanted.verb == "note" and not wanted.note:
            raise ActError("A note needs words.")
        until = picture_ns + wanted.for_s * 10**9 if wanted.verb == "shelve" else 0
        what = (wanted.alarm, priority, wanted.verb, wanted.name, wanted.note, until, peer)
        with self._mutex:
            return self._write((time.time_ns(), picture_ns, *what))

    def add_test(self, wanted: WantedTest, picture_ns: int, peer: str) -> Act:
        """Write down that somebody tests the alarm outputs. Raises TooSoon within TEST_PAUSE_S of the last test."""
        with self._mutex:
            now, last = time.time_ns(), self.newest_test
            if last is not None and abs(now - last.at_ns) < TEST_PAUSE_S * 1e9:
                raise TooSoon(f"{last.name} tests just now; wait {TEST_PAUSE_S:.0f} s.")
            return self._write(
                (now, picture_ns, NO_ALARM, int(Priority.LOW), "test", wanted.name, wanted.note, 0, peer)
            )

    def add_handover(self, wanted: WantedHandover, picture_ns: int, peer: str) -> Act:
        """Write down what an officer leaves for the next one."""
        with self._mutex:
            row = (NO_ALARM, int(Priority.LOW), "handover", wanted.name, wanted.note, 0, peer)
            return self._write((time.time_ns(), picture_ns, *row))

    def _write(self, row: tuple[int, int, int, int, str, str, str, int, str]) -> Act:
        """With the mutex held."""
        if self.count >= ACTS_MAX:
            raise ActError(f"There are {ACTS_MAX} acts already; begin a new journal.")
        try:
            sql = f"INSERT INTO acts ({COLUMNS.removeprefix('act, ')}) VALUES ({', '.join('?' * len(row))})"
            number = self._db.execute(sql, row).lastrowid
        except sqlite3.Error as error:
            raise ActsUnwritable(f"cannot write to {self.path.name}: {error}") from error
        act = Act(int(number or 0), *row)
        self._take(act)
        return act

    def about(self, alarm: int) -> list[Act]:
        """All acts about one alarm, oldest first."""
        with self._mutex:
            try:
                rows = self._db.execute(f"SELECT {COLUMNS} FROM acts WHERE alarm=? ORDER BY act", (alarm,)).fetchall()
            except sqlite3.Error as error:
                raise ActError(f"cannot read {self.path.name}: {error}") from error
        return [Act(*row) for row in rows]

    def standing(self, priorities: Mapping[int, int]) -> dict[int, dict[str, Act]]:
        """Per alarm (given with its priority now) the acts that stand: the newest acknowledgement, shelving and note.
        From memory. What is shelved until a time that has passed is for the reader to see."""
        return _standing(self._stands, priorities)

    def close(self) -> None:
        """No more acts."""
        with self._mutex:
            self._db.close()


def _with(stands: Mapping[str, Act], act: Act) -> dict[str, Act]:
    """What stands about an alarm after one more act."""
    rest = {verb: old for verb, old in stands.items() if verb != {"unshelve": "shelve"}.get(act.verb, act.verb)}
    return rest if act.verb == "unshelve" else {**rest, act.verb: act}


def _standing(stands: Mapping[int, Mapping[str, Act]], priorities: Mapping[int, int]) -> dict[int, dict[str, Act]]:
    out: dict[int, dict[str, Act]] = {}
    for alarm, priority in priorities.items():
        acts = stands.get(alarm, {})
        if fit := {v: act for v, act in acts.items() if v == "note" or priority >= act.priority}:
            out[alarm] = fit
    return out


def standing_then(acts: Iterable[Act], priorities: Mapping[int, int], picture_ns: int) -> dict[int, dict[str, Act]]:
    """What stood when a picture was shown: like `Acts.standing`, of the acts (oldest first) up to then."""
    stands: dict[int, dict[str, Act]] = {}
    for act in acts:
        if act.alarm in priorities and act.picture_ns <= picture_ns:
            stands[act.alarm] = _with(stands.get(act.alarm, {}), act)
    return _standing(stands, priorities)


def acts_file(journal_folder: Path) -> Path:
    """Where the acts of a journal lie."""
    return journal_folder / "acts.sqlite"


def journal_of(path: Path) -> str:
    """What tells these acts from those of another journal: when the first was; "" where nobody ever did anything.
    Raises ActError."""
    first = read_acts(path, until_act=1)
    return str(first[0].at_ns) if first else ""


def read_acts(
    path: Path,
    alarms: set[int] | None = None,
    until_ns: int = INT64_MAX,
    after: int = 0,
    until_act: int = INT64_MAX,
) -> tuple[Act, ...]:
    """All acts (about these alarms, before a picture's time, after one act and up to another), oldest first; none where
    nobody ever did anything. Makes no file, changes none. Raises ActError."""
    if not path.exists():
        return ()
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.execute("PRAGMA busy_timeout=5000")
            sql = f"SELECT {COLUMNS} FROM acts WHERE picture_ns < ? AND act > ? AND act <= ? ORDER BY act"
            rows = db.execute(sql, (until_ns, after, until_act))
            return tuple(Act(*row) for row in rows if alarms is None or row[3] in alarms)
    except sqlite3.Error as error:
        raise ActError(f"what people did about alarms cannot be read from {path}: {error}") from error
