"""A search for sources worked on piece by piece, as a frozen value: pieces of any size give the same answer, and a
checkpoint may fall between any two. Axes: c cells, p powers.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from lapwing.integrity.search import Asking, Prepared, explaining, guessing
from lapwing.integrity.source import Ask, Found, Grid, Posterior, SourceSettings, first_grid, likelihood, next_grid
from lapwing.kernel import source as kernel
from lapwing.records import Array
from lapwing.records.arrays import freeze_columns

NO_ROWS = np.zeros((0, 0))
CROWDED = 3  # a look with another source in the background costs this much more


@dataclass(frozen=True, slots=True)
class Search:
    """Sources of one region being worked out: what was found so far, and the question and rows of the grid in hand."""

    region_id: int
    begun_ns: int
    worked_ns: int
    looks: Prepared
    found: tuple[Found, ...]
    grid: Grid | None
    table: Float64[Array, "c p"]
    first: bool  # for a first answer only
    ask: Ask | None = None  # none: to be asked anew from what was found

    def __post_init__(self) -> None:
        freeze_columns(self)


def begin(region_id: int, now_ns: int, looks: Prepared, first: bool = False) -> Search:
    """A search of which nothing is done."""
    return Search(region_id, now_ns, now_ns, looks, (), None, NO_ROWS, first)


def worked(
    search: Search, now_ns: int, budget: int, settings: SourceSettings
) -> tuple[Search, tuple[Posterior, ...] | None]:
    """The search after about `budget` more looks from cells; and the sources, once all is done. What was found is gone
    through again only when a question is answered."""
    ask, found, grid, table = search.ask, search.found, search.grid, search.table
    asking: Asking | None = None
    try:
        if ask is None:
            asking, ask = _resumed(search, found, settings)
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
                if asking is None:
                    asking, _ = _resumed(search, found, settings)
                found = (*found, now)
                ask = asking.send(now)
    except StopIteration as done:
        return search, tuple(done.value)
    return replace(search, worked_ns=now_ns, found=found, grid=grid, table=table, ask=ask), None


def _resumed(search: Search, found: tuple[Found, ...], settings: SourceSettings) -> tuple[Asking, Ask]:
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
