"""What could be here unseen: expected numbers of undetected small drones, by place. Axes: y rows from south to north,
x columns from west to east, z zones."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lapwing.records.arrays import Array, all_finite, freeze_columns


@dataclass(frozen=True, slots=True)
class Unseen:
    """One grid at one time. The grid's lower left corner is at (west_m, south_m) of the site's ENU frame."""

    time_ns: int
    west_m: float
    south_m: float
    cell_m: float
    expected: Float64[Array, "y x"]  # undetected drones per cell
    unwatched: float  # what a cell holds where nobody looks
    zones: tuple[str, ...]
    zone_expected: Float64[Array, " z"]  # per zone, of that part of it which the grid covers

    def __post_init__(self) -> None:
        if self.zone_expected.shape != (len(self.zones),):
            raise ValueError(f"Unseen.zone_expected has shape {self.zone_expected.shape}; needs {(len(self.zones),)}")
        all_finite(self, "expected", "zone_expected")
        if not (self.expected > 0.0).all():
            raise ValueError("Unseen.expected is not positive everywhere: what is unseen is never known to be nothing")
        freeze_columns(self)

    @classmethod
    def empty(cls) -> "Unseen":
        """No grid."""
        return cls(0, 0.0, 0.0, 1.0, np.ones((0, 0)), 0.0, (), np.zeros(0))
