"""aircraft.json documents of readsb, tar1090, dump1090-fa and the aggregators that speak like them.

One frame is one whole document. Times are `now` less the age of each word (`seen`, `seen_pos`). A document repeats
what was said before: rows are made only of what is newer than the last document of the same aircraft, so that old
words are not taken for new ones. Refuses documents that are not JSON objects, and aircraft without an address.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from jaxtyping import Int64

from lapwing.decode.documents import SOURCES, aircraft_values, document, example, text
from lapwing.decode.faults import Refusals
from lapwing.decode.numbers import bounded, finite, hexadecimal
from lapwing.decode.rows import Rows
from lapwing.records import Array, Decoded, Doubt, Field, Frame, Source, column
from lapwing.records.arrays import freeze_columns

AIRCRAFT_MAX = 65_536
SECONDS_MAX = 4e9
SAME_NS = 50_000_000  # ages are rounded to 0.1 s


@dataclass(frozen=True, slots=True)
class ReadsbState:
    """When each aircraft (sorted by key) was last heard and last said where it was. Axis: a aircraft."""

    keys: Int64[Array, " a"]
    heard_ns: Int64[Array, " a"]
    position_ns: Int64[Array, " a"]

    def __post_init__(self) -> None:
        freeze_columns(self)


@final
@dataclass(frozen=True, slots=True)
class ReadsbDecoder:
    """Claims of a feed of aircraft.json documents."""

    feed: str

    def start(self) -> ReadsbState:
        """Nobody heard."""
        none = column([], "int64")
        return ReadsbState(none, none, none)

    def decode(self, state: ReadsbState, frames: Sequence[Frame]) -> tuple[ReadsbState, Decoded]:
        """Claims of each document."""
        if not frames:
            return state, Decoded()
        refusals, rows = Refusals(), Rows()
        pairs = zip(state.heard_ns.tolist(), state.position_ns.tolist(), strict=True)
        known = dict(zip(state.keys.tolist(), pairs, strict=True))
        for frame in frames:
            content, reason = document(frame.data)
            aircraft = content.get("aircraft", content.get("ac")) if content is not None else None
            if content is None or not isinstance(aircraft, list):
                refusals.add(reason or "no list of aircraft", frame.seq, frame.data)
                continue
            now_ns = _now_ns(content, frame)
            for record in aircraft:
                reason = _aircraft(record, now_ns, frame, known, rows)
                if reason:
                    refusals.add(reason, frame.seq, example(record))
        return _remembered(known), replace(rows.decoded(), faults=refusals.faults())


def _now_ns(content: dict[str, Any], frame: Frame) -> int:
    """The document's own time; aggregators give milliseconds."""
    now = bounded(finite(content.get("now")), 0.0, SECONDS_MAX * 1000.0)
    if now is None:
        return frame.received_ns
    return round(now * 1e9) if now <= SECONDS_MAX else round(now * 1e6)


def _aircraft(record: Any, now_ns: int, frame: Frame, known: dict[int, tuple[int, int]], rows: Rows) -> str:
    if not isinstance(record, dict):
        return "aircraft is not an object"
    name = text(record, "hex")
    address = hexadecimal(name.removeprefix("~"))
    if address is None:
        return "no address"
    source = _source(record, other=name.startswith("~"))
    key = address | (1 << 24 if name.startswith("~") else 0)
    heard_before, position_before = known.get(key, (0, 0))
    seen = bounded(finite(record.get("seen")), 0.0, 1e6) or 0.0
    heard_ns = max(now_ns - round(seen * 1e9), 0)
    position_ns = position_before
    reason = ""
    if heard_ns > heard_before + SAME_NS:
        rows.messages += 1
        rows.about(heard_ns, frame.seq, source, address)
        aircraft_values(record, rows, source)
        if source not in (Source.TISB, Source.MLAT):
            rows.value(Field.DOWNLINK_FORMAT, 17 if source != Source.MODE_S else 11)
    latitude, longitude = finite(record.get("lat")), finite(record.get("lon"))
    if latitude is not None and longitude is not None:
        age = bounded(finite(record.get("seen_pos")), 0.0, 1e6)
        position_ns = max(now_ns - round((seen if age is None else age) * 1e9), 0)
        if position_ns > position_before + SAME_NS:
            rows.about(position_ns, frame.seq, source, address)
            if not rows.position(latitude, longitude, Doubt.NONE):
                reason = "position not on Earth"
    known[key] = (max(heard_ns, heard_before), max(position_ns, position_before))
    return reason


def _source(record: dict[str, Any], *, other: bool) -> Source:
    """Whose word the place is, else the rest: what is listed as computed by receivers, or as told by radar stations, is
    not the aircraft's own word, whatever else is said (dump1090 says no type)."""
    for key, source in (("mlat", Source.MLAT), ("tisb", Source.TISB)):
        derived = record.get(key)
        if isinstance(derived, list) and "lat" in derived:
            return source
    if "type" not in record and "lat" in record:
        return Source.ADSB_OTHER if other else Source.ADSB
    return SOURCES.get(text(record, "type"), Source.ADSB_OTHER if other else Source.MODE_S)


def _remembered(known: dict[int, tuple[int, int]]) -> ReadsbState:
    if len(known) > AIRCRAFT_MAX:
        newest = sorted(known, key=lambda key: (known[key][0], key))[-AIRCRAFT_MAX:]
        known = {key: known[key] for key in newest}
    keys = sorted(known)
    return ReadsbState(
        column(keys, "int64"),
        column([known[k][0] for k in keys], "int64"),
        column([known[k][1] for k in keys], "int64"),
    )
