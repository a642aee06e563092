"""The world at a time: all targets of a scenario as columns, so that a radar's look costs one evaluation. Axes: n
targets, k knots. Positions in the tangent frame (east, north, up) of the scenario's origin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing_lab.geo import Place, axes, ecef, surface
from lapwing_lab.paths import Path, hermite
from lapwing_lab.terrain import EARTH_43_M, Terrain, terrain
from lapwing_lab.truth import Target

Array = np.ndarray
SAMPLE_S = 1.0  # of paths that are formulas


@dataclass(frozen=True, slots=True)
class World:
    """Targets as columns; `first` is the row of each one's first knot in `place` and `rate`."""

    targets: tuple[Target, ...]
    origin: Place
    rcs_m2: Float64[Array, " n"]
    begin_s: Float64[Array, " n"]
    end_s: Float64[Array, " n"]
    step_s: Float64[Array, " n"]
    first: Int64[Array, " n"]
    count: Int64[Array, " n"]
    place: Float64[Array, "k 3"]
    rate: Float64[Array, "k 3"]

    def __len__(self) -> int:
        return len(self.targets)

    def at(self, t_s: Float64[Array, " n"] | float) -> tuple[Array, Array, Bool[Array, " n"]]:
        """Positions and velocities of all at the time (or each at its own), and who is there at all."""
        t = np.broadcast_to(np.asarray(t_s, dtype=np.float64), len(self))
        u = np.clip((t - self.begin_s) / self.step_s, 0.0, self.count - 1.0)
        k = np.minimum(u.astype(np.int64), self.count - 2)
        position, velocity = hermite(self.place, self.rate, self.step_s, self.first + k, u - k)
        return position, velocity, (t >= self.begin_s) & (t <= self.end_s)


def make(targets: Sequence[Target], origin: Place, duration_s: float) -> World:
    """The columns of the targets, for a scenario that lasts `duration_s`."""
    lives = [(t.path if isinstance(t.path, Path) else _sampled(t, origin, duration_s)) for t in targets]
    knots = [path.enu() for path in lives]
    count = np.array([len(p) for p, _ in knots], dtype=np.int64)
    none = np.zeros((0, 3))
    return World(
        tuple(targets),
        origin,
        np.array([t.rcs_m2 for t in targets], dtype=np.float64),
        np.array([p.begin_s for p in lives], dtype=np.float64),
        np.array([p.end_s for p in lives], dtype=np.float64),
        np.array([p.step_s for p in lives], dtype=np.float64),
        np.cumsum(count) - count,
        count,
        np.concatenate([p for p, _ in knots] or [none]),
        np.concatenate([v for _, v in knots] or [none]),
    )


def _sampled(target: Target, origin: Place, duration_s: float) -> Path:
    times = np.arange(0.0, duration_s + 2.0 * SAMPLE_S, SAMPLE_S)
    states = [target.path.at(float(t)) for t in times]
    place = np.array([surface(origin, s.place) for s in states])
    rate = np.array([(s.ve, s.vn, s.vu) for s in states])
    return Path(origin, 0.0, SAMPLE_S, place, rate)


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a sensor stands, as a frame: its position in the world's and the rotation into its own east, north, up.
    The ground of the horizon is at the height of the scenario's origin."""

    place: Place
    ground_m: float
    position: Float64[Array, "3"]
    rotation: Float64[Array, "3 3"]
    terrain: Terrain

    def look(self, position: Array, velocity: Array) -> "Sight":
        """Everything a sensor there can see of targets."""
        x = (position - self.position) @ self.rotation.T
        v = velocity @ self.rotation.T
        ground = np.maximum(np.hypot(x[:, 0], x[:, 1]), 1e-6)
        r = np.hypot(ground, x[:, 2])
        rate = (x * v).sum(axis=1) / r
        # a path above the smooth Earth, with the usual 4/3 refraction
        base = self.place.height_m - self.ground_m
        height = x[:, 2] + ground**2 / (2.0 * 6_371_000.0) + base
        reach = np.sqrt(max(base, 0.0)) + np.sqrt(np.maximum(height, 0.0))
        clear = ground < np.sqrt(2.0 * EARTH_43_M) * reach
        clear &= self.terrain.clear(self.position[:2], base, position[:, :2], height)
        return Sight(r, np.arctan2(x[:, 0], x[:, 1]) % (2.0 * np.pi), np.arctan2(x[:, 2], ground), rate, clear)


@dataclass(frozen=True, slots=True)
class Sight:
    """Targets as seen from one place; `clear`: above the radio horizon and the hills."""

    range_m: Float64[Array, " n"]
    azimuth_rad: Float64[Array, " n"]
    elevation_rad: Float64[Array, " n"]
    range_rate_mps: Float64[Array, " n"]
    clear: Bool[Array, " n"]


def stand(place: Place, origin: Place, ground: Terrain | None = None) -> Stand:
    """The frame of a sensor at a place."""
    mine, theirs = axes(place), axes(origin)
    position = (np.array(ecef(place)) - np.array(ecef(origin))) @ theirs.T
    return Stand(place, origin.height_m, position, mine @ theirs.T, ground or terrain([]))
