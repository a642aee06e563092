"""Lapwing as a fusion node of a parent, over real sockets: what the parent gets, and parents that are wrong."""

import asyncio
import contextlib
import ssl
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import AlarmState, Classes, FeedConfig, Frame, Kind, TrackStatus
from lapwing.serve.outputs import sapient
from lapwing.serve.outputs.contributors import SEQS_MAX
from lapwing.serve.outputs.entries import SapientOutput
from lapwing.serve.outputs.run import Outputs
from tests.decode import sapient_samples as s
from tests.serve.fake_shelf import DRONE_ID, World, make_site
from tests.serve.sapient_middleware import middleware
from tests.serve.test_feeds import free_port, until
from tests.serve.test_outputs import certificates

SITE = make_site()
SITE = replace(SITE, feeds=(*SITE.feeds, FeedConfig("hill-radar", "sapient", "sapient", "127.0.0.1", 5020)))
WORLD = World()
BEHIND = [s.NODE]  # nodes that are connected to us
LIAR = "b8654cdf-4328-47de-81fa-c495589e30c9"
OBJECT = "01GGYFBAXGDG7AGAHRZ6XSNY12"


def entry(port: int, **more) -> SapientOutput:
    return SapientOutput(name="parent", kind="sapient", to=f"tcp://127.0.0.1:{port}", **{"period_s": 0.2, **more})


def picture(tick: int):
    """The world as it moves, at the time it is."""
    it = WORLD.picture(tick)
    now = time.time_ns()
    n = len(it.tracks)
    shares = np.zeros((n, len(Kind)))
    shares[:, Kind.MULTIROTOR], shares[:, Kind.BIRD] = 0.75, 0.25
    classes = Classes(it.tracks.track_id, shares)
    return replace(it, time_ns=now, tracks=replace(it.tracks, time_ns=now), classes=classes)


def test_all_who_corrected_a_track_since_its_last_report_are_told() -> None:
    sender = sapient.SapientSender(entry(5020), SITE, Path())
    told_by = {7: (s.NODE, OBJECT, 1), 8: (LIAR, OBJECT, 2), 9: (s.NODE, OBJECT, 3), 10: ("", "", 4)}

    def journal(seq: int) -> Frame | None:
        if seq not in told_by:
            return None
        node, name, second = told_by[seq]
        told = s.bearing(5.0, s.T0 + second * s.S) if node else s.status()
        if node:
            told.node_id, told.detection_report.object_id = node, name
        return Frame(seq, "hill-radar" if seq != 11 else "other", 0, s.frame(told))

    sender.frames = journal
    it = WORLD.picture(600)
    row = int(np.flatnonzero(it.tracks.status != TrackStatus.TENTATIVE)[0])
    ident = int(it.tracks.track_id[row])

    def links(*seqs: int) -> list[tuple[str, int]]:
        for seq in seqs:
            made = replace(it, tracks=replace(it.tracks, frame_seq=np.full(len(it.tracks), seq)))
            sender._contributors.look(made)
        (one,) = [m for m in sender._reports(it, [row]) if m.HasField("detection_report") and m.detection_report.state]
        sender._contributors.reported([ident])
        assert one.detection_report.object_id
        return [
            (d.node_id, (d.timestamp.ToNanoseconds() - s.T0) // s.S) for d in one.detection_report.derived_detection
        ]

    assert links(7, 7, 8, 9) == [(s.NODE, 3), (LIAR, 2)]  # of each node the newest
    assert links(9, 9) == [(s.NODE, 3)]  # nobody since: the last
    assert links(8) == [(LIAR, 2)]
    assert links(10, 12) == []  # no report, and no longer in the journal
    assert links(*range(20, 20 + 99), 7, 8) == [(LIAR, 2), (s.NODE, 1)]
    assert len(sender._contributors._seqs[ident]) == SEQS_MAX
    gone = replace(it, tracks=replace(it.tracks, status=np.full(len(it.tracks), TrackStatus.TENTATIVE)))
    sender._contributors.look(gone)
    assert not sender._contributors._seqs
    assert not sender._contributors._told


def frames(seq: int) -> Frame:
    """A journal in which every track's last detection came from a SAPIENT node."""
    told = s.bearing(5.0)
    told.detection_report.object_id = OBJECT
    return Frame(seq, "hill-radar", 0, s.frame(told))


@contextlib.asynccontextmanager
async def publishing(out: SapientOutput, monkeypatch, first: int = 200):
    monkeypatch.setattr(sapient.SapientSender, "pause_s", 0.1)
    outputs = Outputs([out], SITE, Path(), Path(), (frames, lambda: list(BEHIND)))

    async def moving():
        for tick in range(first, 100_000):
            outputs.put(picture(tick))
            await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(outputs.run()), asyncio.create_task(moving())]
    try:
        yield outputs
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def of_kind(parent, kind: str) -> list:
    return [m for m in parent.heard if m.WhichOneof("content") == kind]


