"""Every function of the page by keyboard alone: letters, Tab, Enter, space, arrows. No test here moves a mouse."""

import re

import pytest

from tests.browser.seat import Seat

pytestmark = pytest.mark.browser
TABS_MAX = 120


def opened(launch, url):
    seat = Seat(launch(), url)
    seat.until(lambda: seat.read("frames") > 3 and seat.read("ticks") > 0, "the first picture")
    return seat


def focused(seat, selector):
    return seat.page.evaluate("(s) => document.activeElement !== null && document.activeElement.matches(s)", selector)


def tab_to(seat, selector, key="Tab"):
    """Press Tab until something is reached, and see that it is visible and marked as focused."""
    for _ in range(TABS_MAX):
        if focused(seat, selector):
            break
        seat.page.keyboard.press(key)
    else:
        pytest.fail(f"{TABS_MAX} times {key} do not reach {selector}")
    outline = seat.page.evaluate(
        """() => {
            const e = document.activeElement;
            return [getComputedStyle(e).outlineStyle, e.getClientRects().length];
        }"""
    )
    assert outline[0] != "none", f"{selector} does not show that it has the focus"
    assert outline[1] > 0


def test_the_keys_are_told(stand, launch):
    seat = opened(launch, stand.url)
    seat.page.keyboard.press("?")
    keys = seat.page.locator("#keys")
    assert keys.is_visible()
    told = keys.locator("div").all_inner_texts()
    assert any(re.search(r"^R\s+replay, back to live", t) for t in told)
    seat.page.keyboard.press("t")  # behind a dialog nothing happens
    assert keys.is_visible()
    seat.page.keyboard.press("?")
    assert not keys.is_visible()
    seat.page.keyboard.press("l")
    shown = [" ".join(t.split()) for t in seat.texts("#legend-body dl.keys div")]
    assert shown == [" ".join(t.split()) for t in told]  # one table


def test_an_alarm_is_found_judged_and_acknowledged(alarmed, launch):
    seat = opened(launch, alarmed.url)
    press = seat.page.keyboard.press
    press("a")
    assert focused(seat, "[data-alarm='1']")
    press("Enter")
    seat.until(lambda: "sel=t7" in seat.page.url, "the track in the address")
    tab_to(seat, "[aria-label='Acknowledge alarm 1']")
    press("Enter")
    assert focused(seat, "#who")  # nobody acts without a name
    seat.page.keyboard.type("Kim")
    tab_to(seat, "[aria-label='Acknowledge alarm 1']")
    press("Enter")
    card = seat.page.locator(".alarm").first
    seat.until(lambda: "Seen by Kim" in card.inner_text(), "who saw it")
    seat.until(lambda: focused(seat, ".alarm:first-child *"), "the focus still in that alarm")
    tab_to(seat, "[aria-label='Shelve alarm 1 for 1 h']")
    press("Enter")
    seat.until(lambda: "Shelved by Kim" in card.inner_text(), "the shelf")
    tab_to(seat, ".alarm:first-child summary")
    press("Enter")
    tab_to(seat, ".alarm:first-child a.frame")
    press("Enter")
    evidence = seat.page.locator("#evidence")
    seat.until(lambda: "30 00 12 3c 73" in evidence.inner_text(), "the bytes")
    press("Escape")
    assert not evidence.is_visible()
    assert focused(seat, ".alarm:first-child a.frame")  # where it was
    tab_to(seat, "#sound", "Shift+Tab")
    press("Enter")
    seat.until(lambda: seat.read("beeps") > 0, "the sound")
    assert seat.complaints == []


