"""The one state: all that the engine remembers between ticks, frozen. A checkpoint is this value, encoded."""

from dataclasses import dataclass
from typing import Any

from lapwing import alarm, integrity, track
from lapwing.alarm import AlarmMemory
from lapwing.engine.order import Held
from lapwing.engine.plan import Plan
from lapwing.integrity import IntegrityState
from lapwing.records import Claims, FeedHealth, Integrity
from lapwing.track import TrackerState


@dataclass(frozen=True, slots=True)
class FeedState:
    """One feed's decoder state and counts."""

    health: FeedHealth
    decoder: Any  # the frozen state of whatever decoder the site names for this feed


@dataclass(frozen=True, slots=True)
class State:
    """The world between two ticks."""

    tick: int
    time_ns: int
    through_seq: int
    feeds: tuple[FeedState, ...]  # in the order of the site's feeds
    held: Held
    tracker: TrackerState
    claims: Claims
    integrity: IntegrityState
    verdict: Integrity | None
    alarms: AlarmMemory


def start(plan: Plan) -> State:
    """The state before the first frame."""
    feeds = tuple(
        FeedState(FeedHealth(name, 0, 0, 0, 0, 0, 0.0, False, "", -1, b""), decoder.start())
        for name, decoder in plan.decoders.items()
    )
    return State(
        0,
        0,
        0,
        feeds,
        Held(),
        track.start(plan.tracking),
        track.claims_start(plan.claims),
        integrity.start(plan.integrity),
        None,
        alarm.AlarmMemory(),
    )
