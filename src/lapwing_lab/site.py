"""The site file that an operator would write for a scenario's sensors. There is no truth in it."""

import json
from typing import Any

from lapwing_lab.geo import Place
from lapwing_lab.passive import Bistatic, Listener
from lapwing_lab.radar import RadarModel
from lapwing_lab.scenario import Scenario, Sensor

q = json.dumps


def site_text(s: Scenario, sources: dict[str, str], start: str = "") -> str:
    """The site file. `sources`: where bytes come from, by feed ("ADS-B", "AIS", or a radar's name); feeds without one
    are left out. `start`: of recordings without dates."""
    out = [f"name = {q(s.title)}", "", "[origin]", *_lines(s.origin), ""]
    for name, decoder, receiver in (("ADS-B", "beast", s.adsb), ("AIS", "nmea", s.ais)):
        if receiver is not None and name in sources:
            out += ["[[feed]]", f"name = {q(name)}", f"decoder = {q(decoder)}", f"from = {q(sources[name])}"]
            out += [*_recorded(sources[name], start), "[feed.receiver]", *_lines(receiver.place), ""]
    if s.remote_id is not None and "Remote ID" in sources:
        out += ["[[feed]]", 'name = "Remote ID"', 'decoder = "remoteid"', f"from = {q(sources['Remote ID'])}"]
        out += [*_recorded(sources["Remote ID"], ""), "[feed.receiver]", *_lines(s.remote_id.place), ""]
    for decoder, sensors in (("asterix", s.radars), ("json", s.lookouts)):
        for sensor in sensors:
            name = sensor.model.name
            if name in sources:
                out += ["[[feed]]", f"name = {q(name)}", f"decoder = {q(decoder)}", f"from = {q(sources[name])}"]
                out += [*_recorded(sources[name], ""), f"sensor = {q(name)}", ""]
    for sensor in s.sensors:
        out += [*_sensor(sensor), ""]
    for z, entry in zip(s.zones, s.table.get("zone", []), strict=True):
        out += ["[[zone]]", f"name = {q(z.name)}", f"height_m = [{z.height_m[0]}, {z.height_m[1]}]"]
        out += [f"priority = {q(entry.get('priority', 'high'))}", f"warn_s = {entry.get('warn_s', 120.0)}"]
        out += ["each = true"] if entry.get("each") else []
        out += ["[zone.circle]", *_lines(z.centre)[:2], f"radius_m = {z.radius_m}", ""]
    return "\n".join(out)


def _recorded(source: str, start: str) -> list[str]:
    if not source.startswith("file:"):
        return []
    return ["speed = 0"] + ([f"start = {start}"] if start else [])


def _sensor(s: Sensor) -> list[str]:
    """What an operator knows: the data sheet, not the biases."""
    m = s.model
    out = ["[[sensor]]", f"name = {q(m.name)}", 'kind = "radar"']
    row: dict[str, Any] = {"range_max_m": m.range_m_max, "period_s": m.period_s}
    if isinstance(m, RadarModel):
        row |= {"range_sigma_m": m.range_sigma_m, "azimuth_sigma_deg": m.azimuth_sigma_deg}
        row |= {"elevation_sigma_deg": m.elevation_sigma_deg} if m.elevation_sigma_deg else {}
        row |= {"range_rate_sigma_mps": m.range_rate_sigma_mps} if m.range_rate_sigma_mps else {}
        weather = sum(w[5] for w in m.weather)
        row["clutter_per_scan"] = m.clutter_per_scan + m.ground_clutter_per_scan + weather
        if m.amplitude:
            row |= {"echo_dbm": round(m.echo_dbm, 1), "echo_min_dbm": round(m.echo_min_dbm, 1)}
    elif isinstance(m, Listener):
        row |= {"azimuth_sigma_deg": m.azimuth_sigma_deg, "clutter_per_scan": max(m.clutter_per_scan, 0.01)}
        row |= {"elevation_sigma_deg": m.elevation_sigma_deg} if m.elevation_sigma_deg else {}
        row |= {"false_ratio": m.p_outlier} if m.p_outlier else {}
    else:
        row |= {"range_sigma_m": m.range_sigma_m, "range_rate_sigma_mps": m.range_rate_sigma_mps}
        row["clutter_per_scan"] = max(m.clutter_per_scan, 0.01)
    row["p_detect"] = s.table.get("p_detect", 0.85)
    out += [f"{k} = {float(v)}" for k, v in row.items()]
    second = ["[sensor.second]", *_lines(m.transmitter.place)] if isinstance(m, Bistatic) else []
    return [*out, "[sensor.at]", *_lines(m.stand.place), *second]


def _lines(p: Place) -> list[str]:
    return [f"latitude_deg = {p.lat_deg:.7f}", f"longitude_deg = {p.lon_deg:.7f}", f"height_m = {p.height_m:.1f}"]
