"""Shared by the decoder tests: frames of bytes, the real Mode S recording, rows as comparable tuples."""

import importlib.util
import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from lapwing.records import Decoded, Field, Frame

T0 = 1_720_000_000_000_000_000
KNOT_MPS = 1852.0 / 3600.0


def frames(data: bytes, *cuts: int, received_ns: int = T0, step_ns: int = 0, feed: str = "f") -> list[Frame]:
    """One frame per part of `data`, cut at the given places."""
    edges = [0, *sorted(cuts), len(data)]
    parts = [data[a:b] for a, b in pairwise(edges)]
    return [Frame(i + 1, feed, received_ns + i * step_ns, part) for i, part in enumerate(parts)]


@cache
def real_lines() -> tuple[tuple[float, str], ...]:
    """(UTC seconds, hex) of the 57,793 real frames inside the `traffic` wheel, which is never imported."""
    spec = importlib.util.find_spec("traffic")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "data/samples/rs1090/full_flight_short.jsonl"
    with path.open() as lines:
        rows = [json.loads(line) for line in lines]
    return tuple((row["timestamp"], row["frame"]) for row in rows)


@cache
def real_batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(frames, lengths, time_ns) of the real frames."""
    rows = real_lines()
    raw = np.frombuffer(bytes.fromhex("".join(frame.ljust(28, "0") for _, frame in rows)), np.uint8).reshape(-1, 14)
    length = np.where(raw[:, 0] >> 3 < 16, 7, 14).astype(np.int64)
    return raw.copy(), length, np.array([round(t * 1e9) for t, _ in rows], np.int64)


def beast_of(hexes: list[str], counter: int = 0, step: int = 12_000, signal: int = 128) -> bytes:
    """A Beast stream of these frames."""
    out = bytearray()
    for i, text in enumerate(hexes):
        payload = bytes.fromhex(text)
        kind = b"3" if len(payload) == 14 else b"2"
        body = (counter + i * step).to_bytes(6, "big") + bytes([signal]) + payload
        out += b"\x1a" + kind + body.replace(b"\x1a", b"\x1a\x1a")
    return bytes(out)


def parity(body: bytes) -> bytes:
    """The 24-bit Mode S parity of `body`, by long division."""
    rest, bits = int.from_bytes(body + b"\0\0\0", "big"), 8 * len(body)
    for i in range(bits):
        if rest >> (bits + 23 - i) & 1:
            rest ^= 0x1FFF409 << (bits - 1 - i)
    return rest.to_bytes(3, "big")


def squitter(me: int, address: int = 0x4840D6, first: int = 0x8D) -> str:
    """A clean extended squitter with this 56-bit message."""
    body = bytes([first]) + address.to_bytes(3, "big") + me.to_bytes(7, "big")
    return (body + parity(body)).hex()


def message(*parts: tuple[int, int]) -> int:
    """A 56-bit message from (width, value) parts."""
    me, bits = 0, 0
    for width, value in parts:
        me, bits = me << width | value, bits + width
    assert bits == 56
    return me


def rows(decoded: list[Decoded]) -> tuple[list, list, list, int]:
    """All rows without their frame numbers, and the count of messages."""
    p = [row for d in decoded for row in _rows(d.positions, "latitude_rad", "longitude_rad", "doubt")]
    v = [row for d in decoded for row in _rows(d.values, "field", "value")]
    t = [(*row, text) for d in decoded for row, text in zip(_rows(d.texts, "word"), d.texts.text, strict=True)]
    return p, v, t, sum(d.messages for d in decoded)


def _rows(record: object, *names: str) -> list[tuple]:
    columns = [getattr(record, name).tolist() for name in ("time_ns", "source", "address", *names)]
    return list(zip(*columns, strict=True))


def values(decoded: Decoded, field: Field) -> list[float]:
    """The values of one field, in order."""
    return decoded.values.value[decoded.values.field == int(field)].tolist()


def faults(decoded: list[Decoded]) -> dict[str, int]:
    """Count per reason."""
    total: dict[str, int] = {}
    for d in decoded:
        for fault in d.faults:
            total[fault.reason] = total.get(fault.reason, 0) + fault.count
    return total
