"""Which journal entries corrected each track since it was last reported: what a report derives from.

A picture tells the last such entry of each track; this looks at every picture. Bounded: SEQS_MAX entries of each track
that is alive. Two corrections of one track within one tick (200 ms) leave the later one only.
"""

from collections.abc import Iterable

import numpy as np

from lapwing.records import Picture, TrackStatus

SEQS_MAX = 16


class Contributors:
    """The entries by track_id, oldest first; the last stands first after a report, so that there is always one."""

    def __init__(self) -> None:
        self._seqs: dict[int, tuple[int, ...]] = {}
        self._told: dict[int, int] = {}  # the newest entry at the last report

    def look(self, picture: Picture) -> None:
        """One picture more."""
        tracks = picture.tracks
        rows = np.flatnonzero(tracks.status != TrackStatus.TENTATIVE)
        now = dict(zip(tracks.track_id[rows].tolist(), tracks.frame_seq[rows].tolist(), strict=True))
        kept = {}
        for ident, seq in now.items():
            before = self._seqs.get(ident, ())
            kept[ident] = before if before[-1:] == (seq,) else (*before, seq)[-SEQS_MAX:]
        self._seqs = kept
        self._told = {ident: seq for ident, seq in self._told.items() if ident in kept}

    def of(self, ident: int) -> tuple[int, ...]:
        """The entries that corrected a track since its last report, newest first; the last one where none did."""
        latest = self._seqs.get(ident, ())[::-1]
        told = self._told.get(ident)
        new = latest[: latest.index(told)] if told in latest else latest
        return new or latest[:1]

    def reported(self, idents: Iterable[int]) -> None:
        """These tracks were reported."""
        for ident in idents:
            if self._seqs.get(ident):
                self._told[ident] = self._seqs[ident][-1]
