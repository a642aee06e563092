"""The page in a real browser: a drone crosses into a zone, the alarm appears, and nothing leaves the machine."""

import re
from urllib.parse import urlsplit

import pytest

from tests.browser.seat import Seat

NO_WEBGL = ["--no-sandbox", "--disable-gpu", "--disable-3d-apis", "--disable-accelerated-2d-canvas"]
pytestmark = pytest.mark.browser


def test_a_drone_enters_a_zone_and_the_seat_says_so(stand, launch):
    seat = Seat(launch(), stand.url)
    seat.until(lambda: seat.read("ticks") == 400 and seat.read("frames") > 3, "the first picture on the map")
    assert (seat.read("tracks"), seat.read("claims"), seat.read("alarms")) == (40, 60, 2)
    assert seat.read("renderer") == "map"
    assert not any("uncooperative" in t for t in seat.texts(".alarm"))

    raised = next(t for t in range(401, 600) if len(stand.shelf.world.picture(t).alarms) == 3)
    while stand.shelf.latest().tick < raised:
        stand.advance(min(20, raised - stand.shelf.latest().tick))
        seat.page.wait_for_timeout(30)
    seat.until(lambda: seat.read("alarms") == 3, "the alarm in its counters")
    first = seat.page.locator(".alarm").first
    assert first.get_attribute("data-priority") == "critical"
    assert re.search(r"critical.*uncooperative in zone.*Terminal", first.inner_text(), re.I | re.S)
    assert "Track 7 has no cooperative report" in seat.page.locator("#announce").inner_text()
    assert seat.page.title() == "(3) Lapwing"

    first.locator("button").first.click()  # fly there and show the track
    seat.until(lambda: seat.page.locator("#detail h2").inner_text() == "T7", "the alarmed track")
    assert "nobody claims to be this" in seat.page.locator("#detail").inner_text()
    seat.until(lambda: "sel=t7" in seat.page.url, "the selection in the address")

    first.locator("summary").click()  # down to the bytes
    first.locator("a.frame").first.click()
    seat.until(lambda: "30 00 12 3c 73" in seat.page.locator("#evidence").inner_text(), "the bytes of frame 14")
    assert "<script>" in seat.page.locator("#evidence pre").inner_text()  # as text, never as markup

    assert {urlsplit(u).hostname for u in seat.asked if not u.startswith(("blob:", "data:"))} == {"127.0.0.1"}
    assert any(u.endswith("/basemap.pmtiles") for u in seat.asked)
    assert any(u.startswith("ws://127.0.0.1") for u in seat.asked)
    assert seat.complaints == []


def test_gnss_by_cell_and_time_is_shown_when_asked_for(stand, launch):
    seat = Seat(launch(), stand.url + "/#map=7.6/37.9/126.7")
    seat.until(lambda: seat.read("ticks") == 400, "the first picture")
    assert not seat.page.locator("#cells").is_visible()
    seat.page.locator("#legend summary").click()
    seat.page.get_by_role("checkbox", name="GNSS by cell and time").check()
    told = seat.page.locator("#cells-told")
    seat.until(lambda: "affected in 3 cells, 1 with too few to say" in told.inner_text(), "the newest ten minutes")
    newest = told.inner_text()
    place = seat.page.url
    seat.page.locator("#time").focus()
    for _ in range(3):
        seat.page.keyboard.press("ArrowLeft")
    seat.until(lambda: told.inner_text() != newest, "an earlier time")
    assert place.split("&")[0] == seat.page.url.split("&")[0]  # the slider's keys do not move the map
    seat.page.locator("#cells summary").click()
    assert int(seat.page.locator("#affected-count").inner_text()) == len(seat.texts("#affected-list li")) > 0
    assert "fell to 0" in seat.texts("#affected-list li")[0]
    seat.until(lambda: "on=cells" in seat.page.url, "the layer in the address")
    assert seat.complaints == []


