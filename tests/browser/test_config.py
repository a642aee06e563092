"""The page of the site file: a mistake is named, a version is kept and loaded again, and axe finds nothing wrong."""

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
