"""The likelihood of a source, by its definition: every look, power and threshold in turn, no table, no grid."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from lapwing.integrity.interference import _clusters
from lapwing.integrity.source import SourceSettings, likelihood
from lapwing.kernel import source as kernel

W = SourceSettings().physics


def chance(before, affected, level):
    """log P(look), a fine one relative to a look far from any source."""
    shift = {kernel.FIRST: 0.5, kernel.WAS_FINE: 0.0, kernel.WAS_AFFECTED: 1.0}[before] * W.regain_db
    p = W.wrong + (1 - 2 * W.wrong) / (1 + np.exp(-(level + shift) / W.softness_db))
    if affected:
        return W.temper * np.log(p)
    return 0.0 if level <= -25.0 else W.temper * np.log((1 - p) / (1 - W.wrong))


def loss(east, north, height):
    """Free space, the fuselage, the horizon."""
    far = np.hypot(np.hypot(east, north), height - W.source_height_m)
    reach = 4120.0 * (np.sqrt(W.source_height_m) + np.sqrt(height))
    beyond = np.log1p(np.exp(np.clip((np.hypot(east, north) / reach - 1.0) / W.horizon_ratio, -50, 50)))
    shade = W.shade_db * max(height - W.source_height_m, 0.0) / far
    return 32.44 + 20 * np.log10(1575.42) + 20 * np.log10(far / 1e3) + shade + 10.0 * beyond


def defined(looks, cell, power, beam, settings):
    """log P(all looks | source)."""
    half = int(np.ceil(3.0 * W.threshold_db_sigma / settings.step_db))
    nodes = np.arange(-half, half + 1) * settings.step_db
    weight = np.exp(-0.5 * (nodes / W.threshold_db_sigma) ** 2)
    total = 0.0
    for s in np.unique(looks.speaker):
        each = np.zeros(len(nodes))
        for i in np.flatnonzero(looks.speaker == s):
            east, north = looks.east_m[i] - cell[0], looks.north_m[i] - cell[1]
            apart = abs((np.arctan2(east, north) - beam.bearing_rad + np.pi) % (2 * np.pi) - np.pi)
            got = power - loss(east, north, looks.height_m[i])
            edge = np.clip((apart - 0.5 * beam.width_rad) / kernel.EDGE_RAD + 0.5, 0.0, 1.0)
            got -= beam.outside_db * edge if beam.width_rad else 0.0
            got = max(got, looks.background_dbm[i])
            each += [chance(looks.before[i], looks.affected[i], got - W.threshold_dbm - node) for node in nodes]
        total += np.log((weight * np.exp(each - each.max())).sum() / weight.sum()) + each.max()
    return total


@pytest.mark.parametrize("beam", [kernel.Beam(0.0, 0.0, 20.0), kernel.Beam(1.0, 2.0, 20.0)])
@pytest.mark.parametrize("background", [kernel.NO_BACKGROUND, -100.0])
@pytest.mark.parametrize("step_db", [3.0, 6.0])
def test_the_likelihood_is_its_definition(beam, background, step_db):
    rng = np.random.default_rng(3)
    n = 60
    place = rng.uniform(-2e5, 2e5, (n, 2))
    other = np.where(rng.random(n) < 0.5, background + rng.normal(0.0, 8.0, n), kernel.NO_BACKGROUND)
    other[:20] = kernel.NO_BACKGROUND
    looks = kernel.Looks(
        np.repeat(np.arange(6), 10), place[:, 0].copy(), place[:, 1].copy(), rng.uniform(20.0, 1.2e4, n),
        rng.integers(0, 2, n), rng.integers(0, 3, n), other,
    )  # fmt: skip
    settings = SourceSettings(step_db=step_db)
    cells = np.array([[0.0, 0.0], [9.1e4, -3e4], [6e5, 6e5]])
    got = likelihood(looks, cells, settings, beam)
    for c in range(len(cells)):
        for p, power in enumerate(np.arange(16.0, 76.1, step_db)):
            # levels are rounded to an eighth of a dB
            assert got[c, p] == pytest.approx(defined(looks, cells[c], power, beam, settings), abs=0.4)


def test_the_series_are_what_they_stand_for():
    far = np.linspace(0.0, 4.999, 3_001)
    assert max(abs(kernel._bend(x) - np.log1p(np.exp(-x))) for x in far) < 1e-6
    assert kernel._bend(5.0) == 0.0
    cosine = np.linspace(-1.0, 1.0, 3_001)
    assert max(abs(kernel._arc_cosine(x) - np.arccos(x)) for x in cosine) < 3e-8


def test_losses_at_any_distance_are_the_formula():
    rng = np.random.default_rng(8)
    n = 400
    east, north = rng.choice([-1.0, 1.0], (2, n)) * 10.0 ** rng.uniform(0.0, 6.0, (2, n))
    height, none = 10.0 ** rng.uniform(1.0, 4.2, n), np.full(n, kernel.NO_BACKGROUND)
    zero = np.zeros(n, np.int64)
    looks = kernel.Looks(zero, east, north, height, zero, zero, none)
    got = np.zeros(n)
    kernel.received(looks, 0.0, 0.0, 50.0, W, kernel.Beam(0.0, 0.0, 20.0), got)
    wanted = 50.0 - np.array([loss(*row) for row in zip(east, north, height, strict=True)])
    near = np.hypot(np.hypot(east, north), height - W.source_height_m) > 10.0
    beyond = (np.hypot(east, north) / (4120.0 * (np.sqrt(W.source_height_m) + np.sqrt(height))) - 1.0) / W.horizon_ratio
    assert near.sum() > 300
    smooth = near & (np.abs(beyond) < 5.0)  # outside the horizon is taken as sharp
    assert smooth.sum() > 5
    assert np.abs(got - wanted)[smooth].max() < 1e-4
    assert np.abs(got - wanted)[near & (beyond < 50.0)].max() < 0.07


@pytest.mark.parametrize(("n", "spread_m"), [(1, 1e5), (3, 1e5), (40, 5e5), (120, 3e5), (120, 1e6)])
def test_clusters_are_the_connected_components(n, spread_m):
    rng = np.random.default_rng(n)
    east, north = rng.uniform(-spread_m, spread_m, (2, n + 5))
    index = np.sort(rng.choice(n + 5, n, replace=False))
    got = _clusters(index, np.stack([east, north], axis=1), 80_000.0)
    near = np.hypot(east[index][:, None] - east[index], north[index][:, None] - north[index]) < 80_000.0
    count, label = connected_components(csr_array(near), directed=False)
    assert [c.tolist() for c in got] == [index[label == k].tolist() for k in range(count)]
