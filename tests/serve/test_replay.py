"""Replay over the web: the very messages of then, from any moment, and nothing that a listener says can do harm."""

import asyncio
import contextlib
import json
import os
import shutil
import sqlite3
import warnings

import pytest
import websockets
import websockets.exceptions

from lapwing.engine.plan import TICK_NS
from lapwing.serve import replayer, wire_text
from lapwing.serve.acts import Acts, Wanted, acts_file
from lapwing.serve.listening import serve_web
from lapwing.serve.remote_id import RemoteText
from lapwing.serve.replayer import Wish, Wishes
from lapwing.serve.web import WebOptions, create_app
from lapwing.serve.web_replay import ReplayDesk, add_replay_routes
from lapwing.serve.wire import encode_picture
from tests.replay.test_replay import drive
from tests.replay.world import T0, border
from tests.serve.recorded import recorded

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette would like httpx's successor; httpx does
    from starlette.testclient import TestClient

S = 10**9
HOST = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """35 s of the lab's border, with an alarm that somebody acknowledged at 20 s."""
    folder = tmp_path_factory.mktemp("journal")
    drive(folder, border(35.0))
    acts = Acts(acts_file(folder))
    acts.add(Wanted(alarm=1, verb="acknowledge", name="Kim"), 1, T0 + 20 * S, "127.0.0.1")
    acts.close()
    return folder


@pytest.fixture(scope="module")
def past(folder):
    return recorded(folder)


@contextlib.asynccontextmanager
async def served(past, folder, **limits):
    shelf, site, _ = past
    app = create_app(shelf, site)
    desk = ReplayDesk(folder, **limits)
    app.router.routes.pop()  # the page, which would answer first
    add_replay_routes(app, shelf, desk)
    bound = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve_web(app, "127.0.0.1", 0, bound.set_result))
    try:
        yield f"ws://127.0.0.1:{await bound}/v1/replay", desk
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


def connect(url, at_ns, **more):
    query = "&".join(f"{k}={v}" for k, v in {"at_ns": at_ns, **more}.items())
    return websockets.connect(f"{url}?{query}", max_size=None)


async def picture(socket, state=None):
    """Messages up to the next picture (of that state): the replay's own word, texts by type, and the picture."""
    told, texts = {}, {}
    while True:
        message = await asyncio.wait_for(socket.recv(), 30)
        if isinstance(message, bytes):
            if state is None or told["state"] == state:
                return told, texts, message
            continue
        kind = json.loads(message)["type"]
        if kind == "replay":
            told = json.loads(message)
            if told["state"] == "failed":
                return told, texts, b""
        else:
            texts[kind] = message


async def to_the_end(socket):
    """All messages until the server closes."""
    messages = []
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            messages.append(await asyncio.wait_for(socket.recv(), 20))
    return messages


async def test_what_is_shown_is_what_was_shown(past, folder):
    shelf, site, rows = past
    async with served(past, folder) as (url, desk), connect(url, T0 + 25 * S + 1, paused="true") as socket:
        told, texts, binary = await picture(socket)
        assert (told["state"], told["tick"], told["exact"]) == ("paused", 125, True)
        then = rows[125].picture
        assert binary == encode_picture(then, site.origin)
        for kind, text in wire_text.texts(then, site.origin).items():
            assert texts[kind] == text
        assert json.loads(texts["hello"])["site"]["name"] == site.name
        assert texts["remote"] == RemoteText(shelf.feeds_of).text(then)
        assert json.loads(texts["acts"])["acts"]["1"]["acknowledge"]["name"] == "Kim"
        assert desk.running == 1

        await socket.send(json.dumps({"seek": 7, "at_ns": T0 + 18 * S}))  # back, to before somebody acted
        told, texts, binary = await picture(socket)
        assert (told["seek"], told["tick"], told["exact"]) == (7, 90, True)
        assert binary == encode_picture(rows[90].picture, site.origin)
        assert json.loads(texts["acts"])["acts"] == {}
        assert "hello" in texts

        await socket.send(json.dumps({"rate": 100, "paused": False}))
        ticks = [90]
        while told["state"] != "end":
            told, _, binary = await picture(socket)
            assert binary == encode_picture(rows[told["tick"]].picture, site.origin)
            assert told["exact"] is True
            ticks.append(told["tick"])
        assert ticks == sorted(ticks)
        assert ticks[-1] == 175
        assert told["different"] == 0 < told["compared"]


