"""Statistics of a period as JSON and as text: what `lapwing stats` and GET /v1/stats share."""

from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import polars as pl

from lapwing.engine.presence import WHO, Presence
from lapwing.engine.statistics import AlarmStatistics, Statistics, alarm_statistics, statistics, watched_s
from lapwing.integrity.cells import boundaries, hexes
from lapwing.records import Priority
from lapwing.serve.acts import read_acts
from lapwing.serve.handover import load_told
from lapwing.serve.searching import BadQuestion
from lapwing.serve.wire_text import word

DAY_NS = 86_400 * 10**9
DAYS_MAX = 31
CELLS_MAX = 4_000
VISITORS_MAX = 200
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
Json = dict[str, Any]


class Past(Protocol):
    """What statistics need. May be called from any thread."""

    def presence(self) -> Presence:
        """The index."""

    def alarms(self, since_ns: int, until_ns: int) -> pl.DataFrame:
        """Alarms raised in an interval, as they were last seen."""


def timezone(name: str) -> tzinfo:
    """A time zone by its name (IANA). Raises BadQuestion."""
    if name in ("", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise BadQuestion(f"there is no time zone {name[:40]!r} on this machine; write it like Europe/Oslo") from None


def stats(past: Past, acts: Path | None, span: tuple[int, int], zone: str = "", days_max: int = DAYS_MAX) -> Json:
    """Everything, as JSON. Raises BadQuestion, ActError, OSError."""
    since, until = span
    if not 0 <= since < until <= since + days_max * DAY_NS:
        raise BadQuestion(f"the time must end after it begins, at most {days_max} days later")
    tz = timezone(zone)

    def slot(time_ns: int) -> tuple[int, int, int]:
        local = datetime.fromtimestamp(time_ns // 10**9, tz)
        return local.weekday(), local.hour, local.toordinal()

    s = statistics(past.presence(), since, until, slot)
    alarms = past.alarms(since, until)
    done = () if acts is None else read_acts(acts, set(alarms["alarm_id"].to_list()), until)
    seen = {a.alarm for a in done if a.verb == "acknowledge"}
    a = alarm_statistics(alarms, seen, since, until, watched_s(past.presence(), since, until))
    return {
        "since_ns": str(since),
        "until_ns": str(until),
        "timezone": zone or "UTC",
        "watched_h": round(s.watched_min / 60.0, 2),
        "identities": dict(zip(WHO, s.identities.tolist(), strict=True)),
        "identities_complete": not s.identities_left_out,
        "heat": _heat(s.cells),
        "hours": _hours(s),
        "visitors": _visitors(s.visitors),
        "visitors_left_out": max(len(s.visitors) - VISITORS_MAX, 0),
        "feeds": _feeds(s.feeds),
        "alarms": _alarms(a, alarms),
    }


def _heat(cells: pl.DataFrame) -> Json:
    """Cells with the minutes in which somebody was there, tracks and claims apart; the busiest."""
    track, claim = (pl.col("minutes").filter(which).sum() for which in (pl.col("who") == 0, pl.col("who") != 0))
    whole = cells.group_by("cell").agg(track.alias("track"), claim.alias("claim"))
    order = [pl.max_horizontal("track", "claim"), pl.col("cell")]
    top = whole.sort(order, descending=[True, False]).head(CELLS_MAX)
    ids = top["cell"].to_numpy()
    return {
        "hex": hexes(ids),
        "track_min": top["track"].to_list(),
        "claim_min": top["claim"].to_list(),
        "rings": boundaries(ids) if len(ids) else [],
        "left_out": max(len(whole) - CELLS_MAX, 0),
    }


def _hours(s: Statistics) -> Json:
    """Per weekday and hour: how many such hours the site ran in, and the mean number of different identities in one of
    them (null where there is none)."""
    told: Json = {"watched": s.slots.tolist()}
    for k, who in enumerate(WHO):
        told[who] = [
            [round(n / hours, 2) if hours else None for n, hours in zip(ns, row, strict=True)]
            for ns, row in zip(s.present[:, :, k].tolist(), s.slots.tolist(), strict=True)
        ]
    return told


def _visitors(rows: pl.DataFrame) -> list[Json]:
    return [
        {
            "who": WHO[r["who"]],
            "id": r["id"],
            "name": r["name"],
            "days": r["days"],
            "minutes": r["minutes"],
            "first_ns": str(r["first_ns"]),
            "last_ns": str(r["last_ns"]),
        }
        for r in rows.head(VISITORS_MAX).iter_rows(named=True)
    ]


def _feeds(rows: pl.DataFrame) -> list[Json]:
    return [
        {
            "feed": r["feed"],
            "watched_min": r["watched"],
            "silent_min": r["silent"],
            "uptime": round(1.0 - r["silent"] / r["watched"], 5) if r["watched"] else None,
            "messages": r["messages"],
            "faults": r["faults"],
        }
        for r in rows.iter_rows(named=True)
    ]


def _alarms(a: AlarmStatistics, rows: pl.DataFrame) -> Json:
    n = a.load.alarms

    def part(count: int) -> float | None:
        return round(count / n, 4) if n else None

    def counts(column: str) -> dict[Any, int]:
        found = rows.group_by(column).len().sort("len", column, descending=[True, False]).head(50)
        return dict(zip(found[column].to_list(), found["len"].to_list(), strict=True))

    return {
        "load": load_told(a.load),
        "per_hour": a.per_hour.tolist(),
        "by_priority": {word(Priority, p): count for p, count in counts("priority").items()},
        "by_rule": counts("rule"),
        "by_zone": {zone or "(none)": count for zone, count in counts("zone").items()},
        "acknowledged_share": part(a.acknowledged),
        "cleared_unseen_share": part(a.cleared_unseen),
        "fleeting_share": part(a.fleeting),
        "again_share": part(a.again),
    }


def text(told: Json) -> str:
    """For a terminal."""
    load, alarms = told["alarms"]["load"], told["alarms"]
    who = ", ".join(f"{n} {name}" for name, n in told["identities"].items())
    average = f"{load['average_10_min']:.2f} in ten minutes on average (target: under 1)"
    lines = [f"watched {told['watched_h']:g} hours; {who}"]
    lines.append(f"alarms: {load['alarms']}, {average}, {load['peak_10_min']} at most")
    if load["alarms"]:
        names = ("acknowledged", "cleared_unseen", "fleeting", "again")
        lines.append("  " + ", ".join(f"{n.replace('_', ' ')} {alarms[f'{n}_share']:.0%}" for n in names))
        lines += [f"  {count:6d}  {rule}" for rule, count in alarms["by_rule"].items()]
    lines.append("feeds:")
    for f in told["feeds"]:
        counts = f"{f['messages']} messages, {f['faults']} refused"
        lines.append(f"  {f['feed']}: up {f['uptime']:.2%} of {f['watched_min']} minutes, {counts}")
    lines.append(f"seen on two days or more: {len(told['visitors']) + told['visitors_left_out']}")
    lines += [
        f"  {v['days']} days  {v['who']} {v['name'] or v['id']}, {v['minutes']} min" for v in told["visitors"][:20]
    ]
    lines.append(f"tracks an hour, by hour of the day ({told['timezone']}):")
    for hour in range(24):
        some = [row[hour] for row in told["hours"]["track"] if row[hour] is not None]
        if some:
            mean = sum(some) / len(some)
            lines.append(f"  {hour:02d}  {mean:7.1f}  {'#' * min(round(mean), 60)}")
    return "\n".join(lines)
