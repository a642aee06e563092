"""Times of messages from a counter and a queueing link: even like the counter, right like the clock."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lapwing.decode.counter import CounterClock, disciplined

T0 = 1_720_000_000 * 10**9
MHZ_12 = 12_000_000


def link(seconds, delays, start=77_000, rate=MHZ_12):
    counters = start + np.round(np.asarray(seconds) * rate).astype(np.int64)
    received = T0 + np.round((np.asarray(seconds) + np.asarray(delays)) * 1e9).astype(np.int64)
    return counters, np.maximum.accumulate(received)


def run(counters, received, cuts=()):
    clock, out = CounterClock(), []
    for part in np.split(np.arange(len(counters)), list(cuts)):
        clock, time_ns = disciplined(clock, counters[part], received[part])
        out.append(time_ns)
    return clock, np.concatenate(out)


def test_a_stall_of_three_seconds_leaves_no_trace():
    s = np.arange(0, 60, 0.1)
    delay = np.where((s > 30) & (s < 33), 33 - s, 0.0) + 0.002
    _, time_ns = run(*link(s, delay))
    assert np.abs(time_ns - T0 - (s + 0.002) * 1e9).max() < 5e6


def test_a_link_that_stood_for_ninety_seconds_leaves_no_trace():
    """What it kept back comes at once, or at two or twenty times the rate at which it was sent."""
    s = np.arange(0, 400, 0.1)
    for rate in (np.inf, 20.0, 2.0):
        back = 190 + (s - 100) / rate
        delay = np.where((s > 100) & (s < back), back - s, 0.0) + 0.002
        assert delay.max() > 89
        _, time_ns = run(*link(s, delay))
        assert np.abs(time_ns - T0 - (s + 0.002) * 1e9).max() < 25e6, rate


def test_a_link_that_stands_again_while_it_catches_up_leaves_no_trace():
    s = np.arange(0, 400, 0.1)
    arrival = s + 0.002
    first = (s > 100) & (s <= 150)
    arrival[first] = 190 + (s[first] - 100) / 10
    second = (s > 150) & (s <= 220)
    arrival[second] = 225 + (s[second] - 150) / 10
    after = (s > 220) & (s <= 232)
    arrival[after] = np.maximum(232, arrival[after])
    _, time_ns = run(*link(s, arrival - s))
    assert np.abs(time_ns - T0 - (s + 0.002) * 1e9).max() < 25e6


def test_a_counter_that_stood_still_with_its_receiver_is_right_again_after_a_second():
    """For that second nothing tells it from a link that stood."""
    s = np.concatenate([np.arange(0, 100, 0.1), np.arange(190, 300, 0.1)])
    counted = np.concatenate([np.arange(0, 100, 0.1), np.arange(100, 210, 0.1)])
    counters, _ = link(counted, 0 * counted)
    _, received = link(s, 0 * s + 0.002)
    _, time_ns = run(counters, received)
    error_ns = time_ns - received
    assert np.abs(error_ns[s < 100]).max() < 15e6
    assert np.abs(error_ns[s > 191.2]).max() < 15e6


def test_the_least_delay_is_learned_and_drift_followed():
    s = np.arange(0, 3600, 1.0)
    rng = np.random.default_rng(1)
    counters, received = link(s, rng.exponential(0.05, len(s)), rate=MHZ_12 * (1 - 50e-6))
    _, time_ns = run(counters, received)
    error_s = (time_ns - T0) * 1e-9 - s
    assert np.abs(error_s[60:]).max() < 0.05  # queueing alone reaches 0.3 s, drift alone 0.18 s


def test_counters_that_count_something_else_are_not_believed():
    s = np.arange(0, 20, 0.1)
    for counters in (np.zeros(len(s), np.int64), link(s, 0 * s, rate=1_000_000_000)[0]):
        _, received = link(s, 0 * s)
        clock, time_ns = run(counters, received)
        assert np.array_equal(time_ns[-50:], received[-50:])
    assert clock.trust == -1


def test_a_stuck_or_restarted_counter_is_left_after_some_seconds():
    s = np.arange(0, 60, 0.1)
    counters, received = link(s, 0 * s)
    stuck = np.minimum(counters, counters[300])
    restarted = np.where(s < 30, counters, counters - counters[300])
    for c in (stuck, restarted):
        _, time_ns = run(c, received)
        assert (time_ns <= received).all()
        assert (received - time_ns).max() <= 5.0e9


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 90)), min_size=1, max_size=40),
    st.lists(st.integers(0, 40), max_size=4),
)
def test_never_later_than_received_and_any_split_is_the_same(rows, cuts):
    s = np.cumsum([a for a, _ in rows])
    counters, received = link(s, [b for _, b in rows])
    _, whole = run(counters, received)
    _, parts = run(counters, received, sorted(cuts))
    assert (whole <= received).all()
    assert np.array_equal(whole, parts)


@given(st.lists(st.tuples(st.integers(0, 2**48 - 1), st.integers(0, 2**40)), min_size=1, max_size=30))
def test_any_counter_is_survived(rows):
    counters = np.array([c for c, _ in rows], np.int64)
    received = T0 + np.maximum.accumulate(np.array([r for _, r in rows], np.int64))
    _, time_ns = run(counters, received)
    assert (time_ns <= received).all()
    assert (received - time_ns <= 605_000_000_000).all()
