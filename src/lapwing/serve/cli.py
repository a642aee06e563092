"""The command line. Every command explains itself with --help; every mistake is one sentence and a non-zero exit."""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # one BLAS thread: same journal, same picture

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lapwing.serve import cli_desk, cli_history, cli_users
from lapwing.serve.plainly import Trouble, plainly, seconds

app = typer.Typer(
    name="lapwing",
    help="An open protective air picture: tracks what is there, checks what claims to be there, warns when the two "
    "disagree. It only watches and warns.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ForOption = Annotated[
    str | None, typer.Option("--for", metavar="TIME", help="Stop by itself after this long: 90s, 15m or 2h.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the closing summary as JSON on standard output.")]
PortOption = Annotated[
    int | None, typer.Option("--port", min=0, max=65_535, help="Port of the picture; 0 takes a free one.")
]
WithholdOption = Annotated[
    bool | None,
    typer.Option(
        "--withhold/--tell-all",
        help="Leave out who flies a drone and from where (places of people, serial numbers); without it, as the site "
        "file's [privacy] withhold says.",
    ),
]


def _logging(verbose: bool, as_json: bool = False) -> None:
    from lapwing.serve.logs import set_up

    set_up(verbose, as_json)


@app.command()
@plainly
def run(
    site: Annotated[Path, typer.Argument(help="The site file (TOML): where you are, feeds, sensors, zones.")],
    for_: ForOption = None,
    port: PortOption = None,
    journal: Annotated[Path | None, typer.Option(help="Journal folder, instead of the site file's.")] = None,
    exit_: Annotated[bool, typer.Option("--exit", help="Stop when all recordings have been played.")] = False,
    as_json: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log one JSON object a line.")] = False,
) -> None:
    """Run a real site: listen to its feeds, keep the journal, serve the live picture.

    Feeds that are recordings (from = "file:...") run on the recording's own clock, at their `speed` (0 = as fast as
    possible). Stop with Ctrl-C; nothing that was received is lost, and the next start goes on where this one ended.
    """
    from lapwing.serve.operate import Wish
    from lapwing.serve.site import SiteError, SiteFile, load
    from lapwing.serve.site_words import missing
    from lapwing.serve.staying import stay
    from lapwing.serve.warming import warm_up

    _logging(verbose, log_json)
    if lacking := missing(*load(site), site.parent):  # mistakes are told before anything is compiled
        raise SiteError(str(site), lacking)
    warm_up()
    beside, for_s = site.resolve().parent, seconds(for_)

    def wish(entry: SiteFile) -> Wish:
        return Wish(journal or (beside / entry.journal.folder), port, for_s, exit_, beside)

    summary = stay(site, wish)
    typer.echo(json.dumps(summary.as_dict()) if as_json else summary.text())


