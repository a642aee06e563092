"""Golden values of what aircraft and ships say: AIS, BaseStation (SBS), readsb JSON.

Run `python -m builders.golden_claims` from the project's folder, in its environment; gpsdecode (Debian) must be there.
Each format's bytes are read by an independent reader; what it says stands in tests/golden/FORMAT.json in SI units under
the names of our fields. What no reader tells, or tells wrongly, is written by hand from the published format, and
listed as `by_hand`. Nothing of the readers' code enters the project.
"""

import json
import math
import subprocess
from typing import Any

import pyais

from builders.oracles import T0, ask, case, write

DEGREE, KNOT, FOOT = math.pi / 180.0, 1852.0 / 3600.0, 0.3048

# ---------------------------------------------------------------------------------------------------- AIS
# fmt: off
SHIPS: list[dict[str, Any]] = [
    {"type": 1, "mmsi": 244660920, "status": 0, "turn": -10, "speed": 12.3, "accuracy": 1, "lon": 4.123456,
     "lat": 51.987654, "course": 211.4, "heading": 209, "second": 34, "raim": 1},
    {"type": 3, "mmsi": 366123456, "status": 5, "turn": 0, "speed": 0.0, "accuracy": 0, "lon": -122.345678,
     "lat": -37.8, "course": 0.0, "heading": 359, "second": 0, "raim": 0},
    {"type": 1, "mmsi": 211000001, "status": 15, "speed": 102.3, "lon": 181, "lat": 91, "course": 360.0,
     "heading": 511, "second": 60},
    {"type": 18, "mmsi": 244010203, "speed": 5.5, "accuracy": 1, "lon": 5.5, "lat": 53.25, "course": 90.5,
     "heading": 511, "second": 62, "raim": 0},
    {"type": 27, "mmsi": 235098765, "accuracy": 0, "raim": 0, "status": 0, "lon": -30.5, "lat": 48.1,
     "speed": 17, "course": 265},
    {"type": 4, "mmsi": 2442100, "year": 2024, "month": 7, "day": 3, "hour": 9, "minute": 46, "second": 40,
     "accuracy": 1, "lon": 4.05, "lat": 51.95, "epfd": 1, "raim": 0},
    {"type": 9, "mmsi": 111232501, "alt": 300, "speed": 120, "accuracy": 0, "lon": -6.2, "lat": 58.1,
     "course": 12.5, "second": 9, "raim": 0},
    {"type": 21, "mmsi": 992351000, "aid_type": 1, "name": "NORTH BUOY", "accuracy": 0, "lon": 1.75, "lat": 52.5,
     "second": 61, "raim": 0},
    {"type": 5, "mmsi": 244660920, "imo": 9234567, "callsign": "PCLW", "shipname": "LAPWING", "ship_type": 70,
     "to_bow": 80, "to_stern": 20, "to_port": 7, "to_starboard": 8, "epfd": 1, "destination": "ROTTERDAM"},
    {"type": 24, "partno": 0, "mmsi": 244010203, "shipname": "KIEVIT"},
]
# fmt: on
# pyais's name -> ours, factor to SI, what means "not said"
AIS: dict[str, tuple[str, float, float | None]] = {
    "speed": ("GROUND_SPEED_MPS", KNOT, 102.3),
    "course": ("TRACK_RAD", DEGREE, 360.0),
    "heading": ("HEADING_RAD", DEGREE, 511),
    "second": ("TIMESTAMP_S", 1.0, None),
    "status": ("NAV_STATUS", 1.0, None),
    "accuracy": ("POSITION_ACCURATE", 1.0, None),
    "raim": ("RAIM", 1.0, None),
    "ship_type": ("SHIP_TYPE", 1.0, None),
    "epfd": ("EPFD", 1.0, None),
}
AIS_WORDS = {"shipname": "NAME", "name": "NAME", "callsign": "CALLSIGN", "destination": "DESTINATION"}


