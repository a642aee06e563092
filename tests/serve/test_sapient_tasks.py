"""Orders to SAPIENT sensors, from a person to a real socket and back: checked, written down, sent, answered."""

import asyncio
import contextlib
import sqlite3
from dataclasses import replace

import httpx
import pytest
from typer.testing import CliRunner

from lapwing.records import FeedConfig
from lapwing.serve import cli, feeds, ordering
from lapwing.serve.accounts import Accounts
from lapwing.serve.clock import SystemClock
from lapwing.serve.inbox import Inbox
from lapwing.serve.listening import serve_web
from lapwing.serve.sapient import our_id
from lapwing.serve.sapient_nodes import NodeBook
from lapwing.serve.sapient_tasks import ANSWERS_MAX, TaskDesk, TaskError, WantedTask, tasks_file
from lapwing.serve.site import load
from lapwing.serve.web import WebOptions, create_app
from tests.decode import sapient_samples as s
from tests.serve.fake_shelf import FakeShelf, World, make_site
from tests.serve.test_feeds import free_port, until
from tests.serve.test_sapient_nodes import connect
from tests.serve.test_sapient_peer import OTHER, full, health, now

ORDER = {"feed": "gate", "node": "camera", "name": "Kim", "task": "request", "value": "Status", "note": "looks dead"}


def camera(kind: str = "CAMERA", name: str = "camera", node: str = s.NODE):
    out = full(kind, name, node)
    task = out.registration.mode_definition[0].task
    task.command[0].units = "Status, Start, Stop"
    more = task.command.add(units="RangeBearing", type=6)
    more.completion_time.units, more.completion_time.value = 4, 1.0
    return out


class Place:
    """A site with one SAPIENT feed, its web server, and what people may do there."""

    def __init__(self, folder) -> None:
        self.config = FeedConfig("gate", "sapient", "sapient", host="127.0.0.1", port=free_port(), sensor="radar")
        self.site = replace(make_site(), feeds=(self.config,))
        self.book, self.file, self.web_port = NodeBook(), tasks_file(folder), free_port()
        self.desk = TaskDesk(self.file, self.site, self.book)
        self.url = f"http://127.0.0.1:{self.web_port}"

    @contextlib.asynccontextmanager
    async def at_work(self):
        app = create_app(FakeShelf(World()), self.site, WebOptions(nodes=self.book, tasks=self.desk))
        tasks = [
            asyncio.create_task(feeds.listen_to(self.config, Inbox(SystemClock()), self.book)),
            asyncio.create_task(serve_web(app, "127.0.0.1", self.web_port)),
        ]
        try:
            node = await connect(self.config.port)
            node.say(camera())
            assert (await node.hear()).registration_ack.acceptance is True
            node.say(health())
            async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
                await until_up(client)
                yield node, client
            node.writer.close()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def until_up(client) -> None:
    for _ in range(300):
        with contextlib.suppress(httpx.TransportError):
            await client.get("/healthz")
            return
        await asyncio.sleep(0.02)


def ack(task_id: str, status: int, *reasons: str):
    out = s.message(now())
    out.task_ack.task_id, out.task_ack.task_status = task_id, status
    out.task_ack.reason.extend(reasons)
    return out


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


