"""Sources that go on and off: the looks of when one is off, which say nothing of where it is. Axes: o looks.

While a pulsed source is off, nearly everybody who was affected shortly before and is again shortly after is fine. One
who is alone in that is at the edge of its reach; only several at once are a source that is off. Once a source is known
to go on and off, moments at which few can tell are weighed too, and those of which nothing is known are left out.
Where that would leave hardly anybody affected, it is no source that goes on and off for all alike (they are affected in
turn, say, as by a beam that turns): then every look stays.
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
    pulses_min: int = 3  # moments that are off for certain, from which on a source goes on and off
    fine_on: float = 0.35  # share of those who can tell that is fine while such a source is on, measured
    wrong: float = 0.005  # share of looks that are simply wrong
    off_max: float = 0.1  # looks count where the source is off with at most this probability, even odds beforehand
    left_min: int = 3  # speakers affected while it is on: with fewer, it does not go on and off for all alike


def while_off(
    speaker: Int64[Array, " o"], time_ns: Int64[Array, " o"], affected: Bool[Array, " o"], settings: PulseSettings
) -> Bool[Array, " o"]:
    """Whether each look fell into a moment at which the source was off, or may well have been, where it is known to go
    on and off. Nowhere, where hardly anybody would be left who is affected. Rows by speaker, then time."""
    if not affected.any():
        return np.zeros(len(speaker), bool)
    reach_ns = int(settings.around_s * 1e9)
    last, following = (
        _last_hit(speaker, time_ns, affected),
        -_last_hit(-speaker[::-1], -time_ns[::-1], affected[::-1])[::-1],
    )
    before, after = time_ns - last <= reach_ns, following - time_ns <= reach_ns
    _, moment = np.unique(time_ns // int(settings.step_s * 1e9), return_inverse=True)
    told, fine = _counted(moment, affected | (before & after), affected)
    off = (told >= settings.at_least) & (fine >= settings.fine_min * told)
    if np.count_nonzero(off) >= settings.pulses_min:
        # at both ends of what is remembered, one side has to do
        early, late = time_ns - time_ns.min() < reach_ns, time_ns.max() - time_ns < reach_ns
        told, fine = _counted(moment, affected | (after & (before | early)) | (before & (after | late)), affected)
        odds = fine * np.log((1.0 - settings.wrong) / settings.fine_on)
        odds += (told - fine) * np.log(settings.wrong / (1.0 - settings.fine_on))
        off = odds > np.log(settings.off_max / (1.0 - settings.off_max))
    out = np.asarray(off[moment])
    left, all_of = (len(np.unique(speaker[rows])) for rows in (affected & ~out, affected))
    return out if left >= min(settings.left_min, all_of) else np.zeros(len(speaker), bool)


def _counted(
    moment: Int64[Array, " o"], telling: Bool[Array, " o"], affected: Bool[Array, " o"]
) -> tuple[Int64[Array, " t"], Int64[Array, " t"]]:
    """Per moment, how many can tell, and how many of them are fine."""
    return np.bincount(moment, telling).astype(np.int64), np.bincount(moment, telling & ~affected).astype(np.int64)


def _last_hit(
    speaker: Int64[Array, " o"], time_ns: Int64[Array, " o"], affected: Bool[Array, " o"]
) -> Int64[Array, " o"]:
    """Time of the speaker's last affected look so far, far in the past where there is none."""
    n = len(speaker)
    row = np.where(affected, np.arange(n), -1)
    last = np.maximum.accumulate(row)
    begin = np.maximum.accumulate(np.where(np.diff(speaker, prepend=speaker[:1] - 1) != 0, np.arange(n), 0))
    return np.where(last >= begin, time_ns[np.maximum(last, 0)], np.int64(-(2**62)))
