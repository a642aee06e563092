"""SAPIENT messages made here with the public schema's classes."""

from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from tests.decode.helpers import T0

NODE = "a8654cdf-4328-47de-81fa-c495589e30c9"
S = 1_000_000_000


def message(time_ns: int = T0, node: str = NODE) -> SapientMessage:
    out = SapientMessage(node_id=node)
    out.timestamp.seconds, out.timestamp.nanos = divmod(time_ns, S)
    return out


def registration(
    kind: str = "RADAR", name: str = "radar", interval_s: float = 5.0, time_ns: int = T0, node: str = NODE
) -> SapientMessage:
    out = message(time_ns, node)
    told = out.registration
    told.node_definition.add().node_type = getattr(told, f"NODE_TYPE_{kind}")
    told.icd_version = "BSI Flex 335 v2.0"
    told.name = name
    told.status_definition.status_interval.units = told.TIME_UNITS_SECONDS
    told.status_definition.status_interval.value = interval_s
    return out


def location(x: float, y: float, time_ns: int = T0, system: int = 1, **more: float | str) -> SapientMessage:
    """x = longitude or easting; system 1 degrees, 2 radians, 5 UTM; datum the ellipsoid."""
    out = message(time_ns)
    told = out.detection_report.location
    told.x, told.y, told.coordinate_system, told.datum = x, y, system, 1
    for key, value in more.items():
        setattr(told, key, value)
    return out


def bearing(azimuth: float, time_ns: int = T0, system: int = 1, datum: int = 1, **more: float) -> SapientMessage:
    out = message(time_ns)
    told = out.detection_report.range_bearing
    told.azimuth, told.coordinate_system, told.datum = azimuth, system, datum
    for key, value in more.items():
        setattr(told, key, value)
    return out


def status(time_ns: int = T0, system: int = 1) -> SapientMessage:
    out = message(time_ns)
    out.status_report.report_id = "01GGYFBAXGDG7AGAHRZ6XSNY12"
    out.status_report.system = system
    return out


def frame(*messages: SapientMessage) -> bytes:
    parts = [m.SerializeToString() for m in messages]
    return b"".join(len(p).to_bytes(4, "little") + p for p in parts)


def alert(time_ns: int = T0, alert_id: str = "01GGYFBAXGDG7AGAHRZ6XSNY12", status: int = 1) -> SapientMessage:
    out = message(time_ns)
    told = out.alert
    told.alert_id, told.status, told.alert_type, told.description = alert_id, status, 2, "someone is at the fence"
    told.range_bearing.azimuth, told.range_bearing.range = 90.0, 1000.0
    told.range_bearing.coordinate_system, told.range_bearing.datum = 1, 1
    return out


def talk() -> list[bytes]:
    """A node registers, reports two scans, of the first also what it is, an alert, and its health."""
    first = [bearing(45.0, T0 + S, range=1200.0), bearing(46.0, T0 + S, range=3000.0)]
    for one, (kind, sub) in zip(first, (("Air vehicle", "UAV rotary wing"), ("Animal", "Bird")), strict=True):
        told = one.detection_report.classification.add(type=kind, confidence=0.8)
        told.sub_class.add(type=sub, confidence=0.6, level=1)
    second = location(5.74, 45.84, T0 + 2 * S, z=300.0, x_error=1e-4)
    return [
        frame(registration()),
        frame(*first, alert(T0 + S)),
        frame(second),
        frame(status(T0 + 3 * S)),
        frame(status(T0 + 4 * S)),
    ]
