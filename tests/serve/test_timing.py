"""Where the time goes: every stage beside its budget, from the inbox to what browsers say; none of it in a state."""

import asyncio
import sqlite3
import time

import httpx
import pytest
import websockets

from lapwing import __version__
from lapwing.engine import codec
from lapwing.engine.journal import Journal, JournalError
from lapwing.engine.plan import TICK_NS, make_plan
from lapwing.engine.replay import base, verify
from lapwing.engine.tick import step
from lapwing.records import FIELDS
from lapwing.serve import metrics, timing
from lapwing.serve.runtime import CHECKPOINT_TICKS, Runtime
from lapwing.serve.site import parse
from lapwing.serve.timing import EVERY, STAGES, TOTAL, Drawn, Lag, Lap, Timing
from lapwing.serve.web import WebOptions, create_app
from tests.serve import fake_shelf
from tests.serve.test_web import read_until_picture, served

SITE = """
name = "S"
origin = {latitude_deg = 47.0, longitude_deg = 8.0}
feed = [{name = "f", decoder = "json", from = "stdin:", sensor = "r"}]
[[sensor]]
name = "r"
at = {latitude_deg = 47.0, longitude_deg = 8.0, height_m = 0}
range_sigma_m = 10
azimuth_sigma_deg = 0.5
"""
LOOK = b'{"detections": [{"range_m": 1000, "azimuth_deg": 10}]}\n'
T0 = 1_773_100_800 * 10**9


def row(watch: Timing, stage: str) -> dict:
    return next(r for r in watch.rows() if r["stage"] == stage)


def test_the_stages_share_the_budget_of_the_whole():
    assert sum(s.budget_ms for s in STAGES) == TOTAL.budget_ms == 500.0


def test_percentiles_of_the_last_minute_only(monkeypatch):
    watch, now = Timing(), [1_000.0]
    monkeypatch.setattr(timing.time, "monotonic", lambda: now[0])
    watch.add("decode", 9.0)
    now[0] += 61.0
    for k in range(1, 101):
        watch.add("decode", k / 1000.0)
    watch.add("track", -3.0)  # the clock was set back
    told = row(watch, "decode")
    assert (told["n"], told["p50_ms"], told["p95_ms"], told["max_ms"]) == (100, 50.5, 95.0, 100.0)
    assert row(watch, "track")["max_ms"] == 0.0
    assert row(watch, "page") | {"n": 0, "p95_ms": None} == row(watch, "page")


def test_memory_is_bounded():
    watch = Timing()
    for k in range(timing.SAMPLES_MAX + 50):
        watch.add("queue", 0.001)
        watch.came(k, k)
    assert row(watch, "queue")["n"] == timing.SAMPLES_MAX
    assert len(watch._oldest_ns) == timing.TICKS_MAX


def test_a_part_done_in_pieces_is_one_sample(monkeypatch):
    watch, now = Timing(), iter([0.0, 0.010, 0.030, 0.060, 0.100])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(now))
    lap = Lap(watch)
    for part in ("track", "alarm", "track", "keep"):
        lap(part)
    lap.end()
    assert [row(watch, s)["max_ms"] for s in ("track", "alarm", "keep")] == [40.0, 20.0, 40.0]
    assert row(watch, "track")["n"] == 1


def test_a_browser_is_heard_once_about_what_it_was_sent_and_about_nothing_else():
    watch = Timing()
    watch.came(7, 5 * 10**9)
    drawn = Drawn(watch)
    for tick in range(1, 8):
        drawn.sent(tick)
    for text in (
        "drawn 7",
        "drawn 7",
        "drawn 99",
        "drawn -1",
        "drawn " + "9" * 5_000,
        "drawn ٣",
        "drawn",
        "",
        "{}",
        "x",
    ):
        drawn.said(text, 5 * 10**9 + 300_000_000)
    assert row(watch, "page")["n"] == 1
    assert (row(watch, "total")["n"], row(watch, "total")["max_ms"]) == (1, 300.0)
    for tick in range(100, 200):
        drawn.sent(tick)
    assert len(drawn._sent) == timing.SENT_MAX
    drawn.said("drawn 100", 0)  # long ago
    assert row(watch, "page")["n"] == 1


