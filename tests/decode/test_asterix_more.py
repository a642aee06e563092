"""CAT010, 020, 021, 062, 065, 205: every item and value as libasterix reads them, and what becomes claims or scans."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders.golden_asterix_more import presence
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.checks import feed
from tests.decode.helpers import T0, faults, values
from tests.decode.samples import SENSOR, block, tod

from lapwing.decode.asterix import AsterixDecoder, records_of, time_of_day
from lapwing.decode.asterix_items import CATEGORIES
from lapwing.decode.asterix_reports import place_deg, signed, unsigned
from lapwing.decode.faults import Refusals
from lapwing.records import Decoded, Field, Frame, Source, Space
from lapwing.records.reports import merged

S = 1_000_000_000
DAY = 86_400 * S
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "asterix_more.json").read_text())
HALF = {10: 1 << 31, 20: 1 << 25, 62: 1 << 25}
TURN_16 = 360.0 / 65536.0


def decoded(*blocks: bytes, sensor=None) -> Decoded:
    decoder = AsterixDecoder("f", sensor)
    _, out = feed(decoder, [Frame(i + 1, "f", T0, data) for i, data in enumerate(blocks)])
    return merged(out)


def ours(category: int, items: dict[str, bytes], name: str) -> list[float]:
    """The value of an item by our own scaling, in the oracle's units."""
    scale = (
        {"070": 0.01, "080": 0.01, "200": 0.01}
        if category == 205
        else {"202": 0.25, "185": 0.25, "145": 0.25, "136": 0.25, "140": 6.25, "105": 6.25, "220": 6.25}
    )
    if name == "041" or (category, name) == (62, "105"):
        return list(place_deg(items, name, 4, HALF[category]) or ())
    if category == 21 and name in ("130", "131"):
        return list(place_deg(items, name, 3 if name == "130" else 4, 1 << (23 if name == "130" else 30)) or ())
    if (category, name) in ((10, "140"), (20, "140"), (21, "071"), (21, "073"), (62, "070"), (65, "030"), (205, "030")):
        return [time_of_day(items[name], T0) % DAY / S]
    if (category, name) == (10, "040"):
        return [float(unsigned(items, name, 0, 2)), unsigned(items, name, 2, 2) * TURN_16]
    if (category, name) == (10, "042"):
        return [float(signed(items, name, i, 2)) for i in (0, 2)]
    if category == 205 and name in ("070", "080"):
        return [unsigned(items, name) * scale[name]]
    if name in ("202", "185"):
        return [signed(items, name, i, 2) * scale[name] for i in (0, 2)]
    return [signed(items, name) * scale[name]]


@pytest.mark.parametrize("category", [10, 20, 21, 62, 65, 205])
def test_every_item_and_value_as_the_oracle_reads_it(category: int) -> None:
    """tests/golden/asterix_more.json, made by builders/golden_asterix_more.py."""
    rows = [row for row in GOLDEN if row["category"] == category]
    assert len(rows) == 40
    refusals, compared = Refusals(), 0
    for row in rows:
        ((found, items),) = records_of(Frame(1, "f", T0, bytes.fromhex(row["block"])), refusals)
        assert found == category
        assert {name: raw.hex() for name, raw in items.items()} == row["items"]
        for name, expected in row["values"].items():
            got = ours(category, items, name)
            if name in ("140", "071", "073", "070", "030") and expected[0] >= 86_400 and len(got) == 1:
                continue  # a time of day beyond midnight means another day
            if (category, name) == (10, "202"):
                got = [v / 4.0 for v in got]  # the oracle's unit of 1/16 m/s contradicts its own range, 8192 m/s
            assert got == pytest.approx(expected, abs=1e-7), name
            compared += 1
    assert refusals.faults() == ()
    assert compared > 5


def test_real_recordings_of_system_tracks(shared_recording) -> None:
    """Two system tracks and a service message; the tracks are another tracker's opinion, not the aircraft's word."""
    data = shared_recording("asterix/croatiacontrol/cat062cat065.raw").read_bytes()
    d = decoded(data)
    assert (d.messages, d.faults) == (3, ())
    assert set(d.positions.source.tolist()) == {Source.TISB}
    assert d.positions.address.tolist()[1] == 0x3C0A55
    assert d.positions.address.tolist()[0] >> 29 == 1
    assert np.degrees(d.positions.latitude_rad) == pytest.approx([44.734413, 45.400808], abs=1e-6)


