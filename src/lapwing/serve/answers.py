"""What all answers of the web have in common."""

import logging
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from lapwing.serve import wire_text
from lapwing.serve.guard import BODY_BYTES_MAX

log = logging.getLogger("lapwing")
DESK = Path(__file__).with_name("desk")
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
Wanted = TypeVar("Wanted", bound=BaseModel)


def only_known(request: Request) -> None:
    """Refuses a query parameter that the route does not have: a typing error must not silently show everything."""
    known = {p.alias for p in request.scope["route"].dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        hint = f"it knows {', '.join(sorted(known))}" if known else "it has none"
        raise HTTPException(400, f"This address has no parameter {unknown[0][:40]!r}; {hint}.")


def json(value: Any, status: int = 200) -> Response:
    """JSON that no cache keeps. Raises ValueError on a NaN, which would be our own bug."""
    headers = {"Cache-Control": "no-cache"}
    return Response(wire_text.dump(value), status_code=status, media_type="application/json", headers=headers)


async def send(socket: WebSocket, message: str | bytes) -> None:
    """One message, as what it is."""
    if isinstance(message, str):
        await socket.send_text(message)
    else:
        await socket.send_bytes(message)


async def wanted_of(request: Request, model: type[Wanted], bytes_max: int = BODY_BYTES_MAX) -> Wanted:
    """What a body asks for. Raises HTTPException: 413 when it is too long, 400 with the first mistake in it."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise HTTPException(413, f"The body is longer than {bytes_max} bytes.")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise HTTPException(400, f"{where}: {first['msg']}") from None


async def bad_query(_request: Request, error: Exception) -> Response:
    """A query that is wrong, told in a sentence."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    sentence = f"{first['loc'][-1]}: {first['msg'][:1].lower()}{first['msg'][1:]}."
    return Response(wire_text.dump({"error": sentence}), 400, media_type="application/json")


async def refused(_request: Request, error: Exception) -> Response:
    """A refusal, told in its sentence."""
    assert isinstance(error, StarletteHTTPException)
    return Response(wire_text.dump({"error": str(error.detail)}), error.status_code, media_type="application/json")


async def unreadable(request: Request, error: Exception) -> Response:
    """A damaged file of the history, told in a sentence; the log has all of it."""
    log.error("the history cannot be read for %s: %s", request.url.path, error)
    said = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return Response(
        wire_text.dump({"error": f"A file of the history cannot be read: {said}"}), 503, media_type="application/json"
    )


def add_files(app: FastAPI, *names: str) -> None:
    """Pages and what belongs to them, as they lie in DESK: they need no build. They say nothing of the site."""
    for name in names:

        def shown(path: Path = DESK / name) -> Response:
            return FileResponse(path, media_type=KINDS[path.suffix], headers={"Cache-Control": "no-cache"})

        app.add_api_route(f"/{name}", shown, methods=["GET"], include_in_schema=False)


class Static(StaticFiles):
    """The built page. Hashed assets may be kept; everything else is asked for again (it has an ETag)."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, and how long it may be kept."""
        response = await super().get_response(path, scope)
        kept = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        response.headers["Cache-Control"] = kept
        return response
