"""What travels as JSON: alarms, feeds, names, verdicts, regions, the site. Pure functions of a picture or a site.

Times are decimal strings of UTC nanoseconds (a JavaScript number would lose their end); angles are degrees.
Refuses NaN: an infinite or missing number becomes null.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from lapwing.records import (
    ANONYMOUS,
    CAUSES,
    Alarms,
    AlarmState,
    Array,
    Circle,
    Claims,
    Condition,
    FeedHealth,
    Field,
    Integrity,
    Interference,
    Picture,
    Position,
    Priority,
    Site,
    Source,
    Sources,
    Subject,
    Tracks,
    TrackStatus,
    Zone,
)
from lapwing.serve.wire import DEGREE, NOT_SAID, latitude_longitude_deg, place, said
from lapwing.serve.wire_sensors import sensors

Json = dict[str, Any]
FRAMES_LISTED_MAX = 50  # evidence numbers per alarm that travel; the record keeps them all
BYTES_SHOWN_MAX = 65_536


def dump(value: Any) -> str:
    """Compact JSON. Raises ValueError on a NaN, which would be our own bug."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def claim_key(source: int, address: int) -> str:
    """The name of a claim in JSON: address book (0 aircraft, 1 ships, 2 Remote ID) and the low 32 bits of the address.
    The source itself would not do: an aircraft that goes silent on ADS-B is still the same claim on Mode S."""
    book = 2 if source >= Source.REMOTE_ID else 1 if source >= Source.AIS else 0
    return f"{book}:{address & 0xFFFFFFFF}"


def word(kind: type, code: int) -> str:
    """An enum member's name in lower case, or the number itself when the enum does not know it."""
    try:
        return str(kind(code).name).lower()
    except ValueError:
        return str(code)


