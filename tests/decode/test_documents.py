"""readsb documents, traces and BaseStation lines: units, ages, quality, and what is refused."""

import gzip
import json
import math

import pytest
from tests.checks import feed
from tests.decode.helpers import KNOT_MPS, T0, faults, frames, values
from tests.decode.samples import SBS, aircraft_json, trace_json

from lapwing.decode import ReadsbDecoder, SbsDecoder, TraceDecoder
from lapwing.decode.numbers import finite, number
from lapwing.records import Decoded, Doubt, Field, Frame, Source, Word

S = 1_000_000_000


def readsb(*documents: bytes) -> list[Decoded]:
    return feed(ReadsbDecoder("f"), [Frame(i + 1, "f", T0, d) for i, d in enumerate(documents)])[1]


def test_an_aircraft_in_si_units_at_its_own_times() -> None:
    (out,) = readsb(aircraft_json(1_720_000_000.0))
    assert out.messages == 2
    assert out.positions.time_ns.tolist() == [1_720_000_000 * S - 1_200_000_000]
    assert out.positions.latitude_rad.tolist() == [math.radians(51.45)]
    mine = out.values.address == 0x4CA2D6
    assert set(out.values.time_ns[mine].tolist()) == {1_720_000_000 * S - 400_000_000}
    said = dict(zip(out.values.field[mine].tolist(), out.values.value[mine].tolist(), strict=True))
    assert said[Field.ALTITUDE_BARO_M] == pytest.approx(37000 * 0.3048)
    assert said[Field.GROUND_SPEED_MPS] == pytest.approx(420.5 * KNOT_MPS)
    assert said[Field.TRACK_RAD] == pytest.approx(math.radians(179.2))
    assert (said[Field.NIC], said[Field.NAC_P], said[Field.SIL], said[Field.ADSB_VERSION]) == (8, 9, 3, 2)
    assert (said[Field.SQUAWK], said[Field.EMITTER_CATEGORY], said[Field.EMERGENCY]) == (7700, 0xA3, 1)
    assert out.texts.text == ("RYR1427",)


def test_made_up_quality_is_not_told() -> None:
    """Version 0 and TIS-B have none, whatever the document says."""
    record = {"hex": "4ca2d6", "type": "adsb_icao", "version": 0, "nac_p": 8, "nic": 8, "seen": 1}
    (out,) = readsb(json.dumps({"now": 1.7e9, "aircraft": [record]}).encode())
    assert values(out, Field.NAC_P) == values(out, Field.NIC) == []
    assert values(out, Field.ADSB_VERSION) == [0.0]
    (out,) = readsb(aircraft_json())
    other = out.values.address == 0x2A1B3C
    assert set(out.values.source[other].tolist()) == {int(Source.TISB)}
    assert Field.NAC_P not in out.values.field[other].tolist()


@pytest.mark.parametrize(
    ("said", "source"),
    [
        ({"type": "adsb_icao"}, Source.ADSB),
        ({"type": "adsb_icao_nt"}, Source.ADSB_OTHER),  # UAT by way of readsb, vehicles
        ({"type": "adsr_icao"}, Source.ADSR),  # UAT that a ground station repeats
        ({"type": "adsr_other"}, Source.ADSR),
        ({"type": "tisb_icao"}, Source.TISB),
        ({"type": "tisb_trackfile"}, Source.TISB),
        ({"type": "mlat"}, Source.MLAT),
        ({"type": "mode_s"}, Source.MODE_S),
        ({"type": "adsc"}, Source.MODE_S),  # not known here: nobody's ADS-B
        ({}, Source.ADSB),  # dump1090 says no type
        ({"mlat": [], "tisb": []}, Source.ADSB),
        ({"mlat": ["lat", "lon", "nic"], "tisb": []}, Source.MLAT),
        ({"mlat": [], "tisb": ["lat", "lon"]}, Source.TISB),
        ({"mlat": ["gs"], "tisb": 7}, Source.ADSB),
        ({"type": "adsb_icao", "mlat": ["lat", "lon"]}, Source.MLAT),
    ],
)
def test_whose_word_a_place_is(said: dict[str, object], source: Source) -> None:
    record = {"hex": "4ca2d6", "lat": 51.0, "lon": -1.0, "seen": 1, "altitude": 1000, "nac_p": 8, "version": 2, **said}
    (out,) = readsb(json.dumps({"now": 1.7e9, "aircraft": [record]}).encode())
    assert set(out.positions.source.tolist()) | set(out.values.source.tolist()) == {int(source)}
    assert values(out, Field.ALTITUDE_BARO_M) == [pytest.approx(304.8)]
    assert bool(values(out, Field.NAC_P)) == (source not in (Source.MLAT, Source.TISB))