async def test_an_order_is_written_down_sent_and_answered(place) -> None:
    async with place.at_work() as (node, client):
        answer = await client.post("/v1/tasks", json=ORDER)
        assert answer.status_code == 201, answer.text
        given = answer.json()
        assert (given["name"], given["note"], given["state"]) == ("Kim", "looks dead", "no answer yet")
        told = await node.hear()
        assert (told.node_id, told.destination_id) == (our_id(place.config), s.NODE)
        assert (told.task.command.request, told.task.task_id) == ("Status", given["task_id"])
        node.say(ack(given["task_id"], 1))
        node.say(ack(given["task_id"], 3, "done"))
        node.say(ack("01GGYFBAXGDG7AGAHRZ6XSNY12", 3))  # answers nothing of ours
        await until(lambda: place.desk.rows()[0]["state"] == "COMPLETED")
        (row,) = (await client.get(f"/v1/tasks?task={given['task_id']}")).json()["tasks"]
        assert [(a["status"], a["reason"]) for a in row["answers"]] == [("ACCEPTED", ""), ("COMPLETED", "done")]
        ended = await client.post("/v1/tasks", json={**ORDER, "task": "cancel", "value": given["task_id"]})
        assert ended.status_code == 201
        told = await node.hear()
        assert (told.task.control, told.task.task_id) == (2, given["task_id"])
        assert len((await client.get("/v1/tasks")).json()["tasks"]) == 2
    kept = sqlite3.connect(place.file)
    assert kept.execute("SELECT name, node, peer FROM tasks").fetchall() == [("Kim", s.NODE, "127.0.0.1")] * 2
    with pytest.raises(sqlite3.DatabaseError, match="tasks are kept"):
        kept.execute("DELETE FROM tasks")
    kept.close()
    assert len(TaskDesk(place.file, place.site, NodeBook()).rows()) == 2


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"task": "move_to"}, 400, "task"),
        ({"task": "follow", "value": "01GGYFBAXGDG7AGAHRZ6XSNY12"}, 400, "task"),
        ({"task": "patrol"}, 400, "task"),
        ({"value": "Reset"}, 400, "did not advertise the request Reset"),
        ({"task": "mode_change", "value": "Default"}, 400, "did not advertise MODE_CHANGE"),
        ({"task": "detection_threshold", "value": "low"}, 400, "did not advertise DETECTION_THRESHOLD"),
        ({"task": "cancel", "value": "01GGYFBAXGDG7AGAHRZ6XSNY12"}, 400, "was given no task"),
        ({"node": "nobody"}, 404, "has no node 'nobody'"),
        ({"node": "tower"}, 409, "is refused: watch-only system"),
        ({"feed": "other"}, 404, "no SAPIENT feed"),
        ({"name": " "}, 400, "name"),
        ({"follow_object_id": "x"}, 400, "follow_object_id"),
        ({"azimuth_deg": 1e9}, 400, "azimuth_deg"),
    ],
)
async def test_a_wrong_order_is_refused_in_a_sentence_and_nothing_leaves(place, change, status, said) -> None:
    async with place.at_work() as (node, client):
        bad = await connect(place.config.port)
        bad.say(camera("JAMMER", "tower", OTHER))
        assert (await bad.hear()).registration_ack.acceptance is False
        answer = await client.post("/v1/tasks", json={**ORDER, **change})
        assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text
        good = await client.post("/v1/tasks", json=ORDER)
        assert (await node.hear()).task.task_id == good.json()["task_id"]  # the first that ever came
        assert len(place.desk.rows()) == 1
        bad.writer.close()


async def test_the_door_is_that_of_acts(place) -> None:
    async with place.at_work() as (_, client):
        foreign = {"origin": "http://evil.example"}
        assert (await client.post("/v1/tasks", json=ORDER, headers=foreign)).status_code == 403
        plain = {"content-type": "text/plain"}
        assert (await client.post("/v1/tasks", content=b"{}", headers=plain)).status_code == 415
        assert (await client.post("/v1/tasks", json=ORDER | {"note": "x" * 9_000})).status_code == 413
        assert (await client.post("/v1/nodes", json=ORDER)).status_code == 405
    closed = create_app(FakeShelf(World()), place.site, WebOptions(nodes=place.book))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(closed), base_url=place.url) as client:
        assert (await client.post("/v1/tasks", json=ORDER)).status_code in (404, 405)


@pytest.mark.parametrize(("role", "status"), [("watch", 403), ("act", 403), ("manage", 404), ("local", 404)])
async def test_only_who_may_manage_orders_sensors(place, tmp_path, role, status) -> None:
    """The page offers it to `manage` only, the server is no more generous; 404: allowed, but there is no such node."""
    accounts = Accounts(tmp_path / "accounts.sqlite")
    token = accounts.local_key if role == "local" else accounts.add_token("Kim", role)
    app = create_app(FakeShelf(World()), place.site, WebOptions(nodes=place.book, tasks=place.desk, accounts=accounts))
    headers = {"authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 9))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8480", headers=headers) as client:
        answer = await client.post("/v1/tasks", json=ORDER)
        assert answer.status_code == status, answer.text
        if role == "act":
            assert answer.json()["error"] == "Only who may manage orders sensors."
        assert (await client.get("/v1/tasks")).json() == {"tasks": []}
    accounts.close()


