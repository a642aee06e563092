"""JSON lines of home-made sensors to scans: one line is one look. The format is told in docs/sensors.md.

A detection is a position (`latitude_deg`, `longitude_deg`), a polar place (`range_m`, `azimuth_deg`) or a direction
(`azimuth_deg`); all detections of a line measure the same. Each may bring its own sigmas, else the site's sensor entry
speaks. Refuses lines with unknown keys, missing keys or values out of range, and names the key.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, final

import numpy as np

from lapwing.decode.documents import document
from lapwing.decode.faults import Refusals
from lapwing.decode.lines import lines
from lapwing.decode.numbers import bounded, finite
from lapwing.decode.scans import scan
from lapwing.kernel.geodesy import geodetic_to_enu
from lapwing.records import (
    MICRO_UNSAID,
    RCS_UNSAID,
    UNSAID,
    Decoded,
    Detections,
    Frame,
    Kind,
    Position,
    SensorConfig,
    Space,
)

LONGEST = 262_144
DETECTIONS_MAX = 2_000
LOOK_NS_MAX = 60_000_000_000  # a rotation takes no longer
DEGREE = math.pi / 180.0
NO_SPACE = -1
SPACES = tuple(Space)
# key -> lowest, highest, unit in SI
NUMBERS: dict[str, tuple[float, float, float]] = {
    "latitude_deg": (-90.0, 90.0, DEGREE),
    "longitude_deg": (-180.0, 180.0, DEGREE),
    "height_m": (-1_000.0, 100_000.0, 1.0),
    "range_m": (0.0, 1_000_000.0, 1.0),
    "azimuth_deg": (-360.0, 360.0, DEGREE),
    "elevation_deg": (-90.0, 90.0, DEGREE),
    "range_rate_mps": (-3_000.0, 3_000.0, 1.0),
    "bistatic_range_m": (0.0, 1_000_000.0, 1.0),
    "bistatic_range_rate_mps": (-6_000.0, 6_000.0, 1.0),
    "range_difference_m": (-1_000_000.0, 1_000_000.0, 1.0),
    "sigma_m": (1e-3, 100_000.0, 1.0),
    "height_sigma_m": (1e-3, 100_000.0, 1.0),
    "range_sigma_m": (1e-3, 100_000.0, 1.0),
    "azimuth_sigma_deg": (1e-4, 180.0, DEGREE),
    "elevation_sigma_deg": (1e-4, 90.0, DEGREE),
    "range_rate_sigma_mps": (1e-3, 1_000.0, 1.0),
    "rcs_dbsm": (-100.0, 100.0, 1.0),
    "blades": (0.0, 1.0, 1.0),
    "micro_doppler_mps": (0.0, 1_000.0, 1.0),
}
LINE_KEYS = ("time", "detections")
KEYS = (*LINE_KEYS, "kinds", *NUMBERS)
PAIRED = ("bistatic_range_m", "bistatic_range_rate_mps", "range_difference_m")  # need the sensor's second place
KINDS = tuple(kind.name.lower() for kind in Kind)
MEASURED = (
    *("latitude_deg", "longitude_deg", "height_m", "range_m", "azimuth_deg", "elevation_deg", "range_rate_mps"),
    *PAIRED,
)
SPACE_OF: dict[tuple[str, ...], Space] = {
    ("latitude_deg", "longitude_deg"): Space.POSITION_2D,
    ("latitude_deg", "longitude_deg", "height_m"): Space.POSITION_3D,
    ("range_m", "azimuth_deg"): Space.RANGE_AZIMUTH,
    ("range_m", "azimuth_deg", "elevation_deg"): Space.RANGE_AZIMUTH_ELEVATION,
    ("range_m", "azimuth_deg", "range_rate_mps"): Space.RANGE_AZIMUTH_RANGE_RATE,
    ("range_m", "azimuth_deg", "elevation_deg", "range_rate_mps"): Space.RANGE_AZIMUTH_ELEVATION_RANGE_RATE,
    ("azimuth_deg",): Space.AZIMUTH,
    ("azimuth_deg", "elevation_deg"): Space.AZIMUTH_ELEVATION,
    ("bistatic_range_m", "bistatic_range_rate_mps"): Space.BISTATIC,
    ("bistatic_range_m",): Space.BISTATIC_RANGE,
    ("range_difference_m",): Space.RANGE_DIFFERENCE,
}
Row = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Detected:
    """One detection of a line: values with their sigmas, when it was true, its radar cross section, its kind."""

    space: Space
    row: Row
    time_ns: int
    rcs_dbsm: float
    kinds: tuple[float, ...]  # UNSAID where it does not say what it is
    micro: tuple[float, float]  # as in MICRO


@dataclass(frozen=True, slots=True)
class LookoutState:
    """An unfinished line, and what the sensor measured last (position in SPACES): an empty look is about the same."""

    tail: bytes = b""
    space: int = NO_SPACE


class Wrong(Exception):
    """A line that is refused, and why. Never leaves this module."""


@final
@dataclass(frozen=True, slots=True)
class LookoutDecoder:
    """Scans of one home-made sensor."""

    feed: str
    sensor: SensorConfig
    origin: Position

    def start(self) -> LookoutState:
        """Nothing heard."""
        return LookoutState()

    def decode(self, state: LookoutState, frames: Sequence[Frame]) -> tuple[LookoutState, Decoded]:
        """The scans of all lines that are complete."""
        refusals, space = Refusals(), state.space
        tail, found = lines(state.tail, frames, LONGEST, refusals)
        scans: list[Detections] = []
        for frame, line in found:
            try:
                done = self._line(line, frame, space)
            except Wrong as wrong:
                refusals.add(str(wrong), frame.seq, line)
                continue
            scans.append(done)
            space = SPACES.index(done.space)
        return LookoutState(tail, space), Decoded(scans=tuple(scans), faults=refusals.faults(), messages=len(scans))

    def _line(self, line: bytes, frame: Frame, last: int) -> Detections:
        content, reason = document(line)
        if content is None:
            raise Wrong(reason)
        time_ns = _time_ns(content.pop("time", None), frame.received_ns)
        listed = content.pop("detections", None)
        if listed is None:
            listed = [content]
        elif content:
            raise Wrong(_unknown(next(iter(content))))
        if not isinstance(listed, list) or len(listed) > DETECTIONS_MAX:
            raise Wrong(f"detections: not a list of at most {DETECTIONS_MAX}")
        told = [self._detection(one, time_ns) for one in listed]
        spaces = {one.space for one in told}
        if len(spaces) > 1:
            raise Wrong("detections: not all measure the same")
        if not spaces and last == NO_SPACE:
            raise Wrong("detections: an empty list before the first detection does not say what is measured")
        space = spaces.pop() if spaces else SPACES[last]
        times = [one.time_ns for one in told]
        end_ns, rcs = max([time_ns, *times]), [one.rcs_dbsm for one in told]
        whole = scan(self.sensor.sensor, space, end_ns, [one.row for one in told], frame.seq, times, rcs)
        kinds, micro = [one.kinds for one in told], np.array([one.micro for one in told])
        whole = replace(whole, declared=np.array(kinds)) if any(k != UNSAID for k in kinds) else whole
        return replace(whole, micro=micro) if (micro != MICRO_UNSAID).any() else whole

    def _detection(self, told: Any, time_ns: int) -> Detected:
        if not isinstance(told, dict):
            raise Wrong("detections: one is not an object")
        numbers, at = {}, _time_ns(told.get("time"), time_ns)
        if abs(at - time_ns) > LOOK_NS_MAX:
            raise Wrong("time: a detection more than a minute from its look")
        for key, value in told.items():
            if key in ("time", "kinds"):
                continue
            if key not in NUMBERS:
                raise Wrong(_unknown(key))
            low, high, unit = NUMBERS[key]
            number = bounded(finite(value), low, high)
            if number is None:
                raise Wrong(f"{key}: not a number from {low:g} to {high:g}")
            numbers[key] = number * unit
        space = SPACE_OF.get(tuple(key for key in MEASURED if key in numbers))
        if space is None:
            raise Wrong(_missing(numbers))
        if self.sensor.second is None and any(key in numbers for key in PAIRED):
            raise Wrong("the site's sensor has no second place: a transmitter, or another receiver")
        kinds = _kinds(told["kinds"]) if "kinds" in told else UNSAID
        micro = (numbers.get("blades", MICRO_UNSAID), numbers.get("micro_doppler_mps", MICRO_UNSAID))
        return Detected(space, self._row(space, numbers), at, numbers.get("rcs_dbsm", RCS_UNSAID), kinds, micro)

    def _row(self, space: Space, n: dict[str, float]) -> Row:
        s, o = self.sensor, self.origin
        if space in (Space.POSITION_2D, Space.POSITION_3D):
            place = (o.latitude_rad, o.longitude_rad, o.height_ellipsoid_m)
            height = n.get("height_m", o.height_ellipsoid_m)
            where = geodetic_to_enu(place, *np.array([[n["latitude_deg"]], [n["longitude_deg"]], [height]]))[0]
            flat = n.get("sigma_m", s.range_sigma_m)
            sigma = (flat, flat, n.get("height_sigma_m", flat))
            d = len(space.value)
            return tuple(float(x) for x in where[:d]), sigma[:d]
        known = {
            "range_m": (n.get("range_m", 0.0), n.get("range_sigma_m", s.range_sigma_m)),
            "azimuth_rad": (
                n.get("azimuth_deg", 0.0) % (2.0 * math.pi),
                n.get("azimuth_sigma_deg", s.azimuth_sigma_rad),
            ),
            "elevation_rad": (n.get("elevation_deg", 0.0), n.get("elevation_sigma_deg", s.elevation_sigma_rad)),
            "range_rate_mps": (
                n.get("range_rate_mps", 0.0),
                n.get("range_rate_sigma_mps", s.range_rate_sigma_mps),
            ),
            "bistatic_range_m": (n.get("bistatic_range_m", 0.0), n.get("range_sigma_m", s.range_sigma_m)),
            "bistatic_range_rate_mps": (
                n.get("bistatic_range_rate_mps", 0.0),
                n.get("range_rate_sigma_mps", s.range_rate_sigma_mps),
            ),
            "range_difference_m": (n.get("range_difference_m", 0.0), n.get("range_sigma_m", s.range_sigma_m)),
        }
        chosen = [known[name] for name in space.value]
        return tuple(z for z, _ in chosen), tuple(sigma for _, sigma in chosen)


def _time_ns(told: Any, received_ns: int) -> int:
    """UTC of the look: seconds since 1970, or ISO 8601 with its offset; reception when it is not told."""
    if told is None:
        return received_ns
    seconds = bounded(finite(told), 0.0, 4e9)
    if isinstance(told, str):
        try:
            moment = datetime.fromisoformat(told)
            seconds = bounded(moment.timestamp(), 0.0, 4e9) if moment.tzinfo else None
        except (ValueError, OverflowError):
            seconds = None
    if seconds is None:
        raise Wrong("time: neither seconds since 1970 nor ISO 8601 with an offset such as Z")
    return round(seconds * 1e9)


def _kinds(told: Any) -> tuple[float, ...]:
    """The probability of each Kind, in that order; what is missing to 1 is left open."""
    if not isinstance(told, dict):
        raise Wrong('kinds: not an object such as {"bird": 0.7}')
    shares = [0.0] * len(KINDS)
    for name, value in told.items():
        if name not in KINDS:
            near = difflib.get_close_matches(name[:40], KINDS, n=1)
            raise Wrong(f"kinds: no such kind; did you mean {near[0]}?" if near else f"kinds: write {', '.join(KINDS)}")
        p = bounded(finite(value), 0.0, 1.0)
        if p is None:
            raise Wrong("kinds: a probability is not a number from 0 to 1")
        shares[KINDS.index(name)] = p
    if sum(shares) > 1.01:
        raise Wrong("kinds: the probabilities add up to more than 1")
    return tuple(s / max(sum(shares), 1.0) for s in shares)


MEANT = {
    "bearing": "azimuth_deg",
    "heading": "azimuth_deg",
    "doa": "azimuth_deg",
    "distance": "range_m",
}  # other words for it


def _unknown(key: str) -> str:
    word = next((k for said, k in MEANT.items() if said in key[:40].lower()), "")
    near = [word] if word else difflib.get_close_matches(key[:40], KEYS, n=1)
    return f"unknown key; did you mean {near[0]}?" if near else "unknown key"


def _missing(numbers: dict[str, float]) -> str:
    if "latitude_deg" in numbers or "longitude_deg" in numbers or "height_m" in numbers:
        return "a position needs latitude_deg and longitude_deg, and no range or direction"
    return "azimuth_deg: is missing"
