"""A remote counter and our own clock made one time: even like the counter, right like the clock. Axis: n messages."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

I = NDArray[np.int64]  # noqa: E741

DRIFT = 1e-4  # the counter's rate may be wrong by this much
BEHIND_NS = 5_000_000_000  # later than this behind our clock: the counter stood still or was reset
AHEAD_NS = 20_000_000_000  # the counter gained this much on our clock: it does not count what we think


@njit(cache=True)
def discipline(relative_ns: I, received_ns: I, memory: I, out: I) -> None:
    """Times into `out`. The least delay between counter and reception seen so far (allowed to grow with the counter's
    drift) is taken for the fixed part; everything above it is queueing, and is removed.

    `memory` = (offset_ns, last relative_ns, trusted, first offset_ns, first relative_ns), changed in place; trusted 0 =
    not begun, 1 = yes, -1 = no more.
    A message is never later than its reception and never more than BEHIND_NS earlier.
    """
    for i in range(len(relative_ns)):
        lag = received_ns[i] - relative_ns[i]
        if memory[2] == 0:
            memory[0], memory[1], memory[2], memory[3], memory[4] = lag, relative_ns[i], 1, lag, relative_ns[i]
        if memory[2] == 1:
            grown = memory[0] + np.int64(DRIFT * max(relative_ns[i] - memory[1], 0))
            if lag < memory[3] - AHEAD_NS - np.int64(DRIFT * max(relative_ns[i] - memory[4], 0)):
                memory[2] = -1
            elif lag > grown + BEHIND_NS:
                memory[0], memory[1], memory[3], memory[4] = lag, relative_ns[i], lag, relative_ns[i]
            else:
                memory[0], memory[1] = min(lag, grown), relative_ns[i]
        out[i] = relative_ns[i] + memory[0] if memory[2] == 1 else received_ns[i]
