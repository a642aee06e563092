"""How sensors fail: biases, a wrong clock, outages, duplicates, late delivery. Applied to what leaves a sensor, so that
every kind of sensor fails in the same ways."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lapwing_lab.files import Scan


@dataclass(frozen=True, slots=True)
class Failings:
    """All off by default. Outages are (from_s, to_s) of scenario time: no scan at all, not even an empty one."""

    range_bias_m: float = 0.0
    azimuth_bias_deg: float = 0.0
    elevation_bias_deg: float = 0.0
    clock_bias_s: float = 0.0
    outages_s: tuple[tuple[float, float], ...] = ()
    p_duplicate: float = 0.0  # of a detection to be reported twice
    p_late: float = 0.0  # of a scan to be delivered late
    late_s: float = 8.0
    latency_s: float = 0.2

    @classmethod
    def of(cls, table: dict[str, Any]) -> "Failings":
        """Those named in a sensor's table."""
        names = cls.__dataclass_fields__
        found = {k: v for k, v in table.items() if k in names}
        if "outages_s" in found:
            found["outages_s"] = tuple((float(a), float(b)) for a, b in found["outages_s"])
        return cls(**found)

    def down(self, t_s: float) -> bool:
        """Whether the sensor is out at a time."""
        return any(a <= t_s < b for a, b in self.outages_s)

    def spoil(self, scan: Scan, rng: np.random.Generator) -> Scan:
        """The scan as it leaves a sensor with these failings."""
        z, space = scan.z.copy(), scan.space
        for column, bias in (
            ("range_m", self.range_bias_m),
            ("azimuth_rad", np.radians(self.azimuth_bias_deg)),
            ("elevation_rad", np.radians(self.elevation_bias_deg)),
        ):
            if column in space:
                z[:, space.index(column)] += bias
        if "azimuth_rad" in space:
            z[:, space.index("azimuth_rad")] %= 2.0 * np.pi
        twice = np.flatnonzero(rng.random(len(z)) < self.p_duplicate)
        shift = round(self.clock_bias_s * 1e9)
        return replace(
            scan,
            scan_ns=scan.scan_ns + shift,
            time_ns=np.concatenate([scan.time_ns, scan.time_ns[twice]]) + shift,
            z=np.concatenate([z, z[twice]]),
            rcs_dbsm=None if scan.rcs_dbsm is None else np.concatenate([scan.rcs_dbsm, scan.rcs_dbsm[twice]]),
        )

    def delay_s(self, rng: np.random.Generator) -> float:
        """How long after its end a scan arrives."""
        return self.latency_s + (self.late_s if rng.random() < self.p_late else 0.0)


FAULTLESS = Failings()
