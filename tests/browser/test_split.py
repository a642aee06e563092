"""Live beside replay: two pictures of one place, each under its own banner; alarms of now keep coming; by keyboard."""

import pytest

from tests.browser.conftest import NO_WEBGL, WEBGL
from tests.browser.seat import Seat
from tests.browser.test_axe import findings
from tests.browser.test_replay import raised, text

pytestmark = pytest.mark.browser
MOMENT = "at=2025-06-15T15:06:47.000Z"  # T0 + 7 s, before the alarm


def opened(launch, past, args=WEBGL, words=""):
    seat = Seat(launch(args), f"{past.url}/#{MOMENT}{words}")
    seat.until(lambda: seat.read("replay") == "paused" and seat.read("ticks") > 0, "the moment", 120)
    return seat


@pytest.mark.parametrize("args", [WEBGL, NO_WEBGL], ids=["map", "scope"])
def test_now_beside_the_past(past, launch, args):
    tick, _ = raised(past)
    seat = opened(launch, past, args)
    shown = seat.read("ticks")
    assert not seat.page.locator("#beside").is_visible()
    seat.page.keyboard.press("s")
    seat.until(lambda: seat.read("beside") == 50, "the live picture beside")
    assert seat.page.locator("#split").get_attribute("aria-pressed") == "true"
    assert text(seat, "past-banner").startswith("REPLAY")
    assert text(seat, "beside-told").startswith("LIVE")
    assert text(seat, "past-time") != text(seat, "beside-time")
    assert "no alarm waits" in text(seat, "beside-alarms")
    left, right = (seat.page.locator(f"#{n}").bounding_box() for n in ("stage", "beside"))
    assert left["x"] + left["width"] <= right["x"] + 1
    assert abs(left["width"] - right["width"]) < 8
    seat.until(lambda: "split=1" in seat.page.url, "both in the address")

    past.show(tick)  # an alarm is raised live while the past stands still
    seat.until(lambda: seat.read("beside") == tick and "no alarm" not in text(seat, "beside-alarms"), "its alarm")
    assert seat.page.locator("#live-news").is_visible()
    assert seat.read("ticks") == shown
    assert seat.read("alarms") == 0  # the list is of the past
    assert findings(seat) == []

    seat.page.keyboard.press("s")
    seat.until(lambda: not seat.page.locator("#beside").is_visible(), "one picture again")
    past.show(tick + 5)
    seat.page.wait_for_timeout(600)
    assert seat.read("beside") == tick  # nothing more is drawn of it
    seat.page.keyboard.press("s")
    seat.until(lambda: seat.read("beside") == tick + 5, "the live picture once more")
    seat.page.keyboard.press("r")
    seat.until(lambda: seat.read("ticks") == tick + 5, "live, alone")
    assert not seat.page.locator("#beside").is_visible()
    assert "split" not in seat.page.url
    assert seat.complaints == []


def middle(seat, side):
    """Where the middle of one of the two maps is, by its own scale: the address tells of the main one only."""
    return seat.page.evaluate(f"window.lapwing.views()[{side!r}]")


def test_both_show_the_same_place_whichever_is_moved(past, launch):
    seat = opened(launch, past, words="&split=1&map=9/37.9/126.6")
    seat.until(lambda: seat.read("beside") == 50, "the live picture beside")
    seat.until(lambda: middle(seat, "main") == middle(seat, "beside"), "the same place")
    for pane in ("map", "beside-map"):
        before = middle(seat, "main")
        box = seat.page.locator(f"#{pane}").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.7
        seat.page.mouse.move(x, y)
        seat.page.mouse.down()
        seat.page.mouse.move(x + 60, y - 50, steps=4)
        seat.page.mouse.up()
        seat.until(lambda was=before: middle(seat, "main") != was, "a move")
        seat.until(lambda: middle(seat, "main") == middle(seat, "beside"), "the same place again")
    seat.page.keyboard.press("+")
    seat.until(lambda: middle(seat, "beside")[0] > 9.9, "both nearer")
    assert seat.complaints == []


def test_it_needs_a_replay_and_layers_are_shared(past, launch):
    seat = Seat(launch(), past.url)
    seat.until(lambda: seat.read("ticks") == 50, "the live picture")
    seat.page.keyboard.press("s")
    seat.page.wait_for_timeout(300)
    assert not seat.page.locator("#beside").is_visible()
    seat.page.goto("about:blank")
    seat.page.goto(f"{past.url}/#{MOMENT}&split=1&off=zones&theme=light")
    seat.until(lambda: seat.read("beside") == 50, "both")
    past.stop()
    seat.until(lambda: seat.page.locator("#beside").get_attribute("data-state") == "old", "that it is old")
    assert "disconnected" in text(seat, "beside-state")
    past.start()