@app.command()
@plainly
def demo(
    for_: ForOption = None,
    port: PortOption = None,
    scenario: Annotated[str, typer.Option(help="A scenario of the lab.")] = "demo-border",
    seed: Annotated[int, typer.Option(help="Seed of the simulated world.")] = 1,
    journal: Annotated[
        Path | None, typer.Option(help="Keep the journal here; without it a temporary folder is used.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the picture in a browser where there is a screen.")] = True,
    as_json: JsonOption = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    """A simulated border, live: air and sea traffic, five small drones, a zone, and a jammer after a minute.

    The simulator is its own process and sends what real sensors would (Beast, AIS, ASTERIX) over loopback. At the
    end one screen says what was held, warned of and found, measured against the simulator's truth.
    """
    from lapwing.serve.demo import demo as run_demo

    _logging(verbose)
    summary = run_demo(scenario, seed, port, seconds(for_), journal, browser)
    typer.echo(json.dumps(summary.as_dict()) if as_json else summary.text())


@app.command()
@plainly
def check(site: Annotated[Path, typer.Argument(help="The site file (TOML).")]) -> None:
    """Read a site file, explain every mistake (which key, what was found, what is allowed), and say what it will do."""
    from lapwing.serve.site import SiteError, load
    from lapwing.serve.site_words import missing, words

    entry, frozen = load(site)
    if lacking := missing(entry, frozen, site.parent):
        raise SiteError(str(site), lacking)
    typer.echo(
        f"{site}: good. {entry.name!r}: feeds {len(frozen.feeds)}, sensors {len(frozen.sensors)}, "
        f"zones {len(frozen.zones)}, outputs {len(entry.output)}."
    )
    for line in words(entry, frozen):
        typer.echo(f"  {line}")


@app.command()
@plainly
def feeds(
    kind: Annotated[str, typer.Argument(help="One decoder or kind of output; without it, all.")] = "",
) -> None:
    """List what can be plugged in, feeds and outputs, each with an example for the site file."""
    from lapwing.serve.catalogue import DECODERS, OUTPUTS, listing

    if kind and kind not in {*DECODERS, *OUTPUTS}:
        raise Trouble(f"{kind!r} is no decoder and no kind of output; there are {', '.join({**DECODERS, **OUTPUTS})}")
    typer.echo(listing(kind).rstrip())


@app.command()
@plainly
def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A journal folder.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare every picture with the digest recorded when it was live.")
    ] = False,
) -> None:
    """Run a journal again. With --verify, prove that it gives the same pictures bit for bit (exit 1 if not)."""
    from lapwing.serve.replaying import replay_folder

    result, text = replay_folder(folder, compare=verify)
    typer.echo(text)
    if not result:
        raise typer.Exit(1)


@app.command()
@plainly
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A journal folder.")],
    out: Annotated[
        Path,
        typer.Argument(
            help="The file to write: .geojson .kml .csv .gpx .czml .mfjson .parquet, .courageous.json or .ocsf.jsonl"
        ),
    ],
    since: Annotated[
        str, typer.Option(help="From this time on (ISO 8601, UTC unless it says otherwise).")
    ] = "1970-01-01",
    until: Annotated[str, typer.Option(help="Up to this time.")] = "2200-01-01",
    withhold: WithholdOption = None,
) -> None:
    """Write the history of a journal for other tools: paths of all tracks and claims, once a second.

    NAME.courageous.json is the format of CWA 18150 trials, NAME.ocsf.jsonl events of drones for a SIEM (OCSF class
    8001); both run the journal again, for its classes and alarms.
    """
    from lapwing.engine.history import History
    from lapwing.records import Position
    from lapwing.serve import export_courageous, export_ocsf
    from lapwing.serve.export import ExportError, instant
    from lapwing.serve.export import export as write
    from lapwing.serve.export_withheld import without_identities
    from lapwing.serve.shelf import history_folder

    discreet = cli_history.withholds(folder) if withhold is None else withhold
    try:
        if out.name.endswith(export_courageous.SUFFIX):
            records = export_courageous.export(folder, out, instant(since), instant(until), withhold=discreet)
            typer.echo(f"{out}: {records} records")
            return
        if out.name.endswith(export_ocsf.SUFFIX):
            events = export_ocsf.export(folder, out, instant(since), instant(until), withhold=discreet)
            typer.echo(f"{out}: {events} events")
            return
        history, span = History(history_folder(folder), Position(0.0, 0.0, 0.0)), (instant(since), instant(until))
        rows = write(history, out, *span, without_identities(folder) if discreet else None)
    except ExportError as error:
        raise Trouble(str(error)) from None
    typer.echo(f"{out}: {rows} positions")


