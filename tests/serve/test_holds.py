"""Legal holds from the command line, and a runtime that obeys them."""

import pytest
from typer.testing import CliRunner

from lapwing.engine.plan import make_plan
from lapwing.serve.cli import app
from lapwing.serve.holds import HoldError, holds_file, read
from lapwing.serve.runtime import EXPIRE_NS, Runtime
from lapwing.serve.site import parse

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
            runtime._advance([], now + tick * EXPIRE_NS)
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
