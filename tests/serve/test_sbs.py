"""BaseStation out: read back by our own decoder and by py1090, over TCP; slow and many readers harm nobody."""

import asyncio
import contextlib
import json
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lapwing.decode import encode_sbs
from lapwing.decode.sbs import SbsDecoder
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import FIELD_COLUMN, Field, Frame, Source, TrackStatus, Word
from lapwing.records.reports import merged
from lapwing.serve.outputs import run as outputs_run
from lapwing.serve.outputs import sbs
from lapwing.serve.outputs.entries import SbsOutput
from lapwing.serve.outputs.run import Outputs
from tests.checks import feed
from tests.peers import peer
from tests.serve.fake_shelf import World, make_site
from tests.serve.test_feeds import free_port, until
from tests.serve.test_outputs import fed

SITE = make_site()
PLACE = (SITE.origin.latitude_rad, SITE.origin.longitude_rad, SITE.origin.height_ellipsoid_m)
READER = """
import json, py1090, sys
with py1090.Connection("127.0.0.1", int(sys.argv[1])) as lines:
    for line in lines:
        m = py1090.Message.from_string(line)
        print(json.dumps([m.transmission_type, m.hexident, m.callsign, m.altitude, m.ground_speed, m.track, m.latitude,
              m.longitude, m.vertical_rate, m.squawk, m.on_ground, m.generation_time.isoformat()]), flush=True)
"""


def picture(tick=200):
    """A picture whose aircraft say their altitude, and some their squawk."""
    made = World().picture(tick)
    claims = made.claims
    values, values_ns = np.array(claims.values), np.array(claims.values_ns)
    for field, value in ((Field.ALTITUDE_BARO_M, 3_048.0), (Field.SQUAWK, 421.0), (Field.ON_GROUND, 0.0)):
        values[:, FIELD_COLUMN[field]] = value
        values_ns[:, FIELD_COLUMN[field]] = claims.time_ns
    return replace(made, claims=replace(claims, values=values, values_ns=values_ns))


def decoded(lines, received_ns=1):
    return merged(feed(SbsDecoder("f"), [Frame(1, "f", received_ns, b"".join(lines))])[1])


def aircraft(made):
    """Rows of the claims that must be sent."""
    claims = made.claims
    return np.flatnonzero(claims.source == Source.ADSB)


def test_what_aircraft_say_is_read_back_by_our_own_decoder():
    made = picture()
    lines = encode_sbs.lines(made, SITE.origin)
    assert all(line.count(b",") == 21 and line.endswith(b"\r\n") for line in lines)
    told = decoded(lines)
    assert told.faults == ()
    rows = aircraft(made)
    assert set(told.positions.address.tolist()) | set(told.values.address.tolist()) == set(
        made.claims.address[rows].tolist()
    )
    fresh = rows[(made.claims.has_position[rows] > 0) & (made.claims.time_ns - made.claims.position_ns[rows] <= 15e9)]
    assert 10 < len(fresh) < len(rows)
    latitude, longitude, _ = enu_to_geodetic(PLACE, made.claims.mean[fresh, :3])
    want = {int(a): (la, lo) for a, la, lo in zip(made.claims.address[fresh], latitude, longitude, strict=True)}
    p = told.positions
    got = {int(a): (la, lo) for a, la, lo in zip(p.address, p.latitude_rad, p.longitude_rad, strict=True)}
    assert set(got) == set(want)
    assert all(got[a] == pytest.approx(want[a], abs=2e-8) for a in want)
    v = told.values
    by_field = {Field(f): set(np.round(v.value[v.field == f], 3).tolist()) for f in set(v.field.tolist())}
    assert by_field[Field.ALTITUDE_BARO_M] == {3048.0}
    assert by_field[Field.SQUAWK] == {421}
    assert by_field[Field.ON_GROUND] == {0}
    speeds = {
        int(a): s
        for a, s in zip(
            v.address[v.field == Field.GROUND_SPEED_MPS], v.value[v.field == Field.GROUND_SPEED_MPS], strict=True
        )
    }
    for i in fresh.tolist():
        assert speeds[int(made.claims.address[i])] == pytest.approx(np.hypot(*made.claims.mean[i, 3:5]), abs=0.03)
    names = {t for t, w in zip(told.texts.text, told.texts.word, strict=True) if w == Word.CALLSIGN}
    assert names == {made.claims.names[i] for i in rows if made.claims.names[i]}


