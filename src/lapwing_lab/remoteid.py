"""A Wi-Fi sniffer that hears drones' Remote ID within its reach, and drones that lie: `serial` of somebody else, or
`lies_m`, a place that is not theirs. Nothing checks who says what: Remote ID is not authenticated."""

import random
from dataclasses import dataclass
from math import atan2, degrees, hypot

from lapwing_lab.failings import FAULTLESS, Failings
from lapwing_lab.geo import Place, horizon_m, offset, sight
from lapwing_lab.reception import Delivery
from lapwing_lab.sensors import alive
from lapwing_lab.truth import Target
from lapwing_lab.wire_remoteid import Told, beacon, captured

PERIOD_S = 1.0
ROTORS = ("drone", "multirotor", "helicopter")


@dataclass
class Voice:
    """A drone that broadcasts, and when it does next."""

    target: Target
    mac: bytes
    start: Place
    due_s: float
    counter: int = 0


class RemoteIdReceiver:
    """One sniffer: beacons of the drones in reach, with loss, as packets of a capture stream."""

    def __init__(
        self,
        place: Place,
        range_m_max: float,
        targets: list[Target],
        rng: random.Random,
        failings: Failings = FAULTLESS,
    ) -> None:
        self.place, self.range_m_max, self.rng = place, range_m_max, rng
        self.delivery = Delivery(failings, rng)
        self.voices = []
        for t in targets:
            mac = bytes([0x02, *(rng.randrange(256) for _ in range(5))])  # locally administered
            begin = getattr(t.path, "begin_s", 0.0)
            self.voices.append(Voice(t, mac, t.path.at(begin).place, rng.uniform(0.0, PERIOD_S)))

    def between(self, until_s: float, begin_s: float) -> bytes:
        """Everything received since the last call; `begin_s`: UTC at the scenario's start."""
        out: list[tuple[float, bytes]] = []
        for v in self.voices:
            while v.due_s < until_s:
                at = v.due_s
                v.due_s += PERIOD_S * self.rng.uniform(0.95, 1.05)
                v.counter += 1
                state = v.target.path.at(at)
                if not alive(v.target, at) or not self._heard(state.place):
                    continue
                east, north = v.target.lies_m
                told = offset(state.place, east, north, state.place.height_m)
                track = degrees(atan2(state.ve, state.vn)) % 360.0
                speed = hypot(state.ve, state.vn)
                say = Told(v.target.serial or f"LPW0{v.target.name}"[:20], v.target.kind in ROTORS, told.lat_deg,
                           told.lon_deg, told.height_m, told.height_m - v.start.height_m, speed, track, state.vu,
                           (v.start.lat_deg, v.start.lon_deg))  # fmt: skip
                out.append((at, captured(beacon(v.mac, say, begin_s + at, v.counter), begin_s + at)))
        for at, data in sorted(out):
            self.delivery.send(at, data)
        return b"".join(data for _, data in self.delivery.arrived(until_s))

    def _heard(self, place: Place) -> bool:
        range_m, _, _ = sight(self.place, place)
        reach = min(self.range_m_max, horizon_m(self.place.height_m, place.height_m))
        fade = max(1.0 - (range_m / self.range_m_max) ** 4, 0.0)
        return range_m < reach and self.rng.random() < 0.9 * fade
