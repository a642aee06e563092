"""Shapes that only false positions make: magnets (many at one place with one speed), and circles around one centre.
Axes: n claims.

A magnet: at least four airborne aircraft within 3 km of each other, at levels at least 300 m apart, whose velocity over
ground is the same to 3 m/s, for 20 s: separation forbids it, and a formation flies at one level. For ships: within
500 m and the same velocity while they move. A circle: at least three ships whose ways of the last minutes each fit a
circle round the same centre. The ways are kept as fading sums (Kasa's algebraic fit needs no points): memory does not
grow.
Reference notes on GNSS interference, sections 2.3 and 7.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.spatial import cKDTree

from lapwing.records import Array, Claims, Field
from lapwing.records.arrays import freeze_columns

AIRCRAFT, SHIP = 0, 1
SUMS = 9  # 1, x, y, xx, yy, xy, xz, yz, zz with z = xx + yy, about the place where the way began


@dataclass(frozen=True, slots=True)
class ShapeSettings:
    """Sizes and times."""

    fresh_s: float = 10.0  # positions older than this take no part
    hold_s: float = 20.0
    keep_s: float = 60.0  # a shape once seen stands this long after
    aircraft_m: float = 3_000.0
    aircraft_min: int = 4
    levels_m: float = 300.0
    low_m: float = 914.0
    ships_m: float = 500.0
    ships_min: int = 4
    velocity_mps: float = 3.0
    ship_moves_mps: float = 2.0
    step_s: float = 10.0  # of the ways
    fade_s: float = 600.0
    jump_m: float = 2_000.0  # a way begins anew after a step longer than this
    turn_rad: float = 4.2  # two thirds of a turn
    radius_m: tuple[float, float] = (50.0, 20_000.0)
    misfit: float = 0.1  # radial rms over radius
    centre: float = 0.5  # centres closer than this share of the radius are one
    circles_min: int = 3


@dataclass(frozen=True, slots=True)
class Shapes:
    """What is remembered per claim, sorted by key (family << 40 | address)."""

    key: Int64[Array, " n"]
    magnet_ns: Int64[Array, " n"]  # since when it is one of many at one place, 0 = it is not
    seen_ns: Int64[Array, " n"]  # when a shape was last certain
    circle: Int64[Array, " n"]  # 1 = that shape was a circle
    begin_m: Float64[Array, "n 2"]
    last_m: Float64[Array, "n 2"]
    heading_rad: Float64[Array, " n"]  # of the last step of the way
    turn_rad: Float64[Array, " n"]  # fading sum of changes of heading
    sums: Float64[Array, "n 9"]
    stepped_ns: int
    time_ns: int

    def __post_init__(self) -> None:
        freeze_columns(self)


def start() -> Shapes:
    """Nobody known."""
    i, f, pair = np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 2))
    return Shapes(i, i, i, i, pair, pair, f, f, np.zeros((0, SUMS)), 0, 0)


@dataclass(frozen=True, slots=True)
class Seen:
    """What n speakers say now. Ways may lie in a plane of each one's own; `common_m` (2 or 3 columns) is for all."""

    place_m: Float64[Array, "n 2"]
    common_m: Float64[Array, "n k"]
    velocity_mps: Float64[Array, "n 2"]
    altitude_m: Float64[Array, " n"]
    air: Bool[Array, " n"]  # flies, well above the ground, its position fresh
    sails: Bool[Array, " n"]  # a ship, its position fresh

    def __post_init__(self) -> None:
        freeze_columns(self)


def shaped(before: Shapes, claims: Claims, family: Int64[Array, " n"], settings: ShapeSettings) -> Shapes:
    """The shapes at the claims' time, rows as in `claims`; at most once a second."""
    key = (family << 40) | claims.address
    now = claims.time_ns
    mine = before if np.array_equal(before.key, key) else aligned(before, key)
    if 0 <= now - before.time_ns < 900_000_000 and mine is before:
        return before
    fresh = (claims.has_position > 0) & (now - claims.position_ns < settings.fresh_s * 1e9)
    return advanced(mine, _seen(claims, family, fresh, settings), now, settings)


def _seen(claims: Claims, family: Int64[Array, " n"], fresh: Bool[Array, " n"], settings: ShapeSettings) -> Seen:
    altitude, said_ns = claims.said(Field.ALTITUDE_BARO_M)
    ground, ground_ns = claims.said(Field.ON_GROUND)
    air = fresh & (family == AIRCRAFT) & (said_ns > 0) & (altitude > settings.low_m)
    air &= ~((ground_ns > 0) & (ground > 0))
    place = claims.mean[:, :2]
    return Seen(place, place, claims.mean[:, 3:5], altitude, air, fresh & (family == SHIP))


