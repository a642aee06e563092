"""Log-likelihood of where an interfering transmitter is. Axes: c cells, p powers, o observations, s speakers.

Each speaker's chance to be affected follows the power that it receives (free space, radio horizon, perhaps a beam)
minus its own threshold, which is not known: a normal prior on it is marginalised, so that many looks at one speaker
do not count as many speakers. What a speaker was a look before tells whether losing or regaining is judged.
Powers and thresholds are steps of one grid, so that a look is read off a table along one row.
Reference notes on GNSS interference, section 3.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

L1_MHZ = 1575.42
AT_1_KM_DB = 32.44 + 20.0 * np.log10(L1_MHZ)
PER_LOG = 10.0 / np.log(10.0)  # dB per natural logarithm of a power
TABLE_DB = 60.0  # the table reaches this far to both sides
PER_DB = 8  # entries per dB
FIRST, WAS_FINE, WAS_AFFECTED = 0, 1, 2
NO_BACKGROUND = -900.0
SILENT = int(TABLE_DB - 25.0) * PER_DB  # index of 25 dB below the threshold
SHARP = 5.0  # farther from the horizon than this, its softness is less than the tables' step
EDGE_RAD = 0.35  # over which a beam falls to what is left outside
HALF_ROOT_BITS, EXPONENT = np.uint64(0x3FE6A09E667F3BCD), np.uint64(52)  # 1 / sqrt(2) as a 64-bit float
MANTISSA, ONE_BITS = np.uint64((1 << 52) - 1), np.uint64(1023 << 52)  # and of 1.0
LOG_2 = float(np.log(2.0))
LEAST = 1e-60  # so that what is impossible has a logarithm
TOGETHER = 4  # speakers whose marginals are multiplied before the exponent is carried: 1e-240 at least


class Looks(NamedTuple):
    """o observations, grouped by speaker and in order of time. Metres in a local frame."""

    speaker: I64  # 0 .. s-1, not decreasing
    east_m: F64
    north_m: F64
    height_m: F64
    affected: I64  # 0 or 1
    before: I64  # FIRST, WAS_FINE or WAS_AFFECTED
    background_dbm: F64  # power already explained by other sources, NO_BACKGROUND = none


class Physics(NamedTuple):
    """What is assumed of the world."""

    threshold_dbm: float  # fleet mean of the received power that costs the position
    threshold_db_sigma: float  # of speakers around it
    softness_db: float  # logistic width: shadowing
    regain_db: float  # this much less power is needed to find the position again
    wrong: float  # share of looks that are simply wrong
    source_height_m: float
    horizon_ratio: float  # softness of the horizon
    shade_db: float  # what the fuselage takes from straight below
    temper: float  # looks of one speaker count this much: shadowing lasts


class Curves(NamedTuple):
    """Chances by level, and how likely each threshold of a receiver is."""

    table: F64  # of `tables`
    weight: F64  # of thresholds one power step apart, the middle one the fleet's mean; sum 1


class Beam(NamedTuple):
    """A sector antenna; width_rad 0 = all round."""

    bearing_rad: float
    width_rad: float
    outside_db: float


@njit(cache=True)
def reach_m(height_m: float, w: Physics) -> float:
    """How far a receiver at this height is from its radio horizon to the source."""
    return float(max(4120.0 * (np.sqrt(max(w.source_height_m, 0.0)) + np.sqrt(max(height_m, 0.0))), 1000.0))


@njit(cache=True, error_model="numpy")
def losses_db(
    looks: Looks, source_m: tuple[float, float], horizon_m: F64, w: Physics, beam: Beam, space: F64, out: F64
) -> None:
    """Into `out`, per look: free-space loss at L1 from a source at (east, north), plus what the horizon, the receiver's
    own fuselage and the beam take. `space` (4 rows) is overwritten. Loops without branches over columns that do not
    overlap, so that the compiler takes several looks at once; the logarithm is good to 1e-8 dB."""
    east_m, north_m, height_m = looks.east_m, looks.north_m, looks.height_m
    ground2, range2, shade, mantissa = space[0], space[1], space[2], space[3]
    n, (e, s), source_height_m, shade_db = len(out), source_m, w.source_height_m, w.shade_db
    for i in range(n):
        east, north, above_m = east_m[i] - e, north_m[i] - s, height_m[i] - source_height_m
        ground2[i] = east * east + north * north
        range2[i] = max(ground2[i] + above_m * above_m, 100.0)
        shade[i] = AT_1_KM_DB - 60.0 + shade_db * max(above_m, 0.0) / np.sqrt(range2[i])
    bits, mantissa_bits = range2.view(np.uint64), mantissa.view(np.uint64)
    for i in range(n):  # range2 = mantissa * 2^exponent, mantissa from 1/sqrt(2) to sqrt(2)
        mantissa_bits[i] = bits[i] - (((bits[i] - HALF_ROOT_BITS) >> EXPONENT) << EXPONENT)
    for i in range(n):
        ratio = (mantissa[i] - 1.0) / (mantissa[i] + 1.0)
        r2 = ratio * ratio
        series = ratio * (2.0 + r2 * (2.0 / 3.0 + r2 * (2.0 / 5.0 + r2 * (2.0 / 7.0 + r2 * (2.0 / 9.0)))))
        out[i] = shade[i] + PER_LOG * (series + LOG_2 * np.float64((bits[i] - HALF_ROOT_BITS) >> EXPONENT))
    per_ratio = 1.0 / w.horizon_ratio
    for i in range(n):
        beyond = (np.sqrt(ground2[i]) / horizon_m[i] - 1.0) * per_ratio
        out[i] += 10.0 * (max(beyond, 0.0) + _bend(abs(beyond)))
    if beam.width_rad > 0.0:
        sin, cos, half_rad = np.sin(beam.bearing_rad), np.cos(beam.bearing_rad), 0.5 * beam.width_rad
        for i in range(n):
            along = (east_m[i] - e) * sin + (north_m[i] - s) * cos
            apart = _arc_cosine(along / max(np.sqrt(ground2[i]), 1e-9))
            out[i] += beam.outside_db * min(max((apart - half_rad) * (1.0 / EDGE_RAD) + 0.5, 0.0), 1.0)


@njit(cache=True, error_model="numpy")
def _bend(far: float) -> float:
    """log(1 + exp(-far)) to 1e-6, nothing where `far` is SHARP or more."""
    x = 0.0625 * min(far, SHARP)
    u = 1.0 - x * (1.0 - x * (1.0 / 2.0 - x * (1.0 / 6.0 - x * (1.0 / 24.0 - x * (1.0 / 120.0 - x * (1.0 / 720.0))))))
    u *= u
    u *= u
    u *= u
    u *= u
    r = u / (2.0 + u)
    q = r * r
    bend = r * (2.0 + q * (2.0 / 3.0 + q * (2.0 / 5.0 + q * (2.0 / 7.0 + q * (2.0 / 9.0 + q * (2.0 / 11.0))))))
    return bend if far < SHARP else 0.0


@njit(cache=True, error_model="numpy")
def _arc_cosine(x: float) -> float:
    """Arc cosine to 2e-8 rad. Abramowitz and Stegun, Handbook of Mathematical Functions, 4.4.46."""
    y = min(abs(x), 1.0)
    series = 0.0308918810 + y * (-0.0170881256 + y * (0.0066700901 - y * 0.0012624911))
    series = 1.5707963050 + y * (-0.2145988016 + y * (0.0889789874 + y * (-0.0501743046 + y * series)))
    angle = series * np.sqrt(1.0 - y)
    return float(angle if x >= 0.0 else np.pi - angle)


@njit(cache=True)
def chance(before: int, affected: int, level_db: float, w: Physics) -> float:
    """P(look) at a level over the threshold; that of a fine look relative to a look far from any source."""
    shift = 0.0 if before == WAS_FINE else w.regain_db if before == WAS_AFFECTED else 0.5 * w.regain_db
    p = w.wrong + (1.0 - 2.0 * w.wrong) / (1.0 + np.exp(-(level_db + shift) / w.softness_db))
    return float((p if affected else (1.0 - p) / (1.0 - w.wrong)) ** w.temper)


@njit(cache=True)
def tables(w: Physics, stride: int, pad: int) -> F64:
    """chance per (before, affected, phase, whole steps): level = -TABLE_DB + (phase + stride * (step - pad)) / PER_DB.
    A run along the last axis is a run over levels one step apart; `pad` steps hold the ends' values."""
    n = int(2 * TABLE_DB) * PER_DB
    whole = n // stride + 1
    out = np.ones((3, 2, stride, whole + 2 * pad))
    for phase in range(stride):
        for m in range(whole + 2 * pad):
            i = min(max(phase + stride * (m - pad), 0), n)
            for before in range(3):
                out[before, 1, phase, m] = chance(before, 1, i / PER_DB - TABLE_DB, w)
                if i > SILENT:
                    out[before, 0, phase, m] = chance(before, 0, i / PER_DB - TABLE_DB, w)
    return out


