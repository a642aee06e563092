"""Classes: what kind of thing a track probably is. Axes: n tracks, c kinds."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records.arrays import Array, all_finite, column, freeze_columns, same_length


class Kind(IntEnum):
    """Kinds of targets. A kind says nothing of intent."""

    UNKNOWN = 0  # none of the others
    MULTIROTOR = 1
    FIXED_WING_DRONE = 2
    BIRD = 3
    AIRCRAFT = 4
    HELICOPTER = 5
    SHIP = 6
    GROUND = 7


# How high each kind is above the ground around, before any is seen: median, and spread of the logarithm. Round
# numbers of common knowledge, in the order of Kind.
HEIGHT_M = (300.0, 70.0, 150.0, 120.0, 2_500.0, 300.0, 8.0, 5.0)
HEIGHT_SPREAD = (2.0, 0.8, 0.8, 1.1, 1.1, 0.8, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Classes:
    """Probabilities of kinds, per track; rows sum to one."""

    track_id: Int64[Array, " n"]
    probability: Float64[Array, "n c"]

    def __post_init__(self) -> None:
        n = same_length(self, "track_id", "probability")
        if self.probability.shape != (n, len(Kind)):
            raise ValueError(f"Classes.probability has shape {self.probability.shape}; needs {(n, len(Kind))}")
        all_finite(self, "probability")
        freeze_columns(self)

    @property
    def kind(self) -> Int64[Array, " n"]:
        """The most probable kind."""
        return np.asarray(np.argmax(self.probability, axis=1), dtype=np.int64)

    @classmethod
    def empty(cls) -> "Classes":
        """No tracks."""
        return cls(column([], np.int64), np.zeros((0, len(Kind))))
