"""The Mode S parity: 24-bit remainder by the generator 0x1FFF409. Says nothing on what a remainder means."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

GENERATOR = 0x1FFF409


def _table() -> NDArray[np.int64]:
    table = np.zeros(256, dtype=np.int64)
    for byte in range(256):
        rest = byte << 16
        for _ in range(8):
            rest <<= 1
            if rest & 0x1000000:
                rest ^= GENERATOR
        table[byte] = rest
    return table


TABLE = _table()


@njit(cache=True, forceinline=True)
def syndrome(frame: NDArray[np.uint8], length: int) -> int:
    """Remainder of the first length - 3 bytes, XOR the last three: 0 for a clean squitter, otherwise what the
    transponder (address, interrogator code) or the noise has laid over the parity."""
    rest = np.int64(0)
    for i in range(length - 3):
        rest = ((rest << 8) & 0xFFFFFF) ^ TABLE[((rest >> 16) ^ np.int64(frame[i])) & 0xFF]
    parity = (np.int64(frame[length - 3]) << 16) | (np.int64(frame[length - 2]) << 8) | np.int64(frame[length - 1])
    return int(rest ^ parity)
