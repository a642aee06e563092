"""Where the source of interference is: posterior over place and power, or "no unique source". Axes: o looks, g cells.

Grid Bayes, coarse to fine. Affected and unaffected speakers weigh the same; the thresholds of their receivers are
marginalised. Whether one all-round source explains what is seen is tested; if not, a sector antenna and a second source
are tried, and if none fits, that is the answer. Calibration: bench/integrity_source.py.
"""

from dataclasses import dataclass, replace

import numpy as np
import shapely
from jaxtyping import Bool, Float64, Int64
from scipy.special import erfc, gammaincc

from lapwing.kernel import source as kernel
from lapwing.kernel.source import Beam, Looks, Physics
from lapwing.records import Array
from lapwing.records.arrays import freeze_columns

ALL_ROUND = Beam(0.0, 0.0, 20.0)


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """The assumed world, and how finely it is searched."""

    physics: Physics = Physics(-95.0, 5.0, 2.4, 5.0, 0.005, 30.0, 0.05, 12.0, 0.7)
    power_dbm: tuple[float, float] = (16.0, 76.0)
    step_db: float = 3.0
    side: int = 17  # cells per side and level
    levels: int = 3
    margin_m: float = 150_000.0  # the search reaches this far beyond the affected
    fit_p_min: float = 0.01
    best_db: float = 3.0  # shadowing of the best of many looks, at most
    misfit: float = 1.6  # how much worse than Bernoulli trials true sources fit, measured
    stray: float = 0.01  # chance to be affected, or not, for no reason of the model
    looks_per_speaker: int = 24
    affected_min: int = 3
    evidence_min: float = 3.0  # a sector or a second source must be this much likelier (log)
    alternative_looks_max: int = 500  # sector antennas and second sources are tried on fewer


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
    evidence: float  # log marginal likelihood
    best: float  # log likelihood at the likeliest place and power

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
    """Looks in the kernel's order, thinned to about `per_speaker` each; changes are always kept."""
    order = np.lexsort((time_ns, speaker))
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
    before = np.where(again, np.where(np.roll(hit, 1) == 1, kernel.WAS_AFFECTED, kernel.WAS_FINE), kernel.FIRST)
    east, north, height = (np.ascontiguousarray(xyz[:, i]) for i in range(3))
    none = np.full(len(s), kernel.NO_BACKGROUND)
    return Looks(row.astype(np.int64), east, north, height, hit, before.astype(np.int64), none)


def _powers(settings: SourceSettings) -> Float64[Array, " p"]:
    low, high = settings.power_dbm
    return np.arange(low, high + 0.1, settings.step_db)


def _nodes(settings: SourceSettings) -> tuple[Int64[Array, " k"], Float64[Array, " k"]]:
    """Thresholds around the fleet's mean in steps, and the log of their normal weights."""
    half = int(np.ceil(3.0 * settings.physics.threshold_db_sigma / settings.step_db))
    steps = np.arange(-half, half + 1)
    log_weight = -0.5 * (steps * settings.step_db / settings.physics.threshold_db_sigma) ** 2
    return steps, log_weight - np.log(np.exp(log_weight).sum())


def likelihood(
    looks: Looks, cell_m: Float64[Array, "c 2"], settings: SourceSettings, beam: Beam
) -> Float64[Array, "c p"]:
    """Log-likelihood of the looks per cell and power."""
    power = _powers(settings)
    out = np.zeros((len(cell_m), len(power)))
    steps, log_weight = _nodes(settings)
    alone = bool((looks.background_dbm == kernel.NO_BACKGROUND).all()) and beam.width_rad == 0.0
    if alone:
        grid = (steps, float(power[0]), settings.step_db)
        kernel.fast_log_likelihood(looks, cell_m, *grid, settings.physics, log_weight, out)
        return out
    nodes = steps.astype(np.float64) * settings.step_db
    kernel.log_likelihood(looks, cell_m, power, settings.physics, beam, nodes[::2], log_weight[::2], out)
    return out + _lost_weight(looks, log_weight)


def _lost_weight(looks: Looks, log_weight: Float64[Array, " k"]) -> float:
    """Every second node stands for two: what its weight lacks, over all speakers."""
    return float(-np.log(np.exp(log_weight[::2]).sum()) * (looks.speaker[-1] + 1 if len(looks.speaker) else 0))


def _grid(low: Float64[Array, "2"], high: Float64[Array, "2"], side: int) -> tuple[Float64[Array, "c 2"], float]:
    """side x side square cells that cover the box."""
    cell = float(max(high - low) / side)
    middle = 0.5 * (low + high)
    steps = (np.arange(side) - 0.5 * (side - 1)) * cell
    e, n = np.meshgrid(middle[0] + steps, middle[1] + steps, indexing="ij")
    return np.stack([e.ravel(), n.ravel()], axis=1), cell


def locate(looks: Looks, settings: SourceSettings, beam: Beam = ALL_ROUND) -> Posterior:
    """Posterior over place and power of one source, the prior flat within reach of the affected."""
    hit = looks.affected == 1
    places = np.stack([looks.east_m, looks.north_m], axis=1)[hit]
    low, high = places.min(axis=0) - settings.margin_m, places.max(axis=0) + settings.margin_m
    area0 = float(np.prod(high - low))
    for level in range(settings.levels):
        cells, cell_m = _grid(low, high, settings.side)
        table = likelihood(looks, cells, settings, beam)
        if level < settings.levels - 1:
            best = table.max(axis=1)
            near = cells[best > best.max() - (14.0 if level == 0 else 9.0)]
            low, high = near.min(axis=0) - cell_m, near.max(axis=0) + cell_m
    top = table.max()
    weight = np.exp(table - top)
    total = weight.sum()
    evidence = float(top + np.log(total) + np.log(cell_m**2 / area0) - np.log(table.shape[1]))
    return _summed(looks, cells, cell_m, weight / total, (evidence, float(top)), settings, beam)


