"""Condition of each claim's navigation: OK, DEGRADED, LOST, INCONSISTENT, UNKNOWN. Axes: n claims.

Layer 0 of the reference notes on GNSS interference (section 7): every aircraft and ship is judged against its own
baseline, with the guards of section 2.4: ground traffic, version-0 transponders, one-step dithering, rebroadcasts
and receivers' own positions are not evidence; a loss needs other frames of the same address during the gap.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing.records import Array, Claims, Condition, Doubt, Field, Source
from lapwing.records.arrays import freeze_columns

JUDGED = (Source.ADSB, Source.ADSB_OTHER, Source.AIS, Source.REMOTE_ID)  # the sender's own word
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
)
SILENT, NO_POSITION, LOW_NIC, LOW_NAC_P, JUMPED, REJECTED, SATURATED, ALWAYS_POOR, TWO_PLACES = range(1, 10)


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


@dataclass(frozen=True, slots=True)
class Navigation:
    """What is remembered per claim, rows as in the Claims of the same tick."""

    address: Int64[Array, " n"]
    family: Int64[Array, " n"]
    condition: Int64[Array, " n"]
    since_ns: Int64[Array, " n"]
    reason: Int64[Array, " n"]  # index into REASONS
    changing_ns: Int64[Array, " n"]  # since when the evidence differs from `condition`; 0 = it does not
    nic_normal: Float64[Array, " n"]
    nac_p_normal: Float64[Array, " n"]
    ever_ok: Int64[Array, " n"]
    good_east_m: Float64[Array, " n"]
    good_north_m: Float64[Array, " n"]
    good_ns: Int64[Array, " n"]
    suspect_ns: Int64[Array, " n"]  # last report that the filter disbelieved
    suspect_before_ns: Int64[Array, " n"]  # and the one before that
    time_ns: int

    def __post_init__(self) -> None:
        freeze_columns(self)


def start(settings: NavigationSettings) -> Navigation:
    """Nobody known."""
    return _aligned(_nothing(), Claims.empty(0), settings)


def _nothing() -> Navigation:
    i, f = np.zeros(0, np.int64), np.zeros(0)
    return Navigation(i, i, i, i, i, i, f, f, i, f, f, i, i, i, 0)


def family(source: Int64[Array, " n"]) -> Int64[Array, " n"]:
    """Which address book a source uses: 0 aircraft, 1 ships, 2 Remote ID."""
    return np.where(source >= Source.REMOTE_ID, 2, np.where(source >= Source.AIS, 1, 0)).astype(np.int64)


def _aligned(before: Navigation, claims: Claims, settings: NavigationSettings) -> Navigation:
    """What is remembered, in the rows of `claims`; newcomers start UNKNOWN at the fleet's normal."""
    n = len(claims)
    key = (family(claims.source) << 40) | claims.address
    old = (before.family << 40) | before.address
    at = np.searchsorted(old, key) if len(old) else np.zeros(n, np.int64)
    at = np.minimum(at, max(len(old) - 1, 0))
    known = (old[at] == key) if len(old) else np.zeros(n, bool)

    def take(column: Array, fresh: int | float) -> Array:
        out = np.full(n, fresh, dtype=column.dtype)
        out[known] = column[at[known]]
        return out

    return Navigation(
        claims.address,
        family(claims.source),
        take(before.condition, Condition.UNKNOWN),
        take(before.since_ns, claims.time_ns),
        take(before.reason, 0),
        take(before.changing_ns, 0),
        take(before.nic_normal, settings.prior_nic),
        take(before.nac_p_normal, settings.prior_nac_p),
        take(before.ever_ok, 0),
        take(before.good_east_m, 0.0),
        take(before.good_north_m, 0.0),
        take(before.good_ns, 0),
        take(before.suspect_ns, 0),
        take(before.suspect_before_ns, 0),
        claims.time_ns,
    )


def judge(before: Navigation, claims: Claims, learning: bool, settings: NavigationSettings) -> Navigation:
    """Each claim's condition at the claims' time. `learning`: no interference is suspected, normals may be learned."""
    mine = _aligned(before, claims, settings)
    again = claims.suspect_ns > mine.suspect_ns
    mine = replace(
        mine,
        suspect_ns=np.where(again, claims.suspect_ns, mine.suspect_ns),
        suspect_before_ns=np.where(again, mine.suspect_ns, mine.suspect_before_ns),
    )
    seen, reason = _evidence(mine, claims, settings)
    condition, since, changing = _with_hysteresis(mine, seen, claims.time_ns, settings)
    reason = np.where(condition == seen, reason, mine.reason)
    ok = condition == Condition.OK
    dt_s = max(claims.time_ns - before.time_ns, 0) * 1e-9 if before.time_ns else 0.0
    good = ok & (seen == Condition.OK) & (claims.position_ns > 0)
    return Navigation(
        mine.address,
        mine.family,
        condition,
        since,
        np.where(ok, 0, reason),
        changing,
        _learned(mine.nic_normal, *_fresh(claims, Field.NIC), good & learning, dt_s / settings.baseline_s),
        _learned(mine.nac_p_normal, *_fresh(claims, Field.NAC_P), good & learning, dt_s / settings.baseline_s),
        np.maximum(mine.ever_ok, ok.astype(np.int64)),
        np.where(good, claims.mean[:, 0], mine.good_east_m),
        np.where(good, claims.mean[:, 1], mine.good_north_m),
        np.where(good, claims.position_ns, mine.good_ns),
        mine.suspect_ns,
        mine.suspect_before_ns,
        claims.time_ns,
    )


