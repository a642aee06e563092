"""What was believed of every track, and on which evidence: existence, kinds and detections over time.

A projection (engine/parts.py): one row per confirmed track and second, and one for every tick that brought it another
detection, with the journal entry of that detection. Of several detections of one track in one tick, the last is kept.
"""

from pathlib import Path

import numpy as np
import polars as pl

from lapwing.engine.parts import Parts
from lapwing.records import Kind, Picture, TrackStatus

EVERY_TICKS = 5
KINDS = tuple(kind.name.lower() for kind in Kind)
COLUMNS = {
    "time_ns": pl.Int64,  # of the picture
    "track_id": pl.Int64,
    "existence": pl.Float32,
    "seen": pl.Boolean,  # this tick brought a detection that was probably this track's
    "seen_ns": pl.Int64,  # time of the last such detection
    "frame_seq": pl.Int64,  # and its journal entry
    **dict.fromkeys(KINDS, pl.Float32),  # probabilities
}


class TrackHistory:
    """The store of one site. One writer; readers may come from other threads."""

    def __init__(self, folder: Path) -> None:
        self._parts = Parts(folder, COLUMNS)
        self._frame: dict[int, int] = {}  # of the last detection, by track
        self.forget_after, self.flush = self._parts.forget_after, self._parts.flush

    def add(self, picture: Picture) -> None:
        """Remember one picture (call for every tick)."""
        t = picture.tracks
        frames = dict(zip(t.track_id.tolist(), t.frame_seq.tolist(), strict=True))
        seen = np.array([self._frame.get(i) != seq for i, seq in frames.items()], dtype=bool)
        self._frame = frames
        due = np.full(len(t), picture.tick % EVERY_TICKS == 0)
        rows = np.flatnonzero((t.status != TrackStatus.TENTATIVE) & (seen | due))
        if not len(rows):
            return
        judged = len(picture.classes.track_id) == len(t)
        kinds = picture.classes.probability[rows] if judged else np.zeros((len(rows), len(KINDS)))
        times = (t.updated_ns[rows], t.frame_seq[rows])
        columns = (t.track_id[rows], t.existence[rows], seen[rows], *times, *kinds.T)
        self._parts.append(picture.tick, (np.full(len(rows), picture.time_ns), *columns))

    def query(self, since_ns: int, until_ns: int, track_id: int) -> pl.DataFrame:
        """Rows of one track with since_ns <= time_ns < until_ns, in order of time."""
        rows = self._parts.between(since_ns, until_ns).filter(pl.col("track_id") == track_id)
        return rows.sort("time_ns").collect()
