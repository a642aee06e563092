"""One look of a sensor as one line of JSON, the format of home-made sensors: for those that have no older one here
(direction finders, microphones, cameras, passive radar, and radars that also measure elevation or range rate)."""

import json
from math import degrees

from lapwing_lab.files import Scan

KEYS = {
    "range_m": "range_m",
    "azimuth_rad": "azimuth_deg",
    "elevation_rad": "elevation_deg",
    "range_rate_mps": "range_rate_mps",
    "bistatic_range_m": "bistatic_range_m",
    "bistatic_range_rate_mps": "bistatic_range_rate_mps",
}


def line(scan: Scan) -> bytes:
    """The line of a scan, each detection with its own time; an empty scan says that nothing was seen."""
    rows = []
    said = scan.rcs_dbsm
    strong = [{}] * len(scan.z) if said is None else [{"rcs_dbsm": round(r, 1)} for r in said.tolist()]
    for at, z, rcs in zip(scan.time_ns.tolist(), scan.z.tolist(), strong, strict=True):
        row = {KEYS[c]: round(degrees(v) if "_rad" in c else v, 6) for c, v in zip(scan.space, z, strict=True)}
        rows.append({"time": round(at * 1e-9, 6), **row, **rcs})
    return json.dumps({"time": round(scan.scan_ns * 1e-9, 6), "detections": rows}).encode() + b"\n"
