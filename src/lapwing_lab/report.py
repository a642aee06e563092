"""A report on one run: a self-contained HTML page with tracks over truth, GOSPA over time, detection per range, ROC and
reliability, for the product and the naive tracker on the same file; and the scores of all runs. Reads the folder that
`run --out` left; refuses one without tracks and scores."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import polars as pl

from lapwing_lab import files
from lapwing_lab.examine import Measure, Scores, examine, in_bins, looks, measure
from lapwing_lab.files import FileError
from lapwing_lab.plots import Plot
from lapwing_lab.ranges import detected
from lapwing_lab.score.alarms import RangeBin
from lapwing_lab.score.consistency import roc
from lapwing_lab.score.distances import distances
from lapwing_lab.score.looks import Look

Array = np.ndarray
TRACKERS = {"lapwing": "tracks.parquet", "naive": "naive.parquet", "pmbm": "pmbm.parquet"}
GROUPS = {
    "all runs": "Counted over all runs",
    "picture": "The picture: alarms, warnings, interference",
    "lapwing": "Lapwing's tracker",
    "naive": "The naive tracker",
    "pmbm": "The authors' method",
    "lapwing - pmbm": "Lapwing less the authors' method, run by run",
}
STYLE = """body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1000px;padding:0 1rem;color:#1d2229}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
figure{margin:0}figcaption{font-size:12px;color:#5b6470;margin:0 .8rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:1rem}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #dfe3e8}
th:first-child,td:first-child{text-align:left}svg{width:100%;font:11px system-ui}svg .t{font-size:13px;font-weight:600}
svg .f{fill:none;stroke:#b9c0c8}svg .g{stroke:#eceff2}"""


@dataclass
class Examined:
    """One tracker's tracks, looks and scores."""

    frame: pl.DataFrame
    looks: list[Look]
    scores: Scores


def report(folder: Path, title: str = "") -> str:
    """The page. Raises FileError."""
    files_of = {name: folder / file for name, file in TRACKERS.items() if (folder / file).exists()}
    runs = _runs(folder / "scores.json")
    if not files_of and not runs:
        raise FileError(f"{folder}: holds no tracks; run `lapwing-lab run SCENARIO --out {folder}` first")
    name = title or folder.name
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(name)}</title><style>{STYLE}</style>'
        f"<h1>{escape(name)}</h1>{_one_run(folder, files_of) if files_of else ''}{runs}</html>"
    )


def _one_run(folder: Path, files_of: dict[str, Path]) -> str:
    """Table and figures of the run whose files are there."""
    told, how = files.read(folder / "truth.parquet", "truth"), measure(folder / "truth.parquet")
    found = {}
    for name, file in files_of.items():
        frame = files.read(file, "tracks")
        found[name] = Examined(frame, looks(frame, told), examine(frame, told, how))
    figures = [_map(told, found, how), _gospa(found), _ranges(found), _stages(folder, told, found), _counts(found)]
    figures += [_roc(found, how), _reliability(found), *_class_reliability(found)]
    body = "".join(p.figure() for p in figures)
    return (
        f"<p>Cut-off {how.cutoff_m:g} m, tracks with an existence of at least "
        f"{how.existence_min:g}; {'horizontal distances' if how.dims == 2 else 'distances with height'}.</p>"
        f'{_table(found)}<div class="grid">{body}</div>'
    )


def _runs(path: Path) -> str:
    """The picture's scores; of several runs also what is counted over all, and each tracker's, with 95 % intervals;
    nothing where no scores were kept. Raises FileError."""
    if not path.exists():
        return ""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        groups, runs = kept["together"], len(kept["runs"])
        shown = [who for who in GROUPS if who in groups and (runs > 1 or who == "picture")]
        return "".join(_intervals(who, groups[who], runs) for who in shown)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{path}: not the scores that `lapwing-lab run --out` writes: {error}") from None


