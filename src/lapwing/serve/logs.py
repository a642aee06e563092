"""Logs: lines for a person, or one JSON object a line for machines."""

import json
import logging
import sys
from datetime import UTC, datetime

NOISY = ("asyncio", "uvicorn", "uvicorn.error", "uvicorn.access", "numba", "websockets")


class JsonLines(logging.Formatter):
    """One object a line: time (UTC), level, logger, message, and the trace of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def printable(text: str) -> str:
    """A stranger's words on one line, without what would command a terminal; at most 1,000 characters."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))[:1000]


def set_up(verbose: bool, as_json: bool = False) -> None:
    """To standard error. `verbose` is for our own loggers: libraries tell secrets at DEBUG, such as headers."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname).1s %(message)s", datefmt="%H:%M:%S")
    handler.setFormatter(JsonLines() if as_json else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("lapwing").setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
