"""A picture to events of OCSF 1.5, class 8001 Drone Flights Activity, for security information systems (SIEM). Pure.

One event per track that is most probably a drone, and one per Remote ID claim with a place: somebody's own word. The
severity is that of the standing alarm about it. Nothing says what anybody intends, nothing says who flies: the
operator, which the class requires, is always Unknown, and so is the country, which stands for the city, country, postal
code or region of which a location must have one.
Source: github.com/ocsf/ocsf-schema, events/unmanned_systems/drone_flights_activity.json and the objects that it names.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from lapwing.decode.encode_courageous import (
    HEIGHT_SIGMA_M_MAX,
    SURE,
    classification,
    identification,
    probabilities,
    turned,
)
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import (
    NO_TRACK,
    AlarmState,
    Array,
    Field,
    Kind,
    Picture,
    Priority,
    Site,
    Source,
    Subject,
    TrackStatus,
)

VERSION = "1.5.0"
CATEGORY_UID, CLASS_UID = 8, 8001
CAPTURE, RECORD = (1, "Capture"), (2, "Record")  # activities: what Remote ID says; what we track
SEVERITIES = {
    None: (1, "Informational"),
    Priority.LOW: (2, "Low"),
    Priority.MEDIUM: (3, "Medium"),
    Priority.HIGH: (4, "High"),
    Priority.CRITICAL: (5, "Critical"),
}
UNDECLARED, GROUND, AIRBORNE, EMERGENCY = (1, "Undeclared"), (2, "Ground"), (3, "Airborne"), (4, "Emergency")
TYPES = (
    "Unknown/Undeclared", "Airplane", "Helicopter", "Gyroplane", "Hybrid Lift", "Ornithopter", "Glider", "Kite",
    "Free Balloon", "Captive Balloon", "Airship", "Free Fall/Parachute", "Rocket", "Tethered Powered Aircraft",
    "Ground Obstacle",
)  # fmt: skip
AIRPLANE, HELICOPTER, OTHER = 1, 2, 99  # the schema counts multirotors as helicopters
UA_TYPE_OTHER = 15  # ASTM F3411: the same numbers, but for "other"
UNKNOWN_COUNTRY = "ZZ"  # of ISO 3166-1 for users; Unknown Region in the Unicode CLDR
SPEED_MPS_MIN = 0.25  # the schema's resolution: below, a direction means nothing
Json = dict[str, Any]
Told = tuple[Priority, str]  # of an alarm: its priority, its rule and zone


def drones(picture: Picture, site: Site, software: str) -> Iterator[Json]:
    """An event of each confirmed or coasting track that is most probably a drone, at the picture's time."""
    tracks, alarms = picture.tracks, _alarms(picture, Subject.TRACK)
    for i in np.flatnonzero(tracks.status != TrackStatus.TENTATIVE).tolist():
        p = probabilities(picture, i)
        if classification(p) != "UAV":
            continue
        track_id = int(tracks.track_id[i])
        name = f"track {track_id}"
        system: Json = {"name": name, "uid": name, **_type(_type_of(p))}
        system |= _moving(tracks.mean[i], float(tracks.cov[i, 2, 2]), site)
        event = _event(RECORD, picture.time_ns, alarms.get(track_id), site, software)
        event["metadata"]["correlation_uid"] = name
        event["message"] = _message(f"{name}: {identification(p)}", alarms.get(track_id))
        yield event | {"unmanned_aerial_system": system}


def remote_ids(picture: Picture, site: Site, software: str) -> Iterator[tuple[int, Json]]:
    """(address, event) of each Remote ID claim with a place, at the time of that place."""
    claims, alarms = picture.claims, _alarms(picture, Subject.CLAIM)
    for i in np.flatnonzero((claims.source == Source.REMOTE_ID) & (claims.has_position > 0)).tolist():
        address, track_id = int(claims.address[i]), int(picture.integrity.track_id[i])
        kind, kind_ns = (column[i] for column in claims.said(Field.UA_TYPE))
        system: Json = {"uid": claims.names[i] or f"{address:X}", **_type(_type_said(float(kind)) if kind_ns else 0)}
        system |= _moving(claims.mean[i], float(claims.cov[i, 2, 2]), site)
        event = _event(CAPTURE, int(claims.position_ns[i]), alarms.get(address), site, software)
        if track_id != NO_TRACK:
            event["metadata"]["correlation_uid"] = f"track {track_id}"
        event["status_id"], event["status"] = _status(picture, i)
        event["message"] = _message("Remote ID: its own word", alarms.get(address))
        yield address, event | {"unmanned_aerial_system": system}


