"""What lies between a transmission and a receiver's socket: outages, duplicates, late delivery, a wrong clock; and what
transponders the fleet carries. Draws nothing where nothing fails, so that a receiver without failings is as before."""

import heapq
import random
from dataclasses import dataclass, field

from lapwing_lab.failings import Failings

# share of the fleet whose best NIC is this: a snapshot of 6,205 aircraft, reference notes on GNSS, section 7
BEST_NIC = ((0, 0.010), (7, 0.052), (8, 0.770), (9, 0.156), (10, 0.012))
VERSIONS = ((0, 0.02), (1, 0.03), (2, 0.95))
SICK_SHARE = 0.01  # GNSS equipment that fails by itself, at a time of its own
DITHER_S = 600.0  # mean time between steps from NIC 8 to 7 and back, without a cause


@dataclass
class Delivery:
    """Messages on their way to whoever listens, in order of arrival."""

    failings: Failings
    rng: random.Random
    waiting: list[tuple[float, int, bytes]] = field(default_factory=list)
    count: int = 0

    def send(self, at_s: float, data: bytes) -> None:
        """One message received at a time of the scenario."""
        f = self.failings
        if f.down(at_s):
            return
        for _ in range(1 + (f.p_duplicate > 0.0 and self.rng.random() < f.p_duplicate)):
            late = f.late_s if f.p_late > 0.0 and self.rng.random() < f.p_late else 0.0
            heapq.heappush(self.waiting, (at_s + late, self.count, data))
            self.count += 1

    def arrived(self, until_s: float) -> list[tuple[float, bytes]]:
        """What has arrived by then."""
        out = []
        while self.waiting and self.waiting[0][0] <= until_s:
            at, _, data = heapq.heappop(self.waiting)
            out.append((at, data))
        return out


@dataclass
class Equipment:
    """A transponder and its GNSS source: ADS-B version, best NIC, when it falls ill by itself, whether it dithers."""

    version: int = 2
    nic: int = 8
    sick_s: float = float("inf")
    dithers: bool = False
    stepped: bool = False
    next_s: float = 0.0

    def nic_at(self, t_s: float, rng: random.Random) -> int:
        """Its NIC in clean air."""
        if t_s >= self.sick_s:
            return 0
        if self.dithers and t_s >= self.next_s:
            self.stepped = not self.stepped
            self.next_s = t_s + rng.expovariate(1.0 / (90.0 if self.stepped else DITHER_S))
        return 7 if self.stepped and self.nic == 8 else self.nic


def equipment(rng: random.Random, duration_s: float) -> Equipment:
    """A draw from the fleet."""
    version = rng.choices([v for v, _ in VERSIONS], [p for _, p in VERSIONS])[0]
    nic = rng.choices([v for v, _ in BEST_NIC], [p for _, p in BEST_NIC])[0]
    sick = rng.uniform(0.0, duration_s) if rng.random() < SICK_SHARE else float("inf")
    return Equipment(version, nic, sick, nic == 8 and rng.random() < 0.3, False, rng.expovariate(1.0 / DITHER_S))
