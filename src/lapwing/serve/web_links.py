"""The web's view of other sites: how each link fares, its alarms and feeds, and its picture (docs/wire.md)."""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi import Path as PathParameter

from lapwing.serve.answers import only_known
from lapwing.serve.links import Links


def add_link_routes(app: FastAPI, links: Links, media_type: str) -> None:
    """`/v1/links` and `/v1/links/N/picture`."""
    known = [Depends(only_known)]

    @app.get("/v1/links", dependencies=known)
    async def rows(request: Request) -> Response:
        """Other sites: how the link fares, alarms, feeds and names, as they said last. It has an ETag."""
        return _unless_known(request, links.body(), "application/json")

    @app.get("/v1/links/{number}/picture", dependencies=known)
    async def picture(request: Request, number: Annotated[int, PathParameter(ge=0, le=99)]) -> Response:
        """The newest picture of one, as `/v1/picture`; it may be old: `/v1/links` says so."""
        found = links.picture(number)
        if found is None:
            raise HTTPException(404, f"There is no picture of link {number}.")
        return _unless_known(request, found, media_type)


def _unless_known(request: Request, body: bytes, media_type: str) -> Response:
    """The body, or 304 where the page has it already."""
    tag = f'"{hash(body) & 0xFFFFFFFFFFFFFFFF:x}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)
