"""Where the product says that emitters are, against where they are; and why it says that navigation is lost. Axes: k
regions, v vertices."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64

from lapwing_lab.geo import local
from lapwing_lab.scenario import Scenario
from lapwing_lab.score.alarms import localisation

Array = np.ndarray


class Place(NamedTuple):
    """One source that was named as one place: how far from the nearest emitter, and whether the regions said to hold it
    with 50 and with 90 % do."""

    error_m: float
    in_50: bool
    in_90: bool


def located(regions: Sequence[dict[str, Any]], s: Scenario) -> dict[str, float]:
    """Of the regions that a picture showed (as in `lapwing run --json`): how many sources they name, how far each is
    from the nearest jammer, whether its 50 and 90 % regions hold that; and the mean probability of the true cause."""
    jammers = [local(s.origin, j.place)[:2] for j in s.air.jammers if j.on_s < s.duration_s]
    if not jammers and not s.air.spoofers:
        return {}
    true = "jamming" if jammers else "spoofing"
    said = [r["causes"][true] for r in regions if "causes" in r]
    out = {f"cause_{true}": float(np.mean(said)) if said else 0.0}
    if jammers:
        places = source_places(regions, s)
        out["sources"] = float(len(places))
        if places:  # an error of nothing would read as none
            errors = np.array([p.error_m for p in places])
            found = localisation(errors, np.array([p.in_90 for p in places], dtype=bool))
            out |= {"source_error_m": found.median_m, "source_in_50": float(np.mean([p.in_50 for p in places]))}
            out["source_in_90"] = found.coverage
    return out


def source_places(regions: Sequence[dict[str, Any]], s: Scenario) -> list[Place]:
    """Of each source that is named as one place (a region may name several). Nothing where there are no jammers."""
    jammers = [local(s.origin, j.place)[:2] for j in s.air.jammers if j.on_s < s.duration_s]
    out = []
    for source in [x for r in regions if jammers for x in r.get("sources", []) if x["unique"]]:
        apart = [float(np.hypot(e - source["east_m"], n - source["north_m"])) for e, n in jammers]
        nearest = int(np.argmin(apart))
        held = (within(jammers[nearest], [np.array(r) for r in source[name]]) for name in ("rings_50", "rings_90"))
        out.append(Place(apart[nearest], *held))
    return out


def within(place: Sequence[float], rings: Sequence[Float64[Array, "v 2"]]) -> bool:
    """Whether a place is inside an odd number of closed rings."""
    odd = False
    for ring in rings:
        a, b = ring, np.roll(ring, -1, axis=0)
        spans = (a[:, 1] > place[1]) != (b[:, 1] > place[1])
        rise = np.where(spans, b[:, 1] - a[:, 1], 1.0)
        at = a[:, 0] + (place[1] - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
        odd ^= bool((spans & (at > place[0])).sum() % 2)
    return odd
