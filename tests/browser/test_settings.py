"""What a person chose stays on that machine: theme on every page, layers; the alarm's place; history on a phone."""

import pytest

from tests.browser.conftest import NO_WEBGL
from tests.browser.seat import Seat
from tests.browser.test_axe import findings
from tests.browser.test_phone import OUTSIDE
from tests.browser.test_replay import raised

pytestmark = pytest.mark.browser


def background(page):
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_theme_is_changed_on_the_history_page_by_keyboard_and_holds_everywhere(past, launch):
    seat = Seat(launch(NO_WEBGL), f"{past.url}/history.html")
    seat.until(lambda: seat.read("stats") > 0, "the history")
    assert background(seat.page) == "rgb(10, 16, 23)"
    seat.page.locator("#light").focus()
    seat.page.keyboard.press("Enter")
    assert background(seat.page) == "rgb(238, 242, 245)"
    assert seat.page.locator("#light").get_attribute("aria-pressed") == "true"
    assert findings(seat) == []
    seat.page.goto(past.url)
    seat.until(lambda: seat.read("frames") > 2, "the live page")
    assert seat.page.evaluate("document.documentElement.dataset.theme") == "light"
    seat.page.goto(f"{past.url}/history.html")
    seat.until(lambda: seat.read("stats") > 0, "the history")
    seat.page.locator("#light").click()
    assert background(seat.page) == "rgb(10, 16, 23)"


def test_the_history_page_fits_on_a_phone(past, launch):
    seat = Seat(launch(NO_WEBGL), "about:blank")
    seat.page.set_viewport_size({"width": 390, "height": 844})
    seat.page.goto(f"{past.url}/history.html")
    seat.until(lambda: seat.read("stats") > 0, "the history")
    outside = seat.page.evaluate(OUTSIDE)
    inside_a_scroller = seat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert inside_a_scroller, outside


def test_layers_stay_as_chosen_where_the_address_says_nothing(stand, launch):
    seat = Seat(launch(NO_WEBGL), stand.url)
    seat.until(lambda: seat.read("frames") > 2, "the page")
    seat.page.keyboard.press("l")
    seat.page.get_by_label("Labels", exact=True).uncheck()
    seat.page.get_by_role("checkbox", name="GNSS by cell and time").check()
    seat.page.goto("about:blank")
    seat.page.goto(stand.url)
    seat.until(lambda: "off=labels" in seat.page.url and "on=cells" in seat.page.url, "the layers of last time")
    seat.page.goto("about:blank")
    seat.page.goto(f"{stand.url}/#off=trails")
    seat.until(lambda: seat.read("frames") > 2, "the page of a link")
    seat.page.wait_for_timeout(1200)
    assert "off=trails" in seat.page.url  # a link means what it says
    assert "on=cells" not in seat.page.url


def test_an_alarm_says_how_far_and_where_from_the_site(alarmed, launch):
    seat = Seat(launch(NO_WEBGL), alarmed.url)
    seat.until(lambda: seat.read("alarms") == 3, "the alarms")
    place = seat.page.locator("[data-alarm='1'] .from-site")
    seat.until(lambda: "km from the site, bearing" in place.inner_text(), "the place")
    t = alarmed.shelf.world.picture(580).tracks.mean[6]
    km = (t[0] ** 2 + t[1] ** 2) ** 0.5 / 1000
    assert abs(float(place.inner_text().split()[0]) - km) < 0.15
    before = place.inner_text()
    alarmed.advance(200)
    seat.until(lambda: place.inner_text() != before, "that it goes with the track")


LOOKED = "({ site, ms }) => localStorage.setItem('lapwing.looked', JSON.stringify({ site, ms }))"


