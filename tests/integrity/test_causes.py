"""Causes: each signature points to its own cause, little evidence leaves doubt; sources: a lone emitter is found."""

import numpy as np
import pytest

from lapwing.engine.codec import decode, encode
from lapwing.integrity.causes import CauseSettings, posterior
from lapwing.integrity.piecewise import begin, worked
from lapwing.integrity.search import explain, first_answer, located, prepared
from lapwing.integrity.source import SourceSettings, locate, make_looks, outline
from lapwing.integrity.sources import Seeking, next_sources, sources_of
from lapwing.integrity.sources import start as sources_start
from lapwing.integrity.trail import Trail, TrailSettings
from lapwing.integrity.trail import start as no_trail
from lapwing.records import CAUSES, Interference, no_interference

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


def test_a_sector_antenna_is_not_taken_for_one_source_in_the_middle_of_the_affected():
    """The source stands at the edge of those it affects, 120 degrees wide towards the east; others fly behind it."""
    who, time_ns, place, hit = event(120, 4, ((0.0, 0.0, 46.0),))
    bearing = np.arctan2(place[:, 0], place[:, 1])
    hit &= np.abs((bearing - np.pi / 2 + np.pi) % (2 * np.pi) - np.pi) < np.pi / 3
    looks = make_looks(who, time_ns, place, hit, 24)
    found = explain(looks, SETTINGS)
    alone = located(looks, SETTINGS)  # what is said where a sector is not thought of
    assert np.hypot(*alone.mean_m) > 30_000.0
    assert found[0].beam.width_rad > 1.0
    assert np.cos(found[0].beam.bearing_rad - np.pi / 2) > 0.8
    assert np.hypot(*found[0].mean_m) < 0.5 * np.hypot(*alone.mean_m)


def test_a_first_answer_is_blurred_and_is_there_at_once():
    looks = make_looks(*event(60), 4)
    (first,), full = first_answer(looks, SETTINGS), located(looks, SETTINGS)
    assert first.sigma_m > 1.5 * full.sigma_m
    inside = first.region(0.9)
    half = 0.5 * first.cell_m
    held = (np.abs(first.east_m - 20_000.0) <= half) & (np.abs(first.north_m + 30_000.0) <= half) & inside
    assert held.any()
    area = inside.sum() * first.cell_m**2
    assert area < (5e5 + 2 * SETTINGS.margin_m) ** 2 / 2  # and says something
    search, found, pieces = begin(3, 5, prepared(looks, SETTINGS), True), None, 0
    while found is None:
        search, found = worked(search, 6, 100_000, SETTINGS)
        search, pieces = decode(encode(search)), pieces + 1
    assert pieces <= 10
    assert np.array_equal(found[0].probability, first.probability)


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


@pytest.mark.parametrize("budget", [20_000, 10**9])
def test_a_search_in_pieces_of_any_size_finds_the_same(budget):
    looks = make_looks(*event(25), 4)
    at_once = explain(looks, SETTINGS)
    search, found, pieces = begin(3, 5, prepared(looks, SETTINGS)), None, 0
    while found is None:
        search, found = worked(search, 6, budget, SETTINGS)
        pieces += 1
        if pieces % 10 == 0:
            search = decode(encode(search))  # a checkpoint between two pieces changes nothing
    assert (pieces > 20) == (budget < 10**9)
    assert len(found) == len(at_once)
    for a, b in zip(found, at_once, strict=True):
        assert a.mean_m == b.mean_m
        assert np.array_equal(a.probability, b.probability)


def test_a_source_on_a_mountain_is_not_taken_for_a_mast_among_the_ships():
    """Ships on one side only, the farthest beyond what a mast of 30 m would reach: free space and two horizons."""
    rng = np.random.default_rng(3)
    ships, planes, source_m, times = 50, 15, np.array([0.0, 0.0, 300.0]), 12
    n = ships + planes
    place = np.zeros((times, n, 3))
    start = np.column_stack([rng.uniform(-40e3, 40e3, n), rng.uniform(-110e3, -45e3, n)])
    speed = np.where(np.arange(n)[:, None] < ships, 6.0, 90.0) * rng.normal(size=(n, 2))
    for t in range(times):
        place[t, :, :2] = start + 10.0 * t * speed
    place[:, :, 2] = np.where(np.arange(n) < ships, 15.0, 1_500.0)
    apart = np.hypot(place[..., 0], place[..., 1])
    level = 45.0 - 32.44 - 20.0 * np.log10(1575.42 * np.hypot(apart, place[..., 2] - 300.0) / 1e3)
    seen = apart < 4120.0 * (np.sqrt(300.0) + np.sqrt(place[..., 2]))
    hit = seen & (level + rng.normal(0.0, 3.0, level.shape) > -95.0 + rng.normal(0.0, 5.0, n))
    assert 20 < hit[-1].sum() < 60
    who, when = np.tile(np.arange(n), times), np.repeat(np.arange(times) * 10**10, n)
    looks = make_looks(who, when, place.reshape(-1, 3), hit.reshape(-1), 24)
    found = located(looks, SETTINGS)
    mast = locate(looks, SETTINGS)
    error, naive = (float(np.hypot(*(np.array(p.mean_m) - source_m[:2]))) for p in (found, mast))
    print(f"{error / 1e3:.1f} km, as a mast of 30 m {naive / 1e3:.1f} km")
    assert error < 20_000.0
    assert naive > 1.5 * error
    cell = int(np.argmin(np.hypot(found.east_m, found.north_m)))
    assert found.region(0.9)[cell]


def test_a_location_takes_many_steps_and_none_is_long():
    n = 25
    who, time_ns, place, hit = event(n)
    trail = Trail(who, time_ns, place, hit.astype(np.int64), int(time_ns.max()))
    one, now = np.ones(1), int(time_ns.max())
    region = Interference(
        one.astype(np.int64), np.array([now - 10**11]), np.array([now]), 20_000 * one, -30_000 * one, 80_000 * one,
        np.array([9]), np.array([n]), 1e-9 * one,
    )  # fmt: skip
    settings, seeking, steps, told = (TrailSettings(), SETTINGS), sources_start(), 0, []
    while not (len(seeking.sources) and not len(seeking.early)):
        known, seeking = len(seeking.sources), next_sources(seeking, region, trail, now + steps * 10**9, settings)
        told += [steps] if len(seeking.sources) > known else []
        hand = seeking.first or seeking.search
        again = next_sources(seeking, region, trail, now + steps * 10**9, settings)
        # twice in a second is no more work
        assert hand is None or steps == 0 or (again.first or again.search) is hand
        assert not len(seeking.early) or np.array_equal(seeking.early, [1])
        steps += 1
    assert told[0] <= 10  # a first answer at once
    assert told[0] + 10 < steps < 200  # the full one much later
    assert seeking.sources.updated_ns[0] > now  # it was begun after the first
    assert seeking.search is None
    assert seeking.first is None
    gone = next_sources(seeking, no_interference(), trail, now + steps * 10**9, settings)
    assert len(gone.sources) == 0


def test_sources_without_regions_go():
    known = sources_of(7, 5, (locate(make_looks(*event(30), 10), SETTINGS),))
    found = Seeking(known, None, None, np.array([7]))
    settings = (TrailSettings(), SETTINGS)
    gone = next_sources(found, no_interference(), no_trail(), 10, settings)
    assert len(gone.sources) == len(gone.early) == 0
    assert len(next_sources(sources_start(), no_interference(), no_trail(), 10, settings).sources) == 0
