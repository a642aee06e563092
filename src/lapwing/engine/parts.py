"""Rows over time as Parquet parts under `folder/YYYY-MM-DD/HH/first-last.parquet` (ticks), each written atomically.

What the projections of the picture share: rows wait in memory until a checkpoint writes them, and after a crash the
parts past the checkpoint are removed, because the replayed tail writes them again. The first column is `time_ns`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lapwing.engine.durable import put_table
from lapwing.records import Array

KEPT_MAX = 3_600  # pictures that wait for a disk
ROWS_MAX = 2_000_000  # and their rows: some 150 MB
HOUR_NS = 3_600_000_000_000
PART = re.compile(r"(\d+)-(\d+)\.parquet$")


class Parts:
    """The parts of one projection. One writer; readers may come from other threads."""

    def __init__(self, folder: Path, columns: Mapping[str, Any]) -> None:
        self._folder, self._columns = folder, dict(columns)
        self._rows: list[tuple[Array, ...]] = []
        self._ticks: list[int] = []

    def forget_after(self, tick: int) -> None:
        """Remove parts that hold ticks past one: the replayed tail will write them again."""
        for path in self._folder.glob("*/*/*.parquet"):
            match = PART.search(path.name)
            if match and int(match[2]) > tick:
                path.unlink()

    def append(self, tick: int, columns: tuple[Array, ...]) -> None:
        """Remember the rows of one tick, column by column."""
        self._rows.append(columns)
        self._ticks.append(tick)

    def flush(self) -> None:
        """Write what is remembered as one part. Raises OSError (disk full); the rows are then kept for the next try,
        the oldest given up beyond KEPT_MAX ticks or ROWS_MAX of them (the journal can rebuild them)."""
        if not self._rows:
            return
        try:
            self._write(self._table(self._rows))
        except (OSError, pl.exceptions.PolarsError) as error:
            newest = np.cumsum([len(columns[0]) for columns in reversed(self._rows)])
            kept = min(KEPT_MAX, int(np.searchsorted(newest, ROWS_MAX, side="right")))
            first = len(self._rows) - kept
            self._rows, self._ticks = self._rows[first:], self._ticks[first:]
            raise OSError(f"the history in {self._folder} cannot be written: {error}") from error
        self._rows, self._ticks = [], []

    def _write(self, table: pl.DataFrame) -> None:
        hour = datetime.fromtimestamp(int(self._rows[0][0][0]) * 1e-9, UTC)
        folder = self._folder / hour.strftime("%Y-%m-%d") / hour.strftime("%H")
        put_table(table, folder / f"{self._ticks[0]:012d}-{self._ticks[-1]:012d}.parquet")

    def _table(self, rows: list[tuple[Array, ...]]) -> pl.DataFrame:
        if not rows:
            return pl.DataFrame(schema=self._columns)
        columns = (np.concatenate(c) for c in zip(*rows, strict=True))
        return pl.DataFrame(dict(zip(self._columns, columns, strict=True))).cast(self._columns)  # type: ignore[arg-type]

    def between(self, since_ns: int, until_ns: int) -> pl.LazyFrame:
        """Rows with since_ns <= time_ns < until_ns, in no order."""
        ticks, rows = list(self._ticks), list(self._rows)  # before the files: what is written now is then read once
        known = (p for p in self._near(since_ns, until_ns) if not ticks or int(p.stem.split("-")[1]) < ticks[0])
        frames = [*(pl.scan_parquet(p) for p in known), self._table(rows).lazy()]
        return pl.concat(frames).filter(pl.col("time_ns").is_between(since_ns, until_ns, closed="left"))

    def oldest_ns(self) -> int | None:
        """Time of the first row, or None."""
        rows = list(self._rows)  # before the files, as above
        for path in sorted(p for p in self._folder.glob("*/*/*.parquet") if PART.search(p.name)):
            first = pl.scan_parquet(path).select(pl.col("time_ns").min()).collect().item()
            if first is not None:
                return int(first)
        return int(rows[0][0][0]) if rows else None

    def _near(self, since_ns: int, until_ns: int) -> list[Path]:
        """Parts that can hold rows of an interval: a part begins in the hour it is filed under and is never longer than
        two (an hour of rows may wait for a disk)."""
        first, last = (_hour(max(ns, 0)) for ns in (since_ns - 2 * HOUR_NS, until_ns))
        found = sorted(p for p in self._folder.glob("*/*/*.parquet") if PART.search(p.name))
        return [p for p in found if first <= "/".join(p.parts[-3:-1]) <= last]


def _hour(time_ns: int) -> str:
    return datetime.fromtimestamp(min(time_ns, 253_402_300_799 * 10**9) // 10**9, UTC).strftime("%Y-%m-%d/%H")
