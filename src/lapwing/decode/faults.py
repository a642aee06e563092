"""Refusals of one batch, counted per reason. Lives for one decode call and is never part of a state."""

from lapwing.records import Fault

EXAMPLE_BYTES = 64


class Refusals:
    """Counts what a decoder refuses; `faults()` gives them in order of first appearance."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, int, bytes]] = {}

    def add(self, reason: str, frame_seq: int, example: bytes, count: int = 1) -> None:
        """`count` more refusals for `reason`; the first one's frame and bytes are kept."""
        if count > 0:
            before = self._rows.get(reason)
            if before is None:
                self._rows[reason] = (count, frame_seq, bytes(example[:EXAMPLE_BYTES]))
            else:
                self._rows[reason] = (before[0] + count, before[1], before[2])

    def faults(self) -> tuple[Fault, ...]:
        """One Fault per reason."""
        return tuple(Fault(reason, *row) for reason, row in self._rows.items())
