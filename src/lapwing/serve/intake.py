"""The HTTP intake: home-made sensors POST their looks as JSON lines and are told at once what was not understood.

Refuses bodies over BODY_BYTES_MAX, senders without the token, and web pages (which say their Origin).
It is a door of its own: the server of the picture takes nothing.
"""

import asyncio
import hmac
import logging
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response, Security
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException as StarletteHTTPException

from lapwing import __version__
from lapwing.decode.lookouts import DETECTIONS_MAX, KINDS, NUMBERS, LookoutDecoder, LookoutState
from lapwing.engine.order import OrderSettings
from lapwing.records import FeedConfig, Frame, Position, SensorConfig
from lapwing.serve import wire_text
from lapwing.serve.clock import SystemClock
from lapwing.serve.inbox import Inbox
from lapwing.serve.listening import WebAddressError, serve_web
from lapwing.serve.outputs.entries import secret

log = logging.getLogger("lapwing")
BODY_BYTES_MAX = 1 << 20
BODY_S = 10.0
AHEAD_S = OrderSettings().ahead_s_max
LATE_S = 2.0  # a direction is shown for five seconds from when it was true
TIME = {"description": "seconds since 1970, or ISO 8601 with its offset", "type": ["number", "string"]}

REFUSED = {"type": "object", "properties": {"reason": {"type": "string"}, "count": {"type": "integer"}, "example": {}}}
TOLD = {
    "type": "object",
    "properties": {
        "taken": {"type": "integer"},
        "refused": {"type": "array", "items": REFUSED},
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["taken", "refused"],
}
SENTENCE = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
ANSWERS: dict[int | str, dict[str, Any]] = {
    code: {"description": words, "content": {"application/json": {"schema": schema}}}
    for code, words, schema in (
        (202, "Looks were taken, or all was empty; what was refused is told with its reason", TOLD),
        (401, "The token is missing or wrong", SENTENCE),
        (403, "A web page may not post here", SENTENCE),
        (408, "The body took too long", SENTENCE),
        (413, "The body is too large", SENTENCE),
        (422, "Nothing of the body was understood", TOLD),
    )
}


async def serve_intake(config: FeedConfig, inbox: Inbox) -> None:
    """Until cancelled. Raises OSError when the port cannot be opened or the token is not there."""
    app = intake_app(config, inbox, secret(config.secret, Path()))
    log.info("feed %r: looks are taken by POST to http://%s:%d/looks", config.feed, config.host, config.port)
    inbox.notice(config.feed, "connected", f"POST to port {config.port} is taken")
    try:
        await serve_web(app, config.host, config.port)
    except WebAddressError as error:
        raise OSError(str(error)) from error


def intake_app(config: FeedConfig, inbox: Inbox, token: str) -> FastAPI:
    """The application of one feed."""
    app = FastAPI(title=f"Lapwing intake {config.feed}", version=__version__, docs_url=None, redoc_url=None)
    app.add_exception_handler(StarletteHTTPException, _refused)
    clock, check = SystemClock(), _Check(config)

    async def looks(request: Request) -> Response:
        """One JSON object per line, each one look of the sensor. What is refused is told with its reason."""
        _admit(request, token)
        body = (await _body(request)).rstrip(b"\n") + b"\n"
        inbox.put(config.feed, body)
        taken, refused, warnings = check.told(body, clock.now_ns())
        status = 422 if refused and not taken else 202
        told = {"taken": taken, "refused": refused} | ({"warnings": warnings} if warnings else {})
        return Response(wire_text.dump(told), status, media_type="application/json")

    bearer = [Security(HTTPBearer(auto_error=False, scheme_name="bearer"))] if token else []
    app.post("/looks", status_code=202, openapi_extra=_described(), responses=ANSWERS, dependencies=bearer)(looks)
    return app


def _admit(request: Request, token: str) -> None:
    if "origin" in request.headers:
        raise HTTPException(403, "A web page may not post here.")
    said = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token and not hmac.compare_digest(said.encode(), token.encode()):
        raise HTTPException(401, "The header 'Authorization: Bearer TOKEN' is missing or wrong.")


async def _body(request: Request) -> bytes:
    """The body, bounded in bytes and seconds."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise HTTPException(413, f"A body may have {BODY_BYTES_MAX >> 20} MiB.")
    except TimeoutError:
        raise HTTPException(408, "The body took too long.") from None
    return bytes(body)


class _Check:
    """What the feed's decoder will make of a body: looks taken, and why lines are refused."""

    def __init__(self, config: FeedConfig) -> None:
        here = config.origin or Position(0.0, 0.0, 0.0)
        sensor = SensorConfig(config.sensor, here, "radar", second=here)
        self._decoder = LookoutDecoder(config.feed, sensor, here) if config.decoder == "json" else None
        self._state = LookoutState()
        self._feed = config.feed

    def told(self, body: bytes, now_ns: int) -> tuple[int, list[dict[str, Any]], list[str]]:
        """For the answer."""
        if self._decoder is None:
            return body.count(b"\n"), [], []
        self._state, decoded = self._decoder.decode(self._state, [Frame(0, self._feed, now_ns, body)])
        refused = [
            {"reason": f.reason, "count": f.count, "example": f.example.decode("utf-8", "replace")}
            for f in decoded.faults
        ]
        return decoded.messages, refused, _untimely([scan.scan_ns for scan in decoded.scans], now_ns)


def _untimely(looks_ns: list[int], now_ns: int) -> list[str]:
    """What is wrong with the times of looks: most are a sensor's clock that nothing sets."""
    out = []
    late_s = max((now_ns - t for t in looks_ns), default=0) * 1e-9
    early_s = max((t - now_ns for t in looks_ns), default=0) * 1e-9
    if late_s > LATE_S:
        out.append(f"a look is dated {late_s:.1f} s before this machine's clock: it is shown late, or not at all")
    if early_s > AHEAD_S:
        out.append(f"a look is dated {early_s:.1f} s after this machine's clock: it is thrown away")
    return out


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    told = str(error.detail) if error.status_code not in (404, 405) else "Looks are taken by POST to /looks."
    return Response(wire_text.dump({"error": told}), error.status_code, media_type="application/json")


def _described() -> dict[str, Any]:
    """What a line may hold, for the OpenAPI document; from the decoder's own table."""
    numbers: dict[str, Any] = {
        key: {"type": "number", "minimum": low, "maximum": high} for key, (low, high, _) in NUMBERS.items()
    }
    share = {"type": "number", "minimum": 0, "maximum": 1}
    kinds = {"type": "object", "properties": dict.fromkeys(KINDS, share), "additionalProperties": False}
    numbers["kinds"] = {**kinds, "description": "probabilities of what it is; what is missing to 1 is left open"}
    one = {"type": "object", "properties": {"time": TIME, **numbers}, "additionalProperties": False}
    many = {"type": "array", "maxItems": DETECTIONS_MAX, "items": one}
    look = {"type": "object", "properties": {"time": TIME, "detections": many, **numbers}}
    examples = {"a bearing": {"value": {"azimuth_deg": 81.5}}, "nothing seen": {"value": {"detections": []}}}
    return {
        "requestBody": {
            "required": True,
            "description": "JSON lines: one such object per line",
            "content": {"application/x-ndjson": {"schema": look, "examples": examples}},
        },
    }
