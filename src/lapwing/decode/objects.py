"""JSON objects of a byte stream, however they are laid out: one per line, glued together, or in a list over many lines.

Keeps one unfinished object, bounded; refuses longer ones. What stands between objects is passed over, and counted
when it is more than the commas and brackets of a list.
"""

import re
from collections.abc import Sequence

from lapwing.decode.faults import Refusals
from lapwing.records import Frame

_MARK = re.compile(rb'[{}"]')
_QUOTE = re.compile(rb'"|\\')
_BETWEEN = re.compile(rb"[^\s,\[\]]")


def objects(
    tail: bytes, frames: Sequence[Frame], longest: int, refusals: Refusals
) -> tuple[bytes, list[tuple[Frame, bytes]]]:
    """The new tail, and each complete object with the frame that completed it."""
    found: list[tuple[Frame, bytes]] = []
    for frame in frames:
        data, at = tail + frame.data, 0
        while True:
            begin = data.find(b"{", at)
            end = len(data) if begin < 0 else begin
            lost = len(_BETWEEN.findall(data, at, end))
            refusals.add("bytes outside a JSON object", frame.seq, data[at : at + 64], lost)
            at = end
            if begin < 0:
                break
            after = _end(data, begin, begin + longest)
            if after > 0:
                found.append((frame, data[begin:after]))
            elif len(data) - begin < longest:
                break
            else:
                refusals.add("JSON object too long", frame.seq, data[begin : begin + 64])
                after = begin + longest
            at = after
        tail = data[at:]
    return tail, found


def _end(data: bytes, begin: int, limit: int) -> int:
    """The index after the object that begins at `begin`, 0 when it does not end before `limit`."""
    depth, at = 0, begin
    while mark := _MARK.search(data, at, limit):
        at = mark.end()
        if mark[0] == b"{":
            depth += 1
        elif mark[0] == b"}":
            depth -= 1
            if depth == 0:
                return at
        else:
            while (quote := _QUOTE.search(data, at, limit)) and quote[0] == b"\\":
                at = quote.end() + 1
            if quote is None:
                return 0
            at = quote.end()
    return 0