def withheld(event: Json, number: int) -> Json:
    """The event of a claim without what tells which drone it was."""
    return event | {"unmanned_aerial_system": event["unmanned_aerial_system"] | {"uid": f"withheld {number}"}}


def _event(activity: tuple[int, str], time_ns: int, alarm: Told | None, site: Site, software: str) -> Json:
    severity_id, severity = SEVERITIES[alarm[0] if alarm else None]
    return {
        "activity_id": activity[0],
        "activity_name": activity[1],
        "category_uid": CATEGORY_UID,
        "category_name": "Unmanned Systems",
        "class_uid": CLASS_UID,
        "class_name": "Drone Flights Activity",
        "type_uid": CLASS_UID * 100 + activity[0],
        "time": time_ns // 1_000_000,
        "severity_id": severity_id,
        "severity": severity,
        "metadata": {
            "version": VERSION,
            "product": {"name": "Lapwing", "vendor_name": "Lapwing", "version": software},
        },
        "dst_endpoint": {"name": site.name, "svc_name": "Lapwing"},
        "unmanned_system_operator": {"name": "Unknown", "type_id": 0, "type": "Unknown"},
    }


def _message(what: str, alarm: Told | None) -> str:
    return f"{what}; alarm: {alarm[1]}" if alarm else what


def _alarms(picture: Picture, subject: Subject) -> dict[int, Told]:
    """Per subject, the most urgent standing alarm: its priority, and its rule and zone. Its reason is not told: it may
    name somebody."""
    alarms, out = picture.alarms, dict[int, Told]()
    chosen = np.flatnonzero((alarms.subject == subject) & (alarms.state != AlarmState.CLEARED))
    for i in chosen.tolist():
        ident, priority = int(alarms.subject_id[i]), Priority(int(alarms.priority[i]))
        if ident not in out or priority < out[ident][0]:
            zone = f" in {alarms.zone[i]}" if alarms.zone[i] else ""
            out[ident] = (priority, f"{alarms.rule[i]}{zone}")
    return out


def _type(type_id: int) -> Json:
    return {"type_id": type_id, "type": TYPES[type_id] if type_id < len(TYPES) else "Other"}


def _type_of(p: Array) -> int:
    if p[Kind.MULTIROTOR] >= SURE:
        return HELICOPTER
    return AIRPLANE if p[Kind.FIXED_WING_DRONE] >= SURE else 0


def _type_said(kind: float) -> int:
    if kind == UA_TYPE_OTHER:
        return OTHER
    return int(kind) if 0 <= kind < len(TYPES) else 0


def _status(picture: Picture, i: int) -> tuple[int, str]:
    """What the claim says of itself: an emergency, on the ground or not, or nothing."""
    (emergency, emergency_ns), (ground, ground_ns) = (
        (float(values[i]), int(times[i]))
        for values, times in (picture.claims.said(field) for field in (Field.EMERGENCY, Field.ON_GROUND))
    )
    if emergency_ns and emergency_ns >= ground_ns and emergency > 0:
        return EMERGENCY
    if not ground_ns:
        return UNDECLARED
    return GROUND if ground > 0 else AIRBORNE


def _moving(mean: Array, height_var_m2: float, site: Site) -> Json:
    """Location, speed and direction of a state (6,) in the site's frame: numbers as texts, as the schema has them."""
    o = site.origin
    origin = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
    latitude, longitude, height = (float(v[0]) for v in enu_to_geodetic(origin, mean[None, :3]))
    place: Json = {"lat": round(math.degrees(latitude), 7), "long": round(math.degrees(longitude), 7)}
    east, north, up = (float(v) for v in turned(mean[3:], o, latitude, longitude))
    speed = math.hypot(east, north)
    told: Json = {"location": place | {"country": UNKNOWN_COUNTRY}, "speed": f"{speed:.2f}"}
    if speed >= SPEED_MPS_MIN:
        told["track_direction"] = f"{math.degrees(math.atan2(east, north)) % 360.0:.1f}"
    if height_var_m2 <= HEIGHT_SIGMA_M_MAX**2:
        told["location"]["geodetic_altitude"] = f"{height:.1f}"
        told["vertical_speed"] = f"{up:.2f}"
    return told
