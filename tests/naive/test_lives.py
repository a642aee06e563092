"""What becomes of tracks after a scan, by NumPy columns: the definition, row by row of the kernels."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lapwing.kernel.lives import (
    COASTING,
    CONFIRMED,
    TENTATIVE,
    Chances,
    Lives,
    Look,
    Past,
    Rules,
    Told,
    all_within,
    lives,
    rows,
    shown,
)
from lapwing.kernel.seeing import Seeing, placed, seen_after
from lapwing.records import TrackStatus

seeds = st.integers(0, 2**32 - 1)
NOBODY, SECOND = -1, 1_000_000_000
RULES = Rules(0.95, 2.5, 10.0, 0.5, 0.02, 5e-4, 0.5)


def world(seed):
    """Up to nine tracks, up to seven plots, up to two plots for each track."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(0, 10)), int(rng.integers(0, 8))
    now = 1_000 * SECOND
    past = Past(
        100 + np.arange(n),
        rng.integers(0, 3, n),
        now - rng.integers(0, 100, n) * SECOND,
        now - rng.integers(0, 20, n) * SECOND,
        rng.choice([NOBODY, 7, 8], n),
        rng.integers(0, 50, n),
        rng.choice([0.0, 2.4, 9.0], n),
        rng.integers(0, 2, n),
        rng.integers(0, 2, n),
        rng.normal(0.0, 9.0, (n, 3)),
    )
    plots = now - rng.integers(0, 5, m) * SECOND, rng.choice([NOBODY, 7, 8, 9], m), rng.integers(50, 99, m)
    flat = bool(rng.integers(0, 2))
    look = Look(now, *plots, NOBODY, bool(rng.integers(0, 2)), flat, rng.normal(0.0, 9.0, 3) * flat)
    pairs = [(i, j) for i in range(n) for j in sorted(rng.permutation(m)[: rng.integers(0, 3)])]
    track, detection = (np.array([pair[c] for pair in pairs], dtype=np.int64) for c in range(2))
    weight = rng.choice([0.1, 0.25, 0.45], len(pairs))
    assigned = np.bincount(track, weight, n).astype(float)
    told = Told(track, detection, weight, rng.uniform(0.0, 9.0, len(pairs)), assigned)
    h = n + m
    odds = Chances(np.zeros(0), rng.integers(-1, 4, h), rng.choice([1e-5, 1e-3, 0.1, 0.6, 0.96, 1.0], h))
    return rng, past, look, told, odds


def test_the_kernel_counts_status_as_the_records_do():
    assert tuple(TrackStatus) == (TENTATIVE, CONFIRMED, COASTING)


@given(seeds, st.booleans())
def test_lives_are_what_columns_say(seed, asked):
    rng, past, look, told, odds = world(seed)
    n, m = len(past.hits), len(look.time_ns)
    sees = rng.random(n + m) if asked else np.zeros(0)
    got, sure_enough = lives(past, look, told, odds, sees, RULES)
    own = np.concatenate([told.assigned >= 0.5, np.ones(m, dtype=bool)])
    unplaced = np.concatenate([np.where(look.locates & own[:n], 0, past.unplaced), np.zeros(m, dtype=np.int64)])
    flat, radar_m = np.concatenate([past.flat, np.zeros(m)]), np.concatenate([past.radar_m, np.zeros((m, 3))])
    if look.flat:
        flat[own], radar_m[own] = 1, look.place_m
    existence = odds.existence * np.where(unplaced == 1, 1.0, sees) if asked else odds.existence
    updated, seq, address = past.updated_ns.copy(), past.frame_seq.copy(), past.address.copy()
    for i in np.flatnonzero(own[:n]):
        mine = np.flatnonzero(told.track == i)
        j = told.detection[max(mine, key=lambda s: (told.weight[s], s))]
        updated[i], seq[i] = max(updated[i], look.time_ns[j]), look.frame_seq[j]
        address[i] = address[i] if look.address[j] == NOBODY else look.address[j]
    hits = past.hits + told.assigned
    sure = existence[:n] >= RULES.confirm_existence
    known = (past.status != 0) | (sure & (hits >= RULES.confirm_hits))
    unseen = (look.to_ns - updated) * 1e-9 > RULES.coast_after_s
    coasting = unseen | (existence[:n] < RULES.coast_existence) | ((past.status == 2) & ~sure)
    status = np.concatenate([np.where(known, np.where(coasting, 2, 1), 0), np.zeros(m, dtype=np.int64)])
    least = np.where(status == 0, RULES.prune_existence, RULES.delete_existence)
    want = Lives(
        existence,
        status,
        np.concatenate([past.born_ns, look.time_ns]),
        np.concatenate([updated, look.time_ns]),
        np.concatenate([address, look.address]),
        np.concatenate([seq, look.frame_seq]),
        np.concatenate([hits, odds.existence[n:]]),
        unplaced,
        flat,
        radar_m,
    )
    assert np.array_equal(sure_enough, (odds.at >= 0) & (existence >= least))
    for name, a, b in zip(Lives._fields, got, want, strict=True):
        assert np.array_equal(a, b), name


