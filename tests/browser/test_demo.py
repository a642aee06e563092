"""The whole product at once: the lab's sensors over loopback, journal, tick, map. A drone crosses into the zone, the
alarm appears, the jammer is found, and no request leaves the machine."""

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.browser.seat import Seat

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.browser


@pytest.fixture
def demo(tmp_path):
    """The demo with its drone nearer and its jammer earlier, so that a test need not wait; its URL and process."""
    text = (ROOT / "scenarios" / "demo-border.toml").read_text()
    text = text.replace("[[1100.0, 4900.0, 140.0]", "[[1000.0, 4300.0, 140.0]").replace("on_s = 60.0", "on_s = 20.0")
    (tmp_path / "near.toml").write_text(text)
    command = [sys.executable, "-c", "from lapwing.serve.cli import main; main()", "demo", "--port", "0", "--json"]
    command += ["--no-browser", "--for", "150s", "--scenario", str(tmp_path / "near.toml")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    url = None
    for line in process.stderr:
        if found := re.search(r"http://\S+", line):
            url = found[0]
            break
    threading.Thread(target=process.stderr.read, daemon=True).start()
    assert url, "the demo did not start"
    yield url, process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_drone_of_the_lab_enters_the_zone_and_the_seat_says_so(demo, launch):
    url, process = demo
    seat = Seat(launch(), url)
    seat.until(lambda: seat.read("tracks") >= 5 and seat.read("claims") >= 40, "tracks and claims", 120)

    def alarm(kind):
        return [t for t in seat.texts(".alarm") if kind in t]

    seat.until(lambda: alarm("approaching zone"), "the warning", 120)
    assert "Residence" in alarm("approaching zone")[0]
    seat.until(lambda: alarm("uncooperative in zone"), "the alarm", 90)
    text = alarm("uncooperative in zone")[0]
    assert "CRITICAL" in text.upper()
    assert "no claim explains it" in text
    seat.until(lambda: alarm("GNSS interference"), "the interference", 120)
    assert {urlsplit(u).hostname for u in seat.asked if not u.startswith(("blob:", "data:"))} == {"127.0.0.1"}
    assert seat.complaints == []

    process.send_signal(signal.SIGINT)
    summary = json.loads(process.communicate(timeout=30)[0])
    entry = summary["truth"]["entries"][0]
    assert entry["target"] == "drone-1"
    assert entry["warned_s"] < entry["entered_s"]  # truth says when it crossed; the warning came before
    assert summary["truth"]["jamming_found_after_s"] < 60.0
    assert summary["faults"] == 0