@njit(cache=True)
def log_likelihood(
    looks: Looks, cell_m: F64, powers: tuple[float, float], w: Physics, beam: Beam, curves: Curves, out: F64
) -> None:
    """out[c, p] = log P(all looks | source in cell c with power first + step * p), `powers` = (first, step) in dB.
    Thresholds are marginalised; the curves' table has a phase per eighth of a dB of the step, and is padded by as many
    steps as there are powers and thresholds, less one."""
    table, weight = curves
    n_power, n_node = out.shape[1], len(weight)
    n_level, stride, columns = n_power + n_node - 1, table.shape[2], table.shape[3]
    flat = table.reshape(table.size)
    half_db = (n_node // 2) * powers[1]
    first_db = powers[0] - half_db - w.threshold_dbm + TABLE_DB + 0.5 / PER_DB
    other_db = half_db - w.threshold_dbm + TABLE_DB + 0.5 / PER_DB
    per_step, horizon_m = 1.0 / powers[1], np.zeros(len(looks.speaker))
    base = np.zeros(len(looks.speaker), np.int64)  # where in the table the rows of a look begin
    for i in range(len(horizon_m)):
        horizon_m[i] = reach_m(looks.height_m[i], w)
        base[i] = (looks.before[i] * 2 + looks.affected[i]) * stride * columns
    size = (stride, columns, n_level)
    lost, space = np.zeros(len(base)), np.zeros((4, len(base)))
    level, many = np.ones(n_level), np.ones((n_node, n_power))
    begins, crowded = _groups(looks, w)
    known = np.ones((len(base) if crowded.any() else 0, n_node))  # chance where the other source decides
    for i in range(len(base)):
        if crowded[looks.speaker[i]]:
            for k in range(n_node):
                known[i, k] = flat[base[i] + _at((looks.background_dbm[i] + other_db) * per_step - k, size)]
    product, total, twos = np.ones(n_power), np.zeros(n_power), np.zeros(n_power)
    bits = product.view(np.uint64)
    for c in range(len(cell_m)):
        product[:], twos[:] = 1.0, 0.0
        losses_db(looks, (cell_m[c, 0], cell_m[c, 1]), horizon_m, w, beam, space, lost)
        for s in range(len(crowded)):
            for i in range(begins[s], begins[s + 1]):
                at = (first_db - lost[i]) * per_step
                if crowded[s]:
                    over = (looks.background_dbm[i] + other_db) * per_step - at
                    _look_over(many, flat[base[i] : base[i] + size[0] * columns], known[i], size, (at, over))
                    continue
                begin = base[i] + _at(at, size)
                row = flat[begin : begin + n_level]
                for v in range(n_level):
                    level[v] *= row[v]
            if crowded[s]:
                _close_many(many, weight, total)
            else:
                _close(level, weight, total)
            product *= total
            if s % TOGETHER == TOGETHER - 1:
                _carried(bits, twos)
        for p in range(n_power):
            out[c, p] = np.log(product[p]) + LOG_2 * twos[p]


@njit(cache=True)
def _carried(bits: NDArray[np.uint64], twos: F64) -> None:
    """The powers of two of positive products (as bits) moved into `twos`, so that many factors neither vanish nor need
    a logarithm each."""
    for p in range(len(bits)):
        twos[p] += np.float64(bits[p] >> EXPONENT) - 1023.0
        bits[p] = bits[p] & MANTISSA | ONE_BITS


@njit(cache=True)
def _groups(looks: Looks, w: Physics) -> tuple[I64, I64]:
    """Where each speaker's looks begin (and the last end), and whether another source reaches any of them."""
    n = len(looks.speaker)
    count = looks.speaker[n - 1] + 1 if n else 0
    begins, crowded = np.zeros(count + 1, np.int64), np.zeros(count, np.int64)
    for i in range(n):
        begins[looks.speaker[i] + 1] = i + 1
        if looks.background_dbm[i] > w.threshold_dbm - TABLE_DB:
            crowded[looks.speaker[i]] = 1
    return begins, crowded


@njit(cache=True)
def _at(steps: float, size: tuple[int, int, int]) -> int:
    """Where a level so many steps above the lowest lies in the rows of one look; `size`: phases, columns, and how many
    levels are read off."""
    stride, columns, n_level = size
    whole = np.floor(steps)
    column = int(min(max(whole, -float(n_level)), float(columns - 2 * n_level))) + n_level
    return int((steps - whole) * stride) * columns + column


@njit(cache=True)
def _look_over(many: F64, rows: F64, known: F64, size: tuple[int, int, int], steps: tuple[float, float]) -> None:
    """One look more, per node and power, where another source is received: `steps` tells the level (for the lowest
    power and the highest node) up the table, and how far above it the other source is. The stronger one decides."""
    n_node, n_power = many.shape
    at, over = steps
    weaker = int(min(max(np.ceil(over - (n_node - 1)), 0.0), float(n_power)))  # powers below the known source
    for k in range(n_node):
        same = known[k]
        for p in range(weaker):
            many[k, p] *= same
        begin = _at(at + (n_node - 1 - k), size)
        row = rows[begin : begin + n_power]
        for p in range(weaker, n_power):
            many[k, p] *= row[p]


@njit(cache=True)
def _close(level: F64, weight: F64, total: F64) -> None:
    """The speaker that ends: its marginal over thresholds per power; `level` begins anew."""
    n, last = len(total), len(weight) - 1
    total[:] = LEAST
    for k in range(len(weight)):
        shifted = level[last - k : last - k + n]
        for p in range(n):
            total[p] += weight[k] * shifted[p]
    level[:] = 1.0


@njit(cache=True)
def _close_many(many: F64, weight: F64, total: F64) -> None:
    """The same where nodes and powers are not one grid."""
    total[:] = LEAST
    for k in range(len(weight)):
        for p in range(len(total)):
            total[p] += weight[k] * many[k, p]
    many[:] = 1.0


@njit(cache=True)
def received(looks: Looks, east_m: float, north_m: float, power_dbm: float, w: Physics, beam: Beam, out: F64) -> None:
    """Power of one source at (east, north) at every look, into `out`."""
    n = len(out)
    horizon_m, space = np.zeros(n), np.zeros((4, n))
    for i in range(n):
        horizon_m[i] = reach_m(looks.height_m[i], w)
    losses_db(looks, (east_m, north_m), horizon_m, w, beam, space, out)
    for i in range(n):
        out[i] = power_dbm - out[i]
