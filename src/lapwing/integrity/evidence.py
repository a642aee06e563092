"""Evidence per speaker: what its claims say of its navigation, row by row. Axes: k rows, n speakers.

One rule book (kernel/condition.py) for the live picture and for archives. Reasons are codes into REASONS.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel import condition as kernel
from lapwing.kernel.condition import NOT_SAID, Limits, Memory, Rows
from lapwing.records import Array

REASONS = (
    "",
    "no position in it for {age:.0f} s although it is heard",
    "says itself that it has no position",
    "integrity category (NIC) fell to {nic:.0f}, its own normal is {nic_normal:.1f}",
    "accuracy category (NACp) fell to {nac_p:.0f}, its own normal is {nac_p_normal:.1f}",
    "position jumped farther than it can move",
    "reported positions contradict its own motion ({rejected:.0f} in a row)",
    "geometric altitude differs from pressure altitude by more than the message can say",
    "poor position quality since first heard",
    "reported at two places at once",
    "speed over ground {speed:.0f} m/s is impossible at {altitude:.0f} m for what flew fast before",
    "speed over ground and airspeed would need {wind:.0f} m/s of wind",
    "geometric altitude moved away from its own normal difference to pressure altitude",
    "a ship does not move at {speed:.0f} m/s",
    "the place cannot be reached from its last good one in this time",
    "the place is beyond the radio horizon of the receiver that hears it",
    "many claim this place at once, at one speed: no traffic is that close",
    "it circles round the same centre as others do: no traffic does",
    "a ship says that it is on land, where none can be",
)
REASON_NAMES = (  # the same without numbers, for tables
    "",
    "position lost",
    "says no position",
    "low NIC",
    "low NACp",
    "position jumped",
    "contradicts own motion",
    "geometric altitude saturated",
    "poor since first heard",
    "two places at once",
    "slow for its level",
    "impossible wind",
    "geometric altitude moved",
    "ship too fast",
    "unreachable place",
    "beyond radio horizon",
    "many at one place",
    "circle shared with others",
    "ship on land",
)
SPOOF_REASONS = (
    kernel.JUMPED,
    kernel.REJECTED,
    kernel.SATURATION,
    kernel.TWO_PLACES,
    kernel.SLOW,
    kernel.WIND,
    kernel.GEOMETRIC,
    kernel.FAST,
    kernel.ASTRAY,
    kernel.TOO_FAR,
    kernel.MAGNET,
    kernel.CIRCLE,
    kernel.ASHORE,
)
DECLINATION_RAD = 0.44  # magnetic headings may be this far from true ones (25 degrees)


@dataclass(frozen=True, slots=True)
class NavigationSettings:
    """Times and limits of the state machine."""

    silent_s: float = 15.0  # an aircraft sends two positions a second; this long without one is a loss
    heard_s: float = 6.0  # "still heard" means a frame within this time
    memory_s: float = 900.0  # a position older than this proves nothing
    recover_s: float = 10.0  # how long it must be good again
    onset_s: float = 2.0  # how long it must be bad
    twice_s: float = 15.0  # two disbelieved reports this close are no accident
    nic_floor: float = 5.0
    nac_p_floor: float = 4.0
    drop: float = 2.5  # categories below its own normal (one-step dithering is not evidence)
    baseline_s: float = 300.0  # time constant of the own normal
    prior_nic: float = 8.0
    prior_nac_p: float = 8.0
    version_s: float = 60.0  # NACp says nothing this long after the version changed: decoders make it up then
    slow_mps: float = 70.0  # no airliner flies slower over ground, above
    slow_above_m: float = 6_100.0
    airliner_mps: float = 150.0  # what once flew this fast is one
    wind_mps_max: float = 77.0
    geometric_m_max: float = 200.0
    ship_mps_max: float = 40.0
    reach_mps: float = 420.0
    slack_m: float = 3_000.0
    settled_s: float = 120.0
    low_m: float = 914.0  # traffic below is judged, but does not count for regions
    roll_rad_max: float = 0.436
    turn_radps_max: float = 0.035

    def limits(self) -> Limits:
        """As the kernel takes them."""
        return Limits(*(float(getattr(self, name)) for name in Limits._fields))


def least_wind(
    speed_mps: Float64[Array, " k"],
    track_rad: Float64[Array, " k"],
    airspeed_mps: Float64[Array, " k"],
    heading_rad: Float64[Array, " k"],
    spread_rad: Float64[Array, " k"],
) -> Float64[Array, " k"]:
    """The least wind that makes velocity over ground and true airspeed agree, when the heading may be off by
    `spread_rad` (pi = not said); NOT_SAID where a speed is."""
    apart = np.abs((track_rad - heading_rad + np.pi) % (2.0 * np.pi) - np.pi)
    apart = np.maximum(apart - spread_rad, 0.0)
    wind2 = speed_mps**2 + airspeed_mps**2 - 2.0 * speed_mps * airspeed_mps * np.cos(apart)
    said = (speed_mps >= 0.0) & (airspeed_mps > 0.0)
    return np.where(said, np.sqrt(np.maximum(wind2, 0.0)), NOT_SAID)


def judge_rows(
    rows: Rows, before: Memory, learn: Int64[Array, " k"], settings: NavigationSettings
) -> tuple[Memory, Int64[Array, " k"], Int64[Array, " k"], Int64[Array, " k"]]:
    """The memory after the rows, and per row the condition, its reason and since when (ns)."""
    after = Memory._make(column.copy() for column in before)
    k = len(rows.speaker)
    condition, reason, since_ns = np.zeros(k, np.int64), np.zeros(k, np.int64), np.zeros(k, np.int64)
    rows = Rows._make(column if column.flags.writeable else column.copy() for column in rows)
    kernel.advance(rows, after, learn, settings.limits(), condition, reason, since_ns)
    for column in after:
        column.flags.writeable = False
    return after, condition, reason, since_ns
