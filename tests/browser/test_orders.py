"""Orders to a SAPIENT sensor from the page: offered as it can, sent to a real socket, refused as the server says."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from lapwing.records import FeedConfig
from lapwing.serve import feeds
from lapwing.serve.clock import SystemClock
from lapwing.serve.inbox import Inbox
from lapwing.serve.sapient_nodes import NodeBook
from lapwing.serve.sapient_tasks import TaskDesk, tasks_file
from tests.browser.conftest import Stand
from tests.browser.seat import Seat
from tests.serve.fake_shelf import make_site
from tests.serve.test_feeds import free_port
from tests.serve.test_sapient_nodes import connect
from tests.serve.test_sapient_peer import health
from tests.serve.test_sapient_tasks import camera

pytestmark = pytest.mark.browser


class Watched(Stand):
    """A stand with one SAPIENT camera on a real socket; `heard` are the tasks that it was given."""

    def __init__(self, folder) -> None:
        self.config = FeedConfig("gate", "sapient", "sapient", host="127.0.0.1", port=free_port(), sensor="radar")
        self.book, self.heard = NodeBook(), []
        self.desk = TaskDesk(tasks_file(folder), replace(make_site(), feeds=(self.config,)), self.book)
        super().__init__(400, folder, nodes=self.book, tasks=self.desk)

    async def work(self) -> None:
        listening = asyncio.create_task(feeds.listen_to(self.config, Inbox(SystemClock()), self.book))
        node = await connect(self.config.port)
        try:
            node.say(camera())
            assert (await node.hear()).registration_ack.acceptance is True
            node.say(health())
            while True:
                told = await node.hear()
                if told.WhichOneof("content") == "task":
                    self.heard.append(told.task)
        finally:
            node.writer.close()
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening


@pytest.fixture
def watched(tmp_path):
    made = Watched(tmp_path)
    made.start()
    running = asyncio.run_coroutine_threadsafe(made.work(), made._loop)
    yield made
    running.cancel()
    made.stop()


def test_a_camera_is_told_where_to_look_from_the_map(watched, launch):
    seat = Seat(launch(), f"http://127.0.0.1:{watched.port}/#list=feeds&map=11.00/37.95000/126.60000")
    form = seat.page.locator(".order")
    seat.until(lambda: form.count() == 1, "what can be ordered of the camera")
    form.locator("summary").click()
    offered = form.locator("select").first.locator("option").all_inner_texts()
    assert offered[0] == "look at"
    assert not {"move to", "patrol", "follow"} & set(offered)
    form.get_by_text("From the map").click()
    form.get_by_role("button", name="Order", exact=True).click()
    seat.until(lambda: "say who you are" in form.inner_text(), "that a name is missing")
    seat.page.evaluate("localStorage.setItem('lapwing.name', 'Kim')")
    form.get_by_label("Why").last.fill("something moved")
    watched.advance(10)  # the list is drawn anew; what is typed stays
    form.get_by_role("button", name="Order", exact=True).click()
    seat.until(lambda: "Ordered and written down" in form.inner_text(), "that it is ordered")
    seat.until(lambda: len(watched.heard) == 1, "the task at the sensor")
    assert watched.heard[0].command.WhichOneof("command") == "look_at"
    (row,) = watched.desk.rows()
    assert (row["name"], row["note"]) == ("Kim", "something moved")
    seat.until(lambda: "look_at" in " ".join(seat.texts(".feed:has-text('Tasks given')")), "it in the list of tasks")
    assert seat.complaints == []


def test_what_the_server_refuses_is_said_as_it_says_it(watched, launch):
    seat = Seat(launch(), f"http://127.0.0.1:{watched.port}/#list=feeds")
    form = seat.page.locator(".order")
    seat.until(lambda: form.count() == 1, "what can be ordered of the camera")
    seat.page.evaluate("localStorage.setItem('lapwing.name', 'Kim')")
    form.locator("summary").click()
    form.locator("select").first.select_option("request")
    form.get_by_label("Request").select_option("Reset")  # not among what the camera said
    form.get_by_role("button", name="Order", exact=True).click()
    seat.until(lambda: "NOT ordered" in form.inner_text(), "the refusal")
    assert watched.heard == []
    assert watched.desk.rows() == []
