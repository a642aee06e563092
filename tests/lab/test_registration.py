"""A radar that is off, from the lab's bytes to the picture: found, taken out, and said in an alarm."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lapwing.engine.plan import TICK_NS, make_plan
from lapwing.engine.state import start
from lapwing.engine.tick import step
from lapwing.records import Frame
from lapwing.serve import wire_sensors
from lapwing.serve.site import parse
from lapwing_lab.play import SAC, look
from lapwing_lab.scenario import build, read_table
from lapwing_lab.site import site_text
from lapwing_lab.wire_asterix import rotation

T0 = 1_750_000_000 * 10**9
BORDER = Path(__file__).resolve().parents[2] / "scenarios" / "demo-border.toml"


def world(seconds, **failings):
    """The border demo with a failing radar, its jammer silent: site text and chunks, ten a second."""
    table = read_table(str(BORDER))
    table["sensor"][0] |= failings
    table["jammer"]["on_s"] = 1e6
    s = build(table, 1)
    radar = s.radars[0].model
    sources = {"ADS-B": "tcp://127.0.0.1:1", radar.name: "udp://127.0.0.1:3"}
    chunks, turn = [], 0.0
    for k in range(1, round(seconds * 10) + 1):
        t, now = k / 10, T0 + k * 10**8
        data = s.adsb.between(t)
        if data:
            chunks.append(("ADS-B", now, data))
        while turn + radar.period_s <= t:
            for scan in look(s, s.radars[0], turn, T0):
                chunks += [(radar.name, now, d) for d in rotation(scan, SAC, 1, radar.period_s)]
            turn += radar.period_s
    return site_text(s, sources), chunks


@pytest.mark.slow
def test_a_radar_that_is_off_is_found_out_from_the_bytes_alone(tmp_path):
    text, chunks = world(120.0, range_bias_m=120.0, azimuth_bias_deg=3.0, clock_bias_s=0.7)
    plan = make_plan(parse(text).site(tmp_path))
    state, seq, at = start(plan), 0, 0
    agreed = []
    for tick in range(1, 601):
        now, frames = T0 + tick * TICK_NS, []
        while at < len(chunks) and chunks[at][1] <= now:
            seq += 1
            frames.append(Frame(seq, *chunks[at]))
            at += 1
        state, picture = step(state, frames, tick, now, plan)
        agreed.append((picture.integrity.track_id > 0).sum())
    (radar,) = picture.sensors
    error = radar.bias - np.array([120.0, np.radians(3.0), 0.0, 0.7, 0.0, 0.0])
    seen = radar.observable == 1
    assert seen[:2].all()
    assert not seen[2]
    assert (np.abs(error[seen]) < 4.0 * radar.sigma[seen]).all()
    assert abs(np.degrees(error[1])) < 0.3
    # Once it is taken out, the radar's tracks agree with the claims.
    assert np.mean(agreed[-50:]) > 3
    standing = [r for r, state_ in zip(picture.alarms.reason, picture.alarms.state, strict=True) if state_ != 2]
    assert any(r.startswith("sensor Radar is off") and "azimuth +" in r for r in standing)
    (told,) = wire_sensors.sensors(picture.sensors)
    assert told["biases"]["azimuth_deg"]["applied"]
    assert told["biases"]["elevation_rad".replace("_rad", "_deg")]["value"] is None


@pytest.mark.slow
def test_a_radar_that_turns_while_it_works_raises_an_alarm(tmp_path):
    """Steady for 110 s, then turned by two degrees; windows of 45 s instead of three minutes, to be quick."""
    text, steady = world(210.0)
    turned = world(210.0, azimuth_bias_deg=2.0)[1]
    cut = T0 + 110 * 10**9
    chunks = [c for c in steady if c[1] < cut] + [c for c in turned if c[1] >= cut]
    plan = make_plan(parse(text).site(tmp_path))
    plan = replace(plan, registration=replace(plan.registration, window_s=45.0))
    state, seq, at, raised = start(plan), 0, 0, None
    for tick in range(1, 1_051):
        now, frames = T0 + tick * TICK_NS, []
        while at < len(chunks) and chunks[at][1] <= now:
            seq += 1
            frames.append(Frame(seq, *chunks[at]))
            at += 1
        state, picture = step(state, frames, tick, now, plan)
        said = [r for r in picture.alarms.reason if r.startswith("sensor Radar drifts")]
        if said and raised is None:
            raised = tick * TICK_NS * 1e-9
    assert raised is not None
    assert 110.0 < raised < 190.0
    assert "azimuth +" in said[0]
    (told,) = wire_sensors.sensors(picture.sensors)
    assert abs(told["biases"]["azimuth_deg"]["norm"]) < 0.3
    assert told["biases"]["azimuth_deg"]["moved_ns"] != "0"
