"""[[sensor]] of the site file: degrees to radians, what a sensor may be refused with a reason."""

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lapwing.records import Position, SensorConfig

FORBID = ConfigDict(extra="forbid", frozen=True)
Name = Annotated[str, Field(pattern=r"^\w[\w ().,:'/&+-]{0,63}$")]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Height = Annotated[float, Field(ge=-1000, le=100_000, allow_inf_nan=False)]


Range = Annotated[float, Field(ge=0, le=1_000_000)]
Probability = Annotated[float, Field(ge=0, lt=1)]


class Place(BaseModel):
    """A point: degrees and metres above the WGS 84 ellipsoid."""

    model_config = FORBID
    latitude_deg: Latitude
    longitude_deg: Longitude
    height_m: Height = 0.0

    def position(self) -> Position:
        """In radians."""
        return Position(math.radians(self.latitude_deg), math.radians(self.longitude_deg), self.height_m)


class SensorEntry(BaseModel):
    """[[sensor]]: what the tracker must know of a sensor that delivers detections."""

    model_config = FORBID
    name: Name
    kind: Literal["radar", "position"] = "radar"
    at: Place
    range_sigma_m: Annotated[float, Field(gt=0, le=10_000)] = 30.0
    azimuth_sigma_deg: Annotated[float, Field(gt=0, le=45)] = 0.2
    elevation_sigma_deg: Annotated[float, Field(gt=0, le=45)] = 0.6
    range_rate_sigma_mps: Annotated[float, Field(gt=0, le=1000)] = 1.0
    range_max_m: Annotated[float, Field(gt=0, le=1_000_000)] = 50_000.0
    p_detect: Annotated[float, Field(gt=0, lt=1)] = 0.8
    clutter_per_scan: Annotated[float, Field(gt=0, le=100_000)] = 10.0
    period_s: Annotated[float, Field(gt=0, le=600)] = 4.0
    second: Place | None = None
    false_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.0
    correlation_s: Annotated[float, Field(ge=0, le=600)] = 0.0
    heading_deg: Annotated[float, Field(ge=-360, le=360)] | None = None
    echo_dbm: Annotated[float, Field(ge=-200, le=200)] | None = None
    echo_min_dbm: Annotated[float, Field(ge=-200, le=200)] | None = None
    class_reliability: Annotated[float, Field(ge=0, le=0.99)] = 0.8
    range_tolerance_m: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    azimuth_tolerance_deg: Annotated[float, Field(ge=0, le=45)] = 0.0
    elevation_tolerance_deg: Annotated[float, Field(ge=0, le=45)] = 0.0
    clock_tolerance_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    includes: Annotated[list[Name], Field(max_length=32)] = []
    align: bool = False
    p_detect_small: Annotated[float, Field(ge=0, lt=1)] | None = None
    range_small_m: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    p_detect_at: Annotated[list[tuple[Range, Probability]], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _tracks(self) -> "SensorEntry":
        if self.includes and not self.correlation_s:
            raise ValueError("'includes' is of a sensor that delivers tracks: it needs 'correlation_s'")
        if self.name in self.includes:
            raise ValueError(f"'includes' of {self.name!r} names itself")
        ranges = [range_m for range_m, _ in self.p_detect_at]
        if any(a >= b for a, b in pairwise(ranges)):
            raise ValueError(f"'p_detect_at' of {self.name!r}: ranges must rise")
        if ranges and self.second is not None:
            raise ValueError(f"'p_detect_at' of {self.name!r}: it is of one place, 'second' makes two")
        return self

    def config(self) -> SensorConfig:
        """Frozen, in radians."""
        return SensorConfig(
            self.name,
            self.at.position(),
            self.kind,
            self.range_sigma_m,
            math.radians(self.azimuth_sigma_deg),
            math.radians(self.elevation_sigma_deg),
            self.range_rate_sigma_mps,
            self.range_max_m,
            self.p_detect,
            self.clutter_per_scan,
            self.period_s,
            self.second.position() if self.second else None,
            self.false_ratio,
            self.correlation_s,
            None if self.heading_deg is None else math.radians(self.heading_deg),
            self.echo_dbm,
            self.echo_min_dbm,
            self.class_reliability,
            (
                self.range_tolerance_m,
                math.radians(self.azimuth_tolerance_deg),
                math.radians(self.elevation_tolerance_deg),
                self.clock_tolerance_s,
            ),
            tuple(self.includes),
            self.p_detect_small,
            self.range_small_m,
            align=self.align,
            p_detect_at=tuple(self.p_detect_at),
        )
