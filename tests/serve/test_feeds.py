"""Feeds over real loopback sockets: nothing lost, one notice per change, one sender at a time, overload counted."""

import asyncio
import contextlib
import http.server
import json
import socket
import threading
from pathlib import Path

import pytest

from lapwing.decode import make
from lapwing.records import FeedConfig
from lapwing.serve import feeds
from lapwing.serve.inbox import Inbox
from lapwing.serve.site import SiteError, parse


class Clock:
    def __init__(self):
        self.t = 0

    def now_ns(self):
        self.t += 1
        return self.t


def notices(chunks):
    return [json.loads(d)[:2] for f, _, d in chunks if f == "!"]


def data(chunks):
    return b"".join(d for f, _, d in chunks if f != "!")


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


async def until(condition, limit_s=5.0):
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


async def running(config, inbox, scene):
    task = asyncio.create_task(feeds.listen_to(config, inbox))
    try:
        await scene()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_tcp_reconnects_and_says_so_once(monkeypatch):
    monkeypatch.setattr(feeds, "PAUSE_S_MIN", 0.05)
    monkeypatch.setattr(feeds, "PAUSE_S_MAX", 0.1)
    inbox, got, port = Inbox(Clock()), [], free_port()

    async def once(payload):
        done = asyncio.Event()

        async def serve(_, writer):
            writer.write(payload)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            done.set()

        server = await asyncio.start_server(serve, "127.0.0.1", port)
        await asyncio.wait_for(done.wait(), 5)
        server.close()
        await server.wait_closed()

    async def scene():
        await asyncio.sleep(0.3)  # several refused tries: one notice
        await once(b"abc")
        await until(lambda: got.extend(inbox.drain()) or data(got) == b"abc")
        await once(b"def")
        await until(lambda: got.extend(inbox.drain()) or data(got) == b"abcdef")

    await running(FeedConfig("f", "avr", "tcp", "127.0.0.1", port), inbox, scene)
    assert notices(got)[:4] == [["f", "lost"], ["f", "connected"], ["f", "lost"], ["f", "connected"]]


async def test_listen_takes_one_sender_at_a_time():
    inbox, got, port = Inbox(Clock()), [], free_port()

    async def scene():
        await asyncio.sleep(0.1)
        _, first = await asyncio.open_connection("127.0.0.1", port)
        first.write(b"one")
        await until(lambda: got.extend(inbox.drain()) or data(got) == b"one")
        reader, second = await asyncio.open_connection("127.0.0.1", port)
        second.write(b"two")
        with contextlib.suppress(ConnectionResetError):  # refused with its word unread
            assert await asyncio.wait_for(reader.read(), 5) == b""
        for writer in (first, second):
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await until(lambda: got.extend(inbox.drain()) or ["f", "lost"] in notices(got))

    await running(FeedConfig("f", "avr", "listen", "127.0.0.1", port), inbox, scene)
    assert data(got) == b"one"


