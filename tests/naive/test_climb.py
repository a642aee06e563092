"""The likelihood of a pair of sources by its definition, and what a climb may and may not do."""

import numpy as np
import pytest

from lapwing.engine.codec import decode, encode
from lapwing.integrity.climbs import (
    Climb,
    _curves,
    after,
    alone,
    answered,
    around,
    both_round,
    started,
    with_beam,
    without_first,
)
from lapwing.integrity.source import SourceSettings, make_looks
from lapwing.kernel import climb as kernel
from lapwing.kernel import source
from lapwing.kernel.source import FIRST, WAS_AFFECTED, WAS_FINE, Looks

SETTINGS = SourceSettings()
W = SETTINGS.physics


def some_looks(n=300, speakers=30, seed=3):
    rng = np.random.default_rng(seed)
    who = np.sort(rng.integers(0, speakers, n))
    _, who = np.unique(who, return_inverse=True)
    place = rng.uniform(-1.5e5, 1.5e5, (n, 2))
    hit = (np.hypot(*(place - [3e4, 1e4]).T) < 7e4).astype(np.int64)
    none = np.full(n, source.NO_BACKGROUND)
    return Looks(
        who, place[:, 0].copy(), place[:, 1].copy(), rng.uniform(20.0, 1.2e4, n), hit, rng.integers(0, 3, n), none
    )


def log_chance(before, affected, level):
    shift = {FIRST: 0.5, WAS_FINE: 0.0, WAS_AFFECTED: 1.0}[before] * W.regain_db
    p = W.wrong + (1 - 2 * W.wrong) / (1 + np.exp(-(level + shift) / W.softness_db))
    if affected:
        return W.temper * np.log(p)
    return 0.0 if level <= -25.0 else W.temper * np.log((1 - p) / (1 - W.wrong))


def defined(looks, level):
    """Every look and every threshold in turn."""
    nodes = (np.arange(kernel.NODES) - kernel.NODES // 2) * kernel.NODE_DB
    weight = np.exp(-0.5 * (nodes / W.threshold_db_sigma) ** 2)
    total = 0.0
    for s in np.unique(looks.speaker):
        mine = np.flatnonzero(looks.speaker == s)
        each = np.array(
            [sum(log_chance(looks.before[i], looks.affected[i], level[i] - t) for i in mine) for t in nodes]
        )
        total += np.log((weight * np.exp(each - each.max())).sum() / weight.sum()) + each.max()
    return total


@pytest.mark.parametrize("spread", [5.0, 30.0, 200.0])
def test_the_value_of_a_pair_is_its_definition(spread):
    looks = some_looks()
    level = np.random.default_rng(4).normal(0.0, spread, len(looks.speaker))
    begins = np.append(np.flatnonzero(np.diff(looks.speaker, prepend=-1) != 0), len(looks.speaker))
    got = kernel.pair_value(looks, level, begins, *_curves(W._replace(source_height_m=0.0)))
    assert got == pytest.approx(defined(looks, level), abs=0.15)  # levels are rounded to an eighth of a dB


def starts():
    looks = some_looks()
    pair = answered(Climb(looks, SETTINGS, around(looks)[3], 60, 5))
    one = answered(Climb(looks, SETTINGS, alone(np.zeros(2), 40.0), 60, 5))
    return [
        around(looks)[7],
        without_first(pair),
        with_beam(looks)[3],
        both_round(looks, one, pair)[2],
        one.place,
    ]


@pytest.mark.parametrize("start", starts(), ids=["pair", "beam of pair", "beam", "two round", "one"])
def test_a_climb_goes_up_and_keeps_to_its_kind(start):
    looks = some_looks()
    climb = Climb(looks, SETTINGS, start, 300, 0)
    end = answered(climb)
    at_start, again = (answered(Climb(looks, SETTINGS, place, 0, 0)).value for place in (start, end.place))
    assert end.value >= at_start
    assert end.value == pytest.approx(again, rel=1e-12)  # its value is that of its place
    for at in (2, 5):
        assert (end.place[at] == kernel.OFF_DBM) == (start[at] == kernel.OFF_DBM)
    assert (end.place[7] == 0.0) == (start[7] == 0.0)
    if start[7] > 0.0:
        assert kernel.WIDTHS_RAD[0] <= end.beam.width_rad <= kernel.WIDTHS_RAD[1]
        assert 0.0 <= end.beam.bearing_rad < 2 * np.pi
    climber, step = started(climb), 0
    for upto in (1, 2, 90, 151, 300):
        climber, step = decode(encode(after(climb, climber, (step, upto)))), upto
    assert climber.value == end.value
    assert np.array_equal(climber.best, end.place)


def test_climbs_find_a_lone_source():
    rng = np.random.default_rng(8)
    n, t = 80, np.arange(60) * 30.0
    start, course = rng.uniform(-1.5e5, 1.5e5, (n, 2)), rng.uniform(0, 2 * np.pi, n)
    place = start[:, None] + 220.0 * t[None, :, None] * np.stack([np.sin(course), np.cos(course)], axis=1)[:, None]
    power = 42.0 - 96.4 - 20 * np.log10(np.hypot(*(place - [2e4, -3e4]).transpose(2, 0, 1)) / 1e3 + 0.1)
    hit = power > rng.normal(-95.0, 5.0, n)[:, None]
    xyz = np.concatenate([place, np.full((n, 60, 1), 10_000.0)], axis=2).reshape(-1, 3)
    looks = make_looks(np.repeat(np.arange(n), 60), np.tile((t * 1e9).astype(np.int64), n), xyz, hit.ravel(), 24)
    end = answered(Climb(looks, SETTINGS, alone(np.array([9e4, 5e4]), 50.0), 600, 0))
    assert np.hypot(*(end.first[0] - [2e4, -3e4])) < 20_000.0
