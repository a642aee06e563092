"""The web's door for files to take away: POST has one made, GET lists them and hands them out.

Not for who only watches: evidence tells of people, and making it takes the machine's time.
"""

import time

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from starlette.responses import FileResponse

from lapwing.serve.accounts import Person
from lapwing.serve.answers import json, only_known, wanted_of
from lapwing.serve.takings import TakingError, Takings, WantedTaking
from lapwing.serve.web_login import signed


def _may(request: Request) -> bool:
    person: Person | None = request.scope.get("lapwing.person")
    return person is None or person.role != "watch"


def _only_who_may(request: Request) -> None:
    if not _may(request):
        raise HTTPException(403, "Your account only watches.")


def add_taking_routes(app: FastAPI, takings: Takings | None) -> None:
    """GET and POST /v1/taken, GET /v1/taken/FILE. None: nothing is offered here."""

    @app.get("/v1/taken", dependencies=[Depends(only_known)])
    def made(request: Request) -> Response:
        """What was made or is being made, the newest first; whether anything is offered to who asks."""
        offered = takings is not None and _may(request)
        return json({"offered": offered, "taken": takings.rows() if takings is not None and offered else []})

    if takings is None:
        return
    known = [Depends(only_known), Depends(_only_who_may)]

    @app.post("/v1/taken", dependencies=known)
    async def make(request: Request) -> Response:
        """Have a file made; the answer comes at once, the list says when it is there."""
        wanted = signed(request, await wanted_of(request, WantedTaking))
        try:
            taking = takings.begin(wanted, time.time_ns())
        except TakingError as error:
            raise HTTPException(409, str(error)) from None
        except (OSError, ValueError) as error:
            raise HTTPException(503, str(error)) from None
        return json({"file": taking.file}, 202)

    @app.get("/v1/taken/{file}", dependencies=known)
    def hand(file: str) -> Response:
        """The file itself."""
        path = takings.path(file)
        if path is None:
            raise HTTPException(404, "There is no such file.")
        return FileResponse(path, filename=file, headers={"Cache-Control": "no-store"})
