"""The page under load: JavaScript per picture and time to the first picture, in headless Chromium on software GL.

    uv run python bench/page.py --tracks 10000 --claims 0 --seconds 30
    uv run python bench/page.py --tracks 10000 --minutes 60

A process of its own serves moving pictures at 1 Hz (`tests/serve/fake_shelf.py`); the page is the built one. Prints, as
JSON:
- `handler_ms`: the page's own handler of a binary picture, from its bytes to lists, marks and map being given them, by
  the clock. The best is what it costs where nothing else runs; the others show how busy the machine is.
- `still_cpu_ms`: processor time of all JavaScript per picture where nothing moves between pictures (the browser says
  `prefers-reduced-motion`): the handler, the lists, and one drawing of map and labels.
- `moving_cpu_ms_per_s`: the same per second where symbols move up to ten times a second.
- `first_ms`: from the start of loading to the first frame drawn with all tracks, by the clock.

With `--minutes` instead: what the page holds after garbage was collected, and the memory of its process, every two
minutes of so many.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
GL = ["--no-sandbox", "--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"]
TIMING = """
window.timed = { updates: [], first: 0 };
const { set, get } = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
Object.defineProperty(WebSocket.prototype, "onmessage", { get, configurable: true, set(handler) {
  set.call(this, (event) => {
    const begin = performance.now();
    handler.call(this, event);
    if (typeof event.data !== "string") timed.updates.push(performance.now() - begin);
  });
} });
let seen = 0; // frames when all tracks had come
const look = () => {
  const l = window.lapwing;
  if (l && !seen && l.tracks === WANTED) seen = l.frames + 1;
  if (seen && l.frames >= seen) timed.first = performance.now();
  else setTimeout(look, 5);
};
look();
"""


def serve(tracks: int, claims: int) -> tuple[subprocess.Popen[str], str]:
    """The process that serves, and its address."""
    command = [sys.executable, "-u", "-m", "tests.serve.fake_shelf", "0", "1", str(tracks), str(claims)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found, "the server did not start"
    return process, found[0]


def opened(browser: Browser, url: str, tracks: int, motion: Literal["reduce", "no-preference"]) -> Page:
    """The page, once it has drawn its first picture."""
    page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion=motion)
    page.add_init_script(TIMING.replace("WANTED", str(tracks)))
    page.goto(url, wait_until="commit")
    for _ in range(600):
        page.wait_for_timeout(100)
        if page.evaluate("window.timed ? timed.first : 0"):
            return page
    raise SystemExit("no picture within 60 s")


def watched(page: Page, seconds: int) -> tuple[float, list[float], int]:
    """Seconds of processor time of JavaScript, milliseconds of every picture's handler, and frames drawn."""
    page.wait_for_timeout(5_000)
    session = page.context.new_cdp_session(page)
    session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
    session.send("Performance.enable")

    def script_s() -> float:
        told = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        return float(told["ScriptDuration"])

    begun, frames = script_s(), page.evaluate("lapwing.frames")
    page.evaluate("timed.updates = []")
    page.wait_for_timeout(1_000 * seconds)
    updates = sorted(page.evaluate("timed.updates"))
    return script_s() - begun, updates, page.evaluate("lapwing.frames") - frames


def measure(url: str, wish: argparse.Namespace) -> dict[str, Any]:
    """Every number."""
    with sync_playwright() as playwright:

        def browser() -> Browser:  # a new one each: nothing is in its cache
            return playwright.chromium.launch(executable_path=wish.chromium, headless=True, args=GL)

        first = []
        for _ in range(wish.runs):
            with browser() as fresh:
                first.append(round(opened(fresh, url, wish.tracks, "no-preference").evaluate("timed.first")))
        with browser() as fresh:
            spent, updates, frames = watched(opened(fresh, url, wish.tracks, "no-preference"), wish.seconds)
        with browser() as fresh:
            still, pictures, _ = watched(opened(fresh, url, wish.tracks, "reduce"), wish.seconds)
    handler = {"best": updates[0], "median": statistics.median(updates), "p95": updates[int(0.95 * len(updates))]}
    return {
        "tracks": wish.tracks,
        "claims": wish.claims,
        "pictures": len(updates),
        "handler_ms": {name: round(value, 1) for name, value in handler.items()},
        "still_cpu_ms": round(1_000 * still / len(pictures), 1),
        "moving_cpu_ms_per_s": round(1_000 * spent / wish.seconds),
        "frames_per_s": round(frames / wish.seconds, 1),
        "first_ms": sorted(first),
    }


def memory(url: str, wish: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """What the page holds, every two minutes."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=wish.chromium, headless=True, args=GL) as browser,
    ):
        page = opened(browser, url, wish.tracks, "no-preference")
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        machine = browser.new_browser_cdp_session()
        for minute in range(0, wish.minutes + 1, 2):
            session.send("HeapProfiler.collectGarbage")
            told = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
            processes = machine.send("SystemInfo.getProcessInfo")["processInfo"]
            resident = {p["type"]: _resident_mib(p["id"]) for p in processes}
            yield {
                "minute": minute,
                "heap_mib": round(told["JSHeapUsedSize"] / 2**20, 1),
                "nodes": round(told["Nodes"]),
                "listeners": round(told["JSEventListeners"]),
                "resident_mib": resident,
                "pictures": page.evaluate("timed.updates.length"),
            }
            page.evaluate("timed.updates = []")
            page.wait_for_timeout(120_000)


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tracks", type=int, default=10_000)
    parser.add_argument("--claims", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--runs", type=int, default=5, help="first pictures")
    parser.add_argument("--minutes", type=int, default=0, help="look at memory for so long instead")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    wish = parser.parse_args()
    process, url = serve(wish.tracks, wish.claims)
    try:
        if not wish.minutes:
            print(json.dumps(measure(url, wish), indent=1))
        for line in memory(url, wish) if wish.minutes else ():
            print(json.dumps(line), flush=True)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