def ais() -> None:
    """AIS sentences by pyais, read by pyais; gpsdecode must agree on who, where and how fast."""
    cases = []
    for given in SHIPS:
        radio: dict[str, Any] = {"talker_id": "AI", "sentence_type": "VDM", "radio_channel": "A"}
        lines = pyais.encode_dict(given | {"msg_type": given["type"]}, **radio)
        told: dict[str, Any] = dict(pyais.decode(*lines).asdict())
        gpsd_agrees(lines, told)
        values: dict[str, list[float]] = {}
        kind = told["msg_type"]
        for name, (field, factor, absent) in AIS.items():
            if name in told and told[name] != absent and (name, kind) not in {("second", 4), ("epfd", 21)}:
                values[field] = [float(told[name]) * factor]
        if "HEADING_RAD" in values:
            values["HEADING_MAGNETIC"] = [0.0]
        turn = gpsd_turn(lines)
        if turn is not None and abs(turn) < 127:
            values["TURN_RATE_RADPS"] = [math.copysign((turn / 4.733) ** 2, turn) * DEGREE / 60.0]
        length, beam = (
            told.get(a, 0) + told.get(b, 0) for a, b in (("to_bow", "to_stern"), ("to_port", "to_starboard"))
        )
        if kind in (5,) and length:
            values |= {"LENGTH_M": [float(length)], "BEAM_M": [float(beam)]}
        placed = "lat" in told and abs(told["lat"]) <= 90
        if "lat" in told and not placed:
            values["NO_POSITION"] = [1.0]
        words = {ours: [told[theirs]] for theirs, ours in AIS_WORDS.items() if told.get(theirs)}
        cases.append(
            case(
                f"type {kind}",
                [("\r\n".join(lines) + "\r\n").encode()],
                address=told["mmsi"],
                positions=[[told["lat"], told["lon"]]] if placed else [],
                values=values,
                words=words,
            )
        )
    about = {
        "decoder": "nmea",
        "bytes_by": f"pyais {pyais.__version__}",
        "values_by": f"pyais {pyais.__version__}; address, place, speed and course agree with gpsd's gpsdecode "
        "(not of type 24), which gives the turn's code",
        "by_hand": "TURN_RATE_RADPS out of its code after ITU-R M.1371, "
        "HEADING_MAGNETIC (AIS headings are true), NO_POSITION (latitude 91)",
    }
    write("ais", about, cases)


def gpsd_turn(lines: list[str]) -> int | None:
    """The turn's code as gpsd reads it, where the message has one. (pyais rounds it to whole degrees a minute.)"""
    given = "\r\n".join(lines) + "\r\n"
    done = subprocess.run(["gpsdecode", "-u"], input=given, capture_output=True, text=True, check=True)
    found = [json.loads(line).get("turn") for line in done.stdout.splitlines() if '"AIS"' in line]
    return found[-1] if found else None


def gpsd_agrees(lines: list[str], told: dict[str, Any]) -> None:
    """Raises AssertionError where gpsd understands the same sentences otherwise. It divides AIS units less finely."""
    done = subprocess.run(
        ["gpsdecode", "-j"], input="\r\n".join(lines) + "\r\n", capture_output=True, text=True, check=True
    )
    heard = [json.loads(line) for line in done.stdout.splitlines() if '"AIS"' in line]
    if not heard and told["msg_type"] == 24:  # it waits for the other part
        return
    theirs = heard[-1]
    assert theirs["mmsi"] == told["mmsi"]
    scaled = theirs["scaled"]
    for name, apart in (("lat", 1e-4), ("lon", 1e-4), ("speed", 0.051), ("course", 0.51)):
        if (
            name in told
            and isinstance(theirs.get(name), int | float)
            and told["msg_type"] != 27
            and told.get("lat", 0) <= 90
        ):
            unit = {"lat": 6e5, "lon": 6e5, "speed": 10.0 if told["msg_type"] != 9 else 1.0, "course": 10.0}[name]
            value = theirs[name] if scaled else theirs[name] / unit
            assert abs(value - told[name]) < apart, (name, theirs[name], told[name])


