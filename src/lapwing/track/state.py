"""What the tracker remembers. Axes: n tracks, l local hypotheses, M modes, s sensors, b components of undetected
targets."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.hypotheses import Forest
from lapwing.records import Array, Tracks
from lapwing.records.arrays import freeze, freeze_columns, same_length
from lapwing.track.clutter import ClutterMap
from lapwing.track.settings import TrackSettings


@dataclass(frozen=True, slots=True)
class ModeBeliefs:
    """Per local hypothesis and mode of the settings, where there is more than one: a probability and a Gaussian."""

    weight: Float64[Array, "l M"]  # rows sum to one
    mean: Float64[Array, "l M 6"]
    cov: Float64[Array, "l M 6 6"]

    def __post_init__(self) -> None:
        same_length(self, "weight", "mean", "cov")
        freeze_columns(self)


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """Several Gaussians per track where it is not clear which plots were its own: local hypotheses. Tracks that shared
    plots form a cluster; its global hypotheses say which local hypotheses hold together."""

    track: Int64[Array, " l"]  # row of the track, rising
    mean: Float64[Array, "l 6"]
    cov: Float64[Array, "l 6 6"]
    existence: Float64[Array, " l"]  # if this hypothesis holds
    weight: Float64[Array, " l"]  # marginal probability that it holds; of a track they sum to at most one
    forest: Forest
    modes: ModeBeliefs | None = None  # mean and cov are their moments; None: one mode, or not yet several

    def __post_init__(self) -> None:
        same_length(self, "track", "mean", "cov", "existence", "weight")
        if self.modes is not None and len(self.modes.weight) != len(self.track):
            raise ValueError(f"Hypotheses.modes has {len(self.modes.weight)} rows, track has {len(self.track)}")
        freeze_columns(self)
        # `freeze` gives a copy where the array is a view of another that can be written to: that copy is what is kept
        frozen = [freeze(array) for array in self.forest]
        if any(a is not b for a, b in zip(frozen, self.forest, strict=True)):
            object.__setattr__(self, "forest", Forest(*frozen))


@dataclass(frozen=True, slots=True)
class TrackerState:
    """All that the tracker remembers between scans. `tracks` is what the hypotheses say of each track: where
    the most probable has it, and how far the others spread about there."""

    tracks: Tracks
    hits: Float64[Array, " n"]  # association probability gathered so far, per track
    flat: Int64[Array, " n"]  # 1: last seen by a radar without elevation, at
    radar_m: Float64[Array, "n 3"]  # this place of the site's frame
    hypotheses: Hypotheses
    sensors: tuple[str, ...]  # sensors heard so far, sorted
    undetected: Float64[Array, " s"]  # expected targets in its coverage that no track stands for
    looked_ns: Int64[Array, " s"]  # end of its last scan
    hidden_mean: Float64[Array, "b 6"]  # undetected targets as a Gaussian mixture, where settings.births says so
    hidden_cov: Float64[Array, "b 6 6"]
    hidden: Float64[Array, " b"]  # expected number per component
    cut: int = 0  # clusters and gates whose work was bounded, since the start: exactness declared lost
    unplaced: Int64[Array, " n"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    # 1: only directions have seen it. Of such tracks, and no others, the silence of a direction finder says something
    untimely: int = 0  # plots, and scans, put aside since the start because their time cannot be (`track.timely`)
    clutter: tuple[ClutterMap, ...] = ()  # what each sensor that locates has shown of its clutter
    visible: Float64[Array, "n _"] = field(default_factory=lambda: np.zeros((0, 0)))
    # probability that each of `sensors` sees the track (`track.visible`); ones where settings do not ask
    placing: Int64[Array, " _"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    # 1: that one of `sensors` places targets, by range and direction or otherwise
    restarts: int = 0  # times that the clock jumped too far and the tracker began anew

    def __post_init__(self) -> None:
        if not len(self.unplaced):  # left out: a sensor that locates has seen every track
            object.__setattr__(self, "unplaced", np.zeros(len(self.tracks), dtype=np.int64))
        if not len(self.visible):
            object.__setattr__(self, "visible", np.ones((len(self.tracks), len(self.sensors))))
        if not len(self.placing):
            object.__setattr__(self, "placing", np.ones(len(self.sensors), dtype=np.int64))
        same_length(self, "tracks", "hits", "flat", "radar_m", "unplaced", "visible")
        same_length(self, "sensors", "undetected", "looked_ns", "placing")
        same_length(self, "hidden", "hidden_mean", "hidden_cov")
        freeze_columns(self)


def nothing() -> Hypotheses:
    """No tracks, no hypotheses."""
    none, zero = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64)
    forest = Forest(none, zero, np.zeros(0), zero.copy(), none.copy(), zero.copy())
    return Hypotheses(none.copy(), np.zeros((0, 6)), np.zeros((0, 6, 6)), np.zeros(0), np.zeros(0), forest)


def start(_settings: TrackSettings, time_ns: int = 0) -> TrackerState:
    """Nothing believed yet: no settings change that."""
    none = np.zeros(0, dtype=np.int64)
    return TrackerState(
        Tracks.empty(time_ns),
        np.zeros(0),
        none.copy(),
        np.zeros((0, 3)),
        nothing(),
        (),
        np.zeros(0),
        none,
        np.zeros((0, 6)),
        np.zeros((0, 6, 6)),
        np.zeros(0),
    )
