"""Condition of each claim's navigation: OK, DEGRADED, LOST, INCONSISTENT, UNKNOWN. Axes: n claims, m normals kept.

Layer 0 of the reference notes on GNSS interference (section 7), live: each step gives the rule book one row per claim.
Normals of speakers that left are kept, so that who comes back is judged by its own normal again.
"""

from dataclasses import dataclass, replace
from functools import cache
from string import Formatter

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing.integrity.evidence import DECLINATION_RAD, REASONS, NavigationSettings, judge_rows, least_wind
from lapwing.kernel import condition as kernel
from lapwing.kernel.condition import NO_HEIGHT, NOT_SAID, Memory, Rows
from lapwing.records import Array, Claims, Doubt, Field, Source
from lapwing.records.arrays import freeze_columns

__all__ = ["Navigation", "NavigationSettings", "explain", "family", "judge", "start"]

JUDGED = (Source.ADSB, Source.ADSB_OTHER, Source.AIS, Source.REMOTE_ID)  # the sender's own word
KEPT_MAX = 50_000  # normals of speakers that left
KEPT_S = 30 * 86_400.0


@dataclass(frozen=True, slots=True)
class Navigation:
    """What is remembered per claim, rows as in the Claims of the same tick, and of speakers that left."""

    address: Int64[Array, " n"]
    family: Int64[Array, " n"]
    memory: Memory
    good_m: Float64[Array, "n 2"]  # east, north of the last position while OK
    good_mps: Float64[Array, "n 2"]
    suspect_ns: Int64[Array, " n"]  # last report that the filter disbelieved
    suspect_before_ns: Int64[Array, " n"]  # and the one before that
    kept_key: Int64[Array, " m"]  # family and address, sorted
    kept: Float64[Array, "m 4"]  # nic, nac_p, fast, learned_s
    kept_ns: Int64[Array, " m"]
    time_ns: int

    def __post_init__(self) -> None:
        freeze_columns(self)

    @property
    def condition(self) -> Int64[Array, " n"]:
        """Condition codes."""
        return self.memory.condition

    @property
    def since_ns(self) -> Int64[Array, " n"]:
        """When the condition began."""
        return self.memory.since_ns

    @property
    def good_ns(self) -> Int64[Array, " n"]:
        """Last position while OK, 0 = never."""
        return self.memory.good_ns

    @property
    def good_east_m(self) -> Float64[Array, " n"]:
        """East of the last position while OK."""
        return np.asarray(self.good_m[:, 0])

    @property
    def good_north_m(self) -> Float64[Array, " n"]:
        """North of the last position while OK."""
        return np.asarray(self.good_m[:, 1])

    @property
    def key(self) -> Int64[Array, " n"]:
        """Family and address in one number."""
        return np.asarray((self.family << 40) | self.address)


def start(settings: NavigationSettings) -> Navigation:
    """Nobody known."""
    i, f = np.zeros(0, np.int64), np.zeros((0, 2))
    nobody = kernel.memory(0, settings.prior_nic, settings.prior_nac_p)
    return Navigation(i, i, nobody, f, f, i, i, i, np.zeros((0, 4)), i, 0)


def family(source: Int64[Array, " n"]) -> Int64[Array, " n"]:
    """Which address book a source uses: 0 aircraft, 1 ships, 2 Remote ID."""
    return np.where(source >= Source.REMOTE_ID, 2, np.where(source >= Source.AIS, 1, 0)).astype(np.int64)


def _aligned(before: Navigation, claims: Claims, settings: NavigationSettings) -> Navigation:
    """What is remembered, in the rows of `claims`; newcomers start UNKNOWN, at their own normal if it is kept."""
    n, book = len(claims), family(claims.source)
    key, old = (book << 40) | claims.address, before.key
    if np.array_equal(key, old):
        return before
    at, known = _find(old, key)
    fresh = kernel.memory(n, settings.prior_nic, settings.prior_nac_p)

    def take(column: Array, new: Array) -> Array:
        out = new.copy()
        out[known] = column[at[known]]
        return out

    m = Memory._make(take(o, f) for o, f in zip(before.memory, fresh, strict=True))
    m = m._replace(since_ns=np.where(known, m.since_ns, claims.time_ns))
    back, again = _find(before.kept_key, key)
    again &= ~known
    normals = before.kept[back[again]]
    m.nic_normal[again], m.nac_p_normal[again] = normals[:, 0], normals[:, 1]
    m.fast[again], m.learned_s[again] = normals[:, 2].astype(np.int64), normals[:, 3]
    zero, i = np.zeros((n, 2)), np.zeros(n, np.int64)
    kept_key, kept, kept_ns = _kept(before, key, claims.time_ns)
    return Navigation(
        claims.address,
        book,
        m,
        take(before.good_m, zero),
        take(before.good_mps, zero),
        take(before.suspect_ns, i),
        take(before.suspect_before_ns, i),
        kept_key,
        kept,
        kept_ns,
        claims.time_ns,
    )


