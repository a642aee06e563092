"""A scenario: one TOML file to targets, sensors, emitters and zones. Same file, same seed: same world."""

import random
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from lapwing_lab import world as worlds
from lapwing_lab.failings import Failings
from lapwing_lab.geo import Place, offset
from lapwing_lab.jamming import Air, emitters
from lapwing_lab.passive import Bistatic, Listener, bistatic, listener
from lapwing_lab.radar import RadarModel, radar
from lapwing_lab.remoteid import RemoteIdReceiver
from lapwing_lab.sensors import AdsbReceiver, AisReceiver, Band
from lapwing_lab.terrain import Terrain, terrain
from lapwing_lab.traffic import group
from lapwing_lab.truth import Route, Target, aircraft, ships
from lapwing_lab.world import World

BEGIN_NS = 1_700_000_000_000_000_000  # when a scenario without `begin` starts
DURATION_S = 600.0


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
class Sensor:
    """A sensor of detections, how it fails, and its own random numbers."""

    model: RadarModel | Listener | Bistatic
    failings: Failings
    rng: np.random.Generator
    table: dict[str, Any]


@dataclass
class Scenario:
    """A whole world, ready to run."""

    name: str
    title: str
    origin: Place
    begin_ns: int
    duration_s: float
    targets: list[Target]
    adsb: AdsbReceiver | None
    ais: AisReceiver | None
    sensors: list[Sensor]
    air: Air
    zones: list[Circle]
    table: dict[str, Any]
    remote_id: RemoteIdReceiver | None = None
    _world: World | None = field(default=None, repr=False)

    @property
    def world(self) -> World:
        """Its targets as columns, made when first asked for."""
        if self._world is None:
            self._world = worlds.make(self.targets, self.origin, self.duration_s)
        return self._world

    @property
    def radars(self) -> list[Sensor]:
        """Those that send ASTERIX: range and azimuth."""
        return [s for s in self.sensors if s.model.space == ("range_m", "azimuth_rad")]

    @property
    def lookouts(self) -> list[Sensor]:
        """Those that send JSON lines."""
        return [s for s in self.sensors if s.model.space != ("range_m", "azimuth_rad")]


def folder() -> Path:
    """Where the scenarios lie: in the wheel, or in the checkout."""
    packed = Path(str(files("lapwing_lab"))) / "scenarios"
    return packed if packed.is_dir() else Path(__file__).resolve().parents[2] / "scenarios"


def read_table(name: str) -> dict[str, Any]:
    """The TOML of a scenario by name or path. Raises ScenarioError."""
    path = Path(name) if name.endswith(".toml") else folder() / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in folder().glob("*.toml")))
        raise ScenarioError(f"there is no scenario {name!r}; there are: {known}") from None
    except (OSError, ValueError) as error:
        raise ScenarioError(f"{path}: {error}") from None


def load(name: str, seed: int | None, examined: bool = False) -> Scenario:
    """A scenario by name or path; `examined`: only as much of it as `run` scores, where it says less (`examined_s`),
    because it is made to be played for long. Raises ScenarioError."""
    table = read_table(name)
    if examined and "examined_s" in table:
        table["duration_s"] = table["examined_s"]
    if "arrays" in table:
        raise ScenarioError(f"{name} is a scenario of the literature: it has no sensors to play, only `run`")
    try:
        return build(table, seed)
    except (KeyError, TypeError, ValueError) as error:
        raise ScenarioError(f"{name}: missing or wrong: {error}") from error


def _place(table: dict[str, float], origin: Place | None = None) -> Place:
    if origin is not None and "east_m" in table:
        return offset(origin, table["east_m"], table["north_m"], table["height_m"])
    return Place(table["lat_deg"], table["lon_deg"], table["height_m"])


