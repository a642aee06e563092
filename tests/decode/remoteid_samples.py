"""Remote ID made here: messages, the radio frames that carry them, and captures. Shares nothing with decode."""

import base64
import json
import struct
import zlib
from pathlib import Path

from tests.decode.helpers import T0

SERIAL = b"1581F4QWB22CC00302LV"
MAC = bytes.fromhex("60601f1e301e")


def basic(serial: bytes = SERIAL, kind: int = 1, ua_type: int = 2) -> bytes:
    return bytes([0x02, kind << 4 | ua_type]) + serial.ljust(20, b"\0") + bytes(3)


def location(
    latitude_deg: float = 47.1987, longitude_deg: float = 8.7302, tenths: int = 0xFFFF, speed: int = 40,
    track: int = 84, flags: int = 0x20, geodetic: int = 3100,
) -> bytes:  # fmt: skip
    where = struct.pack("<ii", round(latitude_deg * 1e7), round(longitude_deg * 1e7))
    heights = struct.pack("<HHH", 0, geodetic, 2040)
    return (
        bytes([0x12, flags, track, speed, 3])
        + where
        + heights
        + bytes([0x3B, 0x13])
        + struct.pack("<HBB", tenths, 1, 0)
    )


def system(latitude_deg: float = 47.2, longitude_deg: float = 8.73) -> bytes:
    where = struct.pack("<ii", round(latitude_deg * 1e7), round(longitude_deg * 1e7))
    return bytes([0x42, 0x05]) + where + struct.pack("<HBHHBHIB", 1, 0, 0, 0, 0x12, 3000, 0, 0)


def operator(name: bytes = b"CHEtest123") -> bytes:
    return bytes([0x52, 0]) + name.ljust(20, b"\0") + bytes(3)


def self_id(words: bytes = b"survey") -> bytes:
    return bytes([0x32, 0]) + words.ljust(23, b"\0")


def pack(*messages: bytes) -> bytes:
    return bytes([0xF2, 25, len(messages)]) + b"".join(messages)


def beacon(payload: bytes, mac: bytes = MAC) -> bytes:
    """Radiotap (flags: FCS at the end; -50 dBm) and a beacon with a name and the vendor element."""
    tap = struct.pack("<BBHI", 0, 0, 16, 0x2E) + bytes([0x10, 0x0C]) + struct.pack("<HH", 2437, 0xA0) + bytes([206, 0])
    head = b"\x80\0\0\0" + b"\xff" * 6 + mac + mac + b"\0\0"
    body = bytes(8) + b"\x64\0\0\x01" + b"\0\x04test"
    frame = head + body + bytes([221, len(payload) + 5]) + b"\xfa\x0b\xbc\x0d\x01" + payload
    return tap + frame + struct.pack("<I", zlib.crc32(frame))


def nan(payload: bytes, mac: bytes = MAC) -> bytes:
    """A bare 802.11 NAN service discovery frame."""
    info = b"\x01" + payload
    inner = bytes.fromhex("8869199d9209") + b"\x01\0\x10" + bytes([len(info)]) + info
    head = b"\xd0\0\0\0" + bytes.fromhex("516f9a010000") + mac + bytes.fromhex("506f9a010000") + b"\0\0"
    return head + bytes.fromhex("0409506f9a13") + b"\x03" + struct.pack("<H", len(inner)) + inner


def slow_crc24(data: bytes) -> bytes:
    """The check sequence of an advertisement, bit by bit as the shift register does it."""
    register = 0x555555
    for byte in data:
        for i in range(8):
            top = register >> 23 & 1
            register = register << 1 & 0xFFFFFF
            if top ^ (byte >> i & 1):
                register ^= 0x00065B
    return int(f"{register:024b}"[::-1], 2).to_bytes(3, "little")


def advertisement(payload: bytes, mac: bytes = MAC) -> bytes:
    """A Bluetooth packet as link type 251 carries it: legacy for one message, extended for a pack."""
    data = bytes([len(payload) + 5]) + b"\x16\xfa\xff\x0d\x01" + payload
    if len(payload) == 25:
        pdu = bytes([0x02, 6 + len(data)]) + mac[::-1] + data
    else:
        head = b"\x09\x09" + mac[::-1] + b"\x75\x0e"
        pdu = bytes([0x07, len(head) + len(data)]) + head + data
    return b"\xd6\xbe\x89\x8e" + pdu + slow_crc24(pdu)


