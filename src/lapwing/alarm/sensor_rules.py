"""Rules about sensors: one that is off shows everything in the wrong place; what one says itself is passed on."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Bool, Float64

from lapwing.alarm.rules import Finding, World
from lapwing.records import Array, Priority, Registration, Subject

SAID = (
    ("range", "m", 1.0),
    ("azimuth", "degrees", np.pi / 180.0),
    ("elevation", "degrees", np.pi / 180.0),
    ("clock", "s", 1.0),
    ("place, east", "m", 1.0),
    ("place, north", "m", 1.0),
)


@dataclass(frozen=True, slots=True)
class Clear:
    """When a bias is clear: beyond `sigmas` standard deviations of its estimate, and beyond what matters. It stays so
    until it falls below `back_ratio` of that."""

    sigmas: float = 5.0
    noises: float = 1.5
    clock_s: float = 0.5
    place_m: float = 50.0
    hold_s: float = 10.0
    back_ratio: float = 0.8

    def share(self, bias: Float64[Array, " b"], sigma: Float64[Array, " b"], noise: Float64[Array, " b"]) -> Array:
        """Of what is clear: 1 or more is clear."""
        least = np.where(noise > 0.0, self.noises * noise, np.inf)
        least[3:] = self.clock_s, self.place_m, self.place_m
        return np.asarray(np.abs(bias) / np.maximum(self.sigmas * sigma, least))


@final
@dataclass(frozen=True, slots=True)
class SensorBiased(Clear):
    """A sensor is off by more than its own noise explains, surely (`sigmas` standard deviations of the estimate);
    it stands until that falls by `back_ratio`. What has a stated tolerance is left to `SensorDrifting`."""

    def findings(self, world: World) -> list[Finding]:
        """One per sensor, with all that is off."""
        out = []
        for i, s in enumerate(world.sensors):
            share = self.share(s.bias, s.sigma, s.noise)
            judged = (s.observable == 1) & (s.drift.tolerance == 0.0)
            off = judged & (share > self.back_ratio)
            if not off.any():
                continue
            said = _said(s.bias, s.sigma, off)
            text = f"sensor {s.sensor} is off: {said} (from {_rests(s)}; taken out of its scans)"
            row = (Subject.SENSOR, i, Priority.LOW, self.hold_s, bool((share[off] > 1.0).any()))
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


@final
@dataclass(frozen=True, slots=True)
class SensorsDisagree(Clear):
    """Two sensors see the same targets in different places, and nothing says which of them is right."""

    def findings(self, world: World) -> list[Finding]:
        """One per sensor that differs from another by what is taken out of neither."""
        out = []
        taken = {s.sensor: s.observable == 1 for s in world.sensors}
        for i, s in enumerate(world.sensors):
            a = s.against
            if a is None:
                continue
            share = self.share(a.difference, a.sigma, s.noise)
            open_ = (a.known == 1) & ~taken[s.sensor] & ~taken.get(a.other, taken[s.sensor])
            off = open_ & (share > self.back_ratio)
            if not off.any():
                continue
            said = _said(a.difference, 2.0 * a.sigma, off)
            text = (
                f"sensors {s.sensor} and {a.other} disagree: {said} (from {a.looks} looks at shared tracks; "
                "nothing says which is off, and nothing is taken out)"
            )
            row = (Subject.SENSOR, i, Priority.LOW, self.hold_s, bool((share[off] > 1.0).any()))
            out.append(Finding("sensors disagree", "", *row, 0.0, 0.0, text, -1))
        return out


@final
@dataclass(frozen=True, slots=True)
class SensorDrifting:
    """A sensor's bias has left its own past (low) or the tolerance stated for it (medium). When it is back is decided
    where it is estimated (`track.drift`), with hysteresis, so every finding is firm."""

    hold_s: float = 10.0

    def findings(self, world: World) -> list[Finding]:
        """One per sensor, with all that drifts, its estimate ± 2 sigma, and since when."""
        out = []
        for i, s in enumerate(world.sensors):
            moved, outside = s.drift.moved_ns > 0, s.drift.outside_ns > 0
            if not (moved | outside).any():
                continue
            said = "; ".join(_drift_words(s, int(k)) for k in np.flatnonzero(moved | outside))
            level = Priority.MEDIUM if outside.any() else Priority.LOW
            row = (Subject.SENSOR, i, level, self.hold_s, True)
            out.append(Finding("sensor drifting", "", *row, 0.0, 0.0, f"sensor {s.sensor} drifts: {said}", -1))
        return out


def _said(bias: Float64[Array, " b"], spread: Float64[Array, " b"], off: Bool[Array, " b"]) -> str:
    """Those that are off, in words."""
    rows = ((*SAID[k], bias[k], spread[k]) for k in np.flatnonzero(off))
    return "; ".join(f"{name} {b / size:+.2f} ± {s / size:.2f} {unit}" for name, unit, size, b, s in rows)


def _rests(s: Registration) -> str:
    told = f"{s.pairs} looks at trusted traffic"
    return f"{told} and {s.shared} at shared tracks" if s.shared else told


def _drift_words(s: Registration, k: int) -> str:
    """One bias that drifts, in words."""
    name, unit, size = SAID[k]
    d = s.drift
    told = f"{name} {s.bias[k] / size:+.2f} ± {2.0 * s.sigma[k] / size:.2f} {unit}"
    if not s.observable[k]:
        told = f"{name} not observable now"
    if d.moved_ns[k] > 0:
        before = f"{d.norm[k] / size:+.2f} ± {2.0 / size / np.sqrt(d.information[k]):.2f}"
        told += f", was {before} until about {_clock(int(d.moved_ns[k]))}"
    if d.outside_ns[k] > 0:
        told += f", outside its tolerance of {d.tolerance[k] / size:.2f} since {_clock(int(d.outside_ns[k]))}"
    return told


def _clock(time_ns: int) -> str:
    return f"{np.datetime64(time_ns // 10**9, 's')}Z"
