"""History: what was where, once a second, as Parquet parts. A projection: it can be rebuilt from the journal.

Parts are written at checkpoints under `history/YYYY-MM-DD/HH/first-last.parquet`, each atomically; after a crash
the parts past the checkpoint are removed and the replayed tail writes them again.
"""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Array, Picture, Position, TrackStatus

TRACK, CLAIM = 0, 1
KEPT_MAX = 3_600  # pictures that wait for a disk
COLUMNS = {
    "time_ns": pl.Int64,
    "kind": pl.Int8,  # 0 track, 1 claim
    "id": pl.Int64,  # track_id or address
    "latitude_deg": pl.Float64,
    "longitude_deg": pl.Float64,
    "height_m": pl.Float32,
    "speed_mps": pl.Float32,
    "course_deg": pl.Float32,
    "existence": pl.Float32,  # of a claim: 1
    "state": pl.Int8,  # TrackStatus or Condition
}
PART = re.compile(r"(\d+)-(\d+)\.parquet$")


class History:
    """The store of one site. One writer; readers may come from other threads."""

    def __init__(self, folder: Path, origin: Position) -> None:
        self._folder = folder
        self._origin = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
        self._rows: list[tuple[Array, ...]] = []
        self._ticks: list[int] = []

    def forget_after(self, tick: int) -> None:
        """Remove parts that hold ticks past one: the replayed tail will write them again."""
        for path in self._parts():
            match = PART.search(path.name)
            if match and int(match[2]) > tick:
                path.unlink()

    def add(self, picture: Picture) -> None:
        """Remember one picture (call about once a second)."""
        tracks, claims = picture.tracks, picture.claims
        shown = tracks.status != TrackStatus.TENTATIVE
        placed = claims.has_position > 0
        mean = np.concatenate([tracks.mean[shown], claims.mean[placed]])
        if not len(mean):
            return
        n_tracks = int(shown.sum())
        lat, lon, height = enu_to_geodetic(self._origin, mean[:, :3])
        kind = np.full(len(mean), CLAIM, np.int8)
        kind[:n_tracks] = TRACK
        self._rows.append(
            (
                np.full(len(mean), picture.time_ns),
                kind,
                np.concatenate([tracks.track_id[shown], claims.address[placed]]),
                np.degrees(lat),
                np.degrees(lon),
                height,
                np.hypot(mean[:, 3], mean[:, 4]),
                np.degrees(np.arctan2(mean[:, 3], mean[:, 4])) % 360.0,
                np.concatenate([tracks.existence[shown], np.ones(int(placed.sum()))]),
                np.concatenate([tracks.status[shown], picture.integrity.condition[placed]]),
            )
        )
        self._ticks.append(picture.tick)

    def flush(self) -> None:
        """Write what is remembered as one part. Raises OSError (disk full); the rows are then kept for the next try,
        the oldest given up beyond an hour of them (the journal can rebuild them)."""
        if not self._rows:
            return
        try:
            self._write(self._table())
        except (OSError, pl.exceptions.PolarsError) as error:
            self._rows, self._ticks = self._rows[-KEPT_MAX:], self._ticks[-KEPT_MAX:]
            raise OSError(f"the history in {self._folder} cannot be written: {error}") from error
        self._rows, self._ticks = [], []

    def _write(self, table: pl.DataFrame) -> None:
        hour = datetime.fromtimestamp(int(self._rows[0][0][0]) * 1e-9, UTC)
        folder = self._folder / hour.strftime("%Y-%m-%d") / hour.strftime("%H")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self._ticks[0]:012d}-{self._ticks[-1]:012d}.parquet"
        draft = path.with_suffix(".draft")
        table.write_parquet(draft, compression="zstd")
        os.replace(draft, path)

    def _table(self) -> pl.DataFrame:
        if not self._rows:
            return pl.DataFrame(schema=dict(COLUMNS))
        columns = (np.concatenate(c) for c in zip(*self._rows, strict=True))
        return pl.DataFrame(dict(zip(COLUMNS, columns, strict=True))).cast(dict(COLUMNS))  # type: ignore[arg-type]

    def _parts(self) -> list[Path]:
        return sorted(self._folder.glob("*/*/*.parquet"))

    def query(
        self, since_ns: int, until_ns: int, kind: int | None = None, ident: int | None = None
    ) -> dict[str, Array]:
        """Rows with since_ns <= time_ns < until_ns, in order of time, as columns."""
        frames = [pl.scan_parquet(path) for path in self._parts()]
        frames.append(self._table().lazy())
        rows = pl.concat(frames).filter(pl.col("time_ns").is_between(since_ns, until_ns, closed="left"))
        if kind is not None:
            rows = rows.filter(pl.col("kind") == kind)
        if ident is not None:
            rows = rows.filter(pl.col("id") == ident)
        table = rows.sort("time_ns", "kind", "id", maintain_order=True).collect()
        return {name: table[name].to_numpy() for name in COLUMNS}
