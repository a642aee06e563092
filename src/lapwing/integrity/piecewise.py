"""A search for sources worked on piece by piece, as a frozen value: pieces of any size give the same answer, and a
checkpoint may fall between any two. Axes: c cells, p powers.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64

from lapwing.integrity.climbs import Climb, Climbed, after, started
from lapwing.integrity.search import Answer, Asking, Prepared, Question, explaining, guessing
from lapwing.integrity.source import Ask, Found, Grid, Posterior, SourceSettings, first_grid, likelihood, next_grid
from lapwing.kernel import source as kernel
from lapwing.kernel.climb import Climber
from lapwing.records import Array
from lapwing.records.arrays import freeze_columns

NO_ROWS = np.zeros((0, 0))
CROWDED = 3  # a look with another source in the background costs this much more


@dataclass(frozen=True, slots=True)
class Hand:
    """How far the question in hand is answered: rows of a grid, or steps of a climb."""

    grid: Grid | None = None
    table: Float64[Array, "c p"] = field(default_factory=lambda: NO_ROWS)
    climber: Climber | None = None
    steps: int = 0

    def __post_init__(self) -> None:
        freeze_columns(self)


@dataclass(frozen=True, slots=True)
class Search:
    """Sources of one region being worked out: what was found so far, and the question in hand."""

    region_id: int
    begun_ns: int
    worked_ns: int
    looks: Prepared
    found: tuple[Answer, ...]
    hand: Hand
    first: bool  # for a first answer only
    ask: Question | None = None  # none: to be asked anew from what was found


def begin(region_id: int, now_ns: int, looks: Prepared, first: bool = False) -> Search:
    """A search of which nothing is done."""
    return Search(region_id, now_ns, now_ns, looks, (), Hand(), first)


def worked(
    search: Search, now_ns: int, budget: int, settings: SourceSettings
) -> tuple[Search, tuple[Posterior, ...] | None]:
    """The search after about `budget` more looks from cells; and the sources, once all is done. What was found is gone
    through again only when a question is answered."""
    ask, found, hand = search.ask, search.found, search.hand
    asking: Asking | None = None
    try:
        if ask is None:
            asking, ask = _resumed(search, found, settings)
        while budget > 0:
            now, budget = _climbed(ask, hand, budget) if isinstance(ask, Climb) else _rows(ask, hand, budget)
            hand = now if isinstance(now, Hand) else Hand()
            if not isinstance(now, Hand):
                if asking is None:
                    asking, _ = _resumed(search, found, settings)
                found = (*found, now)
                ask = asking.send(now)
    except StopIteration as done:
        return search, tuple(done.value)
    return replace(search, worked_ns=now_ns, found=found, hand=hand, ask=ask), None


def _rows(ask: Ask, hand: Hand, budget: int) -> tuple[Hand | Found, int]:
    """One grid worked on within the budget, and what is left of that."""
    grid, table = first_grid(ask) if hand.grid is None else hand.grid, hand.table
    rows, left = _rows_for(ask, grid, len(table), budget)
    more = likelihood(ask.looks, grid.cells[len(table) : len(table) + rows], ask.settings, ask.beam)
    table = np.concatenate([table, more]) if len(table) else more
    if len(table) < len(grid.cells):
        return Hand(grid, table), min(left, 0)
    now = next_grid(ask, grid, table)
    return (Hand(now) if isinstance(now, Grid) else now), left


def _climbed(climb: Climb, hand: Hand, budget: int) -> tuple[Hand | Climbed, int]:
    """One climb worked on within the budget (one step at least), and what is left of that."""
    each = max(len(climb.looks.speaker), 1)
    upto = min(hand.steps + max(budget // each, 1), climb.steps)
    climber = after(climb, started(climb) if hand.climber is None else hand.climber, (hand.steps, upto))
    left = budget - each * (upto - hand.steps)
    if upto < climb.steps:
        return Hand(climber=climber, steps=upto), min(left, 0)
    return Climbed(climber.best, climber.value), left


def _resumed(search: Search, found: tuple[Answer, ...], settings: SourceSettings) -> tuple[Asking, Question]:
    """The questions after those that were answered, and the first of them."""
    asking = (guessing if search.first else explaining)(search.looks, settings)
    ask = next(asking)
    for answer in found:
        ask = asking.send(answer)
    return asking, ask


def _rows_for(ask: Ask, grid: Grid, done: int, budget: int) -> tuple[int, int]:
    """How many cells more the budget allows (one at least), and what is left of it."""
    crowded = bool((ask.looks.background_dbm > kernel.NO_BACKGROUND).any())
    each = len(ask.looks.speaker) * (CROWDED if crowded else 1)
    rows = min(max(budget // each, 1), len(grid.cells) - done)
    return rows, budget - rows * each
