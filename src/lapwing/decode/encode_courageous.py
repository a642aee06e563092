"""A picture to records of the COURAGEOUS format (CWA 18150:2024, trials of systems that detect drones), v0.4.1. Pure.

Heights there are above mean sea level (EGM96), angles degrees, velocities in the east, north, up of the target's own
place. Tracks become tracking records. What others say of themselves (Remote ID) and bearings that nobody could explain
become detection records: the format keeps them apart, as we do. Aircraft and ships that speak for themselves and
operators' places are left out. Classification is UAV, Other or Unknown; nothing says what anybody intends.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from lapwing.kernel.geodesy import enu_axes, enu_to_geodetic
from lapwing.kernel.geoid import geoid_height_m
from lapwing.records import (
    NO_TRACK,
    AlarmState,
    Array,
    Kind,
    Picture,
    Position,
    Site,
    Source,
    Subject,
    TrackStatus,
)

VERSION = "0.4.1"
DRONES = (Kind.MULTIROTOR, Kind.FIXED_WING_DRONE)
SURE = 0.5  # probability from which a class is said
HEIGHT_SIGMA_M_MAX = 500.0  # vaguer heights are not told
Json = dict[str, Any]


def height_amsl_m(latitude_rad: float, longitude_rad: float, height_ellipsoid_m: float) -> float:
    """Metres above mean sea level."""
    return round(height_ellipsoid_m - float(geoid_height_m(latitude_rad, longitude_rad)), 2)


def position(p: Position) -> Json:
    """A place with its height, as the format writes it."""
    height = height_amsl_m(p.latitude_rad, p.longitude_rad, p.height_ellipsoid_m)
    return {"lat": _degrees(p.latitude_rad), "lon": _degrees(p.longitude_rad), "height_amsl": height}


def tracking(picture: Picture, site: Site) -> Iterator[tuple[int, Json]]:
    """(track_id, record) of every confirmed or coasting track at the picture's time."""
    tracks = picture.tracks
    alarmed = _alarmed(picture, Subject.TRACK)
    for i in np.flatnonzero(tracks.status != TrackStatus.TENTATIVE).tolist():
        track_id = int(tracks.track_id[i])
        p = probabilities(picture, i)
        bird_or_ground = float(p[Kind.BIRD] + p[Kind.GROUND])
        certainty = float(tracks.existence[i]) * (1.0 - bird_or_ground) if track_id in alarmed else 0.0
        yield (
            track_id,
            {
                "time": picture.time_ns // 1_000_000,
                "classification": classification(p),
                "identification": identification(p),
                "alarm": {"active": track_id in alarmed, "certainty": round(min(max(certainty, 0.0), 1.0), 3)},
                **_moving(tracks.mean[i], float(tracks.cov[i, 2, 2]), site.origin),
            },
        )


def remote_ids(picture: Picture, site: Site) -> Iterator[tuple[int, str, int | None, Json]]:
    """(address, name, the track that agrees or None, record) of each Remote ID claim with a place."""
    claims = picture.claims
    alarmed = _alarmed(picture, Subject.CLAIM)
    for i in np.flatnonzero((claims.source == Source.REMOTE_ID) & (claims.has_position > 0)).tolist():
        address, track_id = int(claims.address[i]), int(picture.integrity.track_id[i])
        record: Json = {
            "time": int(claims.position_ns[i]) // 1_000_000,
            "classification": "UAV",
            "identification": f"says so itself: {claims.names[i] or f'{address:X}'}",
            "alarm": {"active": True, "certainty": 1.0} if address in alarmed else None,
            **_moving(claims.mean[i], float(claims.cov[i, 2, 2]), site.origin),
        }
        name = f"Remote ID {claims.names[i] or f'{address:X}'}"
        yield address, name, None if track_id == NO_TRACK else track_id, record


def bearings(picture: Picture, site: Site) -> Iterator[tuple[str, int, Json]]:
    """(sensor, time_ns, record) of each bearing that no track and no other bearing explains, seen from its sensor."""
    told, origin = picture.directions, _tuple(site.origin)
    for i, sensor in enumerate(told.sensor):
        latitude, longitude, height = (float(v[0]) for v in enu_to_geodetic(origin, told.place_m[i : i + 1]))
        azimuth = float(told.azimuth_rad[i])
        along = turned(np.array([math.sin(azimuth), math.cos(azimuth), 0.0]), site.origin, latitude, longitude)
        record: Json = {
            "time": int(told.time_ns[i]) // 1_000_000,
            "classification": "Unknown",
            "alarm": None,
            "location": {"$type": "Bearing", "bearing": round(math.degrees(math.atan2(along[0], along[1])) % 360.0, 3)},
            "cuas_location": position(Position(latitude, longitude, height)),
        }
        yield sensor, int(told.time_ns[i]), record


def classification(p: Array) -> str:
    """UAV, Other or Unknown, from the probabilities of kinds."""
    drone = float(sum(p[k] for k in DRONES))
    if drone >= SURE:
        return "UAV"
    return "Other" if 1.0 - drone - float(p[Kind.UNKNOWN]) >= SURE else "Unknown"


def identification(p: Array) -> str:
    """The most probable kind in words, with its probability."""
    kind = Kind(int(np.argmax(p)))
    return f"{kind.name.lower().replace('_', ' ')}, probability {float(p[kind]):.2f}"


def probabilities(picture: Picture, i: int) -> Array:
    """Of the kinds, of the track in row i; all on UNKNOWN where the picture has none."""
    if len(picture.classes.track_id) == len(picture.tracks):
        return np.asarray(picture.classes.probability[i])
    p = np.zeros(len(Kind))
    p[Kind.UNKNOWN] = 1.0
    return p


def _alarmed(picture: Picture, subject: Subject) -> frozenset[int]:
    """Whom a standing alarm is about."""
    alarms = picture.alarms
    chosen = (alarms.subject == subject) & (alarms.state != AlarmState.CLEARED)
    return frozenset(alarms.subject_id[chosen].tolist())


def _moving(mean: Array, height_var_m2: float, origin: Position) -> Json:
    """Location and velocity of a state (6,) in the site's frame."""
    latitude, longitude, height = (float(v[0]) for v in enu_to_geodetic(_tuple(origin), mean[None, :3]))
    where: Json = {"$type": "Position2d", "lat": _degrees(latitude), "lon": _degrees(longitude)}
    if height_var_m2 <= HEIGHT_SIGMA_M_MAX**2:
        where |= {"$type": "Position3d", "height_amsl": height_amsl_m(latitude, longitude, height)}
    east, north, up = (round(float(v), 3) for v in turned(mean[3:], origin, latitude, longitude))
    return {"location": where, "velocity": {"east": east, "north": north, "up": up}}


def turned(vector: Array, origin: Position, latitude_rad: float, longitude_rad: float) -> Array:
    """A vector of the site's frame in the frame of another place."""
    here = enu_axes(origin.latitude_rad, origin.longitude_rad)
    return np.asarray(enu_axes(latitude_rad, longitude_rad) @ (here.T @ vector))


def _tuple(p: Position) -> tuple[float, float, float]:
    return p.latitude_rad, p.longitude_rad, p.height_ellipsoid_m


def _degrees(angle_rad: float) -> float:
    return round(math.degrees(angle_rad), 7)
