"""Examine a run: files of tracks and truth in, one set of scores out. Axes: n truths, m tracks, t times.

At every time of the truth the newest set of tracks, not older than STALE_S, is moved there by its own velocities.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lapwing_lab import files
from lapwing_lab.ranges import Classes, class_rows, classes
from lapwing_lab.score import consistency as honesty
from lapwing_lab.score.alarms import RangeBin, per_range
from lapwing_lab.score.consistency import Consistency, Reliability
from lapwing_lab.score.counts import Clear, Siap, clear, siap
from lapwing_lab.score.distances import distances, gospa, pairs_within
from lapwing_lab.score.looks import Look
from lapwing_lab.score.trajectories import TGospa, ospa2, t_gospa

Array = np.ndarray
STALE_S = 15.0
RANGE_BINS = 8


@dataclass(frozen=True, slots=True)
class Measure:
    """How to score: the cut-off of the distances, which tracks are taken, how many dimensions, what is start-up."""

    cutoff_m: float = 300.0
    switch_m: float = 0.0  # 0: as large as a tenth of the cut-off
    order: float = 2.0
    existence_min: float = 0.5
    dims: int = 2
    skip_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of one run. Root mean squares over the times."""

    times: int
    truths: float  # per time
    gospa: float
    localisation: float
    missed: float
    false: float
    missed_count: float  # per time
    false_count: float
    t_gospa: TGospa
    t_gospa_normalised: float
    ospa2: float
    siap: Siap
    clear: Clear
    nees: Consistency
    existence: Reliability
    classes: Classes
    per_range: list[RangeBin]  # tracked share of truth that counts, per distance from the origin
    identified: list[RangeBin]  # share that a track called by its class
    over_time: dict[str, list[float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {k: _plain(v) for k, v in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def measure(truth_file: Path) -> Measure:
    """The score.toml beside the truth, or the defaults. Raises FileError."""
    path = truth_file.parent / "score.toml"
    if not path.exists():
        return Measure()
    try:
        return Measure(**tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise files.FileError(f"{path}: {error}") from None


def looks(tracks: pl.DataFrame, truth: pl.DataFrame) -> list[Look]:
    """Truth and tracks at every time of the truth; all tracks, whatever their existence. Raises FileError where a track
    stands twice at one time: each row would count as a target of its own."""
    twice = tracks.filter(pl.col("track_id").is_not_null() & pl.struct("time_ns", "track_id").is_duplicated())
    if len(twice):
        raise files.FileError(f"track {twice['track_id'][0]} stands more than once at time_ns {twice['time_ns'][0]}")
    t_time, t_rows = _by_time(truth.sort("time_ns", "target_id"))
    k_time, k_rows = _by_time(tracks.sort("time_ns", maintain_order=True))
    truth = truth.sort("time_ns", "target_id")
    x, ids = _columns(truth, files.AXES), truth["target_id"].to_numpy()
    counts = truth["counts"].to_numpy() if "counts" in truth.columns else np.ones(len(ids), dtype=bool)
    said = tracks.sort("time_ns", maintain_order=True)
    y, exists = _columns(said, files.AXES), _columns(said, ("existence",))[:, 0]
    names = said["track_id"].fill_null(-1).to_numpy()
    upper = _columns(said, tuple(files.covariance_name(i, j) for i, j in files.COVARIANCES))
    names_of = tuple(c for c in said.columns if c.startswith("p_class_"))
    p_class = _columns(said, names_of)
    kinds = truth["kind"].to_list() if "kind" in truth.columns else [""] * len(ids)
    kind = class_rows(kinds, [c.removeprefix("p_class_") for c in names_of])
    out = []
    at = np.searchsorted(k_time, t_time, side="right") - 1
    for time, (a, b), k in zip(t_time, t_rows, at, strict=True):
        fresh = k >= 0 and (time - k_time[k]) * 1e-9 <= STALE_S
        c, d = k_rows[k] if fresh else (0, 0)
        rows = np.arange(c, d)[names[c:d] >= 0]
        mean, cov = _moved(y[rows], _square(upper[rows]), (time - k_time[k]) * 1e-9 if fresh else 0.0)
        out.append(Look(int(time), ids[a:b], x[a:b, :3], x[a:b, 3:], counts[a:b], names[rows], mean, cov,
                        exists[rows], p_class[rows], kind[a:b]))  # fmt: skip
    return out


def _by_time(frame: pl.DataFrame) -> tuple[Array, list[tuple[int, int]]]:
    time = frame["time_ns"].cast(pl.Int64).to_numpy()
    if len(time) == 0:
        return time, []
    starts = np.flatnonzero(np.diff(time, prepend=time[0] - 1))
    ends = [*starts[1:].tolist(), len(time)]
    return time[starts], list(zip(starts.tolist(), ends, strict=True))


def _columns(frame: pl.DataFrame, names: Sequence[str]) -> Array:
    zero = np.zeros(len(frame))
    columns = [frame[c].cast(pl.Float64).fill_null(0.0).to_numpy() if c in frame.columns else zero for c in names]
    return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))


def _square(upper: Array) -> Array:
    out = np.zeros((len(upper), 6, 6))
    for column, (i, j) in enumerate(files.COVARIANCES):
        out[:, i, j] = out[:, j, i] = upper[:, column]
    return out


def _moved(mean: Array, cov: Array, dt_s: float) -> tuple[Array, Array]:
    F = np.eye(6)
    F[:3, 3:] = dt_s * np.eye(3)
    return mean @ F.T, F @ cov @ F.T


def chosen(every: Sequence[Look], m: Measure) -> list[Look]:
    """Looks after the start-up, with the tracks that are said to exist."""
    begin = every[0].time_ns + m.skip_s * 1e9 if every else 0
    out = []
    for look in every:
        if look.time_ns >= begin:
            k = look.existence >= m.existence_min
            out.append(
                replace(look, track_id=look.track_id[k], mean=look.mean[k], cov=look.cov[k],
                        existence=look.existence[k], p_class=look.p_class[k])
            )  # fmt: skip
    return out


def examine(tracks: pl.DataFrame, truth: pl.DataFrame, m: Measure) -> Scores:
    """All scores of one run."""
    every = looks(tracks, truth)
    taken = chosen(every, m)
    over = {"time_s": [], "gospa": [], "missed": [], "false": []}  # type: dict[str, list[float]]
    parts = np.zeros((len(taken), 5))
    errors, covs = [], []
    for row, look in enumerate(taken):
        x, y = look.points(m.dims)
        g = gospa(x, y, m.cutoff_m, m.order)
        parts[row] = (g.localisation_p, g.missed_p, g.false_p, g.missed, g.false)
        judged = np.flatnonzero(look.judged(m.dims))[g.track]
        errors.append(y[g.track] - x[g.truth])
        covs.append(look.cov[judged][:, : m.dims, : m.dims])
        for name, value in zip(over, (look.time_ns * 1e-9, g.gospa, g.missed, g.false), strict=True):
            over[name].append(float(value))
    means = parts.mean(axis=0) if len(parts) else np.zeros(5)
    whole, localisation, missed, false = (float(v ** (1.0 / m.order)) for v in (means[:3].sum(), *means[:3]))
    paths = _trajectories(taken, m.dims)
    called, r, right = classes(taken, m.cutoff_m, m.existence_min)
    t = t_gospa(*paths, m.cutoff_m, m.switch_m or 0.1 * m.cutoff_m, m.order)
    return Scores(
        len(taken),
        float(np.mean([look.counts.sum() for look in taken])) if taken else 0.0,
        whole, localisation, missed, false, float(means[3]), float(means[4]),
        t, t.normalised(max(len(taken), 1)), ospa2(*paths, m.cutoff_m),
        siap(taken, m.cutoff_m, m.dims), clear(taken, m.cutoff_m, m.dims),
        _nees(errors, covs, m.dims), existence(every, m), called, _per_range(taken, m), in_bins(r, right), over,
    )  # fmt: skip


def _per_range(taken: Sequence[Look], m: Measure) -> list[RangeBin]:
    return in_bins(*tracked_at(taken, m))


def in_bins(range_m: Array, success: Array) -> list[RangeBin]:
    """Shares in equal bins up to the farthest."""
    if len(range_m) == 0:
        return []
    return per_range(range_m, success, np.linspace(0.0, float(range_m.max()) + 1.0, RANGE_BINS + 1).tolist())


def tracked_at(every: Sequence[Look], how: Measure) -> tuple[Array, Array]:
    """Distance from the origin of each truth that counts at each look, and whether a track stood for it."""
    r, held = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for look in every:
        x, y = look.truth[look.counts, : how.dims], look.mean[look.existence >= how.existence_min, : how.dims]
        mine = np.zeros(len(x), dtype=bool)
        mine[pairs_within(distances(x, y), how.cutoff_m, 2.0)[0]] = True
        r.append(np.hypot(x[:, 0], x[:, 1]))
        held.append(mine)
    return np.concatenate(r), np.concatenate(held)


def _trajectories(taken: Sequence[Look], dims: int) -> tuple[Array, Array]:
    """Truth that counts and judged tracks as (objects, times, dims), NaN where absent."""
    ids_x = np.unique(np.concatenate([k.truth_id[k.counts] for k in taken] or [np.zeros(0, dtype=np.int64)]))
    ids_y = np.unique(np.concatenate([k.track_id for k in taken] or [np.zeros(0, dtype=np.int64)]))
    x, y = (np.full((len(ids), len(taken), dims), np.nan) for ids in (ids_x, ids_y))
    for row, look in enumerate(taken):
        keep = look.judged(dims)
        x[np.searchsorted(ids_x, look.truth_id[look.counts]), row] = look.truth[look.counts, :dims]
        y[np.searchsorted(ids_y, look.track_id[keep]), row] = look.mean[keep, :dims]
    return x, y[np.isfinite(y[:, :, 0]).any(axis=1)] if len(y) else y


def _nees(errors: list[Array], covs: list[Array], dims: int) -> Consistency:
    e = np.concatenate([*errors, np.zeros((0, dims))])
    P = np.concatenate([*covs, np.zeros((0, dims, dims))])
    known = np.linalg.det(P) > 0.0
    return honesty.consistency(honesty.nees(e[known], P[known]), dims)


def existence(every: Sequence[Look], m: Measure) -> Reliability:
    """Calibration of existence: a track is true when it is paired with a truth within the cut-off."""
    p, true = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for look in every:
        keep = look.judged(m.dims)
        x, y = look.points(m.dims)
        near = np.zeros(len(y), dtype=bool)
        if len(x) and len(y):
            strong = np.argsort(-look.existence[keep], kind="stable")
            distance = distances(x, y)
            free = np.ones(len(x), dtype=bool)
            for j in strong:  # the surest track takes its nearest truth first
                i = int(np.where(free, distance[:, j], np.inf).argmin())
                near[j] = bool(free[i] and distance[i, j] < m.cutoff_m)
                free[i] &= not near[j]
        p.append(look.existence[keep])
        true.append(near)
    return honesty.reliability(np.clip(np.concatenate(p), 0.0, 1.0), np.concatenate(true))
