"""What bench/latency.py sends: a sky of targets that radars see, intruders in a zone, alerts of SAPIENT nodes.

A process of its own. Whatever it sends goes into a file, one JSON row each, with the time just before it was handed to
the socket.
"""

import argparse
import json
import math
import random
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

EAST_M, NORTH_M = 111_195.0 * math.cos(math.radians(47.0)), 111_195.0
SPACING_M = 1_200.0  # between targets
GATE_REACH_M = 12_000.0
ZONE_M, SPOT_M = 9_000.0, 700.0
ALERTS_OF_A_NODE = 7  # more than eight in ten minutes are refused
STAYS_S = 25.0  # an intruder
GATE_S = 1.03
HEAD = """
name = "latency"
origin = {latitude_deg = 47.0, longitude_deg = 8.0, height_m = 400}
[[zone]]
name = "Z"
circle = {latitude_deg = 47.0, longitude_deg = 8.0, radius_m = %d}
height_m = [0, 5000]
hold_s = 0.0
each = true
"""
RADAR = """
[[sensor]]
name = "{name}"
at = {{latitude_deg = {latitude:.6f}, longitude_deg = {longitude:.6f}, height_m = 400}}
range_sigma_m = 20
azimuth_sigma_deg = 0.1
range_max_m = {reach}
p_detect = 0.95
clutter_per_scan = 1
period_s = {period}
"""
FEED = """
[[feed]]
name = "{name}"
decoder = "{decoder}"
from = "{source}"
sensor = "{sensor}"
quiet_s = 60
"""


