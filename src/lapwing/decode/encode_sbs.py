"""A picture to BaseStation (SBS-1) lines: MSG 1 to 6 of 22 columns, for Virtual Radar Server and its like. Pure.

Whoever has an ICAO address is told: claims of aircraft, and tracks whose plots brought an address. Where both are there
the track's place and velocity are told, because it is evidence; the rest is what the aircraft says. The format has no
room for doubt. Altitudes are pressure altitudes, as the format wants; where none is known the column is empty. Dates
are UTC. Refuses ships, Remote ID, addresses that are not ICAO's, and places older than FRESH_S.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from lapwing.decode.numbers import FOOT_M, FPM_MPS, KNOT_MPS
from lapwing.kernel.geodesy import enu_to_geodetic
from lapwing.records import FIELD_COLUMN, Claims, Field, Picture, Position, Source, TrackStatus

FRESH_S = 15.0  # of places and of being heard
SAID_FRESH_S = 60.0  # of altitude, squawk and being on the ground
AIRCRAFT = (Source.ADSB, Source.ADSR, Source.TISB, Source.MLAT, Source.MODE_S)
ADDRESS_MAX = 0xFFFFFF


@dataclass(frozen=True, slots=True)
class Moving:
    """A place in degrees, and a velocity."""

    latitude_deg: float
    longitude_deg: float
    speed_mps: float
    course_deg: float
    climb_mps: float | None


def lines(picture: Picture, origin: Position) -> list[bytes]:
    """All lines of one picture, each with its line end, aircraft in order of their addresses."""
    stamp = datetime.fromtimestamp(picture.time_ns // 10**9, UTC)
    when = f"{stamp:%Y/%m/%d,%H:%M:%S}.{picture.time_ns % 10**9 // 10**6:03d}"
    row_of = _rows(picture.claims)
    moving = {**_claimed(picture, origin, row_of), **_tracked(picture, origin)}
    out = []
    for address in sorted({*row_of, *moving}):
        said = _said(picture.claims, row_of[address]) if address in row_of else {}
        for kind, cells in _messages(moving.get(address), said):
            head = f"MSG,{kind},1,1,{address:06X},1,{when},{when},"
            out.append((head + ",".join(cells.get(k, "") for k in range(10, 22)) + "\r\n").encode("ascii"))
    return out


def _messages(moving: Moving | None, said: Mapping[str, str]) -> Iterator[tuple[int, dict[int, str]]]:
    """(message type, its cells by column) of one aircraft."""
    if said.get("callsign"):
        yield 1, {10: said["callsign"]}
    altitude = {11: said["altitude"]} if "altitude" in said else {}
    ground = {21: said["ground"]} if "ground" in said else {}
    if moving is not None:
        place = {14: f"{moving.latitude_deg:.6f}", 15: f"{moving.longitude_deg:.6f}"}
        speed = {12: f"{moving.speed_mps / KNOT_MPS:.1f}", 13: f"{moving.course_deg:.1f}"}
        if said.get("ground") == "-1":
            yield 2, {**altitude, **speed, **place, **ground}
        else:
            climb = {} if moving.climb_mps is None else {16: f"{moving.climb_mps / FPM_MPS:.0f}"}
            yield 3, {**altitude, **place, **ground}
            yield 4, {**speed, **climb}
    elif altitude:
        yield 5, {**altitude, **ground}
    if "squawk" in said:
        yield 6, {**altitude, 17: said["squawk"], **ground}


def _rows(claims: Claims) -> dict[int, int]:
    """Row of each aircraft that was heard lately; of several rows with one address, one with a place, heard last."""
    fresh = claims.time_ns - claims.heard_ns <= FRESH_S * 1e9
    icao = np.isin(claims.source, AIRCRAFT) & (claims.address > 0) & (claims.address <= ADDRESS_MAX)
    chosen = np.flatnonzero(fresh & icao)
    order = np.lexsort((claims.heard_ns[chosen], _placed(claims)[chosen]))
    return {int(claims.address[i]): int(i) for i in chosen[order]}


def _placed(claims: Claims) -> np.ndarray:
    fresh = claims.time_ns - claims.position_ns <= FRESH_S * 1e9
    return np.asarray((claims.has_position > 0) & fresh)


def _claimed(picture: Picture, origin: Position, row_of: Mapping[int, int]) -> dict[int, Moving]:
    placed = _placed(picture.claims)
    chosen = {address: i for address, i in row_of.items() if placed[i]}
    at = np.array(list(chosen.values()), dtype=np.int64)
    return dict(zip(chosen, _moving(picture.claims.mean[at], picture.claims.cov[at], origin), strict=True))


def _tracked(picture: Picture, origin: Position) -> dict[int, Moving]:
    tracks = picture.tracks
    icao = (tracks.address > 0) & (tracks.address <= ADDRESS_MAX)
    at = np.flatnonzero(icao & (tracks.status == TrackStatus.CONFIRMED))
    addresses = tracks.address[at].tolist()
    return dict(zip(addresses, _moving(tracks.mean[at], tracks.cov[at], origin), strict=True))


def _moving(mean: np.ndarray, cov: np.ndarray, origin: Position) -> list[Moving]:
    """Of states (n, 6) in the site's frame; a climb whose standard deviation is over 10 m/s is not told."""
    place = (origin.latitude_rad, origin.longitude_rad, origin.height_ellipsoid_m)
    latitude, longitude, _ = enu_to_geodetic(place, mean[:, :3])
    speed, course = np.hypot(mean[:, 3], mean[:, 4]), np.degrees(np.arctan2(mean[:, 3], mean[:, 4])) % 360.0
    known = cov[:, 5, 5] <= 10.0**2
    columns = (np.degrees(latitude), np.degrees(longitude), speed, course, mean[:, 5])
    rows = zip(*(c.tolist() for c in columns), known.tolist(), strict=True)
    return [Moving(la, lo, v, along, climb if sure else None) for la, lo, v, along, climb, sure in rows]


def _said(claims: Claims, i: int) -> dict[str, str]:
    """What an aircraft says of itself, as cells."""
    out = {"callsign": "".join(c for c in claims.names[i] if c.isascii() and c.isalnum())[:8].upper()}

    def lately(field: Field) -> float | None:
        column = FIELD_COLUMN[field]
        said_ns = int(claims.values_ns[i, column])
        return float(claims.values[i, column]) if said_ns and claims.time_ns - said_ns <= SAID_FRESH_S * 1e9 else None

    altitude, squawk = lately(Field.ALTITUDE_BARO_M), lately(Field.SQUAWK)
    ground = lately(Field.ON_GROUND)
    if altitude is not None:
        out["altitude"] = f"{altitude / FOOT_M:.0f}"
    if squawk is not None:
        out["squawk"] = f"{int(squawk):04d}"
    if ground is not None:
        out["ground"] = "-1" if ground else "0"
    return out