async def test_a_parent_gets_tracks_alarms_and_health(monkeypatch) -> None:
    port = free_port()
    async with middleware(port, free_port(), acknowledges=True) as parent:
        async with publishing(entry(port, status_s=1, reports_per_s=1000), monkeypatch, first=600) as outputs:
            await until(lambda: len({m.timestamp.ToNanoseconds() for m in of_kind(parent, "detection_report")}) > 3)
            await until(lambda: len(of_kind(parent, "status_report")) > 2 and of_kind(parent, "alert"), 20.0)
            assert outputs.rows()[0]["state"] == "fine"
        await until(lambda: of_kind(parent, "status_report")[-1].status_report.system == 5)  # GOODBYE
    assert parent.complaints() == []  # mandatory fields, ids, timestamps, pacing: nothing to complain of
    first = parent.heard[0].registration
    assert [d.node_type for d in first.node_definition] == [20]  # a fusion node
    assert first.status_definition.status_interval.value == 1.0
    assert len(first.reporting_region[0].location_list.locations) == 4
    health = of_kind(parent, "status_report")[0].status_report
    assert health.system == 2  # a feed of this world is quiet
    assert [x.status_value for x in health.status] == ["feed harbour-ais: quiet"]
    _tracks_are_ours(of_kind(parent, "detection_report"))
    (drone,) = {m.alert.associated_detection[0].object_id for m in of_kind(parent, "alert") if m.alert.confidence}
    assert drone in {m.detection_report.object_id for m in of_kind(parent, "detection_report")}


def _tracks_are_ours(reports) -> None:
    """One cycle against the world that it was made of; every object keeps its name."""
    cycles = sorted({m.timestamp.ToNanoseconds() for m in reports})
    shown = [{m.detection_report.object_id for m in reports if m.timestamp.ToNanoseconds() == c} for c in cycles]
    assert shown[0] == shown[1] == shown[2]
    tracks = WORLD.picture(600).tracks
    confirmed = np.flatnonzero(tracks.status != TrackStatus.TENTATIVE)
    assert len(shown[0]) == len(confirmed)
    o = SITE.origin
    place = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
    latitude, longitude, _ = enu_to_geodetic(place, tracks.mean[confirmed, :3])
    told = [m.detection_report for m in reports if m.timestamp.ToNanoseconds() == cycles[0]]
    for i, (a, b) in enumerate(zip(np.degrees(latitude), np.degrees(longitude), strict=True)):
        one = min(told, key=lambda d: abs(d.location.y - a) + abs(d.location.x - b))
        assert abs(one.location.y - a) + abs(one.location.x - b) < 2e-2  # it has moved on since
        speed = float(np.linalg.norm(tracks.mean[confirmed[i], 3:]))
        v = one.enu_velocity
        assert np.linalg.norm([v.east_rate, v.north_rate, v.up_rate]) == pytest.approx(speed, rel=0.3, abs=2.0)
    for one in told:
        assert [(c.type, c.sub_class[0].type) for c in one.classification] == [
            ("Air vehicle", "UAV rotary wing"),
            ("Animal", "Bird"),
        ]
        assert sum(c.confidence for c in one.classification) == pytest.approx(1.0)
        (link,) = one.derived_detection
        assert (link.node_id, link.object_id) == (s.NODE, OBJECT)
        assert link.timestamp.ToNanoseconds() == s.T0
        assert not one.behaviour


