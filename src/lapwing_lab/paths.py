"""Paths: any moment of a target's life, from knots that a steered point mass leaves behind. Axes: n targets, k knots,
w waypoints, t times.

`steer` flies a whole group at once: each member goes from waypoint to waypoint within its limits of turn, climb and
acceleration, with wind-blown noise; between knots the path is a cubic (Hermite) in time, so every instant is defined,
velocities are continuous, and the same seed gives the same life. Coordinates: metres east and north along the
ellipsoid from the origin, height above it.
"""

from dataclasses import dataclass
from math import floor

import numpy as np
from jaxtyping import Float64, Int64

from lapwing_lab.geo import Place, enu_of_surface, offset
from lapwing_lab.truth import State

Array = np.ndarray
G_MPS2 = 9.81


@dataclass(frozen=True, slots=True)
class Path:
    """A life from `begin_s` in steps of `step_s`; before it and after its end the target is nowhere (in files) or at
    rest at the end (for `at`)."""

    origin: Place
    begin_s: float
    step_s: float
    place: Float64[Array, "k 3"]
    rate: Float64[Array, "k 3"]

    @property
    def end_s(self) -> float:
        """When it ends."""
        return self.begin_s + self.step_s * (len(self.place) - 1)

    def at(self, t_s: float) -> State:
        """The state at a time."""
        u = min(max((t_s - self.begin_s) / self.step_s, 0.0), len(self.place) - 1.0)
        k = min(floor(u), len(self.place) - 2)
        # `hermite` for one instant, a hundred times faster on plain numbers
        u, step = u - k, self.step_s
        u2, u3 = u * u, u * u * u
        a, b, c, d = 2 * u3 - 3 * u2 + 1, u3 - 2 * u2 + u, 3 * u2 - 2 * u3, u3 - u2
        a1, b1, c1, d1 = 6 * u2 - 6 * u, 3 * u2 - 4 * u + 1, 6 * u - 6 * u2, 3 * u2 - 2 * u
        place, rate = [], []
        (p0, p1), (m0, m1) = self.place[k : k + 2].tolist(), self.rate[k : k + 2].tolist()
        for q0, q1, r0, r1 in zip(p0, p1, m0, m1, strict=True):
            s0, s1 = step * r0, step * r1
            place.append(a * q0 + b * s0 + c * q1 + d * s1)
            rate.append((a1 * q0 + b1 * s0 + c1 * q1 + d1 * s1) / step)
        return State(offset(self.origin, *place), *rate)

    def enu(self) -> tuple[Float64[Array, "k 3"], Float64[Array, "k 3"]]:
        """Knots and velocities in the tangent frame of the origin."""
        ahead = enu_of_surface(self.origin, self.place + 0.05 * self.rate)
        behind = enu_of_surface(self.origin, self.place - 0.05 * self.rate)
        return enu_of_surface(self.origin, self.place), (ahead - behind) / 0.1


def hermite(
    place: Float64[Array, "k 3"], rate: Float64[Array, "k 3"], step_s: Float64[Array, " t"] | float,
    at: Int64[Array, " t"], u: Float64[Array, " t"],
) -> tuple[Float64[Array, "t 3"], Float64[Array, "t 3"]]:  # fmt: skip
    """Positions and velocities at the share `u` of the step after knot `at`."""
    step = np.broadcast_to(np.asarray(step_s, dtype=np.float64), u.shape)[:, None]
    u = u[:, None]
    p0, p1, m0, m1 = place[at], place[at + 1], step * rate[at], step * rate[at + 1]
    u2, u3 = u * u, u * u * u
    position = (2 * u3 - 3 * u2 + 1) * p0 + (u3 - 2 * u2 + u) * m0 + (3 * u2 - 2 * u3) * p1 + (u3 - u2) * m1
    slope = (6 * u2 - 6 * u) * p0 + (3 * u2 - 4 * u + 1) * m0 + (6 * u - 6 * u2) * p1 + (3 * u2 - 2 * u) * m1
    return position, slope / step


