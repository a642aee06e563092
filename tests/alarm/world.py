"""Hand-made worlds for rules: a track here, a claim there."""

from dataclasses import replace

import numpy as np

from lapwing.alarm import World
from lapwing.records import NO_TRACK, Claims, Classes, Condition, Integrity, Kind, Tracks, TrackStatus
from lapwing.records.claims import no_interference


def tracks(rows, time_ns=10**9):
    """rows of (track_id, east, north, up, ve, vn)."""
    n = len(rows)
    table = np.array(rows, float).reshape(n, 6)
    mean = np.column_stack([table[:, 1:4], table[:, 4:6], np.zeros(n)])
    one = np.ones(n, np.int64)
    cov = np.tile(np.diag([100.0, 100, 100, 1, 1, 1]), (n, 1, 1))
    ids = table[:, 0].astype(np.int64)
    life = (one * TrackStatus.CONFIRMED, one, one, -one, one * 7, int(ids.max(initial=0)) + 1)
    return Tracks(time_ns, ids, mean, cov, np.full(n, 0.99), *life)


def probably(w, *kinds):
    """The same world, in which each track is of the given {kind: probability}; what is left is of no known kind."""
    p = np.zeros((len(w.tracks), len(Kind)))
    for row, given in zip(p, kinds, strict=True):
        for kind, share in given.items():
            row[kind] = share
        row[Kind.UNKNOWN] += 1.0 - row.sum()
    return replace(w, classes=Classes(w.tracks.track_id, p))


def world(time_ns, rows=(), agrees=(), feeds=(), interference=None):
    """A world with tracks; `agrees` lists track ids that some claim explains."""
    n = len(agrees)
    zero = np.zeros(n)
    izero = np.zeros(n, np.int64)
    c = Claims.empty(time_ns)
    said = (np.zeros((n, c.values.shape[1])), np.zeros((n, c.values.shape[1]), np.int64), ("",) * n)
    suspects = (np.zeros((n, 2)), izero, izero)
    motion = (np.zeros((n, 6)), np.tile(np.eye(6), (n, 1, 1)))
    claims = Claims(
        time_ns, np.arange(n), izero, izero + 1, *motion, izero, izero, izero, izero, izero, *said, *suspects
    )
    verdict = Integrity(
        izero + Condition.OK,
        izero,
        ("",) * n,
        zero,
        zero,
        izero,
        izero,
        np.array(agrees, np.int64),
        interference or no_interference(),
    )
    assert NO_TRACK == -1
    return World(time_ns, tracks(rows, time_ns), claims, verdict, feeds)
