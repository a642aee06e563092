"""PostgreSQL beside the embedded stores, on a real server: copied once, caught up, asked for the past."""

import asyncio
import sqlite3
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from lapwing.engine.alarm_history import AlarmHistory
from lapwing.engine.history import CLAIM, TRACK, History
from lapwing.serve import postgres_link
from lapwing.serve import postgres_tables as tables
from lapwing.serve.accounts import Accounts
from lapwing.serve.acts import Acts, Wanted, WantedHandover
from lapwing.serve.operate import Wish, operate
from lapwing.serve.outputs.entries import secret
from lapwing.serve.postgres import Keeper, Past
from lapwing.serve.postgres_link import Away
from lapwing.serve.site import SiteError, examined, parse
from lapwing.serve.site_history import HistoryEntry
from lapwing.serve.site_words import missing, words
from lapwing.serve.versions import Versions
from tests.serve.fake_shelf import DRONE_ID, ORIGIN, World
from tests.serve.postgres_server import PASSWORD, PostgresServer
from tests.serve.silent_postgres import SilentPostgres
from tests.serve.test_feeds import free_port

SITE = """
name = "Fence"
origin = {{latitude_deg = 47.0, longitude_deg = 8.0}}
feed = [{{name = "f", decoder = "nmea", from = "udp://127.0.0.1:{port}"}}]
[history]
postgres = "{url}"
password = "file:secret"
every_s = 1
[web]
port = 0
"""


@pytest.fixture(scope="module")
def server():
    one = PostgresServer()
    yield one
    one.remove()


@pytest.fixture
def past(tmp_path):
    """Stores of a site with a name of its own, at tick 0."""
    stores = History(tmp_path / "history", ORIGIN), AlarmHistory(tmp_path / "alarms", ORIGIN)
    now = [0]
    return Past(tmp_path.name, *stores, tmp_path / "acts.sqlite", tmp_path / "site.toml", None, lambda: now[0]), now


def keeper_of(server, past: Past) -> Keeper:
    return Keeper(HistoryEntry(postgres=server.url, every_s=1), PASSWORD, past)


def seen(past, since: int, until: int) -> None:
    """Ticks of the fake world, once a second, into the stores."""
    world = World()
    for tick in range(since, until, 5):
        picture = world.picture(tick)
        past[0].history.add(picture)
        past[0].alarms.add(picture)
        past[1][0] = picture.time_ns


def asked(server, sql: str, *values):
    with psycopg.connect(server.url, password=PASSWORD) as db:
        return db.execute(sql, values).fetchall()


def everything(past: Past, server) -> None:
    """The database holds what is here before the newest picture, row by row, and nothing twice."""
    here = past.history.rows(0, past.now_ns()).collect()
    (count,) = asked(server, "SELECT count(*) FROM lapwing_paths WHERE site=%s", past.site)[0]
    assert count == len(here)
    with postgres_link.linked(server.url, PASSWORD) as db:
        for kind, ident in ((TRACK, DRONE_ID), *((CLAIM, i) for i in here.filter(kind=CLAIM)["id"].unique()[:3])):
            mine = here.filter((pl.col("kind") == kind) & (pl.col("id") == ident)).sort("time_ns")
            assert len(mine)
            assert_frame_equal(tables.paths(db, past.site, (0, 2**62), kind, ident), mine, check_exact=True)
        assert_frame_equal(tables.alarms(db, past.site, (0, 2**62)), past.alarms.here(0, 2**62), check_exact=True)


def test_paths_and_alarms_are_copied_once_and_the_same(server, past):
    keeper = keeper_of(server, past[0])
    assert keeper.copy() == 0  # nothing has happened yet
    seen(past, 400, 600)
    assert keeper.copy() > 1_000
    everything(past[0], server)
    assert keeper.copy() == 0
    past[0].history.flush()
    past[0].alarms.flush()
    seen(past, 600, 900)  # alarms change meanwhile
    assert keeper_of(server, past[0]).copy() > 1_000  # a new process goes on where the last one stopped
    everything(past[0], server)
    assert len(past[0].alarms.here(0, 2**62)) >= 3


