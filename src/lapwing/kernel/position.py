"""A position message to at most one position row, in the light of what the same address said before.

A true jump must show at once and an aliased or mixed position never without a mark, so:
  1. the message decoded alone near the last position counts when it could have flown there;
  2. otherwise an even/odd pair of the last 10 s whose halves agree counts, marked JUMP when there was a last position;
  3. otherwise nothing is said.
Alone means SINGLE unless a pair agrees; and after 120 s without an agreeing pair nothing is decoded alone.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.aircraft import (
    AIRBORNE,
    ALTITUDE_M,
    ALTITUDE_NS,
    HALF,
    KIND,
    LAT,
    LATITUDE_DEG,
    LON,
    LONGITUDE_DEG,
    NEVER,
    PAIRED_NS,
    POSITION_NS,
    SURFACE,
    TIME,
    Table,
    age_s,
)
from lapwing.kernel.bits import field
from lapwing.kernel.cpr import distance, pair, single
from lapwing.kernel.rows import BEYOND_HORIZON, JUMP, SINGLE, Out, put_position

F64 = NDArray[np.float64]

PAIR_S = 10.0
ALONE_S = 120.0
SLACK_S = 1.0  # feeds stamp by chunk
SPEED_AIRBORNE_MPS = 700.0
SPEED_SURFACE_MPS = 100.0
AGREE_M = 20.0
RANGE_M_MAX = 500_000.0
HORIZON = 1.3
HORIZON_SLACK_M = 20_000.0


@njit(cache=True, forceinline=True)
def reach_m(seconds: float, surface: bool) -> float:
    """How far anything may have gone, with room for coding and time stamps."""
    return 50.0 + (SPEED_SURFACE_MPS if surface else SPEED_AIRBORNE_MPS) * (seconds + SLACK_S)


@njit(cache=True, forceinline=True)
def _from_pair(
    table: Table, slot: int, time_ns: int, odd: bool, surface: bool, reference: tuple[float, float]
) -> tuple[bool, float, float]:
    ints = table.ints
    other = HALF if odd else HALF + 4
    seconds = age_s(table, slot, other + TIME, time_ns)
    if ints[slot, other + KIND] != (SURFACE if surface else AIRBORNE) or seconds > PAIR_S:
        return False, 0.0, 0.0
    even = (ints[slot, HALF + LAT], ints[slot, HALF + LON])
    last = (ints[slot, HALF + 4 + LAT], ints[slot, HALF + 4 + LON])
    ok, lat, lon, gap = pair(even, last, odd, surface, reference)
    return ok and gap <= reach_m(seconds, surface), lat, lon


@njit(cache=True, forceinline=True)
def _too_far(table: Table, slot: int, time_ns: int, lat: float, lon: float, receiver: F64) -> bool:
    """Farther than radio goes: 500 km, or 1.3 times the horizon of the last altitude of this minute."""
    if receiver[3] == 0.0:
        return False
    d = distance(receiver[0], receiver[1], lat, lon)
    if d > RANGE_M_MAX:
        return True
    if age_s(table, slot, ALTITUDE_NS, time_ns) > 60.0:
        return False
    heights = np.sqrt(max(receiver[2], 10.0)) + np.sqrt(max(table.floats[slot, ALTITUDE_M], 10.0))
    return bool(d > HORIZON * 4124.0 * heights + HORIZON_SLACK_M)


@njit(cache=True, forceinline=True)
def position(table: Table, slot: int, out: Out, row: int, time_ns: int, me: int, surface: bool, receiver: F64) -> None:
    """Remember the message as half of a pair, and say where the aircraft is if that can be known."""
    ints, floats = table.ints, table.floats
    odd = field(me, 22, 1) == 1
    message = (field(me, 23, 17), field(me, 40, 17))
    half = HALF + 4 if odd else HALF
    ints[slot, half + TIME] = time_ns
    ints[slot, half + LAT], ints[slot, half + LON] = message
    ints[slot, half + KIND] = SURFACE if surface else AIRBORNE

    last = (floats[slot, LATITUDE_DEG], floats[slot, LONGITUDE_DEG])
    known = ints[slot, POSITION_NS] != NEVER
    seconds = age_s(table, slot, POSITION_NS, time_ns) if known else 0.0
    reference = last if known else (receiver[0], receiver[1])
    paired = False
    lat, lon = 0.0, 0.0
    if not surface or known or receiver[3] != 0.0:
        paired, lat, lon = _from_pair(table, slot, time_ns, odd, surface, reference)
    doubt = 0
    alone = False
    if known and age_s(table, slot, PAIRED_NS, time_ns) <= ALONE_S:
        alone, lat1, lon1 = single(message, odd, surface, last)
        alone = alone and distance(last[0], last[1], lat1, lon1) <= reach_m(seconds, surface)
        if alone and not (paired and distance(lat, lon, lat1, lon1) < AGREE_M):
            lat, lon, doubt, paired = lat1, lon1, SINGLE, False
    if not alone and not paired:
        return
    if paired and not alone and known and distance(last[0], last[1], lat, lon) > reach_m(seconds, surface):
        doubt = JUMP
    if _too_far(table, slot, time_ns, lat, lon, receiver):
        doubt |= BEYOND_HORIZON
    floats[slot, LATITUDE_DEG], floats[slot, LONGITUDE_DEG] = lat, lon
    ints[slot, POSITION_NS] = time_ns
    if paired:
        ints[slot, PAIRED_NS] = time_ns
    put_position(out, row, lat, lon, doubt)
