"""Detections: one scan of one sensor in one measurement space. Axes: m detections, d columns, c kinds."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.gaussian import not_positive
from lapwing.records.arrays import Array, all_finite, column, freeze_columns, same_length
from lapwing.records.classes import Kind


class Space(Enum):
    """A measurement space: its value names the columns of `z` with their units. Azimuths run clockwise from
    true north at the sensor, elevations up from its horizon; east, north, up are the site's ENU frame."""

    POSITION_2D = ("east_m", "north_m")
    POSITION_3D = ("east_m", "north_m", "up_m")
    RANGE_AZIMUTH = ("range_m", "azimuth_rad")
    RANGE_AZIMUTH_ELEVATION = ("range_m", "azimuth_rad", "elevation_rad")
    RANGE_AZIMUTH_RANGE_RATE = ("range_m", "azimuth_rad", "range_rate_mps")
    RANGE_AZIMUTH_ELEVATION_RANGE_RATE = ("range_m", "azimuth_rad", "elevation_rad", "range_rate_mps")
    AZIMUTH = ("azimuth_rad",)
    AZIMUTH_ELEVATION = ("azimuth_rad", "elevation_rad")
    BISTATIC = ("bistatic_range_m", "bistatic_range_rate_mps")  # how much longer than the direct way, and its growth
    BISTATIC_RANGE = ("bistatic_range_m",)
    RANGE_DIFFERENCE = ("range_difference_m",)  # time difference of arrival times the speed of light


MICRO = ("blades", "spread_mps")  # were blades seen, 0 to 1; half the width of the spectrum about the body's line
MICRO_UNSAID = -1.0  # of either
RCS_UNSAID = -999.0  # dBsm of a detection whose sensor does not say
UNSAID = (0.0,) * len(Kind)  # of a detection of which the sensor does not say what it is


@dataclass(frozen=True, slots=True)
class Detections:
    """One scan: m detections of one sensor in one measurement space. Columns are read-only.
    An empty scan (m = 0) says that the sensor looked and saw nothing. Raises ValueError naming a bad column."""

    sensor: str
    space: Space
    scan_ns: int  # end of the scan, UTC
    time_ns: Int64[Array, " m"]  # time of applicability, UTC
    z: Float64[Array, "m d"]
    R: Float64[Array, "m d d"]  # noise covariance, units of z squared
    address: Int64[Array, " m"]  # ICAO / MMSI / ... that came with the plot, or ANONYMOUS
    frame_seq: Int64[Array, " m"]  # journal entry: the evidence behind each row
    rcs_dbsm: Float64[Array, " m"] | None = None  # radar cross sections, RCS_UNSAID where not said; None: of none
    declared: Float64[Array, "m c"] | None = None  # probability of each Kind, as the sensor says; the rest to 1 is open
    micro: Float64[Array, "m 2"] | None = None  # micro-Doppler as in MICRO, MICRO_UNSAID where not said; None: of none
    measured: Float64[Array, "m d"] | None = None  # z before the sensor's biases were taken out; None: z itself
    late_ns: int = 0  # and what was taken from the times

    def __post_init__(self) -> None:
        said = tuple(name for name in ("rcs_dbsm", "declared", "micro", "measured") if getattr(self, name) is not None)
        m = same_length(self, "time_ns", "z", "R", "address", "frame_seq", *said)
        d = len(self.space.value)
        if self.z.shape != (m, d) or self.R.shape != (m, d, d):
            raise ValueError(
                f"Detections.z, R have shapes {self.z.shape}, {self.R.shape}; {self.space.name} needs {(m, d)}"
            )
        all_finite(self, "z", "R", *said)
        if m and not (np.diagonal(self.R, axis1=1, axis2=2) > 0.0).all():
            raise ValueError("Detections.R has a variance that is not positive")
        if m and d > 1 and not_positive(0.5 * (self.R + np.swapaxes(self.R, 1, 2)), 0.0).any():
            raise ValueError("Detections.R has a row that is no covariance: its correlations are too large")
        if self.declared is not None and (
            self.declared.shape != (m, len(Kind))
            or not ((self.declared >= 0.0).all() and (self.declared.sum(axis=1) <= 1.0 + 1e-9).all())
        ):
            raise ValueError(f"Detections.declared has no probabilities of {len(Kind)} kinds in each of {m} rows")
        if self.measured is not None and self.measured.shape != (m, d):
            raise ValueError(f"Detections.measured has shape {self.measured.shape}; needs {(m, d)}")
        if self.micro is not None and self.micro.shape != (m, len(MICRO)):
            raise ValueError(f"Detections.micro has shape {self.micro.shape}; needs {(m, len(MICRO))}")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.time_ns)

    @classmethod
    def empty(cls, sensor: str, space: Space, scan_ns: int) -> "Detections":
        """A scan in which nothing was seen."""
        d = len(space.value)
        none = column([], np.int64)
        return cls(sensor, space, scan_ns, none, np.zeros((0, d)), np.zeros((0, d, d)), none, none)
