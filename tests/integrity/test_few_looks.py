"""Sources sought from next to nothing: one look, one place, one speaker, affected in turn. Nothing may be raised."""

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapwing.engine.survey_events import _sources
from lapwing.integrity.piecewise import begin, worked
from lapwing.integrity.pulses import PulseSettings, while_off
from lapwing.integrity.search import explain, first_answer, prepared
from lapwing.integrity.source import SourceSettings, affected_speakers, make_looks, outline
from lapwing.integrity.sources import next_sources, start
from lapwing.integrity.trail import Trail, TrailSettings, looks_at
from lapwing.records import Interference, no_interference

SETTINGS = SourceSettings()
SECOND, T0 = 1_000_000_000, 1_790_000_000_000_000_000
QUICK = dataclasses.replace(SETTINGS, side=5, levels=2, step_db=12.0, heights_m=(10.0, 300.0))


def in_turn(n=15, looks=30, every=5, seed=0, source=(0.0, 0.0)):
    """n aircraft around a source, each affected at every fifth look, three at a time: so is everybody whom a beam that
    turns meets. Never are most of them affected, and never nobody."""
    rng = np.random.default_rng(seed)
    who, k = np.tile(np.arange(n), looks), np.repeat(np.arange(looks), n)
    start, v = np.array(source) + rng.normal(0.0, 30e3, (n, 2)), rng.uniform(-50.0, 50.0, (n, 2))
    place = np.concatenate([start[who] + v[who] * (k - looks / 2)[:, None] * 30.0, np.full((len(who), 1), 9_000.0)], 1)
    return who, T0 + k * 30 * SECOND, place, (k + who) % every == 0


def region(radius_m):
    """One region of interference around the middle."""
    empty = no_interference()
    one = {name: np.ones(1, getattr(empty, name).dtype) for name in Interference.__dataclass_fields__}
    one |= {"since_ns": np.array([T0]), "updated_ns": np.array([T0]), "affected": np.array([3])}
    one |= {"east_m": np.zeros(1), "north_m": np.zeros(1), "radius_m": np.array([radius_m])}
    return Interference(**one | {"causes": np.full((1, 6), 1 / 6)})


def trail_of(who, time_ns, place, hit):
    """The same looks as integrity remembers them."""
    order = np.argsort(time_ns, kind="stable")
    return Trail(who[order], time_ns[order], place[order], hit[order].astype(np.int64), int(time_ns.max()))


def test_who_is_affected_in_turn_is_not_off_all_the_time():
    """Each moment by itself looks like one at which a source is off: three quarters of those affected shortly before
    and after are fine. But a source that is off whenever somebody is affected does not go on and off."""
    who, time_ns, place, hit = in_turn()
    order = np.lexsort((time_ns, who))
    assert not while_off(who[order], time_ns[order], hit[order], PulseSettings()).any()
    looks = make_looks(who, time_ns, place, hit, 24)
    assert affected_speakers(looks) == 15
    bare = dataclasses.replace(PulseSettings(), left_min=0)
    assert while_off(who[order], time_ns[order], hit[order], bare).all()


def test_a_place_told_of_those_affected_in_turn_holds_the_source():
    """Others fly beyond its reach, never affected. All looks stay, so the fine ones in between count, too."""
    told = held = 0
    for seed in range(20):
        rng = np.random.default_rng([9, seed])
        source, bearing, away = rng.uniform(-2e4, 2e4, 2), rng.uniform(0, 2 * np.pi, 40), rng.uniform(1.2e5, 2.5e5, 40)
        far = source + (away * [np.sin(bearing), np.cos(bearing)]).T
        who, time_ns, place, hit = in_turn(seed=seed, source=source)
        others = np.repeat(np.concatenate([far, np.full((40, 1), 9_000.0)], 1), 30, axis=0)
        columns = (
            (who, np.repeat(np.arange(15, 55), 30)), (time_ns, np.tile(np.unique(time_ns), 40)), (place, others),
            (hit, np.zeros(1_200, bool)),
        )  # fmt: skip
        (found,) = first_answer(make_looks(*map(np.concatenate, columns), 24), SETTINGS)
        half = 0.5 * found.cell_m
        near = (np.abs(found.east_m - source[0]) <= half) & (np.abs(found.north_m - source[1]) <= half)
        told += found.unique
        held += found.unique and bool((near & found.region(0.9)).any())
    assert told >= 3
    assert held >= told - 1


def test_the_live_step_goes_on_where_everybody_is_affected_in_turn():
    trail, found = trail_of(*in_turn()), start()
    both = (TrailSettings(), SETTINGS)
    for k in range(40):
        found = next_sources(found, region(60e3), trail, trail.stepped_ns + k * SECOND, both)
    assert found.sources.region_id.tolist() == [1]  # a first answer is there
    hard = dataclasses.replace(SETTINGS, affected_min=16)
    assert looks_at(trail, (0.0, 0.0), 60e3, (TrailSettings(), hard)) is None


