"""The life of tracks: born tentative, confirmed by evidence, coasting when unseen, gone for good. Axes: n tracks,
m detections, k pairs, b tracks together with births."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records import ANONYMOUS, Array, Detections, Tracks, TrackStatus
from lapwing.track.association import Pairs, Weights
from lapwing.track.settings import TrackSettings

PROBABLY = 0.5


def judge(
    tracks: Tracks,
    hits: Float64[Array, " n"],
    scan: Detections,
    pairs: Pairs,
    weights: Weights,
    settings: TrackSettings,
) -> tuple[Tracks, Float64[Array, " n"]]:
    """Tracks with their evidence (last probable detection) and status, and the hits gathered."""
    best = np.lexsort((weights.pair, pairs.track))
    best = best[np.flatnonzero(np.diff(pairs.track[best], append=-1))]
    best = best[1.0 - weights.miss[pairs.track[best]] >= PROBABLY]
    who, row = pairs.track[best], pairs.detection[best]
    updated, frame_seq, address = tracks.updated_ns.copy(), tracks.frame_seq.copy(), tracks.address.copy()
    updated[who] = np.maximum(updated[who], scan.time_ns[row])
    frame_seq[who] = scan.frame_seq[row]
    address[who] = np.where(scan.address[row] == ANONYMOUS, address[who], scan.address[row])
    hits = hits + (1.0 - weights.miss)
    status = _status(tracks, hits, updated, settings)
    return replace(tracks, updated_ns=updated, frame_seq=frame_seq, address=address, status=status), hits


def _status(
    tracks: Tracks, hits: Float64[Array, " n"], updated_ns: Int64[Array, " n"], settings: TrackSettings
) -> Int64[Array, " n"]:
    """Confirmed once, a track never is tentative again; it coasts when unseen or doubtful, and returns only when it
    is as sure as when it was confirmed."""
    sure = tracks.existence >= settings.confirm_existence
    known = (tracks.status != TrackStatus.TENTATIVE) | (sure & (hits >= settings.confirm_hits))
    unseen = (tracks.time_ns - updated_ns) * 1e-9 > settings.coast_after_s
    doubtful = tracks.existence < settings.coast_existence
    coasting = unseen | doubtful | ((tracks.status == TrackStatus.COASTING) & ~sure)
    active = np.where(coasting, np.int64(TrackStatus.COASTING), np.int64(TrackStatus.CONFIRMED))
    return np.where(known, active, np.int64(TrackStatus.TENTATIVE))


def births(
    tracks: Tracks,
    hits: Float64[Array, " n"],
    scan: Detections,
    existence: Float64[Array, " m"],
    mean: Float64[Array, "m 6"],
    cov: Float64[Array, "m 6 6"],
    settings: TrackSettings,
) -> tuple[Tracks, Float64[Array, " b"]]:
    """Tracks with a tentative one for each detection that may be a target of its own, ids in the scan's order."""
    new = np.flatnonzero(existence >= settings.prune_existence)
    ids = np.arange(tracks.next_id, tracks.next_id + len(new), dtype=np.int64)
    both = Tracks(
        tracks.time_ns,
        np.concatenate([tracks.track_id, ids]),
        np.concatenate([tracks.mean, mean[new]]),
        np.concatenate([tracks.cov, cov[new]]),
        np.concatenate([tracks.existence, existence[new]]),
        np.concatenate([tracks.status, np.full(len(new), TrackStatus.TENTATIVE, dtype=np.int64)]),
        np.concatenate([tracks.born_ns, scan.time_ns[new]]),
        np.concatenate([tracks.updated_ns, scan.time_ns[new]]),
        np.concatenate([tracks.address, scan.address[new]]),
        np.concatenate([tracks.frame_seq, scan.frame_seq[new]]),
        tracks.next_id + len(new),
    )
    return both, np.concatenate([hits, existence[new]])


def survivors(
    tracks: Tracks, hits: Float64[Array, " b"], settings: TrackSettings
) -> tuple[Tracks, Float64[Array, " n"], float]:
    """Tracks worth keeping, their hits, and the expected number of targets among those given up."""
    sigma_m = np.sqrt(tracks.cov[:, 0, 0] + tracks.cov[:, 1, 1])
    least = np.where(tracks.status == TrackStatus.TENTATIVE, settings.prune_existence, settings.delete_existence)
    ghost = (tracks.existence < settings.coast_existence) & (sigma_m > settings.ghost_sigma_m)
    good = (tracks.existence >= least) & ~ghost & (sigma_m <= settings.lost_sigma_m)
    if np.count_nonzero(good) > settings.tracks_max:
        ranked = np.argsort(np.where(good, -tracks.existence, 1.0), kind="stable")
        good[ranked[settings.tracks_max :]] = False
    recycled = float(tracks.existence[~good].sum())
    return select(tracks, good), hits[good], recycled


def select(tracks: Tracks, good: Array) -> Tracks:
    """The chosen rows."""
    return replace(
        tracks,
        track_id=tracks.track_id[good],
        mean=tracks.mean[good],
        cov=tracks.cov[good],
        existence=tracks.existence[good],
        status=tracks.status[good],
        born_ns=tracks.born_ns[good],
        updated_ns=tracks.updated_ns[good],
        address=tracks.address[good],
        frame_seq=tracks.frame_seq[good],
    )
