"""The state machine of one speaker's navigation, run over rows. Axes: k rows, n speakers.

Rows come grouped by speaker or one per speaker and step; within a speaker they are in order of time. The same loop
judges live claims (one row per speaker and second) and archives (all rows of a day). Reference notes on GNSS
interference, sections 2.4 and 7: every speaker is judged against its own normal over a fixed prior; one-step dithering,
version-0 transponders and manoeuvres are not evidence.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

# What a row may say, as bits.
JUDGED, HEARD, AIRCRAFT, NO_POSITION, SATURATED, MANOEUVRE = 1, 2, 4, 8, 16, 32
NOT_SAID = -1.0  # of nic, nac_p, version, speed, wind
EARTH_M = 6_371_000.0
NO_HEIGHT = -1e9  # of altitude and geometric-minus-barometric altitude

OK, DEGRADED, LOST, INCONSISTENT, UNKNOWN = range(5)
SILENT, NO_FIX, LOW_NIC, LOW_NAC_P, JUMPED, REJECTED, SATURATION, ALWAYS_POOR, TWO_PLACES = range(1, 10)
SLOW, WIND, GEOMETRIC, FAST, ASTRAY, TOO_FAR, MAGNET = range(10, 17)


class Rows(NamedTuple):
    """k moments: what each speaker said last, then. Metres, metres per second, nanoseconds."""

    speaker: I64  # row of Memory
    time_ns: I64
    bits: I64
    position_ns: I64  # last believed position, 0 = never
    nic: F64
    nac_p: F64  # version-0 transponders do not transmit it: then NOT_SAID
    version: F64
    altitude_m: F64
    speed_mps: F64
    wind_mps: F64  # the least wind that makes speed over ground and airspeed agree
    geometric_m: F64  # geometric minus barometric altitude
    contradiction: I64  # a reason code found outside (jump, two places, magnet), 0 = none
    latitude_rad: F64  # of the last believed position
    longitude_rad: F64


class Memory(NamedTuple):
    """n speakers: what is remembered. All in place."""

    condition: I64
    since_ns: I64
    changing_ns: I64  # since when the evidence differs from `condition`, 0 = it does not
    reason: I64
    ever_ok: I64
    fast: I64  # 1 = once flew as only an airliner does
    good_ns: I64  # last position while OK
    last_ns: I64
    version_ns: I64  # when the version last changed
    false_ns: I64  # when it last said what cannot be true
    version: F64
    nic_normal: F64
    nac_p_normal: F64
    geometric_normal_m: F64
    learned_s: F64  # how long the normals were learned
    latitude_rad: F64  # where it was at `good_ns`
    longitude_rad: F64


class Limits(NamedTuple):
    """Settings, floats all (docs: integrity.NavigationSettings)."""

    silent_s: float
    memory_s: float
    recover_s: float
    onset_s: float
    nic_floor: float
    nac_p_floor: float
    drop: float
    baseline_s: float
    version_s: float
    slow_mps: float
    slow_above_m: float
    airliner_mps: float
    wind_mps_max: float
    geometric_m_max: float
    ship_mps_max: float
    reach_mps: float  # no aircraft is faster over ground
    slack_m: float  # and this much is noise
    settled_s: float  # normals learned for less than this are not yet this speaker's own


def memory(n: int, nic: float, nac_p: float) -> Memory:
    """n speakers of whom nothing is known, at the fleet's normals."""
    zero = [np.zeros(n, np.int64) for _ in range(9)]
    unknown = np.full(n, UNKNOWN, np.int64)
    floats = (np.full(n, NOT_SAID), np.full(n, nic), np.full(n, nac_p), np.full(n, NO_HEIGHT))
    return Memory._make([unknown, *zero, *floats, np.zeros(n), np.zeros(n), np.zeros(n)])


@njit(cache=True)
def weigh(r: Rows, i: int, m: Memory, s: int, c: Limits) -> tuple[int, int]:
    """What row i alone says of speaker s: condition and reason. Later lines overrule earlier ones."""
    bits = r.bits[i]
    if not bits & JUDGED:
        return UNKNOWN, 0
    age_s = (r.time_ns[i] - r.position_ns[i]) / 1e9
    heard = bits & HEARD != 0
    had = r.position_ns[i] > 0 and (age_s < c.memory_s or m.condition[s] == LOST)
    if had and not heard and m.condition[s] != UNKNOWN:
        return m.condition[s], m.reason[s]  # out of earshot: neither better nor worse
    seen, why = UNKNOWN, 0
    if had and heard:
        seen, why = _quality(r, i, m, s, c)
        if age_s > c.silent_s and bits & AIRCRAFT:
            seen, why = LOST, SILENT
        if bits & NO_POSITION:
            seen, why = LOST, NO_FIX
        if bits & MANOEUVRE and seen != OK and m.condition[s] == OK:
            seen, why = OK, 0  # a banked antenna sees other satellites
    if bits & SATURATED:
        seen, why = INCONSISTENT, SATURATION
    vague = 0.0 <= r.nic[i] <= c.nic_floor  # who says that it is vague may wander
    if heard and seen != LOST:
        found = _impossible(r, i, m, s, c)
        if found:
            seen, why = INCONSISTENT, found
        if r.contradiction[i] and not vague:
            seen, why = INCONSISTENT, r.contradiction[i]
    return seen, why


