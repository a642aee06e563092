"""Alarms of the product's picture against who was truly there: about whom each was, which entries were warned of. Axes:
k alarms, n targets."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from lapwing_lab.play import TOLD
from lapwing_lab.scenario import Scenario
from lapwing_lab.score.alarms import Entry, Warned, Warnings, warnings

Array = np.ndarray
REACH_M = 500.0  # an alarm is about the nearest target within this
NOBODY = 0  # the subject of an alarm that many tracks share
EARLY_S, LATE_S = 180.0, 60.0


def warned(alarms: Sequence[dict[str, Any]], entered: Sequence[dict[str, Any]], s: Scenario) -> dict[str, float]:
    """Scores of the alarms about zones, of `entered` events, and how many nuisances were about what."""
    zoned = [a for a in alarms if a["zone"]]
    told = tellings(zoned)
    times = [(t["at_ns"] - s.begin_ns) * 1e-9 for t in told]
    where = [(float(t["east_m"]), float(t["north_m"])) for t in told]
    marks = [Warned(t["zone"], at, place) for t, at, place in zip(told, times, where, strict=True)]
    names = [t.name for t in s.world.targets]
    place = np.array([s.world.at(t)[0][:, :2] for t in times]).reshape(len(times), len(names), 2)
    entries = [
        Entry(e["zone"], (e["time_ns"] - s.begin_ns) * 1e-9, place[:, names.index(e["target"])]) for e in entered
    ]
    about = subjects(marks, place, s)
    justified = np.array([a == "" for a in about], dtype=bool)
    hours, reach = s.duration_s / 3600.0, (EARLY_S, LATE_S, REACH_M)

    def judged(rows: list[int]) -> Warnings:
        return warnings(
            [Entry(e.zone, e.time_s, e.place_m[rows]) for e in entries],
            [marks[k] for k in rows],
            justified[rows],
            hours,
            reach,
        )

    raised = [k for k, t in enumerate(told) if t["first"]]
    own = [k for k, t in enumerate(told) if t["subject_id"] != NOBODY]
    every, begun, alone = judged(list(range(len(told)))), judged(raised), judged(own)
    critical = {t["alarm_id"] for t, who in zip(told, about, strict=True) if t["priority"] == "critical" and who != ""}
    kinds = [about[k] for k in raised]
    return {
        "entries": float(every.entries),
        "entries_missed": float(every.missed),
        "nuisance": float(begun.nuisance),
        "nuisance_per_h": begun.nuisance_per_h,
        "lead_s_min": min(every.lead_s, default=0.0),
        "entries_without_own": float(alone.missed),  # warned of by no alarm, or only by one that many tracks share
        "nuisance_critical": float(len(critical)),  # alarms that were so when raised or when they became so
    } | {f"nuisance_{kind}": float(kinds.count(kind)) for kind in ("bird", "vehicle", "cooperative", "nobody")}


def tellings(alarms: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a person was told and when: that an alarm began, and each time that it became more urgent."""
    out = []
    for a in alarms:
        who = {"alarm_id": a["alarm_id"], "zone": a["zone"]}
        out.append({**a, **who, "at_ns": a["raised_ns"], "first": True})
        out += [{**e, **who, "first": False} for e in a.get("escalations", [])]
    return out


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
