"""CPU and memory of the running product: the demo's traffic, one reader of the live picture, for a while.

    uv run python bench/soak.py --minutes 30

Prints one line a minute: CPU share of the product's own process (the simulator is another one) and its memory, then
the totals: mean CPU share after the first minute, and the slope of memory over the second half of the run.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import websockets

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Processor seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mib(pid: int) -> float:
    """Resident memory."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


async def read_pictures(url: str, seconds: float) -> int:
    """One browser's worth of reading; the number of pictures."""
    count, end = 0, time.monotonic() + seconds
    async with websockets.connect(url.replace("http", "ws") + "v1/live", max_size=None) as socket:
        while time.monotonic() < end:
            count += isinstance(await socket.recv(), bytes)
    return count


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    seconds = 60.0 * parser.parse_args().minutes
    command = [
        sys.executable,
        "-c",
        "from lapwing.serve.cli import main; main()",
        "demo",
        "--port",
        "0",
        "--no-browser",
    ]
    process = subprocess.Popen([*command, "--for", f"{seconds + 90:.0f}s"], stderr=subprocess.PIPE, text=True)
    url = next(m[0] for line in process.stderr if (m := re.search(r"http://\S+", line)))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    result: list[int] = []
    threading.Thread(target=lambda: result.append(asyncio.run(read_pictures(url, seconds))), daemon=True).start()
    samples = []
    began, last = time.monotonic(), cpu_s(process.pid)
    while time.monotonic() - began < seconds:
        time.sleep(min(60.0, seconds))
        now = cpu_s(process.pid)
        samples.append((time.monotonic() - began, (now - last) / min(60.0, seconds), rss_mib(process.pid)))
        last = now
        print(
            f"{samples[-1][0]:7.0f} s   cpu {100 * samples[-1][1]:5.1f} %   memory {samples[-1][2]:7.1f} MiB",
            flush=True,
        )
    table = np.array(samples)
    half = table[len(table) // 2 :]
    low, high = half[:, 2].min(), half[:, 2].max()
    slope = np.polyfit(half[:, 0] / 3600, half[:, 2], 1)[0] if len(half) > 2 else float("nan")
    share = table[1:, 1].mean() if len(table) > 1 else float("nan")
    print(f"mean cpu after the first minute {100 * share:.1f} % of a core")
    print(f"memory in the second half: {low:.1f} to {high:.1f} MiB, slope {slope:+.1f} MiB/h")
    process.wait()
    print(f"pictures read {result}")


if __name__ == "__main__":
    main()
