"""Lapwing as the fusion peer of a middleware: many nodes on one connection, reconnection, and what is refused."""

import asyncio
import contextlib

import pytest

from lapwing.engine.notices import NOTICE_FEED
from lapwing.records import FeedConfig
from lapwing.serve import feeds, sapient_peer
from lapwing.serve.clock import SystemClock
from lapwing.serve.inbox import Inbox
from lapwing.serve.sapient import our_id
from tests.decode import sapient_samples as s
from tests.serve.sapient_middleware import Wire, middleware
from tests.serve.test_feeds import free_port, until

OTHER = "b8654cdf-4328-47de-81fa-c495589e30c9"


def now() -> int:
    return SystemClock().now_ns()


class Ours:
    """Our feed at work."""

    def __init__(self) -> None:
        self.child_port, self.port = free_port(), free_port()
        self.inbox = Inbox(SystemClock())
        self.config = FeedConfig("mw", "sapient", "sapient-peer", host="127.0.0.1", port=self.port, sensor="radar")
        self.got: list[tuple[str, bytes]] = []

    def passed(self) -> list[bytes]:
        self.got += [(feed, data) for feed, _, data in self.inbox.drain()]
        return [data for feed, data in self.got if feed == "mw"]

    def notices(self) -> str:
        self.passed()
        return " ".join(data.decode() for feed, data in self.got if feed == NOTICE_FEED)

    async def node(self) -> Wire:
        return Wire(*await asyncio.open_connection("127.0.0.1", self.child_port))


@contextlib.asynccontextmanager
async def at_work(monkeypatch):
    monkeypatch.setattr(sapient_peer, "RETRY_S", 0.05)
    ours = Ours()
    task = asyncio.create_task(feeds.listen_to(ours.config, ours.inbox))
    try:
        yield ours
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def full(kind: str = "RADAR", name: str = "radar", node: str = s.NODE, **more):
    """A registration with everything that the standard demands."""
    out = s.registration(kind, name, time_ns=now(), node=node, **more)
    told = out.registration
    told.capabilities.add(category="any", type="any")
    told.config_data.add(manufacturer="m", model="1")
    told.status_definition.location_definition.location_units = 1
    told.status_definition.location_definition.location_datum = 1
    mode = told.mode_definition.add(mode_name="Default", mode_type=1)
    mode.settle_time.units, mode.settle_time.value = 4, 1.0
    seen = mode.detection_definition.add()
    seen.location_type.location_units = seen.location_type.location_datum = 1
    seen.detection_class_definition.add(confidence_definition=1)
    mode.task.concurrent_tasks = 1
    mode.task.region_definition.region_type.append(1)
    mode.task.region_definition.region_area.add(location_units=1, location_datum=1)
    command = mode.task.command.add(units="none", type=1)
    command.completion_time.units, command.completion_time.value = 4, 1.0
    return out


def health(node: str = s.NODE, system: int = 1, time_ns: int = 0):
    out = s.status(time_ns or now(), system)
    out.node_id, out.status_report.info, out.status_report.mode = node, 1, "Default"
    return out


def look(azimuth: float, node: str = s.NODE, time_ns: int = 0):
    out = s.bearing(azimuth, time_ns or now(), range=800.0)
    out.node_id = node
    out.detection_report.report_id = out.detection_report.object_id = "01GGYFBAXGDG7AGAHRZ6XSNY12"
    return out


async def test_two_nodes_behind_one_middleware(monkeypatch) -> None:
    async with at_work(monkeypatch) as ours, middleware(ours.child_port, ours.port) as mw:
        await until(lambda: mw.peers)
        radar, camera = await ours.node(), await ours.node()
        talk = {radar: full(), camera: full("CAMERA", "camera", OTHER)}
        for wire, registration in talk.items():
            wire.say(registration)
            ack = await wire.hear()
            assert ack.registration_ack.acceptance is True
            assert (ack.node_id, ack.destination_id) == (our_id(ours.config), registration.node_id)
        more = [health(), look(12.0), health(OTHER), look(40.0, OTHER)]
        for wire, message in zip([radar, radar, camera, camera], more, strict=True):
            wire.say(message)
        await until(lambda: len(ours.passed()) == 6)
        assert sorted(ours.passed()) == sorted(s.frame(m) for m in (*talk.values(), *more))
        assert mw.refused == []  # also of what we said
        radar.say(health(system=5))
        await until(lambda: "node radar: goodbye" in ours.notices())
        before = len(ours.passed())
        await asyncio.sleep(0.1)  # detections of one connection are 80 ms apart
        last = look(41.0, OTHER)
        radar.say(look(12.0))
        camera.say(last)
        await until(lambda: len(ours.passed()) > before)
        assert ours.passed()[before:] == [s.frame(last)]
        radar.writer.close()
        camera.writer.close()


async def test_a_middleware_that_goes_and_comes_tells_what_it_knows(monkeypatch) -> None:
    """After it is back, its nodes are told again by it, with a status from long before, which is no news."""
    async with at_work(monkeypatch) as ours:
        async with middleware(ours.child_port, ours.port) as mw:
            await until(lambda: mw.peers)
        await until(lambda: "lost" in ours.notices())
        async with middleware(ours.child_port, ours.port) as mw:
            mw.kept[s.NODE] = [full(), health(time_ns=now() - 3600 * s.S)]
            await until(lambda: "node radar" in ours.notices(), 10.0)
            await until(lambda: len(ours.passed()) == 1)
            node = await ours.node()
            node.say(full())
            assert (await node.hear()).registration_ack.acceptance is True
            node.say(look(3.0))
            await until(lambda: len(ours.passed()) == 3)
            assert ours.notices().count("connected") >= 3
            node.writer.close()


@pytest.mark.parametrize("kind", ["KINETIC", "JAMMER", "CYBER", "LDEW", "RFDEW"])
async def test_a_node_that_acts_is_refused_and_nobody_else(monkeypatch, kind: str) -> None:
    async with at_work(monkeypatch) as ours, middleware(ours.child_port, ours.port) as mw:
        await until(lambda: mw.peers)
        bad, good = await ours.node(), await ours.node()
        bad.say(full(kind, node=OTHER))
        ack = await bad.hear()
        assert ack.registration_ack.acceptance is False
        assert list(ack.registration_ack.ack_response_reason) == ["watch-only system: nodes that act are refused"]
        bad.say(look(1.0, OTHER))
        good.say(full())
        assert (await good.hear()).registration_ack.acceptance is True
        await until(lambda: len(ours.passed()) == 1)
        assert {m.WhichOneof("content") for m in mw.from_peers} == {"registration_ack"}
        bad.writer.close()
        good.writer.close()


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        (b"\0\0\0\x40", "message with an impossible length"),
        (b"\x01\0\0\0\xff" * 30, "one error after another"),
        (b"", "closed by the middleware"),
    ],
)
async def test_a_wrong_middleware_is_left_and_tried_again(monkeypatch, attack: bytes, why: str) -> None:
    calls = []

    async def wrong(reader, writer):
        calls.append(1)
        writer.write(attack)
        if attack:
            with contextlib.suppress(OSError):
                await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with at_work(monkeypatch) as ours, await asyncio.start_server(wrong, "127.0.0.1", ours.port) as server:
        await until(lambda: len(calls) >= 2, 10.0)
        assert why in ours.notices()
        assert ours.passed() == []
        server.close()
