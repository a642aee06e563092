"""Commands that look back: hand-over, search, statistics. Registered, and their failures told, by cli.py.

They read a journal's folder; the site may be running meanwhile (what is younger than half a minute is then missing).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lapwing.records import Site
from lapwing.serve.plainly import Trouble

if TYPE_CHECKING:
    from polars import DataFrame, LazyFrame

    from lapwing.engine.presence import Presence

HOURS_MAX = 7 * 24.0
YEAR_DAYS = 366
SourceArgument = Annotated[Path, typer.Argument(metavar="SITE_OR_JOURNAL", help="A site file, or a journal folder.")]
FromOption = Annotated[str, typer.Option("--from", help="From this time on (ISO 8601, UTC unless it says otherwise).")]
ToOption = Annotated[str, typer.Option("--to", help="Up to this time; without it, the newest picture.")]


@dataclass(frozen=True, slots=True)
class Past:
    """A journal to look back into."""

    folder: Path
    site: Site
    extent: tuple[int, int]  # times of the first and the last picture that can be replayed

    @property
    def newest_ns(self) -> int:
        """Of the last picture."""
        return self.extent[1]


def journal_of(source: Path) -> Path:
    """The journal's folder, from itself or from the site file that names it. Raises SiteError."""
    from lapwing.serve.site import load

    return source if source.is_dir() else source.resolve().parent / load(source)[0].journal.folder


def withholds(source: Path) -> bool:
    """Whether the site file, or the one kept with a journal, wants who flies left out of what is handed on. Raises
    SiteError, JournalError."""
    from lapwing.engine.journal import Journal
    from lapwing.serve.site import load, parse

    if not source.is_dir():
        return load(source)[0].privacy.withhold
    if not (source / "journal.sqlite").exists():  # a history alone knows no site
        return False
    with Journal(source, write=False) as journal:
        text = journal.meta("site")
    return text is not None and parse(text, f"the site file kept in {source}").privacy.withhold


def past_of(source: Path) -> Past:
    """What a command looks back into. Raises SiteError, JournalError, Trouble."""
    from lapwing.engine.journal import Journal
    from lapwing.serve.site import parse

    folder = journal_of(source)
    with Journal(folder, write=False) as journal:
        text, extent = journal.meta("site"), journal.extent_ns()
    if text is None or extent is None:
        raise Trouble(f"the journal in {folder} holds no picture yet")
    return Past(folder, parse(text, f"the site file kept in {folder}").site(folder), extent)


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


@dataclass(frozen=True, slots=True)
class Stores:
    """The history on the disk, as a search wants it."""

    past: Past
    extent: tuple[int, int] | None

    def presence(self) -> "Presence":
        """The index."""
        from lapwing.engine.presence import Presence
        from lapwing.serve.shelf import presence_folder

        return Presence(presence_folder(self.past.folder), self.past.site.origin)

    def rows(self, since_ns: int, until_ns: int) -> "LazyFrame":
        """The paths."""
        from lapwing.engine.history import History
        from lapwing.serve.shelf import history_folder

        return History(history_folder(self.past.folder), self.past.site.origin).rows(since_ns, until_ns)

    def alarms(self, since_ns: int, until_ns: int) -> "DataFrame":
        """Alarms that were raised."""
        from lapwing.engine.alarm_history import AlarmHistory
        from lapwing.serve.shelf import alarms_folder

        return AlarmHistory(alarms_folder(self.past.folder), self.past.site.origin).query(since_ns, until_ns)

    def extent_ns(self) -> tuple[int, int] | None:
        """What can be replayed."""
        return self.extent


