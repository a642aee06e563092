"""How old measurements are when they come, and what bounds a feed's clock."""

from dataclasses import replace

import numpy as np
import pytest

from lapwing.engine.delays import Delays, delayed
from lapwing.records import ANONYMOUS, Decoded, Detections, Frame, Space

S = 1_000_000_000


def looked(seq: int, received_ns: int, *ages_s: float) -> tuple[Decoded, Frame]:
    """A frame with one scan of as many plots as ages are given."""
    m = len(ages_s)
    times = received_ns - np.round(np.array(ages_s) * S).astype(np.int64)
    scan = Detections(
        "radar", Space.POSITION_2D, received_ns, times, np.zeros((m, 2)), np.tile(np.eye(2), (m, 1, 1)),
        np.full(m, ANONYMOUS), np.full(m, seq),
    )  # fmt: skip
    return Decoded(scans=(scan,)), Frame(seq, "f", received_ns, b"")


def run(known: Delays, times_s, ages, seq=0):
    for t_s in times_s:
        decoded, frame = looked(seq, int(t_s * S), *ages(t_s))
        known = delayed(known, decoded, [frame], int(t_s * S), 0.2)
        seq += 1
    return known


def test_the_middle_is_smoothed_and_the_least_bounds_the_clock():
    rng = np.random.default_rng(1)
    known = run(Delays(), np.arange(1, 120, 0.2), lambda t: 0.15 + rng.exponential(0.05, 5))
    assert known.now_s == pytest.approx(0.15 + 0.05 * np.log(2), abs=0.01)  # the median of an exponential
    assert 0.15 <= known.bound_s < 0.152


def test_a_clock_ahead_is_told_by_its_least_and_forgotten_within_a_minute():
    known = run(Delays(), np.arange(1, 20, 0.2), lambda t: [0.05 - 2.0])
    assert known.bound_s == pytest.approx(-1.95)
    mended = run(known, np.arange(20, 79, 0.2), lambda t: [0.05])
    assert mended.bound_s == pytest.approx(0.05)


def test_a_time_that_is_the_receipt_is_no_time_and_an_impossible_one_neither():
    known = run(Delays(), np.arange(1, 5, 0.2), lambda t: [0.0, 2e9])
    assert (known.now_s, known.bound_s) == (None, None)


def test_rows_of_frames_that_came_before_and_ticks_without_any_say_nothing():
    decoded, frame = looked(7, 5 * S, 0.1)
    later = replace(frame, seq=8)
    assert delayed(Delays(), decoded, [later], 5 * S, 0.2).now_s is None
    assert delayed(Delays(), decoded, [], 5 * S, 0.2).now_s is None
    assert delayed(Delays(), Decoded(), [frame], 5 * S, 0.2).now_s is None


def test_what_was_least_is_gone_when_nothing_came_for_a_minute():
    known = run(Delays(), np.arange(1, 20, 0.2), lambda t: [0.05])
    assert delayed(known, Decoded(), [], 200 * S, 0.2).bound_s is None
