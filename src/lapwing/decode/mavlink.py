"""MAVLink: the OPEN_DRONE_ID messages that a receiver bridge or an aircraft's own Remote ID module sends, to claims.

Only MAVLink 2 frames can carry them (their numbers are above 255). A frame's checksum covers a constant of its message,
so that one of another dialect fails; everything else on the link is passed over unread. Whose a message is: what
`id_or_mac` names, or else the system and component that sent it, until a BASIC_ID tells the identity. Frame layout:
the MAVLink guide's "Packet Serialization"; fields: the common dialect. Signatures are passed over unchecked: nothing
here is authenticated. Refuses frames of ours whose checksum is wrong.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

from lapwing.decode import remoteid_messages as rid
from lapwing.decode.airframes import Refused
from lapwing.decode.faults import Refusals
from lapwing.decode.numbers import bounded
from lapwing.decode.remoteid import Book, Senders
from lapwing.decode.rows import Rows
from lapwing.records import Decoded, Field, Frame, Source, Word

START, HEAD_BYTES, CHECK_BYTES, SIGNATURE_BYTES, SIGNED = 0xFD, 10, 2, 13, 0x01
STARTS = (START, 0xFE)  # of both versions
BASIC_ID, LOCATION, AUTHENTICATION, SELF_ID, SYSTEM, OPERATOR_ID, PACK = 12900, 12901, 12902, 12903, 12904, 12905, 12915
# message -> its length with all fields, the constant in its checksum, where the 20 bytes of id_or_mac begin
MESSAGES = {
    BASIC_ID: (44, 114, 2),
    LOCATION: (59, 254, 32),
    AUTHENTICATION: (53, 140, 6),
    SELF_ID: (46, 249, 2),
    SYSTEM: (54, 77, 30),
    OPERATOR_ID: (43, 49, 2),
    PACK: (249, 94, 2),
}
NUMBERS = struct.Struct("<2i4f2Hh")  # of LOCATION
PLACE = struct.Struct("<2i3fI2H")  # of SYSTEM
UNKNOWN_DIRECTION, UNKNOWN_SPEED, UNKNOWN_CLIMB = 36_100, 25_500, 6_300


@dataclass(frozen=True, slots=True)
class MavlinkState:
    """The start of an unfinished frame, and who is who."""

    tail: bytes = b""
    senders: Senders = field(default_factory=Senders)


@final
@dataclass(frozen=True, slots=True)
class MavlinkDecoder:
    """Claims of a link."""

    feed: str

    def start(self) -> MavlinkState:
        """Nothing heard."""
        return MavlinkState()

    def decode(self, state: MavlinkState, frames: Sequence[Frame]) -> tuple[MavlinkState, Decoded]:
        """Claims of all frames that are complete."""
        refusals, rows, book, tail = Refusals(), Rows(), Book(state.senders), state.tail
        for frame in frames:
            tail += frame.data
            found, used = _cut(tail, frame.seq, refusals)
            tail = tail[used:]
            for number, source, payload in found:
                try:
                    reason = _read(number, source, payload, frame, book, rows, refusals)
                except Refused as refused:
                    reason = str(refused)
                if reason:
                    refusals.add(reason, frame.seq, payload)
        return MavlinkState(tail, book.frozen()), replace(rows.decoded(), faults=refusals.faults())


def _cut(data: bytes, seq: int, refusals: Refusals) -> tuple[list[tuple[int, int, bytes]], int]:
    """(message, who sent it, payload with all its zeros) of each frame of ours, and how many bytes are done with."""
    out: list[tuple[int, int, bytes]] = []
    at = 0
    while True:
        at = data.find(START, at)
        if at < 0:
            return out, len(data)
        if len(data) - at < HEAD_BYTES:
            return out, at
        size, flags = data[at + 1], data[at + 2]
        checked = at + HEAD_BYTES + size
        end = checked + CHECK_BYTES + (SIGNATURE_BYTES if flags & SIGNED else 0)
        number = int.from_bytes(data[at + 7 : at + 10], "little")
        known = MESSAGES.get(number)
        if known is None and flags & ~SIGNED:
            at += 1
        elif end > len(data) or (known is None and end == len(data)):
            return out, at  # of somebody else's frame only what comes next shows that it was one
        elif known is None:
            at = end if data[end] in STARTS else at + 1
        elif flags & ~SIGNED or size > known[0] or _check(data, at, checked, known[1]):
            refusals.add("MAVLink frame with a wrong checksum or flag", seq, data[at : at + 64])
            at += 1
        else:
            out.append(
                (number, data[at + 5] << 8 | data[at + 6], data[at + HEAD_BYTES : checked].ljust(known[0], b"\0"))
            )
            at = end


def _check(data: bytes, at: int, end: int, extra: int) -> bool:
    """Whether the checksum behind `end` is wrong."""
    return checksum(data[at + 1 : end] + bytes([extra])) != int.from_bytes(data[end : end + CHECK_BYTES], "little")


def checksum(data: bytes) -> int:
    """CRC-16/MCRF4XX, as MAVLink's X.25 checksum is called elsewhere."""
    crc = 0xFFFF
    for byte in data:
        low = byte ^ (crc & 0xFF)
        low ^= (low << 4) & 0xFF
        crc = (crc >> 8) ^ (low << 8) ^ (low << 3) ^ (low >> 4)
    return crc