def kept_alarm(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row of the alarm history says of its alarm, but for its number and end."""
    return {
        "raised_ns": str(row["raised_ns"]),
        "priority": word(Priority, row["priority"]),
        "rule": row["rule"],
        "zone": row["zone"],
        "subject": word(Subject, row["subject"]),
        "subject_id": row["subject_id"],
        "latitude": round(row["latitude_deg"], 6),
        "longitude": round(row["longitude_deg"], 6),
        "reason": row["reason"],
    }


def alarms(record: Alarms, origin: Position) -> list[Json]:
    """One object per alarm, most urgent and newest first."""
    latitude, longitude = latitude_longitude_deg(origin, record.east_m, record.north_m)
    rows = sorted(range(len(record)), key=lambda i: (int(record.priority[i]), -int(record.raised_ns[i])))
    return [
        {
            "id": int(record.alarm_id[i]),
            "rule": record.rule[i],
            "zone": record.zone[i],
            "subject": word(Subject, int(record.subject[i])),
            "subject_id": int(record.subject_id[i]),
            "state": word(AlarmState, int(record.state[i])),
            "priority": word(Priority, int(record.priority[i])),
            "raised_ns": str(record.raised_ns[i]),
            "updated_ns": str(record.updated_ns[i]),
            "cleared_ns": str(record.cleared_ns[i]),
            "latitude": round(float(latitude[i]), 6),
            "longitude": round(float(longitude[i]), 6),
            "reason": record.reason[i],
            "frames": list(record.frame_seq[i][:FRAMES_LISTED_MAX]),
            "frames_total": len(record.frame_seq[i]),
        }
        for i in rows
    ]


def alarm_signature(record: Alarms) -> bytes:
    """Changes when an alarm appears, goes, or changes state or priority: then clients are told at once."""
    return record.alarm_id.tobytes() + record.state.tobytes() + record.priority.tobytes()


def feeds(record: tuple[FeedHealth, ...]) -> list[Json]:
    """One object per feed."""
    return [
        {
            "feed": f.feed,
            "frames": f.frames,
            "bytes": f.bytes_total,
            "messages": f.messages,
            "faults": f.faults,
            "received_ns": str(f.received_ns),
            "rate_hz": round(f.rate_hz, 2) if np.isfinite(f.rate_hz) else None,
            "delay_ms": None if f.delay_s is None else round(1e3 * f.delay_s, 1),
            "delay_ms_min": None if f.delay_s_min is None else round(1e3 * f.delay_s_min, 1),
            "quiet": f.quiet,
            "link": f.link,
            "last_fault": f.last_fault,
            "last_fault_seq": f.last_fault_seq,
            "last_fault_example": f.last_fault_example[:64].hex(),
        }
        for f in record
    ]


def names(claims: Claims) -> dict[str, str]:
    """Callsign or ship name of every claim that gave one."""
    keys = zip(claims.source.tolist(), claims.address.tolist(), claims.names, strict=True)
    return {claim_key(source, address): name for source, address, name in keys if name}


def reasons(claims: Claims, integrity: Integrity) -> dict[str, Json]:
    """Why each claim that is degraded, lost or inconsistent is so."""
    bad = np.isin(integrity.condition, (Condition.DEGRADED, Condition.LOST, Condition.INCONSISTENT))
    return {
        claim_key(int(claims.source[i]), int(claims.address[i])): {
            "reason": integrity.reason[i],
            "since_ns": str(integrity.since_ns[i]),
            "frame": int(integrity.frame_seq[i]),
        }
        for i in np.flatnonzero(bad)
    }


def regions(record: Interference, origin: Position) -> list[Json]:
    """One object per interference region."""
    latitude, longitude = latitude_longitude_deg(origin, record.east_m, record.north_m)
    return [
        {
            "id": int(record.region_id[i]),
            "since_ns": str(record.since_ns[i]),
            "updated_ns": str(record.updated_ns[i]),
            "latitude": round(float(latitude[i]), 5),
            "longitude": round(float(longitude[i]), 5),
            "radius_m": round(float(record.radius_m[i]), 1),
            "affected": int(record.affected[i]),
            "exposed": int(record.exposed[i]),
            "p_value": float(record.p_value[i]),
            "ships": int(record.ships[i]),
            "causes": {name: round(float(p), 4) for name, p in zip(CAUSES, record.causes[i], strict=True)},
        }
        for i in range(len(record))
    ]


def sources(record: Sources, origin: Position) -> list[Json]:
    """One object per likely source of interference, with the rings of its 50 and 90 % regions."""
    latitude, longitude = latitude_longitude_deg(origin, record.east_m, record.north_m)
    ring_lat, ring_lon = latitude_longitude_deg(origin, record.ring_east_m, record.ring_north_m)
    out = []
    for i in range(len(record)):
        rings = []
        for number in np.unique(record.ring_number[record.ring_row == i]):
            v = np.flatnonzero(record.ring_number == number)
            points = [[round(float(ring_lon[k]), 5), round(float(ring_lat[k]), 5)] for k in v]
            rings.append({"share": float(record.ring_share[v[0]]), "ring": points})
        out.append(
            {
                "region": int(record.region_id[i]),
                "updated_ns": str(record.updated_ns[i]),
                "unique": bool(record.unique[i]),
                "latitude": round(float(latitude[i]), 5),
                "longitude": round(float(longitude[i]), 5),
                "sigma_m": round(float(record.sigma_m[i]), 1),
                "power_dbm": round(float(record.power_dbm[i]), 1),
                "power_db_sigma": round(float(record.power_db_sigma[i]), 1),
                "beam_deg": round(float(np.degrees(record.width_rad[i])), 1),
                "bearing_deg": round(float(np.degrees(record.bearing_rad[i])), 1),
                "fit_p": float(record.fit_p[i]),
                "rings": rings,
            }
        )
    return out


def tracks(record: Tracks, origin: Position, existence_min: float) -> list[Json]:
    """One object per track that exists with at least this probability."""
    rows = np.flatnonzero(record.existence >= existence_min)
    where = place(origin, record.mean[rows], record.cov[rows])
    return _rows(
        {
            "track_id": record.track_id[rows],
            **_where(where),
            "existence": np.round(record.existence[rows], 4),
            "status": [word(TrackStatus, s) for s in record.status[rows].tolist()],
            "born_ns": record.born_ns[rows],
            "updated_ns": record.updated_ns[rows],
            "address": [None if a == ANONYMOUS else a for a in record.address[rows].tolist()],
            "frame_seq": record.frame_seq[rows],
        }
    )


def claims(record: Claims, integrity: Integrity, origin: Position) -> list[Json]:
    """One object per claim. Position fields are null for a claim that has not said where it is."""
    columns = _where(place(origin, record.mean, record.cov))
    silent = record.has_position == 0
    placed: Json = {
        name: [None if no else v for v, no in zip(values.tolist(), silent, strict=True)]
        for name, values in columns.items()
    }
    sources, addresses = record.source.tolist(), record.address.tolist()
    return _rows(
        {
            "key": [claim_key(s, a) for s, a in zip(sources, addresses, strict=True)],
            "source": [word(Source, s) for s in sources],
            "address": record.address,
            "name": record.names,
            **placed,
            "condition": [word(Condition, c) for c in integrity.condition.tolist()],
            "since_ns": integrity.since_ns,
            "reason": integrity.reason,
            "track_id": [None if t < 0 else t for t in integrity.track_id.tolist()],
            "nic": _said_or_none(said(record, Field.NIC)),
            "nac_p": _said_or_none(said(record, Field.NAC_P)),
            "doubt": record.doubt,
            "rejected": record.rejected,
            "position_ns": record.position_ns,
            "heard_ns": record.heard_ns,
            "frame_seq": record.frame_seq,
        }
    )


def site(record: Site) -> Json:
    """The site as GeoJSON features (origin, zones, sensors) with the list of feeds."""
    features = [_feature("Point", _point(record.origin), kind="origin", name=record.name)]
    features += [_zone(z) for z in record.zones]
    features += [
        _feature("Point", _point(s.position), kind="sensor", name=s.sensor, sensor=s.kind, range_m_max=s.range_m_max)
        for s in record.sensors
    ]
    features += [
        _feature("Point", _point(f.receiver), kind="receiver", name=f.feed) for f in record.feeds if f.receiver
    ]
    listed = [
        {"feed": f.feed, "decoder": f.decoder, "transport": f.transport, "sensor": f.sensor} for f in record.feeds
    ]
    return {"type": "FeatureCollection", "name": record.name, "features": features, "feeds": listed}


def frame(seq: int, feed: str, received_ns: int, data: bytes) -> Json:
    """A journal entry as hexadecimal and as printable text; only the first 64 KiB, and says so."""
    shown = data[:BYTES_SHOWN_MAX]
    return {
        "seq": seq,
        "feed": feed,
        "received_ns": str(received_ns),
        "bytes": len(data),
        "truncated": len(data) > len(shown),
        "hex": shown.hex(),
        "printable": "".join(chr(b) if 32 <= b < 127 else "." for b in shown),
    }


def history(columns: dict[str, Array]) -> Json:
    """Columns of history; nanoseconds as strings, what is not finite as null."""
    found: Json = {}
    for name, values in columns.items():
        listed = values.tolist()
        if name.endswith("_ns"):
            listed = [str(v) for v in listed]
        elif values.dtype.kind == "f":
            listed = [v if np.isfinite(v) else None for v in listed]
        found[name] = listed
    return found


def texts(picture: Picture, origin: Position) -> dict[str, str]:
    """The JSON messages of a picture by type, except `names`, which travels as differences."""
    verdicts = reasons(picture.claims, picture.integrity)
    return {
        "alarms": dump({"type": "alarms", "alarms": alarms(picture.alarms, origin)}),
        "feeds": dump({"type": "feeds", "time_ns": str(picture.time_ns), "feeds": feeds(picture.feeds)}),
        "sensors": dump({"type": "sensors", "sensors": sensors(picture.sensors)}),
        "reasons": dump({"type": "reasons", "reasons": verdicts}),
        "regions": dump(
            {
                "type": "regions",
                "regions": regions(picture.integrity.interference, origin),
                "sources": sources(picture.integrity.sources, origin),
            }
        ),
    }


def names_difference(before: dict[str, str], after: dict[str, str]) -> str | None:
    """The names message that takes a client from one set of names to the next; None when nothing changed."""
    told = {key: name for key, name in after.items() if before.get(key) != name}
    gone = [key for key in before if key not in after]
    return dump({"type": "names", "names": told, "gone": gone}) if told or gone else None


def _where(where: Any) -> dict[str, Array]:
    return {
        "latitude_deg": np.round(where.latitude_rad / DEGREE, 7),
        "longitude_deg": np.round(where.longitude_rad / DEGREE, 7),
        "height_ellipsoid_m": np.round(where.height_ellipsoid_m, 1),
        "height_sigma_m": np.round(where.height_sigma_m, 1),
        "speed_mps": np.round(where.speed_mps, 2),
        "course_deg": np.round(where.course_rad / DEGREE, 2),
        "climb_mps": np.round(where.velocity_mps[:, 2], 2),
        "ellipse_major_m": np.round(where.major_m, 1),
        "ellipse_minor_m": np.round(where.minor_m, 1),
        "ellipse_orientation_deg": np.round(where.orientation_rad / DEGREE, 1),
    }


def _rows(columns: dict[str, Any]) -> list[Json]:
    lists = []
    for name, values in columns.items():
        listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
        lists.append([str(v) for v in listed] if name.endswith("_ns") else listed)
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _said_or_none(values: Array) -> list[int | None]:
    return [None if v == NOT_SAID else int(v) for v in values.tolist()]


def _point(p: Position) -> list[float]:
    return [round(p.longitude_rad / DEGREE, 7), round(p.latitude_rad / DEGREE, 7)]


def _feature(geometry: str, coordinates: Any, **properties: Any) -> Json:
    return {"type": "Feature", "geometry": {"type": geometry, "coordinates": coordinates}, "properties": properties}


def _zone(zone: Zone) -> Json:
    about = {
        "kind": "zone",
        "name": zone.name,
        "priority": zone.priority,
        "height_m_min": zone.height_m_min,
        "height_m_max": zone.height_m_max,
        "kind_min": dict(zone.kind_min),
    }
    if isinstance(zone.shape, Circle):
        ring, (longitude, latitude) = _circle(zone.shape), _point(zone.shape.centre)[:2]
        about |= {"shape": "circle", "radius_m": zone.shape.radius_m, "centre": [latitude, longitude]}
        return _feature("Polygon", [ring], **about)
    ring = [_point(v) for v in zone.shape.vertices]
    return _feature("Polygon", [[*ring, *ring[:1]]], **about, shape="polygon")


def _circle(circle: Circle) -> list[list[float]]:
    turn = np.linspace(0.0, 2.0 * np.pi, 73)
    latitude, longitude = latitude_longitude_deg(
        circle.centre, circle.radius_m * np.sin(turn), circle.radius_m * np.cos(turn)
    )
    ring = [[round(float(o), 7), round(float(a), 7)] for a, o in zip(latitude, longitude, strict=True)]
    ring[-1] = ring[0]
    return ring