async def test_the_command_line_gives_orders(place, monkeypatch) -> None:
    async with place.at_work() as (node, _):
        wanted = {"node": "camera", "task": "look_at", "azimuth_deg": 90.0, "value": "", "name": "Kim", "feed": ""}
        giving = asyncio.create_task(asyncio.to_thread(ordering.give, "127.0.0.1", place.web_port, place.site, wanted))
        told = await node.hear()
        cone = told.task.command.look_at.range_bearing
        assert (cone.azimuth, cone.datum) == (90.0, 1)
        node.say(ack(told.task.task_id, 2, "it rains"))
        assert await giving == f"task {told.task.task_id}: REJECTED: it rains"
        for change, why in (
            ({"name": ""}, "--by NAME"),
            ({"node": "x"}, "has no node"),
            ({"corners": "47,8 a"}, "LATITUDE,LONGITUDE"),
            ({"task": "follow"}, "task: "),
        ):
            with pytest.raises(ordering.OrderError, match=why):
                await asyncio.to_thread(
                    ordering.give, "127.0.0.1", place.web_port, place.site, wanted | change
                )  # fmt: skip
    with pytest.raises(ordering.OrderError, match="does not answer"):
        ordering.give("127.0.0.1", place.web_port, place.site, wanted)
    with pytest.raises(ordering.OrderError, match="which feed"):
        ordering.give("127.0.0.1", place.web_port, make_site(), wanted)


async def test_answers_are_bounded_and_a_disk_that_refuses_orders_nothing(place) -> None:
    sent = []
    place.book.take("gate", camera(), sent.append)
    prepared = place.desk.prepare(WantedTask(**ORDER))
    place.desk.write_down(prepared, "")
    place.desk.send(prepared)
    task_id = sent[0].task.task_id
    for _ in range(ANSWERS_MAX + 5):
        place.book.take("gate", ack(task_id, 99), sent.append)
    other = ack(task_id, 1)
    other.node_id = OTHER
    place.book.take("gate", other, sent.append)
    assert [a["status"] for a in place.desk.rows()[0]["answers"]] == ["99"] * ANSWERS_MAX
    place.book.left("gate", s.NODE, "gone")
    with pytest.raises(TaskError, match="is away: gone"):
        place.desk.prepare(WantedTask(**ORDER))
    with pytest.raises(TaskError, match="went before"):
        place.desk.send(prepared)
    place.desk._db.execute("DROP TABLE tasks")
    with pytest.raises(TaskError, match="nothing was ordered"):
        place.desk.write_down(prepared, "")
    with pytest.raises(TaskError, match="cannot read"):
        place.desk.rows()
    (place.file.parent / "folder").mkdir()
    with pytest.raises(TaskError, match="cannot keep"):
        TaskDesk(place.file.parent / "folder", place.site, place.book)


def test_the_command_says_what_is_missing(tmp_path) -> None:
    """The command itself, as far as it goes without a site that runs."""
    site = tmp_path / "site.toml"
    site.write_text(
        'name = "s"\norigin = {latitude_deg = 47.0, longitude_deg = 8.0}\n[[sensor]]\nname = "radar"\n'
        "at = {latitude_deg = 47.0, longitude_deg = 8.0}\n"
        '[[feed]]\nname = "mw"\ndecoder = "sapient"\nfrom = "sapient-peer://127.0.0.1:5001"\nsensor = "radar"\n'
    )
    entry, frozen = load(site)
    assert (frozen.feeds[0].transport, frozen.feeds[0].port) == ("sapient-peer", 5001)
    assert entry.feed[0].decoder == "sapient"
    run = CliRunner()
    unnamed = run.invoke(cli.app, ["task", str(site), "gate", "request", "Status"])
    assert (unnamed.exit_code, "--by NAME" in unnamed.output) == (2, True)
    nobody = ["task", str(site), "gate", "request", "Status", "--by", "Kim", "--port", str(free_port())]
    assert "does not answer" in run.invoke(cli.app, nobody).output
