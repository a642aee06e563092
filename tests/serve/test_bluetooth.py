"""Live Bluetooth: bleak against a BlueZ of our own on a private bus, to claims; a fake scanner; no radio anywhere."""

import asyncio
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pytest

from lapwing.decode.remoteid import RemoteIdDecoder
from lapwing.decode.remoteid_messages import interned
from lapwing.records import FeedConfig, Field, Frame
from lapwing.records.reports import merged
from lapwing.serve import bluetooth
from lapwing.serve.bluetooth import SERVICE, LastWords, captures, hear
from lapwing.serve.inbox import Inbox
from lapwing.serve.site import SiteError, parse
from tests.checks import feed
from tests.decode import remoteid_samples as s
from tests.decode.helpers import T0, values
from tests.serve.fake_bluez import Bluez, private_bus
from tests.serve.test_feeds import Clock, notices, running, until

MAC = "60:60:1F:1E:30:1E"
CONFIG = FeedConfig("f", "remoteid", "bluetooth", path="hci0")
WHOLE = s.pack(s.basic(), s.location(), s.system(), s.operator(), s.self_id())


def service_data(message, counter=1):
    return b"\x0d" + bytes([counter]) + message


def decoded(chunks):
    frames = [Frame(i + 1, "f", T0, chunk) for i, chunk in enumerate(chunks)]
    return merged(feed(RemoteIdDecoder("f"), frames)[1])


async def got_until(inbox, got, condition, limit_s=15.0):
    await until(lambda: got.extend(inbox.drain()) or condition(got), limit_s)


def count(got):
    return sum(1 for f, _, _ in got if f == "f")


async def test_from_bluez_to_claims_without_a_word_by_radio(monkeypatch):
    """bleak asks BlueZ for a passive scan of Remote ID alone; what is heard becomes claims; no discovery is begun."""
    inbox, got = Inbox(Clock()), []
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        async with Bluez(address) as bluez:

            async def scene():
                await got_until(inbox, got, notices)
                (pattern,) = await bluez.patterns()
                assert [pattern[0], pattern[1], bytes(pattern[2])] == [0, 0x16, b"\xfa\xff\x0d"]
                bluez.hears(MAC, {SERVICE: service_data(WHOLE)}, -61)
                await got_until(inbox, got, lambda g: count(g) == 1)
                bluez.hears(MAC, None, -70, new=False)  # the strength alone changed: the same words, not said again
                bluez.hears("0A:0B:0C:0D:0E:0F", {"0000feaa-0000-1000-8000-00805f9b34fb": b"\x10\x00"}, -50)
                bluez.hears(MAC, {SERVICE: service_data(s.location(47.2), 2)}, -55, new=False)
                await got_until(inbox, got, lambda g: count(g) == 2)

            await running(CONFIG, inbox, scene)
            await until(lambda: any("no more" in a for a in bluez.monitors.asked))
        calls = {call.rsplit(".", 1)[1] for _, call in bluez.calls}
        assert "RegisterMonitor" in calls
        assert not calls & {"StartDiscovery", "SetDiscoveryFilter", "Connect", "Pair"}
    assert notices(got) == [["f", "connected"]]
    told = decoded([chunk for f, _, chunk in got if f == "f"])
    assert (told.faults, told.messages) == ((), 6)
    assert set(told.positions.address.tolist()) == {interned("rid 1", s.SERIAL)}
    assert np.degrees(told.positions.latitude_rad) == pytest.approx([47.1987, 47.2], abs=1e-6)
    assert sorted(values(told, Field.RSSI_DB)) == [-61.0, -55.0]


@pytest.mark.parametrize(("passive", "path", "says"), [(False, "hci0", "passive scanning"), (True, "hci7", "hci7")])
async def test_a_bluez_that_cannot_is_told(monkeypatch, passive, path, says):
    inbox, got = Inbox(Clock()), []
    with private_bus() as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        async with Bluez(address, passive):

            async def scene():
                await got_until(inbox, got, notices)

            await running(FeedConfig("f", "remoteid", "bluetooth", path=path), inbox, scene)
    assert notices(got) == [["f", "lost"]]
    assert says in got[0][2].decode()


async def test_no_bus_at_all_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    inbox, got = Inbox(Clock()), []

    async def scene():
        await got_until(inbox, got, notices)

    await running(CONFIG, inbox, scene)
    assert "No such file" in got[0][2].decode()


