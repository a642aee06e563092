"""The newest picture, whole or by parts, over plain GET.

Refuses to know where pictures come from: `latest` gives one, or raises HTTPException.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request, Response

from lapwing.records import Picture, Position
from lapwing.serve import wire_sensors, wire_text, wire_unseen
from lapwing.serve.answers import only_known
from lapwing.serve.wire import encode_picture

PICTURE_TYPE = "application/vnd.lapwing.picture"


def add_picture_routes(app: FastAPI, latest: Callable[[], Picture], origin: Position) -> None:
    """GET of what is in the newest picture, all with its tick as the ETag."""
    known = [Depends(only_known)]

    def of_tick(request: Request, make: Callable[[Picture], Any]) -> Response:
        picture = latest()
        tag = f'"{picture.tick}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        made = make(picture)
        if isinstance(made, bytes):
            return Response(made, media_type=PICTURE_TYPE, headers=headers)
        told = {"tick": picture.tick, "time_ns": str(picture.time_ns), **made}
        return Response(wire_text.dump(told), media_type="application/json", headers=headers)

    @app.get("/v1/picture", dependencies=known)
    def picture(request: Request) -> Response:
        """The latest picture as one binary message: the same bytes as on the WebSocket."""
        return of_tick(request, lambda p: encode_picture(p, origin))

    @app.get("/v1/tracks", dependencies=known)
    def tracks(request: Request, existence_min: Annotated[float, Query(ge=0, le=1)] = 0.0) -> Response:
        """Tracks of the latest picture; the tick is the ETag."""
        return of_tick(request, lambda p: {"tracks": wire_text.tracks(p.tracks, origin, existence_min)})

    @app.get("/v1/claims", dependencies=known)
    def claims(request: Request) -> Response:
        """Claims of the latest picture with what integrity makes of them."""
        return of_tick(request, lambda p: {"claims": wire_text.claims(p.claims, p.integrity, origin)})

    @app.get("/v1/alarms", dependencies=known)
    def alarms(request: Request) -> Response:
        """Alarms that stand or were cleared lately, most urgent first."""
        return of_tick(request, lambda p: {"alarms": wire_text.alarms(p.alarms, origin)})

    @app.get("/v1/regions", dependencies=known)
    def regions(request: Request) -> Response:
        """Regions of GNSS interference and their likely sources."""
        return of_tick(request, lambda p: _interference(p, origin))

    @app.get("/v1/feeds", dependencies=known)
    def feeds(request: Request) -> Response:
        """Health of every feed."""
        return of_tick(request, lambda p: {"feeds": wire_text.feeds(p.feeds)})

    @app.get("/v1/sensors", dependencies=known)
    def sensors(request: Request) -> Response:
        """How far every sensor is off, with one sigma."""
        return of_tick(request, lambda p: {"sensors": wire_sensors.sensors(p.sensors)})

    @app.get("/v1/unseen", dependencies=known)
    def unseen(request: Request) -> Response:
        """How many small drones could be where, that nobody has seen."""
        return of_tick(request, lambda p: wire_unseen.unseen(p.unseen, origin))


def _interference(picture: Picture, origin: Position) -> dict[str, Any]:
    verdict = picture.integrity
    return {
        "regions": wire_text.regions(verdict.interference, origin),
        "sources": wire_text.sources(verdict.sources, origin),
    }
