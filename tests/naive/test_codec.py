"""The bytes of a checkpoint by their definition: a tree of JSON, and the raw bytes it points to. Journals hold digests
of these bytes, so another way of writing them must write the very same."""

import json
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum, IntEnum
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.fake_shelf import World

from lapwing.engine import codec
from lapwing.records import Claims, Fault, Frame, Space, Tracks, TrackStatus


def named(cls):
    return f"{cls.__module__}:{cls.__qualname__}"


def tree(value, body):
    """The definition."""

    def raw(data):
        at = sum(map(len, body))
        body.append(data)
        return [at, len(data)]

    if value is None or isinstance(value, bool | str) or type(value) in (int, float):
        return value
    if isinstance(value, np.ndarray):
        return {"a": [value.dtype.str, list(value.shape), *raw(value.copy(order="C").tobytes())]}
    if isinstance(value, bytes):
        return {"b": raw(value)}
    if isinstance(value, Enum):
        return {"e": [named(type(value)), value.name if isinstance(value.value, tuple) else value.value]}
    if isinstance(value, tuple):
        rows = [tree(v, body) for v in value]
        return {"n": [named(type(value)), rows]} if hasattr(value, "_fields") else rows
    assert is_dataclass(value)
    return {"d": [named(type(value)), {f.name: tree(getattr(value, f.name), body) for f in fields(value)}]}


def slowly(value):
    body = []
    text = json.dumps(tree(value, body), separators=(",", ":"), allow_nan=False).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(body)


class Pair(NamedTuple):
    first: object
    second: object


@dataclass(frozen=True)
class Empty:
    pass


@dataclass(frozen=True)
class Mixed:
    one: object
    two: tuple[object, ...]


class Level(IntEnum):
    LOW = 1


arrays = st.sampled_from(
    [
        np.zeros(0),
        np.array(2.5),
        np.arange(6, dtype=np.int8).reshape(2, 3).T,
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.array([True, False]),
        np.array(["a", "\u00e9"]),
    ]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(max_size=8)
    | arrays
    | st.sampled_from([Space.RANGE_AZIMUTH, TrackStatus.COASTING, Level.LOW, Empty(), Fault('x"', 2, 1, b"\x00")])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4).map(tuple)
        | st.tuples(inner, inner).map(lambda v: Pair(*v))
        | st.tuples(inner, st.lists(inner, max_size=3).map(tuple)).map(lambda v: Mixed(*v))
    ),
    max_leaves=16,
)


@given(values)
def test_any_value_is_written_as_its_definition_says(value):
    assert codec.encode(value) == slowly(value)


@pytest.mark.parametrize("ticks", [(0, 5), (600, 601, 1200)])
def test_pictures_and_records_are_written_as_their_definition_says(ticks):
    world = World()
    for tick in ticks:
        picture = world.picture(tick)
        assert codec.encode(picture) == slowly(picture)
        assert codec.encode(replace(picture, tick=tick + 1)) != slowly(picture)
    for value in (Tracks.empty(1), Claims.empty(3), Frame(1, "a", 2, b"\xff"), ((), ((),), (1, (2.0, "x")))):
        assert codec.encode(value) == slowly(value)


@pytest.mark.parametrize("value", [float("nan"), (1.0, float("inf")), (1, object()), {"a": 1}, (1, np.float64(2.0))])
def test_what_cannot_be_said_exactly_is_refused(value):
    with pytest.raises((codec.CodecError, ValueError)):
        codec.encode(value)
