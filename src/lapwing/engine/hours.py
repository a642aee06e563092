"""Tables over time, one Parquet file per hour: what is small enough to be looked through for months.

A projection like engine/cell_history: rows are merged by a function that takes the same rows twice without a change, so
that after a crash the replayed tail writes the same again. Readers get one hour after another, never all at once.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from lapwing.engine.durable import put_table
from lapwing.engine.parts import HOUR_NS

HOURS_MAX = 3  # that wait for a disk
HEAP_MAX = 12  # tables of an hour that wait to be merged
Merge = Callable[[pl.DataFrame], pl.DataFrame]


class Hours:
    """The store of one table of one site. One writer; readers may come from other threads."""

    def __init__(self, folder: Path, columns: Mapping[str, Any], merge: Merge) -> None:
        self._folder, self._columns, self._merge = folder, dict(columns), merge
        self._waiting: dict[int, tuple[pl.DataFrame, ...]] = {}

    def add(self, time_ns: int, rows: pl.DataFrame) -> None:
        """Remember rows of the hour that holds a time."""
        if rows.is_empty():
            return
        number = time_ns // HOUR_NS
        heap = (*self._waiting.get(number, ()), rows)
        self._waiting[number] = heap if len(heap) < HEAP_MAX else (self._merged(heap),)

    def flush(self) -> None:
        """Write what is remembered. Raises OSError (disk full); the newest hours are then kept for the next try."""
        for number in sorted(self._waiting):
            path = self._folder / f"{number}.parquet"
            try:
                old = [pl.read_parquet(path)] if path.exists() else []
                put_table(self._merged([*old, *self._waiting[number]]), path)
            except (OSError, pl.exceptions.PolarsError) as error:
                self._waiting = dict(sorted(self._waiting.items())[-HOURS_MAX:])
                raise OSError(f"the history in {self._folder} cannot be written: {error}") from error
            del self._waiting[number]

    def between(
        self, since_ns: int, until_ns: int, *, newest_first: bool = False
    ) -> Iterator[tuple[int, pl.DataFrame]]:
        """(begin_ns, rows) of every hour that overlaps since_ns <= time < until_ns and holds rows. Raises OSError."""
        first, last = since_ns // HOUR_NS, -(-until_ns // HOUR_NS)
        files = {int(p.stem) for p in self._folder.glob("*.parquet") if p.stem.isdecimal()}
        numbers = (n for n in {*files, *self._waiting} if first <= n < last)
        for number in sorted(numbers, reverse=newest_first):
            rows = self._hour(number)
            if not rows.is_empty():
                yield number * HOUR_NS, rows

    def _hour(self, number: int) -> pl.DataFrame:
        waiting = self._waiting.get(number, ())  # before the file: what is written meanwhile is seen twice, not never
        path = self._folder / f"{number}.parquet"
        try:
            kept = [pl.read_parquet(path)] if path.exists() else []
        except FileNotFoundError:  # it grew too old just now
            kept = []
        except (OSError, pl.exceptions.PolarsError) as error:
            raise OSError(f"{path} cannot be read: {error}") from error
        return self._merged([*kept, *waiting])

    def _merged(self, parts: list[pl.DataFrame] | tuple[pl.DataFrame, ...]) -> pl.DataFrame:
        if not parts:
            return pl.DataFrame(schema=self._columns)
        return self._merge(pl.concat(parts)).select(list(self._columns)).cast(self._columns)  # type: ignore[arg-type]
