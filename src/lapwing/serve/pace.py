"""When live ticks begin: every 200 ms, and sooner for what comes from a sensor, which may be what an alarm waits for.

A tick that was begun early moves those after it, so a radar that looks five times a second is met when its look comes,
without one more tick. Ticks are never so near each other that nothing else is done: see `SHARE`. The engine does not
care: the times of ticks are in the journal. Refuses to know what a tick does.
"""

import asyncio
import time

from lapwing.engine.plan import TICK_NS

APART_S = 0.1  # between the beginnings of two ticks, at least
SHARE = 0.8  # of the time for ticks, at most, where they are begun early
GRACE_S = 0.03  # after an early tick the next regular one waits so much longer for the sensor that looks again then


class Pace:
    """`pressed` says that something has come that shall not wait; whoever takes it clears it."""

    def __init__(self, pressed: asyncio.Event, tick_s: float = TICK_NS * 1e-9) -> None:
        self._pressed, self._tick_s = pressed, tick_s
        self._began_s = time.monotonic()
        self._due_s = self._began_s + tick_s

    async def next(self) -> float:
        """Wait for the next tick's beginning; by how many seconds it is late, 0 where it is not."""
        now = time.monotonic()
        if now >= self._due_s:
            late_s = now - self._due_s
            self._began_s, self._due_s = now, now + self._tick_s
            return late_s
        earliest = min(self._began_s + max(APART_S, (now - self._began_s) / SHARE), self._due_s)
        try:
            async with asyncio.timeout(self._due_s - now):
                await self._pressed.wait()
        except TimeoutError:
            self._began_s = self._due_s
            self._due_s += self._tick_s
            return 0.0
        await asyncio.sleep(earliest - time.monotonic())
        self._began_s = time.monotonic()
        self._due_s = self._began_s + self._tick_s + GRACE_S
        return 0.0
