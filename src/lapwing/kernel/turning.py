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
def straight(mode: F64) -> bool:
    """Whether a mode neither turns nor slows down."""
    return bool(mode[2] == 0.0 and mode[3] == 0.0)


@njit(cache=True)
def _noise_row(t: float, mode: F64, out: F64) -> None:
    """Q(t) of one mode as seven numbers: horizontal variance of p, covariance of p with v along and across, variance of
    v; vertical the same without across."""
    if straight(mode):
        for k, q in ((0, mode[0]), (4, mode[1])):
            out[k], out[k + 1] = q * t * t * t / 3.0, q * t * t / 2.0
        out[2], out[3], out[6] = 0.0, mode[0] * t, mode[1] * t
        return
    vv, pv, pp = noise(t, mode[2], mode[3])
    out[0], out[1], out[2], out[3] = mode[0] * pp, mode[0] * pv.real, mode[0] * pv.imag, mode[0] * vv
    vv, pv, pp = noise(t, 0.0, mode[3])
    out[4], out[5], out[6] = mode[1] * pp, mode[1] * pv.real, mode[1] * vv


@njit(cache=True)
def noises(t: F64, modes: F64, wanted: I64) -> F64:
    """Q of each mode over the times t[wanted], for `add_row`: (k, M, 7) from t (k,); rows not wanted say nothing. Made
    once for all states that move by the same time, because it costs more than what is done with it."""
    out, done = np.empty((len(t), len(modes), 7)), np.zeros(len(t), np.bool_)
    for e in wanted:
        if not done[e]:
            done[e] = True
            for j in range(len(modes)):
                _noise_row(t[e], modes[j], out[e, j])
    return out


@njit(cache=True)
def add_row(P: F64, mode: F64, row: F64, sign: float) -> None:
    """Adds sign * Q of one mode, as `noises` says it, to P (6, 6), in place."""
    for i in range(2):
        P[i, i] += sign * row[0]
        P[i, i + 3] += sign * row[1]
        P[i + 3, i] += sign * row[1]
        P[i + 3, i + 3] += sign * row[3]
    if not straight(mode):
        across = sign * row[2]
        P[0, 4] -= across
        P[4, 0] -= across
        P[1, 3] += across
        P[3, 1] += across
    P[2, 2] += sign * row[4]
    P[2, 5] += sign * row[5]
    P[5, 2] += sign * row[5]
    P[5, 5] += sign * row[6]


@njit(cache=True)
def add_noise(P: F64, t: float, mode: F64, sign: float) -> None:
    """Adds sign * Q(t) of one mode to P (6, 6), in place."""
    row = np.empty(7)
    _noise_row(t, mode, row)
    add_row(P, mode, row, sign)


@njit(cache=True)
def _flow_row(t: float, mode: F64, out: F64) -> None:
    """`flow` of one mode as six numbers: a and b of the horizontal, real and imaginary, and a and b of the vertical."""
    a, b = flow(t, mode[2], mode[3])
    up_a, up_b = flow(t, 0.0, mode[3])
    out[0], out[1], out[2], out[3], out[4], out[5] = a.real, a.imag, b.real, b.imag, up_a.real, up_b.real


@njit(cache=True)
def flows(t: F64, modes: F64, wanted: I64) -> F64:
    """The flow of each mode over the times t[wanted], for `carry_state`, `carry_cov` and `carry_gradient`: (k, M, 6)
    from t (k,); rows not wanted, and those of modes that go straight, say nothing. Made once, as `noises` is."""
    out, done = np.empty((len(t), len(modes), 6)), np.zeros(len(t), np.bool_)
    for e in wanted:
        if not done[e]:
            done[e] = True
            for j in range(len(modes)):
                if not straight(modes[j]):
                    _flow_row(t[e], modes[j], out[e, j])
    return out


@njit(cache=True)
def carry_state(x: F64, t: float, mode: F64, f: F64) -> None:
    """F(t) x of one mode, in place, f being its flow over t; t may be negative."""
    if straight(mode):
        for i in range(3):
            x[i] += t * x[i + 3]
        return
    east, north = x[3], x[4]
    x[0] += f[2] * east - f[3] * north
    x[1] += f[3] * east + f[2] * north
    x[2] += f[5] * x[5]
    x[3] = f[0] * east - f[1] * north
    x[4] = f[1] * east + f[0] * north
    x[5] = f[4] * x[5]


