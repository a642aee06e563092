"""Replay in a real browser: what was shown, unmistakably of the past, with live alarms still heard of."""

import re

import pytest

from lapwing.serve.wire import encode_picture
from tests.browser.seat import Seat

pytestmark = pytest.mark.browser


def text(seat, name):
    return seat.page.locator(f"#{name}").inner_text()


def raised(past):
    """The first tick with an alarm, and its number."""
    tick = next(t for t, r in sorted(past.rows.items()) if len(r.picture.alarms))
    return tick, int(past.rows[tick].picture.alarms.alarm_id[0])


def test_the_past_is_shown_and_cannot_be_taken_for_now(past, launch):
    seat = Seat(launch(), past.url)
    seat.until(lambda: seat.read("ticks") == 50 and seat.read("frames") > 3, "the live picture")
    assert not seat.page.locator("#replay-banner").is_visible()
    assert seat.page.locator("#who-box").is_visible()
    tick, _ = raised(past)
    assert 60 < tick < 100
    assert seat.read("alarms") == 0

    seat.page.keyboard.press("r")
    seat.until(lambda: seat.read("replay") in ("playing", "end"), "the replay", 120)
    assert seat.page.locator("#replay-banner strong").inner_text() == "REPLAY"
    assert "exactly what was shown" in text(seat, "verdict")
    assert text(seat, "link") == "replay"
    assert seat.page.title().startswith("REPLAY")
    assert not seat.page.locator("#who-box").is_visible()  # nobody acts upon the past
    assert (
        seat.page.evaluate("getComputedStyle(document.querySelector('#stage'), '::after').borderTopStyle") == "dashed"
    )

    seat.until(lambda: "1 alarm recorded" in text(seat, "marks-told"), "the alarm on the bar")
    assert seat.page.locator("#marks .mark").count() == 1
    seat.page.keyboard.press(" ")
    seat.until(lambda: seat.read("replay") == "paused", "the pause")
    seat.page.keyboard.press("]")
    seat.until(lambda: seat.read("ticks") == tick and seat.read("alarms") == 1, "the moment of the alarm", 90)
    seat.until(lambda: "at=2025-06-15T" in seat.page.url, "the moment in the address")
    assert len(seat.texts(".alarm")) == 1
    assert seat.page.get_by_role("button", name="Acknowledge").count() == 0

    seat.page.locator("#rates button").first.click()
    seat.page.keyboard.press(" ")  # plays: it does not press the button that was clicked
    seat.until(lambda: seat.read("replay") == "playing", "that it plays")
    seat.page.locator("#play").focus()
    seat.page.keyboard.press(" ")  # presses the button that has the focus, once
    seat.until(lambda: seat.read("replay") == "paused", "the pause")
    seat.page.locator("#play").blur()
    seat.page.keyboard.press("5")
    assert seat.page.locator("#rates [aria-pressed=true]").inner_text() == "30×"
    seat.page.keyboard.press(" ")
    seat.until(lambda: seat.read("replay") == "end", "the end of the record", 120)
    seat.until(lambda: seat.read("ticks") == 175, "the last picture")
    assert "exactly what was shown" in text(seat, "verdict")

    seat.page.keyboard.press("r")
    seat.until(lambda: seat.read("ticks") == 50, "the live picture again")
    assert not seat.page.locator("#replay-banner").is_visible()
    assert seat.read("alarms") == 0
    assert "at=" not in seat.page.url
    assert seat.page.locator("#who-box").is_visible()
    assert seat.complaints == []


