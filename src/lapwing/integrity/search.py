"""Which sources explain what is seen: one all round, one with a sector antenna, or two. Axes: o looks.

Each hypothesis is located on a grid (source.py) and weighed by its evidence. A sector antenna is searched over bearings
and widths; two sources start from the two halves of the affected and are then located in turn, each given the other.
The questions are asked one by one (`explaining`), so that a live step can work on them piece by piece: what was worked
out is a frozen value, and pieces of any size give the same answer.
"""

from collections.abc import Generator
from dataclasses import replace
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float64
from scipy.spatial import cKDTree

from lapwing.integrity.source import (
    ALL_ROUND,
    Ask,
    Found,
    Posterior,
    SourceSettings,
    answer,
    received_dbm,
    summed,
)
from lapwing.kernel import source as kernel
from lapwing.kernel.source import Beam, Looks
from lapwing.records import Array

T = TypeVar("T")
Asking = Generator[Ask, Found, tuple[Posterior, ...]]
WIDTHS_RAD = (1.05, 1.57, 2.1, 2.6, 3.14)
OUTSIDE_DB = 20.0
Box = tuple[float, float, float, float]  # east, north of two corners, m
BEAMS_MAX = 6  # that are summed over
JUDGED = 3  # beams likely on few looks that are judged on all
HOPE_PAIR, HOPE_SECTOR = -3.0, -35.0  # log evidence on a wide grid over one source from which it is looked at further
HEIGHT_MIN = 0.02  # heights less likely than this on few looks are not weighed again
NEAR_M = 50_000.0
LOCAL_M = 40_000.0  # half the box in which a beam is adjusted


class Prepared(NamedTuple):
    """The looks of one location, thinned as its questions want them."""

    many: Looks  # what likely hypotheses are judged on
    of_pairs: Looks
    few: Looks
    fewest: Looks
    near: Looks  # near the affected, for beams


def prepared(looks: Looks, settings: SourceSettings) -> Prepared:
    """The looks, thinned once."""
    few, fewest = (thinned(looks, most) for most in settings.alternative_looks)
    many, pairs = thinned(looks, settings.looks_max), thinned(looks, settings.pair_looks_max)
    return Prepared(many, pairs, few, fewest, thinned(near_affected(looks), settings.beam_looks))


def explain(looks: Looks, settings: SourceSettings) -> tuple[Posterior, ...]:
    """The source or the sources of what is seen; what does not fit comes back with `unique` False."""
    return tuple(_driven(explaining(prepared(looks, settings), settings)))


def located(looks: Looks, settings: SourceSettings) -> Posterior:
    """One source all round, whatever else might explain the looks: its place, its height marginalised."""
    return _driven(_located(looks, settings))


def _driven(asking: Generator[Ask, Found, T]) -> T:
    """The end of the questions, each answered at once."""
    ask = next(asking)
    while True:
        try:
            ask = asking.send(answer(ask))
        except StopIteration as done:
            end: T = done.value
            return end


def _located(looks: Looks, settings: SourceSettings) -> Generator[Ask, Found, Posterior]:
    chances = yield from _heights(thinned(looks, settings.alternative_looks[0]), _rough(settings))
    return summed(*(yield from _plain(looks, at_height(settings, max(chances, key=lambda h: chances[h])), chances)))


def first_answer(looks: Looks, settings: SourceSettings) -> tuple[Posterior, ...]:
    """One source from few looks, on few cells, its place blurred: what can be told at once."""
    return tuple(_driven(guessing(prepared(looks, settings), settings)))


def guessing(looks: Prepared, settings: SourceSettings) -> Asking:
    """The same, asking for one location at a time."""
    few, rough = looks.fewest, _rough(settings)
    chances = yield from _heights(few, replace(rough, levels=1))
    blurred = replace(rough, step_db=settings.step_db, place_sharpness=settings.first_sharpness)
    ask, found = yield from _plain(few, at_height(blurred, max(chances, key=lambda h: chances[h])), chances)
    return (summed(ask, found),)


