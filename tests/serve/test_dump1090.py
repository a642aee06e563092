"""Aircraft from a real dump1090-mutability: its Beast, BaseStation and aircraft.json are read by three of our feeds and
agree; its own decoding of the same bytes is an independent opinion of every place."""

import asyncio
import shutil
import subprocess
from itertools import pairwise

import numpy as np
import pytest

from lapwing.decode import AvrDecoder, BeastDecoder, ReadsbDecoder, SbsDecoder
from lapwing.records import FeedConfig, Field, Frame, Source
from lapwing.records.reports import merged
from lapwing.serve import feeds
from lapwing.serve.inbox import Inbox
from tests.checks import feed
from tests.decode.helpers import T0, real_lines
from tests.peers import wait_for_port
from tests.serve.test_feeds import Clock, data, free_port, until

FRAMES = slice(6_000, 7_500)  # of a real flight, in the air


def decoded(decoder, raw):
    return merged(feed(decoder, [Frame(1, "f", T0, raw)])[1])


async def passed_through(tmp_path, lines):
    """What three feeds of ours got from a dump1090 that was given these lines."""
    ports = {name: free_port() for name in ("ri", "ro", "sbs", "bi", "bo")}
    options = [word for name, port in ports.items() for word in (f"--net-{name}-port", str(port))]
    command = ["dump1090-mutability", "--net-only", "--net-bind-address", "127.0.0.1", *options]
    command += ["--write-json", str(tmp_path), "--write-json-every", "1", "--quiet"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    configs = [
        FeedConfig("beast", "beast", "tcp", "127.0.0.1", ports["bo"]),
        FeedConfig("sbs", "sbs", "tcp", "127.0.0.1", ports["sbs"]),
        FeedConfig("json", "readsb", "poll", path=str(tmp_path / "aircraft.json")),
    ]
    inboxes, got = {c.feed: Inbox(Clock()) for c in configs}, {c.feed: [] for c in configs}

    def have(name, needle, count):
        got[name].extend(inboxes[name].drain())
        return data(got[name]).count(needle) >= count

    tasks = []
    try:
        await asyncio.to_thread(wait_for_port, ports["ri"])
        tasks = [asyncio.create_task(feeds.listen_to(c, inboxes[c.feed])) for c in configs]
        await until(lambda: all(any(f == "!" for f, _, _ in inboxes[n].drain()) for n in ("beast", "sbs")), 20.0)
        _, writer = await asyncio.open_connection("127.0.0.1", ports["ri"])
        for first, last in pairwise([*range(0, len(lines), 100), len(lines)]):
            writer.write(b"".join(lines[first:last]))
            await writer.drain()
            await asyncio.sleep(0.02)
        await until(lambda: have("sbs", b"\n", len(lines)), 20.0)
        await until(lambda: have("json", b'"lat"', 1), 20.0)
        have("beast", b"", 0)
        writer.close()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.terminate()
        server.wait(10)
    return {name: [chunk for f, _, chunk in rows if f == name] for name, rows in got.items()}


async def test_a_real_dump1090_feeds_us_in_three_ways(tmp_path):
    if shutil.which("dump1090-mutability") is None:
        pytest.skip("dump1090-mutability is not here (Debian package)")
    lines = [f"*{text};\n".encode() for _, text in real_lines() if int(text[:2], 16) >> 3 == 17][FRAMES]
    got = await passed_through(tmp_path, lines)
    direct = decoded(AvrDecoder("f"), b"".join(lines))
    beast = decoded(BeastDecoder("f"), b"".join(got["beast"]))
    assert len(lines) == beast.messages == direct.messages
    assert len(direct.positions.address) > 300
    for column in ("address", "source", "latitude_rad", "longitude_rad"):
        assert np.array_equal(getattr(beast.positions, column), getattr(direct.positions, column))
    assert set(beast.positions.source.tolist()) == {Source.ADSB}

    sbs = decoded(SbsDecoder("f"), b"".join(got["sbs"]))
    theirs = np.stack([sbs.positions.latitude_rad, sbs.positions.longitude_rad], axis=1)
    ours = np.stack([beast.positions.latitude_rad, beast.positions.longitude_rad], axis=1)
    assert len(theirs) > 0.9 * len(ours)
    apart_m = 6_371_000.0 * np.abs(theirs[:, None] - ours[None]).max(axis=2).min(axis=1)
    assert apart_m.max() < 2.0  # five decimals of a degree
    last = decoded(ReadsbDecoder("f"), got["json"][-1])
    assert set(last.positions.address.tolist()) <= set(beast.positions.address.tolist())
    assert (
        6_371_000.0 * np.abs(ours - [last.positions.latitude_rad[0], last.positions.longitude_rad[0]]).max(axis=1).min()
        < 2.0
    )
    quality = {int(Field.NIC), int(Field.NAC_P), int(Field.SIL)}
    assert not quality & set(last.values.field.tolist())  # this old version does not know them; none are made up
