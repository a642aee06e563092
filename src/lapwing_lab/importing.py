"""Benchmark arrays (npz) to files: detections, truth and a site that knows the sensor. Axes: n targets, k scans.

Two forms: `z`, `scan`, `truth` of the constant-velocity sets, and `z`, `counts`, `X_truth` of the four-target set with
its Monte Carlo runs. Refuses anything else with FileError. The truth of which detection is whose stays behind.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lapwing_lab import files
from lapwing_lab.files import FileError, Scan

Array = np.ndarray
BEGIN_NS = 946_684_800_000_000_000  # 2000-01-01: arrays have no date
FADING_POINTS = 33  # of a curve of detection probability


@dataclass(frozen=True, slots=True)
class Polar:
    """A sensor of range and azimuth in the plane of the targets."""

    east_m: float
    north_m: float
    range_sigma_m: float
    azimuth_sigma_deg: float


@dataclass(frozen=True, slots=True)
class Births:
    """Where targets come from: a Gaussian of x, vx, y, vy, how many are there at the start and come per second."""

    mean: tuple[float, ...]
    sigma: tuple[float, ...]
    at_start: float
    per_s: float
    any_time: bool = False  # they come between two looks, too


@dataclass(frozen=True, slots=True)
class Known:
    """What a tracker may know of the sensor and the targets: given to every tracker alike."""

    sigma_m: float
    p_detect: float
    clutter_per_scan: float
    side_m: float
    period_s: float
    noise_m2ps3: float  # spectral density of the acceleration
    speed_mps_sigma: float
    lifetime_s: float
    cutoff_m: float  # of the scores
    skip_s: float  # start-up that is not scored
    polar: Polar | None = None  # None: it measures east and north
    births: Births | None = None  # None: nothing is known
    p_detect_range_m: float = np.inf  # of a polar sensor: detects with exp(-range / this), instead of `p_detect`


def convert(path: Path, folder: Path, run: int = 1) -> Known:
    """Write detections.parquet, truth.parquet, site.toml, settings.toml. Raises FileError."""
    try:
        with np.load(path) as f:
            arrays = {name: f[name] for name in f.files}
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: not a file of arrays ({error})") from None
    if "X_truth" in arrays:
        known, scans, truth = _four_targets(arrays, run)
    elif {"truth", "z", "scan", "sigma"} <= arrays.keys():
        known, scans, truth = _constant_velocity(arrays)
    else:
        raise FileError(f"{path}: holds {', '.join(arrays)}; neither form of the benchmark arrays")
    write(folder, path.stem, known, scans, truth)
    return known


def write(folder: Path, name: str, known: Known, scans: list[Scan], truth: pl.DataFrame) -> None:
    """The files of one set of arrays."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write(files.detections(scans), folder / "detections.parquet")
    files.write(truth, folder / "truth.parquet")
    (folder / "site.toml").write_text(site_text(name, known), encoding="utf-8")
    (folder / "score.toml").write_text(score_text(known), encoding="utf-8")
    (folder / "settings.toml").write_text(settings_text(known), encoding="utf-8")


def scan_of(k: int, period_s: float, z: Array) -> Scan:
    at = BEGIN_NS + round(k * period_s * 1e9)
    return Scan("array", ("east_m", "north_m"), at, np.full(len(z), at, dtype=np.int64), z)


def truth_of(states: Array, alive: Array, period_s: float) -> pl.DataFrame:
    """`states` (scans, targets, 4) = x, vx, y, vy; `alive` (scans, targets)."""
    k, i = np.nonzero(alive)
    zero = np.zeros(len(k))
    columns: dict[str, Any] = {
        "time_ns": BEGIN_NS + np.round(k * period_s * 1e9).astype(np.int64),
        "target_id": i.astype(np.int64),
        "counts": np.ones(len(k), dtype=bool),
    }
    for name, at in (("east_m", 0), ("east_mps", 1), ("north_m", 2), ("north_mps", 3)):
        columns[name] = states[k, i, at]
    return files.truth(columns | {"up_m": zero, "up_mps": zero})


def _constant_velocity(f: Mapping[str, Array]) -> tuple[Known, list[Scan], pl.DataFrame]:
    states, period = f["truth"], float(f["T"])
    scans = [scan_of(k, period, f["z"][f["scan"] == k]) for k in range(len(states))]
    alive = np.ones(states.shape[:2], dtype=bool)
    known = Known(
        float(f["sigma"]), float(f["pd"]), float(f["lam"]), float(f["side"]), period, float(f["q"]),
        8.0, 100_000.0, 50.0, 10.0 * period,
    )  # fmt: skip
    return known, scans, truth_of(states, alive, period)


