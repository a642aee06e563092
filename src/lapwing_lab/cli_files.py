"""Commands of the examiner that work on files."""

import json
from collections.abc import Callable
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


@plainly
def import_(
    file: Annotated[Path, typer.Argument(help="Benchmark arrays (.npz).")],
    out: Annotated[Path, typer.Option(help="Folder for detections, truth, site and settings.")] = Path("imported"),
    run: Annotated[int, typer.Option(help="Which Monte Carlo run, where the arrays hold several.")] = 1,
) -> None:
    """Turn benchmark arrays into files that any tracker can read."""
    from lapwing_lab.importing import convert

    known = convert(file, out, run)
    typer.echo(f"{out}: detections, truth, site, settings; p_detect {known.p_detect}, {known.clutter_per_scan} clutter")


@plainly
def score(
    tracks: Annotated[Path, typer.Argument(help="Tracks (Parquet).")],
    truth: Annotated[Path, typer.Argument(help="Truth (Parquet).")],
    cutoff_m: Annotated[
        float | None, typer.Option(help="Cut-off of GOSPA; else score.toml's beside the truth.")
    ] = None,
    existence: Annotated[float | None, typer.Option(help="Tracks below this existence are not taken.")] = None,
    dims: Annotated[int | None, typer.Option(min=2, max=3, help="2: horizontal, 3: with height.")] = None,
    skip_s: Annotated[float | None, typer.Option(help="Start-up that is not scored.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All scores as JSON.")] = False,
) -> None:
    """Score tracks against truth: GOSPA with its parts, T-GOSPA, OSPA(2), SIAP and MOTA-like counts, consistency."""
    from lapwing_lab import files
    from lapwing_lab.examine import examine, measure

    given = {"cutoff_m": cutoff_m, "existence_min": existence, "dims": dims, "skip_s": skip_s}
    how = replace(measure(truth), **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    found = examine(files.read(tracks, "tracks"), files.read(truth, "truth"), how)
    typer.echo(json.dumps(found.as_dict()) if as_json else text(found, how.cutoff_m))


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
    lines.append(f"  NEES       {n.mean:10.3f}  of {n.dof} ({honest}; 95 % within {n.low:.3f}..{n.high:.3f})")
    lines.append(f"  existence  Brier {e.brier:.4f}  reliability {e.reliability:.4f}")
    return "\n".join(lines)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(name="import")(import_)
    app.command()(score)
