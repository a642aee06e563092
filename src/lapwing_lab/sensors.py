"""Sensors of the examiner: what each receives of the truth, as the bytes that it would send."""

import random
from dataclasses import dataclass, field
from math import exp, floor

from lapwing_lab import wire_adsb, wire_ais, wire_asterix
from lapwing_lab.geo import Place, horizon_m, sight
from lapwing_lab.jamming import Jammer, Receiver
from lapwing_lab.truth import State, Target
from lapwing_lab.wire_asterix import Plot

DAY_S = 86_400.0
ADSB_PERIODS_S = {"position": 0.5, "velocity": 0.5, "identification": 5.0, "status": 2.5, "all_call": 1.0}


@dataclass
class Sender:
    """One target's transponder: when it sends what next."""

    target: Target
    receiver: Receiver
    due_s: dict[str, float]
    odd: int = 0
    geo_minus_baro_m: float = 0.0


class AdsbReceiver:
    """A 1090 MHz receiver: frames of all aircraft within its horizon, with loss, in Beast framing."""

    def __init__(self, place: Place, targets: list[Target], jammers: list[Jammer], rng: random.Random) -> None:
        self.place, self.jammers, self.rng = place, jammers, rng
        self.senders = [
            Sender(
                t,
                Receiver(t.gnss_threshold_dbm),
                {k: rng.uniform(0, p) for k, p in ADSB_PERIODS_S.items()},
                0,
                rng.gauss(30.0, 30.0),
            )
            for t in targets
        ]
        self.last_s = 0.0

    def between(self, until_s: float) -> bytes:
        """Everything received since the last call, in order of time."""
        out: list[tuple[float, bytes]] = []
        for s in self.senders:
            state = s.target.path.at(until_s)
            power = max((j.received_dbm(state.place, until_s) for j in self.jammers), default=-200.0)
            s.receiver.feel(power, until_s - self.last_s)
            for kind, period in ADSB_PERIODS_S.items():
                while s.due_s[kind] < until_s:
                    at = s.due_s[kind]
                    s.due_s[kind] += period + self.rng.uniform(-0.1, 0.1) * period
                    frame = self._frame(kind, s, at)
                    if frame and self._heard(s.target.path.at(at).place):
                        out.append((at, wire_adsb.beast(frame, int(at * 12e6))))
        self.last_s = until_s
        return b"".join(data for _, data in sorted(out))

    def _heard(self, place: Place) -> bool:
        range_m, _, _ = sight(self.place, place)
        return (
            range_m < min(horizon_m(self.place.height_m + 10.0, place.height_m), 380_000.0) and self.rng.random() < 0.95
        )

    def _frame(self, kind: str, s: Sender, at: float) -> bytes | None:
        t, q = s.target, s.receiver.quality
        state = t.path.at(at)
        nic = 8 if q > 0.95 else max(0, floor(q * 7.0))
        if kind == "all_call":
            return wire_adsb.all_call(t.ident)
        if kind == "identification":
            me = wire_adsb.identification(t.callsign)
        elif kind == "status":
            me = wire_adsb.operational_status(9 if q > 0.95 else max(0, floor(q * 8.0)), 0, 3 if q > 0.0 else 0)
        elif kind == "velocity":
            if q == 0.0:
                return None
            me = wire_adsb.velocity(state.ve, state.vn, state.vu, 2 if q > 0.5 else 1, s.geo_minus_baro_m)
        else:
            s.odd ^= 1
            # A good receiver errs by metres; a jammed one by more before it gives up.
            sigma = 4.0 + 40.0 * (1.0 - q)
            lat = state.place.lat_deg + self.rng.gauss(0, sigma) / 111_000.0
            lon = state.place.lon_deg + self.rng.gauss(0, sigma) / 90_000.0
            me = wire_adsb.position(lat, lon, state.place.height_m - s.geo_minus_baro_m, s.odd, nic)
        return wire_adsb.squitter(t.ident, me)


