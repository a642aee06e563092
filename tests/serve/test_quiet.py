"""Quiet hours and zones of alarm outputs: what waits, until when, as one message; what never waits."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapwing.serve.acts import Act
from lapwing.serve.outputs import alarms as alarms_module
from lapwing.serve.outputs.choosing import wanted
from lapwing.serve.outputs.entries_alarms import CapOutput, EmailOutput, MqttOutput, NtfyOutput, WebhookOutput
from lapwing.serve.outputs.news import Listener
from lapwing.serve.outputs.news import test_news as news_of
from lapwing.serve.outputs.outbox import Outbox
from lapwing.serve.outputs.quiet import QuietEntry, held
from lapwing.serve.outputs.run import Outputs
from lapwing.serve.outputs.telling import digest_lines, email, ntfy_digest
from lapwing.serve.site import SiteError, parse
from tests.serve.fake_shelf import World, make_site
from tests.serve.test_feeds import until
from tests.serve.test_outbox import Web

SITE = make_site()
PICTURE = World().picture(560)  # three alarms: critical in Terminal, high and low of no zone
S = 10**9
NIGHT = QuietEntry(begin="22:00", to="06:00", timezone="Europe/Oslo", below="high")


def ns(text, zone="Europe/Oslo"):
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * S


@pytest.mark.parametrize(
    ("now", "over"),
    [
        ("2026-11-27 21:59:59", None), ("2026-11-27 22:00:00", "2026-11-28 06:00"),
        ("2026-11-28 00:00", "2026-11-28 06:00"),
        ("2026-11-28 05:59:59", "2026-11-28 06:00"), ("2026-11-28 06:00", None),
        ("2026-10-24 23:00", "2026-10-25 06:00"), ("2026-03-28 23:00", "2026-03-29 06:00"),  # the clock is changed
    ],
)  # fmt: skip
def test_hours_over_midnight_on_the_clock_on_the_wall(now, over):
    assert NIGHT.until_ns(ns(now)) == (ns(over) if over else 0)


def test_hours_within_a_day():
    siesta = QuietEntry(begin="13:00", to="15:30")
    assert siesta.until_ns(ns("2026-11-27 14:00", "UTC")) == ns("2026-11-27 15:30", "UTC")
    assert siesta.until_ns(ns("2026-11-27 15:30", "UTC")) == 0


@given(
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.sampled_from(["Europe/Oslo", "America/New_York", "UTC", "Australia/Lord_Howe"]),
)
def test_they_are_over_when_the_clock_says_so_within_a_day(at, begin, length, zone):
    clock = lambda m: f"{m // 60:02d}:{m % 60:02d}"  # noqa: E731
    quiet = QuietEntry(begin=clock(begin), to=clock((begin + length) % 1440), timezone=zone)
    now = round(at.timestamp()) * S
    over = quiet.until_ns(now)
    local = datetime.fromtimestamp(now // S, ZoneInfo(zone))
    inside = (local.hour * 60 + local.minute - begin) % 1440 < length
    assert (over > 0) == inside
    assert not over or 0 <= over - now <= 25 * 3600 * S


def test_who_waits():
    news = Listener(SITE).hear(PICTURE)
    night = ns("2026-11-27 23:00")
    waits = {n.priority: held(NIGHT, n, night).held_ns > 0 for n in news}
    assert waits == {"critical": False, "high": False, "low": True}
    strict = NIGHT.model_copy(update={"below": "critical"})
    assert {n.priority: held(strict, n, night).held_ns > 0 for n in news}["high"]
    assert not held(strict, next(n for n in news if n.priority == "critical"), night).held_ns
    assert held(strict, news_of(SITE, Act(1, 5, 5, 0, 3, "test", "Kim", "", 0, "")), night).held_ns == 0
    assert held(None, news[-1], night) is news[-1]
    assert all(held(NIGHT, n, ns("2026-11-27 12:00")).held_ns == 0 for n in news)


def test_what_waits_survives_a_restart_and_old_rows_are_read(tmp_path):
    news = [replace(n, held_ns=200 * S) for n in Listener(SITE).hear(PICTURE)]
    box = Outbox(tmp_path / "outbox.sqlite")
    box.put(news, ["a"], 100 * S)
    box.close()
    box = Outbox(tmp_path / "outbox.sqlite")
    assert box.due("a", 199 * S, 10) == []
    assert [m.news for m in box.due("a", 200 * S, 10)] == news
    box._db.execute("UPDATE message SET body = json_remove(body, '$.held_ns')")  # as an older version wrote it
    assert {m.news.held_ns for m in box.due("a", 200 * S, 10)} == {0}
    box.close()


async def test_one_message_when_they_are_over_and_the_urgent_at_once(tmp_path, monkeypatch):
    over = []
    monkeypatch.setattr(QuietEntry, "until_ns", lambda self, now: 0 if over else now + 2 * S)
    strict = {"from": "22:00", "to": "06:00", "below": "critical"}
    async with Web() as hook, Web() as phone, Web() as agency:
        entries = [
            WebhookOutput(name="hook", kind="webhook", to=f"http://127.0.0.1:{hook.port}/", quiet=strict),
            NtfyOutput(name="phone", kind="ntfy", to=f"http://127.0.0.1:{phone.port}/", topic="t", quiet=strict),
            CapOutput(name="cap", kind="cap", to=f"http://127.0.0.1:{agency.port}/", sender="a@b", quiet=strict),
        ]
        outputs = Outputs(entries, SITE, tmp_path, tmp_path)
        task = asyncio.create_task(outputs.run())
        outputs.put(PICTURE)
        await until(lambda: len(hook.got) == len(phone.got) == len(agency.got) == 1)
        assert json.loads(hook.got[0][1])["priority"] == "critical"
        await until(lambda: [len(w.got) for w in (hook, phone, agency)] == [2, 2, 3])
        digest = json.loads(hook.got[1][1])
        assert (digest["event"], [n["priority"] for n in digest["news"]]) == ("digest", ["high", "low"])
        told = json.loads(phone.got[1][1])
        assert told["title"] == "Gyodong test range: quiet hours are over: 2 messages, 2 alarms raised"
        assert told["priority"] == 4
        assert "gnss interference" in told["message"]
        await asyncio.sleep(1.0)  # nothing is told twice
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [len(w.got) for w in (hook, phone, agency)] == [2, 2, 3]
        assert [h.waiting for h in outputs.healths] == [0, 0, 0]


async def test_a_digest_that_fails_is_tried_again_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(QuietEntry, "until_ns", lambda self, now: now)
    monkeypatch.setattr(alarms_module, "LOOK_S", 0.05)
    quiet = {"from": "22:00", "to": "06:00", "below": "critical"}
    entry = WebhookOutput(name="hook", kind="webhook", to="http://127.0.0.1:1/", quiet=quiet, zones=["(none)"])
    outputs = Outputs([entry], SITE, tmp_path, tmp_path)
    task = asyncio.create_task(outputs.run())
    outputs.put(PICTURE)
    await until(lambda: outputs.healths[0].failures > 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    box = Outbox(tmp_path / "outbox.sqlite")
    assert [m.tries for m in box.due("hook", 2**62, 10)] == [1, 1]
    box.close()


def test_zones_choose():
    entry = lambda *zones: WebhookOutput(name="h", kind="webhook", to="http://127.0.0.1/", zones=zones)  # noqa: E731
    news = Listener(SITE).hear(PICTURE)
    told = lambda e: sorted(n.priority for n in news if wanted(e, n))  # noqa: E731
    assert told(entry()) == ["critical", "high", "low"]
    assert told(entry("Terminal")) == ["critical"]
    assert told(entry("North field")) == []
    assert told(entry("North field", "(none)")) == ["high", "low"]
    assert wanted(entry("North field"), news_of(SITE, Act(1, 5, 5, 0, 3, "test", "Kim", "", 0, "")))


def test_a_long_night_fits_into_a_message():
    one = replace(Listener(SITE).hear(PICTURE)[1], held_ns=1, reason="ä" * 300)
    news = [replace(one, alarm_id=i) for i in range(400)]
    lines = digest_lines(news, 3500)
    assert len(lines.encode()) < 3600
    assert lines.splitlines()[-1].startswith("and 39")
    assert len(ntfy_digest(news, "t")) < 8000
    mail = email(news, "a@b", ["c@d"])
    assert mail["Subject"] == "Gyodong test range: quiet hours are over: 400 messages, 400 alarms raised"
    assert email([replace(n, held_ns=0) for n in news], "a@b", ["c@d"])["Subject"].endswith("and 399 more")


FILE = """
name = "t"
origin = {{ latitude_deg = 1, longitude_deg = 1 }}
feed = [{{ name = "f", decoder = "avr", from = "tcp://127.0.0.1:1" }}]
zone = [{{ name = "Pier", circle = {{ latitude_deg = 1, longitude_deg = 1, radius_m = 100 }} }}]
[[output]]
name = "o"
kind = "ntfy"
to = "https://ntfy.example/"
topic = "t"
{}
"""


def test_check_explains_them():
    text = 'quiet = { from = "22:00", to = "06:00", timezone = "Europe/Oslo" }\nzones = ["Pier", "(none)"]'
    (output,) = parse(FILE.format(text)).output
    said = output.explain()
    assert "only of Pier, (none)" in said
    assert "from 22:00 to 06:00 (Europe/Oslo) what is below high waits until they are over" in said
    assert "critical always goes at once" in said
    assert "one message" in said
    quiet = {"from": "22:00", "to": "06:00"}
    assert "one message" not in MqttOutput(name="q", kind="mqtt", to="mqtt://127.0.0.1", quiet=quiet).explain()
    mail = EmailOutput(name="m", kind="email", to="smtps://h", sender="a@b", recipients=["c@d"], quiet=quiet)
    assert "one message" in mail.explain()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('zones = ["Peer"]', "zones: 'Peer' is none of (none), Pier"),
        ('quiet = { from = "22:00" }', "output 'o' > quiet > to: is missing"),
        ('quiet = { from = "22:00", to = "24:00" }', "quiet > to"),
        ('quiet = { from = "22:00", to = "22:00" }', "none, or all"),
        ('quiet = { from = "22:00", to = "06:00", timezone = "Mars/Base" }', "no such time zone"),
        ('quiet = { from = "22:00", to = "06:00", timezone = "/etc/passwd" }', "no such time zone"),
        ('quiet = { from = "22:00", to = "06:00", below = "low" }', "quiet > below"),
        ('quiet = { form = "22:00", to = "06:00" }', "did you mean 'from'?"),
    ],
)
def test_mistakes_are_explained(line, says):
    with pytest.raises(SiteError) as caught:
        parse(FILE.format(line))
    assert any(says in problem for problem in caught.value.problems), caught.value.problems