class Sky:
    """Radars on a grid, each with its own targets."""

    def __init__(self, tracks: int, rate: float, looks: float) -> None:
        self.period_s = tracks / rate
        self.radars = max(1, round(looks * self.period_s))
        self.each = tracks // self.radars
        self.reach_m = 0.75 * SPACING_M * math.ceil(math.sqrt(self.each)) + 2_000.0
        side, apart_m = math.ceil(math.sqrt(self.radars)), 2.0 * self.reach_m  # each sees its own targets only
        self.places = [
            (apart_m * (k % side - side / 2), GATE_REACH_M + apart_m * (k // side + 0.5)) for k in range(self.radars)
        ]

    def look(self, t_s: float, rng: random.Random) -> list[dict[str, float]]:
        """One look of any radar: a grid of targets, each at its own 20 m/s."""
        side, out = math.ceil(math.sqrt(self.each)), []
        for k in range(self.each):
            east = SPACING_M * (k % side - side / 2 + 0.3) + 20.0 * t_s * math.sin(2.4 * k)
            north = SPACING_M * (k // side - side / 2 + 0.3) + 20.0 * t_s * math.cos(2.4 * k)
            out.append(polar(east, north, rng))
        return out


def polar(east_m: float, north_m: float, rng: random.Random) -> dict[str, float]:
    """One detection with its errors."""
    azimuth = math.degrees(math.atan2(east_m, north_m)) + rng.gauss(0.0, 0.1)
    return {
        "range_m": round(math.hypot(east_m, north_m) + rng.gauss(0.0, 20.0), 1),
        "azimuth_deg": round(azimuth % 360.0, 3),
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def site(sky: Sky, ports: dict[str, int], nodes: int) -> str:
    """The site file."""
    out = HEAD % ZONE_M
    for k, (east, north) in enumerate(sky.places):
        out += radar(f"far {k}", east, north, sky.period_s, (ports[f"far {k}"], sky.reach_m))
    out += radar("gate", 0.0, 0.0, GATE_S, (ports["gate"], GATE_REACH_M))
    for k in range(nodes):
        out += RADAR.format(name=f"bench {k}", latitude=47.0, longitude=8.0, reach=10, period=5.0)
    source = f"sapient://127.0.0.1:{ports['nodes']}"
    return out + FEED.format(name="nodes", sensor="bench 0", decoder="sapient", source=source)


def radar(name: str, east_m: float, north_m: float, period_s: float, link: tuple[int, float]) -> str:
    where = {"latitude": 47.0 + north_m / NORTH_M, "longitude": 8.0 + east_m / EAST_M}
    source = f"listen://127.0.0.1:{link[0]}"
    out = RADAR.format(name=name, **where, reach=link[1], period=round(period_s, 2))
    return out + FEED.format(name=name, sensor=name, decoder="json", source=source)


class Player:
    """Everything that sends. What it sent, and when, goes into a file: one JSON row each."""

    def __init__(self, sky: Sky, ports: dict[str, int], log: Path, wish: argparse.Namespace) -> None:
        self.sky, self.wish, self.rng = sky, wish, random.Random(1)
        self.log = log.open("w", buffering=1)
        self.links = {name: connected(port) for name, port in ports.items() if name != "nodes"}
        self.nodes = [connected(ports["nodes"]) for _ in range(wish.nodes)]
        for link in (*self.links.values(), *self.nodes):
            threading.Thread(target=drained, args=(link,), daemon=True).start()
        for k in range(wish.nodes):
            self._alert_node(k)
        self.intruders: list[tuple[float, int]] = []  # (since, spot)
        self.spot = 0

    def play(self) -> None:
        """Until the time is over."""
        sky, wish, rng = self.sky, self.wish, self.rng
        warm_s, end_s = wish.warm, wish.warm + wish.seconds
        due: list[tuple[float, str, int]] = [(k * sky.period_s / sky.radars, "far", k) for k in range(sky.radars)]
        due += [(0.5, "gate", 0)]
        due += [(rng.uniform(warm_s, end_s), "alert", k) for k in range(wish.nodes * ALERTS_OF_A_NODE)]
        due += [(rng.uniform(warm_s, end_s - 12.0), "intruder", k) for k in range(round(wish.seconds / 1.5))]
        due += [(t, "status", 0) for t in np.arange(4.0, end_s, 4.0).tolist()]
        began = time.monotonic()
        due.sort()
        while due and due[0][0] < end_s:
            at, what, k = due.pop(0)
            time.sleep(max(0.0, began + at - time.monotonic()))
            again = getattr(self, "_" + what)(k, time.monotonic() - began)
            if again is not None:
                due.append((max(at + again[0], time.monotonic() - began - 1.0), again[1], k))
                due.sort()
        time.sleep(3.0)

    def _far(self, k: int, t_s: float) -> tuple[float, str]:
        self._look(f"far {k}", self.sky.look(t_s, self.rng), [])
        return self.sky.period_s, "far"

    def _gate(self, _: int, t_s: float) -> tuple[float, str]:
        self.intruders = [(since, spot) for since, spot in self.intruders if t_s - since < STAYS_S]
        seen = [polar(*spot_at(spot, t_s - since), self.rng) for since, spot in self.intruders]
        kinds = {"multirotor": 0.9}
        if self.spot == 0:  # an empty look before the first detection would not say what is measured
            return GATE_S, "gate"
        self._look("gate", [d | {"kinds": kinds} for d in seen], [spot for _, spot in self.intruders])
        return GATE_S, "gate"

    def _intruder(self, _: int, t_s: float) -> None:
        self.intruders.append((t_s, self.spot))
        self.spot += 1

    def _status(self, _: int, __: float) -> None:
        for k, link in enumerate(self.nodes):
            told = message(k)
            told.status_report.system, told.status_report.info, told.status_report.mode = 1, 1, "Default"
            link.sendall(framed(told))

    def _alert(self, k: int, _: float) -> tuple[float, str]:
        told = self._about(k, 1)
        raw, sent_ns = framed(told), time.time_ns()
        self.nodes[k % self.wish.nodes].sendall(raw)
        self._write("alert", f"bench alert {k}.", sent_ns)
        return 6.0, "clear"

    def _clear(self, k: int, _: float) -> None:
        self.nodes[k % self.wish.nodes].sendall(framed(self._about(k, 5)))

    def _about(self, k: int, status: int) -> SapientMessage:
        out = message(k % self.wish.nodes)
        out.alert.alert_id, out.alert.status, out.alert.alert_type = ulid(k), status, 2
        out.alert.description = f"bench alert {k}."
        return out

    def _alert_node(self, k: int) -> None:
        out = message(k)
        out.registration.node_definition.add(node_type=2)
        out.registration.icd_version, out.registration.name = "BSI Flex 335 v2.0", f"bench {k}"
        interval = out.registration.status_definition.status_interval
        interval.units, interval.value = 4, 5.0
        self.nodes[k].sendall(framed(out))

    def _look(self, name: str, detections: list[dict[str, Any]], spots: list[int]) -> None:
        now = time.time()
        raw = json.dumps({"time": round(now, 6), "detections": detections}).encode() + b"\n"
        sent_ns = time.time_ns()
        self.links[name].sendall(raw)
        self._write("look", name, sent_ns, spots=spots, time=round(now, 6), n=len(detections))

    def _write(self, what: str, key: str, sent_ns: int, **more: Any) -> None:
        self.log.write(json.dumps({"what": what, "key": key, "sent_ns": sent_ns} | more) + "\n")


def spot_at(spot: int, t_s: float) -> tuple[float, float]:
    """Where an intruder is: spots in turn, 12 m/s."""
    k = spot % 100
    return SPOT_M * (k % 10 - 4.7) + 12.0 * t_s, SPOT_M * (k // 10 - 4.7)


def ulid(k: int) -> str:
    return "01GGYFBAXGDG7AGAHRZ6" + f"{k:06d}"


def message(node: int) -> SapientMessage:
    out = SapientMessage(node_id=str(uuid.UUID(int=node + 1, version=4)))
    out.timestamp.FromNanoseconds(time.time_ns())
    return out


def framed(told: SapientMessage) -> bytes:
    raw = told.SerializeToString()
    return len(raw).to_bytes(4, "little") + raw


def connected(port: int) -> socket.socket:
    while True:
        try:
            link = socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.2)
            continue
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link


def drained(link: socket.socket) -> None:
    try:
        while link.recv(65_536):
            pass
    except OSError:
        pass


def play(sky: Sky, ports: dict[str, int], log: Path, wish: argparse.Namespace) -> None:
    Player(sky, ports, log, wish).play()