async def test_it_plays_at_the_rate_that_was_wished(past, folder):
    async with served(past, folder) as (url, _), connect(url, T0 + 10 * S, rate=5) as socket:
        first, _, _ = await picture(socket)
        loop = asyncio.get_running_loop()
        began = loop.time()
        told = first
        while told["tick"] < first["tick"] + 50:  # 10 s of then
            told, _, _ = await picture(socket, "playing")
        took = loop.time() - began
        assert 1.9 < took < 9.9  # never faster than wished: 2 s on a machine that is not busy; 10 s were it not heard
        assert told["rate"] == 5


async def test_a_difference_is_said(past, folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    db = sqlite3.connect(copy / "journal.sqlite")
    db.execute("UPDATE ticks SET digest=zeroblob(16) WHERE tick=100")
    db.execute("UPDATE ticks SET digest=NULL WHERE tick=101")
    db.commit()
    db.close()
    async with served(past, copy) as (url, _), connect(url, T0 + 20 * S, paused="true") as socket:
        told, _, _ = await picture(socket)
        assert (told["exact"], told["different"]) == (False, 1)
        await socket.send(json.dumps({"at_ns": T0 + 20 * S + TICK_NS}))
        told, _, _ = await picture(socket)
        assert told["exact"] is None
        await socket.send(json.dumps({"at_ns": T0 + 20 * S + 2 * TICK_NS}))
        told, _, _ = await picture(socket)
        assert (told["exact"], told["compared"]) == (True, 2)


async def test_what_is_deleted_while_it_plays_is_said_and_does_not_end_it(past, folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    async with served(past, copy) as (url, _), connect(url, T0 + 2 * S, paused="true") as socket:
        await picture(socket)
        db = sqlite3.connect(copy / "journal.sqlite")  # as Journal.trim does: up to the checkpoint of tick 150
        db.execute("DELETE FROM frames WHERE seq <= (SELECT through_seq FROM checkpoints WHERE tick=150)")
        db.execute("DELETE FROM ticks WHERE tick <= 150")
        db.commit()
        db.close()
        await socket.send(json.dumps({"rate": 100, "paused": False}))
        told = {"state": ""}
        while told["state"] != "failed":
            told, _, _ = await picture(socket)
        assert "no longer holds that moment" in told["why"]
        await socket.send(json.dumps({"at_ns": 0, "paused": True}))  # to the first picture that is left
        told, _, _ = await picture(socket)
        assert (told["state"], told["tick"], told["exact"]) == ("paused", 151, True)


async def test_few_at_a_time_and_each_ends_with_its_listener(past, folder):
    async with served(past, folder, replays_max=1) as (url, desk):
        async with connect(url, T0) as socket:
            await picture(socket)
            async with connect(url, T0) as second:
                with pytest.raises(websockets.ConnectionClosed, match="the limit"):
                    await asyncio.wait_for(second.recv(), 10)
        async with asyncio.timeout(10):
            while desk.running:
                await asyncio.sleep(0.02)
        async with connect(url, T0, paused="true") as socket:
            told, _, _ = await picture(socket)
            assert told["tick"] == 1


async def test_one_that_is_left_alone_ends(past, folder):
    async with served(past, folder, idle_s=1.5) as (url, desk), connect(url, T0, paused="true") as socket:
        *_, last = await to_the_end(socket)
        assert json.loads(last)["state"] == "idle"
        assert socket.close_code == 1000
        async with asyncio.timeout(10):
            while desk.running:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "word",
    [
        '{"rate": 0.5}', '{"rate": 101}', '{"rate": "NaN"}', '{"at_ns": -1}', '{"at_ns": 9223372036854775808}', "[]",
        '{"speed": 2}', '{"paused": "perhaps"}', "", "{" * 900, b"\x00\xff", '{"at_ns": 1e400}',
    ],
)  # fmt: skip
async def test_what_is_no_wish_ends_the_replay(past, folder, word):
    async with served(past, folder) as (url, desk), connect(url, T0, paused="true") as socket:
        await socket.send(word)
        await to_the_end(socket)
        assert socket.close_code == 1008
        assert socket.close_reason
        async with asyncio.timeout(10):
            while desk.running:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "query", ["", "?at_ns=x", "?at_ns=1&rate=0", "?at_ns=1&speed=3", "?at_ns=-1", "?at_ns=1&rate=nan"]
)
async def test_what_is_no_moment_is_refused(past, folder, query):
    async with served(past, folder) as (url, desk):
        with pytest.raises(websockets.exceptions.InvalidStatus):
            await websockets.connect(f"{url}?{query}")
        assert desk.running == 0


