"""A picture on a wall: no controls, the most urgent alarms, and back by itself after the connection was lost."""

import pytest

from lapwing.serve import telling
from tests.browser.seat import Seat

pytestmark = pytest.mark.browser


def before(seat):
    return seat.page.evaluate("getComputedStyle(document.getElementById('stage'), '::before').content")


def test_a_wall_shows_no_controls_and_takes_no_orders(alarmed, launch):
    seat = Seat(launch(), alarmed.url + "/#kiosk=1&map=10/37.9/126.6")
    seat.until(lambda: seat.read("alarms") == 3 and seat.read("frames") > 3, "the alarms")
    assert seat.texts(".alarm .reason")[0].startswith("Track 7 has no cooperative report")
    shown = seat.page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, summary, a")]
            .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest(".maplibregl-ctrl-attrib"))
            .map((e) => e.dataset.alarm ?? e.outerHTML.slice(0, 90))"""
    )
    assert shown == ["1", "2", "3"]  # the alarms themselves
    place = seat.page.url
    seat.page.mouse.click(400, 400)
    for key in ("+", "ArrowRight", "r", "l", "m", "?"):
        seat.page.keyboard.press(key)
    seat.page.mouse.wheel(0, -400)
    seat.page.wait_for_timeout(1300)
    assert seat.page.url == place
    assert "kiosk=1" in place
    assert seat.complaints == []


def test_it_says_that_it_is_old_and_comes_back_by_itself(alarmed, launch):
    seat = Seat(launch(), alarmed.url + "/#kiosk=1")
    seat.until(lambda: seat.texts("#link")[0] == "live", "a live link")
    assert before(seat) == "none"
    seat.until(lambda: "THIS PICTURE IS OLD" in before(seat), "a stale picture, loudly")
    alarmed.stop()
    seat.until(lambda: "NO CONNECTION" in before(seat), "the loss, loudly")
    seat.page.wait_for_timeout(3000)
    alarmed.start()
    seat.until(lambda: seat.texts("#link")[0] == "live", "the link again")
    seat.until(lambda: before(seat) == "none" or "NO CONNECTION" not in before(seat), "no loss any more")


def test_a_line_that_died_without_a_word_is_opened_anew(alarmed, launch):
    """The server's socket stays open but says nothing: as when a cable is pulled."""
    seat = Seat(launch(), alarmed.url + "/#kiosk=1")
    opened = []
    seat.page.on("websocket", lambda w: opened.append(w.url))
    seat.until(lambda: seat.texts("#link")[0] == "live", "a live link")
    n = len(opened)
    seat.until(lambda: len(opened) > n, "a new connection", 120)


def test_a_newer_server_brings_its_own_page(alarmed, launch, monkeypatch):
    seat = Seat(launch(), alarmed.url + "/#kiosk=1")
    seat.until(lambda: seat.texts("#link")[0] == "live", "a live link")
    seat.page.wait_for_load_state("load")  # the link may live before the page has loaded all: that load is not counted
    loaded = []
    seat.page.on("load", lambda _page: loaded.append(1))
    alarmed.stop()
    monkeypatch.setattr(telling, "__version__", "99.0.0")
    alarmed.start()
    seat.until(lambda: loaded == [1], "the page loaded anew", 90)
    seat.page.wait_for_timeout(3000)
    assert loaded == [1]  # once
    assert seat.texts("#link")[0].startswith(("live", "stale"))
