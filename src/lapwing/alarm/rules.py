"""Rules: sentences with evidence. Each takes the world of one tick and returns findings; none remembers anything.

Axis: n rows of tracks or claims. A finding is about one subject; the life cycle decides whether it is an alarm.
"""

from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

import numpy as np

from lapwing.records import (
    CAUSES,
    Claims,
    Classes,
    Condition,
    FeedHealth,
    Integrity,
    Interference,
    NodeAlert,
    Priority,
    Registration,
    Sources,
    Subject,
    Tracks,
)


@dataclass(frozen=True, slots=True)
class World:
    """What a rule may look at: one moment, all of the same time."""

    time_ns: int
    tracks: Tracks
    claims: Claims
    integrity: Integrity
    feeds: tuple[FeedHealth, ...]
    sensors: tuple[Registration, ...] = ()
    classes: Classes = field(default_factory=Classes.empty)  # rows as in `tracks`, or none where nothing is known
    alerts: tuple[NodeAlert, ...] = ()  # of sensors' nodes, that stand


@dataclass(frozen=True, slots=True)
class Finding:
    """One subject to which a rule applies now. `firm` False: it only keeps a standing alarm standing (hysteresis)."""

    rule: str
    zone: str
    subject: Subject
    subject_id: int
    priority: Priority
    hold_s: float
    firm: bool
    east_m: float
    north_m: float
    reason: str
    frame_seq: int
    linger_s: float = 0.0  # how much longer than others it may be gone before its alarm clears


@runtime_checkable
class Rule(Protocol):
    """A sentence about the world."""

    def findings(self, world: World) -> list[Finding]:
        """Every subject to which the sentence applies."""
        ...


@final
@dataclass(frozen=True, slots=True)
class GnssInterference:
    """Several claims in one region lost or degraded their navigation, or say what cannot be true."""

    def findings(self, world: World) -> list[Finding]:
        """One per region: how many, why, and where the source may be."""
        r = world.integrity.interference
        out = []
        for i in range(len(r)):
            text = (
                f"GNSS interference since {np.datetime64(int(r.since_ns[i]) // 10**9, 's')}Z: "
                f"{r.affected[i] - min(r.ships[i], r.affected[i])} aircraft and {r.ships[i]} ships affected of "
                f"{r.exposed[i]} within {r.radius_m[i] / 1000:.0f} km; {why(r, i)}; {source_words(world, i)}"
            )
            row = (Subject.REGION, int(r.region_id[i]), Priority.HIGH, 0.0, True)
            seqs = _affected_seq(world, float(r.east_m[i]), float(r.north_m[i]), float(r.radius_m[i]))
            place = (float(r.east_m[i]), float(r.north_m[i]), text, seqs)
            out.append(Finding("GNSS interference", "", *row, *place))
        return out


def why(regions: Interference, i: int) -> str:
    """The likeliest causes in words."""
    p = regions.causes[i]
    order = np.argsort(-p, kind="stable")
    told = [f"{CAUSES[k]} {100.0 * p[k]:.0f} %" for k in order if p[k] >= 0.05]
    return ", ".join(told) if told else "cause not known"


def source_words(world: World, i: int) -> str:
    """Where the source of region i may be, in words, from the site."""
    s = world.integrity.sources
    mine = np.flatnonzero(s.region_id == world.integrity.interference.region_id[i])
    if not len(mine):
        return "source not located"
    if not s.unique[mine].all():
        return "no unique source explains it"
    said = []
    for k in mine:
        east, north = float(s.east_m[k]), float(s.north_m[k])
        away, bearing = np.hypot(east, north) / 1000.0, np.degrees(np.arctan2(east, north)) % 360.0
        beam = " (sector antenna)" if s.width_rad[k] > 0.0 else ""
        wide = radius90(s, int(k)) / 1000.0
        said.append(f"{away:.0f} km at {bearing:.0f} degrees{beam}, 90 % within about {wide:.0f} km")
    return f"likely source{'s' if len(said) > 1 else ''} " + " and ".join(said)


def radius90(sources: Sources, row: int) -> float:
    """Radius of the circle as large as the 90 % region of a source."""
    area = 0.0
    mine = (sources.ring_row == row) & (sources.ring_share == 0.9)
    for ring in np.unique(sources.ring_number[mine]):
        e, n = (c[mine & (sources.ring_number == ring)] for c in (sources.ring_east_m, sources.ring_north_m))
        area += 0.5 * abs(float(np.sum(e[:-1] * n[1:] - e[1:] * n[:-1])))
    return float(np.sqrt(area / np.pi))


def _affected_seq(world: World, east_m: float, north_m: float, radius_m: float) -> int:
    """The newest frame among the affected claims of a region."""
    v = world.integrity
    bad = np.isin(v.condition, (Condition.LOST, Condition.DEGRADED, Condition.INCONSISTENT))
    near = np.hypot(v.good_east_m - east_m, v.good_north_m - north_m) <= radius_m + 1.0
    rows = v.frame_seq[bad & near & (v.good_ns > 0)]
    return int(rows.max()) if len(rows) else -1


@final
@dataclass(frozen=True, slots=True)
class InconsistentClaim:
    """What an aircraft or ship says of its position cannot be true."""

    hold_s: float = 5.0

    def findings(self, world: World) -> list[Finding]:
        """One per claim whose condition is INCONSISTENT."""
        v, claims = world.integrity, world.claims
        out = []
        for i in np.flatnonzero(v.condition == Condition.INCONSISTENT):
            who = claims.names[i] or f"{claims.address[i]:06X}"
            text = f"{who}: {v.reason[i]}"
            row = (Subject.CLAIM, int(claims.address[i]), Priority.MEDIUM, self.hold_s, True)
            place = (float(claims.mean[i, 0]), float(claims.mean[i, 1]), text, int(v.frame_seq[i]))
            out.append(Finding("inconsistent claim", "", *row, *place))
        return out


@final
@dataclass(frozen=True, slots=True)
class FeedQuiet:
    """A feed that delivered before has fallen silent: absence of tracks proves nothing there."""

    def findings(self, world: World) -> list[Finding]:
        """One per quiet feed."""
        out = []
        for i, feed in enumerate(world.feeds):
            if feed.quiet:
                text = f"feed {feed.feed}: nothing since {np.datetime64(feed.received_ns // 10**9, 's')}Z"
                row = (Subject.FEED, i, Priority.LOW, 0.0, True)
                out.append(Finding("feed quiet", "", *row, 0.0, 0.0, text, -1))
        return out
