"""Remote ID by this machine's own Bluetooth, listening only: BlueZ scans passively, so nothing is transmitted.

BlueZ is asked over D-Bus, by way of bleak (the extra `bluetooth`), for advertisements that carry Remote ID. Each is
handed on as a controller tells it to its host: an extended advertising report in a capture of link type 187, which the
decoder `remoteid` reads. Every frame holds a whole capture, so one that is dropped costs itself alone. Refuses to
scan actively: that would send a request by radio to every device in reach.
"""

import asyncio
import contextlib
import re
import struct
from collections.abc import Callable
from typing import Any, Protocol

from lapwing.records import FeedConfig
from lapwing.serve.feeds import PAUSE_S_MAX, Link, reason
from lapwing.serve.inbox import Inbox

SERVICE = "0000fffa-0000-1000-8000-00805f9b34fb"
SERVICE_DATA_16 = 0x16
PREFIX = b"\xfa\xff\x0d"  # UUID 0xFFFA, application code of Remote ID
REPORT_DATA_MAX = 229  # of one event
MESSAGE_BYTES, PACK = 25, 0xF
CAPTURE_HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 187)
SENDERS_MAX = 2_048
ADDRESS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
START_S, STOP_S = 15.0, 5.0
AGAIN_S = 300.0  # a scan that BlueZ forgot (it was restarted, the adapter was pulled) is begun anew at the latest then
INSTALL = "bleak is not installed: install lapwing with its extra 'bluetooth'"


class Scanner(Protocol):
    """What we need of bleak's."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""


Heard = Callable[[str, bytes, int], None]  # sender's address, service data, strength in dBm
Make = Callable[[str, Heard], Scanner]


class LastWords:
    """What each sender said last: BlueZ also calls when nothing but the strength changed. Bounded."""

    def __init__(self) -> None:
        self._said: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._said)

    def new(self, sender: str, data: bytes) -> bool:
        """Whether that is something else than before. The longest silent is forgotten first."""
        before = self._said.pop(sender, None)
        self._said[sender] = data
        if len(self._said) > SENDERS_MAX:
            del self._said[next(iter(self._said))]
        return before != data


async def hear(config: FeedConfig, inbox: Inbox, make: Make | None = None) -> None:
    """Scan until cancelled; a scan that cannot be begun is tried again with growing pauses."""
    link, pause_s = Link(config.feed, inbox), 1.0
    words = LastWords()

    def heard(sender: str, data: bytes, rssi_dbm: int) -> None:
        if words.new(sender, data):
            for capture in captures(sender, data, rssi_dbm):
                inbox.put(config.feed, capture)

    while True:
        try:
            scanner = (make or _bleak())(config.path, heard)
            async with asyncio.timeout(START_S):
                await scanner.start()
            try:
                link.connected(config.path or "the first adapter")
                pause_s = 1.0
                await asyncio.sleep(AGAIN_S)
            finally:
                with contextlib.suppress(*_failures()):
                    async with asyncio.timeout(STOP_S):
                        await scanner.stop()
            continue
        except _failures() as error:
            link.lost(reason(error))
        await asyncio.sleep(pause_s)
        pause_s = min(2.0 * pause_s, PAUSE_S_MAX)


def _failures() -> tuple[type[Exception], ...]:
    """What may go wrong outside: the bus, BlueZ, the adapter, bleak not there."""
    known: tuple[type[Exception], ...] = (OSError, TimeoutError, EOFError)
    try:
        from bleak.exc import BleakError
        from dbus_fast.errors import AuthError, DBusError, InvalidAddressError

        return (*known, BleakError, AuthError, DBusError, InvalidAddressError)
    except ImportError:
        return known


def _bleak() -> Make:
    """A passive scanner of bleak's. Raises OSError when bleak is not installed."""
    try:
        from bleak import BleakScanner
        from bleak.args.bluez import BlueZScannerArgs
        from bleak.assigned_numbers import AdvertisementDataType
    except ImportError:
        raise OSError(INSTALL) from None

    def make(adapter: str, heard: Heard) -> Scanner:
        def found(device: Any, advertisement: Any) -> None:
            data = advertisement.service_data.get(SERVICE)
            if data:
                heard(device.address, bytes(data), int(advertisement.rssi))

        how = BlueZScannerArgs(or_patterns=[(0, AdvertisementDataType(SERVICE_DATA_16), PREFIX)])
        if adapter:
            how["adapter"] = adapter
        return BleakScanner(found, scanning_mode="passive", bluez=how)

    return make


def captures(sender: str, data: bytes, rssi_dbm: int) -> list[bytes]:
    """Service data as captures of one report each. A pack that is too long for one event goes message by message."""
    if data[:1] != PREFIX[2:]:
        return []
    mac = bytes.fromhex(sender.replace(":", "")) if ADDRESS.fullmatch(sender) else bytes(6)
    whole = [data]
    if len(data) + 4 > REPORT_DATA_MAX:
        body = data[5:] if len(data) > 5 and data[2] >> 4 == PACK else b""
        whole = [data[:2] + body[i : i + MESSAGE_BYTES] for i in range(0, len(body), MESSAGE_BYTES)]
    return [_capture(mac, one, rssi_dbm) for one in whole]


def _capture(mac: bytes, data: bytes, rssi_dbm: int) -> bytes:
    advertisement = bytes([len(data) + 3, SERVICE_DATA_16]) + PREFIX[:2] + data
    strength = rssi_dbm if -126 <= rssi_dbm <= 20 else 127  # 127: not told
    head = struct.pack("<HB6sBBBbb2x7xB", 0, 1, mac[::-1], 1, 0, 0xFF, 127, strength, len(advertisement))
    event = bytes([13, 1]) + head + advertisement
    packet = b"\x04\x3e" + bytes([len(event)]) + event
    return CAPTURE_HEAD + struct.pack("<IIII", 0, 0, len(packet), len(packet)) + packet
