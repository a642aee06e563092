"""Remote ID: real captures to the counts that are known of them, and what is refused."""

import lzma
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checks import feed
from tests.decode import remoteid_samples as s
from tests.decode.helpers import T0, faults, values

from lapwing.decode.airframes import HCI_H4, NORDIC, Refused, heard
from lapwing.decode.dronescout import DroneScoutDecoder
from lapwing.decode.pcap import Capture, steps
from lapwing.decode.remoteid import SENDERS_MAX, RemoteIdDecoder
from lapwing.decode.remoteid_messages import interned, of_mac, said_at
from lapwing.records import Decoded, Field, Frame, Source, Word
from lapwing.records.reports import merged

S = 1_000_000_000
DECODER = RemoteIdDecoder("f")


def decoded(data: bytes, decoder: RemoteIdDecoder | DroneScoutDecoder = DECODER) -> Decoded:
    _, out = feed(decoder, [Frame(1, "f", T0, data)])
    return merged(out)


def said(d: Decoded, word: Word) -> Counter[str]:
    return Counter(t for w, t in zip(d.texts.word, d.texts.text, strict=True) if w == word)


def test_the_parrot_capture(shared_recording) -> None:
    """1,140 locations and 385 each of identity, system and operator messages; one serial number; a real flight."""
    d = decoded(shared_recording("remoteid/parrot_anafi4/parrot_anafi4_real.pcapng").read_bytes())
    assert d.messages == 1140 + 3 * 385
    assert len(d.positions) == 1140
    assert d.faults == ()
    assert said(d, Word.SERIAL) == {"1588E040445AC004418": 385}
    assert len(values(d, Field.OPERATOR_LATITUDE_RAD)) == len(values(d, Field.UA_TYPE)) == 385
    assert len({*zip(d.positions.latitude_rad, d.positions.longitude_rad, strict=True)}) == 117
    assert np.degrees(d.positions.latitude_rad) == pytest.approx(47.1987, abs=0.001)
    assert set(d.positions.source.tolist()) == {Source.REMOTE_ID}
    serial = interned("rid 1", b"1588E040445AC004418")
    assert (d.positions.address == serial).sum() > 1100  # but for the first ones, before it said who it is


def test_the_spoofed_serial(shared_recording) -> None:
    """26 beacons of the same serial number; each pack ends early, its whole messages are kept."""
    d = decoded(shared_recording("remoteid/parrot_anafi4/parrot_anafi4_spoofed.pcapng").read_bytes())
    assert len(d.positions) == 26
    assert said(d, Word.SERIAL) == {"1588E040445AC004418": 26}
    assert np.degrees(d.positions.latitude_rad) == pytest.approx(47.378, abs=0.01)
    assert {f.reason: f.count for f in d.faults} == {"Remote ID pack cut short": 26}


@pytest.mark.parametrize(("name", "messages", "positions"), [("wifi_bcn", 105, 21), ("wifi", 42, 31)])
def test_samples_of_both_wifi_carriers(name: str, messages: int, positions: int, shared_recording) -> None:
    d = decoded(shared_recording(f"remoteid/opendroneid_samples/odid_{name}_sample.pcap").read_bytes())
    assert (d.messages, len(d.positions), d.faults) == (messages, positions, ())


def test_bluetooth_long_range(shared_recording) -> None:
    """No location of this transmitter has a position, and the broken frames (which seem to have one) are refused: our
    own check sequence says of every packet what the sniffer's flag says."""
    data = shared_recording("remoteid/opendroneid_samples/odid_bt5_lr_sample.pcapng").read_bytes()
    d = decoded(data)
    assert len(d.positions) == 0
    assert set(values(d, Field.NO_POSITION)) == {1.0}
    refused = {f.reason: f.count for f in d.faults}
    flagged = broken = 0
    for step in steps(Capture(), data):
        if step.packet is None:
            continue
        ours, packet = False, step.packet.data
        flagged += not packet[8] & 1
        try:
            heard(NORDIC, packet[:8] + bytes([packet[8] | 1]) + packet[9:])
        except Refused:
            ours = True
        assert ours == (not packet[8] & 1)
        broken += ours
    assert refused["frame check sequence does not match"] == broken == flagged > 0