def _read(number: int, source: int, p: bytes, frame: Frame, book: Book, rows: Rows, refusals: Refusals) -> str:
    """Rows of one message; the reason when it is refused."""
    _, _, at = MESSAGES[number]
    named = p[at : at + 20]
    mac = rid.interned("mavlink", named if any(named) else source.to_bytes(2, "big"))
    messages = [_basic(p)] if number == BASIC_ID else []
    if number == PACK:
        messages, reason = rid.split(bytes([rid.PACK << 4 | 2]) + p[22:])
        if reason:
            refusals.add(reason, frame.seq, p)
        if not messages:
            return ""
    address = book.address(mac, messages)
    for message in messages:
        reason = rid.rows_of(message, address, frame.received_ns, frame.seq, rows)
        if reason:
            refusals.add(reason, frame.seq, message)
    if messages:
        return ""
    rows.about(frame.received_ns, frame.seq, Source.REMOTE_ID, address)
    if number == LOCATION:
        return _location(p, address, frame, rows)
    if number == SYSTEM:
        return _system(p, rows)
    rows.messages += 1
    if number in (SELF_ID, OPERATOR_ID):
        rows.text(Word.DESCRIPTION if number == SELF_ID else Word.OPERATOR_ID, _text(p[23:]))
    return ""


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("ascii", "replace")


def _basic(p: bytes) -> bytes:
    """The same as a message of the standard."""
    return bytes([rid.BASIC << 4 | 2, (p[22] & 15) << 4 | p[23] & 15]) + p[24:44] + bytes(3)


def _degrees(latitude: int, longitude: int) -> tuple[float, float] | None:
    return (latitude * 1e-7, longitude * 1e-7) if latitude or longitude else None


def _metres(value: float) -> float | None:
    """None for -1000 and whatever is no height."""
    return bounded(value, -999.5, 31_767.5) if math.isfinite(value) else None


def _location(p: bytes, address: int, frame: Frame, rows: Rows) -> str:
    latitude, longitude, baro, geodetic, above, seconds, direction, speed, climb = NUMBERS.unpack_from(p)
    status, ground, horizontal, _, _, fast, _ = p[52:59]
    where = _degrees(latitude, longitude)
    tenths = round(seconds * 10.0) if 0.0 <= seconds <= 3600.0 else -1  # false for NaN
    rows.about(rid.said_at(tenths, frame.received_ns), frame.seq, Source.REMOTE_ID, address)
    if where is None:
        rows.value(Field.NO_POSITION, 1)
    elif not rows.position(*where):
        return "position not on Earth"
    rows.messages += 1
    rid.motion(
        rows,
        status,
        speed * 0.01 if speed < UNKNOWN_SPEED else None,
        direction * 0.01 % 360.0 if direction < UNKNOWN_DIRECTION else None,
        climb * 0.01 if abs(climb) < UNKNOWN_CLIMB else None,
    )
    rid.heights(rows, _metres(baro), _metres(geodetic), _metres(above), ground == 1)
    rid.accuracies(rows, horizontal, fast)
    return ""


def _system(p: bytes, rows: Rows) -> str:
    latitude, longitude, _, _, height, *_ = PLACE.unpack_from(p)
    kind, scheme, category, mark = p[50:54]
    reason = rid.operator_place(rows, _degrees(latitude, longitude), _metres(height), kind if kind <= 2 else 0)
    if reason:
        return reason
    rows.messages += 1
    if scheme == 1 and category <= 15 and mark <= 15:
        rid.europe(rows, category, mark)
    return ""
