"""Targets that nobody has seen yet: one Poisson number per sensor. Axes: n tracks, s sensors.

It grows by arrivals, shrinks by every look, takes back what pruned tracks stood for, and never reaches zero: a target
that was lost must be able to be found again. Spread evenly over the sensor's measurement space.
"""

import numpy as np
from jaxtyping import Float64

from lapwing.records import Array, Detections, Tracks
from lapwing.track.settings import TrackSettings
from lapwing.track.state import TrackerState


def expected_undetected(state: TrackerState, scan: Detections, settings: TrackSettings) -> float:
    """Expected number of targets that no track stands for, in the coverage of the scan's sensor, before it looks."""
    if scan.sensor not in state.sensors:
        return settings.undetected_start
    s = state.sensors.index(scan.sensor)
    dt_s = max(scan.scan_ns - int(state.looked_ns[s]), 0) * 1e-9
    expected = float(state.undetected[s]) * np.exp(-dt_s / settings.lifetime_s) + settings.birth_rate_hz * dt_s
    return float(min(expected, settings.undetected_start))


def remember_undetected(
    state: TrackerState, scan: Detections, undetected: float, tracks: Tracks, hits: Float64[Array, " n"]
) -> TrackerState:
    """The new state, with what the scan's sensor has left unseen."""
    sensors = tuple(sorted({*state.sensors, scan.sensor}))
    old = {name: (u, ns) for name, u, ns in zip(state.sensors, state.undetected, state.looked_ns, strict=True)}
    old[scan.sensor] = (np.float64(undetected), np.int64(scan.scan_ns))
    return TrackerState(
        tracks,
        hits,
        sensors,
        np.array([old[name][0] for name in sensors], dtype=np.float64),
        np.array([old[name][1] for name in sensors], dtype=np.int64),
    )
