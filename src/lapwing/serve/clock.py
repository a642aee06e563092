"""The one clock. Everything below reads time from the journal."""

import time
from typing import Protocol


class Clock(Protocol):
    """UTC in nanoseconds."""

    def now_ns(self) -> int:
        """Now."""
        ...


class SystemClock:
    """The machine's clock, never running backwards within one process."""

    def __init__(self) -> None:
        self._last = 0

    def now_ns(self) -> int:
        """Wall-clock UTC; if somebody sets the clock back, time stands still until it has caught up."""
        self._last = max(self._last, time.time_ns())
        return self._last
