"""A JSON document out of hostile bytes. One frame is one document. Nothing here raises."""

import json
from typing import Any

from lapwing.decode.numbers import FOOT_M, FPM_MPS, KNOT_MPS, angle, bounded, finite, whole
from lapwing.decode.rows import Rows
from lapwing.records import Field, Source, Word

DOCUMENT_BYTES_MAX = 64 * 1024 * 1024


def document(data: bytes) -> tuple[dict[str, Any] | None, str]:
    """The object, or None and why not."""
    if len(data) > DOCUMENT_BYTES_MAX:
        return None, "document too long"
    try:
        value = json.loads(data)
    except RecursionError:
        return None, "JSON nested too deeply"
    except ValueError:  # UnicodeDecodeError and over-long integers are ValueErrors too
        return None, "not JSON"
    return (value, "") if isinstance(value, dict) else (None, "not a JSON object")


def text(record: dict[str, Any], key: str) -> str:
    """The string under `key`, or ""."""
    value = record.get(key)
    return value if isinstance(value, str) else ""


def example(part: object) -> bytes:
    """A short witness of a refused part: its address, or what kind of thing it is."""
    name = text(part, "hex") if isinstance(part, dict) else ""
    return (name or type(part).__name__)[:64].encode("ascii", "replace")


SOURCES = {
    "adsb_icao": Source.ADSB,
    "adsb_icao_nt": Source.ADSB_OTHER,
    "adsb_other": Source.ADSB_OTHER,
    "adsr_icao": Source.ADSR,
    "adsr_other": Source.ADSR,
    "adsr": Source.ADSR,
    "tisb_icao": Source.TISB,
    "tisb_other": Source.TISB,
    "tisb_trackfile": Source.TISB,
    "tisb": Source.TISB,
    "mlat": Source.MLAT,
    "mode_s": Source.MODE_S,
}
DEGREE = 0.017453292519943295
EMERGENCIES = ("none", "general", "lifeguard", "minfuel", "nordo", "unlawful", "downed", "reserved")

# key, field, lowest, highest, scale: in the document's units
NUMBERS: tuple[tuple[str, Field, float, float, float], ...] = (
    ("alt_geom", Field.HEIGHT_ELLIPSOID_M, -3000.0, 200_000.0, FOOT_M),
    ("gs", Field.GROUND_SPEED_MPS, 0.0, 5000.0, KNOT_MPS),
    ("ias", Field.INDICATED_AIRSPEED_MPS, 0.0, 5000.0, KNOT_MPS),
    ("tas", Field.TRUE_AIRSPEED_MPS, 0.0, 5000.0, KNOT_MPS),
    ("mach", Field.MACH, 0.0, 10.0, 1.0),
    ("baro_rate", Field.VERTICAL_RATE_BARO_MPS, -40_000.0, 40_000.0, FPM_MPS),
    ("geom_rate", Field.VERTICAL_RATE_GEOMETRIC_MPS, -40_000.0, 40_000.0, FPM_MPS),
    ("roll", Field.ROLL_RAD, -180.0, 180.0, DEGREE),
    ("track_rate", Field.TRACK_RATE_RADPS, -90.0, 90.0, DEGREE),
    ("nav_altitude_mcp", Field.ALTITUDE_SELECTED_M, -3000.0, 200_000.0, FOOT_M),
    ("rssi", Field.RSSI_DB, -100.0, 0.0, 1.0),
)
# Said by the aircraft itself only from ADS-B version 1 on; below that the numbers are the tool's own guess.
QUALITIES: tuple[tuple[str, Field, int], ...] = (
    ("nic", Field.NIC, 11),
    ("nac_p", Field.NAC_P, 11),
    ("nac_v", Field.NAC_V, 4),
    ("sil", Field.SIL, 3),
    ("gva", Field.GVA, 3),
    ("sda", Field.SDA, 3),
    ("nic_baro", Field.NIC_BARO, 1),
)


def aircraft_values(record: dict[str, Any], rows: Rows, source: Source) -> None:
    """Value and text rows of a readsb aircraft object, but for its position."""
    rows.text(Word.CALLSIGN, text(record, "flight"))
    rows.text(Word.REGISTRATION, text(record, "r"))
    rows.text(Word.TYPE, text(record, "t"))
    for key, field, low, high, scale in NUMBERS:
        rows.value(field, bounded(finite(record.get(key)), low, high), scale)
    altitude = record.get("alt_baro", record.get("altitude"))  # dump1090-mutability's name
    if altitude == "ground":
        rows.value(Field.ON_GROUND, 1)
    elif bounded(finite(altitude), -3000.0, 200_000.0) is not None:
        rows.value(Field.ON_GROUND, 0)
        rows.value(Field.ALTITUDE_BARO_M, finite(altitude), FOOT_M)
    rows.value(Field.TRACK_RAD, angle(finite(record.get("track"))))
    for key, magnetic in (("mag_heading", 1), ("true_heading", 0)):
        heading = angle(finite(record.get(key)))
        if heading is not None:
            rows.value(Field.HEADING_RAD, heading)
            rows.value(Field.HEADING_MAGNETIC, magnetic)
            break
    _codes(record, rows)
    version = whole(record.get("version"), 0, 3)
    if version is None or source not in (Source.ADSB, Source.ADSB_OTHER, Source.ADSR, Source.MODE_S):
        return
    rows.value(Field.ADSB_VERSION, version)
    if version >= 1:
        for key, field, highest in QUALITIES:
            rows.value(field, whole(record.get(key), 0, highest))
        rows.value(Field.RADIUS_OF_CONTAINMENT_M, bounded(finite(record.get("rc")), 1.0, 1e6))


def _codes(record: dict[str, Any], rows: Rows) -> None:
    squawk = text(record, "squawk")
    if len(squawk) == 4 and squawk.isascii() and squawk.isdigit() and max(squawk) <= "7":
        rows.value(Field.SQUAWK, int(squawk))
    category = text(record, "category")
    if len(category) == 2 and category[0] in "ABCD" and category[1] in "01234567":
        rows.value(Field.EMITTER_CATEGORY, int(category, 16))
    emergency = text(record, "emergency")
    if emergency in EMERGENCIES:
        rows.value(Field.EMERGENCY, EMERGENCIES.index(emergency))
