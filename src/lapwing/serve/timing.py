"""Where the time goes between a sensor's message and the screen: every stage over the last minute, beside its budget.

Measured around the engine, never in it: nothing here enters a state, a picture or the journal, so replay knows nothing
of it. The engine's step says only which part it has done (`engine/tick.py`); the clock is here. What browsers say is
not trusted: they name a tick that they were sent, the times are the server's own, and it is bounded.
"""

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

WINDOW_S = 60.0
SAMPLES_MAX = 3_000  # of one stage
SENT_MAX = 8  # pictures that a browser may still answer
TICKS_MAX = 64  # of which it is remembered when their messages came


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the way: what it is, and the milliseconds that 95 of 100 times may take."""

    name: str
    budget_ms: float
    meaning: str


TOTAL = Stage("total", 500.0, "from the receipt of a message to a page that has drawn its picture")
STAGES = (
    Stage("receive", 20.0, "how late this process reads its sockets"),
    Stage("queue", 200.0, "the oldest message waits for its tick (one every 200 ms, sooner for sensors)"),
    Stage("journal", 20.0, "messages are written down, so that they can be replayed"),
    Stage("decode", 20.0, "bytes become reports and detections"),
    Stage("track", 80.0, "detections become tracks, reports become claims"),
    Stage("integrity", 20.0, "claims are weighed against tracks and each other"),
    Stage("alarm", 20.0, "rules are looked at"),
    Stage("picture", 20.0, "what could be unseen, and the picture"),
    Stage("encode", 30.0, "the picture becomes bytes for the pages"),
    Stage("send", 10.0, "the bytes are given to the network"),
    Stage("page", 60.0, "from sending until a browser says that it has drawn it"),
)
KEEP = Stage("keep", 40.0, "digest and histories, made while the picture is under way: only the next tick waits")
EVERY = (*STAGES, KEEP, TOTAL)


class Timing:
    """The last minute of every stage. May be told and asked from any thread."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[tuple[float, float]]] = {s.name: deque(maxlen=SAMPLES_MAX) for s in EVERY}
        self._lock = threading.Lock()
        self._oldest_ns: OrderedDict[int, int] = OrderedDict()

    def add(self, stage: str, took_s: float) -> None:
        """One sample, in seconds; below zero (a clock was set back) counts as nothing."""
        with self._lock:
            self._samples[stage].append((time.monotonic(), 1000.0 * max(took_s, 0.0)))

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Times what is done inside."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - began)

    def came(self, tick: int, oldest_ns: int) -> None:
        """When the oldest message of a tick was received, ns UTC."""
        with self._lock:
            self._oldest_ns[tick] = oldest_ns
            while len(self._oldest_ns) > TICKS_MAX:
                self._oldest_ns.popitem(last=False)

    def drawn(self, tick: int, sent_s: float, now_ns: int) -> None:
        """A browser has drawn the picture of a tick that was sent at `sent_s` of the monotonic clock."""
        self.add("page", time.monotonic() - sent_s)
        with self._lock:
            oldest_ns = self._oldest_ns.get(tick)
        if oldest_ns is not None:
            self.add("total", (now_ns - oldest_ns) * 1e-9)

    def rows(self) -> list[dict[str, Any]]:
        """Per stage: its budget, how many samples the last minute has, and their percentiles in milliseconds."""
        since = time.monotonic() - WINDOW_S
        with self._lock:
            kept = {name: [ms for at, ms in samples if at >= since] for name, samples in self._samples.items()}
        return [
            {"stage": s.name, "meaning": s.meaning, "budget_ms": s.budget_ms, **_percentiles(kept[s.name])}
            for s in EVERY
        ]


def _percentiles(ms: list[float]) -> dict[str, Any]:
    if not ms:
        return {"n": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None, "max_ms": None}
    p50, p95, p99 = (round(float(p), 1) for p in np.percentile(ms, [50, 95, 99]))
    return {"n": len(ms), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "max_ms": round(max(ms), 1)}


class Lap:
    """Times the parts of something that says when it has done each: call it with the name of what was just done. A part
    that is done in pieces is one sample."""

    def __init__(self, timing: Timing) -> None:
        self._timing, self._since = timing, time.perf_counter()
        self._took: dict[str, float] = {}

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self._took[stage] = self._took.get(stage, 0.0) + now - self._since
        self._since = now

    def end(self) -> None:
        """All parts are done."""
        for stage, took_s in self._took.items():
            self._timing.add(stage, took_s)


class Drawn:
    """What one browser was sent and may say that it has drawn. Anything else that it says is passed over."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._sent: OrderedDict[int, float] = OrderedDict()

    def sent(self, tick: int) -> None:
        """The picture of this tick goes out now."""
        self._sent[tick] = time.monotonic()
        while len(self._sent) > SENT_MAX:
            self._sent.popitem(last=False)

    def said(self, text: str, now_ns: int) -> None:
        """`drawn N`, once for every picture sent."""
        word, _, number = text[:32].partition(" ")
        if word != "drawn" or not (number.isascii() and number.isdigit()):
            return
        sent_s = self._sent.pop(int(number), None)
        if sent_s is not None:
            self._timing.drawn(int(number), sent_s, now_ns)


class Lag:
    """How late the event loop is: the time that a message waits in the kernel while this process does other things."""

    def __init__(self, timing: Timing, every_s: float = 0.1) -> None:
        self._timing, self._every_s = timing, every_s

    async def watch(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + self._every_s
            await asyncio.sleep(self._every_s)
            self._timing.add("receive", loop.time() - due)
