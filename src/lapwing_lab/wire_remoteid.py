"""Remote ID as a drone broadcasts it by Wi-Fi beacon: a pack of Basic ID, Location and System in a vendor element of a
beacon frame; and the capture stream (pcap, link type 105) that a sniffer makes of it.

Layouts: ASTM F3411-22a as summarised in the reference notes (25-byte messages, pack type 0xF, vendor element with OUI
FA:0B:BC and type 0x0D); IEEE 802.11 beacon: 24-byte header, 12 fixed bytes, elements.
"""

import struct
from dataclasses import dataclass

VERSION = 2  # of F3411-22a
EPOCH_2019_S = 1_546_300_800  # of the System message's clock
LINK_80211 = 105


@dataclass(frozen=True, slots=True)
class Told:
    """What a drone says of itself. Degrees, metres above the ellipsoid, metres per second, degrees from north."""

    serial: str
    rotor: bool
    latitude_deg: float
    longitude_deg: float
    height_m: float
    above_takeoff_m: float
    speed_mps: float
    track_deg: float
    climb_mps: float
    operator_deg: tuple[float, float]


def _altitude(metres: float) -> int:
    return min(max(round((metres + 1000.0) * 2.0), 0), 65_535)


def _place(latitude_deg: float, longitude_deg: float) -> bytes:
    return struct.pack("<ii", round(latitude_deg * 1e7), round(longitude_deg * 1e7))


def basic(t: Told) -> bytes:
    """Type 0: a serial number and what kind of aircraft it is."""
    kind = 1 << 4 | (2 if t.rotor else 1)
    return bytes([VERSION, kind]) + t.serial.encode("ascii")[:20].ljust(20, b"\0") + bytes(3)


def location(t: Told, utc_s: float) -> bytes:
    """Type 1: airborne, where and how fast; accuracies of a good receiver; tenths of seconds since the full hour."""
    track = round(t.track_deg) % 360
    fast = t.speed_mps > 63.75
    speed = round((t.speed_mps - 63.75) / 0.75) if fast else round(t.speed_mps / 0.25)
    flags = 2 << 4 | (track >= 180) << 1 | fast
    climb = min(max(round(t.climb_mps / 0.5), -124), 124)
    head = struct.pack("<BBBBb", 1 << 4 | VERSION, flags, track % 180, min(speed, 254), climb)
    heights = struct.pack("<HHH", 0, _altitude(t.height_m), _altitude(t.above_takeoff_m))
    tail = bytes([10 | 5 << 4, 3]) + struct.pack("<H", int(utc_s * 10.0) % 36_000) + bytes([1, 0])
    return head + _place(t.latitude_deg, t.longitude_deg) + heights + tail


def system(t: Told, utc_s: float) -> bytes:
    """Type 4: where it took off, when this was said."""
    area = struct.pack("<HBHH", 1, 0, 0, 0)
    tail = bytes([0]) + struct.pack("<HI", 0, max(int(utc_s) - EPOCH_2019_S, 0)) + bytes(1)
    return bytes([4 << 4 | VERSION, 0]) + _place(*t.operator_deg) + area + tail


def pack(t: Told, utc_s: float) -> bytes:
    """Type 0xF: the three messages together."""
    messages = [basic(t), location(t, utc_s), system(t, utc_s)]
    return bytes([0xF << 4 | VERSION, 25, len(messages)]) + b"".join(messages)


def beacon(mac: bytes, t: Told, utc_s: float, counter: int) -> bytes:
    """The beacon frame of a drone."""
    header = b"\x80\x00\x00\x00" + b"\xff" * 6 + mac + mac + struct.pack("<H", (counter & 0xFFF) << 4)
    fixed = struct.pack("<QHH", int(utc_s * 1e6) & (1 << 64) - 1, 100, 0x0421)
    body = b"\xfa\x0b\xbc\x0d" + bytes([counter & 0xFF]) + pack(t, utc_s)
    return header + fixed + b"\x00\x03RID" + bytes([221, len(body)]) + body


def capture_header() -> bytes:
    """The beginning of a capture stream: libpcap, nanoseconds, 802.11 without radio header."""
    return struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, LINK_80211)


def captured(frame: bytes, utc_s: float) -> bytes:
    """One frame of a capture stream."""
    seconds, rest = divmod(round(utc_s * 1e9), 10**9)
    return struct.pack("<IIII", seconds, rest, len(frame), len(frame)) + frame
