"""Long-form output of the Mode S kernels: preallocated columns and their counts. Codes are those of records.Field,
records.Source and records.Doubt (a test holds them equal); nothing here knows what they mean.

Axes: n frames, v value rows, p position rows, t text rows.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

(DOWNLINK_FORMAT, ALTITUDE_BARO_M, HEIGHT_ELLIPSOID_M, ON_GROUND, GROUND_SPEED_MPS, TRACK_RAD, HEADING_RAD) = range(7)
(HEADING_MAGNETIC, TRUE_AIRSPEED_MPS, INDICATED_AIRSPEED_MPS, MACH, VERTICAL_RATE_BARO_MPS) = range(7, 12)
(VERTICAL_RATE_GEOMETRIC_MPS, GEOMETRIC_MINUS_BARO_M, GEOMETRIC_MINUS_BARO_SATURATED, ROLL_RAD) = range(12, 16)
TRACK_RATE_RADPS = 16
(NIC, NAC_P, NAC_V, SIL, GVA, SDA, NIC_BARO, ADSB_VERSION, NO_POSITION) = range(20, 29)
(EMITTER_CATEGORY, SQUAWK, EMERGENCY) = range(30, 33)
RSSI_DB, ALTITUDE_SELECTED_M = 50, 51

ADSB, ADSB_OTHER, ADSR, TISB, MLAT, MODE_S = range(6)
JUMP, BEYOND_HORIZON, SINGLE = 1, 2, 4

FOOT_M = 0.3048
KNOT_MPS = 1852.0 / 3600.0
FPM_MPS = 0.3048 / 60.0

VALUES_PER_FRAME = 14  # more than the richest message gives; a test sends one of each kind


class Out(NamedTuple):
    """Columns to fill; counts = (values, positions, texts) so far."""

    row: I64  # index of the frame
    field: I64
    value: F64
    position_row: I64
    latitude_rad: F64
    longitude_rad: F64
    doubt: I64
    text_row: I64
    text_code: I64  # eight characters of six bits
    counts: I64


def out_for(n: int) -> Out:
    """Room for the rows of n frames."""
    i, f = np.int64, np.float64
    v = n * VALUES_PER_FRAME
    return Out(
        np.empty(v, i), np.empty(v, i), np.empty(v, f), np.empty(n, i), np.empty(n, f), np.empty(n, f), np.empty(n, i),
        np.empty(n, i), np.empty(n, i), np.zeros(3, i),
    )  # fmt: skip


@njit(cache=True, forceinline=True)
def put(out: Out, row: int, field: int, value: float) -> None:
    """One more value row."""
    k = out.counts[0]
    out.row[k] = row
    out.field[k] = field
    out.value[k] = value
    out.counts[0] = k + 1


@njit(cache=True, forceinline=True)
def put_position(out: Out, row: int, latitude_deg: float, longitude_deg: float, doubt: int) -> None:
    """One more position row."""
    k = out.counts[1]
    out.position_row[k] = row
    out.latitude_rad[k] = np.radians(latitude_deg)
    out.longitude_rad[k] = np.radians(longitude_deg)
    out.doubt[k] = doubt
    out.counts[1] = k + 1


@njit(cache=True, forceinline=True)
def put_text(out: Out, row: int, code: int) -> None:
    """One more text row."""
    k = out.counts[2]
    out.text_row[k] = row
    out.text_code[k] = code
    out.counts[2] = k + 1
