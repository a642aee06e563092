"""Clocks that cannot be right. Axis: m detections.

A prediction over a gap longer than any track can be followed, or a plot older than its look can have been, means
nothing: its covariance only loses digits. So a clock that jumps ahead by more than `gap_s_max` makes the tracker begin
anew there (`TrackerState.restarts`, ids go on), and what is more than `age_s_max` off the tracker's time is put aside:
plots, or a whole scan that comes so late, of whose misses nothing is believed either (`TrackerState.untimely`). Does
not tell a right clock from a wrong one: what orders scans (`engine.order`) does.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from lapwing.kernel.lives import all_within
from lapwing.records import Array, Detections, Tracks
from lapwing.track.settings import TrackSettings
from lapwing.track.state import TrackerState, start

NS = 1e-9


def begun_anew(state: TrackerState, scan: Detections, settings: TrackSettings) -> TrackerState:
    """The state; without any track where the scan ends so long after it that none can be followed there."""
    if not state.sensors or (scan.scan_ns - state.tracks.time_ns) * NS <= settings.gap_s_max:
        return state
    nothing = Tracks.empty(scan.scan_ns, state.tracks.next_id)
    fresh = replace(start(settings), tracks=nothing, cut=state.cut, untimely=state.untimely, clutter=state.clutter)
    return replace(fresh, restarts=state.restarts + 1)


def timely_rows(scan: Detections, to_ns: int, settings: TrackSettings) -> Int64[Array, " r"] | None:
    """Rows of the scan whose time a tracker at `to_ns` can use; None where the scan itself comes too late."""
    if (to_ns - scan.scan_ns) * NS > settings.age_s_max:
        return None
    if all_within(scan.time_ns, to_ns, settings.age_s_max):
        return np.arange(len(scan))
    age_s = np.abs(np.float64(to_ns) - scan.time_ns) * NS  # in floats: times of a mad clock may lie anywhere
    return np.flatnonzero(age_s <= settings.age_s_max)


def sifted(
    state: TrackerState, scan: Detections, settings: TrackSettings
) -> tuple[TrackerState, Int64[Array, " r"] | None]:
    """The state, begun anew or with its counts where need be, and the rows that are of its time (None: none of the
    scan is to be believed, not even its misses). Sifting twice changes nothing."""
    state = begun_anew(state, scan, settings)
    rows = timely_rows(scan, max(scan.scan_ns, state.tracks.time_ns), settings)
    away = max(len(scan), 1) if rows is None else len(scan) - len(rows)
    return (replace(state, untimely=state.untimely + away) if away else state), rows


def those(scan: Detections, rows: Int64[Array, " r"]) -> Detections:
    """The scan with the chosen rows alone."""
    if len(rows) == len(scan):
        return scan
    columns = {name: getattr(scan, name)[rows] for name in ("time_ns", "z", "R", "address", "frame_seq")}
    for name in ("rcs_dbsm", "declared", "micro", "measured"):
        if getattr(scan, name) is not None:
            columns[name] = getattr(scan, name)[rows]
    return replace(scan, **columns)
