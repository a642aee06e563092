"""Run a scenario headless, as fast as possible: files, the product's tracker, the naive tracker, scores; and, where the
scenario has receivers or zones, the product's whole picture over the recorded bytes. The product is always its own
process, started by its command."""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl

from lapwing_lab import authors, baseline, files
from lapwing_lab.examine import Measure, Scores, examine, measure
from lapwing_lab.files import FileError
from lapwing_lab.importing import write
from lapwing_lab.literature import draw
from lapwing_lab.located import Place, located, source_places
from lapwing_lab.scenario import Scenario, load, read_table
from lapwing_lab.score import consistency as honesty
from lapwing_lab.several import Interval, means, pooled
from lapwing_lab.simulate import record, simulate
from lapwing_lab.warned import warned

Say = Callable[[str, float], None]
PAIRED = ("gospa", "localisation", "missed", "false", "t_gospa", "completeness")


@dataclass
class Result:
    """One run of one scenario: a row of numbers per tracker, and those of the picture."""

    scenario: str
    seed: int
    rows: dict[str, dict[str, float]] = field(default_factory=dict)  # by tracker
    picture: dict[str, float] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)  # of each named source

    def numbers(self) -> dict[str, float]:
        """What pass marks may name: the product's scores and the picture's."""
        return {**self.rows.get("lapwing", {}), **self.picture}


def run(name: str, seed: int | None, keep: Path | None, picture: bool, say: Say) -> Result:
    """All scores of one run. Raises FileError, ScenarioError."""
    table = read_table(name)
    if "arrays" in table:
        return _literature(table, seed, keep, say)
    s = load(name, seed, examined=True)
    wanted = picture and s.table.get("picture", True) and bool(s.adsb or s.ais or s.zones)
    with (
        tempfile.TemporaryDirectory(prefix="lapwing-lab-") as temporary,
        _beside() as pool,
        ThreadPoolExecutor(1) as thread,
    ):
        folder = keep or Path(temporary)
        result = Result(s.name, int(s.table["seed"] if seed is None else seed))
        beside = pool.submit(_picture, name, seed, folder / "recorded") if wanted else None
        if s.sensors:
            say("simulating", 0.0)
            simulate(s, folder, lambda share: say("simulating", 0.2 * share))
        tracking = thread.submit(trackers, folder) if s.sensors else None
        _until_done(tracking, beside, s, folder, say)
        if tracking is not None:
            result.rows = tracking.result()
        if beside is not None:
            result.picture, result.places = beside.result()
        say("done", 1.0)
        return result


def _until_done(
    tracking: "Future[Any] | None", picture: "Future[Any] | None", s: Scenario, folder: Path, say: Say
) -> None:
    """Wait for both, and say how far the picture has come, which takes longest. Raises nothing that they raise."""
    while left := [f for f in (tracking, picture) if f is not None and not f.done()]:
        if picture in left:
            say("tracking, and the picture" if tracking in left else "the picture", 0.2 + 0.8 * shown_share(s, folder))
        else:
            say("tracking", 0.2 if picture is None else 0.9)
        wait(left, timeout=0.5)


def shown_share(s: Scenario, folder: Path) -> float:
    """Which share of a scenario the product has shown so far, by the newest tick of its journal; 0 before any."""
    path = (folder / "recorded" / "journal" / "journal.sqlite").absolute()
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.1)) as journal:
            row = journal.execute("SELECT time_ns FROM ticks ORDER BY tick DESC LIMIT 1").fetchone()
    except sqlite3.Error:
        return 0.0
    return min(max((row[0] - s.begin_ns) * 1e-9 / s.duration_s, 0.0), 1.0) if row else 0.0


def _beside() -> ProcessPoolExecutor:
    """One process more: the picture has its own core, while files are made, tracked and scored."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _picture(name: str, seed: int | None, folder: Path) -> tuple[dict[str, float], list[Place]]:
    """Record a scenario's bytes, run the product on them, judge what it showed."""
    fresh = load(name, seed, examined=True)  # its own random numbers from the start
    record(fresh, folder)
    return watch(fresh, folder)


