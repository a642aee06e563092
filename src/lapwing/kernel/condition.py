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
SLOW, WIND, GEOMETRIC, FAST, ASTRAY, TOO_FAR, MAGNET, CIRCLE, ASHORE = range(10, 19)


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
    contradiction: I64  # a reason code found outside (jump, two places), 0 = none
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


class One(NamedTuple):
    """One row, as numbers: a call with columns would count references to each of them."""

    time_ns: int
    bits: int
    position_ns: int
    nic: float
    nac_p: float
    version: float
    altitude_m: float
    speed_mps: float
    wind_mps: float
    geometric_m: float
    contradiction: int
    latitude_rad: float
    longitude_rad: float


class Speaker(NamedTuple):
    """What is remembered of one speaker, as numbers; the fields are those of Memory."""

    condition: int
    since_ns: int
    changing_ns: int
    reason: int
    ever_ok: int
    fast: int
    good_ns: int
    last_ns: int
    version_ns: int
    false_ns: int
    version: float
    nic_normal: float
    nac_p_normal: float
    geometric_normal_m: float
    learned_s: float
    latitude_rad: float
    longitude_rad: float


@njit(cache=True)
def weigh(r: One, m: Speaker, c: Limits) -> tuple[int, int]:
    """What one row alone says of its speaker: condition and reason. Later lines overrule earlier ones."""
    if not r.bits & JUDGED:
        return UNKNOWN, 0
    age_s = (r.time_ns - r.position_ns) / 1e9
    heard = r.bits & HEARD != 0
    had = r.position_ns > 0 and (age_s < c.memory_s or m.condition == LOST)
    if had and not heard and m.condition != UNKNOWN:
        return m.condition, m.reason  # out of earshot: neither better nor worse
    seen, why = UNKNOWN, 0
    if had and heard:
        seen, why = _quality(r, m, c)
        if age_s > c.silent_s and r.bits & AIRCRAFT:
            seen, why = LOST, SILENT
        if r.bits & NO_POSITION:
            seen, why = LOST, NO_FIX
        if r.bits & MANOEUVRE and seen != OK and m.condition == OK:
            seen, why = OK, 0  # a banked antenna sees other satellites
    if r.bits & SATURATED:
        seen, why = INCONSISTENT, SATURATION
    vague = 0.0 <= r.nic <= c.nic_floor  # who says that it is vague may wander
    if heard and seen != LOST:
        found = _impossible(r, m, c)
        if found:
            seen, why = INCONSISTENT, found
        if r.contradiction and not vague:
            seen, why = INCONSISTENT, r.contradiction
    return seen, why


@njit(cache=True)
def _quality(r: One, m: Speaker, c: Limits) -> tuple[int, int]:
    """What the quality indicators say against the speaker's own normal."""
    seen, why = OK, 0
    if r.nic >= 0.0 and (r.nic <= c.nic_floor or r.nic < m.nic_normal - c.drop):
        seen, why = DEGRADED, LOW_NIC
    settled = r.time_ns - m.version_ns > c.version_s * 1e9 or m.version_ns == 0
    if r.nac_p >= 0.0 and settled and (r.nac_p <= c.nac_p_floor or r.nac_p < m.nac_p_normal - c.drop):
        seen, why = DEGRADED, LOW_NAC_P
    if seen == DEGRADED and m.ever_ok == 0:
        why = ALWAYS_POOR
    return seen, why


@njit(cache=True)
def _impossible(r: One, m: Speaker, c: Limits) -> int:
    """The reason why what is said cannot be true, or 0."""
    if r.bits & AIRCRAFT:
        if 0.0 <= r.speed_mps < c.slow_mps and r.altitude_m > c.slow_above_m and m.fast:
            return SLOW
        if r.wind_mps > c.wind_mps_max:
            return WIND
        known = r.geometric_m > NO_HEIGHT and m.geometric_normal_m > NO_HEIGHT
        moved = known and abs(r.geometric_m - m.geometric_normal_m) > c.geometric_m_max
        if moved and m.learned_s >= c.settled_s:
            return GEOMETRIC
    elif r.speed_mps > c.ship_mps_max:
        return FAST
    return ASTRAY if _astray(r, m, c) else 0


@njit(cache=True)
def _astray(r: One, m: Speaker, c: Limits) -> bool:
    """Whether the position cannot be reached from the last good one in the time since. A later position that can be
    is no jump: whoever comes back from a false position is believed."""
    if m.good_ns == 0 or r.position_ns <= m.good_ns:
        return False
    mps = c.reach_mps
    if not r.bits & AIRCRAFT:  # most ships go half as fast as the fastest: unless it says so itself
        mps = min(max(0.5 * c.ship_mps_max, 1.2 * r.speed_mps), c.ship_mps_max)
    reach_m = mps * (r.position_ns - m.good_ns) / 1e9 + c.slack_m
    north = r.latitude_rad - m.latitude_rad
    east = r.longitude_rad - m.longitude_rad
    if EARTH_M * (abs(north) + abs(east)) <= reach_m:  # near enough by any way
        return False
    east = (east + np.pi) % (2.0 * np.pi) - np.pi
    east *= np.cos(0.5 * (r.latitude_rad + m.latitude_rad))
    return bool(EARTH_M * np.sqrt(north * north + east * east) > reach_m)


