"""Sources that go on and off: the looks of when one is off, which say nothing of where it is. Axes: o looks.

While a pulsed source is off, nearly everybody who was affected shortly before and is again shortly after is fine. One
who is alone in that is at the edge of its reach; only several at once are a source that is off.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from lapwing.records import Array


@dataclass(frozen=True, slots=True)
class PulseSettings:
    """How a source that is off is told."""

    step_s: float = 10.0  # looks this close in time are one moment
    around_s: float = 130.0  # affected within this before and after: an off time is shorter than twice this
    at_least: int = 5  # speakers who can tell
    fine_min: float = 0.75  # share of them who are fine


def while_off(
    speaker: Int64[Array, " o"], time_ns: Int64[Array, " o"], affected: Bool[Array, " o"], settings: PulseSettings
) -> Bool[Array, " o"]:
    """Whether each look fell into a moment at which the source was off. Rows by speaker, then time."""
    out = np.zeros(len(speaker), bool)
    if not affected.any():
        return out
    reach_ns = int(settings.around_s * 1e9)
    before, after = (
        _last_hit(speaker, time_ns, affected),
        -_last_hit(-speaker[::-1], -time_ns[::-1], affected[::-1])[::-1],
    )
    telling = affected | ((time_ns - before <= reach_ns) & (after - time_ns <= reach_ns))
    moment = time_ns // int(settings.step_s * 1e9)
    _, at = np.unique(moment, return_inverse=True)
    told = np.bincount(at, weights=telling)
    fine = np.bincount(at, weights=telling & ~affected)
    off = (told >= settings.at_least) & (fine >= settings.fine_min * told)
    return np.asarray(off[at])


def _last_hit(
    speaker: Int64[Array, " o"], time_ns: Int64[Array, " o"], affected: Bool[Array, " o"]
) -> Int64[Array, " o"]:
    """Time of the speaker's last affected look so far, far in the past where there is none."""
    n = len(speaker)
    row = np.where(affected, np.arange(n), -1)
    last = np.maximum.accumulate(row)
    begin = np.maximum.accumulate(np.where(np.diff(speaker, prepend=speaker[:1] - 1) != 0, np.arange(n), 0))
    return np.where(last >= begin, time_ns[np.maximum(last, 0)], np.int64(-(2**62)))
