"""A GNSS jammer and what it does to receivers: free-space loss, radio horizon, a threshold per receiver, hysteresis.

Facts from the reference notes on GNSS interference, sections 2.3 and 3: quality falls first, then positions stop.
"""

from dataclasses import dataclass
from math import log10

from lapwing_lab.geo import Place, horizon_m, sight

L1_MHZ = 1575.42
REGAIN_DB = 6.0  # a receiver that lost its position needs this much less power to find it again
FADE_S = 4.0  # from first trouble to no position


@dataclass(frozen=True, slots=True)
class Jammer:
    """An omnidirectional emitter, on from `on_s` to `off_s` of scenario time."""

    place: Place
    eirp_dbm: float
    on_s: float
    off_s: float

    def received_dbm(self, victim: Place, t_s: float) -> float:
        """Power at an isotropic antenna; -200 when off or below the horizon."""
        if not self.on_s <= t_s < self.off_s:
            return -200.0
        range_m, _, _ = sight(self.place, victim)
        if range_m > horizon_m(self.place.height_m, victim.height_m):
            return -200.0
        return self.eirp_dbm - (32.44 + 20.0 * log10(max(range_m, 1.0) / 1000.0) + 20.0 * log10(L1_MHZ))


class Receiver:
    """The GNSS receiver of one target: its quality now. Quality 1 = good, 0 = no position, between = degraded."""

    def __init__(self, threshold_dbm: float) -> None:
        self.threshold_dbm = threshold_dbm
        self.quality = 1.0

    def feel(self, power_dbm: float, dt_s: float) -> float:
        """The quality after `dt_s` at this jamming power."""
        if power_dbm > self.threshold_dbm:
            self.quality = max(0.0, self.quality - dt_s / FADE_S)
        elif power_dbm < self.threshold_dbm - REGAIN_DB:
            self.quality = min(1.0, self.quality + dt_s / (3.0 * FADE_S))
        return self.quality
