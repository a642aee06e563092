"""ASTERIX target reports that name somebody, to claim rows: CAT010, CAT020 (multilateration), CAT021 (ADS-B), CAT062
(another system's tracks).

| category | source | address |
|---|---|---|
| 021 | ADSB; ADSB_OTHER for anonymous, vehicle and duplicate addresses | item 080 |
| 010, 020 | MLAT: a place that receivers computed, not the aircraft's word | item 220, else the track number |
| 062 | TISB: another tracker's opinion, never a detection: its evidence would count twice | item 380, else track |

A track number becomes an address beyond 24 bits: 1 << 29, SAC, SIC and number. Refuses simulated and test targets,
field monitors, coasted and deleted tracks, records without a position or without anybody. Units and codes: the public
layouts as libasterix carries them; but for the velocity of CAT010, whose unit of 1/16 m/s there contradicts the range
of 8192 m/s there: it is 1/4 m/s.
"""

import math
from collections.abc import Mapping

from lapwing.decode.asterix_items import parts
from lapwing.decode.modes import callsign
from lapwing.decode.numbers import FOOT_M, FPM_MPS
from lapwing.decode.rows import Rows
from lapwing.records import Field, Source, Word

Items = Mapping[str, bytes]
FLIGHT_LEVEL_M = 30.48
NM_M = 1852.0
TURN_16 = 2.0 * math.pi / 65536.0
# emitter category of CAT021 item 020 -> set and category as ADS-B sends them
EMITTERS = {
    1: 0xA1, 2: 0xA2, 3: 0xA3, 4: 0xA4, 5: 0xA5, 6: 0xA6, 10: 0xA7, 11: 0xB1, 12: 0xB2, 13: 0xB6, 15: 0xB4, 16: 0xB3,
    20: 0xC1, 21: 0xC2, 22: 0xC3, 23: 0xC4, 24: 0xC5,
}  # fmt: skip
SIMULATED = "simulated target, test target or field monitor"
NOWHERE = "report without a position"
NOBODY = "report without an address or a track number"


def unsigned(items: Items, name: str, at: int = 0, size: int | None = None) -> int | None:
    """A number in an item's bytes, None when the item is absent."""
    item = items.get(name)
    return None if item is None else int.from_bytes(item[at : None if size is None else at + size], "big")


def signed(items: Items, name: str, at: int = 0, size: int | None = None) -> int | None:
    """The same, two's complement."""
    item = items.get(name)
    return None if item is None else int.from_bytes(item[at : None if size is None else at + size], "big", signed=True)


def bit(item: bytes, octet: int, mask: int) -> bool:
    """Whether a bit is set in an item that may be shorter."""
    return octet < len(item) and bool(item[octet] & mask)


def _times(value: int | None, scale: float) -> float | None:
    return None if value is None else value * scale


def place_deg(items: Items, name: str, size: int, per_turn_half: int) -> tuple[float, float] | None:
    """(latitude, longitude) in degrees; `per_turn_half` units are 180 degrees."""
    latitude, longitude = signed(items, name, 0, size), signed(items, name, size, size)
    if latitude is None or longitude is None:
        return None
    return latitude * 180.0 / per_turn_half, longitude * 180.0 / per_turn_half


def numbered(items: Items, name: str) -> int | None:
    """An address made of the source and its track number."""
    number, source = unsigned(items, name), unsigned(items, "010")
    if number is None or source is None:
        return None
    return 1 << 29 | (source & 0x1FFF) << 16 | number & 0xFFFF


def reply(rows: Rows, items: Items, level: str, code: str, name: str) -> None:
    """Flight level, code and callsign of a transponder, when validated and not garbled."""
    raw = unsigned(items, level)
    if raw is not None and not raw & 0xC000:
        rows.value(Field.ALTITUDE_BARO_M, ((raw & 0x3FFF) ^ 0x2000) - 0x2000, FLIGHT_LEVEL_M / 4.0)
    squawk(rows, unsigned(items, code), 0xE000)
    if name in items:
        rows.text(Word.CALLSIGN, callsign(int.from_bytes(items[name][-6:], "big")))


