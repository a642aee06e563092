"""Sources of the standing regions, kept current: each is located anew now and then. Axes: c regions, s sources."""

import numpy as np

from lapwing.integrity.source import Posterior, SourceSettings, explain, outline
from lapwing.integrity.trail import Trail, TrailSettings, looks_at
from lapwing.records import Array, Interference, Sources, no_sources

FIRST_NS = 40_000_000_000  # a region this young has not been seen from enough places
AGAIN_NS = 240_000_000_000
SHARES = (0.5, 0.9)


def next_sources(
    before: Sources, regions: Interference, trail: Trail, now_ns: int, settings: tuple[TrailSettings, SourceSettings]
) -> Sources:
    """The sources with the region located anew whose turn it is (one per step at most); those of ended regions go."""
    kept = _of(before, np.isin(before.region_id, regions.region_id))
    turn = [i for i in range(len(regions)) if _due(kept, regions, i, now_ns)]
    if not turn:
        return kept
    oldest = min(turn, key=lambda i: (_updated(kept, int(regions.region_id[i])), int(regions.region_id[i])))
    place = (float(regions.east_m[oldest]), float(regions.north_m[oldest]))
    looks = looks_at(trail, place, float(regions.radius_m[oldest]), settings)
    if looks is None:
        return kept
    region = int(regions.region_id[oldest])
    others = _of(kept, kept.region_id != region)
    return _joined(others, sources_of(region, now_ns, explain(looks, settings[1])))


def _updated(sources: Sources, region_id: int) -> int:
    mine = sources.updated_ns[sources.region_id == region_id]
    return int(mine.max()) if len(mine) else 0


def _due(sources: Sources, regions: Interference, i: int, now_ns: int) -> bool:
    updated = _updated(sources, int(regions.region_id[i]))
    if not updated:
        return now_ns - int(regions.since_ns[i]) >= FIRST_NS and int(regions.affected[i]) > 0
    return now_ns - updated >= AGAIN_NS and int(regions.affected[i]) > 0


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


__all__ = ["next_sources", "no_sources", "sources_of"]
