"""readsb trace documents: the past of one aircraft, one row per point.

A stale point comes after more than 20 s without a position; what else it says is fresh.

Row: [seconds after `timestamp`, latitude, longitude, altitude | "ground" | null, ground speed, track, flags, vertical
rate, details | null, source, geometric altitude, geometric rate, indicated airspeed, roll]. Flags: 1 stale, 2 new leg,
4 the rate is geometric, 8 the altitude is geometric. Quality comes from the details, in about every fourth row.
Refuses documents without address, time or rows, and rows that are not lists with a time and a place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from lapwing.decode.documents import SOURCES, aircraft_values, document, example, text
from lapwing.decode.faults import Refusals
from lapwing.decode.numbers import FOOT_M, FPM_MPS, KNOT_MPS, angle, bounded, finite, hexadecimal, whole
from lapwing.decode.rows import Rows
from lapwing.records import Decoded, Doubt, Field, Frame, Source, Word

STALE, GEOMETRIC_RATE, GEOMETRIC_ALTITUDE = 1, 4, 8
SECONDS_MAX = 4e9
IN_ROW = frozenset(("gs", "track", "alt_baro", "alt_geom", "baro_rate", "geom_rate", "ias", "roll"))


@dataclass(frozen=True, slots=True)
class TraceState:
    """Nothing is remembered: each document is whole."""


@final
@dataclass(frozen=True, slots=True)
class TraceDecoder:
    """Claims of trace documents."""

    feed: str

    def start(self) -> TraceState:
        """Nothing."""
        return TraceState()

    def decode(self, state: TraceState, frames: Sequence[Frame]) -> tuple[TraceState, Decoded]:
        """Claims of each document."""
        refusals, rows = Refusals(), Rows()
        for frame in frames:
            content, reason = document(frame.data)
            if content is None:
                refusals.add(reason, frame.seq, frame.data)
                continue
            name = text(content, "icao")
            address = hexadecimal(name.removeprefix("~"))
            start_s = bounded(finite(content.get("timestamp")), 0.0, SECONDS_MAX)
            points = content.get("trace")
            if address is None or start_s is None or not isinstance(points, list):
                refusals.add("not a trace", frame.seq, frame.data)
                continue
            other = Source.ADSB_OTHER if name.startswith("~") else Source.ADSB
            rows.about(round(start_s * 1e9), frame.seq, other, address)
            rows.text(Word.REGISTRATION, text(content, "r"))
            rows.text(Word.TYPE, text(content, "t"))
            for point in points:
                reason = _point(point, start_s, (frame.seq, address, other), rows)
                if reason:
                    refusals.add(reason, frame.seq, example(point))
        return state, replace(rows.decoded(), faults=refusals.faults())


def _point(point: Any, start_s: float, subject: tuple[int, int, Source], rows: Rows) -> str:
    """Rows of one point; the reason when it is refused."""
    if not isinstance(point, list) or len(point) < 4:
        return "point is not a row"
    seconds, latitude, longitude = (finite(x) for x in point[:3])
    if seconds is None or latitude is None or longitude is None or not 0.0 <= start_s + seconds <= SECONDS_MAX:
        return "point without time or place"
    point = point + [None] * (14 - len(point))
    seq, address, other = subject
    kind = point[9]
    source = SOURCES.get(kind, other) if isinstance(kind, str) else other
    rows.about(round(start_s * 1e9) + round(seconds * 1e9), seq, source, address)
    flags = whole(point[6], 0, 255) or 0
    if not rows.position(latitude, longitude, Doubt.STALE if flags & STALE else Doubt.NONE):
        return "position not on Earth"
    rows.messages += 1
    if source not in (Source.TISB, Source.MLAT):
        rows.value(Field.DOWNLINK_FORMAT, 17 if source != Source.MODE_S else 11)
    _numbers(point, flags, rows)
    if isinstance(point[8], dict):
        details = {key: value for key, value in point[8].items() if key not in IN_ROW}
        aircraft_values(details, rows, source)
    return ""


def _numbers(point: list[Any], flags: int, rows: Rows) -> None:
    if point[3] == "ground":
        rows.value(Field.ON_GROUND, 1)
    altitude = bounded(finite(point[3]), -3000.0, 200_000.0)
    geometric = Field.HEIGHT_ELLIPSOID_M if flags & GEOMETRIC_ALTITUDE else Field.ALTITUDE_BARO_M
    rows.value(geometric, altitude, FOOT_M)
    rows.value(Field.GROUND_SPEED_MPS, bounded(finite(point[4]), 0.0, 5000.0), KNOT_MPS)
    rows.value(Field.TRACK_RAD, angle(finite(point[5])))
    rate = Field.VERTICAL_RATE_GEOMETRIC_MPS if flags & GEOMETRIC_RATE else Field.VERTICAL_RATE_BARO_MPS
    rows.value(rate, bounded(finite(point[7]), -40_000.0, 40_000.0), FPM_MPS)
    if not flags & GEOMETRIC_ALTITUDE:
        rows.value(Field.HEIGHT_ELLIPSOID_M, bounded(finite(point[10]), -3000.0, 200_000.0), FOOT_M)
    if not flags & GEOMETRIC_RATE:
        vertical = bounded(finite(point[11]), -40_000.0, 40_000.0)
        rows.value(Field.VERTICAL_RATE_GEOMETRIC_MPS, vertical, FPM_MPS)
    rows.value(Field.INDICATED_AIRSPEED_MPS, bounded(finite(point[12]), 0.0, 5000.0), KNOT_MPS)
    rows.value(Field.ROLL_RAD, bounded(finite(point[13]), -180.0, 180.0), 0.017453292519943295)