def test_a_copy_that_is_cut_off_leaves_nothing(server, past, monkeypatch):
    keeper = keeper_of(server, past[0])
    assert keeper.copy() == 0  # makes the tables
    seen(past, 400, 500)

    def cut(*_words) -> None:
        raise OSError("the cable")

    with monkeypatch.context() as broken:
        broken.setattr(tables, "set_mark", cut)
        with pytest.raises(Away, match="the cable"):
            keeper.copy()
    assert asked(server, "SELECT count(*) FROM lapwing_paths WHERE site=%s", past[0].site) == [(0,)]
    keeper.copy()
    everything(past[0], server)


async def until(holds, seconds: float = 20.0) -> None:
    for _ in range(round(seconds / 0.05)):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


async def test_while_it_is_away_nothing_waits_and_the_rest_follows(server, past):
    keeper = keeper_of(server, past[0])
    seen(past, 400, 500)
    running = asyncio.create_task(keeper.run())
    try:
        await until(lambda: keeper.health.up is True)
        await asyncio.to_thread(server.stop)
        seen(past, 500, 900)
        await until(lambda: keeper.health.up is False)
        row = keeper.health.row()
        assert row["state"] == "failing"
        assert "what is still kept here follows" in row["link"]
        assert row["waiting"] > 60  # seconds of pictures
        assert PASSWORD not in str(row)
        assert past[0].history.query(0, past[1][0], TRACK, DRONE_ID)["time_ns"].size == 99  # here is everything
        await asyncio.to_thread(server.start)
        await until(lambda: keeper.health.up is True and keeper.health.waiting == 0)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        with suppress(AssertionError):
            server.start()
    everything(past[0], server)


def test_what_is_forgotten_here_is_read_from_there(server, past):
    seen(past, 400, 600)
    past[0].history.flush()
    past[0].alarms.flush()
    keeper = keeper_of(server, past[0])
    now = past[1][0]
    before = past[0].history.query(0, now, TRACK, DRONE_ID)
    alarms = past[0].alarms.query(0, now)
    assert len(alarms) >= 2
    keeper.copy()
    for path in [*past[0].history._parts._folder.rglob("*.parquet"), *past[0].alarms._folder.glob("*.parquet")]:
        path.unlink()
    seen(past, 600, 620)
    assert past[0].history.query(0, now, TRACK, DRONE_ID)["time_ns"].size == 0
    past[0].history.older, past[0].alarms.older = keeper.older_paths, keeper.older_alarms
    again = past[0].history.query(0, now, TRACK, DRONE_ID)
    assert {k: v.tolist() for k, v in again.items()} == {k: v.tolist() for k, v in before.items()}
    whole = past[0].history.query(0, past[1][0] + 1, TRACK, DRONE_ID)["time_ns"]
    assert (len(whole), len(set(whole.tolist()))) == (len(before["time_ns"]) + 4, len(before["time_ns"]) + 4)
    kept = past[0].alarms.query(0, now)
    assert kept["raised_ns"].to_list() == alarms["raised_ns"].to_list()
    nobody = Keeper(HistoryEntry(postgres="postgresql://lapwing@/postgres?host=/nowhere"), "", past[0])
    past[0].history.older, past[0].alarms.older = nobody.older_paths, nobody.older_alarms
    assert past[0].history.query(0, now, TRACK, DRONE_ID)["time_ns"].size == 0  # away: what is here


def test_what_was_removed_here_before_it_was_copied_is_told_once(server, past, caplog):
    keeper = keeper_of(server, past[0])
    seen(past, 400, 420)
    keeper.copy()
    seen(past, 420, 440)
    past[0].history.flush()
    seen(past, 20_000, 20_010)  # more than an hour later
    keeper._look_for_gap(tables_mark(server, past[0]))
    assert "was not copied" not in caplog.text  # all is still here
    for path in past[0].history._parts._folder.rglob("*.parquet"):  # as retention does
        path.unlink()
    keeper.copy()
    keeper.copy()
    told = [r.getMessage() for r in caplog.records if "was not copied" in r.getMessage()]
    assert len(told) == 1
    assert "copied up to" in told[0]
    assert "the oldest kept here is of" in told[0]


def tables_mark(server, past: Past) -> int:
    with postgres_link.linked(server.url, PASSWORD) as db:
        return tables.mark(db, past.site, "paths")


