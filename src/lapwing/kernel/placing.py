"""Detections that are positions: as targets of which nothing else is known, and as expected of targets. Axes: m
detections, k pairs. Refuses nothing."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.geodesy import height_m as curved_m

F64 = NDArray[np.float64]


@njit(cache=True, nogil=True)
def at_rest(z: F64, R: F64, height_m: float, variance: tuple[float, float, float]) -> tuple[F64, F64]:
    """Means (m, 6) and covariances (m, 6, 6) at the positions z (m, 2 or 3) with R, at rest; mean of the height where z
    has none, and variances of horizontal velocity, climb and that height."""
    m, d = z.shape
    mean, cov = np.zeros((m, 6)), np.zeros((m, 6, 6))
    for s in range(m):
        for i in range(d):
            mean[s, i] = z[s, i]
            for j in range(d):
                cov[s, i, j] = R[s, i, j]
        if d == 2:
            mean[s, 2] = height_m - curved_m(mean[s])
            cov[s, 2, 2] = variance[2]
        cov[s, 3, 3] = cov[s, 4, 4] = variance[0]
        cov[s, 5, 5] = variance[1]
    return mean, cov


@njit(cache=True, nogil=True)
def positions(mean: F64, d: int) -> tuple[F64, F64]:
    """The first d axes of each mean (k, 6), and the Jacobian (k, d, 6) of that."""
    z_hat, H = np.empty((len(mean), d)), np.zeros((len(mean), d, 6))
    for e in range(len(mean)):
        for i in range(d):
            z_hat[e, i] = mean[e, i]
            H[e, i, i] = 1.0
    return z_hat, H
