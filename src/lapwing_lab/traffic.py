"""Traffic: what moves in a scenario, by kind, from the `[[group]]` tables of its TOML. Axis: n members of a group.

Cruise levels and speeds are those of 842 flights of a recorded day over Switzerland (5 to 95 % of levels 33,000 to
41,000 ft, of speeds 400 to 490 kt); the rest climbs and descends below. Radar cross sections: 0.01 m2 of a small
multirotor from the reference notes; the others are round numbers of their size.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lapwing_lab.geo import Place
from lapwing_lab.paths import Limits, Orders, Path, steer
from lapwing_lab.terrain import Terrain
from lapwing_lab.truth import Target

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Kind:
    """What is the same for all of a kind. `counts`: whether a tracker must track it."""

    limits: Limits
    speed_mps: tuple[float, float]
    height_m: tuple[float, float]
    rcs_m2: float
    counts: bool
    step_s: float = 1.0


# limits: turning m/s2, rad/s at most, m/s2 along, climb m/s, wander of course rad, speed m/s, height m, for s, hovers
LIMITS = {
    "airliner": Limits(4.0, 0.05, 1.0, 12.0, 0.0, 0.5, 15.0, 120.0),
    "arrival": Limits(4.0, 0.05, 1.0, 12.0, 0.0, 2.0, 20.0, 60.0),
    "light_aircraft": Limits(5.0, 0.1, 1.0, 4.0, 0.03, 1.5, 20.0, 40.0),
    "helicopter": Limits(5.0, 0.2, 2.0, 6.0, 0.02, 1.5, 10.0, 30.0, True),
    "multirotor": Limits(6.0, 1.0, 3.0, 4.0, 0.08, 1.0, 4.0, 15.0, True),
    "fixed_wing_drone": Limits(6.0, 0.5, 1.5, 4.0, 0.04, 1.0, 8.0, 20.0),
    "bird": Limits(3.0, 0.6, 1.5, 1.5, 0.35, 1.5, 15.0, 12.0),
    "flock": Limits(3.0, 0.3, 1.5, 1.5, 0.15, 1.0, 10.0, 20.0),
    "ship": Limits(0.05, 0.01, 0.05, 0.1, 0.01, 0.1, 0.0, 120.0),
    "vehicle": Limits(3.0, 0.4, 2.0, 1.0, 0.02, 1.5, 0.0, 30.0),
}
KINDS = {
    "airliner": Kind(LIMITS["airliner"], (206.0, 252.0), (10_060.0, 12_500.0), 30.0, True, 2.0),
    "arrival": Kind(LIMITS["arrival"], (75.0, 180.0), (500.0, 6_000.0), 20.0, True),
    "light_aircraft": Kind(LIMITS["light_aircraft"], (40.0, 75.0), (300.0, 1_800.0), 3.0, True),
    "helicopter": Kind(LIMITS["helicopter"], (30.0, 70.0), (150.0, 600.0), 5.0, True),
    "multirotor": Kind(LIMITS["multirotor"], (8.0, 20.0), (40.0, 200.0), 0.01, True),
    "fixed_wing_drone": Kind(LIMITS["fixed_wing_drone"], (18.0, 45.0), (80.0, 500.0), 0.03, True),
    "bird": Kind(LIMITS["bird"], (8.0, 16.0), (30.0, 400.0), 0.005, False),
    "flock": Kind(LIMITS["flock"], (11.0, 18.0), (80.0, 700.0), 0.02, False),
    "ship": Kind(LIMITS["ship"], (3.0, 10.0), (15.0, 15.1), 1_000.0, True, 5.0),
    "vehicle": Kind(LIMITS["vehicle"], (10.0, 30.0), (2.0, 2.5), 5.0, False),
}
# jamming power at which half of a kind's receivers lose their position, and how they differ (dBm, dB): our own prior
SENSITIVITY_DBM = {"ship": (-90.0, 4.0), "light_aircraft": (-95.0, 6.0), "helicopter": (-94.0, 6.0)}
SAYS = {"airliner": "adsb", "arrival": "adsb", "ship": "ais"}


def group(
    table: dict[str, Any], origin: Place, duration_s: float, rng: np.random.Generator, ground: Terrain | None = None
) -> list[Target]:
    """The targets of one `[[group]]`. With `above_ground` their heights follow the terrain. Raises KeyError,
    ValueError."""
    name = table["kind"]
    kind = KINDS[name]
    count = int(table.get("count", 1))
    begin, end = float(table.get("begin_s", 0.0)), float(table.get("end_s", duration_s))
    stagger = float(table.get("every_s", 0.0))
    orders = _orders(table, kind, count, rng)
    limits = kind.limits
    step = float(table.get("step_s", kind.step_s))
    place, rate = steer(orders, limits, end - begin, rng, step)
    place, rate = _spread(table, place, rate, step, rng)
    if table.get("above_ground") and ground is not None:
        de, dn = ground.slope(place[..., 0], place[..., 1])
        rate[..., 2] += de * rate[..., 0] + dn * rate[..., 1]
        place[..., 2] += ground.ground_m(place[..., 0], place[..., 1]) + origin.height_m
    rcs = float(table.get("rcs_m2", kind.rcs_m2))
    out = []
    for i in range(len(place)):
        path = Path(origin, begin + stagger * i, step, place[i], rate[i])
        out.append(_target(table, name, i, path, rcs * float(rng.lognormal(0.0, 0.2)), rng))
    return out


def _target(table: dict[str, Any], kind: str, i: int, path: Path, rcs: float, rng: np.random.Generator) -> Target:
    says = str(table.get("says", SAYS.get(kind, "")))
    base = str(table.get("name", kind))
    number = int(table.get("ident", 0)) + i
    if says and number == i:
        aircraft, vessel = int(rng.integers(0, 0x8000)), int(rng.integers(0, 999_999))
        number = {"adsb": 0x710000 + aircraft, "ais": 440_000_000 + vessel}.get(says, 1 + i)
    return Target(
        base if int(table.get("count", 1)) == 1 and base != kind else f"{base}-{i + 1}",
        kind,
        path,
        rcs,
        number if says else 0,
        f"{str(table.get('callsign', 'LPW'))[:5]}{int(rng.integers(10, 999))}" if says else "",
        float(rng.normal(*SENSITIVITY_DBM.get(kind, (-92.0, 5.0)))),
        says,
        bool(table.get("counts", KINDS[kind].counts)),
        str(table.get("serial", "")),
        tuple(map(float, table.get("lies_m", (0.0, 0.0)))),  # type: ignore[arg-type]
    )


def _orders(table: dict[str, Any], kind: Kind, count: int, rng: np.random.Generator) -> Orders:
    """Waypoints as written, or drawn in the group's box or along its gates."""
    said = table.get("speed_mps", kind.speed_mps)
    low, high = (said, said) if isinstance(said, int | float) else said
    speed = rng.uniform(low, high, (count, 1))
    after = str(table.get("after", "again"))
    if "points" in table:
        points = np.array([p[:3] for p in table["points"]], dtype=np.float64)
        place = np.tile(points, (count, 1, 1))
        place += rng.normal(0.0, float(table.get("scatter_m", 0.0)), (count, 1, 3)) * [1.0, 1.0, 0.1]
        hold = np.tile([p[3] if len(p) > 3 else 0.0 for p in table["points"]], (count, 1))
        return Orders(place, np.repeat(speed, place.shape[1], axis=1), hold, after)
    legs = int(table.get("legs", 6))
    bottom, top = table.get("height_m", kind.height_m)
    height = rng.uniform(bottom, top, (count, legs if table.get("at_will") else 1)) * np.ones((1, legs))
    east, north = _box(table, count, legs, rng)
    place = np.stack([east, north, height], axis=2)
    hold = np.zeros((count, legs))
    if table.get("at_will"):
        speed = rng.uniform(0.4 * low, high, (count, legs))
        hold = rng.uniform(0.0, 30.0, (count, legs)) * (rng.random((count, legs)) < 0.4) * kind.limits.can_hover
    return Orders(place, speed * np.ones((1, legs)), hold, after)


