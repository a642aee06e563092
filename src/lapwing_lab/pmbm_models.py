"""Models that the slow twin (`pmbm`) is given: targets that come, move and go; sensors of places and of range and
azimuth. Axes: m detections, s sigma points. States are x, vx, y, vy.

Range and azimuth by iterated posterior linearisation with sigma points (Garcia-Fernandez, Ralph, Horridge, Maskell, "A
Gaussian filtering method for multi-target tracking with nonlinear/non-Gaussian measurements", IEEE T-AES 57, 2021):
linearised anew about each posterior, for what nobody has seen first about the detection itself; the detection
probability is averaged over the Gaussian for a miss, and corrects the likelihood at the posterior for a detection. Our
scenario draws Gaussian azimuths, so the noise is Gaussian here, too. Births between two looks: Garcia-Fernandez,
Maskell, "Continuous-discrete multiple target filtering", IEEE T-SP 68, 2020.
"""

from dataclasses import dataclass

import numpy as np

from lapwing_lab.pmbm import Seen

Array = np.ndarray
CENTRE = 1.0 / 3.0  # weight of the sigma point in the middle
ROUNDS, NEAR_KLD = 5, 1e-2


@dataclass(frozen=True, slots=True)
class Motion:
    """Nearly constant velocity; births from one Gaussian."""

    noise_m2ps3: float
    lifetime_s: float
    mean: Array
    cov: Array
    at_start: float
    per_s: float
    continuous: bool = False  # births fall anywhere between two looks, and some are gone before the next

    def motion(self, dt_s: float) -> tuple[Array, Array]:
        """F and Q."""
        F = np.kron(np.eye(2), np.array([[1.0, dt_s], [0.0, 1.0]]))
        white = np.array([[dt_s**3 / 3, dt_s**2 / 2], [dt_s**2 / 2, dt_s]])
        return F, self.noise_m2ps3 * np.kron(np.eye(2), white)

    def p_survive(self, dt_s: float) -> float:
        """Exponential lifetimes."""
        return float(np.exp(-dt_s / self.lifetime_s))

    def births(self, dt_s: float | None) -> tuple[float, Array, Array]:
        """Expected number, mean and covariance."""
        if dt_s is None:
            return self.at_start, self.mean, self.cov
        if not self.continuous:
            return self.per_s * dt_s, self.mean, self.cov
        return self._since(dt_s)

    def _since(self, dt_s: float) -> tuple[float, Array, Array]:
        """Moments of those that came within dt_s and are still there: the time since is exponential, cut off at dt_s.
        Gauss-Legendre, exact to rounding: polynomials of third order times a nearly straight exponential."""
        node, w = np.polynomial.legendre.leggauss(8)
        age = 0.5 * dt_s * (node + 1.0)
        w = 0.5 * dt_s * w * np.exp(-age / self.lifetime_s)
        moved = [self.motion(float(a)) for a in age]
        means = np.array([F @ self.mean for F, _ in moved])
        covs = np.array([F @ self.cov @ F.T + Q for F, Q in moved])
        p = w / w.sum() if dt_s > 0.0 else np.full(len(w), 1.0 / len(w))
        mean = p @ means
        spread = means - mean
        return float(self.per_s * w.sum()), mean, np.einsum("k,kij->ij", p, covs) + (p[:, None] * spread).T @ spread


@dataclass(frozen=True, slots=True)
class Places:
    """Measures x and y."""

    sigma_m: float
    p: float
    intensity: float
    gate_d2: float = 20.0

    def p_detect(self, mean: Array, cov: Array) -> float:  # noqa: ARG002
        """The same everywhere."""
        return self.p

    def seen(self, mean: Array, cov: Array, z: Array, fresh: bool) -> list[Seen]:  # noqa: ARG002
        """Kalman updates."""
        H = np.kron(np.eye(2), np.array([[1.0, 0.0]]))
        S = H @ cov @ H.T + self.sigma_m**2 * np.eye(2)
        K = cov @ H.T @ np.linalg.inv(S)
        nu = z.reshape(-1, 2) - H @ mean
        d2 = np.einsum("mi,mi->m", nu, np.linalg.solve(S, nu.T).T)
        P = cov - K @ S @ K.T
        norm = self.p / (2.0 * np.pi * np.sqrt(np.linalg.det(S)))
        near = np.flatnonzero(d2 < self.gate_d2).tolist()
        return [Seen(i, float(norm * np.exp(-0.5 * d2[i])), mean + K @ nu[i], 0.5 * (P + P.T)) for i in near]

    def clutter(self, z: Array) -> Array:
        """Uniform."""
        return np.full(len(z), self.intensity)


