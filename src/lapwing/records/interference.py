"""Interference: regions where many lost their navigation, why, and where the source may be. Axes: c regions, s sources,
v vertices."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records.arrays import Array, all_finite, column, freeze_columns, same_length

CAUSES = ("none", "jamming", "spoofing", "both", "equipment", "outage")  # columns of Interference.causes


@dataclass(frozen=True, slots=True)
class Interference:
    """c regions in which several claims lost or degraded their navigation within a short time."""

    region_id: Int64[Array, " c"]
    since_ns: Int64[Array, " c"]
    updated_ns: Int64[Array, " c"]
    east_m: Float64[Array, " c"]  # centre of the affected claims' last good positions: NOT the emitter
    north_m: Float64[Array, " c"]
    radius_m: Float64[Array, " c"]  # reaches the farthest affected claim
    affected: Int64[Array, " c"]  # number of claims degraded, lost or false now
    exposed: Int64[Array, " c"]  # number of claims in the region that could have been
    p_value: Float64[Array, " c"]  # chance of as many new losses without interference
    ships: Int64[Array, " c"] = field(default_factory=lambda: column([], np.int64))  # of the affected
    causes: Float64[Array, "c 6"] = field(default_factory=lambda: np.zeros((0, 6)))  # probabilities of CAUSES

    def __post_init__(self) -> None:
        if len(self.ships) != len(self.region_id):  # left out: nothing is known of it
            object.__setattr__(self, "ships", np.zeros(len(self.region_id), np.int64))
            object.__setattr__(self, "causes", np.zeros((len(self.region_id), len(CAUSES))))
        same_length(self, "region_id", "since_ns", "updated_ns", "east_m", "north_m", "radius_m", "affected")
        same_length(self, "region_id", "exposed", "p_value", "ships", "causes")
        all_finite(self, "east_m", "north_m", "radius_m", "p_value", "causes")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.region_id)


@dataclass(frozen=True, slots=True)
class Sources:
    """s likely sources of the regions, each with the outlines of where it is with a probability of 50 and 90 %."""

    region_id: Int64[Array, " s"]
    updated_ns: Int64[Array, " s"]
    unique: Int64[Array, " s"]  # 0: no place explains what is seen; then the rest says only how one would try
    east_m: Float64[Array, " s"]
    north_m: Float64[Array, " s"]
    sigma_m: Float64[Array, " s"]
    power_dbm: Float64[Array, " s"]  # effective radiated, if receivers are as sensitive as assumed
    power_db_sigma: Float64[Array, " s"]
    width_rad: Float64[Array, " s"]  # of its beam, 0 = all round
    bearing_rad: Float64[Array, " s"]
    fit_p: Float64[Array, " s"]  # chance of as bad a fit if the model holds
    ring_row: Int64[Array, " v"]  # row of the source
    ring_share: Float64[Array, " v"]  # 0.5 or 0.9
    ring_number: Int64[Array, " v"]  # vertices of one closed ring share a number
    ring_east_m: Float64[Array, " v"]
    ring_north_m: Float64[Array, " v"]

    def __post_init__(self) -> None:
        same_length(self, "region_id", "updated_ns", "unique", "east_m", "north_m", "sigma_m", "power_dbm")
        same_length(self, "region_id", "power_db_sigma", "width_rad", "bearing_rad", "fit_p")
        same_length(self, "ring_row", "ring_share", "ring_number", "ring_east_m", "ring_north_m")
        all_finite(self, "east_m", "north_m", "sigma_m", "power_dbm", "fit_p", "ring_east_m", "ring_north_m")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.region_id)


def no_interference() -> Interference:
    """No region."""
    i, f = column([], np.int64), column([], np.float64)
    return Interference(i, i, i, f, f, f, i, i, f)


def no_sources() -> Sources:
    """No source."""
    i, f = column([], np.int64), column([], np.float64)
    return Sources(i, i, i, f, f, f, f, f, f, f, f, i, f, i, f, f)
