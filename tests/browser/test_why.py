"""Why a track is believed, in a real browser: drawn and in words, down to the bytes, by mouse and by keyboard."""

import pytest

from tests.browser.seat import Seat

pytestmark = pytest.mark.browser


def test_a_tracks_evidence_over_time_down_to_the_bytes(stand, launch):
    seat = Seat(launch(), stand.url + "/#sel=t7")
    seat.until(lambda: seat.page.locator("#detail h2").inner_text() == "T7", "the track")
    why = seat.page.locator("#why")
    why.locator("summary").focus()
    seat.page.keyboard.press("Enter")
    seat.until(lambda: why.locator("figure").count() == 2, "the lines")
    told = why.inner_text()
    assert "multirotor 80 %" in told
    assert "bird 10 %" in told
    assert "ship" not in told
    ticks = why.locator("svg path.sight")
    assert ticks.count() == 30  # one every fourth second of two minutes
    titles = ticks.locator("title").all_text_contents()
    assert sum("bytes are no longer" in t for t in titles) == 1  # entry 2 is gone
    assert {t.split()[0] for t in titles} == {"adsb-north", "hill", "unknown"}
    rows = why.locator("ul").last.locator("li").all_inner_texts()
    assert any(r.startswith("hill 19 detections") for r in rows)
    assert any("unknown sensor 1 detection, last" in r and "(gone)" in r for r in rows)
    last = why.locator("a.frame").first
    number = last.inner_text()
    last.click()
    seat.until(lambda: f"Journal frame {number[1:]}" in seat.page.locator("#evidence").inner_text(), "the bytes")
    seat.page.keyboard.press("Escape")
    why.get_by_role("button", name="30 min").click()
    seat.until(lambda: why.get_by_role("button", name="30 min").get_attribute("aria-pressed") == "true", "30 min")
    drawn = [u for u in seat.asked if "/v1/why" in u][-1]
    since, until = (int(p.split("=")[1]) for p in drawn.split("?")[1].split("&")[1:])
    assert until - since == 1800 * 10**9
    seat.page.locator("#tab-claims").click()
    seat.page.locator("table.claims tbody tr button").first.click()
    assert not why.is_visible()  # a claim has its own reasons
    assert seat.complaints == []


def test_a_track_of_which_nothing_is_known_says_so(stand, launch):
    seat = Seat(launch(), stand.url + "/#sel=t8")
    seat.until(lambda: seat.page.locator("#detail h2").inner_text() == "T8", "the track")
    seat.page.locator("#why summary").click()
    seat.until(lambda: "Nothing is recorded" in seat.page.locator("#why").inner_text(), "that nothing is known")
