"""Remote ID payloads out of radio frames: Wi-Fi beacons and NAN service discovery, Bluetooth 4 and 5 advertisements.

Every frame's own check sequence is computed and compared where the capture carries it; a frame that fails is refused
before anything of it is read. Frames that carry no Remote ID are passed over without a word. Layouts: IEEE 802.11 and
Bluetooth low energy as the capture formats' public dissectors tell them; carriers as told in the reference notes.
"""

import zlib
from dataclasses import dataclass

IEEE802_11, RADIOTAP, LE_LL, LE_LL_PHDR, NORDIC = 105, 127, 251, 256, 272
HCI_H4, HCI_H4_PHDR = 187, 201  # what a host is told by its own Bluetooth controller
LINKS = frozenset((IEEE802_11, RADIOTAP, LE_LL, LE_LL_PHDR, NORDIC, HCI_H4, HCI_H4_PHDR))
VENDOR_ODID = b"\xfa\x0b\xbc\x0d"
NAN_ACTION = b"\x04\x09\x50\x6f\x9a\x13"  # public action, vendor specific, Wi-Fi Alliance, NAN service discovery
NAN_SERVICE = b"\x88\x69\x19\x9d\x92\x09"
BLE_ODID = b"\x16\xfa\xff\x0d"  # service data of UUID 0xFFFA, application code
ADVERTISING = 0x8E89BED6
LE_META, LEGACY_REPORT, EXTENDED_REPORT = b"\x04\x3e", 2, 13
CODED_PHY = 2


@dataclass(frozen=True, slots=True)
class Heard:
    """One Remote ID payload (a message or a pack), who sent it, and how strong. `rssi_dbm` 0 = not told."""

    mac: int
    payload: bytes
    rssi_dbm: int = 0


class Refused(Exception):
    """A frame that must not be read. Never leaves this package."""


def heard(link: int, packet: bytes) -> list[Heard]:
    """The Remote ID payloads of one captured packet. Raises Refused with the reason."""
    if link not in LINKS:
        raise Refused(f"link type {link} is not read")
    if link == RADIOTAP:
        return _radiotap(packet)
    if link == IEEE802_11:
        return _management(packet, 0)
    if link in (HCI_H4, HCI_H4_PHDR):
        return _host(packet[4:] if link == HCI_H4_PHDR else packet)
    return _bluetooth(link, packet)


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _radiotap(packet: bytes) -> list[Heard]:
    length = _u16(packet, 2)
    if len(packet) < 8 or not 8 <= length <= len(packet):
        raise Refused("radiotap header does not fit")
    present, at = int.from_bytes(packet[4:8], "little"), 8
    more = present
    while more & 0x8000_0000 and at + 4 <= length:
        more, at = int.from_bytes(packet[at : at + 4], "little"), at + 4
    flags = rssi = 0
    for bit, size, align in ((0, 8, 8), (1, 1, 1), (2, 1, 1), (3, 4, 2), (4, 2, 2), (5, 1, 1)):
        if present >> bit & 1:
            at += -at % align
            if at + size > length:
                raise Refused("radiotap header does not fit")
            flags = packet[at] if bit == 1 else flags
            rssi = packet[at] - 256 if bit == 5 else rssi
            at += size
    frame = packet[length:]
    if flags & 0x40:
        raise Refused("frame check sequence does not match")
    if flags & 0x10:
        frame, check = frame[:-4], frame[-4:]
        if zlib.crc32(frame).to_bytes(4, "little") != check:
            raise Refused("frame check sequence does not match")
    return _management(frame, rssi)


def _management(frame: bytes, rssi: int) -> list[Heard]:
    """Beacons, probe responses and action frames."""
    if len(frame) < 26 or frame[0] not in (0x80, 0x50, 0xD0):
        return []
    mac = int.from_bytes(frame[10:16], "big")
    body = frame[24 + (4 if frame[1] & 0x80 else 0) :]
    if frame[0] == 0xD0:
        return [Heard(mac, p, rssi) for p in _service_infos(body)] if body.startswith(NAN_ACTION) else []
    return [Heard(mac, p, rssi) for p in _elements(body[12:])]


def _elements(data: bytes) -> list[bytes]:
    """Payloads of the vendor elements; an element that does not fit ends the list."""
    found, at = [], 0
    while at + 2 <= len(data) and at + 2 + data[at + 1] <= len(data):
        end = at + 2 + data[at + 1]
        if data[at] == 221 and data[at + 2 : at + 6] == VENDOR_ODID and end > at + 7:
            found.append(data[at + 7 : end])
        at = end
    return found


def _service_infos(body: bytes) -> list[bytes]:
    """Payloads of NAN service descriptors for Remote ID."""
    found, at = [], len(NAN_ACTION)
    while at + 3 <= len(body):
        end = at + 3 + _u16(body, at + 1)
        inner = body[at + 3 : end]
        if body[at] == 3 and end <= len(body) and inner.startswith(NAN_SERVICE) and len(inner) > 9:
            control, k = inner[8], 9
            k += 2 if control & 0x40 else 0  # binding bitmap
            for bit in (0x04, 0x08):  # matching filter, service response filter: each with its length
                k += 1 + inner[k] if control & bit and k < len(inner) else 0
            if control & 0x10 and k < len(inner) and k + 1 + inner[k] <= len(inner) and inner[k] > 1:
                found.append(inner[k + 2 : k + 1 + inner[k]])
        at = end
    return found


