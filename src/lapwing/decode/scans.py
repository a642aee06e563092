"""One look of one sensor as a batch, from rows that bring their own standard deviations. Axes: m rows, d columns."""

from collections.abc import Sequence

import numpy as np

from lapwing.records import ANONYMOUS, Detections, Space


def scan(
    sensor: str,
    space: Space,
    time_ns: int,
    rows: Sequence[tuple[Sequence[float], Sequence[float]]],
    frame_seq: int | Sequence[int],
    times_ns: Sequence[int] | None = None,
    rcs_dbsm: Sequence[float] | None = None,
) -> Detections:
    """A scan that ends at `time_ns` and whose rows (z, standard deviations) are true then, or each at its own time.
    `frame_seq`: the evidence behind all rows, or behind each."""
    if not rows:
        return Detections.empty(sensor, space, time_ns)
    m = len(rows)
    sigma = np.array([s for _, s in rows], np.float64)
    return Detections(
        sensor,
        space,
        time_ns,
        np.full(m, time_ns, np.int64) if times_ns is None else np.array(times_ns, np.int64),
        np.array([z for z, _ in rows], np.float64),
        np.square(sigma)[:, :, None] * np.eye(sigma.shape[1]),
        np.full(m, ANONYMOUS, np.int64),
        np.full(m, frame_seq, np.int64),
        None if rcs_dbsm is None else np.array(rcs_dbsm, np.float64),
    )