def _literature(table: dict[str, Any], seed: int | None, keep: Path | None, say: Say) -> Result:
    """A scenario of the literature: points in a square, no sensors of this world, no picture."""
    number = int(table["seed"] if seed is None else seed)
    with tempfile.TemporaryDirectory(prefix="lapwing-lab-") as temporary:
        folder = keep or Path(temporary)
        known, scans, told = draw(table["arrays"], number)
        write(folder, table["name"], known, scans, told)
        say("tracking", 0.2)
        rows = trackers(folder)
        if authors.applies(known):
            say("the authors' method", 0.5)
            twin = authors.track(known, scans)
            files.write(twin, folder / "pmbm.parquet")
            rows["pmbm"] = _row(twin, told, measure(folder / "truth.parquet"))
        return Result(table["name"], number, rows)


def trackers(folder: Path) -> dict[str, dict[str, float]]:
    """Scores of the product's tracker and of the naive one on the files of a folder."""
    settings = folder / "settings.toml"
    command = ["track", str(folder / "detections.parquet"), "--site", str(folder / "site.toml")]
    command += ["--out", str(folder / "tracks.parquet"), "--innovations", str(folder / "innovations.parquet")]
    command += ["--settings", str(settings)] if settings.exists() else []
    with ThreadPoolExecutor(1) as beside:  # the product is a process of its own; the naive tracker works meanwhile
        ours_done = beside.submit(product, command, True)
        naive = baseline.track(files.read(folder / "detections.parquet", "detections"), folder / "site.toml", settings)
        files.write(naive, folder / "naive.parquet")
        ours_done.result()
    told, how = files.read(folder / "truth.parquet", "truth"), measure(folder / "truth.parquet")
    ours = files.read(folder / "tracks.parquet", "tracks")
    nis = nis_share(files.read(folder / "innovations.parquet", "innovations"))
    return {"lapwing": _row(ours, told, how) | nis, "naive": _row(naive, told, how)}


def nis_share(given: pl.DataFrame) -> dict[str, float]:
    """Mean normalised innovation squared over its degrees of freedom (honest: 1), and the share beyond the 95 %
    quantile (honest: 0.05), of sure associations; nothing where there is none."""
    nis, dof, weight = (given[c].to_numpy() for c in ("nis", "dof", "weight"))
    found = [c for c in honesty.nis(nis, dof, weight) if c.samples]
    n = sum(c.samples for c in found)
    if not n:
        return {}
    mean = sum(c.mean / c.dof * c.samples for c in found) / n
    return {"nis_share": mean, "nis_beyond": sum(c.beyond * c.samples for c in found) / n}


def _row(tracks: pl.DataFrame, told: pl.DataFrame, how: Measure) -> dict[str, float]:
    return row(examine(tracks, told, how))


def row(s: Scores) -> dict[str, float]:
    """The numbers that are kept of a run."""
    return {
        "gospa": s.gospa,
        "localisation": s.localisation,
        "missed": s.missed,
        "false": s.false,
        "missed_count": s.missed_count,
        "false_count": s.false_count,
        "t_gospa": s.t_gospa_normalised,
        "ospa2": s.ospa2,
        "completeness": s.siap.completeness,
        "ambiguity": s.siap.ambiguity,
        "spuriousness": s.siap.spuriousness,
        "mota": s.clear.mota,
        "id_switches": float(s.clear.id_switches),
        "fragmentations": float(s.clear.fragmentations),
        "track_life": s.clear.track_life,
        "nees": s.nees.mean,
        "brier": s.existence.brier,
        "reliability": s.existence.reliability,
        **({"class_brier": s.classes.brier, "class_right": s.classes.right} if s.classes.samples else {}),
    }


