"""ASTERIX: every item of a real recording as libasterix cuts it, and scans as a tracker needs them."""

import json
from pathlib import Path

import numpy as np
import pytest
from builders.golden_asterix import datagrams, digest
from tests.checks import feed
from tests.decode.helpers import T0, faults, values
from tests.decode.samples import SENSOR, asterix_datagrams, block, marker, plot, tod

from lapwing.decode.asterix import AsterixDecoder, plot_of, records_of, time_of_day
from lapwing.decode.asterix_plots import echo_of
from lapwing.decode.faults import Refusals
from lapwing.records import ANONYMOUS, Field, Frame, Space
from lapwing.records.reports import merged

S = 1_000_000_000
DAY = 86_400 * S
DECODER = AsterixDecoder("f", SENSOR)


def scans(*data: bytes, step_ns: int = 0):
    _, out = feed(DECODER, [Frame(i + 1, "f", T0 + i * step_ns, d) for i, d in enumerate(data)])
    return [scan for d in out for scan in d.scans], out


def test_every_item_of_a_real_recording(shared_recording) -> None:
    """128 CAT048 and 34 CAT034 records, item by item, against tests/golden (builders/golden_asterix.py)."""
    golden = json.loads((Path(__file__).parents[1] / "golden" / "asterix_034_048.json").read_text())
    data = datagrams(shared_recording("asterix/croatiacontrol/cat_034_048.pcap").read_bytes())
    assert len(data) == 100
    received_ns = 1_462_432_155 * S  # the day of the recording, 2016-05-05, at about its hour
    refusals, k = Refusals(), 0
    for number, datagram in enumerate(data):
        frame = Frame(number, "f", received_ns, datagram)
        for category, items in records_of(frame, refusals):
            row = golden[k]
            k += 1
            assert (number, category) == (row["datagram"], row["category"])
            assert digest({name: raw.hex() for name, raw in items.items()}) == row["digest"]
            time_item = items.get("140" if category == 48 else "030")
            if time_item is not None:
                seconds = time_of_day(time_item, received_ns) % DAY / S
                assert seconds == pytest.approx(row["time_of_day_s"], abs=1e-8)
            if category == 48 and "040" in items:
                seen, reason = plot_of(items, frame)
                assert seen is not None, reason
                assert seen.range_m == pytest.approx(row["range_nm"] * 1852.0)
                assert seen.azimuth_rad == pytest.approx(np.radians(row["azimuth_deg"]))
                assert seen.address == row.get("address", ANONYMOUS)
    assert k == len(golden) == 162
    assert sum(row["category"] == 48 for row in golden) == 128
    assert refusals.faults() == ()


def test_a_real_recording_gives_callsigns_of_the_first_radar_only(shared_recording) -> None:
    data = datagrams(shared_recording("asterix/croatiacontrol/cat_034_048.pcap").read_bytes())
    _, out = feed(DECODER, [Frame(i + 1, "f", 1_462_432_155 * S, d) for i, d in enumerate(data)])
    refused = faults(out)
    assert sum(d.messages for d in out) + refused["another radar than the first one heard"] == 162
    assert "DLH65A" in {text for d in out for text in d.texts.text}


def test_one_radar_of_several_is_chosen(shared_recording) -> None:
    """Two feeds about two radars of one recording: each has its own plots, and what is the other's is no fault."""
    data = datagrams(shared_recording("asterix/croatiacontrol/cat_034_048.pcap").read_bytes())
    given = [Frame(i + 1, "f", 1_462_432_155 * S, d) for i, d in enumerate(data)]
    heard = [
        (category, int.from_bytes(items["010"], "big"))
        for frame in given
        for category, items in records_of(frame, Refusals())
    ]
    radars = sorted({radar for _, radar in heard})
    assert len(radars) > 1
    for radar in radars:
        _, out = feed(AsterixDecoder("f", SENSOR, radar), given)
        d = merged(out)
        assert d.messages == sum(of == radar for _, of in heard)
        assert not any("another" in reason for reason in faults(out))
    assert merged(feed(AsterixDecoder("f", SENSOR, 1), given)[1]).messages == 0


def test_datagrams_that_crashed_another_decoder(shared_recording) -> None:
    folder = shared_recording("asterix/mutated_datagrams")
    given = [Frame(i + 1, "f", T0, path.read_bytes()) for i, path in enumerate(sorted(folder.glob("*.bin")))]
    assert len(given) == 7
    _, out = feed(DECODER, given)
    assert faults(out)


