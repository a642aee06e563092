"""A picture to SAPIENT messages (BSI Flex 335 v2.0) of a fusion node: registration, health, fused tracks, alerts. Pure.

What a track probably is, is told; what it wants, never: no behaviour, no affiliation. Places are longitude and latitude
in degrees with heights above the WGS 84 ellipsoid, errors one standard deviation, velocities east, north, up at the
target in m/s. Taxonomy: the core types of the standard's Table 96, as in the reference notes. Ids are stable ULIDs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sapient_msg.bsi_flex_335_v2_0 import location_pb2, velocity_pb2
from sapient_msg.bsi_flex_335_v2_0.alert_pb2 import Alert
from sapient_msg.bsi_flex_335_v2_0.detection_report_pb2 import DetectionReport
from sapient_msg.bsi_flex_335_v2_0.sapient_message_pb2 import SapientMessage

from lapwing.decode.sapient_wire import cut, parse, time_ns
from lapwing.decode.ulid import ulid
from lapwing.kernel.geodesy import enu_axes, enu_to_geodetic
from lapwing.records import (
    CAUSES,
    NO_TRACK,
    AlarmState,
    Kind,
    Picture,
    Position,
    Priority,
    Subject,
    Tracks,
    TrackStatus,
)

DEGREES = location_pb2.LOCATION_COORDINATE_SYSTEM_LAT_LNG_DEG_M
ELLIPSOID = location_pb2.LOCATION_DATUM_WGS84_E
METRES_PER_SECOND = velocity_pb2.SPEED_UNITS_MS
EARTH_M = 6_371_000.0
HEIGHT_SIGMA_M_MAX = 500.0  # vaguer heights are not told: a missing z means unknown
CLAIMED = "claimed identity"  # a claim that agrees with the track says so itself
LINKS_MAX = 8  # reports of sensors that one of ours says to derive from
SHARE_MIN = 0.005  # less probable types are left out of a classification
TAXONOMY = {  # kind -> type, sub-class
    Kind.MULTIROTOR: ("Air vehicle", "UAV rotary wing"),
    Kind.FIXED_WING_DRONE: ("Air vehicle", "UAV fixed wing"),
    Kind.AIRCRAFT: ("Air vehicle", "Manned fixed wing"),
    Kind.HELICOPTER: ("Air vehicle", "Manned rotary wing"),
    Kind.BIRD: ("Animal", "Bird"),
    Kind.SHIP: ("Sea vessel", ""),
    Kind.GROUND: ("Land vehicle", ""),
    Kind.UNKNOWN: ("Other", ""),
}
URGENCY = {
    Priority.CRITICAL: (Alert.ALERT_TYPE_CRITICAL, Alert.DISCRETE_PRIORITY_HIGH),
    Priority.HIGH: (Alert.ALERT_TYPE_WARNING, Alert.DISCRETE_PRIORITY_HIGH),
    Priority.MEDIUM: (Alert.ALERT_TYPE_WARNING, Alert.DISCRETE_PRIORITY_MEDIUM),
    Priority.LOW: (Alert.ALERT_TYPE_INFORMATION, Alert.DISCRETE_PRIORITY_LOW),
}


@dataclass(frozen=True, slots=True)
class Source:
    """The sensor's own report behind a track: what it derives from."""

    time_ns: int
    node_id: str
    object_id: str


def message(node_id: str, at_ns: int) -> SapientMessage:
    """An empty message of ours about `at_ns`."""
    out = SapientMessage(node_id=node_id)
    out.timestamp.seconds, out.timestamp.nanos = divmod(at_ns, 10**9)
    return out


def object_id(node_id: str, tracks: Tracks, i: int) -> str:
    """The name of track row `i`: it is the same as long as the track lives, also after a restart."""
    born = int(tracks.born_ns[i])
    return ulid(born, f"{node_id} track {int(tracks.track_id[i])} {born}")


def alert_id(node_id: str, raised_ns: int, alarm_id: int) -> str:
    """The name of an alarm."""
    return ulid(raised_ns, f"{node_id} alarm {alarm_id} {raised_ns}")


