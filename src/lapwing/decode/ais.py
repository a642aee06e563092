"""The payload of an AIS message to rows: position types 1, 2, 3, 4, 9, 11, 18, 19, 21, 27 and static types 5, 24.

Speed 102.3 kn, course 360 deg, heading 511, latitude 91, longitude 181 and their kin mean "not said" and give no
row. A second of the minute of 62 marks dead reckoning. Layouts: ITU-R M.1371 as told by the reference decoders; every
number is compared with pyais in tests. Refuses messages that end before their position.
"""

import math
from dataclasses import dataclass

from lapwing.decode.numbers import KNOT_MPS
from lapwing.decode.rows import Rows
from lapwing.records import Doubt, Field, Source, Word

CHARACTERS = "@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_ !\"#$%&'()*+,-./0123456789:;<=>?"
TYPE_MAX = 27
BITS_MIN = {1: 143, 2: 143, 3: 143, 4: 138, 11: 138, 5: 240, 9: 134, 18: 139, 19: 143, 21: 219, 24: 48, 27: 94}
OTHER_TYPES = frozenset((4, 9, 11, 21))
OTHER_NUMBERS = ("00", "111", "99", "970", "972", "974")  # MMSI of stations, search aircraft, aids, beacons
DEAD_RECKONING = 62


@dataclass(frozen=True, slots=True)
class Bits:
    """A string of `length` bits as a number."""

    value: int
    length: int

    def unsigned(self, start: int, width: int) -> int:
        """Bits start..start+width-1 (from 0); 0 beyond the end."""
        shift = self.length - start - width
        whole = self.value >> shift if shift >= 0 else 0
        return whole & ((1 << width) - 1)

    def signed(self, start: int, width: int) -> int:
        """The same, two's complement."""
        value = self.unsigned(start, width)
        return value - (1 << width) if value >> (width - 1) else value

    def text(self, start: int, width: int) -> str:
        """Six-bit characters up to the first @."""
        codes = (self.unsigned(at, 6) for at in range(start, min(start + width, self.length - 5), 6))
        return "".join(CHARACTERS[code] for code in codes).split("@")[0].strip()


def bits_of(payload: str, fill: int) -> Bits | None:
    """Armoured characters to bits, or None when one of them is not in the alphabet."""
    value = 0
    for c in payload:
        code = ord(c) - 48
        if not 0 <= code <= 71 or 40 <= code <= 47:
            return None
        value = value << 6 | (code if code < 40 else code - 8)
    return Bits(value >> fill, 6 * len(payload) - fill)


# Where each position type keeps its numbers: status, turn, speed, accuracy, longitude, latitude, course, heading,
# second, RAIM; -1 = it has none.
LAYOUT: dict[int, tuple[int, ...]] = {
    1: (38, 42, 50, 60, 61, 89, 116, 128, 137, 148),
    4: (-1, -1, -1, 78, 79, 107, -1, -1, 72, 148),
    9: (-1, -1, 50, 60, 61, 89, 116, -1, 128, 147),
    18: (-1, -1, 46, 56, 57, 85, 112, 124, 133, 147),
    19: (-1, -1, 46, 56, 57, 85, 112, 124, 133, 305),
    21: (-1, -1, -1, 163, 164, 192, -1, -1, 253, 268),
}
LAYOUT |= {2: LAYOUT[1], 3: LAYOUT[1], 11: LAYOUT[4]}


def message(bits: Bits, time_ns: int, frame_seq: int, rows: Rows) -> str:
    """Rows of one message; the reason when it is refused. Types we have no use for give no rows."""
    if bits.length < 38:
        return "AIS message too short"
    kind, mmsi = bits.unsigned(0, 6), bits.unsigned(8, 30)
    if not 1 <= kind <= TYPE_MAX:
        return "AIS message type without a meaning"
    if bits.length < BITS_MIN.get(kind, 38):
        return "AIS message too short"
    rows.messages += 1
    other = kind in OTHER_TYPES or f"{mmsi:09d}".startswith(OTHER_NUMBERS)
    rows.about(time_ns, frame_seq, Source.AIS_OTHER if other else Source.AIS, mmsi)
    if kind in LAYOUT:
        _position(bits, kind, rows)
    elif kind == 27:
        _long_range(bits, rows)
    if kind == 5:
        _static(bits, rows)
    elif kind == 19:
        rows.text(Word.NAME, bits.text(143, 120))
        _ship(bits, 263, 271, rows)
    elif kind == 24 and bits.unsigned(38, 2) == 0:
        rows.text(Word.NAME, bits.text(40, 120))
    elif kind == 24 and bits.unsigned(38, 2) == 1 and bits.length >= 162:
        rows.text(Word.CALLSIGN, bits.text(90, 42))
        _ship(bits, 40, 132, rows)
    elif kind == 21:
        rows.text(Word.NAME, bits.text(43, 120))
    return ""


