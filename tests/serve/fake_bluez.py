"""A BlueZ that exists on a private D-Bus only: one adapter, and whatever a test lets it hear. For passive scans."""

import asyncio
import contextlib
import re
import shutil
import subprocess

import pytest
from dbus_fast import BusType, Message, MessageType, PropertyAccess, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusObjectPath, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

ADAPTER = "/org/bluez/hci0"


@contextlib.contextmanager
def private_bus():
    """The address of a D-Bus daemon of our own."""
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not here (Debian package dbus)")
    command = ["dbus-daemon", "--session", "--nofork", "--print-address"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


class Adapter(ServiceInterface):
    def __init__(self):
        super().__init__("org.bluez.Adapter1")

    @dbus_property(PropertyAccess.READ)
    def Address(self) -> DBusStr:
        return "00:00:00:00:5A:AD"


class Monitors(ServiceInterface):
    """Takes monitors; what was asked for stands in `asked`."""

    def __init__(self):
        super().__init__("org.bluez.AdvertisementMonitorManager1")
        self.asked = []

    @dbus_method()
    def RegisterMonitor(self, application: DBusObjectPath) -> None:
        self.asked.append(application)

    @dbus_method()
    def UnregisterMonitor(self, application: DBusObjectPath) -> None:
        self.asked.append(f"no more {application}")


class Bluez:
    """Use as `async with Bluez(address) as bluez`."""

    def __init__(self, address, passive=True):
        self.address, self.passive = address, passive
        self.monitors, self.calls = Monitors(), []

    async def __aenter__(self):
        self.bus = await MessageBus(bus_address=self.address, bus_type=BusType.SYSTEM).connect()
        self.bus.add_message_handler(self._note)
        self.bus.export(ADAPTER, Adapter())
        if self.passive:
            self.bus.export(ADAPTER, self.monitors)
        await self.bus.request_name("org.bluez")
        return self

    async def __aexit__(self, *_):
        self.bus.disconnect()
        await asyncio.sleep(0.05)

    def _note(self, message):
        if message.message_type is MessageType.METHOD_CALL:
            self.calls.append((message.sender, f"{message.interface}.{message.member}"))

    async def patterns(self):
        """What the monitor that was registered last wants to be told of."""
        sender = next(s for s, call in reversed(self.calls) if call.endswith(".RegisterMonitor"))
        path = next(p for p in reversed(self.monitors.asked) if p.startswith("/"))
        body = ["org.bluez.AdvertisementMonitor1", "Patterns"]
        ask = Message(destination=sender, path=path, interface="org.freedesktop.DBus.Properties", member="Get",
                      signature="ss", body=body)  # fmt: skip
        answer = await self.bus.call(ask)
        return answer.body[0].value

    def hears(self, address, service_data, rssi, new=True):
        """An advertisement: a device that appears, or one whose data changed."""
        path = f"{ADAPTER}/dev_{address.replace(':', '_')}"
        told = {"RSSI": Variant("n", rssi)}
        if service_data is not None:
            told["ServiceData"] = Variant("a{sv}", {k: Variant("ay", v) for k, v in service_data.items()})
        if new:
            told |= {"Address": Variant("s", address), "Adapter": Variant("o", ADAPTER), "Alias": Variant("s", "x")}
            self._signal("/", "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", "oa{sa{sv}}",
                         [path, {"org.bluez.Device1": told}])  # fmt: skip
        else:
            self._signal(path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as",
                         ["org.bluez.Device1", told, []])  # fmt: skip

    def _signal(self, path, interface, member, signature, body):
        assert re.fullmatch(r"[\w/]+", path)
        self.bus.send(Message.new_signal(path, interface, member, signature, body))