def build(table: dict[str, Any], seed: int | None) -> Scenario:
    """The world that a scenario's table describes, drawn with `seed` (the scenario's own by default)."""
    number = int(table["seed"] if seed is None else seed)
    rng = random.Random(number)
    origin = _place(table["origin"])
    duration = float(table.get("duration_s", DURATION_S))
    ground = terrain(table.get("hill", []))
    targets = _endless(table, origin, rng)
    for i, row in enumerate(table.get("group", [])):
        targets += group(row, origin, duration, np.random.default_rng([number, 1, i]), ground)
    air = emitters(table, origin)
    planes, fleet, drones = ([t for t in targets if t.says == says] for says in ("adsb", "ais", "remote_id"))
    adsb_rng, ais_rng = random.Random(rng.random()), random.Random(rng.random())
    begin, sniffer = table.get("begin"), table.get("remote_id")
    return Scenario(
        table["name"],
        table["title"],
        origin,
        round(begin.timestamp() * 1e9) if isinstance(begin, datetime) else BEGIN_NS,
        duration,
        targets,
        _adsb(table, origin, planes, air, adsb_rng, duration) if "adsb" in table else None,
        AisReceiver(_place(table["ais"], origin), fleet, air, ais_rng, Failings.of(table["ais"]))
        if "ais" in table
        else None,
        [
            _sensor(r, origin, np.random.default_rng([number, 2, i]), ground)
            for i, r in enumerate(table.get("sensor", []))
        ],
        air,
        [
            Circle(z["name"], offset(origin, z["east_m"], z["north_m"], 0.0), z["radius_m"], tuple(z["height_m"]))
            for z in table.get("zone", [])
        ],
        table,
        sniffer and _remote_id(sniffer, origin, drones, random.Random(number + 1)),
    )


def _adsb(
    table: dict[str, Any], origin: Place, planes: list[Target], air: Air, rng: random.Random, duration_s: float
) -> AdsbReceiver:
    row, wind = table["adsb"], table.get("wind", {})
    blows = (float(wind.get("east_mps", 0.0)), float(wind.get("north_mps", 0.0)))
    band = Band(bool(row.get("comm_b")), row.get("equipment") == "mixed", duration_s, blows)
    return AdsbReceiver(_place(row, origin), planes, air, rng, band, Failings.of(row))


def _remote_id(row: dict[str, Any], origin: Place, drones: list[Target], rng: random.Random) -> RemoteIdReceiver:
    return RemoteIdReceiver(_place(row, origin), float(row.get("range_m_max", 3_000.0)), drones, rng, Failings.of(row))


def _endless(table: dict[str, Any], origin: Place, rng: random.Random) -> list[Target]:
    """Endless loops of aircraft and ships, and drones on routes: targets that never end, for live play."""
    out: list[Target] = []
    if "aircraft" in table:
        out += aircraft(origin, table["aircraft"]["count"], table["aircraft"]["radius_m"], rng)
    if "ships" in table:
        out += ships(origin, table["ships"]["count"], tuple(table["ships"]["box_m"]), rng)
    for d in table.get("drone", []):
        points = tuple((e, n, h) for e, n, h in d["points"])
        route = Route(origin, points, d["speed_mps"], d["weave_m"], phase=rng.uniform(0.0, 6.28))
        out.append(Target(d["name"], "drone", route, d.get("rcs_m2", 0.01)))
    return out


def _sensor(row: dict[str, Any], origin: Place, rng: np.random.Generator, ground: Terrain) -> Sensor:
    where = worlds.stand(_place(row, origin), origin, ground)
    model: RadarModel | Listener | Bistatic
    if row["kind"] == "radar":
        model = radar(row, row["name"], where)
    elif row["kind"] == "bistatic":
        model = bistatic(row, row["name"], where, worlds.stand(_place(row["transmitter"], origin), origin, ground))
    elif row["kind"] in ("direction_finder", "acoustic", "camera"):
        model = listener(row, row["name"], where)
    else:
        raise ValueError(f"sensor {row['name']!r} is of no kind that there is: {row['kind']!r}")
    return Sensor(model, Failings.of(row), rng, row)
