"""What the page is told of Remote ID beyond the binary picture: who heard a sender that has not said where it is, and
where the person who flies says to be.

Personal data: the person's place is told only while the picture holds it (`[privacy] operator_s`). Bounded: TOLD_MAX
senders, the latest heard; `left_out` counts the others. Refuses to guess: a feed that is not known is not told.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from lapwing.records import Array, Claims, Field, Picture, Source
from lapwing.serve import wire_text
from lapwing.serve.wire import DEGREE

TOLD_MAX = 200
AGAIN_NS = 1_000_000_000
KINDS = ("take-off place", "live", "fixed place")
FeedsOf = Callable[[Sequence[int]], dict[int, str]]  # which feed delivered each journal entry, of those that are there
NOTHING = wire_text.dump({"type": "remote", "claims": {}, "left_out": 0})


class RemoteText:
    """The message `remote` of one picture after another. Made anew at most once a second of picture time."""

    def __init__(self, feeds_of: FeedsOf) -> None:
        self._feeds_of = feeds_of
        self._made_ns = 0
        self._text = NOTHING
        self._feeds: dict[str, tuple[int, str]] = {}  # by claim: journal entry and its feed

    def due(self, picture: Picture) -> bool:
        """Whether `text` would read the journal: then it belongs into a thread."""
        return not self._fresh(picture) and bool((picture.claims.source == Source.REMOTE_ID).any())

    def _fresh(self, picture: Picture) -> bool:
        return 0 <= picture.time_ns - self._made_ns < AGAIN_NS

    def text(self, picture: Picture) -> str:
        """The message; NOTHING where there is no Remote ID to speak of."""
        if self._fresh(picture):
            return self._text
        self._made_ns = picture.time_ns
        claims = picture.claims
        rows, left_out = _worth_telling(claims)
        if not len(rows):
            self._feeds, self._text = {}, NOTHING
            return self._text
        feeds = self._heard_by(claims, rows)
        told = {key: _told(claims, int(i), feeds.get(key)) for key, i in zip(_keys(claims, rows), rows, strict=True)}
        self._text = wire_text.dump({"type": "remote", "claims": told, "left_out": left_out})
        return self._text

    def _heard_by(self, claims: Claims, rows: Array) -> dict[str, str]:
        """The feed of each sender without a place. An entry that is not there yet keeps the feed that was known."""
        silent = rows[claims.has_position[rows] == 0]
        entries = dict(zip(_keys(claims, silent), claims.frame_seq[silent].tolist(), strict=True))
        new = [seq for key, seq in entries.items() if seq > 0 and self._feeds.get(key, (0, ""))[0] != seq]
        found: dict[int, str] = {}
        if new:
            with suppress(sqlite3.Error):  # a journal that cannot be read is told where it is written
                found = self._feeds_of(new)
        kept = {key: self._feeds[key] for key in entries if key in self._feeds}
        fresh = {key: (seq, found[seq]) for key, seq in entries.items() if seq in found}
        self._feeds = kept | fresh
        return {key: feed for key, (_, feed) in self._feeds.items()}


def _keys(claims: Claims, rows: Array) -> list[str]:
    return [wire_text.claim_key(int(claims.source[i]), int(claims.address[i])) for i in rows]


def _worth_telling(claims: Claims) -> tuple[Array, int]:
    """Rows without a place or with a person's place, the latest heard first; and how many more there are."""
    person = claims.said(Field.OPERATOR_LATITUDE_RAD)[1] > 0
    rows = np.flatnonzero((claims.source == Source.REMOTE_ID) & (person | (claims.has_position == 0)))
    rows = rows[np.argsort(-claims.heard_ns[rows], kind="stable")]
    return rows[:TOLD_MAX], max(len(rows) - TOLD_MAX, 0)


def _told(claims: Claims, i: int, feed: str | None) -> dict[str, Any]:
    said = {field: (values[i], int(times[i])) for field in _PERSON for values, times in [claims.said(field)]}
    told: dict[str, Any] = {} if feed is None or claims.has_position[i] else {"feed": feed}
    latitude, said_ns = said[Field.OPERATOR_LATITUDE_RAD]
    if not said_ns:
        return told
    height, height_ns = said[Field.OPERATOR_HEIGHT_ELLIPSOID_M]
    kind, kind_ns = said[Field.OPERATOR_LOCATION_KIND]
    person = {
        "latitude_deg": round(float(latitude) / DEGREE, 6),
        "longitude_deg": round(float(said[Field.OPERATOR_LONGITUDE_RAD][0]) / DEGREE, 6),
        "height_ellipsoid_m": round(float(height), 1) if height_ns else None,
        "kind": KINDS[int(kind)] if kind_ns and 0 <= kind < len(KINDS) else None,
        "said_ns": str(said_ns),
    }
    return told | {"person": person}


_PERSON = (
    Field.OPERATOR_LATITUDE_RAD,
    Field.OPERATOR_LONGITUDE_RAD,
    Field.OPERATOR_HEIGHT_ELLIPSOID_M,
    Field.OPERATOR_LOCATION_KIND,
)
