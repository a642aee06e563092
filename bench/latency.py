"""From a sensor's message to the alarm on the screen, and to the symbol that moved, with a full sky: end to end.

    uv run python -m bench.latency --tracks 10000 --rate 2000 --seconds 120

A process of its own (bench/sky.py) plays radars over TCP (`json` lines): together `--tracks` targets and `--rate`
detections a second, in `--looks` looks a second. A gate radar looks about once a second and sees intruders that appear
inside the zone at random instants. SAPIENT nodes send alerts at random instants. The product runs as a person would
start it, headless Chromium shows its page; everything shares the cores of this machine and its one clock. Printed, as
JSON:

- `alert_ms`: from one message that is an alarm by itself (a node's alert), sent, to the alarm in the page's list. This
  is machine time alone, at random instants of the tick.
- `intruder_ms`: from the look that completed the evidence (the newest journal entry that the alarm names) to the list.
- `intruder_first_look_ms`: from the first look that held the intruder. The difference is the tracker's need for several
  looks, not machine time.
- `symbol_ms`: from every look to the first drawn picture that holds it. The page takes a picture a second: that wait is
  in it.
- `painted_ms`: what the browser needs from the list's change to its next frame.
- `stages`: the server's own account (`/v1/timing`), and the run's summary.

With `--cpu` nothing is sent and no page is open: the same looks go through the runtime's own ticks as fast as they can,
and what is printed is processor time per tick and stage. That is what a machine that does nothing else needs at least;
it hardly depends on what else runs here.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from bench.page import GL
from bench.sky import Sky, free_port, play, site
from playwright.sync_api import Page, sync_playwright

from lapwing.engine.plan import make_plan
from lapwing.serve import timing
from lapwing.serve.runtime import Runtime
from lapwing.serve.site import parse
from lapwing.serve.wire import encode_picture

TICK_S = 0.2
HOOK = """
window.bench = { told: {}, shown: {}, painted: {}, pictures: [] };
const { set, get } = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
const take = (data) => {
  const n = new DataView(data).getUint32(4, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 8, n)));
  bench.pictures.push({ time_ns: head.time_ns, n: head.tables.tracks.n, frames: lapwing.frames, drawn: 0 });
};
Object.defineProperty(WebSocket.prototype, "onmessage", { get, configurable: true, set(handler) {
  set.call(this, (event) => {
    if (typeof event.data === "string") {
      const told = JSON.parse(event.data);
      for (const a of told.type === "alarms" ? told.alarms : [])
        bench.told[a.id] ??= { rule: a.rule, reason: a.reason, frames: a.frames };
    }
    handler.call(this, event);
    if (typeof event.data !== "string") take(event.data);
  });
} });
const look = () => {
  for (const p of bench.pictures.slice(-8)) if (!p.drawn && lapwing.frames > p.frames) p.drawn = Date.now();
  setTimeout(look, 5);
};
look();
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  for (const e of document.querySelectorAll("#alarm-list [data-alarm]")) {
    const id = e.dataset.alarm;
    if (bench.shown[id]) continue;
    bench.shown[id] = Date.now();
    requestAnimationFrame(() => setTimeout(() => { bench.painted[id] = Date.now(); }, 0));
  }
}).observe(document.getElementById("alarm-list"), { childList: true, subtree: true }));
"""


def ask(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def percentiles(values: list[float]) -> dict[str, float]:
    """What is printed of a sample of milliseconds."""
    if not values:
        return {"n": 0}
    p = np.percentile(values, [50, 95, 99, 100]).round(1).tolist()
    return {"n": len(values), "p50": p[0], "p95": p[1], "p99": p[2], "max": p[3]}


def judged(page: Page, url: str, log: Path, since_ns: int) -> dict[str, Any]:
    """Every latency, from what was sent and what the page saw."""
    sent = [json.loads(line) for line in log.read_text().splitlines()]
    seen = page.evaluate("bench")
    looks = {round(s["time"], 6): s for s in sent if s["what"] == "look"}
    alerts = {s["key"]: s for s in sent if s["what"] == "alert"}
    out: dict[str, list[float]] = {"alert": [], "intruder": [], "first": [], "painted": [], "symbol": []}
    first: dict[int, int] = {}
    for look in looks.values():
        for spot in look["spots"]:
            first.setdefault(spot, look["sent_ns"])
    unused = sorted(first.items(), key=lambda item: item[1])
    for key, at_ms in sorted(seen["shown"].items(), key=lambda item: item[1]):
        told = seen["told"][key]
        found = next((a for name, a in alerts.items() if name in told["reason"]), None)
        if found is not None:
            out["alert"].append(at_ms - found["sent_ns"] / 1e6)
        elif told["rule"].endswith("zone") and told["frames"]:
            look = looks.get(look_time(ask(f"{url}v1/frames/{max(told['frames'])}")))
            if look is None or look["key"] != "gate":
                continue
            out["intruder"].append(at_ms - look["sent_ns"] / 1e6)
            if unused:
                out["first"].append(at_ms - unused.pop(0)[1] / 1e6)
        if key in seen["painted"]:
            out["painted"].append(seen["painted"][key] - at_ms)
    pictures = [(int(p["time_ns"]), p["drawn"]) for p in seen["pictures"] if p["drawn"]]
    for look in looks.values():
        drawn = next((d for time_ns, d in pictures if time_ns > look["sent_ns"]), None)
        if drawn is not None and look["sent_ns"] > since_ns:
            out["symbol"].append(drawn - look["sent_ns"] / 1e6)
    took = [look["n"] for look in looks.values() if look["sent_ns"] > since_ns]
    span_s = (max(s["sent_ns"] for s in sent) - since_ns) * 1e-9
    return {
        "alert_ms": percentiles(out["alert"]),
        "intruder_ms": percentiles(out["intruder"]),
        "intruder_first_look_ms": percentiles(out["first"]),
        "symbol_ms": percentiles(out["symbol"]),
        "painted_ms": percentiles(out["painted"]),
        "sent": {"alerts": len(alerts), "intruders": len(first), "detections_per_s": round(sum(took) / span_s)},
        "rules": Counter(told["rule"] for told in seen["told"].values()),
        "tracks_shown": seen["pictures"][-1]["n"] if seen["pictures"] else 0,
    }


def look_time(frame: dict[str, Any]) -> float:
    found = re.search(r'"time": ([0-9.]+)', frame["printable"])
    return round(float(found[1]), 6) if found else -1.0


def address(product: "subprocess.Popen[str]") -> str:
    told = []
    for line in product.stderr or ():
        told.append(line)
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise SystemExit("the product did not start: " + "".join(told))


def watch(url: str, log: Path, wish: argparse.Namespace, player: multiprocessing.Process) -> dict[str, Any]:
    """Open the page, let everything play, and judge."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=wish.chromium, headless=True, args=GL)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(HOOK)
        page.goto(url, wait_until="commit")
        since_ns = time.time_ns() + round(wish.warm * 1e9)
        while player.is_alive():
            page.wait_for_timeout(500)
        out = judged(page, url, log, since_ns)
        out["faults"] = {f["feed"]: f["last_fault"] for f in ask(f"{url}v1/feeds")["feeds"] if f["faults"]}
        try:
            out["stages"] = ask(f"{url}v1/timing")
        except OSError as error:
            out["stages"] = str(error)
        return out


