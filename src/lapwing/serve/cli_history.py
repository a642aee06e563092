"""Commands that look back: the hand-over of a shift. Registered, and their failures told, by cli.py.

They read a journal's folder; the site may be running meanwhile (what is younger than half a minute is then missing).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from lapwing.records import Site
from lapwing.serve.plainly import Trouble

HOURS_MAX = 7 * 24.0
SourceArgument = Annotated[Path, typer.Argument(metavar="SITE_OR_JOURNAL", help="A site file, or a journal folder.")]
FromOption = Annotated[str, typer.Option("--from", help="From this time on (ISO 8601, UTC unless it says otherwise).")]
ToOption = Annotated[str, typer.Option("--to", help="Up to this time; without it, the newest picture.")]


@dataclass(frozen=True, slots=True)
class Past:
    """A journal to look back into."""

    folder: Path
    site: Site
    newest_ns: int  # time of its last picture


def journal_of(source: Path) -> Path:
    """The journal's folder, from itself or from the site file that names it. Raises SiteError."""
    from lapwing.serve.site import load

    return source if source.is_dir() else source.resolve().parent / load(source)[0].journal.folder


def past_of(source: Path) -> Past:
    """What a command looks back into. Raises SiteError, JournalError, Trouble."""
    from lapwing.engine.journal import Journal
    from lapwing.serve.site import parse

    folder = journal_of(source)
    with Journal(folder, write=False) as journal:
        text, extent = journal.meta("site"), journal.extent_ns()
    if text is None or extent is None:
        raise Trouble(f"the journal in {folder} holds no picture yet")
    return Past(folder, parse(text, f"the site file kept in {folder}").site(folder), extent[1])


def period(past: Past, from_: str, to: str, seconds: float) -> tuple[int, int]:
    """since_ns, until_ns; without a beginning, `seconds` before the end. Raises Trouble."""
    from lapwing.serve.export import ExportError, instant

    try:
        until = instant(to) if to else past.newest_ns + 1
        since = instant(from_) if from_ else max(until - round(seconds * 1e9), 0)
    except ExportError as error:
        raise Trouble(str(error)) from None
    if since < 0 or since >= until:
        raise Trouble("the time must end after it begins")
    return since, until


def handover(
    source: SourceArgument,
    hours: Annotated[float, typer.Option(min=0.1, max=HOURS_MAX, help="How long the shift was.")] = 8.0,
    from_: FromOption = "",
    to: ToOption = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page to print into this file instead.")] = None,
    note: Annotated[str, typer.Option(help="Leave these words for the next officer first; needs --by.")] = "",
    by: Annotated[str, typer.Option(help="Your name; it is written down.")] = "",
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of the picture, for --note.")] = None,
) -> None:
    """What the next officer must know: alarms and who did what, what still stands, sensors lost, interference, load.

    A note is given to the site that is running on this machine (the site file must be named), and kept as an act.
    """
    from lapwing.engine.alarm_history import AlarmHistory
    from lapwing.serve import handover_paper
    from lapwing.serve.acts import ActError, acts_file
    from lapwing.serve.handover import LOOK_BACK_NS, shift
    from lapwing.serve.handover import handover as made
    from lapwing.serve.shelf import alarms_folder

    if note or by:
        typer.echo(_leave(source, by, note, port), err=True)
    past = past_of(source)
    since, until = period(past, from_, to, hours * 3600.0)
    alarms = AlarmHistory(alarms_folder(past.folder), past.site.origin)
    try:
        told = made(
            shift(past.site, (since, until), alarms.query(max(since - LOOK_BACK_NS, 0), until), acts_file(past.folder))
        )
    except ActError as error:
        raise Trouble(str(error)) from None
    if html is not None:
        html.write_text(handover_paper.page(told), encoding="utf-8")
        typer.echo(f"{html}: written")
    else:
        typer.echo(json.dumps(told) if as_json else handover_paper.text(told).rstrip())


def _leave(source: Path, by: str, note: str, port: int | None) -> str:
    """Give a note to the running site. Raises SiteError, Trouble."""
    from lapwing.serve.ordering import OrderError, address, ask
    from lapwing.serve.site import load

    if not by.strip() or not note.strip():
        raise Trouble("a note is words and a name: --note WORDS --by NAME")
    if source.is_dir():
        raise Trouble("a note is given to a running site: name its site file")
    web = load(source)[0].web
    url = address(web.host, web.port if port is None else port, "/v1/handover")
    refused = "the site takes no notes: [web] acts does not allow people to act there"
    try:
        act = ask(url, json.dumps({"name": by, "note": note}).encode(), refused)
    except OrderError as error:
        raise Trouble(str(error)) from None
    return f"kept as act {act['act']}"