class AisReceiver:
    """A shore station: class A ships within its horizon, as AIVDM sentences."""

    def __init__(self, place: Place, targets: list[Target], jammers: list[Jammer], rng: random.Random) -> None:
        self.place, self.jammers, self.rng = place, jammers, rng
        self.ships = [(t, Receiver(t.gnss_threshold_dbm)) for t in targets]
        self.due = {t.name: (rng.uniform(0, 6.0), rng.uniform(0, 20.0)) for t in targets}
        self.last_s, self.sequence = 0.0, 0

    def between(self, until_s: float, utc_s: float) -> bytes:
        """Everything received since the last call."""
        out = b""
        for t, receiver in self.ships:
            report_s, static_s = self.due[t.name]
            state = t.path.at(until_s)
            mast = Place(state.place.lat_deg, state.place.lon_deg, 20.0)
            power = max((j.received_dbm(mast, until_s) for j in self.jammers), default=-200.0)
            quality = receiver.feel(power, until_s - self.last_s)
            if sight(self.place, mast)[0] > 1.15 * horizon_m(self.place.height_m, 20.0):
                continue
            if report_s < until_s:
                report_s = until_s + self.rng.uniform(4.0, 8.0)
                out += wire_ais.sentences(self._report(t, state, quality, utc_s), 0)
            if static_s < until_s:
                static_s = until_s + 60.0
                self.sequence += 1
                out += wire_ais.sentences(wire_ais.static(t.ident, t.callsign), self.sequence)
            self.due[t.name] = (report_s, static_s)
        self.last_s = until_s
        return out

    def _report(self, t: Target, state: State, quality: float, utc_s: float) -> wire_ais.Bits:
        speed, course = wire_adsb.course(state.ve, state.vn)
        if quality == 0.0:
            return wire_ais.report(t.ident, None, None, 0.0, course, 63)
        lat = state.place.lat_deg + self.rng.gauss(0, 5.0) / 111_000.0
        lon = state.place.lon_deg + self.rng.gauss(0, 5.0) / 90_000.0
        return wire_ais.report(t.ident, lat, lon, speed, course, int(utc_s % 60.0))


@dataclass
class Radar:
    """A rotating 2D radar: detection falls with the fourth power of range, plots are noisy, clutter is uniform."""

    place: Place
    targets: list[Target]
    rng: random.Random
    period_s: float = 2.5
    range_m_max: float = 40_000.0
    reference_range_m: float = 26_000.0  # where a 0.01 m2 target is seen with probability one half
    range_sigma_m: float = 25.0
    azimuth_sigma_deg: float = 0.15
    clutter_per_scan: float = 12.0
    elevation_min_deg: float = -0.3
    sac: int = 7
    sic: int = 1
    scan: int = field(default=0, init=False)

    def p_detect(self, range_m: float, rcs_m2: float) -> float:
        """Probability of one look, Swerling-like: exp(-noise to signal)."""
        ratio = (range_m / self.reference_range_m) ** 4 * (0.01 / rcs_m2)
        return 0.97 * exp(-0.6931 * ratio)

    def plots(self, begin_s: float, utc_s: float) -> list[Plot]:
        """The plots of the rotation that begins at `begin_s` of the scenario, which is `utc_s` on the clock."""
        out = []
        for t in self.targets:
            at = begin_s
            for _ in range(3):  # the moment at which the beam meets the target
                range_m, azimuth, elevation = sight(self.place, t.path.at(at).place)
                at = begin_s + azimuth / 360.0 * self.period_s
            if range_m > self.range_m_max or elevation < self.elevation_min_deg or elevation > 30.0:
                continue
            if self.rng.random() < self.p_detect(range_m, t.rcs_m2):
                r = range_m + self.rng.gauss(0.0, self.range_sigma_m)
                a = (azimuth + self.rng.gauss(0.0, self.azimuth_sigma_deg)) % 360.0
                out.append(Plot(max(r, 1.0), a, (utc_s + at - begin_s) % DAY_S))
        for _ in range(self._poisson(self.clutter_per_scan)):
            a = self.rng.uniform(0.0, 360.0)
            r = self.range_m_max * self.rng.random() ** 0.5
            out.append(Plot(max(r, 300.0), a, (utc_s + a / 360.0 * self.period_s) % DAY_S))
        return sorted(
            out, key=lambda p: p.time_of_day_s if p.time_of_day_s >= utc_s % DAY_S else p.time_of_day_s + DAY_S
        )

    def _poisson(self, mean: float) -> int:
        limit, n, product = exp(-mean), 0, self.rng.random()
        while product > limit:
            product *= self.rng.random()
            n += 1
        return n

    def rotation(self, begin_s: float, utc_s: float) -> list[bytes]:
        """Datagrams of one rotation: its plots, then the north marker that ends it."""
        plots = self.plots(begin_s, utc_s)
        records = [wire_asterix.plot048(self.sac, self.sic, p) for p in plots]
        out = [wire_asterix.block(48, records[i : i + 20]) for i in range(0, len(records), 20)]
        end = (utc_s + self.period_s) % DAY_S
        north = wire_asterix.service034(self.sac, self.sic, 1, end, None, self.period_s)
        return [*out, wire_asterix.block(34, [north])]
