"""Play a scenario in real time over loopback, as its sensors would: Beast and AIS as TCP servers, ASTERIX by UDP.

Standard output carries one JSON line per event (ready, truth, entered, jamming, ended) for whoever scores the run.
"""

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import Callable
from math import hypot
from pathlib import Path
from typing import Any

from lapwing_lab.files import Scan
from lapwing_lab.geo import local
from lapwing_lab.radar import RadarModel
from lapwing_lab.scenario import Scenario, Sensor
from lapwing_lab.sensors import alive
from lapwing_lab.site import site_text
from lapwing_lab.wire_asterix import rotation
from lapwing_lab.wire_json import line
from lapwing_lab.wire_remoteid import capture_header

STEP_S = 0.05
TRUTH_S = 2.0
# what a listener of the events is told of each kind; birds and vehicles are nobody's to hold
TOLD = {
    "drone": "drone",
    "multirotor": "drone",
    "fixed_wing_drone": "drone",
    "aircraft": "aircraft",
    "airliner": "aircraft",
    "arrival": "aircraft",
    "light_aircraft": "aircraft",
    "helicopter": "aircraft",
    "ship": "ship",
}
SAC = 7


def say(**event: Any) -> None:
    """One event for the scorer."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def datagrams(sensor: Sensor, scan: Scan, number: int) -> list[bytes]:
    """One rotation of the radar with this number among a scenario's radars, as ASTERIX."""
    model = sensor.model
    echo = (model.echo_dbm, model.echo_min_dbm) if isinstance(model, RadarModel) else (0.0, 0.0)
    return rotation(scan, SAC, number + 1, model.period_s, echo)


class Broadcast:
    """A TCP server that sends everything to everyone connected; a slow listener is cut off, never waited for."""

    def __init__(self, first: bytes = b"") -> None:
        self.first = first  # what everyone hears before all else
        self.writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        """Listen on a free loopback port; the port."""
        server = await asyncio.start_server(self._joined, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.first)
        self.writers.add(writer)
        with contextlib.suppress(OSError):
            while await reader.read(4096):
                pass
        self.writers.discard(writer)
        writer.close()

    def send(self, data: bytes) -> None:
        """To all."""
        for writer in list(self.writers):
            if not data:
                return
            if writer.transport.get_write_buffer_size() > 4 << 20:
                self.writers.discard(writer)
                writer.transport.abort()
            else:
                writer.write(data)


