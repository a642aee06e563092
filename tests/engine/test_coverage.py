"""Measured coverage by its definition: the farthest good place per sensor, band and sector; nothing vague, stale or
disbelieved; nearly the same through a crash; never part of the picture."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lapwing.engine.coverage import BANDS, FARTHEST, SECTORS, UNKNOWN, Coverage, farthest, looks, merged, places_of
from lapwing.engine.hours import Hours
from lapwing.engine.parts import HOUR_NS
from lapwing.engine.plan import make_plan
from lapwing.engine.presence import Presence
from lapwing.kernel.geodesy import enu_to_geodetic, geodetic_to_enu
from lapwing.records import Frame, TrackStatus
from lapwing.serve.runtime import Runtime
from lapwing.serve.shelf import presence_folder
from lapwing.serve.site import parse
from tests.replay.test_replay import T0, TICK_NS, Clock, drive
from tests.replay.world import border
from tests.serve.fake_shelf import START_NS, World, make_site

WORLD = World()
SITE = make_site()


def table(tmp_path):
    return Hours(tmp_path / "farthest", FARTHEST, merged)


def radar(seq):
    return Frame(seq, "hill-radar", 0, b"")


def cov(sigma_m, height_sigma_m=10.0, n=1):
    out = np.zeros((n, 6, 6))
    out[:, 0, 0] = out[:, 1, 1] = sigma_m**2 / 2
    out[:, 2, 2] = height_sigma_m**2
    return out


@pytest.mark.parametrize(
    ("enu", "band", "sector"),
    [
        ((0.0, 1_000.0, 10.0), 0, 0),
        ((1.0, 1_000.0, 150.0), 1, 0),
        ((1_000.0, 0.0, 499.0), 1, 18),
        ((0.0, -1_000.0, 500.0), 2, 36),
        ((-1_000.0, 0.0, 3_000.0), 3, 54),
        ((-1e-12, 1_000.0, -40.0), 0, 71),
    ],
)
def test_bands_and_sectors_by_hand(enu, band, sector):
    got = looks(np.array([enu]), cov(10.0))
    assert (got[0][0], got[1][0]) == (band, sector)
    assert got[2][0] == pytest.approx(math.hypot(enu[0], enu[1]))


def test_what_is_vague_counts_nowhere_and_a_vague_height_only_without_a_band():
    place = np.array([[30_000.0, 0.0, 100.0]])
    assert len(looks(place, cov(2_999.0))[0]) == 1
    assert len(looks(place, cov(3_001.0))[0]) == 0  # a tenth of the range
    assert len(looks(np.array([[500.0, 0.0, 0.0]]), cov(199.0))[0]) == 1
    assert looks(place, cov(10.0, 501.0))[0].tolist() == [UNKNOWN]
    assert len(looks(np.array([[2e6, 0.0, 0.0]]), cov(10.0))[0]) == 0


def test_the_farthest_of_each_sector_is_that_of_a_plain_loop(tmp_path):
    store = table(tmp_path)
    seen = Coverage(SITE, store)
    want = np.zeros((BANDS, SECTORS))
    home = (SITE.origin.latitude_rad, SITE.origin.longitude_rad, SITE.origin.height_ellipsoid_m)
    hill = places_of(SITE)["hill"]
    there = (hill.latitude_rad, hill.longitude_rad, hill.height_ellipsoid_m)
    for tick in range(25, 1500, 25):
        picture = WORLD.picture(tick)
        t = picture.tracks
        picture = replace(picture, tracks=replace(t, frame_seq=np.full(len(t), tick, np.int64)))
        seen.add(picture, [radar(tick)])
        for k in np.flatnonzero((t.status == TrackStatus.CONFIRMED) & (t.existence >= 0.95)):
            latitude, longitude, height = enu_to_geodetic(home, t.mean[k : k + 1, :3])
            east, north, up = geodetic_to_enu(there, latitude, longitude, height)[0]
            r = math.hypot(east, north)
            if math.sqrt(t.cov[k, 0, 0] + t.cov[k, 1, 1]) > max(0.1 * r, 200.0):
                continue
            band = 0 if up < 150 else 1 if up < 500 else 2 if up < 3_000 else 3
            if math.sqrt(t.cov[k, 2, 2]) > 500:
                band = UNKNOWN
            sector = int(math.degrees(math.atan2(east, north)) % 360 // 5)
            want[band, sector] = max(want[band, sector], r)
    seen.flush()
    got = farthest(store, 0, 2**62)["hill"]
    assert (want > 0).sum() > 20
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_a_track_counts_when_it_was_corrected_and_not_while_it_coasts_on(tmp_path):
    store = table(tmp_path)
    seen = Coverage(SITE, store)
    first, later = WORLD.picture(400), WORLD.picture(900)
    t = first.tracks
    same = replace(t, frame_seq=np.full(len(t), 7, np.int64))
    seen.add(replace(first, tracks=same), [radar(7)])
    seen.flush()
    before = farthest(store, 0, 2**62)["hill"].copy()
    assert before.any()
    moved = replace(later.tracks, frame_seq=same.frame_seq)  # elsewhere, but nothing new was received of them
    seen.add(replace(later, tracks=moved), [radar(8)])
    seen.flush()
    assert (farthest(store, 0, 2**62)["hill"] == before).all()
    unheard = replace(later.tracks, frame_seq=np.full(len(t), 5_000, np.int64))  # a frame that nobody has told of
    seen.add(replace(later, tracks=unheard), [radar(9)])
    seen.flush()
    assert (farthest(store, 0, 2**62)["hill"] == before).all()


def test_a_receiver_counts_claims_that_are_believed(tmp_path):
    picture = WORLD.picture(400)
    c, verdict = picture.claims, picture.integrity
    heard = replace(c, frame_seq=np.full(len(c), 12, np.int64), doubt=np.zeros(len(c), np.int64))
    results = {}
    for name, claims, condition in (
        ("good", heard, np.zeros(len(c), np.int64)),
        ("doubted", replace(heard, doubt=np.full(len(c), 1, np.int64)), np.zeros(len(c), np.int64)),
        ("spoofed", heard, np.full(len(c), 3, np.int64)),
        ("old", replace(heard, frame_seq=np.full(len(c), 11, np.int64)), np.zeros(len(c), np.int64)),
    ):
        store = table(tmp_path / name)
        seen = Coverage(SITE, store)
        now = replace(picture, claims=claims, integrity=replace(verdict, condition=condition))
        seen.add(now, [Frame(12, "roof", 0, b"")])
        seen.flush()
        results[name] = set(farthest(store, 0, 2**62))
    assert results == {"good": {"roof"}, "doubted": set(), "spoofed": set(), "old": set()}


def test_hours_slide_and_last(tmp_path):
    store = table(tmp_path)
    seen = Coverage(SITE, store)
    for hour in range(3):
        picture = WORLD.picture(400)
        ranges = picture.tracks.mean * np.array([1.0 + hour, 1.0 + hour, 1, 1, 1, 1])
        t = replace(picture.tracks, mean=ranges, frame_seq=np.full(len(picture.tracks), 10 + hour, np.int64))
        seen.add(replace(picture, time_ns=START_NS + hour * HOUR_NS, tracks=t), [radar(10 + hour)])
    seen.flush()
    store.flush()
    again = table(tmp_path)
    reach = [float(farthest(again, START_NS + h * HOUR_NS, START_NS + h * HOUR_NS + 1)["hill"].max()) for h in range(3)]
    assert reach[0] < reach[1] < reach[2]
    assert farthest(again, 0, 2**62)["hill"].max() == reach[2]
    assert farthest(again, 0, START_NS - HOUR_NS) == {}


def test_a_running_site_fills_it_and_a_crash_loses_little(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    digests = drive(whole, border(35.0))
    text, chunks = border(35.0)
    plan = make_plan(parse(text).site(cut))
    runtime = Runtime(plan, text, cut, 64.0, Clock())
    for tick in range(1, 176):
        now = T0 + tick * TICK_NS
        runtime.tick([c for c in chunks if now - TICK_NS < c[1] <= now], now)
    runtime.journal.close()  # no last checkpoint, nothing flushed: it falls here
    revived = Runtime(plan, text, cut, 64.0, Clock())
    revived._close()
    revived.journal.close()
    site = plan.site
    got = [farthest(Presence(presence_folder(f), site.origin).farthest, 0, 2**62) for f in (whole, cut)]
    assert set(got[0]) == set(got[1]) != set()
    for name, reach in got[0].items():
        assert (got[1][name] <= reach).all()  # looks within seconds of the restart may be missing, none is invented
        assert ((got[1][name] == reach) & (reach > 0)).sum() >= 0.9 * (reach > 0).sum()
    assert len(digests) == 175
