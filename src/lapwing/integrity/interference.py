"""Where many lose their navigation at once. Axes: n claims, c regions.

Single-linkage clusters of losses; a cluster becomes a region when the sequential test (detection.py) alarms there, and
ends when nobody in it has been affected for a while. The region says where the affected are, never where the emitter
is. A loss counts only if the claim was OK before (poor equipment is not interference).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import bdtrc

from lapwing.integrity.causes import CauseSettings, counted, outcomes, posterior
from lapwing.integrity.detection import DetectionSettings, Watch, alarmed, cells, due, watch_step
from lapwing.integrity.evidence import NavigationSettings
from lapwing.integrity.navigation import Navigation
from lapwing.records import Array, Claims, Condition, Field, Interference, no_interference

WITNESS_NS = 120_000_000_000  # who was good and heard this short before an event tells why it came


@dataclass(frozen=True, slots=True)
class InterferenceSettings:
    """`base_rate`: chance that a good claim is lost or degraded for another reason, per window."""

    window_s: float = 180.0  # losses this close in time belong together
    link_m: float = 80_000.0  # and this close in space
    margin_m: float = 20_000.0
    affected_min: int = 3
    base_rate: float = 0.005
    linger_s: float = 60.0  # a region without affected claims ends after this


def affected(navigation: Navigation, claims: Claims, settings: InterferenceSettings) -> Bool[Array, " n"]:
    """Claims that had a good position and have lost it, or say what cannot be true, and are still heard."""
    c = navigation.condition
    bad = (c == Condition.DEGRADED) | (c == Condition.LOST) | (c == Condition.INCONSISTENT)
    bad &= (navigation.memory.ever_ok > 0) & (navigation.good_ns > 0)
    return np.asarray(bad & (claims.time_ns - claims.heard_ns < 2 * settings.linger_s * 1e9))


def observe(
    watch: Watch,
    navigation: Navigation,
    claims: Claims,
    settings: tuple[DetectionSettings, NavigationSettings, InterferenceSettings],
) -> Watch:
    """The sequential test at the claims' time, when its step is due. Low aircraft do not count."""
    detection, of_speakers, of_regions = settings
    if not due(watch, claims.time_ns, detection):
        return watch
    altitude, said_ns = claims.said(Field.ALTITUDE_BARO_M)
    low = (navigation.family == 0) & (said_ns > 0) & (altitude < of_speakers.low_m)
    heard = claims.time_ns - claims.heard_ns < of_regions.linger_s * 1e9
    good = (navigation.condition == Condition.OK) & heard & ~low & (navigation.good_ns > 0)
    bad = affected(navigation, claims, of_regions) & ~low
    cell = cells(navigation.good_east_m, navigation.good_north_m, detection.cell_m)
    return watch_step(watch, navigation.key, cell, good, bad, claims.time_ns, detection)


