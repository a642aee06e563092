"""Motion that turns and slows down, in closed form: velocity rotates steadily and decays, driven by white noise.

Horizontal velocity as one complex number v obeys v' = (i turn - damping) v + noise, vertical velocity the same without
the turn. turn = damping = 0 is nearly constant velocity; damping = 0 is the coordinated turn of known rate; turn = 0 is
the integrated Ornstein-Uhlenbeck process, whose speed stays near sqrt(q / (2 damping)) per axis: hovering. A turn is
positive from east to north, seen from above to the left. State as in `kernel.motion`. Axes: l local hypotheses, M
modes, k pairs. A row of `modes` (M, 4) is q_h, q_v (m^2/s^3), turn (rad/s), damping (1/s). Refuses nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
SERIES = 0.5  # below this |lambda t| closed forms cancel; the power series of as many terms does not
TERMS = 18
BACK = 10.0  # e^BACK squared times the rounding of a covariance must stay below any measurement's noise
STRAIGHT = 1e-9  # below this it is nearly constant velocity, to as many digits


@njit(cache=True)
def flow(t: float, turn: float, damping: float) -> tuple[complex, complex]:
    """a = e^(lambda t) and b = (a - 1) / lambda, lambda = i turn - damping: v moves to a v, and p to p + b v. Back in
    time damping is growth: no more of it than e^BACK is believed, for plots that are older than they can be."""
    if damping * t < -BACK:
        damping = -BACK / t
    lam = complex(-damping, turn)
    a = np.exp(lam * t)
    if abs(lam) * abs(t) >= SERIES:
        return a, (a - 1.0) / lam
    term, total = complex(t, 0.0), complex(t, 0.0)
    for k in range(2, TERMS):
        term = term * lam * t / k
        total += term
    return a, total


@njit(cache=True)
def noise(t: float, turn: float, damping: float) -> tuple[float, complex, float]:
    """Integrals over t of |e^(lambda s)|^2, g conj(e^(lambda s)) and |g|^2, where g = (e^(lambda s) - 1) / lambda:
    per unit of q the variance of v, the covariance of p with v (imaginary: across), and the variance of p."""
    lam = complex(-damping, turn)
    if abs(lam) * t < STRAIGHT:
        return t, complex(0.5 * t * t, 0.0), t * t * t / 3.0
    square = abs(lam) ** 2
    if abs(lam) * t >= SERIES:
        b = (np.exp(lam * t) - 1.0) / lam
        vv = -np.expm1(-2.0 * damping * t) / (2.0 * damping) if damping * t > 1e-9 else t
        return vv, (vv - np.conj(b)) / lam, (vv - 2.0 * b.real + t) / square
    vv, pv, pp = t, complex(0.0, 0.0), 0.0
    back, fall, way = np.conj(lam), complex(1.0, 0.0), 1.0
    scale = t
    for k in range(1, TERMS):
        fall, way, scale = fall * back, way * -2.0 * damping, scale * t / (k + 1)
        vv += way * scale
        pv += (way - fall) * scale
        if k > 1:
            pp += (way - 2.0 * fall.real) * scale
    return vv, pv / lam, pp / square


@njit(cache=True)
def add_noise(P: F64, t: float, mode: F64, sign: float) -> None:
    """Adds sign * Q(t) of one mode to P (6, 6), in place."""
    if mode[2] == 0.0 and mode[3] == 0.0:
        for i in range(3):
            q = sign * (mode[1] if i == 2 else mode[0])
            P[i, i] += q * t * t * t / 3.0
            P[i, i + 3] += q * t * t / 2.0
            P[i + 3, i] += q * t * t / 2.0
            P[i + 3, i + 3] += q * t
        return
    vv, pv, pp = noise(t, mode[2], mode[3])
    q = sign * mode[0]
    for i in range(2):
        P[i, i] += q * pp
        P[i, i + 3] += q * pv.real
        P[i + 3, i] += q * pv.real
        P[i + 3, i + 3] += q * vv
    across = q * pv.imag
    P[0, 4] -= across
    P[4, 0] -= across
    P[1, 3] += across
    P[3, 1] += across
    vv, pv, pp = noise(t, 0.0, mode[3])
    q = sign * mode[1]
    P[2, 2] += q * pp
    P[2, 5] += q * pv.real
    P[5, 2] += q * pv.real
    P[5, 5] += q * vv


@njit(cache=True)
def move_state(x: F64, t: float, mode: F64) -> None:
    """F(t) x of one mode, in place; t may be negative."""
    if mode[2] == 0.0 and mode[3] == 0.0:
        for i in range(3):
            x[i] += t * x[i + 3]
        return
    a, b = flow(t, mode[2], mode[3])
    up_a, up_b = flow(t, 0.0, mode[3])
    east, north = x[3], x[4]
    x[0] += b.real * east - b.imag * north
    x[1] += b.imag * east + b.real * north
    x[2] += up_b.real * x[5]
    x[3] = a.real * east - a.imag * north
    x[4] = a.imag * east + a.real * north
    x[5] = up_a.real * x[5]


@njit(cache=True)
def move_rows(P: F64, a: complex, b: complex, up_a: float, up_b: float) -> None:
    """F P, in place, row by row."""
    for c in range(6):
        east, north, up = P[3, c], P[4, c], P[5, c]
        P[0, c] += b.real * east - b.imag * north
        P[1, c] += b.imag * east + b.real * north
        P[2, c] += up_b * up
        P[3, c] = a.real * east - a.imag * north
        P[4, c] = a.imag * east + a.real * north
        P[5, c] = up_a * up


@njit(cache=True)
def _move_straight(P: F64, t: float, q_h: float, q_v: float) -> None:
    """`move_cov` without turn and damping, from the lower triangle."""
    for i in range(3):
        for j in range(i + 1):
            C = t * P[i + 3, j + 3]
            P[i, j] += t * (P[j + 3, i] + P[i + 3, j] + C)
            P[j, i] = P[i, j]
            if i != j:
                P[j + 3, i] += C
            P[i + 3, j] += C
        q = q_v if i == 2 else q_h
        P[i, i] += q * t * t * t / 3.0
        P[i + 3, i] += q * t * t / 2.0
        P[i + 3, i + 3] += q * t
    for i in range(3, 6):
        for j in range(i):
            P[j, i] = P[i, j]


@njit(cache=True)
def move_cov(P: F64, t: float, mode: F64) -> None:
    """F P F' + Q(t) of one mode, in place."""
    if mode[2] == 0.0 and mode[3] == 0.0:
        _move_straight(P, t, mode[0], mode[1])
        return
    a, b = flow(t, mode[2], mode[3])
    up_a, up_b = flow(t, 0.0, mode[3])
    move_rows(P, a, b, up_a.real, up_b.real)
    move_rows(P.T, a, b, up_a.real, up_b.real)
    add_noise(P, t, mode, 1.0)
    for i in range(6):
        for j in range(i):
            P[i, j] = P[j, i] = 0.5 * (P[i, j] + P[j, i])


