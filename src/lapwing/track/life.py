"""The life of tracks: born tentative, confirmed by evidence, coasting when unseen, gone for good. Axes: n tracks,
l local hypotheses, m detections, M modes, k associations, h = n + m tracks together with those that may begin."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.telling import surest
from lapwing.records import ANONYMOUS, Array, Detections, Tracks, TrackStatus
from lapwing.track.settings import TrackSettings

PROBABLY = 0.5


class Told(NamedTuple):
    """Which detection belongs to which old track, sorted by track; and of each old track, that any did."""

    track: Int64[Array, " k"]
    detection: Int64[Array, " k"]
    weight: Float64[Array, " k"]
    nis: Float64[Array, " k"]
    assigned: Float64[Array, " n"]


class Chances(NamedTuple):
    """How probable the branches of a scan make their local hypotheses (b of them) and the tracks, before anybody works
    out Gaussians: most of what hardly is there need not be worked out."""

    weight: Float64[Array, " b"]
    at: Int64[
        Array, " h"
    ]  # the local hypothesis of its cluster's most probable global one, or its weightiest; -1: none
    existence: Float64[Array, " h"]


class Posterior(NamedTuple):
    """Local hypotheses after the scan of the t tracks worked out, by track, and what they say of each: it stands where
    its cluster's most probable global hypothesis has it, and its covariance is the whole mixture's second moment about
    that place."""

    mode: Float64[Array, "l M"]
    mean: Float64[Array, "l M 6"]
    cov: Float64[Array, "l M 6 6"]
    weight: Float64[Array, " l"]
    existence: Float64[Array, " l"]
    child: Int64[Array, " l"]  # which branch
    track_mean: Float64[Array, "t 6"]
    track_cov: Float64[Array, "t 6 6"]
    own_sigma_m: Float64[Array, " t"]  # horizontal spread of the one hypothesis where it stands


class Everyone(NamedTuple):
    """The columns of old tracks, then of one tentative track per detection, but for where they are: not yet checked,
    for many will not live."""

    time_ns: int
    track_id: Int64[Array, " h"]
    existence: Float64[Array, " h"]
    status: Int64[Array, " h"]
    born_ns: Int64[Array, " h"]
    updated_ns: Int64[Array, " h"]
    address: Int64[Array, " h"]
    frame_seq: Int64[Array, " h"]

    def those(self, alive: Array, mean: Float64[Array, "n 6"], cov: Float64[Array, "n 6 6"], next_id: int) -> Tracks:
        """The tracks that live on, and where they are."""
        row = np.flatnonzero(alive)
        return Tracks(
            self.time_ns,
            self.track_id[row],
            mean,
            cov,
            self.existence[row],
            self.status[row],
            self.born_ns[row],
            self.updated_ns[row],
            self.address[row],
            self.frame_seq[row],
            next_id,
        )


def everyone(
    tracks: Tracks, hits: Float64[Array, " n"], scan: Detections, odds: Chances, told: Told, to_ns: int
) -> tuple[Everyone, Float64[Array, " h"]]:
    """Old tracks, followed by one tentative track per detection; and the hits gathered. Ids of the latter are given
    when it is known which of them live."""
    m = len(scan)
    both = Everyone(
        to_ns,
        np.concatenate([tracks.track_id, np.zeros(m, dtype=np.int64)]),
        odds.existence,
        np.concatenate([tracks.status, np.full(m, TrackStatus.TENTATIVE, dtype=np.int64)]),
        np.concatenate([tracks.born_ns, scan.time_ns]),
        np.concatenate([tracks.updated_ns, scan.time_ns]),
        np.concatenate([tracks.address, scan.address]),
        np.concatenate([tracks.frame_seq, scan.frame_seq]),
    )
    return both, np.concatenate([hits + told.assigned, odds.existence[len(tracks) :]])


def judge(
    tracks: Everyone, hits: Float64[Array, " h"], scan: Detections, told: Told, settings: TrackSettings
) -> Everyone:
    """Tracks with their evidence (last probable detection) and status."""
    best = surest(told.track, told.weight)
    best = best[told.assigned[told.track[best]] >= PROBABLY]
    who, row = told.track[best], told.detection[best]
    updated, frame_seq, address = tracks.updated_ns.copy(), tracks.frame_seq.copy(), tracks.address.copy()
    updated[who] = np.maximum(updated[who], scan.time_ns[row])
    frame_seq[who] = scan.frame_seq[row]
    address[who] = np.where(scan.address[row] == ANONYMOUS, address[who], scan.address[row])
    n, status = len(told.assigned), tracks.status.copy()
    status[:n] = _status(tracks, hits[:n], updated[:n], settings)
    return tracks._replace(updated_ns=updated, frame_seq=frame_seq, address=address, status=status)


def _status(
    tracks: Everyone, hits: Float64[Array, " n"], updated_ns: Int64[Array, " n"], settings: TrackSettings
) -> Int64[Array, " n"]:
    """Of the old tracks: confirmed once, a track never is tentative again; it coasts when unseen or doubtful, and
    returns only when it is as sure as when it was confirmed."""
    existence, status = tracks.existence[: len(hits)], tracks.status[: len(hits)]
    sure = existence >= settings.confirm_existence
    known = (status != TrackStatus.TENTATIVE) | (sure & (hits >= settings.confirm_hits))
    unseen = (tracks.time_ns - updated_ns) * 1e-9 > settings.coast_after_s
    doubtful = existence < settings.coast_existence
    coasting = unseen | doubtful | ((status == TrackStatus.COASTING) & ~sure)
    active = np.where(coasting, np.int64(TrackStatus.COASTING), np.int64(TrackStatus.CONFIRMED))
    return np.where(known, active, np.int64(TrackStatus.TENTATIVE))


def sure_enough(tracks: Everyone, odds: Chances, settings: TrackSettings) -> Array:
    """True for tracks that are there with enough probability to live on."""
    least = np.where(tracks.status == TrackStatus.TENTATIVE, settings.prune_existence, settings.delete_existence)
    return np.asarray((odds.at >= 0) & (tracks.existence >= least))


def worth_keeping(tracks: Everyone, sure: Array, sigma_m: Float64[Array, " t"], settings: TrackSettings) -> Array:
    """True for those of the sure tracks (h,) that live on: no vague ghost, and among the surest where there are too
    many. sigma_m is how well each of them is known."""
    good = sure.copy()
    ghost = (tracks.existence[sure] < settings.coast_existence) & (sigma_m > settings.ghost_sigma_m)
    good[sure] = ~ghost & (sigma_m <= settings.lost_sigma_m)
    if np.count_nonzero(good) > settings.tracks_max:
        ranked = np.argsort(np.where(good, -tracks.existence, 1.0), kind="stable")
        good[ranked[settings.tracks_max :]] = False
    return np.asarray(good)


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
