"""Directions nobody can explain: a sensor points somewhere, no track is there, no other bearing crosses. Axis: n."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records.arrays import Array, all_finite, column, freeze_columns, same_length


@dataclass(frozen=True, slots=True)
class Directions:
    """n wedges: from a place along an azimuth, out to the sensor's reach."""

    sensor: tuple[str, ...]
    time_ns: Int64[Array, " n"]
    place_m: Float64[Array, "n 3"]  # where the sensor stands, in the site's ENU frame
    azimuth_rad: Float64[Array, " n"]  # clockwise from the site's true north
    azimuth_sigma_rad: Float64[Array, " n"]
    range_m_max: Float64[Array, " n"]
    frame_seq: Int64[Array, " n"]  # journal entry: the evidence

    def __post_init__(self) -> None:
        same_length(
            self, "time_ns", "sensor", "place_m", "azimuth_rad", "azimuth_sigma_rad", "range_m_max", "frame_seq"
        )
        all_finite(self, "place_m", "azimuth_rad", "azimuth_sigma_rad", "range_m_max")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def empty(cls) -> "Directions":
        """None."""
        i, f = column([], np.int64), column([], np.float64)
        return cls((), i, np.zeros((0, 3)), f, f, f, i)
