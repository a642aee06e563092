"""Track a file of detections: Parquet in, Parquet out, no journal and no web, so that any tracker can be compared on
the same data. The columns are described in docs/files.md. Axes: m detections, n tracks.

Scans are taken in the order of their end. A sensor whose space gives no position (bearings alone) is left out and said
so; so is one with measurement columns that are not known here. Settings that are not given are those of a live site.
"""

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import Field, ValidationError

from lapwing import track
from lapwing.engine.plan import LIVE
from lapwing.records import (
    ANONYMOUS,
    MICRO_UNSAID,
    RCS_UNSAID,
    Array,
    Detections,
    Innovations,
    Kind,
    SensorConfig,
    Site,
    Space,
    TrackStatus,
)
from lapwing.serve.site import FeedEntry, SiteError, SiteFile
from lapwing.track import (
    AIR,
    AlignSettings,
    ClassSettings,
    ClutterSettings,
    Envelopes,
    MicroDoppler,
    RegistrationSettings,
    SensorModel,
    TargetBirths,
    TargetPrior,
    TrackSettings,
    VisibilitySettings,
    Watch,
    classes,
)
from lapwing.track.aligned import Alignment, Compared, aligned_step, as_agreed, comparable
from lapwing.track.declared import log_likelihoods
from lapwing.track.shared import Before

AXES = ("east_m", "north_m", "up_m", "east_mps", "north_mps", "up_mps")
UPPER = [(i, j) for i in range(6) for j in range(i, 6)]
MEASURES = (
    *("east_m", "north_m", "up_m", "range_m", "azimuth_rad", "elevation_rad", "range_rate_mps"),
    *("bistatic_range_m", "bistatic_range_rate_mps", "range_difference_m"),
)
DECLARED = tuple(f"declared_{kind.name.lower()}" for kind in Kind)
SAID = {"rcs_dbsm": RCS_UNSAID, "blades": MICRO_UNSAID, "micro_doppler_mps": MICRO_UNSAID}  # beside the place; or not
CLASSES = ClassSettings(classifiers=(Envelopes(), MicroDoppler()))
GIVEN = {  # of an association, in a file of innovations
    "scan_ns": pl.Int64,
    "sensor": pl.String,
    "track_id": pl.Int64,
    "detection": pl.Int64,
    "weight": pl.Float64,
    "nis": pl.Float64,
    "dof": pl.Int64,
}
NEEDED = ("scan_ns", "sensor", "time_ns")


class TrackingError(OSError):
    """The files cannot be used; one sentence."""


class Bench(SiteFile):
    """A site file without feeds will do: detections come from a file."""

    feed: Annotated[list[FeedEntry], Field(default_factory=list)]


