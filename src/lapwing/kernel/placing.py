"""Detections that are positions: as targets of which nothing else is known, and as expected of targets. Axes: m
detections, k pairs. Refuses nothing."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lapwing.kernel.geodesy import height_m

F64 = NDArray[np.float64]


@njit(cache=True, nogil=True)
def at_rest(z: F64, R: F64, speed: float, climb: float, height: tuple[float, float]) -> tuple[F64, F64]:
    """Means (m, 6) and covariances (m, 6, 6) at the positions z (m, 2 or 3) with R, at rest; standard deviations of
    horizontal velocity and climb (m/s), and mean and standard deviation of the height (m) where z has none."""
    m, d = z.shape
    mean, cov = np.zeros((m, 6)), np.zeros((m, 6, 6))
    for s in range(m):
        for i in range(d):
            mean[s, i] = z[s, i]
            for j in range(d):
                cov[s, i, j] = R[s, i, j]
        if d == 2:
            mean[s, 2] = height[0] - height_m(mean[s])
            cov[s, 2, 2] = height[1] ** 2
        cov[s, 3, 3] = cov[s, 4, 4] = speed**2
        cov[s, 5, 5] = climb**2
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
