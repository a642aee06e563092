"""States as the journal keeps them: packed, and large ones in files of their own beside it.

The state of ten thousand tracks is 20 MiB packed. In the journal it would be written within a tick, which then takes
half a second; a file is written by whoever packs it, while ticks go on. The journal's row says that it counts.
"""

import zlib
from collections.abc import Set as AbstractSet
from pathlib import Path

from lapwing.engine.durable import put

ASIDE_BYTES = 1 << 20  # a packed state larger than this gets a file
BYTES_MAX = 1 << 30  # of a state: what unpacks to more was not made by this software
ENDING, UNFINISHED = ".state", ".part"


class StateError(Exception):
    """A state cannot be had; the message is one sentence for a person."""


def packed(state: bytes) -> bytes:
    """A state as the journal keeps it. Takes long for a large one; may be called from any thread."""
    return zlib.compress(state, 1)


def unpacked(data: bytes) -> bytes:
    """The way back. Raises StateError."""
    unpacker = zlib.decompressobj()
    try:
        state = unpacker.decompress(data, BYTES_MAX)
    except zlib.error as error:
        raise StateError(f"a checkpoint of the journal is damaged: {error}") from error
    if not unpacker.eof:
        raise StateError("a checkpoint of the journal is cut short or absurdly large")
    return state


class StateFiles:
    """Packed states by tick, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._before: AbstractSet[int] | None = None

    def put(self, tick: int, data: bytes) -> None:
        """Durable when this returns; what a killed process left half written has another name. Raises OSError."""
        put(self._path(tick), self._folder / f"{tick}{UNFINISHED}", lambda file: file.write(data))

    def get(self, tick: int) -> bytes:
        """A packed state. Raises StateError."""
        try:
            return self._path(tick).read_bytes()
        except OSError as error:
            raise StateError(f"the checkpoint of tick {tick} cannot be read: {error.strerror}") from error

    def only(self, ticks: AbstractSet[int]) -> None:
        """Remove what neither these ticks nor those of the call before have: that a row of the journal is gone may not
        be on the disk yet, and after a crash it is there again. Raises OSError."""
        before, self._before = self._before, ticks
        if before is None:
            return
        keep = {self._path(tick) for tick in ticks | before}
        for path in self._folder.glob("*"):
            if path not in keep and path.suffix in (ENDING, UNFINISHED):
                path.unlink(missing_ok=True)

    def size(self, ticks: AbstractSet[int]) -> int:
        """Bytes of those of some ticks that are there."""
        return sum(path.stat().st_size for path in map(self._path, ticks) if path.exists())

    def _path(self, tick: int) -> Path:
        return self._folder / f"{tick}{ENDING}"