def test_what_was_raised_while_nobody_looked_is_told_until_it_is_seen(past, launch):
    tick, _ = raised(past)
    last = past.rows[175].picture
    past.show(175)
    seat = Seat(launch(NO_WEBGL), past.url)
    seat.until(lambda: seat.read("ticks") == 175, "the page")
    assert not seat.page.locator("#away").is_visible()  # nobody was ever here before
    long_ago = last.time_ns // 10**6 - 400_000
    seat.page.evaluate(LOOKED, {"site": "another", "ms": long_ago})
    seat.page.reload()
    seat.until(lambda: seat.read("ticks") == 175 and seat.read("frames") > 1, "the page")
    seat.page.wait_for_timeout(500)
    assert not seat.page.locator("#away").is_visible()  # that was another site's
    seat.page.evaluate(LOOKED, {"site": past.site.name, "ms": long_ago})
    seat.page.reload()
    seat.until(lambda: "1 alarm" in seat.page.locator("#away-told").inner_text(), "what was raised")
    assert "While you were away, 6 min" in seat.page.locator("#away-told").inner_text()
    seat.page.locator("#away summary").focus()
    seat.page.keyboard.press("Enter")
    assert findings(seat) == []
    row = seat.page.locator("#away-list li")
    assert past.rows[tick].picture.alarms.rule[0] in row.inner_text()
    seat.page.reload()  # not seen yet
    seat.until(lambda: "1 alarm" in seat.page.locator("#away-told").inner_text(), "it again")
    seat.page.locator("#away summary").click()
    row.get_by_role("button").click()
    seat.until(lambda: seat.read("replay") != "", "the replay of it", 120)
    seat.page.keyboard.press("r")
    seat.until(lambda: seat.read("replay") == "", "now")
    seat.page.locator("#away-seen").click()
    assert not seat.page.locator("#away").is_visible()
    seat.page.reload()
    seat.until(lambda: seat.read("ticks") == 175 and seat.read("frames") > 1, "the page")
    seat.page.wait_for_timeout(500)
    assert not seat.page.locator("#away").is_visible()


def test_the_panel_of_a_track_says_which_sensors_see_it(alarmed, launch):
    seat = Seat(launch(NO_WEBGL), f"{alarmed.url}/#sel=t7")
    told = seat.page.locator("#detail dl div", has_text="Seen by")
    seat.until(lambda: "ago" in told.inner_text(), "the sensors")
    assert "adsb-north" in told.inner_text()
    assert "hill" in told.inner_text()
    seat.page.evaluate("location.hash = ''")
    seat.page.keyboard.press("Escape")
    seat.page.goto("about:blank")
    seat.page.goto(f"{alarmed.url}/#sel=t2")  # of whom nothing was written down
    seat.until(lambda: "none in the last minute" in told.inner_text(), "that nobody saw it")
    assert seat.complaints == []


def test_an_address_that_is_changed_in_the_open_page_is_followed(alarmed, launch):
    seat = Seat(launch(NO_WEBGL), f"{alarmed.url}/#map=10.00/37.90000/126.60000&sel=t2")
    page = seat.page
    seat.until(lambda: seat.read("frames") > 3 and seat.read("alarms") == 3, "the page")
    page.evaluate("window.same = true")

    def address(words):
        page.evaluate("(words) => { location.hash = words; }", words)

    address("#list=claims")  # of the rest it says nothing
    seat.until(lambda: page.locator("table.claims").count() == 1, "the claims")
    seat.until(lambda: "list=claims" in page.url and "sel=t2" in page.url, "that the rest stays")
    address(
        "#map=9.00/37.80000/126.50000&list=feeds&sel=t7&off=trails&on=cells&theme=light&measure=37.9,126.6,37.95,126.7"
    )
    seat.until(lambda: page.locator("#list .feeds").count() == 1, "the feeds")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    assert page.locator("#measured").is_visible()
    assert page.locator("#cells").is_visible()
    page.keyboard.press("l")
    assert page.locator("#light").is_checked()
    assert not page.get_by_role("checkbox", name="Trails").is_checked()
    assert page.get_by_role("checkbox", name="GNSS by cell and time").is_checked()
    page.keyboard.press("l")
    seat.until(lambda: "map=9.00/37.80" in page.url and "sel=t7" in page.url, "the place and the selection")
    address("#map=9.00/37.80000/126.50000")  # says all of it: the rest is as by default
    seat.until(lambda: page.locator("table.tracks").count() == 1, "the tracks")
    assert not page.locator("#measured").is_visible()
    assert not page.locator("#cells").is_visible()
    seat.until(lambda: "sel=" not in page.url and "off=" not in page.url, "nothing selected or switched off")
    before = page.url
    address("#alarms")  # a link to a part of the page
    seat.until(lambda: page.url == before, "that nothing changes")
    assert page.evaluate("window.same") is True  # nothing was loaded anew
    assert seat.complaints == []