@dataclass(frozen=True, slots=True)
class RangeAzimuth:
    """Measures range and azimuth, clockwise from north, from `place`; detects with p exp(-range / fade_m). Its false
    detections have `intensity` everywhere (per metre and radian), and `per_m` more with every metre of range: that is
    how places look that are spread evenly over the ground."""

    place: tuple[float, float]
    sigma: tuple[float, float]
    fade_m: float
    intensity: float
    per_m: float = 0.0
    gate_d2: float = 50.0
    p: float = 1.0

    def p_detect(self, mean: Array, cov: Array) -> float:
        """Mean over sigma points."""
        x, w = sigma_points(mean, cov)
        return float(self.p * (w @ np.exp(-self._range(x) / self.fade_m)))

    def _range(self, x: Array) -> Array:
        return np.asarray(np.hypot(x[:, 0] - self.place[0], x[:, 2] - self.place[1]))

    def _expected(self, x: Array) -> Array:
        """Range, and azimuth near that of the first row."""
        out = np.stack([self._range(x), np.arctan2(x[:, 0] - self.place[0], x[:, 2] - self.place[1])], axis=1)
        out[:, 1] = out[0, 1] + short_way(out[:, 1] - out[0, 1])
        return out

    def _linear(self, mean: Array, cov: Array) -> tuple[Array, Array, Array]:
        """A, b and the covariance of what A x + b leaves out, by statistical linear regression."""
        x, w = sigma_points(mean, cov)
        y = self._expected(x)
        z, e = w @ y, x - mean
        cross, spread = (w[:, None] * e).T @ (y - w @ y), (w[:, None] * (y - z)).T @ (y - z)
        A = np.linalg.solve(cov, cross).T
        return A, z - A @ mean, spread - A @ cov @ A.T

    def seen(self, mean: Array, cov: Array, z: Array, fresh: bool) -> list[Seen]:
        """Iterated posterior linearisation of each detection inside the gate."""
        A, b, left = self._linear(mean, cov)
        R = np.diag(np.square(self.sigma))
        nu = z.reshape(-1, 2) - (A @ mean + b)
        nu[:, 1] = short_way(nu[:, 1])
        d2 = np.einsum("mi,mi->m", nu, np.linalg.solve(A @ cov @ A.T + left + R, nu.T).T)
        return [self._iterated(int(i), z[i], mean, cov, fresh) for i in np.flatnonzero(d2 < self.gate_d2)]

    def _iterated(self, row: int, z: Array, mean: Array, cov: Array, fresh: bool) -> Seen:
        R = np.diag(np.square(self.sigma))
        about = self._measured(z, mean, cov) if fresh else (mean, cov)
        for _ in range(ROUNDS):
            A, b, left = self._linear(*about)
            S = A @ cov @ A.T + left + R
            nu = z - (A @ mean + b)
            nu[1] = short_way(nu[1])
            K = cov @ A.T @ np.linalg.inv(S)
            after = mean + K @ nu, cov - K @ S @ K.T
            if kld(*about, *after) < NEAR_KLD:
                break
            about = after
        x, w = sigma_points(*after)
        log = log_normal(nu, S) - log_normal(self._from(z, x @ A.T + b), left + R)
        log = log + log_normal(self._from(z, self._expected(x)), R) - self._range(x) / self.fade_m
        return Seen(row, float(self.p * (w @ np.exp(log))), after[0], 0.5 * (after[1] + after[1].T))

    def _from(self, z: Array, y: Array) -> Array:
        nu = z - y
        nu[:, 1] = short_way(nu[:, 1])
        return np.asarray(nu)

    def _measured(self, z: Array, mean: Array, cov: Array) -> tuple[Array, Array]:
        """Where the detection is, as a place to linearise about; velocity as expected."""
        unit = np.array([np.sin(z[1]), np.cos(z[1])])
        across = z[0] * np.array([unit[1], -unit[0]])
        x, P = mean.copy(), np.diag(np.diag(cov))
        x[[0, 2]] = np.array(self.place) + z[0] * unit
        P[np.ix_([0, 2], [0, 2])] = self.sigma[0] ** 2 * np.outer(unit, unit) + self.sigma[1] ** 2 * np.outer(
            across, across
        )
        return x, P

    def clutter(self, z: Array) -> Array:
        """A straight line in range."""
        return np.asarray(self.intensity + self.per_m * z.reshape(-1, 2)[:, 0])


def sigma_points(mean: Array, cov: Array) -> tuple[Array, Array]:
    """(s, n) points, the mean first, and weights of the unscented transform."""
    n = len(mean)
    root = np.linalg.cholesky(n / (1.0 - CENTRE) * cov)
    points = np.concatenate([mean[None], mean + root.T, mean - root.T])
    return points, np.append(CENTRE, np.full(2 * n, (1.0 - CENTRE) / (2 * n)))


def short_way(angle: Array) -> Array:
    """Within pi."""
    return np.asarray(angle - 2.0 * np.pi * np.round(angle / (2.0 * np.pi)))


def log_normal(nu: Array, S: Array) -> Array:
    """Log density of Gaussian differences (..., d)."""
    d2 = np.sum(nu * np.linalg.solve(S, nu.T).T, axis=-1)
    return np.asarray(-0.5 * (d2 + np.linalg.slogdet(S)[1] + len(S) * np.log(2.0 * np.pi)))


def kld(a: Array, A: Array, b: Array, B: Array) -> float:
    """Kullback-Leibler divergence of N(a, A) from N(b, B)."""
    d = b - a
    spread = np.trace(np.linalg.solve(B, A)) + d @ np.linalg.solve(B, d) - len(a)
    return float(0.5 * (spread + np.linalg.slogdet(B)[1] - np.linalg.slogdet(A)[1]))
