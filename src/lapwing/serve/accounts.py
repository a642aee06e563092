"""Who may open the page: people with a password, programs with a token, and whoever can read the file on this machine.

One SQLite file, readable by its owner only. Of passwords it holds scrypt hashes (RFC 7914), of tokens and sessions
SHA-256 digests: with a stolen copy nobody can log in as somebody else. The exception is the local key, for commands on
this machine, and it opens nothing from elsewhere: who can read it here can write the file anyway. Three roles: `watch`
sees; `act` acknowledges, shelves, notes and tests besides; `manage` orders sensors and changes the site file besides.
"""

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

Role = Literal["watch", "act", "manage"]
NAME_MAX, PASSWORD_MIN, PASSWORD_MAX = 80, 10, 256
SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 << 20, "dklen": 32}
IDLE_S, WHOLE_S = 12 * 3600.0, 30 * 86_400.0  # a session ends when unused for so long, and so long after it began
SEEN_S = 60.0  # how exactly it is known when a session was last used
TRIES, TRY_S, WAIT_S = 5, 900.0, 60.0  # so many wrong passwords in so long, then wait
WAITING_MAX = 4  # log-ins at once; a hash takes memory and time
TRIED_MAX = 10_000
SCHEMA = """
CREATE TABLE IF NOT EXISTS people (name TEXT PRIMARY KEY, role TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL,
    since_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (name TEXT PRIMARY KEY, role TEXT NOT NULL, digest BLOB NOT NULL UNIQUE,
    since_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (digest BLOB PRIMARY KEY, name TEXT NOT NULL, began_s REAL NOT NULL,
    seen_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS local (one INTEGER PRIMARY KEY CHECK (one = 1), key TEXT NOT NULL);
"""


class AccountError(Exception):
    """The message is one sentence for a person."""


class WrongPassword(AccountError):
    """Nobody has this name and password."""


class TooManyTries(AccountError):
    """Too many wrong passwords, or too many people at the door at once."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. `local`: a command on this machine, which says itself for whom it speaks."""

    name: str
    role: Role
    local: bool = False


