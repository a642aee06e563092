"""The picture: one frozen snapshot per tick. All that the web, the outbox and the history may see."""

from dataclasses import dataclass, field

from lapwing.records.alarms import Alarms
from lapwing.records.claims import Claims, Integrity
from lapwing.records.classes import Classes
from lapwing.records.directions import Directions
from lapwing.records.registration import Registration
from lapwing.records.tracks import Tracks
from lapwing.records.unseen import Unseen


@dataclass(frozen=True, slots=True)
class FeedHealth:
    """What one feed delivered so far, by journal time."""

    feed: str
    frames: int
    bytes_total: int
    messages: int
    faults: int
    received_ns: int  # last frame, 0 = never
    rate_hz: float  # messages per second, smoothed over about ten seconds
    quiet: bool  # nothing for longer than the feed's limit
    last_fault: str  # reason of the last refusal, "" = none
    last_fault_seq: int
    last_fault_example: bytes
    link: str = ""  # what the transport said last: "connected", "lost: ...", "ended"; "" = nothing yet
    delay_s: float | None = None  # received minus measured, smoothed over about ten seconds; None: no times stated
    delay_s_min: float | None = None  # the least of the last minute: it bounds how far the feed's clock is off


@dataclass(frozen=True, slots=True)
class Picture:
    """The world as believed at `time_ns`. `tick` counts from 1 and names the picture."""

    tick: int
    time_ns: int
    through_seq: int  # last journal entry that is in it
    tracks: Tracks
    claims: Claims
    integrity: Integrity
    alarms: Alarms
    feeds: tuple[FeedHealth, ...]
    directions: Directions = field(default_factory=Directions.empty)
    sensors: tuple[Registration, ...] = ()
    classes: Classes = field(default_factory=Classes.empty)  # rows as in `tracks`
    unseen: Unseen = field(default_factory=Unseen.empty)