def product(arguments: list[str], patient: bool = False) -> str:
    """Run the product's command; what it printed. Raises FileError with what it said. `patient`: it leaves the cores to
    others, here the picture, which takes longest and which everybody waits for."""
    beside = Path(sys.executable).with_name("lapwing")
    command = str(beside) if beside.exists() else shutil.which("lapwing")
    if command is None:
        raise FileError("there is no `lapwing` command to examine")
    gently = ["nice", "-n", "5"] if patient and shutil.which("nice") else []
    done = subprocess.run([*gently, command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FileError(f"lapwing {arguments[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def watch(s: Scenario, folder: Path) -> tuple[dict[str, float], list[Place]]:
    """The picture's scores: warnings against true entries, interference against emitters, alarms per hour; and each
    named source's error and whether its regions hold an emitter. A journal that an earlier run left in the folder is
    removed: the product would go on where it ended, and show nothing."""
    shutil.rmtree(folder / "journal", ignore_errors=True)
    said = product(
        ["run", str(folder / "site.toml"), "--exit", "--json", "--port", "0", "--journal", str(folder / "journal")]
    )
    (folder / "summary.json").write_text(said, encoding="utf-8")
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    summary = json.loads(said)
    return judged(summary, events, s), source_places(summary["regions"], s)


def judged(summary: dict[str, Any], events: list[dict[str, Any]], s: Scenario) -> dict[str, float]:
    """Numbers of a picture's summary against what happened. A delay that never came is the scenario's length."""
    begin, hours = s.begin_ns, s.duration_s / 3600.0
    out = {
        "alarms": float(len(summary["alarms"])),
        "alarms_per_h": len(summary["alarms"]) / hours,
        **warned(summary["alarms"], [e for e in events if e["event"] == "entered"], s),
        "step_ms_max": float(summary["step_ms_max"]),
    }
    on = [(e["time_ns"] - begin) * 1e-9 for e in events if e["event"] == "jamming"]
    on += [j.on_s for j in s.air.spoofers if j.on_s < s.duration_s]
    found = [(r["found_ns"] - begin) * 1e-9 for r in summary["regions"]]
    early = [t for t in found if not on or t < min(on)]
    out["interference_false"] = float(len(early))
    if on:
        delay = [t - min(on) for t in found if t >= min(on)]
        out["interference_found_s"] = min(delay, default=s.duration_s)
    return out | located(summary["regions"], s)


def marks(
    table: dict[str, Any], numbers: dict[str, float], picture: bool = True
) -> list[tuple[str, float, float, bool]]:
    """(mark, wanted, found, good) of each pass mark NAME_max or NAME_min of a scenario. Raises FileError."""
    out = []
    for mark, wanted in table.get("pass", {}).items():
        name, _, side = mark.rpartition("_")
        if not picture and name not in numbers:
            continue  # a mark of the picture, which was not asked for
        if name not in numbers or side not in ("max", "min"):
            raise FileError(f"pass mark {mark!r} names no score; there are {', '.join(sorted(numbers))}")
        found = numbers[name]
        out.append((mark, float(wanted), found, found <= wanted if side == "max" else found >= wanted))
    return out


def together(results: list[Result]) -> dict[str, dict[str, Interval]]:
    """Over several runs: the mean of every score per tracker and of the picture, how far the product is from the
    authors' method run by run, and what is counted over all runs."""
    out = {t: means([r.rows[t] for r in results if t in r.rows]) for t in ("lapwing", "naive", "pmbm")}
    both = [(r.rows["lapwing"], r.rows["pmbm"]) for r in results if "pmbm" in r.rows]
    out["lapwing - pmbm"] = means([{score: a[score] - b[score] for score in PAIRED} for a, b in both])
    seen = [r for r in results if r.picture]
    out["picture"] = means([r.picture for r in seen])
    out["all runs"] = pooled([r.picture for r in seen], [place for r in seen for place in r.places])
    return {who: scores for who, scores in out.items() if scores}


def expected(results: list[Result]) -> str:
    """The CSV kept for comparison: mean of each score over the runs, one line per tracker and score; of several runs
    with its 95 % interval, and with what is counted over all runs (value, samples in place of runs)."""
    several = len(results) > 1
    lines = ["tracker,score,runs,mean" + (",low,high" if several else "")]
    for who, scores in together(results).items():
        if who == "all runs" and not several:
            continue
        for score, found in scores.items():
            if score != "step_ms_max":  # a time of this machine
                numbers = found[:3] if several else found[:1]
                lines.append(",".join([who, score, str(found.samples), *map(_short, numbers)]))
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    return f"{value:.4g}"
