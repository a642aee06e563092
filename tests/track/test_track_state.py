"""What the tracker remembers cannot be written to, whatever it was made of, and is sound."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from lapwing.kernel.gaussian import not_positive
from lapwing.kernel.hypotheses import Forest
from lapwing.records import ANONYMOUS, Detections, Space
from lapwing.track import (
    AIR,
    Exactness,
    PositionSensor,
    TrackSettings,
    start,
    step,
)
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


def contested(settings, spoil=lambda of: of, steps=6):
    """What is left of two targets side by side among false plots, when what the tracker remembers is spoilt halfway."""
    rng, state = np.random.default_rng(3), start(settings)
    sensor = PositionSensor("s", Space.POSITION_2D, 0.9, 3.0, 200.0**2)
    for k in range(1, steps + 1):
        true = np.array([[10.0 * k, 0.0], [10.0 * k, 8.0]])
        z = np.concatenate([true + rng.normal(0.0, 5.0, (2, 2)), rng.uniform(-100.0, 100.0, (rng.poisson(3.0), 2))])
        if k == steps // 2 + 1:
            state = replace(state, hypotheses=spoil(state.hypotheses))
        state, _ = step(state, scan_of(k, z), sensor, settings)
    return state


def everywhere(of, column, value):
    """A column of the hypotheses, and of their modes, with one value in every second row."""
    spoilt = getattr(of, column).copy()
    spoilt[::2] = value
    modes = of.modes
    if modes is not None and hasattr(modes, column):
        inner = getattr(modes, column).copy()
        inner[::2] = value
        modes = replace(modes, **{column: inner})
    return replace(of, modes=modes, **{column: spoilt})


@pytest.mark.parametrize("cluster_tracks_max", [0, 1, 8])
@pytest.mark.parametrize("modes", [(), AIR])
@pytest.mark.parametrize("column", ["weight", "existence"])
def test_hypotheses_of_nothing_leave_nothing(column, modes, cluster_tracks_max):
    """Nothing of a track is kept where nothing says that it is there, even if no probability is too small to keep."""
    exactness = Exactness(cluster_tracks_max=cluster_tracks_max, merge_d2=-1.0)
    settings = TrackSettings(exactness=exactness, prune_existence=0.0, modes=modes)
    state = contested(settings, lambda of: replace(of, **{column: np.zeros(len(of.track))}))
    of = state.hypotheses
    assert len(of.mean) == len(of.track) > 0
    assert set(of.track) == set(range(len(state.tracks)))
    assert not not_positive(of.cov, 0.0).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e300, -1.0])
@pytest.mark.parametrize("column", ["mean", "cov", "weight", "existence"])
@pytest.mark.parametrize("modes", [(), AIR])
@pytest.mark.parametrize("cluster_tracks_max", [0, 8])
def test_what_no_scan_leaves_behind_is_refused_or_survived(column, value, modes, cluster_tracks_max):
    """Whoever builds a state by hand is told, or served with sound numbers; the process is never harmed."""
    settings = TrackSettings(modes=modes, exactness=Exactness(cluster_tracks_max=cluster_tracks_max))
    try:
        state = contested(settings, lambda of: everywhere(of, column, value))
    except (ValueError, ArithmeticError) as error:
        assert str(error)
        return
    assert len(state.tracks) > 0
    assert np.isfinite(state.undetected).all()
    assert np.isfinite(state.tracks.mean).all()
    assert np.isfinite(state.hypotheses.cov).all()
    assert ((state.tracks.existence >= 0.0) & (state.tracks.existence <= 1.0)).all()


WHOLE = """
from lapwing.track import Exactness, TargetPrior, TrackSettings, VisibilitySettings
whole = TrackSettings(
    prior=TargetPrior(speed_mps_sigma=30),
    exactness=Exactness(merge_d2=1),
    visibility=VisibilitySettings(seen_s=50),
    coast_after_s=10,
    gate_d2=15,
)
numbers = whole.prior.speed_mps_sigma, whole.exactness.merge_d2, whole.visibility.seen_s, whole.coast_after_s
print(*numbers, whole.gate_d2, whole.tracks_max)
"""


def test_whole_numbers_are_settings_like_any_others():
    """Made fractional at the start, for kernels would be compiled anew for them amid a run. In a process of its own: in
    tests a whole number for a fractional one is refused."""
    told = subprocess.run((sys.executable, "-c", WHOLE), capture_output=True, check=True, text=True, timeout=120)
    assert told.stdout.split() == ["30.0", "1.0", "50.0", "10.0", "15.0", "20000"]
