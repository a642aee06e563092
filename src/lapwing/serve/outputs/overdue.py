"""Alarms that nobody has acknowledged for too long: what an output with `unacknowledged_s` is told of.

For a second person, or a siren: whoever need not hear of alarms that somebody has in hand. Times are the picture's.
"""

from collections.abc import Mapping

from lapwing.records import AlarmState, Picture
from lapwing.serve.acts import Act
from lapwing.serve.outputs.news import Listener
from lapwing.serve.outputs.outbox import News

SEEN = -1  # in place of a time: somebody had it in hand when last looked at
Key = tuple[int, int]  # raised_ns, alarm_id


def in_hand(acts: Mapping[str, Act], now_ns: int) -> bool:
    """Whether somebody has acknowledged an alarm, or put it aside until later, by the acts that stand about it."""
    shelf = acts.get("shelve")
    return "acknowledge" in acts or (shelf is not None and shelf.until_ns > now_ns)


class Overdue:
    """The clock of every standing alarm, for one output. It starts when the alarm is raised, and anew when nobody has
    it in hand any more: it became more urgent than what was acknowledged, or its shelf ran out. A restart forgets that
    second start, and tells earlier."""

    def __init__(self, limit_s: float, listener: Listener) -> None:
        self._limit_s, self._listener = limit_s, listener
        self._since_ns: dict[Key, int] = {}
        self._told: dict[Key, int] = {}  # the most urgent priority that was told

    def hear(self, picture: Picture, standing: Mapping[int, Mapping[str, Act]]) -> list[News]:
        """Alarms whose time is up in this picture, once per priority, as raised. Whether an earlier run has told them
        is for the outbox to know."""
        alarms, now = picture.alarms, picture.time_ns
        since: dict[Key, int] = {}
        told: dict[Key, int] = {}
        out = []
        for i in range(len(alarms)):
            if alarms.state[i] == AlarmState.CLEARED:
                continue
            ident, priority = int(alarms.alarm_id[i]), int(alarms.priority[i])
            key = (int(alarms.raised_ns[i]), ident)
            if key in self._told:
                told[key] = self._told[key]
            if in_hand(standing.get(ident, {}), now):
                since[key] = SEEN
                continue
            before = self._since_ns.get(key, key[0])
            since[key] = now if before == SEEN else before
            if now - since[key] >= self._limit_s * 1e9 and priority < told.get(key, priority + 1):
                told[key] = priority
                out.append(self._listener.news(alarms, i, "raised", now, self._limit_s))
        self._since_ns, self._told = since, told
        return out