@njit(cache=True)
def move_state(x: F64, t: float, mode: F64) -> None:
    """F(t) x of one mode, in place; t may be negative."""
    f = np.empty(6)
    _flow_row(t, mode, f)
    carry_state(x, t, mode, f)


@njit(cache=True)
def _move_rows(P: F64, f: F64) -> None:
    """F P, in place, row by row."""
    for c in range(6):
        east, north, up = P[3, c], P[4, c], P[5, c]
        P[0, c] += f[2] * east - f[3] * north
        P[1, c] += f[3] * east + f[2] * north
        P[2, c] += f[5] * up
        P[3, c] = f[0] * east - f[1] * north
        P[4, c] = f[1] * east + f[0] * north
        P[5, c] = f[4] * up


@njit(cache=True)
def straight_cov(P: F64, t: float, q_h: float, q_v: float, out: F64) -> None:
    """`move_cov` without turn and damping into out (6, 6), which may be P itself, from P's lower triangle."""
    for i in range(3):
        for j in range(i + 1):
            out[i, j] = P[i, j] + t * (P[j + 3, i] + P[i + 3, j] + t * P[i + 3, j + 3])
            out[j, i] = out[i, j]
    for i in range(3, 6):
        for j in range(3):
            out[i, j] = P[i, j] + t * P[max(i, j + 3), min(i, j + 3)]
            out[j, i] = out[i, j]
    for i in range(3, 6):
        for j in range(3, i + 1):
            out[i, j] = P[i, j]
            out[j, i] = out[i, j]
    for i in range(3):
        q = q_v if i == 2 else q_h
        out[i, i] += q * t * t * t / 3.0
        out[i + 3, i] += q * t * t / 2.0
        out[i, i + 3] = out[i + 3, i]
        out[i + 3, i + 3] += q * t


@njit(cache=True)
def carry_cov(P: F64, t: float, mode: F64, f: F64, n: F64) -> None:
    """F P F' + Q of one mode over t, in place, f being its flow and n its noise over t."""
    if straight(mode):
        straight_cov(P, t, mode[0], mode[1], P)
        return
    _move_rows(P, f)
    _move_rows(P.T, f)
    add_row(P, mode, n, 1.0)
    for i in range(6):
        for j in range(i):
            P[i, j] = P[j, i] = 0.5 * (P[i, j] + P[j, i])


@njit(cache=True)
def move_cov(P: F64, t: float, mode: F64) -> None:
    """F P F' + Q(t) of one mode, in place."""
    f, n = np.empty(6), np.empty(7)
    _flow_row(t, mode, f)
    _noise_row(t, mode, n)
    carry_cov(P, t, mode, f, n)


@njit(cache=True)
def carry_gradient(g: F64, age_s: float, mode: F64, f: F64) -> None:
    """g F(-age_s) of one mode, f being its flow over -age_s, in place: how a measurement of gradients g (d, 6), taken
    age_s ago, depends on the state now."""
    if age_s == 0.0:
        return
    if straight(mode):
        for a in range(len(g)):
            for i in range(3):
                g[a, i + 3] -= age_s * g[a, i]
        return
    for a in range(len(g)):
        h0, h1, h2, h3, h4, h5 = g[a, 0], g[a, 1], g[a, 2], g[a, 3], g[a, 4], g[a, 5]
        g[a, 3] = h0 * f[2] + h1 * f[3] + h3 * f[0] + h4 * f[1]
        g[a, 4] = -h0 * f[3] + h1 * f[2] - h3 * f[1] + h4 * f[0]
        g[a, 5] = h2 * f[5] + h5 * f[4]


@njit(cache=True)
def at_plots(mean: F64, local: I64, detection: I64, age_s: F64, modes: F64) -> F64:
    """Where each pair's modes stood when its detection was made, age_s (m,) before the end of the scan: (k, M, 6) from
    mean (l, M, 6)."""
    k, M = len(local), mean.shape[1]
    out, back = np.empty((k, M, 6)), flows(-age_s, modes, detection)
    for e in range(k):
        s = detection[e]
        for j in range(M):
            out[e, j] = mean[local[e], j]
            if age_s[s] != 0.0:
                carry_state(out[e, j], -age_s[s], modes[j], back[s, j])
    return out