def test_old_words_are_not_said_again() -> None:
    same, later = aircraft_json(1_720_000_000.0), aircraft_json(1_720_000_005.0)
    out = readsb(same, same, later)
    assert [d.messages for d in out] == [2, 0, 2]
    assert [len(d.positions) for d in out] == [1, 0, 1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"[" * 100_000, "JSON nested too deeply"),
        (b'{"aircraft":' + b"[" * 100_000, "JSON nested too deeply"),
        (b'{"aircraft":[' + b"9" * 5000 + b"]}", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"aircraft":7}', "no list of aircraft"),
        (b'{"aircraft":[7]}', "aircraft is not an object"),
        (b'{"aircraft":[{"hex":"zz"}]}', "no address"),
        (b'{"aircraft":[{"hex":"4ca2d6","lat":91,"lon":0}]}', "position not on Earth"),
        (b'{"aircraft":[{"hex":["4ca2d6"]}]}', "no address"),
        (b"\xff\xfe\x00", "not JSON"),
    ],
)
def test_documents_that_are_refused(data: bytes, reason: str) -> None:
    assert faults(readsb(data)) == {reason: 1}


def test_wrong_types_and_numbers_are_not_told() -> None:
    record = (
        '{"hex":"4ca2d6","gs":NaN,"track":Infinity,"alt_baro":1e400,"squawk":7700,"lat":"51","lon":true,"nic":1e99}'
    )
    out = readsb(b'{"now":-1e300,"aircraft":[' + record.encode() + b"]}")
    assert faults(out) == {}
    assert set(out[0].values.field.tolist()) == {int(Field.DOWNLINK_FORMAT)}


def test_a_trace() -> None:
    (out,) = feed(TraceDecoder("f"), [Frame(1, "f", T0, trace_json())])[1]
    assert out.positions.doubt.tolist() == [0, int(Doubt.STALE), 0]
    assert out.positions.source.tolist() == [int(Source.ADSB), int(Source.ADSB), int(Source.MLAT)]
    assert out.positions.time_ns[1] == 1_700_000_008_960_000_000
    assert values(out, Field.NAC_P) == [10.0]
    assert values(out, Field.VERTICAL_RATE_GEOMETRIC_MPS) == pytest.approx([32 * 0.00508, 64 * 0.00508, -64 * 0.00508])
    assert out.texts.text == ("N899DN", "B739", "DAL1812")


def test_a_real_trace(shared_recording) -> None:
    data = gzip.decompress(shared_recording("adsb/traffic_samples/trace_full_ac671b.json.gz").read_bytes())
    rows = json.loads(data)["trace"]
    (out,) = feed(TraceDecoder("f"), [Frame(1, "f", T0, data)])[1]
    assert out.faults == ()
    assert len(out.positions) == len(rows) == 2500
    qualified = [r for r in rows if r[8] and "nic" in r[8]]
    assert len(qualified) == 625
    fresh = [r for r in qualified if r[8].get("version", 0) >= 1]
    assert len(fresh) == 622  # three rows do not say their version
    assert values(out, Field.NIC) == [float(r[8]["nic"]) for r in fresh]
    assert values(out, Field.NAC_P) == [float(r[8]["nac_p"]) for r in fresh if "nac_p" in r[8]]


def test_base_station_lines() -> None:
    (out,) = feed(SbsDecoder("f"), frames(SBS))[1]
    assert out.messages == 4
    assert out.positions.latitude_rad.tolist() == [math.radians(51.45735)]
    assert values(out, Field.ALTITUDE_BARO_M) == pytest.approx([37000 * 0.3048, 36950 * 0.3048])
    assert values(out, Field.GROUND_SPEED_MPS) == pytest.approx([420 * KNOT_MPS])
    assert values(out, Field.SQUAWK) == [7700.0]
    assert out.texts.word.tolist() == [int(Word.CALLSIGN)]
    assert out.texts.text == ("RYR1427",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"MSG,9,1,1,4CA2D6,1" + b"," * 16, "not a BaseStation message"),
        (b"MSG,3,1,1,4CA2D6", "not a BaseStation message"),
        (b"MSG,3,1,1,XYZ,1" + b"," * 16, "no address"),
        (b"MSG,3,1,1,4CA2D6,1,,,,,,,,,95.0,10.0,,,,,,", "position not on Earth"),
    ],
)
def test_base_station_lines_that_are_refused(line: bytes, reason: str) -> None:
    assert faults(feed(SbsDecoder("f"), frames(line + b"\n"))[1]) == {reason: 1}


def test_numbers() -> None:
    assert [number(t) for t in ("1", " -2.5 ", ".5", "1e5", "nan", "1_0", "", "--1")] == [1, -2.5, 0.5] + [None] * 5
    assert [finite(v) for v in (1, 2.5, True, "1", None, float("nan"), 10**400)] == [1.0, 2.5] + [None] * 5