def advanced(
    mine: Shapes,
    seen: Seen,
    now_ns: int,
    settings: ShapeSettings,
    common: Callable[[Float64[Array, "n 2"]], Float64[Array, "n k"]] | None = None,
) -> Shapes:
    """The shapes at a time, rows as in `seen`. `common` brings places of the ways into the frame for all (none: they
    are in it)."""
    magnet = together(seen, settings)
    since = np.where(magnet, np.where(mine.magnet_ns > 0, mine.magnet_ns, now_ns), 0)
    certain = (since > 0) & (now_ns - since >= settings.hold_s * 1e9)
    last, circle = np.where(certain, now_ns, mine.seen_ns), np.where(certain, 0, mine.circle)
    if now_ns - mine.stepped_ns >= settings.step_s * 1e9 or now_ns < mine.stepped_ns:
        mine = _stepped(mine, seen, now_ns, settings)
        round_one = circling(mine, settings, common)
        last, circle = np.where(round_one, now_ns, last), np.where(round_one, 1, circle)
    return replace(mine, magnet_ns=since, seen_ns=last, circle=circle, time_ns=now_ns)


PAIRS_MAX = 2_000_000  # that are looked at one by one
TABLE = (1 << 16) - 1


def standing(shapes: Shapes, settings: ShapeSettings) -> tuple[Bool[Array, " n"], Bool[Array, " n"]]:
    """Who stands in a magnet, and who in a circle."""
    lately = (shapes.seen_ns > 0) & (shapes.time_ns - shapes.seen_ns < settings.keep_s * 1e9)
    return lately & (shapes.circle == 0), lately & (shapes.circle == 1)


def aligned(before: Shapes, key: Int64[Array, " n"]) -> Shapes:
    """What is remembered, in the rows of `key`; newcomers begin anew."""
    order = np.argsort(before.key, kind="stable")
    at = np.minimum(np.searchsorted(before.key, key, sorter=order), max(len(order) - 1, 0))
    old = order[at] if len(order) else np.zeros(len(key), np.int64)
    known = before.key[old] == key if len(order) else np.zeros(len(key), bool)

    def take(column: Array) -> Array:
        out: Array = np.zeros((len(key), *column.shape[1:]), column.dtype)
        out[known] = column[old[known]]
        return out

    b = before
    ints, ways = (take(b.magnet_ns), take(b.seen_ns), take(b.circle)), (take(b.begin_m), take(b.last_m))
    return Shapes(key, *ints, *ways, take(b.heading_rad), take(b.turn_rad), take(b.sums), b.stepped_ns, b.time_ns)


def magnets(
    claims: Claims, family: Int64[Array, " n"], fresh: Bool[Array, " n"], settings: ShapeSettings
) -> Bool[Array, " n"]:
    """Whether each claim is one of many at one place with one velocity."""
    return together(_seen(claims, family, fresh, settings), settings)


def together(seen: Seen, settings: ShapeSettings) -> Bool[Array, " n"]:
    """Whether each speaker is one of many at one place with one velocity."""
    sea = seen.sails & (np.hypot(seen.velocity_mps[:, 0], seen.velocity_mps[:, 1]) > settings.ship_moves_mps)
    out = np.zeros(len(sea), bool)
    kinds = ((seen.air, settings.aircraft_m, settings.aircraft_min), (sea, settings.ships_m, settings.ships_min))
    for who, reach_m, at_least in kinds:
        at = np.flatnonzero(who)
        if len(at) < at_least:
            continue
        at = at[crowded(seen.common_m[at], reach_m, at_least)]
        if len(at) < at_least:
            continue
        scale = reach_m / settings.velocity_mps  # one ball in place and velocity
        place = np.concatenate([seen.common_m[at], seen.velocity_mps[at] * scale], axis=1)
        tree = cKDTree(place)
        mates = tree.query_ball_point(place, reach_m, return_length=True) - 1
        if mates.sum() > 2 * PAIRS_MAX:  # thousands at one place: no levels of a holding stack are asked for
            out[at] = mates >= at_least - 1
            continue
        a, b = tree.query_pairs(reach_m, output_type="ndarray").T
        if who is seen.air:
            apart = np.abs(seen.altitude_m[at[a]] - seen.altitude_m[at[b]]) >= settings.levels_m
            a, b = a[apart], b[apart]
        mates = np.bincount(a, minlength=len(at)) + np.bincount(b, minlength=len(at))
        out[at] = mates >= at_least - 1
    return out


