"""What a fusion node says of itself to its parent (BSI Flex 335 v2.0): registration, status reports, answers. Pure.

It offers what it can do and nothing more: its one mode is watching, and the only task that it takes is a request for
its registration or status. Every other task is rejected with a reason.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sapient_msg.bsi_flex_335_v2_0.registration_pb2 import Registration
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage
from sapient_msg.bsi_flex_335_v2_0.status_report_pb2 import StatusReport
from sapient_msg.bsi_flex_335_v2_0.task_ack_pb2 import TaskAck

from lapwing.decode.encode_sapient import CLAIMED, DEGREES, ELLIPSOID, METRES_PER_SECOND, TAXONOMY, message
from lapwing.decode.ulid import ulid
from lapwing.kernel.geodesy import enu_to_geodetic, geodetic_to_enu
from lapwing.records import FeedHealth, Position, Site

ICD = "BSI Flex 335 v2.0"
MODE = "Default"
SETTLE_S = 10.0
REQUESTS = ("Registration", "Status")
NO_TASKS = "watch-only system: takes requests for Registration and Status, no other task"
REASON_MAX = 200  # characters


@dataclass(frozen=True, slots=True)
class Us:
    """Who registers."""

    node_id: str
    site: Site
    version: str
    status_s: float


def registration(us: Us, at_ns: int, dependents: Sequence[str] = ()) -> SapientMessage:
    """A fusion node with what its sensors can do together, and the node_ids of the SAPIENT nodes behind it."""
    out = message(us.node_id, at_ns)
    told = out.registration
    told.node_definition.add(node_type=Registration.NODE_TYPE_FUSION_NODE)
    told.icd_version, told.name, told.short_name = ICD, f"{us.site.name[:60]} (Lapwing)", "Lapwing"
    kinds = [s.kind for s in us.site.sensors]
    for kind in sorted(set(kinds)):
        told.capabilities.add(category="Sensor", type=kind, value=str(kinds.count(kind)), units="sensors")
    told.capabilities.add(category="Fusion", type="Tracks, classification and alarms from all sensors")
    interval = told.status_definition.status_interval
    interval.units, interval.value = Registration.TIME_UNITS_SECONDS, us.status_s
    for where in (told.status_definition.location_definition, told.status_definition.coverage_definition):
        where.location_units, where.location_datum = DEGREES, ELLIPSOID
    _mode(told.mode_definition.add())
    for corner in _corners(us.site):
        if not told.reporting_region:
            told.reporting_region.add()
        told.reporting_region[0].location_list.locations.add(
            x=corner[0], y=corner[1], coordinate_system=DEGREES, datum=ELLIPSOID
        )
    told.dependent_nodes.extend(dependents)
    told.config_data.add(manufacturer="Lapwing project", model="Lapwing", software_version=us.version)
    return out


def _mode(mode: Registration.ModeDefinition) -> None:
    mode.mode_name, mode.mode_type = MODE, Registration.MODE_TYPE_PERMANENT
    mode.mode_description = "Watches and warns"
    mode.settle_time.units, mode.settle_time.value = Registration.TIME_UNITS_SECONDS, SETTLE_S
    mode.tracking_type = Registration.TRACKING_TYPE_TRACK
    seen = mode.detection_definition.add()
    seen.location_type.location_units, seen.location_type.location_datum = DEGREES, ELLIPSOID
    seen.velocity_type.enu_velocity_units.east_north_rate_units = METRES_PER_SECOND
    seen.velocity_type.enu_velocity_units.up_rate_units = METRES_PER_SECOND
    seen.velocity_type.location_datum = ELLIPSOID
    error = seen.geometric_error
    error.type, error.units, error.variation_type = "Standard Deviation", "degrees, metres", "per report"
    seen.detection_report.add(category=Registration.DETECTION_REPORT_CATEGORY_OBJECT, type=CLAIMED, units="text")
    classes = seen.detection_class_definition.add()
    classes.confidence_definition = Registration.CONFIDENCE_DEFINITION_MULTI_CLASS
    taxonomy = {*TAXONOMY.values(), ("EM transmitter", "RF jammer")}
    for top in sorted({top for top, _ in taxonomy}):
        entry = classes.class_definition.add(type=top, units="probability")
        for sub in sorted(s for t, s in taxonomy if t == top and s):
            entry.sub_class.add(type=sub, units="probability", level=1)
    mode.task.concurrent_tasks = 1
    # The standard demands a region definition also of those who take no regions.
    mode.task.region_definition.region_type.append(Registration.REGION_TYPE_AREA_OF_INTEREST)
    mode.task.region_definition.region_area.add(location_units=DEGREES, location_datum=ELLIPSOID)
    command = mode.task.command.add(type=Registration.COMMAND_TYPE_REQUEST, units=", ".join(REQUESTS))
    command.completion_time.units, command.completion_time.value = Registration.TIME_UNITS_SECONDS, 1.0


def _corners(site: Site) -> list[tuple[float, float]]:
    """(longitude, latitude) in degrees of the corners of what all sensors can see; none without sensors."""
    if not site.sensors:
        return []
    o = site.origin
    place = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
    at = [_array(s.position) for s in site.sensors]
    centres = np.concatenate([geodetic_to_enu(place, *p) for p in at])[:, :2]
    reach = np.array([[s.range_m_max] for s in site.sensors])
    low, high = (centres - reach).min(axis=0), (centres + reach).max(axis=0)
    ring = [(low[0], low[1], 0.0), (high[0], low[1], 0.0), (high[0], high[1], 0.0), (low[0], high[1], 0.0)]
    latitude, longitude, _ = enu_to_geodetic(place, np.array(ring))
    return [(math.degrees(x), math.degrees(y)) for x, y in zip(longitude.tolist(), latitude.tolist(), strict=True)]


def _array(p: Position) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([p.latitude_rad]), np.array([p.longitude_rad]), np.array([p.height_ellipsoid_m])


def condition(feeds: Sequence[FeedHealth], more: Sequence[str] = ()) -> tuple[int, tuple[str, ...]]:
    """How the node is (StatusReport.System), and why it is not better: a warning while a feed is quiet or lost, an
    error while all are. `more` are further remarks, which make nothing worse."""
    bad = [f for f in feeds if f.quiet or f.link.startswith("lost")]
    system = StatusReport.SYSTEM_WARNING if bad else StatusReport.SYSTEM_OK
    if bad and len(bad) == len(feeds):
        system = StatusReport.SYSTEM_ERROR
    whys = [f"feed {f.feed}: {f.link if f.link.startswith('lost') else 'quiet'}"[:REASON_MAX] for f in bad]
    return system, (*whys, *more)


def status(
    us: Us, at_ns: int, now: tuple[int, tuple[str, ...]], before: tuple[int, tuple[str, ...]] | None
) -> SapientMessage:
    """A status report of a condition; it is new unless it is the same as `before`."""
    out = message(us.node_id, at_ns)
    told = out.status_report
    told.report_id = ulid(at_ns, f"{us.node_id} status {at_ns}")
    told.system, whys = now[0], now[1]  # type: ignore[assignment]
    told.info = StatusReport.INFO_UNCHANGED if now == before else StatusReport.INFO_NEW
    told.mode = MODE
    o = us.site.origin
    told.node_location.coordinate_system, told.node_location.datum = DEGREES, ELLIPSOID
    told.node_location.x, told.node_location.y = math.degrees(o.longitude_rad), math.degrees(o.latitude_rad)
    told.node_location.z = o.height_ellipsoid_m
    for why in whys:
        kind, level = StatusReport.STATUS_TYPE_OTHER, StatusReport.STATUS_LEVEL_INFORMATION_STATUS
        if why.startswith("feed "):
            kind, level = StatusReport.STATUS_TYPE_EXTERNAL_FAULT, StatusReport.STATUS_LEVEL_WARNING_STATUS
        told.status.add(status_type=kind, status_level=level, status_value=why)
    return out


def goodbye(us: Us, at_ns: int) -> SapientMessage:
    """The last status report."""
    return status(us, at_ns, (StatusReport.SYSTEM_GOODBYE, ()), None)


def task_answer(us: Us, task: SapientMessage, at_ns: int) -> tuple[SapientMessage, str]:
    """The TaskAck for a parent's task, and which request is to be fulfilled ("" = none)."""
    told = task.task
    wanted = told.command.request.strip().capitalize() if told.command.WhichOneof("command") == "request" else ""
    taken = wanted in REQUESTS and not told.region
    out = message(us.node_id, at_ns)
    if task.node_id:
        out.destination_id = task.node_id[:64]
    out.task_ack.task_id = told.task_id[:64]
    out.task_ack.task_status = TaskAck.TASK_STATUS_COMPLETED if taken else TaskAck.TASK_STATUS_REJECTED
    if not taken:
        out.task_ack.reason.append(NO_TASKS)
    return out, wanted if taken else ""
