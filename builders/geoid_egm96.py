"""The geoid of EGM96, made small: src/lapwing/kernel/egm96.bin out of the public 15-minute grid.

Run `python builders/geoid_egm96.py [egm96_15.gtx]` in the project's environment. The grid is the one that the United
States' National Geospatial-Intelligence Agency (then NIMA) published with EGM96 (WW15MGH.GRD; a work of the US
government, in the public domain), in the GTX form in which PROJ hands it on (Debian package proj-data 9.1,
/usr/share/proj/egm96_15.gtx; SHA-256 below). GTX: four big-endian doubles (latitude and longitude of the first point,
steps, in degrees), two 32-bit integers (rows, columns), then rows of 32-bit floats from south to north, in metres.

Heights are rounded to 5 cm (the model itself is good to about half a metre), differenced along both axes, folded to
unsigned, split into low and high bytes, and deflated: 4.2 MB become about 0.36 MB.
"""

import hashlib
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

from lapwing.kernel import geoid

SOURCE = Path("/usr/share/proj/egm96_15.gtx")
SHA256 = "c02a6eb70a7a78efebe5adf3ade626eb75390e170bb8b3f36136a2c28f5326a0"
TARGET = Path(__file__).resolve().parents[1] / "src" / "lapwing" / "kernel" / "egm96.bin"
HEADER = struct.Struct(">4d2i")


def grid_m(raw: bytes) -> np.ndarray:
    """The heights of a GTX file, rows from south to north. Asserts that it is the grid that the kernel expects."""
    south, west, step_lat, step_lon, rows, columns = HEADER.unpack_from(raw)
    assert (south, west, step_lat, step_lon) == (-90.0, -180.0, 0.25, 0.25)
    assert (rows, columns) == (geoid.ROWS, geoid.COLUMNS)
    return np.frombuffer(raw, ">f4", offset=HEADER.size).reshape(rows, columns).astype(np.float64)


def packed(heights_m: np.ndarray) -> bytes:
    """What `geoid.unpacked` reads."""
    steps = np.rint(heights_m / geoid.STEP_M).astype(np.int64)
    change = np.diff(np.diff(steps, axis=1, prepend=0), axis=0, prepend=0)
    folded = np.where(change < 0, -2 * change - 1, 2 * change)
    assert folded.max() < 65_536
    return zlib.compress(folded.astype("<u2").reshape(-1).view(np.uint8).reshape(-1, 2).T.tobytes(), 9)


def main() -> None:
    """Read, pack, compare, write."""
    raw = Path(sys.argv[1] if len(sys.argv) > 1 else SOURCE).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == SHA256, "another grid than the one that was packed before"
    heights = grid_m(raw)
    data = packed(heights)
    error_m = np.abs(geoid.unpacked(data) - heights).max()
    assert error_m <= geoid.STEP_M / 2 + 1e-9
    TARGET.write_bytes(data)
    print(f"{TARGET.name}: {len(data)} bytes, at most {error_m:.4f} m off")


if __name__ == "__main__":
    main()
