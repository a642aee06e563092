"""The Beast binary stream of a Mode S receiver. Reads types 2 and 3 (short and long frames); passes over Mode A/C.

Refuses bytes outside frames and frames cut short, finds the next frame by itself, and keeps at most one incomplete
frame between calls. Axes: n frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np

from lapwing.decode import modes
from lapwing.decode.counter import MLAT_COUNTER, CounterClock, disciplined, times
from lapwing.decode.faults import Refusals
from lapwing.decode.modes import Batch, ModesState
from lapwing.kernel.beast import SHORTEST, frames_of
from lapwing.records import Array, Decoded, Frame, Position

SIGNAL_DB = np.concatenate([[0.0], 20.0 * np.log10(np.arange(1, 256) / 255.0) - 1e-9])  # 0 = not measured


@dataclass(frozen=True, slots=True)
class BeastState:
    """The start of an incomplete frame, the counter, and the aircraft."""

    tail: bytes = b""
    clock: CounterClock = field(default_factory=CounterClock)
    aircraft: ModesState = field(default_factory=modes.start)


@final
@dataclass(frozen=True, slots=True)
class BeastDecoder:
    """`clock` "received" stamps a message with the time at which it came, freed of queueing by the receiver's 12 MHz
    counter (a stalled link delivers seconds of traffic at once, which would look like jumps); "counter" with that
    counter alone, whose first value is taken for `start_ns` (or, when that is 0, for the first time received)."""

    feed: str
    receiver: Position | None = None
    clock: str = "received"
    start_ns: int = 0

    def start(self) -> BeastState:
        """Nothing heard."""
        return BeastState()

    def decode(self, state: BeastState, frames: Sequence[Frame]) -> tuple[BeastState, Decoded]:
        """Claims of all messages that are complete."""
        if not frames:
            return state, Decoded()
        refusals = Refusals()
        data = np.frombuffer(bytearray(state.tail + b"".join(f.data for f in frames)), np.uint8)
        n = len(data) // SHORTEST + 1
        body, length, end = np.zeros((n, 21), np.uint8), np.empty(n, np.int64), np.empty(n, np.int64)
        k, used, junk, broken = frames_of(data, body, length, end)
        first, start = frames[0].seq, data[:64].tobytes()
        refusals.add("bytes outside a frame", first, start, junk)
        refusals.add("frame cut short", first, start, broken)
        clock, batch = self._batch(state, frames, (body[:k], length[:k], end[:k]), refusals)
        aircraft, decoded = modes.decode(state.aircraft, batch, modes.receiver_row(self.receiver), refusals)
        return BeastState(data[used:].tobytes(), clock, aircraft), replace(decoded, faults=refusals.faults())

    def _batch(
        self, state: BeastState, frames: Sequence[Frame], cut: tuple[Array, Array, Array], refusals: Refusals
    ) -> tuple[CounterClock, Batch]:
        body, length, end = cut
        ends = len(state.tail) + np.cumsum([len(f.data) for f in frames])
        owner = np.searchsorted(ends, end, side="left")
        seq = np.array([f.seq for f in frames], np.int64)[owner]
        time_ns = np.array([f.received_ns for f in frames], np.int64)[owner]
        counters = np.zeros(len(body), np.int64)
        for i in range(6):
            counters = counters << 8 | body[:, i]
        made = counters == MLAT_COUNTER
        clock = state.clock
        if self.clock == "counter" and not made.all():
            clock, by_counter, leaps = times(clock, counters[~made], self.start_ns or int(time_ns[~made][0]))
            refusals.add("counter leaps by more than an hour", frames[0].seq, b"", leaps)
            time_ns[~made] = by_counter
        elif self.clock == "received" and not made.all():
            clock, time_ns[~made] = disciplined(clock, counters[~made], time_ns[~made])
        payload = np.ascontiguousarray(body[:, 7:])
        return clock, Batch(payload, length, time_ns, seq, SIGNAL_DB[body[:, 6]], made)
