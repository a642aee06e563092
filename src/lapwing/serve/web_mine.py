"""What an account keeps for itself on the server: whose zones' alarms are silent for it, until when it looked, its
quiet hours. So it is the same at every desk. Where nobody logs in the page keeps the same in the browser.

It changes what one person's page sounds like and shows, nothing else: who may only watch keeps it too. Nobody reads
another's, no program's token has any, and it is gone with the account.
"""

import json as plain
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from lapwing.serve.accounts import AccountError, Accounts, Person
from lapwing.serve.answers import json, only_known, wanted_of

ZONES_MAX = 256
PATH = "/v1/mine"
ZoneName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class Quiet(BaseModel):
    """Hours of every day, by the clock of who looks, in which only critical alarms sound."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    begin: Clock
    end: Clock


class Looked(BaseModel):
    """Until when somebody looked, by the time of this site's picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    site: Annotated[str, StringConstraints(max_length=200)]
    ms: Annotated[float, Field(ge=0, le=2**53, allow_inf_nan=False)]


class Mine(BaseModel):
    """What is to be kept, as JSON; what is not said stays as it was, null takes it away."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    zones_off: Annotated[list[ZoneName], Field(max_length=ZONES_MAX)] | None = None
    looked: Looked | None = None
    quiet: Quiet | None = None


def add_mine_routes(app: FastAPI, accounts: Accounts) -> None:
    """GET and POST /v1/mine."""
    known = [Depends(only_known)]

    @app.get(PATH, dependencies=known)
    async def mine(request: Request) -> Response:
        """All that is kept for who asks."""
        return json(await _asked(accounts.kept, _name(request)))

    @app.post(PATH, dependencies=known)
    async def keep(request: Request) -> Response:
        """Keep something; the answer is all that is kept then."""
        name, wanted = _name(request), await wanted_of(request, Mine)
        said = plain.loads(wanted.model_dump_json(exclude_unset=True))
        return json(await _asked(accounts.keep, name, said))


def _name(request: Request) -> str:
    person: Person | None = request.scope.get("lapwing.person")
    if person is None or person.local:
        raise HTTPException(403, "Only who is logged in keeps something here.")
    return person.name


async def _asked(ask: Any, *what: Any) -> dict[str, Any]:
    try:
        kept: dict[str, Any] | None = await run_in_threadpool(ask, *what)
    except AccountError as error:
        raise HTTPException(503, str(error)) from None
    if kept is None:
        raise HTTPException(403, "A token keeps nothing: only people do.")
    return kept
