"""What is known of SAPIENT nodes: over both kinds of connection, across restarts, bounded, and shown."""

import asyncio
import contextlib
import json

import httpx
import pytest

from lapwing.records import FeedConfig
from lapwing.serve import feeds, sapient_nodes, sapient_peer
from lapwing.serve.clock import SystemClock
from lapwing.serve.inbox import Inbox
from lapwing.serve.sapient_nodes import NODES_MAX, NodeBook
from lapwing.serve.web import WebOptions, create_app
from tests.decode import sapient_samples as s
from tests.serve.fake_shelf import FakeShelf, World, make_site
from tests.serve.sapient_middleware import Wire, middleware
from tests.serve.test_feeds import free_port, until
from tests.serve.test_sapient_peer import OTHER, full, health


def nobody(_) -> None:
    raise AssertionError


def states(book: NodeBook) -> dict[str, str]:
    return {row["node"]: row["state"] for row in book.rows()}


@contextlib.asynccontextmanager
async def listening(transport: str, book: NodeBook):
    config = FeedConfig("f", "sapient", transport, host="127.0.0.1", port=free_port(), sensor="radar")
    tasks = [asyncio.create_task(feeds.listen_to(config, Inbox(SystemClock()), book)), asyncio.create_task(book.keep())]
    try:
        yield config.port
    finally:
        for task in tasks:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def connect(port: int) -> Wire:
    for _ in range(200):
        with contextlib.suppress(OSError):
            return Wire(*await asyncio.open_connection("127.0.0.1", port))
        await asyncio.sleep(0.02)
    raise AssertionError


async def test_a_node_is_known_after_a_restart(tmp_path) -> None:
    file = tmp_path / "folder" / "nodes.json"
    book = NodeBook(file)
    async with listening("sapient", book) as port:
        node = await connect(port)
        node.say(full("CAMERA", "gate"))
        await node.hear()
        told = health(system=2)
        told.status_report.status.add(status_type=5, status_value="leaves in the wind")
        node.say(told)
        await until(lambda: book.rows() and book.rows()[0]["system"] == "WARNING")
        assert book.rows()[0]["remarks"] == ["leaves in the wind"]
        assert states(book) == {s.NODE: "connected"}
        node.writer.close()
        await until(lambda: states(book) == {s.NODE: "away"})
    before = book.rows()
    after = NodeBook(file).rows()
    assert after == before
    assert (after[0]["name"], after[0]["types"], after[0]["mode"]) == ("gate", ["CAMERA"], "Default")
    assert after[0]["why"] == "closed by the node"
    assert after[0]["commands"] == [{"command": "request", "units": "none"}]
    assert after[0]["regions"] == ["area_of_interest"]


async def test_behind_a_middleware_too_and_those_that_act_are_shown_as_refused(monkeypatch) -> None:
    monkeypatch.setattr(sapient_peer, "RETRY_S", 0.05)
    book, child = NodeBook(), free_port()
    async with listening("sapient-peer", book) as port:
        async with middleware(child, port):
            radar, bad = await connect(child), await connect(child)
            radar.say(full(interval_s=0.5))
            bad.say(full("JAMMER", "tower", OTHER))
            await until(lambda: states(book) == {s.NODE: "connected", OTHER: "refused"})
            assert book.find("f", OTHER).why == "watch-only system: nodes that act are refused"
            await until(lambda: states(book)[s.NODE] == "away", 10.0)  # its status is overdue
            radar.say(health())
            await until(lambda: states(book)[s.NODE] == "connected")
            radar.writer.close()
            bad.writer.close()
        await until(lambda: states(book) == {s.NODE: "away", OTHER: "refused"})


def test_who_came_back_over_another_connection_is_not_gone() -> None:
    book, first, second = NodeBook(), lambda _: None, lambda _: None
    book.take("f", s.registration(), first)
    book.take("f", s.registration(), second)
    book.left("f", s.NODE, "closed", first)
    assert states(book) == {s.NODE: "connected"}
    book.left("f", s.NODE, "closed", second)
    assert states(book) == {s.NODE: "away"}


def test_only_those_that_are_connected_and_well_named_are_told_upwards() -> None:
    book = NodeBook()
    for node in (s.NODE, OTHER, s.NODE.upper()):
        book.take("f", s.registration(node=node), nobody)
    book.take("g", s.registration("JAMMER", node="c8654cdf-4328-47de-81fa-c495589e30c9"), nobody)
    assert book.connected() == [s.NODE, OTHER]
    book.left("f", s.NODE, "closed")
    assert book.connected() == [OTHER]


def test_no_more_nodes_are_kept_than_may_and_each_is_small() -> None:
    book = NodeBook()
    big = s.registration(name="x" * 10_000)
    big.registration.icd_version = "335" * 10_000
    for k in range(200):
        mode = big.registration.mode_definition.add(mode_name=f"{k}" * 1000)
        for i in range(200):
            mode.task.command.add(type=1, units=f"{i}" * 1000)
            mode.task.region_definition.region_type.append(1)
    book.take("f", big, nobody)
    assert len(json.dumps(book.rows())) < 8_000
    for k in range(NODES_MAX + 10):
        one = s.registration(node=f"{k:08x}-4328-47de-81fa-c495589e30c9")
        book.take("f", one, nobody)
        if k < 20:
            book.left("f", one.node_id, "closed")
    assert len(book.rows()) == NODES_MAX
    assert f"{NODES_MAX + 9:08x}-4328-47de-81fa-c495589e30c9" in states(book)
    assert f"{0:08x}-4328-47de-81fa-c495589e30c9" not in states(book)


@pytest.mark.parametrize("junk", [b"", b"\xff\xfe", b"[1]", b'{"a": 1}', b"[" * 5000])
def test_a_file_that_is_none_is_left(tmp_path, junk: bytes, caplog) -> None:
    file = tmp_path / "nodes.json"
    file.write_bytes(junk)
    assert NodeBook(file).rows() == []
    assert "cannot be read" in caplog.text


async def test_a_disk_that_refuses_is_told_once(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(sapient_nodes, "SAVE_S", 0.01)
    (tmp_path / "nodes.json").mkdir()
    book = NodeBook(None)
    book._file = tmp_path / "nodes.json"
    task = asyncio.create_task(book.keep())
    for _ in range(3):
        book.take("f", s.registration(), nobody)
        await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert caplog.text.count("cannot be written") == 1


async def test_they_are_shown() -> None:
    book = NodeBook()
    book.take("f", full("RADAR", "hill"), nobody)
    app = create_app(FakeShelf(World()), make_site(), WebOptions(nodes=book))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        answer = await client.get("/v1/nodes")
        assert answer.json() == {"nodes": book.rows()}
        assert answer.json()["nodes"][0]["registered_ns"].isdigit()
        assert (await client.get("/v1/nodes?x=1")).status_code == 400
