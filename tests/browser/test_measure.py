"""Measuring: distance and true bearing between two points, by mouse and by keyboard; and the points in the address."""

import re

import pytest
from pyproj import Geod

from tests.browser.conftest import NO_WEBGL, WEBGL
from tests.browser.seat import Seat

pytestmark = pytest.mark.browser
ELLIPSOID = Geod(ellps="WGS84")  # Karney's algorithm, the oracle
TOLD = re.compile(r"(\d+) m\s+([\d.]+) km\s+([\d.]+) NM\s+bearing ([\d.]+)° true, back ([\d.]+)°")


def told(seat):
    found = TOLD.search(seat.page.locator("#measured-text").inner_text())
    return [float(v) for v in found.groups()] if found else None


def points(seat):
    found = re.search(r"measure=([-\d.,]+)", seat.page.url)
    return [float(v) for v in found[1].split(",")] if found else []


def check(seat):
    """What is said is what the oracle says of the points in the address."""
    lat1, lon1, lat2, lon2 = points(seat)
    there, back, metres = ELLIPSOID.inv(lon1, lat1, lon2, lat2)
    said = told(seat)
    assert said[0] == pytest.approx(metres, abs=1.0)
    assert said[1] == pytest.approx(metres / 1000, abs=0.001)
    assert said[2] == pytest.approx(metres / 1852, abs=0.001)
    for bearing, exact in ((said[3], there % 360), (said[4], back % 360)):
        assert abs((bearing - exact + 180) % 360 - 180) < 0.06


@pytest.mark.parametrize("ends", [
    (37.9, 126.6, 37.95, 126.7), (37.9, 126.6, 38.9, 125.0), (0.0, 10.0, 0.0, 11.0), (60.0, 179.9, 60.1, -179.8),
    (-33.9, 18.4, 51.5, -0.1), (84.0, 0.0, 84.0, 120.0),
])  # fmt: skip
def test_distances_and_bearings_are_those_of_the_ellipsoid(stand, launch, ends):
    seat = Seat(launch(), f"{stand.url}/#measure={','.join(map(str, ends))}")
    seat.until(lambda: told(seat) is not None, "the measurement of the link")
    seat.until(lambda: len(points(seat)) == 4, "the points in the address again")
    assert points(seat) == pytest.approx(list(ends))
    check(seat)
    assert seat.complaints == []


@pytest.mark.parametrize("args", [WEBGL, NO_WEBGL], ids=["map", "scope"])
def test_by_mouse_and_by_keyboard(stand, launch, args):
    seat = Seat(launch(args), f"{stand.url}/#map=11/37.9/126.6")
    seat.until(lambda: seat.read("frames") > 3, "the picture")
    seat.page.locator("#measure").click()
    box = seat.page.locator("#stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    seat.page.mouse.click(x, y)
    seat.page.mouse.move(x + 100, y, steps=3)
    seat.until(lambda: told(seat) is not None, "a distance while the mouse moves")
    assert told(seat)[3] == pytest.approx(90.0, abs=0.1)
    seat.page.mouse.click(x, y - 150)
    seat.until(lambda: len(points(seat)) == 4, "both points in the address")
    assert points(seat)[:2] == pytest.approx([37.9, 126.6], abs=1e-4)
    metres_per_px = 40_075_016.686 * 0.7891 / (512 * 2**11)  # 0.7891 = cos 37.9 degrees
    assert told(seat)[0] == pytest.approx(150 * metres_per_px, rel=0.01)
    check(seat)
    assert "sel=" not in seat.page.url  # a click for measuring selects nothing
    seat.page.keyboard.press("Escape")
    seat.until(lambda: "measure=" not in seat.page.url, "the end of measuring")
    assert not seat.page.locator("#measured").is_visible()

    press = seat.page.keyboard.press
    press("m")
    press("Enter")
    seat.until(lambda: len(points(seat)) == 2, "the first point")
    press("ArrowRight")
    press("ArrowRight")
    seat.until(lambda: told(seat) is not None and told(seat)[0] > 100 * metres_per_px, "a distance to the cross")
    seat.page.wait_for_timeout(400)  # the map comes to rest
    press("Enter")
    seat.until(lambda: len(points(seat)) == 4, "the second point")
    seat.until(lambda: told(seat)[3] == pytest.approx(90.0, abs=0.3), "due east")
    check(seat)
    assert seat.page.locator("#measured-text").get_attribute("role") == "status"
    press("m")
    assert not seat.page.locator("#measured").is_visible()
    assert seat.complaints == []


@pytest.mark.parametrize("junk", ["1,2,3", "a,b", "91,0,0,0", "0,0,1e999,0", "", "1,1,1,1,1,1"])
def test_a_link_with_nonsense_measures_nothing(stand, launch, junk):
    seat = Seat(launch(), f"{stand.url}/#measure={junk}")
    seat.until(lambda: seat.read("frames") > 3, "the picture")
    assert told(seat) is None
    assert seat.complaints == []
