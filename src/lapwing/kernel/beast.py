"""Beast binary framing: 0x1A, type, 6 bytes of counter, 1 of signal, payload; every 0x1A inside is doubled."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

ESCAPE = 0x1A
LONGEST = 2 + 2 * 21  # bytes of the longest frame, all of them doubled
SHORTEST = 2 + 7 + 7  # of those that give a Mode S frame


@njit(cache=True)
def _payload(kind: int) -> int:
    """Bytes after the type, or 0 for a type we do not know."""
    if kind == 0x31:
        return 9
    if kind == 0x32:
        return 14
    return 21 if kind == 0x33 else 0


@njit(cache=True)
def frames_of(data: U8, body: U8, length: I64, end: I64) -> tuple[int, int, int, int]:
    """(frames, bytes consumed, bytes outside any frame, frames cut short). Row k of `body` holds counter, signal and
    payload of frame k, `end[k]` the index after its last byte. What is not consumed may become a frame later."""
    k, p, junk, broken = 0, 0, 0, 0
    n = len(data)
    while p < n:
        if data[p] != ESCAPE:
            p, junk = p + 1, junk + 1
            continue
        if p + 1 >= n:
            break
        size = _payload(int(np.int64(data[p + 1])))
        if size == 0:
            p, junk = p + 2, junk + 2
            continue
        q, got = p + 2, 0
        while got < size and q < n:
            if data[q] == ESCAPE:
                if q + 1 >= n or data[q + 1] != ESCAPE:
                    break
                q += 1
            if k < len(body):
                body[k, got] = data[q]
            q, got = q + 1, got + 1
        if got == size:
            if size > 9:
                length[k], end[k] = size - 7, q
                k += 1
            p = q
        elif q + 1 >= n:
            break
        else:
            p, broken = q, broken + 1
    return k, p, junk, broken
