"""DroneScout receivers: their MQTT messages (JSON) to Remote ID claims.

`data.UASdata` is the reference implementation's C struct in base64, all that the receiver knows of one sender so far
(little-endian, doubles aligned to eight bytes, 914 bytes and padding; layout from its public header). Several objects
may be glued together. A message packed by lzma is unpacked when it is a frame of its own, as MQTT delivers it. Refuses
objects without `UASdata` and packed messages that grow beyond UNPACKED_MAX; status messages are counted.
"""

import binascii
import lzma
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from lapwing.decode import remoteid_messages as rid
from lapwing.decode.documents import document, text
from lapwing.decode.faults import Refusals
from lapwing.decode.numbers import bounded, whole
from lapwing.decode.objects import objects
from lapwing.decode.rows import Rows
from lapwing.records import Decoded, Field, Frame, Source, Word

LONGEST = 65_536
PACKED = (b"\xfd7zXZ\0", b"\x5d\0\0")  # how .xz and .lzma begin
UNPACKED_MAX, DICTIONARY_MAX = 2 * LONGEST, 16 << 20
STRUCT_BYTES = 914
BASIC_AT, LOCATION_AT, SELF_AT, SYSTEM_AT, OPERATOR_AT, VALID_AT = (0, 32), 64, 776, 808, 864, 892
LOCATION = struct.Struct("<i3f2d2fif5if")
SYSTEM = struct.Struct("<ii2d2H2fiif")


@dataclass(frozen=True, slots=True)
class DroneScoutState:
    """An unfinished object."""

    tail: bytes = b""


@final
@dataclass(frozen=True, slots=True)
class DroneScoutDecoder:
    """Claims of a receiver's messages."""

    feed: str

    def start(self) -> DroneScoutState:
        """Nothing heard."""
        return DroneScoutState()

    def decode(self, state: DroneScoutState, frames: Sequence[Frame]) -> tuple[DroneScoutState, Decoded]:
        """Claims of all objects that are complete."""
        refusals, rows = Refusals(), Rows()
        plain = [_unpacked(frame, refusals) if frame.data.startswith(PACKED) else frame for frame in frames]
        tail, found = objects(state.tail, plain, LONGEST, refusals)
        for frame, raw in found:
            content, reason = document(raw)
            if content is not None:
                reason = _object(content, frame, rows)
            if reason:
                refusals.add(reason, frame.seq, raw)
        return DroneScoutState(tail), replace(rows.decoded(), faults=refusals.faults())


def _unpacked(frame: Frame, refusals: Refusals) -> Frame:
    """The frame with what was packed in it; empty when it is refused."""
    unpacker = lzma.LZMADecompressor(memlimit=DICTIONARY_MAX)
    try:
        data = unpacker.decompress(frame.data, UNPACKED_MAX)
        reason = "" if unpacker.eof else "lzma message cut short or too long"
    except (lzma.LZMAError, EOFError, MemoryError):
        data, reason = b"", "lzma message damaged"
    if not reason:
        return replace(frame, data=data)
    refusals.add(reason, frame.seq, frame.data[:64])
    return replace(frame, data=b"")


def _object(content: dict[str, Any], frame: Frame, rows: Rows) -> str:
    """Rows of one object; the reason when it is refused."""
    data = content.get("data")
    if not isinstance(data, dict):
        return "no data"
    if isinstance(data.get("status"), str):
        rows.messages += 1
        return ""
    try:
        raw = binascii.a2b_base64(text(data, "UASdata").encode("ascii", "replace"), strict_mode=True)
    except binascii.Error:
        return "UASdata is not base64"
    if len(raw) < STRUCT_BYTES:
        return "UASdata too short"
    mac = text(data, "MAC address").replace(":", "")
    mac_number = int(mac, 16) if len(mac) == 12 and all(c in "0123456789abcdefABCDEF" for c in mac) else 0
    return _struct(raw, mac_number, whole(data.get("RSSI"), -127, -1), frame, rows)


def _struct(raw: bytes, mac: int, rssi: int | None, frame: Frame, rows: Rows) -> str:
    valid = raw[VALID_AT:STRUCT_BYTES]
    told = [_identity(raw, at) for at, flag in zip(BASIC_AT, valid[:2], strict=True) if flag]
    who = max((i for i in told if i is not None), key=lambda i: i.rank, default=None)
    if who is None and not mac:
        return "neither identity nor sender"
    address = who.address if who else rid.of_mac(mac)
    received_ns = frame.received_ns
    rows.about(received_ns, frame.seq, Source.REMOTE_ID, address)
    rows.messages += 1
    rid.name_said(who, rows)
    for at, flag in zip(BASIC_AT, valid[:2], strict=True):
        if flag and 1 <= raw[at] <= 15:
            rows.value(Field.UA_TYPE, raw[at])
            break
    rows.value(Field.RSSI_DB, rssi)
    if valid[19]:
        rows.text(Word.DESCRIPTION, _text(raw[SELF_AT + 4 : SELF_AT + 27]))
    if valid[21]:
        rows.text(Word.OPERATOR_ID, _text(raw[OPERATOR_AT + 4 : OPERATOR_AT + 24]))
    reason = _system(raw, rows) if valid[20] else ""
    return (_location(raw, address, frame, rows) if valid[2] else "") or reason


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("ascii", "replace")


def _identity(raw: bytes, at: int) -> rid.Identity | None:
    return rid.identity(raw[at + 4], raw[at + 8 : at + 28])


def _place(latitude: float, longitude: float) -> tuple[float, float] | str | None:
    """Degrees, None for 0, 0, or why not."""
    if not (abs(latitude) <= 90.0 and abs(longitude) <= 180.0):  # false for NaN
        return "position not on Earth"
    return None if latitude == 0.0 == longitude else (latitude, longitude)


def _location(raw: bytes, address: int, frame: Frame, rows: Rows) -> str:
    (
        status, track, speed, climb, latitude, longitude, baro, geodetic, ground, above, horizontal, _, _, fast, _,
        stamp,
    ) = LOCATION.unpack_from(raw, LOCATION_AT)  # fmt: skip
    where = _place(latitude, longitude)
    if isinstance(where, str):
        return where
    tenths = round(stamp * 10.0) if 0.0 <= stamp <= 3600.0 else -1
    rows.about(rid.said_at(tenths, frame.received_ns), frame.seq, Source.REMOTE_ID, address)
    if where is None:
        rows.value(Field.NO_POSITION, 1)
    else:
        rows.position(*where)
    rid.motion(
        rows, status, bounded(speed, 0.0, 254.25), track % 360.0 if 0.0 <= track <= 360.0 else None,
        bounded(climb, -62.0, 62.0),
    )  # fmt: skip
    metres = [bounded(m, -999.5, 31_767.5) for m in (baro, geodetic, above)]
    rid.heights(rows, metres[0], metres[1], metres[2], ground == 1)
    rid.accuracies(rows, horizontal, fast)
    return ""


def _system(raw: bytes, rows: Rows) -> str:
    kind, scheme, latitude, longitude, _, _, _, _, category, mark, height = SYSTEM.unpack_from(raw, SYSTEM_AT)
    where = _place(latitude, longitude)
    if isinstance(where, str):
        return "operator not on Earth"
    reason = rid.operator_place(rows, where, bounded(height, -999.5, 31_767.5), kind if 0 <= kind <= 2 else 0)
    if scheme == 1 and 0 <= category <= 15 and 0 <= mark <= 15:
        rid.europe(rows, category, mark)
    return reason
