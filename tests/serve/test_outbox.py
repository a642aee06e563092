"""The alarm outbox against servers that fail, hang, are killed; and every messenger against a server of its kind."""

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from pydantic import ValidationError

from lapwing.records import AlarmState
from lapwing.serve.outputs import alarms as alarms_module
from lapwing.serve.outputs import outbox as outbox_module
from lapwing.serve.outputs.entries_alarms import CapOutput, EmailOutput, MqttOutput, NtfyOutput, WebhookOutput
from lapwing.serve.outputs.messengers import discovery
from lapwing.serve.outputs.news import Listener
from lapwing.serve.outputs.outbox import Outbox
from lapwing.serve.outputs.run import Outputs
from lapwing.serve.outputs.telling import fields, title
from tests.peers import wait_for_port
from tests.serve.fake_shelf import World, make_site
from tests.serve.test_feeds import free_port, until

SITE = make_site()
PICTURE = World().picture(560)  # three alarms stand
S = 10**9


def with_state(state, priority=None):
    a = PICTURE.alarms
    n = len(a)
    change = {"state": np.full(n, int(state)), "cleared_ns": np.full(n, PICTURE.time_ns)}
    if priority is not None:
        change["priority"] = np.full(n, priority)
    return replace(PICTURE, alarms=replace(a, **change))


def test_news_are_raised_escalated_and_cleared_once_each():
    listener = Listener(SITE)
    first = listener.hear(PICTURE)
    assert [n.event for n in first] == ["raised"] * 3
    assert listener.hear(PICTURE) == []
    worse = listener.hear(with_state(AlarmState.UPDATED, 0))
    assert [n.event for n in worse] == ["escalated"] * 2  # one was critical before
    gone = listener.hear(with_state(AlarmState.CLEARED))
    assert [n.event for n in gone] == ["cleared"] * 3
    assert listener.hear(with_state(AlarmState.CLEARED)) == []
    assert len({n.key for n in [*first, *worse, *gone]}) == 8


def test_an_alarm_that_came_and_went_between_two_pictures_is_told_twice():
    assert [n.event for n in Listener(SITE).hear(with_state(AlarmState.CLEARED))] == ["raised", "cleared"] * 3


def test_the_store_keeps_one_of_each_and_tries_later(tmp_path):
    news = Listener(SITE).hear(PICTURE)
    box = Outbox(tmp_path / "outbox.sqlite")
    box.put(news, ["a", "b"], 100 * S)
    box.put(news, ["a"], 200 * S)
    assert [m.news for m in box.due("a", 200 * S, 10)] == news
    box.failed(box.due("a", 200 * S, 2), "no", 200 * S)
    assert len(box.due("a", 201 * S, 10)) == 1
    assert len(box.due("a", 202 * S, 10)) == 3
    box.failed(box.due("a", 202 * S, 2), "no", 202 * S)
    assert len(box.due("a", 205 * S, 10)) == 1  # four seconds now
    box.sent(box.due("a", 206 * S, 10))
    box.close()
    box = Outbox(tmp_path / "outbox.sqlite")
    box.put(news, ["a"], 300 * S)
    assert box.due("a", 300 * S, 10) == []
    assert box.counts("a") == {"sent": 3}
    assert len(box.due("b", 300 * S, 10)) == 3
    box.failed(box.due("b", 300 * S, 10), "no", 300 * S + 8 * 86_400 * S)
    assert box.counts("b") == {"given up": 3}
    box.close()


def test_the_store_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox_module, "WAITING_MAX", 2)
    box = Outbox(tmp_path / "outbox.sqlite")
    news = Listener(SITE).hear(PICTURE)
    box.put(news, ["a"], S)
    assert [m.news for m in box.due("a", S, 10)] == news[1:]
    assert box.counts("a") == {"waiting": 2, "given up": 1}
    box.close()


def test_closing_waits_for_the_threads_that_are_inside(tmp_path):
    """Who is cancelled leaves its thread behind. Freed under such a thread, SQLite ends the whole process."""
    news = Listener(SITE).hear(PICTURE)
    for k in range(5):
        box, ends = Outbox(tmp_path / f"{k}.sqlite"), []
        box.put(news, ["a"], S)

        def work(box=box, ends=ends):
            try:
                while True:
                    box.failed(box.due("a", 2**62, 10), "no", S)
            except sqlite3.ProgrammingError as error:
                ends.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        box.close()
        for thread in threads:
            thread.join(10)
        assert ends == ["Cannot operate on a closed database."] * 4


