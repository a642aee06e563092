"""Commands of the examiner that work on files."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from lapwing_lab.files import FileError


def plainly(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with mistakes told in a sentence."""

    @wraps(command)
    def guarded(*args: Any, **kwargs: Any) -> None:
        from lapwing_lab.scenario import ScenarioError

        try:
            command(*args, **kwargs)
        except (FileError, ScenarioError, OSError) as error:
            typer.echo(f"lapwing-lab: {error}", err=True)
            raise typer.Exit(2) from None

    return guarded


SiteOption = Annotated[
    Path | None,
    typer.Option(
        help="Of a COURAGEOUS document: the site file whose origin the truth is seen from; else its own place."
    ),
]


def _tracks(document: Path, site: Path | None) -> Any:
    """The tracks of a COURAGEOUS document; what was left out is said on standard error."""
    from lapwing_lab import courageous

    found = courageous.read(document, None if site is None else courageous.origin_of(site))
    left = {
        "detection sets": found.detection_sets,
        "records of ground control stations": found.ground_stations,
        "records without a position": found.without_position,
    }
    told = ", ".join(f"{n} {what}" for what, n in left.items() if n)
    n = found.tracks["track_id"].drop_nulls().n_unique()
    typer.echo(f"{found.system}: {n} tracks" + (f"; left out: {told}" if told else ""), err=True)
    return found.tracks


@plainly
def import_(
    file: Annotated[Path, typer.Argument(help="Benchmark arrays (.npz), or a COURAGEOUS document (.json).")],
    out: Annotated[Path, typer.Option(help="Folder for detections, truth, site and settings; or tracks.")] = Path(
        "imported"
    ),
    run: Annotated[int, typer.Option(help="Which Monte Carlo run, where the arrays hold several.")] = 1,
    site: SiteOption = None,
) -> None:
    """Turn benchmark arrays into files that any tracker can read, or a COURAGEOUS document into tracks."""
    from lapwing_lab import files
    from lapwing_lab.importing import convert

    if file.suffix == ".json":
        files.write(_tracks(file, site), out / "tracks.parquet")
        return
    known = convert(file, out, run)
    typer.echo(f"{out}: detections, truth, site, settings; p_detect {known.p_detect}, {known.clutter_per_scan} clutter")


