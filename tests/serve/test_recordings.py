"""Recordings: each form gives timed chunks that never go back; a file that is something else is told so."""

import gzip
import json
import struct
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lapwing.records import FeedConfig
from lapwing.serve.recordings import EPOCH_NS, RecordingError, chunks, read
from tests.decode import remoteid_samples as remoteid
from tests.decode import sapient_samples as sapient

T0 = 1_720_000_000


def feed(path, decoder, **more):
    return FeedConfig("f", decoder, "file", path=str(path), **more)


def rows(path, decoder, **more):
    return [(t, d) for _, t, d in read(feed(path, decoder, **more))]


def test_mode_s_lines_with_times(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"{T0}.25,8d4840d6202cc371c32ce0576098\n{T0 + 1}.5,5d484fdea248f5\n")
    assert [t for t, _ in rows(path, "avr")] == [T0 * 10**9 + 250_000_000, (T0 + 1) * 10**9 + 500_000_000]
    path.write_text(f'{{"timestamp":{T0}.5,"frame":"8d4840d6202cc371c32ce0576098","df":"17"}}\n')
    assert rows(path, "avr") == [(T0 * 10**9 + 500_000_000, b"%d.5,8d4840d6202cc371c32ce0576098\n" % T0)]


def test_nmea_with_and_without_tag_blocks(tmp_path):
    path = tmp_path / "a.nmea"
    path.write_bytes(b"!AIVDM,1,1,,A,x,0*00\n!AIVDM,1,1,,A,y,0*00\n\\s:r,c:1720000000*5D\\!AIVDM,1,1,,A,z,0*00\n")
    got = [t for t, _ in rows(path, "nmea")]
    assert got[1] - got[0] in (0, 100_000_000)
    assert got[0] == EPOCH_NS
    assert got[2] == T0 * 10**9


def test_the_last_line_counts_without_its_end(tmp_path):
    path = tmp_path / "a.nmea"
    path.write_bytes(b"!AIVDM,a\n!AIVDM,b")
    assert [d for _, d in rows(path, "nmea")] == [b"!AIVDM,a\n", b"!AIVDM,b\n"]


def test_times_never_go_back(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"{T0 + 5}.0,00\n{T0}.0,01\n")
    assert [t for t, _ in rows(path, "avr")] == [(T0 + 5) * 10**9] * 2


def test_beast_sample_is_cut_at_frames_and_timed_by_its_counter():
    root = Path(find_spec("traffic").submodule_search_locations[0]) / "data/samples/dump1090/sample_dump1090.bin"
    got = rows(root, "beast", start_ns=T0 * 10**9)
    assert len(got) == 239
    assert b"".join(d for _, d in got) == root.read_bytes()
    assert 20 < (got[-1][0] - got[0][0]) * 1e-9 < 30


def test_a_trace_becomes_one_document_per_row():
    root = Path(find_spec("traffic").submodule_search_locations[0]) / "data/samples/readsb/trace_full_ac671b.json"
    got = rows(root, "trace")
    assert len(got) == 2500
    assert json.loads(got[0][1])["icao"] == "ac671b"
    assert all(a[0] <= b[0] for a, b in pairwise(got))


def pcap(packets, magic=b"\xd4\xc3\xb2\xa1", link=1):
    out = magic + struct.pack("<HHIIII", 2, 4, 0, 0, 65535, link)
    for seconds, payload in packets:
        udp = struct.pack(">HHHH", 1, 2, 8 + len(payload), 0) + payload
        ip = bytes([0x45, 0]) + struct.pack(">H", 20 + len(udp)) + bytes(5) + b"\x11" + bytes(10) + udp
        frame = bytes(14) + ip
        out += struct.pack("<IIII", seconds, 500_000, len(frame), len(frame)) + frame
    return out


def test_captured_datagrams(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([(T0, b"\x30\x00\x03"), (T0 + 1, b"abc")]))
    assert rows(path, "asterix") == [
        (T0 * 10**9 + 500_000_000, b"\x30\x00\x03"),
        ((T0 + 1) * 10**9 + 500_000_000, b"abc"),
    ]


def test_recordings_merge_by_time(tmp_path):
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    a.write_text(f"{T0}.0,00\n{T0 + 2}.0,02\n")
    b.write_text(f"{T0 + 1}.0,01\n")
    feeds = (FeedConfig("a", "avr", "file", path=str(a)), FeedConfig("b", "avr", "file", path=str(b)))
    assert [f for f, _, _ in chunks(feeds)] == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("name", "content", "decoder", "says"),
    [
        ("a.bin", b"hello", "beast", "not a Beast recording"),
        ("a.json", b"[1, 2", "trace", "not a readsb trace"),
        ("a.json", b"[" * 100_000, "trace", "not a readsb trace"),
        ("a.pcap", b"PK\x03\x04" + bytes(40), "asterix", "not a pcap file"),
        ("a.pcap", pcap([], link=250), "asterix", "link type 250 is not supported"),
        ("a.ast", b"\x30\x00\x01", "asterix", "a block of length 1"),
        ("a.csv.gz", gzip.compress(b"x" * 100_000, mtime=0)[:60], "avr", "damaged or cut off"),
    ],
)
def test_wrong_files_are_told(tmp_path, name, content, decoder, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=says):
        rows(path, decoder)


@given(st.binary(max_size=400), st.sampled_from(["beast", "avr", "nmea", "trace", "readsb", "asterix"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_bytes_are_read_or_refused(tmp_path, data, decoder):
    path = tmp_path / ("a.pcap" if data[:1] > b"\x80" else "a.raw")
    path.write_bytes(data)
    try:
        got = rows(path, decoder)
    except RecordingError as error:
        assert str(path) in str(error)
        return
    assert all(a[0] <= b[0] for a, b in pairwise(got))


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_radio_captures_are_cut_at_packets(tmp_path, form):
    packets = [remoteid.beacon(remoteid.pack(remoteid.basic(), remoteid.location())) for _ in range(3)]
    path = tmp_path / f"a.{form}"
    path.write_bytes(getattr(remoteid, form)(*packets, time_ns=T0 * 10**9))
    got = rows(path, "remoteid")
    assert b"".join(d for _, d in got) == path.read_bytes()
    assert [t for t, _ in got][-3:] == [(T0 + i) * 10**9 for i in range(3)]
    path.write_bytes(b"no capture")
    with pytest.raises(RecordingError, match="not a pcap file"):
        rows(path, "remoteid")


def test_receiver_messages_have_their_own_time(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(remoteid.dronescout())
    got = rows(path, "dronescout")
    assert len(got) == 4
    assert {t for t, _ in got} == {1_720_000_000 * 10**9}
    path.write_bytes(b"[]")
    with pytest.raises(RecordingError, match="no JSON object"):
        rows(path, "dronescout")


def test_framed_messages_come_at_their_own_times(tmp_path):
    path = tmp_path / "a.sapient"
    path.write_bytes(b"".join(sapient.talk()))
    got = rows(path, "sapient")
    assert b"".join(d for _, d in got) == path.read_bytes()
    assert [t - T0 * 10**9 for t, _ in got] == [k * 10**9 for k in (0, 1, 1, 1, 2, 3, 4)]
    path.write_bytes(b"\xff" * 50)
    with pytest.raises(RecordingError, match="not framed SAPIENT"):
        rows(path, "sapient")
