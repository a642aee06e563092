"""Mode S frames as text: AVR lines and recordings.

    *8D4840D6202CC371C32CE0576098;                   a frame
    @0123456789AB8D4840D6202CC371C32CE0576098;       12 hex digits of a 12 MHz counter before the frame
    1720248189.525094,8f393322384a02aea63afc43dcba   UTC seconds of the recorder before the frame

Frames end with a semicolon or a line feed. Refuses anything else. Axes: n frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np

from lapwing.decode import modes
from lapwing.decode.counter import MLAT_COUNTER, CounterClock, times
from lapwing.decode.faults import Refusals
from lapwing.decode.lines import lines
from lapwing.decode.modes import Batch, ModesState
from lapwing.records import Decoded, Frame, Position

LONGEST = 128
SECONDS_MAX = 4e9  # year 2096: below the end of int64 nanoseconds
NO_COUNTER = -1
HEX = frozenset(b"0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class AvrState:
    """An unfinished line, the counter, and the aircraft."""

    tail: bytes = b""
    clock: CounterClock = field(default_factory=CounterClock)
    aircraft: ModesState = field(default_factory=modes.start)


def _frame(text: bytes) -> bytes | None:
    if len(text) not in (14, 28) or not HEX.issuperset(text):
        return None
    frame = bytes.fromhex(text.decode())
    # Recordings write short frames with seven bytes of padding or of noise.
    return frame[:7] if frame[0] >> 3 < 16 else frame


def parse(line: bytes, received_ns: int) -> tuple[bytes, int, int] | None:
    """(frame, time_ns, counter) of one line, or None when it is not one."""
    if line[:1] == b"*":
        frame = _frame(line[1:])
        return None if frame is None else (frame, received_ns, NO_COUNTER)
    if line[:1] == b"@":
        frame = _frame(line[13:]) if HEX.issuperset(line[1:13]) else None
        return None if frame is None else (frame, received_ns, int(line[1:13], 16))
    seconds, comma, text = line.partition(b",")
    frame = _frame(text.strip())
    whole, _, part = seconds.partition(b".")
    if not comma or frame is None or not whole.isdigit() or not (part.isdigit() or not part) or len(line) > 64:
        return None
    time_ns = int(whole) * 1_000_000_000 + int((part + b"000000000")[:9])
    return (frame, time_ns, NO_COUNTER) if time_ns < SECONDS_MAX * 1e9 else None


@final
@dataclass(frozen=True, slots=True)
class AvrDecoder:
    """`clock` is as in BeastDecoder; lines with a recorder's time keep that."""

    feed: str
    receiver: Position | None = None
    clock: str = "received"
    start_ns: int = 0

    def start(self) -> AvrState:
        """Nothing heard."""
        return AvrState()

    def decode(self, state: AvrState, frames: Sequence[Frame]) -> tuple[AvrState, Decoded]:
        """Claims of all lines that are complete."""
        refusals = Refusals()
        tail, found = _lines(state.tail, frames, refusals)
        rows: list[tuple[bytes, int, int]] = []
        seq: list[int] = []
        for frame, line in found:
            row = parse(line, frame.received_ns)
            if row is None:
                refusals.add("not a Mode S line", frame.seq, line)
                continue
            rows.append(row)
            seq.append(frame.seq)
        clock, batch = self._batch(state.clock, rows, seq, refusals)
        aircraft, decoded = modes.decode(state.aircraft, batch, modes.receiver_row(self.receiver), refusals)
        return AvrState(tail, clock, aircraft), replace(decoded, faults=refusals.faults())

    def _batch(
        self, clock: CounterClock, rows: list[tuple[bytes, int, int]], seq: list[int], refusals: Refusals
    ) -> tuple[CounterClock, Batch]:
        n = len(rows)
        payload = np.frombuffer(bytearray(b"".join(row[0].ljust(14, b"\0") for row in rows)), np.uint8).reshape(n, 14)
        length = np.array([len(row[0]) for row in rows], np.int64)
        time_ns = np.array([row[1] for row in rows], np.int64)
        counters = np.array([row[2] for row in rows], np.int64)
        made = counters == MLAT_COUNTER
        counted = (counters != NO_COUNTER) & ~made
        if self.clock == "counter" and counted.any():
            start_ns = self.start_ns or int(time_ns[counted][0])
            clock, by_counter, leaps = times(clock, counters[counted], start_ns)
            refusals.add("counter leaps by more than an hour", seq[0], b"", leaps)
            time_ns[counted] = by_counter
        return clock, Batch(payload, length, time_ns, np.array(seq, np.int64), np.zeros(n), made)


def _lines(tail: bytes, frames: Sequence[Frame], refusals: Refusals) -> tuple[bytes, list[tuple[Frame, bytes]]]:
    """Lines that end with a semicolon or a line feed: the one is turned into the other byte by byte."""
    plain = [replace(frame, data=frame.data.replace(b";", b"\n")) for frame in frames]
    return lines(tail, plain, LONGEST, refusals)
