"""Shapes: magnets and shared circles are told, holding stacks, formations, anchorages and lone circles are not."""

import gzip
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from tests.conftest import recording

from lapwing.integrity.shapes import ShapeSettings, circles, crowded, magnets, shaped, standing, start
from lapwing.records import Claims, Field, Source
from lapwing.records.claims import FIELD_COLUMN

S = 10**9
SETTINGS = ShapeSettings()


def claims(t_s, place, velocity, altitude=None):
    """Aircraft at these levels, or ships."""
    n, now = len(place), (1_000 + t_s) * S
    empty, one = Claims.empty(now), np.ones(len(place), np.int64)
    mean = np.zeros((n, 6))
    mean[:, :2], mean[:, 3:5] = place, velocity
    values, said = np.zeros((n, empty.values.shape[1])), np.zeros((n, empty.values.shape[1]), np.int64)
    if altitude is not None:
        values[:, FIELD_COLUMN[Field.ALTITUDE_BARO_M]], said[:, FIELD_COLUMN[Field.ALTITUDE_BARO_M]] = altitude, now
    return replace(
        empty, address=np.arange(n) + 7, source=one * (Source.AIS if altitude is None else Source.ADSB),
        has_position=one, mean=mean, cov=np.tile(np.eye(6), (n, 1, 1)), position_ns=one * now, heard_ns=one * now,
        frame_seq=one, doubt=0 * one, rejected=0 * one, values=values, values_ns=said, names=("",) * n,
        suspect_m=np.zeros((n, 2)), position_m=np.zeros((n, 2)), suspect_ns=0 * one, suspects=0 * one,
    )  # fmt: skip


def told(world, seconds):
    """Who stood in a magnet and who in a circle at the end."""
    state = start()
    for t in range(seconds):
        c = world(t)
        family = np.where(c.source == Source.AIS, 1, 0).astype(np.int64)
        state = shaped(state, c, family, SETTINGS)
    return standing(state, SETTINGS)


def airliners(n=8, spread_m=0.0, speed=80.0, turn=0.0, levels=600.0):
    """n aircraft at one place (but for `spread_m`); with `turn`, each on its own phase of a hold."""
    rng = np.random.default_rng(1)
    place, phase = rng.normal(0.0, spread_m, (n, 2)), np.arange(n) * turn
    velocity = speed * np.stack([np.sin(phase), np.cos(phase)], axis=1)
    level = 7_000.0 + levels * np.arange(n)
    return lambda t: claims(t, place + t * velocity, velocity, level)


def test_nobody_who_has_enough_within_reach_is_left_out_by_the_quick_count():
    rng = np.random.default_rng(5)
    place = np.concatenate([rng.uniform(-4e5, 4e5, (300, 2)), rng.uniform(-9e3, 9e3, (40, 2)) - 1e5])
    near = (np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)) <= 3_000.0).sum(axis=1) >= 4
    quick = crowded(place, 3_000.0, 4)
    assert near.sum() > 5
    assert quick[near].all()
    assert quick.sum() < 0.5 * len(place)


def test_many_aircraft_at_one_place_with_one_velocity_are_a_magnet():
    magnet, circle = told(airliners(spread_m=300.0), 40)
    assert magnet.all()
    assert not circle.any()
    assert not told(airliners(spread_m=300.0), 15)[0].any()  # not yet


def test_thousands_at_one_place_are_counted_without_their_pairs(monkeypatch):
    monkeypatch.setattr("lapwing.integrity.shapes.PAIRS_MAX", 20)
    assert told(airliners(8, 300.0), 40)[0].all()
    assert not told(airliners(8, 20_000.0), 40)[0].any()


@pytest.mark.parametrize(
    "world",
    [
        airliners(3, 300.0),  # three above each other happen
        airliners(8, 20_000.0),  # a busy airway
        airliners(8, 800.0, 110.0, turn=0.8),  # a holding stack: each heads another way
        airliners(8, 300.0, 230.0, levels=10.0),  # a formation flies at one level
    ],
)
def test_what_traffic_does_is_no_magnet(world):
    assert not told(world, 60)[0].any()


