"""Real recordings through the whole product, `lapwing run` with its web server, against independent oracles: what the
map and the history show is what rs1090 and pyais decoded from the same bytes."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

SAMPLES = Path(find_spec("traffic").submodule_search_locations[0]) / "data" / "samples"
SITE = """
name = "recorded"
origin = {{ latitude_deg = {lat}, longitude_deg = {lon} }}
feed = [{{ name = "f", decoder = "{decoder}", from = "file:{path}", speed = 0, quiet_s = 86400{more} }}]
"""


class Product:
    """`lapwing run` on one recording, asked over its web API once everything was played."""

    def __init__(self, folder, path, decoder, lat, lon, more=""):
        site = folder / "site.toml"
        site.write_text(SITE.format(path=path, decoder=decoder, lat=lat, lon=lon, more=more))
        command = [sys.executable, "-c", "from lapwing.serve.cli import main; main()", "run", str(site), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.url = next(m[0] for line in self.process.stderr if (m := re.search(r"http://\S+", line)))
        frames, deadline = -1, time.monotonic() + 200
        while time.monotonic() < deadline:
            feed = self.get("v1/feeds")["feeds"][0] if self.ready() else {"frames": -2}
            if feed["frames"] == frames:
                break
            frames = feed["frames"]
            time.sleep(2.0)
        self.feed = feed

    def ready(self):
        try:
            self.get("v1/feeds")
        except urllib.error.HTTPError:
            return False
        return True

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def close(self):
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture
def product(tmp_path):
    made = []

    def start(*args, **kwargs):
        made.append(Product(tmp_path, *args, **kwargs))
        return made[-1]

    yield start
    for p in made:
        p.close()


def test_a_real_flight_on_the_map_is_where_rs1090_says(product, tmp_path):
    """Some minutes of 57,793 real frames, climbing out of Paris."""
    first, last = 2_000, 9_000
    lines = (SAMPLES / "rs1090" / "full_flight_short.jsonl").read_text().splitlines()[first:last]
    (tmp_path / "flight.jsonl").write_text("\n".join(lines) + "\n")
    times = np.array([json.loads(line)["timestamp"] for line in lines])
    golden = np.load(Path(__file__).parent / "modes.npz")
    index = golden["rs1090/real/latitude:i"] - first
    mine = (index >= 0) & (index < last - first)
    at, lat, lon = times[index[mine]], golden["rs1090/real/latitude"][mine], golden["rs1090/real/longitude"][mine]
    assert len(at) > 500

    p = product("flight.jsonl", "avr", 48.9, 2.4)
    assert p.feed["messages"] == last - first
    assert p.feed["faults"] == 0
    (claim,) = p.get("v1/claims")["claims"]
    assert claim["name"] == "AFR34ZG"
    assert claim["address"] == 0x393322
    since, until = (round(t * 1e9) for t in (at[5], at[-1]))
    rows = p.get(f"v1/history?kind=claim&id={0x393322}&since_ns={since}&until_ns={until}")["columns"]
    shown = np.array(rows["time_ns"], float) * 1e-9
    assert len(shown) > 0.8 * (at[-1] - at[5])
    gaps = np.diff(at)[np.clip(np.searchsorted(at, shown) - 1, 0, len(at) - 2)]
    north = (np.array(rows["latitude_deg"]) - np.interp(shown, at, lat)) * 111_100.0
    east = (np.array(rows["longitude_deg"]) - np.interp(shown, at, lon)) * 111_320.0 * np.cos(np.radians(48.9))
    error = np.hypot(east, north)[gaps < 3.0]
    assert np.median(error) < 20.0
    assert np.quantile(error, 0.99) < 120.0


def test_the_beast_sample(product):
    p = product(SAMPLES / "dump1090" / "sample_dump1090.bin", "beast", 0.0, 0.0)
    assert p.feed["bytes"] == (SAMPLES / "dump1090" / "sample_dump1090.bin").stat().st_size
    assert p.feed["messages"] + p.feed["faults"] == 239


def test_a_readsb_trace(product, tmp_path):
    whole = json.loads((SAMPLES / "readsb" / "trace_full_ac671b.json").read_text())
    rows = whole["trace"][1000:1200]
    (tmp_path / "trace.json").write_text(json.dumps({**whole, "trace": rows}))
    p = product("trace.json", "trace", rows[0][1], rows[0][2])
    (claim,) = p.get("v1/claims")["claims"]
    assert claim["address"] == 0xAC671B
    north = (claim["latitude_deg"] - rows[-1][1]) * 111_100.0
    east = (claim["longitude_deg"] - rows[-1][2]) * 111_320.0 * np.cos(np.radians(rows[-1][1]))
    assert np.hypot(east, north) < 400.0  # the picture is up to a second older or newer than the last row


def test_real_ais_lines_show_the_ships_that_pyais_decodes(product, shared_recording):
    from pyais import decode
    from pyais.exceptions import AISBaseException

    path = shared_recording("ais/samples/nmea_data_sample.txt")
    placed = set()
    for line in path.read_bytes().splitlines():
        try:
            said = decode(line).asdict()
        except (AISBaseException, ValueError):
            continue
        if said["msg_type"] in (1, 2, 3, 18) and abs(said["lat"]) <= 90 and abs(said["lon"]) <= 180:
            placed.add(said["mmsi"])
    p = product(path, "nmea", 0.0, 0.0)
    shown = {c["address"] for c in p.get("v1/claims")["claims"] if c.get("latitude_deg") is not None}
    assert len(placed) > 50
    assert placed <= shown
