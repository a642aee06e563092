"""The naive tracker that everything is compared with: nearest neighbour, M of N. Axes: n tracks, m detections.

A constant-velocity Kalman filter in east and north; every detection goes to the nearest track inside its gate, track
by track; a detection that nobody took begins a track; HITS of the first LOOKS scans confirm it, MISSES in a row end it.
Polar measurements are turned into positions at the sensor's level. Knows no probabilities: existence is 0, or 1 when
confirmed. Refuses bearings alone.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lapwing_lab import files
from lapwing_lab.files import FileError, Scan
from lapwing_lab.geo import Place, local
from lapwing_lab.score.distances import distances

Array = np.ndarray
GATE_D2 = 16.0
HITS, LOOKS, MISSES = 4, 5, 5


@dataclass(frozen=True, slots=True)
class Sensor:
    """Where a sensor stands in the site's frame, and its noise."""

    east_m: float
    north_m: float
    range_sigma_m: float
    azimuth_sigma_rad: float


@dataclass
class Tracks:
    """Columns of the tracks, replaced as they change."""

    ids: Array
    mean: Array  # (n, 4) = east, north, velocities
    cov: Array
    hits: Array
    looks: Array
    missed: Array
    confirmed: Array
    seen_by: Array  # one bit per sensor that ever saw it: only their looks can miss it

    def keep(self, good: Array) -> "Tracks":
        """The chosen rows."""
        return Tracks(
            *(getattr(self, c)[good] for c in ("ids", "mean", "cov", "hits", "looks", "missed", "confirmed", "seen_by"))
        )

    def __len__(self) -> int:
        return len(self.ids)


def sensors(site: Path) -> dict[str, Sensor]:
    """The sensors of a site file. Raises FileError."""
    try:
        table = tomllib.loads(site.read_text(encoding="utf-8"))
        o = _place(table["origin"])
        return {s["name"]: _sensor(s, o) for s in table.get("sensor", [])}
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise FileError(f"{site}: {error}") from None


def _place(table: dict[str, float]) -> Place:
    return Place(table["latitude_deg"], table["longitude_deg"], table.get("height_m", 0.0))


def _sensor(table: dict[str, Any], origin: Place) -> Sensor:
    east, north, _ = local(origin, _place(table["at"]))
    return Sensor(east, north, table.get("range_sigma_m", 30.0), float(np.radians(table.get("azimuth_sigma_deg", 0.2))))


def positions(scan: Scan, s: Sensor) -> tuple[Array, Array]:
    """East and north of a scan's detections, and their covariances."""
    m = len(scan.z)
    if scan.space[0] == "east_m":
        return scan.z[:, :2], np.tile(s.range_sigma_m**2 * np.eye(2), (m, 1, 1))
    r, a = scan.z[:, 0], scan.z[:, 1]
    unit = np.stack([np.sin(a), np.cos(a)], axis=1)
    across = np.stack([np.cos(a), -np.sin(a)], axis=1)
    R = s.range_sigma_m**2 * unit[:, :, None] * unit[:, None, :]
    R = R + ((s.azimuth_sigma_rad * r) ** 2)[:, None, None] * across[:, :, None] * across[:, None, :]
    return np.array([s.east_m, s.north_m]) + r[:, None] * unit, R


def predict(tracks: Tracks, dt_s: float, noise: float) -> None:
    """Move all tracks on, in place."""
    F = np.kron(np.array([[1.0, dt_s], [0.0, 1.0]]), np.eye(2))
    Q = noise * np.kron(np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]]), np.eye(2))
    tracks.mean = tracks.mean @ F.T
    tracks.cov = F @ tracks.cov @ F.T + Q


def associate(tracks: Tracks, z: Array, R: Array) -> Array:
    """For each track the detection it takes, or -1: confirmed tracks first, then the older ones."""
    took = np.full(len(tracks), -1)
    if len(z) == 0 or len(tracks) == 0:
        return took
    free = np.ones(len(z), dtype=bool)
    distance = distances(tracks.mean[:, :2], z)
    for i in np.lexsort((tracks.ids, ~tracks.confirmed)):
        reach = 4.0 * np.sqrt(tracks.cov[i, 0, 0] + tracks.cov[i, 1, 1] + R[:, 0, 0] + R[:, 1, 1])
        near = np.flatnonzero(free & (distance[i] < reach))
        if len(near) == 0:
            continue
        nu = z[near] - tracks.mean[i, :2]
        d2 = np.einsum("ki,ki->k", nu, np.linalg.solve(tracks.cov[i, :2, :2] + R[near], nu[:, :, None])[:, :, 0])
        best = int(d2.argmin())
        if d2[best] < GATE_D2:
            took[i] = near[best]
            free[near[best]] = False
    return took


