"""`lapwing survey`: archives in, a folder of results out. Everything that touches files; the sciences are in engine/.

First every input is read once and its samples are laid out by day and speaker; then each day is looked through for
shapes that only false positions make; then each partition is judged alone; then the counts are added up and the events
found. Every finished step leaves a marker, written last and atomically, so that a killed survey goes on where it was.
Memory holds one piece of an input, one partition, or half an hour of a day.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lapwing.engine import survey as science
from lapwing.engine import survey_shapes as shapes
from lapwing.engine.survey_events import Event, alarms, event_of, grouped
from lapwing.integrity.ashore import Ring
from lapwing.integrity.evidence import NavigationSettings
from lapwing.integrity.shapes import ShapeSettings
from lapwing.serve.archives import ArchiveError, pieces
from lapwing.serve.no_ships import read_no_ships
from lapwing.serve.survey_results import Skipped, summary, write_results

DAY_NS = 86_400_000_000_000
BUCKETS = 64
TABLES = ("cells", "days", "steps", "intervals", "looks")


class NothingRead(OSError):
    """None of the inputs could be read; the reasons, one a line."""


def survey(inputs: list[Path], out: Path, no_ships: Path | None = None) -> str:
    """Results of all inputs in `out`; the summary for a person. `no_ships`: GeoJSON of where no ship can be. Raises
    NothingRead, NoShipsError, and OSError where `out` cannot be written."""
    rings = () if no_ships is None else read_no_ships(no_ships)
    work = out / "work"
    work.mkdir(parents=True, exist_ok=True)
    files = list(_files(inputs, out))
    with _progress() as bar:
        skipped = [s for s in bar.track((_taken(f, work) for f in files), len(files), description="reading") if s]
        wanted = {_name(f) for f in files}
        parts = sorted(p for p in (work / "parts").glob("*/*") if p.is_dir())
        for day in bar.track(sorted({p.parent for p in parts}), description="shapes"):
            _shape(day, work, wanted)
        for part in bar.track(parts, description="judging"):
            _judge(part, work, wanted, rings)
    tables = {name: _all(work, parts, name) for name in TABLES}
    events = _events(tables)
    spells = write_results(out, tables, events)
    told = summary(out, len(files), skipped, events, spells)
    if len(skipped) == len(files):
        raise NothingRead(told)
    return told


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(file=sys.stderr), transient=False)


def _files(inputs: Iterable[Path], out: Path) -> Iterator[Path]:
    """All files named or in folders named, each once, in order; never those of the results."""
    seen = set()
    for given in inputs:
        found = sorted(p for p in given.rglob("*") if p.is_file()) if given.is_dir() else [given]
        for path in found:
            if path.resolve() not in seen and out.resolve() not in path.resolve().parents:
                seen.add(path.resolve())
                yield path


def _name(path: Path) -> str:
    """A name for an input as it is now: a changed file is another input."""
    try:
        about = path.stat()
        text = f"{path.resolve()} {about.st_size} {about.st_mtime_ns}"
    except OSError:
        text = str(path)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _taken(path: Path, work: Path) -> Skipped | None:
    """One input laid out by day and bucket; what was wrong with it, if it was. Does nothing if that was done before."""
    name = _name(path)
    done = work / "inputs" / f"{name}.json"
    if done.exists():
        reason = json.loads(done.read_text(encoding="utf-8"))["skipped"]
        return Skipped(str(path), reason) if reason else None
    reason, rows = "", 0
    try:
        for number, piece in enumerate(pieces(path)):
            rows += len(piece)
            _lay_out(piece, work, f"{name}-{number:05d}")
    except ArchiveError as error:
        reason = str(error)
    if not reason and not rows:
        reason = f"{path}: nothing in it that an aircraft or a ship says of itself"
    if reason:
        for part in (work / "parts").glob(f"*/*/{name}-*"):
            part.unlink()
    _write_text(done, json.dumps({"input": str(path), "rows": rows, "skipped": reason}))
    return Skipped(str(path), reason) if reason else None


def _lay_out(piece: pl.DataFrame, work: Path, name: str) -> None:
    """Samples of one piece, each part in the folder of its day and bucket."""
    split = science.tidy(piece).with_columns(
        (pl.col("time_ns") // DAY_NS).alias("day"), (pl.col("key") % BUCKETS).alias("bucket")
    )
    for (day, bucket), rows in split.partition_by("day", "bucket", as_dict=True).items():
        folder = work / "parts" / f"{day}" / f"{bucket:02d}"
        _write(rows.drop("day", "bucket"), folder / f"{name}.parquet")


def _write(table: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    table.write_parquet(draft, compression="zstd", compression_level=1)
    os.replace(draft, path)


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


def _shape(day: Path, work: Path, wanted: set[str]) -> None:
    """Who stood in a magnet or circle in one day, into shapes/DAY.parquet; does nothing if that was done with the same
    files. The day's speakers are read a bucket at a time and walked through a slice of time at a time."""
    found, done = work / "shapes" / f"{day.name}.parquet", work / "shapes" / f"{day.name}.done"
    files = sorted(p for p in day.glob("*/*.parquet") if p.name.split("-")[0] in wanted)
    state = _names(files)
    if done.exists() and done.read_text(encoding="utf-8") == state:
        return
    slices = work / "shapes" / f"{day.name}.slices"
    shutil.rmtree(slices, ignore_errors=True)
    for bucket in sorted({p.parent for p in files}):
        rows = shapes.thinned(science.tidy(pl.read_parquet([p for p in files if p.parent == bucket])))
        pieces_of_day = rows.with_columns((pl.col("step") * shapes.STEP_NS // shapes.SLICE_NS).alias("slice"))
        for (number,), piece in pieces_of_day.partition_by("slice", as_dict=True).items():
            _write(piece.drop("slice"), slices / f"{number}" / f"{bucket.name}.parquet")
    walk, flagged = shapes.start(), [pl.DataFrame(schema=shapes.FLAGGED)]
    for folder in sorted(slices.glob("*"), key=lambda p: int(p.name)):
        walk, more = shapes.walked(walk, pl.read_parquet(sorted(folder.glob("*.parquet"))), ShapeSettings())
        flagged.append(more)
    _write(pl.concat(flagged).sort("key", "step"), found)
    shutil.rmtree(slices, ignore_errors=True)
    _write_text(done, state)


def _names(files: list[Path]) -> str:
    return hashlib.blake2b("\n".join(p.name for p in files).encode(), digest_size=10).hexdigest()


def _judge(part: Path, work: Path, wanted: set[str], no_ships: tuple[Ring, ...]) -> None:
    """One partition judged and counted; does nothing if that was done with the same files, shapes and places."""
    folder = work / "judged" / f"{part.parent.name}-{part.name}"
    files = sorted(p for p in part.glob("*.parquet") if p.name.split("-")[0] in wanted)
    flagged = pl.read_parquet(work / "shapes" / f"{part.parent.name}.parquet")
    flagged = flagged.filter(pl.col("key") % BUCKETS == int(part.name))
    state = _names(files)
    if len(flagged):
        state += hashlib.blake2b(flagged.write_csv().encode(), digest_size=10).hexdigest()
    if no_ships:
        state += hashlib.blake2b(repr(no_ships).encode(), digest_size=10).hexdigest()
    done = folder / "done"
    if done.exists() and done.read_text(encoding="utf-8") == state:
        return
    shutil.rmtree(folder, ignore_errors=True)
    if files:
        settings, table = NavigationSettings(), science.tidy(pl.read_parquet(files))
        shape = shapes.joined(table, flagged) if len(flagged) else np.zeros(len(table), np.int64)
        shape = science.with_ashore(table, shape, no_ships)
        j = science.judged(table, settings, shape if shape.any() else None)
        _write(science.cell_counts(j, settings.low_m), folder / "cells.parquet")
        _write(science.cell_counts(j, settings.low_m, DAY_NS), folder / "days.parquet")
        _write(science.step_counts(j, settings.low_m), folder / "steps.parquet")
        _write(science.intervals(j), folder / "intervals.parquet")
        _write(science.looks(j), folder / "looks.parquet")
    _write_text(done, state)


def _all(work: Path, parts: list[Path], name: str) -> pl.LazyFrame:
    """One table over all partitions, not yet read."""
    folders = [work / "judged" / f"{p.parent.name}-{p.name}" for p in parts]
    files = [f / f"{name}.parquet" for f in folders if (f / f"{name}.parquet").exists()]
    if files:
        return pl.scan_parquet(files)
    none = science.judged(science.empty(), NavigationSettings())
    makers: dict[str, Any] = {"intervals": science.intervals, "looks": science.looks}
    counted = science.step_counts(none, 0.0) if name == "steps" else science.cell_counts(none, 0.0)
    return (makers[name](none) if name in makers else counted).lazy()


def _events(tables: dict[str, pl.LazyFrame]) -> list[Event]:
    """The events of the summed counts, in order of time."""
    steps = tables["steps"].group_by("row", "column", "step").agg(pl.col("exposed", "lost").sum()).collect()
    spells = tables["intervals"].collect()

    def near(centre: tuple[float, float], reach_m: float, since_ns: int, until_ns: int) -> pl.DataFrame:
        high = reach_m / science.DEGREE_M
        return (
            tables["looks"]
            .filter(
                pl.col("time_ns").is_between(since_ns, until_ns)
                & ((pl.col("latitude_deg") - centre[0]).abs() <= high)
                & ((pl.col("longitude_deg") - centre[1]).abs() * pl.lit(centre[0]).radians().cos() <= high)
            )
            .collect()
        )

    found: list[Event] = []
    for group in grouped(alarms(steps)):
        event = event_of(len(found) + 1, group, spells, near)
        if event is not None:
            found.append(event)
    return found
