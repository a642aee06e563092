"""Positions under attack: a decoder that trusts its last position goes blind or lies when an aircraft is spoofed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decode.helpers import T0, message, squitter, values
from tests.naive.cpr import encode, number_of_zones

from lapwing.decode import modes
from lapwing.decode.faults import Refusals
from lapwing.kernel.cpr import distance, pair, single
from lapwing.records import Decoded, Doubt, Field, Position

S = 1_000_000_000
GROUND = Position(math.radians(50.0), math.radians(8.0), 100.0)


def airborne(
    lat: float, lon: float, odd: bool, code: int = 11, altitude_ft: int = 35_000, address: int = 0x4840D6
) -> str:
    y, x = encode(lat, lon, odd, surface=False)
    n = (altitude_ft + 1000) // 25
    height = (n >> 4) << 5 | 1 << 4 | n & 15
    return squitter(message((5, code), (3, 0), (12, height), (1, 0), (1, int(odd)), (17, y), (17, x)), address)


def surface(lat: float, lon: float, odd: bool) -> str:
    y, x = encode(lat, lon, odd, surface=True)
    return squitter(message((5, 7), (7, 30), (8, 0x80), (1, 0), (1, int(odd)), (17, y), (17, x)))


def heard(*told: tuple[float, str], receiver: Position | None = None) -> Decoded:
    """Decode (seconds, frame) pairs one by one, as they come live."""
    state, out = modes.start(), []
    for seconds, text in told:
        raw = np.array([list(bytes.fromhex(text).ljust(14, b"\0"))], np.uint8)
        length = np.array([len(text) // 2])
        batch = modes.plain_batch(raw, length, np.array([T0 + round(seconds * S)]), np.array([len(out)]))
        state, decoded = modes.decode(state, batch, modes.receiver_row(receiver), Refusals())
        out.append(decoded)
    everything = [modes.plain_batch(*_joined(told))]
    _, once = modes.decode(modes.start(), everything[0], modes.receiver_row(receiver), Refusals())
    assert [len(d.positions) for d in out] == [int(np.sum(once.positions.frame_seq == i)) for i in range(len(told))]
    return once


def _joined(told: tuple[tuple[float, str], ...]):
    raw = np.array([list(bytes.fromhex(text).ljust(14, b"\0")) for _, text in told], np.uint8)
    time_ns = np.array([T0 + round(seconds * S) for seconds, _ in told])
    return raw, np.array([len(text) // 2 for _, text in told]), time_ns, np.arange(len(told))


def where(decoded: Decoded) -> list[tuple[float, float]]:
    p = decoded.positions
    return list(zip(np.degrees(p.latitude_rad).tolist(), np.degrees(p.longitude_rad).tolist(), strict=True))


def flight(lat: float, lon: float, start_s: float, n: int) -> list[tuple[float, str]]:
    """A message each half second, even and odd in turn, eastward at about 220 m/s."""
    return [(start_s + 0.5 * k, airborne(lat, lon + 0.0015 * k, bool(k % 2))) for k in range(n)]


def test_the_first_pair_gives_a_position_without_doubt() -> None:
    out = heard(*flight(50.0, 8.0, 0.0, 4))
    assert out.positions.frame_seq.tolist() == [1, 2, 3]
    assert out.positions.doubt.tolist() == [0, 0, 0]
    assert where(out)[0] == pytest.approx((50.0, 8.0015), abs=1e-4)


def test_after_a_jump_the_next_pair_gives_the_new_position_marked() -> None:
    """300 km in half a second: the mixed pair says nothing, the first whole one says the new place, and it stays."""
    out = heard(*flight(50.0, 8.0, 0.0, 20), *flight(47.5, 6.5, 10.0, 20))
    new = [
        (i, d) for i, d in zip(out.positions.frame_seq.tolist(), out.positions.doubt.tolist(), strict=True) if i >= 20
    ]
    assert new[0] == (21, int(Doubt.JUMP))
    assert [d for _, d in new[1:]] == [0] * 18
    assert where(out)[-19] == pytest.approx((47.5, 6.5015), abs=1e-4)
    assert [d for d in out.positions.doubt.tolist() if d] == [int(Doubt.JUMP)]


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    lat=st.floats(-80.0, 80.0),
    lon=st.floats(-179.0, 179.0),
    bearing=st.floats(0.0, 2.0 * math.pi),
    km=st.floats(30.0, 2000.0),
)
def test_any_jump_is_followed_at_once(lat: float, lon: float, bearing: float, km: float) -> None:
    """The last messages of the new flight are always told where they say they are; jumps are marked as such."""
    lat2 = max(-85.0, min(85.0, lat + km / 111.2 * math.cos(bearing)))
    lon2 = lon + km / 111.2 * math.sin(bearing) / max(math.cos(math.radians(lat)), 0.1)
    out = heard(*flight(lat, lon, 0.0, 6), *flight(lat2, lon2, 3.0, 6))
    last = dict(zip(out.positions.frame_seq.tolist(), where(out), strict=True))
    for k in (8, 9, 10, 11):
        if k not in last:  # a pair across a border of the zone count gives nothing; the next one does
            continue
        assert distance(*last[k], lat2, lon2 + 0.0015 * (k - 6)) < 30.0
    assert 11 in last or 10 in last
    far = distance(lat, lon, lat2, lon2) > 15_000.0
    assert not far or int(Doubt.JUMP) in out.positions.doubt.tolist()


def test_two_transmitters_with_one_address_are_both_told() -> None:
    there, here = flight(50.0, 8.0, 0.0, 12), flight(51.5, 9.5, 0.25, 12)
    out = heard(*[one for both in zip(there, here, strict=True) for one in both])
    near = [min(distance(*w, 50.0, 8.01), distance(*w, 51.5, 9.51)) for w in where(out)]
    assert near
    assert max(near) < 5000.0


def test_one_message_alone_is_told_with_doubt_for_two_minutes_after_a_pair() -> None:
    alone = [(t, airborne(50.0, 8.0, False)) for t in (30.0, 60.0, 100.0, 130.0, 5000.0)]
    out = heard((0.0, airborne(50.0, 8.0, False)), (0.5, airborne(50.0, 8.0, True)), *alone)
    assert out.positions.frame_seq.tolist() == [1, 2, 3, 4]
    assert out.positions.doubt.tolist() == [0, *[int(Doubt.SINGLE)] * 3]


def test_beyond_the_horizon() -> None:
    near = heard(*flight(50.5, 8.5, 0.0, 2), receiver=GROUND)
    assert near.positions.doubt.tolist() == [0]
    far = heard(*flight(56.0, 8.0, 0.0, 2), receiver=GROUND)
    assert far.positions.doubt.tolist() == [int(Doubt.BEYOND_HORIZON)]
    low = [(0.5 * k, airborne(51.5, 8.0, bool(k), altitude_ft=300)) for k in range(2)]
    assert heard(*low, receiver=GROUND).positions.doubt.tolist() == [int(Doubt.BEYOND_HORIZON)]


def test_surface_needs_a_reference() -> None:
    told = [(0.0, surface(50.03, 8.56, False)), (0.5, surface(50.03, 8.56, True))]
    assert len(heard(*told).positions) == 0
    out = heard(*told, receiver=GROUND)
    assert where(out) == [pytest.approx((50.03, 8.56), abs=1e-4)]
    assert values(out, Field.ON_GROUND) == [1.0, 1.0]
    assert values(out, Field.GROUND_SPEED_MPS) == pytest.approx([10.5 * 1852 / 3600] * 2)


def test_type_code_zero_says_that_there_is_no_position() -> None:
    me = message((5, 0), (3, 0), (12, 0b011000111000), (36, 0))
    out = heard((0.0, squitter(me)))
    assert values(out, Field.NO_POSITION) == [1.0]
    assert len(values(out, Field.ALTITUDE_BARO_M)) == 1
    assert len(out.positions) == 0


@settings(deadline=None, max_examples=300, derandomize=True)
@given(lat=st.floats(-89.0, 89.0), lon=st.floats(-180.0, 179.99), last=st.booleans(), ground=st.booleans())
def test_decoding_undoes_encoding(lat: float, lon: float, last: bool, ground: bool) -> None:
    even, odd = encode(lat, lon, False, ground), encode(lat, lon, True, ground)
    ok, lat2, lon2, gap = pair(even, odd, last, ground, (lat + 0.1, lon - 0.1))
    if ok:
        assert distance(lat, lon, lat2, lon2) < 6.0
        assert gap < 12.0
    else:
        assert number_of_zones(lat + 1e-4) != number_of_zones(lat - 1e-4)
    ok, lat2, lon2 = single(odd if last else even, last, ground, (lat + 0.1, lon + 0.05))
    if abs(lat) < 85.0:
        assert ok
        assert distance(lat, lon, lat2, lon2) < 6.0
