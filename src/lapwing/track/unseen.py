"""What could be here unseen: the Poisson intensity of undetected small drones on a grid. Axes: k ways to move, y rows
(south to north), x columns (west to east).

A drone hovers or flies in one of eight directions at one speed and changes its mind now and then; drones start anywhere
at a steady rate, stay for a mean lifetime, and come in over the edge as they would from a world in which nobody looks.
Independent motion and thinning keep a Poisson process Poisson (so are the undetected targets of every Poisson
multi-Bernoulli filter), so the expected number per cell is all there is to know. Every look of a sensor takes from each
cell the share that it would have detected there. Cells shift by whole cells, each direction in its own time: nothing
smears. Births keep it from ever reaching zero.

A part of the drones (`blind_share`) no sensor of the site can see, whatever they look: behind a hill, too small, too
low. Repeated looks learn nothing of them. Refuses to know terrain: a sensor sees as far as its model says.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.kernel.geodesy import SEMI_MAJOR_M
from lapwing.records import Array
from lapwing.records.arrays import freeze_columns, same_length
from lapwing.track.sensors import SensorModel

NS = 1e-9
WAYS = ((0, 0), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))  # east, north; the first hovers
K = len(WAYS)
STEP_S_MAX = 3_600.0  # after a longer gap everything is as at the start anyway
LOOKS_MIN = 1e-3  # of a period: closer looks of one sensor are one look


@dataclass(frozen=True, slots=True)
class UnseenSettings:
    """What a small drone does that nobody has seen. `drones_per_km2`: how many there would be if nobody looked."""

    drones_per_km2: float = 1e-3
    speed_mps: float = 15.0
    hover_share: float = 0.2
    turn_s: float = 60.0  # mean time between changes of mind
    lifetime_s: float = 1_500.0  # in the air
    height_m: float = 100.0  # above the site's origin, along the Earth's curve
    blind_share: float = 0.02  # that no sensor of the site ever sees
    every_s: float = 1.0  # between predictions

    @property
    def shares(self) -> Float64[Array, " k"]:
        """Of the ways to move, as they are in the long run."""
        moving = np.full(K - 1, (1.0 - self.hover_share) / (K - 1))
        return np.concatenate([[self.hover_share], moving])


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the cells are."""

    west_m: float
    south_m: float
    cell_m: float
    columns: int
    rows: int

    def centres(self, height_m: float) -> Float64[Array, "c 6"]:
        """Standing targets in the middle of every cell, row by row, at this height along the Earth's curve."""
        east = self.west_m + self.cell_m * (np.arange(self.columns) + 0.5)
        north = self.south_m + self.cell_m * (np.arange(self.rows) + 0.5)
        mean = np.zeros((self.rows * self.columns, 6))
        mean[:, 0], mean[:, 1] = np.tile(east, self.rows), np.repeat(north, self.columns)
        mean[:, 2] = height_m - (mean[:, 0] ** 2 + mean[:, 1] ** 2) / (2.0 * SEMI_MAJOR_M)
        return mean


@dataclass(frozen=True, slots=True)
class UnseenState:
    """Expected undetected drones per way to move and cell, of those that can be seen at all."""

    time_ns: int
    expected: Float64[Array, "k y x"]
    travelled_m: Float64[Array, " k"]  # since the last shift
    sensors: tuple[str, ...] = ()
    looked_ns: Int64[Array, " s"] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        same_length(self, "sensors", "looked_ns")
        freeze_columns(self)


def unwatched(grid: Grid, settings: UnseenSettings) -> float:
    """Drones per cell where nobody looks."""
    return settings.drones_per_km2 * grid.cell_m**2 * 1e-6


def unseen_start(grid: Grid, settings: UnseenSettings, time_ns: int = 0) -> UnseenState:
    """Nobody has looked yet."""
    level = unwatched(grid, settings) * (1.0 - settings.blind_share) * settings.shares
    return UnseenState(time_ns, np.tile(level[:, None, None], (1, grid.rows, grid.columns)), np.zeros(K))


