"""Statistics of a period: where presence was, at which hours, who comes again, how feeds and alarms fared.

Reads the index by hour (engine/presence.py), one hour after another, and keeps only sums: memory grows with the number
of cells visited and of identities seen (at most IDENTITIES_MAX), not with time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from lapwing.engine.alarm_load import AlarmLoad, alarm_load
from lapwing.engine.parts import HOUR_NS
from lapwing.engine.presence import MINUTE_NS, WHO, Presence
from lapwing.records import Array

IDENTITIES_MAX = 300_000
HEAP_HOURS = 24
FLEETING_NS = 60_000_000_000
AGAIN_NS = 600_000_000_000
Slot = Callable[[int], tuple[int, int, int]]  # of a time: weekday (0 Monday), hour, and a number of the day


@dataclass(frozen=True, slots=True)
class Statistics:
    """Sums of a period. Axes: w = 7 weekdays, h = 24 hours, k = len(WHO), n alarms' hours."""

    watched_min: int  # minutes in which the site ran
    cells: pl.DataFrame  # cell, who, minutes
    present: Array  # (w, h, k) identities per hour, summed over all such hours
    slots: Array  # (w, h) such hours in which the site ran, for however long
    visitors: pl.DataFrame  # who, id, name, days, minutes, first_ns, last_ns; seen on two days or more
    identities: Array  # (k,) different identities
    identities_left_out: bool
    feeds: pl.DataFrame  # feed, watched, silent (minutes), messages, faults


class _Visitors:
    """One row per identity, merged now and then. Hours come in order, so the last day is enough to count days."""

    def __init__(self) -> None:
        self._heap: list[pl.DataFrame] = []
        self.full = False

    def add(self, rows: pl.DataFrame, day: int) -> None:
        mine = rows.select(
            "who", "id", "name", pl.lit(1).cast(pl.Int64).alias("days"), pl.lit(day).cast(pl.Int64).alias("day"),
            "first_ns", "last_ns", pl.col("minutes").bitwise_count_ones().cast(pl.Int64),
        )  # fmt: skip
        self._heap.append(mine)
        if len(self._heap) >= HEAP_HOURS:
            self._heap = [self.merged()]

    def merged(self) -> pl.DataFrame:
        rest = (pl.col("name", "last_ns").max(), pl.col("first_ns").min(), pl.col("minutes").sum())
        by_day = (
            pl.concat(self._heap).group_by("who", "id", "day", maintain_order=True).agg(pl.col("days").max(), *rest)
        )
        whole = by_day.group_by("who", "id", maintain_order=True).agg(pl.col("days").sum(), pl.col("day").max(), *rest)
        self.full = self.full or len(whole) > IDENTITIES_MAX
        return whole.head(IDENTITIES_MAX).select("who", "id", "name", "days", "day", "first_ns", "last_ns", "minutes")

    def again(self) -> tuple[pl.DataFrame, Array]:
        """Who was there on two days or more, most days first; and how many there were."""
        counts = np.zeros(len(WHO), np.int64)
        if not self._heap:
            return pl.DataFrame(), counts
        whole = self.merged().drop("day")
        np.add.at(counts, whole["who"].to_numpy(), 1)
        claims = whole.filter((pl.col("who") != 0) & (pl.col("days") > 1))
        return claims.sort("days", "minutes", "who", "id", descending=[True, True, False, False]), counts


def watched_s(presence: Presence, since_ns: int, until_ns: int) -> float | None:
    """Seconds of a period in which the site ran, by whole minutes; None where the index knows nothing. Raises
    OSError."""
    minutes = 0
    for begin, rows in presence.feeds.between(since_ns, until_ns):
        bits = int(np.bitwise_or.reduce((rows["heard"] | rows["silent"]).to_numpy()))
        first, end = (since_ns - begin) // MINUTE_NS, -(-(until_ns - begin) // MINUTE_NS)
        minutes += (bits & ((1 << min(end, 60)) - 1) & ~((1 << max(first, 0)) - 1)).bit_count()
    return min(minutes * 60.0, (until_ns - since_ns) * 1e-9) if minutes else None


