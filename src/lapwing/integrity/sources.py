"""Sources of the standing regions, kept current: each is located anew now and then. Axes: c regions, s sources.

A location takes far longer than a step may: it is worked on a little in every step, as part of the state, so that the
same journal gives the same sources at the same ticks.
"""

from dataclasses import dataclass

import numpy as np

from lapwing.integrity.piecewise import Search, begin, worked
from lapwing.integrity.source import Posterior, SourceSettings, outline
from lapwing.integrity.trail import Trail, TrailSettings, looks_at
from lapwing.records import Array, Interference, Sources, no_sources

FIRST_NS = 40_000_000_000  # a region this young has not been seen from enough places
AGAIN_NS = (60_000_000_000, 240_000_000_000)  # a source is this old before it is located anew: half the region's age
WORK_NS = 900_000_000  # one piece of work a second, however many steps it has
FIRST_LOOKS, MORE_LOOKS = 60_000, 12_000  # looks from cells per piece: about 5 ms until there is an answer, then 1
SHARES = (0.5, 0.9)


@dataclass(frozen=True, slots=True)
class Seeking:
    """What is known of the sources, and the location under way."""

    sources: Sources
    search: Search | None


def start() -> Seeking:
    """Nothing sought."""
    return Seeking(no_sources(), None)


def next_sources(
    before: Seeking, regions: Interference, trail: Trail, now_ns: int, settings: tuple[TrailSettings, SourceSettings]
) -> Seeking:
    """The sources after one more piece of the location under way, or with the next one begun; those of ended regions
    go."""
    kept = _of(before.sources, np.isin(before.sources.region_id, regions.region_id))
    search = before.search
    if search is not None and not (regions.region_id == search.region_id).any():
        search = None
    if search is None:
        return Seeking(kept, _next_search(kept, regions, trail, now_ns, settings))
    if 0 <= now_ns - search.worked_ns < WORK_NS:
        return Seeking(kept, search)
    first = not (kept.region_id == search.region_id).any()
    search, found = worked(search, now_ns, FIRST_LOOKS if first else MORE_LOOKS, settings[1])
    if found is None:
        return Seeking(kept, search)
    others = _of(kept, kept.region_id != search.region_id)
    return Seeking(_joined(others, sources_of(search.region_id, search.begun_ns, found)), None)


def _next_search(
    kept: Sources, regions: Interference, trail: Trail, now_ns: int, settings: tuple[TrailSettings, SourceSettings]
) -> Search | None:
    """The location of the region whose turn it is, begun."""
    turn = [i for i in range(len(regions)) if _due(kept, regions, i, now_ns)]
    if not turn:
        return None
    oldest = min(turn, key=lambda i: (_updated(kept, int(regions.region_id[i])), int(regions.region_id[i])))
    place = (float(regions.east_m[oldest]), float(regions.north_m[oldest]))
    looks = looks_at(trail, place, float(regions.radius_m[oldest]), settings)
    return None if looks is None else begin(int(regions.region_id[oldest]), now_ns, looks)


def _updated(sources: Sources, region_id: int) -> int:
    mine = sources.updated_ns[sources.region_id == region_id]
    return int(mine.max()) if len(mine) else 0


def _due(sources: Sources, regions: Interference, i: int, now_ns: int) -> bool:
    updated, age_ns = _updated(sources, int(regions.region_id[i])), now_ns - int(regions.since_ns[i])
    wait_ns = min(max(age_ns // 2, AGAIN_NS[0]), AGAIN_NS[1])
    ripe = now_ns - updated >= wait_ns or now_ns < updated if updated else age_ns >= FIRST_NS
    return ripe and int(regions.affected[i]) > 0


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
