"""Causes: each signature points to its own cause, little evidence leaves doubt; sources: a lone emitter is found."""

import numpy as np
import pytest

from lapwing.integrity.causes import CauseSettings, posterior
from lapwing.integrity.source import SourceSettings, explain, locate, make_looks, outline
from lapwing.integrity.sources import next_sources, sources_of
from lapwing.integrity.trail import TrailSettings
from lapwing.integrity.trail import start as no_trail
from lapwing.kernel import source as kernel
from lapwing.records import CAUSES, no_interference, no_sources

SETTINGS = SourceSettings()


@pytest.mark.parametrize(
    ("counts", "cause"),  # fine, poorer, silent, false, gone
    [
        ((20, 8, 0, 0, 0), "jamming"), ((2, 12, 0, 0, 0), "jamming"), ((10, 2, 0, 9, 0), "spoofing"),
        ((2, 12, 0, 6, 0), "both"), ((25, 1, 0, 0, 1), "equipment"), ((30, 0, 1, 0, 0), "equipment"),
        ((3, 0, 5, 0, 20), "outage"), ((2, 0, 20, 0, 4), "outage"), ((40, 0, 0, 0, 1), "none"),
    ],
)  # fmt: skip
def test_signatures(counts, cause):
    p = posterior(np.array([counts]), CauseSettings())[0]
    assert p.sum() == pytest.approx(1.0)
    assert CAUSES[int(np.argmax(p))] == cause


def test_one_of_two_leaves_doubt():
    p = posterior(np.array([[1, 1, 0, 0, 0]]), CauseSettings())[0]
    assert p.max() < 0.9


def event(n=60, seed=2, sources=((20_000.0, -30_000.0, 42.0),)):
    """Looks at aircraft that fly straight, each with its own threshold; nothing else is uncertain."""
    rng = np.random.default_rng(seed)
    t = np.arange(60) * 30.0
    start, course = rng.uniform(-2.5e5, 2.5e5, (n, 2)), rng.uniform(0, 2 * np.pi, n)
    v = 220.0 * np.stack([np.sin(course), np.cos(course)], axis=1)
    place = start[:, None, :] + t[None, :, None] * v[:, None, :]
    threshold = rng.normal(-95.0, 5.0, n)
    power = np.max(
        [x[2] - 96.4 - 20 * np.log10(np.hypot(*(place - x[:2]).transpose(2, 0, 1)) / 1e3 + 0.1) for x in sources],
        axis=0,
    )  # fmt: skip
    xyz = np.concatenate([place, np.full((n, 60, 1), 10_000.0)], axis=2)
    who = np.repeat(np.arange(n), 60)
    return who, np.tile((t * 1e9).astype(np.int64), n), xyz.reshape(-1, 3), (power > threshold[:, None]).ravel()


def test_a_lone_source_is_found_and_its_region_holds_it():
    found = locate(make_looks(*event(), 24), SETTINGS)
    assert np.hypot(found.mean_m[0] - 20_000, found.mean_m[1] + 30_000) < 2.0 * found.sigma_m
    assert found.sigma_m < 25_000
    assert abs(found.power_dbm - 42) < 6
    assert found.unique
    assert found.probability.sum() == pytest.approx(1.0)
    assert found.region(0.5).sum() < found.region(0.9).sum()
    ring = outline(found, 0.9)[0]
    assert np.array_equal(ring[0], ring[-1])


def test_two_far_sources_are_not_taken_for_one():
    pair = ((-150_000.0, 0.0, 36.0), (150_000.0, 0.0, 36.0))
    found = explain(make_looks(*event(200, 5, pair), 24), SETTINGS)
    assert len(found) == 2 or not found[0].unique


def test_order_of_rows_does_not_matter_and_changes_are_kept():
    columns = event(10)
    mixed = np.random.default_rng(1).permutation(len(columns[0]))
    a, b = make_looks(*columns, 12), make_looks(*(c[mixed] for c in columns), 12)
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert len(a.speaker) <= 10 * 15
    hits = columns[3].reshape(10, 60)
    changes = int((np.diff(hits.astype(int), axis=1) != 0).sum())
    own = np.diff(a.affected) != 0
    assert int((own & (np.diff(a.speaker) == 0)).sum()) == changes


def test_the_fast_likelihood_is_the_plain_one():
    looks = make_looks(*event(8), 10)
    cells = np.array([[0.0, 0.0], [20_000.0, -30_000.0], [90_000.0, 60_000.0]])
    power = np.arange(16.0, 76.1, 3.0)
    steps = np.arange(-5, 6)
    log_weight = -0.5 * (steps * 3.0 / 5.0) ** 2
    fast, plain = np.zeros((3, len(power))), np.zeros((3, len(power)))
    kernel.fast_log_likelihood(looks, cells, steps, 16.0, 3.0, SETTINGS.physics, log_weight, fast)
    beam = kernel.Beam(0.0, 0.0, 20.0)
    kernel.log_likelihood(looks, cells, power, SETTINGS.physics, beam, steps * 3.0, log_weight, plain)
    assert np.allclose(fast, plain, atol=0.5)  # levels are rounded to an eighth of a dB in other places


def test_sources_without_regions_go():
    found = sources_of(7, 5, (locate(make_looks(*event(30), 10), SETTINGS),))
    settings = (TrailSettings(), SETTINGS)
    assert len(next_sources(found, no_interference(), no_trail(), 10, settings)) == 0
    assert len(next_sources(no_sources(), no_interference(), no_trail(), 10, settings)) == 0
