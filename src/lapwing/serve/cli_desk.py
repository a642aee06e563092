"""Commands for the desk: test the alarm outputs, add a plan. Registered, and their failures told, by cli.py."""

from pathlib import Path
from typing import Annotated

import typer

from lapwing.serve.plainly import Trouble, plainly

basemap = typer.Typer(no_args_is_help=True, help="Maps of the site's own, shown over the base map.")


def alarm_test(
    site: Annotated[Path, typer.Argument(help="The site file of the site that is running on this machine.")],
    by: Annotated[str, typer.Option(help="Your name; it is written down.")] = "",
    note: Annotated[str, typer.Option(help="Told with the test.")] = "",
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of the picture.")] = None,
) -> None:
    """Send a test through every alarm output of a running site, marked as a test, and say what became of it.

    It is written down with your name. It is no alarm: it is in no picture and no count. Exit 1 when an output did not
    take it within ten seconds.
    """
    from lapwing.serve.alarm_testing import ring
    from lapwing.serve.cli_users import key_for
    from lapwing.serve.ordering import OrderError
    from lapwing.serve.site import load

    entry, _ = load(site)
    try:
        at = (entry.web.host, entry.web.port if port is None else port)
        good, text = ring(*at, by, note, key_for(site, entry))
    except OrderError as error:
        raise Trouble(str(error)) from None
    typer.echo(text)
    if not good:
        raise typer.Exit(1)


@basemap.callback()
def _group() -> None:
    """Maps of the site's own, shown over the base map."""


@basemap.command()
@plainly
def add(
    site: Annotated[Path, typer.Argument(help="The site file, to which a [[plan]] is written.")],
    file: Annotated[Path, typer.Argument(help="A .geojson, .gpkg or .pmtiles file (vector tiles or images).")],
    name: Annotated[str, typer.Option(help="Shown in the legend; without it, the file's name.")] = "",
    credit: Annotated[str, typer.Option(help="Who made it, shown on the map; without it, what the file says.")] = "",
    label: Annotated[str, typer.Option(help="Which property names a feature.")] = "name",
) -> None:
    """Add a plan to a site file: the file is examined, its SHA-256 is written beside its name.

    The file stays where it is; it is served by this site's own page from then on (from the next start), to nobody else.
    Of a GeoPackage (.gpkg), GeoJSON is made, and kept beside the site file; later changes in it need the command again.
    """
    from lapwing.serve.plan_files import PlanFileError
    from lapwing.serve.plan_gpkg import kept
    from lapwing.serve.site import load

    load(site)  # mistakes that are there already are told first
    folder, path, new = site.resolve().parent, file.resolve(), False
    try:
        if path.suffix.lower() == ".gpkg":
            path, new = kept(path, folder)
            typer.echo(f"{path}: GeoJSON of {file.name}")
        _added(site, path, {"name": name or path.stem, "credit": credit, "label": label})
    except PlanFileError as error:
        raise Trouble(str(error)) from None
    except BaseException:
        if new:
            path.unlink()
        raise


def _added(site: Path, path: Path, told: dict[str, str]) -> None:
    """Write a [[plan]] for the file at `path` to the site file. Raises PlanFileError, Trouble, SiteError."""
    from lapwing.serve.site import examined
    from lapwing.serve.site_edit import EditError, with_plan
    from lapwing.serve.site_plans import read
    from lapwing.serve.versions import replace_text

    text, folder = site.read_text(encoding="utf-8"), site.resolve().parent
    content, sha256, _ = read(path)
    shown = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
    entry = {"name": told["name"], "file": shown, "sha256": sha256}
    entry |= {key: told[key] for key in ("credit", "label") if told[key] and told[key] != "name"}
    try:
        made = with_plan(text, entry)
    except EditError as error:
        raise Trouble(str(error)) from None
    examined(made, site)
    replace_text(site, made)
    what = f"{content.features} features" if content.kind == "geojson" else f"{content.kind} tiles"
    typer.echo(f"{site}: plan {entry['name']!r} added: {what}, sha256 {sha256[:16]}...; shown from the next start on")
