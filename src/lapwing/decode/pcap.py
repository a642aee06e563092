"""Packets out of a capture stream: pcap and pcapng, files or what a live sniffer writes into a pipe.

The stream may be cut anywhere, may lose a piece and may begin anew: what does not fit is passed over byte by byte,
counted, until a header fits again. Refuses packets of more than 256 KiB. Layouts: the public pcap and pcapng formats.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lapwing.decode.faults import Refusals
from lapwing.records import Frame

PACKET_BYTES_MAX = 262_144
BLOCK_BYTES_MAX = PACKET_BYTES_MAX + 4096
INTERFACES_MAX = 64
SECTION = b"\x0a\x0d\x0d\x0a"
INTERFACE, SIMPLE, ENHANCED = 1, 3, 6
# first four bytes of a pcap file: byte order, nanoseconds per unit of its time fraction
MAGIC: dict[bytes, tuple[str, int]] = {
    b"\xa1\xb2\xc3\xd4": ("big", 1000),
    b"\xd4\xc3\xb2\xa1": ("little", 1000),
    b"\xa1\xb2\x3c\x4d": ("big", 1),
    b"\x4d\x3c\xb2\xa1": ("little", 1),
}
ANY_HEAD = re.compile(b"|".join(re.escape(head) for head in (*MAGIC, SECTION)))
NO_LINK = -1


@dataclass(frozen=True, slots=True)
class Capture:
    """What the headers said so far. pcap: `unit_ns` (0 = no header yet), `link`; pcapng: `interfaces`, each with its
    link type and its units per second."""

    big: bool = False
    unit_ns: int = 0
    link: int = NO_LINK
    section: bool = False
    interfaces: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Packet:
    """One captured packet; `time_ns` is the capturing machine's, 0 = it did not say."""

    link: int
    time_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """One header, block or packet passed: where it ends; or `lost` bytes that fit nothing."""

    capture: Capture
    after: int
    packet: Packet | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class CaptureState:
    """Headers, and an unfinished packet."""

    capture: Capture = Capture()
    tail: bytes = b""


def packets(
    state: CaptureState, frames: Sequence[Frame], refusals: Refusals
) -> tuple[CaptureState, list[tuple[Frame, Packet]]]:
    """The new state, and each complete packet with the frame that completed it."""
    found: list[tuple[Frame, Packet]] = []
    capture, tail = state.capture, state.tail
    for frame in frames:
        data, at, lost = tail + frame.data, 0, 0
        for step in steps(capture, data):
            capture, at = step.capture, step.after
            lost += step.lost
            if step.packet is not None:
                found.append((frame, step.packet))
        refusals.add("bytes outside a captured packet", frame.seq, frame.data, lost)
        tail = data[at:]
    return CaptureState(capture, tail), found


def steps(capture: Capture, data: bytes) -> Iterator[Step]:
    """Everything complete in `data`, in order."""
    at = 0
    while (step := _step(capture, data, at)) is not None:
        capture, at = step.capture, step.after
        yield step


def _step(capture: Capture, data: bytes, at: int) -> Step | None:
    """What begins at `at`, or None when more bytes are needed to tell."""
    head = data[at : at + 4]
    if len(head) < 4:
        return None
    if head in MAGIC:
        return _file_header(data, at, *MAGIC[head])
    if head == SECTION or capture.section:
        return _block(capture, data, at)
    if capture.unit_ns:
        return _record(capture, data, at)
    found = ANY_HEAD.search(data, at + 1)
    after = found.start() if found else max(at + 1, len(data) - 3)
    return Step(capture, after, lost=after - at)


def _number(data: bytes, at: int, size: int, big: bool) -> int:
    return int.from_bytes(data[at : at + size], "big" if big else "little")


def _file_header(data: bytes, at: int, order: str, unit_ns: int) -> Step | None:
    if len(data) < at + 24:
        return None
    big = order == "big"
    return Step(Capture(big, unit_ns, _number(data, at + 20, 4, big) & 0xFFFF), at + 24)


def _record(capture: Capture, data: bytes, at: int) -> Step | None:
    if len(data) < at + 16:
        return None
    seconds, fraction, kept, whole = (_number(data, at + i, 4, capture.big) for i in (0, 4, 8, 12))
    if not 0 < kept <= min(whole, PACKET_BYTES_MAX) or whole > 1 << 20 or fraction * capture.unit_ns >= 10**9:
        return Step(capture, at + 1, lost=1)
    end = at + 16 + kept
    if len(data) < end:
        return None
    time_ns = seconds * 10**9 + fraction * capture.unit_ns
    return Step(capture, end, Packet(capture.link, time_ns, data[at + 16 : end]))


def _block(capture: Capture, data: bytes, at: int) -> Step | None:
    if len(data) < at + 12:
        return None
    if data[at : at + 4] == SECTION:
        mark = data[at + 8 : at + 12]
        if mark not in (b"\x1a\x2b\x3c\x4d", b"\x4d\x3c\x2b\x1a"):
            return Step(capture, at + 1, lost=1)
        capture = Capture(big=mark == b"\x1a\x2b\x3c\x4d", section=True)
    big = capture.big
    kind, length = _number(data, at, 4, big), _number(data, at + 4, 4, big)
    if not 12 <= length <= BLOCK_BYTES_MAX or length % 4:
        return Step(capture, at + 1, lost=1)
    end = at + length
    if len(data) < end:
        return None
    if _number(data, end - 4, 4, big) != length:
        return Step(capture, at + 1, lost=1)
    body = data[at + 8 : end - 4]
    if kind == INTERFACE and len(body) >= 8 and len(capture.interfaces) < INTERFACES_MAX:
        about = (_number(body, 0, 2, big), _resolution(body, big))
        return Step(replace(capture, interfaces=(*capture.interfaces, about)), end)
    return Step(capture, end, _packet(capture, kind, body))


def _resolution(body: bytes, big: bool) -> int:
    """Time units per second of an interface: its option 9, or microseconds."""
    at = 8
    while at + 4 <= len(body):
        code, length = _number(body, at, 2, big), _number(body, at + 2, 2, big)
        if code == 9 and length == 1 and at + 5 <= len(body):
            exponent = body[at + 4] & 0x7F
            base = 2 if body[at + 4] & 0x80 else 10
            return int(base**exponent) if exponent <= 18 else 1_000_000
        at += 4 + length + (-length % 4)
    return 1_000_000


def _packet(capture: Capture, kind: int, body: bytes) -> Packet | None:
    """The packet of an enhanced or simple packet block whose interface was told."""
    big, known = capture.big, capture.interfaces
    if kind == ENHANCED and len(body) >= 20:
        interface, high, low, kept = (_number(body, i, 4, big) for i in (0, 4, 8, 12))
        if interface < len(known) and kept <= len(body) - 20:
            link, units = known[interface]
            return Packet(link, ((high << 32) + low) * 10**9 // units, body[20 : 20 + kept])
    if kind == SIMPLE and len(body) >= 4 and known:
        return Packet(known[0][0], 0, body[4 : 4 + _number(body, 0, 4, big)])
    return None