def importance(picture: Picture, told_ns: Mapping[int, int]) -> list[int]:
    """Rows of the confirmed and coasting tracks: those that an alarm is about first, the most urgent of them foremost;
    then those that were told longest ago (`told_ns` by track_id), then the surest."""
    tracks, alarms = picture.tracks, picture.alarms
    urgent: dict[int, int] = {}
    about = (alarms.state != AlarmState.CLEARED) & (alarms.subject == Subject.TRACK)
    for i in np.flatnonzero(about).tolist():
        ident = int(alarms.subject_id[i])
        urgent[ident] = min(urgent.get(ident, len(Priority)), int(alarms.priority[i]))

    def rank(i: int) -> tuple[int, int, float, int]:
        ident = int(tracks.track_id[i])
        return urgent.get(ident, len(Priority)), told_ns.get(ident, 0), -float(tracks.existence[i]), ident

    return sorted(np.flatnonzero(tracks.status != TrackStatus.TENTATIVE).tolist(), key=rank)


def detections(
    picture: Picture, origin: Position, node_id: str, rows: Sequence[int], sources: Mapping[int, Sequence[Source]]
) -> list[SapientMessage]:
    """One report per track row, all with the picture's time; `sources` by track_id, where they are
    known, the newest first."""
    place = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    tracks = picture.tracks
    shares = {int(t): picture.classes.probability[i] for i, t in enumerate(picture.classes.track_id)}
    says = {int(t): _claimed(picture, i) for i, t in enumerate(picture.integrity.track_id) if t != NO_TRACK}
    where = np.stack(enu_to_geodetic(place, tracks.mean[list(rows), :3]), axis=1)
    site_axes = enu_axes(*place[:2])
    out = []
    for k, i in enumerate(rows):
        ident = int(tracks.track_id[i])
        one = message(node_id, picture.time_ns)
        told = one.detection_report
        told.report_id = ulid(picture.time_ns, f"{node_id} report {ident} {picture.time_ns}")
        told.object_id = object_id(node_id, tracks, i)
        told.state = TrackStatus(int(tracks.status[i])).name.lower()
        told.detection_confidence = float(tracks.existence[i])
        _place(told.location, where[k], np.sqrt(np.diagonal(tracks.cov[i])[:3]))
        turn = enu_axes(float(where[k, 0]), float(where[k, 1])) @ site_axes.T
        _velocity(told, turn @ tracks.mean[i, 3:], np.sqrt(np.diagonal(tracks.cov[i])[3:]))
        if ident in shares:
            _classify(told, shares[ident])
        if ident in says:
            told.object_info.add(type=CLAIMED, value=says[ident])
        for source in sources.get(ident, ())[:LINKS_MAX]:
            link = told.derived_detection.add(node_id=source.node_id, object_id=source.object_id)
            link.timestamp.seconds, link.timestamp.nanos = divmod(source.time_ns, 10**9)
        out.append(one)
    return out


def _claimed(picture: Picture, i: int) -> str:
    """Who claim row `i` says to be: its name, else its address."""
    return picture.claims.names[i][:64] or f"{int(picture.claims.address[i]):X}"


def emitters(picture: Picture, origin: Position, node_id: str) -> list[SapientMessage]:
    """One report per place that explains a region of GNSS interference: what emits there, and how surely."""
    place = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    found, regions, out = picture.integrity.sources, picture.integrity.interference, []
    where = enu_to_geodetic(place, np.stack([found.east_m, found.north_m, np.zeros(len(found))], axis=1))
    for i in np.flatnonzero(found.unique).tolist():
        region = int(found.region_id[i])
        rows = np.flatnonzero(regions.region_id == region)
        if len(rows) == 0:
            continue
        since, causes = int(regions.since_ns[rows[0]]), dict(zip(CAUSES, regions.causes[rows[0]].tolist(), strict=True))
        nth = int((found.region_id[:i] == region).sum())
        one = message(node_id, picture.time_ns)
        told = one.detection_report
        told.report_id = ulid(picture.time_ns, f"{node_id} emitter report {region} {nth} {picture.time_ns}")
        told.object_id = ulid(since, f"{node_id} emitter {region} {nth} {since}")
        jams = causes["jamming"] + causes["both"]
        told.detection_confidence = min(jams + causes["spoofing"], 1.0)
        at = np.array([where[0][i], where[1][i], 0.0])
        _place(told.location, at, np.array([found.sigma_m[i], found.sigma_m[i], np.inf]))
        entry = told.classification.add(type="EM transmitter", confidence=1.0)
        entry.sub_class.add(type="RF jammer", confidence=min(jams, 1.0), level=1)
        out.append(one)
    return out


