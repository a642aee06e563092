"""Positions that a feed kept back and now delivers all at once: who was there is known, when is not.

A feed that states no time of its own is stamped as it comes. When its link (or this machine) stood for a while, minutes
of positions come within a second: true places at wrong times, which look like jumps of everybody at once. So after a
silence that is too long for chance, reports stamped by reception are not used and counted as faults, until a second
passes in which no more positions came than usual. Axis: n reports.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from lapwing.engine.delays import reception
from lapwing.records import Array, Decoded, Fault, Frame, Positions
from lapwing.records.reports import POSITION_COLUMNS, TEXT_COLUMNS, VALUE_COLUMNS, Texts, Values

REASON = "position without a time, delivered in one burst after a silence"
MEMORY_S = 60.0  # of the usual rate
SILENT_S = 5.0  # shorter silences are let pass
MISSED = 10.0  # and those in which fewer reports were due: chance leaves out ten once in 20,000 times
WINDOW_S = 1.0
USUAL = 3.0  # times the usual rate,
SPARE = 5.0  # and so many reports, are no burst
LASTS_S_MAX = 60.0  # what goes on for longer is the new usual


@dataclass(frozen=True, slots=True)
class Burst:
    """Of one feed. `returned_ns` 0: no burst is under way."""

    rate_hz: float = 0.0  # usual reports per second
    heard_ns: int = 0  # the last report
    returned_ns: int = 0
    window_ns: int = 0  # when the window began in which reports are counted
    reports: int = 0


def in_time(known: Burst, decoded: Decoded, frames: Sequence[Frame], to_ns: int) -> tuple[Burst, Decoded]:
    """What is known after the frames of one tick, and what they said without what came in a burst."""
    stamped = _stamped(decoded.positions, frames)
    count = int(np.count_nonzero(stamped))
    if not known.returned_ns:
        known = _usual(known, count, to_ns)
    if not known.returned_ns:
        return known, decoded
    after = replace(known, reports=known.reports + count, heard_ns=to_ns if count else known.heard_ns)
    open_s = (to_ns - after.window_ns) * 1e-9
    if open_s >= WINDOW_S:
        calm = after.reports <= USUAL * after.rate_hz * open_s + SPARE
        if calm or (to_ns - after.returned_ns) * 1e-9 > LASTS_S_MAX:
            after = Burst(after.rate_hz, after.heard_ns)
        else:
            after = replace(after, window_ns=to_ns, reports=0)
    return after, _without(decoded, frames)


def _usual(known: Burst, count: int, to_ns: int) -> Burst:
    """The rate, or that the feed came back after a silence in which at least MISSED reports were due."""
    if not count:
        return known
    apart_s = max(to_ns - known.heard_ns, 1) * 1e-9
    if known.heard_ns == 0:
        return replace(known, heard_ns=to_ns)
    if apart_s >= SILENT_S and apart_s * known.rate_hz >= MISSED:
        return replace(known, heard_ns=to_ns, returned_ns=to_ns, window_ns=to_ns, reports=0)
    weight = 1.0 - math.exp(-apart_s / MEMORY_S)
    return replace(known, heard_ns=to_ns, rate_hz=known.rate_hz + weight * (count / apart_s - known.rate_hz))


def _stamped(rows: Positions | Values | Texts, frames: Sequence[Frame]) -> Bool[Array, " n"]:
    """Whose time is the reception of the frame that ended them, to the nanosecond: nobody said it."""
    if not frames or not len(rows):
        return np.zeros(len(rows), bool)
    received_ns, here = reception(frames, rows.frame_seq)
    return np.asarray(here & (received_ns == rows.time_ns))


def _without(decoded: Decoded, frames: Sequence[Frame]) -> Decoded:
    p, v, t = decoded.positions, decoded.values, decoded.texts
    late, of_values, of_texts = _stamped(p, frames), _stamped(v, frames), _stamped(t, frames)
    faults = (Fault(REASON, int(np.count_nonzero(late)), int(p.frame_seq[late][0]), b""),) if late.any() else ()
    time_ns, frame_seq, source, address, word = (getattr(t, name)[~of_texts] for name in TEXT_COLUMNS)
    words = tuple(text for text, gone in zip(t.text, of_texts, strict=True) if not gone)
    return replace(
        decoded,
        positions=Positions(*(getattr(p, name)[~late] for name in POSITION_COLUMNS)),
        values=Values(*(getattr(v, name)[~of_values] for name in VALUE_COLUMNS)),
        texts=Texts(time_ns, frame_seq, source, address, word, words),
        faults=decoded.faults + faults,
    )
