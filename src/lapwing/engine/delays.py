"""How old a feed's measurements are when they are received, and what that says of its clock.

What is seen is received minus measured: the way takes some time, and the feed's clock may be off. The least of the last
minute bounds both: below zero the feed's clock is ahead of ours by that much or more; above zero it is behind by that
much at most. Feeds that do not state the time (theirs is the time of receipt, to the nanosecond) say nothing, nor do
those whose times we make from a counter that began anywhere: their least is zero by the way it is made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from lapwing.records import Array, Decoded, Detections, Frame, Positions

COUNTERS = frozenset({"beast", "avr"})  # decoders
SMOOTHED_S = 10.0
HALF_NS = 30_000_000_000  # the least is that of one or two half minutes
SAID_S_MAX = 1e9  # of more is no sense to be made


@dataclass(frozen=True, slots=True)
class Delays:
    """Of one feed, in seconds; None: nothing known. `before_s` is the least of the half minute before this one."""

    now_s: float | None = None
    since_ns: int = 0
    least_s: float | None = None
    before_s: float | None = None

    @property
    def bound_s(self) -> float | None:
        """The least of the last half to whole minute."""
        known = [s for s in (self.least_s, self.before_s) if s is not None]
        return min(known, default=None)


def delayed(known: Delays, decoded: Decoded, frames: Sequence[Frame], to_ns: int, dt_s: float) -> Delays:
    """The delays after the frames of one tick. Refuses nothing."""
    if to_ns - known.since_ns >= HALF_NS:
        stale = to_ns - known.since_ns >= 2 * HALF_NS
        known = Delays(known.now_s, to_ns, None, None if stale else known.least_s)
    seen = _seen_s(decoded, frames)
    if not len(seen):
        return known
    weight, middle = 1.0 - math.exp(-dt_s / SMOOTHED_S), float(np.median(seen))
    now_s = middle if known.now_s is None else known.now_s + weight * (middle - known.now_s)
    least_s = float(seen.min())
    if known.least_s is not None:
        least_s = min(least_s, known.least_s)
    return Delays(now_s, known.since_ns, least_s, known.before_s)


def reception(frames: Sequence[Frame], seq: Int64[Array, " n"]) -> tuple[Int64[Array, " n"], Bool[Array, " n"]]:
    """When the frames of these numbers were received, and whether each is among `frames`, of which there is one or more
    in order of their numbers; where it is not, the time means nothing."""
    came = np.array([(f.seq, f.received_ns) for f in frames])
    at = np.minimum(np.searchsorted(came[:, 0], seq), len(came) - 1)
    return came[at, 1], came[at, 0] == seq


def _seen_s(decoded: Decoded, frames: Sequence[Frame]) -> Float64[Array, " n"]:
    """Received minus measured of every row whose frame came in this tick and which states a time of its own."""
    parts: list[Positions | Detections] = [decoded.positions, *decoded.scans]
    seq = np.concatenate([p.frame_seq for p in parts])
    if not frames or not len(seq):
        return np.empty(0)
    received_ns, here = reception(frames, seq)
    late_ns = (received_ns - np.concatenate([p.time_ns for p in parts]))[here]
    said = (late_ns != 0) & (np.abs(late_ns) < SAID_S_MAX * 1e9)
    return np.asarray(late_ns[said] * 1e-9)
