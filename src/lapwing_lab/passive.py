"""Sensors that only listen or look: radio direction finder, microphones, cameras, passive (bistatic) radar. Axes: n
targets, m detections. They measure directions, or a sum of ranges, never a position.

The direction finder hears control links (of what `hears` names), with outliers and with other emitters: the reference
notes measured sigmas of 10 to 30 degrees and half of the triggers elsewhere, so both are settings. Sound arrives late:
an acoustic bearing points to where the target was. A camera sees elevation too, not through weather. Passive radar
measures how much longer the way over the target is than the direct one, and how fast that grows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from lapwing_lab.files import Scan
from lapwing_lab.radar import P_FALSE, REFERENCE_M2, SNR_HALF
from lapwing_lab.world import Sight, Stand, World

Array = np.ndarray
SOUND_MPS = 340.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A sensor of directions. `kind`: direction_finder, acoustic or camera."""

    name: str
    kind: str
    stand: Stand
    period_s: float = 1.0
    range_m_max: float = 5_000.0
    azimuth_sigma_deg: float = 3.0
    elevation_sigma_deg: float = 0.0  # 0: no elevation
    p_detect_near: float = 0.9  # falls to zero at the largest range
    p_outlier: float = 0.0  # of a detection: anywhere
    clutter_per_scan: float = 0.05
    emitters: tuple[tuple[float, float, float], ...] = ()  # others on the air: east, north, share of scans heard
    hears: tuple[str, ...] = ("multirotor", "fixed_wing_drone")

    @property
    def space(self) -> tuple[str, ...]:
        """The columns it measures."""
        return ("azimuth_rad",) + ("elevation_rad",) * (self.elevation_sigma_deg > 0.0)

    def covers(self, s: Sight, heard: Bool[Array, " n"]) -> Bool[Array, " n"]:
        """Who is in reach."""
        return np.asarray(heard & s.clear & (s.range_m < self.range_m_max))

    def scan(self, world: World, begin_s: float, begin_ns: int, rng: np.random.Generator) -> Scan:
        """One look that ends one period after `begin_s`."""
        end_s = begin_s + self.period_s
        position, velocity, alive = world.at(end_s)
        s = self.stand.look(position, velocity)
        if self.kind == "acoustic":  # what is heard now left the target earlier
            position, velocity, alive = world.at(end_s - s.range_m / SOUND_MPS)
            s = self.stand.look(position, velocity)
        heard = alive & np.array([t.kind in self.hears for t in world.targets], dtype=bool)
        p = self.p_detect_near * np.clip(1.0 - (s.range_m / self.range_m_max) ** 2, 0.0, 1.0)
        i = np.flatnonzero(self.covers(s, heard) & (rng.random(len(world)) < p))
        z = np.stack([s.azimuth_rad[i], s.elevation_rad[i]], axis=1)
        sigma = np.radians([self.azimuth_sigma_deg, self.elevation_sigma_deg])
        z = z + sigma * rng.normal(0.0, 1.0, z.shape)
        wild = rng.random(len(z)) < self.p_outlier
        z[wild, 0] = rng.uniform(0.0, 2.0 * np.pi, int(wild.sum()))
        z = np.concatenate([z, self._others(rng)])
        z[:, 0] %= 2.0 * np.pi
        end_ns = begin_ns + round(end_s * 1e9)
        return Scan(self.name, self.space, end_ns, np.full(len(z), end_ns, dtype=np.int64), z[:, : len(self.space)])

    def _others(self, rng: np.random.Generator) -> Float64[Array, "m 2"]:
        n = int(rng.poisson(self.clutter_per_scan))
        rows = [np.stack([rng.uniform(0.0, 2.0 * np.pi, n), rng.uniform(0.0, 0.5, n)], axis=1)]
        for east, north, share in self.emitters:
            if rng.random() < share:
                a = np.arctan2(east - self.stand.position[0], north - self.stand.position[1])
                rows.append(np.array([[a + np.radians(self.azimuth_sigma_deg) * rng.normal(), 0.0]]))
        return np.concatenate(rows)


@dataclass(frozen=True, slots=True)
class Bistatic:
    """Passive radar: a receiver that uses somebody else's transmitter."""

    name: str
    stand: Stand
    transmitter: Stand
    period_s: float = 1.0
    range_m_max: float = 20_000.0  # of the bistatic range
    reference_range_m: float = 12_000.0  # geometric mean of both ways at which 0.01 m2 is seen with one half
    range_sigma_m: float = 20.0
    range_rate_sigma_mps: float = 1.0
    speed_mps_min: float = 2.0
    clutter_per_scan: float = 3.0

    @property
    def space(self) -> tuple[str, ...]:
        """The columns it measures."""
        return ("bistatic_range_m", "bistatic_range_rate_mps")

    def scan(self, world: World, begin_s: float, begin_ns: int, rng: np.random.Generator) -> Scan:
        """One look that ends one period after `begin_s`."""
        end_s = begin_s + self.period_s
        position, velocity, alive = world.at(end_s)
        there, back = self.transmitter.look(position, velocity), self.stand.look(position, velocity)
        direct = float(np.linalg.norm(self.transmitter.position - self.stand.position))
        longer = there.range_m + back.range_m - direct
        rate = there.range_rate_mps + back.range_rate_mps
        mean = np.sqrt(there.range_m * back.range_m)
        snr = SNR_HALF * world.rcs_m2 / REFERENCE_M2 * (self.reference_range_m / np.maximum(mean, 1.0)) ** 4
        seen = alive & there.clear & back.clear & (longer < self.range_m_max) & (np.abs(rate) > self.speed_mps_min)
        i = np.flatnonzero(seen & (rng.random(len(world)) < P_FALSE ** (1.0 / (1.0 + snr))))
        z = np.stack([longer[i], rate[i]], axis=1)
        z = z + rng.normal(0.0, 1.0, z.shape) * [self.range_sigma_m, self.range_rate_sigma_mps]
        n = int(rng.poisson(self.clutter_per_scan))
        false = np.stack([rng.uniform(0.0, self.range_m_max, n), rng.normal(0.0, 30.0, n)], axis=1)
        z = np.concatenate([z, false])
        end_ns = begin_ns + round(end_s * 1e9)
        return Scan(self.name, self.space, end_ns, np.full(len(z), end_ns, dtype=np.int64), z)


def listener(table: dict[str, Any], name: str, where: Stand) -> Listener:
    """The listener of a `[[sensor]]` table."""
    fields = Listener.__dataclass_fields__
    found: dict[str, Any] = {k: v for k, v in table.items() if k in fields and k not in ("name", "stand")}
    for k in ("hears", "emitters"):
        if k in found:
            found[k] = tuple(tuple(v) if isinstance(v, list) else v for v in found[k])
    if table["kind"] == "acoustic":
        found.setdefault("range_m_max", 800.0)
        found.setdefault("hears", ("multirotor", "fixed_wing_drone", "helicopter"))
    return Listener(name=name, stand=where, **found)


def bistatic(table: dict[str, Any], name: str, where: Stand, transmitter: Stand) -> Bistatic:
    """The passive radar of a `[[sensor]]` table."""
    fields = Bistatic.__dataclass_fields__
    found = {k: v for k, v in table.items() if k in fields and k not in ("name", "stand", "transmitter")}
    return Bistatic(name, where, transmitter, **found)
