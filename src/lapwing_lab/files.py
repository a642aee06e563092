"""Parquet files of detections, tracks and truth, as docs/files.md describes them. Axes: n rows, m, k as in `score`.

Refuses a file without the columns its kind needs: FileError says which. Every reader takes what other programmes
wrote; every writer gives columns in one order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

Array = np.ndarray
SPACES: tuple[tuple[str, ...], ...] = (
    ("east_m", "north_m"),
    ("east_m", "north_m", "up_m"),
    ("range_m", "azimuth_rad"),
    ("range_m", "azimuth_rad", "elevation_rad"),
    ("range_m", "azimuth_rad", "range_rate_mps"),
    ("range_m", "azimuth_rad", "elevation_rad", "range_rate_mps"),
    ("azimuth_rad",),
    ("azimuth_rad", "elevation_rad"),
    ("bistatic_range_m", "bistatic_range_rate_mps"),
)
MEASURES = ("east_m", "north_m", "up_m", "range_m", "azimuth_rad", "elevation_rad", "range_rate_mps",
            "bistatic_range_m", "bistatic_range_rate_mps")  # fmt: skip
AXES = ("east_m", "north_m", "up_m", "east_mps", "north_mps", "up_mps")
COVARIANCES = tuple((i, j) for i in range(6) for j in range(i, 6))
KINDS = {
    "detections": ("scan_ns", "sensor", "time_ns"),
    "tracks": ("time_ns", "track_id", "existence", "east_m", "north_m"),
    "truth": ("time_ns", "target_id", "east_m", "north_m"),
    "innovations": ("scan_ns", "track_id", "weight", "nis", "dof"),
}


class FileError(Exception):
    """The file cannot be used; one sentence."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan of one sensor: times and measurements of its m detections, columns named by `space`. `received_ns`: when
    it reached the tracker; 0: at once."""

    sensor: str
    space: tuple[str, ...]
    scan_ns: int
    time_ns: Int64[Array, " m"]
    z: Float64[Array, "m d"]
    received_ns: int = 0
    rcs_dbsm: Float64[Array, " m"] | None = None  # None: it does not say


def read(path: Path, kind: str) -> pl.DataFrame:
    """A file of "detections", "tracks", "truth" or "innovations". Raises FileError."""
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FileError(f"{path}: not a Parquet file that can be read ({str(error).splitlines()[0]})") from None
    missing = [c for c in KINDS[kind] if c not in frame.columns]
    if missing:
        raise FileError(f"{path}: a file of {kind} needs the columns {', '.join(missing)}")
    return frame


def write(frame: pl.DataFrame, path: Path) -> None:
    """A file, its folder made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path)


def spaces(frame: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    """The measurement space of every sensor: the columns that it ever fills. Raises FileError."""
    out = {}
    present = [c for c in MEASURES if c in frame.columns]
    for (sensor,), rows in frame.group_by("sensor", maintain_order=True):
        filled = tuple(c for c in present if rows[c].null_count() < len(rows))
        if filled and filled not in SPACES:
            raise FileError(f"sensor {sensor}: {', '.join(filled)} is no measurement space")
        out[str(sensor)] = filled or ("east_m", "north_m")
    return out


def scans(frame: pl.DataFrame) -> Iterator[Scan]:
    """Scans in order of their end; of two that end together, in the order of the sensors' names."""
    space = spaces(frame)
    for (scan_ns, sensor), rows in frame.sort("scan_ns", "sensor", maintain_order=True).group_by(
        "scan_ns", "sensor", maintain_order=True
    ):
        columns = space[str(sensor)]
        seen = rows.drop_nulls(columns[0])
        yield Scan(
            str(sensor),
            columns,
            int(scan_ns),
            seen["time_ns"].cast(pl.Int64).to_numpy(),
            seen.select(columns).cast(pl.Float64).to_numpy(),
        )


def detections(rows: Sequence[Scan]) -> pl.DataFrame:
    """The frame of scans; an empty scan is a row of nulls."""
    used = [c for c in MEASURES if any(c in s.space for s in rows)]
    late = ("received_ns",) if any(s.received_ns for s in rows) else ()
    said = ("rcs_dbsm",) if any(s.rcs_dbsm is not None for s in rows) else ()
    columns: dict[str, list[Any]] = {c: [] for c in ("scan_ns", "sensor", "time_ns", *late, *used, *said)}
    for s in rows:
        m = max(len(s.time_ns), 1)
        columns["scan_ns"] += [s.scan_ns] * m
        columns["sensor"] += [s.sensor] * m
        columns["time_ns"] += s.time_ns.tolist() or [s.scan_ns]
        if late:
            columns["received_ns"] += [s.received_ns or s.scan_ns] * m
        for c in used:
            known = c in s.space and len(s.time_ns)
            columns[c] += s.z[:, s.space.index(c)].tolist() if known else [None] * m
        if said:
            columns["rcs_dbsm"] += s.rcs_dbsm.tolist() if s.rcs_dbsm is not None and len(s.time_ns) else [None] * m
    types: dict[str, Any] = {"scan_ns": pl.Int64, "sensor": pl.String, "time_ns": pl.Int64, "received_ns": pl.Int64}
    return pl.DataFrame(columns, schema={c: types.get(c, pl.Float64) for c in columns})


def tracks(
    time_ns: Int64[Array, " n"],
    track_id: Int64[Array, " n"],
    existence: Float64[Array, " n"],
    mean: Float64[Array, "n 6"],
    cov: Float64[Array, "n 6 6"],
    empty_ns: Sequence[int] = (),
) -> pl.DataFrame:
    """The frame of tracks; times at which there was none become rows of nulls."""
    columns: dict[str, Any] = {"time_ns": time_ns, "track_id": track_id, "existence": existence}
    columns |= {axis: mean[:, i] for i, axis in enumerate(AXES)}
    columns |= {covariance_name(i, j): cov[:, i, j] for i, j in COVARIANCES}
    frame = pl.DataFrame(columns)
    if len(empty_ns):
        none = pl.DataFrame({"time_ns": np.asarray(empty_ns, dtype=np.int64)})
        frame = pl.concat([frame, none], how="diagonal").sort("time_ns", maintain_order=True)
    return frame


def covariance_name(i: int, j: int) -> str:
    """The column of an element of the covariance's upper triangle."""
    return f"cov_{AXES[i]}_{AXES[j]}"


def truth(columns: Mapping[str, Any]) -> pl.DataFrame:
    """The frame of truth: time_ns, target_id, name, kind, counts, six components of the state."""
    order = ("time_ns", "target_id", "name", "kind", "counts", *AXES)
    return pl.DataFrame({c: columns[c] for c in order if c in columns})
