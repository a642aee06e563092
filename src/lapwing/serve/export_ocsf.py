"""A journal to OCSF events, one a line (JSON lines), for security information systems.

The journal is run again, because the history keeps neither alarms nor classes. An event a second per drone's track, an
event per Remote ID position. Events are written as they come, so the memory does not grow with the period. Refuses
periods without an event.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lapwing import __version__
from lapwing.decode import encode_ocsf as ocsf
from lapwing.engine.journal import Journal
from lapwing.records import Picture, Site
from lapwing.serve.export import ExportError
from lapwing.serve.replaying import each_second, planned

SUFFIX = ".ocsf.jsonl"


class Events:
    """Pictures to events; of a claim, only what it said newly. `withhold` leaves out what Remote ID senders call
    themselves."""

    def __init__(self, site: Site, *, withhold: bool = False) -> None:
        self._site, self._withhold = site, withhold
        self._said = dict[int, int]()  # per address: when it last said where it is
        self._number = dict[int, int]()  # per address: which it was, from the first seen on

    def of(self, picture: Picture) -> Iterator[dict[str, Any]]:
        """The events of one picture."""
        yield from ocsf.drones(picture, self._site, __version__)
        for address, event in ocsf.remote_ids(picture, self._site, __version__):
            if event["time"] <= self._said.get(address, -1):
                continue
            self._said[address] = event["time"]
            number = self._number.setdefault(address, len(self._number) + 1)
            yield ocsf.withheld(event, number) if self._withhold else event


def export(folder: Path, target: Path, since_ns: int, until_ns: int, *, withhold: bool = False) -> int:
    """Write the period to `target`; the number of events. Raises ExportError, JournalError, OSError."""
    draft = target.with_name(target.name + ".draft")
    count = 0
    try:
        with Journal(folder, write=False) as journal, draft.open("w", encoding="utf-8") as file:
            plan, _ = planned(journal)
            events = Events(plan.site, withhold=withhold)
            for picture in each_second(journal, plan, since_ns, until_ns):
                for event in events.of(picture):
                    file.write(json.dumps(event, allow_nan=False) + "\n")
                    count += 1
        if count == 0:
            raise ExportError("no drone was tracked or heard in that period")
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    return count