async def test_without_bleak_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "bleak", None)
    inbox, got = Inbox(Clock()), []

    async def scene():
        await got_until(inbox, got, notices)

    await running(CONFIG, inbox, scene)
    assert notices(got) == [["f", "lost"]]
    assert "extra" in got[0][2].decode()


class FakeScanner:
    """Starts as often as it is told to fail, then works."""

    made = 0

    def __init__(self, _adapter, heard, fails):
        FakeScanner.made += 1
        self.heard, self.fails = heard, fails

    async def start(self):
        if self.fails:
            raise OSError(self.fails.pop())
        self.heard(MAC, service_data(s.location()), -60)

    async def stop(self):
        raise OSError("gone")


async def test_a_scan_is_begun_again_after_a_failure_and_from_time_to_time(monkeypatch):
    monkeypatch.setattr(bluetooth, "AGAIN_S", 0.05)
    monkeypatch.setattr(FakeScanner, "made", 0)
    inbox, got, fails = Inbox(Clock()), [], ["adapter off"]
    task = asyncio.create_task(hear(CONFIG, inbox, lambda adapter, heard: FakeScanner(adapter, heard, fails)))
    await got_until(inbox, got, lambda g: count(g) >= 1 and FakeScanner.made >= 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert notices(got) == [["f", "lost"], ["f", "connected"]]
    assert count(got) == 1  # the same words


def test_a_flood_of_senders_is_bounded(monkeypatch):
    monkeypatch.setattr(bluetooth, "SENDERS_MAX", 10)
    words = LastWords()
    assert all(words.new(f"{i}", b"x") for i in range(100))
    assert len(words) == 10
    assert not words.new("99", b"x")
    assert words.new("99", b"y")
    assert words.new("0", b"x")  # forgotten long ago


def test_a_pack_too_long_for_one_report_goes_message_by_message():
    nine = s.pack(*[s.basic()] + [s.location(47.0 + i / 1000) for i in range(8)])
    parts = captures(MAC, service_data(nine), -60)
    assert len(parts) == 9
    told = decoded(parts)
    assert (told.faults, told.messages) == ((), 9)
    assert set(told.positions.address.tolist()) == {interned("rid 1", s.SERIAL)}
    assert len(captures(MAC, service_data(s.pack(*[s.basic()] * 8)), -60)) == 1


@pytest.mark.parametrize("bad", [b"", b"\x0e" + bytes(30), b"\x0d", b"\x0d\x01\xf2", b"\x0d\x01" + b"\xff" * 2_000])
def test_what_is_no_remote_id_harms_nobody(bad):
    told = decoded(captures("not an address", bad, -999))
    assert len(told.positions) == 0


def test_wireshark_reads_the_reports_as_they_were_meant(tmp_path):
    """The captures, by tshark: sender, strength, service data."""
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not here (Debian package tshark)")
    path = tmp_path / "a.pcap"
    path.write_bytes(captures(MAC, service_data(WHOLE), -61)[0])
    ran = subprocess.run(["tshark", "-r", str(path), "-T", "pdml"], capture_output=True, text=True, check=True)
    fields = {f.get("name"): f for f in ElementTree.fromstring(ran.stdout).iter("field")}
    assert fields["bthci_evt.le_meta_subevent"].get("show") in ("0x0d", "0x0000000d")
    assert fields["bthci_evt.bd_addr"].get("show") == MAC.lower()
    assert fields["bthci_evt.rssi"].get("show") == "-61"
    assert fields["btcommon.eir_ad.entry.uuid_16"].get("show").endswith("fffa")
    assert "malformed" not in ran.stdout.lower()


def test_a_site_names_an_adapter_and_the_decoder_must_fit(tmp_path):
    head = 'name = "x"\norigin = {latitude_deg = 50.0, longitude_deg = 20.0}\n[[feed]]\nname = "a"\n'
    for source, adapter in (("bluetooth:", ""), ("bluetooth:hci1", "hci1")):
        (config,) = parse(f'{head}decoder = "remoteid"\nfrom = "{source}"\n').site(tmp_path).feeds
        assert (config.transport, config.path) == ("bluetooth", adapter)
    for decoder, source, says in (
        ("nmea", "bluetooth:", "its decoder is 'remoteid'"),
        ("remoteid", "bluetooth:../x", "write bluetooth: or bluetooth:hci0"),
    ):
        with pytest.raises(SiteError) as caught:
            parse(f'{head}decoder = "{decoder}"\nfrom = "{source}"\n')
        assert says in caught.value.problems[0]
