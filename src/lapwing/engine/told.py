"""A feed of which only the rows are kept: each frame holds what was decoded from the original bytes, encoded.

So a journal can be handed on without the bytes that would tell who flies a drone (engine/withhold.py). What is no such
frame is a Fault.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from lapwing.decode import Decoder
from lapwing.engine import codec
from lapwing.engine.journal import Journal, JournalError
from lapwing.records import Decoded, Fault, Frame, merged

META = "withheld"  # the journal's word that names such feeds, as a JSON list


@dataclass(frozen=True, slots=True)
class ToldState:
    """Nothing is carried from frame to frame."""


@final
@dataclass(frozen=True, slots=True)
class ToldDecoder:
    """Rows of a feed whose bytes were left out."""

    feed: str

    def start(self) -> ToldState:
        """Nothing to remember."""
        return ToldState()

    def decode(self, state: ToldState, frames: Sequence[Frame]) -> tuple[ToldState, Decoded]:
        """The rows in the frames; an empty frame holds none."""
        return state, merged([_rows(frame) for frame in frames if frame.data])


def _rows(frame: Frame) -> Decoded:
    try:
        rows = codec.decode(frame.data)
    except (codec.CodecError, AssertionError, RecursionError):  # a stranger's rows may contradict themselves
        rows = None
    if isinstance(rows, Decoded):
        return rows
    return Decoded(faults=(Fault("not the rows of a feed that was left out", 1, frame.seq, frame.data[:64]),))


def told_feeds(journal: Journal) -> frozenset[str]:
    """The feeds of a journal of which only the rows are kept. Raises JournalError."""
    try:
        names: Any = json.loads(journal.meta(META) or "[]")
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise JournalError("the journal does not say rightly of which feeds the bytes were left out")
    return frozenset(names)


def decoders_told(decoders: dict[str, Decoder[Any]], told: frozenset[str]) -> dict[str, Decoder[Any]]:
    """Decoders by feed, those of `told` feeds taking rows for bytes."""
    return {feed: ToldDecoder(feed) if feed in told else decoder for feed, decoder in decoders.items()}
