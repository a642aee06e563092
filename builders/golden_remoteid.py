"""Golden values of Remote ID: Wi-Fi beacon and NAN, Bluetooth 4 and 5, a host's HCI reports; and DroneScout's JSON.

Run `python -m builders.golden_remoteid` from the project's folder, in its environment; tshark (Debian) must be there.
The frames are made by the tests' own encoder. tshark takes the messages out of the radio frames, dronecot reads the
messages. By hand after ASTM F3411-22a, because dronecot 2.3.10 reads them otherwise: ground speed (a quarter of a metre
per second a unit), track (the bit of the western half), vertical speed (signed). Nothing of the readers' code enters
the project.
"""

import base64
import importlib
import json
import math
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from builders.oracles import T0, ask, case, write

DEGREE = math.pi / 180.0
FIELDS = ("wlan.tag.vendor.data", "nan.sda.service_info", "btcommon.eir_ad.entry.service_data")
HEADS = ("0d", "", "0d")  # what stands before the counter: the vendor type, the application code
MESSAGES = """
import json, sys
from dronecot import odid
out = []
for raw in map(bytes.fromhex, json.load(sys.stdin)):
    body, count = (raw[3:], raw[2]) if raw[0] >> 4 == 15 else (raw, 1)
    told = odid.message_pack_to_dict(body, count)
    out.append({k: v for k, v in told.items() if isinstance(v, (str, int, float)) and v == v})
print(json.dumps(out))
"""
STRUCTS = """
import base64, json, sys
import dronecot
out = []
for raw in map(base64.b64decode, json.load(sys.stdin)):
    told = dronecot.parse_payload(raw, dronecot.decode_valid_blocks(raw, dronecot.ODIDValidBlocks()))
    out.append({k: v for k, v in told.items() if isinstance(v, (str, int, float)) and v == v})
print(json.dumps(out))
"""
NUMBERS: dict[str, tuple[str, float]] = {
    "AltitudeBaro": ("ALTITUDE_BARO_M", 1.0),
    "AltitudeGeo": ("HEIGHT_ELLIPSOID_M", 1.0),
    "UAType": ("UA_TYPE", 1.0),
    "OperatorLatitude": ("OPERATOR_LATITUDE_RAD", DEGREE),
    "OperatorLongitude": ("OPERATOR_LONGITUDE_RAD", DEGREE),
    "OperatorLocationType": ("OPERATOR_LOCATION_KIND", 1.0),
    "HorizAccuracy": ("NAC_P", 1.0),
    "SpeedAccuracy": ("NAC_V", 1.0),
    "CategoryEU": ("CATEGORY_EU", 1.0),
    "ClassEU": ("CLASS_EU", 1.0),
    "OperatorAltitudeGeo": ("OPERATOR_HEIGHT_ELLIPSOID_M", 1.0),
}


