"""Rules about zones: what no claim explains, in a zone or on its way there. Axis: n tracks.

Whether a track gets an alarm of its own is a matter of what it probably is. A bird or a car over a fence a hundred
times a night must not teach a person to look away: tracks that are birds or ground traffic, or not at the zone's
heights, by more than two to one share one alarm per zone, of low priority, that stands as long as any is there. What
nobody measured the height of is as likely in the zone's band as its kinds' heights are. A zone with `each = true` gives
every one its own, at its priority; one with `kind_min` says itself how probable which kind must be. The kind is never
a verdict: what it probably is stands in the reason.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing.alarm.rules import Finding, World
from lapwing.alarm.zones import LocalZone
from lapwing.records import Array, Kind, Priority, Subject, TrackStatus

INSIDE, APPROACHING, LOST = "uncooperative in zone", "approaching zone", "lost on its way to zone"
UNSURE = "unsure in zone"
KEPT, FAR = 1.5, 2.0  # of the warning time: what keeps an alarm standing; how far ahead a lost track counts
NODES, WEIGHTS = np.polynomial.hermite.hermgauss(9)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
WORDS = {
    Kind.UNKNOWN: "of no known kind",
    Kind.MULTIROTOR: "multirotor",
    Kind.FIXED_WING_DRONE: "fixed-wing drone",
    Kind.BIRD: "bird",
    Kind.AIRCRAFT: "aircraft",
    Kind.HELICOPTER: "helicopter",
    Kind.SHIP: "ship",
    Kind.GROUND: "ground traffic",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """How sure a track must be before it gets an alarm of its own."""

    own_min: float = 1.0 / 3.0  # probability that it is to be worried about: a miss costs two false alarms
    kept_min: float = 0.25  # the same, for an alarm that stands
    drone_min: float = 2.0 / 3.0  # probability of a drone, for the zone's own priority; others get one less
    existence_min: float = 0.8
    height_sigma_m_max: float = 500.0  # a vaguer height is one that a filter was given, not one that was measured
    entry_min: float = 0.5  # probability that it will enter, given how well its velocity is known
    entry_kept_min: float = 0.25
    lost_s: float = 60.0  # how long after its predicted entry a lost track's alarm stays
    linger_s: float = 20.0  # after that, for one that was seen: who turns away for a moment does not alarm twice
    unsure_s: float = 600.0  # how long the shared alarm stays when none is there


@dataclass(frozen=True, slots=True)
class Near:
    """The tracks that concern a zone: row, distance to the edge (negative inside), seconds to entry (0 inside)."""

    row: Int64[Array, " k"]
    distance_m: Float64[Array, " k"]
    entry_s: Float64[Array, " k"]
    entry: Float64[Array, " k"]  # probability that it is inside or will be
    worry: Float64[Array, " k"]  # probability that it is neither bird nor ground traffic, and at the zone's heights
    drone: Float64[Array, " k"]  # the same, that it is a drone
    lost: Bool[Array, " k"]  # not detected lately, and it was on its way


@final
@dataclass(frozen=True, slots=True)
class ZoneEntry:
    """A confirmed track that no claim explains is inside a zone, or will be soon if it flies on straight, or was on its
    way when it was last seen: behind a hill it still flies."""

    local: LocalZone
    doubt: Doubt = Doubt()
    speed_mps_min: float = 3.0

    def findings(self, world: World) -> list[Finding]:
        """Tracks inside or on their way; those within the margin, or within KEPT times the warning time, only keep a
        standing alarm. Those that are probably nothing to worry about share one finding."""
        if not len(world.tracks) or not self.local.active(world.time_ns):
            return []
        near = self._near(world)
        sure = world.tracks.existence[near.row] >= self.doubt.existence_min
        own = np.ones(len(near.row), bool) if self.local.zone.each else near.worry >= self.doubt.own_min
        kept = own | (near.worry >= self.doubt.kept_min)
        firm = own & (near.lost | (sure & self._now(near)))
        out = [self._own(world, near, int(k), bool(firm[k])) for k in np.flatnonzero(kept)]
        shared = np.flatnonzero(~own & sure & self._now(near))
        return [*out, self._shared(world, near, shared)] if len(shared) else out

    def _near(self, world: World) -> Near:
        """The candidates: inside, within the margin, or probably entering: within KEPT times the warning time, or
        FAR times where it is no longer seen."""
        zone, tracks = self.local.zone, world.tracks
        distance = self.local.distance_m(tracks.mean[:, 0], tracks.mean[:, 1])
        candidate = unexplained(world, zone.cooperative_allowed) & self.local.in_band(tracks.mean, tracks.cov)
        entry, share = np.where(distance <= zone.margin_m, 0.0, np.inf), np.ones(len(tracks))
        moving = candidate & (distance > 0.0) & (np.hypot(tracks.mean[:, 3], tracks.mean[:, 4]) > self.speed_mps_min)
        if zone.warn_s > 0.0 and moving.any():
            at = np.flatnonzero(moving)
            unseen = tracks.status[at] == TrackStatus.COASTING
            mean = _flown_on(tracks.mean[at], tracks.cov[at], unseen)
            seconds = self.local.seconds_to_entry(mean, FAR * zone.warn_s)
            soon = seconds <= np.where(unseen, FAR, KEPT) * zone.warn_s
            at, seconds = at[soon], seconds[soon]
            share[at] = self._share(mean[soon], tracks.cov[at])
            likely = share[at] >= self.doubt.entry_kept_min
            entry[at[likely]] = seconds[likely]
        row = np.flatnonzero(candidate & np.isfinite(entry))
        worry, drone = self._worry(world, row)
        lost = (tracks.status[row] == TrackStatus.COASTING) & (entry[row] > 0.0)  # a lost course is a vague one
        return Near(row, distance[row], entry[row], share[row], worry, drone, lost)

    def _worry(self, world: World, row: Int64[Array, " k"]) -> tuple[Float64[Array, " k"], Float64[Array, " k"]]:
        """Probability that each is at the zone's heights and neither bird nor ground traffic; and that it is a drone
        there. Of a zone with `kind_min` the first is instead how near a kind comes to its threshold, `own_min` at it.
        Where nobody measured the height, it is as likely there as its kind is: airliners pass far above."""
        if len(world.classes.probability) != len(world.tracks):
            return np.ones(len(row)), np.ones(len(row))
        guessed = world.tracks.cov[row, 2, 2] > self.doubt.height_sigma_m_max**2
        p = world.classes.probability[row] * np.where(guessed[:, None], self.local.share_in_band(), 1.0)
        drone = p[:, Kind.MULTIROTOR] + p[:, Kind.FIXED_WING_DRONE]
        if self.local.zone.kind_min:
            ratios = [p[:, Kind[kind.upper()]] / least for kind, least in self.local.zone.kind_min]
            return self.doubt.own_min * np.max(ratios, axis=0), drone  # 1/3: some kind is as probable as it must be
        return p.sum(axis=1) - p[:, Kind.BIRD] - p[:, Kind.GROUND], drone

    def _share(self, mean: Float64[Array, "n 6"], cov: Float64[Array, "n 6 6"]) -> Float64[Array, " n"]:
        """Probability of entering: straight paths at nine courses (Gauss-Hermite in the velocity across the path)."""
        speed = np.hypot(mean[:, 3], mean[:, 4])
        across = np.column_stack([-mean[:, 4], mean[:, 3]]) / speed[:, None]
        sigma = np.sqrt(np.maximum(np.einsum("ni,nij,nj->n", across, cov[:, 3:5, 3:5], across), 0.0))
        out = np.zeros(len(mean))
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            turned = mean.copy()
            turned[:, 3:5] += (np.sqrt(2.0) * node * sigma)[:, None] * across
            out += weight * np.isfinite(self.local.seconds_to_entry(turned, FAR * self.local.zone.warn_s))
        return out

    def _now(self, near: Near) -> Bool[Array, " k"]:
        """Who is inside, or will be within the warning time."""
        soon = (near.entry_s > 0.0) & (near.entry_s <= self.local.zone.warn_s) & (near.entry >= self.doubt.entry_min)
        return np.asarray((near.distance_m <= 0.0) | soon)

    def _own(self, world: World, near: Near, k: int, firm: bool) -> Finding:
        """The finding about one track."""
        zone, tracks, i = self.local.zone, world.tracks, int(near.row[k])
        inside = near.distance_m[k] <= 0.0 or near.entry_s[k] <= 0.0
        if inside:
            speed = float(np.hypot(tracks.mean[i, 3], tracks.mean[i, 4]))
            text = f"is {max(-near.distance_m[k], 0.0):.0f} m inside {zone.name}, {speed:.0f} m/s"
        elif near.lost[k]:
            text = (
                f"is lost on its way to {zone.name}, which it would reach in {near.entry_s[k]:.0f} s if it flies on "
                f"straight ({near.distance_m[k]:.0f} m away)"
            )
        else:
            text = (
                f"will enter {zone.name} in {near.entry_s[k]:.0f} s if it flies on straight "
                f"({near.distance_m[k]:.0f} m away)"
            )
        text = f"track {tracks.track_id[i]} {text}, {_kinds(world, i)}existence {tracks.existence[i]:.2f}"
        level = Priority[zone.priority.upper()]
        if near.drone[k] < self.doubt.drone_min and not zone.each:
            level = Priority(min(level + 1, Priority.LOW))
        level = level if inside else max(level, Priority.MEDIUM)
        row = (Subject.TRACK, int(tracks.track_id[i]), level, zone.hold_s, firm)
        place = (float(tracks.mean[i, 0]), float(tracks.mean[i, 1]), f"{text}; no claim explains it")
        rule = INSIDE if inside else LOST if near.lost[k] else APPROACHING
        linger_s = near.entry_s[k] + (self.doubt.lost_s if rule == LOST else self.doubt.linger_s)
        return Finding(rule, zone.name, *row, *place, int(tracks.frame_seq[i]), float(linger_s))

    def _shared(self, world: World, near: Near, rows: Int64[Array, " m"]) -> Finding:
        """The one finding about all that are probably nothing to worry about, at the one that is so the least."""
        zone, tracks = self.local.zone, world.tracks
        k = int(rows[np.argmax(near.worry[rows])])
        i = int(near.row[k])
        inside = int((near.distance_m[rows] <= 0.0).sum())
        least = f"track {tracks.track_id[i]}, {_kinds(world, i)}{_from_edge(near, k)}"
        what = "surely enough of no kind that it warns of" if zone.kind_min else "probably birds, ground traffic"
        text = (
            f"{inside} tracks in {zone.name} and {len(rows) - inside} on their way are {what} or at other heights; "
            f"the least so is {least}"
        )
        row = (Subject.ZONE, 0, Priority.LOW, zone.hold_s, True)
        place = (float(tracks.mean[i, 0]), float(tracks.mean[i, 1]), text, int(tracks.frame_seq[i]))
        return Finding(UNSURE, zone.name, *row, *place, self.doubt.unsure_s)


def _flown_on(
    mean: Float64[Array, "n 6"], cov: Float64[Array, "n 6 6"], unseen: Bool[Array, " n"]
) -> Float64[Array, "n 6"]:
    """The tracks' means, those that are unseen half a sigma faster along their course. What nothing renews slows down
    in the mean, for it may have stopped; but what was on its way and is seen no more is expected to fly on."""
    speed = np.hypot(mean[:, 3], mean[:, 4])
    along = mean[:, 3:5] / speed[:, None]
    sigma = np.sqrt(np.maximum(np.einsum("ni,nij,nj->n", along, cov[:, 3:5, 3:5], along), 0.0))
    out = mean.copy()
    out[:, 3:5] += np.where(unseen, 0.5 * sigma, 0.0)[:, None] * along
    return out


def _from_edge(near: Near, k: int) -> str:
    d = float(near.distance_m[k])
    return f"{-d:.0f} m inside" if d <= 0.0 else f"{d:.0f} m outside"


def _kinds(world: World, i: int) -> str:
    """The two likeliest kinds in words, with a comma after, or nothing where nothing is known."""
    if len(world.classes.probability) != len(world.tracks):
        return ""
    p = world.classes.probability[i]
    likeliest = np.argsort(-p, kind="stable")[:2]
    told = [f"{WORDS[Kind(int(c))]} {100.0 * p[c]:.0f} %" for c in likeliest if p[c] >= 0.05]
    return f"{' or '.join(told)}, "


def unexplained(world: World, cooperative_allowed: bool) -> Bool[Array, " n"]:
    """Confirmed tracks that no claim explains (or all confirmed tracks where claims excuse nothing)."""
    confirmed: Bool[Array, " n"] = world.tracks.status != TrackStatus.TENTATIVE
    if not cooperative_allowed:
        return confirmed
    confirmed &= ~np.isin(world.tracks.track_id, world.integrity.track_id)
    return confirmed
