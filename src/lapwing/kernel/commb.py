"""Comm-B registers 5,0 (track and turn) and 6,0 (heading and speed), which do not say which of them they are.

A register is believed only when exactly one fits: every number without its status bit is zero, every number is one
that an aircraft can have, the numbers agree with each other and with the aircraft's own ADS-B velocity of the last
10 s, and no register with a fixed head (1,0; 2,0; 3,0) nor 4,0 or 1,7 fits as well.
"""

import numpy as np
from numba import njit

from lapwing.kernel import rows
from lapwing.kernel.aircraft import SPEED_MPS, TRACK_RAD, VELOCITY_NS, VERTICAL_MPS, Table, age_s
from lapwing.kernel.bits import field
from lapwing.kernel.codes import KNOT_MPS
from lapwing.kernel.rows import FPM_MPS, Out, put

FRESH_S = 10.0
NONE, TRACK_AND_TURN, HEADING_AND_SPEED = 0, 50, 60


@njit(cache=True, forceinline=True)
def _silent(mb: int, status: int, length: int) -> bool:
    """A status bit that is off stands before `length` zeros."""
    return field(mb, status, 1) == 1 or field(mb, status + 1, length) == 0


@njit(cache=True, forceinline=True)
def _signed(mb: int, sign: int, length: int) -> int:
    """Two's complement: the sign bit, then `length` bits."""
    return field(mb, sign + 1, length) - (field(mb, sign, 1) << length)


@njit(cache=True, forceinline=True)
def _turn_distance(a: float, b: float) -> float:
    return abs((a - b + np.pi) % (2.0 * np.pi) - np.pi)


@njit(cache=True, forceinline=True)
def _other_register(mb: int) -> bool:
    """Fits 1,0, 2,0 or 3,0 by its first byte, 4,0 by its reserved bits, or 1,7 by its zeros."""
    head = mb >> 48
    if head in (0x10, 0x20, 0x30):
        return True
    selected = _silent(mb, 1, 12) and _silent(mb, 14, 12) and _silent(mb, 27, 12)
    if selected and field(mb, 40, 8) == 0 and field(mb, 52, 2) == 0 and _silent(mb, 48, 3) and _silent(mb, 54, 2):
        return True
    return field(mb, 25, 32) == 0 and field(mb, 7, 1) == 1


@njit(cache=True, forceinline=True)
def _fits_50(mb: int, known: bool, speed: float, track: float) -> bool:
    if not (_silent(mb, 1, 10) and _silent(mb, 12, 11) and _silent(mb, 24, 10) and _silent(mb, 35, 10)):
        return False
    if not _silent(mb, 46, 10) or not (field(mb, 24, 1) and field(mb, 46, 1) and field(mb, 12, 1)):
        return False
    ground, air = 2 * field(mb, 25, 10), 2 * field(mb, 47, 10)
    if ground > 700 or air > 700 or air == 0 or abs(ground - air) > 250:
        return False
    if abs(_signed(mb, 2, 9)) * 45.0 / 256.0 > 50.0:
        return False
    if known:
        near = abs(ground * KNOT_MPS - speed) <= 15.0
        return near and _turn_distance(_signed(mb, 13, 10) * np.pi / 1024.0, track) <= 0.35
    return True


@njit(cache=True, forceinline=True)
def _fits_60(mb: int, known: bool, track: float, vertical: float) -> bool:
    if not (_silent(mb, 1, 11) and _silent(mb, 13, 10) and _silent(mb, 24, 10) and _silent(mb, 35, 10)):
        return False
    if not _silent(mb, 46, 10) or not (field(mb, 1, 1) and field(mb, 13, 1) and field(mb, 24, 1)):
        return False
    indicated, mach = field(mb, 14, 10), 0.004 * field(mb, 25, 10)
    if indicated == 0 or indicated > 500 or mach == 0.0 or mach > 1.0:
        return False
    # Indicated airspeed over the speed of sound: above Mach x 250 kt at the tropopause, below Mach x 680 at sea level.
    if not 250.0 * mach <= indicated + 20.0 <= 680.0 * mach + 60.0:
        return False
    rate, inertial = 32 * _signed(mb, 36, 9), 32 * _signed(mb, 47, 9)
    if abs(rate) > 6000 or abs(inertial) > 6000:
        return False
    if known:
        near = _turn_distance(_signed(mb, 2, 10) * np.pi / 1024.0, track) <= 0.8
        return near and (field(mb, 35, 1) == 0 or abs(rate * FPM_MPS - vertical) <= 10.0)
    return True


@njit(cache=True, forceinline=True)
def register(mb: int, known: bool, speed_mps: float, track_rad: float, vertical_mps: float) -> int:
    """TRACK_AND_TURN, HEADING_AND_SPEED, or NONE when no register or more than one fits."""
    if mb == 0 or _other_register(mb):
        return NONE
    turn, heading = _fits_50(mb, known, speed_mps, track_rad), _fits_60(mb, known, track_rad, vertical_mps)
    if turn == heading:
        return NONE
    return TRACK_AND_TURN if turn else HEADING_AND_SPEED


@njit(cache=True, forceinline=True)
def _angle(half_turns: float) -> float:
    return (half_turns % 2.0) * np.pi


@njit(cache=True, forceinline=True)
def comm_b(table: Table, slot: int, out: Out, row: int, time_ns: int, mb: int) -> None:
    """Rows of a DF 20 or 21 message's register, if it can be told."""
    known = age_s(table, slot, VELOCITY_NS, time_ns) <= FRESH_S
    speed, track = table.floats[slot, SPEED_MPS], table.floats[slot, TRACK_RAD]
    kind = register(mb, known, speed, track, table.floats[slot, VERTICAL_MPS])
    if kind == TRACK_AND_TURN:
        if field(mb, 1, 1):
            put(out, row, rows.ROLL_RAD, _signed(mb, 2, 9) * (np.pi / 1024.0))
        put(out, row, rows.TRACK_RAD, _angle(_signed(mb, 13, 10) / 1024.0))
        put(out, row, rows.GROUND_SPEED_MPS, 2.0 * field(mb, 25, 10) * KNOT_MPS)
        if field(mb, 35, 1):
            put(out, row, rows.TRACK_RATE_RADPS, _signed(mb, 36, 9) * (np.pi / 180.0 / 32.0))
        put(out, row, rows.TRUE_AIRSPEED_MPS, 2.0 * field(mb, 47, 10) * KNOT_MPS)
    elif kind == HEADING_AND_SPEED:
        put(out, row, rows.HEADING_RAD, _angle(_signed(mb, 2, 10) / 1024.0))
        put(out, row, rows.HEADING_MAGNETIC, 1.0)
        put(out, row, rows.INDICATED_AIRSPEED_MPS, field(mb, 14, 10) * KNOT_MPS)
        put(out, row, rows.MACH, 0.004 * field(mb, 25, 10))
        if field(mb, 35, 1):
            put(out, row, rows.VERTICAL_RATE_BARO_MPS, 32.0 * _signed(mb, 36, 9) * FPM_MPS)