def processor_time(sky: Sky, wish: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Milliseconds of processor time of every stage and of whole ticks, with and without a large look in them."""
    timing.time = SimpleNamespace(perf_counter=time.thread_time, monotonic=time.monotonic)  # type: ignore[attr-defined]
    timing.WINDOW_S = 1e9
    ports = dict.fromkeys([*(f"far {k}" for k in range(sky.radars)), "gate", "nodes"], 1)
    text = site(sky, ports, 1)
    runtime = Runtime(make_plan(parse(text).site(folder)), text, folder, 4096.0)
    rng, begin_ns = random.Random(1), time.time_ns()
    took: dict[str, list[float]] = {"with a look": [], "without": []}
    for tick in range(1, round((wish.warm + wish.seconds) / TICK_S)):
        t_s, chunks = tick * TICK_S, []
        now_ns = begin_ns + round(t_s * 1e9)
        for k in range(sky.radars):
            due = math.floor((t_s - k * sky.period_s / sky.radars) / sky.period_s)
            if due != math.floor((t_s - TICK_S - k * sky.period_s / sky.radars) / sky.period_s):
                told = {"time": (now_ns - 50_000_000) * 1e-9, "detections": sky.look(t_s, rng)}
                chunks.append((f"far {k}", now_ns - 50_000_000, json.dumps(told).encode() + b"\n"))
        if t_s > wish.warm > t_s - TICK_S:
            runtime.timing = timing.Timing()
        began = time.thread_time()
        picture = runtime.tick(chunks, now_ns)
        if t_s > wish.warm:
            took["with a look" if chunks else "without"].append(1000.0 * (time.thread_time() - began))
    runtime._close()
    runtime.journal.close()
    began = time.thread_time()
    encode_picture(picture, runtime.plan.site.origin)
    return {
        "tracks": len(picture.tracks),
        "looks_per_s": wish.looks,
        "tick_ms": {name: percentiles(values) for name, values in took.items()},
        "share_of_a_core": round(sum(map(sum, took.values())) / 1000.0 / wish.seconds, 2),
        "encode_ms": round(1000.0 * (time.thread_time() - began), 1),
        "stages": {r["stage"]: [r["p50_ms"], r["p95_ms"], r["max_ms"]] for r in runtime.timing.rows() if r["n"]},
    }


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=2_000.0, help="detections a second")
    parser.add_argument("--looks", type=float, default=5.0, help="looks a second that they come in")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--warm", type=float, default=30.0, help="seconds until tracks stand")
    parser.add_argument("--nodes", type=int, default=15)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--profile", default="", help="where py-spy, if it is there, writes what the server did")
    parser.add_argument("--cpu", action="store_true", help="processor time only, without sockets and page")
    wish = parser.parse_args()
    sky = Sky(wish.tracks, wish.rate, wish.looks)
    if wish.cpu:
        with tempfile.TemporaryDirectory() as name:
            print(json.dumps(processor_time(sky, wish, Path(name)), indent=1))
        return
    ports = {name: free_port() for name in [*(f"far {k}" for k in range(sky.radars)), "gate", "nodes"]}
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Path(name) / "sent.jsonl"
        (folder / "site.toml").write_text(site(sky, ports, wish.nodes))
        command = [sys.executable, "-c", "from lapwing.serve.cli import main; main()", "run", str(folder / "site.toml")]
        command += ["--port", "0", "--json"]
        product = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
        url = address(product)
        threading.Thread(target=product.stderr.read, daemon=True).start()
        player = multiprocessing.Process(target=play, args=(sky, ports, log, wish), daemon=True)
        player.start()
        if wish.profile:
            span = str(round(wish.seconds))
            spy = ["py-spy", "record", "-d", span, "-o", wish.profile, "-f", "raw", "-t", "-p", str(product.pid)]
            threading.Timer(wish.warm, lambda: subprocess.run(spy, check=False)).start()
        try:
            out = watch(url, log, wish, player)
        finally:
            product.terminate()
            summary = json.loads(product.communicate()[0] or "{}")
    kept = ("ticks", "late_ticks", "step_ms_mean", "step_ms_max", "cpu_share", "messages", "faults", "tracks")
    out["run"] = {key: summary.get(key) for key in kept} | {"load": os.getloadavg()}
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