def _bluetooth(link: int, packet: bytes) -> list[Heard]:
    rssi, coded, at, said_broken = 0, False, 0, False
    if link == NORDIC:
        if len(packet) < 17 or packet[3] not in (2, 3) or packet[7] != 10:
            raise Refused("sniffer header of an unknown version")
        at, rssi = 17, -packet[10]
        coded, said_broken = packet[8] >> 4 & 7 == CODED_PHY, not packet[8] & 1
    elif link == LE_LL_PHDR:
        if len(packet) < 10:
            raise Refused("sniffer header does not fit")
        flags, at = _u16(packet, 8), 10
        rssi = packet[1] - 256 if flags & 2 and packet[1] > 127 else 0
        coded, said_broken = flags >> 14 == CODED_PHY, bool(flags & 0x400) and not flags & 0x800
    pdu = packet[at + 4 + coded :]
    if int.from_bytes(packet[at : at + 4], "little") != ADVERTISING:
        return []
    if len(pdu) < 2 or len(pdu) < 5 + pdu[1]:
        raise Refused("advertisement does not fit its packet")
    pdu, check = pdu[: 2 + pdu[1]], pdu[2 + pdu[1] : 5 + pdu[1]]
    if said_broken or crc24(pdu) != int.from_bytes(check, "little"):
        raise Refused("frame check sequence does not match")
    return _advertisement(pdu, rssi)


def _reflected() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0xDA6000 if value & 1 else 0)
        table.append(value)
    return tuple(table)


CRC_TABLE = _reflected()


def crc24(pdu: bytes) -> int:
    """The check sequence of an advertising PDU: x^24 + x^10 + x^9 + x^6 + x^4 + x^3 + x + 1, started with 0x555555,
    bits reflected."""
    value = 0xAAAAAA
    for byte in pdu:
        value = value >> 8 ^ CRC_TABLE[(value ^ byte) & 0xFF]
    return value


def _advertisement(pdu: bytes, rssi: int) -> list[Heard]:
    """Service data of legacy (0, 2, 4, 6) and extended (7) advertisements. Without a sender's address: mac 0."""
    kind, body, mac = pdu[0] & 15, pdu[2:], 0
    if kind in (0, 2, 4, 6) and len(body) >= 6:
        mac, body = int.from_bytes(body[5::-1], "big"), body[6:]
    elif kind == 7 and body:
        length = body[0] & 63
        if length and len(body) > 7 and body[1] & 1:
            mac = int.from_bytes(body[7:1:-1], "big")
        body = body[1 + length :]
    else:
        return []
    return _service_data(mac, body, rssi)


def _host(packet: bytes) -> list[Heard]:
    """Advertising reports of a controller to its host (LE meta events 2, legacy, and 13, extended). The controller has
    checked the frames; no check sequence is left here."""
    if len(packet) < 5 or packet[:2] != LE_META or packet[3] not in (LEGACY_REPORT, EXTENDED_REPORT):
        return []
    event, at, found = packet[5 : 3 + packet[2]], 0, list[Heard]()
    for _ in range(packet[4]):
        read = _legacy_report if packet[3] == LEGACY_REPORT else _extended_report
        one = read(event, at) if len(packet) >= 3 + packet[2] else None
        if one is None:
            raise Refused("event does not fit its packet")
        mac, body, rssi, at = one
        found += _service_data(mac, body, rssi - 256 if rssi > 127 else 0)  # 127: not told
    return found


Report = tuple[int, bytes, int, int]  # sender, advertisement, strength as a byte, where the next one begins


def _legacy_report(event: bytes, at: int) -> Report | None:
    """Type, kind of address, address, length, data, strength; None where it does not fit."""
    end = at + 9 + (event[at + 8] if len(event) > at + 8 else 0)
    if len(event) <= end:
        return None
    return int.from_bytes(event[at + 2 : at + 8], "little"), event[at + 9 : end], event[end], end + 1


def _extended_report(event: bytes, at: int) -> Report | None:
    """Type (2), kind of address, address (6), PHYs (2), set, power, strength (at 13), ..., length (at 23), data."""
    end = at + 24 + (event[at + 23] if len(event) > at + 23 else 0)
    if len(event) < end or len(event) < at + 24:
        return None
    if event[at] & 0x60:  # the rest comes in another event, or never
        raise Refused("advertisement told in parts")
    return int.from_bytes(event[at + 3 : at + 9], "little"), event[at + 24 : end], event[at + 13], end


def _service_data(mac: int, body: bytes, rssi: int) -> list[Heard]:
    """Remote ID among the structures of an advertisement."""
    found, at = [], 0
    while at < len(body) and body[at] and at + 1 + body[at] <= len(body):
        end = at + 1 + body[at]
        if body[at + 1 : at + 5] == BLE_ODID and end > at + 6:
            found.append(Heard(mac, body[at + 6 : end], rssi))
        at = end
    return found
