"""The geoid: how high mean sea level lies above the WGS 84 ellipsoid. Axes: n points.

EGM96 (Lemoine et al., NASA/TP-1998-206861) on its published grid of 15 arc minutes, made small by
builders/geoid_egm96.py: rounded to 5 cm. The published test points come out within 5 cm; in steep mountains a
straight line between points 28 km apart can be decimetres off. The grid is a constant of the package: it is loaded with
it, as code is, and never changes. Refuses nothing: inputs are finite radians.
"""

import pkgutil
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float64]

ROWS, COLUMNS, STEP_M = 721, 1440, 0.05
CELL_RAD = np.pi / 720.0  # 15 arc minutes


def geoid_height_m(latitude_rad: F | float, longitude_rad: F | float) -> F:
    """Height of the EGM96 geoid above the WGS 84 ellipsoid in metres, shape as the inputs'; between grid points
    bilinear. Height above mean sea level = height above the ellipsoid less this."""
    grid = _grid()
    row = np.clip((np.asarray(latitude_rad) + np.pi / 2.0) / CELL_RAD, 0.0, ROWS - 1.0)
    column = np.mod((np.asarray(longitude_rad) + np.pi) / CELL_RAD, COLUMNS)
    i = np.minimum(row.astype(np.int64), ROWS - 2)
    j = column.astype(np.int64) % COLUMNS  # the remainder of a tiny negative number may be COLUMNS itself
    north, east = row - i, column - np.floor(column)
    after = (j + 1) % COLUMNS
    low = (1.0 - east) * grid[i, j] + east * grid[i, after]
    high = (1.0 - east) * grid[i + 1, j] + east * grid[i + 1, after]
    return np.asarray(STEP_M * ((1.0 - north) * low + north * high))


def unpacked(data: bytes) -> F:
    """Heights in metres of the whole grid, rows from south to north, columns eastward from 180 degrees west."""
    return np.asarray(_steps(data) * STEP_M, dtype=np.float64)


def _steps(data: bytes) -> NDArray[np.int16]:
    """The grid in steps of STEP_M: differences along both axes, folded to unsigned, low bytes before high bytes."""
    planes = np.frombuffer(zlib.decompress(data), np.uint8).reshape(2, ROWS, COLUMNS).astype(np.int32)
    folded = planes[0] + 256 * planes[1]
    change = (folded >> 1) ^ -(folded & 1)
    return np.cumsum(np.cumsum(change, axis=0), axis=1).astype(np.int16)


@lru_cache(maxsize=1)
def _grid() -> NDArray[np.int16]:
    """Unpacked once, at first use: 2 MB."""
    data = pkgutil.get_data("lapwing.kernel", "egm96.bin")
    assert data is not None
    steps = _steps(data)
    steps.flags.writeable = False
    return steps