def test_ships_remote_ids_and_addresses_that_are_not_icao_are_not_sent():
    made = picture()
    for source in (Source.AIS, Source.REMOTE_ID, Source.ADSB_OTHER):
        claims = replace(made.claims, source=np.full(len(made.claims), source))
        assert encode_sbs.lines(replace(made, claims=claims), SITE.origin) == []
    claims = replace(made.claims, address=made.claims.address | 1 << 29)
    assert encode_sbs.lines(replace(made, claims=claims), SITE.origin) == []
    claims = replace(made.claims, heard_ns=made.claims.heard_ns - 20 * 10**9)
    assert encode_sbs.lines(replace(made, claims=claims), SITE.origin) == []


def test_a_track_with_an_address_is_told_where_the_evidence_is():
    """A claim elsewhere gives its callsign and altitude, the track its place; a tentative track gives nothing."""
    made = picture()
    claim = int(aircraft(made)[0])
    track = int(np.flatnonzero(made.tracks.status == TrackStatus.CONFIRMED)[0])
    address = np.full(len(made.tracks), -1)
    address[track] = made.claims.address[claim]
    told = decoded(encode_sbs.lines(replace(made, tracks=replace(made.tracks, address=address)), SITE.origin)).positions
    (row,) = np.flatnonzero(told.address == made.claims.address[claim])
    where = enu_to_geodetic(PLACE, made.tracks.mean[track : track + 1, :3])
    assert [told.latitude_rad[row], told.longitude_rad[row]] == pytest.approx([where[0][0], where[1][0]], abs=2e-8)
    alone = replace(made, claims=replace(made.claims, heard_ns=made.claims.heard_ns - 20 * 10**9))
    address = np.where(address < 0, address, 0x400123)
    only = encode_sbs.lines(replace(alone, tracks=replace(alone.tracks, address=address)), SITE.origin)
    assert [line.split(b",")[1:5:3] for line in only] == [[b"3", b"400123"], [b"4", b"400123"]]
    tracks = replace(alone.tracks, address=address, status=np.full(len(address), TrackStatus.TENTATIVE))
    assert encode_sbs.lines(replace(alone, tracks=tracks), SITE.origin) == []


def test_on_the_ground_and_without_a_place():
    made = picture()
    values = np.array(made.claims.values)
    values[:, FIELD_COLUMN[Field.ON_GROUND]] = 1.0
    grounded = replace(made, claims=replace(made.claims, values=values))
    kinds = {line.split(b",")[1] for line in encode_sbs.lines(grounded, SITE.origin)}
    assert kinds == {b"1", b"2", b"5", b"6"}
    ground = decoded(encode_sbs.lines(grounded, SITE.origin)).values
    assert set(ground.value[ground.field == Field.ON_GROUND].tolist()) == {1}
    old = np.array(made.claims.values_ns) - 61 * 10**9
    silent = replace(made, claims=replace(made.claims, values_ns=old, has_position=np.zeros(len(made.claims), int)))
    assert {line.split(b",")[1] for line in encode_sbs.lines(silent, SITE.origin)} == {b"1"}


def test_a_callsign_cannot_break_a_line():
    made = picture()
    names = tuple("A,B\r\nMSG" if n else "" for n in made.claims.names)
    lines = encode_sbs.lines(replace(made, claims=replace(made.claims, names=names)), SITE.origin)
    assert {line.split(b",")[10] for line in lines} == {b"", b"ABMSG"}
    assert all(line.count(b",") == 21 and line.count(b"\n") == 1 for line in lines)


def entry(port, **more):
    return SbsOutput(name="VRS", kind="sbs", to=f"listen://127.0.0.1:{port}", period_s=0.2, **more)


async def gone(writer):
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def connected(port):
    async with asyncio.timeout(10):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)


async def test_an_independent_reader_reads_the_same_over_tcp():
    python = peer("py1090==1.1") / "python"
    port = free_port()
    outputs = Outputs([entry(port)], SITE, None, Path())
    made = picture()

    async def scene():
        await gone((await connected(port))[1])
        with subprocess.Popen([str(python), "-c", READER, str(port)], stdout=subprocess.PIPE, text=True) as reader:
            got, want = [], len(encode_sbs.lines(made, SITE.origin))
            try:
                async with asyncio.timeout(30):
                    while len(got) < want:
                        outputs.put(made)
                        got.append(json.loads(await asyncio.to_thread(reader.stdout.readline)))
            finally:
                reader.kill()
        compare(got, made)

    task = asyncio.create_task(outputs.run())
    pump = asyncio.create_task(_putting(outputs, made))
    try:
        await scene()
    finally:
        for t in (task, pump):
            t.cancel()
        await asyncio.gather(task, pump, return_exceptions=True)


