"""Legal holds from the command line, and a runtime that obeys them."""

import httpx
import pytest
from typer.testing import CliRunner

from lapwing.engine.plan import make_plan
from lapwing.serve.cli import app
from lapwing.serve.holds import HoldError, holds_file, lay, lift, read
from lapwing.serve.runtime import EXPIRE_NS, Runtime
from lapwing.serve.site import parse
from lapwing.serve.web import WebOptions, create_app
from tests.serve.fake_shelf import FakeShelf, World, make_site

SITE = """name = "s"
origin = {latitude_deg = 50, longitude_deg = 10}
feed = [{name = "f", decoder = "avr", from = "stdin:"}]
"""
S = 10**9
DAY = 86_400 * S


def lapwing(*words):
    done = CliRunner().invoke(app, list(map(str, words)))
    return done.exit_code, done.output


def test_holds_are_laid_listed_and_lifted_by_name(tmp_path):
    assert lapwing("hold", tmp_path) == (0, "no holds\n")
    span = ("--since", "2026-03-01T10:00:00Z", "--until", "2026-03-01T12:00:00Z")
    assert lapwing("hold", tmp_path, *span)[0] != 0  # by whom, and why?
    code, said = lapwing("hold", tmp_path, *span, "--by", "M. Kim", "--why", "case 7")
    assert (code, said) == (0, "hold 1 laid\n")
    assert "1: 2026-03-01 10:00:00Z to 2026-03-01 12:00:00Z" in lapwing("hold", tmp_path)[1]
    code, said = lapwing("hold", tmp_path, *span[:2], "--until", "2026-03-01", "--by", "x", "--why", "y")
    assert code != 0
    assert "ends after it begins" in said
    assert len(read(tmp_path).standing()) == 1
    assert lapwing("hold", tmp_path, "--lift", 2, "--by", "x", "--why", "y")[0] != 0
    assert lapwing("hold", tmp_path, "--lift", 1)[0] != 0
    assert lapwing("hold", tmp_path, "--lift", 1, "--by", "M. Kim", "--why", "closed") == (0, "hold 1 lifted\n")
    assert read(tmp_path).standing() == []
    assert "by M. Kim: closed" in lapwing("hold", tmp_path)[1]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"holds": [{"since_ns": -1}]}', b"[" * 100_000])
def test_a_file_that_is_none_lets_nothing_go(tmp_path, damage, caplog):
    holds_file(tmp_path).write_bytes(damage)
    with pytest.raises(HoldError):
        read(tmp_path)
    old = stocked(tmp_path)
    run(tmp_path, keep_days=1.0)
    assert old.exists()
    assert "nothing old is removed" in caplog.text


def stocked(folder):
    hour = folder / "history" / "2026-03-01" / "10"
    hour.mkdir(parents=True)
    (hour / "000000000001-000000000002.parquet").write_bytes(b"rows")
    return hour


def run(folder, keep_days):
    """A runtime that makes a checkpoint on 2026-03-10."""
    runtime = Runtime(make_plan(parse(SITE).site(folder)), SITE, folder, 64.0, keep_days=keep_days)
    now = 1_773_100_800 * S
    try:
        for tick in range(2):
            runtime.tick([], now + tick * EXPIRE_NS)
        runtime.journal.begin()
        runtime._save_checkpoint()
        runtime.journal.commit()
    finally:
        runtime.journal.close()


@pytest.mark.parametrize(("keep_days", "kept"), [(0.0, True), (30.0, True), (1.0, False)])
def test_history_goes_after_its_days(tmp_path, keep_days, kept):
    old = stocked(tmp_path)
    run(tmp_path, keep_days)
    assert old.exists() == kept


def test_what_is_held_stays(tmp_path):
    old = stocked(tmp_path)
    span = ("--since", "2026-03-01T10:00:00Z", "--until", "2026-03-01T10:01:00Z")
    assert lapwing("hold", tmp_path, *span, "--by", "M. Kim", "--why", "case 7")[0] == 0
    run(tmp_path, keep_days=1.0)
    assert old.exists()
    lapwing("hold", tmp_path, "--lift", 1, "--by", "M. Kim", "--why", "closed")
    run(tmp_path, keep_days=1.0)
    assert not old.exists()


async def test_the_web_lists_holds_that_stand_first_and_offers_no_way_to_change_them(tmp_path):
    lay(tmp_path, (1, 2 * S), "M. Kim", "case 7", 3 * S)
    lay(tmp_path, (5, 6 * S), "M. Kim", "<b>case 8</b>", 7 * S)
    lift(tmp_path, 2, "A. Lee", "closed", 9 * S)
    lay(tmp_path, (5, 8 * S), "A. Lee", "case 9", 9 * S)
    seat = create_app(FakeShelf(World(), 400), make_site(), WebOptions(journal=tmp_path))
    transport = httpx.ASGITransport(app=seat)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        told = (await client.get("/v1/holds")).json()
        assert [(h["hold"], h["stands"]) for h in told["holds"]] == [(3, True), (1, True), (2, False)]
        assert told["holds"][2] == {
            "hold": 2, "stands": False, "since_ns": "5", "until_ns": str(6 * S), "by": "M. Kim", "why": "<b>case 8</b>",
            "laid_ns": str(7 * S), "lifted_ns": str(9 * S), "lifted_by": "A. Lee", "lifted_why": "closed",
        }  # fmt: skip
        assert told["left_out"] == 0
        assert (await client.post("/v1/holds", json={})).status_code == 405
        holds_file(tmp_path).write_text("{broken")
        answer = await client.get("/v1/holds")
        assert answer.status_code == 503
        assert "nothing is removed" in answer.json()["error"]
