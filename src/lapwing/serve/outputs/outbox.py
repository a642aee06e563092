"""The alarm outbox: what happened to alarms, kept in SQLite until every output that wants it has taken it.

At least once: a message is marked sent only after the other side said yes. One message per output, alarm and event, so
a restart that replays the journal tells nothing twice. Bounded: the oldest that wait are given up, and counted.
"""

import json
import sqlite3
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

WAITING_MAX = 10_000  # per output
KEPT_MAX = 10_000  # per output, of those sent and of those given up: so that nothing is told twice
TRIES_PAUSE_S_MAX = 600.0
GIVE_UP_S = 7 * 86_400.0
SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, output TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, created_ns INTEGER NOT NULL,
    due_ns INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'waiting',
    why TEXT NOT NULL DEFAULT '', UNIQUE (output, key));
CREATE INDEX IF NOT EXISTS due ON message (output, state, due_ns);
"""


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to an alarm, as it is told. Angles are degrees, times UTC nanoseconds."""

    site: str
    alarm_id: int
    event: str  # raised, escalated, cleared; test
    rule: str
    zone: str
    priority: str
    reason: str
    latitude_deg: float
    longitude_deg: float
    raised_ns: int
    time_ns: int
    unacknowledged_s: float = 0.0  # told because nobody had acknowledged it for so long
    held_ns: int = 0  # it waited until then, because of quiet hours

    @property
    def alarm_key(self) -> str:
        """Names the alarm for ever: a new journal counts its alarms anew, but not at the same instant."""
        return f"{self.raised_ns}-{self.alarm_id}"

    @property
    def key(self) -> str:
        """Names the message; the same event again has the same key."""
        return f"{self.alarm_key}-{self.event}" + (f"-{self.priority}" if self.event == "escalated" else "")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is due."""

    ident: int
    tries: int
    created_ns: int
    news: News


class Outbox:
    """The store of one site. Methods block on the disk: call them from worker threads. One at a time gets in, also
    `close`: a thread goes on after whoever waited for it was cancelled, and must not find its connection freed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, timeout=10.0, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(SCHEMA)
        self._lock = threading.Lock()

    def close(self) -> None:
        """All that was put is on the disk already. Waits for a thread inside; later calls raise sqlite3.Error."""
        with self._lock:
            self._db.close()

    def put(self, news: list[News], outputs: list[str], now_ns: int) -> None:
        """Remember news for these outputs, to be told now or when they are no longer held; what is known already is not
        news. Raises sqlite3.Error."""
        rows = [
            (output, n.key, json.dumps(asdict(n)), now_ns, max(now_ns, n.held_ns)) for n in news for output in outputs
        ]
        sql = "INSERT OR IGNORE INTO message (output, key, body, created_ns, due_ns) VALUES (?, ?, ?, ?, ?)"
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(sql, rows)
                for output in outputs:
                    self._bound(output)
                self._db.execute("COMMIT")
            except sqlite3.Error:
                self._db.execute("ROLLBACK")
                raise

    def _bound(self, output: str) -> None:
        old = "SELECT id FROM message WHERE output = ? AND state = ? ORDER BY id DESC LIMIT -1 OFFSET ?"
        give_up = f"UPDATE message SET state = 'given up', why = 'too many waited' WHERE id IN ({old})"
        self._db.execute(give_up, (output, "waiting", WAITING_MAX))
        for state in ("sent", "given up", "withdrawn"):
            self._db.execute(f"DELETE FROM message WHERE id IN ({old})", (output, state, KEPT_MAX))

    def due(self, output: str, now_ns: int, most: int) -> list[Waiting]:
        """The oldest messages that may be tried now."""
        sql = (
            "SELECT id, tries, created_ns, body FROM message WHERE output = ? AND state = 'waiting' AND due_ns <= ? "
            "ORDER BY id LIMIT ?"
        )
        with self._lock:
            rows = self._db.execute(sql, (output, now_ns, most)).fetchall()
        return [Waiting(ident, tries, created, News(**json.loads(body))) for ident, tries, created, body in rows]

    def sent(self, messages: list[Waiting]) -> None:
        """The other side has them."""
        with self._lock:
            self._db.executemany("UPDATE message SET state = 'sent' WHERE id = ?", [(m.ident,) for m in messages])

    def failed(self, messages: list[Waiting], why: str, now_ns: int) -> None:
        """Another try later: after 2, 4, 8 s and so on up to ten minutes; never again after a week."""
        sql, rows = "UPDATE message SET state = ?, tries = ?, due_ns = ?, why = ? WHERE id = ?", []
        for m in messages:
            pause_s = min(2.0 ** min(m.tries + 1, 20), TRIES_PAUSE_S_MAX)
            state = "given up" if now_ns - m.created_ns > GIVE_UP_S * 1e9 else "waiting"
            rows.append((state, m.tries + 1, now_ns + int(pause_s * 1e9), why[:200], m.ident))
        with self._lock:
            self._db.executemany(sql, rows)

    def withdraw(self, messages: list[Waiting], why: str) -> None:
        """They are no longer true, and go to nobody."""
        sql = "UPDATE message SET state = 'withdrawn', why = ? WHERE id = ?"
        with self._lock:
            self._db.executemany(sql, [(why, m.ident) for m in messages])

    def put_off(self, message: Waiting, until_ns: int) -> None:
        """Not before then; this was no try."""
        with self._lock:
            self._db.execute("UPDATE message SET due_ns = ? WHERE id = ?", (until_ns, message.ident))

    def told(self, output: str, alarm_key: str, states: tuple[str, ...] = ("sent",)) -> bool:
        """Whether the output has a message about this alarm in one of these states."""
        marks = ", ".join("?" * len(states))
        sql = f"SELECT 1 FROM message WHERE output = ? AND key GLOB ? AND state IN ({marks}) LIMIT 1"
        with self._lock:
            return self._db.execute(sql, (output, f"{alarm_key}-*", *states)).fetchone() is not None

    def priority_raised(self, output: str, alarm_key: str) -> str:
        """The priority with which the output was first told of an alarm, "" when it was not."""
        with self._lock:
            sql = "SELECT body FROM message WHERE output = ? AND key = ?"
            row = self._db.execute(sql, (output, f"{alarm_key}-raised")).fetchone()
        return str(json.loads(row[0])["priority"]) if row else ""

    def states(self, key: str) -> dict[str, tuple[str, str]]:
        """What became of one message: per output its state and, where it failed, why."""
        with self._lock:
            rows = self._db.execute("SELECT output, state, why FROM message WHERE key = ?", (key,)).fetchall()
        return {output: (state, why) for output, state, why in rows}

    def counts(self, output: str) -> dict[str, int]:
        """How many wait, were sent (of those kept), were given up."""
        sql = "SELECT state, count(*) FROM message WHERE output = ? GROUP BY state"
        with self._lock:
            return dict(self._db.execute(sql, (output,)).fetchall())
