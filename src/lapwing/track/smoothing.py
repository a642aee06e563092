"""Where tracks were, given what came later: fixed-lag smoothing of the pictures that the caller kept. Axes: s scans,
n tracks.

Rauch, Tung and Striebel's backward recursion over the tracks' own moments, from the newest kept picture to the oldest.
For a track that was one Gaussian of one mode it is the exact smoother; where hypotheses or modes were several it
smooths their moments, with the modes' long-run noise. Identity is the track's id; it changes no picture it was given.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lapwing.kernel import motion
from lapwing.kernel.gaussian import positive
from lapwing.records import Tracks
from lapwing.track.association import NS, noise_of
from lapwing.track.settings import TrackSettings


def smoothed(pictures: Sequence[Tracks], settings: TrackSettings) -> tuple[Tracks, ...]:
    """The same pictures, `state.tracks` after consecutive scans, each track moved to where the later ones show that it
    was. Keep as many as the lag that you can wait for. Raises ValueError where time runs backwards."""
    out = list(pictures)
    for k in range(len(out) - 2, -1, -1):
        if out[k + 1].time_ns < out[k].time_ns:
            raise ValueError("pictures: time_ns runs backwards")
        out[k] = _back(out[k], pictures[k], out[k + 1], settings)
    return tuple(out)


def _back(here: Tracks, filtered: Tracks, later: Tracks, settings: TrackSettings) -> Tracks:
    """`here` corrected by what `later` knows, for tracks that are in both."""
    _, row, at = np.intersect1d(here.track_id, later.track_id, return_indices=True)
    dt_s = (later.time_ns - here.time_ns) * NS
    if not len(row) or dt_s == 0.0:
        return here
    mean, cov = filtered.mean[row], filtered.cov[row]
    ahead_mean, ahead_cov = motion.predict(mean, cov, dt_s, *noise_of(settings))
    F = np.eye(6)
    F[:3, 3:] = dt_s * np.eye(3)
    G = np.swapaxes(np.linalg.solve(ahead_cov, F @ cov), 1, 2)
    new_mean, new_cov = here.mean.copy(), here.cov.copy()
    new_mean[row] = mean + np.matmul(G, (later.mean[at] - ahead_mean)[:, :, None])[:, :, 0]
    new_cov[row] = positive(cov + G @ (later.cov[at] - ahead_cov) @ np.swapaxes(G, 1, 2))
    return replace(here, mean=new_mean, cov=new_cov)
