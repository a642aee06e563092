"""Ships that say they are where no ship can be: runways, city centres, whatever a site's owner or an analyst has drawn.
Axes: n speakers, v vertices.

No map of land comes with this: one coarse enough to carry leaves out rivers and docks, and would tell inland traffic as
false all day. Only addresses of ships count (a maritime identification digit 2 to 7 first, ITU-R M.585): coast
stations, aids to navigation and search aircraft are on land or over it.
"""

from functools import lru_cache

import numpy as np
import shapely
from jaxtyping import Bool, Float64, Int64

from lapwing.integrity.shapes import SHIP
from lapwing.records import Array

Ring = tuple[tuple[float, float], ...]  # closed or not; x, y: east and north in m, or longitude and latitude in degrees
MMSI_OF_SHIPS = 200_000_000, 799_999_999


def ashore(
    place: Float64[Array, "n 2"], family: Int64[Array, " n"], address: Int64[Array, " n"], rings: tuple[Ring, ...]
) -> Bool[Array, " n"]:
    """Whether each speaker is a ship whose place (x, y) is within a ring, its edge included not."""
    low, high = MMSI_OF_SHIPS
    out = (family == SHIP) & (address >= low) & (address <= high)
    at = np.flatnonzero(out)
    if not rings or not len(at):
        return np.zeros(len(out), bool)
    out[at] = shapely.contains_xy(_union(rings), place[at, 0], place[at, 1])
    return np.asarray(out)


@lru_cache(maxsize=4)
def _union(rings: tuple[Ring, ...]) -> shapely.Geometry:
    """All rings as one prepared geometry; what crosses itself is mended."""
    whole = shapely.union_all([shapely.make_valid(shapely.Polygon(ring)) for ring in rings])
    shapely.prepare(whole)
    return whole