def test_the_base_map_and_the_symbols_are_really_drawn(stand, launch):
    """Pixels, not promises: orange darts, and land that differs from the sea."""
    seat = Seat(launch(), stand.url + "/#map=10/37.9/126.6&off=labels")
    seat.until(lambda: seat.read("frames") > 3, "the map")

    def colours() -> dict[tuple[int, int, int], int]:
        picture = seat.page.locator("#map").screenshot()
        counts = seat.page.evaluate(
            """async (bytes) => {
                const image = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: "image/png" }));
                const ink = new OffscreenCanvas(image.width, image.height).getContext("2d");
                ink.drawImage(image, 0, 0);
                const { data } = ink.getImageData(0, 0, image.width, image.height), counts = {};
                for (let i = 0; i < data.length; i += 4) {
                    const key = `${data[i]},${data[i + 1]},${data[i + 2]}`;
                    counts[key] = (counts[key] || 0) + 1;
                }
                return counts;
            }""",
            list(picture),
        )
        return {tuple(map(int, key.split(","))): n for key, n in counts.items()}

    def drawn() -> bool:
        found = colours()
        near = lambda want: sum(n for c, n in found.items() if max(abs(a - b) for a, b in zip(c, want)) < 14)  # noqa: E731, B905
        return near((22, 29, 36)) > 50_000 and near((10, 16, 23)) > 20_000 and near((230, 159, 0)) > 200

    seat.until(drawn, "land, sea and orange darts")


def test_the_keyboard_reaches_everything(stand, launch):
    seat = Seat(launch(), stand.url + "/#map=10/37.9/126.6")
    seat.until(lambda: seat.read("frames") > 3, "the map")
    press = seat.page.keyboard.press
    press("f")
    assert seat.texts(".feed h3")[1].endswith("quiet")
    assert seat.page.locator("#tab-feeds").get_attribute("aria-selected") == "true"
    press("c")
    assert seat.page.locator("table.claims tbody tr").count() == 60
    press("/")
    seat.page.keyboard.type("haerang 9")
    assert seat.page.locator("table.claims tbody tr").count() == 1
    press("Escape")
    press("t")
    press("a")
    assert seat.page.evaluate("document.activeElement.closest('.alarm') !== null")
    seat.page.locator("#list").focus()
    press("Escape")
    seat.page.evaluate("document.activeElement.blur()")
    press("+")
    seat.until(lambda: "map=11.00" in seat.page.url, "the zoom in the address")
    press("l")
    assert "Navigation lost" in seat.page.locator("#legend-body").inner_text()


def test_a_lost_server_is_said_and_found_again(stand, launch):
    seat = Seat(launch(), stand.url)
    seat.until(lambda: seat.texts("#link")[0] == "live", "a live link")
    seat.until(lambda: seat.texts("#link")[0].startswith("stale"), "a stale picture")
    stand.stop()
    seat.until(lambda: "disconnected" in seat.texts("#link")[0], "a lost link")
    stand.start()
    seat.until(lambda: seat.texts("#link")[0] == "live", "the link again")


def test_without_webgl_the_scope_shows_the_same(stand, launch):
    seat = Seat(launch(NO_WEBGL), stand.url)
    seat.until(lambda: seat.read("tracks") == 40, "the first picture in the scope")
    assert seat.read("renderer") == "scope"
    assert "no WebGL2" in seat.page.locator("#notice").inner_text()
    assert {urlsplit(u).hostname for u in seat.asked} == {"127.0.0.1"}


