"""The demo: the examiner as its own process, Lapwing on its sensors, and a summary measured against its truth."""

import json
import logging
import os
import queue
import subprocess
import sys
import tempfile
import threading
import webbrowser
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Array, Picture, Site, TrackStatus
from lapwing.serve.operate import Observer, Summary, Wish, operate
from lapwing.serve.site import load
from lapwing.serve.warming import warm_up

log = logging.getLogger("lapwing")
READY_S_MAX = 60.0
HELD_M = {"drone": 200.0, "aircraft": 1_000.0, "ship": 300.0}
WARMED_UP_S = 20.0  # targets are scored from this long after the start


class DemoError(OSError):
    """The simulator did not start."""


class Lab:
    """The simulator's process and what it said."""

    def __init__(self, scenario: str, seed: int, site_file: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "lapwing_lab.cli",
            "play",
            scenario,
            "--site",
            str(site_file),
            "--seed",
            str(seed),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        self.events: list[dict[str, Any]] = []  # all but truth, which would grow without end
        self.truth: deque[dict[str, Any]] = deque(maxlen=30)
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "truth":
                self.truth.append(event)
                continue
            self.events.append(event)
            self._lines.put(event)
        self._lines.put(None)

    def wait_ready(self) -> None:
        """Return when the sensors are up. Raises DemoError."""
        try:
            while (event := self._lines.get(timeout=READY_S_MAX)) is not None:
                if event["event"] == "ready":
                    return
        except queue.Empty:
            pass
        self.stop()
        raise DemoError("the simulator did not start; see what it said above")

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        try:
            self.process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()


@dataclass
class Shown:
    """What one picture showed, as positions."""

    lat_deg: Array
    lon_deg: Array
    is_track: Array
    ident: Array


@dataclass
class Held:
    """How one target was held so far."""

    kind: str
    looks: int = 0
    held: int = 0
    now: bool = False


class Scorer(Observer):
    """An observer that also compares what is shown with the simulator's truth, as it comes."""

    def __init__(self, site: Site, lab: Lab) -> None:
        super().__init__()
        self.site, self.lab = site, lab
        self.targets: dict[str, Held] = {}

    def see(self, picture: Picture) -> None:
        """One published picture."""
        super().see(picture)
        while self.lab.truth and self.lab.truth[0]["time_ns"] <= picture.time_ns:
            event = self.lab.truth.popleft()
            if self.first_ns is None or event["time_ns"] < self.first_ns + WARMED_UP_S * 1e9:
                continue
            shown = self._shown(picture)
            for name, kind, lat, lon, _, ident in event["targets"]:
                target = self.targets.setdefault(name, Held(kind))
                target.now = _held(shown, kind, lat, lon, ident)
                target.looks += 1
                target.held += target.now

    def _shown(self, picture: Picture) -> Shown:
        """Confirmed tracks and fresh claims, as positions."""
        tracks, claims = picture.tracks, picture.claims
        firm = tracks.status != TrackStatus.TENTATIVE
        placed = (claims.has_position > 0) & (picture.time_ns - claims.position_ns < 30e9)
        mean = np.concatenate([tracks.mean[firm], claims.mean[placed]])
        o = self.site.origin
        lat, lon, _ = enu_to_geodetic((o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m), mean[:, :3])
        is_track = np.arange(len(mean)) < firm.sum()
        ident = np.concatenate([tracks.track_id[firm], claims.address[placed]])
        return Shown(np.degrees(lat), np.degrees(lon), is_track, ident)


def score(scorer: Scorer, summary: Summary) -> None:
    """Measure the run against the simulator's truth; lines and numbers go into the summary."""
    events = scorer.lab.events
    begun = next((e["time_ns"] for e in events if e["event"] == "begun"), None)
    if begun is None:
        return
    for kind in sorted({t.kind for t in scorer.targets.values()}):
        mine = [t for t in scorer.targets.values() if t.kind == kind]
        now, share = sum(t.now for t in mine), sum(t.held / t.looks for t in mine) / len(mine)
        summary.truth[kind] = {"targets": len(mine), "held_at_end": now, "held_share": share}
        plural = {"aircraft": "aircraft"}.get(kind, f"{kind}s")
        summary.extra.append(f"{plural + ' held':13s} {now} of {len(mine)} at the end, {100 * share:.0f} % of the time")
    _warnings(events, begun, summary)
    _jamming(events, summary)


def _held(shown: Shown, kind: str, lat: float, lon: float, ident: int) -> bool:
    """Whether a track (or, of those who speak, the claim of that address) is near the true place."""
    usable = shown.is_track if kind == "drone" else shown.is_track | (shown.ident == ident)
    east = (shown.lon_deg - lon) * 111_320.0 * np.cos(np.radians(lat))
    north = (shown.lat_deg - lat) * 110_950.0
    return bool((np.hypot(east, north)[usable] < HELD_M[kind]).any())


def _warnings(events: list[dict[str, Any]], begun: int, summary: Summary) -> None:
    """Time of the first warning against the true entry into each zone."""
    for e in events:
        if e["event"] != "entered":
            continue
        first = [a["raised_ns"] for a in summary.alarms if a["zone"] == e["zone"]]
        entry_s = (e["time_ns"] - begun) * 1e-9
        row: dict[str, Any] = {"target": e["target"], "zone": e["zone"], "entered_s": entry_s, "warned_s": None}
        if first:
            row["warned_s"] = (min(first) - begun) * 1e-9
            lead = entry_s - row["warned_s"]
            when = f"{abs(lead):.0f} s {'before' if lead > 0 else 'after'} it entered"
        else:
            when = "NO warning"
        summary.truth.setdefault("entries", []).append(row)
        summary.extra.append(f"{'warning':13s} {e['target']} into {e['zone']}: {when} (+{entry_s:.0f} s)")


def _jamming(events: list[dict[str, Any]], summary: Summary) -> None:
    """Delay from the jammer's start to the first region found."""
    for e in events:
        if e["event"] == "jamming" and e["on"]:
            after = [(r["found_ns"] - e["time_ns"]) * 1e-9 for r in summary.regions if r["found_ns"] >= e["time_ns"]]
            summary.truth["jamming_found_after_s"] = min(after) if after else None
            text = f"found {min(after):.0f} s after the jammer came on" if after else "jammer on, NOT found yet"
            summary.extra.append(f"{'jamming':13s} {text}")


def demo(
    scenario: str, seed: int, port: int | None, for_s: float | None, journal: Path | None, browser: bool
) -> Summary:
    """Run the demo to its end; the summary."""
    took = warm_up()
    if took > 5.0:
        log.info("kernels compiled in %.0f s (first start only)", took)
    with tempfile.TemporaryDirectory(prefix="lapwing-demo-") as temporary:
        folder = journal or Path(temporary) / "journal"
        site_file = Path(temporary) / "site.toml"
        lab = Lab(scenario, seed, site_file)
        try:
            lab.wait_ready()
            entry, site = load(site_file)
            scorer = Scorer(site, lab)

            def up(url: str) -> None:
                log.info("live picture: %s   (Ctrl-C ends the demo)", url)
                if browser and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
                    webbrowser.open(url)

            text = site_file.read_text(encoding="utf-8")
            summary = operate(entry, text, site, Wish(folder, port, for_s), scorer, up)
        finally:
            lab.stop()
        score(scorer, summary)
        return summary
