"""The 56-bit message of an extended squitter (DF 17, 18) to rows: type codes 0..22, 28, 29, 31.

Quality numbers are said only when the aircraft has told its ADS-B version and that is 1 or more: version 0 has
none, and what tools show for it is made up. Facts: reference notes 2.1 (tables) and 4 (vertical rate source).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel import rows
from lapwing.kernel.aircraft import (
    ALTITUDE_M,
    ALTITUDE_NS,
    HEADING_REFERENCE,
    NIC_A,
    NIC_C,
    SPEED_MPS,
    TRACK_RAD,
    VELOCITY_NS,
    VERSION,
    VERTICAL_MPS,
    Table,
)
from lapwing.kernel.bits import field
from lapwing.kernel.codes import (
    FOOT_M,
    KNOT_MPS,
    NO_ALTITUDE,
    altitude12_m,
    movement_kt,
    nic_airborne,
    nic_surface,
    squawk,
)
from lapwing.kernel.position import position
from lapwing.kernel.rows import FPM_MPS, Out, put, put_text

F64 = NDArray[np.float64]
TURN = 2.0 * np.pi


@njit(cache=True, forceinline=True)
def _airborne(
    table: Table, slot: int, out: Out, row: int, time_ns: int, me: int, code: int, own: bool, receiver: F64
) -> None:
    height = altitude12_m(field(me, 9, 12))
    if height != NO_ALTITUDE:
        if code >= 20:
            put(out, row, rows.HEIGHT_ELLIPSOID_M, height)
        else:
            put(out, row, rows.ALTITUDE_BARO_M, height)
        table.ints[slot, ALTITUDE_NS] = time_ns
        table.floats[slot, ALTITUDE_M] = height
    version = table.ints[slot, VERSION]
    if own and version >= 1:
        put(out, row, rows.NIC, nic_airborne(code, version, table.ints[slot, NIC_A], field(me, 8, 1)))
    if code == 0:
        put(out, row, rows.NO_POSITION, 1.0)
        return
    put(out, row, rows.ON_GROUND, 0.0)
    position(table, slot, out, row, time_ns, me, False, receiver)


@njit(cache=True, forceinline=True)
def _surface(
    table: Table, slot: int, out: Out, row: int, time_ns: int, me: int, code: int, own: bool, receiver: F64
) -> None:
    put(out, row, rows.ON_GROUND, 1.0)
    speed = movement_kt(field(me, 6, 7))
    if speed >= 0.0:
        put(out, row, rows.GROUND_SPEED_MPS, speed * KNOT_MPS)
    if field(me, 13, 1):
        put(out, row, rows.TRACK_RAD, field(me, 14, 7) * (TURN / 128.0))
    version = table.ints[slot, VERSION]
    if own and version >= 1:
        put(out, row, rows.NIC, nic_surface(code, version, table.ints[slot, NIC_A], table.ints[slot, NIC_C]))
    table.ints[slot, ALTITUDE_NS] = time_ns
    table.floats[slot, ALTITUDE_M] = 0.0
    position(table, slot, out, row, time_ns, me, True, receiver)


@njit(cache=True, forceinline=True)
def _over_ground(table: Table, slot: int, out: Out, row: int, time_ns: int, me: int, scale: float) -> None:
    """Velocity subtypes 1 and 2."""
    x, y = field(me, 15, 10), field(me, 26, 10)
    if x == 0 or y == 0:
        return
    east = scale * (1 - x if field(me, 14, 1) else x - 1)
    north = scale * (1 - y if field(me, 25, 1) else y - 1)
    speed, track = np.hypot(east, north) * KNOT_MPS, np.arctan2(east, north)
    track = track + TURN if track < 0.0 else track
    put(out, row, rows.GROUND_SPEED_MPS, speed)
    if speed > 0.0:
        put(out, row, rows.TRACK_RAD, track)
    table.ints[slot, VELOCITY_NS] = time_ns
    table.floats[slot, SPEED_MPS], table.floats[slot, TRACK_RAD] = speed, track


@njit(cache=True, forceinline=True)
def _through_air(table: Table, slot: int, out: Out, row: int, me: int, scale: float) -> None:
    """Velocity subtypes 3 and 4. Version 0 means magnetic north; later ones tell in their operational status."""
    if field(me, 14, 1):
        put(out, row, rows.HEADING_RAD, field(me, 15, 10) * (TURN / 1024.0))
        reference = 1 if table.ints[slot, VERSION] == 0 else table.ints[slot, HEADING_REFERENCE]
        if reference >= 0:
            put(out, row, rows.HEADING_MAGNETIC, reference)
    speed = field(me, 26, 10)
    if speed:
        true = field(me, 25, 1) == 1
        kind = rows.TRUE_AIRSPEED_MPS if true else rows.INDICATED_AIRSPEED_MPS
        put(out, row, kind, scale * (speed - 1) * KNOT_MPS)


@njit(cache=True, forceinline=True)
def _velocity(table: Table, slot: int, out: Out, row: int, time_ns: int, me: int, own: bool) -> None:
    """Type code 19. Bit 36 = 0: the vertical rate is geometric, 1: barometric."""
    subtype = field(me, 6, 3)
    if subtype < 1 or subtype > 4:
        return
    scale = 4.0 if subtype in (2, 4) else 1.0
    if subtype <= 2:
        _over_ground(table, slot, out, row, time_ns, me, scale)
    else:
        _through_air(table, slot, out, row, me, scale)
    rate = field(me, 38, 9)
    if rate:
        value = 64.0 * (1 - rate if field(me, 37, 1) else rate - 1) * FPM_MPS
        baro = field(me, 36, 1) == 1
        put(out, row, rows.VERTICAL_RATE_BARO_MPS if baro else rows.VERTICAL_RATE_GEOMETRIC_MPS, value)
        table.floats[slot, VERTICAL_MPS] = value
    if not own:  # a ground station's velocity message uses the other bits differently
        return
    if table.ints[slot, VERSION] >= 1:
        put(out, row, rows.NAC_V, field(me, 11, 3))
    difference = field(me, 50, 7)
    if difference:
        feet = 25.0 * (1 - difference if field(me, 49, 1) else difference - 1)
        put(out, row, rows.GEOMETRIC_MINUS_BARO_M, feet * FOOT_M)
        put(out, row, rows.GEOMETRIC_MINUS_BARO_SATURATED, 1.0 if difference == 127 else 0.0)


@njit(cache=True, forceinline=True)
def _identity(out: Out, row: int, me: int, code: int) -> None:
    """Type codes 1..4: category set D..A and callsign."""
    put(out, row, rows.EMITTER_CATEGORY, ((14 - code) << 4) | field(me, 6, 3))
    put_text(out, row, me & 0xFFFFFFFFFFFF)


@njit(cache=True, forceinline=True)
def _target_state(out: Out, row: int, me: int) -> None:
    """Type code 29: version 1 sends subtype 0, version 2 subtype 1; quality sits in the same bits."""
    subtype = field(me, 6, 2)
    if subtype > 1 or (subtype == 0 and field(me, 11, 1)):
        return
    if subtype == 1:
        selected = field(me, 10, 11)
        if selected:
            put(out, row, rows.ALTITUDE_SELECTED_M, 32.0 * (selected - 1) * FOOT_M)
    put(out, row, rows.NAC_P, field(me, 40, 4))
    put(out, row, rows.NIC_BARO, field(me, 44, 1))
    put(out, row, rows.SIL, field(me, 45, 2))


@njit(cache=True, forceinline=True)
def _status(table: Table, slot: int, out: Out, row: int, me: int) -> None:
    """Type code 31, operational status; subtype 0 airborne, 1 surface. Versions above 3 are not defined."""
    subtype, version = field(me, 6, 3), field(me, 41, 3)
    if subtype > 1 or version > 3:
        return
    put(out, row, rows.ADSB_VERSION, version)
    table.ints[slot, VERSION] = version
    if version == 0:
        return
    table.ints[slot, NIC_A] = field(me, 44, 1)
    table.ints[slot, HEADING_REFERENCE] = field(me, 54, 1)
    put(out, row, rows.NAC_P, field(me, 45, 4))
    put(out, row, rows.SIL, field(me, 51, 2))
    if subtype == 0:
        put(out, row, rows.NIC_BARO, field(me, 53, 1))
    if version >= 2:
        if subtype == 0:
            put(out, row, rows.GVA, field(me, 49, 2))
        else:
            table.ints[slot, NIC_C] = field(me, 20, 1)
            put(out, row, rows.NAC_V, field(me, 17, 3))
        if field(me, 25, 2) == 0:
            put(out, row, rows.SDA, field(me, 31, 2))


@njit(cache=True, forceinline=True)
def squitter(table: Table, slot: int, out: Out, row: int, time_ns: int, me: int, own: bool, receiver: F64) -> None:
    """All rows of one message. `own` is False for a ground station's words about an aircraft (TIS-B)."""
    code = field(me, 1, 5)
    if code == 0 or 9 <= code <= 18 or 20 <= code <= 22:
        _airborne(table, slot, out, row, time_ns, me, code, own, receiver)
    elif code == 19:
        _velocity(table, slot, out, row, time_ns, me, own)
    elif code <= 4:
        _identity(out, row, me, code)
    elif code <= 8:
        _surface(table, slot, out, row, time_ns, me, code, own, receiver)
    elif not own:
        return
    elif code == 28 and field(me, 6, 3) == 1:
        put(out, row, rows.EMERGENCY, field(me, 9, 3))
        put(out, row, rows.SQUAWK, squawk(field(me, 12, 13)))
    elif code == 29:
        _target_state(out, row, me)
    elif code == 31:
        _status(table, slot, out, row, me)
