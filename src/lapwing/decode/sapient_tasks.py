"""Tasks for sensors, and for nothing else (BSI Flex 335 v2.0): the only place where a Task is made. Pure.

A task is made only if the node is a sensor, advertised the very command, and the command is about watching: to tell who
and how it is, to start, stop or reset its watching, how sensitive it is, how often it reports, its mode, where a camera
looks, which region it heeds. Nodes that act are never registered here, so that there is nobody to task; what moves a
node or lets it follow something has no code here. Everything else is refused with a reason.
"""

import math
import string
from dataclasses import dataclass

from sapient_msg.bsi_flex_335_v2_0 import location_pb2, range_bearing_pb2
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg.bsi_flex_335_v2_0.task_pb2 import Task

from lapwing.decode.sapient_abilities import DEGREES, UTM, Abilities
from lapwing.decode.ulid import ulid
from lapwing.decode.utm import geodetic_to_utm, zone_of

REQUESTS = ("Registration", "Status", "Start", "Stop", "Reset")
ASKING = ("Registration", "Status")  # what any registered node may be asked
LEVELS = {
    "low": Task.DISCRETE_THRESHOLD_LOW,
    "medium": Task.DISCRETE_THRESHOLD_MEDIUM,
    "high": Task.DISCRETE_THRESHOLD_HIGH,
}
ADJUSTMENTS = {  # what is ordered -> what is advertised
    "detection_threshold": "DETECTION_THRESHOLD",
    "classification_threshold": "CLASSIFICATION_THRESHOLD",
    "detection_report_rate": "DETECTION_REPORT_RATE",
}
REGIONS = {
    "area_of_interest": Task.REGION_TYPE_AREA_OF_INTEREST,
    "ignore": Task.REGION_TYPE_IGNORE,
    "boundary": Task.REGION_TYPE_BOUNDARY,
}
KINDS = ("request", *ADJUSTMENTS, "mode_change", "look_at", "region", "cancel")
CORNERS_MAX = 64


class NotMade(Exception):
    """No such task; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants of a sensor. Angles in radians, azimuths from true north, heights above the ellipsoid."""

    kind: str  # one of KINDS
    value: str = ""  # the request, level, mode, type of region, or the task to cancel
    azimuth_rad: float | None = None
    elevation_rad: float | None = None
    place: tuple[float, float, float | None] | None = None  # latitude_rad, longitude_rad, height_ellipsoid_m
    corners: tuple[tuple[float, float], ...] = ()  # latitude_rad, longitude_rad
    name: str = ""  # of a region


def make(order: Order, able: Abilities, to: str, us: str, at_ns: int) -> SapientMessage:
    """The Task from `us` to the node `to`. Raises NotMade."""
    if order.kind not in KINDS:
        raise NotMade(f"There is no task {order.kind!r}; there are {', '.join(KINDS)}.")
    if able.acts or not able.types:
        raise NotMade("The node may act instead of watching: nothing is ordered of it.")
    asks = order.kind == "request" and order.value in ASKING
    if not asks and not able.watches:
        told = ", ".join(able.types)
        raise NotMade(f"The node is not a sensor only (it says: {told}); it may be asked for {' and '.join(ASKING)}.")
    out = SapientMessage(node_id=us, destination_id=to)
    out.timestamp.seconds, out.timestamp.nanos = divmod(at_ns, 10**9)
    task = out.task
    task.task_id = ulid(at_ns, f"{us} {to} {at_ns} {order!r}")
    task.control = Task.CONTROL_START
    if order.kind == "request":
        _request(task, order, able)
    elif order.kind in ADJUSTMENTS:
        _adjust(task, order, able)
    elif order.kind == "mode_change":
        _mode(task, order, able)
    elif order.kind == "look_at":
        _look(task, order, able)
    elif order.kind == "region":
        _region(task, order, able, at_ns)
    else:
        task.task_id, task.control = order.value, Task.CONTROL_STOP
    return out


def _advertised(able: Abilities, command: str) -> tuple[str, ...]:
    units = able.units_of(command)
    if not units:
        had = ", ".join(sorted({kind for kind, _ in able.commands})) or "nothing"
        raise NotMade(f"The node did not advertise {command}; it advertised {had}.")
    return units


def _request(task: Task, order: Order, able: Abilities) -> None:
    units = _advertised(able, "REQUEST")
    if order.value not in REQUESTS:
        raise NotMade(f"There is no request {order.value!r}; there are {', '.join(REQUESTS)}.")
    words = {word.strip().lower() for text in units for word in text.split(",")}
    if order.value.lower() not in words:
        raise NotMade(f"The node did not advertise the request {order.value}; it advertised {'; '.join(units)}.")
    task.command.request = order.value