def _intervals(who: str, scores: dict[str, dict[str, float]], runs: int) -> str:
    lines = []
    for name, s in scores.items():
        wide = f"{_number(s['low'])} to {_number(s['high'])}" if s["samples"] > 1 else ""
        cells = (name.replace("_", " "), _number(s["value"]), wide, f"{s['samples']:g}")
        lines.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "<tr><th></th><th>value</th><th>95 % interval</th><th>samples</th></tr>"
    of = f"{runs} runs" if runs > 1 else "1 run"
    return f"<h2>{GROUPS[who]}, {of}</h2><table>{head}{''.join(lines)}</table>"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def _table(found: dict[str, Examined]) -> str:
    rows: tuple[tuple[str, Callable[[Scores], str]], ...] = (
        ("GOSPA (m)", lambda s: f"{s.gospa:.1f}"),
        ("localisation (m)", lambda s: f"{s.localisation:.1f}"),
        ("missed, each time", lambda s: f"{s.missed_count:.2f}"),
        ("false, each time", lambda s: f"{s.false_count:.2f}"),
        ("T-GOSPA (m)", lambda s: f"{s.t_gospa_normalised:.1f}"),
        ("OSPA(2) (m)", lambda s: f"{s.ospa2:.1f}"),
        ("completeness", lambda s: f"{s.siap.completeness:.3f}"),
        ("identity switches", lambda s: f"{s.clear.id_switches}"),
        ("track life", lambda s: f"{s.clear.track_life:.3f}"),
        ("NEES", lambda s: f"{s.nees.mean:.2f} of {s.nees.dof}"),
        ("Brier of existence", lambda s: f"{s.existence.brier:.3f}"),
        ("classes right", lambda s: f"{s.classes.right:.3f}" if s.classes.samples else "says none"),
    )
    head = "".join(f"<th>{escape(name)}</th>" for name in found)
    lines = "".join(
        f"<tr><td>{label}</td>{''.join(f'<td>{value(e.scores)}</td>' for e in found.values())}</tr>"
        for label, value in rows
    )
    return f"<table><tr><th></th>{head}</tr>{lines}</table>"


def _map(told: pl.DataFrame, found: dict[str, Examined], how: Measure) -> Plot:
    counted = told.filter(pl.col("counts")) if "counts" in told.columns else told
    plot = Plot("Tracks over truth", "east (km)", "north (km)", equal=True)
    plot.note = "Truth that does not count (birds, vehicles, what no radar looks at) is not drawn; tracks of it are."
    for name, e in reversed(found.items()):  # the product's tracks over the naive ones
        plot.line(name, *_paths(e.frame.filter(pl.col("existence") >= how.existence_min), "track_id"))
    plot.line("truth", *_paths(counted, "target_id"))
    spread = [np.nanpercentile(v, q) for v in plot.lines[-1][1:3] for q in (1, 99)] if counted.height else None
    if spread:
        plot.limits = (float(spread[0]) - 1, float(spread[1]) + 1, float(spread[2]) - 1, float(spread[3]) + 1)
        plot.lines = [(n, *_inside(x, y, plot.limits), d) for n, x, y, d in plot.lines]
    return plot


def _inside(x: Array, y: Array, limits: tuple[float, float, float, float]) -> tuple[Array, Array]:
    out = (x < limits[0]) | (x > limits[1]) | (y < limits[2]) | (y > limits[3])
    return np.where(out, np.nan, x), np.where(out, np.nan, y)