@app.command()
@plainly
def evidence(
    source: Annotated[Path, typer.Argument(metavar="SITE_OR_JOURNAL", help="A site file, or a journal folder.")],
    out: Annotated[Path, typer.Argument(help="The ZIP to write; one that is there is never overwritten.")],
    since: Annotated[str, typer.Option(help="From this time on (ISO 8601, UTC unless it says otherwise).")],
    until: Annotated[str, typer.Option(help="Up to this time.")],
    key: Annotated[
        Path | None, typer.Option(help="The signing key, made on first use; without it the one of your configuration.")
    ] = None,
    withhold: WithholdOption = None,
) -> None:
    """Freeze an interval of a journal into a signed ZIP: raw bytes, site file, alarms, what people did, a report.

    Anybody can check it with `lapwing verify`, who also runs it again to the same pictures.
    """
    from lapwing.serve.evidence import EvidenceError, Order, freeze
    from lapwing.serve.evidence_keys import KeyTrouble, default_path
    from lapwing.serve.evidence_zip import ZipError
    from lapwing.serve.export import ExportError, instant

    try:
        discreet = cli_history.withholds(source) if withhold is None else withhold
        span = (instant(since), instant(until))
        order = Order(cli_history.journal_of(source), *span, key or default_path(), discreet)
        typer.echo("\n".join(freeze(order, out)))
    except (EvidenceError, KeyTrouble, ZipError, ExportError) as error:
        raise Trouble(str(error)) from None


@app.command()
@plainly
def hold(
    source: Annotated[Path, typer.Argument(metavar="SITE_OR_JOURNAL", help="A site file, or a journal folder.")],
    since: Annotated[str, typer.Option(help="From this time on (ISO 8601, UTC unless it says otherwise).")] = "",
    until: Annotated[str, typer.Option(help="Up to this time.")] = "",
    by: Annotated[str, typer.Option(help="Who lays or lifts it.")] = "",
    why: Annotated[str, typer.Option(help="For what reason.")] = "",
    lift: Annotated[int, typer.Option(help="Lift the hold of this number instead.")] = 0,
) -> None:
    """Lay a hold on a time: nothing of it is removed, however old it gets. Without a time, list the holds."""
    from lapwing.serve import holds
    from lapwing.serve.clock import SystemClock
    from lapwing.serve.export import ExportError, instant

    folder, now_ns = cli_history.journal_of(source), SystemClock().now_ns()
    try:
        if lift:
            typer.echo(holds.lift(folder, lift, by, why, now_ns))
        elif since or until:
            typer.echo(holds.lay(folder, (instant(since), instant(until)), by, why, now_ns))
        else:
            typer.echo(holds.listed(folder))
    except (holds.HoldError, ExportError) as error:
        raise Trouble(str(error)) from None


@app.command()
@plainly
def verify(
    file: Annotated[Path, typer.Argument(help="An evidence ZIP.")],
    key: Annotated[
        str | None, typer.Option(metavar="PUBLIC", help="The key that must have signed it: fingerprint, or PEM file.")
    ] = None,
    original: Annotated[
        Path | None,
        typer.Option(metavar="SITE_OR_JOURNAL", help="Match what was left out with the journal it was made from."),
    ] = None,
    secret: Annotated[
        Path | None, typer.Option(help="For that, the signing key, if it is not yours by default.")
    ] = None,
) -> None:
    """Check evidence: that nothing was changed, who signed it, and that its raw bytes give its pictures and report.

    Says in one sentence what holds, or what was changed and where (exit 1).
    """
    from lapwing.serve.evidence import EvidenceError
    from lapwing.serve.evidence_keys import KeyTrouble, default_path, expected_fingerprint
    from lapwing.serve.evidence_verify import match, verify_file
    from lapwing.serve.logs import printable

    try:
        verdict = verify_file(file, expected_fingerprint(key) if key else None)
        typer.echo(verdict.sentence())
        if original is not None:
            typer.echo(match(file, verdict, cli_history.journal_of(original), secret or default_path()))
    except KeyTrouble as error:
        raise Trouble(str(error)) from None
    except EvidenceError as error:
        typer.echo(f"DOES NOT HOLD: {printable(str(error))}", err=True)
        raise typer.Exit(1) from None


