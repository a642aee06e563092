"""Serial lines: a pseudo-terminal in place of the cable."""

import asyncio
import contextlib
import os
import pty
import termios

import pytest

from lapwing.records import FeedConfig
from lapwing.serve import feeds
from lapwing.serve.clock import SystemClock
from lapwing.serve.inbox import Inbox
from lapwing.serve.sources import split_source

LINE = b"!AIVDM,1,1,,B,177KQJ5000G?tO`K>RA1wUbN0TKH,0*5C\r\n"


async def until(condition, limit_s=5.0):
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_line_is_read_raw_at_its_rate_lost_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(feeds, "PAUSE_S_MIN", 0.05)
    ours, cable = pty.openpty()
    path = tmp_path / "ttyUSB0"
    path.symlink_to(os.ttyname(cable))
    transport, host, rate, where = split_source(f"serial:{path}?baud=9600")
    assert (transport, host, rate, where) == ("serial", "", 9600, str(path))
    inbox, heard = Inbox(SystemClock()), []

    def data():
        heard.extend(data for feed, _, data in inbox.drain() if feed == "ais")
        return b"".join(heard)

    task = asyncio.create_task(feeds.listen_to(FeedConfig("ais", "nmea", transport, host, rate, where), inbox))
    try:
        await asyncio.sleep(0.2)
        os.write(ours, LINE + b"\x03\x04\x11\x1a\xfd\x00")  # bytes that mean something to a terminal that is not raw
        await until(lambda: data() == LINE + b"\x03\x04\x11\x1a\xfd\x00")
        assert termios.tcgetattr(cable)[5] == termios.B9600
        path.unlink()
        os.close(ours)
        os.close(cable)
        ours, cable = pty.openpty()
        path.symlink_to(os.ttyname(cable))
        await asyncio.sleep(0.3)
        os.write(ours, LINE)
        await until(lambda: data().count(LINE) == 2)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        os.close(ours)
        os.close(cable)


async def test_what_is_no_serial_line_is_told(tmp_path):
    (tmp_path / "file").write_bytes(LINE)
    inbox = Inbox(SystemClock())
    config = FeedConfig("ais", "nmea", "serial", "", 38_400, str(tmp_path / "file"))
    task = asyncio.create_task(feeds.listen_to(config, inbox))
    try:
        said = []
        await until(lambda: said.extend(c[2] for c in inbox.drain()) or any(b"is no serial line" in d for d in said))
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    "source", ["serial:", "serial:ttyUSB0", "serial:/dev/ttyUSB0?baud=1234", "serial:/dev/x?baud="]
)
def test_a_wrong_address_says_how_to_write_it(source):
    with pytest.raises(ValueError, match=r"serial:/dev/ttyUSB0\?baud=38400"):
        split_source(source)
