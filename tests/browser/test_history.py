"""The page of the past in a real browser: search, charts, hand-over; nothing leaves the machine, nothing is broken."""

import re
import time
from urllib.parse import urlsplit

import numpy as np
import pytest

from lapwing.serve.web import WebOptions, create_app
from tests.browser.conftest import NO_WEBGL, Stand
from tests.browser.test_theme import contrast, luminance
from tests.serve import fake_shelf

pytestmark = pytest.mark.browser


def until(page, script, seconds=30):
    """Polls, because the page's Content-Security-Policy forbids wait_for_function."""
    end = time.monotonic() + seconds
    while not page.evaluate(script):
        assert time.monotonic() < end, script
        page.wait_for_timeout(50)


class PastStand(Stand):
    def make(self):
        shelf = fake_shelf.FakeShelf(fake_shelf.World(), 1000)
        shelf.remember(range(25, 1000, 25))
        return shelf, create_app(shelf, fake_shelf.make_site(), WebOptions(acts=self._acts))


@pytest.fixture
def past(tmp_path):
    made = PastStand(1000, tmp_path)
    made.start()
    yield made
    made.stop()


def test_search_charts_and_hand_over(past, launch, tmp_path):
    page = launch(NO_WEBGL).new_page(viewport={"width": 1400, "height": 1000})
    wrong, hosts = [], set()
    page.on("console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("request", lambda r: hosts.add(urlsplit(r.url).hostname))
    page.goto(f"{past.url}/history.html")
    until(page, "window.lapwing?.stats > 0 && window.lapwing.searches > 0 && window.lapwing.handovers > 0")
    assert page.locator("#visits tbody tr").count() == 50
    assert page.locator("#charts svg[role=img]").count() == 1 + 2 + 4
    assert page.locator("#charts [data-wrong]").count() == 0
    assert "HAND-OVER Gyodong test range" in page.inner_text("#handover")

    page.click("#more")
    until(page, "document.querySelectorAll('#visits tbody tr').length > 50")
    page.fill("#identity", "T7")
    page.select_option("#zone", "Terminal")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#visits tbody tr').length === 1")
    row = page.locator("#visits tbody tr")
    assert re.search(r"\d+ s", row.inner_text())
    assert row.locator("a", has_text="why").get_attribute("href").startswith("/v1/why?track=7")
    assert "identity=T7" in page.url
    assert "zone=Terminal" in page.url
    page.reload()
    until(page, "document.querySelectorAll('#visits tbody tr').length === 1")

    page.fill("#box", "1,2,3")
    page.locator("#box").press("Enter")
    page.wait_for_selector("#found[data-wrong]")
    assert "not both" in page.inner_text("#found")

    page.fill("#by", "Kim")
    page.fill("#note", "<b>watch</b> track 7")
    page.click("#leave button")
    until(page, "document.querySelector('#handover').textContent.includes('watch')")
    assert "<b>watch</b> track 7" in page.inner_text("#handover")
    assert "Kept as act 1" in page.inner_text("#left")
    with page.expect_download() as download:
        page.click("#paper")
    assert download.value.suggested_filename.startswith("handover-2026")
    page.screenshot(path=str(tmp_path / "history.png"), full_page=True)
    assert hosts - {None} == {"127.0.0.1"}  # None: the empty icon inside the page
    assert [w for w in wrong if "400" not in w] == []  # the question that was meant to be wrong


def test_a_time_that_ends_before_it_begins_is_said(past, launch):
    page = launch(NO_WEBGL).new_page()
    page.goto(f"{past.url}/history.html#from=2026-09-21T14:00:00&to=2026-09-21T15:00:00")
    until(page, "window.lapwing?.stats === 1")
    page.fill("#to", "2026-09-21T13:00:00")
    page.locator("#to").press("Enter")
    page.wait_for_selector("#told[data-wrong]")
    assert page.evaluate("window.lapwing.stats") == 1


def test_it_is_light_where_the_live_page_is(past, launch):
    page = launch(NO_WEBGL).new_page()
    page.goto(f"{past.url}/history.html")
    page.evaluate("localStorage.setItem('lapwing.theme', 'light')")
    page.reload()
    until(page, "window.lapwing?.stats > 0")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(238, 242, 245)"


FILLS = """(selector) => [...document.querySelectorAll(selector)].map((e) => getComputedStyle(e).fill)"""


def numbers(colour):
    return [int(v) for v in re.findall(r"\d+", colour)[:3]]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_charts_have_the_theme_and_can_be_read_in_it(past, launch, theme):
    page = launch(NO_WEBGL).new_page()
    page.goto(f"{past.url}/history.html")
    page.evaluate("(theme) => localStorage.setItem('lapwing.theme', theme)", theme)
    page.reload()
    until(page, "window.lapwing?.stats > 0")
    back = numbers(page.evaluate("getComputedStyle(document.querySelector('#charts svg[role=img]')).backgroundColor"))
    assert (luminance(back) > 0.9) == (theme == "light")
    assert {contrast(numbers(f), back) >= 4.5 for f in page.evaluate(FILLS, "#charts svg text")} == {True}
    lines = page.evaluate("[...document.querySelectorAll('#charts .line')].map((e) => getComputedStyle(e).stroke)")
    assert {contrast(numbers(c), back) >= 4.5 for c in lines} == {True}
    assert {contrast(numbers(f), back) >= 3.0 for f in page.evaluate(FILLS, "#charts .few, #charts .many")} == {True}
    shades = [luminance(numbers(f)) for f in page.evaluate(FILLS, ".key svg:first-child rect")[:40]]
    rising = np.diff(shades) >= 0
    assert rising.all() if theme == "dark" else (~rising | (np.diff(shades) == 0)).all(), (
        "more is farther from the page"
    )
    assert abs(shades[-1] - shades[0]) > 0.2
    assert page.locator("#charts [fill='#fff'], #charts [stroke='#fff']").count() == 0
    if theme == "light":
        cells = page.evaluate(FILLS, "#charts svg[role=img] [class^=s]")
        assert cells
        assert min(contrast(numbers(f), back) for f in cells) >= 3.0
    page.evaluate("document.getElementById('light').click()")  # at once, without loading anew
    now = numbers(page.evaluate("getComputedStyle(document.querySelector('#charts svg[role=img]')).backgroundColor"))
    assert (luminance(now) > 0.9) == (theme == "dark")
