"""A link to PostgreSQL by way of psycopg (the extra `pg`). Everything that can go wrong there is an `Away`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CONNECT_S, ANSWER_S = 5, 30
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


@contextmanager
def linked(where: str, password: str) -> Iterator[Any]:
    """A connection for one piece of work: one transaction, kept whole or not at all. Raises Away."""
    try:
        import psycopg
    except ImportError:
        raise Away(INSTALL) from None
    given: dict[str, Any] = {"password": password} if password else {}
    options = f"-c statement_timeout={ANSWER_S}s -c lock_timeout={CONNECT_S}s -c client_min_messages=warning"
    try:
        with psycopg.connect(
            where, connect_timeout=CONNECT_S, options=options, application_name="lapwing", **given
        ) as db:
            yield db
    except (psycopg.Error, OSError) as error:
        raise Away(" ".join(str(error).split())[:300] or type(error).__name__) from error
