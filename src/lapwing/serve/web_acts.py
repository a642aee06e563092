"""The web's door for people's acts about alarms. GET shows them; POST takes one."""

import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from lapwing.records import Picture, Subject
from lapwing.serve.acts import Act, ActError, Acts, ActsUnwritable, TooSoon, Wanted
from lapwing.serve.answers import json, only_known, wanted_of
from lapwing.serve.telling import acts_text, told_act
from lapwing.serve.web_login import signed

TEST_SHOWN_S = 60.0


async def written(request: Request, add: Callable[..., Act], *what: Any) -> Act:
    """The act that `add` writes down of `what` and the peer, off the event loop. Raises HTTPException."""
    try:
        return await run_in_threadpool(add, *what, request.client.host if request.client else "")
    except ActsUnwritable as error:
        raise HTTPException(503, str(error)) from None
    except TooSoon as error:
        raise HTTPException(429, str(error)) from None
    except ActError as error:
        raise HTTPException(400, str(error)) from None


class ActsDesk:
    """The acts that stand about the alarms of a picture, told anew only when something about either has changed."""

    def __init__(self, acts: Acts) -> None:
        self.acts = acts
        self._known: tuple[int, bytes, Act | None] | None = None
        self._text = ""

    def text(self, picture: Picture) -> str:
        """The message about acts."""
        test = self.acts.newest_test
        if test is not None and abs(time.time_ns() - test.at_ns) > TEST_SHOWN_S * 1e9:
            test = None
        now = (self.acts.count, picture.alarms.alarm_id.tobytes() + picture.alarms.priority.tobytes(), test)
        if now != self._known:
            alarms = zip(picture.alarms.alarm_id.tolist(), picture.alarms.priority.tolist(), strict=True)
            standing = self.acts.standing(dict(alarms))
            self._known, self._text = now, acts_text(standing, test)
        return self._text


def add_acts_routes(
    app: FastAPI, acts: Acts, latest: Callable[[], Picture], seen: Callable[[int], object] | None = None
) -> None:
    """GET /v1/acts?alarm=N and POST /v1/acts. `latest()` is the picture, or raises HTTPException. `seen(number)` is
    told of the alert of a sensor's node that a person has acknowledged."""
    known = [Depends(only_known)]

    @app.get("/v1/acts", dependencies=known)
    def about(alarm: Annotated[int, Query(ge=1, le=2**53)]) -> Response:
        """All that was done about one alarm, oldest first."""
        try:
            return json({"acts": [told_act(act) for act in acts.about(alarm)]})
        except ActError as error:
            raise HTTPException(503, str(error)) from None

    @app.post("/v1/acts", dependencies=known)
    async def act(request: Request) -> Response:
        """Take one act; the answer is the act as it was written down."""
        wanted = signed(request, await wanted_of(request, Wanted))
        picture = latest()
        alarms = zip(picture.alarms.alarm_id.tolist(), picture.alarms.priority.tolist(), strict=True)
        priority = dict(alarms).get(wanted.alarm)
        if priority is None:
            raise HTTPException(404, f"The picture has no alarm {wanted.alarm}.")
        done = await written(request, acts.add, wanted, priority, picture.time_ns)
        (row,) = np.flatnonzero(picture.alarms.alarm_id == wanted.alarm)
        if seen is not None and done.verb == "acknowledge" and picture.alarms.subject[row] == Subject.NODE:
            seen(int(picture.alarms.subject_id[row]))
        return json(told_act(done), 201)
