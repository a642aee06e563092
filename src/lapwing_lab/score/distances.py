"""Distances between sets of points: GOSPA with its decomposition, OSPA. Axes: n truths, m tracks, d columns.

GOSPA with alpha = 2 (Rahmathullah, Garcia-Fernandez, Svensson, FUSION 2017): the smallest sum, over partial one-to-one
assignments, of distance^p for each pair and c^p / 2 for each truth or track left alone. OSPA (Schuhmacher, Vo, Vo,
IEEE T-SP 56(8), 2008). Refuses cut-offs and orders that are not positive. Definitions are proved in tests/lab by
enumerating every assignment.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Gospa:
    """One comparison: p-th powers of its three parts, the counts behind them, and who was paired with whom."""

    order: float
    localisation_p: float
    missed_p: float
    false_p: float
    missed: int
    false: int
    truth: Int64[Array, " k"]  # rows paired
    track: Int64[Array, " k"]

    @property
    def total_p(self) -> float:
        """The p-th power of the metric: what may be averaged over time."""
        return self.localisation_p + self.missed_p + self.false_p

    @property
    def gospa(self) -> float:
        """The metric."""
        return float(self.total_p ** (1.0 / self.order))


def distances(x: Float64[Array, "n d"], y: Float64[Array, "m d"]) -> Float64[Array, "n m"]:
    """Euclidean distances of every pair."""
    return np.asarray(np.sqrt(((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2)))


def pairs_within(
    distance: Float64[Array, "n m"], cutoff: float, order: float
) -> tuple[Int64[Array, " k"], Int64[Array, " k"]]:
    """The pairs, nearer than the cut-off, of an optimal assignment in which being alone costs cutoff^p / 2. Solved
    cluster by cluster: rows that share no near partner cannot compete."""
    near = np.argwhere(distance < cutoff)
    if len(near) == 0:
        none = np.zeros(0, dtype=np.int64)
        return none, none
    n, m = distance.shape
    graph = coo_array((np.ones(len(near)), (near[:, 0], n + near[:, 1])), shape=(n + m, n + m))
    _, label = connected_components(graph, directed=False)
    cluster = label[near[:, 0]]
    rows: list[Array] = []
    for group in np.split(near[np.argsort(cluster, kind="stable")], np.flatnonzero(np.diff(np.sort(cluster))) + 1):
        i, j = np.unique(group[:, 0]), np.unique(group[:, 1])
        cost = np.minimum(distance[np.ix_(i, j)], cutoff) ** order - cutoff**order
        a, b = linear_sum_assignment(cost)
        good = cost[a, b] < 0.0
        rows.append(np.stack([i[a[good]], j[b[good]]], axis=1))
    chosen = np.concatenate(rows)
    chosen = chosen[np.argsort(chosen[:, 0], kind="stable")]
    return chosen[:, 0].astype(np.int64), chosen[:, 1].astype(np.int64)


def gospa(x: Float64[Array, "n d"], y: Float64[Array, "m d"], cutoff: float, order: float = 2.0) -> Gospa:
    """GOSPA (alpha = 2) of tracks `y` against truth `x`, in the unit of their columns. Raises ValueError."""
    if not (cutoff > 0.0 and order >= 1.0):
        raise ValueError(f"GOSPA needs a positive cut-off and an order of at least 1, not {cutoff} and {order}")
    distance = distances(x, y)
    i, j = pairs_within(distance, cutoff, order)
    missed, false = len(x) - len(i), len(y) - len(i)
    alone = 0.5 * cutoff**order
    parts = (float((distance[i, j] ** order).sum()), alone * missed, alone * false)
    return Gospa(order, *parts, missed, false, i, j)


def ospa(x: Float64[Array, "n d"], y: Float64[Array, "m d"], cutoff: float, order: float = 2.0) -> float:
    """OSPA of two sets; 0 when both are empty."""
    return ospa_of(distances(x, y), cutoff, order)


def ospa_of(distance: Float64[Array, "n m"], cutoff: float, order: float) -> float:
    """OSPA of two sets with the given distances."""
    n, m = distance.shape
    if max(n, m) == 0:
        return 0.0
    cost = np.minimum(distance, cutoff) ** order
    a, b = linear_sum_assignment(cost)
    total = float(cost[a, b].sum()) + cutoff**order * abs(n - m)
    return float((total / max(n, m)) ** (1.0 / order))
