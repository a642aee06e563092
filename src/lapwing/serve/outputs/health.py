"""What is known of one output, and the box in which the newest picture waits for it.

The box holds one picture: an output that cannot keep up misses pictures, never the engine its tick.
"""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from lapwing.records import Picture

log = logging.getLogger("lapwing.outputs")


@dataclass
class OutputHealth:
    """Counts of one output, for the health page, the log and /metrics. Belongs to one event loop."""

    output: str
    kind: str
    to: str
    up: bool | None = None  # None: nothing tried yet
    link: str = ""  # what it said last: "connected", "lost: ..."
    sent: int = 0  # messages handed over
    bytes_total: int = 0
    failures: int = 0
    waiting: int = 0  # messages that wait for another try
    dropped: int = 0  # given up
    sent_ns: int = 0  # the last hand-over, 0 = never
    accepted: int = 0  # alarms that the other side said it has taken, where it says so
    refusals: int = 0  # messages that it did not like

    def connected(self, where: str) -> None:
        """It works."""
        if self.up is not True:
            log.info("output %s: connected to %s", self.output, where)
        self.up, self.link = True, f"connected: {where}"

    def lost(self, why: str) -> None:
        """It does not. Said once in the log, counted every time."""
        if self.up is not False:
            log.warning("output %s: lost: %s", self.output, why)
        self.up, self.link = False, f"lost: {why}"
        self.failures += 1

    def refused(self, why: str) -> None:
        """The other side did not like one message; the connection stands. Said in the log at the first, counted."""
        self.refusals += 1
        if self.refusals == 1:
            log.warning("output %s: refused by the other side: %s", self.output, why)
        self.link = f"connected, but refused {self.refusals} messages; the last: {why}"

    def handed_over(self, messages: int, bytes_count: int, now_ns: int) -> None:
        """Something left."""
        self.sent += messages
        self.bytes_total += bytes_count
        self.sent_ns = now_ns

    def row(self) -> dict[str, Any]:
        """As JSON; times are decimal strings."""
        state = "waiting" if self.up is None else "fine" if self.up else "failing"
        counts = {
            name: getattr(self, name) for name in ("sent", "failures", "waiting", "dropped", "accepted", "refusals")
        }
        return {
            "output": self.output, "kind": self.kind, "to": self.to, "state": state, "link": self.link,
            **counts, "bytes": self.bytes_total, "sent_ns": str(self.sent_ns),
        }  # fmt: skip


class Box:
    """The newest picture. Belongs to one event loop."""

    def __init__(self) -> None:
        self._picture: Picture | None = None
        self._filled = asyncio.Event()

    def put(self, picture: Picture) -> None:
        """A newer picture takes the place of the one that waits."""
        self._picture = picture
        self._filled.set()

    async def take(self) -> Picture:
        """The newest picture that was not taken yet, as soon as there is one."""
        await self._filled.wait()
        self._filled.clear()
        assert self._picture is not None
        return self._picture