def _paths(frame: pl.DataFrame, ident: str) -> tuple[Array, Array]:
    """All lives one after another, parted by NaN; thinned to a page's worth."""
    x, y = [np.zeros(0)], [np.zeros(0)]
    every = max(frame.height // 20_000, 1)
    for _, rows in frame.sort(ident, "time_ns").group_by(ident, maintain_order=True):
        x += [rows["east_m"].to_numpy()[::every] / 1000.0, np.array([np.nan])]
        y += [rows["north_m"].to_numpy()[::every] / 1000.0, np.array([np.nan])]
    return np.concatenate(x), np.concatenate(y)


def _gospa(found: dict[str, Examined]) -> Plot:
    plot = Plot("GOSPA over time", "time (s)", "GOSPA (m)")
    plot.note = "Lower is better: localisation error, missed targets and false tracks in one distance."
    for name, e in found.items():
        t = np.array(e.scores.over_time["time_s"])
        plot.line(name, t - t[:1], np.array(e.scores.over_time["gospa"]))
    return plot


def _counts(found: dict[str, Examined]) -> Plot:
    plot = Plot("Missed targets over time", "time (s)", "missed")
    plot.note = "Targets that count and have no track within the cut-off."
    for name, e in found.items():
        t = np.array(e.scores.over_time["time_s"])
        plot.line(name, t - t[:1], np.array(e.scores.over_time["missed"]))
    return plot


def _ranges(found: dict[str, Examined]) -> Plot:
    """Share of looks in which a target was tracked, per distance from the origin; whiskers: Wilson's 95 %."""
    plot = Plot("Tracked, per distance from the origin", "distance (km)", "share tracked")
    plot.note = "Of every look at a target that counts. Whiskers: Wilson's 95 % interval, as if looks were independent."
    return _binned(plot, {name: e.scores.per_range for name, e in found.items()})


def _stages(folder: Path, told: pl.DataFrame, found: dict[str, Examined]) -> Plot:
    """What the sensors detected, and what the product tracked and called by its class, per distance."""
    stages = {}
    if (folder / "detections.parquet").exists() and (folder / "site.toml").exists():
        frame = files.read(folder / "detections.parquet", "detections")
        stages["detected"] = in_bins(*detected(frame, told, folder / "site.toml"))
    if "lapwing" in found:
        stages["tracked"] = found["lapwing"].scores.per_range
        if found["lapwing"].scores.classes.samples:
            stages["identified"] = found["lapwing"].scores.identified
    plot = Plot("Detected, tracked, identified", "distance (km)", "share of looks")
    plot.note = "Detected by any sensor since the look before; tracked by the product; called by its true class."
    return _binned(plot, stages)


def _binned(plot: Plot, series: dict[str, list[RangeBin]]) -> Plot:
    top = 1.0
    for name, every in series.items():
        bins = [b for b in every if b.trials]
        middle = np.array([0.0005 * (b.from_m + b.to_m) for b in bins])
        plot.line(name, middle, np.array([b.share for b in bins]), dots=True)
        for x, b in zip(middle, bins, strict=True):
            top = max(top, b.to_m / 1000.0)
            plot.line(name, np.array([x, x]), np.array([b.low, b.high]))
    plot.limits = (0.0, top, 0.0, 1.0)
    return plot


def _roc(found: dict[str, Examined], how: Measure) -> Plot:
    """Of existence as a test of whether a track is true; the naive tracker has one point only."""
    plot = Plot("ROC of existence", "share of false tracks shown", "share of true tracks shown")
    plot.note = (
        "Every threshold on existence; near the upper left corner is better. The naive tracker knows no existence."
    )
    for name, e in found.items():
        p, true = existence_samples(e.looks, how)
        if true.any() and not true.all():
            plot.line(name, *roc(p, true))
    plot.line("chance", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    plot.limits = (0.0, 1.0, 0.0, 1.0)
    return plot


def existence_samples(every: list[Look], how: Measure) -> tuple[Array, Array]:
    """Existence of every judged track at every look, and whether a truth was within the cut-off."""
    p, true = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for look in every:
        x, y = look.points(how.dims)
        near = np.asarray((distances(x, y) < how.cutoff_m).any(axis=0), dtype=bool)
        p.append(look.existence[look.judged(how.dims)])
        true.append(near)
    return np.concatenate(p), np.concatenate(true)


def _reliability(found: dict[str, Examined]) -> Plot:
    plot = Plot("Reliability of existence", "existence said", "share that was true")
    plot.note = (
        "On the line, what is said with 70 % is true in 70 of 100 cases. Tracks of what does not count are left out."
    )
    for name, e in found.items():
        plot.line(name, e.scores.existence.said, e.scores.existence.true, dots=True)
    plot.line("honest", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    plot.limits = (0.0, 1.0, 0.0, 1.0)
    return plot


def _class_reliability(found: dict[str, Examined]) -> list[Plot]:
    """Of every class probability said, where a tracker says any."""
    out = []
    for name, e in found.items():
        if e.scores.classes.samples:
            c = e.scores.classes.calibration
            plot = Plot("Reliability of classes", "probability said", "share that was true")
            plot.note = "Of every class probability said of tracks that stand for a target."
            plot.line(name, c.said, c.true, dots=True)
            plot.line("honest", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
            plot.limits = (0.0, 1.0, 0.0, 1.0)
            out.append(plot)
    return out
