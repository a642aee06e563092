"""Lines of a byte stream. Keeps one unfinished line, bounded; refuses longer ones, once each, however they are cut."""

from collections.abc import Sequence

from lapwing.decode.faults import Refusals
from lapwing.records import Frame


def lines(
    tail: bytes, frames: Sequence[Frame], longest: int, refusals: Refusals, separator: bytes = b"\n"
) -> tuple[bytes, list[tuple[Frame, bytes]]]:
    """The new tail, and each complete line with the frame that completed it; blank at both ends cut off.

    An unfinished line is kept up to `longest` + 1 bytes: enough to know at its end that it was too long."""
    found: list[tuple[Frame, bytes]] = []
    for frame in frames:
        *whole, tail = (tail + frame.data).split(separator)
        tail = tail[: longest + 1]
        for raw in whole:
            if len(raw) > longest:
                refusals.add("line too long", frame.seq, raw)
                continue
            line = raw.strip()
            if line:
                found.append((frame, line))
    return tail, found
