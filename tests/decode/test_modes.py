"""Which Mode S frames are believed, whose they are, and when they were sent."""

import numpy as np
import pytest
from tests.checks import feed
from tests.decode.helpers import T0, beast_of, faults, frames, message, parity, real_lines, squitter, values

from lapwing.decode import AvrDecoder, BeastDecoder, modes
from lapwing.decode.counter import MLAT_COUNTER
from lapwing.decode.faults import Refusals
from lapwing.records import Decoded, Field, Frame, Source

S = 1_000_000_000
ME = message((5, 19), (51, 0))


def heard(*told: tuple[float, str]) -> Decoded:
    raw = np.array([list(bytes.fromhex(text).ljust(14, b"\0")) for _, text in told], np.uint8)
    time_ns = np.array([T0 + round(seconds * S) for seconds, _ in told])
    refusals = Refusals()
    batch = modes.plain_batch(raw, np.array([len(text) // 2 for _, text in told]), time_ns, np.arange(len(told)))
    _, decoded = modes.decode(modes.start(), batch, np.zeros(4), refusals)
    return Decoded(decoded.positions, decoded.values, decoded.texts, (), refusals.faults(), decoded.messages)


def reply(form: int, code: int, address: int = 0x4840D6) -> str:
    """A surveillance reply whose parity is overlaid with the address."""
    body = bytes([form << 3, 0]) + code.to_bytes(2, "big")
    return (body + (int.from_bytes(parity(body), "big") ^ address).to_bytes(3, "big")).hex()


def all_call(interrogator: int, address: int = 0x4840D6) -> str:
    body = bytes([11 << 3 | 5]) + address.to_bytes(3, "big")
    return (body + (int.from_bytes(parity(body), "big") ^ interrogator).to_bytes(3, "big")).hex()


def test_replies_are_believed_only_after_a_clean_squitter_of_the_last_minute() -> None:
    out = heard((0, reply(4, 0x0610)), (1, squitter(ME)), (2, reply(5, 0x0808)), (61.5, reply(4, 0x0610)))
    assert out.values.frame_seq[out.values.field == Field.DOWNLINK_FORMAT].tolist() == [1, 2]
    assert [(f.reason, f.count) for f in out.faults] == [("address not heard clean within 60 s", 2)]
    assert values(out, Field.SQUAWK) == [1200.0]


def test_all_calls() -> None:
    """With an interrogator's code the parity is not clean: believed once the address is known otherwise."""
    out = heard((0, all_call(5)), (1, all_call(0)), (2, all_call(5)), (3, all_call(128)))
    assert out.values.frame_seq.tolist() == [1, 2]
    assert {f.reason: f.count for f in out.faults} == {
        "address not heard clean within 60 s": 1,
        "parity does not match": 1,
    }


@pytest.mark.parametrize(
    ("control", "source"),
    [
        (0, Source.ADSB_OTHER),
        (1, Source.ADSB_OTHER),
        (2, Source.TISB),
        (3, Source.TISB),
        (5, Source.TISB),
        (6, Source.ADSR),
    ],
)
def test_extended_squitters_of_others(control: int, source: Source) -> None:
    out = heard((0, squitter(ME, first=18 << 3 | control)))
    assert set(out.values.source.tolist()) == {int(source)}


def test_frames_without_a_meaning() -> None:
    out = heard((0, squitter(ME, first=18 << 3 | 7)), (1, squitter(ME, first=19 << 3)), (2, squitter(ME)[:14]))
    assert {f.reason: f.count for f in out.faults} == {
        "downlink format without a meaning": 2,
        "length does not fit the downlink format": 1,
    }
    assert len(out.values) == 0


def test_one_wrong_bit_is_enough() -> None:
    clean = int(squitter(ME), 16)
    wrong = [(float(k), f"{clean ^ 1 << k:028x}") for k in range(88)]
    refused = heard(*wrong)
    assert refused.messages == 0
    assert sum(f.count for f in refused.faults) == 88


def status(version: int, nic_a: int = 0, subtype: int = 0) -> str:
    me = message((5, 31), (3, subtype), (16, 0), (16, 0b0000001100000000 & 0x3FFF), (3, version), (1, nic_a), (4, 9),
                 (2, 2), (2, 3), (1, 1), (1, 0), (2, 0))  # fmt: skip
    return squitter(me)


def at(code: int, nic_b: int = 0) -> str:
    return squitter(message((5, code), (2, 0), (1, nic_b), (12, 0), (36, 0)))


def test_quality_is_told_only_by_those_who_told_their_version() -> None:
    assert values(heard((0, at(11, 1))), Field.NIC) == []
    assert values(heard((0, status(0)), (1, at(11, 1))), Field.NIC) == []
    assert values(heard((0, status(1, 1)), (1, at(11, 0))), Field.NIC) == [9.0]
    assert values(heard((0, status(2, 1)), (1, at(11, 0)), (2, at(11, 1)), (3, at(0))), Field.NIC) == [8.0, 9.0, 0.0]


def test_operational_status() -> None:
    two, one = heard((0, status(2))), heard((0, status(1)))
    told = (Field.ADSB_VERSION, Field.NAC_P, Field.SIL, Field.GVA, Field.NIC_BARO, Field.SDA)
    assert [values(two, f) for f in told] == [[2.0], [9.0], [3.0], [2.0], [1.0], [3.0]]
    assert [values(one, f) for f in (Field.ADSB_VERSION, Field.GVA, Field.SDA)] == [[1.0], [], []]
    assert values(heard((0, status(5))), Field.ADSB_VERSION) == []


def test_no_message_gives_more_rows_than_there_is_room_for() -> None:
    rng = np.random.default_rng(7)
    me = [int(x) for x in rng.integers(0, 2**56, 4000)]
    out = heard((0, status(2)), *[(1.0, squitter(x)) for x in me])
    most = np.bincount(out.values.frame_seq).max()
    assert 6 <= most <= 12


def test_a_beast_recording(shared_recording) -> None:
    """239 frames in 24 s; timed by their counter."""
    data = shared_recording("adsb/traffic_samples/sample_dump1090.bin").read_bytes()
    decoder = BeastDecoder("f", clock="counter", start_ns=T0)
    _, out = feed(decoder, frames(data, 1000, 2000))
    refused = faults(out)
    assert sum(d.messages for d in out) + sum(refused.values()) == 239
    assert set(refused) <= {"address not heard clean within 60 s"}
    assert len(np.unique(np.concatenate([d.values.address for d in out]))) == 3
    time_ns = np.concatenate([d.values.time_ns for d in out])
    assert time_ns.min() >= T0
    assert 20.0 < (time_ns.max() - T0) / S < 25.0


def test_the_counter_wraps_leaps_and_passes_over_multilateration() -> None:
    text, top = squitter(ME), 1 << 48
    decoder = BeastDecoder("f", clock="counter", start_ns=T0)
    counters = [top - 12_000_000, 0, 12_000_000, MLAT_COUNTER, 24_000_000, 10**14, 10**14 + 12_000_000]
    data = b"".join(beast_of([text], counter % top) for counter in counters)
    _, out = decoder.decode(decoder.start(), frames(data))
    formats = out.values.field == Field.DOWNLINK_FORMAT
    assert ((out.values.time_ns[formats] - T0) / S).tolist() == [0.0, 1.0, 2.0, 0.0, 3.0, 3.0, 4.0]
    assert out.values.source[formats].tolist() == [0, 0, 0, int(Source.MLAT), 0, 0, 0]
    assert faults([out]) == {"counter leaps by more than an hour": 1}


def test_signal_strength() -> None:
    out = BeastDecoder("f").decode(BeastDecoder("f").start(), frames(beast_of([squitter(ME)], signal=51)))[1]
    assert values(out, Field.RSSI_DB) == pytest.approx([20.0 * np.log10(0.2)])
    silent = BeastDecoder("f").decode(BeastDecoder("f").start(), frames(beast_of([squitter(ME)], signal=0)))[1]
    assert values(silent, Field.RSSI_DB) == []


def test_a_recording_with_times_of_its_own_gives_what_beast_gives() -> None:
    lines = real_lines()[:3000]
    text = "".join(f"{t:.6f},{frame}\n" for t, frame in lines).encode()
    _, csv = AvrDecoder("f").decode(AvrDecoder("f").start(), frames(text))
    short = [frame[:14] if int(frame[:2], 16) >> 3 < 16 else frame for _, frame in lines]
    chunks = [
        Frame(i, "f", round(t * 1e6) * 1000, beast_of([f], signal=0))
        for i, ((t, _), f) in enumerate(zip(lines, short, strict=True))
    ]
    _, beast = BeastDecoder("f").decode(BeastDecoder("f").start(), chunks)
    assert csv.messages == beast.messages == 3000
    assert csv.values.time_ns.tolist() == beast.values.time_ns.tolist()
    assert csv.values.value.tolist() == beast.values.value.tolist()
    assert csv.positions.latitude_rad.tolist() == beast.positions.latitude_rad.tolist()


def test_the_state_forgets_the_oldest() -> None:
    n = 300
    raw = np.array([list(bytes.fromhex(squitter(ME, address=k + 1))) for k in range(n)], np.uint8)
    batch = modes.plain_batch(raw, np.full(n, 14), T0 + np.arange(n), np.arange(n))
    state, _ = modes.decode(modes.start(), batch, np.zeros(4), Refusals(), limit=100)
    assert state.keys.tolist() == list(range(201, 301))
