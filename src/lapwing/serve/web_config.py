"""The web's door to the site file: read it, try a changed one, keep it as a version, go back, start again with it.

Only where the site says `[web] configure`, which needs `login`, and only for who may `manage`: who can write the site
file decides what this machine listens to and where it sends. Nothing is kept that `lapwing run` would refuse.
"""

import asyncio
import difflib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from json import dumps, loads
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from lapwing.serve.accounts import Person
from lapwing.serve.answers import add_files, json, only_known, wanted_of
from lapwing.serve.guard import LONG_BYTES_MAX
from lapwing.serve.site import ZoneEntry
from lapwing.serve.site_edit import EditError, with_zone, zone_of
from lapwing.serve.versions import TEXT_MAX, Overtaken, Version, VersionError, Versions

log = logging.getLogger("lapwing")
Examine = Callable[[str], tuple[list[str], list[str]]]  # of a text: what is wrong with it, and else what it will do
Text = Annotated[str, StringConstraints(max_length=TEXT_MAX)]


class WantedCheck(BaseModel):
    """A site file to look at, as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: Text


class WantedVersion(BaseModel):
    """A site file to keep, as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: Text
    begun_from: Annotated[int, Field(ge=1, le=2**53)]
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""


class WantedZone(BaseModel):
    """One zone to change in the file, as JSON: `zone` as in the file, or none to take `replaces` out."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    begun_from: Annotated[int, Field(ge=1, le=2**53)]
    replaces: Annotated[str, StringConstraints(max_length=200)] = ""
    zone: ZoneEntry | None = None
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""


class WantedRestart(BaseModel):
    """Nothing is to be said."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass
class ConfigDesk:
    """The versions of the site file that runs, how one is examined, and the wish to start again."""

    versions: Versions
    examine: Examine
    running: int  # the version that this run was started with
    again: asyncio.Event = field(default_factory=asyncio.Event)  # set: stop, and start again with the file


def add_config_routes(app: FastAPI, desk: ConfigDesk) -> None:
    """GET /v1/config, /v1/config/versions/N; POST /v1/config/check, /v1/config, /v1/config/restart; the page."""
    known = [Depends(only_known), Depends(_managers_only)]

    @app.get("/v1/config", dependencies=known)
    async def shown() -> Response:
        """The file as it is, and its versions."""
        now, rows = await _kept(lambda: (desk.versions.now(), desk.versions.rows()))
        told = {"file": desk.versions.site.name, "running": desk.running, "now": _told(now), "text": now.text}
        return json({**told, "versions": [_told(v) for v in rows]})

    @app.get("/v1/config/versions/{number}", dependencies=known)
    async def one(number: Annotated[int, PathParameter(ge=1, le=2**53)]) -> Response:
        """One version, and how it differs from the file."""
        found, now = await _kept(lambda: (desk.versions.one(number), desk.versions.now()))
        return json({**_told(found), "text": found.text, "difference": difference(now.text, found.text)})

    @app.post("/v1/config/check", dependencies=known)
    async def check(request: Request) -> Response:
        """What is wrong with a text, or what it will do; and how it differs from the file."""
        wanted = await wanted_of(request, WantedCheck, LONG_BYTES_MAX)
        problems, words = await run_in_threadpool(desk.examine, wanted.text)
        now = await _kept(desk.versions.now)
        return json({"problems": problems, "words": words, "difference": difference(now.text, wanted.text)})

    @app.post("/v1/config", dependencies=known)
    async def keep(request: Request) -> Response:
        """Keep a text as the newest version; it counts from the next start on."""
        wanted = await wanted_of(request, WantedVersion, LONG_BYTES_MAX)
        problems, words = await run_in_threadpool(desk.examine, wanted.text)
        if problems:
            return json({"error": "The file is not good.", "problems": problems}, 422)
        return json({**_told(await _save(desk, request, wanted.text, wanted)), "words": words}, 201)

    @app.post("/v1/config/zone", dependencies=known)
    async def zone(request: Request) -> Response:
        """Keep a version in which one zone is another."""
        wanted = await wanted_of(request, WantedZone)
        if wanted.zone is None and not wanted.replaces:
            raise HTTPException(400, "Which zone?")
        now = await _kept(desk.versions.now)
        try:
            text = with_zone(now.text, wanted.replaces, _merged(now.text, wanted))
        except EditError as error:
            raise HTTPException(422, _sentence(error)) from None
        problems, _ = await run_in_threadpool(desk.examine, text)
        if problems:
            return json({"error": f"The file would not be good: {problems[0]}.", "problems": problems}, 422)
        return json(_told(await _save(desk, request, text, wanted)), 201)

    _add_restart(app, desk, known)


def _add_restart(app: FastAPI, desk: ConfigDesk, known: list[Any]) -> None:
    @app.post("/v1/config/restart", dependencies=known)
    async def restart(request: Request) -> Response:
        """Stop, and start again with the file as it is; nothing where the file is not good."""
        await wanted_of(request, WantedRestart)
        now = await _kept(desk.versions.now)
        problems, _ = await run_in_threadpool(desk.examine, now.text)
        if problems:
            return json({"error": "The file is not good.", "problems": problems}, 422)
        log.info("started again with version %d, by %r", now.number, _person(request).name)
        asyncio.get_running_loop().call_later(0.2, desk.again.set)  # after the answer
        return json({"restarting": now.number}, 202)

    add_files(app, "config.html", "config.js", "config.css")


def difference(old: str, new: str) -> str:
    """Unified, of two texts; empty where they are the same."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "the file", "this", lineterm="", n=2)
    return "\n".join(lines)


def _merged(text: str, wanted: WantedZone) -> dict[str, Any] | None:
    """The zone as it will stand in the file: what is not said of one that is changed stays as it was."""
    if wanted.zone is None:
        return None
    said = loads(dumps(wanted.zone.model_dump(exclude_unset=True, exclude_none=True)))
    old = zone_of(text, wanted.replaces)
    kept = {key: value for key, value in old.items() if key not in ("circle", "polygon")}
    made = {**kept, **said}
    return {key: value for key, value in made.items() if value or key != "kind_min"}


async def _save(desk: ConfigDesk, request: Request, text: str, wanted: WantedVersion | WantedZone) -> Version:
    name = _person(request).name
    made: Version = await _kept(lambda: desk.versions.save(text, wanted.begun_from, name, wanted.note))
    log.info("the site file is at version %d, by %r", made.number, name)
    return made


async def _kept(ask: Callable[[], Any]) -> Any:
    try:
        return await run_in_threadpool(ask)
    except Overtaken as error:
        raise HTTPException(409, _sentence(error)) from None
    except VersionError as error:
        raise HTTPException(404 if "no version" in str(error) else 503, _sentence(error)) from None


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _person(request: Request) -> Person:
    person: Person = request.scope["lapwing.person"]
    return person


def _managers_only(request: Request) -> None:
    person: Person | None = request.scope.get("lapwing.person")
    if person is None or person.role != "manage":
        raise HTTPException(403, "Only who may manage sees and changes the site file.")


def _told(v: Version) -> dict[str, Any]:
    return {"version": v.number, "at_ns": str(v.at_ns), "name": v.name, "note": v.note}
