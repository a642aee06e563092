"""Mode S frames (already cut out of their stream) to claims: the common part of the Beast and AVR decoders.

Axes: n frames, a addresses remembered. Refuses frames whose parity fails and replies from addresses that were not
heard clean within the last minute. Keeps doubtful positions, marked.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from lapwing.decode.faults import Refusals
from lapwing.kernel.aircraft import FLOATS, INTS, Table, table_for
from lapwing.kernel.downlink import ADDRESS_NOT_HEARD, BAD_FORMAT, BAD_LENGTH, BAD_PARITY, OK, downlink
from lapwing.kernel.rows import Out, out_for
from lapwing.records import Array, Decoded, Position, Positions, Texts, Values, Word, column, no_positions, no_texts
from lapwing.records.arrays import freeze_columns

AIRCRAFT_MAX = 8192
REASONS = {
    BAD_PARITY: "parity does not match",
    ADDRESS_NOT_HEARD: "address not heard clean within 60 s",
    BAD_FORMAT: "downlink format without a meaning",
    BAD_LENGTH: "length does not fit the downlink format",
}
Common = tuple[Array, Array, Array, Array]  # time, frame, source and address of each frame
ALPHABET = "?ABCDEFGHIJKLMNOPQRSTUVWXYZ????? ???????????????0123456789??????"


@dataclass(frozen=True, slots=True)
class ModesState:
    """What is remembered of each address: lapwing.kernel.aircraft says what the columns are."""

    keys: Int64[Array, " a"]
    slots: Int64[Array, " a"]
    heard_ns: Int64[Array, " a"]
    ints: Int64[Array, "a i"]
    floats: Float64[Array, "a f"]

    def __post_init__(self) -> None:
        freeze_columns(self)


class Batch(NamedTuple):
    """n frames of one feed, with what their framing told."""

    frames: UInt8[Array, "n 14"]
    length: Int64[Array, " n"]  # 7 or 14
    time_ns: Int64[Array, " n"]
    frame_seq: Int64[Array, " n"]
    rssi_db: Float64[Array, " n"]  # 0 = not measured
    multilaterated: Bool[Array, " n"]


def plain_batch(
    frames: UInt8[Array, "n 14"], length: Int64[Array, " n"], time_ns: Int64[Array, " n"], seq: Int64[Array, " n"]
) -> Batch:
    """A batch whose framing told neither signal nor origin."""
    n = len(frames)
    return Batch(frames, length, time_ns, seq, np.zeros(n), np.zeros(n, np.bool_))


def start() -> ModesState:
    """Nobody heard yet."""
    none = column([], np.int64)
    return ModesState(none, none, none, np.zeros((0, INTS), np.int64), np.zeros((0, FLOATS)))


def receiver_row(receiver: Position | None) -> Float64[Array, " four"]:
    """The receiver as the kernels want it: degrees, metres, and whether it is known."""
    if receiver is None:
        return np.zeros(4)
    lat, lon = np.degrees(receiver.latitude_rad), np.degrees(receiver.longitude_rad)
    return np.array([lat, lon, receiver.height_ellipsoid_m, 1.0])


def decode(
    state: ModesState, batch: Batch, receiver: Float64[Array, " four"], refusals: Refusals, limit: int = AIRCRAFT_MAX
) -> tuple[ModesState, Decoded]:
    """All rows of the batch, in order of arrival. Refusals are added to `refusals`, not to the result."""
    n = len(batch.frames)
    if n == 0:
        return state, Decoded()
    table = table_for(
        min(limit, len(state.keys) + n), state.keys, state.slots, state.heard_ns, state.ints, state.floats
    )
    out = out_for(n)
    status, source, address = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    downlink(
        batch.frames, batch.length, batch.time_ns, batch.rssi_db, batch.multilaterated, receiver, table, out,
        status, source, address,
    )  # fmt: skip
    accepted = int(np.count_nonzero(status == OK))
    if accepted < n:
        _refuse(batch, status, refusals)
    return _kept(table), _rows(batch, out, source, address, accepted)


def _kept(table: Table) -> ModesState:
    used = int(table.used[0])
    return ModesState(
        table.keys[:used], table.slots[:used], table.heard_ns[:used], table.ints[:used], table.floats[:used]
    )


def _refuse(batch: Batch, status: Int64[Array, " n"], refusals: Refusals) -> None:
    for code, reason in REASONS.items():
        which = np.flatnonzero(status == code)
        if len(which):
            i = int(which[0])
            refusals.add(reason, int(batch.frame_seq[i]), batch.frames[i, : batch.length[i]].tobytes(), len(which))


def _rows(batch: Batch, out: Out, source: Int64[Array, " n"], address: Int64[Array, " n"], accepted: int) -> Decoded:
    v, p, t = (int(k) for k in out.counts)
    common = (batch.time_ns, batch.frame_seq, source, address)
    values = Values(*_of(common, out.row[:v]), out.field[:v], out.value[:v])
    positions = no_positions()
    if p:
        of = _of(common, out.position_row[:p])
        positions = Positions(*of, out.latitude_rad[:p], out.longitude_rad[:p], out.doubt[:p])
    return Decoded(positions, values, _texts(common, out.text_row[:t], out.text_code[:t]), (), (), accepted)


def _of(common: Common, rows: Int64[Array, " k"]) -> Common:
    """Time, frame, source and address of each row."""
    time_ns, seq, source, address = common
    return time_ns.take(rows), seq.take(rows), source.take(rows), address.take(rows)


def _texts(common: Common, rows: Int64[Array, " t"], codes: Int64[Array, " t"]) -> Texts:
    """Callsigns; one with a character outside the alphabet, or an empty one, says nothing."""
    if not len(rows):
        return no_texts()
    known = {code: callsign(code) for code in set(codes.tolist())}
    text = [known[code] for code in codes.tolist()]
    kept = rows[np.array([bool(word) for word in text])]
    words = np.full(len(kept), int(Word.CALLSIGN))
    return Texts(*_of(common, kept), words, tuple(word for word in text if word))


def callsign(code: int) -> str:
    """Eight six-bit characters as text, or "" when one of them has no meaning."""
    word = "".join(ALPHABET[code >> shift & 63] for shift in range(42, -1, -6))
    return "" if "?" in word else word.strip()