def ships(centres, radius=400.0, period_s=240.0, noise_m=5.0, seed=2):
    """Ships on circles, each on its own phase."""
    rng, n = np.random.default_rng(seed), len(centres)
    phase, jitter = rng.uniform(0, 2 * np.pi, n), rng.normal(0.0, noise_m, (2_000, n, 2))
    centres = np.array(centres, float)

    def world(t):
        a = phase + 2 * np.pi * t / period_s
        way = np.stack([np.sin(a), np.cos(a)], axis=1)
        speed = 2 * np.pi * radius / period_s
        return claims(t, centres + radius * way + jitter[t], speed * np.stack([way[:, 1], -way[:, 0]], axis=1))

    return world


def test_ships_that_circle_round_one_centre_are_told_after_about_a_turn():
    assert told(ships([(2_500, -1_200)] * 5), 300)[1].all()
    assert not told(ships([(2_500, -1_200)] * 5), 100)[1].any()


@pytest.mark.parametrize(
    "world",
    [
        ships([(0, 0), (0, 0), (9_000, 0), (0, 9_000), (-9_000, 0)]),  # fishing, each on its own; two near each other
        ships([(0, 0)] * 6, radius=30.0),  # swinging at one mooring
        ships([(i * 300.0, 0) for i in range(8)], radius=8.0, noise_m=4.0),  # an anchorage in the tide
        lambda t: claims(t, [(8.0 * t, 100.0 * i) for i in range(8)], np.tile([8.0, 0], (8, 1))),  # a convoy
    ],
)
def test_what_ships_do_is_no_circle(world):
    assert not told(world, 500)[1].any()


def test_the_fading_sums_hold_the_circle_that_its_points_make():
    rng = np.random.default_rng(3)
    a = rng.uniform(0.0, 5.0, 200)
    x, y = 3_000.0 + 700.0 * np.sin(a), -1_000.0 + 700.0 * np.cos(a)
    x, y = x + rng.normal(0, 10, 200), y + rng.normal(0, 10, 200)
    z = x * x + y * y
    sums = np.array([[t.sum() for t in (np.ones(200), x, y, x * x, y * y, x * y, x * z, y * z, z * z)]])
    centre, radius, rms = circles(sums)
    assert np.allclose(centre[0], [3_000.0, -1_000.0], atol=10.0)
    assert radius[0] == pytest.approx(700.0, abs=10.0)
    assert rms[0] == pytest.approx(10.0, rel=0.4)
    assert circles(np.zeros((1, 9)))[1][0] == 0.0


def test_newcomers_and_leavers_keep_the_others_ways():
    world, state = ships([(0, 0)] * 5), start()
    for t in range(300):
        c, keep = world(t), np.arange(5) != (4 if t % 2 else 9)
        columns = {f: getattr(c, f)[keep] for f in c.__dataclass_fields__ if isinstance(getattr(c, f), np.ndarray)}
        some = replace(c, **columns, names=("",) * int(keep.sum()))
        state = shaped(state, some, np.ones(len(some), np.int64), SETTINGS)
    assert standing(state, SETTINGS)[1][:4].all()


def test_real_traffic_is_no_magnet():
    """Every minute of real hours over Switzerland: airways, holds, arrivals.
    Nobody is told even without the 20 s that a magnet must stand."""
    with gzip.open(recording("adsb/traffic_samples/switzerland.json.gz"), "rt") as file:
        rows = pl.DataFrame(json.load(file), infer_schema_length=None)
    rows = rows.select("timestamp", "icao24", "latitude", "longitude", "altitude", "groundspeed", "track").drop_nulls()
    rows = rows.with_columns((pl.col("timestamp") // 60_000).alias("slot")).unique(["slot", "icao24"], keep="last")
    told, seen, most = 0, 0, 0
    for _, now in rows.group_by("slot"):
        latitude, longitude, feet, knots, track = (
            now[c].to_numpy().astype(float) for c in ("latitude", "longitude", "altitude", "groundspeed", "track")
        )
        east = (longitude - 8.0) * 111_195.0 * np.cos(np.radians(latitude))
        place = np.stack([east, (latitude - 47.0) * 111_195.0], axis=1)
        a, mps = np.radians(track), knots * 0.514444
        c = claims(0, place, np.stack([mps * np.sin(a), mps * np.cos(a)], axis=1), feet * 0.3048)
        family, fresh = np.zeros(len(c), np.int64), np.ones(len(c), bool)
        told += int(magnets(c, family, fresh, SETTINGS).sum())
        seen, most = seen + len(c), max(most, len(c))
    assert seen > 20_000
    assert most > 40
    assert told == 0
