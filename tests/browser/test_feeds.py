"""What is told of sensors without asking: gaps of feeds, who sees an alarm's track, an alarm test that is missing."""

import time

import pytest

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
    alarmed.advance(5)
    seat.until(lambda: any("Sensors: " in t for t in tracks.locator(".seen-by").all_inner_texts()), "the sensors")
    told = " ".join(tracks.locator(".seen-by").all_inner_texts())
    assert "hill" in told
    assert "ago" in told
    assert seat.complaints == []


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
