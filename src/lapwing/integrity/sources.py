"""Sources of the standing regions, kept current: each is located anew now and then. Axes: c regions, s sources.

A location takes far longer than a step may: it is worked on a little in every step, as part of the state, so that the
same journal gives the same sources at the same ticks. A new region gets a first answer within about ten seconds: one
source on few looks, its place blurred; the full one, with its alternatives, follows.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from lapwing.integrity.piecewise import Search, begin, worked
from lapwing.integrity.search import prepared
from lapwing.integrity.source import Posterior, SourceSettings, outline
from lapwing.integrity.trail import Trail, TrailSettings, looks_at
from lapwing.records import Array, Interference, Sources, no_sources
from lapwing.records.arrays import freeze_columns

FULL_NS = 40_000_000_000  # a region this young has not been seen from enough places for more than a first answer
AGAIN_NS = (60_000_000_000, 240_000_000_000)  # a source is this old before it is located anew: half the region's age
WORK_NS = 900_000_000  # one piece of work a second, however many steps it has
FIRST_LOOKS, MORE_LOOKS = 60_000, 16_000  # looks from cells per piece: 1.5 ms until there is a full answer, then 0.4
SHARES = (0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Seeking:
    """What is known of the sources, and the locations under way: a first answer goes before a full one."""

    sources: Sources
    search: Search | None
    first: Search | None
    early: Int64[Array, " e"]  # regions of which only a first answer is known

    def __post_init__(self) -> None:
        freeze_columns(self)


def start() -> Seeking:
    """Nothing sought."""
    return Seeking(no_sources(), None, None, np.zeros(0, np.int64))


def next_sources(
    before: Seeking, regions: Interference, trail: Trail, now_ns: int, settings: tuple[TrailSettings, SourceSettings]
) -> Seeking:
    """The sources after one more piece of the location under way, or with the next one begun; those of ended regions
    go."""
    kept = _of(before.sources, np.isin(before.sources.region_id, regions.region_id))
    early = before.early[np.isin(before.early, regions.region_id)]
    search, first = (_standing(s, regions) for s in (before.search, before.first))
    if first is None:
        first = _next_search(kept, early, regions, trail, (now_ns, True), settings)
        if search is None and first is None:
            return Seeking(kept, _next_search(kept, early, regions, trail, (now_ns, False), settings), None, early)
        if first is not None:
            return Seeking(kept, search, first, early)
    hand = search if first is None else first
    if hand is None or 0 <= now_ns - hand.worked_ns < WORK_NS:
        return Seeking(kept, search, first, early)
    full_known = (kept.region_id == hand.region_id).any() and hand.region_id not in early
    after, found = worked(hand, now_ns, MORE_LOOKS if full_known else FIRST_LOOKS, settings[1])
    if found is None:
        return Seeking(kept, search if first is not None else after, after if first is not None else None, early)
    others = _of(kept, kept.region_id != hand.region_id)
    sources = _joined(others, sources_of(hand.region_id, hand.begun_ns, found))
    if first is not None:
        return Seeking(sources, search, None, np.append(early, hand.region_id))
    return Seeking(sources, None, None, early[early != hand.region_id])


def _standing(search: Search | None, regions: Interference) -> Search | None:
    """The search, if its region still stands."""
    return None if search is None or search.region_id not in regions.region_id else search


def _next_search(
    kept: Sources,
    early: Int64[Array, " e"],
    regions: Interference,
    trail: Trail,
    when: tuple[int, bool],
    settings: tuple[TrailSettings, SourceSettings],
) -> Search | None:
    """The location of the region whose turn it is, begun. `when`: the time (ns), and whether it is for a first
    answer."""
    now_ns, first = when
    turn = []
    for i, region in enumerate(regions.region_id.tolist()):
        known = _updated(kept, region)
        due = not known if first else _due(known, region in early, regions, i, now_ns)
        if due and regions.affected[i] > 0:
            turn.append((known, region, i))
    for _, region, i in sorted(turn):
        place = (float(regions.east_m[i]), float(regions.north_m[i]))
        looks = looks_at(trail, place, float(regions.radius_m[i]), settings)
        if looks is not None:
            return begin(region, now_ns, prepared(looks, settings[1]), first)
    return None


def _updated(sources: Sources, region_id: int) -> int:
    mine = sources.updated_ns[sources.region_id == region_id]
    return int(mine.max()) if len(mine) else 0


def _due(known_ns: int, early: bool, regions: Interference, i: int, now_ns: int) -> bool:
    """Whether a region is due for a full location, its source known since `known_ns` (0 = it is not)."""
    age_ns = now_ns - int(regions.since_ns[i])
    if early:
        return age_ns >= FULL_NS
    wait_ns = min(max(age_ns // 2, AGAIN_NS[0]), AGAIN_NS[1])
    return known_ns > 0 and (now_ns - known_ns >= wait_ns or now_ns < known_ns)


def sources_of(region_id: int, now_ns: int, found: tuple[Posterior, ...]) -> Sources:
    """Columns of what was found for one region."""
    n = len(found)

    def floats(values: list[float]) -> Array:
        return np.array(values, np.float64)

    rings = [(row, share, ring) for row, p in enumerate(found) for share in SHARES for ring in outline(p, share)]
    vertices = np.concatenate([ring for _, _, ring in rings] or [np.zeros((0, 2))])
    lengths = [len(ring) for _, _, ring in rings]
    return Sources(
        np.full(n, region_id),
        np.full(n, now_ns),
        np.array([int(p.unique) for p in found], np.int64),
        floats([p.mean_m[0] for p in found]),
        floats([p.mean_m[1] for p in found]),
        floats([p.sigma_m for p in found]),
        floats([p.power_dbm for p in found]),
        floats([p.power_db_sigma for p in found]),
        floats([p.beam.width_rad for p in found]),
        floats([p.beam.bearing_rad for p in found]),
        floats([p.fit_p for p in found]),
        np.repeat(np.array([row for row, _, _ in rings], np.int64), lengths),
        np.repeat(floats([share for _, share, _ in rings]), lengths),
        np.repeat(np.arange(len(rings)), lengths),
        np.array(vertices[:, 0]),
        np.array(vertices[:, 1]),
    )


SCALARS = tuple(Sources.__dataclass_fields__)[:11]
RINGS = tuple(Sources.__dataclass_fields__)[11:]


def _of(sources: Sources, keep: Array) -> Sources:
    """The chosen rows, with their rings."""
    if keep.all():
        return sources
    mine = keep[sources.ring_row] if len(sources.ring_row) else np.zeros(0, bool)
    rows = {name: getattr(sources, name)[keep] for name in SCALARS}
    rings = {name: getattr(sources, name)[mine] for name in RINGS}
    rings["ring_row"] = (np.cumsum(keep) - 1)[rings["ring_row"]]
    return Sources(**rows, **rings)


def _joined(a: Sources, b: Sources) -> Sources:
    """Rows of both."""
    if not len(a):
        return b
    if not len(b):
        return a
    more = {"ring_row": len(a), "ring_number": int(a.ring_number.max(initial=-1)) + 1}
    columns = {
        name: np.concatenate([getattr(a, name), getattr(b, name) + more.get(name, 0)]) for name in (*SCALARS, *RINGS)
    }
    return Sources(**columns)


__all__ = ["Seeking", "next_sources", "sources_of", "start"]