@app.command()
@plainly
def task(
    site: Annotated[Path, typer.Argument(help="The site file of the site that is running on this machine.")],
    node: Annotated[str, typer.Argument(help="The SAPIENT node: its name or node_id.")],
    kind: Annotated[str, typer.Argument(help="request, mode_change, look_at, ... (docs/sensors.md)")],
    value: Annotated[str, typer.Argument(help="Of the task: Status, low, the mode, the type of region.")] = "",
    by: Annotated[str, typer.Option(help="Your name; it is written down.")] = "",
    feed: Annotated[str, typer.Option(help="The feed of the node, where the site has more than one.")] = "",
    azimuth: Annotated[float | None, typer.Option(help="Where to look: degrees from true north.")] = None,
    elevation: Annotated[float | None, typer.Option(help="And above the horizon.")] = None,
    corners: Annotated[str, typer.Option(help="Of a region: LATITUDE,LONGITUDE, three or more, with spaces.")] = "",
    port: PortOption = None,
) -> None:
    """Order something of a SAPIENT sensor: only what it advertised, and only what is about watching.

    The order is written down with your name; the sensor's answer is awaited for ten seconds and printed.
    """
    from lapwing.serve.ordering import OrderError, give
    from lapwing.serve.site import load

    entry, frozen = load(site)
    wanted: dict[str, Any] = {"feed": feed, "node": node, "task": kind, "value": value, "name": by}
    wanted |= {"azimuth_deg": azimuth, "elevation_deg": elevation, "corners": corners}
    try:
        at = (entry.web.host, entry.web.port if port is None else port)
        typer.echo(give(*at, frozen, wanted, cli_users.key_for(site, entry)))
    except OrderError as error:
        raise Trouble(str(error)) from None


@app.command(name="track")
@plainly
def track_(
    detections: Annotated[Path, typer.Argument(help="Detections (Parquet, docs/files.md).")],
    site: Annotated[Path, typer.Option(help="The site file that knows the sensors; it needs no feeds.")],
    out: Annotated[Path, typer.Option(help="Where the tracks go (Parquet).")] = Path("tracks.parquet"),
    settings: Annotated[Path | None, typer.Option(help="Tracker settings (TOML) instead of the defaults.")] = None,
    innovations: Annotated[Path | None, typer.Option(help="Which detection went to which track, and its NIS.")] = None,
) -> None:
    """Track a file of detections, scan by scan and as fast as possible; any other tracker can read the same file."""
    from lapwing.serve.tracking import track_file

    typer.echo(track_file(detections, site, out, settings, innovations))


@app.command()
@plainly
def survey(
    inputs: Annotated[list[Path], typer.Argument(help="Archives: files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The folder for the results; a killed survey goes on in it.")],
    no_ships: Annotated[Path | None, typer.Option(help="GeoJSON with polygons in which no ship can be.")] = None,
) -> None:
    """Look through archives for GNSS interference: events, sources, affected aircraft and ships, a map.

    Reads readsb traces (also in .tar), OpenSky and AIS tables (CSV, Parquet), Beast, AVR and NMEA recordings. Files
    that cannot be read are named with the reason, and the rest goes on.
    """
    from lapwing.serve.survey import survey as look

    typer.echo(look(inputs, out, no_ships))


@app.command()
@plainly
def warm() -> None:
    """Compile the kernels now, so that the first start is quick."""
    from lapwing.serve.warming import warm_up

    typer.echo(f"compiled in {warm_up():.1f} s")


app.command(name="alarm-test")(plainly(cli_desk.alarm_test))
app.add_typer(cli_users.users, name="users")
app.add_typer(cli_desk.basemap, name="basemap")
app.command()(plainly(cli_history.handover))
app.command()(plainly(cli_history.search))
app.command()(plainly(cli_history.stats))


@app.command()
def version() -> None:
    """Print the version."""
    from lapwing import __version__

    typer.echo(__version__)


def main() -> None:
    """Entry point of the `lapwing` command."""
    app()