def find(
    before: Interference,
    next_id: int,
    navigation: Navigation,
    claims: Claims,
    watch: Watch,
    settings: tuple[DetectionSettings, InterferenceSettings, CauseSettings],
) -> tuple[Interference, int]:
    """Regions at the claims' time, keeping the id of a region that is still there, and the next free id."""
    detection, of_regions, of_causes = settings
    now = claims.time_ns
    lost = affected(navigation, claims, of_regions)
    window_ns = of_regions.window_s * 1e9
    fresh = lost & (now - navigation.since_ns < window_ns)
    exposed = (navigation.memory.ever_ok > 0) & (now - navigation.good_ns < window_ns) | lost
    cell = cells(navigation.good_east_m[lost], navigation.good_north_m[lost], detection.cell_m)
    loud = np.zeros(len(claims), bool)
    loud[lost] = alarmed(watch, cell, now, of_regions.window_s)
    clusters = [
        _Cluster(members, *_disc(members, navigation), bool(loud[members].any()))
        for members in _clusters(np.flatnonzero(lost), navigation.good_m, of_regions.link_m)
    ]
    world = _Counted(fresh, exposed, navigation, of_regions)
    regions, next_id = _continued(before, next_id, clusters, world, now)
    return _explained(regions, navigation, claims, of_causes), next_id


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Affected claims that belong together; `loud`: the sequential test alarms there."""

    members: Int64[Array, " j"]
    east_m: float
    north_m: float
    radius_m: float
    loud: bool


@dataclass(frozen=True, slots=True)
class _Counted:
    """Whom to count in a region."""

    fresh: Bool[Array, " n"]
    exposed: Bool[Array, " n"]
    navigation: Navigation
    settings: InterferenceSettings


def _explained(
    regions: Interference,
    navigation: Navigation,
    claims: Claims,
    settings: CauseSettings,
) -> Interference:
    """The regions with how many ships are affected and why."""
    if not len(regions):
        return regions
    ships, counts = np.zeros(len(regions), np.int64), []
    for i in range(len(regions)):
        since = int(regions.since_ns[i])
        away = np.hypot(navigation.good_east_m - regions.east_m[i], navigation.good_north_m - regions.north_m[i])
        exposed = (away <= regions.radius_m[i] + 1.0) & (navigation.memory.ever_ok > 0)
        exposed &= (navigation.good_ns > since - WITNESS_NS) & (claims.heard_ns > since - WITNESS_NS)
        rows = np.flatnonzero(exposed)
        outcome = outcomes(navigation, claims, since, rows)
        ships[i] = np.count_nonzero((navigation.family[rows] == 1) & (outcome > 0))
        counts.append(counted(outcome))
    return replace(regions, ships=ships, causes=posterior(np.concatenate(counts), settings))


def _clusters(index: Int64[Array, " k"], place_m: Float64[Array, "n 2"], link_m: float) -> list[Int64[Array, " j"]]:
    """Single-linkage clusters of the rows at `index` by their places (east, north)."""
    if not len(index):
        return []
    east, north = place_m[index].T
    near = (east[:, None] - east) ** 2 + (north[:, None] - north) ** 2 < link_m**2
    label = np.arange(len(index))
    while True:  # everybody takes the lowest label near, and that one's own
        lower = np.where(near, label, len(index)).min(axis=1)
        lower = lower[lower]
        if np.array_equal(lower, label):
            break
        label = lower
    order = np.argsort(label, kind="stable")
    return np.split(index[order], np.flatnonzero(np.diff(label[order])) + 1)


def _disc(members: Int64[Array, " j"], navigation: Navigation) -> tuple[float, float, float]:
    """Centre and radius of one cluster."""
    east, north = navigation.good_east_m[members], navigation.good_north_m[members]
    if len(members) == 1:  # most are
        return float(east[0]), float(north[0]), 0.0
    e, n = float(east.mean()), float(north.mean())
    return e, n, float(np.hypot(east - e, north - n).max())


def _region(cluster: _Cluster, world: _Counted) -> tuple[int, int, float, int]:
    """Affected, exposed, p-value and onset of one cluster."""
    of, members = world.navigation, cluster.members
    distance = np.hypot(of.good_east_m - cluster.east_m, of.good_north_m - cluster.north_m)
    inside = world.exposed & (distance <= cluster.radius_m + world.settings.margin_m)
    k, total = int((world.fresh & inside).sum()), int(inside.sum())
    p = tail(total, k, world.settings.base_rate)
    return len(members), total, p, int(of.since_ns[members].min())


def tail(n: int, k: int, rate: float) -> float:
    """P(X >= k) of a binomial with n trials: the chance of as many losses without interference."""
    return 1.0 if k <= 0 else 0.0 if k > n else float(bdtrc(k - 1, n, rate))


def _continued(
    before: Interference, next_id: int, clusters: list[_Cluster], world: _Counted, now_ns: int
) -> tuple[Interference, int]:
    """Old regions matched to clusters by overlap; new ones only where the sequential test alarms."""
    settings = world.settings
    kept: list[tuple[int, int, int, float, float, float, int, int, float]] = []
    free = set(range(len(clusters)))
    for i in range(len(before)):
        match = [
            j
            for j in sorted(free)
            if math.hypot(clusters[j].east_m - before.east_m[i], clusters[j].north_m - before.north_m[i])
            < clusters[j].radius_m + before.radius_m[i] + settings.margin_m
        ]
        region, since = int(before.region_id[i]), int(before.since_ns[i])
        p = float(before.p_value[i])
        if match:
            free -= set(match)
            c = clusters[match[0]]
            k, total, p_now, _ = _region(c, world)
            kept.append((region, since, now_ns, c.east_m, c.north_m, c.radius_m, k, total, min(p, p_now)))
        elif now_ns - before.updated_ns[i] < settings.linger_s * 1e9:
            place = float(before.east_m[i]), float(before.north_m[i]), float(before.radius_m[i])
            kept.append((region, since, int(before.updated_ns[i]), *place, 0, int(before.exposed[i]), p))
    for j in sorted(free):
        c = clusters[j]
        if len(c.members) >= settings.affected_min and c.loud:
            k, total, p, onset = _region(c, world)
            kept.append((next_id, onset, now_ns, c.east_m, c.north_m, c.radius_m, k, total, p))
            next_id += 1
    if not kept:
        return no_interference(), next_id
    ints, floats = (np.int64, np.float64)
    kinds = (ints, ints, ints, floats, floats, floats, ints, ints, floats)
    return Interference(*(np.array(c, k) for c, k in zip(zip(*kept, strict=True), kinds, strict=True))), next_id