@dataclass(frozen=True, slots=True)
class Limits:
    """What a kind of target can do, and how restless it is."""

    lateral_mps2: float  # turning
    turn_radps_max: float
    accelerate_mps2: float
    climb_mps: float
    wander_rad: float = 0.0  # of the course, standard deviation
    wander_mps: float = 0.0  # of the speed
    wander_m: float = 0.0  # of the height
    wander_s: float = 20.0  # how long a mood lasts
    can_hover: bool = False


@dataclass(frozen=True, slots=True)
class Orders:
    """Waypoints of a group, w each: where, how fast on the way there, how long to stay. `after`: what follows the
    last: "again" (from the first), "on" (straight on), "stay" (hover, or circle if it cannot)."""

    place: Float64[Array, "n w 3"]
    speed_mps: Float64[Array, "n w"]
    hold_s: Float64[Array, "n w"]
    after: str = "again"


def steer(
    orders: Orders, limits: Limits, duration_s: float, rng: np.random.Generator, step_s: float = 1.0
) -> tuple[Float64[Array, "n k 3"], Float64[Array, "n k 3"]]:
    """Knots of a whole group, starting at its first waypoints towards the second."""
    n, w = orders.speed_mps.shape
    steps = int(np.ceil(duration_s / step_s)) + 2
    place = orders.place[:, 0].copy()
    toward = orders.place[:, min(1, w - 1)] - place
    course, speed = np.arctan2(toward[:, 0], toward[:, 1]), orders.speed_mps[:, min(1, w - 1)].copy()
    target, held = np.full(n, min(1, w - 1)), np.zeros(n)
    moods = rng.normal(0.0, 1.0, (3, n))
    decay = float(np.exp(-step_s / limits.wander_s))
    out_place, out_rate = np.empty((n, steps, 3)), np.empty((n, steps, 3))
    climb = np.zeros(n)
    who = np.arange(n)
    for k in range(steps):
        out_place[:, k] = place
        out_rate[:, k] = np.stack([speed * np.sin(course), speed * np.cos(course), climb], axis=1)
        moods = decay * moods + np.sqrt(1.0 - decay**2) * rng.normal(0.0, 1.0, (3, n))
        goal = orders.place[who, target]
        gap = goal - place
        away = np.hypot(gap[:, 0], gap[:, 1])
        reached = away < np.maximum(1.5 * speed * step_s, 5.0) + speed**2 / limits.lateral_mps2 * (not limits.can_hover)
        held = np.where(reached, held + step_s, 0.0)
        last = target == w - 1
        done = reached & (held > orders.hold_s[who, target]) & ~(last & (orders.after == "stay"))
        target = np.where(done, np.where(last, 0 if orders.after == "again" else target, target + 1), target)
        stay = reached & ~done
        wish = np.arctan2(gap[:, 0], gap[:, 1]) + limits.wander_rad * moods[0]
        on = done & last & (orders.after == "on")
        orders.place[who[on], -1, :2] += 1e6 * np.stack([np.sin(course), np.cos(course)], axis=1)[on]
        wish = np.where(stay & (not limits.can_hover), course + 0.9 * limits.turn_radps_max * step_s, wish)
        fast = np.maximum(orders.speed_mps[who, target] + limits.wander_mps * moods[1], 0.3)
        if limits.can_hover:
            fast = np.where(stay, 0.3, np.minimum(fast, np.maximum(0.4 * away, 1.0)))
        turn = np.minimum(limits.lateral_mps2 / np.maximum(speed, 1.0), limits.turn_radps_max) * step_s
        course = course + np.clip((wish - course + np.pi) % (2 * np.pi) - np.pi, -turn, turn)
        speed = speed + np.clip(fast - speed, -limits.accelerate_mps2 * step_s, limits.accelerate_mps2 * step_s)
        lift = gap[:, 2] + limits.wander_m * moods[2]
        patience = np.maximum(away / np.maximum(speed, 1.0), 5.0)
        climb = np.clip(lift / patience, -limits.climb_mps, limits.climb_mps)
        after = np.stack([speed * np.sin(course), speed * np.cos(course), climb], axis=1)
        place = place + 0.5 * step_s * (out_rate[:, k] + after)
    return out_place, out_rate