class Web:
    """An HTTP server that answers what it is told to, and remembers what came."""

    def __init__(self, *answers):
        self.answers, self.got = list(answers), []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _serve(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("Content-Length"))
        body = await reader.readexactly(length)
        answer = self.answers.pop(0) if self.answers else b"HTTP/1.1 200 OK\r\n\r\n"
        if answer.startswith(b"HTTP/1.1 2"):
            self.got.append((head, body))
        writer.write(answer)
        await writer.drain()
        writer.close()


async def running(entries, store, scene, picture=PICTURE, folder=Path()):
    outputs = Outputs(entries, SITE, folder, store)
    task = asyncio.create_task(outputs.run())
    outputs.put(picture)
    try:
        await scene(outputs)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_webhook_is_told_each_once_though_it_fails_first(tmp_path, monkeypatch):
    (tmp_path / "token").write_text("hush\n")
    bad = [
        b"HTTP/1.1 500 Broken\r\n\r\n",
        b"nonsense\n",
        b"",
        b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n",
    ]
    async with Web(*bad) as web:
        entry = WebhookOutput(name="hook", kind="webhook", to=f"http://127.0.0.1:{web.port}/a?b=c", token="file:token")

        async def scene(outputs):
            await until(lambda: outputs.rows()[0]["failures"] >= 1)
            assert outputs.rows()[0]["state"] == "failing"
            assert "500 Broken" in outputs.rows()[0]["link"]
            await until(lambda: len(web.got) == 3, 60.0)
            await until(lambda: outputs.rows()[0]["waiting"] == 0)
            outputs.put(PICTURE)
            await asyncio.sleep(0.6)

        await running([entry], tmp_path, scene, folder=tmp_path)
        told = sorted(json.loads(body)["key"] for _, body in web.got)
        assert told == sorted(n.key for n in Listener(SITE).hear(PICTURE))
        head, body = web.got[0]
        assert head.startswith("POST /a?b=c HTTP/1.1")
        assert "Authorization: Bearer hush" in head
        assert f"Idempotency-Key: {json.loads(body)['key']}" in head

        async def again(outputs):  # a restart that sees the same alarms
            await asyncio.sleep(1.0)

        await running([entry], tmp_path, again, folder=tmp_path)
        assert len(web.got) == 3


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.serve.fake_shelf import World, make_site
from lapwing.serve.outputs.entries_alarms import WebhookOutput
from lapwing.serve.outputs.run import Outputs
async def main():
    entry = WebhookOutput(name="hook", kind="webhook", to=sys.argv[1])
    outputs = Outputs([entry], make_site(), Path(), Path(sys.argv[2]))
    outputs.put(World().picture(560))
    task = asyncio.create_task(outputs.run())
    while outputs.rows()[0]["failures"] < 1:
        await asyncio.sleep(0.05)
    print("failing", flush=True)
    await task