def test_a_link_to_a_moment_and_a_live_alarm_meanwhile(past, launch):
    tick, number = raised(past)
    seat = Seat(launch(), f"{past.url}/#at=2025-06-15T15:06:55.000Z")  # T0 + 15 s
    seat.until(lambda: seat.read("replay") == "paused", "the moment of the link", 120)
    seat.until(lambda: seat.read("ticks") > 0, "its picture")  # which comes after the word
    assert seat.read("ticks") == 75
    assert text(seat, "replay-time") == "2025-06-15 15:06:55 UTC"
    rows = past.rows[75].picture
    assert (seat.read("tracks"), seat.read("claims")) == (len(rows.tracks), len(rows.claims))
    seat.page.locator("#sound").click()
    seat.until(lambda: seat.read("beeps") == 1, "the trial beep")

    past.show(tick)  # the first alarm, now, live
    news = seat.page.locator("#live-news")
    seat.until(news.is_visible, "the notice of a live alarm")
    assert re.match(r"1 alarm live, new or more urgent \((medium|high|critical)\): ", news.inner_text())
    assert seat.read("ticks") == 75  # what is shown is still the past
    assert text(seat, "announce").startswith("Live: ")
    seat.until(lambda: seat.read("beeps") > 1, "the sound of the live alarm")

    seat.page.locator("#moment").focus()
    seat.page.locator("#moment").evaluate(
        "(e) => { e.value = Number(e.value) + 5; e.dispatchEvent(new Event('input')); }"
    )
    seat.until(lambda: seat.read("ticks") == 100, "what the slider says", 90)
    assert seat.page.locator("#moment").get_attribute("aria-valuetext") == "2025-06-15 15:07:00 UTC"
    news.click()
    seat.until(lambda: seat.read("ticks") == tick and seat.read("alarms") == 1, "the live picture")
    card = seat.page.locator(".alarm").first
    card.locator("summary").click()
    card.get_by_role("button", name="Show from 60 s before").click()
    seat.until(lambda: seat.read("replay") in ("playing", "paused"), "the replay from the alarm", 120)
    seat.until(lambda: seat.read("ticks") < tick, "a picture from before the alarm")
    assert f"sel=t{past.rows[tick].picture.alarms.subject_id[0]}" in seat.page.url or number == 0
    assert seat.complaints == []


def test_a_third_replay_is_refused_in_words(past, launch):
    browser = launch()
    seats = [Seat(browser, f"{past.url}/#at=2025-06-15T15:06:50.000Z") for _ in range(2)]
    for seat in seats:
        seat.until(lambda s=seat: s.read("replay") == "paused", "the moment", 120)
    third = Seat(browser, f"{past.url}/#at=2025-06-15T15:06:50.000Z")
    third.until(lambda: third.read("replay") == "failed", "that it cannot")
    assert "that is the limit" in text(third, "replay-state")
    third.page.keyboard.press("r")
    third.until(lambda: third.read("ticks") == 50, "the live picture")
    message = encode_picture(past.rows[50].picture, past.site.origin)
    assert third.page.request.get(f"{past.url}/v1/picture").body() == message


def test_what_is_beside_the_map_is_of_the_same_moment_even_when_it_is_paused_at_once(past, launch):
    """The lists and the panel are drawn seldom; the last picture before a pause must still reach them."""
    tick, _ = raised(past)
    track = int(past.rows[tick].picture.alarms.subject_id[0])
    seat = Seat(launch(), f"{past.url}/#at=2025-06-15T15:07:05.000Z&sel=t{track}")
    seat.until(lambda: seat.read("ticks") == 125, "the moment of the link", 120)
    for at in (130, 131, 132):  # three pictures faster than anything is drawn
        ms = 1_750_000_000_000 + at * 200
        seat.page.evaluate(f"location.hash = '#at=' + new Date({ms}).toISOString()")
        seat.until(lambda at=at: seat.read("ticks") == at, "the next moment", 90)
    tracks = past.rows[132].picture.tracks
    age = (past.rows[132].picture.time_ns - tracks.updated_ns[tracks.track_id.tolist().index(track)]) * 1e-9
    line = seat.page.locator("#detail dl div", has_text="Last seen")
    seat.until(lambda: f"{age:.1f} s" in line.inner_text(), f"the age {age:.1f} s in the panel")
    row = seat.page.locator("table.tracks tbody tr[aria-selected=true] td").nth(5)
    seat.until(lambda: row.inner_text() == f"{age:.1f} s", "the same in the list")
