"""A test alarm: through every alarm output, marked as a test, written down, and never an alarm."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest

from lapwing.engine import codec
from lapwing.serve import acts as acts_module
from lapwing.serve import web_acts
from lapwing.serve.acts import Act, Acts, WantedTest, read_acts
from lapwing.serve.alarm_testing import ring
from lapwing.serve.listening import serve_web
from lapwing.serve.metrics import text as metrics
from lapwing.serve.ordering import OrderError
from lapwing.serve.outputs.entries_alarms import CapOutput, EmailOutput, MqttOutput, NtfyOutput, WebhookOutput
from lapwing.serve.outputs.messengers import MqttMessenger
from lapwing.serve.outputs.news import test_news as news_of
from lapwing.serve.outputs.run import Outputs
from lapwing.serve.outputs.telling import email
from lapwing.serve.web import WebOptions, create_app
from tests.serve.fake_shelf import FakeShelf, World, make_site
from tests.serve.test_feeds import free_port
from tests.serve.test_outbox import Web

SITE = make_site()
ACT = Act(1, 5, 5, 0, 3, "test", "Kim", "", 0, "")
CAP = "{urn:oasis:names:tc:emergency:cap:1.2}"


@asynccontextmanager
async def seat(tmp_path, entries):
    """A site's web and outputs at work; no picture reaches the outputs, so that all they tell is the test."""
    outputs, acts = Outputs(entries, SITE, Path(), tmp_path), Acts(tmp_path / "acts.sqlite")
    shelf, port = FakeShelf(World(), tick=560), free_port()
    app = create_app(shelf, SITE, WebOptions(port=port, acts=acts, ringer=outputs), outputs.rows)
    up = asyncio.Event()
    tasks = [
        asyncio.create_task(serve_web(app, "127.0.0.1", port, lambda _: up.set())),
        asyncio.create_task(outputs.run()),
    ]
    try:
        await up.wait()
        yield port, shelf, acts, outputs
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        acts.close()


async def test_a_test_goes_through_every_output_marked_and_is_written_down(tmp_path):
    async with Web() as hook, Web() as phone, Web() as agency:
        entries = [
            WebhookOutput(name="hook", kind="webhook", to=f"http://127.0.0.1:{hook.port}/", priority="critical"),
            NtfyOutput(name="phone", kind="ntfy", to=f"http://127.0.0.1:{phone.port}/", topic="tower"),
            CapOutput(name="cap", kind="cap", to=f"http://127.0.0.1:{agency.port}/", sender="a@b.example"),
        ]
        async with seat(tmp_path, entries) as (port, shelf, acts, _):
            before = codec.digest(shelf.latest()), metrics(shelf.latest(), [])
            good, text = await asyncio.to_thread(ring, "127.0.0.1", port, "Kim", "new phone")
            assert good, text
            assert [line.strip() for line in text.splitlines()[1:]] == ["hook: sent", "phone: sent", "cap: sent"]
            assert "Kim" in text
            assert (codec.digest(shelf.latest()), metrics(shelf.latest(), [])) == before
            with pytest.raises(OrderError, match="Kim tests just now"):
                await asyncio.to_thread(ring, "127.0.0.1", port, "Lee")
            assert acts.standing({0: 3, 1: 0}) == {}  # about no alarm
    (act,) = read_acts(tmp_path / "acts.sqlite")
    assert (act.verb, act.name, act.note, act.alarm, act.peer) == ("test", "Kim", "new phone", 0, "127.0.0.1")
    told = json.loads(hook.got[0][1])
    assert (told["event"], told["rule"]) == ("test", "test alarm")
    assert told["reason"] == "Test of the alarm outputs by Kim. Nothing has happened. new phone"
    assert json.loads(phone.got[0][1])["title"].startswith("TEST: ")
    alert = ElementTree.fromstring(agency.got[0][1])
    assert [alert.findtext(CAP + k) for k in ("status", "msgType", "references")] == ["Test", "Alert", None]
    assert alert.findtext(f"{CAP}info/{CAP}headline").startswith("TEST: ")
    assert [len(w.got) for w in (hook, phone, agency)] == [1, 1, 1]


