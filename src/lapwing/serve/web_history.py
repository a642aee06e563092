"""The web's door to the history: search and statistics. Reads stores and cannot reach the engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, HTTPException, Query, Response

from lapwing.records import Picture, Site
from lapwing.serve import searching, statistics
from lapwing.serve.acts import ActError
from lapwing.serve.answers import add_files, json, only_known
from lapwing.serve.searching import DAY_NS, LIMIT, BadQuestion, Question, search

INT64_MAX = 2**63 - 1
Moment = Annotated[int | None, Query(ge=0, le=INT64_MAX)]
Word = Annotated[str, Query(max_length=100)]


class Past(searching.Past, statistics.Past, Protocol):
    """Where it is looked."""


def add_past_routes(app: FastAPI, past: Past, site: Site, acts: Path | None, latest: Callable[[], Picture]) -> None:
    """GET /v1/history/tracks, /v1/stats, and the page /history.html. `acts`: the file of people's acts. `latest()` is
    the picture, or raises HTTPException."""
    known = [Depends(only_known)]
    add_files(app, "history.html", "history.js", "history.css", "theme.js")

    @app.get("/v1/history/tracks", dependencies=known)
    def found(
        since_ns: Moment = None,
        until_ns: Moment = None,
        identity: Word = "",
        who: Word = "",
        kind: Word = "",
        zone: Word = "",
        box: Word = "",
        after: int = 0,
        limit: int = LIMIT,
    ) -> Response:
        """Who was there; without times, in the last 24 hours of the picture's time."""
        until = latest().time_ns + 1 if until_ns is None else until_ns
        since = max(until - DAY_NS, 0) if since_ns is None else since_ns
        question = Question(since, until, identity, who, kind, zone, box, after, limit)
        return _answered(lambda: search(past, site, question))

    @app.get("/v1/stats", dependencies=known)
    def stats(since_ns: Moment = None, until_ns: Moment = None, tz: Word = "") -> Response:
        """How much there was; without times, in the last seven days of the picture's time."""
        until = latest().time_ns + 1 if until_ns is None else until_ns
        since = max(until - 7 * DAY_NS, 0) if since_ns is None else since_ns
        return _answered(lambda: statistics.stats(past, acts, (since, until), tz))


def _answered(ask: Callable[[], dict[str, Any]]) -> Response:
    try:
        return json(ask())
    except BadQuestion as error:
        raise HTTPException(400, f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    except (OSError, ActError) as error:
        raise HTTPException(503, str(error)) from None
