"""AIS as NMEA 0183 lines: AIVDM and AIVDO of any talker, in one or several parts, with or without tag blocks.

The time is the tag block's `c:`, else ours. Refuses lines without a right checksum, empty payloads, parts that do not
belong together. Other sentences and comments are passed over. Remembers at most 64 unfinished messages, each for the
next 256 sentences.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import xor
from typing import final

from lapwing.decode.ais import bits_of, message
from lapwing.decode.faults import Refusals
from lapwing.decode.lines import lines
from lapwing.decode.rows import Rows
from lapwing.records import Decoded, Frame

LONGEST = 1024
PARTS_MAX = 64
SENTENCES_MAX = 256
PAYLOAD_MAX = 400  # characters in all; the longest AIS message has 168
SECONDS_MAX = 4e9

SENTENCE = re.compile(rb"!([A-Z]{2})VD[MO],([1-9]),([1-9]),(\d?),([AB12C]?),([^,*]*),([0-5])\*([0-9A-Fa-f]{2})")
TAG = re.compile(rb"\\([^\\]*)\*([0-9A-Fa-f]{2})\\")
TAG_TIME = re.compile(rb"(?:^|,)c:(\d{9,13})(?:,|$)")


@dataclass(frozen=True, slots=True)
class Part:
    """An unfinished message: the parts heard so far ("" = not yet)."""

    key: str
    born: int  # the sentence that began it
    time_ns: int
    payload: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NmeaState:
    """An unfinished line, unfinished messages (oldest first), and the count of sentences."""

    tail: bytes = b""
    parts: tuple[Part, ...] = ()
    sentences: int = 0


@final
@dataclass(frozen=True, slots=True)
class NmeaDecoder:
    """Claims of an AIS feed."""

    feed: str

    def start(self) -> NmeaState:
        """Nothing heard."""
        return NmeaState()

    def decode(self, state: NmeaState, frames: Sequence[Frame]) -> tuple[NmeaState, Decoded]:
        """Claims of all messages that are complete."""
        refusals, rows = Refusals(), Rows()
        tail, found = lines(state.tail, frames, LONGEST, refusals)
        state = replace(state, tail=tail)
        for frame, line in found:
            state, reason = _line(state, frame, line, rows)
            if reason:
                refusals.add(reason, frame.seq, line)
        return state, replace(rows.decoded(), faults=refusals.faults())


def checksum(text: bytes) -> int:
    """XOR of all bytes."""
    return reduce(xor, text, 0)


def _tag_time(line: bytes) -> tuple[int, str]:
    """(UTC of the tag block or 0, the reason when the block is refused)."""
    tag = TAG.match(line)
    if tag is None:
        return 0, "tag block not closed"
    if checksum(tag[1]) != int(tag[2], 16):
        return 0, "tag block checksum does not match"
    said = TAG_TIME.search(tag[1])
    if said is None:
        return 0, ""
    seconds = int(said[1])
    time_ns = seconds * (1_000_000 if len(said[1]) > 10 else 1_000_000_000)
    return (time_ns, "") if time_ns <= SECONDS_MAX * 1e9 else (0, "tag block time out of range")


def _line(state: NmeaState, frame: Frame, line: bytes, rows: Rows) -> tuple[NmeaState, str]:
    time_ns, reason = _tag_time(line) if line.startswith(b"\\") else (0, "")
    if reason:
        return state, reason
    at = line.find(b"!")
    if at < 0:
        return state, "" if line[:1] in (b"#", b"$", b"\\") else "not an AIS sentence"
    found = SENTENCE.match(line, at)
    if found is None:
        return state, "not an AIS sentence"
    if checksum(line[at + 1 : found.end() - 3]) != int(found[8], 16):
        return state, "checksum does not match"
    total, part, payload = int(found[2]), int(found[3]), found[6].decode("latin-1")
    if not payload:
        return state, "empty payload"
    state = replace(state, sentences=state.sentences + 1)
    if total == 1:
        return state, _payload(payload, int(found[7]), time_ns or frame.received_ns, frame, rows)
    key = b" ".join((found[1], found[4], found[5], found[2])).decode("latin-1")
    whole, state, reason = _join(state, key, total, part, payload, time_ns)
    if whole is None:
        return state, reason
    return state, _payload(
        "".join(whole.payload), int(found[7]) if part == total else 0, whole.time_ns or frame.received_ns, frame, rows
    )


def _payload(payload: str, fill: int, time_ns: int, frame: Frame, rows: Rows) -> str:
    if len(payload) > PAYLOAD_MAX:
        return "AIS message too long"
    bits = bits_of(payload, fill)
    if bits is None:
        return "payload character without a meaning"
    return message(bits, time_ns, frame.seq, rows)


def _join(
    state: NmeaState, key: str, total: int, part: int, payload: str, time_ns: int
) -> tuple[Part | None, NmeaState, str]:
    """The message, if this part completes it; the state with or without it."""
    if part > total:
        return None, state, "part number above the total"
    young = tuple(p for p in state.parts if p.born > state.sentences - SENTENCES_MAX)
    mine = [p for p in young if p.key == key]
    rest = tuple(p for p in young if p.key != key)
    before = mine[0] if mine and not mine[0].payload[part - 1] else Part(key, state.sentences, 0, ("",) * total)
    joined = replace(
        before,
        time_ns=before.time_ns or time_ns,
        payload=(*before.payload[: part - 1], payload, *before.payload[part:]),
    )
    if all(joined.payload):
        return joined, replace(state, parts=rest), ""
    return None, replace(state, parts=(*rest, joined)[-PARTS_MAX:]), ""