def squawk(rows: Rows, raw: int | None, doubtful: int) -> None:
    """The code unless a doubtful bit is set."""
    if raw is not None and not raw & doubtful:
        rows.value(Field.SQUAWK, int(f"{raw & 0xFFF:04o}"))


def velocity(rows: Rows, east_mps: float | None, north_mps: float | None) -> None:
    """Speed and track of a velocity in the plane."""
    if east_mps is not None and north_mps is not None:
        rows.value(Field.GROUND_SPEED_MPS, math.hypot(east_mps, north_mps))
        rows.value(Field.TRACK_RAD, math.atan2(east_mps, north_mps) % (2.0 * math.pi))


def cat021(items: Items, time_ns: int, seq: int, rows: Rows) -> str:
    """Rows of an ADS-B report; the reason when it is refused."""
    about = items.get("040", b"\0")
    if bit(about, 0, 0x02) or bit(about, 1, 0x30):
        return SIMULATED
    address = unsigned(items, "080")
    if address is None:
        return NOBODY
    place = place_deg(items, "131", 4, 1 << 30) or place_deg(items, "130", 3, 1 << 23)
    kind = about[0] >> 5
    rows.about(time_ns, seq, Source.ADSB if kind == 0 else Source.ADSB_OTHER, address)
    if place is not None and not rows.position(*place):
        return "position not on Earth"
    rows.messages += 1
    rows.value(Field.DOWNLINK_FORMAT, 17 if kind == 0 else 18)
    rows.value(Field.ON_GROUND, int(bit(about, 1, 0x40)) if len(about) > 1 else None)
    rows.value(Field.HEIGHT_ELLIPSOID_M, _times(signed(items, "140"), 6.25 * FOOT_M))
    rows.value(Field.ALTITUDE_BARO_M, _times(signed(items, "145"), FLIGHT_LEVEL_M / 4.0))
    squawk(rows, unsigned(items, "070"), 0)
    if "170" in items:
        rows.text(Word.CALLSIGN, callsign(int.from_bytes(items["170"], "big")))
    rows.value(Field.EMITTER_CATEGORY, EMITTERS.get(items.get("020", b"\0")[0]))
    if "200" in items:
        rows.value(Field.EMERGENCY, items["200"][0] >> 2 & 7)
    _motion021(items, rows)
    _quality021(items, rows)
    return ""


def _motion021(items: Items, rows: Rows) -> None:
    ground = items.get("160", b"")
    if ground and not ground[0] & 0x80:
        rows.value(Field.GROUND_SPEED_MPS, int.from_bytes(ground[:2], "big"), NM_M / (1 << 14))
        rows.value(Field.TRACK_RAD, int.from_bytes(ground[2:], "big"), TURN_16)
    for name, field in (("155", Field.VERTICAL_RATE_BARO_MPS), ("157", Field.VERTICAL_RATE_GEOMETRIC_MPS)):
        raw = unsigned(items, name)
        if raw is not None and not raw & 0x8000:
            rows.value(field, (raw & 0x7FFF ^ 0x4000) - 0x4000, 6.25 * FPM_MPS)
    air = unsigned(items, "151")
    if air is not None and not air & 0x8000:
        rows.value(Field.TRUE_AIRSPEED_MPS, air, NM_M / 3600.0)
    selected = unsigned(items, "146")
    if selected is not None and selected & 0x8000:
        rows.value(Field.ALTITUDE_SELECTED_M, (selected & 0x1FFF ^ 0x1000) - 0x1000, 25.0 * FOOT_M)


def _quality021(items: Items, rows: Rows) -> None:
    """NIC, NACp and their kin: only of a known version 1 or more, below that the same bits mean something else."""
    mops = items.get("210", b"\x40")[0]
    version = mops >> 3 & 7
    if mops & 0x40 or "090" not in items:
        return
    rows.value(Field.ADSB_VERSION, version)
    quality = items["090"]
    if version < 1:
        return
    rows.value(Field.NAC_V, quality[0] >> 5 if quality[0] >> 5 <= 4 else None)
    nic = quality[0] >> 1 & 15
    rows.value(Field.NIC, nic if nic <= 11 else None)
    if len(quality) > 1:
        rows.value(Field.NIC_BARO, quality[1] >> 7)
        rows.value(Field.SIL, quality[1] >> 5 & 3)
        accuracy = quality[1] >> 1 & 15
        rows.value(Field.NAC_P, accuracy if accuracy <= 11 else None)
    if len(quality) > 2 and version >= 2:
        rows.value(Field.SDA, quality[2] >> 3 & 3)
        rows.value(Field.GVA, quality[2] >> 1 & 3)


