"""Everything that can be plugged in is listed with an example that works; metrics and JSON logs can be read."""

import json
import logging
import re

import httpx
import pytest
from typer.testing import CliRunner

from lapwing import decode
from lapwing.records import AlarmState
from lapwing.serve import catalogue, metrics
from lapwing.serve.cli import app
from lapwing.serve.logs import JsonLines
from lapwing.serve.outputs.health import OutputHealth
from lapwing.serve.outputs.kinds import KINDS
from lapwing.serve.site import parse
from lapwing.serve.web import create_app
from tests.serve.fake_shelf import FakeShelf, World, make_site

HEAD = 'name = "Test"\norigin = {latitude_deg = 50.0, longitude_deg = 20.0}\n'
RADAR = '[[sensor]]\nname = "Radar"\nat = {latitude_deg = 50.0, longitude_deg = 20.0}\n'


def test_all_are_listed():
    assert set(catalogue.DECODERS) == set(decode.DECODERS)
    assert set(catalogue.OUTPUTS) == set(KINDS)


@pytest.mark.parametrize("name", catalogue.DECODERS)
def test_every_feed_example_is_good(name, tmp_path):
    site = parse(HEAD + RADAR + catalogue.feed(name)).site(tmp_path)
    decode.make(site.feeds[0], {s.sensor: s for s in site.sensors})


@pytest.mark.parametrize("name", catalogue.OUTPUTS)
def test_every_output_example_is_good_and_explained(name, tmp_path):
    text = HEAD + catalogue.feed("beast") + catalogue.output(name)
    (entry,) = parse(text).output
    assert entry.to in entry.explain()
    (tmp_path / "site.toml").write_text(text)
    told = CliRunner().invoke(app, ["check", str(tmp_path / "site.toml")])
    assert told.exit_code == 0
    assert f"output '{name} example': {entry.explain()}" in told.stdout


def test_the_command_lists_all_or_one_and_refuses_others():
    run = CliRunner()
    everything = run.invoke(app, ["feeds"]).stdout
    assert everything.count("[[feed]]") == len(catalogue.DECODERS)
    assert everything.count("[[output]]") == len(catalogue.OUTPUTS)
    one = run.invoke(app, ["feeds", "ntfy"]).stdout
    assert one.count("[[") == 1
    assert run.invoke(app, ["feeds", "nfty"]).exit_code == 2


def test_metrics_are_well_formed_and_say_what_the_picture_says():
    picture = World().picture(560)
    health = OutputHealth('odd "name"\\', "cot", "tcp://a:1")
    health.lost("no")
    lines = metrics.text(picture, [health.row()]).splitlines()
    sample = re.compile(r'lapwing_\w+(\{\w+="(?:[^"\\]|\\.)*"(,\w+="(?:[^"\\]|\\.)*")*\})? -?[\d.e+]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    standing = int((picture.alarms.state != AlarmState.CLEARED).sum())
    assert sum(int(v) for k, v in values.items() if k.startswith("lapwing_alarms{")) == standing
    assert int(values['lapwing_feed_messages_total{feed="adsb-north"}']) == picture.feeds[0].messages
    assert values['lapwing_output_failing{output="odd \\"name\\"\\\\",kind="cot"}'] == "1"


async def test_metrics_and_outputs_are_served():
    served = create_app(FakeShelf(World(), 560), make_site(), None, lambda: [OutputHealth("o", "cot", "x").row()])
    transport = httpx.ASGITransport(served)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as web:
        assert "lapwing_tick 560" in (await web.get("/metrics")).text
        assert (await web.get("/v1/outputs")).json()["outputs"][0]["state"] == "waiting"


def test_a_json_log_line_holds_the_trace():
    try:
        raise ValueError("bad")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    record = logging.LogRecord("lapwing", logging.ERROR, "f", 1, "it %s", ("failed",), info)
    told = json.loads(JsonLines().format(record))
    assert (told["level"], told["message"]) == ("error", "it failed")
    assert "ValueError: bad" in told["trace"]
