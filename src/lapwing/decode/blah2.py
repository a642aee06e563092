"""The passive radar blah2: its detection JSON to bistatic scans, one object is one look.

`delay` is in kilometres (how much longer than the direct way), `doppler` in hertz, `timestamp` in seconds or
milliseconds since 1970 (its versions differ). The range rate needs the
transmitter's frequency; without it, the range alone is told.
Refuses lists of different lengths. `snr` is not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

from lapwing.decode.documents import document
from lapwing.decode.faults import Refusals
from lapwing.decode.numbers import bounded, finite
from lapwing.decode.objects import objects
from lapwing.decode.scans import scan
from lapwing.records import Decoded, Detections, Frame, SensorConfig, Space

LONGEST = 262_144
DETECTIONS_MAX = 2_000
LIGHT_MPS = 299_792_458.0
RANGE_M_MAX, DOPPLER_HZ_MAX = 1_000_000.0, 1e6
SECONDS_MAX = 4e9
MILLISECONDS_FROM = 1e11


@dataclass(frozen=True, slots=True)
class Blah2State:
    """An unfinished object."""

    tail: bytes = b""


@final
@dataclass(frozen=True, slots=True)
class Blah2Decoder:
    """Scans of one passive radar."""

    feed: str
    sensor: SensorConfig
    carrier_hz: float = 0.0  # 0: not told

    def start(self) -> Blah2State:
        """Nothing heard."""
        return Blah2State()

    def decode(self, state: Blah2State, frames: Sequence[Frame]) -> tuple[Blah2State, Decoded]:
        """The scans of all objects that are complete."""
        refusals, scans = Refusals(), []
        tail, found = objects(state.tail, frames, LONGEST, refusals)
        for frame, raw in found:
            content, reason = document(raw)
            done = self._look(content, frame) if content is not None else reason
            if isinstance(done, str):
                refusals.add(done, frame.seq, raw)
            else:
                scans.append(done)
        return Blah2State(tail), Decoded(scans=tuple(scans), faults=refusals.faults(), messages=len(scans))

    def _look(self, content: dict[str, Any], frame: Frame) -> Detections | str:
        """A scan, or why not."""
        delays, dopplers = content.get("delay"), content.get("doppler")
        if not isinstance(delays, list) or not isinstance(dopplers, list):
            return "delay or doppler: not a list"
        if len(delays) != len(dopplers) or len(delays) > DETECTIONS_MAX:
            return "delay and doppler: not of the same length, or too long"
        said = bounded(finite(content.get("timestamp")), 0.0, 4e12)
        if said is None:
            return "timestamp: is missing"
        if SECONDS_MAX < said < MILLISECONDS_FROM:
            return "timestamp: neither seconds nor milliseconds since 1970"
        time_ns = round(said) * 10**6 if said >= MILLISECONDS_FROM else round(said * 1e9)
        rows = []
        for delay, doppler in zip(delays, dopplers, strict=True):
            range_m = bounded(finite(delay), 0.0, RANGE_M_MAX / 1000.0)
            shift_hz = bounded(finite(doppler), -DOPPLER_HZ_MAX, DOPPLER_HZ_MAX)
            if range_m is None or shift_hz is None:
                return "delay or doppler: not a number, or out of range"
            rows.append(self._row(1000.0 * range_m, shift_hz))
        space = Space.BISTATIC if self.carrier_hz else Space.BISTATIC_RANGE
        return scan(self.sensor.sensor, space, time_ns, rows, frame.seq)

    def _row(self, range_m: float, doppler_hz: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """z and its standard deviations; what comes nearer has a positive Doppler shift."""
        s = self.sensor
        if not self.carrier_hz:
            return (range_m,), (s.range_sigma_m,)
        return (range_m, -doppler_hz * LIGHT_MPS / self.carrier_hz), (s.range_sigma_m, s.range_rate_sigma_mps)
