"""Recordings: files as timed chunks, so that a recorded site runs through the same journal and tick as a live one.

One reader per recorded form: Beast (times from its 12 MHz counter), lines with their own time (Mode S with a
timestamp, NMEA with a tag block), readsb traces (one row at a time), captured datagrams and radio
frames (pcap, pcapng), JSON objects with a timestamp. Files may be gzipped.
A file that is not what its name says raises RecordingError naming the file and what was expected.
"""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from heapq import merge
from pathlib import Path
from typing import BinaryIO, cast

from lapwing.decode.faults import Refusals
from lapwing.decode.objects import objects
from lapwing.decode.pcap import MAGIC, NO_LINK, SECTION, Capture, Step, steps
from lapwing.decode.sapient_wire import cut, parse, time_ns
from lapwing.records import FeedConfig, Frame
from lapwing.serve.inbox import Chunk

EPOCH_NS = 946_684_800_000_000_000  # 2000-01-01: when a recording without dates and without `start` begins
SPACING_NS = 100_000_000  # between lines that carry no time
TRACE_BYTES_MAX = 256 << 20
LINE_BYTES_MAX = 65_536


class RecordingError(Exception):
    """The file cannot be read as what the site says it is."""


def chunks(feeds: tuple[FeedConfig, ...]) -> Iterator[Chunk]:
    """All recordings of a site, merged by time."""
    return merge(*(read(f) for f in feeds), key=lambda chunk: chunk[1])


def read(feed: FeedConfig) -> Iterator[Chunk]:
    """One recording, its times never going back. Raises RecordingError."""
    path = Path(feed.path)
    last = 0
    try:
        with _opened(path) as file:
            for time_ns, data in _reader(feed)(file, feed):
                last = max(last, time_ns)
                yield feed.feed, last, data
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(f"{path}: the gzip file is damaged or cut off ({error})") from error
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from error


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _reader(feed: FeedConfig) -> Callable[[BinaryIO, FeedConfig], Iterator[tuple[int, bytes]]]:
    name = feed.path.removesuffix(".gz")
    if feed.decoder == "beast":
        return _beast
    if feed.decoder == "trace":
        return _trace
    if feed.decoder == "asterix":
        return _pcap if name.endswith((".pcap", ".cap", ".pcapng")) else _asterix_blocks
    if feed.decoder == "sapient":
        return _sapient
    if feed.decoder == "remoteid":
        return _capture
    if feed.decoder == "dronescout":
        return _objects
    if feed.decoder == "readsb":
        return _document
    return _lines


def _beast(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[int, bytes]]:
    """Cut before each frame's escape byte; time is the counter's, from the first frame on."""
    data = file.read()
    starts = [m.start() for m in re.finditer(rb"(?<!\x1a)(?:\x1a\x1a)*\x1a(?=[123])", data)]
    if not starts:
        raise RecordingError(f"{feed.path}: not a Beast recording (no frame marker in it)")
    first, at, time_ns = None, 0, feed.start_ns or EPOCH_NS
    begin = time_ns
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        body = data[start + 2 : start + 16].replace(b"\x1a\x1a", b"\x1a")
        counter = int.from_bytes(body[:6], "big") if len(body) >= 6 else 0
        first = counter if first is None else first
        elapsed_ns = (counter - first) * 1000 // 12
        if 0 <= elapsed_ns < 10 * 86_400 * 10**9:
            time_ns = begin + elapsed_ns
        yield time_ns, data[at:end]
        at = end


STAMP = re.compile(
    rb'^(?:@?(?P<unix>\d{9,10}\.\d+)|\{"time(?:stamp)?": ?(?P<json>\d{9,10}(?:\.\d+)?)|.*?\\[^*\\]*c:(?P<tag>\d{9,13}))'
)
JSON_FRAME = re.compile(rb'"frame": ?"([0-9a-fA-F]{14,28})"')


def _lines(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[int, bytes]]:
    """Line by line; a line without its own time follows the one before."""
    time_ns, spacing = feed.start_ns or EPOCH_NS, 0
    for raw in iter(lambda: file.readline(LINE_BYTES_MAX), b""):
        cut = len(raw) < LINE_BYTES_MAX and not raw.endswith(b"\n")  # the last line of a file that does not end one
        match, line = STAMP.match(raw), raw + b"\n" if cut else raw
        if match and match["json"] and (frame := JSON_FRAME.search(raw)):
            line = match["json"] + b"," + frame[1] + b"\n"  # as the AVR decoder reads a recorded frame
        if match:
            time_ns, spacing = _stamp_ns(match), 0
        else:
            time_ns += spacing
            spacing = SPACING_NS
        yield time_ns, line


