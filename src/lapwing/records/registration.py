"""Registration: how far each sensor is off, as far as that can be known. Axis: b biases, in the order of BIASES."""

from dataclasses import dataclass

from jaxtyping import Float64, Int64

from lapwing.records.arrays import Array, all_finite, freeze_columns

BIASES = ("range_m", "azimuth_rad", "elevation_rad", "time_s", "east_m", "north_m")
# What the sensor adds to range, azimuth, elevation and time; and how far it stands from where the site file says.


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

    def __post_init__(self) -> None:
        for name in ("bias", "sigma", "observable", "noise"):
            if getattr(self, name).shape != (len(BIASES),):
                raise ValueError(f"Registration.{name} needs {len(BIASES)} rows")
        all_finite(self, "bias", "sigma", "noise")
        freeze_columns(self)
