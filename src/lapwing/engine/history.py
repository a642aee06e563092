"""History: what was where, once a second, as Parquet parts. A projection: it can be rebuilt from the journal.

Parts are written at checkpoints under `history/YYYY-MM-DD/HH/first-last.parquet` (engine/parts.py).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from lapwing.engine.parts import Parts
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Array, Picture, Position, TrackStatus

TRACK, CLAIM = 0, 1
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


Older = Callable[[int, int, int, int], pl.DataFrame]  # since_ns, until_ns, kind, ident: rows with these COLUMNS


class History:
    """The store of one site. One writer; readers may come from other threads."""

    def __init__(self, folder: Path, origin: Position) -> None:
        self._parts = Parts(folder, COLUMNS)
        self._origin = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
        self.forget_after, self.flush = self._parts.forget_after, self._parts.flush
        self.oldest_ns = self._parts.oldest_ns
        self.older: Older | None = None  # asked of one subject's time before what is kept here

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
        self._parts.append(
            picture.tick,
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
            ),
        )

    def rows(self, since_ns: int, until_ns: int) -> pl.LazyFrame:
        """Rows with since_ns <= time_ns < until_ns, in no order, to be filtered before they are read."""
        return self._parts.between(since_ns, until_ns)

    def query(
        self, since_ns: int, until_ns: int, kind: int | None = None, ident: int | None = None
    ) -> dict[str, Array]:
        """Rows with since_ns <= time_ns < until_ns, in order of time, as columns."""
        rows = self.rows(since_ns, until_ns)
        if kind is not None:
            rows = rows.filter(pl.col("kind") == kind)
        if ident is not None:
            rows = rows.filter(pl.col("id") == ident)
        if self.older is not None and kind is not None and ident is not None:
            kept_ns = self.oldest_ns()
            kept_ns = until_ns if kept_ns is None else min(kept_ns, until_ns)
            if since_ns < kept_ns:
                rows = pl.concat([self.older(since_ns, kept_ns, kind, ident).lazy(), rows])
        table = rows.sort("time_ns", "kind", "id", maintain_order=True).collect()
        return {name: table[name].to_numpy() for name in COLUMNS}
