"""The one state: all that the engine remembers between ticks, frozen. A checkpoint is this value, encoded."""

from dataclasses import dataclass
from typing import Any, cast

from lapwing import alarm, integrity, track
from lapwing.alarm import AlarmMemory
from lapwing.engine.bursts import Burst
from lapwing.engine.delays import Delays
from lapwing.engine.labels import Labels
from lapwing.engine.order import Window
from lapwing.engine.plan import Plan
from lapwing.integrity import IntegrityState
from lapwing.records import Claims, Classes, FeedHealth, Integrity, NodeAlert, Registration, Tracks, Unseen
from lapwing.track import Watch
from lapwing.track.looks import Pairs
from lapwing.track.shared import Shared
from lapwing.track.unseen import UnseenState


@dataclass(frozen=True, slots=True)
class Shown:
    """What the last picture said that the next one builds on."""

    tracks: Tracks
    classes: Classes
    unseen: Unseen


@dataclass(frozen=True, slots=True)
class FeedState:
    """One feed's decoder state and counts."""

    health: FeedHealth
    decoder: Any  # the frozen state of whatever decoder the site names for this feed
    delays: Delays = Delays()
    burst: Burst = Burst()


@dataclass(frozen=True, slots=True)
class State:
    """The world between two ticks."""

    tick: int
    time_ns: int
    through_seq: int
    feeds: tuple[FeedState, ...]  # in the order of the site's feeds
    window: Window  # of beliefs of type Watch
    labels: Labels
    registered: tuple[Pairs, ...]  # of the sensors heard so far, by name, with trusted traffic
    shared: tuple[Shared, ...]  # of those that see what another sees, by name
    sensors: tuple[Registration, ...]  # what both say
    claims: Claims
    integrity: IntegrityState
    verdict: Integrity | None
    alarms: AlarmMemory
    alerts: tuple[NodeAlert, ...] = ()  # of nodes, that stand
    unseen: UnseenState | None = None
    shown: Shown | None = None

    @property
    def watch(self) -> Watch:
        """What the tracking room believes now."""
        return cast(Watch, self.window.now)


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
        Window(track.watch_start(plan.tracking)),
        Labels.empty(),
        (),
        (),
        (),
        track.claims_start(plan.claims),
        integrity.start(plan.integrity),
        None,
        alarm.AlarmMemory(),
    )