async def test_udp_datagrams_stay_whole():
    inbox, got, port = Inbox(Clock()), [], free_port(socket.SOCK_DGRAM)

    async def scene():
        await asyncio.sleep(0.1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for i in range(20):
                s.sendto(bytes([i]) * 3, ("127.0.0.1", port))
        await until(lambda: got.extend(inbox.drain()) or len(data(got)) == 60)

    await running(FeedConfig("f", "asterix", "udp", "127.0.0.1", port), inbox, scene)
    assert [d for f, _, d in got if f == "f"] == [bytes([i]) * 3 for i in range(20)]


async def test_a_multicast_group_is_joined_where_the_site_says_and_no_other_is_heard():
    inbox, got, port = Inbox(Clock()), [], free_port(socket.SOCK_DGRAM)

    async def scene():
        await asyncio.sleep(0.1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            for group in ("239.255.0.98", "239.255.0.99"):
                s.sendto(group.encode(), (group, port))
        await until(lambda: got.extend(inbox.drain()) or data(got))
        await asyncio.sleep(0.1)
        got.extend(inbox.drain())

    config = FeedConfig("f", "asterix", "udp", "239.255.0.99", port, interface="127.0.0.1")
    await running(config, inbox, scene)
    assert [d for f, _, d in got if f == "f"] == [b"239.255.0.99"]


@pytest.mark.parametrize(
    ("source", "interface", "says"),
    [
        ("udp://239.1.2.3:8600", "10.0.0.7", ""),
        ("udp://10.0.0.9:8600", "10.0.0.7", "does nothing here"),
        ("tcp://10.0.0.9:8600", "10.0.0.7", "does nothing here"),
        ("udp://239.1.2.3:8600", "eth0", "IPv4"),
    ],
)
def test_an_interface_is_an_address_and_for_groups_only(source, interface, says):
    text = 'name = "t"\norigin = {latitude_deg = 1, longitude_deg = 1}\n[[feed]]\nname = "f"\ndecoder = "asterix"\n'
    text += f'from = "{source}"\ninterface = "{interface}"\n'
    if not says:
        assert parse(text).site(Path()).feeds[0].interface == interface
        return
    with pytest.raises(SiteError) as told:
        parse(text)
    assert says in str(told.value.problems)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('decoder = "asterix"\nsensor = "R"\nsac_sic = [25, 201]', ""),
        ('decoder = "asterix"\nsac_sic = [25, 201]', "'sac_sic' does nothing here"),
        ('decoder = "beast"\nsac_sic = [25, 201]', "'sac_sic' does nothing here"),
        ('decoder = "asterix"\nsensor = "R"\nsac_sic = [25, 256]', "sac_sic"),
    ],
)
def test_a_feed_names_the_radar_that_it_is_about(keys, says):
    text = 'name = "t"\norigin = {latitude_deg = 1, longitude_deg = 1}\n'
    text += '[[sensor]]\nname = "R"\nat = {latitude_deg = 1, longitude_deg = 1}\n'
    text += f'[[feed]]\nname = "f"\nfrom = "udp://239.1.2.3:8600"\n{keys}\n'
    if not says:
        made = parse(text).site(Path())
        assert make(made.feeds[0], {s.sensor: s for s in made.sensors}).radar == 25 * 256 + 201
        return
    with pytest.raises(SiteError) as told:
        parse(text)
    assert says in str(told.value.problems)


async def test_http_document_is_journaled_when_it_changes(monkeypatch):
    monkeypatch.setattr(feeds, "POLL_S", 0.05)
    documents = [b'{"now":1}', b'{"now":1}', b'{"now":2}']

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = documents.pop(0) if len(documents) > 1 else documents[0]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    inbox, got = Inbox(Clock()), []

    async def scene():
        await until(lambda: got.extend(inbox.drain()) or data(got).endswith(b'{"now":2}'))

    try:
        config = FeedConfig("f", "readsb", "http", "127.0.0.1", server.server_port, "/aircraft.json")
        await running(config, inbox, scene)
    finally:
        server.shutdown()
        server.server_close()
    assert data(got) == b'{"now":1}{"now":2}'


async def test_poll_of_a_missing_file_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(feeds, "POLL_S", 0.02)
    inbox, got, path = Inbox(Clock()), [], tmp_path / "aircraft.json"

    async def scene():
        await until(lambda: got.extend(inbox.drain()) or notices(got))
        await asyncio.sleep(0.1)  # missing more than once, told once
        path.write_bytes(b"{}")
        await until(lambda: got.extend(inbox.drain()) or data(got) == b"{}")

    await running(FeedConfig("f", "readsb", "poll", path=str(path)), inbox, scene)
    assert notices(got) == [["f", "lost"], ["f", "connected"]]


async def test_a_taken_port_is_an_error_at_once():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        config = FeedConfig("f", "avr", "listen", "127.0.0.1", s.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            await asyncio.wait_for(feeds.listen_to(config, Inbox(Clock())), 5)


def test_overload_drops_the_oldest_and_counts():
    inbox = Inbox(Clock(), bytes_max=1000)
    for i in range(20):
        inbox.put("f", bytes([i]) * 100)
    got = inbox.drain()
    kept = [d[0] for f, _, d in got if f == "f"]
    assert kept == list(range(20 - len(kept), 20))
    assert 0 < len(kept) <= 5
    assert json.loads(got[-1][2])[3] == 20 - len(kept)
    assert inbox.drain() == []
