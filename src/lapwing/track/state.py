"""What the tracker remembers. Axes: n tracks, s sensors."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records import Array, Tracks
from lapwing.records.arrays import freeze_columns, same_length
from lapwing.track.settings import TrackSettings


@dataclass(frozen=True, slots=True)
class TrackerState:
    """All that the tracker remembers between scans."""

    tracks: Tracks
    hits: Float64[Array, " n"]  # association probability gathered so far, per track
    sensors: tuple[str, ...]  # sensors heard so far, sorted
    undetected: Float64[Array, " s"]  # expected targets in its coverage that no track stands for
    looked_ns: Int64[Array, " s"]  # end of its last scan

    def __post_init__(self) -> None:
        if len(self.hits) != len(self.tracks):
            raise ValueError(f"TrackerState.hits has {len(self.hits)} rows, tracks {len(self.tracks)}")
        same_length(self, "sensors", "undetected", "looked_ns")
        freeze_columns(self)


def start(_settings: TrackSettings, time_ns: int = 0) -> TrackerState:
    """Nothing believed yet: no settings change that."""
    return TrackerState(Tracks.empty(time_ns), np.zeros(0), (), np.zeros(0), np.zeros(0, dtype=np.int64))
