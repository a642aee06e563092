"""Outputs against real peers: a TAK server, libasterix and tshark; and what becomes of one that is dead or hangs."""

import asyncio
import json
import shutil
import socket
import ssl
import struct
import subprocess
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from lapwing.decode import encode_cot
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import TrackStatus
from lapwing.serve.outputs import run as outputs_run
from lapwing.serve.outputs import sockets
from lapwing.serve.outputs.entries import AsterixOutput, CotOutput, secret
from lapwing.serve.outputs.run import Outputs
from tests.peers import peer, wait_for_port
from tests.serve.fake_shelf import World, make_site
from tests.serve.test_feeds import free_port, until

SITE = make_site()
WORLD = World()


def cot(to, **more):
    return CotOutput(name="TAK", kind="cot", to=to, period_s=0.2, **more)


async def fed(outputs, scene, ticks=range(200, 10_000)):
    """The outputs at work on moving pictures while the scene plays."""

    async def moving():
        for tick in ticks:
            outputs.put(WORLD.picture(tick))
            await asyncio.sleep(0.05)

    tasks = [asyncio.create_task(outputs.run()), asyncio.create_task(moving())]
    try:
        await scene()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def complete_events(data):
    """The events in what a TAK client received."""
    pieces = data.decode().replace('<?xml version="1.0" encoding="UTF-8"?>', "").split("</event>")
    found = [ElementTree.fromstring(p[p.index("<event") :] + "</event>") for p in pieces[:-1]]
    return {str(e.get("uid")): e for e in found}


async def test_a_tak_server_takes_the_events_and_gives_them_to_a_second_client(tmp_path):
    command = peer("taky==0.10", "setuptools<81") / "taky"
    port = free_port()
    (tmp_path / "taky.conf").write_text(
        f"[taky]\nbind_ip = 127.0.0.1\nroot_dir = {tmp_path}\nhostname = test\n[cot_server]\nport = {port}\n"
    )
    server = subprocess.Popen([str(command), "-c", str(tmp_path / "taky.conf")], stderr=subprocess.DEVNULL)
    try:
        await asyncio.to_thread(wait_for_port, port)
        await _watched(port)
    finally:
        server.terminate()
        server.wait(10)


