"""What an account keeps for itself: read by nobody else, bounded, gone with the account, and of people only."""

import pytest

from lapwing.serve import accounts as accounts_module
from lapwing.serve.accounts import AccountError, Accounts
from tests.serve.test_login import PASSWORD, log_in, seat

ZONES = {"zones_off": ["Terminal"]}
QUIET = {"quiet": {"begin": "22:00", "end": "06:00"}}


@pytest.fixture
def accounts(tmp_path, monkeypatch):
    monkeypatch.setattr(accounts_module, "SCRYPT", {**accounts_module.SCRYPT, "n": 16})
    made = Accounts(tmp_path / "accounts.sqlite")
    made.add("Kim", "act", PASSWORD)
    made.add("Lee", "watch", PASSWORD)
    yield made
    made.close()


async def test_each_keeps_its_own_and_what_is_not_said_stays(tmp_path, accounts):
    async with seat(tmp_path, accounts) as (client, _, _):
        assert (await client.get("/v1/mine")).status_code == 401
        assert (await client.post("/v1/mine", json=ZONES)).status_code == 401
        await log_in(client, "Lee")  # who may only watch
        assert (await client.get("/v1/mine")).json() == {}
        assert (await client.post("/v1/mine", json=ZONES)).json() == ZONES
        assert (await client.post("/v1/mine", json=QUIET)).json() == ZONES | QUIET
        assert (await client.post("/v1/mine", json={"quiet": None})).json() == ZONES
        client.cookies.clear()
        await log_in(client, "Kim")
        assert (await client.get("/v1/mine")).json() == {}
    accounts.add("Lee", "watch", PASSWORD)  # a new password
    assert accounts.kept("Lee") == ZONES
    accounts.remove("Lee")
    accounts.add("Lee", "watch", PASSWORD)  # another Lee
    assert accounts.kept("Lee") == {}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"zones_off": "Terminal"}, 400),
        ({"zones_off": [""]}, 400),
        ({"zones_off": ["z" * 201]}, 400),
        ({"zones_off": ["z"] * 257}, 400),
        ({"zones_off": [f"{i:0150d}" for i in range(60)]}, 413),
        ({"quiet": {"begin": "24:00", "end": "06:00"}}, 400),
        ({"quiet": {"begin": "22:00"}}, 400),
        ({"looked": {"site": "x", "ms": -1}}, 400),
        ({"looked": {"site": "x", "ms": 1e300}}, 400),
        ({"role": "manage"}, 400),
        ([], 400),
    ],
)
async def test_nonsense_is_refused_and_nothing_is_kept(tmp_path, accounts, body, status):
    async with seat(tmp_path, accounts) as (client, _, _):
        await log_in(client)
        assert (await client.post("/v1/mine", json=body)).status_code == status
        assert (await client.get("/v1/mine")).json() == {}


async def test_programs_and_this_machine_keep_nothing(tmp_path, accounts):
    token = accounts.add_token("prometheus", "act")
    async with seat(tmp_path, accounts) as (client, _, _):
        for secret in (token, accounts.local_key):
            headers = {"authorization": f"Bearer {secret}"}
            for answer in (
                await client.get("/v1/mine", headers=headers),
                await client.post("/v1/mine", json=ZONES, headers=headers),
            ):
                assert answer.status_code == 403


async def test_where_nobody_logs_in_there_is_no_such_thing(tmp_path):
    async with seat(tmp_path, None) as (client, _, _):
        assert (await client.get("/v1/mine")).status_code == 404
        assert (await client.post("/v1/mine", json=ZONES)).status_code in (404, 405)


async def test_a_file_that_cannot_be_written_is_told(tmp_path, accounts, monkeypatch):
    def broken(*_):
        raise AccountError("the disk is full")

    async with seat(tmp_path, accounts) as (client, _, _):
        await log_in(client)
        monkeypatch.setattr(accounts, "keep", broken)
        answer = await client.post("/v1/mine", json=ZONES)
        assert (answer.status_code, answer.json()) == (503, {"error": "the disk is full"})
