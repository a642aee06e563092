"""A picture to Cursor on Target events (TAK): tracks, claims, sensors, alarms, and deletes. Pure: the caller sends.

Affiliation is never worked out by a machine: tracks and claims are `u` (unknown), our own sensors `f`. Operator places
are not sent: they are personal data. Heights are metres above the ellipsoid, ce and le one standard deviation (95
percent would be about twice that), unknown = 9999999. Conventions: the reference notes on Cursor on Target.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.etree import ElementTree as Xml

import numpy as np

from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import Alarms, AlarmState, Claims, Picture, Site, Source, Tracks, TrackStatus

UNKNOWN = "9999999.0"
TRACK_TYPE, SHIP_TYPE, AIRCRAFT_TYPE, DRONE_TYPE = "a-u-A", "a-u-S", "a-u-A-C", "a-u-A-M-H-Q"
SENSOR_TYPE, ALARM_TYPE, DELETE_TYPE = "a-f-G-E-S", "b-m-p-s-m", "t-x-d-d"
TYPES = frozenset((TRACK_TYPE, SHIP_TYPE, AIRCRAFT_TYPE, DRONE_TYPE, SENSOR_TYPE, ALARM_TYPE, DELETE_TYPE))
STALE_S, SENSOR_STALE_S, ALARM_STALE_S = 15.0, 120.0, 60.0
HEIGHT_SIGMA_M_MAX = 500.0  # vaguer heights are not told


def events(picture: Picture, site: Site) -> list[bytes]:
    """One event per confirmed or coasting track, placed claim, standing alarm and sensor, as of the picture's time."""
    place = (site.origin.latitude_rad, site.origin.longitude_rad, site.origin.height_ellipsoid_m)
    out = [*_tracks(picture.tracks, place), *_claims(picture.claims, place), *_alarms(picture.alarms, place, site)]
    for sensor in site.sensors:
        p = sensor.position
        point = (np.degrees(p.latitude_rad), np.degrees(p.longitude_rad), p.height_ellipsoid_m)
        event = _event(f"sensor.{sensor.sensor}", SENSOR_TYPE, picture.time_ns, SENSOR_STALE_S, point)
        _detail(event, sensor.sensor, "")
        out.append(event)
    return [_bytes(event, site) for event in out]


def deletes(before: Picture, after: Picture, site: Site) -> list[bytes]:
    """Deletes for what `before` showed and `after` no longer does."""
    gone = sorted(_uids(before) - _uids(after))
    out = []
    for uid in gone:
        event = _event(f"delete.{uid}", DELETE_TYPE, after.time_ns, STALE_S, (0.0, 0.0, None))
        detail = Xml.SubElement(event, "detail")
        Xml.SubElement(detail, "link", uid=_full(uid, site), relation="p-p", type="none")
        Xml.SubElement(detail, "__forcedelete")
        out.append(_bytes(event, site))
    return out


def _uids(picture: Picture) -> set[str]:
    tracks, claims, alarms = picture.tracks, picture.claims, picture.alarms
    shown = tracks.track_id[tracks.status != TrackStatus.TENTATIVE]
    placed = claims.has_position > 0
    pairs = zip(claims.source[placed].tolist(), claims.address[placed].tolist(), strict=True)
    standing = alarms.alarm_id[alarms.state != AlarmState.CLEARED]
    named = [f"track.{i}" for i in shown.tolist()] + [f"alarm.{i}" for i in standing.tolist()]
    return {*named, *(f"claim.{source}.{address:X}" for source, address in pairs)}


def _time(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9 // 10**6:03d}Z"


def _event(
    uid: str,
    kind: str,
    time_ns: int,
    stale_s: float,
    point: tuple[float, float, float | None],
    errors_m: tuple[float, float] | None = None,
) -> Xml.Element:
    """An event with its point (degrees, metres or None for an unknown height)."""
    assert kind in TYPES
    event = Xml.Element("event", version="2.0", uid=uid, type=kind, how="m-f", time=_time(time_ns))
    event.set("start", _time(time_ns))
    event.set("stale", _time(time_ns + int(stale_s * 1e9)))
    ce, le = (f"{e:.1f}" for e in errors_m) if errors_m else (UNKNOWN, UNKNOWN)
    hae = UNKNOWN if point[2] is None else f"{point[2]:.1f}"
    attributes = {"lat": f"{point[0]:.7f}", "lon": f"{point[1]:.7f}", "hae": hae, "ce": ce}
    Xml.SubElement(event, "point", {**attributes, "le": UNKNOWN if point[2] is None else le})
    return event


def _detail(event: Xml.Element, callsign: str, remarks: str) -> Xml.Element:
    detail = Xml.SubElement(event, "detail")
    Xml.SubElement(detail, "contact", callsign=_printable(callsign))
    if remarks:
        Xml.SubElement(detail, "remarks").text = _printable(remarks)
    return detail


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:200]


