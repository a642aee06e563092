"""Several runs of one scenario together: the mean of every score, and what is counted over all runs at once, each with
a 95 % interval. Runs of different seeds are independent; what is within one run is not. Axes: k samples."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import binom, t

from lapwing_lab.located import Place
from lapwing_lab.score.alarms import wilson


class Interval(NamedTuple):
    """A number, between what it lies with 95 %, and of how many samples it is made."""

    value: float
    low: float
    high: float
    samples: int

    def text(self) -> str:
        """As in a table."""
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]" if self.samples > 1 else f"{self.value:.4g}"


def mean(values: Sequence[float]) -> Interval:
    """Mean with Student's interval, which takes it for normal: rough where few runs differ much. One value: no width is
    known, the interval is the value."""
    k, middle = len(values), float(np.mean(values))
    half = float(t.ppf(0.975, k - 1) * np.std(values, ddof=1) / np.sqrt(k)) if k > 1 else 0.0
    return Interval(middle, middle - half, middle + half, k)


def median(values: Sequence[float]) -> Interval:
    """Median of at least one value, and the order statistics between which it lies with about 95 %, whatever the
    distribution; of fewer than six values the least and the greatest, which hold it less surely."""
    k, ordered = len(values), np.sort(values)
    cut = max(int(binom.ppf(0.025, k, 0.5)), 1)
    return Interval(float(np.median(ordered)), float(ordered[cut - 1]), float(ordered[k - cut]), k)


def share(hits: int, trials: int) -> Interval:
    """A proportion with Wilson's interval."""
    return Interval(hits / trials if trials else 0.0, *wilson(hits, trials), trials)


def means(rows: Sequence[dict[str, float]]) -> dict[str, Interval]:
    """The mean of every score over the runs that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: mean([row[name] for row in rows if name in row]) for name in names}


def pooled(pictures: Sequence[dict[str, float]], places: Sequence[Place]) -> dict[str, Interval]:
    """What is counted over all runs: the share of zone entries that were warned of, and of those that were warned of
    before they happened where a run has one entry; of the `places` of named sources how far they are from the emitters
    (median), and how often the 50 % and the 90 % region holds one."""
    out = {}
    entries = int(sum(p.get("entries", 0.0) for p in pictures))
    if entries:
        out["entries_warned"] = share(entries - int(sum(p["entries_missed"] for p in pictures)), entries)
        one = [p for p in pictures if p.get("entries") == 1.0]
        early = sum(p["lead_s_min"] > 0.0 and p["entries_missed"] == 0.0 for p in one)
        out["entries_warned_before"] = share(early, len(one))
    if any("sources" in p for p in pictures):
        out["runs_with_source"] = share(sum(p.get("sources", 0.0) > 0.0 for p in pictures), len(pictures))
        if places:
            out["source_error_m_median"] = median([p.error_m for p in places])
            out["source_in_50_share"] = share(sum(p.in_50 for p in places), len(places))
            out["source_in_90_share"] = share(sum(p.in_90 for p in places), len(places))
    return out
