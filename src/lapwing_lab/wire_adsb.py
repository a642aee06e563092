"""ADS-B as transmitted: 1090 MHz extended squitter frames (DF17) and all-call replies (DF11), in Beast framing.

Written from the field tables of the reference notes (ICAO Doc 9871 layout): for the examiner's own use, and unlike
the product's decoder it builds frames bit by bit with Python integers.
"""

from math import acos, atan2, cos, degrees, floor, hypot, pi, radians

GENERATOR = 0x1FFF409
ALPHABET = "?ABCDEFGHIJKLMNOPQRSTUVWXYZ????? ???????????????0123456789??????"
NIC_TYPE = {11: 9, 10: 10, 9: 11, 8: 11, 7: 12, 6: 13, 5: 14, 4: 15, 3: 16, 2: 16, 1: 17, 0: 18}


def parity(bits: int, length: int) -> int:
    """The 24-bit remainder of a frame of `length` bits."""
    for i in range(length - 1, 23, -1):
        if bits >> i & 1:
            bits ^= GENERATOR << (i - 24)
    return bits


def squitter(icao: int, me: int) -> bytes:
    """A DF17 frame around a 56-bit message."""
    body = (17 << 107 | 5 << 104 | icao << 80 | me << 24) & ((1 << 112) - 1)
    return (body | parity(body, 112)).to_bytes(14, "big")


def all_call(icao: int) -> bytes:
    """A DF11 frame, interrogator code 0."""
    body = 11 << 51 | 5 << 48 | icao << 24
    return (body | parity(body, 56)).to_bytes(7, "big")


def zones_at(lat_deg: float) -> int:
    """NL: the number of longitude zones at a latitude (equation of ICAO Doc 9871, NZ = 15)."""
    if abs(lat_deg) >= 87.0:
        return 2 if abs(lat_deg) == 87.0 else 1
    if lat_deg == 0.0:
        return 59
    a = 1.0 - (1.0 - cos(pi / 30.0)) / cos(radians(lat_deg)) ** 2
    return floor(2.0 * pi / acos(a))


def compact(lat_deg: float, lon_deg: float, odd: int) -> tuple[int, int]:
    """The 17-bit compact position (CPR) of an airborne target."""
    d_lat = 360.0 / (60 - odd)
    yz = floor(131_072.0 * (lat_deg % d_lat) / d_lat + 0.5)
    r_lat = d_lat * (yz / 131_072.0 + floor(lat_deg / d_lat))
    d_lon = 360.0 / max(zones_at(r_lat) - odd, 1)
    xz = floor(131_072.0 * (lon_deg % d_lon) / d_lon + 0.5)
    return yz % 131_072, xz % 131_072


def altitude_code(altitude_m: float) -> int:
    """Twelve bits with the 25-foot flag."""
    n = max(0, min(2047, round((altitude_m / 0.3048 + 1000.0) / 25.0)))
    return (n >> 4) << 5 | 1 << 4 | (n & 15)


def position(lat_deg: float, lon_deg: float, altitude_m: float, odd: int, nic: int) -> int:
    """Airborne position; NIC 0 sends type code 0: no position, only altitude."""
    if nic == 0:
        return altitude_code(altitude_m) << 36
    yz, xz = compact(lat_deg, lon_deg, odd)
    b = 1 if nic in (9, 3) else 0  # supplement B as the table wants it with A = B
    return NIC_TYPE[nic] << 51 | b << 48 | altitude_code(altitude_m) << 36 | odd << 34 | yz << 17 | xz


def velocity(ve: float, vn: float, vu: float, nac_v: int, geo_minus_baro_m: float) -> int:
    """Ground velocity, subtype 1, vertical rate from GNSS (source bit 0)."""
    knots_e, knots_n = round(ve / 0.514444), round(vn / 0.514444)
    rate = round(vu / 0.3048 * 60.0 / 64.0)
    diff = round(geo_minus_baro_m / 0.3048 / 25.0)
    me = 19 << 51 | 1 << 48 | nac_v << 43
    me |= (knots_e < 0) << 42 | min(abs(knots_e) + 1, 1023) << 32
    me |= (knots_n < 0) << 31 | min(abs(knots_n) + 1, 1023) << 21
    me |= (rate < 0) << 19 | min(abs(rate) + 1, 511) << 10
    return me | (diff < 0) << 7 | min(abs(diff) + 1, 127)


def identification(callsign: str) -> int:
    """Callsign, category A3."""
    me = 4 << 51 | 3 << 48
    for i, c in enumerate(callsign.ljust(8)[:8]):
        me |= ALPHABET.index(c) << (42 - 6 * i)
    return me


def operational_status(nac_p: int, nic_a: int, sil: int = 3, gva: int = 2, version: int = 2) -> int:
    """Airborne operational status of a transponder of version 1 or 2."""
    return 31 << 51 | version << 13 | nic_a << 12 | nac_p << 8 | gva << 6 | sil << 4 | 1 << 3


def beast(frame: bytes, counter: int, level: int = 120) -> bytes:
    """One frame as a receiver sends it: escape byte, type, 12 MHz counter, level, payload with escapes doubled."""
    kind = b"3" if len(frame) == 14 else b"2"
    body = (counter & ((1 << 48) - 1)).to_bytes(6, "big") + bytes([level]) + frame
    return b"\x1a" + kind + body.replace(b"\x1a", b"\x1a\x1a")


def course(ve: float, vn: float) -> tuple[float, float]:
    """Speed and course in degrees."""
    return hypot(ve, vn), degrees(atan2(ve, vn)) % 360.0
