"""Which sensor sees which track. Axes: n tracks, m detections, s sensors, l local hypotheses, h = n + m.

A detection probability is a mean over all that a sensor looks at. One target is seen by it again and again; another,
behind a hill, too small or too low for it, hardly ever; and either may change. Whoever takes each miss for news loses
the second as soon as a sensor that never saw it looks a few times. So for every track and sensor the probability that
the sensor sees the track at all is kept: a hidden Markov chain with the states seen (detected with the sensor's
p_detect) and hidden (never detected), in the manner of the second Markov chain of integrated probabilistic data
association (Musicki, Evans and Stankovic, IEEE T-AC 39(6), 1994). A miss by a sensor that probably does not see the
track says little; a plot says that it does. Sensors that only listen are another matter (`track.silence`): theirs are
zeros, so that a row's largest value tells whether anything follows the track that does not only listen.

A track is a target that a sensor which places targets sees: its existence is told as that of such a target (`placed`).
What is hidden from all of those may be there, and its plots by sensors that see surfaces alone (passive radar) are its
own; but nobody knows where. Told as a track, it would be led along such surfaces from target to target for minutes.
"""

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records import Array, Detections
from lapwing.track.settings import VisibilitySettings
from lapwing.track.silence import LISTENING
from lapwing.track.state import TrackerState

NS = 1e-9


def placed(
    sees: Float64[Array, "h s"], places: Int64[Array, " s"], unplaced: Int64[Array, " h"]
) -> Float64[Array, " h"]:
    """Probability that some sensor that places targets (`places`) sees each track, if it exists; 1 for tracks that only
    directions have seen (`unplaced`)."""
    if not places.any():
        return np.ones(len(sees))
    hidden = np.prod(1.0 - sees[:, places == 1], axis=1)
    return np.asarray(np.where(unplaced == 1, 1.0, 1.0 - hidden))


def seen_by(state: TrackerState, scan: Detections, settings: VisibilitySettings | None) -> Float64[Array, " n"]:
    """Probability that the scan's sensor sees each track, before it looks."""
    if settings is None or scan.space in LISTENING:
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


def after_look(
    state: TrackerState,
    scan: Detections,
    seen: Float64[Array, " n"],
    p_detect: Float64[Array, " n"],
    given: Float64[Array, " n"],
    settings: VisibilitySettings | None,
) -> Float64[Array, "h s"]:
    """Of old tracks and of those that may begin, by every sensor heard so far, this one included. `p_detect` of a track
    that is seen; `given` is the probability that one of the scan's plots is its own, were it there."""
    sensors = tuple(sorted({*state.sensors, scan.sensor}))
    n, m = len(state.tracks), len(scan)
    if settings is None:
        return np.ones((n + m, len(sensors)))
    out = np.full((n + m, len(sensors)), settings.start)
    for s, name in enumerate(state.sensors):
        out[:n, sensors.index(name)] = state.visible[:, s]
    missed = seen * (1.0 - p_detect) / np.maximum(1.0 - seen * p_detect, 1e-300)
    mine = sensors.index(scan.sensor)
    listens = scan.space in LISTENING
    out[:n, mine] = 0.0 if listens else given + (1.0 - given) * missed
    out[n:, mine] = 0.0 if listens else 1.0
    return out


def of_tracks(p_detect: Float64[Array, " l"], first: Int64[Array, " h"]) -> Float64[Array, " n"]:
    """The largest of each track's hypotheses."""
    return np.maximum.reduceat(p_detect, first[:-1]) if len(first) > 1 else np.zeros(0)
