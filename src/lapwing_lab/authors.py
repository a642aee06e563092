"""The authors' method on a scenario of the literature: the slow twin (`pmbm`), told what every tracker is told."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from lapwing_lab import files
from lapwing_lab.files import Scan
from lapwing_lab.importing import BEGIN_NS, Known, reach_m
from lapwing_lab.pmbm import Limits, Sensor, run
from lapwing_lab.pmbm_models import Motion, Places, RangeAzimuth

Array = np.ndarray
PLACE = np.array([0, 2, 1, 3])  # x, y, vx, vy of x, vx, y, vy
AXES = np.array([0, 1, 3, 4])  # the same among east, north, up and their velocities


def applies(known: Known) -> bool:
    """Whether it can be run: the filter must be told where targets come from."""
    return known.births is not None


def track(known: Known, scans: Sequence[Scan], limits: Limits | None = None) -> pl.DataFrame:
    """The frame of its estimates after every scan, taken in the order in which the scans were made: late ones in their
    place. The authors treat late scans on trajectories; for where targets are at the end that is the same."""
    made = sorted(scans, key=lambda s: s.scan_ns)
    given = (((s.scan_ns - BEGIN_NS) * 1e-9, s.z) for s in made)
    rows: list[tuple[int, int, Array, Array]] = []
    empty = []
    for scan, told in zip(made, run(given, targets_of(known), sensor_of(known), limits or Limits()), strict=True):
        rows += [(scan.scan_ns, name, h.mean, h.cov) for name, h in told]
        empty += [] if told else [scan.scan_ns]
    mean, cov = np.zeros((len(rows), 6)), np.zeros((len(rows), 6, 6))
    for k, (_, _, x, P) in enumerate(rows):
        mean[k, AXES] = x[PLACE]
        cov[k][np.ix_(AXES, AXES)] = P[np.ix_(PLACE, PLACE)]
    time_ns, names = (np.array([row[i] for row in rows], dtype=np.int64) for i in (0, 1))
    return files.tracks(time_ns, names, np.ones(len(rows)), mean, cov, empty)


def targets_of(known: Known) -> Motion:
    """Motion and births."""
    b = known.births
    assert b is not None
    cov = np.diag(np.square(np.array(b.sigma, dtype=np.float64)))
    return Motion(
        known.noise_m2ps3, known.lifetime_s, np.array(b.mean, dtype=np.float64), cov, b.at_start, b.per_s, b.any_time
    )


def sensor_of(known: Known) -> Sensor:
    """Its sensor, with the clutter that the site file says."""
    if known.polar is None:
        return Places(known.sigma_m, known.p_detect, known.clutter_per_scan / known.side_m**2)
    p = known.polar
    intensity = known.clutter_per_scan / (2.0 * np.pi * reach_m(known.side_m, p))
    sigma = (p.range_sigma_m, float(np.radians(p.azimuth_sigma_deg)))
    fades = np.isfinite(known.p_detect_range_m)
    p_detect = 1.0 if fades else known.p_detect  # the one is said instead of the other
    return RangeAzimuth((p.east_m, p.north_m), sigma, known.p_detect_range_m, intensity, p=p_detect)