def search(
    source: SourceArgument,
    identity: Annotated[str, typer.Argument(help="T7, ICAO address, MMSI, or part of a name; without it, all.")] = "",
    from_: FromOption = "",
    to: ToOption = "",
    who: Annotated[str, typer.Option(help="track, aircraft, ship or remote_id.")] = "",
    kind: Annotated[str, typer.Option(help="Of tracks: multirotor, bird, aircraft, ... (docs/history.md)")] = "",
    zone: Annotated[str, typer.Option(help="Who was in this zone of the site.")] = "",
    box: Annotated[str, typer.Option(help="Who was in here: SOUTH,WEST,NORTH,EAST in degrees.")] = "",
    after: Annotated[int, typer.Option(help="Leave out so many of the newest.")] = 0,
    limit: Annotated[int, typer.Option(help="How many at most, up to 100.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Who was there: by time (the last 24 hours), identity, kind and area, the newest first."""
    from lapwing.serve import searching
    from lapwing.serve.handover_paper import printable

    past = past_of(source)
    since, until = period(past, from_, to, 86_400.0)
    question = searching.Question(since, until, identity, who, kind, zone, box, after, limit)
    try:
        told = searching.search(Stores(past, past.extent), past.site, question, YEAR_DAYS)
    except searching.BadQuestion as error:
        raise Trouble(str(error)) from None
    if as_json:
        typer.echo(json.dumps(told))
        return
    for row in told["visits"]:
        typer.echo(printable(searching.line(row)))
    more = "" if told["next"] is None else f"; more with --after {told['next']}"
    part = "" if told["complete"] else "; there are too many: the oldest were not looked at"
    maybe = " that may have been there" if zone or box else ""
    typer.echo(f"{len(told['visits'])} shown of {told['found']}{maybe}{more}{part}")


def stats(
    source: SourceArgument,
    days: Annotated[float, typer.Option(min=0.01, max=YEAR_DAYS, help="How many days back.")] = 7.0,
    from_: FromOption = "",
    to: ToOption = "",
    tz: Annotated[str, typer.Option(help="Hours and weekdays of this time zone, like Europe/Oslo.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with the heat map.")] = False,
) -> None:
    """How much there was: by hour and weekday, who comes again, feeds' uptime, alarm load beside its targets."""
    from lapwing.serve import statistics
    from lapwing.serve.acts import ActError, acts_file
    from lapwing.serve.handover_paper import printable
    from lapwing.serve.searching import BadQuestion

    past = past_of(source)
    span = period(past, from_, to, days * 86_400.0)
    try:
        told = statistics.stats(Stores(past, past.extent), acts_file(past.folder), span, tz, YEAR_DAYS)
    except (BadQuestion, ActError) as error:
        raise Trouble(str(error)) from None
    typer.echo(json.dumps(told) if as_json else printable(statistics.text(told)))


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
    from lapwing.serve import handover_paper
    from lapwing.serve.acts import ActError, acts_file
    from lapwing.serve.handover import handover as made
    from lapwing.serve.handover import shift

    if note or by:
        typer.echo(_leave(source, by, note, port), err=True)
    past = past_of(source)
    since, until = period(past, from_, to, hours * 3600.0)
    try:
        told = made(shift(Stores(past, past.extent), past.site, (since, until), acts_file(past.folder)))
    except ActError as error:
        raise Trouble(str(error)) from None
    if html is not None:
        html.write_text(handover_paper.page(told), encoding="utf-8")
        typer.echo(f"{html}: written")
    else:
        typer.echo(json.dumps(told) if as_json else handover_paper.text(told).rstrip())


def _leave(source: Path, by: str, note: str, port: int | None) -> str:
    """Give a note to the running site. Raises SiteError, Trouble."""
    from lapwing.serve.cli_users import key_for
    from lapwing.serve.ordering import OrderError, address, ask
    from lapwing.serve.site import load

    if not by.strip() or not note.strip():
        raise Trouble("a note is words and a name: --note WORDS --by NAME")
    if source.is_dir():
        raise Trouble("a note is given to a running site: name its site file")
    entry, _ = load(source)
    web = entry.web
    url = address(web.host, web.port if port is None else port, "/v1/handover")
    refused = "the site takes no notes: [web] acts does not allow people to act there"
    try:
        act = ask(url, json.dumps({"name": by, "note": note}).encode(), refused, key_for(source, entry))
    except OrderError as error:
        raise Trouble(str(error)) from None
    return f"kept as act {act['act']}"
