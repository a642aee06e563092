"""What could be here unseen, as the page and `GET /v1/unseen` get it."""

from typing import Any

import numpy as np

from lapwing.records import Position, Unseen
from lapwing.serve.wire import latitude_longitude_deg

Json = dict[str, Any]


def unseen(record: Unseen, origin: Position) -> Json:
    """Expected undetected small drones per cell (rows from south to north) and per zone; edges of the cells in degrees,
    along the grid's middle lines (over 40 km they bend by some tens of metres). Null where there is no map."""
    rows, columns = record.expected.shape
    if not rows or not columns:
        return {"unseen": None}
    east = record.west_m + record.cell_m * np.arange(columns + 1)
    north = record.south_m + record.cell_m * np.arange(rows + 1)
    middle_east, middle_north = np.full(rows + 1, east.mean()), np.full(columns + 1, north.mean())
    latitude = latitude_longitude_deg(origin, middle_east, north)[0]
    longitude = latitude_longitude_deg(origin, east, middle_north)[1]
    return {
        "unseen": {
            "time_ns": str(record.time_ns),
            "cell_m": round(record.cell_m, 1),
            "latitude_deg": np.round(latitude, 6).tolist(),
            "longitude_deg": np.round(longitude, 6).tolist(),
            "unwatched": float(f"{record.unwatched:.4g}"),
            "expected": [[float(f"{v:.3g}") for v in row] for row in record.expected.tolist()],
            "zones": {
                name: float(f"{v:.3g}") for name, v in zip(record.zones, record.zone_expected.tolist(), strict=True)
            },
        }
    }
