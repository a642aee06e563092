"""How many alarms a person had to take: averages, peaks and floods over fixed windows of ten minutes.

The measures are those that EEMUA 191 and ISA-18.2 ask for, by secondary sources; the targets are told beside them.
Every alarm counts once, when it is raised: an alarm that becomes more urgent keeps its number.
Axes: n alarms, w windows.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from lapwing.records import Array

WINDOW_NS = 600_000_000_000
AVERAGE_MAX = 1.0  # alarms in ten minutes, on average: the target
PEAK_MAX = 10  # in any ten minutes
FLOOD_BEGINS = 10  # more than this in a window begins a flood
FLOOD_ENDS = 5  # fewer than this in a window ends it


@dataclass(frozen=True, slots=True)
class Flood:
    """Windows in a row with more alarms than a person can take."""

    since_ns: int
    until_ns: int
    alarms: int


@dataclass(frozen=True, slots=True)
class AlarmLoad:
    """The load of one period. `watched_s` is the time that the averages are over."""

    alarms: int
    watched_s: float
    average_10_min: float
    peak_10_min: int  # in the busiest ten minutes, wherever they begin
    windows_over: int  # fixed windows with more than PEAK_MAX
    floods: tuple[Flood, ...]

    @property
    def longest(self) -> Flood | None:
        """The longest flood."""
        return max(self.floods, key=lambda f: f.until_ns - f.since_ns, default=None)


def alarm_load(
    raised_ns: Int64[Array, " n"], since_ns: int, until_ns: int, watched_s: float | None = None
) -> AlarmLoad:
    """The load of alarms raised in since_ns <= time < until_ns; averages over `watched_s`, or over the whole period."""
    raised = np.sort(raised_ns[(raised_ns >= since_ns) & (raised_ns < until_ns)])
    over_s = (until_ns - since_ns) * 1e-9 if watched_s is None else watched_s
    counts = np.bincount((raised - since_ns) // WINDOW_NS) if len(raised) else np.zeros(0, np.int64)
    in_reach = np.searchsorted(raised, raised + WINDOW_NS, side="left") - np.arange(len(raised))
    return AlarmLoad(
        alarms=len(raised),
        watched_s=over_s,
        average_10_min=len(raised) * 600.0 / over_s if over_s > 0 else 0.0,
        peak_10_min=int(in_reach.max(initial=0)),
        windows_over=int((counts > PEAK_MAX).sum()),
        floods=tuple(_floods(counts, since_ns, until_ns)),
    )


def _floods(counts: Int64[Array, " w"], since_ns: int, until_ns: int) -> list[Flood]:
    """Floods in the counts of windows from `since_ns` on."""
    out: list[Flood] = []
    began: int | None = None
    for w, count in enumerate([*counts.tolist(), 0]):  # after the last alarm it is quiet
        if began is None and count > FLOOD_BEGINS:
            began = w
        elif began is not None and count < FLOOD_ENDS:
            end_ns = min(since_ns + w * WINDOW_NS, until_ns)
            out.append(Flood(since_ns + began * WINDOW_NS, end_ns, int(counts[began:w].sum())))
            began = None
    return out
