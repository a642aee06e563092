"""Another site's picture beside ours, in a real browser: on the map, in every list, by name; old when silent."""

import asyncio
import re
from urllib.parse import urlsplit

import pytest

from lapwing.serve import links as links_room
from lapwing.serve.links import Links
from lapwing.serve.site_link import SiteLinkEntry
from tests.browser.conftest import Stand
from tests.browser.seat import Seat
from tests.serve.fake_shelf import DRONE_ID

pytestmark = pytest.mark.browser


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A stand, and one that shows it beside its own picture."""
    monkeypatch.setattr(links_room, "OLD_S", 1.5)
    there = Stand(600, tmp_path / "there")
    there.start()
    entry = SiteLinkEntry(name="North", to=f"http://127.0.0.1:{there.port}", colour="#ff9f1c")
    links = Links([entry], tmp_path)
    here = Stand(400, tmp_path / "here", links=links)
    here.start()
    running = asyncio.run_coroutine_threadsafe(links.run(), here._loop)
    yield here, there
    running.cancel()
    here.stop()
    there.stop()


def test_another_site_is_seen_beside_ours_and_never_mixed(two, launch):
    here, there = two
    seat = Seat(launch(), f"http://127.0.0.1:{here.port}/")
    seat.until(lambda: seat.read("frames") > 3, "the first picture on the map")
    seat.until(lambda: seat.page.locator(".alarm.elsewhere").count() == 3, "the other site's alarms")
    here.advance(5)
    note = f"tr:has-text('T{DRONE_ID}')"
    seat.until(lambda: any("North" in t for t in seat.texts(note)), "the other site's track in the list")
    assert (seat.read("tracks"), seat.read("alarms")) == (40, 2)  # ours are counted as before
    row = seat.page.locator(note).filter(has_text="North").first
    row.locator("button").click()
    seat.until(lambda: seat.page.locator("#detail h2").inner_text() == f"North T{DRONE_ID}", "what is selected")
    told = seat.page.locator("#detail").inner_text()
    assert "Track of North" in told
    assert "its own picture, not compared with ours" in told
    assert "Show evidence" not in told
    seat.until(lambda: f"sel=o0:t{DRONE_ID}" in seat.page.url, "the selection in the address")
    elsewhere = seat.page.locator(".alarm.elsewhere")
    assert elsewhere.count() == 3
    assert "North, Terminal" in elsewhere.first.inner_text()
    assert "NaN" not in seat.page.locator("#alarm-list").inner_text()
    assert elsewhere.first.locator("input").count() == 0  # nothing can be done about it here
    seat.page.locator("#tab-feeds").click()
    item = seat.page.locator(".feed", has_text="other site")
    seat.until(lambda: "hill-radar" in item.inner_text(), "the feeds of the other site")
    there.advance(5)
    seat.until(lambda: "live" in item.locator("h3").inner_text(), "that it is live")
    seat.until(lambda: re.search(r"old: \d+ s", item.locator("h3").inner_text()) is not None, "that it is old")
    assert {urlsplit(u).port for u in seat.asked if u.startswith(("http", "ws"))} == {here.port}  # never the other one
    assert seat.complaints == []


def test_its_symbols_are_drawn_in_its_colour_and_can_be_hit(two, launch):
    here, there = two
    seat = Seat(launch(), f"http://127.0.0.1:{here.port}/#map=9.00/37.90000/126.60000")
    seat.until(lambda: seat.page.locator(".alarm.elsewhere").count() == 3, "the other site's alarms")
    there.advance(5)
    orange = """() => { const c = document.getElementById("labels"); const d = c.getContext("2d")
      .getImageData(0, 0, c.width, c.height).data; let n = 0;
      for (let i = 0; i < d.length; i += 4) n += d[i] > 220 && d[i + 1] > 130 && d[i + 1] < 185 && d[i + 2] < 70;
      return n; }"""
    seat.until(lambda: seat.page.evaluate(orange) > 100, "symbols in the other site's colour")
    seat.page.locator(".alarm.elsewhere button").first.click()  # flies there
    seat.until(lambda: seat.page.locator("#detail h2").inner_text().startswith("North T"), "its track")
    box = seat.page.locator("#map").bounding_box()
    seat.page.keyboard.press("Escape")
    seat.page.wait_for_timeout(1_200)
    seat.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seat.until(lambda: seat.page.locator("#detail").is_visible(), "what was hit")
