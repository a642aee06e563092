"""What a Mode S decoder must remember of each address: a bounded table, found by binary search, oldest evicted.

Axes: a addresses. Rows of `ints` and `floats` stay in their slot; `keys` is sorted and `slots` goes along with it.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

NEVER = -(1 << 61)

# Columns of `ints`. Each half of a CPR pair has four in a row: time, latitude, longitude, kind.
CLEAN_NS, VERSION, NIC_A, NIC_C, HEADING_REFERENCE = range(5)
HALF = 5  # even at 5..8, odd at 9..12
TIME, LAT, LON, KIND = range(4)
POSITION_NS, PAIRED_NS, VELOCITY_NS, ALTITUDE_NS = range(13, 17)
INTS = 17
# Columns of `floats`.
LATITUDE_DEG, LONGITUDE_DEG, SPEED_MPS, TRACK_RAD, VERTICAL_MPS, ALTITUDE_M = range(6)
FLOATS = 6

NO_KIND, AIRBORNE, SURFACE = range(3)


class Table(NamedTuple):
    """`used` addresses; the arrays may have room for more."""

    keys: I64
    slots: I64
    heard_ns: I64  # by slot
    ints: I64
    floats: F64
    used: I64  # one number


def table_for(capacity: int, keys: I64, slots: I64, heard_ns: I64, ints: I64, floats: F64) -> Table:
    """A writable copy of a stored table with room for `capacity` addresses."""
    used = len(keys)
    table = Table(
        np.empty(capacity, np.int64), np.empty(capacity, np.int64), np.empty(capacity, np.int64),
        np.empty((capacity, INTS), np.int64), np.empty((capacity, FLOATS)), np.array([used]),
    )  # fmt: skip
    table.keys[:used], table.slots[:used], table.heard_ns[:used] = keys, slots, heard_ns
    table.ints[:used], table.floats[:used] = ints, floats
    return table


@njit(cache=True, forceinline=True)
def _place(table: Table, key: int) -> int:
    low, high = 0, table.used[0]
    while low < high:
        middle = (low + high) // 2
        if table.keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, forceinline=True)
def find(table: Table, key: int) -> int:
    """The slot of `key`, or -1."""
    place = _place(table, key)
    if place < table.used[0] and table.keys[place] == key:
        return int(table.slots[place])
    return -1


@njit(cache=True, forceinline=True)
def _evict(table: Table) -> int:
    """The slot that was silent longest, now free."""
    used = table.used[0]
    slot = 0
    for i in range(1, used):
        if table.heard_ns[i] < table.heard_ns[slot]:
            slot = i
    place = 0
    while table.slots[place] != slot:
        place += 1
    for i in range(place, used - 1):
        table.keys[i] = table.keys[i + 1]
        table.slots[i] = table.slots[i + 1]
    table.used[0] = used - 1
    return slot


@njit(cache=True, forceinline=True)
def hear(table: Table, key: int, time_ns: int) -> int:
    """The slot of `key`, made when it is new, marked as heard."""
    slot = find(table, key)
    if slot < 0:
        slot = table.used[0]
        if slot == len(table.keys):
            slot = _evict(table)
        place = _place(table, key)
        for i in range(table.used[0], place, -1):
            table.keys[i] = table.keys[i - 1]
            table.slots[i] = table.slots[i - 1]
        table.keys[place] = key
        table.slots[place] = slot
        table.used[0] += 1
        table.ints[slot, :] = 0
        table.floats[slot, :] = 0.0
        table.ints[slot, VERSION] = -1
        table.ints[slot, HEADING_REFERENCE] = -1
        table.ints[slot, CLEAN_NS] = NEVER
        for column in (HALF, HALF + 4, POSITION_NS, PAIRED_NS, VELOCITY_NS, ALTITUDE_NS):
            table.ints[slot, column] = NEVER
    table.heard_ns[slot] = time_ns
    return slot


@njit(cache=True, forceinline=True)
def age_s(table: Table, slot: int, column: int, time_ns: int) -> float:
    """Seconds between the time in a column and `time_ns`, whichever came first."""
    return float(abs(time_ns - table.ints[slot, column])) * 1e-9
