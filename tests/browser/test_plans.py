"""Plans of the site on the page: drawn, credited, switched in the legend and by the address; nothing else asked."""

import hashlib
import json

import pytest

from lapwing.serve.site_plans import PlanEntry, plans_of
from lapwing.serve.web import STATIC
from tests.browser.conftest import NO_WEBGL, WEBGL, Stand
from tests.browser.seat import Seat
from tests.browser.test_axe import findings
from tests.browser.test_theme import share
from tests.serve.plans import APRON, pmtiles

pytestmark = pytest.mark.browser
AT = "map=11/37.9/126.6"
PURPLE = "[200, 40, 200]"


@pytest.fixture
def planned(tmp_path):
    files = {"Apron plan": ("apron.geojson", json.dumps(APRON).encode()), "Photo": ("photo.pmtiles", pmtiles())}
    files["Vector"] = ("vector.pmtiles", (STATIC / "basemap.pmtiles").read_bytes())
    entries = []
    for name, (file, data) in files.items():
        (tmp_path / file).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        credit = "<b>Survey</b> & Sons" if name == "Apron plan" else ""
        entries.append(PlanEntry(name=name, file=file, sha256=digest, credit=credit))
    made = Stand(400, tmp_path, plans=plans_of(entries, tmp_path))
    made.start()
    yield made
    made.stop()


def purple(seat):
    """Share of the map that is about as purple as the photograph."""
    return seat.share("r > 120 && b > 120 && g < 80")


def test_plans_are_drawn_and_switched(planned, launch):
    seat = Seat(launch(), f"{planned.url}/#{AT}&off=plan:photo,plan:vector")
    seat.until(lambda: seat.read("frames") > 3 and share(seat, "map-plan") > 0.0003, "the lines of the apron")
    assert purple(seat) < 0.01
    credit = seat.page.locator(".maplibregl-ctrl-attrib").inner_text()
    assert "<b>Survey</b> & Sons" in credit  # text, not markup
    seat.page.keyboard.press("l")
    boxes = seat.page.locator("#plan-layers label")
    assert boxes.all_inner_texts() == ["Apron plan", "Photo", "Vector"]
    assert [boxes.nth(k).locator("input").is_checked() for k in range(3)] == [True, False, False]
    assert findings(seat) == []
    boxes.nth(1).locator("input").focus()
    seat.page.keyboard.press("Space")
    seat.until(lambda: purple(seat) > 0.3, "the photograph")
    boxes.nth(0).locator("input").uncheck()
    seat.until(
        lambda: "off=plan:vector,plan:apron-plan" in seat.page.url.replace("%3A", ":"), "the choice in the address"
    )
    boxes.nth(1).locator("input").uncheck()
    seat.page.keyboard.press("l")
    seat.until(lambda: share(seat, "map-plan") < 0.0001 and purple(seat) < 0.01, "none of the plans")
    assert [a for a in seat.asked if planned.url.split("//")[1] not in a and not a.startswith("blob:")] == []
    assert seat.complaints == []


def test_vector_tiles_of_a_plan_are_drawn(planned, launch):
    seat = Seat(launch(), f"{planned.url}/#map=8/37.9/126.6&off=plan:photo,plan:apron-plan")
    seat.until(lambda: seat.read("frames") > 3 and share(seat, "map-plan") > 0.001, "coast lines as a plan")
    assert seat.complaints == []


def test_plans_follow_the_theme_and_stay_in_a_link(planned, launch):
    seat = Seat(launch(WEBGL), f"{planned.url}/#{AT}&off=plan:photo,plan:vector&theme=light")
    seat.until(lambda: seat.read("frames") > 3 and share(seat, "map-plan") > 0.0003, "the apron in the light theme")
    seat.page.keyboard.press("l")
    seat.page.locator("#light").uncheck()
    seat.page.keyboard.press("l")
    seat.until(lambda: share(seat, "map-plan") > 0.0003, "the apron in the dark theme")
    assert seat.complaints == []


def test_the_scope_draws_lines_of_plans(planned, launch):
    seat = Seat(launch(NO_WEBGL), f"{planned.url}/#{AT}")
    seat.until(lambda: seat.read("frames") > 3 and share(seat, "map-plan") > 0.0003, "the apron on the scope")
    assert seat.read("renderer") == "scope"
    assert seat.complaints == []