@plainly
def score(
    tracks: Annotated[Path, typer.Argument(help="Tracks (Parquet), or a COURAGEOUS document (.json).")],
    truth: Annotated[Path, typer.Argument(help="Truth (Parquet).")],
    cutoff_m: Annotated[
        float | None, typer.Option(help="Cut-off of GOSPA; else score.toml's beside the truth.")
    ] = None,
    existence: Annotated[float | None, typer.Option(help="Tracks below this existence are not taken.")] = None,
    dims: Annotated[int | None, typer.Option(min=2, max=3, help="2: horizontal, 3: with height.")] = None,
    skip_s: Annotated[float | None, typer.Option(help="Start-up that is not scored.")] = None,
    site: SiteOption = None,
    innovations: Annotated[Path | None, typer.Option(help="Innovations (Parquet): their NIS is scored, too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All scores as JSON.")] = False,
) -> None:
    """Score tracks against truth: GOSPA with its parts, T-GOSPA, OSPA(2), SIAP and MOTA-like counts, consistency."""
    from lapwing_lab import files
    from lapwing_lab.examine import examine, measure
    from lapwing_lab.run import nis_share

    given = {"cutoff_m": cutoff_m, "existence_min": existence, "dims": dims, "skip_s": skip_s}
    how = replace(measure(truth), **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    document = tracks.suffix == ".json"
    if document and site is not None and how.dims == 3:
        raise FileError("heights above the sea cannot be compared from another origin: leave out --site, or --dims 3")
    told = _tracks(tracks, site) if document else files.read(tracks, "tracks")
    found = examine(told, files.read(truth, "truth"), how)
    nis = nis_share(files.read(innovations, "innovations")) if innovations is not None else {}
    typer.echo(json.dumps(found.as_dict() | nis) if as_json else text(found, how.cutoff_m))
    if nis and not as_json:
        typer.echo(f"  NIS        {nis['nis_share']:10.3f} of 1  beyond 95 %: {nis['nis_beyond']:.3f} of 0.050")


def text(s: Any, cutoff_m: float) -> str:
    """One screen of scores."""
    c, i, n, e = s.clear, s.siap, s.nees, s.existence
    t = s.t_gospa
    honest = "honest" if n.honest else ("too sure" if n.mean > n.high else "too careful")
    lines = [f"{s.times} times, {s.truths:.2f} targets each, cut-off {cutoff_m:g} m"]
    gospa = f"  GOSPA      {s.gospa:10.3f}  localisation {s.localisation:.3f}  missed {s.missed:.3f} "
    lines.append(gospa + f"({s.missed_count:.2f} each)  false {s.false:.3f} ({s.false_count:.2f} each)")
    lines.append(f"  T-GOSPA    {s.t_gospa_normalised:10.3f}  switch share {t.switch_p / max(t.total_p, 1e-12):.4f}")
    lines.append(f"  OSPA(2)    {s.ospa2:10.3f}")
    siap = f"  SIAP       complete {i.completeness:.3f}  ambiguous {i.ambiguity:.3f}  spurious {i.spuriousness:.3f}"
    lines.append(f"{siap}  error {i.position_error_m:.2f} m")
    mota = f"  MOTA       {c.mota:10.3f}  misses {c.misses}  false {c.false}  identity switches {c.id_switches}"
    lines.append(f"{mota}  fragments {c.fragmentations}")
    lives = f"  lives      {c.mostly_tracked} of {c.targets} mostly tracked, {c.mostly_lost} mostly lost"
    lines.append(f"{lives}, track life {c.track_life:.3f}")
    told = f"{n.mean:10.3f}  of {n.dof} ({honest}; 95 % within {n.low:.3f}..{n.high:.3f})"
    lines.append("  NEES       " + (told if n.samples else "         -  the tracks say no covariance"))
    lines.append(f"  existence  Brier {e.brier:.4f}  reliability {e.reliability:.4f}")
    return "\n".join(lines)


@plainly
def baseline(
    detections: Annotated[Path, typer.Argument(help="Detections (Parquet).")],
    site: Annotated[Path, typer.Option(help="The site file that knows the sensors.")],
    out: Annotated[Path, typer.Option(help="Where the tracks go (Parquet).")] = Path("naive.parquet"),
    settings: Annotated[Path | None, typer.Option(help="Settings (TOML): noise and speed are read.")] = None,
) -> None:
    """Track a file of detections with the naive tracker: nearest neighbour, M of N."""
    from lapwing_lab import baseline as naive
    from lapwing_lab import files

    frame = naive.track(files.read(detections, "detections"), site, settings)
    files.write(frame, out)
    typer.echo(f"{frame['track_id'].n_unique()} tracks to {out}")


@plainly
def simulate(
    scenario: Annotated[str, typer.Argument(help="Name of a scenario, or the path of its TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder for detections, truth, site.")] = Path("simulated"),
    seed: Annotated[int | None, typer.Option(help="Seed, instead of the scenario's own.")] = None,
    wire: Annotated[bool, typer.Option("--wire", help="Also the bytes that receivers and radars would send.")] = False,
) -> None:
    """Write a scenario's detections and truth as files, as fast as possible."""
    from lapwing_lab.importing import write as write_arrays
    from lapwing_lab.literature import draw
    from lapwing_lab.scenario import load, read_table
    from lapwing_lab.simulate import record
    from lapwing_lab.simulate import simulate as write

    table = read_table(scenario)
    if "arrays" in table:
        write_arrays(out, table["name"], *draw(table["arrays"], table["seed"] if seed is None else seed))
        typer.echo(f"{out}: detections, truth, site, settings")
        return
    with bar() as say:
        counts = write(load(scenario, seed), out, lambda share: say("simulating", share))
        if wire:
            record(load(scenario, seed), out / "recorded", lambda share: say("recording", share))
    typer.echo(f"{out}: {counts['scans']} scans, {counts['detections']} rows, {counts['truth']} rows of truth")


@plainly
def run(
    scenarios: Annotated[list[str], typer.Argument(help="Scenarios; 'all' for every one.")],
    runs: Annotated[int, typer.Option(min=1, help="Runs each, with seeds from the first on.")] = 1,
    seed: Annotated[int | None, typer.Option(help="The first seed; else the scenario's own.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Keep the last run's files here, and the scores of all (scores.json).")
    ] = None,
    picture: Annotated[bool, typer.Option(help="Also run the whole product over the recorded bytes.")] = True,
    expected: Annotated[Path | None, typer.Option(help="Write the mean scores as CSV into this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All numbers as JSON.")] = False,
) -> None:
    """Run scenarios headless, score Lapwing and the naive tracker, compare with the pass marks (exit 1 if not met)."""
    from lapwing_lab import run as runner
    from lapwing_lab.scenario import folder, read_table

    names = [p.stem for p in sorted(folder().glob("*.toml"))] if scenarios == ["all"] else scenarios
    met, told = True, dict[str, Any]()
    for name in names:
        table = read_table(name)
        first = table["seed"] if seed is None else seed
        with bar() as say:
            results = [_one(runner, name, first + k, (out, picture), say) for k in range(runs)]
        found = [mark for r in results for mark in runner.marks(table, r.numbers(), picture)]
        met &= all(good for *_, good in found)
        over_all = runner.together(results)
        told[name] = {
            "runs": [{"seed": r.seed, "trackers": r.rows, "picture": r.picture} for r in results],
            "together": {who: {k: v._asdict() for k, v in scores.items()} for who, scores in over_all.items()},
        }
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / "scores.json").write_text(json.dumps({"scenario": name, **told[name]}), encoding="utf-8")
        if not as_json:
            typer.echo(shown(name, results, found))
            if runs > 1:
                typer.echo(intervals(over_all))
        if expected is not None:
            expected.mkdir(parents=True, exist_ok=True)
            (expected / f"{Path(name).stem}.csv").write_text(runner.expected(results), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(told))
    raise typer.Exit(0 if met else 1)


