"""The live path under load: frames a second through a socket into journal, tick and picture, on one core.

    uv run python bench/live.py --rate 22000 --aircraft 500 --seconds 20

A sender process feeds Beast over loopback TCP, evenly; the product runs pinned to one core. Prints how many frames
arrived and were understood, how many ticks began late, and the product's CPU share.
"""

import argparse
import json
import multiprocessing
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from lapwing_lab import sensors
from lapwing_lab.geo import Place
from lapwing_lab.jamming import Air
from lapwing_lab.sensors import AdsbReceiver
from lapwing_lab.truth import aircraft

STEP_S = 0.05
SITE = """
name = "load"
origin = {{ latitude_deg = 50.0, longitude_deg = 20.0 }}
feed = [{{ name = "f", decoder = "beast", from = "tcp://127.0.0.1:{port}" }}]
"""


def stream(count: int, rate: float, seconds: float) -> list[bytes]:
    """The bytes of every step."""
    rng = random.Random(1)
    origin = Place(50.0, 20.0, 200.0)
    share = 5.8 * count / rate  # of the usual periods
    for kind in sensors.ADSB_PERIODS_S:
        sensors.ADSB_PERIODS_S[kind] *= share
    receiver = AdsbReceiver(Place(50.0, 20.0, 5_000.0), aircraft(origin, count, 120_000.0, rng), Air(), rng)
    return [receiver.between((k + 1) * STEP_S) for k in range(round(seconds / STEP_S))]


def send(port: "multiprocessing.Queue[int]", steps: list[bytes]) -> None:
    """Serve the stream to the first who connects, at its pace."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port.put(server.getsockname()[1])
        peer, _ = server.accept()
        time.sleep(2.0)
        began = time.monotonic()
        for k, data in enumerate(steps):
            peer.sendall(data)
            time.sleep(max(0.0, began + (k + 1) * STEP_S - time.monotonic()))
        time.sleep(1.0)


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=22_000.0)
    parser.add_argument("--aircraft", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    wish = parser.parse_args()
    steps = stream(wish.aircraft, wish.rate, wish.seconds)
    frames = sum(len(re.findall(rb"(?<!\x1a)(?:\x1a\x1a)*\x1a(?=[23])", s)) for s in steps)
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    sender = multiprocessing.Process(target=send, args=(port, steps), daemon=True)
    sender.start()
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site.toml"
        site.write_text(SITE.format(port=port.get()))
        command = ["taskset", "-c", "0", sys.executable, "-c", "from lapwing.serve.cli import main; main()"]
        command += ["run", str(site), "--port", "0", "--json", "--for", f"{wish.seconds + 5:.0f}s"]
        product = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=product.stderr.read, daemon=True).start()
        summary = json.loads(product.communicate()[0])
    print(f"sent {frames} frames in {wish.seconds:.0f} s ({frames / wish.seconds:.0f}/s) of {wish.aircraft} aircraft")
    print(f"understood {summary['messages']}, refused {summary['faults']}, claims {summary['claims']}")
    print(
        f"{summary['ticks']} ticks, {summary['late_ticks']} late; step mean {summary['step_ms_mean']:.1f} ms, "
        f"longest {summary['step_ms_max']:.0f} ms of 200 ms; cpu {100 * summary['cpu_share']:.0f} % of the core"
    )


if __name__ == "__main__":
    main()
