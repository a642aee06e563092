"""Rows of a scan out of ASTERIX: plots of a surface radar (CAT010) and bearings of a direction finder (CAT205).

Refuses plots and bearings without a place to look at. Axes: m rows.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from jaxtyping import Float64

from lapwing.decode.asterix_reports import SIMULATED, bit, signed, unsigned
from lapwing.decode.scans import scan
from lapwing.records import ANONYMOUS, RCS_UNSAID, Array, Detections, SensorConfig, Space

CENTIDEGREE = math.pi / 18_000.0
TURN = 36_000  # hundredths of a degree
HALF_STEP_DB = 0.5  # amplitudes are whole decibels
PRIMARY_AMPLITUDE, BEFORE_AMPLITUDE = 0x08, 0xF0  # bits of the first octet of I048/130


@dataclass(frozen=True, slots=True)
class Plot:
    """One radar target report."""

    time_ns: int
    range_m: float
    azimuth_rad: float
    range_rate_mps: float | None
    address: int
    frame_seq: int
    echo_dbm: float | None = None  # amplitude of the primary echo


@dataclass(frozen=True, slots=True)
class Bearing:
    """One direction, seen from the finder."""

    time_ns: int
    azimuth_rad: float
    elevation_rad: float | None
    frame_seq: int


def echo_of(item: bytes) -> float | None:
    """The amplitude of the primary echo in dBm out of I048/130, where it is there."""
    if not item or not item[0] & PRIMARY_AMPLITUDE:
        return None
    at = 1 + (item[0] & BEFORE_AMPLITUDE).bit_count()
    return float(int.from_bytes(item[at : at + 1], "big", signed=True))


def rcs_of(plots: Sequence[Plot], sensor: SensorConfig) -> Float64[Array, " m"] | None:
    """Radar cross sections in dBsm by the radar equation, where it is known how strong one square metre is at 10 km.

    Echoes are seen in their better moments. Where the weakest echo that the radar tells is known, its power is taken
    off: a power that fluctuates exponentially (Swerling 1) exceeds any threshold by an exponential of the same mean."""
    if sensor.echo_dbm is None:
        return None
    ranges = np.array([max(p.range_m, 1.0) for p in plots])
    echo_dbm = np.array([RCS_UNSAID if p.echo_dbm is None else p.echo_dbm for p in plots])
    told_dbm = echo_dbm
    if sensor.echo_min_dbm is not None:
        over = 10.0 ** (0.1 * np.clip(echo_dbm - sensor.echo_min_dbm, HALF_STEP_DB, 100.0)) - 1.0
        told_dbm = sensor.echo_min_dbm + 10.0 * np.log10(over)
    rcs_dbsm = told_dbm - sensor.echo_dbm + 40.0 * np.log10(ranges / 10_000.0)
    return np.where(echo_dbm == RCS_UNSAID, RCS_UNSAID, rcs_dbsm)


def surface_plot(items: Mapping[str, bytes], time_ns: int, seq: int) -> tuple[Plot | None, str]:
    """The plot of a surface radar's report, from its polar or its Cartesian place, or why there is none."""
    if bit(items["020"], 1, 0xE0):
        return None, SIMULATED
    if bit(items.get("170", b""), 0, 0x30):
        return None, "coasted track without a detection"
    rho, theta = unsigned(items, "040", 0, 2), unsigned(items, "040", 2, 2)
    east, north = signed(items, "042", 0, 2), signed(items, "042", 2, 2)
    if rho is not None and theta is not None:
        return Plot(time_ns, float(rho), theta * (2.0 * math.pi / 65536.0), None, ANONYMOUS, seq), ""
    if east is None or north is None:
        return None, "plot without range and azimuth"
    azimuth = math.atan2(east, north) % (2.0 * math.pi)
    return Plot(time_ns, math.hypot(east, north), azimuth, None, ANONYMOUS, seq), ""


def bearing_of(items: Mapping[str, bytes], time_ns: int, seq: int) -> tuple[Bearing | None, str]:
    """The bearing of a sensor data or system bearing report (the local one if both), or why there is none."""
    raw = unsigned(items, "070") if "070" in items else unsigned(items, "080")
    if raw is None or raw >= TURN:
        return None, "report without a bearing"
    elevation = signed(items, "200")
    if elevation is not None and abs(elevation) > TURN // 4:
        return None, "elevation beyond the vertical"
    return Bearing(time_ns, raw * CENTIDEGREE, None if elevation is None else elevation * CENTIDEGREE, seq), ""


def bearing_scans(bearings: Sequence[Bearing], sensor: SensorConfig) -> list[Detections]:
    """One scan per time and space: directions heard at once are one look."""

    def look(b: Bearing) -> tuple[int, bool]:
        return b.time_ns, b.elevation_rad is not None

    out = []
    for (time_ns, raised), group in groupby(sorted(bearings, key=look), key=look):
        rows = list(group)
        space = Space.AZIMUTH_ELEVATION if raised else Space.AZIMUTH
        d = len(space.value)
        sigmas = (sensor.azimuth_sigma_rad, sensor.elevation_sigma_rad)[:d]
        told = [((b.azimuth_rad, b.elevation_rad or 0.0)[:d], sigmas) for b in rows]
        out.append(scan(sensor.sensor, space, time_ns, told, rows[0].frame_seq))
    return out
