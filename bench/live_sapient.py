"""SAPIENT under load: nodes on their own connections report targets into tracks, the product on one core.

    uv run python bench/live_sapient.py --nodes 20 --targets 100 --seconds 30

Every node is a radar at its own place that sees all targets once a second, the nodes one after another (2,000
detections a second by default), each scan one timestamp, with a status report every 5 s. With --peer all nodes come
over one connection, as from a middleware. Prints how many detections were understood, how many tracks stood, how many
ticks were late, and the CPU.
"""

import argparse
import json
import math
import multiprocessing
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

EAST_M, NORTH_M = 111_195.0 * math.cos(math.radians(47.0)), 111_195.0
SENSOR = """
[[sensor]]
name = "node {k}"
at = {{latitude_deg = {latitude:.6f}, longitude_deg = {longitude:.6f}, height_m = 400}}
range_sigma_m = 20
azimuth_sigma_deg = 0.3
range_max_m = 40000
p_detect = 0.95
clutter_per_scan = 1
period_s = 1.0
"""
SITE = """
name = "SAPIENT load"
origin = {{latitude_deg = 47.0, longitude_deg = 8.0, height_m = 400}}
feed = [{{name = "f", decoder = "sapient", from = "{source}", sensor = "node 0"}}]
"""


class Node:
    """One radar."""

    def __init__(self, k: int, nodes: int) -> None:
        self.k, self.node_id = k, str(uuid.UUID(int=k, version=4))
        angle = 2.0 * math.pi * k / nodes
        self.east_m, self.north_m = 3_000.0 * math.cos(angle), 3_000.0 * math.sin(angle)

    def table(self) -> str:
        """Its [[sensor]] entry."""
        return SENSOR.format(k=self.k, latitude=47.0 + self.north_m / NORTH_M, longitude=8.0 + self.east_m / EAST_M)

    def message(self, now_s: float) -> SapientMessage:
        out = SapientMessage(node_id=self.node_id)
        out.timestamp.FromNanoseconds(round(now_s * 1e9))
        return out

    def registration(self, now_s: float) -> bytes:
        out = self.message(now_s)
        out.registration.node_definition.add(node_type=2)
        out.registration.icd_version, out.registration.name = "BSI Flex 335 v2.0", f"node {self.k}"
        interval = out.registration.status_definition.status_interval
        interval.units, interval.value = 4, 5.0
        return framed(out) + self.status(now_s)

    def status(self, now_s: float) -> bytes:
        out = self.message(now_s)
        out.status_report.system, out.status_report.info, out.status_report.mode = 1, 1, "Default"
        return framed(out)

    def scan(self, now_s: float, targets: list[tuple[float, float]], rng: random.Random) -> bytes:
        return b"".join(
            framed(self._report(now_s, east - self.east_m, north - self.north_m, rng)) for east, north in targets
        )

    def _report(self, now_s: float, east_m: float, north_m: float, rng: random.Random) -> SapientMessage:
        out = self.message(now_s)
        told = out.detection_report
        told.report_id = told.object_id = "01GGYFBAXGDG7AGAHRZ6XSNY12"
        told.detection_confidence = 0.9
        where = told.range_bearing
        where.range = math.hypot(east_m, north_m) + rng.gauss(0.0, 20.0)
        where.azimuth = (math.degrees(math.atan2(east_m, north_m)) + rng.gauss(0.0, 0.3)) % 360.0
        where.coordinate_system = where.datum = 1
        return out


def framed(message: SapientMessage) -> bytes:
    raw = message.SerializeToString()
    return len(raw).to_bytes(4, "little") + raw


def targets_at(t_s: float, count: int) -> list[tuple[float, float]]:
    """On a grid 1.5 km wide, each at its own 20 m/s."""
    side = math.ceil(math.sqrt(count))
    out = []
    for k in range(count):
        course = 2.399963 * k
        east = 1_500.0 * (k % side - side / 2) + 20.0 * t_s * math.sin(course)
        out.append((east, 6_000.0 + 1_500.0 * (k // side) + 20.0 * t_s * math.cos(course)))
    return out


def play(wish: argparse.Namespace, port: int, listener: socket.socket | None) -> None:
    """The nodes, until the time is over."""
    nodes, rng = [Node(k, wish.nodes) for k in range(wish.nodes)], random.Random(1)
    if listener is not None:
        sockets = [listener.accept()[0]] * wish.nodes
    else:
        time.sleep(1.0)
        sockets = [connected(port) for _ in nodes]
    for link in set(sockets):
        threading.Thread(target=_drain, args=(link,), daemon=True).start()
    for node, link in zip(nodes, sockets, strict=True):
        link.sendall(node.registration(time.time()))
    began = time.monotonic()
    for step in range(round(wish.seconds * wish.nodes)):
        time.sleep(max(0.0, began + step / wish.nodes - time.monotonic()))
        node, link = nodes[step % wish.nodes], sockets[step % wish.nodes]
        data = node.scan(time.time(), targets_at(time.monotonic() - began, wish.targets), rng)
        link.sendall(data + (node.status(time.time()) if (step // wish.nodes) % 5 == 4 else b""))
    time.sleep(2.0)


def connected(port: int) -> socket.socket:
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.2)


def _drain(link: socket.socket) -> None:
    try:
        while link.recv(65_536):
            pass
    except OSError:
        pass


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--peer", action="store_true")
    wish = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0)) if wish.peer else None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source = f"sapient-peer://127.0.0.1:{listener.getsockname()[1]}" if listener else f"sapient://127.0.0.1:{port}"
    sender = multiprocessing.Process(target=play, args=(wish, port, listener), daemon=True)
    sender.start()
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site.toml"
        tables = "".join(Node(k, wish.nodes).table() for k in range(wish.nodes))
        site.write_text(SITE.format(source=source) + tables)
        command = ["taskset", "-c", "0", sys.executable, "-c", "from lapwing.serve.cli import main; main()"]
        command += ["run", str(site), "--port", "0", "--json", "--for", f"{wish.seconds + 5:.0f}s"]
        product = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=product.stderr.read, daemon=True).start()
        summary = json.loads(product.communicate()[0])
    sender.kill()
    sent = round(wish.seconds * wish.nodes) * wish.targets
    print(f"sent at most {sent} detections in {wish.seconds:.0f} s by {wish.nodes} nodes of {wish.targets} targets")
    print(
        f"understood {summary['messages']} messages, refused {summary['faults']}; {summary['tracks']} tracks at the end"
    )
    print(
        f"{summary['ticks']} ticks, {summary['late_ticks']} late; step mean {summary['step_ms_mean']:.1f} ms, "
        f"longest {summary['step_ms_max']:.0f} ms of 200 ms; cpu {100 * summary['cpu_share']:.0f} % of the core"
    )


if __name__ == "__main__":
    main()
