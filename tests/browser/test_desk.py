"""A test of the alarm outputs from the page, and SAPIENT nodes, tasks and holds beside the feeds."""

import time

import pytest

from lapwing.decode.sapient_abilities import Abilities
from lapwing.serve.holds import lay, lift
from lapwing.serve.sapient_nodes import KnownNode, NodeBook
from tests.browser.conftest import Stand
from tests.browser.seat import Seat

pytestmark = pytest.mark.browser
S = 10**9


class Ringer:
    """Two outputs: one takes a test the second time it is asked, the other gives up."""

    def __init__(self):
        self.asked = 0

    def test(self, act):
        self.asked = 0

    def tested(self, act):
        self.asked += 1
        phone = {"output": "phone", "state": "waiting" if self.asked < 2 else "sent", "why": ""}
        return [phone, {"output": "tower <b>mail</b>", "state": "given up", "why": "550 no such user"}]


class Tasks:
    """What was ordered."""

    def rows(self, task=""):
        told = '{"feed":"sapient","node":"Radar 1","task":"command","command":"detection_threshold","value":"Low"}'
        answers = [{"at_ns": str(5 * S), "status": "REJECTED", "reason": "not now"}]
        row = {
            "task_id": "01",
            "at_ns": str(4 * S),
            "feed": "sapient",
            "node": "Radar 1",
            "wanted": told,
            "name": "Kim",
        }
        return [row | {"note": "wind", "state": "REJECTED", "answers": answers}]


@pytest.fixture
def desk(tmp_path):
    lay(tmp_path, (1, 2 * S), "M. Kim", "case 7", 3 * S)
    lay(tmp_path, (1, 2 * S), "A. Lee", "case 8", 3 * S)
    lift(tmp_path, 2, "A. Lee", "closed", 4 * S)
    nodes, able = NodeBook(), Abilities("Radar 1", ("RADAR",), "BSI Flex 335 v2.0", (), (("REQUEST", "Registration"),))
    now = time.time_ns()
    for node in (
        KnownNode("sapient", "aaaa", able, "connected", "", now, now, "OK", "default", ("fan is loud",)),
        KnownNode(
            "sapient", "bbbb", Abilities("Camera <i>2</i>", ("CAMERA",)), "away", "three status reports missed", now
        ),
    ):
        nodes._nodes[(node.feed, node.node_id)] = node
    made = Stand(400, tmp_path, ringer=Ringer(), tasks=Tasks(), nodes=nodes, journal=tmp_path)
    made.start()
    yield made
    made.stop()


def test_the_alarm_outputs_are_tested_by_a_named_person_and_each_says_what_became_of_it(desk, launch):
    browser = launch()
    seat, other = Seat(browser, desk.url), Seat(browser, desk.url)
    for page in (seat, other):
        page.until(lambda page=page: page.read("alarms") == 2, "the alarms")
    other.page.locator("#sound").click()
    other.until(lambda: other.read("beeps") >= 3, "the trial and the standing alarm's beeps")
    other.page.locator("#who").fill("Lee")
    other.page.get_by_role("button", name="Acknowledge alarm 2").click()  # now only a test can sound
    other.until(lambda: "is written down" in other.page.locator("#announce").inner_text(), "that it is written down")
    before = other.read("beeps")
    seat.page.get_by_role("button", name="Test alarm").click()
    drill = seat.page.locator("#drill")
    seat.until(lambda: "Nobody has ever tested" in drill.inner_text(), "that nothing was tested")
    assert seat.page.evaluate("document.activeElement.id") == "drill-who"
    seat.page.keyboard.press("Enter")  # without a name nothing leaves: the browser asks for it
    assert not seat.page.locator("#test-banner").is_visible()
    seat.page.keyboard.type("Kim")
    seat.page.keyboard.press("Tab")
    seat.page.keyboard.type("new phone")
    seat.page.keyboard.press("Enter")
    seat.until(lambda: "phone: waiting" in drill.inner_text(), "the one that waits")
    assert "✕ tower <b>mail</b>: given up, 550 no such user" in drill.inner_text()
    seat.until(lambda: "✓ phone: sent" in drill.inner_text(), "the one that was sent")
    assert "This test:" in drill.inner_text()
    desk.advance(5)
    for page in (seat, other):
        banner = page.page.locator("#test-banner")
        page.until(banner.is_visible, "that a test runs")
        assert banner.inner_text().startswith("TEST by Kim: new phone.")
        assert "No real alarm" in banner.inner_text()
    other.until(lambda: other.read("beeps") == before + 3, "the sound of a critical alarm, once")
    assert "Test alarm by Kim" in other.page.locator("#announce").inner_text()
    assert len(other.texts(".alarm")) == 2  # it is no alarm
    drill.get_by_role("button", name="Send the test").click()
    seat.until(lambda: "NOT tested" in drill.inner_text(), "that it is too soon")
    seat.page.keyboard.press("Escape")
    assert not drill.is_visible()
    assert [c for c in seat.complaints if "429" not in c] == []  # the browser reports the refusal itself
    assert other.complaints == []


def test_nodes_tasks_and_holds_are_beside_the_feeds(desk, launch):
    seat = Seat(launch(), desk.url + "/#list=feeds")
    seat.until(lambda: any("Hold 1" in t for t in seat.texts(".feed")), "the holds")
    items = {t.split("\n")[1] if t[0] in "✓!✕" else t.split("\n")[0]: " ".join(t.split()) for t in seat.texts(".feed")}
    assert "SAPIENT node, connected" in items["Radar 1"]
    assert "OK, mode default: fan is loud" in items["Radar 1"]
    assert "REQUEST (Registration)".lower() in items["Radar 1"].lower()
    assert "three status reports missed" in items["Camera <i>2</i>"]
    assert (
        "command, command detection_threshold, value Low, by Kim (wind): rejected, not now"
        in items["Tasks given to sensors"]
    )
    assert "1 standing" in items["Holds on the record"]
    assert "by M. Kim: case 7" in items["Holds on the record"]
    assert "lifted 1970-01-01 00:00:04 by A. Lee: closed" in items["Holds on the record"]
    assert seat.complaints == []


def test_a_server_without_outputs_or_a_journal_shows_neither(stand, launch):
    seat = Seat(launch(), stand.url + "/#list=feeds")
    names = [feed.feed for feed in stand.shelf.latest().feeds] + ["Where the time goes"]
    shown: list[str] = []

    def settled() -> bool:
        shown[:] = [t.lstrip("✓!✕").strip().split("\n")[0] for t in seat.texts(".feed h3")]
        return len(shown) >= len(names)

    seat.until(settled, "the feeds and where the time goes")
    assert shown == names  # no nodes, no tasks, no holds
    feeds = {name: " ".join(t.split()) for name, t in zip(names, seat.texts(".feed"), strict=True)}
    assert "Latency not known: it states no times" in feeds["harbour-ais"]
    assert "Latency less than nothing: its clock is ahead" in feeds["hill-radar"]
    assert "Clock ahead of this machine's by 1900 ms or more" in feeds["hill-radar"]
    assert not seat.page.locator("#test-alarm").is_visible()
    assert not any("/v1/holds" in u or "/v1/tasks" in u or "/v1/alarm-test" in u for u in seat.asked)
    assert seat.complaints == []
