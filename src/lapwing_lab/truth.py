"""Truth: targets whose state is a closed formula of time, seeded, so that any moment can be asked for exactly."""

import random
from dataclasses import dataclass
from math import cos, hypot, pi, radians, sin
from typing import Protocol

from lapwing_lab.geo import Place, offset


@dataclass(frozen=True, slots=True)
class State:
    """Where a target is and how it moves (metres per second east, north, up)."""

    place: Place
    ve: float
    vn: float
    vu: float


@dataclass(frozen=True, slots=True)
class Loop:
    """A stadium: two straight legs joined by half circles, flown for ever. Local metres around `origin`."""

    origin: Place
    east_m: float
    north_m: float
    heading_deg: float  # of the first leg
    leg_m: float
    radius_m: float
    speed_mps: float
    height_m: float
    start_m: float = 0.0  # how far along at time zero

    def at(self, t_s: float) -> State:
        """The state at a time."""
        turn = pi * self.radius_m
        s = (self.start_m + self.speed_mps * t_s) % (2.0 * (self.leg_m + turn))
        second = s >= self.leg_m + turn
        s -= (self.leg_m + turn) if second else 0.0
        if s < self.leg_m:
            along, across, angle = s, 0.0, 0.0
        else:
            angle = (s - self.leg_m) / self.radius_m
            along, across = self.leg_m + self.radius_m * sin(angle), self.radius_m * (1.0 - cos(angle))
        if second:
            along, across, angle = self.leg_m - along, 2.0 * self.radius_m - across, angle + pi
        h = radians(self.heading_deg)
        e = self.east_m + along * sin(h) + across * cos(h)
        n = self.north_m + along * cos(h) - across * sin(h)
        c = h + angle
        place = offset(self.origin, e, n, self.height_m)
        return State(place, self.speed_mps * sin(c), self.speed_mps * cos(c), 0.0)


@dataclass(frozen=True, slots=True)
class Route:
    """Waypoints (east, north, height) flown at one speed with a gentle weave; hovers at the last one in a circle."""

    origin: Place
    points: tuple[tuple[float, float, float], ...]
    speed_mps: float
    weave_m: float = 0.0
    weave_s: float = 40.0
    hover_m: float = 60.0  # radius of the closing circle
    phase: float = 0.0

    def _bare(self, t_s: float) -> tuple[float, float, float]:
        left = max(t_s, 0.0) * self.speed_mps
        for (e0, n0, h0), (e1, n1, h1) in zip(self.points[:-1], self.points[1:], strict=True):
            length = hypot(e1 - e0, n1 - n0)
            if left <= length:
                f = left / length
                wave = self.weave_m * sin(2.0 * pi * t_s / self.weave_s + self.phase) * min(1.0, left / 300.0)
                ux, uy = (e1 - e0) / length, (n1 - n0) / length
                return e0 + f * (e1 - e0) + wave * uy, n0 + f * (n1 - n0) - wave * ux, h0 + f * (h1 - h0)
            left -= length
        e, n, h = self.points[-1]
        (e0, n0, _) = self.points[-2]
        course = hypot(e - e0, n - n0)
        ux, uy = (e - e0) / course, (n - n0) / course
        angle = left / self.hover_m
        along, across = self.hover_m * sin(angle), self.hover_m * (1.0 - cos(angle))
        return e + along * ux + across * uy, n + along * uy - across * ux, h

    def at(self, t_s: float) -> State:
        """The state at a time."""
        e, n, h = self._bare(t_s)
        e1, n1, h1 = self._bare(t_s + 0.05)
        e0, n0, h0 = self._bare(t_s - 0.05) if t_s > 0.05 else (e, n, h)
        dt = 0.1 if t_s > 0.05 else 0.05
        return State(offset(self.origin, e, n, h), (e1 - e0) / dt, (n1 - n0) / dt, (h1 - h0) / dt)


class Moves(Protocol):
    """Anything that has a state at every time."""

    def at(self, t_s: float) -> State: ...


@dataclass(frozen=True, slots=True)
class Target:
    """A named thing that moves. `rcs_m2`: mean radar cross section. `ident`: ICAO address or MMSI, 0 = says nothing."""

    name: str
    kind: str  # aircraft, ship, drone
    path: Moves
    rcs_m2: float
    ident: int = 0
    callsign: str = ""
    gnss_threshold_dbm: float = -95.0  # received jamming power that costs it its position
    says: str = ""  # adsb, ais, remote_id: what it says of itself
    counts: bool = True  # whether a tracker must track it
    serial: str = ""  # of Remote ID, instead of one of its own
    lies_m: tuple[float, float] = (0.0, 0.0)  # how far east and north of itself it says it is


def aircraft(origin: Place, count: int, radius_m: float, rng: random.Random) -> list[Target]:
    """Airliners and light aircraft on long racetracks through the area."""
    out = []
    for i in range(count):
        airliner = rng.random() < 0.75
        speed = rng.uniform(190.0, 245.0) if airliner else rng.uniform(55.0, 110.0)
        height = rng.uniform(5_500.0, 11_800.0) if airliner else rng.uniform(600.0, 2_800.0)
        reach = radius_m if airliner else 0.5 * radius_m
        leg = rng.uniform(0.9, 1.6) * reach
        heading = rng.uniform(0.0, 360.0)
        h = radians(heading)
        e, n = rng.uniform(-0.5, 0.5) * reach, rng.uniform(-0.5, 0.5) * reach
        turn = max(speed**2 / (9.81 * 0.364), 500.0)  # 20 degrees of bank
        start = rng.uniform(0.2, 0.6) * leg
        path = Loop(origin, e - 0.5 * leg * sin(h), n - 0.5 * leg * cos(h), heading, leg, turn, speed, height, start)
        callsign = f"{rng.choice(['LPW', 'NRD', 'KST', 'HVN'])}{rng.randint(10, 999)}" if airliner else f"LTW{i:02d}"
        threshold = rng.gauss(-92.0, 5.0)
        out.append(
            Target(
                f"aircraft-{i + 1}",
                "aircraft",
                path,
                30.0 if airliner else 4.0,
                0x710000 + 37 * i + 1,
                callsign,
                threshold,
                "adsb",
            )
        )
    return out


def ships(origin: Place, count: int, box: tuple[float, float, float, float], rng: random.Random) -> list[Target]:
    """Vessels going to and fro in a box of sea (east min, east max, north min, north max)."""
    out = []
    for i in range(count):
        speed = rng.uniform(3.0, 10.0)
        leg = rng.uniform(4_000.0, 12_000.0)
        e, n = rng.uniform(box[0], box[1]), rng.uniform(box[2], box[3])
        path = Loop(origin, e, n, rng.uniform(0.0, 360.0), leg, 600.0, speed, 0.0, rng.uniform(0.0, leg))
        name = (
            rng.choice(["MORNING", "PACIFIC", "GOLDEN", "NORTHERN", "SILVER"])
            + " "
            + rng.choice(["HERON", "TERN", "PLOVER", "CURLEW"])
        )
        out.append(
            Target(
                f"ship-{i + 1}", "ship", path, 1_000.0, 440_100_000 + i, f"{name} {i + 1}", rng.gauss(-90.0, 4.0), "ais"
            )
        )
    return out