# ---------------------------------------------------------------------------------------------------- SBS
SBS = [
    "MSG,1,1,1,4CA2D6,1,2024/07/03,09:46:40.000,2024/07/03,09:46:40.000,RYR1427 ,,,,,,,,,,,",
    "MSG,2,1,1,4CA2D6,1,2024/07/03,09:46:40.000,2024/07/03,09:46:40.000,,0,14,181,52.30812,4.76417,,,,,,-1",
    "MSG,3,1,1,4CA2D6,1,2024/07/03,09:46:40.000,2024/07/03,09:46:40.000,,37000,,,51.45735,-1.02826,,,0,0,0,0",
    "MSG,3,1,1,A0B1C2,1,2024/07/03,09:46:40.000,2024/07/03,09:46:40.000,,-75,,,-33.94610,151.17720,,,0,0,0,0",
    "MSG,4,1,1,4CA2D6,1,2024/07/03,09:46:40.000,2024/07/03,09:46:40.000,,,420,179,,,-64,,,,,0",
    "MSG,5,1,1,4CA2D6,1,2024/07/03,09:46:40.000,2024/07/03,09:46:40.000,RYR1427 ,36975,,,,,,,0,,0,0",
    "MSG,6,1,1,4CA2D6,1,2024/07/03,09:46:40.000,2024/07/03,09:46:40.000,,36950,,,,,,7700,0,0,0,0",
    "MSG,7,1,1,4CA2D6,1,2024/07/03,09:46:40.000,2024/07/03,09:46:40.000,,36925,,,,,,,,,,0",
    "MSG,8,1,1,4CA2D6,1,2024/07/03,09:46:40.000,2024/07/03,09:46:40.000,,,,,,,,,,,,0",
]
PY1090 = """
import json, py1090, sys
out = []
for line in json.load(sys.stdin):
    m = py1090.Message.from_string(line)
    out.append([m.transmission_type, m.hexident, m.callsign, m.altitude, m.ground_speed, m.track, m.latitude,
                m.longitude, m.vertical_rate, m.squawk, m.on_ground])
print(json.dumps(out))
"""
FORMATS = {1: 17, 2: 17, 3: 17, 4: 17, 5: 4, 6: 5, 7: 16, 8: 11}


def sbs() -> None:
    """BaseStation lines written by hand in the published form, read by py1090."""
    cases = []
    for line, told in zip(SBS, ask(["py1090==1.1"], PY1090, SBS), strict=True):
        kind, ident, callsign, altitude, speed, track, lat, lon, climb, squawk, ground = told
        values = {"DOWNLINK_FORMAT": [float(FORMATS[kind])]}
        for name, value, factor in (
            ("ALTITUDE_BARO_M", altitude, FOOT),
            ("GROUND_SPEED_MPS", speed, KNOT),
            ("TRACK_RAD", track, DEGREE),
            ("VERTICAL_RATE_BARO_MPS", climb, FOOT / 60.0),
            ("SQUAWK", squawk, 1.0),
            ("ON_GROUND", ground, 1.0),
        ):
            if value is not None:
                values[name] = [float(value) * factor]
        if line.endswith(",-1"):
            values["ON_GROUND"] = [1.0]
        cases.append(
            case(
                f"MSG,{kind} {ident}",
                [line.encode() + b"\r\n"],
                address=int(ident, 16),
                positions=[] if lat is None else [[lat, lon]],
                values=values,
                words={"CALLSIGN": [callsign.strip()]} if callsign else {},
            )
        )
    write(
        "sbs",
        {
            "decoder": "sbs",
            "bytes_by": "hand, in the form that BaseStation writes",
            "values_by": "py1090 1.1",
            "by_hand": "DOWNLINK_FORMAT (which Mode S format carries each kind), "
            "ON_GROUND of -1, which py1090 does not read",
        },
        cases,
    )


