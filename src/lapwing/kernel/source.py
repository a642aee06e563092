"""Log-likelihood of where an interfering transmitter is. Axes: c cells, p powers, o observations, s speakers.

Each speaker's chance to be affected follows the power that it receives (free space, radio horizon, perhaps a beam)
minus its own threshold, which is not known: a normal prior on it is marginalised, so that many looks at one speaker
do not count as many speakers. What a speaker was a look before tells whether losing or regaining is judged.
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
TABLE_DB = 60.0  # the table reaches this far to both sides
PER_DB = 8  # entries per dB
FIRST, WAS_FINE, WAS_AFFECTED = 0, 1, 2
NO_BACKGROUND = -900.0
SILENT = int(TABLE_DB - 25.0) * PER_DB  # index of 25 dB below the threshold


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


class Beam(NamedTuple):
    """A sector antenna; width_rad 0 = all round."""

    bearing_rad: float
    width_rad: float
    outside_db: float


@njit(cache=True)
def loss_db(east_m: float, north_m: float, height_m: float, w: Physics) -> float:
    """Free-space loss at L1 over (east, north), plus what the horizon and the receiver's own fuselage take."""
    source_height_m, horizon_ratio = w.source_height_m, w.horizon_ratio
    ground2 = east_m * east_m + north_m * north_m
    range2 = max(ground2 + (height_m - source_height_m) ** 2, 100.0)
    reach_m = max(4120.0 * (np.sqrt(max(source_height_m, 0.0)) + np.sqrt(max(height_m, 0.0))), 1000.0)
    extra = w.shade_db * max(height_m - source_height_m, 0.0) / np.sqrt(range2)
    if ground2 > ((1.0 - 7.0 * horizon_ratio) * reach_m) ** 2:  # nearer, the horizon takes less than 0.01 dB
        beyond = (np.sqrt(ground2) / reach_m - 1.0) / horizon_ratio
        extra += 10.0 * (np.log1p(np.exp(-abs(beyond))) + max(beyond, 0.0))
    return float(AT_1_KM_DB - 60.0 + 10.0 * np.log10(range2) + extra)


@njit(cache=True)
def beam_db(east_m: float, north_m: float, beam: Beam) -> float:
    """What a sector antenna takes away towards (east, north)."""
    if beam.width_rad <= 0.0:
        return 0.0
    apart = abs((np.arctan2(east_m, north_m) - beam.bearing_rad + np.pi) % (2.0 * np.pi) - np.pi)
    return beam.outside_db if apart > 0.5 * beam.width_rad else 0.0


@njit(cache=True)
def tables(w: Physics) -> F64:
    """log P(look | level) per (before, affected, level in steps of 1/PER_DB from -TABLE_DB), that of a fine look
    relative to a look far from any source."""
    n = int(2 * TABLE_DB) * PER_DB + 1
    out = np.zeros((3, 2, n))
    for i in range(n):
        level = i / PER_DB - TABLE_DB
        for before in range(3):
            shift = 0.0 if before == WAS_FINE else w.regain_db if before == WAS_AFFECTED else 0.5 * w.regain_db
            p = w.wrong + (1.0 - 2.0 * w.wrong) / (1.0 + np.exp(-(level + shift) / w.softness_db))
            out[before, 1, i] = w.temper * np.log(p)
            out[before, 0, i] = w.temper * (np.log(1.0 - p) - np.log(1.0 - w.wrong))
        out[before, 0, : SILENT + 1] = 0.0
    return out


@njit(cache=True)
def log_likelihood(
    looks: Looks, cell_m: F64, power_dbm: F64, w: Physics, beam: Beam, node_db: F64, log_weight: F64, out: F64
) -> None:
    """out[c, p] = log P(all looks | source in cell c with power p), thresholds marginalised over the nodes."""
    table = tables(w)
    n_power, n_node, last = len(power_dbm), len(node_db), table.shape[2] - 1
    level = np.zeros((n_power, n_node))
    for c in range(len(cell_m)):
        out[c, :] = 0.0
        level[:] = 0.0
        for i in range(len(looks.speaker)):
            east, north = looks.east_m[i] - cell_m[c, 0], looks.north_m[i] - cell_m[c, 1]
            lost = loss_db(east, north, looks.height_m[i], w)
            lost += beam_db(east, north, beam)
            row = table[looks.before[i], looks.affected[i]]
            for p in range(n_power):
                received = max(power_dbm[p] - lost, looks.background_dbm[i])
                at = (received - w.threshold_dbm + TABLE_DB) * PER_DB + 0.5
                for k in range(n_node):
                    j = int(at - node_db[k] * PER_DB)
                    level[p, k] += row[min(max(j, 0), last)]
            if i == len(looks.speaker) - 1 or looks.speaker[i + 1] != looks.speaker[i]:
                _close(level, log_weight, out[c])


@njit(cache=True)
def _close(level: F64, log_weight: F64, out: F64) -> None:
    """The speaker that ends: its marginal is added, its sums begin anew."""
    for p in range(level.shape[0]):
        top = -np.inf
        for k in range(level.shape[1]):
            level[p, k] += log_weight[k]
            top = max(top, level[p, k])
        total = 0.0
        for k in range(level.shape[1]):
            total += np.exp(level[p, k] - top)
            level[p, k] = 0.0
        out[p] += top + np.log(total)


@njit(cache=True)
def fast_log_likelihood(
    looks: Looks, cell_m: F64, steps: I64, first_dbm: float, step_db: float, w: Physics, log_weight: F64, out: F64
) -> None:
    """As log_likelihood, for powers first_dbm + step_db * p and thresholds on nodes of the same step (`steps` around
    the mean), all round and without background: power minus threshold is then one grid, walked once."""
    table = tables(w)
    n_power, half, last = out.shape[1], len(steps) // 2, table.shape[2] - 1
    n_level = n_power + 2 * half
    stride = round(step_db * PER_DB)
    level, marginal = np.zeros(n_level), np.zeros((n_power, len(steps)))
    for c in range(len(cell_m)):
        out[c, :] = 0.0
        for i in range(len(looks.speaker)):
            east, north = looks.east_m[i] - cell_m[c, 0], looks.north_m[i] - cell_m[c, 1]
            lost = loss_db(east, north, looks.height_m[i], w)
            row = table[looks.before[i], looks.affected[i]]
            at = round((first_dbm - half * step_db - lost - w.threshold_dbm + TABLE_DB) * PER_DB)
            quiet = 0 if looks.affected[i] else max(0, (SILENT - at) // stride)
            for v in range(quiet, n_level):  # levels at which a fine look is certain say nothing
                level[v] += row[min(max(at + v * stride, 0), last)]
            if i == len(looks.speaker) - 1 or looks.speaker[i + 1] != looks.speaker[i]:
                for p in range(n_power):
                    for k in range(len(steps)):
                        marginal[p, k] = level[p + half - steps[k]]
                level[:] = 0.0
                _close(marginal, log_weight, out[c])


@njit(cache=True)
def received(looks: Looks, east_m: float, north_m: float, power_dbm: float, w: Physics, beam: Beam, out: F64) -> None:
    """Power of one source at (east, north) at every look, into `out`."""
    for i in range(len(out)):
        east, north = looks.east_m[i] - east_m, looks.north_m[i] - north_m
        out[i] = power_dbm - loss_db(east, north, looks.height_m[i], w) - beam_db(east, north, beam)
