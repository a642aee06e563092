"""Commands for the desk: test the alarm outputs. Registered, and their failures told, by cli.py."""

from pathlib import Path
from typing import Annotated

import typer

from lapwing.serve.plainly import Trouble


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
