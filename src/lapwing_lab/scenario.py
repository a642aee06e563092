"""A scenario: one TOML file to targets, sensors and the site file that the product is given."""

import json
import random
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from lapwing_lab.geo import Place, offset
from lapwing_lab.jamming import Jammer
from lapwing_lab.sensors import AdsbReceiver, AisReceiver, Radar
from lapwing_lab.truth import Route, Target, aircraft, ships


class ScenarioError(Exception):
    """The scenario cannot be used; one sentence."""


@dataclass
class Circle:
    """A protected disc, for telling when a target is truly inside."""

    name: str
    centre: Place
    radius_m: float
    height_m: tuple[float, float]


@dataclass
class Scenario:
    """A whole world, ready to run."""

    name: str
    title: str
    origin: Place
    targets: list[Target]
    adsb: AdsbReceiver
    ais: AisReceiver
    radar: Radar
    jammers: list[Jammer]
    zones: list[Circle]
    table: dict[str, Any]


def folder() -> Path:
    """Where the scenarios lie: in the wheel, or in the checkout."""
    packed = Path(str(files("lapwing_lab"))) / "scenarios"
    return packed if packed.is_dir() else Path(__file__).resolve().parents[2] / "scenarios"


def load(name: str, seed: int | None) -> Scenario:
    """A scenario by name or path. Raises ScenarioError."""
    path = Path(name) if name.endswith(".toml") else folder() / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in folder().glob("*.toml")))
        raise ScenarioError(f"there is no scenario {name!r}; there are: {known}") from None
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{path}: {error}") from None
    try:
        return build(table, seed)
    except (KeyError, TypeError, ValueError) as error:
        raise ScenarioError(f"{path}: missing or wrong: {error}") from error


def _place(table: dict[str, float]) -> Place:
    return Place(table["lat_deg"], table["lon_deg"], table["height_m"])


def build(table: dict[str, Any], seed: int | None) -> Scenario:
    """The world that a scenario's table describes, drawn with `seed` (the scenario's own by default)."""
    rng = random.Random(table["seed"] if seed is None else seed)
    origin = _place(table["origin"])
    planes = aircraft(origin, table["aircraft"]["count"], table["aircraft"]["radius_m"], rng)
    fleet = ships(origin, table["ships"]["count"], tuple(table["ships"]["box_m"]), rng)
    drones = [
        Target(
            d["name"],
            "drone",
            Route(
                origin,
                tuple((e, n, h) for e, n, h in d["points"]),
                d["speed_mps"],
                d["weave_m"],
                phase=rng.uniform(0.0, 6.28),
            ),
            d.get("rcs_m2", 0.01),
        )
        for d in table["drone"]
    ]
    j, r = table["jammer"], table["radar"]
    jammers = [Jammer(offset(origin, j["east_m"], j["north_m"], j["height_m"]), j["eirp_dbm"], j["on_s"], j["off_s"])]
    everything = [*planes, *fleet, *drones]
    return Scenario(
        table["name"],
        table["title"],
        origin,
        everything,
        AdsbReceiver(_place(table["adsb"]), planes, jammers, random.Random(rng.random())),
        AisReceiver(_place(table["ais"]), fleet, jammers, random.Random(rng.random())),
        Radar(
            _place(r),
            [*planes, *drones],
            random.Random(rng.random()),
            period_s=r["period_s"],
            range_m_max=r["range_m"],
            clutter_per_scan=r["clutter_per_scan"],
        ),
        jammers,
        [
            Circle(z["name"], offset(origin, z["east_m"], z["north_m"], 0.0), z["radius_m"], tuple(z["height_m"]))
            for z in table["zone"]
        ],
        table,
    )


def site_text(s: Scenario, ports: dict[str, int]) -> str:
    """The site file for the product: what an operator would write for these sensors. No truth in it."""
    q = json.dumps
    out = [f"name = {q(s.title)}", "", "[origin]", *_lines(s.origin), ""]
    for name, decoder, source, place in (
        ("ADS-B", "beast", f"tcp://127.0.0.1:{ports['adsb']}", s.adsb.place),
        ("AIS", "nmea", f"tcp://127.0.0.1:{ports['ais']}", s.ais.place),
    ):
        out += ["[[feed]]", f"name = {q(name)}", f"decoder = {q(decoder)}", f"from = {q(source)}", "[feed.receiver]"]
        out += [*_lines(place), ""]
    udp = f"udp://127.0.0.1:{ports['radar']}"
    out += ["[[feed]]", 'name = "Radar"', 'decoder = "asterix"', f"from = {q(udp)}"]
    out += ['sensor = "Radar"', "", "[[sensor]]", 'name = "Radar"', 'kind = "radar"']
    r = s.radar
    out += [f"range_sigma_m = {r.range_sigma_m}", f"azimuth_sigma_deg = {r.azimuth_sigma_deg}"]
    out += [f"range_max_m = {r.range_m_max}", "p_detect = 0.85", f"clutter_per_scan = {r.clutter_per_scan}"]
    out += [f"period_s = {r.period_s}", "[sensor.at]", *_lines(r.place), ""]
    for z, entry in zip(s.zones, s.table["zone"], strict=True):
        out += ["[[zone]]", f"name = {q(z.name)}", f"height_m = [{z.height_m[0]}, {z.height_m[1]}]"]
        out += [f"priority = {q(entry['priority'])}", f"warn_s = {entry['warn_s']}", "[zone.circle]"]
        out += [*_lines(z.centre)[:2], f"radius_m = {z.radius_m}", ""]
    return "\n".join(out)


def _lines(p: Place) -> list[str]:
    return [f"latitude_deg = {p.lat_deg:.7f}", f"longitude_deg = {p.lon_deg:.7f}", f"height_m = {p.height_m:.1f}"]
