"""A SAPIENT node's alert, from its socket to the alarm list, and a person's acknowledgement back; replay agrees."""

import asyncio
import math
import time
from dataclasses import replace

import httpx
import pytest

from lapwing.decode.sapient_session import House
from lapwing.engine.plan import TICK_NS, make_plan
from lapwing.engine.replay import verify
from lapwing.records import FeedConfig, Position, SensorConfig, Site
from lapwing.serve.acts import Acts
from lapwing.serve.runtime import Runtime
from lapwing.serve.sapient import house, our_id
from lapwing.serve.warming import warm_up
from lapwing.serve.web import WebOptions, create_app
from tests.decode import sapient_samples as s
from tests.serve.test_feeds import free_port, until
from tests.serve.test_sapient_nodes import connect
from tests.serve.test_sapient_peer import full, health

ORIGIN = Position(math.radians(47.0), math.radians(8.0), 400.0)
ID = "01GGYFBAXGDG7AGAHRZ6XSNY12"


def alert(status: int = 1):
    out = s.message(time.time_ns())
    out.alert.alert_id, out.alert.status, out.alert.alert_type = ID, status, 2
    out.alert.description = "someone is at the fence"
    return out


async def of_kind(node, kind: str):
    """The next message of a kind that the node hears."""
    while True:
        told = await node.hear()
        if told.WhichOneof("content") == kind:
            return getattr(told, kind), told.node_id


@pytest.mark.parametrize("icd", ["BSI Flex 335 v2.0", "BSI Flex 335 v1.0"])
async def test_an_alert_is_shown_acknowledged_cleared_and_replayed(tmp_path, icd) -> None:
    await asyncio.to_thread(warm_up)
    port = free_port()
    feed = FeedConfig("gate", "sapient", "sapient", host="127.0.0.1", port=port, sensor="radar", origin=ORIGIN)
    site = Site("fence", ORIGIN, (feed,), (SensorConfig("radar", ORIGIN, "radar"),), ())
    runtime = Runtime(make_plan(site), 'name = "fence"', tmp_path, 64.0)
    acts = Acts(tmp_path / "acts.sqlite")
    app = create_app(runtime.shelf, site, WebOptions(acts=acts, nodes=runtime.nodes))
    stop = asyncio.Event()
    task = asyncio.create_task(runtime.run(stop))
    node = await connect(port)
    registration = full(name="radar")
    registration.registration.icd_version = icd
    node.say(registration)
    node.say(health())
    node.say(alert())
    host = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=host, base_url="http://127.0.0.1:8765") as page:

        async def alarms() -> list:
            got = await page.get("/v1/alarms")
            return got.json()["alarms"] if got.status_code == 200 else []

        async with asyncio.timeout(30.0):
            while not (shown := await alarms()):
                await asyncio.sleep(0.1)
        (one,) = shown
        assert (one["rule"], one["subject"], one["priority"], one["state"]) == ("node alert", "node", "low", "raised")
        assert "node radar says: warning: someone is at the fence" in one["reason"]
        wanted = {"alarm": one["id"], "verb": "acknowledge", "name": "Kim"}
        done = await page.post("/v1/acts", json=wanted, headers={"Origin": "http://127.0.0.1:8765"})
        assert done.status_code == 201, done.text
        ack, said_by = await of_kind(node, "alert_ack")
        assert (ack.alert_id, said_by) == (ID, our_id(feed))
        if "v2" in icd:
            assert (ack.alert_ack_status, list(ack.reason)) == (1, ["acknowledged by a person"])
        node.say(alert(status=5))
        ack, _ = await of_kind(node, "alert_ack")
        assert ack.alert_id == ID
        async with asyncio.timeout(30.0):
            while (await alarms())[0]["state"] != "cleared":
                await asyncio.sleep(0.1)
    await until(lambda: runtime.counts.ticks > 20, 30.0)
    stop.set()
    await task
    node.writer.close()
    acts.close()
    *_, last = verify(runtime.journal, runtime.plan)
    assert last.first_difference is None
    assert last.compared > 5
    runtime.journal.close()


def test_an_alert_is_an_alarm_in_the_picture_of_its_own_tick(tmp_path) -> None:
    feed = FeedConfig("g", "sapient", "sapient", sensor="radar", origin=ORIGIN)
    site = Site("s", ORIGIN, (feed,), (SensorConfig("radar", ORIGIN, "radar"),), ())
    runtime = Runtime(make_plan(site), 'name = "s"', tmp_path, 64.0)
    now = time.time_ns()
    for tick in range(1, 7):  # alarms are looked at every fifth tick where nothing happens
        assert len(runtime.tick([], now + tick * TICK_NS).alarms) == 0
    chunks = [("g", now + 7 * TICK_NS, s.frame(m)) for m in (full(name="radar"), alert())]
    assert len(runtime.tick(chunks, now + 7 * TICK_NS).alarms) == 1
    runtime.journal.close()


def test_an_acknowledgement_for_nobody_is_no_error(tmp_path) -> None:
    feed = FeedConfig("g", "sapient", "sapient", sensor="radar", origin=ORIGIN)
    site = Site("s", ORIGIN, (feed,), (SensorConfig("radar", ORIGIN, "radar"),), ())
    runtime = Runtime(make_plan(site), 'name = "s"', tmp_path, 64.0)
    assert runtime.nodes.acknowledged(12) is False
    runtime.nodes.take("g", alert(), [].append)
    (number,) = runtime.nodes._alerts
    assert runtime.nodes.acknowledged(number) is False  # its node is not connected
    runtime.journal.close()


def test_what_the_site_wants_of_its_nodes() -> None:
    feed = FeedConfig("g", "sapient", "sapient", sensor="radar")
    assert house(feed) == House(alerts=True, strict=False)
    assert house(replace(feed, alerts="none", strict=True)) == House(alerts=False, strict=True)