def test_a_track_is_selected_and_its_reasons_read(alarmed, launch):
    seat = opened(launch, alarmed.url)
    press = seat.page.keyboard.press
    press("d")
    assert not focused(seat, "#detail *")  # nothing is selected: nothing happens
    press("t")
    assert focused(seat, "#list")
    tab_to(seat, "table.tracks tbody tr:nth-child(7) button")
    press("Enter")
    seat.until(lambda: seat.page.locator("#detail h2").inner_text() == "T7", "the panel")
    for _ in range(3):  # drawn anew, in another order: the focus stays where the person is
        alarmed.advance(5)
        seat.page.wait_for_timeout(1000)
    assert seat.page.evaluate("document.activeElement.textContent") == "T7"
    press("d")
    assert focused(seat, "#detail [aria-label=Close]")
    tab_to(seat, "#detail button.quiet")
    press("Enter")
    tab_to(seat, "#detail .frames a.frame")
    press("w")
    assert focused(seat, "#why summary")
    seat.until(lambda: seat.page.locator("#why figure").count() == 2, "the reasons")
    tab_to(seat, "#why .spans button:nth-child(2)")
    press("Enter")
    seat.until(lambda: focused(seat, "#why [aria-pressed=true]"), "thirty minutes")
    tab_to(seat, "#why a.frame")
    press("Enter")
    seat.until(lambda: "Journal frame" in seat.page.locator("#evidence").inner_text(), "its bytes")
    press("Escape")
    press("Escape")
    seat.until(lambda: not seat.page.locator("#detail").is_visible(), "nothing selected")
    press("c")
    tab_to(seat, "table.claims thead th:nth-child(1) button")
    press("Enter")
    assert seat.page.locator("table.claims th").first.get_attribute("aria-sort") == "ascending"
    press("/")
    seat.page.keyboard.type("HL000")
    press("Tab")
    press("c")
    tab_to(seat, "table.claims tbody tr:first-child button")
    press("Enter")
    press("d")
    tab_to(seat, "#detail dl button.jump")  # the track that agrees
    alarmed.advance(5)
    seat.page.wait_for_timeout(1000)
    assert focused(seat, "#detail dl button.jump")  # though the panel was drawn anew
    press("Enter")
    seat.until(lambda: seat.page.locator("#detail h2").inner_text().startswith("T"), "the track")
    assert seat.complaints == []


def test_layers_map_and_cells(stand, launch):
    seat = opened(launch, stand.url + "/#map=10/37.9/126.6")
    press = seat.page.keyboard.press
    press("l")
    assert focused(seat, "#legend summary")
    tab_to(seat, "#legend label:nth-of-type(3) input")
    press("Space")
    seat.until(lambda: "off=trails" in seat.page.url, "the layer gone")
    tab_to(seat, "#legend label:nth-of-type(9) input")
    press("Space")
    seat.until(lambda: "on=cells" in seat.page.url, "the layer of cells")
    tab_to(seat, "#cells input")
    told = seat.page.locator("#cells-told")
    seat.until(lambda: "affected in" in told.inner_text(), "the cells")
    newest = told.inner_text()
    press("ArrowLeft")
    press("ArrowLeft")
    seat.until(lambda: told.inner_text() != newest, "an earlier time")
    tab_to(seat, "#zoom-in")
    press("Enter")
    seat.until(lambda: "map=11.00" in seat.page.url, "the zoom")
    seat.page.evaluate("document.activeElement.blur()")
    before = seat.page.url
    press("ArrowRight")
    seat.until(lambda: seat.page.url != before, "the map moved")
    press("h")
    seat.until(lambda: "map=10.00/37.90000/126.60000" in seat.page.url, "the site again")
    assert seat.complaints == []


def test_replay(past, launch):
    seat = opened(launch, past.url)
    press = seat.page.keyboard.press
    press("r")
    seat.until(lambda: seat.read("replay") in ("playing", "end"), "the replay", 120)
    press(".")
    press("[")
    seat.until(lambda: seat.read("replay") in ("playing", "paused", "end"), "the alarm before", 120)
    tab_to(seat, "#moment")
    place = seat.page.url.split("&")[0]
    press("Home")
    seat.until(lambda: seat.read("replay") in ("playing", "paused", "end"), "the start of the bar", 120)
    assert seat.page.url.split("&")[0] == place  # the slider's keys do not move the map
    tab_to(seat, "#rates button:nth-child(3)")
    press("Enter")
    seat.until(lambda: focused(seat, "#rates [aria-pressed=true]"), "five times the speed")
    press("r")
    seat.until(lambda: not seat.page.locator("#replay-banner").is_visible(), "live again")
    assert seat.complaints == []