def _adjust(task: Task, order: Order, able: Abilities) -> None:
    _advertised(able, ADJUSTMENTS[order.kind])
    if order.value not in LEVELS:
        raise NotMade(f"{order.value!r} is no level; there are {', '.join(LEVELS)}.")
    setattr(task.command, order.kind, LEVELS[order.value])


def _mode(task: Task, order: Order, able: Abilities) -> None:
    _advertised(able, "MODE_CHANGE")
    if order.value not in able.modes:
        raise NotMade(f"The node has no mode {order.value!r}; it has {', '.join(able.modes)}.")
    task.command.mode_change = order.value


def _look(task: Task, order: Order, able: Abilities) -> None:
    """Only for cameras, and only where."""
    _advertised(able, "LOOK_AT")
    if "CAMERA" not in able.types:
        raise NotMade("Only a camera can be told where to look.")
    if order.place is not None:
        _point(task.command.look_at.location_list, order.place, DEGREES)
    elif order.azimuth_rad is not None:
        cone = task.command.look_at.range_bearing
        cone.coordinate_system = range_bearing_pb2.RANGE_BEARING_COORDINATE_SYSTEM_DEGREES_M
        cone.datum = range_bearing_pb2.RANGE_BEARING_DATUM_TRUE
        cone.azimuth = math.degrees(order.azimuth_rad) % 360.0
        if order.elevation_rad is not None:
            cone.elevation = math.degrees(order.elevation_rad)
    else:
        raise NotMade("To look somewhere needs a place or an azimuth.")


def _region(task: Task, order: Order, able: Abilities, at_ns: int) -> None:
    if order.value not in REGIONS or order.value.upper() not in able.regions:
        had = ", ".join(r.lower() for r in able.regions) or "none"
        raise NotMade(f"The node did not advertise regions of type {order.value!r}; it advertised {had}.")
    if not 3 <= len(order.corners) <= CORNERS_MAX:
        raise NotMade(f"A region needs from 3 to {CORNERS_MAX} corners.")
    if not able.region_units:
        raise NotMade("The node wants regions in units that are not spoken here (degrees, radians and UTM are).")
    region = task.region.add(type=REGIONS[order.value], region_name=order.name or "region")
    region.region_id = ulid(at_ns, f"{task.task_id} region")
    zone = _zone(order.corners[0], able) if able.region_units == UTM else 0
    for latitude, longitude in order.corners:
        if zone:
            _grid_point(region.region_area.location_list, zone, latitude, longitude)
        else:
            _point(region.region_area.location_list, (latitude, longitude, None), able.region_units)


def _zone(corner: tuple[float, float], able: Abilities) -> int:
    """The UTM zone of a whole region: the one that the node told, else that of the first corner."""
    told = able.region_zone.rstrip(string.ascii_letters)
    if told.isascii() and told.isdigit() and 1 <= int(told) <= 60:
        return int(told)
    zone = zone_of(*corner)
    if zone is None:
        raise NotMade("There is no UTM zone so near to a pole.")
    return zone


def _grid_point(where: location_pb2.LocationList, zone: int, latitude: float, longitude: float) -> None:
    """One more place of a list, in UTM."""
    point = geodetic_to_utm(zone, latitude, longitude)
    if point is None:
        raise NotMade(f"A corner is too far from UTM zone {zone}.")
    out = where.locations.add(datum=location_pb2.LOCATION_DATUM_WGS84_E)
    out.coordinate_system = location_pb2.LOCATION_COORDINATE_SYSTEM_UTM_M
    out.utm_zone, out.x, out.y = point


def _point(where: location_pb2.LocationList, place: tuple[float, float, float | None], units: str) -> None:
    """One more place of a list, in degrees or radians."""
    latitude, longitude, height = place
    point = where.locations.add(datum=location_pb2.LOCATION_DATUM_WGS84_E)
    point.coordinate_system = location_pb2.LOCATION_COORDINATE_SYSTEM_LAT_LNG_RAD_M
    point.x, point.y = longitude, latitude
    if units == DEGREES:
        point.coordinate_system = location_pb2.LOCATION_COORDINATE_SYSTEM_LAT_LNG_DEG_M
        point.x, point.y = math.degrees(longitude), math.degrees(latitude)
    if height is not None:
        point.z = height