def _full(uid: str, site: Site) -> str:
    return f"lapwing.{_printable(site.name)}.{uid}"


def _bytes(event: Xml.Element, site: Site) -> bytes:
    event.set("uid", _full(str(event.get("uid")), site))
    return bytes(Xml.tostring(event, encoding="utf-8", xml_declaration=True))


def _moving(
    rows: Tracks | Claims, chosen: np.ndarray, place: tuple[float, float, float]
) -> Iterable[tuple[int, tuple[float, float, float | None], tuple[float, float], float, float]]:
    """(row, point, errors, course in degrees, speed) of the chosen rows."""
    at = np.flatnonzero(chosen)
    latitude, longitude, height = enu_to_geodetic(place, rows.mean[at, :3])
    spread = np.sqrt(np.linalg.eigvalsh(rows.cov[at, :2, :2])[:, 1]) if len(at) else np.zeros(0)
    for k, i in enumerate(at.tolist()):
        le = float(np.sqrt(rows.cov[i, 2, 2]))
        v = rows.mean[i, 3:5]
        known = float(height[k]) if le <= HEIGHT_SIGMA_M_MAX else None
        point = (float(np.degrees(latitude[k])), float(np.degrees(longitude[k])), known)
        yield i, point, (float(spread[k]), le), float(np.degrees(np.arctan2(*v)) % 360.0), float(np.hypot(*v))


def _tracks(tracks: Tracks, place: tuple[float, float, float]) -> Iterable[Xml.Element]:
    for i, point, errors, course, speed in _moving(tracks, tracks.status != TrackStatus.TENTATIVE, place):
        ident = int(tracks.track_id[i])
        event = _event(f"track.{ident}", TRACK_TYPE, tracks.time_ns, STALE_S, point, errors)
        state = TrackStatus(int(tracks.status[i])).name.lower()
        detail = _detail(event, f"T{ident}", f"{state}, existence {tracks.existence[i]:.2f}")
        Xml.SubElement(detail, "track", course=f"{course:.1f}", speed=f"{speed:.1f}")
        yield event


def _claims(claims: Claims, place: tuple[float, float, float]) -> Iterable[Xml.Element]:
    for i, point, errors, course, speed in _moving(claims, claims.has_position > 0, place):
        source, address = Source(int(claims.source[i])), int(claims.address[i])
        kind = AIRCRAFT_TYPE
        if source in (Source.AIS, Source.AIS_OTHER):
            kind = SHIP_TYPE
        elif source == Source.REMOTE_ID:
            kind = DRONE_TYPE
        event = _event(f"claim.{source.value}.{address:X}", kind, claims.time_ns, STALE_S, point, errors)
        detail = _detail(event, claims.names[i] or f"{address:X}", f"says so itself ({source.name})")
        Xml.SubElement(detail, "track", course=f"{course:.1f}", speed=f"{speed:.1f}")
        yield event


def _alarms(alarms: Alarms, place: tuple[float, float, float], site: Site) -> Iterable[Xml.Element]:
    for i in np.flatnonzero(alarms.state != AlarmState.CLEARED).tolist():
        where = np.array([[alarms.east_m[i], alarms.north_m[i], 0.0]])
        latitude, longitude, _ = (np.degrees(v[0]) for v in enu_to_geodetic(place, where))
        ident = int(alarms.alarm_id[i])
        at_ns = int(alarms.updated_ns[i])
        event = _event(f"alarm.{ident}", ALARM_TYPE, at_ns, ALARM_STALE_S, (float(latitude), float(longitude), None))
        _detail(event, f"{site.name}: {alarms.rule[i]}", alarms.reason[i])
        yield event
