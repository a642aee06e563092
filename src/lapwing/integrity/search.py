"""Which sources explain what is seen: one all round, one with a sector antenna, or two. Axes: o looks.

Each hypothesis is located on a grid (source.py) and weighed by its evidence. A sector antenna is searched over bearings
and widths; two sources start from the two halves of the affected and are then located in turn, each given the other.
The questions are asked one by one (`explaining`), so that a live step can work on them piece by piece: what was worked
out is a frozen value, and pieces of any size give the same answer.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Float64
from scipy.special import logsumexp

from lapwing.integrity.source import (
    ALL_ROUND,
    Ask,
    Found,
    Grid,
    Posterior,
    SourceSettings,
    answer,
    first_grid,
    likelihood,
    next_grid,
    received_dbm,
    summed,
)
from lapwing.kernel import source as kernel
from lapwing.kernel.source import Beam, Looks
from lapwing.records import Array
from lapwing.records.arrays import freeze_columns

T = TypeVar("T")
Asking = Generator[Ask, Found, tuple[Posterior, ...]]
WIDTHS_RAD = (1.05, 1.57, 2.1, 2.6, 3.14)
OUTSIDE_DB = 20.0
BEAMS_MAX = 6  # that are summed over
HOPE_PAIR, HOPE_SECTOR = -3.0, -12.0  # log evidence on a wide grid over one source from which it is looked at further
HEIGHT_MIN = 0.02  # heights less likely than this on few looks are not weighed again
LOCAL_M = 40_000.0  # half the box in which a beam is adjusted


def explain(looks: Looks, settings: SourceSettings) -> tuple[Posterior, ...]:
    """The source or the sources of what is seen; what does not fit comes back with `unique` False."""
    return tuple(_driven(explaining(looks, settings)))


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
    return (yield from _plain(looks, at_height(settings, max(chances, key=lambda h: chances[h])), chances))


def explaining(looks: Looks, settings: SourceSettings) -> Asking:
    """The same, asking for one location at a time. The alternatives are weighed on few looks, and further only where
    they may win; what is chosen is then located on more."""
    few, fewest = (thinned(looks, most) for most in settings.alternative_looks)
    chances = yield from _heights(few, _rough(settings))
    settings = at_height(settings, max(chances, key=lambda h: chances[h]))
    rough = _rough(settings)
    plain, quick = (yield Ask(few, rough)), (yield Ask(fewest, rough))
    beam, sector_hope = yield from _beam(fewest, rough)
    second, pair_hope = yield from _second(fewest, rough)
    if pair_hope - quick.evidence > HOPE_PAIR:
        first = yield Ask(_given(few, second, rough), rough)
        second = yield Ask(_given(few, first, rough), rough)
        # a first source held where it is likeliest has not paid for its freedom
        if second.evidence + first.evidence - first.best - plain.evidence >= settings.evidence_min:
            return (yield from _both(looks, second, settings, rough))
    if sector_hope - quick.evidence > HOPE_SECTOR:
        ask, each = yield from _sector(few, beam, rough)
        sector = _mixed(each, settings.sector_temper)
        if sector.evidence - settings.sector_cost - plain.evidence >= settings.evidence_min:
            return (summed(ask, sector),)
    return ((yield from _plain(thinned(looks, settings.looks_max), settings, chances)),)


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
    total = float(logsumexp(list(found.values())))
    return {h: float(np.exp(e - total)) for h, e in found.items()}


def _plain(looks: Looks, settings: SourceSettings, chances: dict[float, float]) -> Generator[Ask, Found, Posterior]:
    """One source all round, its height marginalised: located at the likeliest (that of `settings`), then weighed on the
    same cells at all others that are not ruled out."""
    ask = Ask(looks, settings)
    first = yield ask
    half = 0.5 * first.grid.cell_m
    low, high = first.grid.cells.min(axis=0) - half, first.grid.cells.max(axis=0) + half
    box, each = (*low, *high), [first]
    for height_m, chance in chances.items():
        if chance >= HEIGHT_MIN and height_m != settings.physics.source_height_m:
            each.append((yield Ask(looks, replace(at_height(settings, height_m), levels=1), ALL_ROUND, box)))
    return summed(ask, _mixed(each, 1.0))


def _both(looks: Looks, other: Found, settings: SourceSettings, rough: SourceSettings) -> Asking:
    """Two sources on more looks, each given the other."""
    many = thinned(looks, settings.pair_looks_max)
    out, used = [], rough
    for _ in range(2):
        ask = Ask(_given(many, other, used), replace(settings, levels=2))
        other, used = (yield ask), ask.settings
        out.append(summed(ask, other))
    return tuple(out)


def thinned(looks: Looks, most: int) -> Looks:
    """At most about `most` of the looks; those at which something changed are kept."""
    every = max(1, -(-len(looks.speaker) // most))
    change = (looks.before == kernel.WAS_FINE) & (looks.affected == 1)
    change |= (looks.before == kernel.WAS_AFFECTED) & (looks.affected == 0)
    keep = (np.arange(len(looks.speaker)) % every == 0) | change | (looks.before == kernel.FIRST)
    return Looks._make(column[keep] for column in looks)


def _beam(looks: Looks, rough: SourceSettings) -> Generator[Ask, Found, tuple[Beam, float]]:
    """The likeliest beam on a wide grid, and its evidence: bearings all around, then beams like the best."""
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
    best = _likeliest(done, 1)[0]
    return best, done[best]


def _sector(looks: Looks, beam: Beam, rough: SourceSettings) -> Generator[Ask, Found, tuple[Ask, list[Found]]]:
    """What is found with each of the likely beams near the best, and the question with the likeliest."""
    found = yield Ask(looks, rough, beam)
    near, fine = replace(rough, levels=1, side=9), replace(rough, levels=1, side=17)
    place, _ = found.top(rough)
    box = (*(place - LOCAL_M), *(place + LOCAL_M))
    done: dict[Beam, float] = {}
    for turn in range(4):
        beam = _likeliest(done, 1)[0] if done else beam
        for like in (beam, *(_turned(beam, np.pi / (12.0 * (1 + turn // 2))) if turn % 2 == 0 else _widened(beam))):
            if like not in done:
                done[like] = (yield Ask(looks, near, like, box)).evidence
    likely = [b for b in _likeliest(done, BEAMS_MAX) if done[b] > max(done.values()) - 6.0]
    each = []
    for like in likely:
        each.append((yield Ask(looks, fine, like, box)))
    return Ask(looks, fine, likely[0], box), each


def _mixed(each: list[Found], temper: float) -> Found:
    """One of several beams or heights, none likelier beforehand than another; the place less sure than it looks."""
    table = logsumexp([found.table for found in each], axis=0) - np.log(len(each))
    evidence = float(logsumexp([found.evidence for found in each]) - np.log(len(each)))
    best = float(table.max())
    return Found(each[0].grid, best + temper * (table - best), evidence, best)


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


def _halves(looks: Looks) -> list[Looks]:
    """The looks without one half of the affected, halved across their longest and their shortest extent."""
    hit = np.flatnonzero(looks.affected == 1)
    place = np.stack([looks.east_m, looks.north_m], axis=1)[hit]
    centred = place - place.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    out = []
    for axis in axes.T[::-1]:
        keep = np.ones(len(looks.speaker), bool)
        keep[hit[centred @ axis > 0.0]] = False
        keep[hit[0]] |= not (looks.affected[keep] == 1).any()  # all at one place
        out.append(kept(looks, keep))
    return out


def kept(looks: Looks, keep: Array) -> Looks:
    """The chosen looks."""
    some = Looks._make(column[keep] for column in looks)
    _, speaker = np.unique(some.speaker, return_inverse=True)
    return some._replace(speaker=speaker.astype(np.int64))


def _given(looks: Looks, other: Found, settings: SourceSettings) -> Looks:
    place, power_dbm = other.top(settings)
    return looks._replace(background_dbm=received_dbm(looks, place, power_dbm, settings, ALL_ROUND))


@dataclass(frozen=True, slots=True)
class Search:
    """Sources of one region being worked out: what was found so far, and the rows of the grid in hand."""

    region_id: int
    begun_ns: int
    worked_ns: int
    looks: Looks
    found: tuple[Found, ...]
    grid: Grid | None
    table: Float64[Array, "c p"]

    def __post_init__(self) -> None:
        freeze_columns(self)


NO_ROWS = np.zeros((0, 0))
CROWDED, BEAMED = 3, 2  # a look with another source in the background, or in a beam, costs this much more


def begin(region_id: int, now_ns: int, looks: Looks) -> Search:
    """A search of which nothing is done."""
    return Search(region_id, now_ns, now_ns, looks, (), None, NO_ROWS)


def worked(
    search: Search, now_ns: int, budget: int, settings: SourceSettings
) -> tuple[Search, tuple[Posterior, ...] | None]:
    """The search after about `budget` more looks from cells; and the sources, once all is done."""
    asking = explaining(search.looks, settings)
    ask = next(asking)
    try:
        for found in search.found:
            ask = asking.send(found)
        found_so_far, grid, table = search.found, search.grid, search.table
        while budget > 0:
            grid = first_grid(ask) if grid is None else grid
            rows, budget = _rows_for(ask, grid, len(table), budget)
            more = likelihood(ask.looks, grid.cells[len(table) : len(table) + rows], ask.settings, ask.beam)
            table = np.concatenate([table, more]) if len(table) else more
            if len(table) < len(grid.cells):
                break
            now = next_grid(ask, grid, table)
            grid, table = (now, NO_ROWS) if isinstance(now, Grid) else (None, NO_ROWS)
            if isinstance(now, Found):
                found_so_far = (*found_so_far, now)
                ask = asking.send(now)
    except StopIteration as done:
        return search, tuple(done.value)
    return replace(search, worked_ns=now_ns, found=found_so_far, grid=grid, table=table), None


def _rows_for(ask: Ask, grid: Grid, done: int, budget: int) -> tuple[int, int]:
    """How many cells more the budget allows (one at least), and what is left of it."""
    crowded = bool((ask.looks.background_dbm > kernel.NO_BACKGROUND).any())
    each = len(ask.looks.speaker) * (CROWDED if crowded else BEAMED if ask.beam.width_rad else 1)
    rows = min(max(budget // each, 1), len(grid.cells) - done)
    return rows, budget - rows * each
