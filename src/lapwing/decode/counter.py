"""Receiver counters of 12 MHz to UTC, for recordings. Refuses leaps of more than an hour: there it stands still."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from lapwing.kernel.discipline import discipline
from lapwing.records import Array

BITS = 48
LEAP = 12_000_000 * 3600
MLAT_COUNTER = 0xFF004D4C4154  # what multilateration servers put in the counter of frames they made themselves
MEMORY = (  # what kernel/discipline.py remembers, in its order
    "offset_ns",
    "marked_ns",
    "trust",
    "first_offset_ns",
    "first_ns",
    "backlog_ns",
    "backlog_from_ns",
    "received_ns",
)


@dataclass(frozen=True, slots=True)
class CounterClock:
    """The last counter and the time it stood for; `time_ns` 0 = not started."""

    counter: int = 0
    time_ns: int = 0
    rest: int = 0  # twelfths of a nanosecond beyond time_ns
    offset_ns: int = 0  # of our clock against the counter's time, least delay seen; see kernel/discipline.py
    marked_ns: int = 0  # the counter's time when that was seen
    trust: int = 0  # 0 = not begun, 1 = trusted, -1 = it does not count what we think
    first_offset_ns: int = 0  # both when trust began
    first_ns: int = 0
    backlog_ns: int = 0  # reception of the first message of what a link kept back and now delivers, 0 = none
    backlog_from_ns: int = 0  # the counter's time of that message
    received_ns: int = 0  # of the last message


def times(
    clock: CounterClock, counters: Int64[Array, " n"], start_ns: int
) -> tuple[CounterClock, Int64[Array, " n"], int]:
    """UTC of each counter, and how many leaps were refused. The first counter ever is at `start_ns`."""
    n = len(counters)
    if n == 0:
        return clock, counters, 0
    before = CounterClock(int(counters[0]), start_ns) if clock.time_ns == 0 else clock
    steps = np.diff(counters, prepend=np.int64(before.counter))
    steps = (steps + (1 << (BITS - 1))) % (1 << BITS) - (1 << (BITS - 1))
    leaps = np.abs(steps) > LEAP
    total = before.rest + 1000 * np.cumsum(np.where(leaps, 0, steps))  # in 1/12 ns
    time_ns = before.time_ns + total // 12
    after = replace(clock, counter=int(counters[-1]), time_ns=int(time_ns[-1]), rest=int(total[-1] % 12))
    return after, time_ns, int(np.count_nonzero(leaps))


def disciplined(
    clock: CounterClock, counters: Int64[Array, " n"], received_ns: Int64[Array, " n"]
) -> tuple[CounterClock, Int64[Array, " n"]]:
    """UTC of each message: spaced as the counter says, right as our clock is, never later than received. A counter
    that is always zero says nothing."""
    counted = np.flatnonzero(counters)
    if not len(counted):
        return clock, received_ns
    after, relative_ns, _ = times(clock, counters[counted], 1)
    memory = np.array([getattr(clock, name) for name in MEMORY], np.int64)
    out = received_ns.copy()
    even = np.empty(len(counted), np.int64)
    discipline(relative_ns, received_ns[counted], memory, even)
    out[counted] = even
    return replace(after, **dict(zip(MEMORY, memory.tolist(), strict=True))), out
