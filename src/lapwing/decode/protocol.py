"""What every decoder is: a frozen configuration with a pure step."""

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

from lapwing.records import Decoded, Frame

S = TypeVar("S")


@runtime_checkable
class Decoder(Protocol[S]):
    """A pure function of (state, frames of one feed in order) to (state, rows).

    The state is a frozen dataclass of int, float, str, bytes, bool, tuples and NumPy arrays, bounded in size
    whatever comes in, so that the engine can checkpoint it.
    """

    def start(self) -> S:
        """The state before the first byte."""
        ...

    def decode(self, state: S, frames: Sequence[Frame]) -> tuple[S, Decoded]:
        """Rows in the order of arrival, each with the `frame_seq` of the frame that completed its message."""
        ...
