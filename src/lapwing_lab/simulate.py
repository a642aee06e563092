"""A scenario to files, as fast as possible: detections of all sensors, truth, the site; and, recorded, the bytes that
its receivers and radars would have sent. Axes: n targets, t times."""

import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lapwing_lab import files
from lapwing_lab.files import Scan
from lapwing_lab.geo import local
from lapwing_lab.play import TOLD, datagrams
from lapwing_lab.radar import RadarModel
from lapwing_lab.scenario import Scenario, Sensor
from lapwing_lab.site import site_text
from lapwing_lab.wire_json import line
from lapwing_lab.wire_remoteid import capture_header

Array = np.ndarray
Progress = Callable[[float], None]
STEP_S = 0.5  # of the receivers


def simulate(s: Scenario, folder: Path, progress: Progress = lambda _: None) -> dict[str, int]:
    """Write detections.parquet, truth.parquet, site.toml, score.toml; how many rows of each."""
    delivered: list[tuple[float, Scan]] = []
    for i, sensor in enumerate(s.sensors):
        delivered += _scans(s, sensor, lambda share, i=i: progress((i + share) / (len(s.sensors) + 1)))  # type: ignore[misc]
    delivered.sort(key=lambda pair: (pair[1].scan_ns, pair[1].sensor))
    frame = files.detections([scan for _, scan in delivered])
    arrived = [ns for at, scan in delivered for ns in [round(at * 1e9)] * max(len(scan.time_ns), 1)]
    frame = frame.with_columns(received_ns=pl.Series(arrived, dtype=pl.Int64))
    told = truth(s)
    folder.mkdir(parents=True, exist_ok=True)
    files.write(frame, folder / "detections.parquet")
    files.write(told, folder / "truth.parquet")
    (folder / "site.toml").write_text(site_text(s, {}), encoding="utf-8")
    marks = {"cutoff_m": 300.0, "skip_s": 30.0, **s.table.get("score", {})}
    lines = [f"{k} = {v}" for k, v in marks.items() if k != "every_s"]
    (folder / "score.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _settings(s, folder)
    progress(1.0)
    return {"scans": len(delivered), "detections": frame.height, "truth": told.height}


def _settings(s: Scenario, folder: Path) -> None:
    """The scenario's own tracker settings, where a literature scenario gives them to every tracker."""
    known = s.table.get("known", {})
    if known:
        lines = [f"{k} = {v}" for k, v in known.items() if not isinstance(v, dict)]
        lines += ["[clutter]", "memory_s = 0.0", "[visibility]", "hidden_s = 0.0"]  # as even as the scenario says
        lines += ["[prior]", *(f"{k} = {v}" for k, v in known.get("prior", {}).items())]
        (folder / "settings.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _scans(s: Scenario, sensor: Sensor, progress: Progress) -> list[tuple[float, Scan]]:
    """(arrival in UTC seconds, scan) of one sensor over the whole scenario."""
    period, out = sensor.model.period_s, []
    looks = int(s.duration_s / period)
    for k in range(looks):
        if k % 50 == 0:
            progress(k / looks)
        begin = k * period
        scan = sensor.model.scan(s.world, begin, s.begin_ns, sensor.rng)
        if not sensor.failings.down(begin):
            spoilt = sensor.failings.spoil(scan, sensor.rng)
            out.append((scan.scan_ns * 1e-9 + sensor.failings.delay_s(sensor.rng), spoilt))
    return out


def truth(s: Scenario) -> pl.DataFrame:
    """All targets at the ends of the first sensor's scans (or every `every_s` of [score]). A target counts while it is
    of a kind that counts and some radar looks where it is."""
    every = float(s.table.get("score", {}).get("every_s", s.sensors[0].model.period_s if s.sensors else 1.0))
    wanted = np.array([t.counts for t in s.world.targets], dtype=bool)
    names = np.array([t.name for t in s.world.targets])
    kinds = np.array([t.kind for t in s.world.targets])
    parts: dict[str, list[Array]] = {c: [] for c in ("time_ns", "target_id", "name", "kind", "counts", *files.AXES)}
    for k in range(1, int(s.duration_s / every) + 1):
        t = k * every
        position, velocity, alive = s.world.at(t)
        seen = np.zeros(len(s.world), dtype=bool)
        for sensor in s.sensors:
            if isinstance(sensor.model, RadarModel) and not sensor.failings.down(t):
                seen |= sensor.model.covers(sensor.model.stand.look(position, velocity))
        i = np.flatnonzero(alive)
        rows = (np.full(len(i), s.begin_ns + round(t * 1e9)), i, names[i], kinds[i], (wanted & seen)[i])
        for column, values in zip(parts, (*rows, *position[i].T, *velocity[i].T), strict=True):
            parts[column].append(values)
    return files.truth({c: np.concatenate(v) if v else [] for c, v in parts.items()})


def record(s: Scenario, folder: Path, progress: Progress = lambda _: None) -> Path:
    """Write the bytes of every receiver and radar, and a site that replays them; the site file. Also events.jsonl:
    true entries into zones and emitters' times."""
    folder.mkdir(parents=True, exist_ok=True)
    utc_s, sources = s.begin_ns * 1e-9, {}
    beast, nmea, events = bytearray(), bytearray(), []
    heard = bytearray(capture_header() if s.remote_id else b"")
    inside: set[tuple[str, str]] = set()
    for k in range(1, int(s.duration_s / STEP_S) + 1):
        t = k * STEP_S
        if k % 40 == 0:
            progress(t / s.duration_s)
        if s.adsb is not None:
            beast += s.adsb.between(t)
        if s.ais is not None:
            for said in s.ais.between(t, utc_s + t).splitlines(keepends=True):
                nmea += tagged(utc_s + t + s.ais.failings.clock_bias_s, said)
        if s.remote_id is not None:
            heard += s.remote_id.between(t, utc_s)
        if k % 2 == 0:
            events += entries(s, t, inside)
    received = (("ADS-B", beast, "adsb.beast"), ("AIS", nmea, "ais.nmea"), ("Remote ID", heard, "remote-id.pcap"))
    for name, data, file in received:
        if data:
            (folder / file).write_bytes(data)
            sources[name] = f"file:{file}"
    for i, sensor in enumerate(s.radars):
        sent = [(at, d) for at, scan in _sent(s, sensor) for d in datagrams(sensor, scan, i)]
        (folder / f"radar-{i + 1}.pcap").write_bytes(pcap(sent))
        sources[sensor.model.name] = f"file:radar-{i + 1}.pcap"
    for i, sensor in enumerate(s.lookouts):
        (folder / f"sensor-{i + 1}.jsonl").write_bytes(b"".join(line(scan) for _, scan in _sent(s, sensor)))
        sources[sensor.model.name] = f"file:sensor-{i + 1}.jsonl"
    first = int.from_bytes(bytes(beast[2:24]).replace(b"\x1a\x1a", b"\x1a")[:6], "big") / 12e6 if beast else 0.0
    start = datetime.fromtimestamp(utc_s + first, UTC).isoformat(timespec="microseconds")
    (folder / "site.toml").write_text(site_text(s, sources, start), encoding="utf-8")
    for j in s.air.jammers:
        if j.on_s < s.duration_s:
            events.append({"event": "jamming", "on": True, "time_ns": s.begin_ns + round(j.on_s * 1e9)})
    (folder / "events.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events), encoding="utf-8")
    progress(1.0)
    return folder / "site.toml"


def entries(s: Scenario, t_s: float, inside: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """Intruders that are in a zone now and were not before; `inside` is kept up to date."""
    intruders = [i for i, target in enumerate(s.world.targets) if TOLD.get(target.kind) == "drone"]
    if not s.zones or not intruders:
        return []
    position, _, alive = s.world.at(t_s)
    out = []
    for zone in s.zones:
        middle = local(s.origin, zone.centre)
        apart = np.hypot(position[:, 0] - middle[0], position[:, 1] - middle[1])
        height = position[:, 2] + (position[:, :2] ** 2).sum(axis=1) / (2.0 * 6_371_000.0) + s.origin.height_m
        within = alive & (apart <= zone.radius_m) & (height >= zone.height_m[0]) & (height <= zone.height_m[1])
        for i in intruders:
            target = s.world.targets[i]
            key = (target.name, zone.name)
            if within[i] and key not in inside:
                at = s.begin_ns + round(t_s * 1e9)
                out.append({"event": "entered", "target": target.name, "zone": zone.name, "time_ns": at})
            (inside.add if within[i] else inside.discard)(key)
    return out


def _sent(s: Scenario, sensor: Sensor) -> list[tuple[float, Scan]]:
    """(arrival in UTC seconds, scan) as they leave a sensor, in the order of arrival."""
    rng = np.random.default_rng(sensor.rng.bit_generator.seed_seq.spawn(1)[0])  # type: ignore[attr-defined]
    out = []
    for k in range(int(s.duration_s / sensor.model.period_s)):
        begin = k * sensor.model.period_s
        scan = sensor.model.scan(s.world, begin, s.begin_ns, rng)
        if not sensor.failings.down(begin):
            spoilt = sensor.failings.spoil(scan, rng)
            out.append((scan.scan_ns * 1e-9 + sensor.failings.delay_s(rng), spoilt))
    return sorted(out, key=lambda pair: pair[0])


def tagged(utc_s: float, line: bytes) -> bytes:
    """An NMEA line with a tag block that says when it was received."""
    body = f"c:{round(utc_s * 1000)}"
    check = 0
    for c in body:
        check ^= ord(c)
    return f"\\{body}*{check:02X}\\".encode() + line


def pcap(datagrams: list[tuple[float, bytes]]) -> bytes:
    """A libpcap file (raw IP, nanoseconds) of UDP datagrams at their times."""
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, 101)]
    for at, data in datagrams:
        udp = struct.pack(">HHHH", 8600, 8600, 8 + len(data), 0) + data
        ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, 0x7F000001, 0x7F000001) + udp
        seconds, rest = divmod(round(at * 1e9), 10**9)
        out.append(struct.pack("<IIII", seconds, rest, len(ip), len(ip)) + ip)
    return b"".join(out)
