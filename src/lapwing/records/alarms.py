"""Alarms: what a human must know now, why, and on which evidence. Axis: n alarms."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records.arrays import Array, column, freeze_columns, same_length

ALERT_LAPSE_S = 3600.0  # a node's alert that it has not repeated for so long stands no more


class AlarmState(IntEnum):
    """Alarm life."""

    RAISED = 0
    UPDATED = 1
    CLEARED = 2


class Priority(IntEnum):
    """ISA-18.2 style, most urgent first."""

    CRITICAL = 0
    HIGH = 1
    MEDIUM = 2
    LOW = 3


class Subject(IntEnum):
    """What an alarm is about: `subject_id` is a track_id, an address, a region_id, a feed's row, a sensor's,
    0 for a zone (its name says which), or the number of a node's alert."""

    TRACK = 0
    CLAIM = 1
    REGION = 2
    FEED = 3
    SENSOR = 4
    ZONE = 5
    NODE = 6


@dataclass(frozen=True, slots=True)
class NodeAlert:
    """What a sensor's node says itself that somebody should know: its word, not our judgement."""

    number: int  # of this alert of this node; the same each time it is told
    sensor: str
    node: str  # its name or identity
    active: bool  # False: it is over
    time_ns: int  # when it was told, by the node
    priority: Priority  # as far as the site allows
    east_m: float  # where; of the sensor itself when it does not say
    north_m: float
    reason: str
    frame_seq: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """One row of `Alarms`: there are never many, so the life cycle handles them one by one."""

    alarm_id: int
    rule: str
    zone: str
    subject: Subject
    subject_id: int
    state: AlarmState
    priority: Priority
    raised_ns: int
    updated_ns: int
    cleared_ns: int
    east_m: float
    north_m: float
    reason: str
    frame_seq: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alarms:
    """n alarms that are standing or were cleared lately. An alarm_id is never reused."""

    alarm_id: Int64[Array, " n"]
    rule: tuple[str, ...]
    zone: tuple[str, ...]  # zone name or ""
    subject: Int64[Array, " n"]  # Subject
    subject_id: Int64[Array, " n"]
    state: Int64[Array, " n"]  # AlarmState
    priority: Int64[Array, " n"]  # Priority
    raised_ns: Int64[Array, " n"]
    updated_ns: Int64[Array, " n"]
    cleared_ns: Int64[Array, " n"]  # 0 = not cleared
    east_m: Float64[Array, " n"]  # where the subject was when last updated
    north_m: Float64[Array, " n"]
    reason: tuple[str, ...]
    frame_seq: tuple[tuple[int, ...], ...]  # evidence: journal entries
    next_id: int

    def __post_init__(self) -> None:
        same_length(self, "alarm_id", "rule", "zone", "subject", "subject_id", "state", "priority", "raised_ns")
        same_length(self, "alarm_id", "updated_ns", "cleared_ns", "east_m", "north_m", "reason", "frame_seq")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.alarm_id)

    @classmethod
    def empty(cls, next_id: int = 1) -> "Alarms":
        """Nothing to say."""
        i, f = column([], np.int64), column([], np.float64)
        return cls(i, (), (), i, i, i, i, i, i, i, f, f, (), (), next_id)
