"""Clocks that cannot be right: what no prediction bridges is put aside or begun anew, and counted."""

import numpy as np
import pytest
from tests.track.ordeals import CENTURY_NS, FLAT, SECOND, scan_of, sound

from lapwing.kernel.correction import parts
from lapwing.kernel.gaussian import not_positive
from lapwing.kernel.weighing import Sight, weigh_pairs
from lapwing.records import Innovations, Tracks
from lapwing.track import AIR, TrackSettings, start, step
from lapwing.track.motions import kinematics
from lapwing.track.state import TrackerState

PLACES = np.array([[1_000.0, 2_000.0], [4_000.0, 500.0], [7_000.0, 6_000.0]])
SETTINGS = TrackSettings(modes=AIR)


def look(state: TrackerState, now_ns: int, places=PLACES, age_s=None) -> tuple[TrackerState, Innovations]:
    return step(state, scan_of(FLAT, places, np.eye(2) * 900.0, now_ns, age_s), FLAT, SETTINGS)


def watched(begin_ns: int = SECOND) -> TrackerState:
    """Three targets held for twenty seconds."""
    state = start(SETTINGS)
    for k in range(20):
        state, _ = look(state, begin_ns + k * SECOND)
    assert (state.tracks.existence > 0.9).sum() == 3
    assert (state.untimely, state.restarts) == (0, 0)
    return state


def ids(tracks: Tracks) -> set[int]:
    return set(tracks.track_id.tolist())


def test_a_clock_that_jumps_a_century_ahead_begins_anew_and_says_so():
    before = watched()
    after, told = look(before, before.tracks.time_ns + CENTURY_NS)
    assert after.restarts == 1
    assert not ids(after.tracks) & ids(before.tracks)
    assert after.tracks.next_id > before.tracks.next_id
    assert len(after.tracks) == 3
    assert (after.tracks.existence < 0.9).all()  # as sure as of any first look
    assert not len(told.track_id)
    sound(after)
    for k in range(1, 20):
        after, _ = look(after, before.tracks.time_ns + CENTURY_NS + k * SECOND)
    assert (after.tracks.existence > 0.9).sum() == 3
    assert after.restarts == 1


def test_a_gap_that_tracks_can_be_followed_over_is_no_restart():
    before = watched()
    after, _ = look(before, before.tracks.time_ns + round(SETTINGS.gap_s_max) * SECOND)
    assert after.restarts == 0
    assert start(SETTINGS).restarts == look(start(SETTINGS), 1_700_000_000 * SECOND)[0].restarts  # nothing to lose yet


@pytest.mark.parametrize("late_ns", [61 * SECOND, CENTURY_NS])
def test_a_scan_that_comes_too_late_is_counted_and_believed_in_nothing(late_ns):
    before = watched(2 * CENTURY_NS)
    after, told = look(before, before.tracks.time_ns - late_ns, PLACES + 3_000.0)
    assert after.untimely == 3
    assert after.tracks is before.tracks  # no track began, none was missed
    assert not len(told.track_id)
    assert look(before, before.tracks.time_ns - late_ns, PLACES[:0])[0].untimely == 1
    assert look(before, before.tracks.time_ns - 59 * SECOND)[0].untimely == 0


def test_plots_of_another_time_are_put_aside_and_the_others_keep_their_rows():
    before = watched()
    places, age_s = np.concatenate([PLACES[:1] + 9_000.0, PLACES]), np.array([1e9, 0.0, -70.0, 5.0])
    after, told = look(before, before.tracks.time_ns + SECOND, places, age_s)
    assert after.untimely == 2
    assert set(told.detection[told.weight > 0.5].tolist()) == {1, 3}
    assert np.hypot(*(after.tracks.mean[:, :2] - places[0]).T).min() > 5_000.0  # nothing began where the old plot lay


def test_times_at_the_ends_of_the_numbers_do_not_wrap():
    before = watched(8 * 10**18)
    scan = scan_of(FLAT, PLACES, np.eye(2) * 900.0, before.tracks.time_ns + SECOND)
    mad = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max, scan.scan_ns])
    after, _ = step(before, type(scan)(scan.sensor, scan.space, scan.scan_ns, mad, scan.z, scan.R, scan.address,
                                       scan.frame_seq), FLAT, SETTINGS)  # fmt: skip
    assert after.untimely == 2
    sound(after)


def test_an_old_plot_of_what_forgets_its_velocity_stays_finite():
    """A hovering mode at rest, a plot far older than its memory: P - Q(free) is rounding, F(-age) multiplies it. The
    known fault was here: S lost its positive pivot, and the gain was made of what was left."""
    modes = kinematics(AIR).modes
    q, damping = modes[4, 0], modes[4, 3]
    P = np.diag([3e4, 2e3, 1.2e7, q / (2 * damping), q / (2 * damping), 0.5])
    P[[0, 1, 3, 4], [3, 4, 0, 1]] = 4.0
    one, H = np.ones((1, 1)), np.zeros((1, 1, 2, 6))
    H[0, 0, 0, 0] = H[0, 0, 1, 1] = 1.0
    for noise in (900.0, 1e-12):
        for age_s in 10.0 ** np.linspace(0.0, 10.0, 41):
            belief = (one.copy(), np.zeros((1, 1, 6)), P[None, None].copy())
            R, row, nu = np.eye(2)[None] * noise, np.zeros(1, dtype=np.int64), np.full((1, 1, 2), 200.0)
            sight = Sight(row, H, nu, R, np.array([age_s]), 51.0)
            _, nis, _, gains = weigh_pairs((belief[0], belief[2]), row, sight, modes[4:], np.inf)
            belief = parts(belief, belief, (row, row, row), gains, False)
            assert np.isfinite(nis).all()
            assert np.isfinite(belief[1]).all()
            assert (np.abs(belief[2]) <= np.abs(P).max() * (1.0 + 1e-9)).all()
            assert not not_positive(belief[2][0], -1e-6).any() or nis[0] > 1e200
