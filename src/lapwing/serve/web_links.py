"""The web's view of other sites: how each link fares, its alarms and feeds, and its picture (docs/wire.md)."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi import Path as PathParameter

from lapwing.serve.answers import json, only_known
from lapwing.serve.links import Links


def add_link_routes(app: FastAPI, links: Links, media_type: str) -> None:
    """`/v1/links` and `/v1/links/N/picture`."""
    known = [Depends(only_known)]

    @app.get("/v1/links", dependencies=known)
    async def rows() -> Response:
        """Other sites: how the link fares, alarms, feeds and names, as they said last."""
        return json({"links": links.rows()})

    @app.get("/v1/links/{number}/picture", dependencies=known)
    async def picture(request: Request, number: Annotated[int, PathParameter(ge=0, le=99)]) -> Response:
        """The newest picture of one, as `/v1/picture`; it may be old: `/v1/links` says so."""
        found = links.picture(number)
        if found is None:
            raise HTTPException(404, f"There is no picture of link {number}.")
        tag = f'"{hash(found) & 0xFFFFFFFF:x}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(found, media_type=media_type, headers=headers)
