"""What the silence of a sensor that only listens is worth. Axes: n tracks, l local hypotheses, m detections.

A radar that misses a target is evidence against it. A direction finder hears what transmits: of a track that radar
follows, its silence says that the target is quiet, not that it is gone. Of a track that only directions have seen, or
that no sensor that locates sees any more (`track.visible`), silence is all the evidence there is against it.
"""

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.hypotheses import Evidence
from lapwing.records import Array, Space
from lapwing.track.life import PROBABLY
from lapwing.track.sensors import SensorModel
from lapwing.track.state import TrackerState

LISTENING = (Space.AZIMUTH, Space.AZIMUTH_ELEVATION, Space.RANGE_DIFFERENCE)


def heed_silence(said: Evidence, existence: Float64[Array, " l"], state: TrackerState, sensor: SensorModel) -> Evidence:
    """The evidence, with misses by a listening sensor of tracks that others follow taken for nothing."""
    if sensor.space not in LISTENING:
        return said
    followed = (state.unplaced == 0) & (state.visible.max(axis=1, initial=0.0) >= PROBABLY)
    followed = followed[state.hypotheses.track]
    return said._replace(
        log_miss=np.where(followed, 0.0, said.log_miss), r_miss=np.where(followed, existence, said.r_miss)
    )


def still_unplaced(
    unplaced: Int64[Array, " n"], assigned: Float64[Array, " n"], m: int, sensor: SensorModel
) -> Int64[Array, " h"]:
    """Which of the old tracks, followed by m that may begin, no sensor that locates has seen yet."""
    seen = sensor.locates & (assigned >= PROBABLY)
    return np.concatenate([np.where(seen, 0, unplaced), np.zeros(m, dtype=np.int64)])
