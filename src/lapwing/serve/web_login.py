"""The web's second door: who is it? Behind serve/guard.py, before everything else, where the site says `[web] login`.

Nothing passes without a session (a cookie, from POST /v1/login) or a token (Authorization: Bearer), but the log-in
page, the built page's own files, and /healthz. A live connection ends within RECHECK_S of its session. Who only
watches can write nothing but what it keeps for itself (web_mine.py). Acts are written down under the account's name,
whatever the body says.
"""

import logging
import time
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from lapwing.serve.accounts import (
    NAME_MAX,
    PASSWORD_MAX,
    WHOLE_S,
    AccountError,
    Accounts,
    Person,
    TooManyTries,
    WrongPassword,
)
from lapwing.serve.answers import add_files, json, only_known, wanted_of
from lapwing.serve.guard import is_loopback, refuse
from lapwing.serve.web_mine import PATH, add_mine_routes

log = logging.getLogger("lapwing")
RECHECK_S = 5.0
FILES = ("login.html", "login.js", "login.css")
OPEN = frozenset(("/v1/login", "/healthz", *(f"/{name}" for name in FILES)))
OWN = frozenset(("/v1/logout", PATH))  # what concerns nobody else
PAGES = {"/": "", "/index.html": "", "/history.html": "?history", "/config.html": "?config"}  # and what leads back
Signed = TypeVar("Signed", bound=BaseModel)


class WantedLogin(BaseModel):
    """A name and a password, as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, StringConstraints(min_length=1, max_length=NAME_MAX)]
    password: Annotated[str, StringConstraints(max_length=PASSWORD_MAX)]


def signed(request: Request, wanted: Signed) -> Signed:
    """What is wanted, under the name of whoever is logged in; as it is where nobody must, and from this machine."""
    person: Person | None = request.scope.get("lapwing.person")
    return wanted if person is None or person.local else wanted.model_copy(update={"name": person.name})


class Gate:
    """ASGI middleware. `port`: cookies know no ports, and a machine may serve two sites."""

    def __init__(self, app: ASGIApp, accounts: Accounts, port: int) -> None:
        self._app, self._accounts, self._cookie = app, accounts, cookie_name(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with whom it comes from, or refuse it with one sentence."""
        path = scope.get("path", "")
        if scope["type"] not in ("http", "websocket") or path in OPEN or path.startswith("/assets/"):
            await self._app(scope, receive, send)
            return
        try:
            person = await run_in_threadpool(self._person, scope)
        except AccountError as error:
            await refuse(scope, send, 503, str(error))
            return
        if person is None and scope["type"] == "http" and path in PAGES and scope["method"] in ("GET", "HEAD"):
            where = [(b"location", f"/login.html{PAGES[path]}".encode())]
            await send({"type": "http.response.start", "status": 303, "headers": where})
            await send({"type": "http.response.body", "body": b""})
        elif person is None:
            await refuse(scope, send, 401, "Log in first.")
        elif scope["type"] == "http" and scope["method"] == "POST" and person.role == "watch" and path not in OWN:
            await refuse(scope, send, 403, f"{person.name} may watch, not act.")
        else:
            scope["lapwing.person"] = person
            await self._app(scope, receive, self._while_known(scope, send) if scope["type"] == "websocket" else send)

    def _person(self, scope: Scope) -> Person | None:
        headers = dict(scope["headers"])
        said = headers.get(b"authorization", b"").decode("latin-1")
        if said:
            scheme, _, token = said.partition(" ")
            return self._accounts.of_token(token.strip(), _from_here(scope)) if scheme.lower() == "bearer" else None
        secret = session_of(headers.get(b"cookie", b"").decode("latin-1"), self._cookie)
        return self._accounts.of_session(secret) if secret else None

    def _while_known(self, scope: Scope, send: Send) -> Send:
        """Sends as long as whoever listens is still somebody: a session that ended ends what it opened."""
        asked = time.monotonic()

        async def sending(message: MutableMapping[str, Any]) -> None:
            nonlocal asked
            if time.monotonic() - asked > RECHECK_S and message["type"] == "websocket.send":
                if await run_in_threadpool(self._person, scope) is None:
                    await send({"type": "websocket.close", "code": 1008, "reason": "Log in first."})
                    raise OSError("the session has ended")
                asked = time.monotonic()
            await send(message)

        return sending


def _from_here(scope: Scope) -> bool:
    """Whether the peer is this machine: no proxy between, and an address of its own."""
    peer, mine = (scope.get("client") or ("", 0))[0], (scope.get("server") or ("", 0))[0]
    proxied = any(name in (b"forwarded", b"x-forwarded-for", b"via") for name, _ in scope["headers"])
    return not proxied and bool(peer) and (is_loopback(peer) or peer == mine)


def cookie_name(port: int) -> str:
    """Of the session's cookie."""
    return f"lapwing_{port}"


def session_of(header: str, name: str) -> str:
    """The session's secret in a Cookie header, or nothing."""
    try:
        morsel = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def add_login_routes(app: FastAPI, accounts: Accounts | None, port: int) -> None:
    """GET /v1/me; where there are accounts, POST /v1/login and /v1/logout and the page too."""
    known = [Depends(only_known)]

    @app.get("/v1/me", dependencies=known)
    def me(request: Request) -> Response:
        """Who asks, and whether anybody has to say so."""
        person: Person | None = request.scope.get("lapwing.person")
        return json({"login": accounts is not None, **({"name": person.name, "role": person.role} if person else {})})

    if accounts is None:
        return
    add_files(app, *FILES)

    @app.post("/v1/login", dependencies=known)
    async def log_in(request: Request) -> Response:
        """A session, as a cookie that scripts cannot read."""
        wanted, peer = await wanted_of(request, WantedLogin), request.client.host if request.client else ""
        try:
            secret = await run_in_threadpool(accounts.log_in, wanted.name, wanted.password, peer)
        except (WrongPassword, TooManyTries) as error:
            log.warning("not logged in: %r from %s: %s", wanted.name, peer, error)
            raise HTTPException(401 if isinstance(error, WrongPassword) else 429, str(error)) from None
        except AccountError as error:
            raise HTTPException(503, str(error)) from None
        log.info("logged in: %r from %s", wanted.name, peer)
        answer = json({"name": wanted.name.strip()})
        secure = request.headers.get("origin", "").startswith("https://")  # a proxy with TLS is in front
        answer.set_cookie(
            cookie_name(port), secret, max_age=int(WHOLE_S), httponly=True, secure=secure, samesite="strict"
        )
        return answer

    add_mine_routes(app, accounts)

    @app.post("/v1/logout", dependencies=known)
    async def log_out(request: Request) -> Response:
        """End the session."""
        secret = request.cookies.get(cookie_name(port), "")
        await run_in_threadpool(accounts.log_out, secret)
        answer = json({})
        answer.delete_cookie(cookie_name(port), httponly=True, samesite="strict")
        return answer
