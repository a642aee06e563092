"""What could be here unseen, against its definition: many drones, one by one, in continuous space and time."""

import numpy as np

from lapwing.records import Space
from lapwing.track import Grid, PositionSensor, UnseenSettings, expected_unseen, grown, thinned, unseen_start
from lapwing.track.unseen import WAYS

SECOND = 1_000_000_000
GRID = Grid(-6_000.0, -6_000.0, 500.0, 24, 24)
SETTINGS = UnseenSettings(drones_per_km2=1.0, speed_mps=20.0, turn_s=60.0, lifetime_s=400.0, blind_share=0.05)
NEAR = PositionSensor("near", Space.POSITION_2D, 0.6, 1.0, 1e8, (-1_000.0, 500.0), 3_000.0)
FAR = PositionSensor("far", Space.POSITION_2D, 0.2, 1.0, 1e8, (2_500.0, -2_500.0), 4_000.0)
LOOKS = {NEAR: 4.0, FAR: 10.0}  # periods in s
WORLDS = 120  # of so many drones per square kilometre each: the mean of them is compared
STEP_S = 2.0


def one_by_one(rng, seconds, looks):
    """Mean number of undetected drones per cell: each has a place, a way to move, a life; each look may find it."""
    half = 6_000.0 + 20.0 * seconds  # from farther away nobody can come in
    area_km2 = (2.0 * half) ** 2 * 1e-6
    every = SETTINGS.shares

    def some(n):
        x = rng.uniform(-half, half, (n, 2))
        return x, rng.choice(len(WAYS), n, p=every), rng.random(n) < SETTINGS.blind_share

    x, way, blind = some(rng.poisson(WORLDS * area_km2))
    unit = np.array(WAYS, float)
    unit[1:] /= np.linalg.norm(unit[1:], axis=1)[:, None]
    for k in range(1, round(seconds / STEP_S) + 1):
        x = x + STEP_S * SETTINGS.speed_mps * unit[way]
        turns = rng.random(len(x)) < 1.0 - np.exp(-STEP_S / SETTINGS.turn_s)
        way = np.where(turns, rng.choice(len(WAYS), len(x), p=every), way)
        stays = rng.random(len(x)) < np.exp(-STEP_S / SETTINGS.lifetime_s)
        for sensor, period_s in looks.items():
            if (k * STEP_S) % period_s == 0.0:
                mean = np.zeros((len(x), 6))
                mean[:, :2] = x
                stays &= blind | (rng.random(len(x)) >= sensor.p_detect(mean))
        x, way, blind = x[stays], way[stays], blind[stays]
        new = some(rng.poisson(WORLDS * area_km2 * (1.0 - np.exp(-STEP_S / SETTINGS.lifetime_s))))
        x, way, blind = (np.concatenate([a, b]) for a, b in zip((x, way, blind), new, strict=True))
    edges = GRID.west_m + GRID.cell_m * np.arange(GRID.columns + 1)
    return np.histogram2d(x[:, 1], x[:, 0], bins=(edges, edges))[0] / WORLDS


def by_cells(seconds, looks):
    """The intensity after the same time and looks."""
    state = unseen_start(GRID, SETTINGS)
    centres = GRID.centres(0.0)
    seen = {s: s.p_detect(centres).reshape(GRID.rows, GRID.columns) for s in looks}
    for k in range(1, round(seconds / STEP_S) + 1):
        now = round(k * STEP_S * SECOND)
        state = grown(state, now, GRID, SETTINGS)
        for sensor, period_s in looks.items():
            if (k * STEP_S) % period_s == 0.0:
                state = thinned(state, sensor, now, seen[sensor], period_s)
    return expected_unseen(state, GRID, SETTINGS)


def blocks(n):
    """Sums over blocks of 2 x 2 cells: a square kilometre each."""
    return n.reshape(12, 2, 12, 2).sum(axis=(1, 3))


def test_the_intensity_is_the_mean_number_of_undetected_drones():
    ours, theirs = blocks(by_cells(160.0, LOOKS)), blocks(one_by_one(np.random.default_rng(1), 160.0, LOOKS))
    sigma = np.sqrt(ours / WORLDS)
    z = (ours - theirs) / sigma
    assert np.mean(z**2) < 1.4  # 144 blocks: one, within 0.24, and what half a cell at the coverage's edge makes
    assert np.abs(z).max() < 4.5
    assert abs(ours.sum() - theirs.sum()) < 0.03 * theirs.sum()
    assert ours.min() < 0.25 < 0.9 < ours.max()  # the map is not flat


def test_where_nobody_looks_it_stays_as_it_was_and_fills_again_where_nobody_looks_any_more():
    nobody = by_cells(160.0, {})
    assert np.allclose(nobody, 0.25)
    theirs = blocks(one_by_one(np.random.default_rng(2), 60.0, {}))
    assert abs(theirs.mean() - 1.0) < 0.02
    state = unseen_start(GRID, SETTINGS)
    seen = np.full((24, 24), 0.9)
    for k in range(1, 100):
        state = thinned(grown(state, k * SECOND, GRID, SETTINGS), NEAR, k * SECOND, seen, 1.0)
    empty = expected_unseen(state, GRID, SETTINGS)
    assert (empty >= 0.05 * 0.25).all()  # what no sensor can see stays
    assert empty.max() < 0.02
    later = [
        expected_unseen(grown(state, t * SECOND, GRID, SETTINGS), GRID, SETTINGS).sum() for t in (100, 200, 400, 3_000)
    ]
    assert np.all(np.diff(later) > 0)
    assert abs(later[-1] / (0.25 * 24 * 24) - 1.0) < 0.01
