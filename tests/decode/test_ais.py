"""AIS against pyais on real lines, number by number; and the rules of the sentences around them."""

import math
import warnings

import pytest
from pyais import decode as pyais_decode
from pyais.exceptions import AISBaseException
from tests.checks import feed
from tests.decode.helpers import KNOT_MPS, T0, faults, frames, values
from tests.decode.samples import AIVDM

from lapwing.decode import NmeaDecoder
from lapwing.decode.nmea import checksum
from lapwing.records import Decoded, Doubt, Field, Frame, Source, Word

DECODER = NmeaDecoder("f")
NUMBERS = [
    ("speed", Field.GROUND_SPEED_MPS, KNOT_MPS, 102.3),
    ("course", Field.TRACK_RAD, math.pi / 180.0, 360.0),
    ("heading", Field.HEADING_RAD, math.pi / 180.0, 511),
    ("second", Field.TIMESTAMP_S, 1.0, None),
    ("ship_type", Field.SHIP_TYPE, 1.0, None),
    ("raim", Field.RAIM, 1.0, None),
    ("accuracy", Field.POSITION_ACCURATE, 1.0, None),
]
TEXTS = [("shipname", Word.NAME), ("callsign", Word.CALLSIGN), ("destination", Word.DESTINATION)]


def said(line: bytes) -> dict | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pyais_decode(line).asdict()
    except (AISBaseException, ValueError, IndexError, KeyError):
        return None


def one(line: bytes) -> Decoded:
    return DECODER.decode(DECODER.start(), frames(line + b"\n"))[1]


def test_real_lines_against_pyais(shared_recording) -> None:
    data = shared_recording("ais/samples/nmea_data_sample.txt").read_bytes()
    seen = positions = 0
    for line in data.splitlines():
        theirs, mine = said(line), one(line) if b",1,1," in line[:12] else None
        if mine is None or theirs is None or not mine.messages:
            continue
        seen += 1
        kind = theirs["msg_type"]
        if kind in (1, 2, 3, 18, 19, 27, 4, 9, 21):
            there = abs(theirs["lat"]) <= 90.0 and abs(theirs["lon"]) <= 180.0
            assert len(mine.positions) == there
            if there:
                positions += 1
                assert math.degrees(mine.positions.latitude_rad[0]) == pytest.approx(theirs["lat"], abs=1e-6)
                assert math.degrees(mine.positions.longitude_rad[0]) == pytest.approx(theirs["lon"], abs=1e-6)
                assert mine.positions.address.tolist() == [theirs["mmsi"]]
        if kind not in (1, 2, 3, 5, 18, 19, 24):
            continue
        for name, field, scale, absent in NUMBERS:
            if name in theirs and not (name == "second" and kind in (4, 11)):
                expected = [] if theirs[name] == absent else [float(theirs[name]) * scale]
                assert values(mine, field) == pytest.approx(expected, abs=1e-9), (line, name)
        texts = dict(zip(mine.texts.word.tolist(), mine.texts.text, strict=True))
        for name, word in TEXTS:
            if name in theirs:
                assert texts.get(int(word), "") == theirs[name].strip()
    assert seen > 700
    assert positions > 500


def test_real_lines_are_understood_as_often_as_by_pyais(shared_recording) -> None:
    """897 lines and one without a line feed: 778 messages, 100 of the rest have an empty payload."""
    data = shared_recording("ais/samples/nmea_data_sample.txt").read_bytes()
    _, out = feed(DECODER, [Frame(1, "f", T0, data + b"\n")])
    assert len(data.splitlines()) == 898
    assert (sum(d.messages for d in out), faults(out)) == (778, {"empty payload": 100})


def test_parts_tag_blocks_and_the_rest() -> None:
    out = one(AIVDM)
    assert out.messages == 4
    assert [f.reason for f in out.faults] == ["empty payload"]
    assert out.values.time_ns[out.values.address == 0x0].tolist() == []
    tagged = out.positions.time_ns.tolist()
    assert tagged.count(1_418_172_113 * 10**9) == 1
    assert Source.AIS_OTHER in out.values.source.tolist()


def sentence(body: str) -> bytes:
    return f"!{body}*{checksum(body.encode()):02X}\n".encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"!AIVDM,1,1,,B,15NBj>PP1gG>1PVKTDTUJOv00<0M,0*08\n", "checksum does not match"),
        (b"hello\n", "not an AIS sentence"),
        (b"!AIVDM,1,1,,B,15NBj>PP1gG\n", "not an AIS sentence"),
        (sentence("AIVDM,1,1,,B,15NBj>PP,0"), "AIS message too short"),
        (sentence("AIVDM,1,1,,B,15NBj>PP1gG>1PVKTDTUJOv00<0~,0"), "payload character without a meaning"),
        (sentence("AIVDM,1,1,,B,05NBj>PP1gG>1PVKTDTUJOv00<0M,0"), "AIS message type without a meaning"),
        (sentence("AIVDM,2,3,1,B,15NBj>PP,0"), "part number above the total"),
        (sentence("AIVDM,1,1,,B," + "0" * 401 + ",0"), "AIS message too long"),
        (b"\\c:1418172113*00\\!AIVDM,1,1,,B,,0*25\n", "tag block checksum does not match"),
        (b"x" * 2000 + b"\n", "line too long"),
    ],
)
def test_refusals(line: bytes, reason: str) -> None:
    out = one(line)
    assert [(f.reason, f.count) for f in out.faults] == [(reason, 1)]
    assert out.messages == 0


def test_unfinished_messages_are_bounded_and_forgotten() -> None:
    first = [sentence(f"AIVDM,{total},1,{k},{ch},53@o0E,0") for total in range(2, 10) for k in range(10) for ch in "AB"]
    state, _ = DECODER.decode(DECODER.start(), frames(b"".join(first)))
    assert len(state.parts) == 64
    many = sentence("AIVDM,1,1,,B,15NBj>PP1gG>1PVKTDTUJOv00<0M,0") * 300
    state, _ = DECODER.decode(state, frames(many + sentence("AIVDM,2,1,1,A,53@o0E,0")))
    assert len(state.parts) == 1


def test_dead_reckoning_is_doubted() -> None:
    """The 143 bits of a type 1 report whose second is 62."""
    bits = 1 << 162 | 2**29 + 5 << 130 | 62 << 168 - 143
    payload = "".join(chr(c + 48 if c < 40 else c + 56) for c in (bits >> 6 * k & 63 for k in range(27, -1, -1)))
    out = one(sentence(f"AIVDM,1,1,,A,{payload},0"))
    assert out.positions.doubt.tolist() == [int(Doubt.DEAD_RECKONED)]
    assert values(out, Field.TIMESTAMP_S) == [62.0]