def _summed(
    looks: Looks,
    cells: Float64[Array, "c 2"],
    cell_m: float,
    joint: Float64[Array, "c p"],
    evidence: tuple[float, float],
    settings: SourceSettings,
    beam: Beam,
) -> Posterior:
    place, power = joint.sum(axis=1), joint.sum(axis=0)
    mean = place @ cells
    spread = float(np.sqrt(place @ ((cells - mean) ** 2).sum(axis=1)))
    dbm = _powers(settings)
    level = float(power @ dbm)
    wide = float(np.sqrt(power @ (dbm - level) ** 2))
    fit = fit_p(looks, cells, joint, settings, beam)
    whole = _one_piece(place, settings.side)
    return Posterior(
        cells[:, 0], cells[:, 1], place, cell_m, (float(mean[0]), float(mean[1])), spread, level, wide, beam, fit,
        whole and fit >= settings.fit_p_min, *evidence,
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
    kernel.received(looks, source_m[0], source_m[1], power_dbm, settings.physics, beam, out)
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
    steps, log_weight = _nodes(settings)
    many = np.minimum(settings.best_db, np.log2(count / 2.0))  # shadowing of the best of many looks
    x = (second[:, None] - steps * settings.step_db + many[:, None]) / settings.physics.softness_db
    p = (np.exp(log_weight) / (1.0 + np.exp(-np.clip(x, -50.0, 50.0)))).sum(axis=1)
    return np.clip(p, settings.stray, 1.0 - settings.stray), hits >= 2, part[order[begin]]


def explain(looks: Looks, settings: SourceSettings) -> tuple[Posterior, ...]:
    """The source or the sources of what is seen. A sector antenna and a second source are weighed against one source
    all round by their evidence (on fewer looks); what does not fit comes back with `unique` False."""
    one = locate(looks, settings)
    few = thinned(looks, settings.alternative_looks_max)
    rough = replace(settings, levels=2, side=15, step_db=6.0)
    plain = locate(few, rough)
    sector = _sector(few, settings)
    first, second = _pair(few, plain, settings)
    # a first source held where it is likeliest has not paid for its freedom: it pays what the one source paid
    evidence = (plain.evidence, sector.evidence - 1.0, second.evidence + plain.evidence - plain.best)
    choice = int(np.argmax(evidence))
    if choice == 0 or evidence[choice] - evidence[0] < settings.evidence_min:
        return (one,)
    return (sector,) if choice == 1 else (first, second)


def thinned(looks: Looks, most: int) -> Looks:
    """At most about `most` of the looks; those at which something changed are kept."""
    every = max(1, -(-len(looks.speaker) // most))
    change = (looks.before == kernel.WAS_FINE) & (looks.affected == 1)
    change |= (looks.before == kernel.WAS_AFFECTED) & (looks.affected == 0)
    keep = (np.arange(len(looks.speaker)) % every == 0) | change | (looks.before == kernel.FIRST)
    return Looks._make(column[keep] for column in looks)


def _sector(looks: Looks, settings: SourceSettings) -> Posterior:
    """The best of eight bearings and two widths, on coarse grids; the winner in full."""
    coarse = replace(settings, levels=1, side=9, step_db=6.0)
    best, beam = -np.inf, ALL_ROUND
    for width in (1.05, 2.1):
        for bearing in np.arange(8) * np.pi / 4.0:
            trial = Beam(float(bearing), width, 20.0)
            got = locate(looks, coarse, trial).evidence
            if got > best:
                best, beam = got, trial
    return locate(looks, replace(settings, levels=2, side=15, step_db=6.0), beam)


def _pair(looks: Looks, one: Posterior, settings: SourceSettings) -> tuple[Posterior, ...]:
    """A second source given the first, then the first given the second, twice."""
    rough = replace(settings, step_db=6.0, levels=2, side=15)
    first, second = one, one
    for _ in range(2):
        second = locate(_given(looks, first, settings), rough)
        first = locate(_given(looks, second, settings), rough)
    return first, second


def _given(looks: Looks, other: Posterior, settings: SourceSettings) -> Looks:
    best = int(np.argmax(other.probability))
    place = np.array([other.east_m[best], other.north_m[best]])
    return looks._replace(background_dbm=received_dbm(looks, place, other.power_dbm, settings, other.beam))


def outline(posterior: Posterior, share: float) -> list[Float64[Array, "v 2"]]:
    """The closed rings (first vertex repeated) around the cells that hold `share` of the probability."""
    inside, half = posterior.region(share), 0.5 * posterior.cell_m
    e, n = posterior.east_m[inside], posterior.north_m[inside]
    whole = shapely.union_all(shapely.box(e - half, n - half, e + half, n + half), grid_size=1.0)
    parts = shapely.get_parts(whole)
    return [np.asarray(shapely.get_coordinates(part.exterior.simplify(1.0))) for part in parts]
