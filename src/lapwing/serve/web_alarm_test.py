"""The web's door for tests of the alarm outputs: POST starts one, GET says what became of it.

Only where people may act. A test is written down as an act and told to every alarm output. It never gets to the engine:
it is in no picture, counts as no alarm, and replay stays the same.
"""

from collections.abc import Callable
from typing import Any, Protocol

from fastapi import Depends, FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from lapwing.records import Picture
from lapwing.serve.acts import Act, Acts, WantedTest
from lapwing.serve.answers import json, only_known, wanted_of
from lapwing.serve.telling import told_act
from lapwing.serve.web_acts import written
from lapwing.serve.web_login import signed


class Ringer(Protocol):
    """The outputs, as far as tests need them."""

    def test(self, act: Act) -> None:
        """Tell every alarm output. In the event loop."""

    def tested(self, act: Act) -> list[dict[str, str]]:
        """What became of it: output, state, why. From any thread."""


def add_alarm_test_routes(app: FastAPI, acts: Acts, ringer: Ringer, latest: Callable[[], Picture]) -> None:
    """GET and POST /v1/alarm-test. `latest()` is the picture, or raises HTTPException."""
    known = [Depends(only_known)]

    async def told(act: Act) -> dict[str, Any]:
        return {"test": told_act(act), "outputs": await run_in_threadpool(ringer.tested, act)}

    @app.get("/v1/alarm-test", dependencies=known)
    async def newest() -> Response:
        """The newest test, and what became of it in every alarm output; null when nobody ever tested."""
        act = acts.newest_test
        return json({"test": None, "outputs": []} if act is None else await told(act))

    @app.post("/v1/alarm-test", dependencies=known)
    async def test(request: Request) -> Response:
        """Start one; the answer is the act as it was written down. GET says later what became of it."""
        wanted = signed(request, await wanted_of(request, WantedTest))
        act = await written(request, acts.add_test, wanted, latest().time_ns)
        ringer.test(act)
        return json(await told(act), 201)
