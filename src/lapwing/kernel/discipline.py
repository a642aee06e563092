"""A remote counter and our own clock made one time: even like the counter, right like the clock. Axis: n messages."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

I = NDArray[np.int64]  # noqa: E741

DRIFT = 1e-4  # the counter's rate may be wrong by this much
BEHIND_NS = 5_000_000_000  # later than this behind our clock: the counter stood still or was reset, or the link stood
SILENT_NS = 2_500_000_000  # nothing came for so long just before: it may have been the link
BACKLOG_NS = 600_000_000_000  # and no link keeps more than this back
DECIDE_NS = 1_000_000_000  # after so long, what was kept back
CATCH_UP = 1.5  # must have come at so many times the rate at which it was sent
AHEAD_NS = 20_000_000_000  # the counter gained this much on our clock: it does not count what we think


@njit(cache=True)
def discipline(relative_ns: I, received_ns: I, memory: I, out: I) -> None:
    """Times into `out`. The least delay between counter and reception seen so far (allowed to grow with the counter's
    drift) is taken for the fixed part; everything above it is queueing, and is removed.

    `memory` = (offset_ns, last relative_ns, trusted, first offset_ns, first relative_ns, received_ns and relative_ns
    when a backlog began to come, last received_ns), changed in place; trusted 0 = not begun, 1 = yes, -1 = no more;
    received_ns of the backlog 0 = none.
    A message is never later than its reception and never more than BEHIND_NS earlier, but for what a link kept back
    while nothing came: up to BACKLOG_NS.
    """
    for i in range(len(relative_ns)):
        relative, received = relative_ns[i], received_ns[i]
        lag = received - relative
        if memory[2] == 0:
            memory[0], memory[1], memory[2], memory[3], memory[4] = lag, relative, 1, lag, relative
        if memory[2] == 1:
            grown = memory[0] + np.int64(DRIFT * max(relative - memory[1], 0))
            if lag < memory[3] - AHEAD_NS - np.int64(DRIFT * max(relative - memory[4], 0)):
                memory[2] = -1
            elif lag <= grown + BEHIND_NS:
                memory[0], memory[1], memory[5] = min(lag, grown), relative, 0
            elif _kept_back(relative, received, lag - grown, memory):
                memory[0], memory[1] = grown, relative
            else:
                memory[0], memory[1], memory[3], memory[4], memory[5] = lag, relative, lag, relative, 0
        memory[7] = received
        out[i] = relative + memory[0] if memory[2] == 1 else received


@njit(cache=True)
def _kept_back(relative: int, received: int, late_ns: int, memory: I) -> bool:
    """Whether a message that is too late was held up by the link: it goes on where the counter was before nothing came,
    and what follows comes faster than it was sent. A counter that stood still meanwhile looks alike for DECIDE_NS."""
    if relative < memory[1] or late_ns > BACKLOG_NS:
        return False
    if received - memory[7] > SILENT_NS:
        memory[5], memory[6] = received, relative
    came = received - memory[5]
    return bool(memory[5] != 0 and (came <= DECIDE_NS or relative - memory[6] >= CATCH_UP * came))
