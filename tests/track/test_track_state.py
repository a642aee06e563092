"""What the tracker remembers cannot be written to, whatever it was made of, and is sound."""

from dataclasses import replace

import numpy as np
import pytest

from lapwing.kernel.gaussian import not_positive
from lapwing.kernel.hypotheses import Forest
from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import PositionSensor, TrackSettings, start, step
from lapwing.track.state import Hypotheses


def scan_of(second, z):
    m, ns = len(z), second * 1_000_000_000
    nobody, R = np.full(m, ANONYMOUS, dtype=np.int64), np.tile(25.0 * np.eye(2), (m, 1, 1))
    return Detections("s", Space.POSITION_2D, ns, np.full(m, ns), np.array(z, dtype=float), R, nobody, np.arange(m))


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


def test_a_covariance_that_rounding_has_spoilt_is_mended_by_the_next_scan():
    """Two axes of one hypothesis correlated by more than one: of rounding that might come."""
    sensor = PositionSensor("s", Space.POSITION_2D, 0.9, 1e-3, 1e8)
    settings, state = TrackSettings(), start(TrackSettings())
    for k in range(1, 5):
        state, _ = step(state, scan_of(k, [[10.0 * k, 0.0], [9e3, 9e3]]), sensor, settings)
    of = state.hypotheses
    cov = of.cov.copy()
    cov[0, 0, 3] = cov[0, 3, 0] = 1.02 * np.sqrt(cov[0, 0, 0] * cov[0, 3, 3])
    spoilt = replace(state, hypotheses=replace(of, cov=cov))
    assert not_positive(spoilt.hypotheses.cov, 0.0).any()
    for z in (np.zeros((0, 2)), [[50.0, 0.0]]):
        after, _ = step(spoilt, scan_of(5, z), sensor, replace(settings, noise_horizontal_m2ps3=1e-9))
        assert not not_positive(after.hypotheses.cov, 0.0).any()
        assert not not_positive(after.tracks.cov, 0.0).any()
        assert after.tracks.track_id.tolist()[:2] == state.tracks.track_id.tolist()[:2]
