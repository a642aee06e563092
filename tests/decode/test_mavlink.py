"""OPEN_DRONE_ID over MAVLink: the frames as pymavlink packs them, and whatever else is on such a link."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.checks import feed
from tests.decode import remoteid_samples as s
from tests.decode.helpers import T0, faults

from lapwing.decode.mavlink import MavlinkDecoder, checksum
from lapwing.decode.remoteid import RemoteIdDecoder
from lapwing.records import Decoded, Field, Frame, Word
from lapwing.records.reports import merged

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "mavlink_odid.json").read_text())
HOUR_NS = 3_600_000_000_000
SECOND = 1_000_000_000
NOW = T0 - T0 % HOUR_NS + 1_836 * SECOND  # a second and a half after what LOCATION says


def frame(name: str, which: int = 0) -> bytes:
    return bytes.fromhex([row["frame"] for row in GOLDEN if row["message"] == name][which])


def heard(*data: bytes) -> Decoded:
    return merged(feed(MavlinkDecoder("f"), [Frame(i + 1, "f", NOW, d) for i, d in enumerate(data)])[1])


def values(d: Decoded) -> dict[Field, float]:
    return {Field(f): v for f, v in zip(d.values.field.tolist(), d.values.value.tolist(), strict=True)}


def words(d: Decoded) -> dict[Word, str]:
    return {Word(w): t for w, t in zip(d.texts.word.tolist(), d.texts.text, strict=True)}


def test_the_checksum_is_the_published_one() -> None:
    assert checksum(b"123456789") == 0x6F91  # CRC-16/MCRF4XX in the catalogue of parametrised CRC algorithms


def test_every_field_as_it_was_given() -> None:
    d = heard(*(frame(name) for name in ("BASIC_ID", "LOCATION", "SYSTEM", "SELF_ID", "OPERATOR_ID")))
    assert (d.messages, d.faults) == (5, ())
    assert np.degrees([d.positions.latitude_rad[0], d.positions.longitude_rad[0]]) == pytest.approx(
        [52.2612345, 3.9087654]
    )
    assert d.positions.time_ns[0] == NOW - SECOND * 3 // 2
    assert values(d) == pytest.approx({
        Field.UA_TYPE: 2, Field.ON_GROUND: 0, Field.GROUND_SPEED_MPS: 12.34, Field.TRACK_RAD: np.radians(270.5),
        Field.VERTICAL_RATE_GEOMETRIC_MPS: -1.5, Field.ALTITUDE_BARO_M: 131.5, Field.HEIGHT_ELLIPSOID_M: 182.5,
        Field.HEIGHT_OVER_TAKEOFF_M: 62.0, Field.NAC_P: 10, Field.NAC_V: 3,
        Field.OPERATOR_LATITUDE_RAD: np.radians(52.25), Field.OPERATOR_LONGITUDE_RAD: np.radians(3.9),
        Field.OPERATOR_HEIGHT_ELLIPSOID_M: 44.0, Field.OPERATOR_LOCATION_KIND: 1,
        Field.CATEGORY_EU: 1, Field.CLASS_EU: 2,
    })  # fmt: skip
    serial = "1581F45T7228N00D1234"
    assert words(d) == {
        Word.SERIAL: serial,
        Word.NAME: serial,
        Word.DESCRIPTION: "Survey of the dike",
        Word.OPERATOR_ID: "FIN87astrdge12k8",
    }
    assert set(d.positions.address.tolist()) == set(d.values.address.tolist()) == set(d.texts.address.tolist())
    radio = s.pcap(s.beacon(s.pack(s.basic(serial.encode()))))
    other = merged(feed(RemoteIdDecoder("f"), [Frame(1, "f", NOW, radio)])[1])
    assert other.texts.address[0] == d.positions.address[0]  # one identity, whichever way it came


def test_what_is_not_known_gives_no_row() -> None:
    d = heard(frame("BASIC_ID"), frame("LOCATION", 1))
    assert len(d.positions) == 0
    assert values(d) == {Field.UA_TYPE: 2, Field.NO_POSITION: 1, Field.ON_GROUND: 0, Field.NAC_P: 10, Field.NAC_V: 3}


def test_a_pack_is_told_apart_by_who_sent_it() -> None:
    d = heard(frame("MESSAGE_PACK"))
    assert words(d)[Word.SERIAL] == "1581F45T7228N00D1234"
    assert np.degrees(values(d)[Field.OPERATOR_LATITUDE_RAD]) == pytest.approx(52.1)
    assert (d.messages, d.faults) == (2, ())
    alone = heard(frame("LOCATION"))
    named = heard(frame("BASIC_ID"), frame("LOCATION"))
    assert alone.positions.address[0] != named.positions.address[0]  # before its BASIC_ID only its radio is known


def test_other_traffic_is_passed_over_and_broken_frames_are_counted() -> None:
    others = [bytes.fromhex(row["frame"]) for row in GOLDEN if row["message"].startswith("HEARTBEAT")]
    d = heard(*others, frame("BASIC_ID"), others[0], b"noise \xfd and \xfe", frame("LOCATION"))
    assert (d.messages, len(d.positions), d.faults) == (2, 1, ())
    for at in (4, 9, 20, len(frame("LOCATION")) - 1):
        broken = bytearray(frame("LOCATION"))
        broken[at] ^= 0x10
        d = heard(frame("BASIC_ID"), bytes(broken), frame("LOCATION"), others[0])
        assert len(d.positions) == 1, at
    wrong = bytearray(frame("LOCATION"))
    wrong[-1] ^= 1
    assert list(faults([heard(bytes(wrong))])) == ["MAVLink frame with a wrong checksum or flag"]