async def _watched(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    me = (
        '<event version="2.0" uid="watcher" type="a-f-G" how="m-g" time="2030-01-01T00:00:00Z" '
        'start="2030-01-01T00:00:00Z" stale="2030-01-01T01:00:00Z"><point lat="0" lon="0" hae="0" ce="1" le="1"/>'
        '<detail><contact callsign="watcher"/><__group name="Cyan" role="HQ"/></detail></event>'
    )
    writer.write(me.encode())
    await asyncio.sleep(0.5)
    outputs, got = Outputs([cot(f"tcp://127.0.0.1:{port}")], SITE, None, Path()), bytearray()

    async def scene():
        async def reading():
            while data := await reader.read(65_536):
                got.extend(data)

        task = asyncio.create_task(reading())
        wanted = len(encode_cot.events(WORLD.picture(200), SITE)) - 2
        try:
            await until(lambda: len(complete_events(bytes(got))) >= wanted, 30.0)
        finally:
            task.cancel()

    await fed(outputs, scene)
    writer.close()
    events = complete_events(bytes(got))
    kinds = {uid.split(".")[2] for uid in events if uid.startswith("lapwing.")}
    assert kinds >= {"track", "claim", "sensor", "alarm", "region", "zone"}
    assert all(e.get("type") in encode_cot.TYPES for uid, e in events.items() if uid.startswith("lapwing."))
    (health,) = outputs.rows()
    assert health["state"] == "fine"
    assert health["sent"] >= len(events) - 1


async def test_what_goes_is_deleted_even_if_it_went_while_the_server_was_away(monkeypatch):
    monkeypatch.setattr(outputs_run, "PAUSE_S_MIN", 0.05)
    got, clients = [], []

    async def serve(reader, writer):
        clients.append(writer)
        while data := await reader.read(65_536):
            got.append(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    outputs = Outputs([cot(f"tcp://127.0.0.1:{port}")], SITE, None, Path())
    task = asyncio.create_task(outputs.run())
    outputs.put(WORLD.picture(200))
    await until(lambda: b"track.1" in b"".join(got))
    clients[0].transport.abort()
    got.clear()
    await until(lambda: outputs.put(World(n_tracks=5).picture(300)) or b"__forcedelete" in b"".join(got))
    deleted = [e for e in complete_events(b"".join(got)).values() if e.get("type") == encode_cot.DELETE_TYPE]
    assert any(str(e.find("detail/link").get("uid")).endswith("track.40") for e in deleted)
    assert outputs.rows()[0]["failures"] >= 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.close()


async def test_dead_and_hanging_outputs_delay_nobody_and_show(monkeypatch):
    """One refuses, one accepts and never reads, one works: the engine's side waits for none."""
    monkeypatch.setattr(sockets, "WRITE_S", 0.3)
    monkeypatch.setattr(outputs_run, "PAUSE_S_MIN", 0.05)
    deaf = socket.create_server(("127.0.0.1", 0))
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        entries = [
            cot(f"tcp://127.0.0.1:{free_port()}"),
            cot(f"tcp://127.0.0.1:{deaf.getsockname()[1]}"),
            AsterixOutput(
                name="A", kind="asterix", to=f"udp://127.0.0.1:{ear.getsockname()[1]}", sac=1, sic=2, period_s=0.2
            ),
        ]
        outputs, slowest_s = Outputs(entries, SITE, None, Path()), [0.0]
        put = outputs.put

        def timed(picture):
            began = time.perf_counter()
            put(picture)
            slowest_s[0] = max(slowest_s[0], time.perf_counter() - began)

        outputs.put = timed

        def all_known():
            rows = outputs.rows()
            return rows[0]["state"] == "failing" and "no answer in time" in rows[1]["link"] and rows[2]["sent"] > 5

        async def scene():
            await until(all_known, 60.0)

        await fed(outputs, scene)
    deaf.close()
    assert slowest_s[0] < 0.2
    assert "refused" in outputs.rows()[0]["link"]


async def test_recordings_are_not_sent_unless_asked():
    site = World() and make_site()
    recorded = type(site)(site.name, site.origin, (type(site.feeds[0])("f", "beast", "file", path="x"),), (), ())
    quiet = Outputs([cot("udp://127.0.0.1:6969")], recorded, None, Path())
    assert "recordings" in quiet.rows()[0]["link"]
    assert Outputs([cot("udp://127.0.0.1:6969", recorded=True)], recorded, None, Path()).rows()[0]["link"] == ""


async def test_no_outputs_are_no_reason_to_end():
    """Whoever runs the site waits for this task: its end is the site's end."""
    task = asyncio.create_task(Outputs([], SITE, None, Path()).run())
    await asyncio.sleep(0.1)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_secrets_are_named_not_written(tmp_path):
    (tmp_path / "word").write_text("hush\n")
    assert secret("file:word", tmp_path) == "hush"
    assert secret("env:WORD", tmp_path, {"WORD": "psst"}) == "psst"
    with pytest.raises(OSError, match="not set"):
        secret("env:WORD", tmp_path, {})


async def _datagrams():
    """The datagrams of one picture as they left, and the picture."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(5.0)
        entry = AsterixOutput(
            name="A", kind="asterix", to=f"udp://127.0.0.1:{ear.getsockname()[1]}", sac=25, sic=7, period_s=0.2
        )
        outputs, got = Outputs([entry], SITE, None, Path()), []
        task, picture = asyncio.create_task(outputs.run()), WORLD.picture(200)
        outputs.put(picture)
        while not got or got[-1][0] != 65:
            got.append(await asyncio.to_thread(ear.recv, 65_536))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return got, picture


READ = """
import json, sys
from asterix.base import *
from asterix.generated import *
import asterix.base as base, asterix.generated as gen
out = []
for line in sys.stdin:
    for block in base.RawDatablock.parse(base.Bits.from_bytes(bytes.fromhex(line.strip()))):
        spec = {62: gen.Cat_062_1_20, 65: gen.Cat_065_1_6}[block.get_category()]
        records = spec.cv_uap.parse(block.get_raw_records())
        assert not isinstance(records, ValueError), records
        for r in records:
            value = lambda name, sub=None: (
                None if r.get_item(name) is None else
                (r.get_item(name).variation if sub is None else r.get_item(name).variation.get_item(sub).variation)
            )
            row = {"category": block.get_category()}
            if row["category"] == 62:
                row["id"] = value("040").as_uint()
                row["lat"] = value("105", "LAT").content.as_quantity()
                row["lon"] = value("105", "LON").content.as_quantity()
                row["vx"] = value("185", "VX").content.as_quantity()
                row["vy"] = value("185", "VY").content.as_quantity()
                row["height_ft"] = value("130").content.as_quantity() if value("130") is not None else None
                row["time"] = value("070").content.as_quantity()
            else:
                row["type"] = value("000").as_uint()
            out.append(row)
print(json.dumps(out))
"""


def expected(picture):
    t = picture.tracks
    at = np.flatnonzero(t.status != TrackStatus.TENTATIVE)
    o = SITE.origin
    place = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
    lat, lon, height = enu_to_geodetic(place, t.mean[at, :3])
    return t.track_id[at], np.degrees(lat), np.degrees(lon), t.mean[at, 3:5], height


def compare(rows, picture):
    ids, lat, lon, velocity, height = expected(picture)
    assert [r["id"] for r in rows] == ids.tolist()
    assert [r["lat"] for r in rows] == pytest.approx(lat, abs=180 / 2**25)
    assert [r["lon"] for r in rows] == pytest.approx(lon, abs=180 / 2**25)
    assert [r["vx"] for r in rows] == pytest.approx(velocity[:, 0], abs=0.13)
    assert [r["vy"] for r in rows] == pytest.approx(velocity[:, 1], abs=0.13)
    assert [r["height_ft"] * 0.3048 for r in rows] == pytest.approx(height, abs=1.0)


async def test_libasterix_reads_back_every_value():
    python = peer("libasterix==0.36.3") / "python"
    datagrams, picture = await _datagrams()
    text = "\n".join(d.hex() for d in datagrams)
    ran = subprocess.run([str(python), "-c", READ], input=text, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(ran.stdout)
    tracks = [r for r in rows if r["category"] == 62]
    compare(tracks, picture)
    seconds = picture.time_ns % 86_400_000_000_000 / 1e9
    assert [r["time"] for r in tracks] == pytest.approx([seconds] * len(tracks), abs=1 / 128)
    assert [r["type"] for r in rows if r["category"] == 65] == [2, 1]


def pcap(datagrams, port):
    """A capture of UDP datagrams (link type raw IPv4)."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101)
    for i, data in enumerate(datagrams):
        packet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(data), i, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
        packet += struct.pack(">HHHH", port, port, 8 + len(data), 0) + data
        out += struct.pack("<IIII", i, 0, len(packet), len(packet)) + packet
    return out


async def test_tshark_reads_back_every_value(tmp_path):
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not here (Debian package tshark)")
    datagrams, picture = await _datagrams()
    (tmp_path / "out.pcap").write_bytes(pcap(datagrams, 8600))
    command = ["tshark", "-r", str(tmp_path / "out.pcap"), "-d", "udp.port==8600,asterix", "-T", "pdml"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    root, rows = ElementTree.fromstring(ran.stdout), []

    def number(record, name):
        (found,) = [f for f in record.iter("field") if f.get("name") == name]
        size = int(found.get("size")) * 8
        value = int(found.get("value"), 16)
        return value - (1 << size) if value >> size - 1 else value

    malformed = [f for f in root.iter("proto") if "malformed" in str(f.get("name"))]
    assert not malformed
    for record in (f for f in root.iter("field") if f.get("name") == "asterix.message"):
        if any(f.get("name") == "asterix.062_105" for f in record.iter("field")):
            rows.append(
                {
                    "id": number(record, "asterix.062_040_VALUE"),
                    "lat": number(record, "asterix.062_105_LAT") * 180 / 2**25,
                    "lon": number(record, "asterix.062_105_LON") * 180 / 2**25,
                    "vx": number(record, "asterix.062_185_VX") * 0.25,
                    "vy": number(record, "asterix.062_185_VY") * 0.25,
                    "height_ft": number(record, "asterix.062_130_VALUE") * 6.25,
                }
            )
    compare(rows, picture)


def certificates(folder):
    """A self-signed certificate for each side; each trusts the other's."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here")
    for name in ("server", "client"):
        subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}.example"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
        subprocess.run(command, check=True, capture_output=True)


async def test_tls_knows_the_server_and_shows_itself(tmp_path, monkeypatch):
    """Both sides check: with our certificate the events arrive; a server of another name is not spoken to."""
    monkeypatch.setattr(outputs_run, "PAUSE_S_MIN", 0.05)
    certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "client.pem"))
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    got = bytearray()

    async def serve(reader, writer):
        while data := await reader.read(65_536):
            got.extend(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    to = f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    ours = {"ca": "server.pem", "certificate": "client.pem", "key": "client.key"}
    entries = [
        CotOutput(name="right", kind="cot", to=to, server_name="server.example", **ours),
        CotOutput(name="wrong", kind="cot", to=to, server_name="other.example", **ours),
        CotOutput(name="no file", kind="cot", to=to, ca="nothing.pem"),
    ]
    outputs = Outputs(entries, SITE, tmp_path, tmp_path)
    task = asyncio.create_task(outputs.run())
    outputs.put(WORLD.picture(200))
    await until(lambda: outputs.rows()[0]["sent"] > 0 and all(r["failures"] for r in outputs.rows()[1:]), 20.0)
    await until(lambda: b"track.1" in got)
    right, wrong, missing = outputs.rows()
    assert right["state"] == "fine"
    assert "mismatch" in wrong["link"]
    assert "No such file" in missing["link"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    server.close()