async def _putting(outputs, made):
    while True:
        outputs.put(made)
        await asyncio.sleep(0.05)


def compare(got, made):
    """What py1090 understood, against the picture."""
    kinds = {row[0] for row in got}
    assert kinds >= {1, 3, 4, 6}
    row_of = {f"{int(made.claims.address[i]):06X}": i for i in aircraft(made).tolist()}
    assert {row[1] for row in got} == set(row_of)
    seen = dict.fromkeys((1, 3, 4, 6), 0)
    for kind, ident, name, altitude, speed, course, lat, lon, climb, squawk, ground, when in got:
        i, mean = row_of[ident], made.claims.mean[row_of[ident]]
        assert when == np.datetime_as_string(np.datetime64(made.time_ns, "ns"), unit="s")
        seen[kind] = seen.get(kind, 0) + 1
        if kind == 1:
            assert name == made.claims.names[i]
        elif kind == 3:
            where = enu_to_geodetic(PLACE, mean[None, :3])
            assert [lat, lon] == pytest.approx([np.degrees(where[0][0]), np.degrees(where[1][0])], abs=1e-6)
            assert (altitude, ground) == (10_000, False)
        elif kind == 4:
            assert speed == pytest.approx(np.hypot(mean[3], mean[4]) * 3600 / 1852, abs=0.06)
            assert course == pytest.approx(np.degrees(np.arctan2(mean[3], mean[4])) % 360, abs=0.06)
            assert climb == pytest.approx(mean[5] * 60 / 0.3048, abs=1)
        elif kind == 6:
            assert int(squawk) == 421
    assert min(seen.values()) > 5


async def test_a_reader_that_does_not_read_is_cut_off_and_others_are_not(monkeypatch):
    monkeypatch.setattr(sbs, "BACKLOG_BYTES_MAX", 20_000)
    port = free_port()
    outputs = Outputs([entry(port)], SITE, None, Path())
    monkeypatch.setattr(encode_sbs, "lines", lambda *_: [b"x" * 99 + b"\n"] * 10_000)  # a megabyte a picture

    async def scene():
        good_reader, good = await connected(port)
        deaf = socket.create_connection(("127.0.0.1", port))
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        total = 0
        async with asyncio.timeout(30):
            while outputs.rows()[0]["dropped"] < 1 or total < 3_000_000:
                total += len(await good_reader.read(1 << 20))
        assert outputs.rows()[0]["dropped"] == 1
        await until(lambda: "1 readers" in outputs.rows()[0]["link"])
        deaf.close()
        await gone(good)

    await fed(outputs, scene)


async def test_there_is_a_limit_on_readers_and_room_again_when_one_goes(monkeypatch):
    monkeypatch.setattr(sbs, "READERS_MAX", 2)
    port = free_port()
    outputs = Outputs([entry(port)], SITE, None, Path())

    async def scene():
        first = [await connected(port), await connected(port)]
        for reader, writer in first:
            writer.write(b"GET / HTTP/1.1\r\n\r\n" * 1000)  # whoever talks is not heard
            assert (await reader.readline()).startswith(b"MSG,")
        reader, writer = await connected(port)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        await gone(writer)
        assert outputs.rows()[0]["dropped"] == 1
        await gone(first[0][1])
        await until(lambda: "1 readers" in outputs.rows()[0]["link"])
        reader, writer = await connected(port)
        assert (await reader.readline()).startswith(b"MSG,")
        await gone(writer)
        await gone(first[1][1])

    await fed(outputs, scene)


async def test_an_address_that_is_taken_is_told_and_tried_again(monkeypatch):
    monkeypatch.setattr(outputs_run, "PAUSE_S_MIN", 0.05)
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    outputs = Outputs([entry(port)], SITE, None, Path())

    async def scene():
        await until(lambda: outputs.rows()[0]["state"] == "failing")
        assert "in use" in outputs.rows()[0]["link"]
        taken.close()
        reader, writer = await connected(port)
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"MSG,")
        await gone(writer)

    await fed(outputs, scene)


def test_check_says_who_can_read():
    assert "open to this machine only" in entry(30003).explain()
    for to in ("listen://0.0.0.0:30003", "listen://[::]:30003", "listen://radar.example:30003"):
        assert "ANYBODY" in SbsOutput(name="x", kind="sbs", to=to).explain()
    with pytest.raises(ValueError, match="is not an address for this"):
        SbsOutput(name="x", kind="sbs", to="tcp://127.0.0.1:30003")
