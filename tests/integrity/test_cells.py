"""Cells: the quick way gives what the library alone gives, everywhere; shares have honest intervals."""

import numpy as np
import polars as pl
import polars_h3
import pytest
from scipy.stats import beta, betabinom

from lapwing.integrity.cells import ALONE_MAX, PRIOR, TROUBLE, boundaries, cells_of, hexes, library_cells, share


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        ((47.0, 52.0), (5.0, 15.0)),
        ((-90.0, 90.0), (-180.0, 180.0)),
        ((-3.0, 3.0), (177.0, 180.0)),
        ((70.0, 85.0), (0.0, 9.0)),
    ],
)
def test_boxes_change_no_cell(latitude, longitude):
    rng = np.random.default_rng(4)
    a, o = rng.uniform(*latitude, 300_000), rng.uniform(*longitude, 300_000)
    a[:2_000] = np.round(a[:2_000] / 0.05) * 0.05  # on the edges of boxes
    for resolution in (3, 4):
        assert np.array_equal(cells_of(a, o, resolution), library_cells(a, o, resolution))


@pytest.mark.parametrize("k", [0, 1, ALONE_MAX - 1, ALONE_MAX])
def test_few_places_and_many_have_the_cells_that_each_has_alone(k):
    rng = np.random.default_rng(k)
    latitude, longitude = rng.uniform(-60.0, 60.0, k), rng.uniform(-180.0, 180.0, k)
    found = library_cells(latitude, longitude, 7)
    assert (found.dtype, len(found)) == (np.int64, k)
    one = polars_h3.latlng_to_cell("a", "o", 7, return_dtype=pl.UInt64)
    for i in range(0, k, max(k // 20, 1)):
        assert found[i] == pl.DataFrame({"a": latitude[i : i + 1], "o": longitude[i : i + 1]}).select(one).item()


def test_share_is_the_posterior_under_a_mixture_of_quiet_and_trouble():
    good, bad = np.array([100, 10, 0, 2, 7]), np.array([0, 5, 3, 0, 2])
    mean, low, high, enough = share(good, bad)
    evidence = np.stack([(1 - TROUBLE) * betabinom(good + bad, *PRIOR).pmf(bad), TROUBLE / (good + bad + 1)])
    quiet, wrong = evidence / evidence.sum(axis=0)
    parts = beta(PRIOR[0] + bad, PRIOR[1] + good), beta(1 + bad, 1 + good)
    assert np.allclose(mean, quiet * parts[0].mean() + wrong * parts[1].mean())
    for end, at in ((low, 0.05), (high, 0.95)):
        below, above = (quiet * parts[0].cdf(x) + wrong * parts[1].cdf(x) for x in (end - 1e-10, end + 1e-10))
        assert np.all(below <= at)
        assert np.all(above >= at)
    assert mean[0] < 0.001
    assert mean[4] > 0.15  # two of nine are not explained by the fleet's rate
    assert enough.tolist() == [True, True, True, False, True]


def test_names_and_rings_are_those_of_h3():
    cell = library_cells(np.array([50.0]), np.array([10.0]), 4)
    assert hexes(cell) == ["841fa81ffffffff"]
    ring = boundaries(cell)[0]
    assert ring[0] == ring[-1]
    assert len(ring) == 7
