"""Where the source of interference is: posterior over place and power, or "no unique source". Axes: o looks, g cells.

Grid Bayes, coarse to fine. Affected and unaffected speakers weigh the same; the thresholds of their receivers are
marginalised. Here one source is located and judged by its fit; search.py weighs a sector antenna and a second source
against it. Calibration: bench/integrity_source.py.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from jaxtyping import Bool, Float64, Int64
from scipy.special import erfc, gammaincc

from lapwing.integrity.pulses import PulseSettings, while_off
from lapwing.kernel import source as kernel
from lapwing.kernel.source import Beam, Looks, Physics
from lapwing.records import Array
from lapwing.records.arrays import freeze_columns

PULSES = PulseSettings()
ALL_ROUND = Beam(0.0, 0.0, 20.0)


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """The assumed world, and how finely it is searched."""

    physics: Physics = Physics(-95.0, 5.0, 2.0, 4.0, 0.005, 30.0, 0.05, 12.0, 0.8)
    heights_m: tuple[float, ...] = (10.0, 30.0, 100.0, 300.0)  # above the ground: vehicle, mast, hill, mountain
    power_dbm: tuple[float, float] = (16.0, 76.0)
    step_db: float = 3.0
    side: int = 17  # cells per side and level
    levels: int = 3
    margin_m: float = 150_000.0  # the search reaches this far beyond the affected
    fit_p_min: float = 0.01
    sigma_m_max: float = 80_000.0  # farther spread is no place
    best_db: float = 3.0  # shadowing of the best of many looks, at most
    misfit: float = 1.6  # how much worse than Bernoulli trials true sources fit, measured
    stray: float = 0.01  # chance to be affected, or not, for no reason of the model
    looks_per_speaker: int = 24
    affected_min: int = 3
    more_min: float = 4.0  # what explains the looks better than one source by less than this (log) is not thought of
    plainer_max: tuple[float, float] = (8.0, 4.0)  # a sector, or two all round, are told where they are worse than two
    # of which one has a beam by less than this (log)
    told_min: float = 9.0  # and better than one all round by this
    climb_height_m: float = 100.0  # of sources sought by climbs
    place_sharpness: float = 1.2  # one source is this much surer than its looks, tempered, say: measured
    surest: int = (
        25  # affected: with more of them what the model gets wrong decides, and looks count for less, measured
    )
    pulsed_sharpness: float = 0.65  # and this much of it where the source goes on and off
    pair_sharpness: float = 0.65  # one of two, the other held where it is likeliest, is less sure
    first_sharpness: float = 0.3  # and a first answer, that knows no alternatives, this much less sure
    sector_temper: float = 0.08  # a beam's real edges are not the model's
    looks_max: int = 2_500
    pair_looks_max: int = 1_200
    alternative_looks: tuple[int, int] = (500, 250)  # sector antennas and second sources are tried on fewer


@dataclass(frozen=True, slots=True)
class Posterior:
    """g cells of side `cell_m` around (east, north), their probabilities (sum 1), and summaries."""

    east_m: Float64[Array, " g"]
    north_m: Float64[Array, " g"]
    probability: Float64[Array, " g"]
    cell_m: float
    mean_m: tuple[float, float]
    sigma_m: float  # root of the summed variances
    power_dbm: float
    power_db_sigma: float
    beam: Beam
    fit_p: float  # chance of as bad a fit if the model were true
    unique: bool

    def __post_init__(self) -> None:
        freeze_columns(self)

    def region(self, share: float) -> Bool[Array, " g"]:
        """The smallest set of cells that holds `share` of the probability."""
        order = np.argsort(-self.probability, kind="stable")
        upto = int(np.searchsorted(np.cumsum(self.probability[order]), share)) + 1
        inside = np.zeros(len(order), bool)
        inside[order[:upto]] = True
        return inside


def make_looks(
    speaker: Int64[Array, " o"],
    time_ns: Int64[Array, " o"],
    place_m: Float64[Array, "o 3"],
    affected: Bool[Array, " o"],
    per_speaker: int,
) -> Looks:
    """Looks in the kernel's order, thinned to about `per_speaker` each; changes are always kept. Those of when a source
    that goes on and off was off are left out."""
    order = np.lexsort((time_ns, speaker))
    off = while_off(speaker[order], time_ns[order], affected[order], PULSES)
    order = order[~off]
    s, hit = speaker[order], affected[order].astype(np.int64)
    first = np.diff(s, prepend=s[:1] - 1) != 0 if len(s) else np.zeros(0, bool)
    begin = np.flatnonzero(first)
    count = np.diff(np.append(begin, len(s)))
    nth = np.arange(len(s)) - np.repeat(begin, count)
    every = np.repeat(np.maximum(1, -(-count // per_speaker)), count)
    change = np.diff(hit, prepend=hit[:1]) != 0 if len(s) else np.zeros(0, bool)
    keep = np.flatnonzero((nth % every == 0) | (change & ~first))
    s, hit, xyz = s[keep], hit[keep], place_m[order][keep]
    _, row = np.unique(s, return_inverse=True)
    again = np.diff(row, prepend=-1) == 0
    # who is affected by a source that goes on and off may have found its position and lost it again in between
    lost = kernel.FIRST if off.any() else kernel.WAS_AFFECTED
    before = np.where(again, np.where(np.roll(hit, 1) == 1, lost, kernel.WAS_FINE), kernel.FIRST)
    east, north, height = (np.ascontiguousarray(xyz[:, i]) for i in range(3))
    none = np.full(len(s), kernel.NO_BACKGROUND)
    return Looks(row.astype(np.int64), east, north, height, hit, before.astype(np.int64), none)


def affected_speakers(looks: Looks) -> int:
    """How many speakers were affected at any of the looks."""
    return len(np.unique(looks.speaker[looks.affected == 1]))


def _powers(settings: SourceSettings) -> Float64[Array, " p"]:
    low, high = settings.power_dbm
    return np.arange(low, high + 0.1, settings.step_db)


def _nodes(sigma_db: float, step_db: float) -> tuple[Int64[Array, " k"], Float64[Array, " k"]]:
    """Thresholds around the fleet's mean in steps, and the log of their normal weights."""
    half = int(np.ceil(3.0 * sigma_db / step_db))
    steps = np.arange(-half, half + 1)
    log_weight = -0.5 * (steps * step_db / sigma_db) ** 2
    return steps, log_weight - np.log(np.exp(log_weight).sum())


