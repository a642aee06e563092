"""A look: truth and tracks at one time, the input of every count. Axes: n truths, m tracks, d columns."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing_lab.score.distances import distances

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Look:
    """What was true and what was said at `time_ns`. `counts` is False for truth that may be tracked but need not."""

    time_ns: int
    truth_id: Int64[Array, " n"]
    truth: Float64[Array, "n 3"]
    velocity: Float64[Array, "n 3"]
    counts: Bool[Array, " n"]
    track_id: Int64[Array, " m"]
    mean: Float64[Array, "m 6"]
    cov: Float64[Array, "m 6 6"]
    existence: Float64[Array, " m"]
    p_class: Float64[Array, "m c"]
    truth_class: Int64[Array, " n"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))  # column; -1: none

    def points(self, dims: int) -> tuple[Float64[Array, "n d"], Float64[Array, "m d"]]:
        """Truth that counts, and the tracks that are judged: all but those that stand for truth that need not be
        tracked. `dims` is 2 (horizontal) or 3."""
        keep = self.judged(dims)
        return self.truth[self.counts, :dims], self.mean[keep, :dims]

    def judged(self, dims: int, reach_m: float = 1_000.0) -> Bool[Array, " m"]:
        """Tracks that are judged: those whose nearest truth counts and is within `reach_m`, and those that stand for
        no other truth. A truth that does not count explains tracks within `reach_m`; and, up to its height farther
        off, tracks that fly as it does: a flat radar shows a high target displaced by as much as its height."""
        if self.counts.all() or len(self.truth) == 0 or len(self.mean) == 0:
            return np.ones(len(self.mean), dtype=bool)
        distance = distances(self.mean[:, :dims], self.truth[:, :dims])
        nearest = distance.argmin(axis=1)
        wanted = self.counts[nearest] & (distance.min(axis=1) < reach_m)
        apart = distances(self.mean[:, 3:5], self.velocity[:, :2])
        alike = apart < 10.0 + 0.4 * np.hypot(self.velocity[:, 0], self.velocity[:, 1])
        reach = reach_m + np.where(alike, np.maximum(self.truth[:, 2], 0.0), 0.0)
        explained = ((distance < reach) & ~self.counts).any(axis=1)
        return np.asarray(wanted | ~explained)
