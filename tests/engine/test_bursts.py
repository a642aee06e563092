"""What a link kept back is not taken for jumps: positions without a time of their own are not used while a feed catches
up, those with a time are, and nobody is alarmed about anything but the silence."""

import numpy as np
import pytest

from lapwing.engine.bursts import LASTS_S_MAX, REASON, Burst, in_time
from lapwing.engine.plan import make_plan
from lapwing.records import Decoded, Frame, Positions, Source
from lapwing.records.reports import Texts, Values
from lapwing.serve.runtime import Runtime
from lapwing.serve.site import parse
from lapwing_lab.scenario import load
from lapwing_lab.site import site_text
from tests.replay.test_replay import T0, Clock
from tests.replay.world import Path

S = 1_000_000_000
TICK_S = 0.2


def heard(count, to_ns, own_time=False):
    """A frame with `count` positions, numbers and names, stamped by reception or a second older by themselves."""
    seq, i = np.full(count, 7, np.int64), np.arange(count)
    time_ns = np.full(count, to_ns - S if own_time else to_ns, np.int64)
    source, zero = np.full(count, Source.AIS, np.int64), np.zeros(count)
    return [Frame(7, "a", to_ns, b"")], Decoded(
        Positions(time_ns, seq, source, i, zero, zero, 0 * i),
        Values(time_ns, seq, source, i, 0 * i, zero),
        Texts(time_ns, seq, source, i, 0 * i, ("x",) * count),
    )


def run(counts, known=None, begin=1, own_time=False):
    """What remains of each tick's positions, numbers and names, the faults counted, what is known at the end."""
    known, used, faults = known or Burst(), [], []
    for k, count in enumerate(counts):
        to_ns = round((begin + k) * TICK_S * S)
        frames, decoded = heard(count, to_ns, own_time) if count else ([], Decoded())
        known, decoded = in_time(known, decoded, frames, to_ns)
        assert len(decoded.positions) == len(decoded.values) == len(decoded.texts.text)
        assert all(f.reason == REASON for f in decoded.faults)
        used.append(len(decoded.positions))
        faults.append(sum(f.count for f in decoded.faults))
    return np.array(used), np.array(faults), known


def test_a_backlog_is_left_out_and_counted_and_what_follows_is_used():
    usual, silent = [10] * 500, [0] * 450
    used, faults, _ = run(usual + silent + [900] * 5 + [10] * 100)
    assert used[:500].sum() == 5000
    assert (used + faults == np.array(usual + silent + [900] * 5 + [10] * 100)).all()
    assert used[950:955].sum() == 0
    assert (used[966:] == 10).all(), "it goes on at most two windows after the last of the backlog"


def test_a_silence_that_kept_nothing_back_costs_a_second():
    used, faults, _ = run([10] * 500 + [0] * 450 + [10] * 100)
    assert faults.sum() <= 60
    assert (used[956:] == 10).all()


def test_times_of_their_own_are_kept():
    used, faults, _ = run([10] * 500 + [0] * 450 + [900] * 5 + [10] * 100, own_time=True)
    assert faults.sum() == 0
    assert used.sum() == 6000 + 4500


@pytest.mark.parametrize("rate_hz", [0.02, 0.2, 1.0, 5.0, 50.0])
def test_chance_is_hardly_ever_taken_for_a_silence(rate_hz):
    rng = np.random.default_rng(int(rate_hz * 100))
    counts = rng.poisson(rate_hz * TICK_S, 10_000)
    _, faults, _ = run(counts)
    assert faults.sum() <= 2e-3 * counts.sum() + 3


def test_a_feed_that_became_busier_is_used_again_within_a_minute():
    _, _, known = run([2] * 500 + [0] * 450)
    used, _, _ = run([40] * 600, known, begin=951)
    first = np.flatnonzero(used)[0]
    assert first * TICK_S <= LASTS_S_MAX + 1.5
    assert (used[first:] == 40).all()


def straits(kind, stall=(60.0, 140.0), seconds=200.0):
    """The straits without jammers as (feed, seconds, bytes); what is sent during the stall comes after it, at fifty
    times its rate and in its order."""
    s = load(str(Path(__file__).resolve().parents[2] / "scenarios" / "straits-2024.toml"), 5)
    for jammer in s.air.jammers:
        object.__setattr__(jammer, "on_s", 1e9)
    chunks, last = [], {}
    for k in range(1, round(seconds * 4) + 1):
        t = k / 4
        come = stall[1] + (t - stall[0]) / 50 if stall[0] < t <= stall[1] else t
        aircraft = bytes(s.adsb.between(t))
        aircraft = aircraft if kind == "beast" else avr(aircraft)
        for feed, data in (("ADS-B", aircraft), ("AIS", s.ais.between(t, T0 * 1e-9 + t))):
            last[feed] = max(come, last.get(feed, 0.0))
            if data:
                chunks.append((feed, last[feed], data))
    text = site_text(s, {"ADS-B": "tcp://127.0.0.1:1", "AIS": "tcp://127.0.0.1:2"})
    return text.replace('"beast"', f'"{kind}"'), sorted(chunks, key=lambda c: c[1])


def avr(beast):
    """The same messages as lines, without counters."""
    out = b""
    for body in beast.replace(b"\x1a\x1a", b"\x00ESC").split(b"\x1a")[1:]:
        plain = body.replace(b"\x00ESC", b"\x1a")
        out += b"*" + plain[8:].hex().upper().encode() + b";\n"
    return out


@pytest.mark.parametrize("kind", ["beast", "avr"])
def test_a_link_that_stands_for_eighty_seconds_alarms_nobody(kind, tmp_path):
    text, chunks = straits(kind)
    runtime = Runtime(make_plan(parse(text).site(tmp_path)), text, tmp_path, 64.0, Clock())
    said, k, moved = set(), 0, 0
    try:
        for tick in range(1, 1001):
            now, mine = T0 + round(tick * TICK_S * S), []
            while k < len(chunks) and T0 + round(chunks[k][1] * S) <= now:
                mine.append((chunks[k][0], T0 + round(chunks[k][1] * S), chunks[k][2]))
                k += 1
            picture = runtime.tick(mine, now)
            claims = picture.claims
            said |= {(rule, reason) for rule, reason in zip(picture.alarms.rule, picture.alarms.reason, strict=True)}
            said |= {("doubt", int(d)) for d in claims.doubt[claims.has_position == 1] & 1 if d}
            moved = np.count_nonzero((now - claims.position_ns) < 10 * S)
        feeds = {f.feed: f for f in picture.feeds}
        runtime._close()
    finally:
        runtime.journal.close()
    assert {rule for rule, _ in said} == {"feed quiet"}, said
    assert moved >= 70, "they are followed again"
    assert feeds["AIS"].faults > 100
    assert (feeds["ADS-B"].faults > 1000) == (kind == "avr")