async def test_no_more_reports_leave_than_may_and_alarms_come_first(monkeypatch) -> None:
    port = free_port()
    async with (
        middleware(port, free_port(), acknowledges=True) as parent,
        publishing(entry(port, reports_per_s=10, status_s=1), monkeypatch, first=600) as outputs,
    ):
        await until(lambda: len(of_kind(parent, "status_report")) > 2, 20.0)
        dropped = outputs.rows()[0]["dropped"]
    reports = of_kind(parent, "detection_report")
    cycles = {m.timestamp.ToNanoseconds() for m in reports}
    assert len(reports) == 2 * len(cycles)  # 10 a second, five periods a second
    (drone,) = {m.alert.associated_detection[0].object_id for m in of_kind(parent, "alert") if m.alert.confidence}
    assert sum(m.detection_report.object_id == drone for m in reports) == len(cycles)
    assert len({m.detection_report.object_id for m in reports}) > 2  # the others take turns
    assert dropped > 0
    said = [x.status_value for m in of_kind(parent, "status_report") for x in m.status_report.status]
    assert any(text.endswith("reports of tracks were left out") for text in said)
    assert parent.complaints() == []


async def test_an_alarm_that_ended_while_the_parent_was_away_is_cleared(monkeypatch) -> None:
    monkeypatch.setattr(sapient.SapientSender, "pause_s", 0.1)
    port = free_port()
    outputs = Outputs([entry(port)], SITE, Path(), Path())
    task = asyncio.create_task(outputs.run())

    async def shown(it, parent, count: int) -> list:
        for _ in range(200):
            outputs.put(replace(it, time_ns=time.time_ns()))
            await asyncio.sleep(0.05)
            if len(of_kind(parent, "alert")) >= count:
                break
        return [(m.alert.alert_id, m.alert.status) for m in of_kind(parent, "alert")]

    try:
        async with middleware(port, free_port(), acknowledges=True) as parent:
            raised = await shown(picture(600), parent, 3)
        async with middleware(port, free_port(), acknowledges=True) as parent:
            ended = await shown(picture(1), parent, 3)
        assert {i for i, _ in raised} == {i for i, _ in ended}
        alarms = {status for i, status in ended}
        assert 5 in alarms  # the zone's alarm is not in the first picture: CLEAR
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_parent_asks_and_is_answered(monkeypatch) -> None:
    port = free_port()
    async with (
        middleware(port, free_port(), acknowledges=True) as parent,
        publishing(entry(port, status_s=60), monkeypatch),
    ):
        await until(lambda: of_kind(parent, "status_report"))
        wire = parent.children[parent.heard[0].node_id]
        for kind in ("Status", "Registration", "Start"):
            task = parent.ack(wire.node)
            task.task.task_id, task.task.control, task.task.command.request = OBJECT, 1, kind
            wire.say(task)
        move = parent.ack(wire.node)
        move.task.task_id, move.task.control = OBJECT, 1
        move.task.command.move_to.locations.add(x=1, y=1, coordinate_system=1, datum=1)
        wire.say(move)
        await until(lambda: len(of_kind(parent, "task_ack")) == 4)
        await until(lambda: len(of_kind(parent, "status_report")) == 2)
    assert [m.task_ack.task_status for m in of_kind(parent, "task_ack")] == [3, 3, 2, 2]
    assert of_kind(parent, "task_ack")[3].task_ack.reason[0].startswith("watch-only system")
    assert len(of_kind(parent, "registration")) == 2
    assert parent.complaints() == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"\x05\0\0\0\xff\xff\xff\xff\xff", "the parent sent what is not a SAPIENT message"),
        (b"\0\0\0\x40", "the parent sent a message with an impossible length"),
        (b"", "no RegistrationAck within 0 s"),
        (None, "the parent closed the connection"),
        ("refusal", "the parent refuses the registration: not wanted here"),
    ],
)
async def test_a_wrong_parent_is_seen_and_tried_again(monkeypatch, answer, why: str) -> None:
    monkeypatch.setattr(sapient, "ACK_S", 0.3)
    port, calls, said = free_port(), [], []

    async def wrong(reader, writer):
        calls.append(1)
        if answer == "refusal":
            no = s.message(time.time_ns())
            no.registration_ack.acceptance = False
            no.registration_ack.ack_response_reason.append("not wanted here")
            writer.write(s.frame(no))
        elif answer:
            writer.write(answer)
        with contextlib.suppress(OSError):
            said.append(await reader.read(-1 if answer is not None else 65_536))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(wrong, "127.0.0.1", port)
    async with publishing(entry(port), monkeypatch) as outputs:
        await until(lambda: len(calls) >= 2, 20.0)
        row = outputs.rows()[0]
    server.close()
    await server.wait_closed()
    assert (row["state"], row["link"]) == ("failing", f"lost: {why}")
    assert row["sent"] == 0


