"""Tracks: our beliefs about targets, from physical evidence. Axis: n tracks; state (east, north, up, velocities)."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records.arrays import Array, all_finite, column, freeze_columns, same_length

ANONYMOUS = -1  # an address column's value for "nobody said"


class TrackStatus(IntEnum):
    """Track life. A deleted track is gone; its id is never used again."""

    TENTATIVE = 0
    CONFIRMED = 1
    COASTING = 2  # confirmed before, not detected lately


@dataclass(frozen=True, slots=True)
class Tracks:
    """n tracks at one time. `mean` = (east_m, north_m, up_m, east_mps, north_mps, up_mps) in the site's ENU frame."""

    time_ns: int
    track_id: Int64[Array, " n"]
    mean: Float64[Array, "n 6"]
    cov: Float64[Array, "n 6 6"]
    existence: Float64[Array, " n"]  # Bernoulli existence probability, 0..1
    status: Int64[Array, " n"]  # TrackStatus
    born_ns: Int64[Array, " n"]
    updated_ns: Int64[Array, " n"]  # last detection that was probably this track's
    address: Int64[Array, " n"]  # address that came with its plots (secondary radar), or ANONYMOUS
    frame_seq: Int64[Array, " n"]  # journal entry of the last such detection
    next_id: int  # the id that the next new track will get

    def __post_init__(self) -> None:
        n = same_length(self, "track_id", "mean", "cov", "existence", "status", "born_ns", "updated_ns")
        same_length(self, "track_id", "address", "frame_seq")
        if self.mean.shape != (n, 6) or self.cov.shape != (n, 6, 6):
            raise ValueError(f"Tracks.mean, cov have shapes {self.mean.shape}, {self.cov.shape}; need {(n, 6)}")
        all_finite(self, "mean", "cov", "existence")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.track_id)

    @classmethod
    def empty(cls, time_ns: int, next_id: int = 1) -> "Tracks":
        """Nothing believed yet."""
        i, f = column([], np.int64), column([], np.float64)
        return cls(time_ns, i, np.zeros((0, 6)), np.zeros((0, 6, 6)), f, i, i, i, i, i, next_id)


@dataclass(frozen=True, slots=True)
class Innovations:
    """k associations of one scan: which row of the scan was given to which track, with what weight and NIS."""

    sensor: str
    scan_ns: int
    track_id: Int64[Array, " k"]
    detection: Int64[Array, " k"]  # row of the scan
    weight: Float64[Array, " k"]  # marginal association probability
    nis: Float64[Array, " k"]  # normalised innovation squared
    dof: int  # its degrees of freedom

    def __post_init__(self) -> None:
        same_length(self, "track_id", "detection", "weight", "nis")
        freeze_columns(self)