@given(seeds)
def test_rows_are_those_of_who_lives(seed):
    rng, past, look, told, odds = world(seed)
    n, h = len(past.hits), len(odds.at)
    life, _ = lives(past, look, told, odds, np.zeros(0), RULES)
    alive, visible = rng.random(h) < 0.6, rng.random((h, 2))
    got = rows(alive, past, life, visible, told, 500, 0.2)
    new = np.count_nonzero(alive[n:])
    ids = np.concatenate([past.track_id[alive[:n]], 500 + np.arange(new)])
    assert np.array_equal(got.track_id, ids)
    assert got.next_id == 500 + new
    for name, a, b in zip(Lives._fields, got.life, life, strict=True):
        assert np.array_equal(a, b[alive]), name
    assert np.array_equal(got.visible, visible[alive])
    assert (rows(alive, past, life, visible[:0], told, 500, 0.2).visible == 1.0).all()
    seen = alive[told.track] & (told.weight >= 0.2)
    want = ids[(np.cumsum(alive) - 1)[told.track[seen]]], told.detection[seen], told.weight[seen], told.nis[seen]
    for a, b, c in zip(got.told, want, shown(told, alive, ids, 0.2), strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a, c)


@given(seeds, st.booleans(), st.integers(1, 3))
def test_who_sees_whom_is_what_columns_say(seed, listens, sensors):
    rng, past, _, told, odds = world(seed)
    n, h, mine = len(past.hits), len(odds.at), int(rng.integers(0, sensors))
    first = np.concatenate([[0], np.cumsum(rng.integers(1, 4, n))])
    p_seen, seen, before = rng.random(first[-1]), rng.random(n), rng.random((n, sensors))
    seen[rng.random(n) < 0.2] = 1.0
    of = Seeing(True, before, mine, seen, p_seen, listens, rng.random(sensors) < 0.5, 0.95)
    p = np.array([p_seen[first[i] : first[i + 1]].max() for i in range(n)])
    given_ = np.minimum(told.assigned / odds.existence[:n], 1.0)
    want = np.concatenate([before, np.full((h - n, sensors), 0.95)])
    want[:n, mine] = 0.0 if listens else given_ + (1.0 - given_) * seen * (1.0 - p) / (1.0 - seen * p)
    want[n:, mine] = 0.0 if listens else 1.0
    got = seen_after(of, first, told, odds)
    assert np.allclose(got, want, rtol=1e-12, atol=0.0)
    hidden = np.prod(1.0 - got[:, of.places], axis=1) if of.places.any() else np.zeros(h)
    assert np.allclose(placed(got, of.places), 1.0 - hidden, rtol=0.0, atol=1e-15)
    assert seen_after(of._replace(asked=False), first, told, odds).shape == (0, sensors)


@given(st.lists(st.integers(-(2**62), 2**62), max_size=9), st.integers(-(2**62), 2**62), st.floats(0.0, 1e10))
def test_all_within_is_what_floats_say(times, now, most):
    t = np.array(times, dtype=np.int64)
    assert all_within(t, now, most) == bool((np.abs(np.float64(now) - t) * 1e-9 <= most).all())