def crowded(place_m: Float64[Array, "k d"], reach_m: float, at_least: int) -> Bool[Array, " k"]:
    """Who may have `at_least` within reach, itself counted: squares (or cubes) of that size with their neighbours,
    counted in a table that several may share. Who has so many is never left out."""
    weight = np.array([40_503, 1, 25_717][: place_m.shape[1]])
    slot = np.floor(place_m / reach_m).astype(np.int64) @ weight
    counts = np.bincount(slot & TABLE, minlength=TABLE + 1)
    around = np.zeros(len(slot), np.int64)
    for steps in product((-1, 0, 1), repeat=len(weight)):
        around += counts[(slot + int(np.dot(steps, weight))) & TABLE]
    return np.asarray(around >= at_least)


def _stepped(mine: Shapes, seen: Seen, now_ns: int, settings: ShapeSettings) -> Shapes:
    """The ways one step on."""
    place, sails = seen.place_m, seen.sails
    step_m = place - mine.last_m
    length = np.hypot(step_m[:, 0], step_m[:, 1])
    anew = sails & ((mine.sums[:, 0] <= 0.0) | (length > settings.jump_m))
    went = sails & ~anew & (length > 5.0)
    dt_s = min(max((now_ns - mine.stepped_ns) * 1e-9, 0.0), 10.0 * settings.step_s)
    fade = float(np.exp(-dt_s / settings.fade_s))
    heading = np.arctan2(step_m[:, 0], step_m[:, 1])
    turned = (heading - mine.heading_rad + np.pi) % (2.0 * np.pi) - np.pi
    old = went & (mine.sums[:, 0] > 1.5)  # the first step has no step before it
    turn = mine.turn_rad * fade + np.where(old, turned, 0.0)
    begin = np.where(anew[:, None], place, mine.begin_m)
    x, y = (place - begin).T
    z = x * x + y * y
    terms = np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y, x * z, y * z, z * z], axis=1)
    sums = mine.sums * fade + np.where(went[:, None], terms, 0.0)
    return replace(
        mine,
        begin_m=begin,
        last_m=np.where((went | anew)[:, None], place, mine.last_m),
        heading_rad=np.where(went, heading, mine.heading_rad),
        turn_rad=np.where(anew, 0.0, turn),
        sums=np.where(anew[:, None], terms, sums),
        stepped_ns=now_ns,
    )


def circles(
    sums: Float64[Array, "n 9"],
) -> tuple[Float64[Array, "n 2"], Float64[Array, " n"], Float64[Array, " n"]]:
    """Centre from where the way began, radius and radial rms of the circle that fits each way (Kasa: least squares of
    x^2 + y^2 - a x - b y - c). Radius 0 where none does."""
    n = np.maximum(sums[:, 0], 1e-9)
    mx, my = sums[:, 1] / n, sums[:, 2] / n
    mz = (sums[:, 3] + sums[:, 4]) / n
    xx, yy, xy = sums[:, 3] / n - mx * mx, sums[:, 4] / n - my * my, sums[:, 5] / n - mx * my
    xz, yz, zz = sums[:, 6] / n - mx * mz, sums[:, 7] / n - my * mz, sums[:, 8] / n - mz * mz
    det = xx * yy - xy * xy
    good = det > 1e-6 * np.maximum(xx * yy, 1.0)
    safe = np.where(good, det, 1.0)
    a, b = (yy * xz - xy * yz) / safe, (xx * yz - xy * xz) / safe
    radius2 = mz - a * mx - b * my + 0.25 * (a * a + b * b)
    good &= radius2 > 1.0
    radius = np.sqrt(np.where(good, radius2, 1.0))
    rms = np.sqrt(np.maximum(zz - a * xz - b * yz, 0.0)) / (2.0 * radius)
    return 0.5 * np.stack([a, b], axis=1), np.where(good, radius, 0.0), rms


def circling(
    mine: Shapes,
    settings: ShapeSettings,
    common: Callable[[Float64[Array, "n 2"]], Float64[Array, "n k"]] | None = None,
) -> Bool[Array, " n"]:
    """Ships that circle round the same centre as enough others."""
    centre, radius, rms = circles(mine.sums)
    low, high = settings.radius_m
    fits = (radius >= low) & (radius <= high) & (rms <= settings.misfit * radius) & (mine.sums[:, 0] > 8.0)
    at = np.flatnonzero(fits & (np.abs(mine.turn_rad) >= settings.turn_rad))
    out = np.zeros(len(radius), bool)
    if len(at) < settings.circles_min:
        return out
    place = mine.begin_m + centre
    place = (place if common is None else common(place))[at]
    pairs = cKDTree(place).query_pairs(settings.centre * float(radius[at].max()), output_type="ndarray")
    a, b = pairs[:, 0], pairs[:, 1]
    apart = np.sqrt(((place[a] - place[b]) ** 2).sum(axis=1))
    same = apart <= settings.centre * np.minimum(radius[at[a]], radius[at[b]])
    mates = np.bincount(a[same], minlength=len(at)) + np.bincount(b[same], minlength=len(at))
    out[at] = mates >= settings.circles_min - 1
    return out
