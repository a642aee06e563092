"""The plan: everything constant that a tick needs, made once from the site. Building it twice gives the same plan."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from lapwing import alarm, decode, track
from lapwing.alarm import LifeSettings, Rule
from lapwing.engine.order import OrderSettings
from lapwing.engine.told import decoders_told
from lapwing.engine.unseeing import UnseenPlan, make_unseen
from lapwing.integrity import IntegritySettings
from lapwing.integrity.ashore import Ring
from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.records import Circle, Detections, SensorConfig, Site, Space
from lapwing.track import (
    AIR,
    ClaimSettings,
    ClassSettings,
    ClutterSettings,
    DriftSettings,
    Envelopes,
    MicroDoppler,
    RegistrationSettings,
    SensorModel,
    TargetPrior,
    TrackSettings,
    VisibilitySettings,
    Watch,
)

TICK_NS = 200_000_000
# What flies under radars made for aircraft is low: a radar without elevation is read as if its targets were.
LIVE = TrackSettings(  # small drones fly low; tracks of those that are seen now and then are kept longer
    prior=TargetPrior(height_m_mean=300.0, height_m_sigma=1_500.0),
    clutter=ClutterSettings(),
    visibility=VisibilitySettings(),
    prune_existence=2e-4,
)


@dataclass(frozen=True)
class Plan:
    """Decoders, models, rules and settings of one site."""

    site: Site
    decoders: Mapping[str, decode.Decoder[Any]]
    sensors: Mapping[str, SensorConfig]
    rules: tuple[Rule, ...]
    order: OrderSettings = OrderSettings()
    tracking: TrackSettings = replace(LIVE, modes=AIR)
    claims: ClaimSettings = ClaimSettings()
    integrity: IntegritySettings = IntegritySettings()
    life: LifeSettings = LifeSettings()
    registration: RegistrationSettings = RegistrationSettings()
    classes: ClassSettings = ClassSettings(classifiers=(Envelopes(), MicroDoppler()))
    drift: DriftSettings = DriftSettings()
    unseen: UnseenPlan | None = None

    @property
    def reliability(self) -> dict[str, float]:
        """How far each sensor is believed that says what its targets are."""
        return {name: config.class_reliability for name, config in self.sensors.items()}

    def take(self, watch: Watch, scan: Detections) -> Watch:
        """What the tracking room believes after one more scan."""
        told = track.decorrelated(scan, watch.tracker, self.sensors[scan.sensor].correlation_s)
        if told is None:
            return watch
        model, related = self.model(scan.sensor, scan.space), self.related(scan.sensor)
        if related:
            watch, told = track.intersected(watch, scan, told, model, related, self.tracking)
        return track.watch_step(watch, told, model, self.tracking)

    def related(self, sensor: str) -> frozenset[str]:
        """The sensors of which the tracks that this one delivers may contain plots, too, or share some with it."""
        mine = set(self.sensors[sensor].includes)
        if not mine:
            return frozenset()
        others = {name for name, s in self.sensors.items() if mine & set(s.includes)}
        return frozenset(mine | (others - {sensor}))

    def model(self, sensor: str, space: Space) -> SensorModel:
        """The tracker's model of one sensor in one measurement space."""
        return _model(self.sensors[sensor], self.site, space)


@lru_cache(maxsize=256)
def _model(config: SensorConfig, site: Site, space: Space) -> SensorModel:
    return track.make_sensor(config, site.origin, space)


def make_plan(site: Site, told: frozenset[str] = frozenset()) -> Plan:
    """The plan of a site. Of the feeds in `told` the journal holds rows, not bytes (engine/told.py)."""
    sensors = {s.sensor: s for s in site.sensors}
    decoders = decoders_told({f.feed: decode.make(f, sensors) for f in site.feeds}, told)
    claims = ClaimSettings(operator_forget_s=site.operator_forget_s)
    rules = alarm.rules_for(site.zones, site.origin)
    checks = IntegritySettings(no_ships=_rings(site))
    return Plan(site, decoders, sensors, rules, claims=claims, integrity=checks, unseen=make_unseen(site))


def _rings(site: Site) -> tuple[Ring, ...]:
    """Where no ship can be, as rings in the site's frame, a circle as 64 corners of it."""
    out = []
    for shape in site.no_ships:
        points = (shape.centre,) if isinstance(shape, Circle) else shape.vertices
        table = np.array([(p.latitude_rad, p.longitude_rad, p.height_ellipsoid_m) for p in points])
        base = (site.origin.latitude_rad, site.origin.longitude_rad, site.origin.height_ellipsoid_m)
        ring = geodetic_to_enu(base, table[:, 0], table[:, 1], table[:, 2])[:, :2]
        if isinstance(shape, Circle):
            turn = np.arange(64) * (np.pi / 32.0)
            ring = ring[0] + shape.radius_m * np.stack([np.sin(turn), np.cos(turn)], axis=1)
        out.append(tuple((float(e), float(n)) for e, n in ring))
    return tuple(out)
