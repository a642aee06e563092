"""From a node to a parent, through all of it: a report becomes a track, and the parent is told whose it was."""

import asyncio
import math
import time
from dataclasses import replace

from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

from lapwing.decode.ulid import ulid
from lapwing.engine.plan import make_plan
from lapwing.engine.replay import verify
from lapwing.records import FeedConfig, Position, SensorConfig, Site
from lapwing.serve.outputs.entries import SapientOutput
from lapwing.serve.outputs.run import Outputs
from lapwing.serve.runtime import Runtime
from lapwing.serve.warming import warm_up
from tests.decode import sapient_samples as s
from tests.serve.sapient_middleware import middleware
from tests.serve.test_feeds import free_port, until
from tests.serve.test_sapient_nodes import connect
from tests.serve.test_sapient_peer import full, health

ORIGIN = Position(math.radians(47.0), math.radians(8.0), 400.0)
OBJECTS = [ulid(s.T0, f"object {k}") for k in range(2)]
STARTS_M = ((500.0, 1_500.0), (-900.0, 1_200.0))


def report(k: int, time_ns: int, t_s: float) -> SapientMessage:
    """Target `k`, 15 m/s eastwards, as a radar at the origin sees it."""
    east, north = STARTS_M[k][0] + 15.0 * t_s, STARTS_M[k][1]
    out = s.bearing(math.degrees(math.atan2(east, north)) % 360.0, time_ns, range=math.hypot(east, north))
    out.detection_report.object_id, out.detection_report.report_id = OBJECTS[k], ulid(time_ns, str(k))
    return out


async def scanning(node, name: str = s.NODE) -> None:
    """Two targets, five times a second."""
    began = time.monotonic()
    for step in range(10_000):
        now = time.time_ns()
        said = [report(k, now, time.monotonic() - began) for k in range(2)]
        said += [health()] if step % 10 == 0 else []
        for one in said:
            one.node_id = name
            node.say(one)
        await asyncio.sleep(0.2)


async def test_a_node_s_target_reaches_the_parent_with_its_source(tmp_path) -> None:
    await asyncio.to_thread(warm_up)  # as at every start: a picture that is a second old is refused by such a parent
    port, parent_port = free_port(), free_port()
    feed = FeedConfig("gate", "sapient", "sapient", host="127.0.0.1", port=port, sensor="radar", origin=ORIGIN)
    radar = SensorConfig("radar", ORIGIN, "radar", 5.0, 0.005, range_m_max=5_000.0, p_detect=0.95, period_s=0.2)
    site = Site("chain", ORIGIN, (feed,), (replace(radar, clutter_per_scan=0.5),), ())
    runtime = Runtime(make_plan(site), 'name = "chain"', tmp_path, 64.0)
    entry = SapientOutput(name="up", kind="sapient", to=f"tcp://127.0.0.1:{parent_port}", status_s=1)
    outputs = Outputs([entry], site, tmp_path, tmp_path, (runtime.shelf.frame, runtime.nodes.connected))
    runtime.watchers.append(outputs.put)
    stop = asyncio.Event()
    async with middleware(parent_port, free_port(), acknowledges=True) as parent:
        tasks = [asyncio.create_task(runtime.run(stop)), asyncio.create_task(outputs.run())]
        node = await connect(port)
        node.say(full(name="radar"))
        tasks.append(asyncio.create_task(scanning(node)))

        def sources() -> dict[str, set[str]]:
            """Our object -> the node's objects that it was derived from."""
            out: dict[str, set[str]] = {}
            for m in parent.heard:
                for link in m.detection_report.derived_detection:
                    assert link.node_id == s.NODE
                    out.setdefault(m.detection_report.object_id, set()).add(link.object_id)
            return out

        await until(lambda: len(sources()) == 2 and runtime.counts.ticks > 20, 120.0)
        assert runtime.nodes.rows()[0]["state"] == "connected"
        stop.set()
        await tasks[0]
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        node.writer.close()
    assert sorted(map(sorted, sources().values())) == sorted([[o] for o in OBJECTS])  # each its own, never mixed
    assert parent.complaints() == []
    *_, last = verify(runtime.journal, runtime.plan)  # whatever is known of nodes or told to parents
    assert last.first_difference is None
    assert last.compared > 5
    runtime.journal.close()


async def test_all_nodes_that_corrected_a_track_are_told_to_the_parent(tmp_path) -> None:
    """Two nodes at one mast see the same two targets, a tenth of a second apart: a report derives from both."""
    await asyncio.to_thread(warm_up)
    port, parent_port = free_port(), free_port()
    feed = FeedConfig("gate", "sapient", "sapient", host="127.0.0.1", port=port, sensor="radar", origin=ORIGIN)
    radar = SensorConfig("radar", ORIGIN, "radar", 5.0, 0.005, range_m_max=5_000.0, p_detect=0.95, period_s=0.2)
    radar = replace(radar, clutter_per_scan=0.5)
    site = Site("pair", ORIGIN, (feed,), (radar, replace(radar, sensor="second")), ())
    runtime = Runtime(make_plan(site), 'name = "pair"', tmp_path, 64.0)
    entry = SapientOutput(name="up", kind="sapient", to=f"tcp://127.0.0.1:{parent_port}", status_s=1)
    outputs = Outputs([entry], site, tmp_path, tmp_path, (runtime.shelf.frame, runtime.nodes.connected))
    runtime.watchers.append(outputs.put)
    stop, names = asyncio.Event(), (s.NODE, "b8654cdf-4328-47de-81fa-c495589e30c9")
    async with middleware(parent_port, free_port(), acknowledges=True) as parent:
        tasks = [asyncio.create_task(runtime.run(stop)), asyncio.create_task(outputs.run())]
        nodes = []
        for name, called in zip(names, ("radar", "second"), strict=True):
            node = await connect(port)
            registration = full(name=called)
            registration.node_id = name
            node.say(registration)
            tasks.append(asyncio.create_task(scanning(node, name)))
            nodes.append(node)
            await asyncio.sleep(0.1)

        def both() -> set[str]:
            """Our objects of which one report named both nodes."""
            out = set()
            for m in parent.heard:
                links = m.detection_report.derived_detection
                assert len({(d.node_id, d.object_id) for d in links}) == len(links)
                if {d.node_id for d in links} == set(names):
                    out.add(m.detection_report.object_id)
            return out

        await until(lambda: len(both()) == 2, 120.0)
        stop.set()
        await tasks[0]
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for node in nodes:
            node.writer.close()
    assert parent.complaints() == []
    runtime.journal.close()
