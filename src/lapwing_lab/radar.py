"""A rotating radar, two- or three-dimensional, with or without Doppler. Axes: n targets, m plots.

Detection: radar equation and Swerling 1 fluctuation: SNR falls with the fourth power of range and grows with the radar
cross section; p_detect = p_false^(1 / (1 + SNR)), so that a small drone is seen now and then at the edge of range.
`reference_range_m` is where 0.01 m2 is seen with probability one half. Then noise, resolution cells (echoes in one cell
become one plot at their mean), clutter uniform in range and azimuth, ground clutter near the radar, echoes of moving
weather. It sees nothing below the radio horizon, its mask, or in a blind sector.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from lapwing_lab.files import Scan
from lapwing_lab.world import Sight, Stand, World

Array = np.ndarray
P_FALSE = 1e-6
SNR_HALF = np.log(P_FALSE) / np.log(0.5) - 1.0  # gives p_detect one half
REFERENCE_M2 = 0.01
NOISE_DBM = -100.0
GROUND_M2, GROUND_SPREAD = 0.1, 1.6  # median echo of the ground that is left, and its spread (of the logarithm): 7 dB


@dataclass(frozen=True, slots=True)
class RadarModel:
    """One radar. Angles in degrees as in its table. `mask`: (azimuth, lowest elevation) corners; `blind`: sectors."""

    name: str
    stand: Stand
    period_s: float = 2.5
    range_m_max: float = 40_000.0
    reference_range_m: float = 26_000.0
    range_sigma_m: float = 25.0
    azimuth_sigma_deg: float = 0.15
    elevation_sigma_deg: float = 0.0  # 0: two-dimensional
    range_rate_sigma_mps: float = 0.0  # 0: no Doppler
    speed_mps_min: float = 0.0  # moving target indication: slower radial speeds are suppressed
    cell_range_m: float = 60.0
    cell_azimuth_deg: float = 0.6
    clutter_per_scan: float = 12.0
    ground_clutter_per_scan: float = 0.0
    ground_clutter_m: float = 4_000.0  # mean range
    elevation_deg: tuple[float, float] = (-1.5, 40.0)
    mask: tuple[tuple[float, float], ...] = ()
    blind: tuple[tuple[float, float], ...] = ()
    weather: tuple[tuple[float, ...], ...] = ()  # east, north, velocity east, north, radius, echoes per scan
    amplitude: bool = True  # whether it says how strong each echo was

    @property
    def space(self) -> tuple[str, ...]:
        """The columns it measures."""
        up = ("elevation_rad",) * (self.elevation_sigma_deg > 0.0)
        return ("range_m", "azimuth_rad", *up, *(("range_rate_mps",) * (self.range_rate_sigma_mps > 0.0)))

    def p_detect(self, range_m: Float64[Array, " n"], rcs_m2: Float64[Array, " n"]) -> Float64[Array, " n"]:
        """Swerling 1 detection probability of one look."""
        return np.asarray(P_FALSE ** (1.0 / (1.0 + self.snr(range_m, rcs_m2))))

    def snr(self, range_m: Float64[Array, " n"], rcs_m2: Float64[Array, " n"]) -> Float64[Array, " n"]:
        """Mean power of an echo over that of the noise."""
        return np.asarray(SNR_HALF * rcs_m2 / REFERENCE_M2 * (self.reference_range_m / np.maximum(range_m, 1.0)) ** 4)

    def covers(self, s: Sight) -> Array:
        """Who is where this radar looks, whether detected or not."""
        elevation, azimuth = np.degrees(s.elevation_rad), np.degrees(s.azimuth_rad)
        seen = s.clear & (s.range_m < self.range_m_max)
        seen &= (elevation > self.elevation_deg[0]) & (elevation < self.elevation_deg[1])
        if self.mask:
            corners = np.array(sorted(self.mask))
            seen &= elevation > np.interp(azimuth, corners[:, 0], corners[:, 1], period=360.0)
        for a, b in self.blind:
            inside = (azimuth - a) % 360.0 < (b - a) % 360.0
            seen &= ~inside
        return np.asarray(seen)

    def scan(self, world: World, begin_s: float, begin_ns: int, rng: np.random.Generator) -> Scan:
        """The rotation that begins at `begin_s`; `begin_ns` is the scenario's start on the clock."""
        at = np.full(len(world), begin_s)
        for _ in range(2):  # when the beam meets each target
            position, velocity, alive = world.at(at)
            s = self.stand.look(position, velocity)
            at = begin_s + s.azimuth_rad / (2.0 * np.pi) * self.period_s
        seen = alive & self.covers(s) & (np.abs(s.range_rate_mps) >= self.speed_mps_min)
        i = np.flatnonzero(seen & (rng.random(len(world)) < self.p_detect(s.range_m, world.rcs_m2)))
        z = np.stack([s.range_m[i], s.azimuth_rad[i], s.elevation_rad[i], s.range_rate_mps[i]], axis=1)
        sigma = np.array([self.range_sigma_m, np.radians(self.azimuth_sigma_deg),
                          np.radians(self.elevation_sigma_deg), self.range_rate_sigma_mps])  # fmt: skip
        strong = np.random.default_rng(rng.bit_generator.seed_seq.spawn(1)[0])  # type: ignore[attr-defined]
        z = z + sigma * rng.normal(0.0, 1.0, z.shape)
        z = self._resolved(np.column_stack([z, self._power(self.snr(s.range_m, world.rcs_m2)[i], strong)]))
        false, ground = self._clutter(begin_s, rng)
        rcs_m2 = np.where(ground, strong.lognormal(np.log(GROUND_M2), GROUND_SPREAD, len(false)), 0.0)
        z = np.concatenate([z, np.column_stack([false, self._power(self.snr(false[:, 0], rcs_m2), strong)])])
        z[:, 0] = np.maximum(z[:, 0], 1.0)
        z[:, 1] %= 2.0 * np.pi
        z = z[np.argsort(z[:, 1], kind="stable")]
        time = begin_ns + np.round((begin_s + z[:, 1] / (2.0 * np.pi) * self.period_s) * 1e9).astype(np.int64)
        full = ("range_m", "azimuth_rad", "elevation_rad", "range_rate_mps")
        columns = [full.index(c) for c in self.space]
        end_ns = begin_ns + round((begin_s + self.period_s) * 1e9)
        rcs = self._rcs_dbsm(z[:, 0], z[:, 4]) if self.amplitude else None
        return Scan(self.name, self.space, end_ns, time, z[:, columns], rcs_dbsm=rcs)

    def _power(self, snr: Float64[Array, " m"], rng: np.random.Generator) -> Float64[Array, " m"]:
        """Power of detected echoes over the mean noise. Signal and noise together are exponential, and what of an
        exponential lies above a threshold is again one."""
        return np.asarray(-np.log(P_FALSE) + (1.0 + snr) * rng.exponential(1.0, len(snr)))

    def _rcs_dbsm(self, range_m: Float64[Array, " m"], power: Float64[Array, " m"]) -> Float64[Array, " m"]:
        """The radar cross sections that a radar works out of these powers less its threshold: what of an exponential
        lies above a threshold has the same mean."""
        over = np.maximum(power + np.log(P_FALSE), 1e-3)
        return np.asarray(10.0 * np.log10(over / self.snr(range_m, np.ones(len(range_m)))))

    @property
    def echo_dbm(self) -> float:
        """Amplitude of one square metre at 10 km, in dBm: what a data sheet would say. Noise is NOISE_DBM."""
        return NOISE_DBM + 10.0 * float(np.log10(self.snr(np.array([10_000.0]), np.array([1.0]))[0]))

    @property
    def echo_min_dbm(self) -> float:
        """Amplitude of an echo at the threshold, in dBm."""
        return NOISE_DBM + 10.0 * float(np.log10(-np.log(P_FALSE)))

    def _resolved(self, z: Float64[Array, "m c"]) -> Float64[Array, "m c"]:
        """Plots: echoes that share a resolution cell become one, at their mean place and of their mean power."""
        if len(z) < 2:
            return z
        cell = np.stack([z[:, 0] // self.cell_range_m, z[:, 1] // np.radians(self.cell_azimuth_deg)], axis=1)
        _, of = np.unique(cell, axis=0, return_inverse=True)
        of = of.ravel()
        count = np.bincount(of)
        return np.stack([np.bincount(of, z[:, c]) / count for c in range(z.shape[1])], axis=1)

    def _clutter(self, begin_s: float, rng: np.random.Generator) -> tuple[Float64[Array, "m 4"], Bool[Array, " m"]]:
        """False plots, and which of them are echoes of the ground."""
        n = int(rng.poisson(self.clutter_per_scan))
        parts = [np.stack([rng.uniform(100.0, self.range_m_max, n), rng.uniform(0.0, 2.0 * np.pi, n)], axis=1)]
        k = int(rng.poisson(self.ground_clutter_per_scan))
        parts.append(np.stack([rng.exponential(self.ground_clutter_m, k), rng.uniform(0.0, 2.0 * np.pi, k)], axis=1))
        for east, north, ve, vn, radius, echoes in self.weather:
            m = int(rng.poisson(echoes))
            x = np.array([east + ve * begin_s, north + vn * begin_s]) + rng.normal(0.0, 0.5 * radius, (m, 2))
            x = x - self.stand.position[:2]
            parts.append(np.stack([np.hypot(x[:, 0], x[:, 1]), np.arctan2(x[:, 0], x[:, 1])], axis=1))
        flat = np.concatenate(parts)
        ground = np.repeat([False, True, False], [n, k, len(flat) - n - k])
        inside = flat[:, 0] < self.range_m_max
        flat, ground = flat[inside], ground[inside]
        low, high = np.radians(self.elevation_deg)
        up, rate = rng.uniform(max(low, 0.0), 0.5 * high, len(flat)), rng.normal(0.0, 8.0, len(flat))
        return np.concatenate([flat, up[:, None], rate[:, None]], axis=1), ground


def radar(table: dict[str, Any], name: str, where: Stand) -> RadarModel:
    """The radar of a `[[sensor]]` table."""
    fields = RadarModel.__dataclass_fields__
    found = {k: _tuples(v) for k, v in table.items() if k in fields and k not in ("name", "stand")}
    return RadarModel(name, where, **found)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