def test_looks_that_are_left_out_do_not_count_as_affected():
    """Eight go on and off together; five more are affected once each, at a moment at which the source is off."""
    n, looks = 13, 40
    hit = np.zeros((looks, n), bool)
    hit[::2, :8] = True
    hit[np.arange(11, 21, 2), np.arange(8, 13)] = True
    rng = np.random.default_rng(1)
    who, k = np.tile(np.arange(n), looks), np.repeat(np.arange(looks), n)
    place = np.concatenate([rng.normal(0.0, 3e4, (n, 2)), np.full((n, 1), 9e3)], 1)[who]
    columns = who, T0 + k * 30 * SECOND, place, hit.ravel()
    assert affected_speakers(make_looks(*columns, 24)) == 8
    for least, there in ((8, True), (9, False)):
        strict = dataclasses.replace(SETTINGS, affected_min=least)
        assert (looks_at(trail_of(*columns), (0.0, 0.0), 6e4, (TrailSettings(), strict)) is not None) == there


def survey_rows(who, time_ns, place, hit):
    return pl.DataFrame({
        "key": who, "time_ns": time_ns, "latitude_deg": 50.0 + place[:, 1] / 111_000.0,
        "longitude_deg": 20.0 + place[:, 0] / 71_000.0, "altitude_m": place[:, 2].astype(np.float32),
        "affected": hit.astype(np.int64),
    })  # fmt: skip


def test_a_survey_goes_on_where_everybody_is_affected_in_turn():
    assert len(_sources(survey_rows(*in_turn()), (50.0, 20.0))) >= 1
    who, time_ns, place, hit = in_turn(n=2)
    assert _sources(survey_rows(who, time_ns, place, hit), (50.0, 20.0)) == ()
    assert _sources(survey_rows(who, time_ns, place, hit & False), (50.0, 20.0)) == ()
    assert _sources(survey_rows(who[:0], time_ns[:0], place[:0], hit[:0]), (50.0, 20.0)) == ()


@st.composite
def few_looks(draw):
    """Any few looks: one row, one speaker, one place, one moment, all or hardly any affected, in turn or together."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    speakers, each = draw(st.integers(1, 16)), draw(st.integers(1, 12))
    who, k = np.tile(np.arange(speakers), each), np.repeat(np.arange(each), speakers)
    spread = draw(st.sampled_from([0.0, 1.0, 3e4, 4e5]))
    place = np.concatenate([rng.normal(0.0, 1.0, (speakers, 2)) * spread, rng.uniform(0, 1.2e4, (speakers, 1))], 1)[who]
    every, share = draw(st.integers(1, 7)), draw(st.sampled_from([0.05, 0.5, 1.0]))
    hit = (k + who * draw(st.booleans())) % every == 0
    keep = rng.random(len(who)) < draw(st.sampled_from([0.3, 1.0]))
    keep[rng.integers(len(who))] = True
    step_ns = draw(st.sampled_from([0, 5, 30, 300])) * SECOND
    return who[keep], (T0 + k * step_ns)[keep], place[keep], (hit & (rng.random(len(who)) < share))[keep]


@settings(deadline=None, max_examples=60)
@given(few_looks())
def test_few_looks_of_any_kind_raise_nothing(columns):
    who, _, _, hit = columns
    looks = make_looks(*columns, 8)
    assert affected_speakers(looks) >= min(3, len(np.unique(who[hit])))
    trail, found = trail_of(*columns), start()
    some = dataclasses.replace(QUICK, affected_min=1)
    for k in range(4):
        found = next_sources(found, region(1e5), trail, trail.stepped_ns + k * SECOND, (TrailSettings(), some))
    near = looks_at(trail, (0.0, 0.0), 1e5, (TrailSettings(), some))
    assert near is None or affected_speakers(near) >= 1
    if len(np.unique(who[hit])) < 3:
        assert _sources(survey_rows(*columns), (50.0, 20.0)) == ()
    if hit.any():
        for posterior in (*explain(looks, QUICK), *first_answer(looks, QUICK)):
            assert posterior.probability.sum() == pytest.approx(1.0)
            assert np.isfinite([*posterior.mean_m, posterior.sigma_m, posterior.power_dbm, posterior.fit_p]).all()
            assert outline(posterior, 0.9)
        search, told = begin(1, T0, prepared(looks, QUICK)), None
        while told is None:
            search, told = worked(search, T0, 10**6, QUICK)
        assert len(told) in (1, 2)
