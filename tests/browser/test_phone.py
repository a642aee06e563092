"""The page on a phone, 390 x 844: nothing is cut off, the alarms are in reach, and a finger is enough."""

import pytest

from tests.browser.conftest import Stand
from tests.browser.seat import Seat
from tests.browser.test_axe import findings

pytestmark = pytest.mark.browser
OUTSIDE = """() => [...document.querySelectorAll("body *")].filter((e) => {
    const r = e.getBoundingClientRect();
    return r.width > 0 && (r.left < -1 || r.right > innerWidth + 1) && e.checkVisibility()
        && !e.closest(".maplibregl-map, .unseen, .skip");
}).map((e) => e.outerHTML.slice(0, 100))"""


@pytest.fixture
def phone(tmp_path, launch):
    stand = Stand(580, tmp_path)
    stand.start()
    seat = Seat(launch(), stand.url + "/#map=10/37.9/126.6")
    seat.page.set_viewport_size({"width": 390, "height": 844})
    seat.until(lambda: seat.read("alarms") == 3 and seat.read("frames") > 3, "the page")
    yield seat
    stand.stop()


def test_nothing_is_cut_off_and_the_worst_alarm_is_read_whole(phone):
    phone.page.wait_for_timeout(500)
    for name in ("tracks", "claims", "feeds"):
        phone.page.locator(f"#tab-{name}").click()
        phone.page.wait_for_timeout(300)
        assert phone.page.evaluate(OUTSIDE) == []
        assert (
            phone.page.evaluate(
                "(() => { const l = document.getElementById('list'); return l.scrollWidth - l.clientWidth; })()"
            )
            <= 0
        )
    reason = phone.page.locator(".alarm .reason").first.bounding_box()
    lists = phone.page.locator("#lists").bounding_box()
    assert reason["y"] + reason["height"] <= lists["y"]
    assert lists["y"] + 100 < 844
    assert findings(phone) == []


def test_the_words_at_the_top_do_not_lie_on_each_other(phone):
    crossing = """() => {
        const all = [...document.querySelectorAll("header > *")].filter((e) => e.checkVisibility());
        const range = document.createRange();
        const boxes = all.map((e) => { range.selectNodeContents(e); return range.getBoundingClientRect(); });
        return all.slice(1).filter((e, k) => boxes[k + 1].left < boxes[k].right).map((e) => e.outerHTML.slice(0, 100));
    }"""
    phone.page.evaluate("document.getElementById('to-replay').hidden = false")  # as a site that can be replayed has it
    for width in (390, 320):
        phone.page.set_viewport_size({"width": width, "height": 844})
        assert phone.page.evaluate(crossing) == []
        assert phone.page.locator("#to-replay").bounding_box()["x"] + 30 < width


def test_a_finger_goes_from_an_alarm_to_its_track_and_acknowledges(phone):
    phone.page.locator("[data-alarm='1']").click()
    phone.until(lambda: phone.page.locator("#detail h2").inner_text() == "T7", "the track")
    assert phone.page.evaluate(OUTSIDE) == []
    box = phone.page.locator("[aria-label='Acknowledge alarm 1']").bounding_box()
    assert box["height"] >= 24  # WCAG 2.2, 2.5.8
    phone.page.locator("#who").fill("Kim")
    phone.page.locator("[aria-label='Acknowledge alarm 1']").click()
    phone.until(lambda: "Seen by Kim" in phone.texts(".alarm")[0], "who saw it")
    phone.page.locator("#detail [aria-label=Close]").click()
    phone.page.locator("#measure").click()
    phone.page.locator("#map").click(position={"x": 100, "y": 200})
    phone.page.locator("#map").click(position={"x": 200, "y": 200})
    phone.until(lambda: "bearing 090" in phone.page.locator("#measured-text").inner_text(), "a distance")
    assert phone.page.evaluate(OUTSIDE) == []
    assert phone.complaints == []