class Player:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, begin_ns: int) -> None:
        self.s, self.begin_ns = scenario, begin_ns
        self.adsb, self.ais, self.remote_id = Broadcast(), Broadcast(), Broadcast(capture_header())
        self.radars: list[asyncio.DatagramTransport] = []
        self.lookouts = [Broadcast() for _ in scenario.lookouts]
        self.rotation_s = [0.0] * len(scenario.radars)
        self.look_s = [0.0] * len(scenario.lookouts)
        self.truth_s = 0.0
        self.inside: set[tuple[str, str]] = set()
        self.jamming = False

    def step(self, t_s: float) -> None:
        """Everything that happens up to `t_s` of the scenario."""
        utc_s = self.begin_ns * 1e-9
        if self.s.adsb is not None:
            self.adsb.send(self.s.adsb.between(t_s))
        if self.s.ais is not None:
            self.ais.send(self.s.ais.between(t_s, utc_s + t_s))
        for i, transport in enumerate(self.radars):
            period = self.s.radars[i].model.period_s
            while self.rotation_s[i] + period <= t_s:
                for scan in look(self.s, self.s.radars[i], self.rotation_s[i], self.begin_ns):
                    for datagram in datagrams(self.s.radars[i], scan, i):
                        transport.sendto(datagram)
                self.rotation_s[i] += period
        for i, listeners in enumerate(self.lookouts):
            sensor = self.s.lookouts[i]
            while self.look_s[i] + sensor.model.period_s <= t_s:
                listeners.send(b"".join(line(s) for s in look(self.s, sensor, self.look_s[i], self.begin_ns)))
                self.look_s[i] += sensor.model.period_s
        if self.s.remote_id is not None:
            self.remote_id.send(self.s.remote_id.between(t_s, utc_s))
        on = any(j.on(t_s) for j in self.s.air.jammers)
        if on != self.jamming:
            self.jamming = on
            say(event="jamming", on=on, time_ns=self.begin_ns + round(t_s * 1e9))
        if t_s >= self.truth_s:
            self.truth_s += TRUTH_S
            self._tell(t_s)

    def _tell(self, t_s: float) -> None:
        time_ns = self.begin_ns + round(t_s * 1e9)
        rows = []
        for target in self.s.targets:
            kind = TOLD.get(target.kind)
            if kind is None or not alive(target, t_s):
                continue
            place = target.path.at(t_s).place
            row = [
                target.name,
                kind,
                round(place.lat_deg, 6),
                round(place.lon_deg, 6),
                round(place.height_m, 1),
                target.ident,
            ]
            rows.append(row)
            for zone in self.s.zones if kind == "drone" else ():
                e, n, _ = local(zone.centre, place)
                key = (target.name, zone.name)
                within = hypot(e, n) <= zone.radius_m and zone.height_m[0] <= place.height_m <= zone.height_m[1]
                if within and key not in self.inside:
                    say(event="entered", target=target.name, zone=zone.name, time_ns=time_ns)
                (self.inside.add if within else self.inside.discard)(key)
        say(event="truth", time_ns=time_ns, targets=rows)


def look(s: Scenario, sensor: Sensor, begin_s: float, begin_ns: int) -> list[Scan]:
    """What one look of a sensor delivers; nothing while it is out."""
    if sensor.failings.down(begin_s):
        return []
    return [sensor.failings.spoil(sensor.model.scan(s.world, begin_s, begin_ns, sensor.rng), sensor.rng)]


def free_port() -> int:
    """A UDP port that nobody listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


async def play(scenario: Scenario, site_file: Path, radar_port: int, for_s: float | None) -> None:
    """Run until `for_s` or cancelled. Writes the site file, says "ready", then sends."""
    _ = scenario.world  # made before the clock starts
    player = Player(scenario, 0)
    sources = {
        "ADS-B": f"tcp://127.0.0.1:{await player.adsb.start()}",
        "AIS": f"tcp://127.0.0.1:{await player.ais.start()}",
        "Remote ID": f"tcp://127.0.0.1:{await player.remote_id.start()}",
    }
    for sensor, listeners in zip(scenario.lookouts, player.lookouts, strict=True):
        sources[sensor.model.name] = f"tcp://127.0.0.1:{await listeners.start()}"
    loop = asyncio.get_running_loop()
    for i, sensor in enumerate(scenario.radars):
        port = radar_port if i == 0 and radar_port else free_port()
        sources[sensor.model.name] = f"udp://127.0.0.1:{port}"
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", port))
        player.radars.append(transport)
    site_file.write_text(site_text(scenario, sources), encoding="utf-8")
    say(event="ready", site=str(site_file), scenario=scenario.name)
    await _joined(lambda: bool(player.adsb.writers or player.ais.writers), 120.0 if scenario.adsb else 5.0)
    player.begin_ns = time.time_ns()
    say(event="begun", time_ns=player.begin_ns)
    began = time.monotonic()
    while for_s is None or time.monotonic() - began < for_s:
        player.step(time.monotonic() - began)
        await asyncio.sleep(max(STEP_S - (time.monotonic() - began) % STEP_S, 0.001))
    say(event="ended", time_ns=time.time_ns())


async def _joined(ready: Callable[[], bool], limit_s: float) -> None:
    """Wait for the first listener."""
    began = time.monotonic()
    while not ready() and time.monotonic() - began < limit_s:
        await asyncio.sleep(0.02)
