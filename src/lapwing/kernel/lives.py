"""What a scan makes of the lives of tracks: last evidence, status, and whether each is there enough to live on.
Axes: n tracks, m detections, k associations, h = n + m tracks together with those that may begin, s sensors, a tracks
that live on. Refuses nothing."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
TENTATIVE, CONFIRMED, COASTING = 0, 1, 2  # as in `records.TrackStatus`


class Rules(NamedTuple):
    """When a track is confirmed, coasts and dies."""

    confirm_existence: float
    confirm_hits: float
    coast_after_s: float
    coast_existence: float
    delete_existence: float  # of confirmed and coasting tracks
    prune_existence: float  # of tentative ones
    probably: float  # from this probability on a track has a detection of its own


class Past(NamedTuple):
    """Of each track (n,): what it was before the scan."""

    track_id: I64
    status: I64
    born_ns: I64
    updated_ns: I64
    address: I64
    frame_seq: I64
    hits: F64  # association probability gathered
    unplaced: I64  # 1: only directions have seen it
    flat: I64  # 1: last seen by a radar without elevation, at
    radar_m: F64  # (n, 3) this place


class Look(NamedTuple):
    """The scan: of each detection (m,) its own columns, and what kind of sensor looked."""

    to_ns: int
    time_ns: I64
    address: I64
    frame_seq: I64
    anonymous: int  # the address of who has none
    locates: bool
    flat: bool  # a radar without elevation
    place_m: F64  # (3,)


class Told(NamedTuple):
    """Which detection belongs to which old track, sorted by track; and of each old track, that any did."""

    track: I64  # (k,)
    detection: I64
    weight: F64
    nis: F64
    assigned: F64  # (n,)


class Chances(NamedTuple):
    """How probable the branches of a scan make their local hypotheses (b of them) and the tracks, before anybody works
    out Gaussians: most of what hardly is there need not be worked out."""

    weight: F64  # (b,)
    at: I64  # (h,) the local hypothesis of its cluster's most probable global one, or its weightiest; -1: none
    existence: F64  # (h,)


class Lives(NamedTuple):
    """Of each track, then of one that may begin per detection (h,), or of those that live on (a,): what it is after the
    scan."""

    existence: F64  # as far as some sensor that places targets sees it
    status: I64
    born_ns: I64
    updated_ns: I64
    address: I64
    frame_seq: I64
    hits: F64
    unplaced: I64
    flat: I64
    radar_m: F64


class Rows(NamedTuple):
    """The tracks that live on (a,), and what was told of them."""

    track_id: I64
    life: Lives
    visible: F64  # (a, s)
    next_id: int
    told: tuple[I64, I64, F64, F64]  # track_id, detection, weight, NIS of each association


@njit(cache=True, nogil=True)
def status_of(was: int, existence: float, hits: float, unseen: bool, rules: Rules) -> int:
    """Confirmed once, a track never is tentative again; it coasts when unseen or doubtful, and returns only when it is
    as sure as when it was confirmed."""
    sure = existence >= rules.confirm_existence
    if was == TENTATIVE and not (sure and hits >= rules.confirm_hits):
        return TENTATIVE
    if unseen or existence < rules.coast_existence or (was == COASTING and not sure):
        return COASTING
    return CONFIRMED


@njit(cache=True, nogil=True)
def _seen_by(i: int, mine: bool, past: Past, look: Look, out: tuple[I64, I64, F64]) -> None:
    """How track i was seen, into its row of out = (unplaced, flat, radar_m). mine: it has a detection of its own."""
    (unplaced, flat, radar_m), old = out, i < len(past.hits)
    unplaced[i] = past.unplaced[i] if old and not (look.locates and mine) else 0
    now = look.flat and mine
    flat[i] = 1 if now else past.flat[i] if old else 0
    for c in range(3):
        radar_m[i, c] = look.place_m[c] if now else past.radar_m[i, c] if old else 0.0


@njit(cache=True, nogil=True)
def lives(
    past: Past, look: Look, told: Told, odds: Chances, placed: F64, rules: Rules
) -> tuple[Lives, NDArray[np.bool_]]:
    """Old tracks, followed by one tentative track per detection, with their last probable detection and status; and
    which of them (h,) are there with enough probability to live on. placed (h,): probability that some sensor that
    places targets sees the track; of what only directions have seen that is not asked, nor of anything where it is
    empty."""
    n, h = len(past.hits), len(odds.at)
    existence, status, born, updated = np.empty(h), np.empty(h, np.int64), np.empty(h, np.int64), np.empty(h, np.int64)
    address, seq, hits = np.empty(h, np.int64), np.empty(h, np.int64), np.empty(h)
    seen = np.empty(h, np.int64), np.empty(h, np.int64), np.empty((h, 3))
    sure, s = np.empty(h, np.bool_), 0
    for i in range(h):
        _seen_by(i, i >= n or told.assigned[i] >= rules.probably, past, look, seen)
        there = odds.existence[i]
        if len(placed) > 0 and seen[0][i] == 0:
            there *= placed[i]
        if i >= n:
            j = i - n
            status[i], born[i], updated[i] = TENTATIVE, look.time_ns[j], look.time_ns[j]
            address[i], seq[i], hits[i] = look.address[j], look.frame_seq[j], odds.existence[i]
        else:
            born[i], updated[i] = past.born_ns[i], past.updated_ns[i]
            address[i], seq[i], hits[i] = past.address[i], past.frame_seq[i], past.hits[i] + told.assigned[i]
            best = -1  # the association of the largest weight, of equal ones the last
            while s < len(told.track) and told.track[s] == i:
                if best < 0 or told.weight[s] >= told.weight[best]:
                    best = s
                s += 1
            if best >= 0 and told.assigned[i] >= rules.probably:
                j = told.detection[best]
                updated[i], seq[i] = max(updated[i], look.time_ns[j]), look.frame_seq[j]
                if look.address[j] != look.anonymous:
                    address[i] = look.address[j]
            unseen = (look.to_ns - updated[i]) * 1e-9 > rules.coast_after_s
            status[i] = status_of(past.status[i], there, hits[i], unseen, rules)
        existence[i] = there
        least = rules.prune_existence if status[i] == TENTATIVE else rules.delete_existence
        sure[i] = odds.at[i] >= 0 and there >= least
    return Lives(existence, status, born, updated, address, seq, hits, *seen), sure


@njit(cache=True, nogil=True)
def shown(told: Told, alive: NDArray[np.bool_], ids: I64, weight_min: float) -> tuple[I64, I64, F64, F64]:
    """Associations of tracks that are alive (h,), and weighty enough: ids of the tracks, of which `ids` are those that
    are alive, in their order; detections, weights, NIS."""
    track, k, row, i = told.track, 0, -1, 0
    name, plot = np.empty(len(track), np.int64), np.empty(len(track), np.int64)
    weight, nis = np.empty(len(track)), np.empty(len(track))
    for s in range(len(track)):
        while i <= track[s]:  # they come by track
            row += 1 if alive[i] else 0
            i += 1
        if told.weight[s] >= weight_min and alive[track[s]]:
            name[k], plot[k], weight[k], nis[k] = ids[row], told.detection[s], told.weight[s], told.nis[s]
            k += 1
    return name[:k].copy(), plot[:k].copy(), weight[:k].copy(), nis[:k].copy()


@njit(cache=True, nogil=True)
def rows(
    alive: NDArray[np.bool_], past: Past, of: Lives, visible: F64, told: Told, next_id: int, weight_min: float
) -> Rows:
    """The rows of the tracks that are alive (h,); what begins takes the next ids. visible (h, s), or (0, s): all 1."""
    a, n = 0, len(past.hits)
    for i in range(len(alive)):
        a += 1 if alive[i] else 0
    ids, existence, status = np.empty(a, np.int64), np.empty(a), np.empty(a, np.int64)
    born, updated = np.empty(a, np.int64), np.empty(a, np.int64)
    address, seq, hits = np.empty(a, np.int64), np.empty(a, np.int64), np.empty(a)
    unplaced, flat, radar_m = np.empty(a, np.int64), np.empty(a, np.int64), np.empty((a, 3))
    seen, k = np.empty((a, visible.shape[1])), 0
    for i in range(len(alive)):
        if not alive[i]:
            continue
        if i < n:
            ids[k] = past.track_id[i]
        else:
            ids[k], next_id = next_id, next_id + 1
        existence[k], status[k], born[k], updated[k] = of.existence[i], of.status[i], of.born_ns[i], of.updated_ns[i]
        address[k], seq[k], hits[k] = of.address[i], of.frame_seq[i], of.hits[i]
        unplaced[k], flat[k] = of.unplaced[i], of.flat[i]
        for c in range(3):
            radar_m[k, c] = of.radar_m[i, c]
        for c in range(visible.shape[1]):
            seen[k, c] = visible[i, c] if len(visible) > 0 else 1.0
        k += 1
    life = Lives(existence, status, born, updated, address, seq, hits, unplaced, flat, radar_m)
    return Rows(ids, life, seen, next_id, shown(told, alive, ids, weight_min))


@njit(cache=True, nogil=True)
def all_within(time_ns: I64, to_ns: int, age_s_max: float) -> bool:
    """Whether no time is farther from to_ns than this, either way. In floats: times of a mad clock may lie anywhere."""
    within, now = True, float(to_ns)
    for s in range(len(time_ns)):
        within &= abs(now - float(time_ns[s])) * 1e-9 <= age_s_max
    return within
