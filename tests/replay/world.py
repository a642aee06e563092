"""A short journal of a known world: the lab's demo scenario as (feed, received_ns, bytes), made as fast as possible."""

from pathlib import Path

from lapwing_lab.play import SAC, look
from lapwing_lab.scenario import load
from lapwing_lab.site import site_text
from lapwing_lab.wire_asterix import rotation

T0 = 1_750_000_000 * 10**9


def border(seconds, seed=1):
    """The site file's text and its chunks, ten a second."""
    s = load(str(Path(__file__).resolve().parents[2] / "scenarios" / "demo-border.toml"), seed)
    radar = s.radars[0].model
    sources = {"ADS-B": "tcp://127.0.0.1:1", "AIS": "tcp://127.0.0.1:2", radar.name: "udp://127.0.0.1:3"}
    chunks, turn = [], 0.0
    for k in range(1, round(seconds * 10) + 1):
        t = k / 10
        now = T0 + round(t * 1e9)
        for feed, data in (("ADS-B", s.adsb.between(t)), ("AIS", s.ais.between(t, T0 * 1e-9 + t))):
            if data:
                chunks.append((feed, now, data))
        while turn + radar.period_s <= t:
            for scan in look(s, s.radars[0], turn, T0):
                chunks += [(radar.name, now, d) for d in rotation(scan, SAC, 1, radar.period_s)]
            turn += radar.period_s
    return site_text(s, sources), chunks