def _find(table: Int64[Array, " m"], key: Int64[Array, " n"]) -> tuple[Int64[Array, " n"], Bool[Array, " n"]]:
    """Row of each key in a sorted table, and whether it is there."""
    if not len(table):
        return np.zeros(len(key), np.int64), np.zeros(len(key), bool)
    at = np.minimum(np.searchsorted(table, key), len(table) - 1)
    return at, np.asarray(table[at] == key)


def _kept(before: Navigation, key: Int64[Array, " n"], now_ns: int) -> tuple[Array, Array, Array]:
    """Normals kept for later: those of who left now, and of who left before and is not too old."""
    m = before.memory
    gone = ~np.isin(before.key, key) & (m.learned_s > 0.0)
    mine = np.stack([m.nic_normal, m.nac_p_normal, m.fast.astype(np.float64), m.learned_s], axis=1)[gone]
    stay = ~np.isin(before.kept_key, before.key[gone]) & (now_ns - before.kept_ns < KEPT_S * 1e9)
    keys = np.concatenate([before.kept_key[stay], before.key[gone]])
    rows = np.concatenate([before.kept[stay], mine])
    times = np.concatenate([before.kept_ns[stay], m.last_ns[gone]])
    newest = np.sort(np.argsort(-times, kind="stable")[:KEPT_MAX])
    keys, rows, times = keys[newest], rows[newest], times[newest]
    order = np.argsort(keys, kind="stable")
    return keys[order], rows[order], times[order]


def judge(
    before: Navigation, claims: Claims, learning: bool, settings: NavigationSettings, shape: Int64[Array, " n"]
) -> Navigation:
    """Each claim's condition at the claims' time. `learning`: no interference is suspected, normals may be learned.
    `shape`: reason code of a shape that only false positions make (shapes.py), 0 = none."""
    mine = _aligned(before, claims, settings)
    again = claims.suspect_ns > mine.suspect_ns
    mine = replace(
        mine,
        suspect_ns=np.where(again, claims.suspect_ns, mine.suspect_ns),
        suspect_before_ns=np.where(again, mine.suspect_ns, mine.suspect_before_ns),
    )
    rows = _rows(mine, claims, settings, shape)
    learn = np.full(len(claims), int(learning), np.int64)
    after, condition, _, _ = judge_rows(rows, mine.memory, learn, settings)
    good = (condition == kernel.OK) & (after.good_ns == claims.position_ns) & (claims.position_ns > 0)
    return replace(
        mine,
        memory=after,
        good_m=np.where(good[:, None], claims.mean[:, :2], mine.good_m),
        good_mps=np.where(good[:, None], claims.mean[:, 3:5], mine.good_mps),
        time_ns=claims.time_ns,
    )


def _fresh(claims: Claims, field: Field, age_s: float = 10.0) -> tuple[Float64[Array, " n"], Bool[Array, " n"]]:
    value, said_ns = claims.said(field)
    return value, (said_ns > 0) & (claims.time_ns - said_ns < age_s * 1e9)


def _said(claims: Claims, field: Field, age_s: float = 10.0, otherwise: float = NOT_SAID) -> Float64[Array, " n"]:
    value, fresh = _fresh(claims, field, age_s)
    return np.where(fresh, value, otherwise)


def _rows(mine: Navigation, claims: Claims, settings: NavigationSettings, shape: Int64[Array, " n"]) -> Rows:
    """One row per claim: what it says now."""
    now, n = claims.time_ns, len(claims)
    aircraft = mine.family == 0
    heard = (now - claims.heard_ns) * 1e-9 < settings.heard_s
    ground = _said(claims, Field.ON_GROUND, 60.0) > 0
    judged = np.isin(claims.source, JUDGED) & ~(ground & aircraft)
    _, none_ns = claims.said(Field.NO_POSITION)
    saturated = _said(claims, Field.GEOMETRIC_MINUS_BARO_SATURATED) > 0
    turning = np.abs(_said(claims, Field.ROLL_RAD, otherwise=0.0)) > settings.roll_rad_max
    turning |= np.abs(_said(claims, Field.TRACK_RATE_RADPS, otherwise=0.0)) > settings.turn_radps_max
    bits = np.zeros(n, np.int64)
    for bit, where in (
        (kernel.JUDGED, judged),
        (kernel.HEARD, heard),
        (kernel.AIRCRAFT, aircraft),
        (kernel.NO_POSITION, none_ns > claims.position_ns),
        (kernel.SATURATED, saturated),
        (kernel.MANOEUVRE, turning & aircraft),
    ):
        bits |= np.where(where, bit, 0)
    version = _said(claims, Field.ADSB_VERSION, 900.0)
    speed = _said(claims, Field.GROUND_SPEED_MPS)
    return Rows(
        np.arange(n),
        np.full(n, now),
        bits,
        claims.position_ns,
        _said(claims, Field.NIC),
        np.where(version >= 1, _said(claims, Field.NAC_P), NOT_SAID),  # version 0 does not transmit it
        version,
        _said(claims, Field.ALTITUDE_BARO_M, otherwise=NO_HEIGHT),
        speed,
        _wind(claims, speed),
        _said(claims, Field.GEOMETRIC_MINUS_BARO_M, otherwise=NO_HEIGHT),
        np.where(shape > 0, shape, _contradiction(mine, claims, heard, settings)),
        *_place(mine, claims),
    )


