"""From pictures to news: which alarms were raised, became more urgent, were cleared. Cheap."""

import numpy as np

from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Alarms, AlarmState, Picture, Priority, Site
from lapwing.serve.acts import NO_ALARM, Act
from lapwing.serve.outputs.outbox import News

REMEMBERED_MAX = 4_096
Known = dict[tuple[int, int], tuple[int, bool]]  # (raised_ns, alarm_id) -> most urgent priority told, cleared


class Listener:
    """What was told so far. The store refuses what an earlier run has told."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: Known = {}

    def hear(self, picture: Picture) -> list[News]:
        """The news in this picture."""
        alarms, out = picture.alarms, []
        for i in range(len(alarms)):
            key = (int(alarms.raised_ns[i]), int(alarms.alarm_id[i]))
            priority, cleared = int(alarms.priority[i]), int(alarms.state[i]) == AlarmState.CLEARED
            before = self._known.get(key)
            if before is None:
                out.append(self.news(alarms, i, "raised", picture.time_ns))
            elif priority < before[0] and not cleared:
                out.append(self.news(alarms, i, "escalated", picture.time_ns))
            if cleared and (before is None or not before[1]):
                out.append(self.news(alarms, i, "cleared", picture.time_ns))
            self._known[key] = (min(priority, before[0]) if before else priority, cleared)
        while len(self._known) > REMEMBERED_MAX:
            del self._known[next(iter(self._known))]
        return out

    def news(self, alarms: Alarms, i: int, event: str, now_ns: int, unacknowledged_s: float = 0.0) -> News:
        """One event of alarm i."""
        o = self._site.origin
        place = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
        happened = {"raised": alarms.raised_ns[i], "cleared": alarms.cleared_ns[i]}
        where = np.array([[alarms.east_m[i], alarms.north_m[i], 0.0]])
        latitude, longitude, _ = enu_to_geodetic(place, where)
        return News(
            self._site.name, int(alarms.alarm_id[i]), event, alarms.rule[i], alarms.zone[i],
            Priority(int(alarms.priority[i])).name.lower(), alarms.reason[i],
            round(float(np.degrees(latitude[0])), 7), round(float(np.degrees(longitude[0])), 7),
            int(alarms.raised_ns[i]), int(happened.get(event, now_ns)), unacknowledged_s,
        )  # fmt: skip


def test_news(site: Site, act: Act) -> News:
    """The news that a person tests the alarm outputs: about no alarm, at the site, by this machine's clock."""
    o = site.origin
    place = (round(float(np.degrees(o.latitude_rad)), 7), round(float(np.degrees(o.longitude_rad)), 7))
    why = f"Test of the alarm outputs by {act.name}. Nothing has happened." + (f" {act.note}" if act.note else "")
    return News(site.name, NO_ALARM, "test", "test alarm", "", "low", why, *place, act.at_ns, act.at_ns)