def explaining(looks: Prepared, settings: SourceSettings) -> Asking:
    """The same, asking for one location at a time. The alternatives are sought on few looks, the likely ones are judged
    on all: what tells a sector from a circle are the unaffected, and few looks leave most of them out."""
    few, fewest, many = looks.few, looks.fewest, looks.many
    chances = yield from _heights(few, _rough(settings))
    settings = at_height(settings, max(chances, key=lambda h: chances[h]))
    rough = _rough(settings)
    quick = yield Ask(fewest, rough)
    beam = yield from _beam(looks.near, rough)
    wide = replace(rough, levels=1)
    sector_hope = (yield Ask(few, wide, beam, _around_affected(few, 50_000.0))).evidence
    sector_hope -= (yield Ask(few, rough)).evidence
    second, pair_hope = yield from _second(fewest, rough)
    ask, plain = yield from _plain(many, settings, chances)
    bars = settings.evidence_min, settings.evidence_min + settings.sector_cost
    pair, sector = -np.inf, -np.inf
    likely: list[tuple[Beam, Box]] = []
    if pair_hope - quick.evidence > HOPE_PAIR:
        second, pair = yield from _pair(many, second, rough)
    if sector_hope > HOPE_SECTOR:
        likely, sector = yield from _sector(few, many, beam, rough)
    over, sector = pair - plain.evidence - bars[0], sector - plain.evidence - bars[1]
    if sector >= max(over, 0.0):
        return ((yield from _sectors(many, likely, settings)),)
    with_beam = yield from _pair_with_beam(looks, rough)
    if over >= 0.0:
        two = yield from _both(looks, second, settings, rough)
        sure = with_beam < pair - settings.beam_sure
        return two if sure else tuple(replace(each, unique=False) for each in two)
    # what is likelier than one all round, but not by enough, leaves doubt
    with_beam -= (yield Ask(many, rough)).evidence
    doubtful = sector > -bars[1] or over > -bars[0] or with_beam > settings.pair_doubt
    one = summed(ask, plain)
    return (replace(one, unique=False) if doubtful else one,)


def _rough(settings: SourceSettings) -> SourceSettings:
    """The same on a grid coarse enough for many questions."""
    return replace(settings, levels=2, side=13, step_db=6.0)


def at_height(settings: SourceSettings, height_m: float) -> SourceSettings:
    """The settings, with the source assumed at this height."""
    return replace(settings, physics=settings.physics._replace(source_height_m=height_m))


def _heights(looks: Looks, rough: SourceSettings) -> Generator[Ask, Found, dict[float, float]]:
    """Probability of each height of one source, none likelier beforehand: how far the affected are decides, since the
    radio horizon of a mast hides it from ships that a source on a mountain reaches."""
    found: dict[float, float] = {}
    for height_m in rough.heights_m:
        found[height_m] = (yield Ask(looks, at_height(rough, height_m))).evidence
    total = float(_log_sum(np.array(list(found.values()))))
    return {h: float(np.exp(e - total)) for h, e in found.items()}


def _plain(
    looks: Looks, settings: SourceSettings, chances: dict[float, float]
) -> Generator[Ask, Found, tuple[Ask, Found]]:
    """One source all round, its height marginalised: located at the likeliest (that of `settings`), then weighed on the
    same cells at all others that are not ruled out."""
    ask = Ask(looks, settings)
    first = yield ask
    half = 0.5 * first.grid.cell_m
    low, high = first.grid.cells.min(axis=0) - half, first.grid.cells.max(axis=0) + half
    box, each = (*low.tolist(), *high.tolist()), [first]
    for height_m, chance in chances.items():
        if chance >= HEIGHT_MIN and height_m != settings.physics.source_height_m:
            each.append((yield Ask(looks, replace(at_height(settings, height_m), levels=1), ALL_ROUND, box)))
    return ask, _mixed(each, settings.place_sharpness)


def _both(looks: Prepared, other: Found, settings: SourceSettings, rough: SourceSettings) -> Asking:
    """Two sources on more looks, each given the other. One that a sector antenna explains about as well is at no unique
    place: where both are free, the beam is not located."""
    many, few = looks.of_pairs, looks.fewest
    wide, bar = replace(rough, levels=1), -settings.beam_doubt
    out, used = [], rough
    for _ in range(2):
        given, box = _given(few, other, used), _around_affected(many, 50_000.0)
        least = (yield Ask(given, wide, ALL_ROUND, box)).evidence + bar
        beamed = False
        for step in range(8):
            beam = Beam(step * np.pi / 4.0, 2.1, OUTSIDE_DB)
            beamed = beamed or (yield Ask(given, wide, beam, box)).evidence >= least
        ask = Ask(_given(many, other, used), replace(settings, levels=2))
        other, used = (yield ask), ask.settings
        found = summed(ask, other)
        out.append(replace(found, unique=False) if beamed else found)
    return tuple(out)


