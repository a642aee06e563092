"""What is told of sensors without asking: gaps of feeds, who sees an alarm's track, an alarm test that is missing."""

import time
from dataclasses import replace

import pytest

from lapwing.records import Alarms
from lapwing.serve.acts import WantedTest
from lapwing.serve.web import WebOptions, create_app
from tests.browser.conftest import NO_WEBGL, Stand
from tests.browser.seat import Seat
from tests.browser.test_axe import AXE, FIND
from tests.browser.test_desk import Ringer
from tests.serve import fake_shelf

pytestmark = pytest.mark.browser
DAY_NS = 86_400 * 10**9


class Watched(Stand):
    def make(self):
        shelf = fake_shelf.FakeShelf(fake_shelf.World(), self._tick)
        shelf.remember(range(25, self._tick, 25))
        return shelf, create_app(shelf, fake_shelf.make_site(), WebOptions(acts=self._acts, ringer=Ringer()))

    @property
    def acts(self):
        return self._acts


@pytest.fixture
def watched(tmp_path):
    made = Watched(1000, tmp_path)
    made.start()
    yield made
    made.stop()


def test_a_bar_says_when_a_feed_was_silent_in_the_last_hour(watched, launch):
    seat = Seat(launch(NO_WEBGL), f"{watched.url}/#list=feeds")
    feeds = seat.page.locator("#list .feed")
    seat.until(lambda: seat.page.locator("#list .gaps").count() == 3, "three bars")
    silent, fine = feeds.filter(has_text="harbour-ais"), feeds.filter(has_text="hill-radar")
    assert "silent in 4 of 4 minutes: " in silent.inner_text()
    assert "never silent in 4 minutes" in fine.inner_text()
    assert silent.locator(".gaps .silent").count() == 4
    assert fine.locator(".gaps .silent").count() == 0
    assert fine.locator(".gaps .heard").count() == 4
    assert fine.locator(".gaps .no-look").count() == 56
    seat.page.evaluate(AXE)
    assert seat.page.evaluate(FIND) == []
    assert seat.complaints == []


def test_an_alarm_in_the_list_says_which_sensors_see_its_track(alarmed, launch):
    seat = Seat(launch(NO_WEBGL), alarmed.url)
    seat.until(lambda: seat.read("alarms") == 3, "the alarms")
    tracks = seat.page.locator("#alarm-list .alarm:not(.cleared)", has_text="track")
    seen = tracks.locator(".seen-by")
    seat.until(lambda: alarmed.advance(1) or any("Sensors: " in t for t in seen.all_inner_texts()), "the sensors")
    told = " ".join(tracks.locator(".seen-by").all_inner_texts())
    assert "hill" in told
    assert "ago" in told
    assert seat.complaints == []


def test_who_saw_a_track_at_another_time_is_not_said_of_this_one(alarmed, launch):
    seat = Seat(launch(NO_WEBGL), alarmed.url)
    seen = seat.page.locator("#alarm-list .alarm:not(.cleared) .seen-by")
    seat.until(lambda: alarmed.advance(1) or any("Sensors: hill" in t for t in seen.all_inner_texts()), "the sensors")
    seat.page.route("**/v1/why*", lambda route: None)  # no answer yet, as on a slow line
    seat.page.wait_for_timeout(500)
    last = alarmed.shelf.latest()
    alarmed.show(replace(last, tick=last.tick + 1, time_ns=last.time_ns + 120 * 10**9))
    seat.until(lambda: not any("hill" in t for t in seen.all_inner_texts()), "that it is not known")
    assert not any("none in the last minute" in t for t in seen.all_inner_texts())


@pytest.mark.parametrize(("link", "said"), [("lost: Connection refused", "0/3"), ("", "0/3"), ("connected", "3/3")])
def test_nothing_is_quiet_where_nothing_was_ever_heard(stand, launch, link, said):
    picture = stand.shelf.latest()
    feeds = tuple(replace(f, received_ns=0, quiet=False, link=link) for f in picture.feeds)
    seat = Seat(launch(NO_WEBGL), stand.url)
    seat.until(lambda: seat.read("tracks") == 40, "the first picture")
    later = {"tick": picture.tick + 5, "time_ns": picture.time_ns + 2 * 10**9}
    stand.show(replace(picture, **later, feeds=feeds, alarms=Alarms.empty()))
    seat.until(lambda: said in seat.page.locator("#counts").inner_text(), "how many feeds are heard")
    none = (
        "No alarms. All quiet." if link == "connected" else "No alarms, but 3 of 3 feeds say nothing: not all is seen."
    )
    seat.until(lambda: seat.texts("#alarm-list .none") == [none], "what that means")


def test_a_test_that_is_missing_today_is_told_until_somebody_tests(watched, launch):
    seat = Seat(launch(NO_WEBGL), watched.url)
    page, told = seat.page, seat.page.locator("#untested")
    seat.until(told.is_visible, "that nobody tested")
    assert "never tested" in told.inner_text()
    page.evaluate(AXE)
    assert page.evaluate(FIND) == []
    told.get_by_role("button").click()
    page.locator("#drill-who").fill("Kim")
    page.keyboard.press("Enter")
    seat.until(lambda: "This test:" in page.locator("#drill").inner_text(), "the test")
    page.keyboard.press("Escape")
    assert not told.is_visible()
    page.reload()
    seat.until(lambda: seat.read("alarms") > 0, "the page")
    page.wait_for_timeout(500)
    assert not told.is_visible()


def test_yesterdays_test_is_not_todays(watched, launch, monkeypatch):
    yesterday = time.time_ns() - DAY_NS
    with monkeypatch.context() as patch:
        patch.setattr("lapwing.serve.acts.time.time_ns", lambda: yesterday)
        watched.acts.add_test(WantedTest(name="Lee"), 1, "127.0.0.1")
    seat = Seat(launch(NO_WEBGL), watched.url)
    seat.until(lambda: "the last was on" in seat.page.locator("#untested").inner_text(), "yesterday's test")