def grown(state: UnseenState, to_ns: int, grid: Grid, settings: UnseenSettings) -> UnseenState:
    """The intensity at `to_ns`, had nobody looked since."""
    dt_s = (to_ns - state.time_ns) * NS
    if dt_s <= 0.0:
        return state
    if dt_s > STEP_S_MAX:
        fresh = unseen_start(grid, settings, to_ns)
        return replace(fresh, sensors=state.sensors, looked_ns=state.looked_ns)
    level = unwatched(grid, settings) * (1.0 - settings.blind_share) * settings.shares
    stay, keep = np.exp(-dt_s / settings.lifetime_s), np.exp(-dt_s / settings.turn_s)
    n = state.expected
    n = keep * n + (1.0 - keep) * settings.shares[:, None, None] * n.sum(axis=0)
    n = stay * n + (1.0 - stay) * level[:, None, None]
    travelled = state.travelled_m + np.where(np.arange(K) > 0, settings.speed_mps * dt_s, 0.0)
    for k, (east, north) in enumerate(WAYS):
        stride_m = grid.cell_m * np.hypot(east, north)
        shifts = int(travelled[k] // stride_m) if k else 0
        if shifts:
            travelled[k] -= shifts * stride_m
            n[k] = _shifted(n[k], east * shifts, north * shifts, float(level[k]))
    return replace(state, time_ns=to_ns, expected=n, travelled_m=travelled)


def _shifted(n: Float64[Array, "y x"], east: int, north: int, outside: float) -> Float64[Array, "y x"]:
    """The cells moved by whole cells; what comes in over the edge is as it is outside."""
    out = np.full_like(n, outside)
    rows, columns = n.shape
    if abs(east) < columns and abs(north) < rows:
        to_y, from_y = _overlap(north, rows)
        to_x, from_x = _overlap(east, columns)
        out[to_y, to_x] = n[from_y, from_x]
    return out


def _overlap(by: int, size: int) -> tuple[slice, slice]:
    if by >= 0:
        return slice(by, size), slice(0, size - by)
    return slice(0, size + by), slice(-by, size)


def thinned(
    state: UnseenState, sensor: SensorModel, scan_ns: int, seen: Float64[Array, "y x"], period_s: float
) -> UnseenState:
    """The intensity after one look of a sensor that detects drones with the probability `seen` per cell. Looks closer
    together than the sensor's period count as the part of one that they are: some deliver a scan in pieces."""
    known = dict(zip(state.sensors, state.looked_ns.tolist(), strict=True))
    since_s = (scan_ns - known.get(sensor.sensor, scan_ns - round(period_s * 1e9))) * NS
    part = min(max(since_s / period_s, 0.0), 1.0)
    if part < LOOKS_MIN:
        return state
    known[sensor.sensor] = max(scan_ns, known.get(sensor.sensor, scan_ns))
    names = tuple(sorted(known))
    left = np.power(np.maximum(1.0 - seen, 1e-6), part)
    looked = np.array([known[name] for name in names], dtype=np.int64)
    return replace(state, expected=state.expected * left, sensors=names, looked_ns=looked)


def lost(
    state: UnseenState,
    grid: Grid,
    mean: Float64[Array, "n 6"],
    cov: Float64[Array, "n 6 6"],
    number: Float64[Array, " n"],
    settings: UnseenSettings,
) -> UnseenState:
    """The intensity with drones that a track stood for and no track does any more: spread over the cells by the
    track's own uncertainty, by their ways to move as in the long run. What lies outside the grid is left out."""
    if not len(mean):
        return state
    at = grid.centres(0.0)[:, :2]
    add = np.zeros((grid.rows, grid.columns))
    for x, P, r in zip(mean[:, :2], cov[:, :2, :2], number, strict=True):
        S = P + np.eye(2) * grid.cell_m**2 / 12.0
        e = at - x
        d2 = np.einsum("ci,ij,cj->c", e, np.linalg.inv(S), e)
        share = np.exp(-0.5 * d2) * grid.cell_m**2 / (2.0 * np.pi * np.sqrt(np.linalg.det(S)))
        add += r * share.reshape(add.shape) / max(float(share.sum()), 1.0)
    return replace(state, expected=state.expected + settings.shares[:, None, None] * add)


def expected_unseen(state: UnseenState, grid: Grid, settings: UnseenSettings) -> Float64[Array, "y x"]:
    """Undetected drones per cell, those that nothing here can see included."""
    return np.asarray(state.expected.sum(axis=0) + settings.blind_share * unwatched(grid, settings))
