"""Distances between sets of trajectories: T-GOSPA by linear programming, OSPA(2). Axes: n truths, m tracks, t times,
d columns; a row of NaN says that a trajectory does not exist at that time.

T-GOSPA (Garcia-Fernandez, Rahmathullah, Svensson, IEEE T-SP 2020), the linear-programming form: assignment weights
W[k, i, j] per time, each truth and each track fully assigned (perhaps to nobody), plus gamma^p / 2 for every change of
a weight between two times. OSPA(2) (Beard, Vo, Vo): OSPA over tracks, whose distance is the time average of the
cut-off distance where either exists.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from lapwing_lab.score.distances import ospa_of

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class TGospa:
    """p-th powers of the four parts, summed over time."""

    order: float
    localisation_p: float
    missed_p: float
    false_p: float
    switch_p: float

    @property
    def total_p(self) -> float:
        """The p-th power of the metric."""
        return self.localisation_p + self.missed_p + self.false_p + self.switch_p

    def normalised(self, times: int) -> float:
        """The metric per time step: (total / times)^(1/p)."""
        return float((self.total_p / times) ** (1.0 / self.order))


def t_gospa(
    x: Float64[Array, "n t d"], y: Float64[Array, "m t d"], cutoff: float, switch: float, order: float = 2.0
) -> TGospa:
    """T-GOSPA of tracks `y` against truth `x`. Trajectories that are never within the cut-off of each other are never
    worth pairing, so clusters of the rest are solved one by one."""
    x_here, y_here = np.isfinite(x[:, :, 0]), np.isfinite(y[:, :, 0])
    alone = 0.5 * cutoff**order
    pair, time, apart = _near(x, y, cutoff)
    near, of = np.unique(pair, axis=0, return_inverse=True)
    of = of.ravel()
    localisation = missed = false = switches = 0.0
    single_x, single_y = np.ones(len(x), dtype=bool), np.ones(len(y), dtype=bool)
    for rows in _clusters(near, len(x), len(y)):
        pairs, distance = near[rows], np.full((len(rows), x.shape[1]), np.inf)
        mine = np.flatnonzero(np.isin(of, rows))
        distance[np.searchsorted(rows, of[mine]), time[mine]] = apart[mine]
        i, j = np.unique(pairs[:, 0]), np.unique(pairs[:, 1])
        single_x[i], single_y[j] = False, False
        slots = np.stack([np.searchsorted(i, pairs[:, 0]), np.searchsorted(j, pairs[:, 1])], axis=1)
        part = _solve(x_here[i], y_here[j], distance, slots, (cutoff, switch, order))
        localisation, missed, false, switches = (
            localisation + part[0],
            missed + part[1],
            false + part[2],
            switches + part[3],
        )
    missed += alone * float(x_here[single_x].sum())
    false += alone * float(y_here[single_y].sum())
    return TGospa(order, localisation, missed, false, switches)


def _near(
    x: Float64[Array, "n t d"], y: Float64[Array, "m t d"], cutoff: float
) -> tuple[Int64[Array, "r 2"], Int64[Array, " r"], Float64[Array, " r"]]:
    """Who is within the cut-off of whom, when, and how far apart: all that both distances need. A day of thousands of
    short tracks has few of these, however many pairs and times there are."""
    pairs, times, apart = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for k in range(x.shape[1]):
        i, j = np.flatnonzero(np.isfinite(x[:, k, 0])), np.flatnonzero(np.isfinite(y[:, k, 0]))
        distance = cdist(x[i, k], y[j, k])
        a, b = np.nonzero(distance < cutoff)
        pairs.append(np.stack([i[a], j[b]], axis=1))
        times.append(np.full(len(a), k, dtype=np.int64))
        apart.append(distance[a, b])
    return np.concatenate(pairs), np.concatenate(times), np.concatenate(apart)


def _clusters(near: Int64[Array, "k 2"], n: int, m: int) -> list[Int64[Array, " r"]]:
    """Rows of `near`, in groups that share no truth and no track."""
    if len(near) == 0:
        return []
    graph = coo_array((np.ones(len(near)), (near[:, 0], n + near[:, 1])), shape=(n + m, n + m))
    _, label = connected_components(graph, directed=False)
    of = label[near[:, 0]]
    order = np.argsort(of, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(of[order])) + 1)


def _solve(
    x_here: Array,
    y_here: Array,
    distance: Float64[Array, "k t"],
    slots: Int64[Array, "k 2"],
    settings: tuple[float, float, float],
) -> tuple[float, float, float, float]:
    """Localisation, missed, false and switch parts of one cluster. Unknowns per time: W of the k pairs; what a truth
    or a track does not give to pairs it gives to nobody. Then k changes per step of time."""
    cutoff, switch, order = settings
    k, t = distance.shape
    alone = 0.5 * cutoff**order
    xs, ys = x_here[slots[:, 0]], y_here[slots[:, 1]]
    both = xs & ys
    paired = np.where(both, np.minimum(np.nan_to_num(distance, nan=0.0), cutoff) ** order, alone * (xs ^ ys))
    # being paired saves what being alone would have cost
    gain = paired - alone * (xs.astype(float) + ys.astype(float))
    change = 0.5 * switch**order
    cost = np.concatenate([gain.T.ravel(), np.full(k * (t - 1), change)])
    A, b = _constraints(slots, len(x_here), len(y_here), t)
    found = linprog(cost, A_ub=A, b_ub=b, bounds=(0.0, None), method="highs")  # type: ignore[call-overload]
    if found.status != 0:
        raise ValueError(f"T-GOSPA: the linear programme was not solved: {found.message}")
    W = found.x[: k * t].reshape(t, k).T
    inside = both & (np.nan_to_num(distance, nan=np.inf) < cutoff)
    localisation = float((W * paired * inside).sum())
    return (
        localisation,
        alone * float(x_here.sum() - (W * inside).sum()),
        alone * float(y_here.sum() - (W * inside).sum()),
        change * float(np.abs(np.diff(W, axis=1)).sum()),
    )


def _constraints(slots: Int64[Array, "k 2"], n: int, m: int, t: int) -> tuple[csr_array, Float64[Array, " r"]]:
    """A, b of A v <= b: at each time no truth and no track gives more than one; a change is at least the difference
    of its weights, either way."""
    k = len(slots)
    pair, time = np.tile(np.arange(k), t), np.repeat(np.arange(t), k)
    column = time * k + pair
    rows = [time * (n + m) + slots[pair, 0], time * (n + m) + n + slots[pair, 1]]
    columns, values = [column, column], [np.ones(k * t), np.ones(k * t)]
    steps = np.arange(k * (t - 1))
    for sign, first in ((1.0, t * (n + m)), (-1.0, t * (n + m) + k * (t - 1))):
        rows += [first + steps] * 3
        columns += [steps, steps + k, k * t + steps]
        values += [np.full(len(steps), sign), np.full(len(steps), -sign), np.full(len(steps), -1.0)]
    height = t * (n + m) + 2 * k * (t - 1)
    data = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    A = csr_array(coo_array(data, shape=(height, k * t + k * (t - 1))))
    return A, np.concatenate([np.ones(t * (n + m)), np.zeros(2 * k * (t - 1))])


def ospa2(x: Float64[Array, "n t d"], y: Float64[Array, "m t d"], cutoff: float, order: float = 1.0) -> float:
    """OSPA(2) over the whole window; 0 when nothing exists."""
    x, y = x[np.isfinite(x[:, :, 0]).any(axis=1)], y[np.isfinite(y[:, :, 0]).any(axis=1)]
    x_here, y_here = np.isfinite(x[:, :, 0]), np.isfinite(y[:, :, 0])
    pair, _, apart = _near(x, y, cutoff)
    saved = np.zeros((len(x), len(y)))  # over being a cut-off apart wherever either exists
    np.add.at(saved, (pair[:, 0], pair[:, 1]), cutoff - apart)
    both = x_here.astype(np.float64) @ y_here.T.astype(np.float64)
    either = x_here.sum(axis=1)[:, None] + y_here.sum(axis=1)[None] - both
    return ospa_of(cutoff - saved / either, cutoff, order)