async def test_an_output_that_does_not_take_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("lapwing.serve.alarm_testing.ANSWER_S", 1.5)
    entry = WebhookOutput(name="hook", kind="webhook", to=f"http://127.0.0.1:{free_port()}/")
    async with seat(tmp_path, [entry]) as (port, *_):
        good, text = await asyncio.to_thread(ring, "127.0.0.1", port, "Kim")
        assert not good
        assert "hook: waiting: " in text
        assert "refused" in text
    with pytest.raises(OrderError, match="does not answer"):
        ring("127.0.0.1", port, "Kim")
    with pytest.raises(OrderError, match="--by NAME"):
        ring("127.0.0.1", port, " ")


async def test_mail_and_mqtt_say_that_it_is_a_test(tmp_path, monkeypatch):
    act = Acts(tmp_path / "acts.sqlite").add_test(WantedTest(name="Kim"), 5, "")
    news = news_of(SITE, act)
    mail = EmailOutput(name="m", kind="email", to="smtps://127.0.0.1", sender="a@b", recipients=["c@d"])
    assert email([news], mail.sender, mail.recipients)["Subject"].startswith("TEST: ")
    sent = []

    class Link:
        async def publish(self, message):
            sent.append(message)

    async def connected(_):
        return Link()

    monkeypatch.setattr(MqttMessenger, "_connected", connected)
    await MqttMessenger(MqttOutput(name="q", kind="mqtt", to="mqtt://127.0.0.1"), tmp_path).send([news])
    assert [(m.topic, m.retain) for m in sent] == [("lapwing/event", False)]  # no alarm is kept at the broker
    assert json.loads(sent[0].payload)["event"] == "test"


async def test_recordings_and_sites_without_outputs_say_so(tmp_path):
    hook = WebhookOutput(name="hook", kind="webhook", to=f"http://127.0.0.1:{free_port()}/")
    recorded = replace(SITE, feeds=(replace(SITE.feeds[0], transport="file", path="x"),))
    (row,) = Outputs([hook], recorded, Path(), tmp_path).tested(ACT)
    assert (row["output"], row["state"]) == ("hook", "off")
    async with seat(tmp_path, []) as (port, *_):
        good, text = await asyncio.to_thread(ring, "127.0.0.1", port, "Kim")
        assert good
        assert "has no alarm output" in text


async def test_only_who_may_act_may_test(tmp_path):
    body = {"name": "Kim"}
    async with seat(tmp_path, []) as (port, _, acts, _outputs):
        url, foreign = f"http://127.0.0.1:{port}", {"Origin": "http://evil.example"}
        async with httpx.AsyncClient(base_url=url) as client:
            post = client.post
            assert (await client.get("/v1/alarm-test")).json() == {"test": None, "outputs": []}
            assert (await post("/v1/alarm-test", json=body, headers=foreign)).status_code == 403
            plain = {"content-type": "text/plain"}
            assert (await post("/v1/alarm-test", content=b"{}", headers=plain)).status_code == 415
            assert (await post("/v1/alarm-test", json={"name": " "})).status_code == 400
            assert (await post("/v1/alarm-test", json=body | {"to": "x"})).status_code == 400
            assert acts.count == 0
            acts._db.execute("DROP TABLE acts")
            assert (await post("/v1/alarm-test", json=body)).status_code == 503
    closed = create_app(FakeShelf(World()), SITE, WebOptions())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(closed), base_url="http://127.0.0.1") as client:
        assert (await client.post("/v1/alarm-test", json=body)).status_code in (404, 405)


def test_the_page_is_told_for_a_minute(tmp_path, monkeypatch):
    acts = Acts(tmp_path / "acts.sqlite")
    desk, picture = web_acts.ActsDesk(acts), World().picture(560)
    assert "test" not in json.loads(desk.text(picture))
    act = acts.add_test(WantedTest(name="Kim"), picture.time_ns, "")
    assert json.loads(desk.text(picture))["test"]["name"] == "Kim"
    again = Acts(tmp_path / "acts.sqlite")  # after a restart
    assert again.newest_test == act
    again.close()
    later = act.at_ns + 61 * 10**9
    monkeypatch.setattr(web_acts.time, "time_ns", lambda: later)
    assert "test" not in json.loads(desk.text(picture))
    monkeypatch.setattr(acts_module.time, "time_ns", lambda: later)
    assert acts.add_test(WantedTest(name="Lee"), 5, "").name == "Lee"
    acts.close()
