"""A link to PostgreSQL by way of psycopg (the extra `pg`). Everything that can go wrong there is an `Away`.

The limits that the server keeps (statement_timeout) help only while it is well. A server that answers the login and
then says nothing more would be waited for without end, and the process could not end either. So every link has a time
here, too: when it is over, its socket is shut down and the wait ends.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

CONNECT_S, ANSWER_S = 5, 30
SPARE_S = 5  # the server's own limit comes first, because it can say why
SILENT_MS, KEEPALIVE_S = 10_000, 10  # until a dead cable is noticed
INSTALL = "psycopg is not installed: install lapwing with its extra 'pg'"


class Away(Exception):
    """The database cannot be asked now; the message is one sentence for a person."""


def usable() -> str:
    """Why PostgreSQL cannot be asked from here, or ""."""
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return INSTALL
    return ""


class _Limit:
    """Shuts a connection down when its time is over. The socket is a copy of our own, so that it is never another's."""

    def __init__(self, fileno: int, limit_s: float) -> None:
        self.over = False
        self._socket = socket.socket(fileno=os.dup(fileno))
        self._timer = threading.Timer(limit_s, self._end)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        self.over = True
        with suppress(OSError):  # it has ended by itself
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """The work is done."""
        self._timer.cancel()
        self._socket.close()


@contextmanager
def linked(where: str, password: str) -> Iterator[Any]:
    """A connection for one piece of work: one transaction, kept whole or not at all. Raises Away, also when the work
    takes longer than ANSWER_S + SPARE_S."""
    try:
        import psycopg
    except ImportError:
        raise Away(INSTALL) from None
    given: dict[str, Any] = {"password": password} if password else {}
    given |= {"tcp_user_timeout": SILENT_MS, "keepalives_idle": KEEPALIVE_S}
    options = f"-c statement_timeout={ANSWER_S}s -c lock_timeout={CONNECT_S}s -c client_min_messages=warning"
    limit: _Limit | None = None
    try:
        with psycopg.connect(
            where, connect_timeout=CONNECT_S, options=options, application_name="lapwing", **given
        ) as db:
            limit = _Limit(db.fileno(), ANSWER_S + SPARE_S)
            yield db
    except (psycopg.Error, OSError) as error:
        if limit is not None and limit.over:
            raise Away(f"no answer within {ANSWER_S + SPARE_S} s") from error
        raise Away(" ".join(str(error).split())[:300] or type(error).__name__) from error
    finally:
        if limit is not None:
            limit.close()