def statistics(presence: Presence, since_ns: int, until_ns: int, slot: Slot) -> Statistics:
    """Of the whole hours (UTC) that overlap the period. Raises OSError."""
    present, slots = np.zeros((7, 24, len(WHO)), np.int64), np.zeros((7, 24), np.int64)
    feeds, watched = _feeds(presence, since_ns, until_ns, slots, slot)
    visitors, heap = _Visitors(), list[pl.DataFrame]()
    for begin, rows in presence.persons.between(since_ns, until_ns):
        weekday, hour, day = slot(begin)
        one = rows.group_by("who", "id").agg(
            pl.col("minutes").bitwise_or(), pl.col("name", "last_ns").max(), pl.col("first_ns").min()
        )
        np.add.at(present[weekday, hour], one["who"].to_numpy(), 1)
        visitors.add(one, day)
    for _, rows in presence.cells.between(since_ns, until_ns):
        heap.append(rows.with_columns(pl.col("minutes").bitwise_count_ones().cast(pl.Int64)))
        heap = [_summed(heap)] if len(heap) >= HEAP_HOURS else heap
    again, identities = visitors.again()
    cells = _summed(heap) if heap else pl.DataFrame(schema={"cell": pl.Int64, "who": pl.Int8, "minutes": pl.Int64})
    return Statistics(watched, cells, present, slots, again, identities, visitors.full, feeds)


def _summed(heap: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(heap).group_by("cell", "who").agg(pl.col("minutes").sum()).sort("cell", "who")


def _feeds(presence: Presence, since_ns: int, until_ns: int, slots: Array, slot: Slot) -> tuple[pl.DataFrame, int]:
    """Minutes per feed, and minutes in which the site ran; `slots` is filled."""
    heap, watched = list[pl.DataFrame](), 0
    for begin, rows in presence.feeds.between(since_ns, until_ns):
        minutes = int(np.bitwise_or.reduce((rows["heard"] | rows["silent"]).to_numpy())).bit_count()
        watched += minutes
        weekday, hour, _ = slot(begin)
        slots[weekday, hour] += minutes > 0
        heap.append(
            rows.select(
                "feed",
                (pl.col("heard") | pl.col("silent")).bitwise_count_ones().cast(pl.Int64).alias("watched"),
                pl.col("silent").bitwise_count_ones().cast(pl.Int64),
                (pl.col("messages_high") - pl.col("messages_low")).alias("messages"),
                (pl.col("faults_high") - pl.col("faults_low")).alias("faults"),
            )
        )
    if not heap:
        return pl.DataFrame(), 0
    numbers = pl.col("watched", "silent", "messages", "faults").sum()
    return pl.concat(heap).group_by("feed").agg(numbers).sort("feed"), watched


@dataclass(frozen=True, slots=True)
class AlarmStatistics:
    """Alarms of a period, and what can be said of how many were worth it without asking anybody."""

    load: AlarmLoad
    per_hour: Array  # alarms raised in each hour from the period's beginning on
    acknowledged: int
    cleared_unseen: int
    fleeting: int  # cleared within a minute, and nobody acknowledged it
    again: int  # the same rule, zone and subject was cleared less than ten minutes before


def alarm_statistics(
    alarms: pl.DataFrame, seen: set[int], since_ns: int, until_ns: int, watched_s: float | None
) -> AlarmStatistics:
    """`alarms` as engine/alarm_history.py gives them, `seen`: numbers of those that somebody acknowledged."""
    rows = alarms.filter(pl.col("raised_ns").is_between(since_ns, until_ns, closed="left")).sort("raised_ns")
    raised, cleared = rows["raised_ns"].to_numpy(), rows["cleared_ns"].to_numpy()
    known = np.isin(rows["alarm_id"].to_numpy(), sorted(seen))
    over = (cleared > 0) & (cleared < until_ns)
    hours = -(-(until_ns - since_ns) // HOUR_NS)
    before = pl.col("cleared_ns").shift(1).over("rule", "zone", "subject", "subject_id")
    soon = rows.select((before > 0) & (pl.col("raised_ns") - before < AGAIN_NS)).to_series().fill_null(False)
    return AlarmStatistics(
        load=alarm_load(raised, since_ns, until_ns, watched_s),
        per_hour=np.bincount((raised - since_ns) // HOUR_NS, minlength=hours),
        acknowledged=int(known.sum()),
        cleared_unseen=int((over & ~known).sum()),
        fleeting=int((over & ~known & (cleared - raised < FLEETING_NS)).sum()),
        again=int(soon.sum()),
    )
