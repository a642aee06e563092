"""A short journal of a known world: the lab's demo scenario as (feed, received_ns, bytes), made as fast as possible."""

from pathlib import Path

from lapwing_lab.scenario import load, site_text

T0 = 1_750_000_000 * 10**9
PORTS = {"adsb": 1, "ais": 2, "radar": 3}


def border(seconds, seed=1):
    """The site file's text and its chunks, ten a second."""
    s = load(str(Path(__file__).resolve().parents[2] / "scenarios" / "demo-border.toml"), seed)
    chunks, rotation = [], 0.0
    for k in range(1, round(seconds * 10) + 1):
        t = k / 10
        now = T0 + round(t * 1e9)
        for feed, data in (("ADS-B", s.adsb.between(t)), ("AIS", s.ais.between(t, T0 * 1e-9 + t))):
            if data:
                chunks.append((feed, now, data))
        while rotation + s.radar.period_s <= t:
            chunks += [("Radar", now, d) for d in s.radar.rotation(rotation, T0 * 1e-9 + rotation)]
            rotation += s.radar.period_s
    return site_text(s, PORTS), chunks
