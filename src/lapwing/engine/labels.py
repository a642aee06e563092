"""Labels: the small numbers by which people know tracks. Axis: n tracks.

Inside, a track is named after the scan that began it, so that a late scan changes no other track's name. A label is
given when a track is first shown and never again to another.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from lapwing.records import Array, Tracks, column
from lapwing.records.arrays import freeze_columns, same_length

KEEP_S = 60.0  # a track that a late scan took away may come back with another


@dataclass(frozen=True, slots=True)
class Labels:
    """Names that were shown, sorted, and the labels they got."""

    name: Int64[Array, " n"]
    label: Int64[Array, " n"]
    seen_ns: Int64[Array, " n"]
    next_label: int = 1

    def __post_init__(self) -> None:
        same_length(self, "name", "label", "seen_ns")
        freeze_columns(self)

    @classmethod
    def empty(cls) -> "Labels":
        """Nothing shown yet."""
        none = column([], np.int64)
        return cls(none, none, none)


def _found(sorted_names: Array, at: Array, names: Array) -> Array:
    """Whether each name stands where it would."""
    if not len(sorted_names):
        return np.zeros(len(names), dtype=bool)
    return np.asarray(sorted_names[np.minimum(at, len(sorted_names) - 1)] == names)


def labelled(labels: Labels, tracks: Tracks) -> tuple[Labels, Tracks]:
    """The tracks with labels in place of names; those shown for the first time get the next ones, in their order."""
    names = tracks.track_id
    old = np.searchsorted(labels.name, names)
    fresh = names[~_found(labels.name, old, names)]
    name = np.concatenate([labels.name, fresh])
    label = np.concatenate([labels.label, labels.next_label + np.arange(len(fresh))])
    seen = np.concatenate([labels.seen_ns, np.zeros(len(fresh), dtype=np.int64)])
    seen[old[_found(labels.name, old, names)]] = tracks.time_ns
    seen[len(labels.name) :] = tracks.time_ns
    kept = seen >= tracks.time_ns - round(KEEP_S * 1e9)
    name, label, seen = name[kept], label[kept], seen[kept]
    rank = np.argsort(name, kind="stable")
    name, label, seen = name[rank], label[rank], seen[rank]
    after = Labels(name, label, seen, labels.next_label + len(fresh))
    shown = label[np.searchsorted(name, names)] if len(names) else names
    return after, replace(tracks, track_id=shown, next_id=after.next_label)
