"""The command line of the examiner."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from lapwing_lab import cli_files
from lapwing_lab.play import play as run_play
from lapwing_lab.scenario import ScenarioError, folder, load

app = typer.Typer(
    name="lapwing-lab",
    help="The examiner: simulated worlds whose sensors speak the real wire formats. For testing trackers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def play(
    scenario: Annotated[str, typer.Argument(help="Name of a scenario, or the path of its TOML file.")],
    site: Annotated[Path, typer.Option(help="Where to write the site file that fits the simulated sensors.")] = Path(
        "site.toml"
    ),
    seed: Annotated[int | None, typer.Option(help="Seed, instead of the scenario's own.")] = None,
    radar_port: Annotated[
        int, typer.Option(help="UDP port that will listen for the first radar; 0 picks a free one.")
    ] = 0,
    for_: Annotated[float | None, typer.Option("--for", help="Seconds to play; for ever if not given.")] = None,
) -> None:
    """Play a scenario in real time over loopback and print its truth as JSON lines."""
    try:
        world = load(scenario, seed)
    except ScenarioError as error:
        typer.echo(f"lapwing-lab: {error}", err=True)
        raise typer.Exit(2) from None
    try:
        asyncio.run(run_play(world, site, radar_port, for_))
    except (KeyboardInterrupt, BrokenPipeError):
        raise typer.Exit(0) from None


@app.command()
def scenarios() -> None:
    """List the scenarios."""
    for path in sorted(folder().glob("*.toml")):
        typer.echo(path.stem)


cli_files.add_to(app)


def main() -> None:
    """Entry point of the `lapwing-lab` command."""
    app()


if __name__ == "__main__":
    main()
