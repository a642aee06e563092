"""Intakes for home-made sensors: HTTP, MQTT through a real broker, and the documented example as a new user runs it."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from lapwing.records import FeedConfig, Position
from lapwing.serve import mqtt
from lapwing.serve.cli import app as commands
from lapwing.serve.inbox import Inbox
from lapwing.serve.intake import BODY_BYTES_MAX, intake_app
from lapwing.serve.mqtt import Broker, MqttLink
from lapwing.serve.mqtt_wire import Message, packet
from lapwing.serve.site import SiteError, parse
from tests.serve.test_feeds import Clock, data, free_port, notices, running, until
from tests.serve.test_outbox import broker  # noqa: F401  (a fixture)

ROOT = Path(__file__).resolve().parents[2]
HERE = Position(0.8, 0.1, 400.0)
POSTED = FeedConfig("mic", "json", "post", "127.0.0.1", 8490, sensor="S", origin=HERE)


def door(inbox, token="hush", config=POSTED):
    transport = httpx.ASGITransport(intake_app(config, inbox, token))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers={"Authorization": "Bearer hush"})


async def test_looks_are_taken_and_mistakes_told_at_once():
    inbox = Inbox(Clock())
    async with door(inbox) as web:
        good = await web.post("/looks", content=b'{"azimuth_deg": 81.5}\n{"detections": []}')
        mixed = await web.post("/looks", content=b'{"azimut_deg": 1}\n{"azimuth_deg": 2}\n')
        empty_later = await web.post("/looks", content=b'{"detections": []}')
        bad = await web.post("/looks", content=b"\xff{")
    assert (good.status_code, good.json()) == (202, {"taken": 2, "refused": []})
    assert mixed.status_code == 202
    assert mixed.json()["refused"][0]["reason"] == "unknown key; did you mean azimuth_deg?"
    assert empty_later.json()["taken"] == 1
    assert (bad.status_code, bad.json()["taken"]) == (422, 0)
    assert data(inbox.drain()).count(b"\n") == 6  # all of it is evidence, what is refused too


@pytest.mark.parametrize(
    ("off_s", "said"),
    [(0.0, None), (-1.0, None), (1.0, None), (-30.0, "30.0 s before this machine's clock"), (5.0, "thrown away")],
)
async def test_a_look_whose_time_cannot_be_shown_is_warned_of(off_s, said):
    async with door(Inbox(Clock())) as web:
        line = {"time": time.time() + off_s, "azimuth_deg": 81.5}
        told = (await web.post("/looks", json=line)).json()
    assert told["taken"] == 1
    assert told.get("warnings") is None if said is None else said in told["warnings"][0]


async def test_other_words_are_understood_and_other_doors_named():
    async with door(Inbox(Clock())) as web:
        bearing = (await web.post("/looks", json={"bearing": 3})).json()
        elsewhere = [await web.post("/look", content=b"{}"), await web.get("/looks")]
    assert bearing["refused"][0]["reason"] == "unknown key; did you mean azimuth_deg?"
    assert [a.json()["error"] for a in elsewhere] == ["Looks are taken by POST to /looks."] * 2


def test_a_secret_that_is_not_there_is_told_before_the_start(tmp_path):
    site = tmp_path / "site.toml"
    text = (ROOT / "examples" / "bearing-sensor.toml").read_text()
    site.write_text(text.replace('sensor = "My antenna"', 'sensor = "My antenna"\ntoken = "file:token"'))
    for command in ("check", "run"):
        done = CliRunner().invoke(commands, [command, str(site)])
        assert done.exit_code == 2
        assert "token is not there, or holds no secret" in done.output
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert CliRunner().invoke(commands, ["check", str(site)]).exit_code == 0


async def test_who_may_post_and_how_much():
    inbox = Inbox(Clock())
    async with door(inbox) as web:
        codes = [
            (await web.post("/looks", content=b"{}", headers={"Authorization": "Bearer hus"})).status_code,
            (await web.post("/looks", content=b"{}", headers={"Authorization": b"\xe9"})).status_code,
            (await web.post("/looks", content=b"{}", headers={"Origin": "http://evil"})).status_code,
            (await web.post("/looks", content=b" " * (BODY_BYTES_MAX + 1))).status_code,
            (await web.get("/looks")).status_code,
            (await web.post("/else", content=b"{}")).status_code,
        ]
        described = (await web.get("/openapi.json")).json()
    assert codes == [401, 401, 403, 413, 405, 404]
    assert inbox.drain() == []
    body = described["paths"]["/looks"]["post"]["requestBody"]["content"]["application/x-ndjson"]["schema"]
    assert body["properties"]["azimuth_deg"] == {"type": "number", "minimum": -360.0, "maximum": 360.0}


async def test_the_description_is_what_the_door_does():
    """By its own schema: what the decoder takes is valid and what it refuses is not, answers are as described, and the
    token is described where there is one."""
    inbox, lines = Inbox(Clock()), ({"azimuth_deg": 8}, {"azimut_deg": 8}, {"azimuth_deg": 8, "kinds": {"bird": 2}})
    async with door(inbox) as web:
        described = (await web.get("/openapi.json")).json()
        answers = [await web.post("/looks", json={"detections": [line]}) for line in lines]
        answers.append(await web.post("/looks", content=b"{}", headers={"Authorization": "Bearer no"}))
    post = described["paths"]["/looks"]["post"]
    look = post["requestBody"]["content"]["application/x-ndjson"]["schema"]
    valid = [Draft202012Validator(look).is_valid({"detections": [line]}) for line in lines]
    assert valid == [a.json().get("taken") == 1 for a in answers[:3]] == [True, False, False]
    for answer in answers:
        schema = post["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        Draft202012Validator(schema).validate(answer.json())
    assert [a.status_code for a in answers] == [202, 422, 422, 401]
    assert {name for way in post["security"] for name in way} == set(described["components"]["securitySchemes"])
    async with door(inbox, token="") as web:
        assert "security" not in (await web.get("/openapi.json")).json()["paths"]["/looks"]["post"]


def test_an_open_door_needs_a_token():
    text = (ROOT / "examples" / "bearing-sensor.toml").read_text()
    parse(text)
    with pytest.raises(SiteError) as caught:
        parse(text.replace("127.0.0.1", "0.0.0.0"))
    assert "'token' is needed" in caught.value.problems[0]
    parse(text.replace('from = "post://127.0.0.1', 'token = "env:T"\nfrom = "post://0.0.0.0'))


async def test_mqtt_messages_are_lines_and_availability_is_heeded(broker):  # noqa: F811
    inbox, got = Inbox(Clock()), []
    config = FeedConfig("mic", "json", "mqtt", "127.0.0.1", broker, "lapwing/sensor/mic/detections", sensor="S")

    async def scene():
        sensor = await MqttLink.open(Broker("127.0.0.1", broker, "mic"))
        await until(lambda: got.extend(inbox.drain()) or notices(got))
        await sensor.publish(Message("lapwing/sensor/mic/availability", b"online", retain=True))
        for i in range(20):
            await sensor.publish(Message("lapwing/sensor/mic/detections", b'{"azimuth_deg": %d}' % i))
        await sensor.publish(Message("lapwing/sensor/mic/detections", b"x" * ((1 << 20) + 10)))
        await sensor.publish(Message("lapwing/sensor/other/detections", b"not ours"))
        await sensor.publish(Message("lapwing/sensor/mic/detections", b"last"))
        await sensor.publish(Message("lapwing/sensor/mic/availability", b"offline", retain=True))
        await until(lambda: got.extend(inbox.drain()) or ["mic", "lost"] in notices(got))
        await sensor.close()

    await running(config, inbox, scene)
    lines = data(got).decode().splitlines()
    assert lines == [f'{{"azimuth_deg": {i}}}' for i in range(20)] + ["last"]
    assert notices(got) == [["mic", "connected"], ["mic", "dropped"], ["mic", "lost"]]


async def test_what_a_broker_kept_is_too_old_to_be_a_detection(broker):  # noqa: F811
    sensor = await MqttLink.open(Broker("127.0.0.1", broker, "mic"))
    await sensor.publish(Message("s/detections", b"old", retain=True))
    inbox, got = Inbox(Clock()), []

    async def scene():
        await until(lambda: got.extend(inbox.drain()) or notices(got))
        await asyncio.sleep(0.2)
        await sensor.publish(Message("s/detections", b"new"))
        await until(lambda: got.extend(inbox.drain()) or data(got))

    await running(FeedConfig("f", "json", "mqtt", "127.0.0.1", broker, "s/detections", sensor="S"), inbox, scene)
    await sensor.close()
    assert data(got) == b"new\n"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"\x20\x02\x00\x05", "not authorised"),
        (b"\x20\xff\xff\xff\xff\xff", "a length that is none"),
        (b"", "closed the connection"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ""),
        (packet(0x20, b"\0\0") + packet(0x90, b"\0\x01\x80"), "refuses the subscription"),
        (packet(0x20, b"\0\0") + packet(0x90, b"\0\x01\0") + packet(0x34, b"\0\x01a"), "was not asked for"),
        (packet(0x20, b"\0\0") + packet(0x90, b"\0\x01\0") + packet(0x30, b"\xff\xff"), "cut short"),
    ],
)
async def test_a_broker_that_talks_nonsense_is_a_lost_feed(answer, says, monkeypatch):
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.5)
    agreed = answer[:4] == packet(0x20, b"\0\0")

    async def serve(reader, writer):
        await reader.read(1000)
        writer.write(answer[:4] if agreed else answer)
        if agreed:
            await reader.read(1000)
            writer.write(answer[4:])
        if answer:
            await reader.read(1000)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    inbox, got = Inbox(Clock()), []
    port = server.sockets[0].getsockname()[1]

    async def scene():
        await until(lambda: got.extend(inbox.drain()) or ["f", "lost"] in notices(got))

    await running(FeedConfig("f", "json", "mqtt", "127.0.0.1", port, "a", sensor="S"), inbox, scene)
    server.close()
    whys = [json.loads(d)[2] for f, _, d in got if f == "!"]
    assert any(says in why for why in whys)


def test_the_documented_sensor_shows_its_wedge_within_seconds(tmp_path):
    """As docs/sensors.md says: write the site file, start, run the ten lines; the page's wedges have its azimuth."""
    port, web = free_port(), free_port()
    text = (ROOT / "examples" / "bearing-sensor.toml").read_text().replace("8490", str(port))
    (tmp_path / "site.toml").write_text(text)
    lapwing = [sys.executable, "-c", "from lapwing.serve.cli import main; main()", "run", str(tmp_path / "site.toml")]
    site = subprocess.Popen([*lapwing, "--port", str(web), "--for", "600s"], stdout=subprocess.DEVNULL)
    try:
        script = [sys.executable, str(ROOT / "examples" / "bearing_sensor.py"), f"http://127.0.0.1:{port}/looks", "4"]
        until_s = time.monotonic() + 300.0  # the first start compiles
        while subprocess.run(script, capture_output=True, text=True, check=False).returncode:
            assert time.monotonic() < until_s
            time.sleep(1.0)
        feeds = json.load(urllib.request.urlopen(f"http://127.0.0.1:{web}/v1/feeds"))["feeds"]
        assert feeds[0]["messages"] >= 4
        assert feeds[0]["faults"] == 0
        from lapwing.serve import wire

        _, tables = wire.decode_picture(urllib.request.urlopen(f"http://127.0.0.1:{web}/v1/picture").read())[:2]
        assert tables["directions"]["azimuth"][0] * 360.0 / 65_536 == pytest.approx(89.8, abs=0.3)
    finally:
        site.terminate()
        site.wait(20)
