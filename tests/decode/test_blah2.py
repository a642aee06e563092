"""blah2's detections: bistatic range and its growth, in SI."""

from dataclasses import replace

import numpy as np
import pytest
from tests.checks import feed
from tests.decode.helpers import T0, faults
from tests.decode.samples import BLAH2, SENSOR

from lapwing.decode.blah2 import LIGHT_MPS, Blah2Decoder
from lapwing.records import Frame, Space

DECODER = Blah2Decoder("f", SENSOR, 204.64e6)


def test_kilometres_and_hertz_become_metres_and_metres_per_second() -> None:
    out = feed(DECODER, [Frame(7, "f", T0, BLAH2)])[1]
    first, empty = out[0].scans
    assert first.space == Space.BISTATIC
    assert first.scan_ns == 1_720_000_000_123_000_000
    wavelength_m = LIGHT_MPS / 204.64e6
    assert first.z == pytest.approx(np.array([[12_500.0, 40.5 * wavelength_m], [3_000.0, -120.0 * wavelength_m]]))
    assert len(empty.time_ns) == 0
    assert empty.scan_ns == 1_720_000_000 * 10**9  # an older version tells seconds
    assert faults(out) == {"delay and doppler: not of the same length, or too long": 1}


def test_without_the_frequency_the_range_alone_is_told() -> None:
    scan = feed(replace(DECODER, carrier_hz=0.0), [Frame(7, "f", T0, BLAH2)])[1][0].scans[0]
    assert scan.space == Space.BISTATIC_RANGE
    assert scan.z[:, 0].tolist() == [12_500.0, 3_000.0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"delay":1,"doppler":[]}', "delay or doppler: not a list"),
        ('{"delay":[],"doppler":[]}', "timestamp: is missing"),
        (
            '{"timestamp":17200000000,"delay":[1],"doppler":[1]}',
            "timestamp: neither seconds nor milliseconds since 1970",
        ),
        ('{"timestamp":1,"delay":["x"],"doppler":[1]}', "delay or doppler: not a number, or out of range"),
        ('{"timestamp":1,"delay":[-1],"doppler":[1]}', "delay or doppler: not a number, or out of range"),
    ],
)
def test_refusals(line: str, says: str) -> None:
    assert faults(feed(DECODER, [Frame(7, "f", T0, line.encode())])[1]) == {says: 1}