def _position(bits: Bits, kind: int, rows: Rows) -> None:
    status, turn, speed, accuracy, longitude, latitude, course, heading, second, raim = LAYOUT[kind]
    at_second = bits.unsigned(second, 6)
    doubt = Doubt.DEAD_RECKONED if at_second == DEAD_RECKONING and kind not in (4, 11) else Doubt.NONE
    if not rows.position(bits.signed(latitude, 27) / 600_000, bits.signed(longitude, 28) / 600_000, doubt):
        rows.value(Field.NO_POSITION, 1)  # 91 and 181 degrees: the ship says that it does not know
    rows.value(Field.POSITION_ACCURATE, bits.unsigned(accuracy, 1))
    if bits.length > raim:
        rows.value(Field.RAIM, bits.unsigned(raim, 1))
    if kind in (4, 11):
        rows.value(Field.EPFD, bits.unsigned(134, 4))
        return
    rows.value(Field.TIMESTAMP_S, at_second)
    if status >= 0:
        rows.value(Field.NAV_STATUS, bits.unsigned(status, 4))
        rate = bits.signed(turn, 8)
        if abs(rate) < 127:  # 127 = faster than 5 deg in 30 s without a sensor, -128 = not said
            rows.value(Field.TURN_RATE_RADPS, math.copysign((rate / 4.733) ** 2, rate) * math.pi / 180.0 / 60.0)
    knots = bits.unsigned(speed, 10)
    if speed >= 0 and knots != 1023:
        rows.value(Field.GROUND_SPEED_MPS, knots if kind == 9 else knots / 10.0, KNOT_MPS)
    if course >= 0 and bits.unsigned(course, 12) < 3600:
        rows.value(Field.TRACK_RAD, math.radians(bits.unsigned(course, 12) / 10.0))
    if heading >= 0 and bits.unsigned(heading, 9) < 360:
        rows.value(Field.HEADING_RAD, math.radians(bits.unsigned(heading, 9)))
        rows.value(Field.HEADING_MAGNETIC, 0)


def _long_range(bits: Bits, rows: Rows) -> None:
    if not rows.position(bits.signed(62, 17) / 600, bits.signed(44, 18) / 600):
        rows.value(Field.NO_POSITION, 1)
    rows.value(Field.POSITION_ACCURATE, bits.unsigned(38, 1))
    rows.value(Field.RAIM, bits.unsigned(39, 1))
    rows.value(Field.NAV_STATUS, bits.unsigned(40, 4))
    if bits.unsigned(79, 6) < 63:
        rows.value(Field.GROUND_SPEED_MPS, bits.unsigned(79, 6), KNOT_MPS)
    if bits.unsigned(85, 9) < 360:
        rows.value(Field.TRACK_RAD, math.radians(bits.unsigned(85, 9)))


def _static(bits: Bits, rows: Rows) -> None:
    rows.text(Word.CALLSIGN, bits.text(70, 42))
    rows.text(Word.NAME, bits.text(112, 120))
    _ship(bits, 232, 240, rows)
    if bits.length >= 274:
        rows.value(Field.EPFD, bits.unsigned(270, 4))
    rows.text(Word.DESTINATION, bits.text(302, 120))


def _ship(bits: Bits, kind: int, size: int, rows: Rows) -> None:
    """Type and size; a size of zero is not said."""
    rows.value(Field.SHIP_TYPE, bits.unsigned(kind, 8))
    if bits.length < size + 30:
        return
    length = bits.unsigned(size, 9) + bits.unsigned(size + 9, 9)
    beam = bits.unsigned(size + 18, 6) + bits.unsigned(size + 24, 6)
    if length:
        rows.value(Field.LENGTH_M, length)
    if beam:
        rows.value(Field.BEAM_M, beam)
