"""The likeliest places, powers and beam of up to two interfering transmitters, by annealed random steps. Axes: o looks.

A grid (source.py) weighs every place of one source, the other held. Here both move by turns, and what is weighed is one
pair at a time, so that thousands of pairs cost what a few grids do. The model is that of source.py; thresholds of
receivers are marginalised over nodes NODE_DB apart. Metropolis et al., J. Chem. Phys. 21, 1953; cooled as they go:
Kirkpatrick et al., Science 220, 1983.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from lapwing.kernel.source import (
    F64,
    I64,
    LEAST,
    PER_DB,
    TABLE_DB,
    Beam,
    Looks,
    Physics,
    losses_db,
    reach_m,
)

NODE_DB, NODES = 5.0, 7
STRIDE, PAD = int(NODE_DB) * PER_DB, NODES
LOW_STEPS = NODES - 1
LOW_DB = LOW_STEPS * NODE_DB  # levels are told apart down to this far below the table
OFF_DBM = -300.0  # no such source
AT_LEAST_DBM, AT_MOST_DBM = 0.0, 80.0
WIDTHS_RAD = (0.9, 3.5)
FIRST_M, LAST_SHARE = 30_000.0, 0.12  # steps in place at the start, and the share of that at the end
FIRST_HEAT, LAST_HEAT = 3.3, 0.3
OUTSIDE_DB = 20.0  # what a beam lacks outside
MOVES = 6  # random numbers per step: five normal, and the logarithm of a uniform one


class Climber(NamedTuple):
    """Where a climb is: the pair now, the best so far, and its log-likelihood. A pair: east, north, dBm of a round
    source; east, north, dBm, bearing, width of another, width 0 = round too (metres and radians)."""

    now: F64
    best: F64
    value: float


@njit(cache=True, error_model="numpy")
def pair_value(looks: Looks, level_db: F64, begins: I64, table: F64, weight: F64) -> float:
    """log P(all looks) where each receives `level_db` over the fleet's threshold. `table`: of source.tables, for STRIDE
    and PAD; `begins`: where each speaker's looks begin, and the last end."""
    columns, n_node = table.shape[3], len(weight)
    flat = table.reshape(table.size)
    each, total = np.ones(n_node), 0.0
    under_db = NODE_DB * (n_node // 2)  # from the fleet's mean to the last threshold
    for s in range(len(begins) - 1):
        each[:] = 1.0
        for i in range(begins[s], begins[s + 1]):
            eighths = int((max(level_db[i] - under_db + TABLE_DB, -LOW_DB) + LOW_DB) * PER_DB + 0.5)
            column = min(eighths // STRIDE + PAD - LOW_STEPS, columns - n_node)
            base = ((looks.before[i] * 2 + looks.affected[i]) * STRIDE + eighths % STRIDE) * columns + column
            row = flat[base : base + n_node]
            for k in range(n_node):
                each[k] *= row[k]
        marginal = LEAST
        for k in range(n_node):
            marginal += weight[k] * each[k]
        total += np.log(marginal)
    return total


@njit(cache=True, error_model="numpy")
def climb(
    looks: Looks, curves: tuple[I64, F64, F64], w: Physics, climber: Climber, moves: F64, steps: tuple[int, int, int]
) -> Climber:
    """The climber after steps[0] .. steps[1] - 1 of steps[2]; `curves`: begins, table, weight of `pair_value`; one row
    of `moves` a step. Pieces of any size end at the same place, bit for bit."""
    begins, table, weight = curves
    n, x, best, top = len(looks.speaker), climber.now.copy(), climber.best.copy(), climber.value
    horizon_m, space = np.zeros(n), np.zeros((4, n))
    lost, level = np.zeros((3, n)), np.zeros(n)
    for i in range(n):
        horizon_m[i] = reach_m(looks.height_m[i], w)
    for part in range(2):
        _losses(looks, x, part, horizon_m, w, space, lost[part])
    _levels(x, lost[0], lost[1], w, level)
    value = pair_value(looks, level, begins, table, weight)
    if steps[0] == 0:
        top = value
    both = x[2] > OFF_DBM and x[5] > OFF_DBM
    for t in range(steps[0], steps[1]):
        cool = (1.0 - t / steps[2]) ** 2
        part = t % 2 if both else 0 if x[2] > OFF_DBM else 1
        y = _moved(x, part, LAST_SHARE + (1.0 - LAST_SHARE) * cool, moves[t])
        _losses(looks, y, part, horizon_m, w, space, lost[2])
        _levels(y, lost[2] if part == 0 else lost[0], lost[2] if part == 1 else lost[1], w, level)
        tried = pair_value(looks, level, begins, table, weight)
        if tried > value + (LAST_HEAT + (FIRST_HEAT - LAST_HEAT) * cool) * moves[t, 5]:
            x, value = y, tried
            lost[part] = lost[2]
            if value > top:
                best, top = x.copy(), value
    return Climber(x, best, top)


@njit(cache=True)
def _moved(x: F64, part: int, share: float, draw: F64) -> F64:
    """The pair with one of its sources moved."""
    y, at = x.copy(), 3 * part
    y[at] += draw[0] * share * FIRST_M
    y[at + 1] += draw[1] * share * FIRST_M
    y[at + 2] = min(max(x[at + 2] + draw[2] * (1.0 + 3.0 * share), AT_LEAST_DBM), AT_MOST_DBM)
    if part == 1 and x[7] > 0.0:
        y[6] += draw[3] * 0.8 * share
        y[7] = min(max(x[7] + draw[4] * 0.5 * share, WIDTHS_RAD[0]), WIDTHS_RAD[1])
    return y


@njit(cache=True)
def _losses(looks: Looks, x: F64, part: int, horizon_m: F64, w: Physics, space: F64, out: F64) -> None:
    """Losses of one of the two, where it is there at all."""
    at, width_rad = 3 * part, x[7] if part == 1 else 0.0
    if x[at + 2] > OFF_DBM:
        losses_db(looks, (x[at], x[at + 1]), horizon_m, w, Beam(x[6], width_rad, OUTSIDE_DB), space, out)


@njit(cache=True)
def _levels(x: F64, first_db: F64, second_db: F64, w: Physics, out: F64) -> None:
    """Power of the stronger over the fleet's threshold, per look."""
    for i in range(len(out)):
        out[i] = max(x[2] - first_db[i], x[5] - second_db[i]) - w.threshold_dbm
