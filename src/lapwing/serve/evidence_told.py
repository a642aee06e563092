"""What an excerpt of a journal tells when it is run again: whether its pictures are the recorded ones, and its tracks,
alarms and feeds. Who freezes evidence and who verifies it run this same function, so every table and the report in an
evidence file can be made again from the raw bytes in it and compared.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from lapwing.engine import codec
from lapwing.engine.history import History
from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.replay import base, replay
from lapwing.engine.told import told_feeds
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Alarms, AlarmState, Array, FeedHealth, Picture, Priority, Site, Subject
from lapwing.records.alarms import Alarm
from lapwing.serve.acts import Act
from lapwing.serve.export import WRITERS, Line
from lapwing.serve.export_paths import moment
from lapwing.serve.replaying import planned, progress

HISTORY_TICKS = 5
FLUSH_TICKS = 500
ALARMS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Told:
    """The result of one run."""

    site: Site
    site_text: str
    ticks: int  # run again, those before the interval included
    compared: int  # ticks with a recorded digest
    difference: int | None  # the first tick whose picture is not the recorded one; the run ends there
    after_tick: int  # the run began after this tick
    shown_ticks: tuple[int, int]  # first and last picture of the interval
    frames: tuple[int, int]  # first and last journal entry
    shown: tuple[int, int]  # and their time_ns
    alarms: tuple[Alarm, ...]  # all that were in a picture of the interval, as last seen
    feeds: tuple[FeedHealth, ...]  # at the end
    rows: dict[str, Array]  # history of the interval
    left_out: tuple[str, ...] = ()  # feeds of which the bytes, and who flies, were left out


def tell(folder: Path, scratch: Path, since_ns: int, until_ns: int) -> Told:
    """Run an excerpt again; `scratch` is an empty folder for what does not fit memory. Raises JournalError."""
    with Journal(folder, write=False) as journal:
        plan, text = planned(journal)
        left_out = tuple(sorted(told_feeds(journal)))
        history = History(scratch, plan.site.origin)
        alarms: dict[int, Alarm] = {}
        ticks, compared, difference, last_seq = 0, 0, None, 0
        shown: list[tuple[int, int]] = []
        feeds: tuple[FeedHealth, ...] = ()
        before = base(journal, plan, newest=False)
        for row in replay(journal, plan, before):
            ticks += 1
            progress(ticks, row.tick.tick)
            if row.tick.digest is not None:
                compared += 1
                if codec.digest(row.picture) != row.tick.digest:
                    difference = row.tick.tick
                    break
            last_seq = row.tick.through_seq
            if since_ns <= row.picture.time_ns < until_ns:
                now = (row.tick.tick, row.picture.time_ns)
                shown = [shown[0] if shown else now, now]
                feeds = row.picture.feeds
                _note(row.picture, history, alarms)
    progress(0, 0)
    first, last = shown or [(0, 0), (0, 0)]
    return Told(
        site=plan.site,
        site_text=text,
        ticks=ticks,
        compared=compared,
        difference=difference,
        after_tick=before.tick,
        shown_ticks=(first[0], last[0]),
        frames=(before.through_seq + 1, last_seq),
        shown=(first[1], last[1]),
        alarms=tuple(alarms[i] for i in sorted(alarms)),
        feeds=feeds,
        rows=history.query(since_ns, until_ns),
        left_out=left_out,
    )


def _note(picture: Picture, history: History, alarms: dict[int, Alarm]) -> None:
    """Remember one picture of the interval."""
    if picture.tick % HISTORY_TICKS == 0:
        history.add(picture)
    if picture.tick % FLUSH_TICKS == 0:
        history.flush()
    for i, ident in enumerate(picture.alarms.alarm_id.tolist()):
        alarms[ident] = _alarm(picture.alarms, i)
    if len(alarms) > ALARMS_MAX:
        raise JournalError(f"the interval has more than {ALARMS_MAX} alarms; take a shorter one")


def _alarm(alarms: Alarms, i: int) -> Alarm:
    values = {f.name: getattr(alarms, f.name)[i] for f in fields(Alarm)}
    plain = {name: v.item() if isinstance(v, np.generic) else v for name, v in values.items()}
    plain["subject"], plain["state"] = Subject(plain["subject"]), AlarmState(plain["state"])
    plain["priority"] = Priority(plain["priority"])
    return Alarm(**plain)


def act_lines(acts: Iterable[Act]) -> Iterator[str]:
    """People's acts, one JSON object a line."""
    for act in acts:
        yield json.dumps(asdict(act), sort_keys=True) + "\n"


def acts_of(text: str) -> tuple[Act, ...]:
    """Back from `act_lines`. Raises ValueError."""
    try:
        acts = tuple(Act(**json.loads(line)) for line in text.splitlines())
        if not all(type(getattr(act, f.name)) is f.type for act in acts for f in fields(act)):
            raise ValueError("a value of another kind")
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return acts


def tables(told: Told) -> dict[str, Callable[[], Iterator[str]]]:
    """The tables of an evidence file by member name: tracks and claims once a second, and alarms."""
    return {
        "alarms.csv": lambda: _alarm_lines(told),
        "tracks.csv": lambda: WRITERS[".csv"](told.rows),
        "tracks.geojson": lambda: WRITERS[".geojson"](told.rows),
    }


HEADER = "alarm priority rule zone subject subject_id state raised updated cleared latitude_deg longitude_deg reason"


def _alarm_lines(told: Told) -> Iterator[str]:
    line = Line()
    writer = csv.writer(line)
    writer.writerow([*HEADER.split(), "frames"])
    yield line.text
    o = told.site.origin
    origin = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
    for a in told.alarms:
        lat, lon, _ = np.degrees(enu_to_geodetic(origin, np.array([[a.east_m, a.north_m, 0.0]])))[:, 0].tolist()
        what = [a.alarm_id, a.priority.name.lower(), a.rule, a.zone, a.subject.name.lower(), a.subject_id]
        when = [a.state.name.lower(), *(moment(t) if t else "" for t in (a.raised_ns, a.updated_ns, a.cleared_ns))]
        writer.writerow([*what, *when, f"{lat:.6f}", f"{lon:.6f}", a.reason, " ".join(map(str, a.frame_seq))])
        yield line.text
