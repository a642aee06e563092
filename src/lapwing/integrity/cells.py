"""Map products: H3 cells of places, and the affected share per cell as a posterior. Axes: k rows, g cells.

H3 is indexed by its library. Because that is the dearest step of a survey, rows are first put into small boxes of
latitude and longitude: cells are convex, so a box whose four corners lie in one cell lies in it (its parallels bulge by
less than EDGE_DEG, and rows that near to an edge are asked for one by one). A test compares with the library alone.
"""

import numpy as np
import polars as pl
import polars_h3
from jaxtyping import Bool, Float64, Int64
from scipy.special import betaincinv

from lapwing.records import Array

RESOLUTION = 4  # as gpsjam.org: about 1,770 km2
BOX_DEG = 0.05
EDGE_DEG = 1e-5
LATITUDE_DEG_MAX = 80.0  # boxes nearer to a pole are not used
PRIOR = (0.05, 99.95)  # beta of the affected share: the fleet's 5e-4, worth a hundred aircraft
ENOUGH = 3  # fewer speakers than this say nothing of a cell
COLUMNS_ALL, ROWS_ALL = 7_201, 3_601


def library_cells(latitude_deg: Float64[Array, " k"], longitude_deg: Float64[Array, " k"], resolution: int) -> Array:
    """H3 cells of places, as the library says, int64."""
    cell = polars_h3.latlng_to_cell("a", "o", resolution, return_dtype=pl.UInt64).alias("c")
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
    y, x = (latitude_deg + 90.0) / BOX_DEG, (longitude_deg + 180.0) / BOX_DEG
    row, column = y.astype(np.int32), x.astype(np.int32)
    box = row * np.int32(COLUMNS_ALL) + column
    seen = np.zeros(ROWS_ALL * COLUMNS_ALL + COLUMNS_ALL + 2, bool)
    seen[box] = True
    boxes = np.flatnonzero(seen)
    if len(boxes) > len(box) // 3:  # too spread out for boxes to help
        return library_cells(latitude_deg, longitude_deg, resolution)
    table = np.zeros(len(seen), np.int64)
    table[boxes] = _whole(boxes, resolution)
    out = table[box]
    y -= row
    edge = EDGE_DEG / BOX_DEG
    alone = np.flatnonzero((out == 0) | (y < edge) | (y > 1.0 - edge))
    out[alone] = library_cells(latitude_deg[alone], longitude_deg[alone], resolution)
    return np.asarray(out)


def _whole(boxes: Int64[Array, " b"], resolution: int) -> Int64[Array, " b"]:
    """The cell that holds each box wholly, 0 where more than one does (or the box is not used)."""
    steps = np.array([0, 1, COLUMNS_ALL, COLUMNS_ALL + 1])
    corners = np.unique((boxes[:, None] + steps).ravel())
    latitude = (corners // COLUMNS_ALL) * BOX_DEG - 90.0
    longitude = (corners % COLUMNS_ALL) * BOX_DEG - 180.0
    used = (np.abs(latitude) <= LATITUDE_DEG_MAX) & (np.abs(longitude) < 179.9)
    cell = np.zeros(len(corners), np.int64)
    cell[used] = library_cells(latitude[used], longitude[used], resolution)
    at = np.searchsorted(corners, boxes[:, None] + steps)
    four = cell[at]
    return np.where((four == four[:, :1]).all(axis=1), four[:, 0], 0)


def share(
    good: Int64[Array, " g"], bad: Int64[Array, " g"], mass: float = 0.9
) -> tuple[Float64[Array, " g"], Float64[Array, " g"], Float64[Array, " g"], Bool[Array, " g"]]:
    """Posterior mean and interval of the affected share per cell under the fleet's prior, and whether there were enough
    speakers to say so."""
    a, b = PRIOR[0] + bad, PRIOR[1] + good
    tail = 0.5 * (1.0 - mass)
    return a / (a + b), betaincinv(a, b, tail), betaincinv(a, b, 1.0 - tail), good + bad >= ENOUGH


def hexes(cell: Int64[Array, " g"]) -> list[str]:
    """Cells as the usual hexadecimal names."""
    return [f"{int(c):x}" for c in cell]


def boundaries(cell: Int64[Array, " g"]) -> list[list[list[float]]]:
    """The closed ring of each cell as [longitude, latitude] degrees."""
    frame = pl.DataFrame({"c": cell.astype(np.uint64)})
    rings = frame.select(polars_h3.cell_to_boundary("c").alias("b"))["b"].to_list()
    return [[[round(o, 5), round(a, 5)] for a, o in [*ring, ring[0]]] for ring in rings]