async def test_a_busy_loop_is_late_at_its_sockets():
    watch = Timing()
    lag = asyncio.create_task(Lag(watch, 0.01).watch())
    await asyncio.sleep(0.05)
    time.sleep(0.15)
    await asyncio.sleep(0.05)
    lag.cancel()
    assert row(watch, "receive")["max_ms"] > 50.0


def ran(folder, ticks: int) -> Runtime:
    """A runtime after some ticks with a look each."""
    runtime = Runtime(make_plan(parse(SITE).site(folder)), SITE, folder, 64.0)
    for k in range(ticks):
        now = T0 + k * TICK_NS
        runtime.tick([("f", now - 30_000_000, LOOK)], now)
    return runtime


def test_a_tick_tells_its_parts_and_keeps_none_of_it(tmp_path):
    runtime = ran(tmp_path, 5)
    told = {r["stage"]: r["n"] for r in runtime.timing.rows()}
    parts = ("queue", "journal", "decode", "track", "integrity", "alarm", "picture", "keep")
    assert {name: told[name] for name in parts} == dict.fromkeys(parts, 5)
    assert row(runtime.timing, "queue")["max_ms"] == pytest.approx(30.0)
    plan, state = runtime.plan, runtime.state
    heard: list[str] = []
    timed = step(state, [], 6, T0 + 5 * TICK_NS, plan, heard.append)
    plain = step(state, [], 6, T0 + 5 * TICK_NS, plan)
    assert heard == ["decode", "track", "integrity", "track", "alarm"]
    assert codec.encode(timed) == codec.encode(plain)
    runtime._close()
    runtime.journal.close()


def test_a_checkpoint_packed_beside_the_ticks_is_the_state_of_its_tick(tmp_path):
    runtime = ran(tmp_path, CHECKPOINT_TICKS + 1)
    assert runtime.journal.latest_checkpoint() is None  # it is being packed, or waits for the next tick
    assert runtime._packing is not None
    runtime._packing[2].result(30)
    now = T0 + (CHECKPOINT_TICKS + 1) * TICK_NS
    runtime.tick([("f", now, LOOK)], now)
    tick, _ = runtime.journal.latest_checkpoint()
    assert tick == CHECKPOINT_TICKS
    runtime._close()
    plan, state = runtime.plan, runtime.state
    assert codec.encode(base(runtime.journal, plan, newest=True)) == codec.encode(state)  # whole again, to the last bit
    runtime.journal.close()
    with Journal(tmp_path, write=False) as journal:
        *_, last = verify(journal, plan)
    assert (last.ticks, last.first_difference) == (CHECKPOINT_TICKS + 2, None)


def test_killed_while_a_checkpoint_is_packed_the_journal_tells_everything(tmp_path):
    runtime = ran(tmp_path, CHECKPOINT_TICKS + 1)
    runtime.journal.close()  # no farewell
    again = Runtime(make_plan(parse(SITE).site(tmp_path)), SITE, tmp_path, 64.0)
    assert codec.encode(again.state) == codec.encode(runtime.state)
    again._close()
    again.journal.close()


def test_a_checkpoint_that_cannot_be_packed_is_left_out_and_ticks_go_on(tmp_path, monkeypatch, caplog):
    def broken(_state) -> bytes:
        raise MemoryError("no room")

    with monkeypatch.context() as full:
        full.setattr("lapwing.serve.runtime.packed", broken)
        runtime = ran(tmp_path, CHECKPOINT_TICKS + 1)
        assert isinstance(runtime._packing[2].exception(30), MemoryError)
        for k in range(1, 4):
            now = T0 + (CHECKPOINT_TICKS + k) * TICK_NS
            runtime.tick([("f", now, LOOK)], now)
    assert runtime.journal.latest_checkpoint() is None
    (told,) = [r.getMessage() for r in caplog.records if "could not be packed" in r.getMessage()]
    assert f"tick {CHECKPOINT_TICKS}" in told
    runtime._close()
    assert runtime.journal.latest_checkpoint()[0] == CHECKPOINT_TICKS + 4
    runtime.journal.close()


