"""Who may open the page: sessions, tokens, roles, and everything that must not get in."""

import asyncio
import stat
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from typer.testing import CliRunner
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from lapwing.serve import accounts as accounts_module
from lapwing.serve import web_login
from lapwing.serve.accounts import AccountError, Accounts, Person, TooManyTries, WrongPassword
from lapwing.serve.acts import Acts, read_acts
from lapwing.serve.alarm_testing import ring
from lapwing.serve.cli import app as commands
from lapwing.serve.listening import serve_web
from lapwing.serve.ordering import OrderError
from lapwing.serve.outputs.run import Outputs
from lapwing.serve.site_web import WebEntry
from lapwing.serve.web import WebOptions, create_app
from lapwing.serve.web_login import OPEN, cookie_name, session_of
from tests.serve.fake_shelf import FakeShelf, World, make_site
from tests.serve.test_feeds import free_port

SITE, PASSWORD = make_site(), "three small birds"
JSON = {"content-type": "application/json"}


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    """Hashes that cost nothing; one test has the real ones."""
    monkeypatch.setattr(accounts_module, "SCRYPT", {**accounts_module.SCRYPT, "n": 16})


@pytest.fixture
def accounts(tmp_path):
    made = Accounts(tmp_path / "accounts.sqlite")
    made.add("Kim", "act", PASSWORD)
    made.add("Lee", "watch", PASSWORD)
    yield made
    made.close()


@asynccontextmanager
async def seat(tmp_path, accounts):
    """A site's page where people must log in; a client that is nobody yet."""
    outputs, acts, shelf, port = (
        Outputs([], SITE, Path(), tmp_path),
        Acts(tmp_path / "acts.sqlite"),
        FakeShelf(World(), tick=560),
        free_port(),
    )
    options = WebOptions(port=port, accounts=accounts, acts=acts, ringer=outputs)
    up = asyncio.Event()
    web = create_app(shelf, SITE, options, outputs.rows)
    served = asyncio.create_task(serve_web(web, "127.0.0.1", port, lambda _: up.set()))
    try:
        await up.wait()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield client, port, web
    finally:
        served.cancel()
        await asyncio.gather(served, return_exceptions=True)
        acts.close()


async def log_in(client, name="Kim", password=PASSWORD):
    return await client.post("/v1/login", json={"name": name, "password": password})


def routes(web: FastAPI):
    return [(m, r.path) for r in web.routes if isinstance(r, APIRoute) for m in sorted(r.methods)]


async def test_nothing_but_the_log_in_page_is_shown_to_who_is_nobody(tmp_path, accounts):
    """Every route that the server has, with a made-up cookie, token or none."""
    async with seat(tmp_path, accounts) as (client, port, web):
        known = routes(web)
        assert len(known) > 20
        strangers = [{}, {"authorization": "Bearer x"}, {"authorization": "Basic S2ltOng="}]
        strangers += [{"cookie": f"{cookie_name(port)}=made-up"}, {"cookie": '[;=;"' * 20}]
        for method, path in known:
            for who in strangers:
                more = {"headers": who | JSON, "content": b"{}"} if method == "POST" else {"headers": who}
                answer = await client.request(method, path.replace("{seq}", "1"), **more)
                if path in OPEN:
                    assert answer.status_code != 401 or path == "/v1/login"
                elif path == "/history.html":
                    assert (answer.status_code, answer.headers["location"]) == (303, "/login.html?history")
                else:
                    assert answer.status_code == 401, (method, path, who)
                    assert answer.json() == {"error": "Log in first."}
        home = await client.get("/")
        assert (home.status_code, home.headers["location"]) == (303, "/login.html")
        assert "content-security-policy" in home.headers
        assert (await client.get("/basemap.pmtiles")).status_code == 401
        assert (await client.get("/%61ssets/../v1/tracks")).status_code in (401, 404)
        page = await client.get("/login.html?history")
        assert page.status_code == 200
        for name in ("login.js", "login.css"):
            assert f"/{name}" in page.text
            assert (await client.get(f"/{name}")).status_code == 200
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{port}/v1/live")


async def test_who_logs_in_sees_everything_until_the_session_ends(tmp_path, accounts):
    async with seat(tmp_path, accounts) as (client, port, _):
        answer = await log_in(client)
        assert (answer.status_code, answer.json()) == (200, {"name": "Kim"})
        cookie = answer.headers["set-cookie"]
        for rule in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age="):
            assert rule in cookie
        assert "Secure" not in cookie  # http; behind a proxy with TLS it has it
        assert (await client.get("/v1/me")).json() == {"login": True, "name": "Kim", "role": "act"}
        assert (await client.get("/v1/tracks")).status_code == 200
        assert (await client.get("/")).status_code == 200
        assert (await client.post("/v1/logout", json={})).status_code == 200
        assert (await client.get("/v1/tracks")).status_code == 401
        secret = session_of(cookie.split(";")[0], cookie_name(port))
        kept = {"cookie": f"{cookie_name(port)}={secret}"}
        assert (await client.get("/v1/tracks", headers=kept)).status_code == 401  # ended for the server too