@pytest.mark.parametrize("name", ["BLE-legacy", "BLE-long_range", "WiFi-NaN", "WiFi-beacon"])
def test_dronescout_messages(name: str, shared_recording) -> None:
    d = decoded(shared_recording(f"remoteid/dronescout_json/{name}.json").read_bytes(), DroneScoutDecoder("f"))
    assert d.faults == ()
    assert d.messages == len(d.positions) > 1
    assert set(said(d, Word.SERIAL)) == {"1787F04BM24010011195"}
    assert np.degrees(d.positions.latitude_rad) == pytest.approx(37.76, abs=0.01)


def test_every_field_of_a_pack() -> None:
    d = decoded(s.pcap(s.beacon(s.pack(s.basic(), s.location(), s.system(), s.operator(), s.self_id()))))
    assert d.messages == 5
    assert np.degrees([d.positions.latitude_rad[0], d.positions.longitude_rad[0]]) == pytest.approx([47.1987, 8.7302])
    got = {Field(f): v for f, v in zip(d.values.field.tolist(), d.values.value.tolist(), strict=True)}
    expected = {
        Field.UA_TYPE: 2, Field.ON_GROUND: 0, Field.GROUND_SPEED_MPS: 10.0, Field.TRACK_RAD: np.radians(84),
        Field.VERTICAL_RATE_GEOMETRIC_MPS: 1.5, Field.HEIGHT_ELLIPSOID_M: 550.0, Field.HEIGHT_OVER_TAKEOFF_M: 20.0,
        Field.NAC_P: 11, Field.NAC_V: 3, Field.OPERATOR_LATITUDE_RAD: np.radians(47.2),
        Field.OPERATOR_LONGITUDE_RAD: np.radians(8.73), Field.OPERATOR_HEIGHT_ELLIPSOID_M: 500.0,
        Field.OPERATOR_LOCATION_KIND: 1, Field.CATEGORY_EU: 1, Field.CLASS_EU: 2, Field.RSSI_DB: -50,
    }  # fmt: skip
    assert got == pytest.approx(expected)
    assert said(d, Word.OPERATOR_ID) == {"CHEtest123": 1}
    assert said(d, Word.DESCRIPTION) == {"survey": 1}
    assert said(d, Word.SERIAL) == said(d, Word.NAME) == {s.SERIAL.decode(): 1}
    scout = decoded(s.dronescout(), DroneScoutDecoder("f"))
    n = len(scout.values) // 3
    other = {Field(f): v for f, v in zip(scout.values.field.tolist()[:n], scout.values.value.tolist()[:n], strict=True)}
    del expected[Field.RSSI_DB], expected[Field.OPERATOR_LOCATION_KIND]
    assert {f: other[f] for f in expected} == pytest.approx(expected)
    assert scout.positions.address[0] == d.positions.address[0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_all_carriers_say_the_same(order: str) -> None:
    whole = s.pack(s.basic(), s.location())
    for data in (
        s.pcap(s.beacon(whole)),
        s.pcapng(s.beacon(whole), order=order),
        s.pcap(s.nan(whole), link=105),
        s.pcap(s.advertisement(whole), link=251),
        s.pcap(s.advertisement(s.basic()), s.advertisement(s.location()), link=251),
        s.pcap(s.hci(s.basic()), s.hci(s.location()), link=187),
        s.pcap(s.hci(s.basic(), s.location()), link=187),
        s.pcap(s.hci(whole, extended=True), link=187),
        s.pcap(bytes.fromhex("00000001") + s.hci(s.basic(), s.location(), extended=True), link=201),
    ):
        d = decoded(data)
        assert d.faults == ()
        assert d.messages == 2
        assert d.positions.address.tolist() == [interned("rid 1", s.SERIAL)]


def test_what_a_controller_tells_its_host() -> None:
    """Strength, sender, and what is no advertisement; who never says who it is stays apart by its radio address."""
    known, untold = s.hci(s.location(), rssi=-61), s.hci(s.location(), rssi=127, mac=bytes.fromhex("0a0b0c0d0e0f"))
    other = [b"\x04\x0e\x04\x01\x0c\x20\x00", b"\x01\x0c\x20\x02\x01\x00", b"\x04\x3e\x03\x0c\x00\x00", b"\x04"]
    d = decoded(s.pcap(known, untold, *other, s.hci(s.location(), extended=True, rssi=-100), link=187))
    assert d.faults == ()
    mine, stranger = of_mac(int.from_bytes(s.MAC, "big")), of_mac(0x0A0B0C0D0E0F)
    assert d.positions.address.tolist() == [mine, stranger, mine]
    assert sorted(values(d, Field.RSSI_DB)) == [-100.0, -61.0]


@given(st.binary(max_size=80), st.sampled_from([2, 13]), st.integers(0, 255))
@settings(deadline=None, max_examples=500)
def test_any_bytes_from_a_controller_are_read_or_refused(body: bytes, kind: int, said: int) -> None:
    event = b"\x04\x3e" + bytes([min(len(body) + 2, 255)]) + bytes([kind, said]) + body
    for packet in (event, event[: len(body)], s.hci(s.location(), extended=kind == 13)[: 4 + said % 40] + body):
        try:
            found = heard(HCI_H4, packet)
        except Refused:
            continue
        assert all(0 <= h.mac < 1 << 48 and -128 <= h.rssi_dbm <= 0 for h in found)


def test_who_says_it_between_identities() -> None:
    """Before the first BasicID the sender's radio address stands for it; nobody shares a common 'unknown'."""
    d = decoded(s.capture())
    known = interned("rid 1", s.SERIAL)
    assert d.positions.address.tolist() == [of_mac(int.from_bytes(s.MAC, "big")), known, known]
    other = d.values.address[d.values.field == Field.NO_POSITION]
    assert other.tolist() == [of_mac(0x0A0B0C0D0E0F)]


def test_a_serial_number_outranks_a_session() -> None:
    session = s.basic(b"\x05abc", kind=4)
    d = decoded(s.pcap(*(s.beacon(s.pack(m)) for m in (session, s.basic(), session, s.location()))))
    assert d.positions.address.tolist() == [interned("rid 1", s.SERIAL)]
    assert said(d, Word.SESSION) == {"05616263": 2}


def test_a_flood_of_senders_is_bounded() -> None:
    packets = [s.beacon(s.pack(s.basic(b"%020d" % i)), i.to_bytes(6, "big")) for i in range(1, SENDERS_MAX + 50)]
    state, _ = feed(DECODER, [Frame(1, "f", T0, s.pcap(*packets))])
    assert len(state.senders.mac) == SENDERS_MAX
    assert state.senders.mac[-1] == SENDERS_MAX + 49


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (s.pcap(s.beacon(s.pack(s.location()))[:-1] + b"\0"), "frame check sequence does not match"),
        (s.pcap(s.advertisement(s.location())[:-1] + b"\0", link=251), "frame check sequence does not match"),
        (s.pcap(s.beacon(s.pack(s.location(91.0)))), "position not on Earth"),
        (s.pcap(s.beacon(s.pack(s.system(91.0)))), "operator not on Earth"),
        (s.pcap(s.beacon(b"\xf2\x19\x0a" + bytes(225))), "Remote ID pack with an impossible size"),
        (s.pcap(s.beacon(b"\xf2\x19\x00" + bytes(25))), "Remote ID pack without messages"),
        (s.pcap(s.beacon(s.location()[:20])), "Remote ID message too short"),
        (s.pcap(s.beacon(s.pack(b"\x92" + bytes(24)))), "Remote ID message type without a meaning"),
        (s.pcap(b"\0\0\xff\xff\0\0\0\0"), "radiotap header does not fit"),
        (s.pcap(s.beacon(s.location()), link=9), "link type 9 is not read"),
        (s.pcap(s.advertisement(s.location(), bytes(6)), link=251), "neither identity nor sender"),
        (b"junk" + s.pcap(), "bytes outside a captured packet"),
        (s.pcap(s.hci(s.location())[:-1], link=187), "event does not fit its packet"),
        (s.pcap(s.hci(s.location(), extended=True)[:-1], link=187), "event does not fit its packet"),
        (s.pcap(b"\x04\x3e\x03\x0d\x01\x00", link=187), "event does not fit its packet"),
        (
            s.pcap(s.hci(s.location()).replace(b"\x22\x02\x01", b"\xff\x02\x01"), link=187),
            "event does not fit its packet",
        ),
        (s.pcap(s.hci(s.location(), extended=True, kind=0x20), link=187), "advertisement told in parts"),
    ],
)
def test_refusals(data: bytes, reason: str) -> None:
    d = decoded(data)
    assert reason in {f.reason for f in d.faults}
    assert len(d.positions) == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"data": 1}', "no data"),
        (b'{"data": {"UASdata": "!"}}', "UASdata is not base64"),
        (b'{"data": {"UASdata": "AAAA"}}', "UASdata too short"),
        (b'{"data": {"UASdata": "' + b"A" * 1228 + b'"}}', "neither identity nor sender"),
        (b"x{}", "bytes outside a JSON object"),
        (b'{"' + b"x" * 70_000, "JSON object too long"),
    ],
)
def test_dronescout_refusals(data: bytes, reason: str) -> None:
    assert reason in faults([decoded(data, DroneScoutDecoder("f"))])


