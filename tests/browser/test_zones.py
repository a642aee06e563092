"""My zones and quiet hours: what is silent here comes last or is said in a banner, is never hidden, and it is kept: in
this browser, or for the account at every desk."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from lapwing.records import Priority
from lapwing.serve.accounts import Accounts
from lapwing.serve.web import WebOptions, create_app
from tests.browser.conftest import NO_WEBGL, Stand
from tests.browser.seat import Seat
from tests.browser.test_axe import AXE, FIND
from tests.browser.test_login import PASSWORD, log_in
from tests.serve import fake_shelf

pytestmark = pytest.mark.browser


class Calm(fake_shelf.World):
    """The alarm in zone Terminal is high, the others are low: only it makes a sound."""

    priority = Priority.HIGH

    def _alarms(self, tick, now, tracks):
        alarms = super()._alarms(tick, now, tracks)
        levels = [self.priority if zone else Priority.LOW for zone in alarms.zone]
        return replace(alarms, priority=np.array(levels, np.int64))


class Loud(Calm):
    priority = Priority.CRITICAL


@pytest.fixture
def zoned(tmp_path, request):
    class ZonedStand(Stand):
        def make(self):
            shelf = fake_shelf.FakeShelf(request.param(), self._tick)
            return shelf, create_app(shelf, fake_shelf.make_site(), WebOptions(acts=self._acts))

    made = ZonedStand(600, tmp_path)
    made.start()
    yield made
    made.stop()


def order(page):
    return page.locator("#alarm-list > li").evaluate_all(
        "rows => rows.map(r => r.querySelector('.zone')?.textContent ?? (r.className === 'others' ? 'OTHERS' : ''))"
    )


@pytest.mark.parametrize("zoned", [Calm], indirect=True)
def test_other_zones_are_silent_and_last_and_the_choice_is_kept(zoned, launch):
    seat = Seat(launch(NO_WEBGL), zoned.url)
    page = seat.page
    seat.until(lambda: order(page) == ["Terminal", "", ""], "the alarms")
    page.locator("#my-zones summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert page.inner_text("#my-zones-told") == "silent here: Terminal"
    seat.until(lambda: order(page) == ["", "", "OTHERS", "Terminal"], "the others last")
    page.click("#sound")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.lapwing.beeps") == 1  # only the one of arming
    page.get_by_label("Terminal", exact=True).check()
    seat.until(lambda: page.evaluate("window.lapwing.beeps") >= 3, "two beeps of high")
    assert order(page) == ["Terminal", "", ""]
    page.get_by_label("Terminal", exact=True).uncheck()
    page.reload()
    seat.until(lambda: order(page) == ["", "", "OTHERS", "Terminal"], "kept")
    page.evaluate("localStorage.setItem('lapwing.zones.off', '{bad')")
    page.reload()
    seat.until(lambda: order(page) == ["Terminal", "", ""], "nonsense is no choice")


@pytest.mark.parametrize("zoned", [Loud], indirect=True)
def test_critical_is_everybodys(zoned, launch):
    seat = Seat(launch(NO_WEBGL), zoned.url)
    page = seat.page
    seat.until(lambda: order(page) == ["Terminal", "", ""], "the alarms")
    page.locator("#my-zones summary").click()
    page.get_by_label("Terminal", exact=True).uncheck()
    assert order(page) == ["Terminal", "", ""]
    page.click("#sound")
    seat.until(lambda: page.evaluate("window.lapwing.beeps") >= 4, "three beeps of critical")


def quiet_hours(page, before, after):
    """Quiet hours from some minutes before now until some after, by the clock of this machine."""
    now = datetime.now()
    page.locator("#quiet-hours summary").click()
    page.get_by_label("from", exact=True).fill(f"{now - timedelta(minutes=before):%H:%M}")
    page.get_by_label("to", exact=True).fill(f"{now + timedelta(minutes=after):%H:%M}")
    page.get_by_label("only critical alarms sound here").check()


def in_quiet_hours(zoned, launch):
    """A page on which it is the middle of the quiet hours."""
    seat = Seat(launch(NO_WEBGL), zoned.url)
    page = seat.page
    seat.until(lambda: order(page) == ["Terminal", "", ""], "the alarms")
    quiet_hours(page, 60, 60)
    seat.until(lambda: page.locator("#quiet-now").is_visible(), "the banner")
    return seat, page


@pytest.mark.parametrize("zoned", [Calm], indirect=True)
def test_in_quiet_hours_a_high_alarm_is_silent_and_a_banner_says_so(zoned, launch):
    seat, page = in_quiet_hours(zoned, launch)
    assert "only critical alarms sound here" in page.inner_text("#quiet-now")
    page.evaluate(AXE)
    assert page.evaluate(FIND) == []
    page.click("#sound")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.lapwing.beeps") == 1  # only the one of arming
    page.reload()
    seat.until(lambda: page.locator("#quiet-now").is_visible(), "kept")
    page.locator("#quiet-hours summary").click()
    page.get_by_label("to", exact=True).fill(page.get_by_label("from", exact=True).input_value())
    assert page.inner_text("#quiet-wrong") == "Two different times are needed."
    assert not page.locator("#quiet-now").is_visible()
    page.click("#sound")
    seat.until(lambda: page.evaluate("window.lapwing.beeps") >= 3, "two beeps of high: these are no quiet hours")
    page.reload()
    quiet_hours(page, 120, -60)
    assert not page.locator("#quiet-now").is_visible()  # they are over


@pytest.mark.parametrize("zoned", [Loud], indirect=True)
def test_critical_sounds_in_quiet_hours_too(zoned, launch):
    seat, page = in_quiet_hours(zoned, launch)
    page.click("#sound")
    seat.until(lambda: page.evaluate("window.lapwing.beeps") >= 4, "three beeps of critical")


@pytest.fixture
def accounts(tmp_path):
    kept = Accounts(tmp_path / "accounts.sqlite")
    for name, role in (("Kim", "act"), ("Lee", "watch")):
        kept.add(name, role, PASSWORD)
    yield kept
    kept.close()


@pytest.fixture
def desks(tmp_path, accounts):
    class GuardedStand(Stand):
        def make(self):
            shelf = fake_shelf.FakeShelf(Calm(), self._tick)
            options = WebOptions(acts=self._acts, accounts=accounts)
            return shelf, create_app(shelf, fake_shelf.make_site(), options)

    made = GuardedStand(600, tmp_path)
    made.start()
    yield made
    made.stop()


def at_a_desk(desks, launch, name):
    seat = Seat(launch(NO_WEBGL), desks.url)
    seat.page.wait_for_url("**/login.html**")
    log_in(seat, name)
    seat.page.locator("#me b").wait_for()
    seat.until(lambda: len(order(seat.page)) >= 3, "the alarms")
    return seat


def test_zones_and_hours_go_with_the_account_from_desk_to_desk(desks, accounts, launch):
    seat = at_a_desk(desks, launch, "Lee")  # who may only watch keeps it, too
    seat.page.locator("#my-zones summary").click()
    seat.page.get_by_label("Terminal", exact=True).uncheck()
    quiet_hours(seat.page, 60, 60)
    seat.until(lambda: {"zones_off", "quiet"} <= set(accounts.kept("Lee")), "that it is kept")
    assert accounts.kept("Lee")["zones_off"] == ["Terminal"]
    assert seat.page.evaluate("localStorage.getItem('lapwing.zones.off')") is None  # others sit here, too
    assert seat.complaints == []
    other = at_a_desk(desks, launch, "Lee")
    seat.until(lambda: order(other.page) == ["", "", "OTHERS", "Terminal"], "Lee's choice at another desk")
    assert other.page.locator("#quiet-now").is_visible()
    kim = at_a_desk(desks, launch, "Kim")
    kim.page.wait_for_timeout(500)
    assert order(kim.page) == ["Terminal", "", ""]
    assert kim.page.inner_text("#quiet-told") == "none"


def test_away_is_since_the_account_looked_anywhere(desks, accounts, launch):
    accounts.keep("Kim", {"looked": {"site": "another", "ms": 5}})
    seat = at_a_desk(desks, launch, "Kim")
    seat.until(lambda: accounts.kept("Kim")["looked"]["site"] == fake_shelf.make_site().name, "that Kim looked")
    now_ms = desks.shelf.latest().time_ns / 1e6
    assert accounts.kept("Kim")["looked"]["ms"] == pytest.approx(now_ms, abs=60_000)
