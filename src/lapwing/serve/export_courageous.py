"""A journal to a COURAGEOUS document (CWA 18150:2024, v0.4.1), for those who examine a trial.

The journal is run again, because the history keeps neither alarms nor classes. One record a second per track, a record
per Remote ID position, a record per unexplained bearing. Refuses periods without a record, and more than RECORDS_MAX.
"""

import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from lapwing.decode import encode_courageous as courageous
from lapwing.engine.journal import Journal
from lapwing.records import Picture, Site
from lapwing.serve.export import ExportError
from lapwing.serve.replaying import each_second, planned

SUFFIX = ".courageous.json"
RECORDS_MAX = 1_000_000  # about 0.4 GB of memory


class Sets:
    """Record sets as they grow: texts of records, without their number."""

    def __init__(self, site: Site, *, withhold: bool = False) -> None:
        self.tracks: dict[int, list[str]] = {}
        self.claims: dict[int, tuple[str, int | None, list[str]]] = {}
        self.bearings: dict[str, list[str]] = {}
        self.count = 0
        self._withhold = withhold  # what senders of Remote ID call themselves
        self._site, self._said = site, dict[int | str, int]()  # when a claim or a sensor last said something new

    def add(self, picture: Picture) -> None:
        """What one picture shows. Raises ExportError when there is too much."""
        for track_id, record in courageous.tracking(picture, self._site):
            self._append(self.tracks.setdefault(track_id, []), record)
        for address, said, track_id_or_none, record in courageous.remote_ids(picture, self._site):
            name = self._discreet(address, record) if self._withhold else said
            _, agreed, records = self.claims.get(address, (name, None, []))
            if self._is_new(address, record["time"]):
                self._append(records, record)
            self.claims[address] = (name, agreed if track_id_or_none is None else track_id_or_none, records)
        newest = dict[str, int]()
        for sensor, time_ns, record in courageous.bearings(picture, self._site):
            if time_ns > self._said.get(sensor, 0):
                self._append(self.bearings.setdefault(sensor, []), record)
                newest[sensor] = max(newest.get(sensor, 0), time_ns)
        self._said.update(newest)

    def _discreet(self, address: int, record: dict[str, Any]) -> str:
        """A name that tells nothing; the record tells nothing either."""
        record["identification"] = "says so itself (withheld)"
        number = list(self.claims).index(address) if address in self.claims else len(self.claims)
        return f"Remote ID withheld {number + 1}"

    def _is_new(self, who: int, time: int) -> bool:
        new = time > self._said.get(who, -1)
        self._said[who] = max(time, self._said.get(who, -1))
        return new

    def _append(self, records: list[str], record: dict[str, Any]) -> None:
        if self.count >= RECORDS_MAX:
            raise ExportError(f"over {RECORDS_MAX} records; choose a shorter period with --since and --until")
        self.count += 1
        told = {key: value for key, value in record.items() if value is not None}
        records.append(json.dumps(told, allow_nan=False)[1:])


def export(folder: Path, target: Path, since_ns: int, until_ns: int, *, withhold: bool = False) -> int:
    """Write the period to `target`; the number of records. Raises ExportError, JournalError, OSError."""
    with Journal(folder, write=False) as journal:
        plan, _ = planned(journal)
        site = plan.site
        sets = Sets(site, withhold=withhold)
        for picture in each_second(journal, plan, since_ns, until_ns):
            sets.add(picture)
    if sets.count == 0:
        raise ExportError("nothing was tracked in that period")
    draft = target.with_name(target.name + ".draft")
    with draft.open("w", encoding="utf-8") as file:
        file.writelines(pieces(sets, site))
    os.replace(draft, target)
    return sets.count


def pieces(sets: Sets, site: Site) -> Iterator[str]:
    """The document, part by part; records are numbered through."""
    numbers = count()
    head = {
        "version": courageous.VERSION,
        "vendor_name": "Lapwing",
        "system_name": site.name,
        "static_cuas_location": courageous.position(site.origin),
    }
    yield json.dumps(head)[:-1]
    tracks = [({"uas_id": i, "name": f"track {i}"}, records) for i, records in sorted(sets.tracks.items())]
    detection = [({"uas_id": track, "name": name}, records) for name, track, records in sets.claims.values() if records]
    detection += [({"uas_id": None, "name": sensor}, records) for sensor, records in sorted(sets.bearings.items())]
    yield ',\n"tracks": ['
    yield from _sets(tracks, numbers)
    yield '],\n"detection": ['
    yield from _sets(detection, numbers)
    yield "]}\n"


def _sets(named: list[tuple[dict[str, Any], list[str]]], numbers: Iterator[int]) -> Iterator[str]:
    for k, (head, records) in enumerate(named):
        yield (",\n" if k else "\n") + json.dumps(head)[:-1] + ', "records": ['
        for m, tail in enumerate(records):
            yield (",\n" if m else "\n") + f'{{"record_number": {next(numbers)}, ' + tail
        yield "]}"
