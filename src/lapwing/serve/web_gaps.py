"""When feeds were silent in the last hour, minute by minute, from the index of who was there (engine/presence.py).

A look is taken every five seconds, and a feed counts as silent when its limit (`quiet_s`) was over at the look: a
shorter gap is not in it. A minute without a look is one in which the site did not run, or one that is not over yet.
"""

from collections.abc import Callable
from typing import Any, Protocol

from fastapi import Depends, FastAPI, HTTPException, Response

from lapwing.engine.parts import HOUR_NS
from lapwing.engine.presence import MINUTE_NS, Presence
from lapwing.records import Picture
from lapwing.serve.answers import json, only_known

MINUTES = 60
HEARD, SILENT, BOTH, NO_LOOK = "+", "-", "~", "."  # of one minute


class Shelf(Protocol):
    """Where it is looked."""

    def presence(self) -> Presence:
        """The index."""


def add_gap_routes(app: FastAPI, shelf: Shelf, latest: Callable[[], Picture]) -> None:
    """GET /v1/gaps. `latest()` is the picture, or raises HTTPException."""

    @app.get("/v1/gaps", dependencies=[Depends(only_known)])
    def shown() -> Response:
        """The sixty minutes up to the picture's, oldest first."""
        try:
            return json(gaps(shelf.presence(), latest()))
        except OSError as error:
            raise HTTPException(503, str(error)) from None


def gaps(presence: Presence, picture: Picture) -> dict[str, Any]:
    """A character per minute for each feed of the picture. Raises OSError."""
    last = picture.time_ns // MINUTE_NS
    first = max(last - MINUTES + 1, 0)
    told = {f.feed: [NO_LOOK] * (last - first + 1) for f in picture.feeds}
    for begin_ns, rows in presence.feeds.between(first * MINUTE_NS, picture.time_ns + 1):
        hour = begin_ns // HOUR_NS * 60
        for feed, heard, silent in rows.select("feed", "heard", "silent").iter_rows():
            for minute in range(max(first, hour), min(last, hour + 59) + 1):
                bit = 1 << minute - hour
                if feed in told and (heard | silent) & bit:
                    told[feed][minute - first] = BOTH if heard & silent & bit else HEARD if heard & bit else SILENT
    feeds = [{"feed": feed, "minutes": "".join(minutes)} for feed, minutes in told.items()]
    return {"since_ns": str(first * MINUTE_NS), "feeds": feeds}
