"""GNSS jammers and spoofers, and what they do to receivers: free-space loss, radio horizon, a threshold per receiver,
hysteresis. A jammer may be sectored, moving, intermittent.

Facts from the reference notes on GNSS interference, sections 2.3 and 3: under jamming quality falls first, then
positions stop; under spoofing positions keep coming with good quality, elsewhere.
"""

from dataclasses import dataclass
from math import cos, log10, pi, sin
from typing import Any

from lapwing_lab.geo import Place, horizon_m, offset, sight

L1_MHZ = 1575.42
REGAIN_DB = 6.0  # a receiver that lost its position needs this much less power to find it again
FADE_S = 4.0  # from first trouble to no position
SILENT_DBM = -200.0


@dataclass(frozen=True, slots=True)
class Jammer:
    """An emitter, on from `on_s` to `off_s` of scenario time; with `cycle_s`, on for `duty` of each cycle. It beams
    `width_deg` around `bearing_deg` (360: all round, 20 dB less outside) and moves with `east_mps`, `north_mps`."""

    place: Place
    eirp_dbm: float
    on_s: float
    off_s: float
    bearing_deg: float = 0.0
    width_deg: float = 360.0
    east_mps: float = 0.0
    north_mps: float = 0.0
    cycle_s: float = 0.0
    duty: float = 1.0

    def at(self, t_s: float) -> Place:
        """Where it is."""
        if self.east_mps == 0.0 and self.north_mps == 0.0:
            return self.place
        return offset(self.place, self.east_mps * t_s, self.north_mps * t_s, self.place.height_m)

    def on(self, t_s: float) -> bool:
        """Whether it transmits."""
        cycling = self.cycle_s > 0.0 and (t_s - self.on_s) % self.cycle_s >= self.duty * self.cycle_s
        return self.on_s <= t_s < self.off_s and not cycling

    def received_dbm(self, victim: Place, t_s: float) -> float:
        """Power at an isotropic antenna; SILENT_DBM when off or below the horizon."""
        if not self.on(t_s):
            return SILENT_DBM
        place = self.at(t_s)
        range_m, azimuth, _ = sight(place, victim)
        if range_m > horizon_m(place.height_m, victim.height_m):
            return SILENT_DBM
        outside = abs((azimuth - self.bearing_deg + 180.0) % 360.0 - 180.0) > 0.5 * self.width_deg
        loss = 32.44 + 20.0 * log10(max(range_m, 1.0) / 1000.0) + 20.0 * log10(L1_MHZ)
        return self.eirp_dbm - loss - 20.0 * outside


@dataclass(frozen=True, slots=True)
class Spoofer:
    """Makes the receivers within `reach_m` believe that they are at `claimed`: all on one point, on a circle of
    `circle_m` around it (`circle_s` per turn, each on its own phase), or, with `shift`, off their true place by
    `shift_mps` times the time since capture towards `bearing_deg`. `says`: which receivers, "adsb", "ais" or ""."""

    place: Place
    reach_m: float
    claimed: Place
    on_s: float
    off_s: float
    circle_m: float = 0.0
    circle_s: float = 300.0
    shift_mps: float = 0.0
    bearing_deg: float = 90.0
    says: str = ""

    def holds(self, victim: Place, says: str, t_s: float) -> bool:
        """Whether it has captured a receiver."""
        if not self.on_s <= t_s < self.off_s or self.says not in ("", says):
            return False
        range_m = sight(self.place, victim)[0]
        return range_m < self.reach_m and range_m < horizon_m(self.place.height_m, victim.height_m)

    def told(self, true: Place, phase: float, t_s: float) -> Place:
        """The place that a captured receiver reports."""
        since = t_s - self.on_s
        if self.shift_mps > 0.0:
            a = self.bearing_deg / 180.0 * pi
            return offset(true, self.shift_mps * since * sin(a), self.shift_mps * since * cos(a), true.height_m)
        angle = 2.0 * pi * (since / self.circle_s) + phase
        return offset(self.claimed, self.circle_m * sin(angle), self.circle_m * cos(angle), true.height_m)


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


@dataclass(frozen=True, slots=True)
class Air:
    """All emitters of a scenario."""

    jammers: tuple[Jammer, ...] = ()
    spoofers: tuple[Spoofer, ...] = ()

    def power_dbm(self, victim: Place, t_s: float) -> float:
        """Jamming power at a place."""
        return max((j.received_dbm(victim, t_s) for j in self.jammers), default=SILENT_DBM)

    def believed(self, true: Place, says: str, phase: float, t_s: float) -> tuple[Place, bool]:
        """Where a receiver believes to be, and whether it was deceived."""
        for spoofer in self.spoofers:
            if spoofer.holds(true, says, t_s):
                return spoofer.told(true, phase, t_s), True
        return true, False


def emitters(table: dict[str, Any], origin: Place) -> Air:
    """The emitters of a scenario's table: `[jammer]` or `[[jammer]]`, and `[[spoofer]]`."""
    found = table.get("jammer", [])
    rows = found if isinstance(found, list) else [found]
    jammers = tuple(Jammer(_place(origin, r), **_rest(r, Jammer)) for r in rows)
    spoofers = tuple(
        Spoofer(_place(origin, r), claimed=_place(origin, r["claimed"]), **_rest(r, Spoofer))
        for r in table.get("spoofer", [])
    )
    return Air(jammers, spoofers)


def _place(origin: Place, row: dict[str, Any]) -> Place:
    return offset(origin, row["east_m"], row["north_m"], row.get("height_m", 0.0))


def _rest(row: dict[str, Any], kind: type) -> dict[str, Any]:
    names = set(kind.__dataclass_fields__) - {"place", "claimed"}  # type: ignore[attr-defined]
    return {k: v for k, v in row.items() if k in names}
