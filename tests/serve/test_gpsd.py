"""AIS from a real gpsd, and from whoever only says that it is one."""

import asyncio
import shutil
import subprocess

import pytest

from lapwing.decode import NmeaDecoder
from lapwing.records import FeedConfig, Frame
from lapwing.records.reports import merged
from lapwing.serve import feeds, gpsd
from lapwing.serve.inbox import Inbox
from lapwing.serve.site import SiteError, parse
from tests.checks import feed
from tests.decode.samples import AIVDM
from tests.peers import wait_for_port
from tests.serve.test_feeds import Clock, data, free_port, notices, running, until

GPGGA = b"$GPGGA,115739.00,4158.8441367,N,09147.4416929,W,4,13,0.9,255.747,M,-32.00,M,01,0000*6E\r\n"
HELLO = b'{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}\r\n'
HEAD = 'name = "x"\norigin = {latitude_deg = 50.0, longitude_deg = 20.0}\n[[feed]]\nname = "a"\n'
LINES = [line for line in AIVDM.split(b"\r\n") if line.startswith((b"!", b"\\"))]


async def until_got(inbox, got, condition, limit_s=20.0):
    await until(lambda: got.extend(inbox.drain()) or condition(got), limit_s)


async def test_a_real_gpsd_gives_what_its_receiver_hears():
    """A receiver (here: TCP) hears ships and its own GPS; gpsd gives it on; the sentences arrive as they were."""
    if shutil.which("gpsd") is None:
        pytest.skip("gpsd is not here (Debian package gpsd)")
    plugged, ended = asyncio.Event(), asyncio.Event()

    async def receiver(reader, writer):
        await plugged.wait()
        for line in LINES:
            writer.write(GPGGA + line + b"\r\n")
            await writer.drain()
        await ended.wait()
        writer.transport.abort()

    source = await asyncio.start_server(receiver, "127.0.0.1", 0)
    port, inbox, got = free_port(), Inbox(Clock()), []
    device = f"tcp://127.0.0.1:{source.sockets[0].getsockname()[1]}"
    server = subprocess.Popen(["gpsd", "-N", "-n", "-S", str(port), device], stderr=subprocess.DEVNULL)

    async def scene():
        await until_got(inbox, got, notices)
        await asyncio.sleep(0.5)  # WATCH is on its way
        plugged.set()
        await until_got(inbox, got, lambda g: data(g).count(b"\n") >= len(LINES))

    try:
        await asyncio.to_thread(wait_for_port, port)
        await running(FeedConfig("f", "nmea", "gpsd", "127.0.0.1", port), inbox, scene)
    finally:
        server.terminate()
        server.wait(10)
        source.close()
        ended.set()
        await asyncio.sleep(0.1)
    stripped = [line[line.index(b"!") :] for line in LINES]  # gpsd takes tag blocks away, and their times
    assert stripped != LINES
    assert data(got).split(b"\n")[:-1] == stripped
    through, direct = (
        merged(feed(NmeaDecoder("f"), [Frame(1, "f", 1, raw)])[1]) for raw in (data(got), b"\n".join([*LINES, b""]))
    )
    assert len(through.positions.address) == 2
    assert through.positions.address.tolist() == direct.positions.address.tolist()
    assert through.messages == direct.messages
    assert notices(got) == [["f", "connected"]]


async def pretended(says, monkeypatch, condition, quiet_s_max=30.0):
    """What a feed makes of a server that says this, and what the server was asked."""
    monkeypatch.setattr(feeds, "PAUSE_S_MIN", 0.05)
    asked, writers = [], []

    async def serve(reader, writer):
        writers.append(writer)
        writer.write(says)
        asked.append(await reader.readline())

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port, inbox, got = server.sockets[0].getsockname()[1], Inbox(Clock()), []

    async def scene():
        await until_got(inbox, got, condition)

    await running(FeedConfig("f", "nmea", "gpsd", "127.0.0.1", port, quiet_s_max=quiet_s_max), inbox, scene)
    server.close()
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0.05)
    return got, asked


async def test_it_asks_for_sentences_and_keeps_those_of_ais_alone(monkeypatch):
    tagged = b"\\s:rORBCOMM,c:1418169601*37\\" + LINES[0]
    says = HELLO + b'{"class":"DEVICES","devices":[]}\r\n' + GPGGA + LINES[0] + b"\r\n" + tagged + b"\n" + LINES[1][:9]
    got, asked = await pretended(says, monkeypatch, lambda g: data(g).count(b"\n") == 2)
    assert asked == [gpsd.WATCH]
    assert data(got) == LINES[0] + b"\n" + tagged + b"\n"


@pytest.mark.parametrize("says", [b"SSH-2.0-OpenSSH\r\n", b"{}\r\n", b"[" * 9_000 + b"\n", b"{" + b"x" * 99_999, b"\n"])
async def test_whoever_greets_otherwise_is_no_gpsd(says, monkeypatch):
    monkeypatch.setattr(gpsd, "GREETING_S", 1.0)
    got, asked = await pretended(says, monkeypatch, lambda g: ["f", "lost"] in notices(g))
    assert data(got) == b""
    assert not any(b"WATCH" in a for a in asked)


async def test_a_line_without_an_end_is_given_up(monkeypatch):
    got, _ = await pretended(HELLO + b"!" * 200_000, monkeypatch, lambda g: ["f", "lost"] in notices(g))
    assert data(got) == b""


async def test_silence_is_given_up(monkeypatch):
    got, _ = await pretended(HELLO, monkeypatch, lambda g: ["f", "lost"] in notices(g), quiet_s_max=0.02)
    assert data(got) == b""


def test_a_site_says_gpsd_and_only_ais_comes_of_it(tmp_path):
    text = HEAD + 'decoder = "%s"\nfrom = "%s"\n'
    (config,) = parse(text % ("nmea", "gpsd://boat.example")).site(tmp_path).feeds
    assert (config.transport, config.host, config.port) == ("gpsd", "boat.example", 2947)
    with pytest.raises(SiteError) as caught:
        parse(text % ("beast", "gpsd://boat.example"))
    assert "its decoder is 'nmea'" in caught.value.problems[0]