def load_site(path: Path) -> Site:
    """The site in a file. Raises SiteError, TrackingError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return Bench.model_validate(table).site(path.resolve().parent)
    except tomllib.TOMLDecodeError as error:
        raise SiteError(str(path), [f"not valid TOML: {error}"]) from None
    except ValidationError as error:
        raise SiteError(str(path), [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]) from None


def load_settings(path: Path | None) -> TrackSettings:
    """Settings of a live site, with sensors made to agree (there, traffic tells what they are off), and with those of a
    TOML file in their place: its modes of motion too, unless the file says what the noise of the one is. Raises
    TrackingError."""
    settings = dataclasses.replace(LIVE, align=AlignSettings())
    if path is None:
        return dataclasses.replace(settings, modes=AIR)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        prior = dataclasses.replace(settings.prior, **_numbers(table.pop("prior", {})))
        learn = dataclasses.replace(ClutterSettings(), **_numbers(table.pop("clutter", {})))
        clutter = learn if learn.memory_s > 0.0 else None
        seeing = _numbers(table.pop("visibility", {}))
        visibility = VisibilitySettings(**seeing) if seeing.get("hidden_s", 1.0) != 0.0 else None
        agreeing = AlignSettings(**_numbers(table.pop("align", {})))
        align = agreeing if agreeing.every_s > 0.0 else None
        births = _births(_numbers(table.pop("births")), prior) if "births" in table else None
        modes = () if {"noise_horizontal_m2ps3", "noise_vertical_m2ps3"} & set(table) else AIR
        return dataclasses.replace(
            settings, prior=prior, modes=modes, clutter=clutter, visibility=visibility, align=align, births=births,
            **_numbers(table),
        )  # fmt: skip
    except (ValueError, TypeError, AttributeError) as error:
        raise TrackingError(f"{path}: not tracker settings: {error}") from None


def _births(table: dict[str, float], prior: TargetPrior) -> TargetBirths:
    """One Gaussian that targets come from: AXIS and AXIS_sigma for each of AXES, what is not said as the prior has it.
    Raises TypeError, ValueError."""
    unknown = set(table) - {"at_start", "per_s", *AXES, *(f"{axis}_sigma" for axis in AXES)}
    if unknown:
        raise TypeError(f"births has no {min(unknown)}")
    speed = prior.speed_mps_sigma
    sigmas = dict(zip(AXES, (0.0, 0.0, prior.height_m_sigma, speed, speed, prior.climb_mps_sigma), strict=True))
    mean = np.array([table.get(a, prior.height_m_mean if a == "up_m" else 0.0) for a in AXES], dtype=np.float64)
    sigma = np.array([table.get(f"{a}_sigma", sigmas[a]) for a in AXES], dtype=np.float64)
    numbers = np.array([*mean, table.get("at_start", 0.0), table.get("per_s", 0.0)])
    if not (
        np.isfinite(numbers).all() and np.isfinite(sigma).all() and (sigma > 0.0).all() and (numbers[6:] >= 0.0).all()
    ):
        raise ValueError("births needs east_m_sigma and north_m_sigma, all sigmas positive, numbers not negative")
    return TargetBirths(mean, np.diag(sigma**2), float(numbers[6]), float(numbers[7]))


def _numbers(table: dict[str, Any]) -> dict[str, Any]:
    wrong = [name for name, value in table.items() if isinstance(value, bool) or not isinstance(value, int | float)]
    if wrong:
        raise TypeError(f"{wrong[0]} must be a number")
    return table


def scans(frame: pl.DataFrame, sensors: dict[str, SensorConfig]) -> Iterator[Detections]:
    """Scans in order of their end; a row without measurements says that its scan was empty. Raises TrackingError."""
    space: dict[str, Space | None] = {}
    known = (*MEASURES, *DECLARED, *SAID)
    others = [c for c, kind in frame.schema.items() if kind.is_float() and c not in known]
    for (name,), rows in frame.group_by("sensor", maintain_order=True):
        filled = tuple(c for c in MEASURES if c in rows.columns and rows[c].null_count() < len(rows))
        if name not in sensors:
            raise TrackingError(f"the site has no sensor {name!r}; it has {sorted(sensors)}")
        foreign = [c for c in others if rows[c].null_count() < len(rows)]
        try:
            space[str(name)] = None if foreign else Space(filled) if filled else Space.POSITION_2D
        except ValueError:
            raise TrackingError(f"sensor {name!r}: {', '.join(filled)} is no measurement space") from None
    frame = frame.sort("scan_ns", "sensor", maintain_order=True)
    ends, names = frame["scan_ns"].cast(pl.Int64).to_numpy(), frame["sensor"].to_list()
    cuts = [k for k in range(1, len(names)) if ends[k] != ends[k - 1] or names[k] != names[k - 1]]
    for begin, end in zip([0, *cuts], [*cuts, len(names)], strict=True):
        of = space[names[begin]]
        if of is not None:
            yield _scan(frame[begin:end], sensors[names[begin]], of)


def _scan(rows: pl.DataFrame, config: SensorConfig, space: Space) -> Detections:
    scan_ns = int(rows["scan_ns"][0])
    seen = rows.drop_nulls(space.value)
    m, d = len(seen), len(space.value)
    z = np.ascontiguousarray(seen.select(space.value).cast(pl.Float64).to_numpy())
    R = np.zeros((m, d, d))
    R[:, np.arange(d), np.arange(d)] = [_sigma(config, c) ** 2 for c in space.value]
    times = seen["time_ns"].cast(pl.Int64).to_numpy().copy()
    nobody, nowhere = np.full(m, ANONYMOUS, dtype=np.int64), np.zeros(m, dtype=np.int64)
    rcs_dbsm, blades, spread = (_said(seen, name, unsaid) for name, unsaid in SAID.items())
    micro = None if blades is None and spread is None else np.full((m, 2), MICRO_UNSAID)
    for k, column in enumerate((blades, spread)):
        if micro is not None and column is not None:
            micro[:, k] = column
    try:
        return Detections(
            config.sensor, space, scan_ns, times, z, R, nobody, nowhere, rcs_dbsm, _declared(seen), micro=micro
        )
    except ValueError as error:
        raise TrackingError(f"sensor {config.sensor!r}, scan_ns {scan_ns}: {error}") from None


def _said(seen: pl.DataFrame, name: str, unsaid: float) -> Array | None:
    return seen[name].cast(pl.Float64).fill_null(unsaid).to_numpy().copy() if name in seen.columns else None


def _declared(seen: pl.DataFrame) -> Array | None:
    """What the sensor says each detection is; None where it says nothing of any."""
    if not set(DECLARED) & set(seen.columns):
        return None
    said = [
        seen[c].cast(pl.Float64).fill_null(0.0).to_numpy() if c in seen.columns else np.zeros(len(seen))
        for c in DECLARED
    ]
    kinds = np.stack(said, axis=1)
    return kinds if kinds.any() else None


def _sigma(config: SensorConfig, column: str) -> float:
    return {
        "azimuth_rad": config.azimuth_sigma_rad,
        "elevation_rad": config.elevation_sigma_rad,
        "range_rate_mps": config.range_rate_sigma_mps,
        "bistatic_range_rate_mps": config.range_rate_sigma_mps,
    }.get(column, config.range_sigma_m)


def track_file(
    detections: Path, site_file: Path, out: Path, settings_file: Path | None = None, innovations: Path | None = None
) -> str:
    """Write the tracks at every end of a scan, and where wanted every association with its NIS;
    one line that says what was done. Raises SiteError, TrackingError."""
    site, settings = load_site(site_file), load_settings(settings_file)
    try:
        frame = pl.read_parquet(detections)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TrackingError(f"{detections}: cannot be read ({str(error).splitlines()[0]})") from None
    missing = [c for c in NEEDED if c not in frame.columns]
    if missing:
        raise TrackingError(f"{detections}: the column {missing[0]!r} is missing")
    watch = track.watch_start(settings)
    reliability = {s.sensor: s.class_reliability for s in site.sensors}
    models: dict[str, SensorModel | None] = {}
    parts: dict[int, pl.DataFrame] = {}  # by time: of sensors whose scans end together, what is left after the last
    looks, given, alignment = 0, list[pl.DataFrame](), Alignment()
    compared: dict[str, Compared] = {}
    for scan in scans(frame, {s.sensor: s for s in site.sensors}):
        if scan.sensor not in models:
            models[scan.sensor] = _model(scan, site)
            compared |= _compared(scan.sensor, models[scan.sensor], site, settings)
        model = models[scan.sensor]
        if model is not None:
            agreed = as_agreed(alignment, scan, model, settings.prior)
            watch, said = track.watch_step_told(watch, agreed, model, settings)
            watch, alignment = aligned_step(watch, alignment, scan, compared, settings)
            given += [] if said is None or innovations is None else [_given(said, scan.scan_ns)]
            parts[scan.scan_ns] = rows_of(watch, scan.scan_ns, settings, reliability)
            looks += 1
    left_out = sorted({*frame["sensor"].unique()} - {name for name, model in models.items() if model is not None})
    whole = pl.concat(parts.values(), how="diagonal") if parts else rows_of(watch, 0, settings, reliability)
    out.parent.mkdir(parents=True, exist_ok=True)
    whole.write_parquet(out)
    if innovations is not None:
        innovations.parent.mkdir(parents=True, exist_ok=True)
        pl.concat([pl.DataFrame(schema=GIVEN), *given]).write_parquet(innovations)
    note = f"; left out, no position in what they measure: {', '.join(left_out)}" if left_out else ""
    aside, jumps = watch.tracker.untimely, watch.tracker.restarts
    note += f"; {aside} detections or scans put aside, their time cannot be" if aside else ""
    note += f"; begun anew {jumps} times, the clock jumped" if jumps else ""
    return f"{looks} scans, {whole['track_id'].n_unique()} tracks to {out}{note}"


def _compared(sensor: str, model: SensorModel | None, site: Site, settings: TrackSettings) -> dict[str, Compared]:
    """The sensor, where it may be compared with others, and what its site says of its biases."""
    config = next(s for s in site.sensors if s.sensor == sensor)
    if model is None or settings.align is None or not comparable(model, config.correlation_s):
        return {}
    tolerance = np.array([*config.tolerance, 0.0, 0.0])
    sigma = np.where(tolerance > 0.0, 0.5 * tolerance, np.array(RegistrationSettings().sigma))
    return {sensor: Compared(model, Before(np.zeros(len(sigma)), sigma))}


def _given(told: Innovations, scan_ns: int) -> pl.DataFrame:
    k = len(told.track_id)
    columns = (np.full(k, scan_ns), [told.sensor] * k, told.track_id, told.detection, told.weight, told.nis)
    return pl.DataFrame(dict(zip(GIVEN, (*columns, np.full(k, told.dof)), strict=True)), schema=GIVEN)


def _model(scan: Detections, site: Site) -> SensorModel | None:
    config = next(s for s in site.sensors if s.sensor == scan.sensor)
    try:
        return track.make_sensor(config, site.origin, scan.space)
    except ValueError:
        return None


def rows_of(watch: Watch, time_ns: int, settings: TrackSettings, reliability: Mapping[str, float]) -> pl.DataFrame:
    """One row per track; one row without a track where there is none. `reliability` of what each sensor declares."""
    tracks = track.predict_tracks(watch.tracker, time_ns, settings)
    n = len(tracks)
    if n == 0:
        return pl.DataFrame({"time_ns": [time_ns]}, schema={"time_ns": pl.Int64})
    names: dict[str, Array | list[str]] = {
        "time_ns": np.full(n, time_ns, dtype=np.int64),
        "track_id": tracks.track_id,
        "existence": tracks.existence,
        "status": [TrackStatus(int(s)).name.lower() for s in tracks.status],
    }
    names |= {axis: tracks.mean[:, i] for i, axis in enumerate(AXES)}
    names |= {f"cov_{AXES[i]}_{AXES[j]}": tracks.cov[:, i, j] for i, j in UPPER}
    said = log_likelihoods(watch.declared, tracks.track_id, reliability)  # nobody claims anything in a file
    p = classes.probabilities(watch.features, tracks.track_id, said, CLASSES)
    names |= {f"p_class_{kind.name.lower()}": p[:, kind] for kind in Kind}
    return pl.DataFrame(names)
