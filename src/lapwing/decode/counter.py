"""Receiver counters of 12 MHz to UTC, for recordings. Refuses leaps of more than an hour: there it stands still."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from lapwing.records import Array

BITS = 48
LEAP = 12_000_000 * 3600
MLAT_COUNTER = 0xFF004D4C4154  # what multilateration servers put in the counter of frames they made themselves


@dataclass(frozen=True, slots=True)
class CounterClock:
    """The last counter and the time it stood for; `time_ns` 0 = not started."""

    counter: int = 0
    time_ns: int = 0
    rest: int = 0  # twelfths of a nanosecond beyond time_ns


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
    after = CounterClock(int(counters[-1]), int(time_ns[-1]), int(total[-1] % 12))
    return after, time_ns, int(np.count_nonzero(leaps))