def _fresh(claims: Claims, field: Field, age_s: float = 10.0) -> tuple[Float64[Array, " n"], Bool[Array, " n"]]:
    value, said_ns = claims.said(field)
    return value, (said_ns > 0) & (claims.time_ns - said_ns < age_s * 1e9)


def _learned(
    normal: Float64[Array, " n"],
    value: Float64[Array, " n"],
    fresh: Bool[Array, " n"],
    good: Bool[Array, " n"],
    weight: float,
) -> Float64[Array, " n"]:
    return np.where(fresh & good, normal + min(weight, 1.0) * (value - normal), normal)


def _evidence(
    mine: Navigation, claims: Claims, settings: NavigationSettings
) -> tuple[Int64[Array, " n"], Int64[Array, " n"]]:
    """What this moment alone says: condition and reason. Later lines overrule earlier ones."""
    now, n = claims.time_ns, len(claims)
    age_s = (now - claims.position_ns) * 1e-9
    heard = (now - claims.heard_ns) * 1e-9 < settings.heard_s
    had = (claims.position_ns > 0) & ((age_s < settings.memory_s) | (mine.condition == Condition.LOST))
    aircraft = mine.family == 0
    ground, ground_fresh = _fresh(claims, Field.ON_GROUND, 60.0)
    judged = np.isin(claims.source, JUDGED) & ~((ground > 0) & ground_fresh & aircraft)
    seen = np.full(n, Condition.UNKNOWN, np.int64)
    reason = np.zeros(n, np.int64)

    def say(where: Bool[Array, " n"], condition: Condition, why: int) -> None:
        hit = where & judged
        seen[hit] = condition
        reason[hit] = why

    say(had & heard, Condition.OK, 0)
    nic, nic_fresh = _fresh(claims, Field.NIC)
    low = nic_fresh & ((nic <= settings.nic_floor) | (nic < mine.nic_normal - settings.drop)) & had & heard
    say(low, Condition.DEGRADED, LOW_NIC)
    version, version_fresh = _fresh(claims, Field.ADSB_VERSION, 900.0)
    nac_p, nac_fresh = _fresh(claims, Field.NAC_P)
    nac_fresh &= version_fresh & (version >= 1)  # version 0 does not transmit it
    low = nac_fresh & ((nac_p <= settings.nac_p_floor) | (nac_p < mine.nac_p_normal - settings.drop)) & had & heard
    say(low, Condition.DEGRADED, LOW_NAC_P)
    say((seen == Condition.DEGRADED) & (mine.ever_ok == 0), Condition.DEGRADED, ALWAYS_POOR)
    say(heard & had & aircraft & (age_s > settings.silent_s), Condition.LOST, SILENT)
    _, none_ns = claims.said(Field.NO_POSITION)
    say(had & heard & (none_ns > claims.position_ns), Condition.LOST, NO_POSITION)
    saturated, fresh = _fresh(claims, Field.GEOMETRIC_MINUS_BARO_SATURATED)
    say(fresh & (saturated > 0), Condition.INCONSISTENT, SATURATED)
    sure = ~(nic_fresh & (nic <= settings.nic_floor))  # who says that it is vague may wander
    say(heard & sure & (claims.rejected >= 3), Condition.INCONSISTENT, REJECTED)
    twice = (mine.suspect_before_ns > 0) & (mine.suspect_ns - mine.suspect_before_ns < settings.twice_s * 1e9)
    say(heard & sure & twice & (now - mine.suspect_ns < settings.twice_s * 1e9), Condition.INCONSISTENT, TWO_PLACES)
    recent = age_s < settings.silent_s
    say(heard & sure & recent & ((claims.doubt & int(Doubt.JUMP)) > 0), Condition.INCONSISTENT, JUMPED)
    silent = ~heard & (mine.condition != Condition.UNKNOWN) & had
    seen[silent] = mine.condition[silent]  # out of earshot: neither better nor worse
    reason[silent] = mine.reason[silent]
    return seen, reason


def _with_hysteresis(
    mine: Navigation, seen: Int64[Array, " n"], now_ns: int, settings: NavigationSettings
) -> tuple[Int64[Array, " n"], Int64[Array, " n"], Int64[Array, " n"]]:
    """Condition, since when, and since when it is about to change."""
    differs = seen != mine.condition
    changing = np.where(differs, np.where(mine.changing_ns == 0, now_ns, mine.changing_ns), 0)
    lasted_s = (now_ns - changing) * 1e-9
    better = (seen == Condition.OK) & (mine.condition != Condition.UNKNOWN)
    needed_s = np.where(better, settings.recover_s, settings.onset_s)
    needed_s = np.where(mine.condition == Condition.UNKNOWN, 0.0, needed_s)
    switch = differs & (lasted_s >= needed_s)
    condition = np.where(switch, seen, mine.condition)
    since = np.where(switch, now_ns, mine.since_ns)
    return condition, since, np.where(switch, 0, changing)


def explain(navigation: Navigation, claims: Claims) -> tuple[str, ...]:
    """One short sentence per claim, "" when there is nothing to say."""
    out = [""] * len(claims)
    for i in np.flatnonzero(navigation.reason):
        out[i] = REASONS[navigation.reason[i]].format(
            age=(claims.time_ns - claims.position_ns[i]) * 1e-9,
            nic=claims.said(Field.NIC)[0][i],
            nic_normal=navigation.nic_normal[i],
            nac_p=claims.said(Field.NAC_P)[0][i],
            nac_p_normal=navigation.nac_p_normal[i],
            rejected=float(claims.rejected[i]),
        )
    return tuple(out)
