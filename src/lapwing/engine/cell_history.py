"""Cells over time: per H3 cell and ten minutes how many speakers had sound navigation and how many had not.

A projection like engine/history: who was in which cell in which ten minutes, with the worst that was said of it, one
Parquet file per ten minutes. Adding the same moment twice changes nothing, so that after a crash the replayed tail
writes the same again. An affected speaker counts where it last truly was; low aircraft and who was never sound do not.
"""

from pathlib import Path

import numpy as np
import polars as pl

from lapwing.engine.durable import put_table
from lapwing.integrity.cells import cells_of, share
from lapwing.integrity.evidence import NavigationSettings
from lapwing.integrity.navigation import family
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Array, Condition, Field, Picture, Position

BIN_NS = 600_000_000_000
EVERY_NS = 10_000_000_000
HEARD_NS = 60_000_000_000
BINS_MAX = 12  # that wait for a disk
VISITS = {
    "bin": pl.Int64,
    "cell": pl.Int64,
    "key": pl.Int64,  # family << 40 | address
    "bad": pl.Boolean,
    "since_ns": pl.Int64,  # of its trouble, 0 = none
    "reason": pl.String,
}
LOW_M = NavigationSettings().low_m


class CellHistory:
    """The store of one site. One writer; readers may come from other threads."""

    def __init__(self, folder: Path, origin: Position) -> None:
        self._folder = folder
        self._origin = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
        self._bins: dict[int, pl.DataFrame] = {}
        self._added_ns = 0

    def add(self, picture: Picture) -> None:
        """Remember one picture (call about once a second; one in ten is used)."""
        if 0 <= picture.time_ns - self._added_ns < EVERY_NS:
            return
        self._added_ns = picture.time_ns
        rows = visits(picture, self._origin)
        if rows.is_empty():
            return
        number = picture.time_ns // BIN_NS
        self._bins[number] = _merged([self._bins.get(number, _none()), rows])

    def flush(self) -> None:
        """Write what is remembered. Raises OSError (disk full); the newest is then kept for the next try."""
        for number in sorted(self._bins):
            path = self._folder / f"{number}.parquet"
            try:
                old = [pl.read_parquet(path)] if path.exists() else []
                put_table(_merged([*old, self._bins[number]]), path)
            except (OSError, pl.exceptions.PolarsError) as error:
                self._bins = dict(sorted(self._bins.items())[-BINS_MAX:])
                raise OSError(f"the cells in {self._folder} cannot be written: {error}") from error
        newest = max(self._bins, default=0)
        self._bins = {n: rows for n, rows in self._bins.items() if n == newest}

    def query(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Visits of every ten minutes that begin in the interval, in order of time and cell."""
        first, last = -(-since_ns // BIN_NS), -(-until_ns // BIN_NS)
        found = sorted(p for p in self._folder.glob("*.parquet") if p.stem.isdigit() and first <= int(p.stem) < last)
        waiting = [rows for number, rows in self._bins.copy().items() if first <= number < last]
        return _merged([_none(), *(pl.read_parquet(p) for p in found), *waiting])


def visits(picture: Picture, origin: tuple[float, float, float]) -> pl.DataFrame:
    """Who counts now, in which cell, affected or not."""
    claims, verdict = picture.claims, picture.integrity
    who = family(claims.source)
    altitude, said_ns = claims.said(Field.ALTITUDE_BARO_M)
    ground, ground_ns = claims.said(Field.ON_GROUND)
    low = (who == 0) & ((said_ns > 0) & (altitude < LOW_M) | (ground_ns > 0) & (ground > 0))
    bad = np.isin(verdict.condition, (Condition.DEGRADED, Condition.LOST, Condition.INCONSISTENT))
    heard = picture.time_ns - claims.heard_ns < HEARD_NS
    at = np.flatnonzero(heard & ~low & (verdict.good_ns > 0) & (bad | (verdict.condition == Condition.OK)))
    if not len(at):
        return _none()
    enu = np.stack([verdict.good_east_m[at], verdict.good_north_m[at], np.zeros(len(at))], axis=1)
    latitude, longitude, _ = enu_to_geodetic(origin, enu)
    hit = bad[at]
    return pl.DataFrame(
        {
            "bin": np.full(len(at), picture.time_ns // BIN_NS),
            "cell": cells_of(np.degrees(latitude), np.degrees(longitude)),
            "key": (who[at] << 40) | claims.address[at],
            "bad": hit,
            "since_ns": np.where(hit, verdict.since_ns[at], 0),
            "reason": [verdict.reason[i] if b else "" for i, b in zip(at.tolist(), hit.tolist(), strict=True)],
        },
        schema=VISITS,
    )


def _none() -> pl.DataFrame:
    return pl.DataFrame(schema=VISITS)


def _merged(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """One row per ten minutes, cell and speaker: the worst, and its first reason."""
    order = {"bin": False, "cell": False, "key": False, "bad": True, "since_ns": False, "reason": False}
    rows = pl.concat(parts).sort(list(order), descending=list(order.values()))
    return rows.unique(["bin", "cell", "key"], keep="first", maintain_order=True)


def shares(rows: pl.DataFrame) -> dict[str, Array]:
    """Columns per ten minutes and cell: counts, and the posterior of the affected share with its 90 % interval.
    `enough` False where too few speakers were there to say."""
    counts = (
        rows.group_by("bin", "cell")
        .agg((~pl.col("bad")).sum().cast(pl.Int64).alias("good"), pl.col("bad").sum().cast(pl.Int64))
        .sort("bin", "cell")
    )
    good, bad = counts["good"].to_numpy(), counts["bad"].to_numpy()
    mean, low, high, enough = share(good, bad)
    start_ns, cell = counts["bin"].to_numpy() * BIN_NS, counts["cell"].to_numpy()
    names = ("start_ns", "cell", "good", "bad", "share", "share_low", "share_high", "enough")
    return dict(zip(names, (start_ns, cell, good, bad, mean, low, high, enough), strict=True))