def update(tracks: Tracks, took: Array, z: Array, R: Array, bit: int) -> None:
    """Kalman updates of those that took a detection, in place; hits and misses of all."""
    i = np.flatnonzero(took >= 0)
    j = took[i]
    S = tracks.cov[i][:, :2, :2] + R[j]
    K = tracks.cov[i][:, :, :2] @ np.linalg.inv(S)
    tracks.mean[i] += (K @ (z[j] - tracks.mean[i, :2])[:, :, None])[:, :, 0]
    left = np.tile(np.eye(4), (len(i), 1, 1))
    left[:, :, :2] -= K  # Joseph's form: stays positive
    tracks.cov[i] = left @ tracks.cov[i] @ np.swapaxes(left, 1, 2) + K @ R[j] @ np.swapaxes(K, 1, 2)
    tracks.seen_by[i] |= bit
    looked = (tracks.seen_by & bit) > 0
    tracks.looks += looked
    tracks.hits[i] += 1
    tracks.missed = np.where(took >= 0, 0, tracks.missed + looked)
    tracks.confirmed |= (tracks.hits >= HITS) & (tracks.looks <= LOOKS)


def born(tracks: Tracks, z: Array, R: Array, numbers: tuple[int, int], speed_mps_sigma: float) -> Tracks:
    """The tracks with one more for each of these detections."""
    (next_id, bit), m = numbers, len(z)
    mean, cov = np.concatenate([z, np.zeros((m, 2))], axis=1), np.zeros((m, 4, 4))
    cov[:, :2, :2] = R
    cov[:, 2, 2] = cov[:, 3, 3] = speed_mps_sigma**2
    one, none = np.ones(m, dtype=np.int64), np.zeros(m, dtype=np.int64)
    new = (np.arange(next_id, next_id + m), mean, cov, one, one.copy(), none, np.zeros(m, dtype=bool), bit * one)
    old = (
        tracks.ids,
        tracks.mean,
        tracks.cov,
        tracks.hits,
        tracks.looks,
        tracks.missed,
        tracks.confirmed,
        tracks.seen_by,
    )
    return Tracks(*(np.concatenate(pair) for pair in zip(old, new, strict=True)))


def track(detections: pl.DataFrame, site: Path, settings: Path | None = None) -> pl.DataFrame:
    """The frame of confirmed tracks at every end of a scan. It knows what the product is told: the site and, where
    there is one, the file of settings."""
    known = sensors(site)
    told = tomllib.loads(settings.read_text(encoding="utf-8")) if settings is not None and settings.exists() else {}
    noise = float(told.get("noise_horizontal_m2ps3", 4.0))
    speed_mps_sigma = float(told.get("prior", {}).get("speed_mps_sigma", 100.0))
    none = np.zeros(0, dtype=np.int64)
    tracks = Tracks(none, np.zeros((0, 4)), np.zeros((0, 4, 4)), none, none, none, np.zeros(0, dtype=bool), none)
    now, next_id = None, 1
    parts: dict[int, tuple[Array, Array, Array]] = {}  # of scans that end together, what is left after the last
    for scan in files.scans(detections):
        if "range_m" not in scan.space and "east_m" not in scan.space:
            continue
        if scan.sensor not in known:
            raise FileError(f"{site}: has no sensor {scan.sensor!r}")
        predict(tracks, 0.0 if now is None else max(scan.scan_ns - now, 0) * 1e-9, noise)
        now = scan.scan_ns
        z, R = positions(scan, known[scan.sensor])
        took = associate(tracks, z, R)
        bit = 1 << sorted(known).index(scan.sensor)
        update(tracks, took, z, R, bit)
        give_up = (tracks.missed >= MISSES) | (~tracks.confirmed & (tracks.looks >= LOOKS))
        tracks = tracks.keep(~give_up)
        fresh = np.setdiff1d(np.arange(len(z)), took)
        tracks, next_id = born(tracks, z[fresh], R[fresh], (next_id, bit), speed_mps_sigma), next_id + len(fresh)
        shown = tracks.keep(tracks.confirmed)
        parts[scan.scan_ns] = (shown.ids, shown.mean, shown.cov)
    return _frame(parts)


def _frame(parts: dict[int, tuple[Array, Array, Array]]) -> pl.DataFrame:
    ids = np.concatenate([p[0] for p in parts.values()] or [np.zeros(0, dtype=np.int64)])
    time = np.concatenate([np.full(len(p[0]), t, dtype=np.int64) for t, p in parts.items()] or [ids])
    mean, cov = np.zeros((len(ids), 6)), np.tile(np.eye(6), (len(ids), 1, 1))
    if len(ids):
        order = np.array([0, 1, 3, 4])
        mean[:, order] = np.concatenate([p[1] for p in parts.values()])
        cov[np.ix_(np.arange(len(ids)), order, order)] = np.concatenate([p[2] for p in parts.values()])
    empty = [t for t, p in parts.items() if len(p[0]) == 0]
    return files.tracks(time, ids, np.ones(len(ids)), mean, cov, empty)
