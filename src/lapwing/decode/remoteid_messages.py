"""Remote ID messages to rows: the 25-byte forms of ASTM F3411-22a and packs of them.

What a message leaves unsaid (position 0, 0; altitude 0; speed 255; direction beyond 359) gives no row; a location
without a position gives `NO_POSITION`. The operator's place has fields of its own and never becomes a position row.
Nothing here is authenticated: Auth messages are counted, their signatures are not checked. Layouts and codes: the
reference notes and the reference implementation's public header.
"""

import math
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

from lapwing.decode.rows import Rows
from lapwing.records import Doubt, Field, Source, Word

MESSAGE_BYTES = 25
PACK_MAX = 9
BASIC, LOCATION, AUTH, SELF, SYSTEM, OPERATOR, PACK = 0, 1, 2, 3, 4, 5, 15
SERIAL, REGISTRATION, UTM, SESSION = 1, 2, 3, 4
HOUR_NS = 3_600_000_000_000
AGE_NS_MAX, AHEAD_NS_MAX = 30_000_000_000, 5_000_000_000  # a sender's clock farther off than this is not believed
ADDRESS_BYTES = 5


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a sender says it is. `rank` orders kinds: a serial number before a registration before a session."""

    address: int
    rank: int
    name: str
    kind: int


def interned(kind: str, data: bytes) -> int:
    """A 40-bit address for an identity: the same on every machine, different identities practically never equal."""
    return int.from_bytes(blake2b(data, digest_size=ADDRESS_BYTES, person=kind.encode()[:16]).digest(), "big")


def of_mac(mac: int) -> int:
    """The address of a sender of whom only the radio address is known. The radio address itself is kept nowhere."""
    return interned("rid mac", mac.to_bytes(6, "big"))


def split(payload: bytes) -> tuple[list[bytes], str]:
    """The whole messages of a payload, and the reason when it or its end is refused."""
    if not payload or payload[0] >> 4 != PACK:
        if len(payload) < MESSAGE_BYTES:
            return [], "Remote ID message too short"
        return [payload[:MESSAGE_BYTES]], ""
    if len(payload) < 3 or payload[1] != MESSAGE_BYTES or payload[2] > PACK_MAX:
        return [], "Remote ID pack with an impossible size"
    if payload[2] == 0:
        return [], "Remote ID pack without messages"
    whole = min(payload[2], (len(payload) - 3) // MESSAGE_BYTES)
    reason = "Remote ID pack cut short" if whole < payload[2] else ""
    return [payload[3 + MESSAGE_BYTES * i :][:MESSAGE_BYTES] for i in range(whole)], reason


def identity(kind: int, raw: bytes) -> Identity | None:
    """The identity in the 20 bytes of a BasicID, None when there is none."""
    if kind in (SERIAL, REGISTRATION):
        data = raw.split(b"\0")[0].strip()
        name = data.decode("ascii", "replace")
    elif kind == UTM:
        data = raw[:16]
        name = str(UUID(bytes=data))
    elif kind == SESSION:
        data = raw
        name = raw.rstrip(b"\0").hex().upper()
    else:
        return None
    if not data.strip(b"\0") or not name:
        return None
    return Identity(interned(f"rid {kind}", data), 5 - kind, name, kind)


def best_identity(messages: list[bytes]) -> Identity | None:
    """The best of what the BasicID messages say."""
    found = [identity(m[1] >> 4, m[2:22]) for m in messages if m[0] >> 4 == BASIC]
    return max((i for i in found if i is not None), key=lambda i: i.rank, default=None)


def said_at(tenths: int, received_ns: int) -> int:
    """UTC of tenths of seconds since the full hour, nearest to reception. A clock that is plainly wrong is not
    believed: then it is reception."""
    if not 0 <= tenths <= 36_000:
        return received_ns
    said = received_ns - received_ns % HOUR_NS + tenths * 100_000_000
    said += HOUR_NS * round((received_ns - said) / HOUR_NS)
    return said if -AHEAD_NS_MAX <= received_ns - said <= AGE_NS_MAX else received_ns


def rows_of(message: bytes, address: int, received_ns: int, frame_seq: int, rows: Rows) -> str:
    """Rows of one message; the reason when it is refused."""
    kind = message[0] >> 4
    if kind not in READERS:
        return "Remote ID message type without a meaning"
    tenths = int.from_bytes(message[21:23], "little")
    time_ns = said_at(tenths, received_ns) if kind == LOCATION else received_ns
    rows.about(time_ns, frame_seq, Source.REMOTE_ID, address)
    return READERS[kind](message, rows)


def _basic(message: bytes, rows: Rows) -> str:
    rows.messages += 1
    name_said(identity(message[1] >> 4, message[2:22]), rows)
    if message[1] & 15:
        rows.value(Field.UA_TYPE, message[1] & 15)
    return ""


def name_said(who: Identity | None, rows: Rows) -> None:
    """Text rows of an identity: what it is, and the name under which it is shown."""
    if who is not None:
        rows.text({SERIAL: Word.SERIAL, REGISTRATION: Word.REGISTRATION}.get(who.kind, Word.SESSION), who.name)
        rows.text(Word.NAME, who.name)


def degrees(message: bytes, at: int) -> tuple[float, float] | None:
    """(latitude, longitude), None for 0, 0: not known."""
    where = [int.from_bytes(message[i : i + 4], "little", signed=True) for i in (at, at + 4)]
    return (where[0] * 1e-7, where[1] * 1e-7) if any(where) else None


def altitude_m(message: bytes, at: int) -> float | None:
    """Metres, None for 0 (or -1000 m): not known."""
    raw = int.from_bytes(message[at : at + 2], "little")
    return raw * 0.5 - 1000.0 if raw else None


def _location(message: bytes, rows: Rows) -> str:
    status, flags = message[1] >> 4, message[1] & 15
    where = degrees(message, 5)
    if where is not None and not rows.position(*where, Doubt.NONE):
        return "position not on Earth"
    rows.messages += 1
    if where is None:
        rows.value(Field.NO_POSITION, 1)
    speed, vertical = message[3], int.from_bytes(message[4:5], "little", signed=True)
    speed_mps = None if speed == 255 else speed * 0.75 + 63.75 if flags & 1 else speed * 0.25
    motion(
        rows,
        status,
        speed_mps,
        message[2] + (180.0 if flags & 2 else 0.0) if message[2] < 180 else None,
        vertical * 0.5 if abs(vertical) <= 124 else None,
    )
    heights(rows, altitude_m(message, 13), altitude_m(message, 15), altitude_m(message, 17), bool(flags & 4))
    accuracies(rows, message[19] & 15, message[20] & 15)
    return ""


def motion(
    rows: Rows, status: int, speed_mps: float | None, track_deg: float | None, vertical_mps: float | None
) -> None:
    """Value rows of status and velocity."""
    if status in (1, 2):
        rows.value(Field.ON_GROUND, int(status == 1))
    if status == 3:
        rows.value(Field.EMERGENCY, 1)
    rows.value(Field.GROUND_SPEED_MPS, speed_mps)
    if track_deg is not None:
        rows.value(Field.TRACK_RAD, math.radians(track_deg))
    rows.value(Field.VERTICAL_RATE_GEOMETRIC_MPS, vertical_mps)


def heights(rows: Rows, baro_m: float | None, geodetic_m: float | None, above_m: float | None, ground: bool) -> None:
    """Value rows of the three heights."""
    rows.value(Field.ALTITUDE_BARO_M, baro_m)
    rows.value(Field.HEIGHT_ELLIPSOID_M, geodetic_m)
    rows.value(Field.HEIGHT_OVER_GROUND_M if ground else Field.HEIGHT_OVER_TAKEOFF_M, above_m)


def accuracies(rows: Rows, horizontal: int, speed: int) -> None:
    """Accuracy codes 1..11 and 1..4 mean what NACp and NACv mean; 12 (1 m) is finer than NACp can say."""
    if 1 <= horizontal <= 12:
        rows.value(Field.NAC_P, min(horizontal, 11))
    if 1 <= speed <= 4:
        rows.value(Field.NAC_V, speed)


def _auth(_message: bytes, rows: Rows) -> str:
    rows.messages += 1
    return ""


def _self(message: bytes, rows: Rows) -> str:
    rows.messages += 1
    rows.text(Word.DESCRIPTION, message[2:25].split(b"\0")[0].decode("ascii", "replace"))
    return ""


def _system(message: bytes, rows: Rows) -> str:
    where = degrees(message, 2)
    reason = operator_place(rows, where, altitude_m(message, 18), message[1] & 3)
    if reason:
        return reason
    rows.messages += 1
    if message[1] >> 2 & 7 == 1:
        europe(rows, message[17] >> 4, message[17] & 15)
    return ""


def operator_place(rows: Rows, where: tuple[float, float] | None, height_m: float | None, kind: int) -> str:
    """Value rows of the operator's place (personal data, in fields of its own); the reason when it is refused."""
    if where is None:
        return ""
    if not (abs(where[0]) <= 90.0 and abs(where[1]) <= 180.0):
        return "operator not on Earth"
    rows.value(Field.OPERATOR_LATITUDE_RAD, math.radians(where[0]))
    rows.value(Field.OPERATOR_LONGITUDE_RAD, math.radians(where[1]))
    rows.value(Field.OPERATOR_HEIGHT_ELLIPSOID_M, height_m)
    rows.value(Field.OPERATOR_LOCATION_KIND, kind)
    return ""


def europe(rows: Rows, category: int, class_mark: int) -> None:
    """Category and class of the European rules."""
    if category:
        rows.value(Field.CATEGORY_EU, category)
    if class_mark:
        rows.value(Field.CLASS_EU, class_mark)


def _operator(message: bytes, rows: Rows) -> str:
    rows.messages += 1
    rows.text(Word.OPERATOR_ID, message[2:22].split(b"\0")[0].decode("ascii", "replace"))
    return ""


READERS = {BASIC: _basic, LOCATION: _location, AUTH: _auth, SELF: _self, SYSTEM: _system, OPERATOR: _operator}
