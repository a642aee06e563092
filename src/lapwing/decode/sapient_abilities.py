"""What a SAPIENT node says that it can do, as far as it matters here: short, bounded, plain values. Pure.

Read from its Registration (BSI Flex 335 v2.0; v1.0 has the same fields). Refuses to keep more than MANY of anything.
"""

from dataclasses import dataclass

from sapient_msg.bsi_flex_335_v2_0 import location_pb2
from sapient_msg.bsi_flex_335_v2_0.registration_pb2 import Registration

from lapwing.decode.sapient_wire import REFUSED_TYPES

MANY = 32
TEXT_MAX = 64
# Sensors: what they may be asked for is about watching. Others (mobile, pointing, human, unknown) are asked nothing
# but who and how they are; a pointing head may carry anything, so that it needs a camera among its types.
WATCHERS = frozenset(("RADAR", "LIDAR", "CAMERA", "SEISMIC", "ACOUSTIC", "PROXIMITY_SENSOR", "PASSIVE_RF"))
WATCHERS |= {"CHEMICAL", "BIOLOGICAL", "RADIATION"}
REFUSED = frozenset(Registration.NodeType.Name(t).removeprefix("NODE_TYPE_") for t in REFUSED_TYPES)
DEGREES, RADIANS, UTM = "degrees", "radians", "utm"
UNITS = {
    location_pb2.LOCATION_COORDINATE_SYSTEM_LAT_LNG_DEG_M: DEGREES,
    location_pb2.LOCATION_COORDINATE_SYSTEM_LAT_LNG_RAD_M: RADIANS,
    location_pb2.LOCATION_COORDINATE_SYSTEM_UTM_M: UTM,
}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a node told at its registration."""

    name: str = ""
    types: tuple[str, ...] = ()  # as the standard's NodeType without its prefix; a number when it is none of them
    icd: str = ""
    modes: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()  # (CommandType without its prefix, units), of all modes
    regions: tuple[str, ...] = ()  # RegionType without its prefix
    region_units: str = ""  # degrees, radians, utm; "" = something else

    region_zone: str = ""  # of utm, where the node tells one

    @property
    def acts(self) -> bool:
        """Whether it acts instead of watching, or says a type that nobody knows here."""
        return any(t in REFUSED or t.isdigit() for t in self.types)

    @property
    def watches(self) -> bool:
        """Whether it is a sensor, and nothing beside."""
        pointing = "POINTABLE_NODE" in self.types and "CAMERA" in self.types
        allowed = WATCHERS | {"POINTABLE_NODE"} if pointing else WATCHERS
        return bool(self.types) and set(self.types) <= allowed

    def units_of(self, command: str) -> tuple[str, ...]:
        """The units with which a command was advertised; empty = it was not."""
        return tuple(units for kind, units in self.commands if kind == command)


def abilities(told: Registration) -> Abilities:
    """Out of a registration."""
    tasks = [mode.task for mode in told.mode_definition[:MANY]]
    commands = [(_command(c), c.units[:TEXT_MAX]) for t in tasks for c in t.command[:MANY]]
    regions = [_region(r) for t in tasks for r in t.region_definition.region_type[:MANY]]
    areas = [a for t in tasks for a in t.region_definition.region_area[:MANY]]
    units = {UNITS[a.location_units]: a.zone[:TEXT_MAX] for a in reversed(areas) if a.location_units in UNITS}
    unit = next((u for u in (DEGREES, RADIANS, UTM) if u in units), "")
    return Abilities(
        (told.name or told.short_name)[:TEXT_MAX],
        tuple(dict.fromkeys(node_type(n.node_type) for n in told.node_definition[:MANY])),
        told.icd_version[:TEXT_MAX],
        tuple(dict.fromkeys(mode.mode_name[:TEXT_MAX] for mode in told.mode_definition[:MANY])),
        tuple(dict.fromkeys(commands))[:MANY],
        tuple(dict.fromkeys(regions))[:MANY],
        unit,
        units[UTM] if unit == UTM else "",
    )


def node_type(number: int) -> str:
    """RADAR, CAMERA, ..."""
    return _named(Registration.NodeType, number, "NODE_TYPE_")


def _command(told: Registration.Command) -> str:
    return _named(Registration.CommandType, told.type, "COMMAND_TYPE_")


def _region(number: int) -> str:
    return _named(Registration.RegionType, number, "REGION_TYPE_")


def _named(enum: object, number: int, prefix: str) -> str:
    names = {v.number: v.name for v in enum.DESCRIPTOR.values}  # type: ignore[attr-defined]
    return str(names.get(number, number)).removeprefix(prefix)