def test_an_alarm_is_seen_noted_and_put_aside_by_a_named_person(stand, launch):
    seat = Seat(launch(), stand.url)
    seat.until(lambda: seat.read("alarms") == 2, "the alarms")
    card = seat.page.locator(".alarm", has_text="gnss interference")

    def written(verb):
        said = f"Alarm 2: {verb} is written down."
        seat.until(lambda: seat.page.locator("#announce").inner_text() == said, f"that {verb} is written down")
        stand.advance(5)

    card.get_by_role("button", name="Acknowledge").click()
    assert seat.page.evaluate("document.activeElement.id") == "who"  # nobody acts without a name
    seat.page.keyboard.type("Kim lath")  # the page's keys (a, l, t, h) are letters here
    seat.page.keyboard.press("Tab")
    card.locator("input").type("called")
    stand.advance(130)  # the drone enters: the list is drawn anew with a third alarm
    seat.until(lambda: len(seat.texts(".alarm")) == 3, "the new alarm in the list, though somebody is typing")
    card.locator("input").type(" the tower")  # where it was, with what was typed
    card.get_by_role("button", name="Acknowledge").click()
    written("acknowledge")
    seat.until(lambda: "Seen by Kim lath" in card.inner_text(), "who saw it")
    assert "called the tower" in card.inner_text()
    assert card.locator("input").input_value() == ""
    assert seat.page.locator("#alarms-count").inner_text() == "3"
    card.get_by_role("button", name="Shelve alarm 2 for 15 min").click()
    written("shelve")
    seat.until(lambda: "Shelved by Kim lath until" in card.inner_text(), "the shelf")
    assert seat.page.locator("#alarms-count").inner_text() == "2"
    card.get_by_role("button", name="Take alarm 2 off the shelf").click()
    written("unshelve")
    seat.until(lambda: seat.page.locator("#alarms-count").inner_text() == "3", "the alarm back")
    seat.page.reload()
    seat.until(lambda: "Seen by Kim lath" in card.inner_text(), "the same after a reload")
    assert seat.page.locator("#who").input_value() == "Kim lath"
    assert seat.complaints == []


def test_sound_is_off_until_armed_and_stops_when_somebody_has_seen_the_alarm(stand, launch):
    seat = Seat(launch(), stand.url)
    seat.until(lambda: seat.read("alarms") == 2, "the alarms")
    seat.page.wait_for_timeout(1500)
    assert seat.read("beeps") == 0
    assert seat.page.locator("#muted").is_visible()
    seat.page.locator("#sound").click()
    seat.until(lambda: seat.read("beeps") >= 3, "the trial beep and the high alarm's")
    assert not seat.page.locator("#muted").is_visible()
    seat.page.locator("#who").fill("Kim")
    seat.page.locator(".alarm", has_text="gnss interference").get_by_role("button", name="Acknowledge").click()
    seat.until(lambda: "is written down" in seat.page.locator("#announce").inner_text(), "that it is written down")
    stand.advance(5)
    seat.until(lambda: "Seen by Kim" in " ".join(seat.texts(".alarm")), "who saw it")
    before = seat.read("beeps")
    seat.page.wait_for_timeout(9000)  # the high pattern repeats every 8 s
    assert seat.read("beeps") == before
    seat.page.locator("#sound").click()
    assert seat.page.locator("#muted").is_visible()


def test_what_could_be_here_unseen_is_shown_when_asked_for(stand, launch):
    seat = Seat(launch(), stand.url + "/#map=9/37.9/126.7")
    seat.until(lambda: seat.read("ticks") == 400, "the first picture")
    assert not seat.page.locator("#unseen").is_visible()
    seat.page.locator("#legend summary").click()
    seat.page.get_by_role("checkbox", name="What could be here unseen").check()
    told = seat.page.locator("#unseen-told")
    seat.until(lambda: "Terminal 0.01" in told.inner_text(), "the expected number in the zone")
    seat.until(lambda: "on=unseen" in seat.page.url, "the layer in the address")
    assert seat.complaints == []


