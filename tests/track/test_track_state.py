"""What the tracker remembers cannot be written to, whatever it was made of."""

import numpy as np
import pytest

from lapwing.kernel.hypotheses import Forest
from lapwing.track.state import Hypotheses


def test_a_forest_made_of_views_is_kept_read_only_with_the_same_numbers():
    whole = np.arange(4)
    weights = np.log(np.array([0.25, 0.75, 1.0]))
    views = Forest(whole[:1], whole[:2], weights[:2], np.array([0, 2])[:], whole[2:], whole[::2])
    before = [array.copy() for array in views]
    held = Hypotheses(np.zeros(1, dtype=np.int64), np.zeros((1, 6)), np.zeros((1, 6, 6)), np.ones(1), np.ones(1), views)
    assert not any(array.flags.writeable for array in held.forest)
    whole[:] = 9
    weights[:] = 9.0
    for kept, was in zip(held.forest, before, strict=True):
        assert kept.tobytes() == was.tobytes()
        assert kept.dtype == was.dtype
    with pytest.raises(ValueError, match="read-only"):
        held.forest.choice[0] = 1
