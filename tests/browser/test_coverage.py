"""The coverage layer: outlines on map and scope, its table, period and heights in the address, by keyboard."""

import polars as pl
import pytest

from lapwing.engine.coverage import FARTHEST
from tests.browser.conftest import NO_WEBGL, WEBGL
from tests.browser.seat import Seat
from tests.browser.test_axe import findings
from tests.browser.test_theme import share
from tests.serve.fake_shelf import START_NS

pytestmark = pytest.mark.browser


@pytest.fixture
def covered(stand):
    rows = [("hill", k % 3, k, 9_000.0 + 260.0 * k) for k in range(60)] + [("roof", 0, 9, 6_000.0)]
    stand.shelf.presence().farthest.add(START_NS, pl.DataFrame(rows, schema=FARTHEST, orient="row"))
    return stand


@pytest.mark.parametrize("args", [WEBGL, NO_WEBGL], ids=["map", "scope"])
def test_it_is_drawn_told_and_in_the_address(covered, launch, args):
    seat = Seat(launch(args), f"{covered.url}/#map=9.5/37.9/126.6&on=coverage&coverage=7d,all&off=sensors")
    seat.until(lambda: seat.read("frames") > 3 and share(seat, "line-2") > 0.001, "the outline of the second sensor")
    rows = seat.page.locator("#coverage-rows tr")
    assert [t.split() for t in rows.all_inner_texts()] == [
        ["roof", "6.0", "km", "048°", "1/72", *rows.nth(0).inner_text().split()[-2:]],
        ["hill", "24", "km", "298°", "60/72", "40", "km"],
    ]
    assert "coverage=7d,all" in seat.page.url.replace("%2C", ",")
    seat.page.locator("#coverage-band").focus()
    seat.page.keyboard.press("u")  # a select takes letters for its options
    seat.until(lambda: "20/72" in rows.nth(1).inner_text(), "the sectors seen low")
    seat.until(lambda: "coverage=7d,low" in seat.page.url.replace("%2C", ","), "the choice in the address")
    assert findings(seat) == []
    seat.page.locator("#coverage-band").blur()
    seat.page.keyboard.press("l")
    seat.page.get_by_label("Coverage, measured").uncheck()
    seat.until(lambda: not seat.page.locator("#coverage").is_visible(), "the layer gone")
    assert seat.complaints == []


def test_a_failing_server_is_told(covered, launch):
    seat = Seat(launch(), f"{covered.url}/#map=9.5/37.9/126.6")
    seat.until(lambda: seat.read("frames") > 3, "the page")
    seat.page.route("**/v1/coverage*", lambda route: route.fulfill(status=503, json={"error": "x"}))
    seat.page.keyboard.press("l")
    seat.page.get_by_label("Coverage, measured").check()
    seat.until(lambda: "503" in seat.page.locator("#coverage-told").inner_text(), "what failed")