async def test_behind_tls_the_cookie_goes_over_tls_only(tmp_path, accounts):
    async with seat(tmp_path, accounts) as (client, port, _):
        headers = {"origin": f"https://127.0.0.1:{port}"}
        answer = await client.post("/v1/login", json={"name": "Kim", "password": PASSWORD}, headers=headers)
        assert "Secure" in answer.headers["set-cookie"]
        other = {"origin": "https://evil.example"}
        again = await client.post("/v1/login", json={"name": "Kim", "password": PASSWORD}, headers=other)
        assert again.status_code == 403


async def test_an_act_is_written_down_under_the_account_whatever_the_body_says(tmp_path, accounts):
    async with seat(tmp_path, accounts) as (client, _, _):
        await log_in(client)
        alarm = (await client.get("/v1/alarms")).json()["alarms"][0]["id"]
        wanted = {"alarm": alarm, "verb": "acknowledge", "name": "Somebody Else"}
        assert (await client.post("/v1/acts", json=wanted)).json()["name"] == "Kim"
        note = await client.post("/v1/handover", json={"name": "Somebody Else", "note": "quiet"})
        assert note.json()["name"] == "Kim"
        client.cookies.clear()
        await log_in(client, "Lee")
        assert (await client.get("/v1/alarms")).status_code == 200
        note = {"name": "Lee", "note": "x"}
        for path, body in (("/v1/acts", wanted), ("/v1/alarm-test", {"name": "Lee"}), ("/v1/handover", note)):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()) == (403, {"error": "Lee may watch, not act."})
    assert [a.name for a in read_acts(tmp_path / "acts.sqlite")] == ["Kim", "Kim"]


async def test_programs_show_a_token_and_commands_on_this_machine_the_local_key(tmp_path, accounts):
    async with seat(tmp_path, accounts) as (client, port, _):
        token = accounts.add_token("prometheus", "watch")
        shown = {"authorization": f"Bearer {token}"}
        assert (await client.get("/metrics", headers=shown)).status_code == 200
        assert (await client.post("/v1/alarm-test", json={"name": "x"}, headers=shown)).status_code == 403
        accounts.remove("prometheus")
        assert (await client.get("/metrics", headers=shown)).status_code == 401
        with pytest.raises(OrderError, match="Log in first"):
            await asyncio.to_thread(ring, "127.0.0.1", port, "Pat")
        good, text = await asyncio.to_thread(ring, "127.0.0.1", port, "Pat", "", accounts.local_key)
        assert good
        assert "test alarm by Pat" in text  # who is at this machine says who it is
        afar = {"authorization": f"Bearer {accounts.local_key}", "x-forwarded-for": "203.0.113.5"}
        assert (await client.get("/v1/tracks", headers=afar)).status_code == 401
    assert accounts.of_token(accounts.local_key, here=False) is None


async def until_closed(socket):
    while True:
        await socket.recv()


async def test_a_live_connection_ends_with_its_session(tmp_path, accounts, monkeypatch):
    monkeypatch.setattr(web_login, "RECHECK_S", 0.0)
    async with seat(tmp_path, accounts) as (client, port, _):
        secret = session_of((await log_in(client)).headers["set-cookie"].split(";")[0], cookie_name(port))
        headers = {"cookie": f"{cookie_name(port)}={secret}"}
        async with connect(f"ws://127.0.0.1:{port}/v1/live", additional_headers=headers) as socket:
            for _ in range(3):
                await asyncio.wait_for(socket.recv(), 10)
            accounts.remove("Kim")
            with pytest.raises(ConnectionClosed) as ended:
                await asyncio.wait_for(until_closed(socket), 10)
            assert ended.value.rcvd.code == 1008


async def test_wrong_passwords_are_slowed_down_and_do_not_lock_out_who_asks_from_elsewhere(tmp_path, accounts):
    async with seat(tmp_path, accounts) as (client, _, _):
        for _ in range(accounts_module.TRIES):
            answer = await log_in(client, password="a guess that is wrong")
            assert (answer.status_code, answer.json()["error"]) == (401, "Nobody has this name and password.")
        assert (await log_in(client, "Nobody", "x")).json()["error"] == "Nobody has this name and password."
        assert (await log_in(client)).status_code == 429  # even with the right one
        assert accounts.of_session(accounts.log_in("Kim", PASSWORD, "192.0.2.7")) == Person("Kim", "act")
        for body in (b"", b"[]", b'{"name": 3}', b'{"name": "Kim", "password": "' + b"x" * 300 + b'"}', b"\xff"):
            assert (await client.post("/v1/login", content=body, headers=JSON)).status_code == 400


def test_too_many_at_the_door_are_sent_away(accounts, monkeypatch):
    monkeypatch.setattr(accounts_module, "WAITING_MAX", 0)
    with pytest.raises(TooManyTries, match="at once"):
        accounts.log_in("Kim", PASSWORD, "")