def _four_targets(f: Mapping[str, Array], run: int) -> tuple[Known, list[Scan], pl.DataFrame]:
    counts = f["counts"]
    if not 1 <= run <= len(counts):
        raise FileError(f"there are runs 1 to {len(counts)}, not {run}")
    ends = np.cumsum(counts.ravel())
    starts = (ends - counts.ravel()).reshape(counts.shape)[run - 1]
    scans = [scan_of(k, 1.0, f["z"][s : s + n]) for k, (s, n) in enumerate(zip(starts, counts[run - 1], strict=True))]
    states = f["X_truth"].reshape(4, 4, -1).transpose(2, 0, 1)
    k = np.arange(1, states.shape[0] + 1)[:, None]
    alive = (f["t_birth"] <= k) & (k < f["t_death"])
    return Known(1.0, 0.9, 10.0, 300.0, 1.0, 0.02, 1.0, 100.0, 10.0, 0.0), scans, truth_of(states, alive, 1.0)


def site_text(name: str, k: Known) -> str:
    """A site whose one sensor sees the square. Its disc reaches the corners, its clutter has the square's density."""
    if k.polar is not None:
        return _polar_site(name, k, k.polar)
    reach = k.side_m / np.sqrt(2.0)
    clutter = k.clutter_per_scan * np.pi * reach**2 / k.side_m**2
    middle = np.degrees(0.5 * k.side_m / 6_378_137.0)
    return (
        f'name = "{name}"\n\n[origin]\nlatitude_deg = 0.0\nlongitude_deg = 0.0\nheight_m = 0.0\n\n'
        f'[[sensor]]\nname = "array"\nkind = "position"\nrange_sigma_m = {k.sigma_m}\n'
        f"range_max_m = {reach:.3f}\np_detect = {k.p_detect}\nclutter_per_scan = {clutter:.6f}\n"
        f"period_s = {k.period_s}\n[sensor.at]\nlatitude_deg = {middle * 1.006739496742:.9f}\n"
        f"longitude_deg = {middle:.9f}\nheight_m = 0.0\n"
    )


def _polar_site(name: str, k: Known, p: Polar) -> str:
    """The same for a sensor of range and azimuth within the square; degrees of a sphere will do at such distances."""
    reach = reach_m(k.side_m, p)
    range_m = np.linspace(0.0, reach, FADING_POINTS) if np.isfinite(k.p_detect_range_m) else np.zeros(0)
    at = [[round(r, 3), round(float(np.exp(-r / k.p_detect_range_m)), 6)] for r in np.maximum(range_m, 1e-2).tolist()]
    fading = f"p_detect_at = {at}\n" if at else ""
    return (
        f'name = "{name}"\n\n[origin]\nlatitude_deg = 0.0\nlongitude_deg = 0.0\nheight_m = 0.0\n\n'
        f'[[sensor]]\nname = "array"\nkind = "radar"\nrange_sigma_m = {p.range_sigma_m}\n'
        f"azimuth_sigma_deg = {p.azimuth_sigma_deg}\nrange_max_m = {reach:.3f}\np_detect = {k.p_detect}\n"
        f"clutter_per_scan = {k.clutter_per_scan:.6f}\nperiod_s = {k.period_s}\n{fading}[sensor.at]\n"
        f"latitude_deg = {np.degrees(p.north_m / 6_378_137.0) * 1.006739496742:.9f}\n"
        f"longitude_deg = {np.degrees(p.east_m / 6_378_137.0):.9f}\nheight_m = 0.0\n"
    )


def reach_m(side_m: float, p: Polar) -> float:
    """To the farthest corner of the square."""
    return float(np.hypot(max(p.east_m, side_m - p.east_m), max(p.north_m, side_m - p.north_m)))


def settings_text(k: Known) -> str:
    """What the notes on the arrays say of the targets, as tracker settings."""
    flat = "height_m_mean = 0.0\nheight_m_sigma = 0.5\nheight_m_min = -5.0\nheight_m_max = 5.0\n"
    return (
        f"noise_horizontal_m2ps3 = {k.noise_m2ps3}\nlifetime_s = {k.lifetime_s}\n"
        f"[clutter]\nmemory_s = 0.0\n[visibility]\nhidden_s = 0.0\n[prior]\nspeed_mps_sigma = {k.speed_mps_sigma}\n"
        + flat * (k.polar is not None)
        + (_births_text(k.births) if k.births is not None else "")
    )


def _births_text(b: Births) -> str:
    east, east_mps, north, north_mps = zip(b.mean, b.sigma, strict=True)
    axes = {"east_m": east, "north_m": north, "east_mps": east_mps, "north_mps": north_mps}
    lines = [f"{name} = {float(mean)}\n{name}_sigma = {float(sigma)}\n" for name, (mean, sigma) in axes.items()]
    return f"[births]\nat_start = {float(b.at_start)}\nper_s = {float(b.per_s)}\n" + "".join(lines)


def score_text(k: Known) -> str:
    """How the arrays are scored in the reference notes."""
    return f"cutoff_m = {k.cutoff_m}\nskip_s = {k.skip_s}\n"
