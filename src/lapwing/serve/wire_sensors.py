"""Sensors as the page and `GET /v1/sensors` see them: how far each is off, and whether it drifts."""

from typing import Any

from lapwing.records import BIASES, Registration
from lapwing.serve.wire import DEGREE

Json = dict[str, Any]


def sensors(record: tuple[Registration, ...]) -> list[Json]:
    """One object per sensor that was heard: how far it is off, what it was before, since when it differs from that
    or is outside its tolerance ("0": it is not). Angles in degrees; null where nothing is known."""
    unit = [DEGREE if name.endswith("_rad") else 1.0 for name in BIASES]
    out = []
    for s in record:
        entry: Json = {"sensor": s.sensor, "time_ns": str(s.time_ns), "looks": s.pairs, "biases": {}}
        entry |= {"shared": s.shared, "against": None}
        if s.against is not None and s.against.looks:
            a = s.against
            apart = {
                name.replace("_rad", "_deg"): {
                    "value": round(float(a.difference[k]) / unit[k], 4),
                    "sigma": round(float(a.sigma[k]) / unit[k], 4),
                }
                for k, name in enumerate(BIASES)
                if a.known[k]
            }
            entry["against"] = {"sensor": a.other, "looks": a.looks, "differences": apart}
        for k, name in enumerate(BIASES):
            seen = bool(s.observable[k])
            entry["biases"][name.replace("_rad", "_deg")] = {
                "value": round(float(s.bias[k]) / unit[k], 4) if seen else None,
                "sigma": round(float(s.sigma[k]) / unit[k], 4),
                "applied": seen,
                "norm": round(float(s.drift.norm[k]) / unit[k], 4) if s.drift.information[k] > 0.0 else None,
                "moved_ns": str(s.drift.moved_ns[k]),
                "outside_ns": str(s.drift.outside_ns[k]),
                "tolerance": round(float(s.drift.tolerance[k]) / unit[k], 4) or None,
            }
        out.append(entry)
    return out