def _stamp_ns(match: re.Match[bytes]) -> int:
    text = match["unix"] or match["json"]
    if text:
        whole, _, part = text.partition(b".")
        return int(whole) * 10**9 + int(part[:9].ljust(9, b"0") or b"0")
    tag = int(match["tag"])
    return tag * 10**9 if tag < 10**11 else tag * 10**6


def _trace(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[int, bytes]]:
    """A readsb trace as one document per row, at the row's own time."""
    try:
        whole = json.loads(file.read(TRACE_BYTES_MAX))
        begin, rows = float(whole["timestamp"]), list(whole["trace"])
        head = {k: v for k, v in whole.items() if k != "trace"}
        for row in rows:
            yield round((begin + float(row[0])) * 1e9), json.dumps({**head, "trace": [row]}).encode()
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise RecordingError(f"{feed.path}: not a readsb trace ({error!r})") from error


def _document(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[int, bytes]]:
    """One aircraft.json, or several with one per line; time from its `now`."""
    data = file.read(TRACE_BYTES_MAX)
    for document in data.splitlines() if data.count(b'"now"') > 1 else [data]:
        match = re.search(rb'"now"\s*:\s*(\d{9,10}(?:\.\d+)?)', document)
        yield round(float(match[1]) * 1e9) if match else feed.start_ns or EPOCH_NS, document


def _asterix_blocks(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[int, bytes]]:
    """Bare data blocks (category, length) one after another, without times."""
    time_ns = feed.start_ns or EPOCH_NS
    data = file.read(TRACE_BYTES_MAX)
    while len(data) >= 3:
        length = int.from_bytes(data[1:3], "big")
        if length < 3:
            raise RecordingError(f"{feed.path}: not ASTERIX data blocks (a block of length {length})")
        yield time_ns, data[:length]
        data, time_ns = data[length:], time_ns + SPACING_NS


LINK_BYTES = {1: 14, 101: 0, 113: 16}
LINKS_READ = "Ethernet, raw IP, Linux cooked are"


def _packets(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[bytes, Step]]:
    """Each header, block and packet of a pcap or pcapng file with its bytes."""
    data, at = file.read(TRACE_BYTES_MAX), 0
    if data[:4] != SECTION and data[:4] not in MAGIC:
        raise RecordingError(f"{feed.path}: not a pcap file (nor pcapng)")
    for step in steps(Capture(), data):
        yield data[at : step.after], step
        at = step.after


def _capture(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[int, bytes]]:
    """A capture as it is, packet by packet at its capture time."""
    time_ns = feed.start_ns
    for raw, step in _packets(file, feed):
        if step.packet is not None and step.packet.time_ns:
            time_ns = step.packet.time_ns
        yield time_ns, raw


def _pcap(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[int, bytes]]:
    """UDP payloads of a capture (Ethernet, raw IP or Linux cooked), at their capture time."""
    for _, step in _packets(file, feed):
        link = step.packet.link if step.packet else step.capture.link
        if link != NO_LINK and link not in LINK_BYTES:
            raise RecordingError(f"{feed.path}: link type {link} is not supported ({LINKS_READ})")
        payload = _udp_payload(step.packet.data[LINK_BYTES[link] :]) if step.packet else b""
        if step.packet and payload:
            yield step.packet.time_ns, payload


def _sapient(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[int, bytes]]:
    """Framed messages at their own times."""
    found, _, reason = cut(file.read(TRACE_BYTES_MAX))
    if reason or not found:
        raise RecordingError(f"{feed.path}: not framed SAPIENT messages ({reason or 'none is whole'})")
    for raw in found:
        message, _ = parse(raw)
        yield time_ns(message) if message else 0, len(raw).to_bytes(4, "little") + raw


def _objects(file: BinaryIO, feed: FeedConfig) -> Iterator[tuple[int, bytes]]:
    """JSON objects with a `timestamp` in milliseconds, however they are laid out."""
    data, time_ns = file.read(TRACE_BYTES_MAX), feed.start_ns or EPOCH_NS
    _, found = objects(b"", [Frame(0, feed.feed, 0, data)], 65_536, Refusals())
    if not found:
        raise RecordingError(f"{feed.path}: no JSON object in it")
    for _, raw in found:
        match = re.search(rb'"timestamp"\s*:\s*(\d{12,13})\b', raw)
        time_ns = int(match[1]) * 10**6 if match else time_ns
        yield time_ns, raw


def _udp_payload(packet: bytes) -> bytes:
    """The payload of an IPv4 UDP packet, empty when it is something else."""
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != 17:
        return b""
    at = (packet[0] & 15) * 4
    length = int.from_bytes(packet[at + 4 : at + 6], "big")
    return packet[at + 8 : at + length]
