"""Columns that nobody can write to, whoever made them."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import njit

from lapwing.kernel.bits import finite
from lapwing.records.arrays import COMPILED, all_finite, freeze


@njit
def _made(n):
    return np.arange(n), np.ones((n, 2))[1:]


def test_what_compiled_code_made_is_taken_as_it_is():
    """Another base of such arrays, after an upgrade, would mean a copy of every column of every scan: say so."""
    for made in _made(5):
        assert type(made.base).__name__ == COMPILED
        assert freeze(made) is made
        with pytest.raises(ValueError, match="read-only"):
            made[0] = 3


def test_a_view_of_what_can_be_written_to_is_copied():
    for base in (np.zeros(5), _made(5)[0]):
        view = base[1:]
        held = freeze(view)
        base[1:] = 7
        assert held is not view
        assert not (held == 7).any()
        freeze(base)
        assert freeze(base[1:]).base is base


@given(arrays(np.float64, st.integers(0, 9), elements=st.floats(width=64)))
def test_finite_is_what_numpy_says(values):
    assert finite(values.view(np.int64)) == bool(np.isfinite(values).all())


def test_columns_that_are_not_finite_are_named_however_they_lie():
    record = SimpleNamespace(good=np.zeros((4, 6)))
    values = np.zeros((4, 6))
    values[2, 1] = -np.inf
    all_finite(record, "good")
    for bad in (values, values.T, values[:, 1], values.astype(np.float32)):
        record.bad = bad
        with pytest.raises(ValueError, match=r"SimpleNamespace\.bad"):
            all_finite(record, "good", "bad")
