"""Alarms of the product's picture against who was truly there: about whom each was, which entries were warned of. Axes:
k alarms, n targets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from lapwing_lab.play import TOLD
from lapwing_lab.scenario import Scenario
from lapwing_lab.score.alarms import Entry, Warned, warnings

Array = np.ndarray
REACH_M = 500.0  # an alarm is about the nearest target within this
NOBODY = 0  # the subject of an alarm that many tracks share
EARLY_S, LATE_S = 180.0, 60.0


def warned(alarms: Sequence[dict[str, Any]], entered: Sequence[dict[str, Any]], s: Scenario) -> dict[str, float]:
    """Scores of the alarms about zones, of `entered` events, and how many nuisances were about what."""
    zoned = [a for a in alarms if a["zone"]]
    times = [(a["raised_ns"] - s.begin_ns) * 1e-9 for a in zoned]
    told = [Warned(a["zone"], t, (float(a["east_m"]), float(a["north_m"]))) for a, t in zip(zoned, times, strict=True)]
    names = [t.name for t in s.world.targets]
    place = np.array([s.world.at(t)[0][:, :2] for t in times]).reshape(len(times), len(names), 2)
    entries = [
        Entry(e["zone"], (e["time_ns"] - s.begin_ns) * 1e-9, place[:, names.index(e["target"])]) for e in entered
    ]
    about = subjects(told, place, s)
    justified = np.array([a == "" for a in about], dtype=bool)
    w = warnings(entries, told, justified, s.duration_s / 3600.0, (EARLY_S, LATE_S, REACH_M))
    out = {
        "entries": float(w.entries),
        "entries_missed": float(w.missed),
        "nuisance": float(w.nuisance),
        "nuisance_per_h": w.nuisance_per_h,
        "lead_s_min": min(w.lead_s, default=0.0),
    }
    own = [k for k, a in enumerate(zoned) if a["subject_id"] != NOBODY]
    alone = [Entry(e.zone, e.time_s, e.place_m[own]) for e in entries]
    w = warnings(alone, [told[k] for k in own], justified[own], s.duration_s / 3600.0, (EARLY_S, LATE_S, REACH_M))
    critical = [a["priority"] == "critical" for a in zoned]
    out["entries_without_own"] = float(w.missed)  # warned of by no alarm, or only by one that many tracks share
    out["nuisance_critical"] = float(sum(c and who != "" for c, who in zip(critical, about, strict=True)))
    return out | {f"nuisance_{kind}": float(about.count(kind)) for kind in ("bird", "vehicle", "cooperative", "nobody")}


def subjects(alarms: Sequence[Warned], place: Float64[Array, "k n 2"], s: Scenario) -> list[str]:
    """About what each alarm was: "" = a drone, ship or aircraft that says nothing of itself or is known to lie; else
    the kind of nuisance."""
    out = []
    for a, at in zip(alarms, place, strict=True):
        _, _, alive = s.world.at(a.time_s)
        apart = np.where(alive, np.hypot(at[:, 0] - a.place_m[0], at[:, 1] - a.place_m[1]), np.inf)
        near = [s.world.targets[i] for i in np.flatnonzero(apart <= REACH_M)]
        kinds = {TOLD.get(t.kind, "") for t in near if not t.says or t.serial}
        if kinds - {""}:
            out.append("")
        elif any(t.says for t in near):
            out.append("cooperative")
        elif any(t.kind in ("bird", "flock") for t in near):
            out.append("bird")
        else:
            out.append("vehicle" if near else "nobody")
    return out
