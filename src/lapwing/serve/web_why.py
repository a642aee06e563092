"""GET /v1/why: existence, kinds, detections per sensor and alarms of one track over time. Reads the stores; cannot
reach the engine."""

from collections.abc import Sequence
from typing import Any, Protocol

import polars as pl

from lapwing.engine.track_history import KINDS
from lapwing.records import Site, Subject
from lapwing.serve.web_replay import marks

POINTS_MAX = 600
SEEN_MAX = 2_000
DAY_NS = 86_400_000_000_000


class Beliefs(Protocol):
    """What the why-view needs of the shelf."""

    def beliefs(self, since_ns: int, until_ns: int, track_id: int) -> pl.DataFrame:
        """Rows of engine/track_history.py, in order of time."""

    def feeds_of(self, seqs: Sequence[int]) -> dict[int, str]:
        """Which feed delivered each of these journal entries, of those that are there."""

    def alarms(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Alarms raised in an interval."""


def why(shelf: Beliefs, site: Site, track: int, between: tuple[int, int]) -> dict[str, Any]:
    """Columns in order of time. At most POINTS_MAX points of the lines (every k-th, and the last) and the newest
    SEEN_MAX detections; `seen_left_out` says how many more there are. A detection whose journal entry is gone has
    sensor and frame null."""
    since, until = between
    rows = shelf.beliefs(since, until, track)
    step = -(-len(rows) // POINTS_MAX) or 1
    points = rows[::-1][::step][::-1]  # the last one always
    seen = rows.filter("seen").tail(SEEN_MAX)
    alarms = shelf.alarms(max(since - DAY_NS, 0), until).filter(
        (pl.col("subject") == Subject.TRACK)
        & (pl.col("subject_id") == track)
        & ((pl.col("cleared_ns") == 0) | (pl.col("cleared_ns") >= since))
    )
    return {
        "track": track,
        "since_ns": str(since),
        "until_ns": str(until),
        "time_ns": [str(v) for v in points["time_ns"].to_list()],
        "existence": _rounded(points["existence"]),
        "kinds": {name: _rounded(points[name]) for name in KINDS},
        "seen": _seen(seen, shelf, site),
        "seen_left_out": int(rows["seen"].sum()) - len(seen),
        "alarms": marks(alarms),
    }


def _rounded(values: pl.Series) -> list[float]:
    return [round(v, 4) for v in values.to_list()]


def _seen(rows: pl.DataFrame, shelf: Beliefs, site: Site) -> dict[str, Any]:
    """Detections that were probably this track's, by time, journal entry and sensor."""
    frames = rows["frame_seq"].to_list()
    feeds = shelf.feeds_of(frames)
    sensors = {f.feed: f.sensor or f.feed for f in site.feeds}
    delivered = [feeds.get(seq) for seq in frames]
    return {
        "time_ns": [str(v) for v in rows["seen_ns"].to_list()],
        "frame": [seq if feed is not None else None for seq, feed in zip(frames, delivered, strict=True)],
        "sensor": [None if feed is None else sensors.get(feed, feed) for feed in delivered],
    }