def messages_by_tshark(capture: bytes) -> list[str]:
    """The messages of every packet as hex, as Wireshark's own dissectors find them."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        Path(file.name).write_bytes(capture)
        columns = [word for field in FIELDS for word in ("-e", field)]
        command = ["tshark", "-r", file.name, "-T", "fields", *columns]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = []
    for line in done.stdout.splitlines():
        for head, cell in zip(HEADS, line.split("\t"), strict=True):
            for text in cell.replace(":", "").replace("-", "").split(",") if cell else ():
                assert text.startswith(head), text
                found.append(text[len(head) + 2 :])  # and one octet of counter
    return found


def told_by(theirs: list[dict[str, Any]], hand: dict[str, list[float]]) -> dict[str, Any]:
    """Places, values and words under our names, of messages in their order."""
    out: dict[str, Any] = {"positions": [], "values": {k: list(v) for k, v in hand.items()}, "words": {}}
    for told in theirs:
        if told.get("Latitude") or told.get("Longitude"):
            out["positions"].append([told["Latitude"], told["Longitude"]])
        for name, (field, factor) in NUMBERS.items():
            if name in told:
                out["values"].setdefault(field, []).append(told[name] * factor)
        if "Height" in told:
            field = "HEIGHT_OVER_GROUND_M" if told["HeightType"] else "HEIGHT_OVER_TAKEOFF_M"
            out["values"].setdefault(field, []).append(told["Height"])
        serial = told.get("UASID") or told.get("BasicID")
        for word, text in (
            ("SERIAL", serial),
            ("NAME", serial),
            ("OPERATOR_ID", told.get("OperatorID")),
            ("DESCRIPTION", told.get("Desc")),
        ):
            if text:
                out["words"].setdefault(word, []).append(text)
    return out


def radio() -> None:
    """Five carriers, of one drone each."""
    s = importlib.import_module("tests.decode.remoteid_samples")
    place = s.location(52.1234567, -4.7654321, tenths=24_000, speed=77, track=84, flags=0x26)
    parts = [s.basic(), place, s.system(52.12, -4.76), s.operator(), s.self_id()]
    whole, unknown = s.pack(*parts), s.pack(s.basic(), s.location(0, 0))
    captures = {
        "Wi-Fi beacon": (s.pcap(s.beacon(whole)), 1),
        "Wi-Fi NAN": (s.pcap(s.nan(whole), link=105), 1),
        "Bluetooth 4, one message a packet": (s.pcap(*map(s.advertisement, parts), link=251), 1),
        "Bluetooth 5, a pack": (s.pcap(s.advertisement(whole), link=251), 1),
        "HCI reports of a host": (s.pcap(*(s.hci(p) for p in parts), s.hci(whole, extended=True), link=187), 2),
    }
    cases = []
    for name, (capture, times) in captures.items():
        theirs = ask(["dronecot==2.3.10"], MESSAGES, messages_by_tshark(capture))
        hand = {
            "GROUND_SPEED_MPS": [77 * 0.25],
            "TRACK_RAD": [(84 + 180) * DEGREE],
            "ON_GROUND": [0.0],
            "VERTICAL_RATE_GEOMETRIC_MPS": [1.5],
        }
        told = told_by(theirs, {k: v * times for k, v in hand.items()})
        assert len(told["positions"]) == times, name
        cases.append(case(name, [capture], **told))
    theirs = ask(["dronecot==2.3.10"], MESSAGES, messages_by_tshark(s.pcap(s.beacon(unknown))))
    nowhere = {
        "GROUND_SPEED_MPS": [10.0],
        "TRACK_RAD": [84 * DEGREE],
        "ON_GROUND": [0.0],
        "VERTICAL_RATE_GEOMETRIC_MPS": [1.5],
        "NO_POSITION": [1.0],
    }
    cases.append(case("position unknown", [s.pcap(s.beacon(unknown))], **told_by(theirs, nowhere)))
    about = {
        "decoder": "remoteid",
        "bytes_by": "the tests' own encoder, after ASTM F3411-22a",
        "values_by": "tshark (radio frames), dronecot 2.3.10 (messages)",
        "by_hand": "GROUND_SPEED_MPS, TRACK_RAD, VERTICAL_RATE_GEOMETRIC_MPS, ON_GROUND, NO_POSITION",
        "not_read": "RSSI_DB",
    }
    write("remoteid", about, cases)


def dronescout() -> None:
    """A receiver's messages: the C struct of the reference implementation in base64."""
    raw = bytearray(920)
    struct.pack_into("<ii21s", raw, 0, 4, 1, b"1581F4QWB22CC00302LV")
    place = (2, 264.0, 19.25, -1.5, 52.1234567, -4.7654321, 131.5, 182.5, 1, 62.0, 11, 4, 3, 3, 1, 1234.5)
    raw[64:136] = struct.pack("<i3f2d2fif5if", *place)
    struct.pack_into("<i24s", raw, 776, 0, b"survey of the dike")
    struct.pack_into("<ii2dHHffiifI", raw, 808, 1, 1, 52.12, -4.76, 1, 0, -1000.0, -1000.0, 1, 2, 44.0, 12_345)
    struct.pack_into("<i21s", raw, 864, 0, b"FIN87astrdge12k8")
    nowhere = bytearray(raw)
    struct.pack_into("<dd", nowhere, 80, 0.0, 0.0)
    for at in (892, 894, 911, 912, 913):
        raw[at] = nowhere[at] = 1
    packed = [base64.b64encode(bytes(one)).decode() for one in (raw, nowhere)]
    cases = []
    for name, text, told in zip(
        ("all", "position unknown"), packed, ask(["dronecot==2.3.10"], STRUCTS, packed), strict=True
    ):
        data = {"sensor ID": "S1", "RSSI": -72, "timestamp": T0 // 10**6, "MAC address": "60:60:1F:1E:30:1E"}
        message = json.dumps({"protocol": 1.0, "data": {**data, "UASdata": text}}).encode()
        hand = {"ON_GROUND": [0.0], "RSSI_DB": [-72.0]}
        hand |= {"GROUND_SPEED_MPS": [told["SpeedHorizontal"]], "TRACK_RAD": [told["Direction"] * DEGREE]}
        hand |= {"VERTICAL_RATE_GEOMETRIC_MPS": [told["SpeedVertical"]]}
        hand |= {"NO_POSITION": [1.0]} if name != "all" else {}
        cases.append(case(name, [message], **told_by([told], hand)))
    about = {
        "decoder": "dronescout",
        "bytes_by": "the struct as the reference implementation's header lays it out",
        "values_by": "dronecot 2.3.10",
        "by_hand": "ON_GROUND, NO_POSITION, RSSI_DB",
    }
    write("dronescout", about, cases)


if __name__ == "__main__":
    radio()
    dronescout()