def hci(*payloads: bytes, mac: bytes = MAC, rssi: int = -61, extended: bool = False, kind: int = 0) -> bytes:
    """A controller's event to its host, as link type 187 carries it: one report for each payload."""
    reports = b""
    for payload in payloads:
        data = b"\x02\x01\x06" + bytes([len(payload) + 5]) + b"\x16\xfa\xff\x0d\x01" + payload
        strength = struct.pack("<b", rssi)
        if extended:
            head = struct.pack("<HB6sBBBb", kind, 1, mac[::-1], 1, 3, 0, 127) + strength + bytes(2) + bytes(7)
            reports += head + bytes([len(data)]) + data
        else:
            reports += bytes([3, 1]) + mac[::-1] + bytes([len(data)]) + data + strength
    body = bytes([13 if extended else 2, len(payloads)]) + reports
    return b"\x04\x3e" + bytes([len(body)]) + body


def pcap(*packets: bytes, link: int = 127, time_ns: int = T0) -> bytes:
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, link)
    for i, packet in enumerate(packets):
        out += struct.pack("<IIII", time_ns // 10**9 + i, 0, len(packet), len(packet)) + packet
    return out


def pcapng(*packets: bytes, link: int = 127, time_ns: int = T0, order: str = ">") -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)

    out = block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    out += block(1, struct.pack(order + "HHIHHB3x", link, 0, 0, 9, 1, 9) + bytes(4))
    for i, packet in enumerate(packets):
        high, low = divmod(time_ns + i * 10**9, 1 << 32)
        out += block(6, struct.pack(order + "IIIII", 0, high, low, len(packet), len(packet)) + packet)
    return out


def capture() -> bytes:
    """A drone's first second, then a second sender that never says who it is, in both carriers of Wi-Fi."""
    whole = pack(basic(), location(), system(), operator(), self_id())
    other = bytes.fromhex("0a0b0c0d0e0f")
    return pcap(
        beacon(pack(location(47.1, 8.7))),
        beacon(whole),
        beacon(pack(location(47.1988))),
        beacon(pack(location(0, 0)), other),
    )


def dronescout() -> bytes:
    """Two glued objects and one of a list: the struct as the reference implementation's header lays it out."""
    raw = bytearray(920)
    struct.pack_into("<ii21s", raw, 0, 2, 1, SERIAL)
    raw[64:136] = struct.pack(
        "<i3f2d2fif5if", 2, 84.0, 10.0, 1.5, 47.1987, 8.7302, -1000.0, 550.0, 0, 20.0, 11, 3, 0, 3, 1, 1e4
    )
    struct.pack_into("<i24s", raw, 776, 0, b"survey")
    struct.pack_into("<ii2dHHffiifI", raw, 808, 0, 1, 47.2, 8.73, 1, 0, -1000.0, -1000.0, 1, 2, 500.0, 0)
    struct.pack_into("<i21s", raw, 864, 0, b"CHEtest123")
    for at in (892, 894, 911, 912, 913):
        raw[at] = 1
    data = {"sensor ID": "S1", "RSSI": -72, "timestamp": T0 // 10**6, "MAC address": "60:60:1F:1E:30:1E"}
    one = json.dumps({"protocol": 1.0, "data": {**data, "UASdata": base64.b64encode(raw).decode()}})
    status = json.dumps({"protocol": 1.0, "data": {"sensor ID": "S1", "status": "normal {"}})
    return f"{one}{status}\n[\n{one},\n{one}]\n".encode()


def mavlink() -> bytes:
    """The golden frames of builders/golden_mavlink.py, one after the other."""
    golden = Path(__file__).parents[1] / "golden" / "mavlink_odid.json"
    return b"".join(bytes.fromhex(row["frame"]) for row in json.loads(golden.read_text()))
