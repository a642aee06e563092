"""What axe-core (MPL-2.0, out of the wheel axe-playwright-python, tests only) finds wrong for people with disabilities.

It sees the document, not what is drawn on canvases: contrast there is tested in test_theme.py.
"""

from importlib.resources import files

import pytest

from tests.browser.conftest import NO_WEBGL, WEBGL
from tests.browser.seat import Seat

pytestmark = pytest.mark.browser
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
FIND = """async () => (await axe.run(document)).violations.flatMap(
    (v) => v.nodes.map((n) => `${v.impact}: ${v.id}: ${n.html.slice(0, 160)} ${n.failureSummary.slice(0, 300)}`))"""


def findings(seat, *, injected=False):
    """Findings of any impact, as sentences."""
    if not injected:
        seat.page.evaluate(AXE)
    return seat.page.evaluate(FIND)


def opened(launch, url, args=WEBGL):
    seat = Seat(launch(args), url)
    seat.until(lambda: seat.read("ticks") == 580 and seat.read("frames") > 3, "the first picture")
    seat.page.wait_for_timeout(500)
    return seat


def test_axe_finds_what_is_wrong(alarmed, launch):
    """The check itself can fail."""
    seat = opened(launch, alarmed.url)
    assert findings(seat) == []
    seat.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<button></button><img src=\"/x.png\">')")
    found = findings(seat, injected=True)
    assert any(f.startswith("critical: button-name") for f in found)
    assert any(f.startswith("critical: image-alt") for f in found)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_live_page_and_everything_that_opens(alarmed, launch, theme):
    seat = opened(launch, f"{alarmed.url}/#theme={theme}&sel=t7&on=cells")
    press = seat.page.keyboard.press
    press("w")
    seat.until(lambda: seat.page.locator("#why figure").count() == 2, "the reasons")
    seat.page.locator("#who").fill("Kim")
    seat.page.locator(".alarm summary").first.click()
    seat.page.get_by_role("button", name="Acknowledge alarm 2").click()
    seat.page.get_by_role("button", name="Shelve alarm 3 for 1 h").click()
    seat.until(lambda: any("Shelved by Kim" in t for t in seat.texts(".alarm")), "the acts")
    press("Escape")
    press("l")
    assert findings(seat) == []
    press("l")
    for key in ("t", "c", "f"):
        seat.page.evaluate("document.activeElement.blur()")
        press(key)
        seat.page.wait_for_timeout(300)
        assert findings(seat, injected=True) == []
    press("?")
    assert findings(seat, injected=True) == []
    press("Escape")
    seat.page.locator(".alarm a.frame").first.click()
    seat.until(lambda: "30 00 12" in seat.page.locator("#evidence").inner_text(), "the bytes")
    assert findings(seat, injected=True) == []


def test_the_scope_without_webgl(alarmed, launch):
    seat = opened(launch, alarmed.url + "/#sel=t7", NO_WEBGL)
    assert seat.read("renderer") == "scope"
    assert findings(seat) == []


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_replay(past, launch, theme):
    seat = Seat(launch(), f"{past.url}/#at=2025-06-15T15:07:05.000Z&theme={theme}")
    seat.until(lambda: seat.read("replay") == "paused", "the moment", 120)
    assert seat.page.locator("#replay-banner").is_visible()
    assert findings(seat) == []
