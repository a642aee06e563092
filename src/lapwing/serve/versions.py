"""The versions of a site file: what it was, since when, by whom and why. One append-only SQLite file beside it.

The file on disk stays what counts: who edits it by hand may, and the next look writes that down, as nobody's version.
"""

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

TEXT_MAX = 256 << 10
SHOWN_MAX = 200
BY_HAND = "changed in the file itself"
COLUMNS = "number, at_ns, name, note, text"
SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (number INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, name TEXT NOT NULL,
    note TEXT NOT NULL, text TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS versions_kept BEFORE UPDATE ON versions BEGIN SELECT RAISE(ABORT, 'they are kept'); END;
CREATE TRIGGER IF NOT EXISTS versions_stay BEFORE DELETE ON versions BEGIN SELECT RAISE(ABORT, 'they are kept'); END;
"""


class VersionError(Exception):
    """The message is one sentence for a person."""


class Overtaken(VersionError):
    """Somebody else has changed the file since."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version. `name` is empty where nobody said so."""

    number: int
    at_ns: int
    name: str
    note: str
    text: str


class Versions:
    """Of one site file. Any thread. Raises VersionError where they cannot be kept."""

    def __init__(self, site: Path) -> None:
        self.site = site.resolve()
        self._mutex = threading.Lock()
        path = _beside(self.site)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript("PRAGMA busy_timeout=5000; PRAGMA synchronous=FULL;" + SCHEMA)
        except sqlite3.Error as error:
            raise VersionError(f"cannot keep versions of the site file in {path}: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._mutex:
            self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._mutex:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                    self._db.execute("COMMIT")
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
        except (sqlite3.Error, OSError) as error:
            raise VersionError(f"the site file or its versions cannot be read or written: {error}") from error

    def now(self) -> Version:
        """The version that is in the file; written down first where it was changed by hand."""
        with self._writing() as db:
            return self._now(db)

    def _now(self, db: sqlite3.Connection) -> Version:
        text = self._read()
        row = db.execute(f"SELECT {COLUMNS} FROM versions ORDER BY number DESC LIMIT 1").fetchone()
        if row is not None and row[4] == text:
            return Version(*row)
        return _insert(db, "", BY_HAND if row else "", text)

    def _read(self) -> str:
        with self.site.open("rb") as file:
            data = file.read(TEXT_MAX + 1)
        if len(data) > TEXT_MAX:
            raise VersionError(f"the site file is longer than {TEXT_MAX} bytes")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise VersionError("the site file is not UTF-8 text") from None

    def rows(self) -> list[Version]:
        """The newest ones, newest first, without their texts."""
        with self._writing() as db:
            found = db.execute(
                "SELECT number, at_ns, name, note FROM versions ORDER BY number DESC LIMIT ?", (SHOWN_MAX,)
            ).fetchall()
        return [Version(number, at_ns, name, note, "") for number, at_ns, name, note in found]

    def one(self, number: int) -> Version:
        """One of them. Raises VersionError."""
        with self._writing() as db:
            row = db.execute(f"SELECT {COLUMNS} FROM versions WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise VersionError(f"there is no version {number}")
        return Version(*row)

    def save(self, text: str, begun_from: int, name: str, note: str) -> Version:
        """A new version, in the file and written down. `begun_from`: the version that was edited. Raises VersionError;
        Overtaken where the file is another one by now."""
        if len(text.encode("utf-8", "surrogatepass")) > TEXT_MAX:
            raise VersionError(f"a site file has at most {TEXT_MAX} bytes")
        with self._writing() as db:
            now = self._now(db)
            if now.number != begun_from:
                who = now.name or "somebody"
                raise Overtaken(f"{who} has changed the file meanwhile: it is at version {now.number}")
            if now.text == text:
                return now
            made = _insert(db, name, note, text)
            replace_text(self.site, text)
            return made


def _beside(site: Path) -> Path:
    return site.with_name(site.name + ".versions.sqlite")


def read_versions(site: Path, after: int = 0) -> tuple[Version, ...]:
    """Those after a number, oldest first; none where no versions are kept. Makes no file. Raises VersionError."""
    path = _beside(site.resolve())
    if not path.exists():
        return ()
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            db.execute("PRAGMA busy_timeout=5000")
            rows = db.execute(f"SELECT {COLUMNS} FROM versions WHERE number > ? ORDER BY number", (after,))
            return tuple(Version(*row) for row in rows)
    except sqlite3.Error as error:
        raise VersionError(f"the versions of the site file cannot be read from {path}: {error}") from error


def _insert(db: sqlite3.Connection, name: str, note: str, text: str) -> Version:
    at_ns = time.time_ns()
    cursor = db.execute("INSERT INTO versions (at_ns, name, note, text) VALUES (?, ?, ?, ?)", (at_ns, name, note, text))
    return Version(int(cursor.lastrowid or 0), at_ns, name, note, text)


def replace_text(path: Path, text: str) -> None:
    """The file is the old one or the new one, whatever happens."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, path.stat().st_mode & 0o777)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
