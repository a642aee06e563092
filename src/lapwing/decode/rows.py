"""Rows gathered one by one, for decoders of text and JSON. Lives for one decode call. Axes: n rows."""

import math

import numpy as np

from lapwing.records import (
    Array,
    Decoded,
    Doubt,
    Field,
    Positions,
    Source,
    Texts,
    Values,
    Word,
    no_positions,
    no_texts,
    no_values,
)

TEXT_MAX = 64
INT64_MAX = 2**63 - 1


class Rows:
    """Positions, values and texts so far. `about` says of whom, by whom and when the next rows are."""

    def __init__(self) -> None:
        self._positions: list[tuple[int, int, int, int, float, float, int]] = []
        self._values: list[tuple[int, int, int, int, int, float]] = []
        self._texts: list[tuple[int, int, int, int, int, str]] = []
        self._about = (0, 0, 0, 0)
        self.messages = 0

    def about(self, time_ns: int, frame_seq: int, source: Source, address: int) -> None:
        """The subject of the rows that follow."""
        self._about = (time_ns, frame_seq, int(source), address)

    def position(self, latitude_deg: float, longitude_deg: float, doubt: Doubt = Doubt.NONE) -> bool:
        """A position row, or False when it is not on Earth."""
        if not (-90.0 <= latitude_deg <= 90.0 and -180.0 <= longitude_deg <= 180.0):
            return False
        where = (math.radians(latitude_deg), math.radians(longitude_deg))
        self._positions.append((*self._about, *where, int(doubt)))
        return True

    def value(self, field: Field, value: float | int | None, scale: float = 1.0) -> None:
        """A value row, unless nothing was said."""
        if value is not None:
            self._values.append((*self._about, int(field), value * scale))

    def text(self, word: Word, text: str | None) -> None:
        """A text row of what is printable, unless nothing was said."""
        if text:
            clean = "".join(c for c in text if c.isprintable()).strip()[:TEXT_MAX].strip()
            if clean:
                self._texts.append((*self._about, int(word), clean))

    def decoded(self) -> Decoded:
        """All rows as columns, in the order in which they came."""
        p = no_positions()
        if self._positions:
            p = Positions(*_columns(self._positions, (0, 0, 0, 0, 1, 1, 0)))
        v = Values(*_columns(self._values, (0, 0, 0, 0, 0, 1))) if self._values else no_values()
        t = no_texts()
        if self._texts:
            time_ns, seq, source, address, word = _columns([row[:5] for row in self._texts], (0,) * 5)
            t = Texts(time_ns, seq, source, address, word, tuple(row[5] for row in self._texts))
        return Decoded(p, v, t, (), (), self.messages)


def _columns(rows: list, kinds: tuple[int, ...]) -> list[Array]:
    return [
        np.array(column, np.float64 if kind else np.int64)
        for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)
    ]
