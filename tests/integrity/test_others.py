"""Two sources of which one is a sector antenna: not told as one place, in a world that the model knows all of."""

import numpy as np
import pytest

from lapwing.engine.codec import decode, encode
from lapwing.integrity.piecewise import begin, worked
from lapwing.integrity.search import _trust, explain, prepared
from lapwing.integrity.source import SourceSettings, make_looks
from lapwing.kernel.source import FIRST, WAS_AFFECTED, Beam


def event(sources, n=110, seed=6):
    """Looks at aircraft that fly straight for half an hour past sources (east, north, dBm, beam)."""
    rng = np.random.default_rng(seed)
    t = np.arange(60) * 30.0
    start, course = rng.uniform(-2.5e5, 2.5e5, (n, 2)), rng.uniform(0, 2 * np.pi, n)
    v = 220.0 * np.stack([np.sin(course), np.cos(course)], axis=1)
    place = start[:, None, :] + t[None, :, None] * v[:, None, :]
    power = np.full((n, 60), -300.0)
    for east, north, dbm, beam in sources:
        away = place - [east, north]
        got = dbm - 96.4 - 20 * np.log10(np.hypot(away[..., 0], away[..., 1]) / 1e3 + 0.1)
        if beam is not None:
            off = np.abs((np.arctan2(away[..., 0], away[..., 1]) - beam.bearing_rad + np.pi) % (2 * np.pi) - np.pi)
            got -= np.where(off > 0.5 * beam.width_rad, beam.outside_db, 0.0)
        power = np.maximum(power, got)
    hit = power > rng.normal(-95.0, 5.0, n)[:, None]
    xyz = np.concatenate([place, np.full((n, 60, 1), 10_000.0)], axis=2).reshape(-1, 3)
    return np.repeat(np.arange(n), 60), np.tile((t * 1e9).astype(np.int64), n), xyz, hit.ravel()


def test_a_round_source_and_a_sector_are_not_one_place():
    settings = SourceSettings()
    beam = Beam(1.6, 2.1, 20.0)
    found = explain(make_looks(*event([(-5e4, 0.0, 43.0, None), (5e4, 0.0, 47.0, beam)], seed=7), 24), settings)
    places = np.array([[-5e4, 0.0], [5e4, 0.0]])
    for each in found:
        near = np.hypot(*(places - np.array(each.mean_m)).T).min()
        assert not each.unique or near < 30_000.0  # a wrong place is not told


def test_two_round_sources_are_still_told():
    found = explain(make_looks(*event([(-1e5, 0.0, 43.0, None), (1e5, 0.0, 43.0, None)]), 24), SourceSettings())
    assert len(found) == 2
    assert all(each.unique for each in found)
    for place in ((-1e5, 0.0), (1e5, 0.0)):
        assert min(np.hypot(each.mean_m[0] - place[0], each.mean_m[1] - place[1]) for each in found) < 30_000.0


@pytest.mark.parametrize(
    "sources", [[(0.0, 0.0, 47.0, Beam(1.6, 2.1, 20.0))], [(-1e5, 0.0, 43.0, None), (1e5, 0.0, 43.0, None)]]
)
def test_alternatives_in_pieces_are_those_at_once(sources):
    settings = SourceSettings(looks_max=600, pair_looks_max=400, alternative_looks=(200, 150))
    looks = make_looks(*event(sources, n=60), 6)
    at_once = explain(looks, settings)
    search, found, pieces = begin(3, 5, prepared(looks, settings)), None, 0
    while found is None:
        search, found = worked(search, 6, 60_000, settings)
        pieces += 1
        if pieces % 7 == 0:
            search = decode(encode(search))
    assert pieces > 30
    assert len(found) == len(at_once)
    assert len(found) == len(sources) or not found[0].unique
    for a, b in zip(found, at_once, strict=True):
        assert a.mean_m == b.mean_m
        assert a.beam == b.beam
        assert np.array_equal(a.probability, b.probability)


def test_many_affected_and_pulses_make_a_place_less_sure():
    settings = SourceSettings()
    few = make_looks(*event([(0.0, 0.0, 36.0, None)], n=40), 24)
    many = make_looks(*event([(0.0, 0.0, 46.0, None)], n=110), 24)
    hit = len(np.unique(many.speaker[many.affected == 1]))
    assert len(np.unique(few.speaker[few.affected == 1])) <= settings.surest < hit
    assert _trust(few, settings) == 1.0
    assert _trust(many, settings) == pytest.approx((settings.surest / hit) ** 1.2)
    pulsed = few._replace(before=np.where(few.before == WAS_AFFECTED, FIRST, few.before))
    assert _trust(pulsed, settings) == settings.pulsed_sharpness