def _place(told: location_pb2.Location, where: np.ndarray, sigma_m: np.ndarray) -> None:
    """Latitude, longitude in radians, height, and their standard deviations east, north, up in metres."""
    told.coordinate_system, told.datum = DEGREES, ELLIPSOID
    told.x, told.y = float(np.degrees(where[1])), float(np.degrees(where[0]))
    per_degree_m = EARTH_M * np.pi / 180.0
    told.x_error = float(sigma_m[0] / (per_degree_m * max(np.cos(where[0]), 1e-3)))
    told.y_error = float(sigma_m[1] / per_degree_m)
    if sigma_m[2] <= HEIGHT_SIGMA_M_MAX:
        told.z, told.z_error = float(where[2]), float(sigma_m[2])


def _velocity(told: DetectionReport, mps: np.ndarray, sigma_mps: np.ndarray) -> None:
    v = told.enu_velocity
    v.east_rate, v.north_rate, v.up_rate = (float(x) for x in mps)
    v.east_rate_error, v.north_rate_error, v.up_rate_error = (float(x) for x in sigma_mps)


def _classify(told: DetectionReport, shares: np.ndarray) -> None:
    """Types with their probabilities, sub-classes with theirs (not conditional: they add up to their type's)."""
    tops: dict[str, list[tuple[str, float]]] = {}
    for kind, (top, sub) in TAXONOMY.items():
        tops.setdefault(top, []).append((sub, float(shares[kind])))
    for top, subs in sorted(tops.items(), key=lambda item: -sum(p for _, p in item[1])):
        share = sum(p for _, p in subs)
        if share < SHARE_MIN:
            continue
        entry = told.classification.add(type=top, confidence=share)
        for sub, p in subs:
            if sub and p >= SHARE_MIN:
                entry.sub_class.add(type=sub, confidence=p, level=1)


def alert(picture: Picture, origin: Position, node_id: str, i: int) -> SapientMessage:
    """Alarm row `i` as it stands, or as cleared."""
    alarms, tracks = picture.alarms, picture.tracks
    place = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    out = message(node_id, picture.time_ns)
    told = out.alert
    told.alert_id = alert_id(node_id, int(alarms.raised_ns[i]), int(alarms.alarm_id[i]))
    told.alert_type, told.priority = URGENCY[Priority(int(alarms.priority[i]))]
    over = alarms.state[i] == AlarmState.CLEARED
    told.status = Alert.ALERT_STATUS_CLEAR if over else Alert.ALERT_STATUS_ACTIVE
    zone = f" ({alarms.zone[i]})" if alarms.zone[i] else ""
    told.description = f"{alarms.rule[i]}{zone}: {alarms.reason[i]}"[:1000]
    if alarms.subject[i] in (Subject.TRACK, Subject.CLAIM, Subject.REGION, Subject.ZONE, Subject.NODE):
        flat = enu_to_geodetic(place, np.array([[alarms.east_m[i], alarms.north_m[i], 0.0]]))
        told.location.coordinate_system, told.location.datum = DEGREES, ELLIPSOID
        told.location.x, told.location.y = float(np.degrees(flat[1][0])), float(np.degrees(flat[0][0]))
    if alarms.subject[i] == Subject.TRACK:
        for row in np.flatnonzero(tracks.track_id == alarms.subject_id[i]).tolist():
            told.confidence = float(tracks.existence[row])
            link = told.associated_detection.add(node_id=node_id, object_id=object_id(node_id, tracks, row))
            link.timestamp.CopyFrom(out.timestamp)
    return out


def cleared(node_id: str, raised_ns: int, alarm_id: int, at_ns: int) -> SapientMessage:
    """That an alarm which the picture no longer holds is over."""
    out = message(node_id, at_ns)
    out.alert.alert_id, out.alert.status = alert_id(node_id, raised_ns, alarm_id), Alert.ALERT_STATUS_CLEAR
    out.alert.description = "cleared some time ago"
    return out


def source_in(data: bytes) -> Source | None:
    """The sensor's report in a journaled frame of a SAPIENT feed; None where it holds none with an object_id."""
    for raw in reversed(cut(data)[0]):
        told, _ = parse(raw)
        if told is not None and told.HasField("detection_report") and told.detection_report.object_id:
            return Source(time_ns(told), told.node_id[:64], told.detection_report.object_id[:64])
    return None
