"""Retention: what is older than the site wants to keep is removed, unless a hold lies on its time.

What is removed here are the projections: whole hours, days (alarms) or bins (cells) at a time. The
journal bounds itself by its size and asks `held` before it cuts. Times are picture times, so that a recording's old
dates are judged by the recording's own clock.
"""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lapwing.engine.alarm_history import DAY_NS
from lapwing.engine.cell_history import BIN_NS
from lapwing.engine.parts import HOUR_NS

BY_HOUR = ("history", "tracks")
PRESENCE = ("presence/persons", "presence/cells", "presence/feeds", "presence/farthest")
BY_NUMBER = {"cells": BIN_NS, "alarms": DAY_NS, **dict.fromkeys(PRESENCE, HOUR_NS)}  # N.parquet: how long is one
LONGEST_NS = 2 * HOUR_NS  # a part begins in its hour and is never longer than this
Span = tuple[int, int]  # since_ns, until_ns


def held(since_ns: int, until_ns: int, holds: Sequence[Span]) -> bool:
    """Whether any hold overlaps since_ns <= time < until_ns."""
    return any(since < until_ns and since_ns < until for since, until in holds)


def expire(folder: Path, before_ns: int, holds: Sequence[Span]) -> int:
    """Remove what ended before a time and nobody holds, below a journal's folder; how many hours, days and bins.
    Raises OSError."""
    gone = 0
    for hour in (h for kind in BY_HOUR for h in sorted((folder / kind).glob("*/*"))):
        begin = _begin(hour)
        end = 0 if begin is None else begin + HOUR_NS + LONGEST_NS
        if begin is None or end > before_ns or held(begin, end, holds):
            continue
        shutil.rmtree(hour)
        if not any(hour.parent.iterdir()):
            hour.parent.rmdir()
        gone += 1
    for kind, length_ns in BY_NUMBER.items():
        for path in sorted((folder / kind).glob("*.parquet")):
            begin = int(path.stem) * length_ns if path.stem.isdecimal() else None
            if begin is not None and begin + length_ns <= before_ns and not held(begin, begin + length_ns, holds):
                path.unlink()
                gone += 1
    return gone


def _begin(hour: Path) -> int | None:
    """When the hour of a folder YYYY-MM-DD/HH began; None for any other folder."""
    try:
        begin = datetime.strptime(f"{hour.parent.name} {hour.name}", "%Y-%m-%d %H").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(begin.timestamp()) * 10**9