def thinned(looks: Looks, most: int) -> Looks:
    """At most about `most` of the looks; those at which something changed are kept."""
    every = max(1, -(-len(looks.speaker) // most))
    change = (looks.before == kernel.WAS_FINE) & (looks.affected == 1)
    change |= (looks.before == kernel.WAS_AFFECTED) & (looks.affected == 0)
    keep = (np.arange(len(looks.speaker)) % every == 0) | change | (looks.before == kernel.FIRST)
    return Looks._make(column[keep] for column in looks)


def near_affected(looks: Looks) -> Looks:
    """The looks near where somebody was affected: what tells where a beam ends is who is fine beside it."""
    places = np.stack([looks.east_m, looks.north_m], axis=1)
    away, _ = cKDTree(places[looks.affected == 1]).query(places, distance_upper_bound=NEAR_M)
    return kept(looks, np.isfinite(away))


def _beam(looks: Looks, rough: SourceSettings) -> Generator[Ask, Found, Beam]:
    """The likeliest beam on a wide grid: bearings all around, then beams like the best."""
    wide, box = replace(rough, levels=1), _around_affected(looks, 50_000.0)
    done: dict[Beam, float] = {}
    for step in range(8):
        beam = Beam(step * np.pi / 4.0, 2.1, OUTSIDE_DB)
        done[beam] = (yield Ask(looks, wide, beam, box)).evidence
    for turn in range(4):
        for like in _likeliest(done, 2 if turn < 2 else 1):
            for beam in _turned(like, np.pi / 8.0) if turn % 2 == 0 else _widened(like):
                if beam not in done:
                    done[beam] = (yield Ask(looks, wide, beam, box)).evidence
    return _likeliest(done, 1)[0]


def _sector(
    few: Looks, many: Looks, beam: Beam, rough: SourceSettings
) -> Generator[Ask, Found, tuple[list[tuple[Beam, Box]], float]]:
    """The beams near the best that are likely on few looks, then on many, each with the box around its place; and the
    evidence of a sector."""
    found = yield Ask(few, rough, beam)
    near = replace(rough, levels=1, side=9)
    box = _around(found.top(rough)[0])
    done: dict[Beam, float] = {}
    for turn in range(4):
        beam = _likeliest(done, 1)[0] if done else beam
        for like in (beam, *(_turned(beam, np.pi / (12.0 * (1 + turn // 2))) if turn % 2 == 0 else _widened(beam))):
            if like not in done:
                done[like] = (yield Ask(few, near, like, box)).evidence
    judged: list[tuple[float, Beam, Box]] = []
    for like in _likeliest(done, JUDGED):
        found = yield Ask(many, near, like, box)
        judged.append((found.evidence, like, _around(found.top(rough)[0])))
    for turn_rad in (np.pi / 9.0, np.pi / 18.0):
        _, top, box = max(judged, key=lambda j: j[0])
        for like in (*_turned(top, turn_rad), *_widened(top)):
            if like not in [j[1] for j in judged]:
                found = yield Ask(many, near, like, box)
                judged.append((found.evidence, like, _around(found.top(rough)[0])))
    best = max(evidence for evidence, _, _ in judged)
    judged = sorted((j for j in judged if j[0] > best - 6.0), key=lambda j: -j[0])
    return [(like, where) for _, like, where in judged[:BEAMS_MAX]], best


def _sectors(many: Looks, likely: list[tuple[Beam, Box]], settings: SourceSettings) -> Generator[Ask, Found, Posterior]:
    """One source with a sector antenna: its place, summed over the likely beams."""
    fine = replace(settings, levels=1)
    box, each = likely[0][1], []
    for like, _ in likely:
        each.append((yield Ask(many, fine, like, box)))
    return summed(Ask(many, fine, likely[0][0], box), _mixed(each, settings.sector_temper))


def _pair(many: Looks, second: Found, rough: SourceSettings) -> Generator[Ask, Found, tuple[Found, float]]:
    """The second of two sources on many looks, each located given the other, and the evidence of both."""
    first = yield Ask(_given(many, second, rough), rough)
    second = yield Ask(_given(many, first, rough), rough)
    # a first source held where it is likeliest has not paid for its freedom
    return second, second.evidence + first.evidence - first.best


def _pair_with_beam(looks: Prepared, rough: SourceSettings) -> Generator[Ask, Found, float]:
    """The evidence of two sources of which one has a beam. It only raises doubt: such places are not told."""
    wide, box = replace(rough, levels=1), _around_affected(looks.few, 50_000.0)
    starts: list[tuple[float, Beam, Found]] = []
    for half in _halves(looks.fewest, (1.0, -1.0)):
        given = _given(looks.fewest, (yield Ask(half, wide, ALL_ROUND, box)), wide)
        for step in range(6):
            beam = Beam(step * np.pi / 3.0, 2.1, OUTSIDE_DB)
            found = yield Ask(given, wide, beam, box)
            starts.append((found.evidence, beam, found))
    _, beam, second = max(starts, key=lambda start: start[0])
    for turn_rad in (np.pi / 6.0, np.pi / 12.0):
        first = yield Ask(_given(looks.few, second, wide, beam), wide, ALL_ROUND, box)
        given, done = _given(looks.few, first, wide), {}
        for like in (beam, *_turned(beam, turn_rad), *(_widened(beam) if turn_rad < 0.5 else ())):
            done[like] = yield Ask(given, wide, like, box)
        beam = max(done, key=lambda like: (done[like].evidence, like))
        second = done[beam]
    first = yield Ask(_given(looks.many, second, wide, beam), rough)
    second = yield Ask(_given(looks.many, first, rough), rough, beam)
    return second.evidence + first.evidence - first.best


def _around(place_m: Float64[Array, "2"]) -> Box:
    """The box in which a beam is adjusted."""
    (e0, n0), (e1, n1) = place_m - LOCAL_M, place_m + LOCAL_M
    return float(e0), float(n0), float(e1), float(n1)


def _mixed(each: list[Found], temper: float) -> Found:
    """One of several beams or heights, none likelier beforehand than another; the place less sure than it looks."""
    table = _log_sum(np.array([found.table for found in each])) - np.log(len(each))
    evidence = float(_log_sum(np.array([found.evidence for found in each])) - np.log(len(each)))
    best = float(table.max())
    return Found(each[0].grid, best + temper * (table - best), evidence, best)


def _log_sum(each: Float64[Array, "k ..."]) -> Float64[Array, "..."]:
    """log of the sum of the exponentials along the first axis."""
    best = each.max(axis=0)
    return np.asarray(best + np.log(np.exp(each - best).sum(axis=0)))


def _likeliest(done: dict[Beam, float], number: int) -> list[Beam]:
    return sorted(done, key=lambda beam: (-done[beam], beam))[:number]


def _turned(beam: Beam, by_rad: float) -> list[Beam]:
    """The same beam turned to both sides."""
    return [beam._replace(bearing_rad=round((beam.bearing_rad + s * by_rad) % (2.0 * np.pi), 6)) for s in (-1, 1)]


def _widened(beam: Beam) -> list[Beam]:
    """The same beam at all widths."""
    return [beam._replace(width_rad=width) for width in WIDTHS_RAD]


def _around_affected(looks: Looks, margin_m: float) -> tuple[float, float, float, float]:
    hit = looks.affected == 1
    east, north = looks.east_m[hit], looks.north_m[hit]
    low, high = (east.min() - margin_m, north.min() - margin_m), (east.max() + margin_m, north.max() + margin_m)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _second(looks: Looks, rough: SourceSettings) -> Generator[Ask, Found, tuple[Found, float]]:
    """The second of two sources on a wide grid, and the evidence of both: the affected are halved along and across, the
    source of one half is located without the other half, then each given the other. The better start counts."""
    wide, box = replace(rough, levels=1), _around_affected(looks, 50_000.0)
    starts: list[tuple[float, Found]] = []
    for half in _halves(looks):
        first = yield Ask(half, wide, ALL_ROUND, box)
        second = yield Ask(_given(looks, first, wide), wide, ALL_ROUND, box)
        first = yield Ask(_given(looks, second, wide), wide, ALL_ROUND, box)
        second = yield Ask(_given(looks, first, wide), wide, ALL_ROUND, box)
        starts.append((second.evidence + first.evidence - first.best, second))
    evidence, second = max(starts, key=lambda start: start[0])
    return second, evidence


def _halves(looks: Looks, sides: tuple[float, ...] = (1.0,)) -> list[Looks]:
    """The looks without one half of the affected (or the other), halved across their longest and shortest extent."""
    hit = np.flatnonzero(looks.affected == 1)
    place = np.stack([looks.east_m, looks.north_m], axis=1)[hit]
    centred = place - place.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    out = []
    for axis, side in product(axes.T[::-1], sides):
        keep = np.ones(len(looks.speaker), bool)
        keep[hit[side * (centred @ axis) > 0.0]] = False
        keep[hit[0]] |= not (looks.affected[keep] == 1).any()  # all at one place
        out.append(kept(looks, keep))
    return out


def kept(looks: Looks, keep: Array) -> Looks:
    """The chosen looks."""
    some = Looks._make(column[keep] for column in looks)
    _, speaker = np.unique(some.speaker, return_inverse=True)
    return some._replace(speaker=speaker.astype(np.int64))


def _given(looks: Looks, other: Found, settings: SourceSettings, beam: Beam = ALL_ROUND) -> Looks:
    place, power_dbm = other.top(settings)
    return looks._replace(background_dbm=received_dbm(looks, place, power_dbm, settings, beam))
