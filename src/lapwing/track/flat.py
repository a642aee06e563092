"""Where a target may be that only radars without elevation have seen. Axes: n tracks.

Slant range and azimuth leave a target on an arc: at the prior's height in one place, higher up nearer to the radar.
The filter follows it at the prior's height and considers height linearly (Schmidt-Kalman), which is right for small
spreads and wrong for large ones: the arc is curved, a covariance is not. What is shown is widened along the line of
sight until its 95 % region holds every height that the prior allows. Velocities stay as they are.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing.kernel.geodesy import SEMI_MAJOR_M
from lapwing.records import Array
from lapwing.track.sensors import ELEVATION_SIN_MAX
from lapwing.track.settings import TargetPrior

HEIGHT_SIGMAS = 2.5  # of the prior: the heights that are to be covered
REACH_SIGMAS = 1.4  # the far end of the arc is so many standard deviations away: even there 95.5 % of the noise fits
PLANE = np.array([0, 1])
UNMEASURED = 0.5  # height is unmeasured while its standard deviation is above this share of a new track's


def height_unmeasured(
    mean: Float64[Array, "n 6"],
    cov: Float64[Array, "n 6 6"],
    flat: Int64[Array, " n"],
    radar_m: Float64[Array, "n 3"],
    prior: TargetPrior,
) -> Bool[Array, " n"]:
    """Whose height is still what a new track is given. Arguments as of `widened`."""
    slant = np.sqrt(np.einsum("ni,ni->n", mean[:, :3] - radar_m, mean[:, :3] - radar_m))
    sigma = np.minimum(prior.height_m_sigma, 0.5 * ELEVATION_SIN_MAX * slant)
    return np.asarray((flat == 1) & (cov[:, 2, 2] > (UNMEASURED * sigma) ** 2))


def widened(
    mean: Float64[Array, "n 6"],
    cov: Float64[Array, "n 6 6"],
    flat: Int64[Array, " n"],
    radar_m: Float64[Array, "n 3"],
    prior: TargetPrior,
) -> Float64[Array, "n 6 6"]:
    """Covariances whose ground regions hold the targets at any height within the prior. `flat` is 1 for tracks last
    seen by a radar without elevation at `radar_m`."""
    rows = np.flatnonzero(height_unmeasured(mean, cov, flat, radar_m, prior))
    if not len(rows):
        return cov
    x = mean[rows, :3] - radar_m[rows]
    ground = np.hypot(x[:, 0], x[:, 1])
    range2 = ground**2 + x[:, 2] ** 2
    drop = (mean[rows, 0] ** 2 + mean[rows, 1] ** 2) / (2.0 * SEMI_MAJOR_M) + radar_m[rows, 2]
    low = max(prior.height_m_min, prior.height_m_mean - HEIGHT_SIGMAS * prior.height_m_sigma) - drop
    high = min(prior.height_m_max, prior.height_m_mean + HEIGHT_SIGMAS * prior.height_m_sigma) - drop
    level = np.clip(0.0, low, high)  # the height at which the arc is farthest out
    far = np.sqrt(np.maximum(range2 - level**2, 0.0))
    near = np.sqrt(np.maximum(range2 - np.maximum(np.abs(low), np.abs(high)) ** 2, 0.0))
    reach = np.maximum(far - ground, ground - near)
    line = x[:, :2] / np.maximum(ground, 1.0)[:, None]
    out = cov.copy()
    out[np.ix_(rows, PLANE, PLANE)] += (reach / REACH_SIGMAS)[:, None, None] ** 2 * (
        line[:, :, None] * line[:, None, :]
    )
    return out
