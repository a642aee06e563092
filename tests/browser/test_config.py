"""The page of the site file: a mistake is named, a version is kept and loaded again, and axe finds nothing wrong."""

import re
import tomllib

import pytest

from lapwing.serve.accounts import Accounts
from lapwing.serve.site import SiteError, parse
from lapwing.serve.versions import Versions
from lapwing.serve.web_config import ConfigDesk
from tests.browser.conftest import NO_WEBGL, Stand
from tests.browser.seat import Seat
from tests.browser.test_axe import AXE, FIND
from tests.browser.test_login import PASSWORD, log_in
from tests.serve.test_config import text

pytestmark = pytest.mark.browser


@pytest.fixture
def managed(tmp_path):
    site = tmp_path / "site.toml"
    site.write_text(text())
    accounts, versions = Accounts(tmp_path / "accounts.sqlite"), Versions(site)
    accounts.add("Kim", "manage", PASSWORD)

    def examine(given):
        try:
            parse(given)
        except SiteError as error:
            return list(error.problems), []
        return [], ["page: it is shown"]

    made = Stand(580, tmp_path, accounts=accounts, config=ConfigDesk(versions, examine, versions.now().number))
    made.site = site
    made.start()
    yield made
    made.stop()
    versions.close()
    accounts.close()


def test_a_mistake_is_named_and_versions_are_kept_and_loaded(managed, launch):
    seat = Seat(launch(NO_WEBGL), f"{managed.url}/config.html")
    seat.page.wait_for_url("**/login.html**")
    log_in(seat, "Kim")
    seat.page.wait_for_url("**/config.html**")  # where one wanted to go
    seat.until(lambda: seat.texts("#version") == ["version 1, running"], "the file")
    before = managed.site.read_text()
    editor = seat.page.locator("#text")
    assert editor.input_value() == before
    editor.fill(before.replace('decoder = "nmea"', 'decoder = "nnea"'))
    seat.page.get_by_role("button", name="Check").click()
    seat.until(lambda: any("nnea" in t for t in seat.texts("#problems li")), "the mistake")
    assert '+decoder = "nnea"' in seat.page.locator("#difference").inner_text()
    seat.page.evaluate(AXE)
    assert seat.page.evaluate(FIND) == []
    assert managed.site.read_text() == before
    after = before.replace('"Field"', '"North"')
    editor.fill(after)
    seat.page.get_by_label("Why").fill("<b>new</b> name")
    seat.page.get_by_role("button", name="Keep as a version").click()
    seat.until(lambda: seat.texts("#version") == ["version 2; version 1 is running"], "the new version")
    assert managed.site.read_text() == after
    assert seat.texts("#versions tr:first-child td")[2:4] == ["Kim", "<b>new</b> name"]
    seat.page.get_by_role("button", name="Load version 1").click()
    seat.until(lambda: editor.input_value() == before, "the old version")
    seat.page.get_by_role("button", name="Start again").click()
    assert "Yes, start again" in seat.page.locator("#restart").inner_text()  # it is asked once more
    assert seat.complaints == []


def test_a_zone_is_drawn_moved_and_changed_on_the_map(managed, launch):
    seat = Seat(launch(NO_WEBGL), managed.url)
    seat.page.wait_for_url("**/login.html**")
    log_in(seat, "Kim")
    seat.page.locator("#me b").wait_for()
    seat.until(lambda: seat.read("frames") > 3 and seat.page.locator("#sketch").is_visible(), "the map")
    assert seat.page.get_by_role("link", name="Site file").is_visible()
    seat.page.keyboard.press("z")
    assert seat.texts("#sketch-text") == ["set the first corner"]
    assert seat.page.locator("#sketch-done").is_disabled()
    for x, y in ((300, 300), (500, 300), (500, 450), (300, 450)):
        seat.page.mouse.click(x, y)
    assert seat.texts("#sketch-text") == ["4 corners; more, or Done"]
    seat.page.mouse.click(301, 451)  # the last corner is picked up, and set elsewhere
    assert seat.texts("#sketch-text") == ["set where it goes"]
    seat.page.mouse.click(260, 500)
    seat.page.evaluate(AXE)
    assert seat.page.evaluate(FIND) == []
    seat.page.locator("#sketch-done").click()
    seat.page.get_by_label("Name").fill("Drawn")
    seat.page.get_by_label("Priority").select_option("critical")
    seat.page.get_by_label("to height, m").fill("450")
    assert seat.page.evaluate(FIND) == []
    seat.page.get_by_role("button", name="Keep as a version").click()
    seat.until(lambda: "Kept as version 2" in seat.page.locator("#zone-told").inner_text(), "the version")
    (zone,) = tomllib.loads(managed.site.read_text())["zone"]
    assert (zone["name"], zone["priority"], zone["height_m"], len(zone["polygon"])) == (
        "Drawn",
        "critical",
        [0, 450],
        4,
    )
    latitudes, longitudes = zip(*zone["polygon"], strict=True)
    assert latitudes[0] == pytest.approx(latitudes[1], abs=1e-5)  # a horizontal line of the screen
    assert latitudes[3] < latitudes[2] < latitudes[0]
    assert longitudes[3] < longitudes[0] < longitudes[1]
    seat.page.get_by_role("button", name="Keep as a version").click()
    seat.until(lambda: "NOT kept" in seat.page.locator("#zone-told").inner_text(), "the refusal: two of one name")
    seat.page.get_by_role("button", name="Close").click()
    seat.page.get_by_label("Zone", exact=True).select_option("Terminal")  # a circle that the running site has
    seat.until(lambda: "radius" in seat.texts("#sketch-text")[0], "its circle")
    seat.page.keyboard.press("Escape")
    assert not seat.page.locator("#sketching").is_visible()