@njit(cache=True)
def advance(r: Rows, m: Memory, learn: I64, c: Limits, condition: I64, reason: I64, since_ns: I64) -> None:
    """Every row in turn: condition, reason and onset after it are written; `m` is changed in place.
    `learn`: 1 where no interference is suspected, so that normals may be learned."""
    (speaker, time_ns, bits, position_ns, nic, nac_p, version, altitude_m, speed_mps, wind_mps, geometric_m) = r[:11]
    contradiction, latitude_rad, longitude_rad = r[11:]
    (a0, a1, a2, a3, a4, a5, a6, a7, a8, a9) = m[:10]
    (b0, b1, b2, b3, b4, b5, b6) = m[10:]
    for i in range(len(speaker)):
        s = speaker[i]
        row = One(
            time_ns[i], bits[i], position_ns[i], nic[i], nac_p[i], version[i], altitude_m[i], speed_mps[i],
            wind_mps[i], geometric_m[i], contradiction[i], latitude_rad[i], longitude_rad[i],
        )  # fmt: skip
        one = Speaker(
            a0[s], a1[s], a2[s], a3[s], a4[s], a5[s], a6[s], a7[s], a8[s], a9[s],
            b0[s], b1[s], b2[s], b3[s], b4[s], b5[s], b6[s],
        )  # fmt: skip
        one = heard_of(one, row, learn[i], c)
        a0[s], a1[s], a2[s], a3[s], a4[s], a5[s], a6[s], a7[s], a8[s], a9[s] = one[:10]
        b0[s], b1[s], b2[s], b3[s], b4[s], b5[s], b6[s] = one[10:]
        condition[i], reason[i], since_ns[i] = one.condition, one.reason, one.since_ns


@njit(cache=True)
def heard_of(m: Speaker, r: One, learn: int, c: Limits) -> Speaker:
    """The speaker after one row."""
    version, version_ns = m.version, m.version_ns
    if r.version >= 0.0 and r.version != version:
        version_ns = r.time_ns if version >= 0.0 else 0
        version = r.version
    m = Speaker(*m[:8], version_ns, m.false_ns, version, *m[11:])
    seen, why = weigh(r, m, c)
    condition, since_ns, changing_ns, reason = _settled(r, m, seen, why, c)
    dt_s = min(max(r.time_ns - m.last_ns, 0) / 1e9, c.silent_s) if m.last_ns else 0.0
    false_ns = r.time_ns if condition == INCONSISTENT else m.false_ns
    if condition != OK:
        return Speaker(
            condition, since_ns, changing_ns, reason, m.ever_ok, m.fast, m.good_ns, r.time_ns, version_ns, false_ns,
            *m[10:],
        )  # fmt: skip
    if seen != OK or r.position_ns <= 0:
        return Speaker(
            condition, since_ns, changing_ns, 0, 1, m.fast, m.good_ns, r.time_ns, version_ns, false_ns, *m[10:]
        )
    fast, nic, nac_p, geometric, learned_s = m.fast, m.nic_normal, m.nac_p_normal, m.geometric_normal_m, m.learned_s
    if learn:
        fast, nic, nac_p, geometric, learned_s = _learned(r, m, dt_s, c)
    return Speaker(
        condition, since_ns, changing_ns, 0, 1, fast, r.position_ns, r.time_ns, version_ns, false_ns,
        version, nic, nac_p, geometric, learned_s, r.latitude_rad, r.longitude_rad,
    )  # fmt: skip


@njit(cache=True)
def _settled(r: One, m: Speaker, seen: int, why: int, c: Limits) -> tuple[int, int, int, int]:
    """Condition, since when, since when it is about to change (0 = it is not), and reason: a condition changes only
    when the evidence has differed long enough."""
    if seen == m.condition:
        return m.condition, m.since_ns, 0, why
    changing_ns = m.changing_ns
    if changing_ns == 0:
        changing_ns = r.position_ns if why == SILENT else r.time_ns
    needed_s = c.recover_s if seen == OK else c.onset_s
    if m.condition == UNKNOWN or (r.time_ns - changing_ns) / 1e9 >= needed_s:
        return seen, changing_ns, 0, why
    return m.condition, m.since_ns, changing_ns, m.reason


@njit(cache=True)
def _learned(r: One, m: Speaker, dt_s: float, c: Limits) -> tuple[int, float, float, float, float]:
    """The speaker's own normals, slowly: fast, NIC, NACp, geometric difference, for how long."""
    weight = min(dt_s / c.baseline_s, 1.0)
    nic, nac_p, geometric = m.nic_normal, m.nac_p_normal, m.geometric_normal_m
    if r.nic >= 0.0:
        nic += weight * (r.nic - nic)
    if r.nac_p >= 0.0:
        nac_p += weight * (r.nac_p - nac_p)
    if r.geometric_m > NO_HEIGHT:
        geometric = r.geometric_m if geometric <= NO_HEIGHT else geometric + weight * (r.geometric_m - geometric)
    fast = 1 if r.speed_mps > c.airliner_mps else m.fast
    return fast, nic, nac_p, geometric, m.learned_s + dt_s
