"""The likeliest one source, one with a beam, two, or two of which one has a beam: many short climbs, a few long ones.

They see what two places explain better than one for a small part of what grids over both would cost. A climb is a
frozen value between any two of its steps. The random numbers are a fixed table: the same looks, the same answer.
"""

from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from lapwing.integrity.source import SourceSettings, writable
from lapwing.kernel import climb as kernel
from lapwing.kernel import source
from lapwing.kernel.climb import OFF_DBM, Climber
from lapwing.kernel.source import Beam, Looks, Physics
from lapwing.records import Array
from lapwing.records.arrays import freeze_columns

START_DBM, START_WIDTH_RAD = (40.0, 42.0), 2.1
APART = 0.8  # of the spread of the affected: how far from their middle climbs begin
SHORT, LONG, LAST = (
    (120, 8),
    (400, 4),
    400,
)  # steps of each climb, and how many of the best go on; the last on all looks
MOVES = 4_096


@dataclass(frozen=True, slots=True)
class Climb:
    """One climb to be worked out: from where (see Climber), how many steps, with which of the random numbers."""

    looks: Looks
    settings: SourceSettings
    start: Float64[Array, "8"]
    steps: int
    number: int

    def __post_init__(self) -> None:
        freeze_columns(self)


@dataclass(frozen=True, slots=True)
class Climbed:
    """Where a climb was highest, and how high: log P(looks)."""

    place: Float64[Array, "8"]
    value: float

    def __post_init__(self) -> None:
        freeze_columns(self)

    @property
    def first(self) -> tuple[Float64[Array, "2"], float]:
        """Place (m) and power (dBm) of the round source."""
        return self.place[0:2], float(self.place[2])

    @property
    def second(self) -> tuple[Float64[Array, "2"], float]:
        """Place (m) and power (dBm) of the other."""
        return self.place[3:5], float(self.place[5])

    @property
    def beam(self) -> Beam:
        """The beam of the other."""
        return Beam(round(float(self.place[6] % (2.0 * np.pi)), 6), round(float(self.place[7]), 6), kernel.OUTSIDE_DB)


Climbing = Generator[Climb, Climbed, Climbed]


@lru_cache(maxsize=4)
def _curves(physics: Physics) -> tuple[Float64[Array, "b a p c"], Float64[Array, " k"]]:
    """Chances by level, and the weights of thresholds."""
    nodes = (np.arange(kernel.NODES) - kernel.NODES // 2) * kernel.NODE_DB
    weight = np.exp(-0.5 * (nodes / physics.threshold_db_sigma) ** 2)
    return source.tables(physics, kernel.STRIDE, kernel.PAD), weight / weight.sum()


@lru_cache(maxsize=1)
def _moves() -> Float64[Array, "t 6"]:
    """The table of random numbers."""
    rng = np.random.default_rng(1)
    return np.concatenate([rng.normal(size=(MOVES, kernel.MOVES - 1)), np.log(rng.random((MOVES, 1)))], axis=1)


def started(climb: Climb) -> Climber:
    """The climber before its first step."""
    return Climber(climb.start, climb.start, 0.0)


def after(climb: Climb, climber: Climber, steps: tuple[int, int]) -> Climber:
    """The climber after steps[0] .. steps[1] - 1."""
    physics = climb.settings.physics
    table, weight = _curves(physics._replace(source_height_m=0.0))
    looks = writable(climb.looks)
    begins = np.append(np.flatnonzero(np.diff(looks.speaker, prepend=-1) != 0), len(looks.speaker))
    there = climber._replace(now=np.array(climber.now), best=np.array(climber.best))
    moves = np.take(_moves(), np.arange(climb.number, climb.number + climb.steps), axis=0, mode="wrap")
    return kernel.climb(looks, (begins, table, weight), physics, there, moves, (*steps, climb.steps))


def answered(climb: Climb) -> Climbed:
    """The climb worked out at once."""
    end = after(climb, started(climb), (0, climb.steps))
    return Climbed(end.best, end.value)


def climbing(few: Looks, many: Looks, settings: SourceSettings, starts: list[Float64[Array, "8"]]) -> Climbing:
    """The highest of climbs from these starts: all on few looks, the best farther, the best of those on many."""
    done: list[Climbed] = []
    for number, start in enumerate(starts):
        done.append((yield Climb(few, settings, start, SHORT[0], 7 * number)))
    farther: list[Climbed] = []
    for number, best in enumerate(_highest(done, SHORT[1])):
        farther.append((yield Climb(few, settings, best.place, LONG[0], 500 + 7 * number)))
    last: list[Climbed] = []
    for best in _highest(farther, LONG[1]):
        last.append((yield Climb(many, settings, best.place, LAST, 1_000)))
    return _highest(last, 1)[0]


def _highest(done: list[Climbed], number: int) -> list[Climbed]:
    return sorted(done, key=lambda each: -each.value)[:number]


def alone(place_m: Float64[Array, "2"], power_dbm: float) -> Float64[Array, "8"]:
    """The start of one source all round."""
    return np.array([*place_m, power_dbm, 0.0, 0.0, OFF_DBM, 0.0, 0.0])


def around(looks: Looks) -> list[Float64[Array, "8"]]:
    """Starts of two sources on both sides of the middle of the affected, one with a beam, at six bearings and with four
    bearings of the beam each."""
    (east, north), spread = _middle(looks)
    out = []
    for bearing in np.arange(6) * np.pi / 3.0:
        e, n = APART * spread * np.sin(bearing), APART * spread * np.cos(bearing)
        for turn in np.arange(4) * np.pi / 2.0:
            place = (east - e, north - n, START_DBM[0], east + e, north + n, START_DBM[1], bearing + turn)
            out.append(np.array([*place, START_WIDTH_RAD]))
    return out


def with_beam(looks: Looks) -> list[Float64[Array, "8"]]:
    """Starts of one source with a beam, all around the middle of the affected, which it faces."""
    (east, north), spread, out = *_middle(looks), []
    for bearing in np.arange(8) * np.pi / 4.0:
        e, n = APART * spread * np.sin(bearing), APART * spread * np.cos(bearing)
        out.append(np.array([0.0, 0.0, OFF_DBM, east - e, north - n, 44.0, bearing, START_WIDTH_RAD]))
    return out


def without_first(pair: Climbed) -> Float64[Array, "8"]:
    """The start of the pair's second source alone."""
    return np.append([0.0, 0.0, OFF_DBM], pair.place[3:])


def both_round(looks: Looks, one: Climbed, pair: Climbed) -> list[Float64[Array, "8"]]:
    """Starts of two sources all round: the places of the pair, both sides of the affected, one of them where the one
    source would be."""
    (east, north), spread = _middle(looks)
    out = [np.append(pair.place[:6], [0.0, 0.0])]
    for bearing in np.arange(4) * np.pi / 4.0:
        e, n = APART * spread * np.sin(bearing), APART * spread * np.cos(bearing)
        for first in ((east - e, north - n), (east + e, north + n)):
            out.append(np.array([*one.place[:3], *first, START_DBM[0], 0.0, 0.0]))
        out.append(np.array([east - e, north - n, START_DBM[0], east + e, north + n, START_DBM[0], 0.0, 0.0]))
    return out


def _middle(looks: Looks) -> tuple[tuple[float, float], float]:
    """The middle of the affected (m), and how far they spread from it per axis (m)."""
    hit = looks.affected == 1
    east, north = looks.east_m[hit], looks.north_m[hit]
    spread = float(np.sqrt(0.5 * (east.var() + north.var())))
    return (float(east.mean()), float(north.mean())), max(spread, 10_000.0)
