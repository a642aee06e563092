"""Mode S frames to rows, in one pass over a batch: parity, address, format, registers.

A frame is accepted when its parity is clean (DF 17, 18), clean but for an interrogator code (DF 11), or when the
address that its parity reveals was heard clean within 60 s (DF 0, 4, 5, 16, 20, 21): with 2^24 possible addresses
and some hundreds heard, noise passes about once in 10^5 frames. Axes: n frames.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel import rows
from lapwing.kernel.aircraft import ALTITUDE_M, ALTITUDE_NS, CLEAN_NS, Table, age_s, find, hear
from lapwing.kernel.bits import word
from lapwing.kernel.codes import NO_ALTITUDE, altitude13_m, squawk
from lapwing.kernel.commb import comm_b
from lapwing.kernel.crc import syndrome
from lapwing.kernel.rows import Out, put
from lapwing.kernel.squitter import squitter

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

OK, BAD_PARITY, ADDRESS_NOT_HEARD, BAD_FORMAT, BAD_LENGTH = range(5)
CLEAN_S = 60.0
FAMILY = 1 << 24  # keys of addresses that are not the transponder's own are set apart


@njit(cache=True, forceinline=True)
def _origin(control: int) -> int:
    """Source of a DF 18 frame by its control field, or -1 for one without a meaning."""
    if control <= 1:
        return rows.ADSB_OTHER
    if control <= 5:
        return rows.TISB
    return rows.ADSR if control == 6 else -1


@njit(cache=True, forceinline=True)
def _reply(frame: U8, table: Table, slot: int, out: Out, row: int, time_ns: int, form: int) -> None:
    """Rows of DF 0, 4, 5, 16, 20, 21."""
    code = word(frame, 2, 4) & 0x1FFF
    if form in (4, 5, 20, 21):
        flight = int(np.int64(frame[0])) & 7
        if flight <= 3:
            put(out, row, rows.ON_GROUND, flight & 1)
    if form in (5, 21):
        put(out, row, rows.SQUAWK, squawk(code))
    else:
        height = altitude13_m(code)
        if height != NO_ALTITUDE:
            put(out, row, rows.ALTITUDE_BARO_M, height)
            table.ints[slot, ALTITUDE_NS] = time_ns
            table.floats[slot, ALTITUDE_M] = height
    if form >= 20:
        comm_b(table, slot, out, row, time_ns, word(frame, 4, 11))


@njit(cache=True, forceinline=True)
def _clean(
    frame: U8, table: Table, out: Out, row: int, time_ns: int, form: int, source: int, rssi: float, receiver: F64
) -> None:
    """Rows of DF 11, 17, 18 whose parity was clean."""
    address = word(frame, 1, 4)
    family = 0 if source in (rows.ADSB, rows.MODE_S) else source * FAMILY
    slot = hear(table, family + address, time_ns)
    table.ints[slot, CLEAN_NS] = time_ns
    put(out, row, rows.DOWNLINK_FORMAT, form)
    if rssi < 0.0:
        put(out, row, rows.RSSI_DB, rssi)
    control = int(np.int64(frame[0])) & 7
    if form == 11 or (form == 18 and control in (3, 4)):  # coarse TIS-B and its management have layouts of their own
        return
    squitter(table, slot, out, row, time_ns, word(frame, 4, 11), source != rows.TISB, receiver)


@njit(cache=True, forceinline=True)
def _one(
    frame: U8,
    length: int,
    time_ns: int,
    rssi: float,
    multilaterated: bool,
    row: int,
    table: Table,
    out: Out,
    receiver: F64,
) -> tuple[int, int, int]:
    """(status, source, address) of one frame, its rows written."""
    form = min(int(np.int64(frame[0])) >> 3, 24)
    if length != (14 if form >= 16 else 7):
        return BAD_LENGTH, 0, 0
    rest = syndrome(frame, length)
    if form in (17, 18):
        source = rows.ADSB if form == 17 else _origin(int(np.int64(frame[0])) & 7)
        if rest != 0:
            return BAD_PARITY, 0, 0
        if source < 0:
            return BAD_FORMAT, 0, 0
        source = rows.MLAT if multilaterated else source
        _clean(frame, table, out, row, time_ns, form, source, rssi, receiver)
        return OK, source, word(frame, 1, 4)
    if form == 11 and rest == 0:
        _clean(frame, table, out, row, time_ns, form, rows.MODE_S, rssi, receiver)
        return OK, rows.MODE_S, word(frame, 1, 4)
    if form == 11:
        rest = word(frame, 1, 4) if rest < 128 else -1
        if rest < 0:
            return BAD_PARITY, 0, 0
    elif form not in (0, 4, 5, 16, 20, 21):
        return BAD_FORMAT, 0, 0
    slot = find(table, rest)
    if slot < 0 or age_s(table, slot, CLEAN_NS, time_ns) > CLEAN_S:
        return ADDRESS_NOT_HEARD, 0, 0
    table.heard_ns[slot] = time_ns
    put(out, row, rows.DOWNLINK_FORMAT, form)
    if rssi < 0.0:
        put(out, row, rows.RSSI_DB, rssi)
    if form != 11:
        _reply(frame, table, slot, out, row, time_ns, form)
    return OK, rows.MODE_S, rest


@njit(cache=True)
def downlink(
    frames: U8, length: I64, time_ns: I64, rssi_db: F64, multilaterated: NDArray[np.bool_], receiver: F64,
    table: Table, out: Out, status: I64, source: I64, address: I64,
) -> None:  # fmt: skip
    """Fill `out`, and status, source, address per frame; the table learns. `rssi_db` 0 = not measured; `receiver` =
    (latitude_deg, longitude_deg, height_m, 1 if known)."""
    for i in range(len(frames)):
        status[i], source[i], address[i] = _one(
            frames[i], length[i], time_ns[i], rssi_db[i], multilaterated[i], i, table, out, receiver
        )
