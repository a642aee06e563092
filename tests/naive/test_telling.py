"""Associations by their definition: a dictionary of sums."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lapwing.kernel.telling import associations, by_value

seeds = st.integers(0, 2**32 - 1)


@given(st.lists(st.integers(0, 6), max_size=60))
def test_rising_order_keeps_equal_values_as_they_come(values):
    order, first = by_value(np.array(values, dtype=np.int64), 7)
    assert order.tolist() == sorted(range(len(values)), key=lambda s: values[s])
    assert first.tolist() == [sum(v < i for v in values) for i in range(8)]


@given(seeds, st.integers(1, 12), st.integers(0, 60))
def test_associations_are_the_sums_they_say(seed, children, p):
    rng = np.random.default_rng(seed)
    child_track, there = rng.integers(0, 5, children), rng.uniform(0.0, 0.3, children)
    detection, nis = rng.integers(0, 6, 20), rng.uniform(0.0, 9.0, 20)
    child, local, pair = rng.integers(0, children, p), rng.integers(-1, 4, p), rng.integers(-1, 20, p)
    weight = rng.uniform(0.1, 1.0, p)
    got = associations((child, local, pair, weight), child_track, there, (detection, nis), 5)
    share, square = {}, {}
    for c, i, e, w in zip(child, local, pair, weight, strict=True):
        if i >= 0 and e >= 0:
            key, part = (child_track[c], detection[e]), there[c] * w / weight[child == c].sum()
            share[key] = share.get(key, 0.0) + part
            square[key] = square.get(key, 0.0) + part * nis[e]
    keys = sorted(share)
    assert list(zip(got[0].tolist(), got[1].tolist(), strict=True)) == keys
    assert np.allclose(got[2], [share[key] for key in keys])
    assert np.allclose(got[3], [square[key] / share[key] for key in keys])
    assert np.allclose(got[4], [sum(v for key, v in share.items() if key[0] == i) for i in range(5)])
