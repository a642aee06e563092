"""The hand-over of a shift: what was raised, who did what about it, what still stands, what could not be seen, and how
much it was to take. One value, from which JSON, text and a page to print are made (serve/handover_paper.py).

Reads the history of alarms and people's acts; reaches no engine. Times are the picture's. An alarm is told with the
most urgent priority that it ever had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from lapwing.engine.alarm_load import AVERAGE_MAX, PEAK_MAX, AlarmLoad, alarm_load
from lapwing.engine.presence import Presence
from lapwing.engine.statistics import watched_s
from lapwing.records import Priority, Site
from lapwing.serve.acts import NO_ALARM, Act, read_acts
from lapwing.serve.telling import told_act
from lapwing.serve.wire_text import kept_alarm, word

LOOK_BACK_NS = 31 * 86_400 * 10**9  # an alarm that was raised earlier and still stands is not found
ALARMS_MAX = 500
NOTES_MAX = 200  # of one alarm, of one shift
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shift:
    """What one hand-over is made of."""

    site: Site
    since_ns: int
    until_ns: int
    alarms: pl.DataFrame  # engine/alarm_history.py: raised up to LOOK_BACK_NS before, and in the period
    acts: Sequence[Act]  # about these alarms or none, before the end of the period, oldest first
    ran_s: float | None = None  # how long the site ran in the period; None = not known


class Past(Protocol):
    """Where it is looked. May be called from any thread."""

    def alarms(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Alarms raised in an interval, as they were last seen."""

    def presence(self) -> Presence:
        """The index, which knows when the site ran."""


def shift(past: Past, site: Site, period: tuple[int, int], acts_path: Path | None) -> Shift:
    """What is known of a period. Raises ActError, OSError."""
    alarms = past.alarms(max(period[0] - LOOK_BACK_NS, 0), period[1])
    about = {NO_ALARM, *alarms["alarm_id"].to_list()}
    acts = () if acts_path is None else read_acts(acts_path, about, period[1] + 1)
    return Shift(site, *period, alarms, acts, watched_s(past.presence(), *period))


def handover(s: Shift) -> Json:
    """Everything, as JSON; every time is a decimal string of nanoseconds, "0" = not yet."""
    known = s.alarms.filter(
        (pl.col("raised_ns") < s.until_ns) & ((pl.col("cleared_ns") == 0) | (pl.col("cleared_ns") >= s.since_ns))
    )
    acts = _by_alarm(s.acts)
    rows = [_alarm(row, acts.get(row["alarm_id"], []), s.until_ns) for row in known.iter_rows(named=True)]
    raised = [r for r in rows if int(r["raised_ns"]) >= s.since_ns]
    standing = [r for r in rows if r["standing"]]
    mine = [a for a in s.acts if s.since_ns < a.picture_ns]
    load = alarm_load(known["raised_ns"].to_numpy(), s.since_ns, s.until_ns, s.ran_s)
    notes = [a for a in s.acts if a.verb == "handover"]
    before = [a for a in notes if a.picture_ns <= s.since_ns]
    people = {verb: _count(mine, verb) for verb in ("acknowledge", "shelve", "unshelve", "note")}
    return {
        "site": s.site.name,
        "since_ns": str(s.since_ns),
        "until_ns": str(s.until_ns),
        "ran_s": s.ran_s,
        "counts": {
            "raised": len(raised),
            "by_priority": {
                word(Priority, p): sum(r["priority"] == word(Priority, p) for r in raised) for p in Priority
            },
            "standing": len(standing),
            "standing_unseen": sum(not r["acknowledged"] and not r["shelved"] for r in standing),
            "cleared_unseen": sum(not r["standing"] and not r["acknowledged"] for r in raised),
            "acts": people,
        },
        "load": load_told(load),
        "before": told_act(before[-1]) if before else None,
        "notes": [told_act(a) for a in notes if a.picture_ns > s.since_ns][-NOTES_MAX:],
        "standing": _urgent_first(standing),
        "raised": _urgent_first(raised),
        "left_out": max(len(raised) - ALARMS_MAX, 0) + max(len(standing) - ALARMS_MAX, 0),
        "sensors_lost": _lost(rows, s.site),
        "interference": [_region(r) for r in rows if r["subject"] == "region"][-ALARMS_MAX:],
        "tests": [told_act(a) for a in mine if a.verb == "test"][-NOTES_MAX:],
    }


def load_told(load: AlarmLoad) -> Json:
    """Alarm load beside its targets."""
    longest = load.longest
    return {
        "alarms": load.alarms,
        "watched_s": round(load.watched_s, 1),
        "average_10_min": round(load.average_10_min, 3),
        "average_10_min_target": AVERAGE_MAX,
        "average_met": load.average_10_min < AVERAGE_MAX,
        "peak_10_min": load.peak_10_min,
        "peak_10_min_target": PEAK_MAX,
        "peak_met": load.peak_10_min < PEAK_MAX,
        "windows_over": load.windows_over,
        "floods": len(load.floods),
        "longest_flood": None
        if longest is None
        else {"since_ns": str(longest.since_ns), "until_ns": str(longest.until_ns), "alarms": longest.alarms},
    }


def _by_alarm(acts: Sequence[Act]) -> Mapping[int, list[Act]]:
    out: dict[int, list[Act]] = {}
    for act in acts:
        if act.alarm != NO_ALARM:
            out.setdefault(act.alarm, []).append(act)
    return out


def _count(acts: Sequence[Act], verb: str) -> int:
    return sum(a.verb == verb for a in acts)


def _alarm(row: Mapping[str, Any], acts: Sequence[Act], until_ns: int) -> Json:
    """One alarm and what people did about it, up to the end of the period."""
    seen = [a for a in acts if a.verb == "acknowledge"]
    shelf = next((a for a in reversed(acts) if a.verb in ("shelve", "unshelve")), None)
    aside = shelf if shelf is not None and shelf.verb == "shelve" and shelf.until_ns > until_ns else None
    cleared = row["cleared_ns"] if 0 < row["cleared_ns"] < until_ns else 0
    return {
        "alarm": row["alarm_id"],
        **kept_alarm(row),
        "cleared_ns": str(cleared),
        "standing": cleared == 0,
        "acknowledged": told_act(seen[0]) if seen else None,
        "shelved": None if aside is None else told_act(aside),
        "notes": [told_act(a) for a in acts if a.note][-NOTES_MAX:],
    }


def _urgent_first(rows: Sequence[Json]) -> list[Json]:
    order = {word(Priority, p): int(p) for p in Priority}
    return sorted(rows, key=lambda r: (order.get(r["priority"], 9), -int(r["raised_ns"])))[:ALARMS_MAX]


def _lost(rows: Sequence[Json], site: Site) -> list[Json]:
    """Feeds that fell silent, and when they were back."""
    names = dict(enumerate(f.feed for f in site.feeds))
    return [
        {
            "feed": names.get(r["subject_id"], str(r["subject_id"])),
            "lost_ns": r["raised_ns"],
            "back_ns": r["cleared_ns"],
            "reason": r["reason"],
        }
        for r in rows
        if r["subject"] == "feed"
    ][-ALARMS_MAX:]


def _region(row: Json) -> Json:
    return {
        "region": row["subject_id"],
        "since_ns": row["raised_ns"],
        "until_ns": row["cleared_ns"],
        **{name: row[name] for name in ("latitude", "longitude", "reason", "alarm")},
    }
