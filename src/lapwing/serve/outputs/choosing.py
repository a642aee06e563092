"""Which news an alarm output is told of.

The outbox is asked what it was told before, so that a restart changes nothing.
"""

import time
from collections.abc import Iterator
from dataclasses import replace

from lapwing.records import AlarmState, Picture, Priority
from lapwing.serve.acts import Acts
from lapwing.serve.outputs.entries_alarms import NO_ZONE, AlarmOutput
from lapwing.serve.outputs.outbox import News, Outbox, Waiting
from lapwing.serve.outputs.overdue import in_hand

SHELF_LOOK_NS = 5 * 10**9
DIGEST_MAX = 500  # news in one


def wanted(entry: AlarmOutput, news: News) -> bool:
    """Whether the output is for such alarms at all. A test is for all of them."""
    if news.event == "test":
        return True
    if entry.zones and (news.zone or NO_ZONE) not in entry.zones:
        return False
    return Priority[news.priority.upper()] <= Priority[entry.priority.upper()]


def together(entry: AlarmOutput, due: list[Waiting], outbox: Outbox, now_ns: int) -> list[Waiting]:
    """What is to be tried now: `due`, or everything that waited for the end of quiet hours, as one message."""
    if not entry.digests or not any(m.news.held_ns for m in due):
        return due
    return [m for m in outbox.due(entry.name, now_ns, DIGEST_MAX) if m.news.held_ns]


def runs(entry: AlarmOutput, news: list[News], outbox: Outbox) -> Iterator[list[News]]:
    """The news for one output, in parts: each part is to be in the outbox before the next is asked for.
    Raises sqlite3.Error."""
    mine = [n for n in news if wanted(entry, n)]
    if not entry.unacknowledged_s:
        yield mine
        return
    for one in mine:
        if one.event == "test":
            yield [one]
        elif one.event == "cleared":  # only what was told can be over
            if outbox.told(entry.name, one.alarm_key, ("sent", "waiting")):
                yield [one]
        elif one.unacknowledged_s:
            before = outbox.priority_raised(entry.name, one.alarm_key)
            if before != one.priority:
                yield [replace(one, event="escalated") if before else one]


def still_true(
    entry: AlarmOutput, due: list[Waiting], outbox: Outbox, now: tuple[Picture, Acts | None]
) -> list[Waiting]:
    """Of messages that waited, those that are still true; the others are withdrawn: meanwhile somebody has acknowledged
    the alarm, or it was cleared and had not been told. What is shelved waits for the end of its shelf.
    Raises sqlite3.Error."""
    picture, acts = now
    alarms = picture.alarms
    stands = {int(i) for i, state in zip(alarms.alarm_id, alarms.state, strict=True) if state != AlarmState.CLEARED}
    good = []
    for message in due:
        n = message.news
        if n.event == "test":
            why = ""
        elif n.event == "cleared":
            why = "" if outbox.told(entry.name, n.alarm_key) else "it was never told"
        elif n.alarm_id not in stands:
            why = "cleared before it was told"
        else:
            level = {n.alarm_id: int(Priority[n.priority.upper()])}
            done = {} if acts is None else acts.standing(level).get(n.alarm_id, {})
            why = "acknowledged before it was told" if "acknowledge" in done else ""
            if not why and in_hand(done, picture.time_ns):
                outbox.put_off(message, time.time_ns() + SHELF_LOOK_NS)
                continue
        if why:
            outbox.withdraw([message], why)
        else:
            good.append(message)
    return good
