"""SAPIENT detection reports (BSI Flex 335 v2.0) to scans. One frame holds whole framed messages.

A registered node is the site's sensor whose name it bears; the first node that bears no sensor's name is the sensor
that the feed names. Reports of one node with one timestamp are one scan; it ends when the node says something later.
Places become the site's east, north, up; ranges and bearings stay what they are, seen from the site's sensor entry.
Bearings from magnetic, grid or a platform's north are turned to true north. Refuses nodes that act instead of watching,
bearings from the north of a platform whose heading the site does not tell, and nodes that are nobody. Alerts of nodes
are told as their own words, at the place that they name or else the sensor's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
from sapient_msg.bsi_flex_335_v2_0 import location_pb2, range_bearing_pb2
from sapient_msg.bsi_flex_335_v2_0.alert_pb2 import Alert
from sapient_msg.bsi_flex_335_v2_0.detection_report_pb2 import DetectionReport
from sapient_msg.bsi_flex_335_v2_0.location_pb2 import Location
from sapient_msg.bsi_flex_335_v2_0.range_bearing_pb2 import RangeBearing
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

from lapwing.decode.faults import Refusals
from lapwing.decode.norths import declination_rad, grid_rad
from lapwing.decode.sapient_alerts import (
    FEED_ALERTS_MAX,
    TOO_MANY,
    TOO_MANY_IN_ALL,
    Taken,
    alert_number,
    refusal,
    standing,
    stands,
    taken,
    urgency,
    words,
)
from lapwing.decode.sapient_kinds import kinds_of
from lapwing.decode.sapient_objects import NOTHING, Said, said_of
from lapwing.decode.sapient_wire import acts, cut, parse, time_ns
from lapwing.decode.scans import scan
from lapwing.decode.utm import utm_to_geodetic
from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.kernel.geoid import geoid_height_m
from lapwing.records import UNSAID, Decoded, Detections, Frame, NodeAlert, Position, Priority, SensorConfig, Space

NODES_MAX = 64
ROWS_MAX = 2_000
SPACES = tuple(Space)
DEGREES = location_pb2.LOCATION_COORDINATE_SYSTEM_LAT_LNG_DEG_M
RADIANS = location_pb2.LOCATION_COORDINATE_SYSTEM_LAT_LNG_RAD_M
UTM = location_pb2.LOCATION_COORDINATE_SYSTEM_UTM_M
ELLIPSOID = location_pb2.LOCATION_DATUM_WGS84_E
GEOID = location_pb2.LOCATION_DATUM_WGS84_G
Row = tuple[tuple[float, ...], tuple[float, ...]]
BAD_KINDS = "classification: a confidence is not from 0 to 1 (the detection is kept)"
BAD_OBJECT = "object_info: rcs, blades or micro doppler is no number in its range (the detection is kept)"
ANGLE = {
    range_bearing_pb2.RANGE_BEARING_COORDINATE_SYSTEM_DEGREES_M: (math.pi / 180.0, 1.0),
    range_bearing_pb2.RANGE_BEARING_COORDINATE_SYSTEM_RADIANS_M: (1.0, 1.0),
    range_bearing_pb2.RANGE_BEARING_COORDINATE_SYSTEM_DEGREES_KM: (math.pi / 180.0, 1000.0),
    range_bearing_pb2.RANGE_BEARING_COORDINATE_SYSTEM_RADIANS_KM: (1.0, 1000.0),
}
SIGMA_MIN = {"m": 0.1, "d": 1e-4}


@dataclass(frozen=True, slots=True)
class Node:
    """A registered node: its sensor (position among the decoder's), and the scan that it has begun."""

    node_id: str
    sensor: int
    time_ns: int = 0
    space: int = -1  # position in SPACES, -1 = no scan begun
    rows: tuple[Row, ...] = ()
    frame_seqs: tuple[int, ...] = ()  # of the rows
    kinds: tuple[tuple[float, ...], ...] = ()  # of the rows: the probability of each kind, UNSAID where it says nothing
    alerts: Taken = ()
    name: str = ""
    said: tuple[Said, ...] = ()  # of the rows: radar cross section and micro-Doppler


@dataclass(frozen=True, slots=True)
class SapientState:
    """The nodes that registered, in that order."""

    nodes: tuple[Node, ...] = field(default=())


class Wrong(Exception):
    """A message that is refused, and why. Never leaves this module."""


@final
@dataclass(frozen=True, slots=True)
class SapientDecoder:
    """Scans of all nodes of one feed. `sensors` are the site's, `fallback` the feed's own."""

    feed: str
    sensors: tuple[SensorConfig, ...]
    fallback: str
    origin: Position
    alert_priority: Priority | None = Priority.LOW  # the most urgent that a node's alert may be; None: none is shown

    def start(self) -> SapientState:
        """Nobody registered."""
        return SapientState()

    def decode(self, state: SapientState, frames: Sequence[Frame]) -> tuple[SapientState, Decoded]:
        """The scans that ended."""
        refusals, messages = Refusals(), 0
        nodes = {node.node_id: node for node in state.nodes}
        done: list[Detections] = []
        alerts: list[NodeAlert] = []
        for frame in frames:
            found, rest, reason = cut(frame.data)
            if rest:
                refusals.add(reason or "message cut short", frame.seq, rest)
            for raw in found:
                message, reason = parse(raw)
                try:
                    if message is None:
                        raise Wrong(reason)
                    if message.HasField("alert"):
                        alerts += self._alert(message, frame.seq, nodes)
                    else:
                        self._message(message, frame.seq, nodes, done)
                    messages += 1
                except Wrong as wrong:
                    refusals.add(str(wrong), frame.seq, raw)
        return SapientState(tuple(nodes.values())), Decoded(
            scans=tuple(done), faults=refusals.faults(), messages=messages, alerts=tuple(alerts)
        )

    def _message(self, message: SapientMessage, seq: int, nodes: dict[str, Node], done: list[Detections]) -> None:
        kind = message.WhichOneof("content")
        if kind == "registration":
            self._register(message, nodes)
        elif kind in ("detection_report", "status_report"):
            node = nodes.get(message.node_id)
            if node is None:
                raise Wrong("report of a node that is not registered")
            if time_ns(message) < node.time_ns:
                raise Wrong("report older than the one before")
            if kind == "detection_report":
                kinds = kinds_of(message.detection_report.classification)
                said, good = said_of(message.detection_report.object_info)
                told = (*self._detection(message, self.sensors[node.sensor]), kinds or UNSAID, said)
                nodes[node.node_id] = self._added(node, told, time_ns(message), seq, done)
                if kinds is None:
                    raise Wrong(BAD_KINDS)
                if not good:
                    raise Wrong(BAD_OBJECT)
            elif time_ns(message) > node.time_ns:
                nodes[node.node_id] = self._closed(node, done)

    def _register(self, message: SapientMessage, nodes: dict[str, Node]) -> None:
        told = message.registration
        if acts(told):
            nodes.pop(message.node_id, None)
            raise Wrong("watch-only system: nodes that act are refused")
        if message.node_id in nodes:
            return
        names = [s.sensor for s in self.sensors]
        taken = {node.sensor for node in nodes.values()}
        for name in (told.name, told.short_name, message.node_id, self.fallback):
            if name in names and names.index(name) not in taken and len(nodes) < NODES_MAX:
                called = told.name or told.short_name or message.node_id
                nodes[message.node_id] = Node(message.node_id, names.index(name), name=called[:64])
                return
        raise Wrong("node bears the name of no free sensor of the site")

    def _alert(self, message: SapientMessage, seq: int, nodes: dict[str, Node]) -> list[NodeAlert]:
        """What a node wants somebody to know; none where the site does not show such."""
        told, node = message.alert, nodes.get(message.node_id)
        if self.alert_priority is None:
            return []
        if node is None:
            raise Wrong("report of a node that is not registered")
        if refusal(told):
            raise Wrong(refusal(told))
        alerts = taken(node.alerts, told, time_ns(message))
        if alerts is None:
            raise Wrong(TOO_MANY)
        new = told.alert_id not in {name for name, _, _ in node.alerts}
        others = (n.alerts for n in nodes.values() if n is not node)
        if new and standing((*others, alerts), time_ns(message)) > FEED_ALERTS_MAX:
            raise Wrong(TOO_MANY_IN_ALL)
        nodes[node.node_id] = replace(node, alerts=alerts)
        sensor, number = self.sensors[node.sensor], alert_number(node.node_id, told.alert_id)
        east_m, north_m, where = self._alert_place(message, sensor)
        name = "".join(c for c in node.name if c.isprintable())
        level, reason = urgency(told, self.alert_priority), f"node {name} says: {words(told)}{where}"
        who = (number, sensor.sensor, name, stands(told), time_ns(message))
        return [NodeAlert(*who, level, east_m, north_m, reason, seq)]

    def _alert_place(self, message: SapientMessage, sensor: SensorConfig) -> tuple[float, float, str]:
        """East and north in metres, and words where it is only the sensor's."""
        o, p = self.origin, sensor.position
        place = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
        own = geodetic_to_enu(place, *(np.array([v]) for v in (p.latitude_rad, p.longitude_rad, p.height_ellipsoid_m)))[
            0
        ]
        east, north = float(own[0]), float(own[1])
        if message.alert.WhichOneof("location_oneof") is None:
            return east, north, " (place of the sensor)"
        try:
            space, (z, _) = self._place(message.alert, sensor, time_ns(message))
        except Wrong:
            return east, north, " (place of the sensor: its own was not understood)"
        if space in (Space.POSITION_2D, Space.POSITION_3D):
            return z[0], z[1], ""
        seen = dict(zip(space.value, z, strict=True))
        azimuth = seen["azimuth_rad"]
        if "range_m" not in seen:
            return east, north, f" (place of the sensor; towards {math.degrees(azimuth):.0f} degrees)"
        flat_m = seen["range_m"] * math.cos(seen.get("elevation_rad", 0.0))
        return east + flat_m * math.sin(azimuth), north + flat_m * math.cos(azimuth), ""

    def _added(
        self, node: Node, told: tuple[Space, Row, tuple[float, ...], Said], at_ns: int, seq: int, done: list[Detections]
    ) -> Node:
        space = SPACES.index(told[0])
        if node.space >= 0 and (at_ns, space) != (node.time_ns, node.space):
            node = self._closed(node, done)
        if len(node.rows) >= ROWS_MAX:
            raise Wrong("too many detections in one scan")
        rows, seqs, kinds = (*node.rows, told[1]), (*node.frame_seqs, seq), (*node.kinds, told[2])
        said = (*node.said, told[3])
        return replace(node, time_ns=at_ns, space=space, rows=rows, frame_seqs=seqs, kinds=kinds, said=said)

    def _closed(self, node: Node, done: list[Detections]) -> Node:
        """The node without its scan, which is done."""
        if node.space >= 0:
            name = self.sensors[node.sensor].sensor
            whole = scan(name, SPACES[node.space], node.time_ns, node.rows, node.frame_seqs)
            if any(said != NOTHING for said in node.said):
                said = np.array(node.said)
                whole = replace(whole, rcs_dbsm=said[:, 0].copy(), micro=said[:, 1:].copy())
            if any(kinds != UNSAID for kinds in node.kinds):
                whole = replace(whole, declared=np.array(node.kinds))
            done.append(whole)
        return replace(node, space=-1, rows=(), frame_seqs=(), kinds=(), said=())

    def _detection(self, message: SapientMessage, sensor: SensorConfig) -> tuple[Space, Row]:
        return self._place(message.detection_report, sensor, time_ns(message))

    def _place(self, told: DetectionReport | Alert, sensor: SensorConfig, at_ns: int) -> tuple[Space, Row]:
        if told.HasField("location"):
            return self._location(told.location, sensor)
        if told.HasField("range_bearing"):
            return _range_bearing(told.range_bearing, sensor, at_ns)
        raise Wrong("detection without a place")

    def _location(self, told: Location, sensor: SensorConfig) -> tuple[Space, Row]:
        flat = _geodetic(told)
        solid = told.HasField("z") and told.datum in (ELLIPSOID, GEOID)
        height = told.z if solid else self.origin.height_ellipsoid_m
        if solid and told.datum == GEOID:
            height += float(geoid_height_m(*flat))
        if not abs(height) <= 100_000.0:
            raise Wrong("location out of range")
        o = self.origin
        place = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
        where = geodetic_to_enu(place, *np.array([[flat[0]], [flat[1]], [height]]))[0]
        east, north = (_sigma(e, sensor.range_sigma_m, "m") for e in _errors_m(told, flat[0]))
        up = _sigma(told.z_error, sensor.range_sigma_m, "m")
        d = 3 if solid else 2
        space = Space.POSITION_3D if solid else Space.POSITION_2D
        return space, (tuple(float(x) for x in where[:d]), (east, north, up)[:d])


def _geodetic(told: Location) -> tuple[float, float]:
    """Latitude and longitude in radians. x is longitude or easting, y latitude or northing."""
    x, y = told.x, told.y
    if not (told.HasField("x") and told.HasField("y") and math.isfinite(x) and math.isfinite(y)):
        raise Wrong("location without x and y")
    if told.coordinate_system == UTM:
        point = utm_to_geodetic(told.utm_zone, x, y)
        if point is None:
            raise Wrong("no such UTM zone or point")
        return point
    if told.coordinate_system not in (DEGREES, RADIANS):
        raise Wrong("coordinate_system is mandatory")
    unit = math.pi / 180.0 if told.coordinate_system == DEGREES else 1.0
    if abs(y * unit) > math.pi / 2 or abs(x * unit) > math.pi:
        raise Wrong("location out of range")
    return y * unit, x * unit


def _errors_m(told: Location, latitude_rad: float) -> tuple[float, float]:
    """The errors in east and north in metres, 0 = not told."""
    if told.coordinate_system == UTM:
        return told.x_error, told.y_error
    per_radian = 6_371_000.0 * (math.pi / 180.0 if told.coordinate_system == DEGREES else 1.0)
    return told.x_error * per_radian * math.cos(latitude_rad), told.y_error * per_radian


def _sigma(told: float, otherwise: float, kind: str) -> float:
    """A standard deviation that was told, within reason, else the site's."""
    return max(told, SIGMA_MIN[kind]) if 0.0 < told < 1e5 else otherwise


def _north_rad(datum: int, sensor: SensorConfig, at_ns: int) -> float:
    """The north that a bearing is counted from, clockwise from the true one, at the sensor."""
    if datum == range_bearing_pb2.RANGE_BEARING_DATUM_TRUE:
        return 0.0
    if datum == range_bearing_pb2.RANGE_BEARING_DATUM_MAGNETIC:
        north = declination_rad(sensor.position, at_ns)
        if north is None:
            raise Wrong("bearing from magnetic north where or when no model says where that is")
        return north
    if datum == range_bearing_pb2.RANGE_BEARING_DATUM_GRID:
        north = grid_rad(sensor.position)
        if north is None:
            raise Wrong("bearing from grid north where there is no UTM grid")
        return north
    if datum == range_bearing_pb2.RANGE_BEARING_DATUM_PLATFORM and sensor.heading_rad is not None:
        return sensor.heading_rad
    raise Wrong("bearing from a north that is not known here")


def _range_bearing(told: RangeBearing, sensor: SensorConfig, at_ns: int) -> tuple[Space, Row]:
    if told.coordinate_system not in ANGLE:
        raise Wrong("coordinate_system is mandatory")
    if not told.HasField("azimuth"):
        raise Wrong("range_bearing without azimuth")
    angle, metre = ANGLE[told.coordinate_system]
    azimuth, elevation, distance = told.azimuth * angle, told.elevation * angle, told.range * metre
    if not (abs(azimuth) <= 2.0 * math.pi + 1e-6 and abs(elevation) <= math.pi / 2 and 0.0 <= distance <= 1e6):
        raise Wrong("range_bearing out of range")
    azimuth += _north_rad(told.datum, sensor, at_ns)
    known = {
        "range_m": (distance, _sigma(told.range_error * metre, sensor.range_sigma_m, "m")),
        "azimuth_rad": (azimuth % (2.0 * math.pi), _sigma(told.azimuth_error * angle, sensor.azimuth_sigma_rad, "d")),
        "elevation_rad": (elevation, _sigma(told.elevation_error * angle, sensor.elevation_sigma_rad, "d")),
    }
    names = [n for n, f in zip(known, ("range", "azimuth", "elevation"), strict=True) if told.HasField(f)]
    space = next(s for s in Space if list(s.value) == names)
    return space, (tuple(known[n][0] for n in names), tuple(known[n][1] for n in names))
