"""Big-endian bit fields of Mode S frames packed in integers. Bits are numbered from 1, most significant first."""

from numba import njit
from numpy import int64, uint8
from numpy.typing import NDArray

U8 = NDArray[uint8]


@njit(cache=True, forceinline=True)
def word(frame: U8, first: int, last: int) -> int:
    """Bytes first..last-1 of `frame` as one integer; at most 7 bytes, so that it stays positive."""
    value = 0
    for i in range(first, last):
        value = (value << 8) | int(int64(frame[i]))
    return value


@njit(cache=True, forceinline=True)
def field(me: int, start: int, length: int) -> int:
    """`length` bits of a 56-bit message, the first one being bit `start` (1..56)."""
    return (me >> (57 - start - length)) & ((1 << length) - 1)