def _place(mine: Navigation, claims: Claims) -> tuple[Float64[Array, " n"], Float64[Array, " n"]]:
    """Positions as angles on a sphere around the site, good enough to tell how far apart two of one claim are."""
    placed = claims.has_position > 0
    east = np.where(placed, claims.mean[:, 0], mine.good_east_m)
    north = np.where(placed, claims.mean[:, 1], mine.good_north_m)
    return north / kernel.EARTH_M, east / kernel.EARTH_M


def _wind(claims: Claims, speed: Float64[Array, " n"]) -> Float64[Array, " n"]:
    airspeed = _said(claims, Field.TRUE_AIRSPEED_MPS)
    if not (airspeed > 0.0).any():  # nobody says it
        return np.full(len(claims), NOT_SAID)
    heading, said = _fresh(claims, Field.HEADING_RAD)
    magnetic, told = _fresh(claims, Field.HEADING_MAGNETIC)
    spread = np.where(said, np.where(told & (magnetic == 0), 0.0, DECLINATION_RAD), np.pi)
    track, turned = _fresh(claims, Field.TRACK_RAD)
    spread = np.where(turned, spread, np.pi)
    return least_wind(speed, track, airspeed, heading, spread)


def _contradiction(
    mine: Navigation, claims: Claims, heard: Bool[Array, " n"], settings: NavigationSettings
) -> Int64[Array, " n"]:
    """Reason codes of what the claims' filter did not believe."""
    now = claims.time_ns
    age_s = (now - claims.position_ns) * 1e-9
    out = np.where(heard & (claims.rejected >= 3), kernel.REJECTED, 0)
    twice = (mine.suspect_before_ns > 0) & (mine.suspect_ns - mine.suspect_before_ns < settings.twice_s * 1e9)
    out = np.where(twice & (now - mine.suspect_ns < settings.twice_s * 1e9), kernel.TWO_PLACES, out)
    recent = age_s < settings.silent_s
    far = (claims.doubt & int(Doubt.BEYOND_HORIZON)) > 0
    out = np.where(recent & far, kernel.TOO_FAR, out)
    return np.where(recent & ((claims.doubt & int(Doubt.JUMP)) > 0), kernel.JUMPED, out)


def explain(navigation: Navigation, claims: Claims) -> tuple[str, ...]:
    """One short sentence per claim, "" when there is nothing to say."""
    out = [""] * len(claims)
    m = navigation.memory
    rows = np.flatnonzero((m.reason > 0) & (m.condition != kernel.OK))
    if not len(rows):
        return tuple(out)
    windy = rows[m.reason[rows] == kernel.WIND]
    wind = np.zeros(len(claims))
    if len(windy):
        wind[windy] = _wind(claims, claims.said(Field.GROUND_SPEED_MPS)[0])[windy]
    columns = {
        "age": (claims.time_ns - claims.position_ns) * 1e-9,
        "nic": claims.said(Field.NIC)[0],
        "nic_normal": m.nic_normal,
        "nac_p": claims.said(Field.NAC_P)[0],
        "nac_p_normal": m.nac_p_normal,
        "rejected": claims.rejected.astype(np.float64),
        "speed": claims.said(Field.GROUND_SPEED_MPS)[0],
        "altitude": claims.said(Field.ALTITUDE_BARO_M)[0],
        "wind": wind,
    }
    reasons = m.reason[rows]
    for reason in np.unique(reasons).tolist():
        mine = rows[reasons == reason]
        names = _named(reason)
        told = zip(*(columns[name][mine].tolist() for name in names), strict=True) if names else ((),) * len(mine)
        for i, numbers in zip(mine.tolist(), told, strict=True):
            out[i] = REASONS[reason].format(**dict(zip(names, numbers, strict=True)))
    return tuple(out)


@cache
def _named(reason: int) -> tuple[str, ...]:
    """The columns that the sentence of a reason states."""
    return tuple(dict.fromkeys(name for _, name, _, _ in Formatter().parse(REASONS[reason]) if name))
