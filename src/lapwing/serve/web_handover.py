"""The web's door for hand-overs: GET makes one as JSON, text or a page to print; POST keeps a note for the next one."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response

from lapwing.records import Picture, Site
from lapwing.serve import handover_paper
from lapwing.serve.acts import ActError, Acts, WantedHandover
from lapwing.serve.answers import json, only_known, wanted_of
from lapwing.serve.handover import Past, handover, shift
from lapwing.serve.telling import told_act
from lapwing.serve.web_acts import written
from lapwing.serve.web_login import signed

INT64_MAX = 2**63 - 1
SHIFT_S = 8 * 3600
SHIFT_S_MAX = 7 * 86_400
Moment = Annotated[int | None, Query(ge=0, le=INT64_MAX)]


def add_handover_routes(
    app: FastAPI, past: Past, site: Site, acts: Acts | Path | None, latest: Callable[[], Picture]
) -> None:
    """GET /v1/handover, and POST where `acts` can be written. `latest()` is the picture, or raises HTTPException."""
    known = [Depends(only_known)]
    path = acts.path if isinstance(acts, Acts) else acts

    @app.get("/v1/handover", dependencies=known)
    def made(
        since_ns: Moment = None,
        until_ns: Moment = None,
        form: Annotated[Literal["json", "text", "html"], Query(alias="format")] = "json",
    ) -> Response:
        """What the next officer must know; without times, of the last eight hours of the picture's time."""
        until = latest().time_ns if until_ns is None else until_ns
        since = max(until - SHIFT_S * 10**9, 0) if since_ns is None else since_ns
        if not 0 < until - since <= SHIFT_S_MAX * 10**9:
            raise HTTPException(400, "since_ns must lie before until_ns, at most seven days.")
        try:
            told = handover(shift(past, site, (since, until), path))
        except (ActError, OSError) as error:
            raise HTTPException(503, str(error)) from None
        if form == "json":
            return json(told)
        headers = {"Cache-Control": "no-cache"}
        if form == "text":
            return Response(handover_paper.text(told), media_type="text/plain; charset=utf-8", headers=headers)
        day = handover_paper.at(told["until_ns"])[:16].translate({ord(c): "-" for c in " :"})
        headers["Content-Disposition"] = f'attachment; filename="handover-{day}.html"'
        return Response(handover_paper.page(told), media_type="text/html; charset=utf-8", headers=headers)

    if not isinstance(acts, Acts):
        return

    @app.post("/v1/handover", dependencies=known)
    async def leave(request: Request) -> Response:
        """Keep a note for the next officer; the answer is the act as it was written down."""
        wanted = signed(request, await wanted_of(request, WantedHandover))
        return json(told_act(await written(request, acts.add_handover, wanted, latest().time_ns)), 201)