def test_a_checkpoint_that_fails_at_the_end_does_not_stop_the_last_one(tmp_path, monkeypatch):
    with monkeypatch.context() as full:
        full.setattr("lapwing.serve.runtime.packed", lambda _: 1 // 0)
        runtime = ran(tmp_path, CHECKPOINT_TICKS + 1)
        runtime._packing[2].exception(30)
    runtime._close()
    assert runtime.journal.latest_checkpoint()[0] == CHECKPOINT_TICKS + 1
    with pytest.raises(RuntimeError):
        runtime._packer.submit(int)  # it has ended, too
    runtime.journal.close()


def test_the_packing_thread_ends_even_where_the_last_checkpoint_fails(tmp_path, monkeypatch):
    runtime = ran(tmp_path, 3)
    monkeypatch.setattr("lapwing.serve.runtime.freeze", lambda _: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        runtime._close()
    with pytest.raises(RuntimeError):
        runtime._packer.submit(int)
    runtime.journal.close()


def test_after_an_upgrade_a_journal_is_run_again_from_its_beginning_or_refused(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    with monkeypatch.context() as older:
        older.setattr(
            "lapwing.engine.replay.MAKE", f"{__version__} {len(FIELDS)} fields"
        )  # before checkpoints had a number
        runtime = ran(tmp_path, 20)
        runtime._close()
        runtime.journal.close()
    again = Runtime(runtime.plan, SITE, tmp_path, 64.0)
    assert "recovered: 20 ticks of the journal run again, now at tick 20" in caplog.text
    assert codec.encode(again.state) == codec.encode(runtime.state)
    again.journal.close()
    db = sqlite3.connect(tmp_path / "journal.sqlite")
    db.execute("DELETE FROM ticks WHERE tick <= 10")
    db.commit()
    db.close()
    with pytest.raises(JournalError, match="another version of this software; give a new journal folder"):
        Runtime(runtime.plan, SITE, tmp_path, 64.0)
    assert (tmp_path / "journal.sqlite").exists()  # as it was


async def test_the_seat_tells_what_browsers_say_they_have_drawn():
    shelf, watch = fake_shelf.FakeShelf(fake_shelf.World(), tick=600), Timing()
    watch.came(600, time.time_ns() - 50_000_000)
    app = create_app(shelf, fake_shelf.make_site(), WebOptions(timing=watch))
    async with (
        served(app) as port,
        websockets.connect(f"ws://127.0.0.1:{port}/v1/live?stride=1") as live,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as web,
    ):
        await read_until_picture(live)
        for text in ("nonsense", "drawn 600", "drawn 600"):
            await live.send(text)
        await live.send(b"\x00\xff")
        for _ in range(100):
            told = (await web.get("/v1/timing")).json()
            stages = {r["stage"]: r for r in told["stages"]}
            if stages["total"]["n"]:
                break
            await asyncio.sleep(0.02)
        assert (stages["encode"]["n"], stages["send"]["n"], stages["page"]["n"]) == (1, 1, 1)
        assert 50.0 <= stages["total"]["p50_ms"] < 5_000.0
        assert told["window_s"] == 60.0
        told = (await web.get("/metrics")).text
        assert 'lapwing_stage_seconds{stage="page",quantile="0.95"}' in told
        assert 'lapwing_stage_budget_seconds{stage="total"} 0.5\n' in told
        assert (await web.get("/v1/timing?x=1")).status_code == 400


def test_stages_without_samples_have_no_quantiles():
    told = metrics.text(fake_shelf.World().picture(560), [], Timing().rows())
    assert "lapwing_stage_seconds{" not in told
    assert told.count("lapwing_stage_budget_seconds{") == len(EVERY)
