"""Symbols: silhouettes by class, APP-6 as a choice that is kept and in the address, on map and scope."""

from dataclasses import replace

import numpy as np
import pytest

from lapwing.records import Classes
from tests.browser.conftest import NO_WEBGL, WEBGL
from tests.browser.seat import Seat
from tests.browser.test_theme import share

pytestmark = pytest.mark.browser
AT = "map=10.3/37.9/126.6"
YELLOW, GREEN = (255, 255, 128), (170, 255, 170)


def near(seat, colour):
    """Share of the pixels of the map that have (nearly) a colour."""
    return seat.coloured(colour, within=14)


@pytest.mark.parametrize("args", [WEBGL, NO_WEBGL], ids=["map", "scope"])
def test_app6_is_a_choice_that_is_kept_and_in_the_address(stand, launch, args):
    seat = Seat(launch(args), f"{stand.url}/#{AT}")
    seat.until(lambda: seat.read("frames") > 3, "the page")
    seat.page.wait_for_timeout(500)
    assert near(seat, GREEN) < 0.0002
    assert "symbols=" not in seat.page.url
    seat.page.keyboard.press("l")
    seat.page.locator("#symbols").select_option("app6")
    seat.page.keyboard.press("l")
    seat.until(lambda: near(seat, GREEN) > 0.001 and near(seat, YELLOW) > 0.001, "neutral and unknown frames")
    seat.until(lambda: "symbols=app6" in seat.page.url, "the choice in the address")
    seat.page.goto("about:blank")
    seat.page.goto(f"{stand.url}/#{AT}")
    seat.until(lambda: seat.read("frames") > 3 and near(seat, GREEN) > 0.001, "the choice, kept")
    seat.page.goto("about:blank")
    seat.page.goto(f"{stand.url}/#{AT}&symbols=civil")
    seat.until(lambda: seat.read("frames") > 3, "the page of a link that says civil")
    seat.page.wait_for_timeout(500)
    assert near(seat, GREEN) < 0.0002
    assert seat.complaints == []


@pytest.mark.parametrize("args", [WEBGL, NO_WEBGL], ids=["map", "scope"])
def test_a_track_that_is_surely_of_a_kind_has_its_silhouette(stand, launch, args):
    """Birds are thin strokes where darts are filled: the same tracks cover less when they are surely birds."""
    picture = stand.shelf.world.picture(400)
    t = picture.tracks
    seat = Seat(launch(args), f"{stand.url}/#map=10.3/37.9/126.6&off=claims,trails,ellipses,labels,zones&sel=t2")
    seat.until(lambda: seat.read("frames") > 3, "the page")
    covered = []
    for tick, p in ((405, 0.55), (410, 0.9)):
        probability = np.zeros((len(t), 8))
        probability[:, 0], probability[:, 3] = 1 - p, p
        later = stand.shelf.world.picture(tick)  # the same tracks a second on, and again
        stand.show(replace(later, classes=Classes(later.tracks.track_id, probability[: len(later.tracks)])))
        seat.until(lambda wanted=tick: seat.read("ticks") == wanted, "the picture")
        seat.page.wait_for_timeout(800)
        assert f"bird, {round(100 * round(31 * p) / 31)} %" in seat.page.locator("#detail").inner_text()
        covered.append(share(seat, "mark-track") + share(seat, "mark-agreed"))
    assert covered[0] > 0.0005
    assert 0.00003 < covered[1] < 0.7 * covered[0]
    assert seat.complaints == []