def test_acts_versions_and_names_without_secrets(server, past, tmp_path):
    one = replace(past[0], accounts=Accounts(tmp_path / "accounts.sqlite"))
    one.accounts.add("Ann", "manage", "correct horse battery")
    token = one.accounts.add_token("robot", "watch")
    acts = Acts(one.acts)
    acts.add(Wanted(alarm=3, verb="note", name="Ann", note="a \0 in it"), 1, 10, "::1")
    one.site_file.write_text("name = 'a'\n")
    versions = Versions(one.site_file)
    versions.now()
    keeper = keeper_of(server, one)
    assert keeper.copy() == 4
    acts.add_handover(WantedHandover(name="Ann", note="quiet"), 11, "::1")
    versions.save("name = 'b'\n", 1, "Ann", "b is better")
    one.accounts.remove("robot")
    one.accounts.add("Ann", "act", "correct horse battery")
    assert keeper.copy() == 4
    assert keeper.copy() == 0
    sql = "SELECT act, verb, name, note FROM lapwing_acts WHERE site=%s ORDER BY act"
    assert asked(server, sql, one.site) == [(1, "note", "Ann", "a \ufffd in it"), (2, "handover", "Ann", "quiet")]
    sql = "SELECT number, name, text FROM lapwing_versions WHERE site=%s ORDER BY number"
    assert asked(server, sql, one.site) == [(1, "", "name = 'a'\n"), (2, "Ann", "name = 'b'\n")]
    sql = "SELECT name, kind, role FROM lapwing_people WHERE site=%s"
    assert asked(server, sql, one.site) == [("Ann", "person", "act")]
    assert token not in str(asked(server, "SELECT * FROM lapwing_people"))
    acts.close()
    one.acts.unlink()
    Path(f"{one.acts}-wal").unlink(missing_ok=True)
    Path(f"{one.acts}-shm").unlink(missing_ok=True)
    Acts(one.acts).add(Wanted(alarm=3, verb="note", name="Bob", note="another journal"), 1, 10, "::1")
    keeper.copy()  # whose acts count from 1 again
    assert len(asked(server, "SELECT DISTINCT journal FROM lapwing_acts WHERE site=%s", one.site)) == 2
    versions.close()


def test_a_damaged_store_here_is_told_and_stops_nothing(server, past):
    past[0].acts.write_bytes(b"not a database at all" * 100)
    with pytest.raises(Exception, match="cannot be read") as told:
        keeper_of(server, past[0]).copy()
    assert not isinstance(told.value, sqlite3.Error)


async def test_a_wrong_password_is_told_without_it(server, past):
    keeper = Keeper(HistoryEntry(postgres=server.url), "wrong but secret", past[0])
    running = asyncio.create_task(keeper.run())
    await until(lambda: keeper.health.up is False)
    running.cancel()
    assert "password authentication failed" in keeper.health.link
    assert "wrong but secret" not in str(keeper.health.row())


@pytest.fixture
def silent(monkeypatch):
    monkeypatch.setattr(postgres_link, "ANSWER_S", 1)
    monkeypatch.setattr(postgres_link, "SPARE_S", 0.5)
    one = SilentPostgres()
    yield one
    one.close()


def soon(work) -> list:
    """What a piece of work gives in a thread that must have ended by itself after ten seconds."""
    out = []
    thread = threading.Thread(target=lambda: out.append(work()), daemon=True)
    thread.start()
    thread.join(10.0)
    assert not thread.is_alive(), "it waits without end"
    return out


def test_a_server_that_says_nothing_after_the_login_is_away(silent, past):
    keeper = keeper_of(silent, past[0])

    def copied() -> str:
        try:
            return str(keeper.copy())
        except Away as error:
            return str(error)

    assert soon(copied) == ["no answer within 1.5 s"]
    assert silent.logins == 1
    assert [len(rows) for rows in soon(lambda: keeper.older_alarms(0, 9))] == [0]
    assert silent.logins == 2


