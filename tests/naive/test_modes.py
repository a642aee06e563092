"""Slow twins of the Mode S kernels: the definitions, bit by bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.decode.helpers import parity
from tests.naive.cpr import number_of_zones

from lapwing.kernel import aircraft, rows
from lapwing.kernel.beast import frames_of
from lapwing.kernel.bits import field, word
from lapwing.kernel.codes import NO_ALTITUDE, altitude12_m, altitude13_m, movement_kt, nic_airborne, nic_surface, squawk
from lapwing.kernel.cpr import zones
from lapwing.kernel.crc import syndrome
from lapwing.records import Doubt, Field, Source

QUICK = settings(deadline=None, max_examples=200, derandomize=True)


def test_kernel_codes_are_those_of_the_records() -> None:
    for kind in (Field, Source, Doubt):
        for name, member in kind.__members__.items():
            if hasattr(rows, name):
                assert getattr(rows, name) == int(member), name
    named = {name for name in vars(rows) if name in Field.__members__}
    assert len(named) == 31


@QUICK
@given(st.sampled_from([4, 11]).flatmap(lambda n: st.binary(min_size=n, max_size=n)), st.integers(0, 0xFFFFFF))
def test_parity(body: bytes, overlay: int) -> None:
    last = int.from_bytes(parity(body), "big") ^ overlay
    frame = np.frombuffer(bytearray((body + last.to_bytes(3, "big")).ljust(14, b"\0")), np.uint8)
    assert syndrome(frame, len(body) + 3) == overlay


@QUICK
@given(st.integers(0, 2**56 - 1), st.integers(1, 56), st.integers(1, 56))
def test_bits(me: int, start: int, length: int) -> None:
    text = f"{me:056b}"
    if start + length <= 57:
        assert field(me, start, length) == int(text[start - 1 : start - 1 + length], 2)
    frame = np.frombuffer(bytearray(me.to_bytes(7, "big")), np.uint8)
    assert word(frame, 1, 5) == int(text[8:40], 2)


@QUICK
@given(st.floats(-90.0, 90.0))
def test_zones(latitude_deg: float) -> None:
    assert zones(latitude_deg) == number_of_zones(latitude_deg)


@pytest.mark.parametrize("latitude", [0.0, 10.0, 59.0, 86.9, 87.0, 87.1, 90.0, -87.0, -45.0])
def test_zones_at_odd_places(latitude: float) -> None:
    assert zones(latitude) == number_of_zones(latitude)


def mode_c() -> dict[int, int]:
    """13-bit code -> feet, by walking the reflected code up in steps of 100 ft from -1200 ft."""
    found = {}
    bits = {"D2": 2, "D4": 0, "A1": 11, "A2": 9, "A4": 7, "B1": 5, "B2": 3, "B4": 1, "C1": 12, "C2": 10, "C4": 8}
    for step in range(256):
        gray = step ^ step >> 1
        five = sum(
            1 << bits[name]
            for k, name in enumerate(("D2", "D4", "A1", "A2", "A4", "B1", "B2", "B4"))
            if gray >> (7 - k) & 1
        )
        cycle = [("C4",), ("C2", "C4"), ("C2",), ("C1", "C2"), ("C1",)]
        for k, names in enumerate(cycle if step % 2 == 0 else cycle[::-1]):
            found[five + sum(1 << bits[name] for name in names)] = 500 * step + 100 * k - 1200
    return found


def test_every_altitude_code() -> None:
    table = mode_c()
    for code in range(1, 8192):
        mine = altitude13_m(code)
        if code & 0x40:
            assert mine == NO_ALTITUDE
        elif code & 0x10:
            text = f"{code:013b}"
            assert mine == pytest.approx((25 * int(text[:6] + text[7] + text[9:], 2) - 1000) * 0.3048)
        elif code in table:
            assert mine == pytest.approx(table[code] * 0.3048), code
        else:
            assert mine == NO_ALTITUDE
    assert altitude13_m(0) == altitude12_m(0) == NO_ALTITUDE
    assert altitude12_m(0b110000111000) == pytest.approx(38_000 * 0.3048)


def test_every_squawk() -> None:
    order = [("C", 1), ("A", 1), ("C", 2), ("A", 2), ("C", 4), ("A", 4), None, ("B", 1), ("D", 1), ("B", 2), ("D", 2)]
    order += [("B", 4), ("D", 4)]
    for code in range(8192):
        digits = dict.fromkeys("ABCD", 0)
        for place, bit in zip(order, f"{code:013b}", strict=True):
            if place and bit == "1":
                digits[place[0]] += place[1]
        assert squawk(code) == int("".join(str(digits[c]) for c in "ABCD"))


def test_movement_rises_by_the_table() -> None:
    edges = {1: 0.0, 2: 0.125, 9: 1.0, 13: 2.0, 39: 15.0, 94: 70.0, 109: 100.0, 124: 175.0}
    assert {code: movement_kt(code) for code in edges} == edges
    steps = [movement_kt(code) for code in range(1, 125)]
    assert steps == sorted(set(steps))
    assert [movement_kt(code) for code in (0, 125, 127)] == [-1.0, -1.0, -1.0]


def test_nic_tables() -> None:
    """Reference notes 2.1."""
    assert [nic_airborne(t, 2, 0, 0) for t in (9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 0)] == [
        11, 10, 8, 7, 6, 5, 4, 2, 1, 0, 11, 10, 0, 0,
    ]  # fmt: skip
    assert [nic_airborne(t, 2, 1, 1) for t in (11, 16)] == [9, 3]
    assert [nic_airborne(t, 2, 1, 0) for t in (11, 16)] == [8, 2]
    assert [nic_airborne(t, 1, 1, 0) for t in (11, 16)] == [9, 3]
    assert [nic_surface(t, 2, a, c) for t, a, c in ((5, 0, 0), (6, 0, 0), (7, 1, 0), (7, 0, 0))] == [11, 10, 9, 8]
    assert [nic_surface(8, 2, a, c) for a, c in ((1, 1), (1, 0), (0, 1), (0, 0))] == [7, 6, 6, 0]
    assert nic_surface(8, 1, 1, 1) == 0


@QUICK
@given(st.lists(st.integers(0, 40), max_size=80))
def test_the_table_is_a_dictionary_that_forgets_the_oldest(keys: list[int]) -> None:
    none = np.zeros(0, np.int64)
    table = aircraft.table_for(
        8, none, none, none, np.zeros((0, aircraft.INTS), np.int64), np.zeros((0, aircraft.FLOATS))
    )
    twin: dict[int, int] = {}
    for time_ns, key in enumerate(keys):
        if key not in twin and len(twin) == 8:
            del twin[min(twin, key=twin.__getitem__)]
        twin[key] = time_ns
        slot = aircraft.hear(table, key, time_ns)
        assert aircraft.find(table, key) == slot
    used = int(table.used[0])
    assert table.keys[:used].tolist() == sorted(twin)
    assert {k: int(table.heard_ns[aircraft.find(table, k)]) for k in twin} == twin
    assert aircraft.find(table, 99) == -1


def beast_twin(data: bytes) -> list[bytes]:
    """Frames of a whole stream, by the description: find an escape and a type, take bytes, undo the doubling."""
    found, at = [], 0
    while at + 1 < len(data):
        if data[at] != 0x1A or data[at + 1] not in b"123":
            at += 2 if data[at] == 0x1A else 1
            continue
        size, body, q = {0x31: 9, 0x32: 14, 0x33: 21}[data[at + 1]], b"", at + 2
        while len(body) < size and q < len(data) and (data[q] != 0x1A or data[q : q + 2] == b"\x1a\x1a"):
            body += data[q : q + 1]
            q += 2 if data[q] == 0x1A else 1
        if len(body) == size and size > 9:
            found.append(body)
        at = q
        if q >= len(data):
            break
    return found


@QUICK
@given(
    st.lists(
        st.sampled_from([b"\x1a", b"\x1a\x1a", b"1", b"2", b"3", b"\0", b"abcdefg", b"0123456789abcd"]), max_size=60
    )
)
def test_beast_framing(parts: list[bytes]) -> None:
    data = b"".join(parts)
    n = len(data) // 16 + 1
    body, length, end = np.zeros((n, 21), np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64)
    k, used, _, _ = frames_of(np.frombuffer(bytearray(data), np.uint8), body, length, end)
    assert [body[i, : length[i] + 7].tobytes() for i in range(k)] == beast_twin(data)
    assert len(data) - used <= 44
