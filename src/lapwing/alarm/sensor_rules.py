"""Rules about sensors: one that is off shows everything in the wrong place; what one says itself is passed on."""

from dataclasses import dataclass
from typing import final

import numpy as np

from lapwing.alarm.rules import Finding, World
from lapwing.records import BIASES, Priority, Subject

SAID = (
    ("range", "m", 1.0),
    ("azimuth", "degrees", np.pi / 180.0),
    ("elevation", "degrees", np.pi / 180.0),
    ("clock", "s", 1.0),
    ("place, east", "m", 1.0),
    ("place, north", "m", 1.0),
)


@final
@dataclass(frozen=True, slots=True)
class SensorBiased:
    """A sensor is off by more than its own noise explains, surely (`sigmas` standard deviations of the estimate)."""

    sigmas: float = 5.0
    noises: float = 1.5
    clock_s: float = 0.5
    place_m: float = 50.0
    hold_s: float = 10.0

    def findings(self, world: World) -> list[Finding]:
        """One per sensor, with all that is off."""
        out = []
        for i, s in enumerate(world.sensors):
            least = np.where(s.noise > 0.0, self.noises * s.noise, np.inf)
            least[3:] = self.clock_s, self.place_m, self.place_m
            off = (s.observable == 1) & (np.abs(s.bias) > np.maximum(self.sigmas * s.sigma, least))
            if not off.any():
                continue
            said = "; ".join(
                f"{SAID[k][0]} {s.bias[k] / SAID[k][2]:+.2f} ± {s.sigma[k] / SAID[k][2]:.2f} {SAID[k][1]}"
                for k in range(len(BIASES))
                if off[k]
            )
            text = f"sensor {s.sensor} is off: {said} (from {s.pairs} looks at trusted traffic; taken out of its scans)"
            row = (Subject.SENSOR, i, Priority.LOW, self.hold_s, True)
            out.append(Finding("sensor biased", "", *row, 0.0, 0.0, text, -1))
        return out


@final
@dataclass(frozen=True, slots=True)
class NodeSays:
    """A sensor's node says itself that somebody should know something: its word, as urgent as the site allows."""

    def findings(self, world: World) -> list[Finding]:
        """One per alert that stands."""
        found = []
        for a in world.alerts:
            who = (Subject.NODE, a.number, a.priority, 0.0, True)
            found.append(Finding("node alert", "", *who, a.east_m, a.north_m, a.reason, a.frame_seq))
        return found
