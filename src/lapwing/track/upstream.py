"""Sensors that deliver tracks: their errors last, so twenty reports are not twenty measurements. Axes: m detections.

An upstream filter repeats itself. Its error is taken for a first-order Gauss-Markov process of correlation time tau: of
reports dt apart, with rho = exp(-dt / tau), each is worth (1 - rho) / (1 + rho) of an independent one, which is exact
for the mean of many. So the noise of every report but the first of a sensor is inflated by the inverse, and a report
that repeats the time of the last says nothing at all. It needs no upstream track numbers and no knowledge of the
upstream filter; the price is that a track taken over by us follows manoeuvres as slowly as its information comes.
"""

from dataclasses import replace

import numpy as np

from lapwing.records import Detections
from lapwing.track.state import TrackerState

NS = 1e-9
WORTH_MIN = 1e-3  # reports worth less are passed over


def decorrelated(scan: Detections, state: TrackerState, correlation_s: float) -> Detections | None:
    """The scan with the noise of independent reports, given when its sensor was last heard; None: nothing new in it."""
    if correlation_s <= 0.0 or scan.sensor not in state.sensors:
        return scan
    dt_s = (scan.scan_ns - int(state.looked_ns[state.sensors.index(scan.sensor)])) * NS
    rho = np.exp(-max(dt_s, 0.0) / correlation_s)
    worth = (1.0 - rho) / (1.0 + rho)
    return None if worth < WORTH_MIN else replace(scan, R=scan.R / worth)
