"""What is uncertain or old looks so: a wedge for a bearing that nothing explains, and fading; counted in pixels."""

from dataclasses import fields, replace

import numpy as np
import pytest

from lapwing.records import Directions, Tracks, TrackStatus
from tests.browser.conftest import NO_WEBGL, WEBGL
from tests.browser.seat import Seat
from tests.serve.fake_shelf import ORIGIN

pytestmark = pytest.mark.browser
BOTH = pytest.mark.parametrize("args", [WEBGL, NO_WEBGL], ids=["map", "scope"])
LATITUDE, LONGITUDE = np.degrees([ORIGIN.latitude_rad, ORIGIN.longitude_rad])
AT = f"map=10.00/{LATITUDE:.5f}/{LONGITUDE:.5f}&off=claims,trails,labels,ellipses,zones,sensors,regions,airfields"
PX_PER_M = 512 * 2**10 / (40_075_016.7 * np.cos(ORIGIN.latitude_rad))
LIGHT = """async ([bytes, points]) => {
    const image = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: "image/png" }));
    const ink = new OffscreenCanvas(image.width, image.height).getContext("2d");
    ink.drawImage(image, 0, 0);
    return points.map(([x, y, half]) => {
        const [left, top] = [Math.round(image.width / 2 + x) - half, Math.round(image.height / 2 + y) - half];
        const { data } = ink.getImageData(left, top, 2 * half + 1, 2 * half + 1);
        let most = 0;
        for (let i = 0; i < data.length; i += 4) most = Math.max(most, data[i] + data[i + 1] + data[i + 2]);
        return most;
    });
}"""


def light(seat, points):
    """The brightest of r + g + b around each (east_px, south_px, half) from the middle of the map."""
    shot = list(seat.page.locator("#map").screenshot())
    return np.array(seat.page.evaluate(LIGHT, [shot, [[float(v) for v in p] for p in points]]))


def settled(seat, points, holds, what):
    """The same once it is as it should be, or as it is after a while, so that a failure says what was there."""
    seat.until(lambda: holds(light(seat, points)), what)
    return light(seat, points)


def tracks_of(picture, keep):
    """The picture's tracks, those to keep."""
    n = len(picture.tracks)
    columns = {f.name: getattr(picture.tracks, f.name) for f in fields(Tracks)}
    kept = {k: v[keep] for k, v in columns.items() if isinstance(v, np.ndarray) and len(v) == n}
    return replace(picture.tracks, **kept)


def empty(stand, tick):
    """A picture in which nothing moves."""
    picture = stand.shelf.world.picture(tick)
    return replace(picture, tracks=tracks_of(picture, slice(0, 0)))


def wedge(picture, age_s):
    """A bearing due east from the site, one sigma 10 degrees, reach 8 km."""
    one = np.ones(1)
    when = np.array([picture.time_ns - round(age_s * 1e9)])
    told = Directions(
        ("mast",), when, np.zeros((1, 3)), one * np.pi / 2, one * np.radians(10.0), one * 8_000.0, when * 0 + 3
    )
    return replace(picture, directions=told)


def ray(off_deg, metres, half=2):
    """Where on the screen something is in that direction off due east."""
    px, off = metres * PX_PER_M, np.radians(off_deg)
    return (px * np.cos(off), px * np.sin(off), half)


@BOTH
def test_a_bearing_that_nothing_explains_is_a_wedge_of_one_sigma_out_to_the_reach_and_fades(stand, launch, args):
    seat = Seat(launch(args), f"{stand.url}/#{AT}")
    stand.show(empty(stand, 401))
    seat.until(lambda: seat.read("ticks") == 401 and seat.read("frames") > 3, "an empty picture")
    inside = [ray(side, metres) for side in (-10, 0, 10) for metres in (2_000, 4_000, 6_000)] + [ray(5, 8_000)]
    outside = [ray(25, 4_000), ray(-25, 4_000), ray(180, 4_000), ray(5, 4_000), ray(0, 9_500)]
    seat.page.wait_for_timeout(1000)
    before_in, before_out = light(seat, inside), light(seat, outside)
    stand.show(wedge(empty(stand, 406), 0.0))
    fresh = settled(seat, inside, lambda now: (now > before_in + 25).all(), "three rays and the far end")
    assert (np.abs(light(seat, outside) - before_out) < 12).all()
    stand.show(wedge(empty(stand, 411), 8.0))
    old = settled(seat, inside, lambda now: (now < fresh - 10).all(), "that it fades")
    assert (old > before_in + 3).all()  # not gone while it is told
    stand.show(empty(stand, 416))
    settled(seat, inside, lambda now: (np.abs(now - before_in) < 12).all(), "that it is gone")
    assert seat.complaints == []


@BOTH
def test_a_track_fades_with_its_age_and_never_quite(stand, launch, args):
    seat = Seat(launch(args), f"{stand.url}/#{AT}")

    def one(tick, age_s):
        picture = stand.shelf.world.picture(tick)
        mean = np.zeros((1, 6))
        mean[0, :3] = 4_000.0, -4_000.0, 300.0  # south-east; it stands still
        when = np.array([picture.time_ns - round(age_s * 1e9)])
        kept = tracks_of(picture, slice(0, 1))
        status = np.full(1, int(TrackStatus.CONFIRMED))
        return replace(picture, tracks=replace(kept, mean=mean, updated_ns=when, status=status))

    stand.show(empty(stand, 401))
    seat.until(lambda: seat.read("ticks") == 401 and seat.read("frames") > 3, "an empty picture")
    seat.page.wait_for_timeout(1000)
    spot = [(4_000 * PX_PER_M, 4_000 * PX_PER_M, 8)]
    nothing = light(seat, spot)[0]
    shown = []
    for k, age_s in enumerate((0.0, 30.0, 300.0)):
        stand.show(one(406 + 5 * k, age_s))
        seat.until(lambda k=k: seat.read("ticks") == 406 + 5 * k, "the picture")
        seat.page.wait_for_timeout(700)
        shown.append(light(seat, spot)[0] - nothing)
    assert shown[0] > shown[1] + 20 > shown[2] + 30
    assert shown[2] > 30
    assert seat.complaints == []
