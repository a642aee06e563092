"""Which names are among others, against Python's own sets."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lapwing.kernel.telling import among

NAMES = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 9), max_size=30)


@given(NAMES, NAMES)
def test_among_is_membership(names: list[int], many: list[int]) -> None:
    got = among(np.array(names, dtype=np.int64), np.array(many, dtype=np.int64))
    assert got.tolist() == [name in many for name in names]
