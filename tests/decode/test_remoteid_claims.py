"""Remote ID end to end: captures, claims, integrity. One serial number in two places is one claim that contradicts
itself, and both places stay visible."""

import numpy as np

from lapwing import integrity, track
from lapwing.decode.pcap import Capture, steps
from lapwing.decode.remoteid import RemoteIdDecoder
from lapwing.decode.remoteid_messages import interned
from lapwing.integrity import IntegritySettings
from lapwing.records import Claims, Condition, Doubt, Frame, Integrity, Position, Source, Tracks
from lapwing.track import ClaimSettings

S = 1_000_000_000
ORIGIN = Position(np.radians(47.1987), np.radians(8.7302), 400.0)
SERIAL = interned("rid 1", b"1588E040445AC004418")
APART_M = 24_800.0


def packets(data: bytes) -> list[tuple[int, bytes]]:
    """(capture time, bytes) of a capture; headers come with the time of the first packet."""
    out, at = [], 0
    for step in steps(Capture(), data):
        out.append((step.packet.time_ns if step.packet else 0, data[at : step.after]))
        at = step.after
    first = next(t for t, _ in out if t)
    return [(t or first, raw) for t, raw in out]


def run(feeds: list[list[tuple[int, bytes]]], until_ns: int) -> tuple[list[Claims], list[Integrity]]:
    """Claims and verdicts once a second; each feed has its own decoder, as each receiver has."""
    decoder, settings = RemoteIdDecoder("f"), IntegritySettings()
    states = [decoder.start() for _ in feeds]
    start_ns = feeds[0][0][0]
    claims, memory = Claims.empty(start_ns), integrity.start(settings)
    seen, verdicts = [], []
    for now in range(start_ns + S, until_ns + 1, S):
        for i, feed in enumerate(feeds):
            due = [Frame(1, "f", t, raw) for t, raw in feed if now - S <= t < now]
            states[i], decoded = decoder.decode(states[i], due)
            claims = track.claims_step(claims, decoded, ClaimSettings(), ORIGIN, now)
        memory, verdict = integrity.step(memory, claims, Tracks.empty(now), settings)
        seen.append(claims)
        verdicts.append(verdict)
    return seen, verdicts


def row(claims: Claims) -> int:
    return int(np.flatnonzero(claims.address == SERIAL)[0])


def test_a_real_flight_and_the_same_serial_elsewhere(shared_recording) -> None:
    """From the 60th second on a spoofer 24 km away uses the serial number: its reports are not believed, the claim
    stays where it was, and says so; integrity calls it inconsistent."""
    real = packets(shared_recording("remoteid/parrot_anafi4/parrot_anafi4_real.pcapng").read_bytes())
    fake = packets(shared_recording("remoteid/parrot_anafi4/parrot_anafi4_spoofed.pcapng").read_bytes())
    start, shift = real[0][0], real[0][0] + 60 * S - fake[0][0]
    calm, _ = run([real], start + 110 * S)
    assert set(calm[-1].source.tolist()) == {Source.REMOTE_ID}
    assert calm[-1].names[row(calm[-1])] == "1588E040445AC004418"
    assert not any(c.doubt[row(c)] & Doubt.JUMP for c in calm[5:])
    assert np.hypot(*calm[-1].mean[row(calm[-1]), :2]) < 200.0

    seen, verdicts = run([real, [(t + shift, raw) for t, raw in fake]], start + 110 * S)
    quiet = [c for c in seen[5:58] if c.doubt[row(c)] & Doubt.JUMP]
    assert quiet == []
    loud = [i for i, c in enumerate(seen) if i > 5 and c.doubt[row(c)] & Doubt.JUMP]
    assert len(loud) > 10
    told = [int(verdicts[i].condition[row(seen[i])]) for i in range(loud[0] + 15, loud[-1])]
    assert set(told) == {Condition.INCONSISTENT}  # flagged within 15 s and until the spoofer ends
    places = np.array([c.suspect_m[row(c)] for c in seen[5:] if c.suspect_ns[row(c)] > 0])
    assert np.abs(np.hypot(*places.T) - APART_M).min() < 1_000.0


def test_the_spoofer_alone_is_a_claim_like_any_other(shared_recording) -> None:
    """Nothing in its own words gives it away: Remote ID is not authenticated."""
    fake = packets(shared_recording("remoteid/parrot_anafi4/parrot_anafi4_spoofed.pcapng").read_bytes())
    seen, _ = run([fake], fake[0][0] + 60 * S)
    at = np.hypot(*seen[-1].mean[row(seen[-1]), :2])
    assert abs(at - APART_M) < 1_500.0
