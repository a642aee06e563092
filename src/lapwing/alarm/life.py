"""The life of alarms: findings become raised, updated, cleared alarms, with delay and hysteresis. Axis: n alarms."""

import math
from dataclasses import dataclass, replace

import numpy as np

from lapwing.alarm.rules import Finding, Rule, World
from lapwing.alarm.zone_rules import APPROACHING, INSIDE, LOST
from lapwing.records import Alarms, AlarmState, Priority, Subject
from lapwing.records.alarms import Alarm

EVIDENCE_MAX = 16
NEVER = -1
# Rules that are stages of one incident: a track that was on its way and now is inside is one alarm that escalates.
INCIDENT = dict.fromkeys((APPROACHING, LOST, INSIDE), "zone entry")


@dataclass(frozen=True, slots=True)
class LifeSettings:
    """`clear_s`: how long a finding must be gone; `update_s`: least time between updates; `same_m`: a new track of a
    zone this near to an alarm of that zone is taken for the same incident: more urgent, it escalates that alarm."""

    clear_s: float = 5.0
    update_s: float = 1.0
    keep_s: float = 900.0
    kept_max: int = 200
    same_m: float = 300.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A firm finding, and how long it has lasted at each priority: long enough to be raised, or to escalate?"""

    rule: str
    zone: str
    subject: Subject
    subject_id: int
    since_ns: tuple[int, ...]  # per Priority: since when it has been at least so urgent; NEVER = it is not


@dataclass(frozen=True, slots=True)
class AlarmMemory:
    """What the room remembers: standing and lately cleared alarms, findings on trial, when each was last seen."""

    alarms: tuple[Alarm, ...] = ()
    seen_ns: tuple[int, ...] = ()  # when last found, plus how much longer it may linger
    pending: tuple[Pending, ...] = ()
    next_id: int = 1


Key = tuple[str, str, int, int]


def key(about: Alarm | Finding | Pending) -> Key:
    """What makes two findings, or a finding and an alarm, the same."""
    return INCIDENT.get(about.rule, about.rule), about.zone, int(about.subject), about.subject_id


def step(memory: AlarmMemory, world: World, rules: tuple[Rule, ...], settings: LifeSettings) -> AlarmMemory:
    """What is remembered after one look at the world; `columns` of it are the alarms."""
    now = world.time_ns
    found: dict[Key, Finding] = {}
    for rule in rules:
        for f in rule.findings(world):
            found.setdefault(key(f), f)
    pending, ripe = _tried(memory.pending, found, now)
    standing = [(a, found.pop(key(a), None) if a.state != AlarmState.CLEARED else None) for a in memory.alarms]
    taken, company = _joined(standing, found, ripe, settings)
    aged: list[tuple[Alarm, int]] = []
    for k, ((alarm, finding), seen) in enumerate(zip(standing, memory.seen_ns, strict=True)):
        mine = taken.get(k) or finding
        level = Priority(alarm.priority) if mine is None else min(ripe.get(key(mine), Priority.LOW), alarm.priority)
        aged.append(_aged(alarm, seen, mine, (now, company.get(k, 0), level), settings))
    raised: list[tuple[Alarm, int]] = []
    next_id = memory.next_id
    for name in sorted(found.keys() & ripe.keys(), key=lambda name: (ripe[name], name)):
        alarm = _alarm(next_id, found[name], ripe[name], now)
        if any(_beside(alarm, other, settings) for other, _ in raised):
            continue  # one of a group: it keeps company from the next look on
        raised.append((alarm, now + _linger_ns(found[name])))
        next_id += 1
    alarms = sorted(
        [*((a, s) for a, s in aged if not _forgotten(a, now, settings)), *raised],
        key=lambda row: (row[0].state == AlarmState.CLEARED, row[0].priority, -row[0].raised_ns, row[0].alarm_id),
    )[: settings.kept_max]
    return AlarmMemory(tuple(a for a, _ in alarms), tuple(s for _, s in alarms), pending, next_id)


def _tried(
    before: tuple[Pending, ...], found: dict[Key, Finding], now: int
) -> tuple[tuple[Pending, ...], dict[Key, Priority]]:
    """Findings on trial, and of those that have lasted long enough at some priority or a more urgent one, which."""
    known = {key(p): p.since_ns for p in before}
    pending, ripe = [], {}
    for name in sorted(found):
        f = found[name]
        if not f.firm:
            continue
        old = known.get(name, (NEVER,) * len(Priority))
        since = tuple((now if old[p] == NEVER else old[p]) if f.priority <= p else NEVER for p in Priority)
        pending.append(Pending(f.rule, f.zone, f.subject, f.subject_id, since))
        held = [p for p in Priority if since[p] != NEVER and now - since[p] >= f.hold_s * 1e9]
        if held:
            ripe[name] = held[0]
    return tuple(pending), ripe


def _beside(new: Alarm, other: Alarm, settings: LifeSettings) -> bool:
    """Whether both are about tracks of one zone that are so near to each other that the more urgent alarm tells all."""
    near = math.hypot(new.east_m - other.east_m, new.north_m - other.north_m) <= settings.same_m
    return near and new.subject == Subject.TRACK and key(new)[:3] == key(other)[:3]


def _joined(
    standing: list[tuple[Alarm, Finding | None]],
    found: dict[Key, Finding],
    ripe: dict[Key, Priority],
    settings: LifeSettings,
) -> tuple[dict[int, Finding], dict[int, int]]:
    """Findings about other tracks at the place of a standing alarm: those that take it over, for its track is gone or
    they are more urgent, and how many keep company. They leave `found`: one incident has one alarm."""
    taken: dict[int, Finding] = {}
    company: dict[int, int] = {}
    for name in sorted(found, key=lambda name: (ripe.get(name, Priority.LOW), name)):
        f = found[name]
        if f.subject != Subject.TRACK:
            continue
        apart = {
            k: math.hypot(a.east_m - f.east_m, a.north_m - f.north_m)
            for k, (a, _) in enumerate(standing)
            if a.state != AlarmState.CLEARED and key(a)[:3] == name[:3]
        }
        k = min(apart, key=lambda k: apart[k], default=-1)
        if k < 0 or apart[k] > settings.same_m:
            continue
        del found[name]
        more_urgent = name in ripe and ripe[name] < standing[k][0].priority
        if k not in taken and (standing[k][1] is None or more_urgent):
            taken[k] = f
        else:
            company[k] = company.get(k, 0) + 1
    for k in taken:  # whose alarm it was now keeps company
        if standing[k][1] is not None:
            company[k] = company.get(k, 0) + 1
    return taken, company


def _aged(
    alarm: Alarm, seen_ns: int, finding: Finding | None, at: tuple[int, int, Priority], settings: LifeSettings
) -> tuple[Alarm, int]:
    """The alarm, updated by its finding or cleared for want of one; and when it was last found. `at`: the time, how
    many more tracks are there, and its priority now, which only ever rises."""
    now, company, level = at
    heavier = level < alarm.priority
    if alarm.state == AlarmState.CLEARED:
        return alarm, seen_ns
    if finding is None:
        if now - seen_ns >= settings.clear_s * 1e9:
            return replace(alarm, state=AlarmState.CLEARED, cleared_ns=now, updated_ns=now), seen_ns
        return alarm, seen_ns
    seen_ns = now + _linger_ns(finding)
    if now - alarm.updated_ns < settings.update_s * 1e9 and not heavier:
        return alarm, seen_ns
    reason = finding.reason + (f"; {company} more tracks within {settings.same_m:.0f} m" if company else "")
    still = (finding.east_m, finding.north_m) == (alarm.east_m, alarm.north_m)
    if reason == alarm.reason and still and not heavier:
        return alarm, seen_ns
    evidence = alarm.frame_seq
    if finding.frame_seq >= 0 and finding.frame_seq not in evidence:
        evidence = (*evidence[:1], *evidence[1:][-(EVIDENCE_MAX - 2) :], finding.frame_seq)
    return (
        replace(
            alarm,
            rule=finding.rule if heavier or finding.priority == alarm.priority else alarm.rule,
            subject_id=finding.subject_id,
            state=AlarmState.UPDATED,
            priority=level,
            updated_ns=now,
            east_m=finding.east_m,
            north_m=finding.north_m,
            reason=reason,
            frame_seq=evidence,
        ),
        seen_ns,
    )


def _alarm(alarm_id: int, f: Finding, level: Priority, now: int) -> Alarm:
    """A new alarm."""
    seqs = (f.frame_seq,) if f.frame_seq >= 0 else ()
    who = (alarm_id, f.rule, f.zone, f.subject, f.subject_id)
    return Alarm(*who, AlarmState.RAISED, level, now, now, 0, f.east_m, f.north_m, f.reason, seqs)


def _linger_ns(f: Finding) -> int:
    return int(f.linger_s * 1e9)


def _forgotten(alarm: Alarm, now: int, settings: LifeSettings) -> bool:
    return alarm.state == AlarmState.CLEARED and now - alarm.cleared_ns > settings.keep_s * 1e9


def columns(memory: AlarmMemory) -> Alarms:
    """The alarms as columns."""
    alarms = memory.alarms

    def ints(name: str) -> np.ndarray:
        return np.array([int(getattr(a, name)) for a in alarms], np.int64)

    def floats(name: str) -> np.ndarray:
        return np.array([getattr(a, name) for a in alarms], np.float64)

    return Alarms(
        ints("alarm_id"),
        tuple(a.rule for a in alarms),
        tuple(a.zone for a in alarms),
        ints("subject"),
        ints("subject_id"),
        ints("state"),
        ints("priority"),
        ints("raised_ns"),
        ints("updated_ns"),
        ints("cleared_ns"),
        floats("east_m"),
        floats("north_m"),
        tuple(a.reason for a in alarms),
        tuple(a.frame_seq for a in alarms),
        memory.next_id,
    )
