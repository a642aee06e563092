"""Registration: how far each sensor is off, as far as that can be known. Axis: b biases, in the order of BIASES."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records.arrays import Array, all_finite, freeze_columns, same_length

BIASES = ("range_m", "azimuth_rad", "elevation_rad", "time_s", "east_m", "north_m")
# What the sensor adds to range, azimuth, elevation and time; and how far it stands from where the site file says.


@dataclass(frozen=True, slots=True)
class Drift:
    """What one sensor's biases used to be, and which have left that, or their tolerance. Times are UTC, 0 = never."""

    norm: Float64[Array, " b"]  # mean of its own past, as far as `information` says
    information: Float64[Array, " b"]  # inverse variance of the norm, 0 = no past yet
    sample: Float64[Array, " b"]  # the last estimate taken, in the norm only once a whole window has passed
    sample_sigma: Float64[Array, " b"]
    sample_ns: Int64[Array, " b"]
    moved_ns: Int64[Array, " b"]  # since when it differs from its own past
    outside_ns: Int64[Array, " b"]  # since when it is outside its stated tolerance
    tolerance: Float64[Array, " b"]  # as stated, 0 = none

    def __post_init__(self) -> None:
        same_length(self, *self.__slots__)
        all_finite(self, "norm", "information", "sample", "sample_sigma", "tolerance")
        freeze_columns(self)

    @classmethod
    def empty(cls) -> "Drift":
        """No past."""
        f, i = np.zeros(len(BIASES)), np.zeros(len(BIASES), dtype=np.int64)
        return cls(f, f.copy(), f.copy(), f.copy(), i, i.copy(), i.copy(), f.copy())


@dataclass(frozen=True, slots=True)
class Against:
    """How far a sensor differs from another that sees the same targets, whoever of them is right."""

    other: str
    looks: int  # at shared tracks, 0 = not yet enough
    difference: Float64[Array, " b"]  # this sensor's bias less the other's
    sigma: Float64[Array, " b"]
    known: Int64[Array, " b"]  # 1: known much better than before

    def __post_init__(self) -> None:
        same_length(self, "difference", "sigma", "known")
        all_finite(self, "difference", "sigma")
        freeze_columns(self)


@dataclass(frozen=True, slots=True)
class Registration:
    """One sensor's biases. Where `observable` is 0 the value is the prior's guess, and is never applied."""

    sensor: str
    time_ns: int  # of the estimate
    pairs: int  # looks at trusted targets that it rests on
    bias: Float64[Array, " b"]
    sigma: Float64[Array, " b"]
    observable: Int64[Array, " b"]  # 1: the data say much more than the prior
    noise: Float64[Array, " b"]  # one sigma of the sensor's own noise, 0 = it does not measure that
    drift: Drift = field(default_factory=Drift.empty)
    shared: int = 0  # looks at targets that another sensor sees, too, and no trusted traffic explains
    against: Against | None = None

    def __post_init__(self) -> None:
        for name in ("bias", "sigma", "observable", "noise"):
            if getattr(self, name).shape != (len(BIASES),):
                raise ValueError(f"Registration.{name} needs {len(BIASES)} rows")
        all_finite(self, "bias", "sigma", "noise")
        freeze_columns(self)