@njit(cache=True)
def _quality(r: Rows, i: int, m: Memory, s: int, c: Limits) -> tuple[int, int]:
    """What the quality indicators say against the speaker's own normal."""
    seen, why = OK, 0
    nic, nac_p = r.nic[i], r.nac_p[i]
    if nic >= 0.0 and (nic <= c.nic_floor or nic < m.nic_normal[s] - c.drop):
        seen, why = DEGRADED, LOW_NIC
    settled = r.time_ns[i] - m.version_ns[s] > c.version_s * 1e9 or m.version_ns[s] == 0
    if nac_p >= 0.0 and settled and (nac_p <= c.nac_p_floor or nac_p < m.nac_p_normal[s] - c.drop):
        seen, why = DEGRADED, LOW_NAC_P
    if seen == DEGRADED and m.ever_ok[s] == 0:
        why = ALWAYS_POOR
    return seen, why


@njit(cache=True)
def _impossible(r: Rows, i: int, m: Memory, s: int, c: Limits) -> int:
    """The reason why what is said cannot be true, or 0."""
    if r.bits[i] & AIRCRAFT:
        if 0.0 <= r.speed_mps[i] < c.slow_mps and r.altitude_m[i] > c.slow_above_m and m.fast[s]:
            return SLOW
        if r.wind_mps[i] > c.wind_mps_max:
            return WIND
        known = r.geometric_m[i] > NO_HEIGHT and m.geometric_normal_m[s] > NO_HEIGHT
        moved = known and abs(r.geometric_m[i] - m.geometric_normal_m[s]) > c.geometric_m_max
        if moved and m.learned_s[s] >= c.settled_s:
            return GEOMETRIC
    elif r.speed_mps[i] > c.ship_mps_max:
        return FAST
    return ASTRAY if _astray(r, i, m, s, c) else 0


@njit(cache=True)
def _astray(r: Rows, i: int, m: Memory, s: int, c: Limits) -> bool:
    """Whether the position cannot be reached from the last good one in the time since. A later position that can be
    is no jump: whoever comes back from a false position is believed."""
    if m.good_ns[s] == 0 or r.position_ns[i] <= m.good_ns[s]:
        return False
    north = r.latitude_rad[i] - m.latitude_rad[s]
    east = (r.longitude_rad[i] - m.longitude_rad[s] + np.pi) % (2.0 * np.pi) - np.pi
    east *= np.cos(0.5 * (r.latitude_rad[i] + m.latitude_rad[s]))
    away_m = EARTH_M * np.sqrt(north * north + east * east)
    mps = c.reach_mps if r.bits[i] & AIRCRAFT else c.ship_mps_max
    return bool(away_m > mps * (r.position_ns[i] - m.good_ns[s]) / 1e9 + c.slack_m)


@njit(cache=True)
def advance(r: Rows, m: Memory, learn: I64, c: Limits, condition: I64, reason: I64, since_ns: I64) -> None:
    """Every row in turn: condition, reason and onset after it are written; `m` is changed in place.
    `learn`: 1 where no interference is suspected, so that normals may be learned."""
    for i in range(len(r.speaker)):
        s = r.speaker[i]
        if r.version[i] >= 0.0 and r.version[i] != m.version[s]:
            m.version_ns[s] = r.time_ns[i] if m.version[s] >= 0.0 else 0
            m.version[s] = r.version[i]
        seen, why = weigh(r, i, m, s, c)
        _settle(r, i, m, s, seen, why, c)
        dt_s = min(max(r.time_ns[i] - m.last_ns[s], 0) / 1e9, c.silent_s) if m.last_ns[s] else 0.0
        m.last_ns[s] = r.time_ns[i]
        if m.condition[s] == INCONSISTENT:
            m.false_ns[s] = r.time_ns[i]
        if m.condition[s] == OK:
            m.ever_ok[s] = 1
            m.reason[s] = 0
            if seen == OK and r.position_ns[i] > 0:
                m.good_ns[s] = r.position_ns[i]
                m.latitude_rad[s], m.longitude_rad[s] = r.latitude_rad[i], r.longitude_rad[i]
                if learn[i]:
                    _learn(r, i, m, s, dt_s, c)
        condition[i], reason[i], since_ns[i] = m.condition[s], m.reason[s], m.since_ns[s]


@njit(cache=True)
def _settle(r: Rows, i: int, m: Memory, s: int, seen: int, why: int, c: Limits) -> None:
    """Hysteresis: a condition changes only when the evidence has differed long enough."""
    now = r.time_ns[i]
    if seen == m.condition[s]:
        m.changing_ns[s] = 0
        m.reason[s] = why
        return
    if m.changing_ns[s] == 0:
        m.changing_ns[s] = r.position_ns[i] if why == SILENT else now
    better = seen == OK and m.condition[s] != UNKNOWN
    needed_s = c.recover_s if better else c.onset_s
    if m.condition[s] == UNKNOWN:
        needed_s = 0.0
    if (now - m.changing_ns[s]) / 1e9 >= needed_s:
        m.condition[s], m.since_ns[s], m.reason[s] = seen, m.changing_ns[s], why
        m.changing_ns[s] = 0


@njit(cache=True)
def _learn(r: Rows, i: int, m: Memory, s: int, dt_s: float, c: Limits) -> None:
    """The speaker's own normals, slowly."""
    weight = min(dt_s / c.baseline_s, 1.0)
    if r.nic[i] >= 0.0:
        m.nic_normal[s] += weight * (r.nic[i] - m.nic_normal[s])
    if r.nac_p[i] >= 0.0:
        m.nac_p_normal[s] += weight * (r.nac_p[i] - m.nac_p_normal[s])
    if r.geometric_m[i] > NO_HEIGHT:
        if m.geometric_normal_m[s] <= NO_HEIGHT:
            m.geometric_normal_m[s] = r.geometric_m[i]
        m.geometric_normal_m[s] += weight * (r.geometric_m[i] - m.geometric_normal_m[s])
    if r.speed_mps[i] > c.airliner_mps:
        m.fast[s] = 1
    m.learned_s[s] += dt_s
