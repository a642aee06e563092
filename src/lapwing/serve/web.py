"""The web seat: the page, the JSON and binary API, and the live WebSocket over one immutable picture at a time.

It parses a request, reads one picture from the shelf and serialises columns. It cannot reach the engine. Whoever
opens the page can look; all that it takes are people's acts about alarms (web_acts.py), tests of the alarm
outputs (web_alarm_test.py) and orders to sensors (web_tasks.py). The doors are serve/guard.py and web_login.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import polars as pl
from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException

from lapwing import __version__
from lapwing.engine.presence import Presence
from lapwing.records import Array, Frame, Picture, Position, Site
from lapwing.serve import metrics, web_cells, wire_text
from lapwing.serve.accounts import Accounts
from lapwing.serve.acts import Acts, acts_file
from lapwing.serve.answers import Static, bad_query, json, only_known, refused, unreadable
from lapwing.serve.guard import Guard
from lapwing.serve.links import Links
from lapwing.serve.remote_id import RemoteText
from lapwing.serve.sapient_nodes import NodeBook
from lapwing.serve.sapient_tasks import TaskDesk
from lapwing.serve.site_plans import Plan
from lapwing.serve.takings import Takings
from lapwing.serve.telling import SECOND_NS, Parcel, hello, parcel
from lapwing.serve.timing import Timing
from lapwing.serve.web_acts import ActsDesk, add_acts_routes
from lapwing.serve.web_alarm_test import Ringer, add_alarm_test_routes
from lapwing.serve.web_config import ConfigDesk, add_config_routes
from lapwing.serve.web_coverage import add_coverage_routes
from lapwing.serve.web_gaps import add_gap_routes
from lapwing.serve.web_handover import add_handover_routes
from lapwing.serve.web_history import add_past_routes
from lapwing.serve.web_holds import add_hold_routes
from lapwing.serve.web_links import add_link_routes
from lapwing.serve.web_live import add_live_routes
from lapwing.serve.web_login import Gate, add_login_routes
from lapwing.serve.web_picture import PICTURE_TYPE, add_picture_routes
from lapwing.serve.web_plans import add_plan_routes, told_plans
from lapwing.serve.web_replay import ReplayDesk, add_replay_routes
from lapwing.serve.web_takings import add_taking_routes
from lapwing.serve.web_tasks import add_task_routes
from lapwing.serve.web_why import why

STATIC = Path(__file__).with_name("static")
INT64_MAX = 2**63 - 1
HISTORY_S_MAX = 86_400
HISTORY_S_DEFAULT = 600
CELLS_S_DEFAULT = 10_800
Moment = Annotated[int | None, Query(ge=0, le=INT64_MAX)]
OutputRows = Callable[[], list[dict[str, Any]]]  # health of every output, now


class Shelf(Protocol):
    """Where the web finds pictures, evidence and history. `latest`, `frame` and `history` may be called from any
    thread; `wait` only in the event loop."""

    def latest(self) -> Picture | None:
        """The newest picture, or None before the first."""

    async def wait(self, after_tick: int) -> Picture:
        """The newest picture as soon as its tick is greater than `after_tick`."""

    def frame(self, seq: int) -> Frame | None:
        """A journal entry: the evidence; None when the journal does not hold it."""

    def history(self, since_ns: int, until_ns: int, kind: str, ident: int) -> dict[str, Array]:
        """Columns of one track, claim or alarm in an interval. Raises LookupError when there is none."""

    def cells(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Who was in which cell, ten minutes by ten minutes (engine/cell_history.py)."""

    def beliefs(self, since_ns: int, until_ns: int, track_id: int) -> pl.DataFrame:
        """What was believed of one track (engine/track_history.py)."""

    def feeds_of(self, seqs: Sequence[int]) -> dict[int, str]:
        """Which feed delivered each of these journal entries, of those that are there."""

    def extent_ns(self) -> tuple[int, int] | None:
        """Times of the first and the last picture that can be replayed, or None."""

    def alarms(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Alarms raised in an interval, as they were last seen (engine/alarm_history.py)."""

    def presence(self) -> Presence:
        """Who was there in which hour."""

    def rows(self, since_ns: int, until_ns: int) -> pl.LazyFrame:
        """The paths of everybody in an interval (engine/history.py)."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """How the seat is offered: the address it is bound to, further host names it answers to, and limits."""

    host: str = "127.0.0.1"
    port: int = 8765
    allowed_hosts: tuple[str, ...] = ()
    clients_max: int = 32
    static: Path = STATIC
    accounts: Accounts | None = None  # who may open it; None: everybody who can reach it
    config: ConfigDesk | None = None  # where the site file is changed; None: nowhere
    acts: Acts | None = None  # where people's acts about alarms are kept; None: the page only shows
    ringer: Ringer | None = None  # the alarm outputs, for tests of them; None: nothing can be tested
    nodes: NodeBook | None = None  # the SAPIENT nodes of the site
    tasks: TaskDesk | None = None  # where orders to them are taken; None: nowhere
    journal: Path | None = None  # the folder that replays are made from; None: no replay
    plans: tuple[Plan, ...] = ()  # maps of the site's own
    links: Links | None = None  # to other sites, whose pictures are shown beside this one
    timing: Timing | None = None  # where the time goes; None: it is measured from here on only


class _Desk:
    """What the endpoints share: shelf, site, and the last parcel. Encodes a picture only when somebody listens."""

    def __init__(self, shelf: Shelf, site: Site, options: WebOptions, outputs: OutputRows) -> None:
        self.shelf = shelf
        self.timing = options.timing or Timing()
        self.outputs = outputs
        self.site = site
        self.clients = 0
        self.clients_max = options.clients_max
        self.acts: ActsDesk | None = None
        self._parcel: Parcel | None = None
        self._remote = RemoteText(shelf.feeds_of)
        self.hello = ""

    @property
    def origin(self) -> Position:
        return self.site.origin

    async def prepare(self, picture: Picture) -> None:
        """What the parcel needs of the journal, read in a thread."""
        if self._remote.due(picture):
            await run_in_threadpool(self._remote.text, picture)

    def parcel(self, picture: Picture, tables: bool) -> Parcel:
        kept = self._parcel
        if kept is not None and kept.picture.tick == picture.tick and (kept.encoded or not tables):
            return kept
        with self.timing.of("encode"):
            if kept is None or kept.picture.tick != picture.tick:
                kept = self._parcel = self._fresh(picture)
            if tables:
                _ = kept.binary  # made now, where it is timed, not when it is told
        return kept

    def _fresh(self, picture: Picture) -> Parcel:
        more = {"outputs": self._outputs(), "remote": self._remote.text(picture)}
        if self.acts is not None:
            more["acts"] = self.acts.text(picture)
        return parcel(picture, self.origin, more)

    def _outputs(self) -> str:
        return wire_text.dump({"type": "outputs", "outputs": self.outputs()})

    def picture(self) -> Picture:
        picture = self.shelf.latest()
        if picture is None:
            raise HTTPException(503, "There is no picture yet.")
        return picture


def create_app(shelf: Shelf, site: Site, options: WebOptions | None = None, outputs: OutputRows = list) -> FastAPI:
    """The application. `options.host` must be the address it will be bound to: it decides which Host names pass."""
    options = options or WebOptions()
    app = FastAPI(title="Lapwing", version=__version__, docs_url=None, redoc_url=None)  # those load from a CDN
    desk = _Desk(shelf, site, options, outputs)
    nodes, offers = options.nodes or NodeBook(), ["gaps", "nodes", "timing"]
    app.add_exception_handler(RequestValidationError, bad_query)
    app.add_exception_handler(StarletteHTTPException, refused)
    app.add_exception_handler(pl.exceptions.PolarsError, unreadable)
    add_login_routes(app, options.accounts, options.port)
    add_picture_routes(app, desk.picture, site.origin)
    add_plan_routes(app, options.plans)
    add_coverage_routes(app, shelf, site, desk.picture)
    add_gap_routes(app, shelf, desk.picture)
    _add_evidence_routes(app, desk)
    _add_history_routes(app, desk)
    if options.acts is not None:
        desk.acts = ActsDesk(options.acts)
        add_acts_routes(app, options.acts, desk.picture, nodes.acknowledged)
        if options.ringer is not None:
            offers.append("alarm-test")
            add_alarm_test_routes(app, options.acts, options.ringer, desk.picture)
    kept = options.acts or (acts_file(options.journal) if options.journal else None)
    add_past_routes(app, shelf, site, kept.path if isinstance(kept, Acts) else kept, desk.picture)
    add_handover_routes(app, shelf, site, kept, desk.picture)
    if options.config is not None:
        offers.append("config")
        add_config_routes(app, options.config)
    if options.tasks is not None:
        offers.append("tasks")
        add_task_routes(app, options.tasks)

    @app.get("/v1/nodes", dependencies=[Depends(only_known)])
    async def known_nodes() -> Response:
        """The SAPIENT nodes that ever registered: what they are, can do, and how they are."""
        return json({"nodes": nodes.rows()})

    if options.journal is not None:
        offers.append("holds")
        add_replay_routes(app, shelf, ReplayDesk(options.journal))
        add_hold_routes(app, options.journal)
    add_taking_routes(app, Takings(options.journal) if options.journal and options.acts else None)
    add_live_routes(app, desk)
    if options.links:
        offers.append("links")
        add_link_routes(app, options.links, PICTURE_TYPE)
    desk.hello = hello(site, replay=options.journal is not None, offers=offers, plans=told_plans(options.plans))

    app.mount("/", Static(directory=options.static, html=True, check_dir=False))
    if options.accounts is not None:
        app.add_middleware(Gate, accounts=options.accounts, port=options.port)
    app.add_middleware(Guard, bound=options.host, allowed=options.allowed_hosts)
    return app


def _add_evidence_routes(app: FastAPI, desk: _Desk) -> None:
    known = [Depends(only_known)]

    @app.get("/v1/site", dependencies=known)
    def site() -> Response:
        """The site as GeoJSON, with its feeds."""
        return json(wire_text.site(desk.site))

    @app.get("/metrics", dependencies=known)
    def counts() -> Response:
        """The picture's counts for Prometheus."""
        return Response(metrics.text(desk.picture(), desk.outputs(), desk.timing.rows()), media_type=metrics.TYPE)

    @app.get("/v1/outputs", dependencies=known)
    def outputs() -> Response:
        """Health of every output, now."""
        return json({"outputs": desk.outputs()})

    @app.get("/v1/frames/{seq}", dependencies=known)
    def frame(seq: Annotated[int, PathParameter(ge=0, le=INT64_MAX)]) -> Response:
        """One journal entry: the bytes behind an alarm, a track or a claim."""
        found = desk.shelf.frame(seq)
        if found is None:
            raise HTTPException(404, f"The journal does not hold frame {seq}.")
        return json(wire_text.frame(found.seq, found.feed, found.received_ns, found.data))

    @app.get("/healthz", dependencies=known)
    def healthz() -> Response:
        """Whether there is a picture, and which."""
        latest = desk.shelf.latest()
        if latest is None:
            return json({"status": "starting", "clients": desk.clients})
        return json({"status": "ok", "tick": latest.tick, "time_ns": str(latest.time_ns), "clients": desk.clients})


def _interval(desk: _Desk, since_ns: int | None, until_ns: int | None, default_s: int) -> tuple[int, int]:
    """What was asked for; without times, the last `default_s` of the picture's time. Raises HTTPException."""
    until = desk.picture().time_ns if until_ns is None else until_ns
    since = max(until - default_s * SECOND_NS, 0) if since_ns is None else since_ns
    if not 0 <= until - since <= HISTORY_S_MAX * SECOND_NS:
        raise HTTPException(400, "since_ns must lie at most 24 hours before until_ns.")
    return since, until


def _add_history_routes(app: FastAPI, desk: _Desk) -> None:
    known = [Depends(only_known)]

    @app.get("/v1/history", dependencies=known)
    def history(
        kind: Literal["track", "claim", "alarm"],
        ident: Annotated[int, Query(alias="id", ge=0, le=INT64_MAX)],
        since_ns: Moment = None,
        until_ns: Moment = None,
    ) -> Response:
        """Columns of one subject; without times, the last ten minutes of the picture's time."""
        since, until = _interval(desk, since_ns, until_ns, HISTORY_S_DEFAULT)
        try:
            columns = desk.shelf.history(since, until, kind, ident)
        except LookupError:
            raise HTTPException(404, f"The history holds no {kind} {ident} in that interval.") from None
        return json(
            {"kind": kind, "id": ident, "since_ns": str(since), "until_ns": str(until)}
            | {"columns": wire_text.history(columns)}
        )

    @app.get("/v1/why", dependencies=known)
    def why_of(
        track: Annotated[int, Query(ge=0, le=INT64_MAX)],
        since_ns: Moment = None,
        until_ns: Moment = None,
    ) -> Response:
        """What was believed of a track and on which evidence; without times, the last ten minutes."""
        since, until = _interval(desk, since_ns, until_ns, HISTORY_S_DEFAULT)
        return json(why(desk.shelf, desk.site, track, (since, until)))

    @app.get("/v1/cells", dependencies=known)
    def cells(
        since_ns: Moment = None,
        until_ns: Moment = None,
    ) -> Response:
        """GNSS per H3 cell and ten minutes, and who was affected; without times, the last three hours."""
        since, until = _interval(desk, since_ns, until_ns, CELLS_S_DEFAULT)
        told = {"since_ns": str(since), "until_ns": str(until)}
        return json(told | web_cells.cells(desk.shelf.cells(since, until)))
