"""Remote ID in a real browser: a ring around the receiver for who gives no place, and the person who flies."""

import pytest

from tests.browser.seat import Seat
from tests.serve.fake_shelf import FLOWN_DRONE, SILENT_DRONE

pytestmark = pytest.mark.browser
NO_WEBGL = ["--no-sandbox", "--disable-gpu", "--disable-3d-apis", "--disable-accelerated-2d-canvas"]
ROOF = (37.92, 126.58)


def name(stand, row):
    claims = stand.shelf.latest().claims
    return claims.names[row] or str(int(claims.address[row]))


@pytest.mark.parametrize("args", [None, NO_WEBGL], ids=["map", "scope"])
def test_a_sender_without_a_place_is_a_ring_around_the_receiver_that_heard_it(stand, launch, args):
    seat = Seat(launch(args) if args else launch(), f"{stand.url}/#map=11/{ROOF[0]}/{ROOF[1]}")
    seat.until(lambda: seat.read("ticks") == 400 and seat.read("frames") > 3, "the first picture")
    box = seat.page.locator("#stage").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def ink_on_ring(radius):
        """Share of the points of a circle around the middle of the label canvas that hold ink."""
        return seat.page.evaluate(
            """(radius) => {
                const c = document.getElementById("labels"), k = c.width / c.clientWidth, ink = c.getContext("2d");
                let n = 0;
                for (let i = 0; i < 120; i++) {
                    const a = (i / 120) * 2 * Math.PI;
                    const x = (c.clientWidth / 2 + radius * Math.cos(a)) * k;
                    const y = (c.clientHeight / 2 + radius * Math.sin(a)) * k;
                    n += ink.getImageData(x, y, 1, 1).data[3] > 100;
                }
                return n / 120;
            }""",
            radius,
        )

    seat.until(lambda: 0.3 < ink_on_ring(24) < 0.95, "a dashed ring")
    assert ink_on_ring(18) < 0.3  # a ring, not a disc
    seat.page.mouse.click(middle[0] - 24, middle[1])
    seat.until(lambda: seat.page.locator("#detail h2").inner_text() == name(stand, SILENT_DRONE), "its panel")
    assert "place unknown, heard by roof" in seat.page.locator("#detail").inner_text()
    seat.page.keyboard.press("Escape")
    seat.page.keyboard.press("c")
    seat.page.locator("#filter").fill("heard by roof")
    seat.until(lambda: seat.page.locator("table.claims tbody tr").count() == 1, "only it in the list")
    assert name(stand, SILENT_DRONE) in seat.page.locator("table.claims tbody").inner_text()
    assert "place unknown, heard by roof" in seat.page.locator("table.claims tbody").inner_text()
    assert seat.complaints == []


def test_where_the_person_who_flies_says_to_be(stand, launch):
    address = int(stand.shelf.latest().claims.address[FLOWN_DRONE])
    seat = Seat(launch(), f"{stand.url}/#map=11/37.93/126.55&sel=c2:{address}")
    line = seat.page.locator("#detail dl div", has_text="Flown from")
    seat.until(lambda: line.count() == 1, "the person in the panel")
    assert "37.93000° N  126.55000° E" in line.inner_text()
    assert "live, said 3.0 s ago" in line.inner_text()
    seat.until(
        lambda: (
            seat.page.evaluate(
                """() => {
                const c = document.getElementById("labels"), k = c.width / c.clientWidth;
                const [x, y] = [c.clientWidth / 2 - 9, c.clientHeight / 2 - 11];
                const d = c.getContext("2d").getImageData(x * k, y * k, 18 * k, 20 * k).data;
                let n = 0;
                for (let i = 3; i < d.length; i += 4) n += d[i] > 100;
                return n / (d.length / 4);
            }"""
            )
            > 0.2
        ),
        "the mark",
    )
    assert seat.complaints == []