@lru_cache(maxsize=8)
def _curves(physics: Physics, step_db: float, n_power: int) -> kernel.Curves:
    """What the likelihood reads off, worked out once: it depends on neither looks nor the source's height."""
    _, log_weight = _nodes(physics.threshold_db_sigma, step_db)
    table = kernel.tables(physics, round(step_db * kernel.PER_DB), n_power + len(log_weight) - 1)
    return kernel.Curves(table, np.exp(log_weight))


def writable(looks: Looks) -> Looks:
    """The looks in arrays as kernels were compiled for: those of a checkpoint are read-only."""
    return Looks._make(np.require(column, requirements="W") for column in looks)


def likelihood(
    looks: Looks, cell_m: Float64[Array, "c 2"], settings: SourceSettings, beam: Beam
) -> Float64[Array, "c p"]:
    """Log-likelihood of the looks per cell and power."""
    out = np.zeros((len(cell_m), len(_powers(settings))))
    powers = (settings.power_dbm[0], settings.step_db)
    curves = _curves(settings.physics._replace(source_height_m=0.0), settings.step_db, out.shape[1])
    kernel.log_likelihood(writable(looks), cell_m, powers, settings.physics, beam, curves, out)
    return out


def _grid(low: Float64[Array, "2"], high: Float64[Array, "2"], side: int) -> tuple[Float64[Array, "c 2"], float]:
    """side x side square cells that cover the box."""
    cell = float(max(high - low) / side)
    middle = 0.5 * (low + high)
    steps = (np.arange(side) - 0.5 * (side - 1)) * cell
    e, n = np.meshgrid(middle[0] + steps, middle[1] + steps, indexing="ij")
    return np.stack([e.ravel(), n.ravel()], axis=1), cell