@pytest.mark.parametrize("form", [lzma.FORMAT_XZ, lzma.FORMAT_ALONE])
def test_dronescout_messages_packed_by_lzma(form: int) -> None:
    """Each MQTT message is a frame; packed and plain ones may alternate."""
    plain = s.dronescout()
    packed = lzma.compress(plain, form) + b"\n"  # what the transport puts after each message
    given = [Frame(i + 1, "f", T0, data) for i, data in enumerate((packed, plain, packed))]
    _, out = feed(DroneScoutDecoder("f"), given)
    once = decoded(plain, DroneScoutDecoder("f"))
    d = merged(out)
    assert d.faults == ()
    assert once.messages > 0
    assert d.messages == 3 * once.messages
    assert d.positions.latitude_rad.tolist() == 3 * once.positions.latitude_rad.tolist()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (lzma.compress(b" " * 100_000_000), "lzma message cut short or too long"),  # 15 kB that would be 100 MB
        (lzma.compress(s.dronescout())[:-20], "lzma message cut short or too long"),
        (lzma.compress(s.dronescout(), preset=9), "lzma message damaged"),  # wants 64 MiB to be unpacked
        (b"\xfd7zXZ\0" + bytes(100), "lzma message damaged"),
        (b"\x5d\0\0" + b"\xff" * 100, "lzma message damaged"),
    ],
)
def test_packed_messages_that_are_refused(data: bytes, reason: str) -> None:
    _, out = feed(DroneScoutDecoder("f"), [Frame(1, "f", T0, data), Frame(2, "f", T0, s.dronescout())])
    d = merged(out)
    assert faults([d]) == {reason: 1}
    assert d.messages == decoded(s.dronescout(), DroneScoutDecoder("f")).messages


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255), form=st.sampled_from([lzma.FORMAT_XZ, lzma.FORMAT_ALONE]))
def test_a_damaged_packed_message_is_read_or_refused(at: int, byte: int, form: int) -> None:
    data = bytearray(lzma.compress(s.dronescout(), form))
    data[at % len(data)] = byte
    d = decoded(bytes(data), DroneScoutDecoder("f"))
    assert d.messages or d.faults


def test_a_capture_that_lost_a_piece_or_begins_anew() -> None:
    good = s.beacon(s.pack(s.basic(), s.location()))
    whole = s.pcap(good, good)
    lost = whole[: len(whole) - 60] + s.pcap(good)[24:]
    d = decoded(lost + s.pcap(good, good) + s.pcapng(good))
    assert len(d.positions) == 1 + 2 + 1  # the packet that lost its end takes the next one with it
    assert {f.reason for f in d.faults} == {"frame check sequence does not match", "bytes outside a captured packet"}


def test_a_senders_clock_is_believed_only_near_ours() -> None:
    hour = 3_600 * S
    received = 472_222 * hour + 600 * S
    assert said_at(5_990, received) == received - S
    assert said_at(0, received) == received  # ten minutes off
    assert said_at(0xFFFF, received) == received
    early = 472_222 * hour + S
    assert said_at(35_995, early) == early - 3 * S // 2  # before the full hour, received after it
