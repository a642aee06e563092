"""BaseStation (SBS-1) lines: MSG,type,session,aircraft,ICAO,flight,dates and times,callsign,altitude,speed,track,
latitude,longitude,vertical rate,squawk,alert,emergency,ident,ground.

The lines say neither whether a position is ADS-B nor how good it is, so they give no quality rows. The time is ours:
the lines' dates are in whatever zone the sender keeps. Refuses lines that are not MSG 1..8 of 22 columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from lapwing.decode.faults import Refusals
from lapwing.decode.lines import lines
from lapwing.decode.numbers import FOOT_M, FPM_MPS, KNOT_MPS, angle, bounded, hexadecimal, number
from lapwing.decode.rows import Rows
from lapwing.records import Decoded, Field, Frame, Source, Word

LONGEST = 512
COLUMNS = 22
OTHER_KINDS = frozenset(("SEL", "ID", "AIR", "STA", "CLK"))
FORMATS = {1: 17, 2: 17, 3: 17, 4: 17, 5: 4, 6: 5, 7: 16, 8: 11}  # message type -> downlink format that carries it


@dataclass(frozen=True, slots=True)
class SbsState:
    """An unfinished line."""

    tail: bytes = b""


@final
@dataclass(frozen=True, slots=True)
class SbsDecoder:
    """Claims of a BaseStation feed."""

    feed: str

    def start(self) -> SbsState:
        """Nothing heard."""
        return SbsState()

    def decode(self, state: SbsState, frames: Sequence[Frame]) -> tuple[SbsState, Decoded]:
        """Claims of all lines that are complete."""
        refusals, rows = Refusals(), Rows()
        tail, found = lines(state.tail, frames, LONGEST, refusals)
        for frame, line in found:
            reason = _line(line.decode("ascii", "replace").split(","), frame, rows)
            if reason:
                refusals.add(reason, frame.seq, line)
        return SbsState(tail), replace(rows.decoded(), faults=refusals.faults())


def _line(cells: list[str], frame: Frame, rows: Rows) -> str:
    """Rows of one line; the reason when it is refused."""
    if cells[0] in OTHER_KINDS:
        return ""
    kind = number(cells[1]) if len(cells) >= COLUMNS and cells[0] == "MSG" else None
    if kind is None or kind not in FORMATS:
        return "not a BaseStation message"
    address = hexadecimal(cells[4].strip().removeprefix("~"))
    if address is None:
        return "no address"
    source = Source.ADSB_OTHER if cells[4].strip().startswith("~") else Source.ADSB
    if FORMATS[int(kind)] != 17:
        source = Source.MODE_S
    rows.about(frame.received_ns, frame.seq, source, address)
    rows.messages += 1
    rows.value(Field.DOWNLINK_FORMAT, FORMATS[int(kind)])
    rows.text(Word.CALLSIGN, cells[10])
    rows.value(Field.ALTITUDE_BARO_M, bounded(number(cells[11]), -2000.0, 150_000.0), FOOT_M)
    rows.value(Field.GROUND_SPEED_MPS, bounded(number(cells[12]), 0.0, 5000.0), KNOT_MPS)
    rows.value(Field.TRACK_RAD, angle(number(cells[13])))
    rows.value(Field.VERTICAL_RATE_BARO_MPS, bounded(number(cells[16]), -40_000.0, 40_000.0), FPM_MPS)
    squawk = cells[17].strip()
    if len(squawk) == 4 and squawk.isascii() and squawk.isdigit() and max(squawk) <= "7":
        rows.value(Field.SQUAWK, int(squawk))
    if cells[21].strip() in ("0", "1", "-1"):
        rows.value(Field.ON_GROUND, 0 if cells[21].strip() == "0" else 1)
    latitude, longitude = number(cells[14]), number(cells[15])
    if latitude is not None and longitude is not None and not rows.position(latitude, longitude):
        return "position not on Earth"
    return ""
