"""The picture's counts in Prometheus' text format (version 0.0.4). Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lapwing.records import AlarmState, Picture, Priority, TrackStatus

TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = dict[str, str]


def text(picture: Picture, outputs: Sequence[dict[str, Any]], stages: Sequence[dict[str, Any]] = ()) -> str:
    """All metrics. `stages`: where the time goes, as serve/timing.py tells it."""
    feeds, alarms = picture.feeds, picture.alarms
    standing = alarms.priority[alarms.state != AlarmState.CLEARED]
    by_feed = [({"feed": f.feed}, f) for f in feeds]
    by_output = [({"output": o["output"], "kind": o["kind"]}, o) for o in outputs]
    status = picture.tracks.status
    took = [
        ({"stage": row["stage"], "quantile": q}, row[name] / 1000.0)
        for row in stages
        for q, name in (("0.5", "p50_ms"), ("0.95", "p95_ms"), ("0.99", "p99_ms"))
        if row["n"]
    ]
    families: list[tuple[str, str, str, Iterable[tuple[Labels, float]]]] = [
        ("tick", "counter", "Ticks of the journal.", [({}, picture.tick)]),
        ("time_seconds", "gauge", "The picture's time, UTC.", [({}, picture.time_ns / 1e9)]),
        ("tracks", "gauge", "Tracks by status.",
         [({"status": s.name.lower()}, int((status == s).sum())) for s in TrackStatus]),
        ("claims", "gauge", "Claims with a position.", [({}, int(np.count_nonzero(picture.claims.has_position)))]),
        ("alarms", "gauge", "Standing alarms by priority.",
         [({"priority": p.name.lower()}, int((standing == p).sum())) for p in Priority]),
        ("interference_regions", "gauge", "Regions of GNSS interference.",
         [({}, len(picture.integrity.interference))]),
        ("feed_frames_total", "counter", "Frames received.", [(k, f.frames) for k, f in by_feed]),
        ("feed_bytes_total", "counter", "Bytes received.", [(k, f.bytes_total) for k, f in by_feed]),
        ("feed_messages_total", "counter", "Messages understood.", [(k, f.messages) for k, f in by_feed]),
        ("feed_faults_total", "counter", "Messages refused.", [(k, f.faults) for k, f in by_feed]),
        (
            "feed_delay_seconds",
            "gauge",
            "Received minus measured, where the feed states times.",
            [(k, f.delay_s) for k, f in by_feed if f.delay_s is not None],
        ),
        ("feed_quiet", "gauge", "1 when silent for longer than its limit.", [(k, int(f.quiet)) for k, f in by_feed]),
        ("output_sent_total", "counter", "Messages handed over.", [(k, o["sent"]) for k, o in by_output]),
        ("output_failures_total", "counter", "Failed tries.", [(k, o["failures"]) for k, o in by_output]),
        ("output_waiting", "gauge", "Messages that wait.", [(k, o["waiting"]) for k, o in by_output]),
        ("output_dropped", "gauge", "Messages given up.", [(k, o["dropped"]) for k, o in by_output]),
        ("output_failing", "gauge", "1 when the last try failed.",
         [(k, int(o["state"] == "failing")) for k, o in by_output]),
        ("stage_seconds", "gauge", "Time of each stage on the way to the screen over the last minute.", took),
        ("stage_budget_seconds", "gauge", "What 95 of 100 times may take.",
         [({"stage": row["stage"]}, row["budget_ms"] / 1000.0) for row in stages]),
    ]  # fmt: skip
    return "".join(_family(*family) for family in families)


def _family(name: str, kind: str, told: str, rows: Iterable[tuple[Labels, float]]) -> str:
    lines = [f"# HELP lapwing_{name} {told}", f"# TYPE lapwing_{name} {kind}"]
    lines += [f"lapwing_{name}{_labels(labels)} {value!r}" for labels, value in rows]
    return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    told = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{told}}}" if told else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
