"""The inbox: a bounded queue between feeds and the tick. Overload drops the oldest and counts it per feed."""

import asyncio
from collections import Counter, deque
from collections.abc import Set as AbstractSet

from lapwing.engine.notices import NOTICE_FEED, Notice, write
from lapwing.serve.clock import Clock

Chunk = tuple[str, int, bytes]  # feed, received_ns, data
OVERHEAD_BYTES = 100  # of one queued chunk in memory


class Inbox:
    """Chunks in order of arrival, at most `bytes_max` of them in memory. What comes from the feeds in `pressing` shall
    not wait for the next regular tick: `pressed` is set until all is taken."""

    def __init__(self, clock: Clock, bytes_max: int = 64 << 20, pressing: AbstractSet[str] = frozenset()) -> None:
        self._clock, self._bytes_max = clock, bytes_max
        self._pressing, self.pressed = pressing, asyncio.Event()
        self._chunks: deque[Chunk] = deque()
        self._bytes = 0
        self._dropped: Counter[str] = Counter()

    def put(self, feed: str, data: bytes) -> None:
        """One read of one feed, stamped now."""
        self._push((feed, self._clock.now_ns(), data))
        if feed in self._pressing:
            self.pressed.set()
        while self._bytes > self._bytes_max:
            old_feed, _, old = self._chunks.popleft()
            self._bytes -= len(old) + OVERHEAD_BYTES
            self._dropped[old_feed] += 1

    def notice(self, feed: str, event: str, why: str = "", count: int = 0) -> None:
        """Something that the transport has to say."""
        self._push((NOTICE_FEED, self._clock.now_ns(), write(Notice(feed, event, why, count))))

    def _push(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._bytes += len(chunk[2]) + OVERHEAD_BYTES

    def drain(self) -> list[Chunk]:
        """All that came, and what was lost."""
        out = list(self._chunks)
        self._chunks.clear()
        self._bytes = 0
        self.pressed.clear()
        for feed, count in sorted(self._dropped.items()):
            why = "chunks came faster than they could be taken"
            out.append((NOTICE_FEED, self._clock.now_ns(), write(Notice(feed, "dropped", why, count))))
        self._dropped.clear()
        return out