async def test_a_page_of_another_host_may_not_look(past, folder):
    async with served(past, folder) as (url, desk):
        with pytest.raises(websockets.exceptions.InvalidStatus):
            await websockets.connect(f"{url}?at_ns=1", origin="http://evil.example")
        assert desk.running == 0


async def test_the_process_ends_with_the_server(past, folder):
    async with served(past, folder) as (url, desk):
        socket = await connect(url, T0, rate=1)
        await picture(socket)
        assert desk.running == 1
    async with asyncio.timeout(10):
        while desk.running:
            await asyncio.sleep(0.02)
    await socket.close()


async def test_a_folder_without_a_journal_is_said(past, tmp_path):
    async with served(past, tmp_path) as (url, _), connect(url, T0) as socket:
        told, _, _ = await picture(socket)
        assert "holds no journal" in told["why"]


def test_the_range_with_its_alarms(past, folder):
    shelf, site, rows = past
    client = TestClient(create_app(shelf, site, WebOptions(journal=folder)), base_url=HOST)
    told = client.get("/v1/replay/range").json()
    assert (told["since_ns"], told["until_ns"]) == (str(rows[1].tick.time_ns), str(rows[175].tick.time_ns))
    last = rows[175].picture.alarms
    assert [a["id"] for a in told["alarms"]] == last.alarm_id.tolist()
    first = told["alarms"][0]
    assert first["raised_ns"] == str(last.raised_ns[0])
    assert (first["rule"], first["zone"]) == (last.rule[0], last.zone[0])
    assert first["reason"] in {r.picture.alarms.reason[0] for r in rows.values() if len(r.picture.alarms)}
    none = client.get(f"/v1/replay/range?until_ns={int(first['raised_ns']) - 1}").json()
    assert none["alarms"] == []
    assert client.get("/v1/replay/range?since_ns=-1").status_code == 400
    assert client.get("/v1/replay/range?at=1").status_code == 400
    assert client.get("/v1/replay/range?since_ns=5&until_ns=1").json()["alarms"] == []


def test_a_site_without_a_journal_has_no_replay(past):
    shelf, site, _ = past
    assert TestClient(create_app(shelf, site), base_url=HOST).get("/v1/replay/range").status_code == 404


def test_many_wishes_are_one():
    wishes = Wishes()
    assert wishes.take(0.0) is None
    for k in range(1000):
        wishes.put(Wish(seek=k, at_ns=k))
    wishes.put(Wish(rate=7))
    assert wishes.elsewhere()
    assert wishes.take(None) == Wish(seek=999, at_ns=999, rate=7)
    assert not wishes.elsewhere()
    wishes.put(None)
    assert wishes.closed
    assert wishes.elsewhere()


def test_the_process_says_what_it_cannot_do(tmp_path, monkeypatch, capfdbinary):
    """Its own main, in this process: no journal is a message, not a traceback; and it steps aside for others."""
    nice = []
    monkeypatch.setattr(os, "nice", nice.append)
    monkeypatch.setattr("sys.argv", ["replayer", str(tmp_path)])
    monkeypatch.setattr(replayer, "_listen", lambda wishes: wishes.put(None))
    replayer.main()
    said = capfdbinary.readouterr().out
    assert said[:1] == b"T"
    assert "holds no journal" in json.loads(said[5 : 5 + int.from_bytes(said[1:5], "little")])["why"]
    assert nice == [replayer.NICENESS]
