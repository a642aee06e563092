"""Checkpoints: any frozen value comes back the same; foreign bytes are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapwing.engine import codec
from lapwing.records import Claims, Detections, Fault, Frame, Space, Tracks, TrackStatus

plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
)
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=12)


@given(values)
def test_plain_values_come_back(value):
    assert codec.decode(codec.encode(value)) == value


def test_records_come_back_with_their_arrays_read_only():
    scan = Detections(
        "r",
        Space.RANGE_AZIMUTH,
        5,
        np.array([1]),
        np.array([[10.0, 0.1]]),
        np.eye(2)[None],
        np.array([-1]),
        np.array([7]),
    )
    back = codec.decode(codec.encode((scan, Claims.empty(3), Fault("x", 2, 1, b"\x00"), TrackStatus.COASTING)))
    assert back[0].space is Space.RANGE_AZIMUTH
    assert np.array_equal(back[0].z, scan.z)
    assert not back[0].z.flags.writeable
    assert back[1].time_ns == 3
    assert back[2] == Fault("x", 2, 1, b"\x00")
    assert back[3] is TrackStatus.COASTING


def test_digest_sees_one_bit():
    a = Tracks.empty(1)
    assert codec.digest(a) == codec.digest(Tracks.empty(1))
    assert codec.digest(a) != codec.digest(Tracks.empty(2))
    assert codec.digest((1.0,)) != codec.digest((np.nextafter(1.0, 2.0).item(),))


@pytest.mark.parametrize(
    "tree",
    [
        '{"d":["os:system",{}]}',
        '{"d":["lapwing.engine.codec:encode",{}]}',
        '{"e":["builtins:int",1]}',
        "[",
        '{"a":["f8"]}',
    ],
)
def test_foreign_bytes_are_refused(tree):
    raw = tree.encode()
    with pytest.raises(codec.CodecError):
        codec.decode(len(raw).to_bytes(8, "little") + raw)


@given(st.binary(max_size=64))
def test_random_bytes_never_crash(data):
    try:
        codec.decode(data)
    except codec.CodecError:
        return
    assert len(data) >= 9


def test_unknown_objects_are_not_checkpointed():
    with pytest.raises(codec.CodecError, match="list"):
        codec.encode([1])


def test_frames_come_back():
    frame = Frame(1, "a", 2, b"\xff")
    assert codec.decode(codec.encode(frame)) == frame
