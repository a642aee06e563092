"""Reports: what aircraft, ships and drones say of themselves, in long form. Axis: n rows.

Law 7 (no NaN): what was not said is an absent row. One message gives a row in `Positions` if it held a position,
one row in `Values` per number it held, one in `Texts` per word. Rows are in the order of arrival.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

import numpy as np
from jaxtyping import Float64, Int64

from lapwing.records.alarms import NodeAlert
from lapwing.records.arrays import Array, all_finite, column, freeze_columns, same_length
from lapwing.records.detections import Detections


class Source(IntEnum):
    """Who speaks, and how the claim reached us. `address` is an ICAO number, an MMSI or an interned identity."""

    ADSB = 0  # the aircraft's own transponder, ICAO address
    ADSB_OTHER = 1  # a self-declared report with a non-ICAO address
    ADSR = 2  # rebroadcast by a ground station
    TISB = 3  # a ground station's radar track: not the aircraft's own word
    MLAT = 4  # position computed by receivers from times of arrival
    MODE_S = 5  # transponder replies without position
    AIS = 6  # ships
    AIS_OTHER = 7  # AIS base stations, aids to navigation, search aircraft
    REMOTE_ID = 8


class Doubt(IntFlag):
    """Why a plausibility filter would have dropped a position. It is kept: it is evidence."""

    NONE = 0
    JUMP = 1  # implies a speed that the last position makes impossible
    BEYOND_HORIZON = 2  # farther than the receiver can hear
    SINGLE = 4  # decoded against a reference alone, no even/odd pair confirmed it yet
    STALE = 8  # the source itself marks it as old
    DEAD_RECKONED = 16  # the sender says that it estimates


class Field(IntEnum):
    """Numbers that a report may carry; the unit is the last word. Codes are part of the journal's meaning: append
    only, never renumber."""

    DOWNLINK_FORMAT = 0  # a frame of this Mode S format was heard: the proof that the aircraft still talks
    ALTITUDE_BARO_M = 1  # pressure altitude, 1013.25 hPa
    HEIGHT_ELLIPSOID_M = 2
    ON_GROUND = 3  # 0 / 1
    GROUND_SPEED_MPS = 4
    TRACK_RAD = 5  # of the velocity over ground, clockwise from true north
    HEADING_RAD = 6  # of the nose; see HEADING_MAGNETIC
    HEADING_MAGNETIC = 7  # 1 when heading is magnetic, 0 true
    TRUE_AIRSPEED_MPS = 8
    INDICATED_AIRSPEED_MPS = 9
    MACH = 10
    VERTICAL_RATE_BARO_MPS = 11
    VERTICAL_RATE_GEOMETRIC_MPS = 12
    GEOMETRIC_MINUS_BARO_M = 13
    GEOMETRIC_MINUS_BARO_SATURATED = 14  # 0 / 1: the field says "more than it can say"
    ROLL_RAD = 15
    TRACK_RATE_RADPS = 16
    NIC = 20  # navigation integrity category 0..11
    NAC_P = 21
    NAC_V = 22
    SIL = 23
    GVA = 24
    SDA = 25
    NIC_BARO = 26
    ADSB_VERSION = 27
    NO_POSITION = 28  # 1: the message says itself that it has no position (type code 0)
    RADIUS_OF_CONTAINMENT_M = 29
    EMITTER_CATEGORY = 30  # 0xA0..0xD7: set (A..D) in the high nibble, category in the low one
    SQUAWK = 31  # the four octal digits read as a decimal number
    EMERGENCY = 32  # state code 0..7
    NAV_STATUS = 40  # AIS navigational status
    SHIP_TYPE = 41
    LENGTH_M = 42
    BEAM_M = 43
    TURN_RATE_RADPS = 44
    POSITION_ACCURATE = 45  # AIS accuracy bit
    RAIM = 46
    TIMESTAMP_S = 47  # AIS second of the minute, 60..63 special
    EPFD = 48  # kind of electronic position fixing device
    RSSI_DB = 50
    ALTITUDE_SELECTED_M = 51
    UA_TYPE = 60  # Remote ID: kind of unmanned aircraft, 1 aeroplane, 2 multirotor or helicopter, ..
    OPERATOR_LATITUDE_RAD = 61  # where the person who flies it says to be: personal data, never a position row
    OPERATOR_LONGITUDE_RAD = 62
    OPERATOR_HEIGHT_ELLIPSOID_M = 63
    OPERATOR_LOCATION_KIND = 64  # 0 take-off place, 1 live, 2 fixed
    HEIGHT_OVER_TAKEOFF_M = 65
    HEIGHT_OVER_GROUND_M = 66
    CATEGORY_EU = 67  # 1 open, 2 specific, 3 certified
    CLASS_EU = 68  # 1 = class 0 .. 7 = class 6


class Word(IntEnum):
    """What a row of `Texts` says."""

    CALLSIGN = 0
    NAME = 1
    TYPE = 2
    REGISTRATION = 3
    DESTINATION = 4
    SERIAL = 5  # of an unmanned aircraft
    SESSION = 6  # identity of one flight
    OPERATOR_ID = 7
    DESCRIPTION = 8


@dataclass(frozen=True, slots=True)
class Positions:
    """n claimed positions, WGS 84 geodetic. `doubt` holds Doubt bits."""

    time_ns: Int64[Array, " n"]
    frame_seq: Int64[Array, " n"]
    source: Int64[Array, " n"]
    address: Int64[Array, " n"]
    latitude_rad: Float64[Array, " n"]
    longitude_rad: Float64[Array, " n"]
    doubt: Int64[Array, " n"]

    def __post_init__(self) -> None:
        same_length(self, *POSITION_COLUMNS)
        all_finite(self, "latitude_rad", "longitude_rad")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.time_ns)


POSITION_COLUMNS = ("time_ns", "frame_seq", "source", "address", "latitude_rad", "longitude_rad", "doubt")


@dataclass(frozen=True, slots=True)
class Values:
    """n numbers; `field` holds Field codes, which give the unit of `value`."""

    time_ns: Int64[Array, " n"]
    frame_seq: Int64[Array, " n"]
    source: Int64[Array, " n"]
    address: Int64[Array, " n"]
    field: Int64[Array, " n"]
    value: Float64[Array, " n"]

    def __post_init__(self) -> None:
        same_length(self, *VALUE_COLUMNS)
        all_finite(self, "value")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.time_ns)


VALUE_COLUMNS = ("time_ns", "frame_seq", "source", "address", "field", "value")


@dataclass(frozen=True, slots=True)
class Texts:
    """n words; `word` holds Word codes. `text` is printable, stripped, at most 64 characters."""

    time_ns: Int64[Array, " n"]
    frame_seq: Int64[Array, " n"]
    source: Int64[Array, " n"]
    address: Int64[Array, " n"]
    word: Int64[Array, " n"]
    text: tuple[str, ...]

    def __post_init__(self) -> None:
        same_length(self, "time_ns", "frame_seq", "source", "address", "word", "text")
        freeze_columns(self)

    def __len__(self) -> int:
        return len(self.time_ns)


TEXT_COLUMNS = ("time_ns", "frame_seq", "source", "address", "word")


@dataclass(frozen=True, slots=True)
class Fault:
    """`count` inputs of one feed refused for one `reason` in one batch; `example` is the start of the first one."""

    reason: str
    count: int
    frame_seq: int
    example: bytes


def _none(dtype: type) -> Array:
    return column([], dtype)


def no_positions() -> Positions:
    """No rows."""
    i, f = _none(np.int64), _none(np.float64)
    return Positions(i, i, i, i, f, f, i)


def no_values() -> Values:
    """No rows."""
    i, f = _none(np.int64), _none(np.float64)
    return Values(i, i, i, i, i, f)


def no_texts() -> Texts:
    """No rows."""
    i = _none(np.int64)
    return Texts(i, i, i, i, i, ())


@dataclass(frozen=True, slots=True)
class Decoded:
    """All that a decoder made of the frames of one tick: claims, scans, alerts of nodes, faults, how many messages it
    understood."""

    positions: Positions = field(default_factory=no_positions)
    values: Values = field(default_factory=no_values)
    texts: Texts = field(default_factory=no_texts)
    scans: tuple[Detections, ...] = ()
    faults: tuple[Fault, ...] = ()
    messages: int = 0
    alerts: tuple[NodeAlert, ...] = ()


def merged(parts: Sequence[Decoded]) -> Decoded:
    """All rows of several feeds in one, in the order given."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Decoded()

    def rows(of: str, names: tuple[str, ...]) -> list[Array]:
        return [np.concatenate([getattr(getattr(p, of), name) for p in parts]) for name in names]

    time_ns, frame_seq, source, address, word = rows("texts", TEXT_COLUMNS)
    return Decoded(
        Positions(*rows("positions", POSITION_COLUMNS)),
        Values(*rows("values", VALUE_COLUMNS)),
        Texts(time_ns, frame_seq, source, address, word, tuple(t for p in parts for t in p.texts.text)),
        tuple(s for p in parts for s in p.scans),
        tuple(f for p in parts for f in p.faults),
        sum(p.messages for p in parts),
        tuple(a for p in parts for a in p.alerts),
    )
