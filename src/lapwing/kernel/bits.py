"""Big-endian bit fields of Mode S frames packed in integers, bits numbered from 1, most significant first; and the bits
of floating-point numbers."""

from numba import njit
from numpy import int64, uint8
from numpy.typing import NDArray

U8 = NDArray[uint8]
I64 = NDArray[int64]
EXPONENT = 0x7FF << 52  # all ones: infinite, or not a number (IEEE 754, binary64)


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


@njit(cache=True, nogil=True)
def finite(bits: I64) -> bool:
    """Whether all of some binary64 numbers, given by their bits, are finite."""
    bad = 0
    for i in range(len(bits)):
        bad |= (bits[i] & EXPONENT) == EXPONENT
    return bad == 0