def test_sessions_end_when_unused_and_when_old(accounts, monkeypatch):
    now = [1e9]
    monkeypatch.setattr(accounts_module.time, "time", lambda: now[0])
    secret = accounts.log_in("Kim", PASSWORD, "")
    for _ in range(59):  # used every half of what it may be idle, until it is too old
        now[0] += accounts_module.IDLE_S / 2
        assert accounts.of_session(secret) == Person("Kim", "act")
    now[0] += accounts_module.IDLE_S / 2 + 1
    now[0] += accounts_module.WHOLE_S - 60 * accounts_module.IDLE_S / 2
    assert accounts.of_session(secret) is None
    secret = accounts.log_in("Kim", PASSWORD, "")
    now[0] += accounts_module.IDLE_S + 1
    assert accounts.of_session(secret) is None


def test_a_new_password_or_role_ends_sessions_and_the_file_tells_no_secret(accounts, monkeypatch):
    secret, token = accounts.log_in("Kim", PASSWORD, ""), accounts.add_token("script", "watch")
    data = accounts.path.read_bytes()
    for word in (PASSWORD, secret, token):
        assert word.encode() not in data
    assert stat.S_IMODE(accounts.path.stat().st_mode) == 0o600
    accounts.add("Kim", "watch", "another one, longer")
    assert accounts.of_session(secret) is None
    with pytest.raises(WrongPassword):
        accounts.log_in("Kim", PASSWORD, "")
    assert accounts.of_session(accounts.log_in(" Kim ", "another one, longer", "")) == Person("Kim", "watch")


def test_real_hashes_are_scrypt_of_rfc_7914(monkeypatch):
    """The RFC's own vector (section 12: "pleaseletmein"), through the same call."""
    monkeypatch.setattr(accounts_module, "SCRYPT", {"n": 16384, "r": 8, "p": 1, "maxmem": 64 << 20, "dklen": 64})
    made = accounts_module._hash("pleaseletmein", b"SodiumChloride")
    assert made.hex().startswith("7023bdcb3afd7348461c06cd81fd38eb")


@pytest.mark.parametrize(
    ("name", "role", "password", "said"),
    [("", "act", PASSWORD, "name"), ("x" * 81, "act", PASSWORD, "name"), ("a\nb", "act", PASSWORD, "printable"),
     ("Kim", "admin", PASSWORD, "no role 'admin'"), ("Kim", "act", "short", "10 to 256")],
)  # fmt: skip
def test_what_is_no_account_is_refused(accounts, name, role, password, said):
    with pytest.raises(AccountError, match=said):
        accounts.add(name, role, password)


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "accounts.sqlite").write_bytes(b"not a database, but long enough to look at" * 40)
    with pytest.raises(AccountError, match="cannot keep accounts"):
        Accounts(tmp_path / "accounts.sqlite")


def test_the_commands(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(
        'name = "X"\n[origin]\nlatitude_deg = 52.0\nlongitude_deg = 4.0\n[[feed]]\nname = "A"\ndecoder = "beast"\n'
        'from = "tcp://127.0.0.1:30005"\n[web]\nhost = "0.0.0.0"\nlogin = true\n'
    )
    run = CliRunner()

    def said(*words, put=None):
        done = run.invoke(commands, ["users", *words], input=put)
        return done.exit_code, done.output

    assert "nobody yet" in said("list", str(site))[1]
    code, text = said("add", str(site), "Kim", "--role", "act", put=f"{PASSWORD}\n{PASSWORD}\n")
    assert (code, "Kim may watch and act" in text, PASSWORD in text) == (0, True, False)
    assert said("add", str(site), "Lee", "--password-stdin", put="short\n")[0] == 2
    assert said("token", str(site), "prometheus")[0] == 0
    assert said("token", str(site), "Kim")[0] == 2
    assert said("list", str(site))[1] == "Kim: person, act\nprometheus: token, watch\n"
    assert said("remove", str(site), "Kim")[0] == 0
    assert said("remove", str(site), "Kim") == (2, "lapwing: there is nobody named 'Kim'\n")
    told = run.invoke(commands, ["check", str(site)]).output
    assert "whoever logs in; people may act about alarms; passwords travel unencrypted unless" in told


def test_what_check_says_of_the_page():
    assert "whoever uses this machine; people may act" in WebEntry().explain()
    assert "whoever can reach it; nobody can act" in WebEntry(host="0.0.0.0").explain()
    assert WebEntry(host="0.0.0.0", login=True).may_act()
    assert not WebEntry(login=True, acts=False).may_act()


@pytest.mark.parametrize("change", [lambda a: a.add("Kim", "watch", "four small birds"), lambda a: a.remove("Kim")])
def test_a_log_in_while_the_password_changes_does_not_outlive_it(accounts, monkeypatch, change):
    real = accounts._hashed

    def hashed(password, salt):
        out = real(password, salt)
        monkeypatch.setattr(accounts, "_hashed", real)
        change(accounts)
        return out

    monkeypatch.setattr(accounts, "_hashed", hashed)
    with pytest.raises(WrongPassword):
        accounts.log_in("Kim", PASSWORD, "192.0.2.7")
    with accounts._asked() as db:
        assert db.execute("SELECT count(*) FROM sessions").fetchone()[0] == 0
