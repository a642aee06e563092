"""Which sources explain what is seen: one all round, one with a sector antenna, or two. Axes: o looks.

One source all round is located on a grid (source.py). Whether anything explains the looks better is sought by climbs
(climbs.py): two sources of which one has a beam can be all of the above. Where nothing is much likelier than one, it is
told; where it is, the plainest that is about as likely is told; where only two of which one has a beam are, nothing is.
The questions are asked one by one (`explaining`), so that a live step can work on them piece by piece: what was worked
out is a frozen value, and pieces of any size give the same answer.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Float64

from lapwing.integrity.climbs import (
    Climb,
    Climbed,
    alone,
    answered,
    around,
    both_round,
    climbing,
    with_beam,
    without_first,
)
from lapwing.integrity.source import (
    ALL_ROUND,
    Ask,
    Found,
    Posterior,
    SourceSettings,
    affected_speakers,
    answer,
    received_dbm,
    summed,
)
from lapwing.kernel import source as kernel
from lapwing.kernel.source import Beam, Looks
from lapwing.records import Array

T = TypeVar("T")
Question: TypeAlias = Ask | Climb
Answer: TypeAlias = Found | Climbed
Asked: TypeAlias = Generator[Question, Answer, T]
Asking: TypeAlias = Asked[tuple[Posterior, ...]]
WIDTHS_RAD = (1.05, 1.57, 2.1, 2.6, 3.14)
Box = tuple[float, float, float, float]  # east, north of two corners, m
BEAMS_MAX = 6  # that are summed over
HEIGHT_MIN = 0.02  # heights less likely than this on few looks are not weighed again
LOCAL_M = 40_000.0  # half the box in which a beam is adjusted
ALONE_STEPS = 200  # of the climb of one source


class Prepared(NamedTuple):
    """The looks of one location, thinned as its questions want them."""

    many: Looks  # what likely hypotheses are judged on
    of_pairs: Looks
    few: Looks
    fewest: Looks


def prepared(looks: Looks, settings: SourceSettings) -> Prepared:
    """The looks, thinned once."""
    few, fewest = (thinned(looks, most) for most in settings.alternative_looks)
    many, pairs = thinned(looks, settings.looks_max), thinned(looks, settings.pair_looks_max)
    return Prepared(many, pairs, few, fewest)


def explain(looks: Looks, settings: SourceSettings) -> tuple[Posterior, ...]:
    """The source or the sources of what is seen; what does not fit comes back with `unique` False."""
    return tuple(_driven(explaining(prepared(looks, settings), settings)))


def located(looks: Looks, settings: SourceSettings) -> Posterior:
    """One source all round, whatever else might explain the looks: its place, its height marginalised."""
    return _driven(_located(looks, settings))


def _driven(asking: Generator[Question, Answer, T]) -> T:
    """The end of the questions, each answered at once."""
    ask = next(asking)
    while True:
        try:
            ask = asking.send(answered(ask) if isinstance(ask, Climb) else answer(ask))
        except StopIteration as done:
            end: T = done.value
            return end


def _located(looks: Looks, settings: SourceSettings) -> Asked[Posterior]:
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
    """The same, asking for one location or climb at a time."""
    chances = yield from _heights(looks.few, _rough(settings))
    high = at_height(settings, settings.climb_height_m)
    settings = at_height(settings, max(chances, key=lambda h: chances[h]))
    ask, plain = yield from _plain(looks.many, settings, chances)
    start, ones = alone(*plain.top(settings)), []
    for each in (settings, high):
        ones.append((yield from _climb(Climb(looks.many, each, start, ALONE_STEPS, 0))))
    one = max(ones, key=lambda climbed: climbed.value)
    pair = yield from climbing(looks.few, looks.many, high, around(looks.few) + with_beam(looks.few))
    if pair.value - one.value < settings.more_min:
        return (summed(ask, plain),)
    beamed = [without_first(pair), *with_beam(looks.few)]
    sector = yield from climbing(looks.few, looks.many, high, beamed)
    two = yield from climbing(looks.few, looks.many, high, both_round(looks.few, one, pair))
    top, least = max(pair.value, sector.value, two.value), one.value + settings.told_min
    bars = [max(top - worse, least) for worse in settings.plainer_max]
    if sector.value >= max(bars[0], two.value):
        likely = yield from _beams(looks.many, sector, _rough(settings))
        return ((yield from _sectors(looks.many, likely, settings)),)
    if two.value >= bars[1]:
        return (yield from _both(looks.of_pairs, two, high))
    return (replace(summed(ask, plain), unique=False),)


def _find(ask: Ask) -> Asked[Found]:
    """What one location finds."""
    found = yield ask
    assert isinstance(found, Found)
    return found


def _climb(climb: Climb) -> Asked[Climbed]:
    """Where one climb ends."""
    end = yield climb
    assert isinstance(end, Climbed)
    return end


def _rough(settings: SourceSettings) -> SourceSettings:
    """The same on a grid coarse enough for many questions."""
    return replace(settings, levels=2, side=13, step_db=6.0)


def at_height(settings: SourceSettings, height_m: float) -> SourceSettings:
    """The settings, with the source assumed at this height."""
    return replace(settings, physics=settings.physics._replace(source_height_m=height_m))


def _heights(looks: Looks, rough: SourceSettings) -> Asked[dict[float, float]]:
    """Probability of each height of one source, none likelier beforehand: how far the affected are decides, since the
    radio horizon of a mast hides it from ships that a source on a mountain reaches."""
    found: dict[float, float] = {}
    for height_m in rough.heights_m:
        found[height_m] = (yield from _find(Ask(looks, at_height(rough, height_m)))).evidence
    total = float(_log_sum(np.array(list(found.values()))))
    return {h: float(np.exp(e - total)) for h, e in found.items()}


def _plain(looks: Looks, settings: SourceSettings, chances: dict[float, float]) -> Asked[tuple[Ask, Found]]:
    """One source all round, its height marginalised: located at the likeliest (that of `settings`), then weighed on the
    same cells at all others that are not ruled out."""
    ask = Ask(looks, settings)
    first = yield from _find(ask)
    half = 0.5 * first.grid.cell_m
    low, high = first.grid.cells.min(axis=0) - half, first.grid.cells.max(axis=0) + half
    box, each = (*low.tolist(), *high.tolist()), [first]
    for height_m, chance in chances.items():
        if chance >= HEIGHT_MIN and height_m != settings.physics.source_height_m:
            again = Ask(looks, replace(at_height(settings, height_m), levels=1), ALL_ROUND, box)
            each.append((yield from _find(again)))
    return ask, _mixed(each, settings.place_sharpness * _trust(looks, settings))


def _trust(looks: Looks, settings: SourceSettings) -> float:
    """How much of the sharpness of a place is left: less with many affected, and where the source goes on and off."""
    number = affected_speakers(looks)
    later = np.diff(looks.speaker, prepend=-1) == 0
    pulsed = bool((looks.before[later] == kernel.FIRST).any())  # make_looks does not say what such speakers were before
    crowd = float(min(1.0, settings.surest / max(number, 1)) ** 1.2)
    return crowd * settings.pulsed_sharpness if pulsed else crowd


def _both(many: Looks, two: Climbed, settings: SourceSettings) -> Asking:
    """Two sources, each located given the other: both are told, or none."""
    fine, (place_m, power_dbm), out = replace(settings, levels=2), two.second, []
    for _ in range(2):
        given = many._replace(background_dbm=received_dbm(many, place_m, power_dbm, fine, ALL_ROUND))
        ask = Ask(given, fine)
        found = yield from _find(ask)
        out.append(summed(ask, _mixed([found], settings.pair_sharpness)))
        place_m, power_dbm = found.top(fine)
    return tuple(replace(each, unique=all(one.unique for one in out)) for each in out)


def thinned(looks: Looks, most: int) -> Looks:
    """At most about `most` of the looks; those at which something changed are kept."""
    every = max(1, -(-len(looks.speaker) // most))
    change = (looks.before == kernel.WAS_FINE) & (looks.affected == 1)
    change |= (looks.before == kernel.WAS_AFFECTED) & (looks.affected == 0)
    keep = (np.arange(len(looks.speaker)) % every == 0) | change | (np.diff(looks.speaker, prepend=-1) != 0)
    return Looks._make(column[keep] for column in looks)


def _beams(many: Looks, sector: Climbed, rough: SourceSettings) -> Asked[list[tuple[Beam, Box]]]:
    """The beams near the climbed one that are likely on many looks, each with the box around its place."""
    near, place_m = replace(rough, levels=1, side=9), sector.second[0]
    judged: list[tuple[float, Beam, Box]] = []
    top, box = sector.beam, _around(place_m)
    for turn_rad in (np.pi / 9.0, np.pi / 18.0):
        for like in (top, *_turned(top, turn_rad), *_widened(top)):
            if like not in [j[1] for j in judged]:
                found = yield from _find(Ask(many, near, like, box))
                judged.append((found.evidence, like, _around(found.top(rough)[0])))
        _, top, box = max(judged, key=lambda j: j[0])
    best = max(evidence for evidence, _, _ in judged)
    judged = sorted((j for j in judged if j[0] > best - 6.0), key=lambda j: -j[0])
    return [(like, where) for _, like, where in judged[:BEAMS_MAX]]


def _sectors(many: Looks, likely: list[tuple[Beam, Box]], settings: SourceSettings) -> Asked[Posterior]:
    """One source with a sector antenna: its place, summed over the likely beams."""
    fine = replace(settings, levels=1)
    box, each = likely[0][1], []
    for like, _ in likely:
        each.append((yield from _find(Ask(many, fine, like, box))))
    return summed(Ask(many, fine, likely[0][0], box), _mixed(each, settings.sector_temper))


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


def _turned(beam: Beam, by_rad: float) -> list[Beam]:
    """The same beam turned to both sides."""
    return [beam._replace(bearing_rad=round((beam.bearing_rad + s * by_rad) % (2.0 * np.pi), 6)) for s in (-1, 1)]


def _widened(beam: Beam) -> list[Beam]:
    """The same beam at all widths."""
    return [beam._replace(width_rad=width) for width in WIDTHS_RAD]
