"""Alarms over time: one row per alarm that ever was, as it was when its state or priority last changed. For marks on a
time bar.

A projection like engine/history, one Parquet file per UTC day of raising. Adding the same picture twice changes
nothing, so that after a crash the replayed tail writes the same again. Holds no evidence: that is in the pictures.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from lapwing.engine.durable import put_table
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Alarms, Picture, Position

DAY_NS = 86_400_000_000_000
WAITING_MAX = 10_000  # alarms that wait for a disk
COLUMNS = {
    "alarm_id": pl.Int64,
    "raised_ns": pl.Int64,
    "cleared_ns": pl.Int64,  # 0 = it stood when last seen
    "priority": pl.Int8,  # the most urgent that it was: records.Priority
    "rule": pl.String,
    "zone": pl.String,
    "subject": pl.Int8,  # records.Subject
    "subject_id": pl.Int64,
    "latitude_deg": pl.Float64,  # where its subject was when it last changed
    "longitude_deg": pl.Float64,
    "reason": pl.String,
}


class AlarmHistory:
    """The store of one site. One writer; readers may come from other threads."""

    def __init__(self, folder: Path, origin: Position) -> None:
        self._folder = folder
        self._origin = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
        self._waiting = _none()
        self._signature = b""
        self.older: Callable[[int, int], pl.DataFrame] | None = None  # asked of the days before what is kept here

    def add(self, picture: Picture) -> None:
        """Remember the alarms of one picture; cheap when none has changed its state or priority."""
        a = picture.alarms
        signature = a.alarm_id.tobytes() + a.state.tobytes() + a.priority.tobytes()
        if signature != self._signature:
            self._signature = signature
            self._waiting = _merged([self._waiting, self._rows(a)])

    def _rows(self, a: Alarms) -> pl.DataFrame:
        enu = np.stack([a.east_m, a.north_m, np.zeros(len(a))], axis=1)
        latitude, longitude, _ = enu_to_geodetic(self._origin, enu)
        numbers = (a.alarm_id, a.raised_ns, a.cleared_ns, a.priority)
        place = (np.degrees(latitude), np.degrees(longitude))
        columns = (*numbers, list(a.rule), list(a.zone), a.subject, a.subject_id, *place, list(a.reason))
        return pl.DataFrame(dict(zip(COLUMNS, columns, strict=True)), schema_overrides=COLUMNS)

    def flush(self) -> None:
        """Write what is remembered. Raises OSError (disk full); it is then kept for the next try, the oldest alarms
        given up beyond WAITING_MAX."""
        if self._waiting.is_empty():
            return
        try:
            for day in self._waiting.select(pl.col("raised_ns") // DAY_NS).to_series().unique().sort().to_list():
                path = self._folder / f"{day}.parquet"
                old = [pl.read_parquet(path)] if path.exists() else []
                mine = self._waiting.filter(pl.col("raised_ns") // DAY_NS == day)
                put_table(_merged([*old, mine]), path)
        except (OSError, pl.exceptions.PolarsError) as error:
            self._waiting = self._waiting.tail(WAITING_MAX)
            raise OSError(f"the history of alarms in {self._folder} cannot be written: {error}") from error
        self._waiting = _none()

    def query(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Alarms raised in since_ns <= time < until_ns, in order of raising; also from where older ones are kept."""
        rows = self.here(since_ns, until_ns)
        kept_ns = min([until_ns, *(int(p.stem) * DAY_NS for p in self._days())])
        if self.older is None or since_ns >= kept_ns:
            return rows
        old = self.older(since_ns, kept_ns).join(rows, on=["raised_ns", "alarm_id"], how="anti")  # some wait for a disk
        return pl.concat([old, rows]).sort("raised_ns", "alarm_id")

    def here(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """The same, of what is kept here."""
        days = range(since_ns // DAY_NS, until_ns // DAY_NS + 1)
        waiting = self._waiting  # read before the files: what is flushed in between is then seen twice, not never
        found = [p for p in self._days() if int(p.stem) in days]
        rows = _merged([_none(), *(pl.read_parquet(p) for p in found), waiting])
        return rows.filter(pl.col("raised_ns").is_between(since_ns, until_ns, closed="left"))

    def _days(self) -> list[Path]:
        return sorted(p for p in self._folder.glob("*.parquet") if p.stem.isdigit())


def _none() -> pl.DataFrame:
    return pl.DataFrame(schema=COLUMNS)


def _merged(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """One row per alarm: the last that was said of it, with the most urgent priority that it had."""
    last = [pl.col(name).last() for name in COLUMNS if name not in ("alarm_id", "priority")]
    rows = pl.concat(parts).group_by("alarm_id", maintain_order=True).agg(pl.col("priority").min(), *last)
    return rows.select(list(COLUMNS)).sort("raised_ns", "alarm_id")
