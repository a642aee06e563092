"""What the silence of a sensor that only listens is worth. Axes: n tracks, l local hypotheses, m detections.

A radar that misses a target is evidence against it. A direction finder hears what transmits: of a track that radar
follows, its silence says that the target is quiet, not that it is gone. Of a track that only directions have seen, or
that no sensor that locates sees any more (`track.visible`), silence is all the evidence there is against it.
"""

import numpy as np
from jaxtyping import Bool

from lapwing.records import Array, Space
from lapwing.track.life import PROBABLY
from lapwing.track.sensors import SensorModel
from lapwing.track.state import TrackerState

NOBODY = np.zeros(0, dtype=bool)
LISTENING = (Space.AZIMUTH, Space.AZIMUTH_ELEVATION, Space.RANGE_DIFFERENCE)


def quiet(state: TrackerState, sensor: SensorModel) -> Bool[Array, " _"]:
    """Of which local hypotheses (l,) a miss by this sensor says nothing, for it only listens and others follow the
    track; none at all (empty) where it does not only listen."""
    if sensor.space not in LISTENING:
        return NOBODY
    followed = (state.unplaced == 0) & (state.visible.max(axis=1, initial=0.0) >= PROBABLY)
    return np.asarray(followed[state.hypotheses.track])