def _one(runner: Any, name: str, seed: int, how: tuple[Path | None, bool], say: Callable[[str, float], None]) -> Any:
    return runner.run(name, seed, *how, lambda what, share: say(f"{name} seed {seed}: {what}", share))


@plainly
def report(
    folder: Annotated[Path, typer.Argument(help="A folder that `run --out` left.")],
    out: Annotated[Path | None, typer.Option(help="The page; else report.html in the folder.")] = None,
    title: Annotated[str, typer.Option(help="Its title.")] = "",
) -> None:
    """Write a self-contained HTML page on one run: tracks over truth, GOSPA over time, ROC, reliability."""
    from lapwing_lab.report import report as page

    path = out or folder / "report.html"
    path.write_text(page(folder, title), encoding="utf-8")
    typer.echo(str(path))


def shown(name: str, results: list[Any], found: list[tuple[str, float, float, bool]]) -> str:
    """A few lines on the runs of a scenario."""
    lines = [name]
    for tracker in ("lapwing", "naive", "pmbm"):
        rows = [r.rows[tracker] for r in results if tracker in r.rows]
        if rows:
            mean = {k: sum(r[k] for r in rows) / len(rows) for k in rows[0]}
            text = f"  {tracker:8s} GOSPA {mean['gospa']:9.2f} = loc {mean['localisation']:.2f}, missed "
            text += f"{mean['missed_count']:.2f}, false {mean['false_count']:.2f} each; complete "
            text += f"{mean['completeness']:.3f}, switches {mean['id_switches']:.1f}, NEES {mean['nees']:.2f}"
            lines.append(text)
    for r in results:
        if r.picture:
            lines.append(f"  picture  seed {r.seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in r.picture.items()))
    lines += [f"  {'met   ' if good else 'NOT MET'} {mark} {want:g}: {have:.4g}" for mark, want, have, good in found]
    return "\n".join(lines)


def intervals(together: dict[str, dict[str, Any]]) -> str:
    """Every score over several runs with its 95 % interval."""
    lines = ["  over all runs, with 95 % intervals"]
    for who, scores in together.items():
        lines += [f"    {who:8s} {score:22s} {found.text()}  ({found.samples})" for score, found in scores.items()]
    return "\n".join(lines)


@contextmanager
def bar() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on standard error that says what is being done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda what, share: progress.update(task, description=what, completed=share)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(name="import")(import_)
    for command in (simulate, score, baseline, run, report):
        app.command()(command)