def cat020(items: Items, time_ns: int, seq: int, rows: Rows) -> str:
    """Rows of a multilateration report; the reason when it is refused."""
    about = items.get("020", b"\0")
    if bit(about, 1, 0x86):
        return SIMULATED
    if bit(items.get("170", b""), 0, 0x20):
        return "coasted track without a detection"
    reason = _computed(items, place_deg(items, "041", 4, 1 << 25), time_ns, seq, rows)
    if reason:
        return reason
    reply(rows, items, "090", "070", "245")
    rows.value(Field.HEIGHT_ELLIPSOID_M, _times(signed(items, "105"), 6.25 * FOOT_M))
    velocity(rows, _times(signed(items, "202", 0, 2), 0.25), _times(signed(items, "202", 2, 2), 0.25))
    rows.value(Field.ON_GROUND, int(bit(about, 1, 0x10)) if len(about) > 1 else None)
    return ""


def cat010(items: Items, time_ns: int, seq: int, rows: Rows) -> str:
    """Rows of a report of a surface system other than its radar; the reason when it is refused."""
    about = items.get("020", b"\0")
    if bit(about, 1, 0xE0):
        return SIMULATED
    if bit(items.get("170", b""), 0, 0x30):
        return "coasted track without a detection"
    reason = _computed(items, place_deg(items, "041", 4, 1 << 31), time_ns, seq, rows)
    if reason:
        return reason
    reply(rows, items, "090", "060", "245")
    rows.value(Field.ON_GROUND, int(bit(about, 0, 0x04)))
    velocity(rows, _times(signed(items, "202", 0, 2), 0.25), _times(signed(items, "202", 2, 2), 0.25))
    return ""


def _computed(items: Items, place: tuple[float, float] | None, time_ns: int, seq: int, rows: Rows) -> str:
    """The position row of a multilateration report."""
    address = unsigned(items, "220")
    address = numbered(items, "161") if address is None else address
    if address is None:
        return NOBODY
    if place is None:
        return NOWHERE
    rows.about(time_ns, seq, Source.MLAT, address)
    if not rows.position(*place):
        return "position not on Earth"
    rows.messages += 1
    return ""


def cat062(items: Items, time_ns: int, seq: int, rows: Rows) -> str:
    """Rows of a system track; the reason when it is refused."""
    status = items.get("080", b"\0")
    if bit(status, 1, 0x80):
        return SIMULATED
    if bit(status, 1, 0x40):
        rows.messages += 1  # the last word on a track: it says where it was, not where it is
        return ""
    if bit(status, 3, 0x80):
        return "coasted track without a detection"
    data = parts(62, "380", items["380"]) if "380" in items else {}
    address = int.from_bytes(data[0], "big") if 0 in data else numbered(items, "040")
    place = place_deg(items, "105", 4, 1 << 25)
    if address is None or place is None:
        return NOBODY if address is None else NOWHERE
    rows.about(time_ns, seq, Source.TISB, address)
    if not rows.position(*place):
        return "position not on Earth"
    rows.messages += 1
    rows.value(Field.ALTITUDE_BARO_M, _times(signed(items, "136"), FLIGHT_LEVEL_M / 4.0))
    squawk(rows, unsigned(items, "060"), 0xC000)
    name = data.get(1, items.get("245", b"")[1:])
    rows.text(Word.CALLSIGN, callsign(int.from_bytes(name, "big")) if name else "")
    velocity(rows, _times(signed(items, "185", 0, 2), 0.25), _times(signed(items, "185", 2, 2), 0.25))
    rows.value(Field.VERTICAL_RATE_BARO_MPS, _times(signed(items, "220"), 6.25 * FPM_MPS))
    return ""


REPORTS = {10: cat010, 20: cat020, 21: cat021, 62: cat062}
TIMES = {10: ("140",), 20: ("140",), 21: ("071", "073", "075", "077"), 62: ("070",), 65: ("030",), 205: ("030",)}
