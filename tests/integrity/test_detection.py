"""The sequential test: quiet traffic stays quiet, a blow is told in seconds, what was never good is no loss."""

import numpy as np
import pytest
from scipy.stats import betabinom

from lapwing.integrity.detection import (
    DetectionSettings,
    alarmed,
    around,
    cells,
    due,
    ratio,
    start,
    watch_step,
)

S = 10**9
SETTINGS = DetectionSettings()


def steps(n, lost_at, settings=SETTINGS, spread_m=20_000.0, count=30):
    """The watch over n speakers, each bad from its step of `lost_at` on."""
    rng = np.random.default_rng(1)
    key = np.arange(n)
    cell = cells(rng.uniform(0, spread_m, n), rng.uniform(0, spread_m, n), settings.cell_m)
    watch, told = start(), None
    for t in range(count):
        bad = np.array([t >= at for at in lost_at] + [False] * (n - len(lost_at)), bool)
        watch = watch_step(watch, key, cell, ~bad, bad, 10 * S * (t + 1), settings)
        if told is None and alarmed(watch, cell, 10 * S * (t + 1), 60.0).any():
            told = t
    return told


def test_ratio_is_that_of_beta_binomials():
    k, n = np.array([0, 1, 3, 6]), np.array([40, 6, 6, 6])
    width = (1 - SETTINGS.null_rho) / SETTINGS.null_rho
    null = betabinom.logpmf(k, n, SETTINGS.null_mean * width, (1 - SETTINGS.null_mean) * width)
    one = betabinom.logpmf(k, n, *SETTINGS.many)
    assert np.allclose(ratio(k, n, SETTINGS.many, SETTINGS), one - null)


@pytest.mark.parametrize(("n", "lost_at", "told"), [(20, [5] * 6, 5), (6, [5] * 6, 5), (40, [5, 6, 8, 10, 12], 8)])
def test_losses_are_told_at_once_or_as_they_add_up(n, lost_at, told):
    assert steps(n, lost_at) == told


def test_one_loss_an_hour_is_nothing_and_never_good_is_no_loss():
    assert steps(30, [5]) is None
    assert steps(30, [0] * 10) is None


def test_every_neighbour_belongs_to_a_block_and_far_places_do_not_mix():
    cell = cells(np.array([0.0, 49_999.0, 50_001.0, 1e9, -1e9]), np.zeros(5), SETTINGS.cell_m)
    assert cell[0] == cell[1]
    assert cell[2] in around(cell[:1])[0]
    assert len(np.unique(around(cell[[0, 3, 4]]))) == 27
    assert steps(12, [5] * 4, spread_m=3e7) is None


def test_the_step_is_due_after_its_time_and_when_the_clock_went_back():
    watch = watch_step(start(), *(np.zeros(0, np.int64),) * 2, *(np.zeros(0, bool),) * 2, 100 * S, SETTINGS)
    assert not due(watch, 105 * S, SETTINGS)
    assert due(watch, 110 * S, SETTINGS)
    assert due(watch, 90 * S, SETTINGS)