def made(category: int, **items: str) -> bytes:
    """A block of one record: items by name (i010=...) in hexadecimal."""
    order = [name for name, _ in CATEGORIES[category]]
    chosen = sorted((order.index(name[1:]), bytes.fromhex(raw)) for name, raw in items.items())
    return block(category, presence([n for n, _ in chosen]) + b"".join(raw for _, raw in chosen))


LATITUDE, LONGITUDE = "12492492", "02d82d82"  # of 2^30 per half turn: 51.43 and 8 degrees
TOD = tod(T0).hex()


def test_an_adsb_report_says_what_its_version_means() -> None:
    everything = {
        "i010": "1901", "i040": "0140", "i073": TOD, "i080": "4ca2d6", "i131": LATITUDE + LONGITUDE, "i140": "0640",
        "i145": "0578", "i160": "04004000", "i155": "0040", "i157": "7fc0", "i070": "0fc0", "i020": "05", "i200": "04",
        "i170": "04d4f1cb3820", "i210": "12", "i090": "311512", "i151": "01a4", "i146": "e5dc",
    }  # fmt: skip
    d = decoded(made(21, **everything))
    assert d.faults == ()
    assert d.positions.source.tolist() == [Source.ADSB]
    assert np.degrees(d.positions.latitude_rad) == pytest.approx([0x12492492 * 180 / 2**30])
    got = {Field(f): v for f, v in zip(d.values.field.tolist(), d.values.value.tolist(), strict=True)}
    assert got == pytest.approx(
        {
            Field.DOWNLINK_FORMAT: 17, Field.ON_GROUND: 1, Field.HEIGHT_ELLIPSOID_M: 10_000 * 0.3048,
            Field.ALTITUDE_BARO_M: 35_000 * 0.3048, Field.SQUAWK: 7700, Field.EMITTER_CATEGORY: 0xA5,
            Field.EMERGENCY: 1, Field.GROUND_SPEED_MPS: 1852 / 16, Field.TRACK_RAD: np.pi / 2,
            Field.VERTICAL_RATE_BARO_MPS: 400 * 0.3048 / 60, Field.VERTICAL_RATE_GEOMETRIC_MPS: -400 * 0.3048 / 60,
            Field.TRUE_AIRSPEED_MPS: 420 * 1852 / 3600, Field.ALTITUDE_SELECTED_M: 37_500 * 0.3048,
            Field.ADSB_VERSION: 2, Field.NAC_V: 1, Field.NIC: 8, Field.NIC_BARO: 0, Field.SIL: 0, Field.NAC_P: 10,
            Field.SDA: 2, Field.GVA: 1,
        }
    )  # fmt: skip
    old = decoded(made(21, **(everything | {"i210": "02"})))
    assert values(old, Field.NIC) == []
    assert values(old, Field.ADSB_VERSION) == [0]
    assert decoded(made(21, **(everything | {"i040": "60"}))).positions.source.tolist() == [Source.ADSB_OTHER]


def test_multilateration_is_the_receivers_word() -> None:
    place = "009249240016c16c"  # of 2^25 per half turn
    report = {"i010": "1901", "i020": "8110", "i140": TOD, "i041": place, "i220": "4ca2d6", "i202": "00280000"}
    d = decoded(made(20, **report))
    assert d.positions.source.tolist() == [Source.MLAT]
    assert (values(d, Field.GROUND_SPEED_MPS), values(d, Field.ON_GROUND)) == ([10.0], [1.0])
    nameless = {name: raw for name, raw in report.items() if name != "i220"} | {"i161": "0102"}
    assert decoded(made(20, **nameless)).positions.address.tolist() == [1 << 29 | 0x1901 << 16 | 0x0102]
    surface = {"i010": "1901", "i000": "01", "i020": "24", "i140": TOD, "i041": LATITUDE + LONGITUDE, "i220": "4ca2d6"}
    assert decoded(made(10, **surface)).positions.source.tolist() == [Source.MLAT]


