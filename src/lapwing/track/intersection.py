"""Tracks that come with our own plots in them: covariance intersection. Axes: n tracks, m reports, k pairs.

A fusion node upstream that hears our radar sends its plots back to us in its tracks. How its error then goes with ours
nobody knows. Covariance intersection (Julier and Uhlmann, American Control Conference 1997) takes the information
w P^-1 + (1 - w) H' R^-1 H, which is never too sure, whatever the correlation, if P and R are not. It is the same as an
ordinary update of a prior P / w by a report of noise R / (1 - w), and so it is done: the tracker weighs and updates as
ever. Each report and track get the w that leaves the smallest covariance (by its determinant, velocity included).

It is used only where a track lately got plots of a sensor that the report may contain; others are taken as
`track.upstream` says. A later plot of our own is new to both, and updates as ever. Refuses to guess which sensors an
upstream track contains: the site's file says so.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial import cKDTree

from lapwing.kernel import motion
from lapwing.records import Array, Detections
from lapwing.track.association import NS, noise_of
from lapwing.track.sensors import SensorModel
from lapwing.track.settings import TargetPrior, TrackSettings
from lapwing.track.watch import Watch

GATE_D2 = 25.0
NEAR = 4
WEIGHTS = np.linspace(0.05, 0.95, 19)  # of the prior


def intersected(
    watch: Watch,
    scan: Detections,
    alone: Detections,
    sensor: SensorModel,
    related: frozenset[str],
    settings: TrackSettings,
) -> tuple[Watch, Detections]:
    """The watch and the scan, of which an ordinary step makes covariance intersection where the scan's reports may
    contain what `related` sensors told us; `alone` is the scan as it is to be used elsewhere."""
    tracks = watch.tracker.tracks
    rows = np.flatnonzero(np.isin(tracks.track_id, _touched(watch, related)))
    if not len(rows) or not len(scan) or not sensor.locates:
        return watch, alone
    dt_s = max(scan.scan_ns - tracks.time_ns, 0) * NS
    mean, cov = motion.predict(tracks.mean[rows], tracks.cov[rows], dt_s, *noise_of(settings))
    who, report = _pairs(mean, cov, scan, sensor, settings.prior)
    if not len(who):
        return watch, alone
    H = sensor.expect(mean[who])[1]
    R = scan.R[report]
    w = best_weights(cov[who], np.swapaxes(H, 1, 2) @ np.linalg.solve(R, H))
    R_used = alone.R.copy()
    R_used[report] = R / (1.0 - w)[:, None, None]
    share = np.ones(len(tracks))
    share[rows[who]] = w
    return _loosened(watch, share), replace(alone, R=R_used)


def best_weights(P: Float64[Array, "k 6 6"], M: Float64[Array, "k 6 6"]) -> Float64[Array, " k"]:
    """The weight of each prior with which prior (covariance P) and report (information M) leave the smallest
    determinant."""
    Y = np.linalg.inv(P)
    every = WEIGHTS[:, None, None, None] * Y + (1.0 - WEIGHTS)[:, None, None, None] * M
    return np.asarray(WEIGHTS[np.argmax(np.linalg.slogdet(every)[1], axis=0)])


def _touched(watch: Watch, related: frozenset[str]) -> Int64[Array, " t"]:
    """Tracks that lately got plots of related sensors."""
    plots = watch.plots
    mine = [i for i, name in enumerate(plots.sensors) if name in related]
    return np.unique(plots.track_id[np.isin(plots.sensor, mine)])


def _pairs(
    mean: Float64[Array, "n 6"],
    cov: Float64[Array, "n 6 6"],
    scan: Detections,
    sensor: SensorModel,
    prior: TargetPrior,
) -> tuple[Int64[Array, " k"], Int64[Array, " k"]]:
    """Tracks and the reports nearest to them, one to one, nearest first; of each report only the NEAR tracks that are
    nearest in the plane are looked at, so that the work grows with the reports alone."""
    z_hat, H = sensor.expect(mean)
    S = H @ cov @ np.swapaxes(H, 1, 2)
    n, m = len(mean), len(scan)
    places = sensor.invert(scan.z, scan.R, prior)[0][:, :2]
    _, found = cKDTree(mean[:, :2]).query(places, k=min(NEAR, n))
    who = np.asarray(found, dtype=np.int64).reshape(-1)
    report = np.repeat(np.arange(m), min(NEAR, n))
    nu = sensor.innovation(scan.z[report], z_hat[who])
    d2 = np.einsum("ki,ki->k", nu, np.linalg.solve(S[who] + scan.R[report], nu[:, :, None])[:, :, 0])
    free_track, free_report, out = np.ones(n, dtype=bool), np.ones(m, dtype=bool), []
    for k in np.argsort(d2, kind="stable"):
        if d2[k] > GATE_D2:
            break
        if free_track[who[k]] and free_report[report[k]]:
            free_track[who[k]] = free_report[report[k]] = False
            out.append(k)
    chosen = np.array(out, dtype=np.int64)
    return who[chosen], report[chosen]


def _loosened(watch: Watch, share: Float64[Array, " n"]) -> Watch:
    """The watch with the covariances of each track's hypotheses divided by its share."""
    tracker = watch.tracker
    of = tracker.hypotheses
    wide = share[of.track]
    modes = of.modes
    if modes is not None:
        modes = replace(modes, cov=modes.cov / wide[:, None, None, None])
    hypotheses = replace(of, cov=of.cov / wide[:, None, None], modes=modes)
    tracks = replace(tracker.tracks, cov=tracker.tracks.cov / share[:, None, None])
    return replace(watch, tracker=replace(tracker, tracks=tracks, hypotheses=hypotheses))