@dataclass(frozen=True, slots=True)
class Ask:
    """One location to be worked out: of what, how finely, with which antenna, in which box (none: all within reach)."""

    looks: Looks
    settings: SourceSettings
    beam: Beam = ALL_ROUND
    box_m: tuple[float, float, float, float] | None = None  # east, north of its corners


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of one level of a location, and the area that its prior covers."""

    level: int
    cells: Float64[Array, "c 2"]
    cell_m: float
    area_m2: float

    def __post_init__(self) -> None:
        freeze_columns(self)


@dataclass(frozen=True, slots=True)
class Found:
    """What a location found: log-likelihood per cell of the last level and power."""

    grid: Grid
    table: Float64[Array, "c p"]
    evidence: float  # log P(looks | one such source), the prior flat
    best: float  # highest log-likelihood

    def __post_init__(self) -> None:
        freeze_columns(self)

    def top(self, settings: SourceSettings) -> tuple[Float64[Array, "2"], float]:
        """Place and power of the likeliest cell."""
        c, p = np.unravel_index(int(np.argmax(self.table)), self.table.shape)
        return self.grid.cells[c], settings.power_dbm[0] + settings.step_db * float(p)


def first_grid(ask: Ask) -> Grid:
    """The widest grid of a location."""
    hit = ask.looks.affected == 1
    assert hit.any(), "a location without anybody affected"
    places = np.stack([ask.looks.east_m, ask.looks.north_m], axis=1)[hit]
    low, high = places.min(axis=0) - ask.settings.margin_m, places.max(axis=0) + ask.settings.margin_m
    area = float(np.prod(high - low))
    if ask.box_m is not None:
        low, high = np.array(ask.box_m[:2]), np.array(ask.box_m[2:])
    return Grid(0, *_grid(low, high, ask.settings.side), area)


def next_grid(ask: Ask, grid: Grid, table: Float64[Array, "c p"]) -> Grid | Found:
    """The grid around what is likely; after the last level, what was found."""
    if grid.level < ask.settings.levels - 1:
        best = table.max(axis=1)
        near = grid.cells[best > best.max() - (14.0 if grid.level == 0 else 9.0)]
        low, high = near.min(axis=0) - grid.cell_m, near.max(axis=0) + grid.cell_m
        return Grid(grid.level + 1, *_grid(low, high, ask.settings.side), grid.area_m2)
    top = float(table.max())
    total = float(np.log(np.exp(table - top).sum()))
    evidence = top + total + float(np.log(grid.cell_m**2 / grid.area_m2) - np.log(table.shape[1]))
    return Found(grid, table, evidence, top)


def answer(ask: Ask) -> Found:
    """The location worked out at once."""
    now: Grid | Found = first_grid(ask)
    while isinstance(now, Grid):
        now = next_grid(ask, now, likelihood(ask.looks, now.cells, ask.settings, ask.beam))
    return now


def locate(looks: Looks, settings: SourceSettings, beam: Beam = ALL_ROUND) -> Posterior:
    """Posterior over place and power of one source, the prior flat within reach of the affected."""
    ask = Ask(looks, settings, beam)
    return summed(ask, answer(ask))


def summed(ask: Ask, found: Found) -> Posterior:
    """The posterior of what was found, with its fit."""
    settings, cells = ask.settings, found.grid.cells
    weight = np.exp(found.table - found.best)
    joint = weight / weight.sum()
    place, power = joint.sum(axis=1), joint.sum(axis=0)
    mean = place @ cells
    spread = float(np.sqrt(place @ ((cells - mean) ** 2).sum(axis=1)))
    dbm = _powers(settings)
    level = float(power @ dbm)
    wide = float(np.sqrt(power @ (dbm - level) ** 2))
    fit = fit_p(ask.looks, cells, joint, settings, ask.beam)
    unique = _one_piece(place, settings.side) and fit >= settings.fit_p_min and spread <= settings.sigma_m_max
    return Posterior(
        cells[:, 0], cells[:, 1], place, found.grid.cell_m, (float(mean[0]), float(mean[1])), spread, level, wide,
        ask.beam, fit, unique,
    )  # fmt: skip


def _one_piece(place: Float64[Array, " g"], side: int) -> bool:
    """Whether the cells that hold 90 % hang together but for a tenth of them."""
    order = np.argsort(-place, kind="stable")
    upto = int(np.searchsorted(np.cumsum(place[order]), 0.9)) + 1
    left, best = set(order[:upto].tolist()), 0.0
    while left:
        edge, mass = [left.pop()], 0.0
        while edge:
            c = edge.pop()
            mass += float(place[c])
            around = {c + i * side + j for i in (-1, 0, 1) for j in (-1, 0, 1) if 0 <= c % side + j < side} & left
            left -= around
            edge += sorted(around)
        best = max(best, mass)
    return best >= 0.8


def received_dbm(
    looks: Looks, source_m: Float64[Array, "2"], power_dbm: float, settings: SourceSettings, beam: Beam
) -> Float64[Array, " o"]:
    """Power of one source at every look."""
    out = np.zeros(len(looks.speaker))
    kernel.received(writable(looks), source_m[0], source_m[1], power_dbm, settings.physics, beam, out)
    return out


def fit_p(
    looks: Looks, cells: Float64[Array, "c 2"], joint: Float64[Array, "c p"], settings: SourceSettings, beam: Beam
) -> float:
    """Posterior predictive check at the likeliest source: how likely a misfit as bad as the one seen is, if the model
    were true. Trials: speakers (was it affected?), and speakers per octant around the source, near or far: a second
    source or a sector antenna leaves octants in which too many or too few are affected."""
    c, p = np.unravel_index(int(np.argmax(joint)), joint.shape)
    power = float(_powers(settings)[p])
    level = received_dbm(looks, cells[c], power, settings, beam)
    level = np.maximum(level, looks.background_dbm) - settings.physics.threshold_dbm
    chance, hit, _ = _trials(looks, level, np.zeros(len(level), np.int64), settings)
    deviance = -np.log(np.where(hit, chance, 1.0 - chance)).sum()
    odds = np.log(chance / (1.0 - chance))
    expected = -(chance * np.log(chance) + (1.0 - chance) * np.log1p(-chance)).sum()
    spread = float(np.sqrt((chance * (1.0 - chance) * odds**2).sum()))
    z = float((deviance - expected) / max(settings.misfit * spread, 1e-9))
    whole = float(0.5 * erfc(z / np.sqrt(2.0)))
    east, north = looks.east_m - cells[c, 0], looks.north_m - cells[c, 1]
    octant = np.floor((np.arctan2(east, north) / (2.0 * np.pi) + 0.5) * 8.0).astype(np.int64) % 8
    chance, hit, where = _trials(looks, level, octant + 8 * (level > 0.0), settings)
    seen = np.bincount(where, weights=hit - chance, minlength=16)
    spread2 = settings.misfit**2 * np.bincount(where, weights=chance * (1.0 - chance), minlength=16)
    used = spread2 > settings.misfit**2 * 0.25
    chi2 = float((seen[used] ** 2 / spread2[used]).sum())
    return min(1.0, 2.0 * min(whole, float(gammaincc(max(used.sum(), 1) / 2.0, chi2 / 2.0))))


def _trials(
    looks: Looks, level: Float64[Array, " o"], part: Int64[Array, " o"], settings: SourceSettings
) -> tuple[Float64[Array, " g"], Bool[Array, " g"], Int64[Array, " g"]]:
    """Per speaker and part of the plane, where it has two looks or more: chance to be affected in at least two (its
    second best decides), whether it was, and the part."""
    group = looks.speaker * 16 + part
    order = np.lexsort((-level, group))
    begin = np.flatnonzero(np.diff(group[order], prepend=-1) != 0)
    count = np.diff(np.append(begin, len(order)))
    begin, count = begin[count >= 2], count[count >= 2]
    second = level[order[begin + 1]]
    total = np.cumsum(np.append(0, looks.affected[order]))
    hits = total[begin + count] - total[begin]
    steps, log_weight = _nodes(settings.physics.threshold_db_sigma, settings.step_db)
    many = np.minimum(settings.best_db, np.log2(count / 2.0))  # shadowing of the best of many looks
    x = (second[:, None] - steps * settings.step_db + many[:, None]) / settings.physics.softness_db
    p = (np.exp(log_weight) / (1.0 + np.exp(-np.clip(x, -50.0, 50.0)))).sum(axis=1)
    return np.clip(p, settings.stray, 1.0 - settings.stray), hits >= 2, part[order[begin]]


def outline(posterior: Posterior, share: float) -> list[Float64[Array, "v 2"]]:
    """The closed rings (first vertex repeated) around the cells that hold `share` of the probability."""
    inside, cell_m = posterior.region(share), posterior.cell_m
    west, south = float(posterior.east_m.min()), float(posterior.north_m.min())
    i, j = np.rint((posterior.east_m[inside] - west) / cell_m), np.rint((posterior.north_m[inside] - south) / cell_m)
    whole = shapely.coverage_union_all(shapely.box(i, j, i + 1.0, j + 1.0))  # corners of cells meet exactly
    rings = [shapely.get_coordinates(part.exterior.simplify(0.0)) for part in shapely.get_parts(whole)]
    return [np.asarray((ring - 0.5) * cell_m + [west, south]) for ring in rings]