def _box(table: dict[str, Any], count: int, legs: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Waypoints uniform in `box_m` = [east min, east max, north min, north max]; or, with `gates_m` = a radius,
    straight crossings from rim to rim."""
    if "gates_m" in table:
        radius = float(table["gates_m"])
        a = rng.uniform(0.0, 2.0 * np.pi, (count, 1))
        b = a + np.pi + rng.uniform(-0.7, 0.7, (count, 1))
        angle = np.where(np.arange(legs) % 2 == 0, a, b)
        shift = rng.uniform(0.0, 1.0, (count, 1))  # where on the first crossing it begins
        east, north = radius * np.sin(angle), radius * np.cos(angle)
        east[:, 0], north[:, 0] = (
            east[:, 0] + shift[:, 0] * (east[:, 1] - east[:, 0]),
            north[:, 0] + shift[:, 0] * (north[:, 1] - north[:, 0]),
        )
        return east, north
    e0, e1, n0, n1 = table["box_m"]
    return rng.uniform(e0, e1, (count, legs)), rng.uniform(n0, n1, (count, legs))


def _spread(
    table: dict[str, Any], place: Array, rate: Array, step: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Members around each leader (flocks, swarms): slow wandering offsets, smooth in time."""
    members = int(table.get("members", 12 if table["kind"] == "flock" else 1))
    if members == 1:
        return place, rate
    apart = float(table.get("apart_m", 25.0))
    n, k, _ = place.shape
    t = step * np.arange(k)
    size = apart * members ** (1.0 / 3.0)
    home = rng.normal(0.0, size, (n, members, 3)) * [1.0, 1.0, 0.3]
    slow = rng.uniform(30.0, 120.0, (n, members, 3))
    phase = rng.uniform(0.0, 2.0 * np.pi, (n, members, 3))
    w = 2.0 * np.pi / slow
    swing = 0.3 * apart
    wave = w[..., None] * t + phase[..., None]
    offset = home[..., None] + swing * np.sin(wave)
    drift = swing * w[..., None] * np.cos(wave)
    place = place[:, None] + np.moveaxis(offset, 3, 2)
    rate = rate[:, None] + np.moveaxis(drift, 3, 2)
    return place.reshape(n * members, k, 3), rate.reshape(n * members, k, 3)
