"""Escalation by time: an output that is told only of alarms that nobody has acknowledged for so long."""

import asyncio
import json
from dataclasses import replace

import numpy as np
import pytest

from lapwing.records import AlarmState, Priority
from lapwing.serve.acts import Acts, Wanted
from lapwing.serve.outputs.entries_alarms import WebhookOutput
from lapwing.serve.outputs.news import Listener
from lapwing.serve.outputs.outbox import Outbox
from lapwing.serve.outputs.overdue import Overdue
from lapwing.serve.outputs.run import Outputs
from lapwing.serve.site import SiteError, parse
from tests.serve.fake_shelf import World, make_site
from tests.serve.test_feeds import free_port, until
from tests.serve.test_outbox import Web

SITE = make_site()
FIRST = World().picture(560)
S = 10**9
T0 = FIRST.time_ns


def picture(after_s, priority=Priority.HIGH, state=AlarmState.UPDATED):
    """One alarm, number 1, raised at T0."""
    a = FIRST.alarms
    one = replace(
        a, **{name: getattr(a, name)[:1] for name in a.__slots__ if name != "next_id"}
    )  # fmt: skip
    time_ns = T0 + after_s * S
    change = {
        "alarm_id": [1], "raised_ns": [T0], "updated_ns": [time_ns], "state": [state], "priority": [priority],
        "cleared_ns": [time_ns if state == AlarmState.CLEARED else 0],
    }  # fmt: skip
    columns = {name: np.array(value, np.int64) for name, value in change.items()}
    return replace(FIRST, time_ns=time_ns, alarms=replace(one, **columns))


@pytest.fixture
def acts(tmp_path):
    made = Acts(tmp_path / "acts.sqlite")
    yield made
    made.close()


def heard(overdue, acts, shown):
    alarms = dict(zip(shown.alarms.alarm_id.tolist(), shown.alarms.priority.tolist(), strict=True))
    return [(n.event, n.priority) for n in overdue.hear(shown, acts.standing(alarms))]


def do(acts, verb, shown, for_s=0):
    wanted = Wanted(alarm=1, verb=verb, name="Kim", for_s=for_s)
    acts.add(wanted, int(shown.alarms.priority[0]), shown.time_ns, "")


def test_once_per_priority_when_the_time_is_up(acts):
    overdue = Overdue(120.0, Listener(SITE))
    assert heard(overdue, acts, picture(0)) == []
    assert heard(overdue, acts, picture(119)) == []
    assert heard(overdue, acts, picture(120)) == [("raised", "high")]
    assert heard(overdue, acts, picture(500)) == []
    assert heard(overdue, acts, picture(501, Priority.CRITICAL)) == [("raised", "critical")]
    assert heard(overdue, acts, picture(502, Priority.CRITICAL)) == []
    assert heard(overdue, acts, picture(503, Priority.CRITICAL, AlarmState.CLEARED)) == []


def test_what_somebody_has_in_hand_is_not_told_until_nobody_has(acts):
    overdue = Overdue(120.0, Listener(SITE))
    heard(overdue, acts, picture(0))
    do(acts, "acknowledge", picture(60))
    assert heard(overdue, acts, picture(600)) == []
    assert heard(overdue, acts, picture(601, Priority.CRITICAL)) == []  # its clock begins
    assert heard(overdue, acts, picture(720, Priority.CRITICAL)) == []
    assert heard(overdue, acts, picture(721, Priority.CRITICAL)) == [("raised", "critical")]


def test_a_shelf_is_a_hand_until_it_runs_out(acts):
    overdue = Overdue(120.0, Listener(SITE))
    do(acts, "shelve", picture(10), 900)
    assert heard(overdue, acts, picture(909)) == []
    assert heard(overdue, acts, picture(911)) == []
    assert heard(overdue, acts, picture(1031)) == [("raised", "high")]


