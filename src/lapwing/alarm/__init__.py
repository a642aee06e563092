"""What a human must know: zones, rules, life cycle, reasons, evidence. Pure functions."""

from lapwing.alarm.life import AlarmMemory, LifeSettings, columns, step
from lapwing.alarm.rules import (
    FeedQuiet,
    Finding,
    GnssInterference,
    InconsistentClaim,
    Rule,
    World,
)
from lapwing.alarm.sensor_rules import NodeSays, SensorBiased, SensorDrifting, SensorsDisagree
from lapwing.alarm.zone_rules import ZoneEntry
from lapwing.alarm.zones import LocalZone
from lapwing.records import Position, Zone

__all__ = ["AlarmMemory", "Finding", "LifeSettings", "Rule", "World", "columns", "rules_for", "step"]


def rules_for(zones: tuple[Zone, ...], origin: Position) -> tuple[Rule, ...]:
    """The rules of a site: one per zone, and those that every site has."""
    per_zone: list[Rule] = [ZoneEntry(LocalZone.make(zone, origin)) for zone in zones]
    return (
        *per_zone,
        GnssInterference(),
        InconsistentClaim(),
        FeedQuiet(),
        SensorBiased(),
        SensorDrifting(),
        SensorsDisagree(),
        NodeSays(),
    )
