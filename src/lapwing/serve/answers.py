"""What all answers of the web have in common."""

from typing import Any

from fastapi import HTTPException, Request, Response, WebSocket

from lapwing.serve import wire_text


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