def test_an_alarm_that_clears_in_time_is_not_told(acts):
    overdue = Overdue(120.0, Listener(SITE))
    heard(overdue, acts, picture(0))
    assert heard(overdue, acts, picture(119, state=AlarmState.CLEARED)) == []
    assert heard(overdue, acts, picture(300, state=AlarmState.CLEARED)) == []


async def showing(tmp_path, acts, port, pictures, then=lambda row: True):
    """A run of the outputs that is shown these pictures, one every half second, until its row is as it should be."""
    entry = WebhookOutput(name="siren", kind="webhook", to=f"http://127.0.0.1:{port}/", unacknowledged_s=120.0)
    outputs = Outputs([entry], SITE, tmp_path, tmp_path, None, acts)
    task = asyncio.create_task(outputs.run())
    try:
        for shown in pictures:
            outputs.put(shown)
            await asyncio.sleep(0.6)
        await until(lambda: then(outputs.rows()[0]), 20.0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_told_once_over_restarts_and_its_end_is_told_too(tmp_path, acts):
    async with Web() as web:
        await showing(tmp_path, acts, web.port, [picture(0), picture(60)])
        assert web.got == []
        await showing(tmp_path, acts, web.port, [picture(121)], lambda row: row["sent"] == 1)
        worse = [picture(122), picture(123, Priority.CRITICAL), picture(124, Priority.CRITICAL, AlarmState.CLEARED)]
        await showing(tmp_path, acts, web.port, worse, lambda row: row["sent"] == 2)
        await showing(tmp_path, acts, web.port, worse[-1:])
    told = [json.loads(body) for _, body in web.got]
    assert [(n["event"], n["priority"]) for n in told] == [
        ("raised", "high"), ("escalated", "critical"), ("cleared", "critical"),
    ]  # fmt: skip
    assert [n.get("unacknowledged_s") for n in told] == [120.0, 120.0, None]


async def test_what_was_acknowledged_before_a_restart_is_not_told_after(tmp_path, acts):
    do(acts, "acknowledge", picture(60))
    async with Web() as web:
        await showing(tmp_path, acts, web.port, [picture(200), picture(300, state=AlarmState.CLEARED)])
    assert web.got == []


async def test_what_waits_for_a_dead_server_is_withdrawn_once_it_is_acknowledged(tmp_path, acts):
    await showing(tmp_path, acts, free_port(), [picture(121)], lambda row: row["failures"] >= 1)
    do(acts, "acknowledge", picture(130))
    async with Web() as web:
        shown = [*[picture(131)] * 6, picture(300, state=AlarmState.CLEARED)]  # longer than the pause after a failure
        await showing(tmp_path, acts, web.port, shown, lambda row: row["waiting"] == 0)
        assert web.got == []
        outbox = Outbox(tmp_path / "outbox.sqlite")
        assert outbox.counts("siren") == {"withdrawn": 1}
        outbox.close()
        worse = [picture(302, Priority.CRITICAL), picture(430, Priority.CRITICAL)]
        await showing(tmp_path, acts, web.port, worse, lambda row: row["sent"] == 1)
    assert [json.loads(body)["priority"] for _, body in web.got] == ["critical"]


SITE_FILE = """
name = "Tower"
origin = { latitude_deg = 47, longitude_deg = 8 }
[[feed]]
name = "a"
decoder = "beast"
from = "tcp://127.0.0.1:30005"
[[output]]
name = "siren"
kind = "webhook"
to = "http://127.0.0.1:9/"
unacknowledged_s = 120
"""


def test_a_site_where_nobody_may_acknowledge_is_refused():
    assert "nobody has acknowledged for 120 s" in parse(SITE_FILE).output[0].explain()
    with pytest.raises(SiteError) as refused:
        parse(SITE_FILE + '[web]\nhost = "0.0.0.0"\n')
    assert "'unacknowledged_s' needs people who may acknowledge" in refused.value.problems[0]