def test_a_scan_ends_at_the_north_marker_and_an_empty_one_is_told() -> None:
    done, out = scans(*asterix_datagrams())
    assert [(len(s), s.scan_ns) for s in done] == [(2, T0 + 4 * S), (1, T0 + 8 * S), (0, T0 + 12 * S)]
    first = done[0]
    assert first.space is Space.RANGE_AZIMUTH_RANGE_RATE
    assert first.z == pytest.approx(np.array([[18520.0, np.pi / 2, -20.0], [37040.0, np.pi, 30.0]]))
    assert first.address.tolist() == [0x4CA2D6, ANONYMOUS]
    assert first.time_ns.tolist() == [T0 + S, T0 + 2 * S]
    assert first.R[0] == pytest.approx(np.diag([30.0**2, 0.0035**2, 1.0]))
    assert done[1].space is Space.RANGE_AZIMUTH
    assert [int(s.frame_seq[0]) for s in done[:2]] == [1, 3]
    assert values(out[0], Field.SQUAWK) == [7700.0]
    assert values(out[0], Field.ALTITUDE_BARO_M) == pytest.approx([35_000 * 0.3048])


@pytest.mark.parametrize(
    ("item", "dbm"),
    [
        (b"", None),
        (b"\x08\xb8", -72.0),  # the primary amplitude alone, two's complement
        (b"\xf8\x10\x03\xa0\x07\xc0", -64.0),  # behind four others
        (b"\xf0\x10\x03\xa0\x07", None),  # the four others alone
        (b"\x0e\x05\x01\x02", 5.0),  # and two behind it
    ],
)
def test_the_amplitude_of_the_primary_echo(item: bytes, dbm: float | None) -> None:
    """I048/130: subfields SRL, SRR, SAM, PRL, PAM, RPD, APD of one octet each; PAM in dBm."""
    assert echo_of(item) == dbm


def test_one_plot_without_range_rate_takes_it_from_the_whole_scan() -> None:
    done, _ = scans(block(48, plot(T0, 100, 0, None, 5), plot(T0, 200, 0)), block(34, marker(T0 + S)))
    assert [(s.space, len(s)) for s in done] == [(Space.RANGE_AZIMUTH, 2)]


def test_sectors_end_a_scan_only_where_there_is_no_north_marker() -> None:
    sectors = [block(34, marker(T0 + k * S, 2, k * 64 % 256)) for k in range(9)]
    assert [s.scan_ns for s in scans(*sectors)[0]] == [T0 + 4 * S, T0 + 8 * S]
    north = [block(34, marker(T0)), *sectors, block(34, marker(T0 + 9 * S))]
    assert [s.scan_ns for s in scans(*north)[0]] == [T0, T0 + 9 * S]


def test_without_markers_a_silence_or_a_full_turn_ends_a_scan() -> None:
    at = [0.0, 0.5, 3.0, 3.5, 5.0, 6.5, 7.5]
    done, _ = scans(*[block(48, plot(T0 + int(t * S), 100, 0)) for t in at])
    assert [len(s) for s in done] == [2, 4]
    assert done[0].scan_ns == T0 + S // 2


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(0x00, "coasted track without a detection"), (0xB0, "simulated target, test target or field monitor")],
)
def test_what_is_no_detection(kind: int, reason: str) -> None:
    done, out = scans(block(48, plot(T0, 100, 0, kind=kind)), block(34, marker(T0 + S)))
    assert [len(s) for s in done] == [0]
    assert faults(out) == {reason: 1}


def test_midnight() -> None:
    """A time of day before midnight, received after it, is yesterday's; and the other way round."""
    midnight = T0 - T0 % DAY
    late, early = tod(midnight - S), tod(midnight + S)
    assert time_of_day(late, midnight + 2 * S) == midnight - S
    assert time_of_day(early, midnight - 2 * S) == midnight + S


def test_rubbish_after_a_good_block_does_not_cost_the_good_one() -> None:
    done, out = scans(block(48, plot(T0, 100, 0)) + b"\x40\x00\x07abcd" + b"\x30\xff", block(34, marker(T0 + S)))
    assert [len(s) for s in done] == [1]
    assert faults(out) == {"category 064 is not read": 1, "data block does not fit its datagram": 1}
