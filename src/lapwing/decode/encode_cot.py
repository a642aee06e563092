"""A picture to Cursor on Target events (TAK): tracks, claims, sensors, alarms, regions, zones, deletes. Pure.

Affiliation is never worked out by a machine: tracks and claims are `u` (unknown), our own sensors `f`. Operator places
are not sent: they are personal data. Heights are metres above the ellipsoid, ce and le one standard deviation (95
percent would be about twice that), unknown = 9999999. Conventions: the reference notes on Cursor on Target.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from xml.etree import ElementTree as Xml

import numpy as np

from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import (
    Alarms,
    AlarmState,
    Circle,
    Claims,
    Interference,
    Picture,
    Position,
    Site,
    Source,
    Tracks,
    TrackStatus,
)

UNKNOWN = "9999999.0"
TRACK_TYPE, SHIP_TYPE, AIRCRAFT_TYPE, DRONE_TYPE = "a-u-A", "a-u-S", "a-u-A-C", "a-u-A-M-H-Q"
SENSOR_TYPE, ALARM_TYPE, DELETE_TYPE = "a-f-G-E-S", "b-m-p-s-m", "t-x-d-d"
CIRCLE_TYPE, SHAPE_TYPE = "u-d-c-c", "u-d-f"
TYPES = frozenset((TRACK_TYPE, SHIP_TYPE, AIRCRAFT_TYPE, DRONE_TYPE, SENSOR_TYPE, ALARM_TYPE, DELETE_TYPE))
TYPES |= {CIRCLE_TYPE, SHAPE_TYPE}
WHAT = frozenset(("tracks", "claims", "alarms", "regions", "sensors", "zones"))
STALE_S, STANDING_STALE_S, ALARM_STALE_S = 15.0, 180.0, 60.0
HEIGHT_SIGMA_M_MAX = 500.0  # vaguer heights are not told
Place = tuple[float, float, float]


def events(picture: Picture, site: Site, what: frozenset[str] = WHAT) -> list[bytes]:
    """One event per confirmed or coasting track, placed claim, standing alarm, region, sensor and zone, as far as in
    `what`, as of the picture's time."""
    place = (site.origin.latitude_rad, site.origin.longitude_rad, site.origin.height_ellipsoid_m)
    made: dict[str, Callable[[], Iterable[Xml.Element]]] = {
        "tracks": lambda: _tracks(picture.tracks, place),
        "claims": lambda: _claims(picture.claims, place),
        "alarms": lambda: _alarms(picture, place, site),
        "regions": lambda: _regions(picture, place),
        "sensors": lambda: _sensors(picture, site),
        "zones": lambda: _zones(picture, site),
    }
    return [_bytes(event, site) for name, make in made.items() if name in what for event in make()]


def deletes(before: Picture, after: Picture, site: Site, what: frozenset[str] = WHAT) -> list[bytes]:
    """Deletes for what `before` showed and `after` no longer does."""
    gone = sorted(_uids(before, what) - _uids(after, what))
    out = []
    for uid in gone:
        event = _event(f"delete.{uid}", DELETE_TYPE, after.time_ns, STALE_S, (0.0, 0.0, None))
        detail = Xml.SubElement(event, "detail")
        Xml.SubElement(detail, "link", uid=_full(uid, site), relation="p-p", type="none")
        Xml.SubElement(detail, "__forcedelete")
        out.append(_bytes(event, site))
    return out


def _uids(picture: Picture, what: frozenset[str]) -> set[str]:
    tracks, claims, alarms = picture.tracks, picture.claims, picture.alarms
    shown = tracks.track_id[tracks.status != TrackStatus.TENTATIVE]
    placed = claims.has_position > 0
    pairs = zip(claims.source[placed].tolist(), claims.address[placed].tolist(), strict=True)
    standing = alarms.alarm_id[alarms.state != AlarmState.CLEARED]
    named = {
        "tracks": [f"track.{i}" for i in shown.tolist()],
        "alarms": [f"alarm.{i}" for i in standing.tolist()],
        "claims": [f"claim.{source}.{address:X}" for source, address in pairs],
        "regions": [f"region.{i}" for i in picture.integrity.interference.region_id.tolist()],
    }
    return {uid for name, uids in named.items() if name in what for uid in uids}


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


