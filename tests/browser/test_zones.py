"""My zones: alarms of other zones are silent in this browser and come last, are never hidden, and it is kept."""

from dataclasses import replace

import numpy as np
import pytest

from lapwing.records import Priority
from lapwing.serve.web import WebOptions, create_app
from tests.browser.conftest import NO_WEBGL, Stand
from tests.browser.seat import Seat
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
