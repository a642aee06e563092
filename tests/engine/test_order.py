"""Order: scans leave sorted, late and future ones are counted, nothing waits for ever."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lapwing.engine.order import Held, OrderSettings, order
from lapwing.records import Detections, Space

S = OrderSettings(lag_s=1.0, ahead_s_max=2.0, held_max=8)


def scan(time_s, sensor="r"):
    return Detections.empty(sensor, Space.RANGE_AZIMUTH, int(time_s * 1e9))


def test_waits_for_the_lag_then_sorted():
    held, due, faults = order(Held(), (scan(10.0), scan(9.5, "b"), scan(9.0)), int(10.2e9), S)
    assert [s.scan_ns for s in due] == [int(9.0e9)]
    held, due, _ = order(held, (), int(11.0e9), S)
    assert [s.scan_ns for s in due] == [int(9.5e9), int(10e9)]
    assert held.scans == ()
    assert faults == {}


def test_late_and_future_are_faults_of_their_sensor():
    held, due, faults = order(Held((), int(10e9)), (scan(9.0), scan(13.0, "b")), int(10.5e9), S)
    assert due == []
    assert held.scans == ()
    assert "too late" in faults["r"][0].reason
    assert "future" in faults["b"][0].reason


def test_a_flood_is_bounded():
    held, due, _ = order(Held(), tuple(scan(10 + i / 100) for i in range(50)), int(10e9), S)
    assert len(held.scans) == 8
    assert len(due) == 42


@given(st.lists(st.floats(0.0, 20.0), max_size=20), st.randoms())
def test_order_of_arrival_does_not_matter(times, random):
    def run(sequence):
        held, out = Held(), []
        held, due, _ = order(held, tuple(scan(t, f"s{t}") for t in sequence), int(20e9), OrderSettings(30.0))
        out += due
        _, due, _ = order(held, (), int(60e9), OrderSettings(30.0))
        return [(s.scan_ns, s.sensor) for s in [*out, *due]]

    shuffled = list(times)
    random.shuffle(shuffled)
    assert run(times) == run(shuffled)
    assert np.all(np.diff([t for t, _ in run(times)]) >= 0)
