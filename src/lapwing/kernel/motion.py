"""Nearly constant velocity: white-noise acceleration, horizontal and vertical apart, in closed form.

State (east_m, north_m, up_m, east_mps, north_mps, up_mps). Axes: n states, d measured columns. The paper's letters:
F moves the state over dt_s, Q is the noise that came meanwhile (Bar-Shalom's "discretised continuous white noise
acceleration"), q_h and q_v its power spectral densities in m^2/s^3. Refuses nothing; dt_s must not be negative.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def _shaped(value: float | F64) -> F64:
    return np.asarray(value, dtype=np.float64)[..., None, None]


def _add_noise(cov: F64, dt_s: F64, q_h: float | F64, q_v: float | F64, sign: float) -> None:
    """Adds sign * Q(dt_s) to `cov` in place: the caller made it."""
    for axis in range(3):
        q = sign * np.asarray(q_v if axis == 2 else q_h, dtype=np.float64)
        cov[..., axis, axis] += q * dt_s**3 / 3.0
        cov[..., axis, axis + 3] += q * dt_s**2 / 2.0
        cov[..., axis + 3, axis] += q * dt_s**2 / 2.0
        cov[..., axis + 3, axis + 3] += q * dt_s


def without_noise(cov: F64, dt_s: F64, q_h: float | F64, q_v: float | F64) -> F64:
    """P - Q(dt_s): what is left of a predicted covariance when the last dt_s seconds of noise are taken out."""
    out = cov.copy()
    _add_noise(out, dt_s, q_h, q_v, -1.0)
    return out


def shift(mean: F64, dt_s: F64) -> F64:
    """F(dt_s) x: where each state stands dt_s later (earlier, if negative), without noise."""
    out = mean.copy()
    out[..., :3] += np.asarray(dt_s, dtype=np.float64)[..., None] * mean[..., 3:]
    return out


@njit(cache=True)
def _predict(mean: F64, cov: F64, dt_s: F64, q_h: F64, q_v: F64) -> tuple[F64, F64]:
    mu, out = mean.copy(), np.empty_like(cov)
    for e in range(len(mean)):
        t = dt_s[e]
        for i in range(3):
            mu[e, i] += t * mean[e, i + 3]
            for j in range(3):
                C = t * cov[e, i + 3, j + 3]
                out[e, i, j] = cov[e, i, j] + t * (cov[e, i, j + 3] + cov[e, i + 3, j] + C)
                out[e, i, j + 3] = cov[e, i, j + 3] + C
                out[e, i + 3, j] = cov[e, i + 3, j] + C
                out[e, i + 3, j + 3] = cov[e, i + 3, j + 3]
            q = q_v[e] if i == 2 else q_h[e]
            out[e, i, i] += q * t * t * t / 3.0
            out[e, i, i + 3] += q * t * t / 2.0
            out[e, i + 3, i] += q * t * t / 2.0
            out[e, i + 3, i + 3] += q * t
    return mu, out


def predict(mean: F64, cov: F64, dt_s: float | F64, q_h: float | F64, q_v: float | F64) -> tuple[F64, F64]:
    """Mean F x and covariance F P F' + Q after dt_s: (n, 6), (n, 6, 6)."""
    # copies, for what is broadcast is read-only or not with its length: compiled once, and not anew amid a flight
    each = [np.array(np.broadcast_to(np.asarray(v, dtype=np.float64), len(mean))) for v in (dt_s, q_h, q_v)]
    mu, out = _predict(np.ascontiguousarray(mean), np.ascontiguousarray(cov), each[0], each[1], each[2])
    return mu, out


def aged_jacobian(H: F64, age_s: F64) -> F64:
    """H F(-age_s), shape (k, d, 6): how a measurement taken age_s ago depends on the state now."""
    out = H.copy()
    out[..., 3:] -= _shaped(age_s) * H[..., :3]
    return out