# ---------------------------------------------------------------------------------------------------- readsb
CRAFT: list[dict[str, Any]] = [
    {
        "hex": "4ca2d6",
        "type": "adsb_icao",
        "flight": "RYR1427 ",
        "alt_baro": 37000,
        "alt_geom": 37525,
        "gs": 420.5,
        "track": 179.2,
        "baro_rate": -64,
        "geom_rate": -96,
        "squawk": "7700",
        "category": "A3",
        "lat": 51.4573,
        "lon": -1.0282,
        "nic": 8,
        "rc": 186,
        "version": 2,
        "nac_p": 9,
        "nac_v": 1,
        "sil": 3,
        "gva": 2,
        "sda": 2,
        "nic_baro": 1,
        "seen": 0.4,
        "seen_pos": 1.2,
    },
    {
        "hex": "a0b1c2",
        "type": "mlat",
        "flight": "N123AB",
        "alt_baro": 2500,
        "alt_geom": 2600,
        "gs": 95.0,
        "track": 12.25,
        "lat": -33.9461,
        "lon": 151.1772,
        "mlat": ["lat", "lon"],
        "seen": 2.0,
        "seen_pos": 2.0,
    },
    {
        "hex": "~2a1b3c",
        "type": "tisb_other",
        "alt_baro": "ground",
        "alt_geom": 100,
        "gs": 10.0,
        "track": 359.9,
        "lat": 47.0,
        "lon": 8.0,
        "seen": 0.0,
        "seen_pos": 0.0,
    },
]
ADSBCOT = """
import json, sys
import adsbcot
out = []
for craft in json.load(sys.stdin):
    event = adsbcot.functions.adsb_to_cot_xml(craft)
    point, track, more = event.find("point"), event.find("detail/track"), event.find("detail/__adsb")
    out.append({"lat": float(point.get("lat")), "lon": float(point.get("lon")), "hae": float(point.get("hae")),
                "speed": float(track.get("speed")), "course": float(track.get("course")), "icao": more.get("icao"),
                "flight": more.get("flight"), "squawk": more.get("squawk")})
print(json.dumps(out))
"""
HAND: dict[str, tuple[str, float]] = {
    "baro_rate": ("VERTICAL_RATE_BARO_MPS", FOOT / 60.0),
    "geom_rate": ("VERTICAL_RATE_GEOMETRIC_MPS", FOOT / 60.0),
    "nic": ("NIC", 1.0),
    "rc": ("RADIUS_OF_CONTAINMENT_M", 1.0),
    "version": ("ADSB_VERSION", 1.0),
    "nac_p": ("NAC_P", 1.0),
    "nac_v": ("NAC_V", 1.0),
    "sil": ("SIL", 1.0),
    "gva": ("GVA", 1.0),
    "sda": ("SDA", 1.0),
    "nic_baro": ("NIC_BARO", 1.0),
}


def readsb() -> None:
    """An aircraft a document, in readsb's documented form; place, height, speed and course by adsbcot."""
    cases = []
    for craft, told in zip(CRAFT, ask(["adsbcot==9.0.1", "pytak"], ADSBCOT, CRAFT), strict=True):
        values = {"HEIGHT_ELLIPSOID_M": [told["hae"]], "GROUND_SPEED_MPS": [told["speed"]]}
        values["TRACK_RAD"] = [told["course"] * DEGREE]
        if told["squawk"]:
            values["SQUAWK"] = [float(told["squawk"])]
        for name, (field, factor) in HAND.items():
            if name in craft:
                values[field] = [craft[name] * factor]
        grounded = craft["alt_baro"] == "ground"
        values["ON_GROUND"] = [float(grounded)]
        if craft["type"] == "adsb_icao":
            values["DOWNLINK_FORMAT"] = [17.0]
        if not grounded:
            values["ALTITUDE_BARO_M"] = [craft["alt_baro"] * FOOT]
        if "category" in craft:
            values["EMITTER_CATEGORY"] = [float(int(craft["category"], 16))]
        document = {"now": T0 / 1e9, "messages": 1, "aircraft": [craft]}
        cases.append(
            case(
                f"{craft['hex']} {craft['type']}",
                [json.dumps(document).encode()],
                address=int(told["icao"].lstrip("~"), 16),
                positions=[[told["lat"], told["lon"]]],
                values=values,
                words={"CALLSIGN": [told["flight"]]} if told["flight"] else {},
            )
        )
    write(
        "readsb",
        {
            "decoder": "readsb",
            "bytes_by": "hand, after readsb's README-json",
            "values_by": "adsbcot 9.0.1: place (it keeps four decimals), height, "
            "speed, course, squawk, address, callsign",
            "by_hand": "DOWNLINK_FORMAT, ALTITUDE_BARO_M, ON_GROUND, vertical rates, qualities, category",
        },
        cases,
    )


if __name__ == "__main__":
    ais()
    sbs()
    readsb()
