"""Remote ID against an independent reader, dronecot, on every beacon of a real flight and of a sample: who,
where, how high, and whose.

Not compared, because dronecot 2.3.10 reads it otherwise than ASTM F3411-22a has it: ground speed (0.75 instead of 0.25
m/s per unit), track (without the bit of the western half), vertical speed (unsigned), and NAN frames, of which it finds
half. Ours are checked against pymavlink's encoder in test_mavlink.py.
"""

import json
import math
import subprocess

import numpy as np
import pytest
from tests.checks import feed
from tests.decode.helpers import T0
from tests.peers import peer

from lapwing.decode import RemoteIdDecoder
from lapwing.decode.pcap import Capture, steps
from lapwing.records import Field, Frame, Word

ORACLE = """
import json, sys
from dronecot import odid, wifi_parse
out = []
for line in sys.stdin:
    pack = wifi_parse.extract_odid_from_dot11(bytes.fromhex(line))
    if pack:
        raw = pack[0]
        body, count = (raw[3:], raw[2]) if raw[0] >> 4 == 15 else (raw, 1)
        told = odid.message_pack_to_dict(body, count)
        out.append({k: v for k, v in told.items() if isinstance(v, (str, int, float))})
print(json.dumps(out))
"""
NUMBERS = {
    "AltitudeBaro": (Field.ALTITUDE_BARO_M, 1.0),
    "AltitudeGeo": (Field.HEIGHT_ELLIPSOID_M, 1.0),
    "UAType": (Field.UA_TYPE, 1.0),
    "OperatorLatitude": (Field.OPERATOR_LATITUDE_RAD, math.pi / 180.0),
    "OperatorLongitude": (Field.OPERATOR_LONGITUDE_RAD, math.pi / 180.0),
}


def dot11(data: bytes) -> list[bytes]:
    """The radio frames of a capture with radiotap headers, without these and without the check sequence at the end."""
    found = [step.packet.data for step in steps(Capture(), data) if step.packet]
    return [packet[int.from_bytes(packet[2:4], "little") :] for packet in found]


@pytest.mark.parametrize(
    "name", ["parrot_anafi4/parrot_anafi4_real.pcapng", "opendroneid_samples/odid_wifi_bcn_sample.pcap"]
)
def test_an_independent_reader_reads_the_same(name, shared_recording) -> None:
    data = shared_recording(f"remoteid/{name}").read_bytes()
    python = str(peer("dronecot==2.3.10") / "python")
    lines = "\n".join(raw.hex() for raw in dot11(data))
    ran = subprocess.run([python, "-c", ORACLE], input=lines, capture_output=True, text=True, check=True)
    theirs = json.loads(ran.stdout.splitlines()[-1])
    _, out = feed(RemoteIdDecoder("f"), [Frame(1, "f", T0, data)])
    ours = out[0]
    placed = [t for t in theirs if t.get("Latitude") or t.get("Longitude")]
    assert len(placed) == len(ours.positions) > 20
    for key, column in (("Latitude", ours.positions.latitude_rad), ("Longitude", ours.positions.longitude_rad)):
        assert np.degrees(column) == pytest.approx([t[key] for t in placed], abs=1e-9)
    for key, (code, unit) in NUMBERS.items():
        mine = ours.values.value[ours.values.field == code]
        other = [
            t[key] * unit for t in theirs if math.isfinite(t.get(key, math.nan)) and (key, t[key]) != ("UAType", 0)
        ]
        assert mine == pytest.approx(other, abs=1e-9), key
    for key, words in (("UASID", (Word.SERIAL, Word.REGISTRATION, Word.SESSION)), ("OperatorID", (Word.OPERATOR_ID,))):
        said = [text for word, text in zip(ours.texts.word, ours.texts.text, strict=True) if word in words]
        # An id of type 0, "none", is no identity.
        assert said == [t[key] for t in theirs if t.get(key) and (key != "UASID" or t["IDType"])], key