@njit(cache=True)
def aged_row(h: F64, age_s: float, mode: F64, out: F64) -> None:
    """h F(-age_s) of one mode: how a measurement of gradient h (6,), taken age_s ago, depends on the state now."""
    out[:] = h
    if age_s == 0.0:
        return
    if mode[2] == 0.0 and mode[3] == 0.0:
        for i in range(3):
            out[i + 3] = h[i + 3] - age_s * h[i]
        return
    a, b = flow(-age_s, mode[2], mode[3])
    up_a, up_b = flow(-age_s, 0.0, mode[3])
    out[3] = h[0] * b.real + h[1] * b.imag + h[3] * a.real + h[4] * a.imag
    out[4] = -h[0] * b.imag + h[1] * b.real - h[3] * a.imag + h[4] * a.real
    out[5] = h[2] * up_b.real + h[5] * up_a.real


@njit(cache=True)
def at_plots(mean: F64, local: I64, age_s: F64, modes: F64) -> F64:
    """Where each pair's modes stood age_s before the end of the scan: (k, M, 6) from mean (l, M, 6)."""
    k, M = len(local), mean.shape[1]
    out = np.empty((k, M, 6))
    for e in range(k):
        for j in range(M):
            out[e, j] = mean[local[e], j]
            if age_s[e] != 0.0:
                move_state(out[e, j], -age_s[e], modes[j])
    return out
