"""Everything that can be plugged in is listed with an example that works; metrics and JSON logs can be read."""

import json
import logging
import re
import time
from dataclasses import replace

import httpx
import pytest
from typer.testing import CliRunner

from lapwing import decode
from lapwing.records import AlarmState, FeedConfig, TlsConfig
from lapwing.serve import catalogue, metrics, warming
from lapwing.serve.cli import app
from lapwing.serve.feed_words import PLAIN, explain
from lapwing.serve.logs import JsonLines
from lapwing.serve.outputs.health import OutputHealth
from lapwing.serve.outputs.kinds import KINDS
from lapwing.serve.site import parse
from lapwing.serve.sources import TRANSPORTS
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


@pytest.mark.parametrize("name", catalogue.DECODERS)
def test_every_feed_is_explained(name, tmp_path):
    (tmp_path / "site.toml").write_text(HEAD + RADAR + catalogue.feed(name))
    done = CliRunner().invoke(app, ["check", str(tmp_path / "site.toml")])
    assert catalogue.DECODERS[name][0] in done.output
    assert "an alarm when quiet for 30 s" in done.output


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"transport": "mqtt", "host": "b.example", "secret": "env:X"}, "password CAN BE READ on the way"),
        ({"transport": "mqtt", "host": "b.example"}, "topic p of the broker b.example:9, in clear; an alarm"),
        ({"transport": "mqtts", "host": "b.example", "secret": "env:X", "tls": TlsConfig()}, "with TLS; an alarm"),
        ({"transport": "post", "host": "127.0.0.1"}, "POST to http://127.0.0.1:9/looks; this machine only"),
        ({"transport": "post", "host": "0.0.0.0", "secret": "env:X"}, "for who shows the token, which CAN BE READ"),
        ({"transport": "listen", "host": "0.0.0.0"}, "ANYBODY who reaches it can be the sender"),
        ({"transport": "listen", "host": "127.0.0.1"}, "connects to 127.0.0.1:9; an alarm"),
        ({"transport": "sapient", "host": "0.0.0.0"}, "ANYBODY who reaches it can be a node, in clear"),
        ({"transport": "sapient", "host": "0.0.0.0", "tls": TlsConfig("", "c")}, "with TLS, ANYBODY can be a node"),
        ({"transport": "sapient", "host": "0.0.0.0", "tls": TlsConfig("a", "c")}, "nodes with a certificate only"),
        (
            {"transport": "sapient", "host": "0.0.0.0", "tls": TlsConfig("a", "c", "k", "", True)},
            "its certificate names",
        ),
        ({"transport": "sapient-peer", "host": "m.example"}, "connects to the middleware m.example:9; in clear"),
        ({"transport": "sapient-peer", "host": "m.example", "tls": TlsConfig()}, "m.example:9; with TLS"),
        ({"transport": "serial", "path": "/dev/ttyUSB0"}, "the line /dev/ttyUSB0 at 9 baud, read only"),
        ({"transport": "bluetooth", "path": ""}, "this machine's Bluetooth; an alarm"),
        (
            {"transport": "udp", "host": "239.1.1.1", "sensor": "Radar"},
            "detections of 'Radar': datagrams to 239.1.1.1:9",
        ),
    ],
)
def test_it_is_said_who_could_listen_in_or_speak_instead(keys, says):
    base = FeedConfig("f", "json", "tcp", port=9, path="p")
    assert says in explain(replace(base, **keys))


def test_every_transport_has_words():
    plain = {t.removesuffix("+tls") for t in TRANSPORTS} - {"package"}  # of a package: a file
    assert set(PLAIN) == plain


def test_a_long_compilation_is_told(monkeypatch, caplog):
    monkeypatch.setattr(warming, "PATIENCE_S", 0.0)
    monkeypatch.setattr(warming, "_one_flow", lambda _: time.sleep(0.3))
    with caplog.at_level("INFO", "lapwing"):
        warming.warm_up()
    assert "compiling for this machine" in caplog.text


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
