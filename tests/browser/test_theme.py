"""Dark and light: contrasts of all colours, what is really drawn, and that the choice is kept."""

import pytest

from tests.browser.conftest import NO_WEBGL, WEBGL
from tests.browser.seat import Seat

pytestmark = pytest.mark.browser
MARKS = ["track", "agreed", "tentative", "ok", "degraded", "lost", "inconsistent", "unknown"]
TEXT = [
    *((t, g) for t in ("text", "soft", "link") for g in ("ground", "panel", "raised", "chosen", "urgent")),
    *((t, g) for t in ("warn", "caution", "good", "past", "is-degraded", "is-lost") for g in ("panel", "raised")),
    *(("on-bright", g) for g in ("warn", "past", "past-2", "p-high")),
    ("muted-text", "muted"),
    *((f"mark-{m}", "mark-halo") for m in [*MARKS, "chosen", "alarm-name"]),
    *(
        (f"map-{n}", g)
        for n in ("place", "zone-name", "region-name", "plan-name", "text", "site")
        for g in ("map-land", "map-sea")
    ),
]
SYMBOLS = [
    *((f"mark-{m}", g) for m in [*MARKS, "chosen", "alarm"] for g in ("map-land", "map-sea")),
    *((f"map-{n}", g) for n in ("zone", "region", "source", "plan") for g in ("map-land", "map-sea")),
    *((f"p-{p}", g) for p in ("critical", "high", "medium", "low") for g in ("panel", "raised")),
    ("p-critical", "urgent"),
    *((f"line-{n}", "panel") for n in (1, 2, 3)),
    *((f"cell-{n}", "panel") for n in ("low", "some", "many", "few")),
    *(("focus", g) for g in ("panel", "raised", "ground")),
]


def rgb(text):
    """The numbers of "#rrggbb" or "#rgb" (a build may shorten)."""
    text = text.strip().lstrip("#")
    text = "".join(2 * c for c in text) if len(text) == 3 else text
    assert len(text) == 6, text
    return [int(text[i : i + 2], 16) for i in (0, 2, 4)]


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """WCAG 2.2."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_wcag_does():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21.0)
    assert contrast(rgb("#777"), rgb("#ffffff")) == pytest.approx(4.48, abs=0.01)


def variable(seat, name):
    return seat.page.evaluate("(n) => getComputedStyle(document.documentElement).getPropertyValue('--' + n)", name)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_colour_is_readable_on_what_it_stands_on(stand, launch, theme):
    seat = Seat(launch(), f"{stand.url}/#theme={theme}")
    seat.until(lambda: seat.read("ticks") > 0, "the page")
    assert seat.page.evaluate("document.documentElement.dataset.theme") == theme
    known = {n: rgb(variable(seat, n)) for pair in TEXT + SYMBOLS for n in pair}
    bad = [
        f"{a} on {b}: {contrast(known[a], known[b]):.2f} < {least}"
        for pairs, least in ((TEXT, 4.5), (SYMBOLS, 3.0))
        for a, b in pairs
        if contrast(known[a], known[b]) < least
    ]
    assert bad == []


def share(seat, name, selector="#map"):
    """Share of the pixels of a part of the page that have (nearly) the colour of a variable."""
    return seat.coloured(rgb(variable(seat, name)), selector=selector)


def test_the_light_theme_is_chosen_drawn_at_once_and_kept(stand, launch):
    seat = Seat(launch(), f"{stand.url}/#map=10/37.9/126.6")
    seat.page.emulate_media(color_scheme="light")
    seat.until(
        lambda: seat.read("frames") > 3 and share(seat, "map-land") > 0.3, "the dark map, whatever the system likes"
    )
    assert "theme=" not in seat.page.url
    dark = rgb(variable(seat, "map-land"))
    seat.page.locator("#sound").click()
    seat.page.keyboard.press("l")
    seat.page.locator("#light").check()
    seat.page.keyboard.press("l")
    assert rgb(variable(seat, "map-land")) != dark
    seat.until(lambda: share(seat, "map-land") > 0.3 and share(seat, "map-sea") > 0.05, "the light map")
    seat.until(lambda: share(seat, "mark-track") > 0.0002, "dark orange symbols")
    assert seat.page.locator("#sound").inner_text() == "Sound on"  # nothing was loaded anew
    seat.until(lambda: "theme=light" in seat.page.url, "the theme in the address")
    seat.page.goto(stand.url + "/")
    seat.until(lambda: seat.read("frames") > 3 and share(seat, "map-land") > 0.3, "the light map again")
    seat.page.goto("about:blank")
    seat.page.goto(stand.url + "/#theme=dark")
    seat.until(lambda: seat.read("frames") > 3, "the page of a link that says dark")
    assert rgb(variable(seat, "map-land")) == dark
    assert seat.complaints == []


@pytest.mark.parametrize("args", [WEBGL, NO_WEBGL], ids=["map", "scope"])
def test_a_link_may_say_light(stand, launch, args):
    seat = Seat(launch(args), f"{stand.url}/#map=10/37.9/126.6&theme=light")
    name = "map-land" if args is WEBGL else "map-sea"
    seat.until(lambda: seat.read("frames") > 3 and share(seat, name) > 0.3, "a light picture")
    assert seat.complaints == []
