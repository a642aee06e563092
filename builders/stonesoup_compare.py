"""Stone Soup on the same files, for the scenarios of the literature: global nearest neighbour, M of N.

Runs in an environment of its own with stonesoup 1.9.1, polars and pyarrow, never in the project's:

    python builders/stonesoup_compare.py williams15 coalescence-6 dense-100 --runs 3 --lab PATH/TO/lapwing-lab

    python builders/stonesoup_compare.py --scale PATH/TO/cv_sparse_N1000_s0.npz --looks 12

writes bench/expected/stonesoup.csv, mean scores over the runs, with the seeds of `lapwing-lab run`; for scale sets
stonesoup_scale.csv, CPU per scan of each of its tree-searched global nearest neighbour associators. Lapwing on the same
files: make bench ARGS="bench/test_track.py -s -k file". The tracker is told what the others are told (site.toml and
settings.toml); min_points and missed scans are those that the reference notes found best on such data. Stone Soup keeps
tracks in sets, so its numbers vary a little from run to run.
"""

import argparse
import json
import subprocess
import tempfile
import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import polars as pl

AXES = ("east_m", "north_m", "up_m", "east_mps", "north_mps", "up_mps")
BEST = {"williams15": (3, 3, 3), "coalescence-6": (3, 3, 3), "dense-100": (6, 2, 4)}  # points, tentative, confirmed
SCORES = ("gospa", "localisation", "missed", "false", "missed_count", "false_count", "t_gospa_normalised", "ospa2")


def track(folder: Path, points: int, tentative: int, confirmed: int) -> pl.DataFrame:
    """Tracks of a folder's detections, confirmed ones only."""
    from stonesoup.dataassociator.neighbour import GNNWith2DAssignment  # type: ignore[import-not-found]
    from stonesoup.deleter.time import UpdateTimeStepsDeleter  # type: ignore[import-not-found]
    from stonesoup.hypothesiser.distance import DistanceHypothesiser  # type: ignore[import-not-found]
    from stonesoup.initiator.simple import MultiMeasurementInitiator  # type: ignore[import-not-found]
    from stonesoup.measures import Mahalanobis  # type: ignore[import-not-found]
    from stonesoup.models.transition.linear import (  # type: ignore[import-not-found]
        CombinedLinearGaussianTransitionModel,
        ConstantVelocity,
    )
    from stonesoup.predictor.kalman import KalmanPredictor  # type: ignore[import-not-found]
    from stonesoup.tracker.simple import MultiTargetTracker  # type: ignore[import-not-found]
    from stonesoup.types.state import GaussianState  # type: ignore[import-not-found]
    from stonesoup.updater.kalman import KalmanUpdater  # type: ignore[import-not-found]

    settings = tomllib.loads((folder / "settings.toml").read_text(encoding="utf-8"))
    speed, q = settings["prior"]["speed_mps_sigma"], settings["noise_horizontal_m2ps3"]
    predictor = KalmanPredictor(CombinedLinearGaussianTransitionModel([ConstantVelocity(q), ConstantVelocity(q)]))
    updater = KalmanUpdater(None)
    associator = GNNWith2DAssignment(DistanceHypothesiser(predictor, updater, Mahalanobis(), missed_distance=3))
    initiator = MultiMeasurementInitiator(
        prior_state=GaussianState([0.0, 0.0, 0.0, 0.0], np.diag([0.0, speed**2, 0.0, speed**2])),
        measurement_model=None,
        deleter=UpdateTimeStepsDeleter(tentative),
        data_associator=associator,
        updater=updater,
        min_points=points,
    )
    tracker = MultiTargetTracker(
        initiator=initiator,
        deleter=UpdateTimeStepsDeleter(confirmed),
        detector=scans(folder),
        data_associator=associator,
        updater=updater,
    )
    ids: dict[str, int] = {}
    rows: list[list[Any]] = []
    for time, tracks in tracker:
        at = round((time - datetime(1970, 1, 1)).total_seconds() * 1e9)
        rows += [_row(at, ids.setdefault(t.id, len(ids) + 1), t.state) for t in tracks] or [[at] + [None] * 12]
    names = ["time_ns", "track_id", "existence", *AXES[:2], *AXES[3:5]]
    names += ["cov_east_m_east_m", "cov_east_m_north_m", "cov_north_m_north_m", "up_m", "up_mps"]
    frame = pl.DataFrame([r[: len(names)] for r in rows], schema=names, orient="row")
    return frame.with_columns(pl.col("time_ns").cast(pl.Int64), pl.col("track_id").cast(pl.Int64))


def _row(at: int, ident: int, state: Any) -> list[Any]:
    x, P = np.asarray(state.state_vector, dtype=float).ravel(), np.asarray(state.covar, dtype=float)
    place = [float(x[0]), float(x[2]), float(x[1]), float(x[3])]
    return [at, ident, 1.0, *place, float(P[0, 0]), float(P[0, 2]), float(P[2, 2]), 0.0, 0.0]


