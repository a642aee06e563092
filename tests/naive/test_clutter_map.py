"""The clutter map against its definition, cell by cell: likelihoods integrated numerically."""

import numpy as np
import pytest
from scipy import stats

from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import ClutterSettings, RadarSensor
from lapwing.track.clutter import ClutterMap, expected, learned

SETTINGS = ClutterSettings(rings=5, sectors=4, memory_s=100.0, scans=7.0, odd=0.2, shape=1.5)
RANGE_M, DECLARED = 10_000.0, 6.0


def cell(r: float, azimuth: float) -> tuple[int, int]:
    """By search: ring k ends at ((k + 1) / K)^2 of the range, sector s at (s + 1) / S of a turn."""
    turn = azimuth % (2.0 * np.pi)
    ring = next((k for k in range(5) if r < RANGE_M * ((k + 1) / 5.0) ** 2), 4)
    return ring, next(s for s in range(4) if turn < 2.0 * np.pi * (s + 1) / 4.0)


def mixed(mean: float, n: float, scans: float) -> float:
    """Is the rate `mean`, or drawn from Gamma(1.5, mean)? Both likelihoods of the counts, integrated."""
    prior = stats.gamma(1.5, scale=mean / 1.5)

    def poisson(rate: np.ndarray) -> np.ndarray:  # up to n!, which both share
        return (rate * scans) ** n * np.exp(-rate * scans)

    rate = np.linspace(0.0, 40.0 * mean + 40.0 * (n + 1.0) / scans, 400_001)[1:]
    weight = prior.pdf(rate) * poisson(rate)
    same, other = poisson(np.array(mean)), np.trapezoid(weight, rate)
    slab = np.trapezoid(rate * weight, rate) / other
    p = 0.2 * other / (0.2 * other + 0.8 * same)
    return float(p * slab + (1.0 - p) * mean)


def rate_of(counts: dict[tuple[int, int], float], scans: float, ring: int, sector: int) -> float:
    """The whole sensor's, then the ring's, then the cell's."""
    whole = (7.0 * DECLARED + sum(counts.values())) / (7.0 + scans)
    share = ((ring + 1) ** 2 - ring**2) / 25.0
    of_ring = sum(counts.get((ring, s), 0.0) for s in range(4))
    return mixed(mixed(whole * share, of_ring, scans) / 4.0, counts.get((ring, sector), 0.0), scans)


def test_every_cell_is_like_its_ring_or_is_not():
    rng = np.random.default_rng(0)
    sensor = RadarSensor("R", Space.RANGE_AZIMUTH, np.zeros(3), np.eye(3), 0.9, DECLARED, RANGE_M)
    known: ClutterMap | None = None
    counts: dict[tuple[int, int], float] = {}
    scans, time_s = 0.0, 0.0
    for _ in range(30):
        m = int(rng.integers(0, 9))
        z = np.column_stack([rng.uniform(0.0, 1.1 * RANGE_M, m), rng.uniform(-np.pi, np.pi, m)])
        p_new, r_new = rng.random(m), rng.random(m)
        step_s = float(rng.uniform(0.0, 20.0))
        time_s += step_s
        ns = np.int64(round(time_s * 1e9))
        columns = (np.full(m, ns), z, np.tile(np.eye(2), (m, 1, 1)), np.full(m, ANONYMOUS), np.zeros(m, dtype=np.int64))
        scan = Detections("R", Space.RANGE_AZIMUTH, int(ns), *columns)
        known = learned(known, scan, p_new * (1.0 - r_new), sensor, SETTINGS)
        fade = np.exp(-step_s / 100.0)
        counts = {c: fade * n for c, n in counts.items()}
        scans = fade * scans + 1.0
        for row in range(m):
            c = cell(z[row, 0], z[row, 1])
            counts[c] = counts.get(c, 0.0) + p_new[row] * (1.0 - r_new[row])
    at = np.column_stack([rng.uniform(0.0, 1.1 * RANGE_M, 40), rng.uniform(-7.0, 7.0, 40)])
    total, density = expected(known, at, sensor, SETTINGS)
    for row in range(40):
        ring, sector = cell(at[row, 0], at[row, 1])
        share = ((ring + 1) ** 2 - ring**2) / 25.0 / 4.0
        naive = rate_of(counts, scans, ring, sector) / (share * RANGE_M * 2.0 * np.pi)
        assert density[row] == pytest.approx(naive, rel=1e-3)
    assert total == pytest.approx((7.0 * DECLARED + sum(counts.values())) / (7.0 + scans))