class Accounts:
    """The file. Any thread, and several processes at once. Raises AccountError where it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path, self._mutex, self._hashing = path, threading.Lock(), threading.Lock()
        self._waiting = 0
        self._tries: dict[tuple[str, str], list[float]] = {}
        try:
            if not path.exists():
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.executescript("PRAGMA busy_timeout=5000;" + SCHEMA)
            self._db.execute("INSERT OR IGNORE INTO local VALUES (1, ?)", (secrets.token_urlsafe(32),))
            self._local: str = self._db.execute("SELECT key FROM local").fetchone()[0]
        except (sqlite3.Error, OSError) as error:
            raise AccountError(f"cannot keep accounts in {path}: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._mutex:
            self._db.close()

    @contextmanager
    def _asked(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._mutex:
                yield self._db
        except sqlite3.Error as error:
            raise AccountError(f"the accounts in {self.path} cannot be read or written: {error}") from error

    @property
    def local_key(self) -> str:
        """What commands on this machine show instead of a password."""
        return self._local

    def rows(self) -> list[tuple[str, str, str]]:
        """(name, "person" or "token", role) of all, sorted."""
        with self._asked() as db:
            people = [(n, "person", r) for n, r in db.execute("SELECT name, role FROM people")]
            return sorted(people + [(n, "token", r) for n, r in db.execute("SELECT name, role FROM tokens")])

    def add(self, name: str, role: str, password: str) -> None:
        """A new person, or a new password and role for one; sessions of before end. Raises AccountError."""
        name = named(name)
        _check_role(role)
        if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
            raise AccountError(f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters")
        salt = secrets.token_bytes(16)
        row = (name, role, salt, _hash(password, salt), time.time_ns())
        with self._asked() as db:
            if db.execute("SELECT 1 FROM tokens WHERE name = ?", (name,)).fetchone():
                raise AccountError(f"{name!r} is the name of a token")
            db.execute("INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?, ?)", row)
            db.execute("DELETE FROM sessions WHERE name = ?", (name,))

    def add_token(self, name: str, role: str) -> str:
        """A new token for a program, told once: only its digest is kept. Raises AccountError."""
        name = named(name)
        _check_role(role)
        token = secrets.token_urlsafe(32)
        with self._asked() as db:
            for table, what in (("people", "person"), ("tokens", "token")):
                if db.execute(f"SELECT 1 FROM {table} WHERE name = ?", (name,)).fetchone():
                    raise AccountError(f"there is a {what} named {name!r} already")
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", (name, role, _digest(token), time.time_ns()))
        return token

    def remove(self, name: str) -> None:
        """Take a person or a token away; sessions end. Raises AccountError."""
        name = named(name)
        with self._asked() as db:
            gone = sum(db.execute(f"DELETE FROM {t} WHERE name = ?", (name,)).rowcount for t in ("people", "tokens"))
            db.execute("DELETE FROM sessions WHERE name = ?", (name,))
            db.execute("DELETE FROM kept WHERE name = ?", (name,))
        if not gone:
            raise AccountError(f"there is nobody named {name!r}")

    def log_in(self, name: str, password: str, peer: str) -> str:
        """A new session's secret. Takes as long for a name that nobody has. Raises WrongPassword, TooManyTries."""
        name, who = unicodedata.normalize("NFC", name.strip())[:NAME_MAX], (peer, name.strip()[:NAME_MAX])
        self._admit(who)
        with self._asked() as db:
            row = db.execute("SELECT salt, hash FROM people WHERE name = ?", (name,)).fetchone()
        salt, hashed = row or (b"nobody has this.", b"")
        if not hmac.compare_digest(self._hashed(password[:PASSWORD_MAX], salt), hashed):
            self._failed(who)
            raise WrongPassword("Nobody has this name and password.")
        secret, now = secrets.token_urlsafe(32), time.time()
        with self._asked() as db:
            self._tries.pop(who, None)
            db.execute("DELETE FROM sessions WHERE seen_s < ? OR began_s < ?", (now - IDLE_S, now - WHOLE_S))
            begun = db.execute(  # unless the password was changed, or the person removed, while it was hashed
                "INSERT INTO sessions SELECT ?, name, ?, ? FROM people WHERE name = ? AND hash = ?",
                (_digest(secret), now, now, name, hashed),
            )
        if not begun.rowcount:
            raise WrongPassword("Nobody has this name and password.")
        return secret

    def log_out(self, secret: str) -> None:
        """End a session."""
        with self._asked() as db:
            db.execute("DELETE FROM sessions WHERE digest = ?", (_digest(secret),))

    def of_session(self, secret: str) -> Person | None:
        """Whose session it is, or None. Being asked keeps it alive."""
        digest, now = _digest(secret), time.time()
        with self._asked() as db:
            row = db.execute(
                "SELECT people.name, role, began_s, seen_s FROM sessions JOIN people USING (name) WHERE digest = ?",
                (digest,),
            ).fetchone()
            if row is None or now - row[3] > IDLE_S or now - row[2] > WHOLE_S:
                return None
            if abs(now - row[3]) > SEEN_S:
                db.execute("UPDATE sessions SET seen_s = ? WHERE digest = ?", (now, digest))
        return Person(row[0], row[1])

    def of_token(self, token: str, here: bool = False) -> Person | None:
        """Whose token it is, or None. `here`: whether it comes from this machine."""
        if here and hmac.compare_digest(token.encode(), self._local.encode()):
            return Person("", "act", local=True)
        with self._asked() as db:
            row = db.execute("SELECT name, role FROM tokens WHERE digest = ?", (_digest(token),)).fetchone()
        return Person(*row) if row else None

    def kept(self, name: str) -> dict[str, Any] | None:
        """What a person keeps (serve/web_mine.py); None where nobody who logs in has this name. Raises AccountError."""
        with self._asked() as db:
            return _kept(db, name)

    def keep(self, name: str, said: dict[str, Any]) -> dict[str, Any] | None:
        """The same after `said` is kept, too: what is None in it is taken away. Raises AccountError."""
        with self._asked() as db:
            before = _kept(db, name)
            if before is None:
                return None
            after = {key: value for key, value in {**before, **said}.items() if value is not None}
            db.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, json.dumps(after)))
        return after

    def _admit(self, who: tuple[str, str]) -> None:
        now = time.monotonic()
        with self._mutex:
            tries = [t for t in self._tries.get(who, []) if now - t < TRY_S]
        if len(tries) >= TRIES and now - tries[-1] < WAIT_S:
            raise TooManyTries(f"Too many wrong passwords; try again in {WAIT_S:.0f} seconds.")

    def _failed(self, who: tuple[str, str]) -> None:
        now = time.monotonic()
        with self._mutex:
            kept = [t for t in self._tries.pop(who, []) if now - t < TRY_S]
            self._tries[who] = [*kept[-TRIES:], now]
            while len(self._tries) > TRIED_MAX:
                self._tries.pop(next(iter(self._tries)))

    def _hashed(self, password: str, salt: bytes) -> bytes:
        with self._mutex:
            if self._waiting >= WAITING_MAX:
                raise TooManyTries("Too many people log in at once; try again in a moment.")
            self._waiting += 1
        try:
            with self._hashing:
                return _hash(password, salt)
        finally:
            with self._mutex:
                self._waiting -= 1


def named(name: str) -> str:
    """A name as it is kept. Raises AccountError."""
    name = unicodedata.normalize("NFC", name.strip())
    if not 0 < len(name) <= NAME_MAX or not name.isprintable():
        raise AccountError(f"a name has 1 to {NAME_MAX} printable characters")
    return name


def _kept(db: sqlite3.Connection, name: str) -> dict[str, Any] | None:
    if not db.execute("SELECT 1 FROM people WHERE name = ?", (name,)).fetchone():
        return None
    row = db.execute("SELECT text FROM kept WHERE name = ?", (name,)).fetchone()
    kept: dict[str, Any] = json.loads(row[0]) if row else {}
    return kept


def _check_role(role: str) -> None:
    if role not in get_args(Role):
        raise AccountError(f"there is no role {role!r}; there are {', '.join(get_args(Role))}")


def _hash(password: str, salt: bytes) -> bytes:
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, **SCRYPT)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