def test_questions_do_not_pile_up_at_a_server_that_is_away_or_busy(silent, past):
    keeper = keeper_of(silent, past[0])
    asking = [threading.Thread(target=keeper.older_alarms, args=(0, 9), daemon=True) for _ in range(2)]
    for thread in asking:
        thread.start()
    while silent.logins < 2:
        time.sleep(0.01)
    began = time.monotonic()
    assert keeper.older_alarms(0, 9).is_empty()
    assert keeper.older_paths(0, 9, TRACK, 1).is_empty()
    assert time.monotonic() - began < 0.5
    assert silent.logins == 2
    for thread in asking:
        thread.join(10.0)
        assert not thread.is_alive()
    keeper.health.lost("the cable")
    assert keeper.older_alarms(0, 9).is_empty()
    assert silent.logins == 2  # not even asked
    keeper.health.connected("again")
    assert keeper.older_alarms(0, 9).is_empty()
    assert silent.logins == 3


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('postgres = "postgresql://a:b@h/d"', "the password does not stand in it"),
        ('postgres = "postgresql://a@h/d?password=b"', "the password does not stand in it"),
        ('postgres = "postgres://a:b@h/d"', "the password does not stand in it"),
        ('postgres = "postgresql://a@h/d?sslpassword=b"', "the password does not stand in it"),
        ('postgres = "postgresql://a@h/d?Password="', "the password does not stand in it"),
        ('postgres = "mysql://a:b@h/d"', "the password does not stand in it"),
        ('postgres = "mysql://a@h/d"', "is no database"),
        ('postgres = "postgresql://a:b@[h/d"', "is no address"),
        ('postgres = "postgresql://a@h"', "is no database"),
        ('postgres = "postgresql://a@h/d"\npassword = "plain"', "a secret is"),
        ("every_s = 0", "every_s"),
    ],
)
def test_mistakes_of_the_table_are_told(line, why):
    text = SITE.format(url="postgresql://u@/d", port=9999).split("[history]")[0] + "[history]\n" + line
    with pytest.raises(SiteError) as told:
        parse(text)
    (problem,) = told.value.problems
    assert why in problem


@pytest.mark.parametrize(
    "address",
    [
        "postgres://a:SWORDFISH@h/d",
        "mysql://a:SWORDFISH@h/d",
        "postgresql://a:SWORDFISH@h",
        "postgresql://a:/SWORDFISH@h/d",
        "postgresql://a:SWORDFISH@[h/d",
        "postgresql://a@h/d?sslpassword=SWORDFISH",
        "host=h password=SWORDFISH",
        'postgresql://a@h/d"\npassword = "SWORDFISH" #',
    ],
)
def test_a_password_in_the_address_is_not_repeated(address):
    text = SITE.format(url=address, port=9999).replace('password = "file:secret"\n', "")
    with pytest.raises(SiteError) as told:
        parse(text)
    assert "SWORDFISH" not in " ".join(told.value.problems)


def test_the_short_word_for_the_scheme_will_do():
    entry = HistoryEntry(postgres="postgres://a@h/d")
    assert entry.shown() == "h/d"


def test_without_psycopg_or_its_password_the_site_does_not_start(tmp_path, monkeypatch):
    text = SITE.format(url="postgresql://lapwing@db.example/air", port=9999)
    entry, site = examined(text, tmp_path / "site.toml")
    assert missing(entry, site, tmp_path) == [
        f"[history]: the file {tmp_path / 'secret'} is not there, or holds no secret in its first line"
    ]
    (said,) = [line for line in words(entry, site) if line.startswith("history")]
    assert "PostgreSQL on db.example/air every 1 s" in said
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SiteError) as told:
        examined(text, tmp_path / "site.toml")
    assert "extra 'pg'" in told.value.problems[0]
    with pytest.raises(Away, match="extra 'pg'"), postgres_link.linked("postgresql:///x", ""):
        pass


def test_a_site_runs_with_it(server, tmp_path):
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    text = SITE.format(url=server.url, port=free_port()).replace("Fence", tmp_path.name)
    entry, site = examined(text, tmp_path / "site.toml")
    assert secret(entry.history.password, tmp_path) == PASSWORD
    acts = Acts(tmp_path / "journal" / "acts.sqlite")
    acts.add(Wanted(alarm=1, verb="note", name="Ann", note="here"), 1, 10, "::1")
    acts.close()
    operate(entry, text, site, Wish(tmp_path / "journal", for_s=4.0, site_folder=tmp_path))
    assert asked(server, "SELECT name, note FROM lapwing_acts WHERE site=%s", tmp_path.name) == [("Ann", "here")]