def scans(folder: Path) -> list[tuple[datetime, set[Any]]]:
    """Detections per scan, as Stone Soup wants them."""
    from stonesoup.models.measurement.linear import LinearGaussian  # type: ignore[import-not-found]
    from stonesoup.types.detection import Detection  # type: ignore[import-not-found]

    site = tomllib.loads((folder / "site.toml").read_text(encoding="utf-8"))
    R = site["sensor"][0]["range_sigma_m"] ** 2 * np.eye(2)
    model = LinearGaussian(4, (0, 2), R)
    frame, out = pl.read_parquet(folder / "detections.parquet"), []
    for (ns,), group in frame.group_by("scan_ns", maintain_order=True):
        at = datetime(1970, 1, 1) + timedelta(microseconds=int(ns) // 1000)
        z = group.drop_nulls("east_m").select("east_m", "north_m").to_numpy()
        out.append((at, {Detection(row[:, None], timestamp=at, measurement_model=model) for row in z}))
    return out


def scale(path: Path, looks: int) -> list[str]:
    """CPU seconds per scan, mean of the last half, of every tree-searched GNN with two-dimensional assignment; settings
    as tuned in the reference notes (points 6, tentative 2, confirmed 4)."""
    from stonesoup.dataassociator.tree import (  # type: ignore[import-not-found]
        DetectionKDTreeGNN2D,
        TPRTreeGNN2D,
    )
    from stonesoup.deleter.time import UpdateTimeStepsDeleter
    from stonesoup.hypothesiser.distance import DistanceHypothesiser
    from stonesoup.initiator.simple import MultiMeasurementInitiator
    from stonesoup.measures import Mahalanobis
    from stonesoup.models.measurement.linear import LinearGaussian
    from stonesoup.models.transition.linear import (
        CombinedLinearGaussianTransitionModel,
        ConstantVelocity,
    )
    from stonesoup.predictor.kalman import KalmanPredictor
    from stonesoup.tracker.simple import MultiTargetTracker
    from stonesoup.types.detection import Detection
    from stonesoup.types.state import GaussianState
    from stonesoup.updater.kalman import KalmanUpdater

    with np.load(path) as file:
        data = {key: file[key] for key in file}
    q, model = float(data["q"]), LinearGaussian(4, (0, 2), np.eye(2) * float(data["sigma"]) ** 2)
    lines = []
    for kind in (DetectionKDTreeGNN2D, TPRTreeGNN2D):
        given = []
        for k in range(looks):
            at = datetime(2020, 1, 1) + timedelta(seconds=k)
            z = data["z"][data["scan"] == k]
            given.append((at, {Detection(row[:, None], timestamp=at, measurement_model=model) for row in z}))
        predictor = KalmanPredictor(CombinedLinearGaussianTransitionModel([ConstantVelocity(q), ConstantVelocity(q)]))
        updater = KalmanUpdater(None)
        finder = DistanceHypothesiser(predictor, updater, Mahalanobis(), missed_distance=3)
        if kind is TPRTreeGNN2D:
            associator = kind(finder, model, timedelta(minutes=10))
        else:
            associator = kind(finder, predictor, updater, max_distance_covariance_multiplier=3)
        initiator = MultiMeasurementInitiator(
            prior_state=GaussianState([0.0, 0.0, 0.0, 0.0], np.diag([0.0, 81.0, 0.0, 81.0])),
            measurement_model=None,
            deleter=UpdateTimeStepsDeleter(2),
            data_associator=associator,
            updater=updater,
            min_points=6,
        )
        tracker = MultiTargetTracker(initiator, UpdateTimeStepsDeleter(4), given, associator, updater)
        spent, last = [], process_time()
        for _ in tracker:
            now = process_time()
            spent.append(now - last)
            last = now
        cpu_s = float(np.mean(spent[looks // 2 :]))
        lines.append(f"{path.stem},{kind.__name__},{looks},{cpu_s:.4g}")
    return lines


def main() -> None:
    """Every scenario and seed, or every scale set; the CSV."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenarios", nargs="*")
    parser.add_argument("--scale", type=Path, action="append", default=[])
    parser.add_argument("--looks", type=int, default=12)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lab", default="lapwing-lab")
    parser.add_argument("--out", type=Path, default=Path("bench/expected/stonesoup.csv"))
    options = parser.parse_args()
    if options.scale:
        rows = [line for path in options.scale for line in scale(path, options.looks)]
        text = "\n".join(["file,associator,scans,cpu_s_per_scan", *rows]) + "\n"
        options.out.with_name("stonesoup_scale.csv").write_text(text, encoding="utf-8")
        return
    lines = ["scenario,score,runs,mean"]
    for name in options.scenarios:
        found = []
        for k in range(options.runs):
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                first = tomllib.loads(Path(f"scenarios/{name}.toml").read_text(encoding="utf-8"))["seed"]
                command = [options.lab, "simulate", name, "--out", str(folder), "--seed", str(first + k)]
                subprocess.run(command, check=True, capture_output=True)
                track(folder, *BEST[name]).write_parquet(folder / "stonesoup.parquet")
                command = [options.lab, "score", str(folder / "stonesoup.parquet"), str(folder / "truth.parquet")]
                said = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True).stdout
                found.append(json.loads(said))
        lines += [f"{name},{s},{len(found)},{np.mean([f[s] for f in found]):.4g}" for s in SCORES]
    options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