def _tracks(tracks: Tracks, place: Place) -> Iterable[Xml.Element]:
    for i, point, errors, course, speed in _moving(tracks, tracks.status != TrackStatus.TENTATIVE, place):
        ident = int(tracks.track_id[i])
        event = _event(f"track.{ident}", TRACK_TYPE, tracks.time_ns, STALE_S, point, errors)
        state = TrackStatus(int(tracks.status[i])).name.lower()
        detail = _detail(event, f"T{ident}", f"{state}, existence {tracks.existence[i]:.2f}")
        Xml.SubElement(detail, "track", course=f"{course:.1f}", speed=f"{speed:.1f}")
        yield event


def _claims(claims: Claims, place: Place) -> Iterable[Xml.Element]:
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


def _flat(place: Place, east_m: float, north_m: float) -> tuple[float, float, None]:
    """Degrees of a point of the site's frame; its height is unknown."""
    latitude, longitude, _ = (np.degrees(v[0]) for v in enu_to_geodetic(place, np.array([[east_m, north_m, 0.0]])))
    return float(latitude), float(longitude), None


def _alarms(picture: Picture, place: Place, site: Site) -> Iterable[Xml.Element]:
    alarms: Alarms = picture.alarms
    for i in np.flatnonzero(alarms.state != AlarmState.CLEARED).tolist():
        point = _flat(place, float(alarms.east_m[i]), float(alarms.north_m[i]))
        event = _event(f"alarm.{int(alarms.alarm_id[i])}", ALARM_TYPE, picture.time_ns, ALARM_STALE_S, point)
        _detail(event, f"{site.name}: {alarms.rule[i]}", alarms.reason[i])
        yield event


def _regions(picture: Picture, place: Place) -> Iterable[Xml.Element]:
    regions: Interference = picture.integrity.interference
    for i in range(len(regions)):
        point = _flat(place, float(regions.east_m[i]), float(regions.north_m[i]))
        event = _event(f"region.{int(regions.region_id[i])}", CIRCLE_TYPE, picture.time_ns, ALARM_STALE_S, point)
        told = f"{int(regions.affected[i])} of {int(regions.exposed[i])} lost or degraded; not the emitter's place"
        detail = _detail(event, f"GNSS interference {int(regions.region_id[i])}", told)
        _ellipse(detail, float(regions.radius_m[i]))
        yield event


def _ellipse(detail: Xml.Element, radius_m: float) -> None:
    shape, radius = Xml.SubElement(detail, "shape"), f"{radius_m:.1f}"
    Xml.SubElement(shape, "ellipse", major=radius, minor=radius, angle="360")


def _degrees(p: Position) -> tuple[float, float, float]:
    return float(np.degrees(p.latitude_rad)), float(np.degrees(p.longitude_rad)), p.height_ellipsoid_m


def _sensors(picture: Picture, site: Site) -> Iterable[Xml.Element]:
    for s in site.sensors:
        where = _degrees(s.position)
        event = _event(f"sensor.{s.sensor}", SENSOR_TYPE, picture.time_ns, STANDING_STALE_S, where)
        _detail(event, s.sensor, "")
        yield event


def _zones(picture: Picture, site: Site) -> Iterable[Xml.Element]:
    for zone in site.zones:
        heights = f"{zone.height_m_min:.0f} to {zone.height_m_max:.0f} m above the ellipsoid"
        if isinstance(zone.shape, Circle):
            centre = _degrees(zone.shape.centre)[:2]
            event = _event(f"zone.{zone.name}", CIRCLE_TYPE, picture.time_ns, STANDING_STALE_S, (*centre, None))
            _ellipse(_detail(event, zone.name, heights), zone.shape.radius_m)
        else:
            corners = [_degrees(v)[:2] for v in zone.shape.vertices]
            centre = (float(np.mean([c[0] for c in corners])), float(np.mean([c[1] for c in corners])))
            event = _event(f"zone.{zone.name}", SHAPE_TYPE, picture.time_ns, STANDING_STALE_S, (*centre, None))
            detail = _detail(event, zone.name, heights)
            for latitude_deg, longitude_deg in [*corners, corners[0]]:
                Xml.SubElement(detail, "link", point=f"{latitude_deg:.7f},{longitude_deg:.7f}")
        yield event
