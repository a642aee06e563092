"""What a human must know: zones, rules, life cycle, reasons, evidence. Pure functions."""

from lapwing.alarm.life import AlarmMemory, LifeSettings, columns, step
from lapwing.alarm.rules import (
    ApproachingZone,
    FeedQuiet,
    Finding,
    GnssInterference,
    InconsistentClaim,
    Rule,
    UncooperativeInZone,
    World,
)
from lapwing.alarm.sensor_rules import SensorBiased
from lapwing.alarm.zones import LocalZone
from lapwing.records import Position, Zone

__all__ = ["AlarmMemory", "Finding", "LifeSettings", "Rule", "World", "columns", "rules_for", "step"]


def rules_for(zones: tuple[Zone, ...], origin: Position) -> tuple[Rule, ...]:
    """The rules of a site: two per zone, and those that every site has."""
    local = [LocalZone.make(zone, origin) for zone in zones]
    per_zone: list[Rule] = [rule for z in local for rule in (UncooperativeInZone(z), ApproachingZone(z))]
    return (*per_zone, GnssInterference(), InconsistentClaim(), FeedQuiet(), SensorBiased())