def test_a_surface_radar_gives_scans() -> None:
    echo = {"i010": "1907", "i000": "01", "i020": "60", "i140": TOD}
    polar = made(10, **echo, i040="03e84000")
    cartesian = made(10, **echo, i042="0000fc18")
    late = {**echo, "i140": tod(T0 + 10 * S).hex()}
    d = decoded(polar + cartesian, made(10, **late, i040="00010000"), sensor=SENSOR)
    (scan,) = d.scans
    assert scan.space is Space.RANGE_AZIMUTH
    assert scan.z == pytest.approx(np.array([[1000.0, np.pi / 2], [1000.0, np.pi]]))
    assert faults([decoded(polar)]) == {"plot or bearing, but the feed names no sensor": 1}


def test_bearings_of_a_direction_finder() -> None:
    """Directions heard at once are one look; a second finder on the line is refused, not mixed in."""
    one = {"i010": "1909", "i000": "05", "i030": TOD, "i070": "2328", "i170": "01"}
    two, raised = {**one, "i070": "4650"}, {**one, "i200": "03e8"}
    d = decoded(made(205, **one) + made(205, **two) + made(205, **raised), sensor=SENSOR)
    assert [(s.space, len(s)) for s in d.scans] == [(Space.AZIMUTH, 2), (Space.AZIMUTH_ELEVATION, 1)]
    assert d.scans[0].z == pytest.approx(np.array([[np.pi / 2], [np.pi]]))
    assert d.scans[1].z == pytest.approx(np.array([[np.pi / 2, np.radians(10)]]))
    assert {scan.sensor for scan in d.scans} == {"radar"}
    assert d.scans[0].R[0] == pytest.approx(np.array([[SENSOR.azimuth_sigma_rad**2]]))
    other = decoded(made(205, **one), made(205, **{**one, "i170": "02"}), sensor=SENSOR)
    assert len(other.scans) == 1
    assert faults([other]) == {"another sensor than the first one heard": 1}
    stranger = made(205, **{**one, "i010": "1908"})  # of another SAC and SIC, and heard first
    _, out = feed(AsterixDecoder("f", SENSOR, 0x1909), [Frame(1, "f", T0, stranger + made(205, **two))])
    assert [scan.z.tolist() for d in out for scan in d.scans] == [[[pytest.approx(np.pi)]]]
    assert faults(out) == {}


@pytest.mark.parametrize(
    ("category", "items", "reason"),
    [
        (21, {"i040": "0120", "i080": "4ca2d6"}, "simulated target, test target or field monitor"),
        (21, {"i040": "00"}, "report without an address or a track number"),
        (20, {"i020": "8104", "i220": "4ca2d6"}, "simulated target, test target or field monitor"),
        (20, {"i020": "80", "i170": "20"}, "coasted track without a detection"),
        (20, {"i020": "80", "i220": "4ca2d6"}, "report without a position"),
        (10, {"i000": "01", "i020": "2180"}, "simulated target, test target or field monitor"),
        (62, {"i040": "0001", "i080": "0180"}, "simulated target, test target or field monitor"),
        (62, {"i040": "0001", "i080": "01010180"}, "coasted track without a detection"),
        (62, {"i040": "0001"}, "report without a position"),
        (62, {"i040": "0001", "i105": "7fffffff00000000"}, "position not on Earth"),
        (205, {"i000": "05", "i070": "8ca0"}, "report without a bearing"),
        (205, {"i000": "05", "i070": "0000", "i200": "2710"}, "elevation beyond the vertical"),
    ],
)
def test_what_is_refused(category: int, items: dict[str, str], reason: str) -> None:
    d = decoded(made(category, i010="1901", **items), sensor=SENSOR)
    assert faults([d]) == {reason: 1}
    assert (len(d.positions), len(d.scans)) == (0, 0)


def test_the_last_word_on_a_track_and_status_messages_are_counted() -> None:
    d = decoded(made(62, i010="1901", i040="0001", i080="0140"), made(65, i010="1901", i000="02", i030=TOD))
    assert (d.messages, len(d.positions), d.faults) == (2, 0, ())


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    st.sampled_from([bytes.fromhex(row["block"]) for row in GOLDEN]),
    st.lists(st.tuples(st.integers(0, 1 << 12), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_damaged_records(data: bytes, edits: list[tuple[int, int]]) -> None:
    out = bytearray(data)
    for at, byte in edits:
        out[at % len(out)] = byte
    decoded(bytes(out), sensor=SENSOR)
