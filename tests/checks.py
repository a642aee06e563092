"""One battery run on every decoder: it survives any bytes, any split of a stream gives the same rows, its state stays
bounded, it is pure, and what it says is finite and on Earth."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from lapwing.decode import Decoder
from lapwing.records import Decoded, Doubt, Field, Frame, Priority, Source, Word
from tests.decode.helpers import T0, faults, frames, rows

STATE_BYTES_MAX = 4_000_000
FIELDS, SOURCES, WORDS = ({int(v) for v in kind} for kind in (Field, Source, Word))
ANY_DOUBT = int(Doubt.JUMP | Doubt.BEYOND_HORIZON | Doubt.SINGLE | Doubt.STALE | Doubt.DEAD_RECKONED)


def size(value: object) -> int:
    """Bytes that a state holds; fails on anything that the engine could not checkpoint."""
    if isinstance(value, np.ndarray):
        assert not value.flags.writeable
        assert value.dtype.kind in "ifb"
        return value.nbytes
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, tuple):
        return 8 + sum(size(v) for v in value)
    if is_dataclass(value):
        assert value.__dataclass_params__.frozen
        return 8 + sum(size(getattr(value, f.name)) for f in fields(value))
    assert type(value) in (int, float, bool)
    return 8


def sane(decoded: Decoded, seqs: set[int]) -> None:
    """Every row is finite (the records see to that), in range, of a known kind, and points to a frame."""
    p, v, t = decoded.positions, decoded.values, decoded.texts
    assert (np.abs(p.latitude_rad) <= np.pi / 2).all()
    assert (np.abs(p.longitude_rad) <= np.pi).all()
    assert not (p.doubt & ~ANY_DOUBT).any()
    assert set(v.field.tolist()) <= FIELDS
    assert np.isfinite(v.value).all()
    for record in (p, v, t):
        assert set(record.frame_seq.tolist()) <= seqs
        assert set(record.source.tolist()) <= SOURCES
        highest = np.where(record.source == Source.REMOTE_ID, 1 << 40, 1 << 30)  # interned identities have 40 bits
        assert ((record.address >= 0) & (record.address < highest)).all()
        assert not len(record) or record.time_ns.min() >= 0
    assert set(t.word.tolist()) <= WORDS
    assert all(s and len(s) <= 64 and s.isprintable() and s == s.strip() for s in t.text)
    assert decoded.messages >= 0
    for scan in decoded.scans:
        assert set(scan.frame_seq.tolist()) <= seqs
        for name, column in zip(scan.space.value, scan.z.T, strict=True):
            assert name != "range_m" or (column >= 0.0).all()
            assert not name.endswith("_rad") or (np.abs(column) <= 2.0 * np.pi).all()
    for alert in decoded.alerts:
        assert alert.frame_seq in seqs
        assert np.isfinite([alert.east_m, alert.north_m]).all()
        assert alert.priority in Priority
        assert len(alert.reason) < 400
        assert (alert.reason + alert.node).isprintable()
    assert len({fault.reason for fault in decoded.faults}) == len(decoded.faults)
    for fault in decoded.faults:
        assert fault.count > 0
        assert fault.frame_seq in seqs
        assert len(fault.example) <= 64


def feed(decoder: Decoder[Any], given: Sequence[Frame]) -> tuple[Any, list[Decoded]]:
    """Decode frame by frame, checking everything on the way."""
    state, out, seqs = decoder.start(), [], {f.seq for f in given}
    for frame in given:
        state, decoded = decoder.decode(state, [frame])
        sane(decoded, seqs)
        assert size(state) <= STATE_BYTES_MAX
        out.append(decoded)
    return state, out


def survives(decoder: Decoder[Any], data: bytes, *cuts: int) -> None:
    """Any bytes, in any pieces: no exception, sane rows, bounded state."""
    feed(decoder, frames(data, *[c % (len(data) + 1) for c in cuts], step_ns=100_000_000))


def split_invariant(decoder: Decoder[Any], data: bytes, *cuts: int) -> None:
    """The same rows and refusals whether the bytes come at once, in pieces to one call, or in pieces to many."""
    pieces = frames(data, *[c % (len(data) + 1) for c in cuts])
    whole_state, whole = feed(decoder, [Frame(1, "f", T0, data)])
    piece_state, parts = feed(decoder, pieces)
    call_state, call = decoder.decode(decoder.start(), pieces)
    assert rows(whole) == rows(parts) == rows([call])
    assert faults(whole) == faults(parts) == faults([call])
    assert size(whole_state) == size(piece_state) == size(call_state)


def pure(decoder: Decoder[Any], given: Sequence[Frame]) -> None:
    """The same state and frames give the same answer again: nothing was written to the state."""
    half = len(given) // 2
    state, _ = decoder.decode(decoder.start(), given[:half])
    _, once = decoder.decode(state, given[half:])
    _, again = decoder.decode(state, given[half:])
    assert rows([once]) == rows([again])
    assert once.faults == again.faults
    same, nothing = decoder.decode(state, [])
    assert size(same) == size(state)
    assert rows([nothing]) == ([], [], [], 0)
