"""Map products: H3 cells of places, and the affected share per cell as a posterior. Axes: k rows, g cells.

H3 is indexed by its library. Because that is the dearest step of a survey, rows are first put into small boxes of
latitude and longitude: cells are convex, so a box whose four corners lie in one cell lies in it (its parallels bulge by
less than EDGE_DEG, and rows that near to an edge are asked for one by one). A test compares with the library alone.
"""

import numpy as np
import polars as pl
import polars_h3
from jaxtyping import Bool, Float64, Int64
from scipy.special import betainc, betaln, expit

from lapwing.records import Array

RESOLUTION = 4  # as gpsjam.org: about 1,770 km2
BOXES_DEG = (0.02, 0.05, 0.1, 1.0)  # the smallest whose table is not too large is used
TABLE_MAX = 30_000_000
EDGE_DEG = 1e-5
ALONE_MAX = 2_000  # places that are not worth a second core
LATITUDE_DEG_MAX = 80.0  # boxes nearer to a pole are not used
PRIOR = (0.05, 99.95)  # beta of the affected share where nothing is wrong: the fleet's 5e-4, worth a hundred aircraft
TROUBLE = 0.01  # share of cells and bins in which something may be wrong: then any share is as likely as another
HALVINGS = 40  # of the interval in which a quantile lies
ENOUGH = 3  # fewer speakers than this say nothing of a cell


def library_cells(latitude_deg: Float64[Array, " k"], longitude_deg: Float64[Array, " k"], resolution: int) -> Array:
    """H3 cells of places, as the library says, int64."""
    cell = polars_h3.latlng_to_cell("a", "o", resolution, return_dtype=pl.UInt64).alias("c")
    if len(latitude_deg) < ALONE_MAX:
        few = pl.DataFrame({"a": latitude_deg, "o": longitude_deg}).select(cell)
        return few["c"].to_numpy().astype(np.int64)
    half = len(latitude_deg) // 2  # two halves, so that two cores take part
    frames = [
        pl.LazyFrame({"a": latitude_deg[part], "o": longitude_deg[part]}).select(cell)
        for part in (slice(None, half), slice(half, None))
    ]
    return np.concatenate([done["c"].to_numpy() for done in pl.collect_all(frames)]).astype(np.int64)


def cells_of(
    latitude_deg: Float64[Array, " k"], longitude_deg: Float64[Array, " k"], resolution: int = RESOLUTION
) -> Int64[Array, " k"]:
    """H3 cells of places; the same as the library's, sooner where many places share few boxes."""
    if len(latitude_deg) < 10_000 or resolution > 5:
        return library_cells(latitude_deg, longitude_deg, resolution)
    low_a, high_a = float(latitude_deg.min()), float(latitude_deg.max())
    low_o, high_o = float(longitude_deg.min()), float(longitude_deg.max())
    side = next(s for s in BOXES_DEG if (high_a - low_a) * (high_o - low_o) / s**2 < TABLE_MAX)
    wide = int((high_o - low_o) / side) + 2  # corners per row
    y, x = (latitude_deg - low_a) / side, (longitude_deg - low_o) / side
    row = y.astype(np.int64)
    box = row * wide + x.astype(np.int64)
    seen = np.zeros((int(box.max()) // wide + 2) * wide + 2, bool)
    seen[box] = True
    boxes = np.flatnonzero(seen)
    if len(boxes) > len(box) // 3:  # too spread out for boxes to help
        return library_cells(latitude_deg, longitude_deg, resolution)
    table = np.zeros(len(seen), np.int64)
    table[boxes] = _whole(boxes, wide, (low_a, low_o, side), resolution)
    out = table[box]
    y -= row
    edge = EDGE_DEG / side
    alone = np.flatnonzero((out == 0) | (y < edge) | (y > 1.0 - edge))
    out[alone] = library_cells(latitude_deg[alone], longitude_deg[alone], resolution)
    return np.asarray(out)


def _whole(
    boxes: Int64[Array, " b"], wide: int, grid: tuple[float, float, float], resolution: int
) -> Int64[Array, " b"]:
    """The cell that holds each box wholly, 0 where more than one does (or the box is not used)."""
    low_a, low_o, side = grid
    steps = np.array([0, 1, wide, wide + 1])
    marked = np.zeros(int(boxes[-1]) + wide + 2, bool)
    for step in steps:
        marked[boxes + step] = True
    corners = np.flatnonzero(marked)
    latitude, longitude = low_a + (corners // wide) * side, low_o + (corners % wide) * side
    used = (np.abs(latitude) <= LATITUDE_DEG_MAX) & (np.abs(longitude) < 179.9)
    cell = np.zeros(len(marked), np.int64)
    cell[corners[used]] = library_cells(latitude[used], longitude[used], resolution)
    first = cell[boxes]
    same = (cell[boxes + 1] == first) & (cell[boxes + wide] == first) & (cell[boxes + wide + 1] == first)
    return np.where(same, first, 0)


def share(
    good: Int64[Array, " g"], bad: Int64[Array, " g"], mass: float = 0.9
) -> tuple[Float64[Array, " g"], Float64[Array, " g"], Float64[Array, " g"], Bool[Array, " g"]]:
    """Posterior mean and interval of the affected share per cell, and whether there were enough speakers to say so. The
    prior is a mixture: the fleet's rate, or (seldom) trouble of which nothing is known."""
    pairs, row = np.unique(np.stack([good, bad]), axis=1, return_inverse=True)
    g, b = pairs.astype(np.float64)
    quiet = betaln(PRIOR[0] + b, PRIOR[1] + g) - betaln(*PRIOR) + np.log1p(-TROUBLE)
    wrong = betaln(1.0 + b, 1.0 + g) + np.log(TROUBLE)
    weight = expit(wrong - quiet)
    mean = (1.0 - weight) * (PRIOR[0] + b) / (sum(PRIOR) + g + b) + weight * (1.0 + b) / (2.0 + g + b)
    ends = [_quantile(g, b, weight, tail) for tail in (0.5 * (1.0 - mass), 0.5 * (1.0 + mass))]
    row = row.reshape(-1)
    return mean[row], ends[0][row], ends[1][row], good + bad >= ENOUGH


def _quantile(
    good: Float64[Array, " g"], bad: Float64[Array, " g"], weight: Float64[Array, " g"], at: float
) -> Float64[Array, " g"]:
    """Where the posterior's distribution reaches `at`, by halving."""
    low, high = np.zeros(len(good)), np.ones(len(good))
    for _ in range(HALVINGS):
        x = 0.5 * (low + high)
        quiet = betainc(PRIOR[0] + bad, PRIOR[1] + good, x)
        below = (1.0 - weight) * quiet + weight * betainc(1.0 + bad, 1.0 + good, x) < at
        low, high = np.where(below, x, low), np.where(below, high, x)
    return 0.5 * (low + high)


def hexes(cell: Int64[Array, " g"]) -> list[str]:
    """Cells as the usual hexadecimal names."""
    return [f"{int(c):x}" for c in cell]


def boundaries(cell: Int64[Array, " g"]) -> list[list[list[float]]]:
    """The closed ring of each cell as [longitude, latitude] degrees."""
    frame = pl.DataFrame({"c": cell.astype(np.uint64)})
    rings = frame.select(polars_h3.cell_to_boundary("c").alias("b"))["b"].to_list()
    return [[[round(o, 5), round(a, 5)] for a, o in [*ring, ring[0]]] for ring in rings]