def test_where_the_time_goes_is_told_beside_the_feeds(stand, launch):
    seat = Seat(launch(), stand.url + "#list=feeds")
    seat.until(lambda: seat.read("frames") > 3, "the first picture on the map")

    def drawn() -> int:
        told = seat.page.evaluate("fetch('/v1/timing').then((answer) => answer.json())")
        return next(row["n"] for row in told["stages"] if row["stage"] == "page")

    seat.until(lambda: drawn() == 1, "to the server that it has drawn the picture")
    stand.advance(5)
    seat.until(lambda: drawn() == 2, "to the server that it has drawn the next")
    seat.page.reload(wait_until="commit")
    item = seat.page.locator(".feed", has_text="Where the time goes")
    seat.until(lambda: item.count() == 1, "where the time goes")
    assert re.search(r"page\s*[\d.]+ ms of 60", item.inner_text())
    assert "nothing yet of 80: detections become tracks" in re.sub(r"\s+", " ", item.inner_text())
    assert seat.complaints == []


def test_where_drawing_takes_long_symbols_stand_still_between_pictures(stand, launch):
    """On a machine without a graphics card drawing takes the processors that sensors need."""
    seat = Seat(launch(), stand.url)
    seat.until(lambda: seat.read("drawMs") > 0, "how long drawing takes")
    seat.page.evaluate("WebGL2RenderingContext.prototype.getSyncParameter = () => 0x9119")  # SIGNALED: done at once

    def quick() -> bool:
        stand.advance(5)
        return 0 < seat.read("drawMs") < 100

    seat.until(quick, "that drawing is quick")
    seat.page.wait_for_timeout(500)
    before = seat.read("frames")
    seat.until(lambda: seat.read("frames") > before + 3, "symbols that run ahead of the picture")
    seat.page.evaluate("WebGL2RenderingContext.prototype.getSyncParameter = () => 0")  # the fence is never reached
    seat.until(lambda: seat.read("drawMs") > 1000, "that drawing takes seconds")
    tick = seat.read("ticks")
    stand.advance(5)
    seat.until(lambda: seat.read("ticks") == tick + 5, "the next picture")
    seat.page.wait_for_timeout(500)
    before = seat.read("frames")
    seat.page.wait_for_timeout(2500)
    assert seat.read("frames") - before <= 1
    stand.advance(5)
    seat.until(
        lambda: seat.read("ticks") == tick + 10 and seat.read("frames") > before, "pictures are drawn all the same"
    )
    assert seat.complaints == []


def test_all_evidence_of_an_alarm_fits_and_nothing_else_is_pushed_out(stand, launch):
    seat = Seat(launch(), stand.url)
    seat.until(lambda: seat.read("alarms") == 2, "the alarms")
    wide = "(() => { const l = document.getElementById('alarm-list'); return l.scrollWidth - l.clientWidth; })()"
    assert seat.page.evaluate(wide) == 0
    seat.page.locator(".alarm summary").first.click()
    link = "<a class='frame' href='/v1/frames/10290'>#10290</a>"
    seat.page.locator(".alarm .frames").first.evaluate(f"(e) => {{ e.innerHTML = `{link * 16}`; }}")
    assert seat.page.evaluate(wide) == 0  # sixteen numbers of five figures, as an alarm of ten minutes has
    rows = seat.page.evaluate("new Set([...document.querySelectorAll('.frames a')].map((a) => a.offsetTop)).size")
    assert rows > 1


def test_a_page_that_does_not_know_its_site_yet_keeps_no_place(stand, launch):
    browser = launch()
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.route_web_socket("**/v1/live*", lambda socket: None)  # open, and silent: a server that is just starting
    page.goto(stand.url + "/#kiosk=1")
    page.wait_for_function("window.lapwing && window.lapwing.renderer === 'map'")
    page.wait_for_timeout(2500)
    assert page.evaluate("location.hash") == "#kiosk=1"  # with the map of the world in it, a reload would stay there
    page.close()
    seat = Seat(browser, stand.url + "/#kiosk=1")
    seat.until(lambda: "map=" in seat.page.url, "the place")
    assert seat.page.url.split("map=")[1].startswith("10.00/37.9")
