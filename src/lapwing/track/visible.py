"""Which sensor sees which track. Axes: n tracks, m detections, s sensors, l local hypotheses, h = n + m.

A detection probability is a mean over all that a sensor looks at. One target is seen by it again and again; another,
behind a hill, too small or too low for it, hardly ever; and either may change. Whoever takes each miss for news loses
the second as soon as a sensor that never saw it looks a few times. So for every track and sensor the probability that
the sensor sees the track at all is kept: a hidden Markov chain with the states seen (detected with the sensor's
p_detect) and hidden (never detected), in the manner of the second Markov chain of integrated probabilistic data
association (Musicki, Evans and Stankovic, IEEE T-AC 39(6), 1994). A miss by a sensor that probably does not see the
track says little; a plot says that it does. Sensors that only listen are another matter (`track.silence`): theirs are
zeros, so that a row's largest value tells whether anything follows the track that does not only listen.

A track is a target that a sensor which places targets sees: its existence is told as that of such a target
(`kernel.seeing.placed`). What is hidden from all of those may be there, and its plots by sensors that see surfaces
alone (passive radar) are its own; but nobody knows where. Told as a track, it would be led along such surfaces from
target to target for minutes.
"""

import numpy as np
from jaxtyping import Float64

from lapwing.kernel.seeing import Seeing
from lapwing.records import Array, Detections
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import VisibilitySettings
from lapwing.track.silence import LISTENING
from lapwing.track.state import TrackerState

NS = 1e-9
NOBODY = np.zeros(0)


def seen_by(state: TrackerState, scan: Detections, settings: VisibilitySettings) -> Float64[Array, " n"]:
    """Probability that the scan's sensor sees each track, before it looks."""
    if scan.space in LISTENING:
        return np.ones(len(state.tracks))
    large = np.hypot(state.tracks.mean[:, 3], state.tracks.mean[:, 4]) > settings.speed_mps_max
    if scan.sensor not in state.sensors:
        return np.where(large, 1.0, settings.start)
    s = state.sensors.index(scan.sensor)
    dt_s = max(scan.scan_ns - int(state.looked_ns[s]), 0) * NS
    often = settings.hidden_s, settings.seen_s
    rest = often[1] / (often[0] + often[1])
    lasts = np.exp(-dt_s * (1.0 / often[0] + 1.0 / often[1]))
    return np.where(large, 1.0, rest + (state.visible[:, s] - rest) * lasts)


def seeing(
    state: TrackerState,
    scan: Detections,
    sensor: SensorModel,
    seen: Float64[Array, " n"] | None,
    p_seen: Float64[Array, " l"],
    settings: VisibilitySettings | None,
) -> Seeing:
    """What the scan is to change, by every sensor heard so far, this one included. `seen`: as of `seen_by`; p_seen:
    with which probability a local hypothesis that is seen is detected."""
    n, sensors, before, places = len(state.tracks), state.sensors, state.visible, state.placing
    start = 1.0 if settings is None else settings.start
    if scan.sensor not in sensors:
        sensors = tuple(sorted((*sensors, scan.sensor)))
        at = sensors.index(scan.sensor)
        before, places = np.insert(before, at, start, axis=1), np.insert(places, at, 0)
    mine, places = sensors.index(scan.sensor), places == 1
    places[mine] = sensor.locates
    if seen is None:
        return Seeing(False, np.zeros((n, len(sensors))), mine, NOBODY, p_seen, False, places, start)
    return Seeing(True, np.array(before), mine, seen, p_seen, scan.space in LISTENING, places, start)
