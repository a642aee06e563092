"""The life of alarms: findings become raised, updated, cleared alarms, with delay and hysteresis. Axis: n alarms."""

from dataclasses import dataclass, replace

import numpy as np

from lapwing.alarm.rules import Finding, Rule, World
from lapwing.records import Alarms, AlarmState, Subject
from lapwing.records.alarms import Alarm

EVIDENCE_MAX = 16


@dataclass(frozen=True, slots=True)
class LifeSettings:
    """`clear_s`: how long a finding must be gone; `update_s`: least time between updates."""

    clear_s: float = 5.0
    update_s: float = 1.0
    keep_s: float = 900.0
    kept_max: int = 200


@dataclass(frozen=True, slots=True)
class Pending:
    """A finding that has not lasted long enough yet."""

    rule: str
    zone: str
    subject: Subject
    subject_id: int
    since_ns: int
    seen_ns: int


@dataclass(frozen=True, slots=True)
class AlarmMemory:
    """What the room remembers: standing and lately cleared alarms, findings on trial, when each was last seen."""

    alarms: tuple[Alarm, ...] = ()
    seen_ns: tuple[int, ...] = ()
    pending: tuple[Pending, ...] = ()
    next_id: int = 1


Key = tuple[str, str, int, int]


def step(memory: AlarmMemory, world: World, rules: tuple[Rule, ...], settings: LifeSettings) -> AlarmMemory:
    """What is remembered after one look at the world; `columns` of it are the alarms."""
    now = world.time_ns
    found: dict[Key, Finding] = {}
    for rule in rules:
        for f in rule.findings(world):
            found.setdefault((f.rule, f.zone, int(f.subject), f.subject_id), f)
    standing: list[tuple[Alarm, int]] = []
    for alarm, seen in zip(memory.alarms, memory.seen_ns, strict=True):
        key = (alarm.rule, alarm.zone, int(alarm.subject), alarm.subject_id)
        finding = found.pop(key, None) if alarm.state != AlarmState.CLEARED else None
        standing.append(_aged(alarm, seen, finding, now, settings))
    pending, raised, next_id = _tried(memory, found, now)
    alarms = sorted(
        [*((a, s) for a, s in standing if not _forgotten(a, now, settings)), *raised],
        key=lambda row: (row[0].state == AlarmState.CLEARED, row[0].priority, -row[0].raised_ns, row[0].alarm_id),
    )[: settings.kept_max]
    return AlarmMemory(tuple(a for a, _ in alarms), tuple(s for _, s in alarms), pending, next_id)


def _aged(alarm: Alarm, seen_ns: int, finding: Finding | None, now: int, settings: LifeSettings) -> tuple[Alarm, int]:
    """The alarm, updated by its finding or cleared for want of one; and when it was last found."""
    if alarm.state == AlarmState.CLEARED:
        return alarm, seen_ns
    if finding is None:
        if now - seen_ns >= settings.clear_s * 1e9:
            return replace(alarm, state=AlarmState.CLEARED, cleared_ns=now, updated_ns=now), seen_ns
        return alarm, seen_ns
    if now - alarm.updated_ns < settings.update_s * 1e9:
        return alarm, now
    if finding.reason == alarm.reason and finding.priority == alarm.priority:
        return alarm, now
    evidence = alarm.frame_seq
    if finding.frame_seq >= 0 and finding.frame_seq not in evidence:
        evidence = (*evidence[:1], *evidence[1:][-(EVIDENCE_MAX - 2) :], finding.frame_seq)
    return (
        replace(
            alarm,
            state=AlarmState.UPDATED,
            priority=min(alarm.priority, finding.priority),
            updated_ns=now,
            east_m=finding.east_m,
            north_m=finding.north_m,
            reason=finding.reason,
            frame_seq=evidence,
        ),
        now,
    )


def _tried(
    memory: AlarmMemory, found: dict[Key, Finding], now: int
) -> tuple[tuple[Pending, ...], list[tuple[Alarm, int]], int]:
    """Findings still on trial, alarms newly raised, and the next free id."""
    before = {(p.rule, p.zone, int(p.subject), p.subject_id): p for p in memory.pending}
    pending, raised, next_id = [], [], memory.next_id
    for key in sorted(found):
        f = found[key]
        if not f.firm:
            continue
        since = before[key].since_ns if key in before else now
        if now - since < f.hold_s * 1e9:
            pending.append(Pending(f.rule, f.zone, f.subject, f.subject_id, since, now))
            continue
        seqs = (f.frame_seq,) if f.frame_seq >= 0 else ()
        who = (next_id, f.rule, f.zone, f.subject, f.subject_id)
        raised.append(
            (Alarm(*who, AlarmState.RAISED, f.priority, now, now, 0, f.east_m, f.north_m, f.reason, seqs), now)
        )
        next_id += 1
    return tuple(pending), raised, next_id


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