async def test_what_the_parent_refuses_is_seen(monkeypatch) -> None:
    port = free_port()
    async with (
        middleware(port, free_port(), acknowledges=True) as parent,
        publishing(entry(port), monkeypatch, first=600) as outputs,
    ):
        await until(lambda: of_kind(parent, "alert"))
        wire = parent.children[parent.heard[0].node_id]
        wire.say(parent.error(s.status(), ["too old"]))
        await until(lambda: outputs.rows()[0]["refusals"] == 1)
        assert outputs.rows()[0]["link"] == "connected, but refused 1 messages; the last: too old"
        yes = parent.ack(wire.node)
        yes.alert_ack.alert_id, yes.alert_ack.alert_ack_status = OBJECT, 1
        wire.say(yes)
        no = parent.ack(wire.node)
        no.alert_ack.alert_id, no.alert_ack.alert_ack_status = OBJECT, 2
        no.alert_ack.reason.append("nobody here")
        wire.say(no)
        await until(lambda: outputs.rows()[0]["refusals"] == 2)
        assert outputs.rows()[0]["accepted"] == 1
        assert outputs.rows()[0]["link"].endswith(f"alert {OBJECT}: nobody here")


def test_the_world_has_what_these_tests_need() -> None:
    alarms = WORLD.picture(600).alarms
    assert DRONE_ID in alarms.subject_id[alarms.state != AlarmState.CLEARED]


async def test_a_node_that_comes_before_the_acknowledgement_is_told(monkeypatch) -> None:
    port = free_port()
    monkeypatch.setattr("tests.serve.test_sapient_upward.BEHIND", [])
    async with middleware(port, free_port()) as parent, publishing(entry(port, status_s=60), monkeypatch):
        await until(lambda: of_kind(parent, "registration"))
        BEHIND.append(s.NODE)
        parent.children[parent.heard[0].node_id].say(parent.ack(parent.heard[0].node_id))
        await until(lambda: len(of_kind(parent, "registration")) == 2)
    assert [list(m.registration.dependent_nodes) for m in of_kind(parent, "registration")] == [[], [s.NODE]]


async def test_the_nodes_behind_us_are_told_and_told_again_when_they_change(monkeypatch) -> None:
    port, other = free_port(), "b8654cdf-4328-47de-81fa-c495589e30c9"
    monkeypatch.setattr("tests.serve.test_sapient_upward.BEHIND", [s.NODE])
    async with (
        middleware(port, free_port(), acknowledges=True) as parent,
        publishing(entry(port, status_s=1), monkeypatch),
    ):
        await until(lambda: of_kind(parent, "status_report"))
        BEHIND.append(other)
        await until(lambda: len(of_kind(parent, "registration")) == 2)
        await until(lambda: len(of_kind(parent, "status_report")) > 2)
    told = [list(m.registration.dependent_nodes) for m in of_kind(parent, "registration")]
    assert told == [[s.NODE], [s.NODE, other]]
    assert parent.complaints() == []


async def test_a_parent_behind_tls_is_known_by_its_certificate(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sapient.SapientSender, "pause_s", 0.1)
    certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "client.pem"))
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    port = free_port()
    ours = {"ca": "server.pem", "certificate": "client.pem", "key": "client.key", "to": f"tls://127.0.0.1:{port}"}
    entries = [
        SapientOutput(name=name, kind="sapient", server_name=f"{name}.example", **ours) for name in ("server", "other")
    ]
    outputs = Outputs(entries, SITE, tmp_path, tmp_path)
    task = asyncio.create_task(outputs.run())
    try:
        async with middleware(port, free_port(), acknowledges=True, tls=context) as parent:
            await until(lambda: of_kind(parent, "status_report") and outputs.rows()[1]["failures"], 20.0)
            right, wrong = outputs.rows()
            assert (right["state"], "mismatch" in wrong["link"]) == ("fine", True)
            assert {m.registration.name for m in of_kind(parent, "registration")} == {f"{SITE.name} (Lapwing)"}
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