def drawing(managed, launch):
    """A seat that draws a circle."""
    seat = Seat(launch(NO_WEBGL), f"{managed.url}/#map=11/37.9/126.6")
    seat.page.wait_for_url("**/login.html**")
    log_in(seat, "Kim")
    seat.page.locator("#me b").wait_for()
    seat.until(lambda: seat.read("frames") > 3 and seat.page.locator("#sketch").is_visible(), "the map")
    seat.page.keyboard.press("z")
    seat.page.get_by_label("Shape").select_option("circle")
    seat.page.locator("#sketch-shape").evaluate("e => e.blur()")
    return seat


def radius(seat):
    return float(re.search(r"radius (\d+) m", seat.texts("#sketch-text")[0])[1])


def keep(seat):
    seat.page.get_by_role("button", name="Keep as a version").click()
    seat.until(lambda: "Kept as version" in seat.page.locator("#zone-told").inner_text(), "the version")
    seat.page.get_by_role("button", name="Close").click()


def test_a_circle_is_drawn_by_its_middle_and_edge_and_moved(managed, launch):
    seat = drawing(managed, launch)
    assert seat.texts("#sketch-text") == ["set the centre, or Done to type it"]
    seat.page.mouse.click(400, 300)
    seat.page.mouse.move(440, 300)
    small = radius(seat)  # while the edge is looked for
    seat.page.mouse.move(480, 300)
    assert radius(seat) == pytest.approx(2 * small, rel=0.03)
    seat.page.mouse.click(480, 300)
    wide = radius(seat)
    assert wide == pytest.approx(2 * small, rel=0.03)
    seat.page.mouse.click(401, 300)  # the middle is picked up and set elsewhere: the edge goes along
    seat.page.mouse.click(400, 360)
    assert radius(seat) == pytest.approx(wide, rel=0.01)
    seat.page.mouse.click(480, 360)  # the edge alone
    seat.page.mouse.click(520, 360)
    assert radius(seat) == pytest.approx(1.5 * wide, rel=0.01)
    seat.page.locator("#sketch-done").click()
    seat.page.get_by_label("Name").fill("Round")
    seat.page.get_by_text("How sure, by kind").click()
    seat.page.get_by_label("multirotor").fill("40")
    seat.page.get_by_label("bird").fill("90")
    seat.page.evaluate(AXE)
    assert seat.page.evaluate(FIND) == []
    keep(seat)
    (zone,) = tomllib.loads(managed.site.read_text())["zone"]
    assert zone["kind_min"] == {"multirotor": 0.4, "bird": 0.9}
    assert zone["circle"]["radius_m"] == pytest.approx(1.5 * wide, rel=0.01)
    assert "polygon" not in zone
    assert seat.complaints == []


def test_a_circle_is_typed_by_who_has_no_mouse(managed, launch):
    seat = drawing(managed, launch)
    seat.page.locator("#sketch-done").press("Enter")
    seat.page.get_by_label("Name").fill("Typed")
    assert float(seat.page.get_by_label("Middle, latitude").input_value()) == pytest.approx(37.9, abs=0.001)
    for name, value in (("Middle, latitude", "37.95"), ("Middle, longitude", "126.55"), ("Radius, m", "750")):
        seat.page.get_by_label(name).fill(value)
    keep(seat)
    (zone,) = tomllib.loads(managed.site.read_text())["zone"]
    assert zone["circle"] == {"latitude_deg": 37.95, "longitude_deg": 126.55, "radius_m": 750}
    assert "kind_min" not in zone


def test_a_circle_of_the_running_site_keeps_its_very_numbers(managed, launch):
    seat = drawing(managed, launch)
    seat.page.get_by_label("Zone", exact=True).select_option("Terminal")
    seat.page.locator("#sketch-done").click()
    told = [seat.page.get_by_label(n).input_value() for n in ("Middle, latitude", "Middle, longitude", "Radius, m")]
    assert [float(t) for t in told] == [37.86, 126.68, 2500.0]
