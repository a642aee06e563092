"""Orders to SAPIENT sensors over the web: POST gives one, GET shows them. Only where people may act (`[web] acts`),
and, where people log in, only for who may `manage`: an order changes what the site sees for everybody. Commands on
this machine may, because who can start them can write the file of accounts.
"""

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from lapwing.serve.accounts import Person
from lapwing.serve.answers import json, only_known, wanted_of
from lapwing.serve.sapient_tasks import TaskDesk, TaskError, WantedTask
from lapwing.serve.web_login import signed


def add_task_routes(app: FastAPI, desk: TaskDesk) -> None:
    """GET /v1/tasks and POST /v1/tasks."""
    known = [Depends(only_known)]

    @app.get("/v1/tasks", dependencies=known)
    def tasks(task: Annotated[str, Query(max_length=64)] = "") -> Response:
        """The newest orders with the nodes' answers, or one of them."""
        try:
            return json({"tasks": desk.rows(task)})
        except TaskError as error:
            raise HTTPException(error.status, str(error)) from None

    @app.post("/v1/tasks", dependencies=known)
    async def give(request: Request) -> Response:
        """Give one order; the answer is the order as it was written down. The node's answer comes later."""
        person: Person | None = request.scope.get("lapwing.person")
        if person is not None and not person.local and person.role != "manage":
            raise HTTPException(403, "Only who may manage orders sensors.")
        wanted = signed(request, await wanted_of(request, WantedTask))
        peer = request.client.host if request.client else ""
        try:
            prepared = desk.prepare(wanted)
            key = await run_in_threadpool(desk.write_down, prepared, peer)
            desk.send(prepared)
            return json((await run_in_threadpool(desk.rows, key))[0], 201)
        except TaskError as error:
            raise HTTPException(error.status, str(error)) from None