asyncio.run(main())
"""


async def test_what_waits_survives_being_killed(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, url, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "failing"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    async with Web() as web:

        async def scene(outputs):
            await until(lambda: len(web.got) == 3, 30.0)

        entry = WebhookOutput(name="hook", kind="webhook", to=f"http://127.0.0.1:{web.port}/")
        await running([entry], tmp_path, scene, picture=World().picture(1))
    raised = {n.key for n in Listener(SITE).hear(PICTURE)}
    assert {json.loads(body)["key"] for _, body in web.got} >= {k for k in raised if k.split("-")[1] == "1"}


async def test_only_what_is_urgent_enough(tmp_path):
    async with Web() as web:

        async def scene(outputs):
            await until(lambda: len(web.got) == 1)
            await asyncio.sleep(0.6)

        url = f"http://127.0.0.1:{web.port}/"
        await running([WebhookOutput(name="h", kind="webhook", to=url, priority="critical")], tmp_path, scene)
    assert [json.loads(body)["priority"] for _, body in web.got] == ["critical"]


async def test_ntfy_and_cap(tmp_path):
    async with Web() as phone, Web() as agency:
        entries = [
            NtfyOutput(name="phone", kind="ntfy", to=f"http://127.0.0.1:{phone.port}/", topic="tower", priority="high"),
            CapOutput(name="cap", kind="cap", to=f"http://127.0.0.1:{agency.port}/in", sender="lapwing@tower.example"),
        ]

        async def scene(outputs):
            await until(lambda: len(phone.got) >= 2 and len(agency.got) == 3)
            outputs.put(with_state(AlarmState.CLEARED))
            await until(lambda: len(agency.got) == 6)

        await running(entries, tmp_path, scene)
    told = json.loads(phone.got[0][1])
    assert told["topic"] == "tower"
    assert told["priority"] in (4, 5)
    alerts = [ElementTree.fromstring(body) for _, body in agency.got]
    x = "{urn:oasis:names:tc:emergency:cap:1.2}"
    assert [a.findtext(f"{x}msgType") for a in alerts] == ["Alert"] * 3 + ["Cancel"] * 3
    sent = {f"{a.findtext(x + 'sender')},{a.findtext(x + 'identifier')},{a.findtext(x + 'sent')}" for a in alerts[:3]}
    assert {a.findtext(f"{x}references") for a in alerts[3:]} == sent
    order = [child.tag.removeprefix(x) for child in alerts[3]]
    assert order == ["identifier", "sender", "sent", "status", "msgType", "scope", "addresses", "references", "info"]
    info = [child.tag.removeprefix(x) for child in alerts[3].find(f"{x}info")]
    first = ["language", "category", "event", "urgency", "severity", "certainty"]
    assert info == [*first, "headline", "description", "contact", "area"]


async def test_mail_waits_together_and_goes_as_one(tmp_path):
    mails = []

    async def serve(reader, writer):
        async def say(text):
            writer.write(text.encode() + b"\r\n")
            await writer.drain()

        await say("220 test")
        while line := (await reader.readline()).decode().strip().upper():
            if line == "DATA":
                await say("354 go")
                mails.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            await say("221 bye" if line == "QUIT" else "250 ok")
            if line == "QUIT":
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    entry = EmailOutput(
        name="mail", kind="email", to=f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        sender="lapwing@tower.example", recipients=["duty@tower.example", "chief@tower.example"],
    )  # fmt: skip

    async def scene(outputs):
        await until(lambda: outputs.rows()[0]["sent"] == 3)

    await running([entry], tmp_path, scene)
    server.close()
    assert len(mails) == 1
    one_line = " ".join(mails[0].split())
    assert "Subject: Gyodong test range: raised critical uncooperative in zone (Terminal) and 2 more" in one_line
    assert "To: duty@tower.example, chief@tower.example" in mails[0]
    assert "8 of 11 aircraft lost" in mails[0]


def test_names_cannot_write_headers():
    (news, *_) = Listener(SITE).hear(PICTURE)
    bad = replace(news, zone="a\r\nBcc: all@example", rule="x\x00")
    from lapwing.serve.outputs.telling import cap, email

    mail = email([bad], "a@b", ["c@d"])
    assert mail["Bcc"] is None
    ElementTree.fromstring(cap(bad, "a@b"))
    assert "\n" not in fields(news)["key"]
    assert title(news).startswith("Gyodong")


@pytest.fixture
def broker(tmp_path):
    """A real broker on a free port; `.stop()` kills it."""
    if shutil.which("mosquitto", path="/usr/sbin:" + os.environ["PATH"]) is None or not shutil.which("mosquitto_sub"):
        pytest.skip("mosquitto is not here (Debian packages mosquitto, mosquitto-clients)")
    port = free_port()
    (tmp_path / "m.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    path = shutil.which("mosquitto", path="/usr/sbin:" + os.environ["PATH"])
    process = subprocess.Popen([path, "-c", str(tmp_path / "m.conf")], stderr=subprocess.DEVNULL)
    wait_for_port(port)
    yield port
    process.terminate()
    process.wait(10)


def heard(port, topic, count, limit_s=10):
    command = ["mosquitto_sub", "-p", str(port), "-t", topic, "-C", str(count), "-W", str(limit_s), "-v"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return dict(line.split(" ", 1) for line in ran.stdout.splitlines())


async def test_mqtt_keeps_alarms_state_and_discovery(tmp_path, broker):
    entry = MqttOutput(name="Tower", kind="mqtt", to=f"mqtt://127.0.0.1:{broker}", root="lapwing/tower", period_s=0.3)

    async def scene(outputs):
        await until(lambda: outputs.rows()[0]["sent"] == 3)
        kept = await asyncio.to_thread(heard, broker, "lapwing/tower/#", 5)
        assert kept["lapwing/tower/availability"] == "online"
        assert json.loads(kept["lapwing/tower/state"])["alarms"] == 3
        alarms = [json.loads(v) for k, v in kept.items() if "/alarm/" in k]
        assert {a["priority"] for a in alarms} == {"critical", "high", "low"}
        found = await asyncio.to_thread(heard, broker, "homeassistant/#", 4)
        told = {k.split("/")[1] + "/" + k.split("/")[3]: json.loads(v) for k, v in found.items()}
        assert set(told) == {"binary_sensor/alarm", "sensor/alarms", "sensor/tracks", "event/news"}
        assert told["event/news"]["state_topic"] == "lapwing/tower/event"
        assert len({t["unique_id"] for t in told.values()}) == 4
        outputs.put(with_state(AlarmState.CLEARED))
        await until(lambda: outputs.rows()[0]["sent"] == 6)
        await asyncio.sleep(0.7)
        kept = await asyncio.to_thread(heard, broker, "lapwing/tower/#", 9, 2)
        assert json.loads(kept["lapwing/tower/state"])["alarms"] == 0
        assert not [k for k in kept if "/alarm/" in k]

    await running([entry], tmp_path, scene)
    time.sleep(0.3)
    assert heard(broker, "lapwing/tower/availability", 1)["lapwing/tower/availability"] == "offline"


def test_discovery_is_of_the_form_that_home_assistant_takes():
    """<prefix>/<component>/<node_id>/<object_id>/config in its alphabet; every event says its `event_type`, one
    of those that were announced (homeassistant/components/mqtt: discovery, event)."""
    entry = MqttOutput(name="T", kind="mqtt", to="mqtt://127.0.0.1", root="lapwing/türm-1")
    told = discovery(entry)
    assert len(told) == 4
    for message in told:
        assert re.fullmatch(r"homeassistant/(sensor|binary_sensor|event)/[a-zA-Z0-9_-]+/[a-z]+/config", message.topic)
        assert message.retain
    announced = json.loads(told[-1].payload)["event_types"]
    assert all(fields(news)["event_type"] in announced for news in Listener(SITE).hear(PICTURE))


async def test_a_broker_that_is_not_there_costs_nothing_but_a_line(tmp_path):
    entry = MqttOutput(name="Tower", kind="mqtt", to=f"mqtt://127.0.0.1:{free_port()}")

    async def scene(outputs):
        await until(lambda: outputs.rows()[0]["waiting"] == 3)
        await until(lambda: "refused" in outputs.rows()[0]["link"])

    await running([entry], tmp_path, scene)


async def test_a_disk_that_refuses_the_outbox_ends_nothing(tmp_path, monkeypatch):
    """News wait in memory, the health page says why, and they go out once the disk is back."""
    monkeypatch.setattr(alarms_module, "OPEN_S", 0.1)
    (tmp_path / "store").write_text("a file where the folder should be")
    async with Web() as web:
        entry = WebhookOutput(name="hook", kind="webhook", to=f"http://127.0.0.1:{web.port}/secret")

        async def scene(outputs):
            await until(lambda: "cannot be opened" in outputs.rows()[0]["link"])
            assert "secret" not in outputs.rows()[0]["to"]
            (tmp_path / "store").unlink()
            await until(lambda: len(web.got) == 3)

        await running([entry], tmp_path / "store", scene)


async def test_what_was_taken_is_not_told_again_while_the_disk_cannot_mark_it(tmp_path, monkeypatch):
    refusals, sent = [], Outbox.sent

    def refusing(self, messages):
        if messages and len(refusals) < 2:
            refusals.append(len(messages))
            raise sqlite3.OperationalError("database or disk is full")
        sent(self, messages)

    monkeypatch.setattr(Outbox, "sent", refusing)
    monkeypatch.setattr(alarms_module, "FAILED_S", 0.1)
    async with Web() as web:
        entry = WebhookOutput(name="hook", kind="webhook", to=f"http://127.0.0.1:{web.port}/")

        async def scene(outputs):
            await until(lambda: len(web.got) == 3 and outputs.rows()[0]["waiting"] == 0)
            await asyncio.sleep(0.5)

        await running([entry], tmp_path, scene)
        assert len(refusals) == 2
        assert len({json.loads(body)["key"] for _, body in web.got}) == len(web.got) == 3


def test_keys_that_would_do_nothing_are_refused():
    mail = {"name": "m", "to": "smtps://127.0.0.1", "sender": "a@b", "recipients": ["c@d"]}
    with pytest.raises(ValidationError, match="'server_name' does nothing"):
        EmailOutput(kind="email", server_name="x", **mail)
    with pytest.raises(ValidationError, match="token"):
        EmailOutput(kind="email", token="env:X", **mail)
